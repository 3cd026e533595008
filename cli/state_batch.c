/* SPDX-License-Identifier: Apache-2.0
 * state_batch.c -- see state_batch.h. The bytes of keys and values are the batch's own. */
#include "state_batch.h"
#include "hex.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/json_read.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void state_batch_free(struct state_batch *batch)
{
    for (size_t i = 0; i < batch->owned_count; i++) {
        mf_free(batch->owned[i]);
    }
    mf_free(batch->owned);
    mf_free(batch->changes);
    *batch = (struct state_batch){.changes = NULL};
}

/* Memory that is freed with the batch; NULL when there is none. */
static void *own(struct state_batch *batch, size_t len, struct mf_errinfo *err)
{
    const size_t count = batch->owned_count;
    void *memory = NULL;
    if ((count & (count - 1)) == 0) {
        void **owned = mf_realloc(batch->owned, (count == 0 ? 1 : count * 2) * sizeof *owned);
        batch->owned = owned != NULL ? owned : batch->owned;
        memory = owned != NULL ? mf_malloc(len) : NULL;
    } else {
        memory = mf_malloc(len);
    }
    if (memory == NULL) {
        (void)mf_fail(err, -ENOMEM, "out of memory");
        return NULL;
    }
    batch->owned[batch->owned_count++] = memory;
    return memory;
}

/* ---- a member ---- */

static int copy_text(struct state_batch *batch, const char *text, struct mf_state_bytes *ret_bytes,
                     struct mf_errinfo *err)
{
    const size_t len = strlen(text);
    char *copy = own(batch, len + 1, err);
    if (copy == NULL) {
        return -ENOMEM;
    }
    memcpy(copy, text, len);
    *ret_bytes = (struct mf_state_bytes){copy, len};
    return 0;
}

static int copy_digits(struct state_batch *batch, const char *digits,
                       struct mf_state_bytes *ret_bytes, struct mf_errinfo *err)
{
    const size_t len = strlen(digits) / 2;
    uint8_t *bytes = own(batch, len + 1, err);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    if (strlen(digits) % 2 != 0 || !cli_hex_get(digits, bytes, len)) {
        return mf_fail(err, MF_ESYNTAX, "'%.40s' are no hexadecimal digits, two for each byte",
                       digits);
    }
    *ret_bytes = (struct mf_state_bytes){bytes, len};
    return 0;
}

/* The member `name`, or `name`_hex; one of them must be there, and only one. */
static int take_bytes(struct state_batch *batch, struct mf_json_node line, const char *name,
                      struct mf_state_bytes *ret_bytes, struct mf_errinfo *err)
{
    char hex_name[16];
    const char *text = NULL;
    const char *digits = NULL;
    snprintf(hex_name, sizeof hex_name, "%s_hex", name);
    int rc = mf_json_get_string_or(line, name, NULL, &text, err);
    rc = rc == 0 ? mf_json_get_string_or(line, hex_name, NULL, &digits, err) : rc;
    if (rc < 0) {
        return rc;
    }
    if ((text == NULL) == (digits == NULL)) {
        return mf_fail(err, MF_ESYNTAX, "it needs either \"%s\" or \"%s\"", name, hex_name);
    }
    return text != NULL ? copy_text(batch, text, ret_bytes, err)
                        : copy_digits(batch, digits, ret_bytes, err);
}

/* ---- a line ---- */

static int check_members(struct mf_json_node line, struct mf_errinfo *err)
{
    static const char *const names[] = {"op",        "key",  "key_hex", "value",
                                        "value_hex", "note", "note_hex"};
    void *cursor = NULL;
    struct mf_json_node member;
    if (mf_json_type(line) != MF_JSON_OBJECT) {
        return mf_fail(err, MF_ESYNTAX, "it is no object");
    }
    while (mf_json_next(line, &cursor, &member)) {
        bool known = false;
        for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
            known = known || strcmp(member.key, names[i]) == 0;
        }
        if (!known) {
            return mf_fail(err, MF_ESYNTAX, "there is no member \"%.40s\"", member.key);
        }
    }
    return 0;
}

static int add_change(struct state_batch *batch, enum mf_state_change_kind kind, bool has_value,
                      struct mf_json_node line, struct mf_errinfo *err)
{
    if (batch->count >= STATE_BATCH_CHANGES_MAX) {
        return mf_fail(err, MF_ELIMIT, "more than %u changes", STATE_BATCH_CHANGES_MAX);
    }
    if ((batch->count & (batch->count - 1)) == 0) {
        const size_t room = batch->count == 0 ? 1 : batch->count * 2;
        struct mf_state_change *changes = mf_realloc(batch->changes, room * sizeof *changes);
        if (changes == NULL) {
            return mf_fail(err, -ENOMEM, "out of memory");
        }
        batch->changes = changes;
    }
    struct mf_state_change *change = &batch->changes[batch->count++];
    *change = (struct mf_state_change){.kind = kind};
    int rc = take_bytes(batch, line, "key", &change->key, err);
    if (rc == 0 && (change->key.len == 0 || change->key.len > MF_STATE_KEY_MAX)) {
        rc = mf_fail(err, MF_EVALUE, "a key has 1 to %u bytes, not %zu", MF_STATE_KEY_MAX,
                     change->key.len);
    }
    if (rc == 0 && has_value) {
        rc = take_bytes(batch, line, "value", &change->value, err);
    }
    if (rc == 0 && change->value.len > MF_STATE_VALUE_MAX) {
        rc = mf_fail(err, MF_EVALUE, "a value has at most %u bytes, not %zu", MF_STATE_VALUE_MAX,
                     change->value.len);
    }
    return rc;
}

static int take_note(struct state_batch *batch, struct mf_json_node line, struct mf_errinfo *err)
{
    if (batch->note.bytes != NULL) {
        return mf_fail(err, MF_ESYNTAX, "a commit has one note");
    }
    const int rc = take_bytes(batch, line, "note", &batch->note, err);
    if (rc == 0 && batch->note.len > MF_STATE_NOTE_MAX) {
        return mf_fail(err, MF_EVALUE, "a note has at most %u bytes, not %zu", MF_STATE_NOTE_MAX,
                       batch->note.len);
    }
    return rc;
}

static int take_line(struct state_batch *batch, struct mf_json_node line, struct mf_errinfo *err)
{
    static const struct {
        const char *op;
        enum mf_state_change_kind kind;
        bool has_value;
    } ops[] = {{"put", MF_STATE_PUT, true},
               {"delete", MF_STATE_DELETE, false},
               {"expect", MF_STATE_EXPECT, true},
               {"absent", MF_STATE_EXPECT_ABSENT, false}};
    const char *op = NULL;
    int rc = check_members(line, err);
    rc = rc == 0 ? mf_json_get_string(line, "op", &op, err) : rc;
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(ops); i++) {
        if (strcmp(op, ops[i].op) == 0) {
            return add_change(batch, ops[i].kind, ops[i].has_value, line, err);
        }
    }
    if (strcmp(op, "note") == 0) {
        return take_note(batch, line, err);
    }
    return mf_fail(err, MF_ESYNTAX,
                   "there is no \"op\" \"%.40s\": put, delete, expect, absent, note", op);
}

/* ---- all lines ---- */

static int parse_line(struct state_batch *batch, const char *text, size_t len,
                      struct mf_errinfo *err)
{
    const struct mf_json_limits limits = {.len_max_bytes = STATE_BATCH_LINE_MAX, .depth_max = 4};
    struct mf_json_document *document = NULL;
    int rc = mf_json_parse(text, len, &limits, "change", &document, err);
    rc = rc == 0 ? take_line(batch, mf_json_root(document), err) : rc;
    mf_json_free(document);
    return rc;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') {
            return false;
        }
    }
    return true;
}

int state_batch_parse(const char *text, size_t len, struct state_batch *ret_batch,
                      struct mf_errinfo *err)
{
    struct state_batch batch = {.changes = NULL};
    struct mf_errinfo why = {0};
    size_t number = 0;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t line_len = end != NULL ? (size_t)(end - text) - at : len - at;
        number++;
        if (!is_blank(text + at, line_len)) {
            rc = parse_line(&batch, text + at, line_len, &why);
        }
        at += line_len + 1;
    }
    if (rc < 0) {
        state_batch_free(&batch);
        rc = rc == MF_ENOTFOUND ? MF_ESYNTAX : rc;
        return mf_fail(err, rc, "line %zu: %.300s", number, why.msg);
    }
    *ret_batch = batch;
    return 0;
}
