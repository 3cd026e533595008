/* SPDX-License-Identifier: Apache-2.0
 * seal_ledger.c -- see seal_ledger.h and seal.h. */
#include "seal_ledger.h"
#include "seal_manifest.h"
#include "seal_private.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/json_read.h"
#include "fmt/json_write.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FORMAT         1
#define PREFIX_FLIGHT  "flight/"
#define PREFIX_REMOVED "removed/"
#define KEY_LEN        (MF_FLIGHT_ID_LEN + 16)
#define RETRY_NS_FIRST (200 * MF_NS_PER_US)
#define RETRY_NS_MAX   (10 * MF_NS_PER_MS)
#define VALUE_LEN_MAX  65536u

int mf_flight_ledger_path(const char *home, char **ret_path, struct mf_errinfo *err)
{
    char *path = mf_asprintf("%s/ledger", home);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    *ret_path = path;
    return 0;
}

/* ---- opening ---- */

/* Whoever has the ledger has it for some milliseconds; the turn is taken by asking again. */
static int open_in_turn(const char *path, const struct mf_state_options *options, int64_t wait_ns,
                        struct mf_state **ret_ledger, struct mf_errinfo *err)
{
    const int64_t until_ns = mf_clock_monotonic_ns(NULL) + wait_ns;
    int64_t pause_ns = RETRY_NS_FIRST;
    for (;;) {
        const int rc = mf_state_open(path, options, NULL, ret_ledger, err);
        const int64_t now_ns = mf_clock_monotonic_ns(NULL);
        if (rc != MF_ELOCKED || now_ns >= until_ns) {
            return rc;
        }
        (void)mf_clock_sleep_until_ns(now_ns + pause_ns < until_ns ? now_ns + pause_ns : until_ns);
        pause_ns = pause_ns * 2 < RETRY_NS_MAX ? pause_ns * 2 : RETRY_NS_MAX;
    }
}

int mf__ledger_open(const char *home, int64_t wait_ns, struct mf_state **ret_ledger,
                    struct mf_errinfo *err)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    char *path = NULL;
    int rc = mf_flight_ledger_path(home, &path, err);
    options.flags = MF_STATE_CREATE;
    if (rc == 0) {
        rc = open_in_turn(path, &options, wait_ns, ret_ledger, err);
    }
    mf_free(path);
    return rc;
}

int mf__ledger_read(const char *home, struct mf_state **ret_ledger, struct mf_errinfo *err)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    char *path = NULL;
    int rc = mf_flight_ledger_path(home, &path, err);
    options.flags = MF_STATE_READ_ONLY;
    if (rc == 0) {
        rc = mf_state_open(path, &options, NULL, ret_ledger, err);
    }
    mf_free(path);
    return rc;
}

/* ---- records ---- */

static struct mf_state_bytes key_of(char out[KEY_LEN], const char *prefix, const char *id)
{
    snprintf(out, KEY_LEN, "%s%s", prefix, id);
    return MF_STATE_TEXT(out);
}

static void write_record(const struct mf_seal_record *record, struct mf_buffer *out)
{
    char hex[MF_SEAL_HEX_LEN];
    struct mf_json json;
    mf_buffer_append(out, record->root, sizeof record->root);
    mf_json_init(&json, out, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "format", FORMAT);
    mf_json_key_string(&json, "seal_sha256", mf__seal_hex(record->seal_sha256, hex));
    mf_json_key_string(&json, "name", record->name);
    mf_json_key_string(&json, "outcome", record->outcome);
    mf_json_key_int(&json, "exit_code", record->exit_code);
    mf_json_key_int(&json, "started_wall_ns", record->started_wall_ns);
    mf_json_key_int(&json, "duration_ns", record->duration_ns);
    mf_json_key_int(&json, "sealed_wall_ns", record->sealed_wall_ns);
    mf_json_key_uint(&json, "files", record->files);
    mf_json_key_uint(&json, "bytes", record->bytes);
    mf_json_key_bool(&json, "recovered", record->recovered);
    mf_json_end_object(&json);
}

static int parse_members(struct mf_json_node root, struct mf_seal_record *record,
                         struct mf_errinfo *err)
{
    int64_t format = 0;
    const char *seal = NULL;
    const char *name = NULL;
    const char *outcome = NULL;
    int rc = mf_json_get_int(root, "format", &format, err);
    rc = rc == 0 ? mf_json_get_string(root, "seal_sha256", &seal, err) : rc;
    rc = rc == 0 ? mf_json_get_string(root, "name", &name, err) : rc;
    rc = rc == 0 ? mf_json_get_string(root, "outcome", &outcome, err) : rc;
    rc = rc == 0 ? mf_json_get_int(root, "exit_code", &record->exit_code, err) : rc;
    rc = rc == 0 ? mf_json_get_int(root, "started_wall_ns", &record->started_wall_ns, err) : rc;
    rc = rc == 0 ? mf_json_get_int(root, "duration_ns", &record->duration_ns, err) : rc;
    rc = rc == 0 ? mf_json_get_int(root, "sealed_wall_ns", &record->sealed_wall_ns, err) : rc;
    rc = rc == 0 ? mf_json_get_uint(root, "files", &record->files, err) : rc;
    rc = rc == 0 ? mf_json_get_uint(root, "bytes", &record->bytes, err) : rc;
    rc = rc == 0 ? mf_json_get_bool(root, "recovered", &record->recovered, err) : rc;
    if (rc == 0 && (format != FORMAT || !mf__seal_unhex(seal, record->seal_sha256))) {
        rc = mf_fail(err, MF_ESYNTAX, "of format %lld, with the hash '%.80s'", (long long)format,
                     seal);
    }
    if (rc == 0) {
        snprintf(record->name, sizeof record->name, "%s", name);
        snprintf(record->outcome, sizeof record->outcome, "%s", outcome);
    }
    return rc;
}

int mf__ledger_parse(const char *id, const void *value, size_t len,
                     struct mf_seal_record *ret_record, struct mf_errinfo *err)
{
    const struct mf_json_limits limits = {.len_max_bytes = VALUE_LEN_MAX, .depth_max = 4};
    struct mf_seal_record record = {.files = 0};
    struct mf_json_document *document = NULL;
    struct mf_errinfo why = {0};
    int rc = len > sizeof record.root ? 0 : mf_fail(&why, MF_ESYNTAX, "it has %zu bytes", len);
    if (rc == 0) {
        memcpy(record.root, value, sizeof record.root);
        snprintf(record.id, sizeof record.id, "%s", id);
        rc = mf_json_parse((const char *)value + sizeof record.root, len - sizeof record.root,
                           &limits, "record", &document, &why);
    }
    rc = rc == 0 ? parse_members(mf_json_root(document), &record, &why) : rc;
    mf_json_free(document);
    if (rc < 0) {
        return mf_fail(err, rc == -ENOMEM ? rc : MF_ECORRUPT,
                       "the record of the flight %.80s cannot be read: %.200s", id, why.msg);
    }
    *ret_record = record;
    return 0;
}

/* When it was removed; a note that cannot be read is one still. */
static int find_removal(struct mf_state_tx *tx, struct mf_seal_record *record,
                        struct mf_errinfo *err)
{
    char key[KEY_LEN];
    struct mf_state_bytes value;
    struct mf_json_document *document = NULL;
    const int rc = mf_state_get(tx, key_of(key, PREFIX_REMOVED, record->id), &value, err);
    record->removed = rc == 1;
    if (rc == 1 && mf_json_parse(value.bytes, value.len, NULL, "removal", &document, NULL) == 0) {
        (void)mf_json_get_int(mf_json_root(document), "removed_wall_ns", &record->removed_wall_ns,
                              NULL);
        mf_json_free(document);
    }
    return rc < 0 ? rc : 0;
}

static int find_in(struct mf_state_tx *tx, const char *id, struct mf_seal_record *ret_record,
                   struct mf_errinfo *err)
{
    char key[KEY_LEN];
    struct mf_state_bytes value;
    if (strlen(id) >= MF_FLIGHT_ID_LEN) {
        return 0;
    }
    int rc = mf_state_get(tx, key_of(key, PREFIX_FLIGHT, id), &value, err);
    if (rc != 1) {
        return rc;
    }
    rc = mf__ledger_parse(id, value.bytes, value.len, ret_record, err);
    rc = rc == 0 ? find_removal(tx, ret_record, err) : rc;
    return rc == 0 ? 1 : rc;
}

int mf__ledger_find(struct mf_state *ledger, const char *id, struct mf_seal_record *ret_record,
                    struct mf_errinfo *err)
{
    struct mf_state_tx *tx = NULL;
    int rc = mf_state_snapshot(ledger, &tx, err);
    if (rc == 0) {
        rc = find_in(tx, id, ret_record, err);
        mf_state_abort(tx);
    }
    return rc;
}

int mf__ledger_put(struct mf_state *ledger, const struct mf_seal_record *record,
                   struct mf_errinfo *err)
{
    char key[KEY_LEN];
    struct mf_buffer value = MF_BUFFER_INIT;
    write_record(record, &value);
    if (value.failed) {
        mf_buffer_free(&value);
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    const struct mf_state_bytes name = key_of(key, PREFIX_FLIGHT, record->id);
    const struct mf_state_change changes[] = {
        {.kind = MF_STATE_EXPECT_ABSENT, .key = name},
        {.kind = MF_STATE_PUT, .key = name, .value = {value.data, value.len}},
    };
    const int rc = mf_state_batch(ledger, changes, MF_ARRAY_LEN(changes), NULL, err);
    mf_buffer_free(&value);
    return rc;
}

/* ---- for readers ---- */

int mf_flight_seal_find(const char *home, const char *id, struct mf_seal_record *ret_record,
                        struct mf_errinfo *err)
{
    struct mf_state *ledger = NULL;
    int rc = mf__ledger_read(home, &ledger, err);
    if (rc == 0) {
        rc = mf__ledger_find(ledger, id, ret_record, err);
        (void)mf_state_close(ledger, NULL);
    }
    return rc == -ENOENT ? 0 : rc;
}

int mf_flight_seal_list(const char *home,
                        int (*visit)(void *context, const struct mf_seal_record *record),
                        void *context, struct mf_errinfo *err)
{
    struct mf_state *ledger = NULL;
    struct mf_state_tx *tx = NULL;
    struct mf_state_cursor *cursor = NULL;
    int rc = mf__ledger_read(home, &ledger, err);
    if (rc < 0) {
        return rc == -ENOENT ? 0 : rc;
    }
    rc = mf_state_snapshot(ledger, &tx, err);
    rc = rc == 0 ? mf_state_scan_prefix(tx, MF_STATE_TEXT(PREFIX_FLIGHT), &cursor, err) : rc;
    while (rc == 0) {
        struct mf_state_bytes key;
        struct mf_state_bytes value;
        struct mf_seal_record record;
        char id[MF_FLIGHT_ID_LEN];
        rc = mf_state_next(cursor, &key, &value, err);
        if (rc != 1) {
            break;
        }
        snprintf(id, sizeof id, "%.*s", (int)(key.len - strlen(PREFIX_FLIGHT)),
                 (const char *)key.bytes + strlen(PREFIX_FLIGHT));
        rc = mf__ledger_parse(id, value.bytes, value.len, &record, err);
        rc = rc == 0 ? find_removal(tx, &record, err) : rc;
        rc = rc == 0 ? visit(context, &record) : rc;
    }
    mf_state_cursor_close(cursor);
    mf_state_abort(tx);
    (void)mf_state_close(ledger, NULL);
    return rc;
}

/* ---- removal ---- */

static int note_removal(struct mf_state *ledger, const char *id, struct mf_errinfo *err)
{
    char key[KEY_LEN];
    char value[80];
    snprintf(value, sizeof value, "{\"removed_wall_ns\":%lld}", (long long)mf_clock_wall_ns(NULL));
    const struct mf_state_change change = {MF_STATE_PUT, key_of(key, PREFIX_REMOVED, id),
                                           MF_STATE_TEXT(value)};
    return mf_state_batch(ledger, &change, 1, NULL, err);
}

int mf_flight_seal_removed(const char *home, const char *dir, int64_t wait_ns,
                           struct mf_errinfo *err)
{
    struct mf_seal_record record;
    struct mf_state *ledger = NULL;
    const char *id = mf__seal_name_in_home(home, dir);
    int rc = id != NULL ? mf_flight_seal_find(home, id, &record, err) : 0;
    if (rc != 1 || record.removed) {
        return rc < 0 ? rc : 0;
    }
    rc = mf__ledger_open(home, wait_ns, &ledger, err);
    if (rc == 0) {
        rc = note_removal(ledger, id, err);
        MF_KEEP_FIRST(rc, mf_state_close(ledger, rc == 0 ? err : NULL));
    }
    return rc;
}
