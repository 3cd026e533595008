/* SPDX-License-Identifier: Apache-2.0
 * verb_metrics_verify.c -- mayfly metrics verify. */
#include "metrics_stores.h"

#include "fmt/json_write.h"

#include <errno.h>
#include <inttypes.h>

struct verifying {
    struct cli_context *cli;
    struct mf_json *json;
    struct mf_buffer *out;
    size_t bad;
};

static int verify(struct verifying *v, const char *path)
{
    struct mf_metrics_verify_report report = {0};
    struct mf_errinfo err = {0};
    int rc = mf_metrics_verify(path, NULL, &report, &err);
    if (rc == -ENOMEM) {
        v->cli->err = err;
        return rc;
    }
    v->bad += rc != 0 ? 1 : 0;
    if (v->json != NULL) {
        mf_json_begin_object(v->json);
        mf_json_key_string(v->json, "store", path);
        mf_json_key_bool(v->json, "good", rc == 0);
        if (rc != 0) {
            mf_json_key_string(v->json, "error", mf_error_name(rc));
            mf_json_key_string(v->json, "message", err.msg);
        } else {
            mf_json_key_string(v->json, "state",
                               stores_state_word((enum mf_metrics_state)report.state));
            mf_json_key_uint(v->json, "file_bytes", report.file_bytes);
            mf_json_key_uint(v->json, "series", report.series);
            mf_json_key_uint(v->json, "points", report.points);
            mf_json_key_uint(v->json, "blocks", report.blocks);
        }
        mf_json_end_object(v->json);
    } else if (rc != 0) {
        stores_progress(0, 0);
        cli_note("%s", err.msg);
    } else if (!cli_flag(v->cli, "quiet")) {
        mf_buffer_printf(v->out, "%s: good: %s, %" PRIu64 " series, %" PRIu64 " points\n", path,
                         stores_state_word((enum mf_metrics_state)report.state), report.series,
                         report.points);
    }
    return 0;
}

static int verify_all(struct cli_context *cli, const struct stores *stores)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    struct verifying v = {.cli = cli, .json = cli->json ? &json : NULL, .out = &out};
    int rc = 0;
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    if (cli->json) {
        mf_json_begin_array(&json);
    }
    for (size_t i = 0; rc == 0 && i < stores->count && !stores_stopped(NULL); i++) {
        stores_progress(i, stores->count);
        rc = verify(&v, stores->paths[i]);
    }
    stores_progress(0, 0);
    if (cli->json) {
        mf_json_end_array(&json);
        mf_json_finish(&json);
    }
    const int printed = cli_print(cli, &out);
    rc = rc == 0 ? printed : rc;
    return rc == 0 && v.bad > 0 ? CLI_EXIT_NEGATIVE : rc;
}

static int run(struct cli_context *cli)
{
    struct stores stores;
    int rc = stores_find(cli, 0, &stores);
    if (rc != 0) {
        return rc;
    }
    rc = stores_watch(cli);
    rc = rc == 0 ? stores_unwatch(verify_all(cli, &stores)) : rc;
    stores_free(&stores);
    return rc;
}

const struct cli_verb verb_metrics_verify = {
    .name = "verify",
    .summary = "Read everything in stores and check it",
    .description = "Checksums, order, ranges, and that the numbers of each point agree. Exit code "
                   "1 when a store is damaged.",
    .options =
        (const struct cli_option[]){
            {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .help = "Only what is wrong"},
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STORES_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly metrics verify /var/lib/vms", "All stores below a folder."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
