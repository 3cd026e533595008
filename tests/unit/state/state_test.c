/* SPDX-License-Identifier: Apache-2.0
 *
 * state_test.c -- what a store does when nothing goes wrong, and what it refuses. */
#include "base/bytes.h"
#include "base/hash.h"
#include "base/heap.h"
#include "state_fixture.h"

#include <errno.h>
#include <stdlib.h>

static struct mf_simdisk *disk;

static int setup(void **state)
{
    (void)state;
    disk = mf_simdisk_new(0);
    return disk != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unsigned handles = mf_simdisk_handles(disk);
    mf_simdisk_free(disk);
    return handles == 0 ? 0 : -1;
}

static void test_put_get_delete(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    assert_int_equal(put(state, "a", "1"), 2); /* 1 is the audit commit of the creation */
    assert_int_equal(put(state, "b", "2"), 3);
    assert_string_equal(get(state, "a"), "1");
    assert_null(get(state, "c"));
    struct mf_state_change changes[] = {{MF_STATE_DELETE, text("a"), MF_STATE_NONE},
                                        {MF_STATE_PUT, text("b"), text("")},
                                        {MF_STATE_DELETE, text("never"), MF_STATE_NONE}};
    struct mf_state_result result;
    assert_ok(mf_state_batch(state, changes, 3, &result, &err));
    assert_null(get(state, "a"));
    assert_string_equal(get(state, "b"), "");
    struct mf_state_info before = info_of(state);
    assert_int_equal(before.seq, 4);
    assert_int_equal(before.durable_seq, 4);
    assert_int_equal(before.keys, 1);
    assert_int_equal(before.bytes, 1);
    assert_memory_equal(before.root, result.root, sizeof result.root);
    close_store(state);

    state = open_store(disk, "s", 0);
    struct mf_state_info after = info_of(state);
    assert_memory_equal(after.root, before.root, sizeof before.root);
    assert_memory_equal(after.log_root, before.log_root, sizeof before.log_root);
    assert_memory_equal(after.id, before.id, sizeof before.id);
    assert_int_equal(after.seq, 4);
    assert_string_equal(get(state, "b"), "");
    struct mf_state_report report = report_of(state);
    assert_true(report.clean && report.root_verified && !report.created);
    assert_int_equal(report.replayed, 4);
    assert_int_equal(report.audit_seq, 0);
    close_store(state);
}

static void test_root_follows_content_only(void **unused)
{
    (void)unused;
    struct mf_state *one = open_store(disk, "one", MF_STATE_CREATE);
    struct mf_state *two = open_store(disk, "two", MF_STATE_CREATE);
    put(one, "a", "1");
    put(one, "b", "2");
    put(two, "b", "x");
    put(two, "c", "3");
    put(two, "a", "1");
    put(two, "b", "2");
    struct mf_state_change gone = {MF_STATE_DELETE, text("c"), MF_STATE_NONE};
    assert_ok(mf_state_batch(two, &gone, 1, NULL, &err));
    struct mf_state_info a = info_of(one);
    struct mf_state_info b = info_of(two);
    assert_memory_equal(a.root, b.root, sizeof a.root);
    assert_memory_not_equal(a.log_root, b.log_root, sizeof a.log_root);
    close_store(one);
    close_store(two);
}

static void test_any_bytes(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    static uint8_t key[MF_STATE_KEY_MAX];
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)(i * 7);
    }
    char *value = calloc(1, MF_STATE_VALUE_MAX);
    assert_non_null(value);
    value[MF_STATE_VALUE_MAX - 1] = 'x';
    struct mf_state_change changes[] = {
        {MF_STATE_PUT, {key, sizeof key}, {value, MF_STATE_VALUE_MAX}},
        {MF_STATE_PUT, {"\0", 1}, {"\0\n\xff", 3}},
        {MF_STATE_PUT, text("../../etc/passwd"), text("/")}, /* names no file */
    };
    assert_ok(mf_state_batch(state, changes, 3, NULL, &err));
    close_store(state);
    state = open_store(disk, "s", 0);
    struct mf_state_tx *tx = NULL;
    struct mf_state_bytes got;
    assert_ok(mf_state_snapshot(state, &tx, &err));
    assert_int_equal(mf_state_get(tx, (struct mf_state_bytes){key, sizeof key}, &got, NULL), 1);
    assert_int_equal(got.len, MF_STATE_VALUE_MAX);
    assert_memory_equal(got.bytes, value, MF_STATE_VALUE_MAX);
    assert_int_equal(mf_state_get(tx, (struct mf_state_bytes){"\0", 1}, &got, NULL), 1);
    assert_int_equal(got.len, 3);
    assert_memory_equal(got.bytes, "\0\n\xff", 3);
    assert_int_equal(mf_state_get(tx, text("../../etc/passwd"), &got, NULL), 1);
    mf_state_abort(tx);
    free(value);
    close_store(state);
}

static void test_limits(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    struct mf_state_tx *tx = NULL;
    char *bytes = calloc(1, MF_STATE_VALUE_MAX + 1);
    assert_non_null(bytes);
    assert_ok(mf_state_begin(state, &tx, &err));
    struct mf_state_bytes value = {bytes, MF_STATE_VALUE_MAX + 1};
    assert_fails(MF_ELIMIT, mf_state_put(tx, MF_STATE_NONE, text("v"), &err));
    assert_fails(MF_ELIMIT, mf_state_put(tx, (struct mf_state_bytes){bytes, MF_STATE_KEY_MAX + 1},
                                         text("v"), &err));
    assert_fails(MF_ELIMIT, mf_state_put(tx, text("k"), value, &err));
    assert_fails(MF_ELIMIT,
                 mf_state_note(tx, (struct mf_state_bytes){bytes, MF_STATE_NOTE_MAX + 1}, &err));
    value.len--;
    for (int i = 0; i < 3; i++) {
        assert_ok(mf_state_put(tx, text("k"), value, &err));
    }
    assert_fails(MF_ELIMIT, mf_state_put(tx, text("k"), value, &err)); /* a commit has its own */
    assert_ok(mf_state_commit(tx, NULL, &err));
    assert_int_equal(info_of(state).keys, 1);
    free(bytes);
    close_store(state);
}

static void test_bad_options(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state *state = NULL;
    struct mf_state_options options = {0};
    assert_fails(MF_EVALUE, mf_state_open("s", &options, &env, &state, &err));
    options = (struct mf_state_options)MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_READ_ONLY | MF_STATE_CREATE;
    assert_fails(MF_EVALUE, mf_state_open("s", &options, &env, &state, &err));
    options.flags = 1u << 20;
    assert_fails(MF_EVALUE, mf_state_open("s", &options, &env, &state, &err));
    options.flags = MF_STATE_CREATE;
    options.mode = (enum mf_state_mode)3;
    assert_fails(MF_EVALUE, mf_state_open("s", &options, &env, &state, &err));
    options.mode = MF_STATE_DURABLE;
    options.wal_bytes_max = 1;
    assert_fails(MF_EVALUE, mf_state_open("s", &options, &env, &state, &err));
    assert_null(state);
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(env.fs, "s", &info, NULL), -ENOENT); /* nothing was made */
}

/* D10: a missing store is an error unless it is to be made, and then it opens. */
static void state_missing_file_refused(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state *state = NULL;
    struct mf_file_info info;
    assert_fails(-ENOENT, mf_state_open("s", NULL, &env, &state, &err));
    assert_int_equal(mf_fs_info(env.fs, "s", &info, NULL), -ENOENT);
    assert_ok(mf_fs_mkdirs(env.fs, "s", &err));
    assert_fails(-ENOENT, mf_state_open("s", NULL, &env, &state, &err));
    assert_int_equal(mf_fs_info(env.fs, "s/lock", &info, NULL), -ENOENT);
    state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    assert_ok(mf_state_checkpoint(state, &err));
    close_store(state);
    /* Each file that is lost is missed. */
    static const char *const lost[] = {"s/wal-0000000000000001", "s/nodes",
                                       "s/history-0000000000000001"};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(mf_fs_rename(env.fs, lost[i], "aside", &err));
        struct mf_errinfo why = {0, ""};
        assert_true(mf_state_open("s", NULL, &env, &state, &why) < 0);
        assert_true(strlen(why.msg) > 10);
        assert_ok(mf_fs_rename(env.fs, "aside", lost[i], &err));
    }
    close_store(open_store(disk, "s", 0));
}

static void state_fresh_directory_opens(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state *state = open_store(disk, "deep/in/here", MF_STATE_CREATE);
    assert_true(report_of(state).created);
    assert_int_equal(info_of(state).keys, 0);
    struct mf_state *second = NULL;
    assert_fails(MF_ELOCKED, mf_state_open("deep/in/here", NULL, &env, &second, &err));
    close_store(state);
    state = open_store(disk, "deep/in/here", 0);
    assert_false(report_of(state).created);
    close_store(state);
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE | MF_STATE_EXCLUSIVE;
    assert_fails(MF_EEXISTS, mf_state_open("deep/in/here", &options, &env, &state, &err));
}

/* D10: the root is computed by the function that made it, and compared. */
static void state_root_verifies_on_reopen(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    for (int round = 0; round < 4; round++) {
        char key[32];
        for (int i = 0; i < 50; i++) {
            (void)snprintf(key, sizeof key, "key-%d", i * (round + 1));
            put(state, key, round % 2 == 0 ? "even" : "odd");
        }
        if (round == 2) {
            assert_ok(mf_state_checkpoint(state, &err));
        }
        struct mf_state_info before = info_of(state);
        close_store(state);
        state = open_store(disk, "s", 0);
        struct mf_state_info after = info_of(state);
        assert_true(report_of(state).root_verified);
        assert_memory_equal(before.root, after.root, sizeof after.root);
        assert_memory_equal(before.log_root, after.log_root, sizeof after.log_root);
    }
    assert_int_not_equal(report_of(state).checkpoint_seq, 0);
    close_store(state);
}

static void test_transactions(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    struct mf_state_tx *tx = NULL;
    struct mf_state_bytes value;
    assert_ok(mf_state_begin(state, &tx, &err));
    assert_ok(mf_state_put(tx, text("a"), text("2"), &err));
    assert_ok(mf_state_put(tx, text("b"), text("3"), &err));
    assert_int_equal(mf_state_get(tx, text("b"), &value, NULL), 1); /* sees its own */
    assert_memory_equal(value.bytes, "3", 1);
    assert_string_equal(get(state, "a"), "1"); /* nobody else does */
    assert_ok(mf_state_delete(tx, text("b"), &err));
    assert_int_equal(mf_state_get(tx, text("b"), &value, NULL), 0);
    mf_state_abort(tx);
    assert_string_equal(get(state, "a"), "1");
    assert_int_equal(info_of(state).seq, 2);

    /* A snapshot stays what it is. */
    struct mf_state_tx *snapshot = NULL;
    assert_ok(mf_state_snapshot(state, &snapshot, &err));
    put(state, "a", "4");
    assert_int_equal(mf_state_get(snapshot, text("a"), &value, NULL), 1);
    assert_memory_equal(value.bytes, "1", 1);
    assert_int_equal(mf_state_tx_seq(snapshot, NULL), 2);
    assert_fails(MF_EREADONLY, mf_state_put(snapshot, text("a"), text("5"), &err));
    assert_fails(MF_EREADONLY, mf_state_commit(snapshot, NULL, &err));

    /* Nothing to write. */
    struct mf_state_result result;
    assert_ok(mf_state_begin(state, &tx, &err));
    assert_ok(mf_state_commit(tx, &result, &err));
    assert_int_equal(result.seq, 3);
    assert_int_equal(info_of(state).seq, 3);
    close_store(state);
}

/* Two transactions; `second` commits first. */
static struct mf_state_tx *tx_on(struct mf_state *state)
{
    struct mf_state_tx *tx = NULL;
    assert_ok(mf_state_begin(state, &tx, &err));
    return tx;
}

static int count_keys(struct mf_state_tx *tx, const char *prefix, int at_most)
{
    struct mf_state_cursor *cursor = NULL;
    struct mf_state_bytes key;
    struct mf_state_bytes value;
    assert_ok(mf_state_scan_prefix(tx, text(prefix), &cursor, &err));
    int count = 0;
    while (count < at_most && mf_state_next(cursor, &key, &value, NULL) == 1) {
        count++;
    }
    mf_state_cursor_close(cursor);
    return count;
}

static void test_conflicts(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    put(state, "p/1", "x");
    put(state, "p/2", "x");
    struct mf_state_bytes value;
    struct mf_state_result result;

    /* A key that was read. */
    struct mf_state_tx *tx = tx_on(state);
    assert_int_equal(mf_state_get(tx, text("a"), &value, NULL), 1);
    assert_ok(mf_state_put(tx, text("b"), text("1"), &err));
    put(state, "a", "2");
    assert_fails(MF_ECONFLICT, mf_state_commit(tx, &result, &err));
    assert_int_equal(result.outcome, MF_STATE_ABORTED);
    assert_null(get(state, "b"));

    /* One that was read as absent. */
    tx = tx_on(state);
    assert_int_equal(mf_state_get(tx, text("z"), &value, NULL), 0);
    assert_ok(mf_state_put(tx, text("b"), text("1"), &err));
    put(state, "z", "");
    assert_fails(MF_ECONFLICT, mf_state_commit(tx, NULL, &err));

    /* A range: a key that came into it. */
    tx = tx_on(state);
    assert_int_equal(count_keys(tx, "p/", 100), 2);
    assert_ok(mf_state_put(tx, text("count"), text("2"), &err));
    put(state, "p/3", "x");
    assert_fails(MF_ECONFLICT, mf_state_commit(tx, NULL, &err));
    assert_int_equal(info_of(state).conflicts, 3);

    /* What was not read may change: beyond where a cursor came, a key only written, one rewritten
     * with the same value. */
    tx = tx_on(state);
    assert_int_equal(count_keys(tx, "p/", 1), 1);
    assert_int_equal(mf_state_get(tx, text("a"), &value, NULL), 1);
    assert_ok(mf_state_put(tx, text("w"), text("mine"), &err));
    assert_int_equal(mf_state_get(tx, text("w"), &value, NULL), 1);
    put(state, "p/4", "x");
    put(state, "w", "theirs");
    put(state, "a", "3");
    put(state, "a", "2");
    assert_ok(mf_state_commit(tx, NULL, &err));
    assert_string_equal(get(state, "w"), "mine");
    close_store(state);
}

static void test_expectations(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    struct mf_state_change swap[] = {{MF_STATE_EXPECT_ABSENT, text("a"), MF_STATE_NONE},
                                     {MF_STATE_PUT, text("a"), text("1")}};
    assert_ok(mf_state_batch(state, swap, 2, NULL, &err));
    struct mf_state_result result;
    assert_fails(MF_ECONFLICT, mf_state_batch(state, swap, 2, &result, &err));
    assert_int_equal(result.outcome, MF_STATE_ABORTED);
    swap[0] = (struct mf_state_change){MF_STATE_EXPECT, text("a"), text("1")};
    swap[1].value = text("2");
    assert_ok(mf_state_batch(state, swap, 2, NULL, &err));
    assert_fails(MF_ECONFLICT, mf_state_batch(state, swap, 2, NULL, &err));
    assert_string_equal(get(state, "a"), "2");
    uint64_t seq = info_of(state).seq;
    swap[0].value = text("2"); /* only a condition: nothing is written */
    assert_ok(mf_state_batch(state, swap, 1, &result, &err));
    assert_int_equal(result.seq, seq);
    swap[0].value = text("");
    assert_fails(MF_ECONFLICT, mf_state_batch(state, swap, 1, NULL, &err));
    struct mf_state_change unknown = {(enum mf_state_change_kind)9, text("a"), text("b")};
    assert_fails(MF_EVALUE, mf_state_batch(state, &unknown, 1, NULL, &err));
    close_store(state);
}

static void test_scan(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    static const char *const keys[] = {"a", "b", "b\x01", "ba", "b\xff", "c"};
    for (size_t i = 0; i < 6; i++) {
        put(state, keys[5 - i], "v");
    }
    struct mf_state_tx *tx = tx_on(state);
    struct mf_state_cursor *cursor = NULL;
    struct mf_state_bytes key;
    struct mf_state_bytes value;
    assert_ok(mf_state_scan(tx, MF_STATE_NONE, MF_STATE_NONE, &cursor, &err));
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(mf_state_next(cursor, &key, &value, NULL), 1);
        assert_int_equal(key.len, strlen(keys[i]));
        assert_memory_equal(key.bytes, keys[i], key.len);
        /* Changes on the way are not seen by it. */
        assert_ok(mf_state_delete(tx, key, &err));
    }
    assert_int_equal(mf_state_next(cursor, &key, &value, NULL), 0);
    assert_int_equal(mf_state_next(cursor, &key, &value, NULL), 0);
    mf_state_cursor_close(cursor);
    assert_int_equal(count_keys(tx, "", 100), 0);
    mf_state_abort(tx);
    assert_ok(mf_state_snapshot(state, &tx, &err));
    assert_int_equal(count_keys(tx, "b", 100), 4);
    assert_int_equal(count_keys(tx, "b\xff", 100), 1);
    assert_int_equal(count_keys(tx, "\xff", 100), 0);
    assert_ok(mf_state_scan(tx, text("b"), text("ba"), &cursor, &err));
    int count = 0;
    while (mf_state_next(cursor, &key, &value, NULL) == 1) {
        count++;
    }
    assert_int_equal(count, 2);
    mf_state_cursor_close(cursor);
    mf_state_abort(tx);
    close_store(state);
}

struct seen {
    uint64_t count;
    uint64_t last;
    char notes[256];
};

static int see(void *context, const struct mf_state_commit_info *info)
{
    struct seen *seen = context;
    assert_true(seen->count == 0 || info->seq == seen->last + 1);
    assert_int_equal(info->leaf.len, 96 + info->note.len);
    seen->count++;
    seen->last = info->seq;
    if (info->note.len != 0) {
        size_t at = strlen(seen->notes);
        (void)snprintf(seen->notes + at, sizeof seen->notes - at, "%u:%.*s;", info->kind,
                       (int)info->note.len, (const char *)info->note.bytes);
    }
    return 0;
}

static void test_log_of_commits(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    for (int i = 0; i < 20; i++) {
        struct mf_state_tx *tx = tx_on(state);
        if (i % 10 == 3) {
            assert_ok(mf_state_note(tx, text("third"), &err));
        }
        assert_ok(mf_state_put(tx, text("k"), text(i % 2 == 0 ? "a" : "b"), &err));
        assert_ok(mf_state_commit(tx, NULL, &err));
        if (i == 5 || i == 9 || i == 15) {
            assert_ok(mf_state_checkpoint(state, &err));
        }
    }
    for (int round = 0; round < 2; round++) {
        struct seen seen = {0};
        assert_ok(mf_state_log(state, 0, UINT64_MAX, see, &seen, &err));
        assert_int_equal(seen.count, 21);
        assert_string_equal(seen.notes, "2:created;1:third;1:third;");
        seen = (struct seen){0};
        assert_ok(mf_state_log(state, 7, 19, see, &seen, &err));
        assert_int_equal(seen.count, 13);
        assert_int_equal(seen.last, 19);
        close_store(state);
        state = open_store(disk, "s", round == 0 ? MF_STATE_READ_ONLY : 0);
    }
    close_store(state);
}

static void test_reader(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    struct mf_state *reader = open_store(disk, "s", MF_STATE_READ_ONLY);
    assert_string_equal(get(reader, "a"), "1");
    struct mf_state_tx *tx = NULL;
    assert_fails(MF_EREADONLY, mf_state_begin(reader, &tx, &err));
    assert_fails(MF_EREADONLY, mf_state_checkpoint(reader, &err));
    bool changed = true;
    assert_ok(mf_state_refresh(reader, &changed, &err));
    assert_false(changed);
    put(state, "a", "2");
    put(state, "b", "3");
    assert_string_equal(get(reader, "a"), "1");
    assert_ok(mf_state_refresh(reader, &changed, &err));
    assert_true(changed);
    assert_string_equal(get(reader, "a"), "2");
    struct mf_state_info info = info_of(reader);
    assert_int_equal(info.seq, 4);
    assert_true(info.durable_seq >= 3 && info.durable_seq <= 4);
    /* Checkpoints drop the log under it. */
    for (int i = 0; i < 5; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%d", i);
        put(state, "c", value);
        assert_ok(mf_state_checkpoint(state, &err));
        if (i != 2) {
            assert_ok(mf_state_refresh(reader, &changed, &err));
            assert_true(changed);
            assert_string_equal(get(reader, "c"), value);
        }
    }
    assert_memory_equal(info_of(reader).root, info_of(state).root, 32);
    assert_memory_equal(info_of(reader).log_root, info_of(state).log_root, 32);
    close_store(state);
    assert_ok(mf_state_refresh(reader, &changed, &err));
    assert_false(changed);
    assert_int_equal(info_of(reader).durable_seq, info_of(reader).seq);
    close_store(reader);
}

static void test_modes(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    for (int mode = MF_STATE_DURABLE; mode <= MF_STATE_RELAXED; mode++) {
        struct mf_state_options options = MF_STATE_OPTIONS_INIT;
        options.flags = MF_STATE_CREATE | (mode == 2 ? MF_STATE_BACKGROUND : 0);
        options.mode = (enum mf_state_mode)mode;
        options.loss_window_ns = INT64_C(3600) * 1000000000;
        char path[8];
        (void)snprintf(path, sizeof path, "m%d", mode);
        struct mf_state *state = NULL;
        assert_ok(mf_state_open(path, &options, &env, &state, &err));
        put(state, "a", "1");
        struct mf_state_info info = info_of(state);
        assert_int_equal(info.seq, 2);
        assert_int_equal(info.durable_seq, mode == MF_STATE_RELAXED ? 1 : 2);
        struct mf_simdisk *left = power_cut(disk);
        struct mf_state *after = open_store(left, path, 0);
        assert_int_equal(info_of(after).seq, info.durable_seq);
        close_store(after);
        mf_simdisk_free(left);
        assert_ok(mf_state_sync(state, UINT64_MAX, &err));
        assert_int_equal(info_of(state).durable_seq, 2);
        close_store(state);
    }
}

static void test_rotation_and_checkpoints(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE;
    options.wal_bytes_max = 256u << 10;
    options.wal_files_max = 8;
    struct mf_state *state = NULL;
    assert_ok(mf_state_open("s", &options, &env, &state, &err));
    static char value[3000];
    memset(value, 'v', sizeof value - 1);
    for (int i = 0; i < 600; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%d", i % 20);
        put(state, key, value);
        struct mf_state_info info = info_of(state);
        assert_int_equal(info.checkpoint_code, 0);
        assert_true(info.wal_bytes <= options.wal_bytes_max);
        assert_true(info.wal_files <= options.wal_files_max);
    }
    struct mf_state_info before = info_of(state);
    assert_true(before.checkpoint_seq > 400);
    close_store(state);
    state = open_store(disk, "s", 0);
    assert_memory_equal(info_of(state).root, before.root, 32);
    assert_true(report_of(state).replayed < 100);
    close_store(state);
}

/* Upkeep makes the next log file ahead; it is taken when the current one is full. */
static void test_prepared_file(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE;
    options.wal_bytes_max = 640u << 10;
    struct mf_state *state = NULL;
    struct mf_file_info info;
    assert_ok(mf_state_open("s", &options, &env, &state, &err));
    static char value[3000];
    memset(value, 'v', sizeof value - 1);
    int64_t wait = 0;
    assert_ok(mf_state_maintain(state, &wait, &err));
    assert_true(wait > 0);
    assert_int_equal(mf_fs_info(env.fs, "s/wal-spare.tmp", &info, NULL), -ENOENT);
    uint64_t seq = 0;
    for (int i = 0; i < 12; i++) {
        seq = put(state, "k", value);
    }
    assert_ok(mf_state_maintain(state, NULL, &err));
    assert_ok(mf_fs_info(env.fs, "s/wal-spare.tmp", &info, &err));
    assert_int_equal(info.size_bytes, 64u << 10);
    while (info_of(state).wal_files == 1) {
        seq = put(state, "k", value);
    }
    assert_int_equal(mf_fs_info(env.fs, "s/wal-spare.tmp", &info, NULL), -ENOENT);
    char name[64];
    (void)snprintf(name, sizeof name, "s/wal-%016x", (unsigned)seq);
    assert_ok(mf_fs_info(env.fs, name, &info, &err));
    assert_int_equal(info.size_bytes, 64u << 10);
    close_store(state);
    state = open_store(disk, "s", 0);
    assert_int_equal(info_of(state).seq, seq);
    close_store(state);
}

/* All checkpoints are damaged and the log before them is gone: nothing is whole, and salvage gives
 * what there is. */
static void test_salvage_of_checkpoints(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE;
    options.wal_bytes_max = 64u << 10;
    struct mf_state *state = NULL;
    assert_ok(mf_state_open("s", &options, &env, &state, &err));
    char *big = calloc(1, 300000);
    assert_non_null(big);
    uint64_t seqs[2] = {0, 0};
    for (int i = 0; i < 12; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%02d", i);
        struct mf_state_change change = {MF_STATE_PUT, text(key), {big, 300000}};
        assert_ok(mf_state_batch(state, &change, 1, NULL, &err));
    }
    for (int i = 0; i < 3; i++) {
        seqs[0] = seqs[1];
        seqs[1] = put(state, "small", "v");
        assert_ok(mf_state_checkpoint(state, &err));
    }
    free(big);
    close_store(state);
    for (int i = 0; i < 2; i++) {
        char path[64];
        struct mf_file_info info;
        (void)snprintf(path, sizeof path, "s/checkpoint-%016x", (unsigned)seqs[i]);
        assert_ok(mf_fs_info(env.fs, path, &info, &err));
        assert_int_equal(mf_simdisk_flip_bit(disk, path, info.size_bytes * 4), 0);
    }
    assert_fails(MF_ECORRUPT, mf_state_open("s", NULL, &env, &state, &err));
    state = open_store(disk, "s", MF_STATE_SALVAGE);
    struct mf_state_report report = report_of(state);
    assert_int_equal(report.checkpoint_seq, seqs[1]);
    assert_true(report.lost_keys_at_least >= 1 && report.lost_keys_at_least < 5);
    assert_false(report.root_verified);
    assert_non_null(strstr(report.damage, "offset"));
    struct mf_state_info info = info_of(state);
    assert_int_equal(info.keys + report.lost_keys_at_least, 13);
    struct mf_state_tx *tx = NULL;
    assert_ok(mf_state_snapshot(state, &tx, &err));
    struct mf_state_bytes value;
    assert_int_equal(mf_state_get(tx, text("k00"), &value, NULL), 1);
    assert_int_equal(value.len, 300000);
    mf_state_abort(tx);
    close_store(state);
}

static void test_lost_identity(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    close_store(state);
    assert_ok(mf_fs_unlink(env.fs, "s/store", &err));
    assert_fails(-ENOENT, mf_state_open("s", NULL, &env, &state, &err));
    assert_fails(MF_EMISMATCH, mf_state_open("s", &options, &env, &state, &err));
    state = open_store(disk, "s", MF_STATE_SALVAGE);
    assert_string_equal(get(state, "a"), "1");
    close_store(state);
}

static void test_foreign_files(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state *state = NULL;
    close_store(open_store(disk, "s", MF_STATE_CREATE));
    close_store(open_store(disk, "other", MF_STATE_CREATE));
    char *bytes = NULL;
    size_t len = 0;
    /* The log of another store. */
    assert_ok(mf_fs_read_all(env.fs, "other/wal-0000000000000001", 1u << 20, &bytes, &len, &err));
    assert_ok(mf_fs_replace(env.fs, "s/wal-0000000000000001", bytes, len, &err));
    mf_free(bytes);
    assert_fails(MF_EMISMATCH, mf_state_open("s", NULL, &env, &state, &err));
    /* A newer format, and no state at all. */
    assert_ok(mf_fs_read_all(env.fs, "s/store", 1u << 20, &bytes, &len, &err));
    bytes[8] = 2;
    mf_store_u32(bytes + len - 4, mf_crc32c(0, bytes, len - 4));
    assert_ok(mf_fs_replace(env.fs, "s/store", bytes, len, &err));
    assert_fails(MF_EVERSION, mf_state_open("s", NULL, &env, &state, &err));
    bytes[9] = 2;
    assert_ok(mf_fs_replace(env.fs, "s/store", bytes, len, &err));
    assert_fails(MF_ECORRUPT, mf_state_open("s", NULL, &env, &state, &err));
    bytes[0] = 'x';
    assert_ok(mf_fs_replace(env.fs, "s/store", bytes, len, &err));
    assert_fails(MF_EFORMAT, mf_state_open("s", NULL, &env, &state, &err));
    mf_free(bytes);
    /* A directory of somebody else's is left alone. */
    assert_ok(mf_fs_mkdirs(env.fs, "theirs", &err));
    assert_ok(mf_fs_replace(env.fs, "theirs/store", "their own", 9, &err));
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE;
    assert_fails(MF_EFORMAT, mf_state_open("theirs", &options, &env, &state, &err));
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(env.fs, "theirs/lock", &info, NULL), -ENOENT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_put_get_delete),
        CASE(test_root_follows_content_only),
        CASE(test_any_bytes),
        CASE(test_limits),
        CASE(test_bad_options),
        CASE(state_missing_file_refused),
        CASE(state_fresh_directory_opens),
        CASE(state_root_verifies_on_reopen),
        CASE(test_transactions),
        CASE(test_conflicts),
        CASE(test_expectations),
        CASE(test_scan),
        CASE(test_log_of_commits),
        CASE(test_reader),
        CASE(test_modes),
        CASE(test_rotation_and_checkpoints),
        CASE(test_prepared_file),
        CASE(test_salvage_of_checkpoints),
        CASE(test_lost_identity),
        CASE(test_foreign_files),
    };
    return cmocka_run_group_tests_name("unit/state", tests, NULL, NULL);
}
