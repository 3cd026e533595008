/* SPDX-License-Identifier: Apache-2.0
 * verb_state_scan.c -- mayfly state scan DIR */
#include "state_store.h"

#include <stdio.h>

#define FLUSH_BYTES ((size_t)1 << 20)

/* The range of the command line: a prefix, or from .. to. */
struct range {
    struct mf_buffer prefix, from, to;
};

static int read_range(struct cli_context *cli, struct range *range)
{
    static const char *const names[] = {"prefix", "from", "to"};
    struct mf_buffer *const bytes[] = {&range->prefix, &range->from, &range->to};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < MF_ARRAY_LEN(names); i++) {
        const char *word = cli_string(cli, names[i]);
        rc = word != NULL ? state_bytes(cli, word, bytes[i]) : 0;
    }
    return rc;
}

static int open_cursor(struct cli_context *cli, struct mf_state_tx *tx, const struct range *range,
                       struct mf_state_cursor **ret_cursor)
{
    if (range->prefix.len > 0) {
        return mf_state_scan_prefix(tx,
                                    (struct mf_state_bytes){range->prefix.data, range->prefix.len},
                                    ret_cursor, &cli->err);
    }
    return mf_state_scan(tx, (struct mf_state_bytes){range->from.data, range->from.len},
                         (struct mf_state_bytes){range->to.data, range->to.len}, ret_cursor,
                         &cli->err);
}

static void put_entry(struct cli_context *cli, struct mf_buffer *out, struct mf_json *json,
                      struct mf_state_bytes key, struct mf_state_bytes value)
{
    const bool keys_only = cli_flag(cli, "keys");
    const bool hex = cli_flag(cli, "hex");
    if (cli->json) {
        mf_json_begin_object(json);
        state_json_bytes(json, "key", key);
        if (!keys_only) {
            state_json_bytes(json, "value", value);
        }
        mf_json_end_object(json);
        mf_json_finish(json);
        return;
    }
    state_put_bytes(out, key, hex);
    if (!keys_only) {
        mf_buffer_putc(out, '\t');
        state_put_bytes(out, value, hex);
    }
    mf_buffer_putc(out, '\n');
}

static int scan(struct cli_context *cli, struct mf_state_cursor *cursor)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    const int64_t limit = cli_int(cli, "limit");
    int64_t count = 0;
    int rc = 1;
    mf_json_init(&json, &out, MF_JSON_COMPACT);
    while (rc == 1 && (limit == 0 || count < limit)) {
        struct mf_state_bytes key;
        struct mf_state_bytes value;
        rc = mf_state_next(cursor, &key, &value, &cli->err);
        if (rc == 1) {
            put_entry(cli, &out, &json, key, value);
            count++;
            if (out.len > FLUSH_BYTES && !out.failed) {
                fwrite(out.data, 1, out.len, stdout);
                out.len = 0;
            }
        }
    }
    const int printed = cli_print(cli, &out);
    return rc < 0 ? rc : printed;
}

static int run(struct cli_context *cli)
{
    struct range range = {MF_BUFFER_INIT, MF_BUFFER_INIT, MF_BUFFER_INIT};
    struct mf_state *state = NULL;
    struct mf_state_tx *tx = NULL;
    struct mf_state_cursor *cursor = NULL;
    if (cli_string(cli, "prefix") != NULL &&
        (cli_string(cli, "from") != NULL || cli_string(cli, "to") != NULL)) {
        return cli_usage(cli, "either --prefix or --from and --to");
    }
    int rc = read_range(cli, &range);
    rc = rc == 0 ? state_open(cli, MF_STATE_READ_ONLY, &state) : rc;
    if (rc == 0) {
        rc = mf_state_snapshot(state, &tx, &cli->err);
        rc = rc == 0 ? open_cursor(cli, tx, &range, &cursor) : rc;
        rc = rc == 0 ? scan(cli, cursor) : rc;
        mf_state_cursor_close(cursor);
        mf_state_abort(tx);
        rc = state_close(cli, state, rc);
    }
    mf_buffer_free(&range.prefix);
    mf_buffer_free(&range.from);
    mf_buffer_free(&range.to);
    return rc;
}

const struct cli_verb verb_state_scan = {
    .name = "scan",
    .summary = "List keys and values in the order of their bytes",
    .description =
        "A line each: the key, a tab, the value, with control characters made visible; with --hex "
        "their digits. With --json an object for each, one per line (\"key\" and \"value\", or "
        "\"key_hex\" and \"value_hex\" where the bytes are no text).",
    .options =
        (const struct cli_option[]){
            {.name = "prefix",
             .letter = 'p',
             .kind = CLI_STRING,
             .metavar = "KEY",
             .help = "Only keys that begin with this"},
            {.name = "from", .kind = CLI_STRING, .metavar = "KEY", .help = "From this key on"},
            {.name = "to",
             .kind = CLI_STRING,
             .metavar = "KEY",
             .help = "Up to this key, without it"},
            {.name = "limit",
             .letter = 'n',
             .kind = CLI_INT,
             .metavar = "N",
             .min = 1,
             .max = INT64_MAX,
             .help = "At most so many"},
            {.name = "keys", .letter = 'k', .kind = CLI_FLAG, .help = "Only the keys"},
            STATE_HEX_OPTION,
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STATE_STORE_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly state scan ~/.local/share/mayfly/ledger --prefix flight/ --keys",
             "The flights that were sealed."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
