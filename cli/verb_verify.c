/* SPDX-License-Identifier: Apache-2.0
 * verb_verify.c -- mayfly verify [FLIGHT]... */
#include "cli.h"
#include "flight_operand.h"
#include "flight_seal.h"
#include "proof_trust.h"
#include "verbs.h"
#include "verify_proof.h"

#include "base/heap.h"
#include "fmt/terminal.h"
#include "fmt/units.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct verifying {
    struct cli_context *cli;
    struct mf_seal_trust trust;
    uint8_t root[MF_SEAL_HASH_LEN];
    bool all;
    struct mf_buffer text;
    struct mf_json json;
    size_t good;
    size_t bad;
    size_t unsealed;
    size_t removed;
};

/* ---- findings ---- */

static void finding_json(struct mf_json *json, const struct mf_seal_finding *finding)
{
    mf_json_begin_object(json);
    mf_json_key_string(json, "fault", mf_seal_fault_name(finding->fault));
    mf_json_key_string(json, "path", finding->path);
    mf_json_key_string(json, "text", finding->text);
    mf_json_key_uint(json, "sealed_bytes", finding->sealed_bytes);
    mf_json_key_uint(json, "bytes", finding->bytes);
    mf_json_key(json, "regions");
    mf_json_begin_array(json);
    for (unsigned i = 0; i < finding->region_count; i++) {
        mf_json_begin_object(json);
        mf_json_key_uint(json, "offset", finding->regions[i].offset);
        mf_json_key_uint(json, "len", finding->regions[i].len);
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
    mf_json_key_bool(json, "more_regions", finding->more_regions);
    mf_json_end_object(json);
}

static void take_finding(void *context, const struct mf_seal_finding *finding)
{
    struct verifying *v = context;
    if (v->cli->json) {
        finding_json(&v->json, finding);
        return;
    }
    mf_buffer_puts(&v->text, "  ");
    if (finding->path[0] != '\0') {
        mf_terminal_escape(&v->text, finding->path, strlen(finding->path));
        mf_buffer_puts(&v->text, ": ");
    }
    mf_terminal_escape(&v->text, finding->text, strlen(finding->text));
    mf_buffer_putc(&v->text, '\n');
}

/* ---- one flight ---- */

static void tell_verdict(struct verifying *v, const char *name, const struct mf_seal_check *check)
{
    char hash[CLI_HASH_TEXT_LEN];
    char time[CLI_TIME_LEN];
    const struct mf_seal_record *record = &check->record;
    if (check->findings > 0) {
        printf("%s: NOT as it was sealed:\n%s", name, v->text.data != NULL ? v->text.data : "");
    } else if (!cli_flag(v->cli, "quiet")) {
        printf("%s: as sealed", name);
        if (record->sealed_wall_ns != 0) {
            printf(" %s", cli_local_time(time, record->sealed_wall_ns));
        }
        printf(", root %s\n", cli_hash_text(record->root, hash));
    }
}

static int verify_one(void *context, const char *dir, const struct mf_flight_info *info)
{
    struct verifying *v = context;
    struct mf_seal_check check;
    const char *name = cli_base_name(dir);
    if (v->all && info != NULL && info->state == MF_FLIGHT_RUNNING) {
        return 0;
    }
    mf_buffer_clear(&v->text);
    if (v->cli->json) {
        mf_json_begin_object(&v->json);
        mf_json_key_string(&v->json, "id", name);
        mf_json_key(&v->json, "findings");
        mf_json_begin_array(&v->json);
    }
    const int rc = mf_flight_verify(dir, &v->trust, take_finding, v, &check, &v->cli->err);
    if (rc < 0 && rc != MF_ENOTFOUND) {
        return rc;
    }
    v->unsealed += rc != 0;
    v->bad += rc == 0 && check.findings > 0;
    v->good += rc == 0 && check.findings == 0;
    if (v->cli->json) {
        mf_json_end_array(&v->json);
        mf_json_key_bool(&v->json, "sealed", rc == 0);
        mf_json_key_bool(&v->json, "good", rc == 0 && check.findings == 0);
        if (rc == 0) {
            cli_seal_json(&v->json, &check.record);
        }
        mf_json_end_object(&v->json);
    } else if (rc != 0) {
        printf("%s: not sealed\n", name);
    } else {
        tell_verdict(v, name, &check);
    }
    return 0;
}

/* ---- those that are gone ---- */

static int look_for(void *context, const struct mf_seal_record *record)
{
    struct verifying *v = context;
    struct mf_file_info info;
    char time[CLI_TIME_LEN];
    char *dir = mf_asprintf("%s/flights/%s", v->trust.home, record->id);
    if (dir == NULL) {
        return mf_fail(&v->cli->err, -ENOMEM, "out of memory");
    }
    const bool gone = mf_fs_info(NULL, dir, &info, NULL) == -ENOENT;
    mf_free(dir);
    if (!gone) {
        return 0;
    }
    v->removed += record->removed;
    v->bad += !record->removed;
    if (v->cli->json) {
        mf_json_begin_object(&v->json);
        mf_json_key_string(&v->json, "id", record->id);
        mf_json_key_bool(&v->json, "sealed", true);
        mf_json_key_bool(&v->json, "gone", true);
        mf_json_key_bool(&v->json, "good", record->removed);
        cli_seal_json(&v->json, record);
        mf_json_end_object(&v->json);
    } else if (!record->removed) {
        printf("%s: GONE: it was sealed %s, and nobody has removed it by `mayfly rm` or `gc`\n",
               record->id, cli_local_time(time, record->sealed_wall_ns));
    } else if (!cli_flag(v->cli, "quiet")) {
        printf("%s: removed by mayfly %s\n", record->id,
               cli_local_time(time, record->removed_wall_ns));
    }
    return 0;
}

/* ---- the verb ---- */

static int verify_flights(struct cli_context *cli, struct verifying *v)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_json_init(&v->json, &out, MF_JSON_PRETTY);
    mf_json_begin_array(&v->json);
    int rc = cli_flights_each(cli, v->all, verify_one, v);
    rc = rc == 0 && v->all ? mf_flight_seal_list(v->trust.home, look_for, v, &cli->err) : rc;
    if (rc == 0 && cli->json) {
        mf_json_end_array(&v->json);
        mf_json_finish(&v->json);
        rc = cli_print(cli, &out);
    }
    mf_buffer_free(&out);
    if (rc == 0 && v->all && !cli->json) {
        printf("%zu as sealed, %zu not, %zu not sealed, %zu removed\n", v->good, v->bad,
               v->unsealed, v->removed);
    }
    if (rc == 0 && (v->bad > 0 || (v->unsealed > 0 && !v->all))) {
        return CLI_EXIT_NEGATIVE;
    }
    return rc;
}

/* The findings come behind what was proven. */
static int by_proof(struct cli_context *cli, struct verifying *v)
{
    struct mf_buffer unused = MF_BUFFER_INIT;
    if (v->all || cli->operand_count > 1) {
        return cli_usage(cli, "--proof is of one flight, or one file");
    }
    mf_json_init(&v->json, &unused, MF_JSON_PRETTY);
    mf_json_begin_array(&v->json);
    const int rc = verify_proof(cli, take_finding, v);
    mf_buffer_free(&unused);
    if (v->text.len > 0 && !cli->json) {
        const int printed = cli_print(cli, &v->text);
        return printed < 0 ? printed : rc;
    }
    mf_buffer_free(&v->text);
    return rc;
}

static int run(struct cli_context *cli)
{
    struct verifying v = {.cli = cli, .all = cli_flag(cli, "all"), .text = MF_BUFFER_INIT};
    const char *root = cli_string(cli, "root");
    char *home = NULL;
    if (v.all && cli->operand_count > 0) {
        return cli_usage(cli, "either --all or flights");
    }
    if (cli_string(cli, "proof") != NULL) {
        return by_proof(cli, &v);
    }
    if (cli_string(cli, "note") != NULL || cli_string(cli, "key") != NULL) {
        return cli_usage(cli, "--note and --key go with --proof");
    }
    if (root != NULL && (v.all || cli->operand_count > 1)) {
        return cli_usage(cli, "--root is the root of one flight");
    }
    if (root != NULL && !cli_hash_parse(root, v.root)) {
        return cli_usage(cli, "'%s' is no root of a flight: 64 hexadecimal digits", root);
    }
    int rc = mf_flight_home(NULL, &home, &cli->err);
    if (rc == 0) {
        v.trust.home = home;
        v.trust.root = root != NULL ? v.root : NULL;
        rc = verify_flights(cli, &v);
    }
    mf_buffer_free(&v.text);
    mf_flight_free_text(home);
    return rc;
}

const struct cli_verb verb_verify = {
    .name = "verify",
    .section = "Flights",
    .summary = "Find any byte of a flight that has changed since it was sealed",
    .description =
        "Reads all files of the flights and compares them with what was sealed: changed, missing, "
        "added, shorter and longer files are named, and where in a file bytes have changed. The "
        "root is the one in the ledger, or the one given. Exit code 1 when something has changed, "
        "or when a flight that is named is not sealed.\n\n"
        "With --all the flights that the ledger knows and that are gone are looked for, too; those "
        "that `mayfly rm` or `gc` removed are told apart.",
    .options =
        (const struct cli_option[]){
            {.name = "all", .letter = 'a', .kind = CLI_FLAG, .help = "All flights of the ledger"},
            {.name = "root",
             .kind = CLI_STRING,
             .metavar = "ROOT",
             .help = "Compare with this root of a flight instead of the ledger's; with --proof: "
                     "trust this root of the ledger"},
            {.name = "proof",
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "Check this proof, and whether FLIGHT (a directory, or the file that it is "
                     "of) is what it proves; needs no ledger"},
            PROOF_NOTE_OPTIONS,
            {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .help = "Only what is wrong"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .optional = true, .repeated = true, .help = CLI_FLIGHT_OR_LAST_HELP},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly verify", "The newest flight."},
            {"mayfly verify --all --quiet", "Whatever is wrong in the whole home."},
            {"mayfly verify --proof output.proof --root 120-3fa4.. output.log",
             "On another machine: that this file is what the flight had."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
