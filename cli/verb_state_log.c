/* SPDX-License-Identifier: Apache-2.0
 * verb_state_log.c -- mayfly state log DIR */
#include "flight_operand.h"
#include "hex.h"
#include "state_store.h"

#include "fmt/rfc3339.h"

#include <errno.h>

struct logging {
    struct cli_context *cli;
    struct mf_buffer out;
    struct mf_json json;
};

static int visit(void *context, const struct mf_state_commit_info *info)
{
    struct logging *log = context;
    char time[MF_RFC3339_LEN];
    const bool audit = info->kind == MF_STATE_COMMIT_AUDIT;
    if (log->cli->json) {
        struct mf_json *json = &log->json;
        mf_json_begin_object(json);
        mf_json_key_uint(json, "seq", info->seq);
        mf_json_key_int(json, "wall_ns", info->wall_ns);
        mf_json_key_string(json, "kind", audit ? "audit" : "changes");
        mf_json_key_uint(json, "changes", info->changes);
        state_json_hash(json, "root", info->root);
        state_json_hash(json, "changes_hash", info->changes_hash);
        if (info->note.len > 0) {
            state_json_bytes(json, "note", info->note);
        }
        mf_json_end_object(json);
        mf_json_finish(json);
    } else {
        mf_buffer_printf(&log->out, "%llu %s ", (unsigned long long)info->seq,
                         mf_format_rfc3339(time, info->wall_ns, 0, 3));
        cli_hex_put(&log->out, info->root, sizeof info->root);
        if (!audit) {
            mf_buffer_printf(&log->out, " %llu change%s", (unsigned long long)info->changes,
                             info->changes == 1 ? "" : "s");
        }
        if (info->note.len > 0) {
            mf_buffer_puts(&log->out, audit ? " " : ": ");
            state_put_bytes(&log->out, info->note, false);
        }
        mf_buffer_putc(&log->out, '\n');
    }
    return log->out.failed ? mf_fail(&log->cli->err, -ENOMEM, "out of memory") : 0;
}

static int run(struct cli_context *cli)
{
    struct logging log = {.cli = cli, .out = MF_BUFFER_INIT};
    struct mf_state_info info;
    struct mf_state *state = NULL;
    int rc = state_open(cli, MF_STATE_READ_ONLY, &state);
    if (rc < 0) {
        return rc;
    }
    mf_state_info(state, &info);
    const uint64_t last = (uint64_t)cli_int(cli, "last");
    uint64_t from = cli_int(cli, "from") > 0 ? (uint64_t)cli_int(cli, "from") : 1;
    if (last > 0 && info.seq > last && info.seq - last + 1 > from) {
        from = info.seq - last + 1;
    }
    mf_json_init(&log.json, &log.out, MF_JSON_COMPACT);
    if (from <= info.seq) {
        const int64_t to = cli_int(cli, "to");
        rc = mf_state_log(state, from, to > 0 && (uint64_t)to < info.seq ? (uint64_t)to : info.seq,
                          visit, &log, &cli->err);
    }
    rc = state_close(cli, state, rc);
    const int printed = cli_print(cli, &log.out);
    return rc == 0 ? printed : rc;
}

const struct cli_verb verb_state_log = {
    .name = "log",
    .summary = "List the commits: number, time, root, what they were",
    .description = "Events of the store itself (made, recovered) are commits, too.",
    .options =
        (const struct cli_option[]){
            {.name = "from",
             .kind = CLI_INT,
             .metavar = "N",
             .min = 1,
             .max = INT64_MAX,
             .help = "From this commit on"},
            {.name = "to",
             .kind = CLI_INT,
             .metavar = "N",
             .min = 1,
             .max = INT64_MAX,
             .help = "Up to this commit"},
            {.name = "last",
             .letter = 'n',
             .kind = CLI_INT,
             .metavar = "N",
             .min = 1,
             .max = INT64_MAX,
             .help = "Only the last N"},
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STATE_STORE_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly state log settings --last 10", "What happened lately."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
