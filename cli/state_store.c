/* SPDX-License-Identifier: Apache-2.0
 * state_store.c -- see state_store.h. */
#include "state_store.h"
#include "hex.h"

#include "fmt/terminal.h"
#include "fmt/utf8.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RETRY_NS_FIRST (1 * MF_NS_PER_MS)
#define RETRY_NS_MAX   (20 * MF_NS_PER_MS)
#define READ_BYTES     ((size_t)64 << 10)

/* ---- the store ---- */

int state_open(struct cli_context *cli, uint32_t flags, struct mf_state **ret_state)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    const bool writes = (flags & (MF_STATE_READ_ONLY | MF_STATE_SALVAGE)) == 0;
    const int64_t until_ns = mf_clock_monotonic_ns(NULL) + (writes ? cli_int(cli, "wait") : 0);
    int64_t pause_ns = RETRY_NS_FIRST;
    options.flags = flags;
    for (;;) {
        const int rc = mf_state_open(cli->operands[0], &options, NULL, ret_state, &cli->err);
        const int64_t now_ns = mf_clock_monotonic_ns(NULL);
        if (rc != MF_ELOCKED || !writes || now_ns >= until_ns) {
            return rc;
        }
        (void)mf_clock_sleep_until_ns(now_ns + pause_ns < until_ns ? now_ns + pause_ns : until_ns);
        pause_ns = pause_ns * 2 < RETRY_NS_MAX ? pause_ns * 2 : RETRY_NS_MAX;
    }
}

int state_close(struct cli_context *cli, struct mf_state *state, int rc)
{
    struct mf_errinfo why = {0};
    const int closed = mf_state_close(state, &why);
    if (rc == 0 && closed < 0) {
        cli->err = why;
        return closed;
    }
    return rc;
}

/* ---- bytes ---- */

int state_bytes(struct cli_context *cli, const char *word, struct mf_buffer *ret_bytes)
{
    struct mf_buffer bytes = MF_BUFFER_INIT;
    const size_t len = strlen(word);
    if (!cli_flag(cli, "hex")) {
        mf_buffer_append(&bytes, word, len);
    } else {
        char *room = mf_buffer_reserve(&bytes, len / 2 + 1);
        if (room != NULL && (len % 2 != 0 || !cli_hex_get(word, (uint8_t *)room, len / 2))) {
            mf_buffer_free(&bytes);
            return mf_fail(&cli->err, MF_ESYNTAX,
                           "'%.100s' are no hexadecimal digits, two of "
                           "them for each byte",
                           word);
        }
        bytes.len = len / 2;
    }
    if (bytes.failed) {
        mf_buffer_free(&bytes);
        return mf_fail(&cli->err, -ENOMEM, "out of memory");
    }
    *ret_bytes = bytes;
    return 0;
}

static int read_stdin(struct cli_context *cli, size_t len_max, struct mf_buffer *bytes)
{
    for (;;) {
        size_t len = 0;
        char *room = mf_buffer_reserve(bytes, READ_BYTES);
        if (room == NULL) {
            return mf_fail(&cli->err, -ENOMEM, "out of memory");
        }
        const int rc = mf_fd_read(STDIN_FILENO, room, READ_BYTES, &len);
        if (rc < 0) {
            return mf_fail_os(&cli->err, rc, "standard input");
        }
        if (len == 0) {
            return 0;
        }
        bytes->len += len;
        if (bytes->len > len_max) {
            return mf_fail(&cli->err, MF_ELIMIT, "standard input has more than %zu bytes", len_max);
        }
    }
}

int state_read_input(struct cli_context *cli, const char *path, size_t len_max,
                     struct mf_buffer *ret_bytes)
{
    struct mf_buffer bytes = MF_BUFFER_INIT;
    char *whole = NULL;
    int rc = 0;
    if (strcmp(path, "-") == 0) {
        rc = read_stdin(cli, len_max, &bytes);
    } else {
        rc = mf_fs_read_all(NULL, path, len_max, &whole, &bytes.len, &cli->err);
        bytes.data = whole;
        bytes.capacity = rc == 0 ? bytes.len + 1 : 0;
    }
    if (rc < 0) {
        mf_buffer_free(&bytes);
        return rc;
    }
    *ret_bytes = bytes;
    return 0;
}

static bool is_text(struct mf_state_bytes bytes)
{
    const char *text = bytes.bytes;
    for (size_t at = 0, len = 0; at < bytes.len; at += len) {
        if (text[at] == '\0' || mf_utf8_get(text + at, bytes.len - at, &len) == MF_UTF8_INVALID) {
            return false;
        }
    }
    return true;
}

void state_json_bytes(struct mf_json *json, const char *name, struct mf_state_bytes bytes)
{
    char hex_name[32];
    if (is_text(bytes)) {
        mf_json_key(json, name);
        mf_json_string_len(json, bytes.len > 0 ? bytes.bytes : "", bytes.len);
        return;
    }
    snprintf(hex_name, sizeof hex_name, "%s_hex", name);
    mf_json_key(json, hex_name);
    mf_json_raw(json, "\"", 1);
    cli_hex_put(json->out, bytes.bytes, bytes.len);
    mf_buffer_putc(json->out, '"');
}

void state_put_bytes(struct mf_buffer *out, struct mf_state_bytes bytes, bool hex)
{
    if (hex) {
        cli_hex_put(out, bytes.bytes, bytes.len);
    } else if (bytes.len > 0) {
        mf_terminal_escape(out, bytes.bytes, bytes.len);
    }
}

void state_json_hash(struct mf_json *json, const char *name, const uint8_t *hash)
{
    mf_json_key(json, name);
    mf_json_raw(json, "\"", 1);
    cli_hex_put(json->out, hash, MF_STATE_HASH_LEN);
    mf_buffer_putc(json->out, '"');
}

/* ---- commits ---- */

static int apply(struct mf_state_tx *tx, const struct mf_state_change *change,
                 struct mf_errinfo *err)
{
    switch (change->kind) {
    case MF_STATE_PUT:
        return mf_state_put(tx, change->key, change->value, err);
    case MF_STATE_DELETE:
        return mf_state_delete(tx, change->key, err);
    case MF_STATE_EXPECT:
        return mf_state_expect(tx, change->key, change->value, err);
    case MF_STATE_EXPECT_ABSENT:
        return mf_state_expect_absent(tx, change->key, err);
    }
    return mf_fail(err, MF_EVALUE, "no such change");
}

static int tell_result(struct cli_context *cli, int rc, const struct mf_state_result *result)
{
    static const char *const words[] = {"ABORTED", "COMMITTED", "INDETERMINATE"};
    const char *outcome = words[result->outcome];
    if (cli->json) {
        struct mf_buffer out = MF_BUFFER_INIT;
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_COMPACT);
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "outcome", outcome);
        if (result->outcome != MF_STATE_ABORTED) {
            mf_json_key_uint(&json, "seq", result->seq);
        }
        if (result->outcome == MF_STATE_COMMITTED) {
            state_json_hash(&json, "root", result->root);
        }
        if (rc < 0) {
            mf_json_key_string(&json, "error", mf_error_name(rc));
            mf_json_key_string(&json, "message", cli->err.msg);
        }
        mf_json_end_object(&json);
        mf_json_finish(&json);
        const int printed = cli_print(cli, &out);
        if (printed < 0) {
            return printed;
        }
    } else if (rc == 0) {
        struct mf_buffer out = MF_BUFFER_INIT;
        mf_buffer_printf(&out, "%s %llu, root ", outcome, (unsigned long long)result->seq);
        cli_hex_put(&out, result->root, sizeof result->root);
        mf_buffer_putc(&out, '\n');
        return cli_print(cli, &out);
    }
    if (rc < 0 && result->outcome == MF_STATE_INDETERMINATE) {
        cli_note("INDETERMINATE: commit %llu may or may not be there after the next open: %s",
                 (unsigned long long)result->seq, cli->err.msg);
        return CLI_EXIT_INDETERMINATE;
    }
    return rc;
}

int state_commit(struct cli_context *cli, struct mf_state *state,
                 const struct mf_state_change *changes, size_t count, struct mf_state_bytes note)
{
    struct mf_state_tx *tx = NULL;
    struct mf_state_result result = {.outcome = MF_STATE_ABORTED};
    int rc = mf_state_begin(state, &tx, &cli->err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = apply(tx, &changes[i], &cli->err);
    }
    if (rc == 0 && note.len > 0) {
        rc = mf_state_note(tx, note, &cli->err);
    }
    if (rc < 0) {
        mf_state_abort(tx);
        return rc == MF_ELIMIT ? MF_EVALUE : rc; /* nothing to be tried again later */
    }
    rc = mf_state_commit(tx, &result, &cli->err);
    return tell_result(cli, rc, &result);
}
