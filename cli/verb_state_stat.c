/* SPDX-License-Identifier: Apache-2.0
 * verb_state_stat.c -- mayfly state stat DIR */
#include "flight_operand.h"
#include "hex.h"
#include "state_store.h"

#include "fmt/units.h"

#include <inttypes.h>
#include <mayfly/proof.h>
#include <string.h>

static void log_root_text(const struct mf_state_info *info, char out[MF_PROOF_ROOT_TEXT_LEN])
{
    struct mf_proof_root root = {.size = info->seq};
    memcpy(root.hash, info->log_root, sizeof root.hash);
    mf_proof_root_text(&root, out);
}

static void print_json(struct mf_buffer *out, const struct mf_state_info *info,
                       const struct mf_state_report *report)
{
    char log_root[MF_PROOF_ROOT_TEXT_LEN];
    struct mf_json json;
    log_root_text(info, log_root);
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key(&json, "id");
    mf_json_raw(&json, "\"", 1);
    cli_hex_put(out, info->id, sizeof info->id);
    mf_buffer_putc(out, '"');
    mf_json_key_int(&json, "created_wall_ns", info->created_wall_ns);
    mf_json_key_uint(&json, "seq", info->seq);
    mf_json_key_uint(&json, "durable_seq", info->durable_seq);
    mf_json_key_uint(&json, "keys", info->keys);
    mf_json_key_uint(&json, "bytes", info->bytes);
    state_json_hash(&json, "root", info->root);
    mf_json_key_string(&json, "log_root", log_root);
    mf_json_key_uint(&json, "checkpoint_seq", info->checkpoint_seq);
    mf_json_key(&json, "recovery");
    mf_json_begin_object(&json);
    mf_json_key_bool(&json, "clean", report->clean);
    mf_json_key_bool(&json, "root_verified", report->root_verified);
    mf_json_key_uint(&json, "checkpoint_seq", report->checkpoint_seq);
    mf_json_key_uint(&json, "checkpoints_bad", report->checkpoints_bad);
    mf_json_key_uint(&json, "replayed", report->replayed);
    mf_json_key_uint(&json, "torn_bytes", report->torn_bytes);
    mf_json_key_string(&json, "damage", report->damage);
    mf_json_key_int(&json, "duration_ns", report->duration_ns);
    mf_json_end_object(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static void print_text(struct mf_buffer *out, const struct mf_state_info *info,
                       const struct mf_state_report *report)
{
    char log_root[MF_PROOF_ROOT_TEXT_LEN];
    char time[CLI_TIME_LEN];
    char size[MF_UNITS_LEN];
    char duration[MF_UNITS_LEN];
    log_root_text(info, log_root);
    mf_buffer_puts(out, "Id          ");
    cli_hex_put(out, info->id, sizeof info->id);
    mf_buffer_printf(out, "\nMade        %s\n", cli_local_time(time, info->created_wall_ns));
    mf_buffer_printf(out, "Commits     %" PRIu64 ", durable up to %" PRIu64 "\n", info->seq,
                     info->durable_seq);
    mf_buffer_printf(out, "Keys        %" PRIu64 ", %s with their values\n", info->keys,
                     mf_format_size(size, info->bytes));
    mf_buffer_puts(out, "Root        ");
    cli_hex_put(out, info->root, sizeof info->root);
    mf_buffer_printf(out, "\nLog root    %s\n", log_root);
    if (info->checkpoint_seq > 0) {
        mf_buffer_printf(out, "Checkpoint  of commit %" PRIu64 "\n", info->checkpoint_seq);
    }
    mf_buffer_printf(out, "Opened      in %s: %" PRIu64 " commits taken from the log%s\n",
                     mf_format_duration(duration, report->duration_ns), report->replayed,
                     report->clean ? ", closed properly" : "");
    if (report->torn_bytes > 0) {
        mf_buffer_printf(out, "Torn        %" PRIu64 " bytes of a commit never acknowledged\n",
                         report->torn_bytes);
    }
    if (report->damage[0] != '\0') {
        mf_buffer_puts(out, "Damage      ");
        state_put_bytes(out, MF_STATE_TEXT(report->damage), false);
        mf_buffer_putc(out, '\n');
    }
}

static int run(struct cli_context *cli)
{
    struct mf_state *state = NULL;
    struct mf_state_info info;
    struct mf_state_report report;
    struct mf_buffer out = MF_BUFFER_INIT;
    int rc = state_open(cli, MF_STATE_READ_ONLY, &state);
    if (rc < 0) {
        return rc;
    }
    mf_state_info(state, &info);
    mf_state_report(state, &report);
    rc = state_close(cli, state, 0);
    if (cli->json) {
        print_json(&out, &info, &report);
    } else {
        print_text(&out, &info, &report);
    }
    const int printed = cli_print(cli, &out);
    return rc == 0 ? printed : rc;
}

const struct cli_verb verb_state_stat = {
    .name = "stat",
    .summary = "Show how large a store is, its roots, and how it was opened",
    .description =
        "The log root is what to note down or to sign: against it `mayfly state verify` checks "
        "proofs. It stands for all commits so far.",
    .operands = (const struct cli_operand[]){STATE_STORE_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly state stat ~/.local/share/mayfly/ledger", "The ledger of the flights."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
