/* SPDX-License-Identifier: Apache-2.0
 *
 * state_defects_test.c -- defects seen in systems of this kind, each of which must not be here. The
 * numbers D1 .. D12 are those of the list in docs/state.md. */
#include "base/rng.h"
#include "os/thread.h"
#include "state_fixture.h"

#include <errno.h>
#include <stdatomic.h>
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

/* D1: state and log lie in different directories, and nothing that is synced in one carries what
 * was done in the other. Power goes at every operation; what was acknowledged is there. */
struct acked {
    uint64_t seq;
    bool opened;
    uint64_t checked;
};

static void check_acked(struct mf_simdisk *left, struct acked *acked)
{
    struct mf_env env = {.fs = mf_simdisk_fs(left)};
    struct mf_state *state = NULL;
    struct mf_errinfo why = {0, ""};
    int code = mf_state_open("state", NULL, &env, &state, &why);
    if (code == -ENOENT && !acked->opened) {
        return;
    }
    if (code < 0) {
        print_error("%s\n", why.msg);
    }
    assert_int_equal(code, 0);
    for (uint64_t seq = 2; seq <= acked->seq; seq++) {
        char key[16];
        (void)snprintf(key, sizeof key, "t%u", (unsigned)seq);
        assert_non_null(get(state, key));
    }
    acked->checked++;
    close_store(state);
}

static void cut_here(void *context, const char *operation, const char *path, bool after)
{
    (void)operation;
    (void)path;
    (void)after;
    for (int way = 0; way < 2; way++) {
        struct acked *acked = context;
        struct mf_simdisk_cut cut = {.seed = acked->checked, .keep_nothing = way == 0};
        struct mf_simdisk *left = mf_simdisk_power_cut(disk, &cut);
        assert_non_null(left);
        check_acked(left, acked);
        mf_simdisk_free(left);
    }
}

static void state_ack_survives_split_filesystems(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE;
    options.wal_path = "/elsewhere/log";
    options.wal_bytes_max = 64u << 10;
    options.wal_files_max = 4;
    struct acked acked = {0, false, 0};
    struct mf_state *state = NULL;
    mf_simdisk_set_hook(disk, cut_here, &acked);
    assert_ok(mf_state_open("state", &options, &env, &state, &err));
    acked.opened = true;
    static char value[2500];
    memset(value, 'v', sizeof value - 1);
    for (int i = 0; i < 40; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "t%u", (unsigned)(acked.seq == 0 ? 2 : acked.seq + 1));
        acked.seq = put(state, key, value);
    }
    assert_true(info_of(state).checkpoint_seq > 0);
    close_store(state);
    mf_simdisk_set_hook(disk, NULL, NULL);
    assert_true(acked.checked > 200);
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(env.fs, "elsewhere/log/wal-0000000000000001", &info, NULL),
                     -ENOENT); /* it was dropped there */
    /* The log's directory is known from the store; and it may be moved. */
    state = open_store(disk, "state", MF_STATE_READ_ONLY);
    close_store(state);
    assert_ok(mf_fs_rename(env.fs, "elsewhere", "moved", &err));
    assert_fails(-ENOENT, mf_state_open("state", NULL, &env, &state, &err));
    options = (struct mf_state_options)MF_STATE_OPTIONS_INIT;
    options.wal_path = "../moved/log";
    assert_ok(mf_state_open("state", &options, &env, &state, &err));
    close_store(state);
}

/* D2: what is in the log comes back from the log alone. */
static void state_redo_from_wal(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    for (int i = 0; i < 30; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        put(state, key, "v");
    }
    struct mf_simdisk *left = power_cut(disk);
    struct mf_state_info before = info_of(state);
    close_store(state);
    for (int round = 0; round < 3; round++) { /* and again, with the same result */
        state = open_store(left, "s", 0);
        struct mf_state_info after = info_of(state);
        assert_int_equal(after.seq, before.seq);
        assert_memory_equal(after.root, before.root, 32);
        assert_memory_equal(after.log_root, before.log_root, 32);
        assert_int_equal(report_of(state).replayed, 31);
        close_store(state);
    }
    mf_simdisk_free(left);
}

static void append_garbage(struct mf_simdisk *on, const char *path, size_t cut, size_t junk)
{
    struct mf_file *file = NULL;
    struct mf_file_info info;
    assert_ok(mf_file_open(mf_simdisk_fs(on), path, MF_OPEN_READ | MF_OPEN_WRITE, &file, &err));
    assert_ok(mf_file_info(file, &info, &err));
    static uint8_t bytes[262144];
    size_t len = 0;
    assert_ok(mf_file_read(file, bytes, sizeof bytes, 0, &len, &err));
    while (len > 0 && bytes[len - 1] == 0) {
        len--;
    }
    len = (len + 7) & ~(size_t)7; /* records are padded with zeros */
    memset(bytes, 'x', junk);
    assert_ok(mf_file_truncate(file, len - cut, &err));
    if (junk != 0) {
        assert_ok(mf_file_write(file, bytes, junk, len - cut, &err));
    }
    assert_ok(mf_file_sync(file, &err));
    mf_file_close(file);
}

/* D2: a commit that was never acknowledged is reported once, as what it is. */
static void state_rollback_reported_once(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    put(state, "b", "2");
    struct mf_simdisk *left = power_cut(disk);
    close_store(state);
    append_garbage(left, "s/wal-0000000000000001", 10, 0); /* half a record */
    state = open_store(left, "s", 0);
    struct mf_state_report report = report_of(state);
    assert_true(report.torn_bytes > 0);
    assert_string_equal(report.torn_file, "wal-0000000000000001");
    assert_int_equal(report.seq, 2);
    assert_int_equal(report.audit_seq, 3);
    assert_null(get(state, "b"));
    close_store(state);
    state = open_store(left, "s", 0);
    report = report_of(state);
    assert_int_equal(report.torn_bytes, 0);
    assert_int_equal(report.audit_seq, 0);
    assert_int_equal(info_of(state).seq, 3);
    close_store(state);
    mf_simdisk_free(left);
}

/* D3: the report says what the state shows. After every possible cut of one commit. */
static void state_report_matches_state(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    for (uint64_t seed = 0; seed < 200; seed++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%u", (unsigned)seed);
        put(state, "a", value);
        struct mf_simdisk_cut cut = {.seed = seed};
        struct mf_simdisk *left = mf_simdisk_power_cut(disk, &cut);
        assert_non_null(left);
        struct mf_state *after = open_store(left, "s", 0);
        struct mf_state_report report = report_of(after);
        assert_true(report.root_verified);
        assert_int_equal(report.seq, 3 + seed);
        assert_int_equal(info_of(after).seq, report.audit_seq != 0 ? report.audit_seq : report.seq);
        assert_string_equal(get(after, "a"), value);
        close_store(after);
        mf_simdisk_free(left);
    }
    close_store(state);
}

/* D4, D5: when a commit is acknowledged, its own record has been synced. */
static void state_ack_waits_for_its_own_sync(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    for (int i = 0; i < 25; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        uint64_t syncs = mf_simdisk_syncs(disk);
        uint64_t seq = put(state, key, "v");
        assert_int_equal(mf_simdisk_syncs(disk) - syncs, 1); /* one flush for each commit */
        assert_true(info_of(state).durable_seq >= seq);
        struct mf_simdisk *left = power_cut(disk);
        struct mf_state *after = open_store(left, "s", 0);
        assert_non_null(get(after, key));
        close_store(after);
        mf_simdisk_free(left);
    }
    close_store(state);
}

struct batcher {
    struct mf_state *state;
    int number;
    _Atomic uint64_t acked;
};

static void *commit_many(void *context)
{
    struct batcher *batcher = context;
    for (unsigned i = 0; i < 50; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "t%d-%u", batcher->number, i);
        struct mf_state_change change = {MF_STATE_PUT, text(key), text("v")};
        struct mf_errinfo err;
        if (mf_state_batch(batcher->state, &change, 1, NULL, &err) < 0) {
            print_error("%s\n", err.msg);
            return batcher;
        }
        atomic_store(&batcher->acked, i + 1);
    }
    return NULL;
}

static void run_threads(struct mf_state *state, struct batcher *batchers, int count,
                        void (*meanwhile)(struct batcher *batchers, int count))
{
    struct mf_thread threads[8];
    for (int i = 0; i < count; i++) {
        batchers[i].state = state;
        batchers[i].number = i;
        assert_ok(mf_thread_start(&threads[i], "test", commit_many, &batchers[i], &err));
    }
    if (meanwhile != NULL) {
        meanwhile(batchers, count);
    }
    for (int i = 0; i < count; i++) {
        assert_null(mf_thread_join(&threads[i]));
    }
}

static void cut_while_running(struct batcher *batchers, int count)
{
    for (int round = 0; round < 20; round++) {
        uint64_t acked[8];
        for (int i = 0; i < count; i++) {
            acked[i] = atomic_load(&batchers[i].acked);
        }
        struct mf_simdisk *left = power_cut(disk);
        struct mf_state *after = open_store(left, "s", 0);
        for (int i = 0; i < count; i++) {
            for (unsigned n = 0; n < acked[i]; n++) {
                char key[32];
                (void)snprintf(key, sizeof key, "t%d-%u", i, n);
                assert_non_null(get(after, key));
            }
        }
        close_store(after);
        mf_simdisk_free(left);
    }
}

/* D5: commits that share a sync are acknowledged only after it. */
static void state_batch_never_acks_unlogged(void **unused)
{
    (void)unused;
    static struct batcher batchers[4];
    memset(batchers, 0, sizeof batchers);
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    run_threads(state, batchers, 4, cut_while_running);
    close_store(state);
}

/* D7: commits of several threads are all there. */
static void state_concurrent_commits_all_present(void **unused)
{
    (void)unused;
    static struct batcher batchers[4];
    memset(batchers, 0, sizeof batchers);
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    run_threads(state, batchers, 4, NULL);
    struct mf_state_info info = info_of(state);
    assert_int_equal(info.keys, 200);
    assert_int_equal(info.seq, 201);
    close_store(state);
    state = open_store(disk, "s", 0);
    assert_int_equal(info_of(state).keys, 200);
    assert_memory_equal(info_of(state).root, info.root, 32);
    close_store(state);
}

/* D6: half a record at the end is cut off, and the next one is not lost for it. */
static void state_torn_tail_truncated(void **unused)
{
    (void)unused;
    for (size_t cut = 1; cut < 150; cut += 7) {
        struct mf_simdisk *fresh = mf_simdisk_new(0);
        assert_non_null(fresh);
        struct mf_state *state = open_store(fresh, "s", MF_STATE_CREATE);
        put(state, "good1", "1");
        put(state, "torn", "2");
        struct mf_simdisk *left = power_cut(fresh);
        close_store(state);
        mf_simdisk_free(fresh);
        append_garbage(left, "s/wal-0000000000000001", cut, cut % 2 == 0 ? 40 : 0);
        state = open_store(left, "s", 0);
        assert_true(report_of(state).torn_bytes > 0);
        put(state, "good2", "3");
        close_store(state);
        state = open_store(left, "s", 0);
        assert_non_null(get(state, "good1"));
        assert_null(get(state, "torn"));
        assert_non_null(get(state, "good2"));
        close_store(state);
        mf_simdisk_free(left);
    }
}

/* D6: no bit of the log can be changed unnoticed; and damage to what was durable is refused, and
 * nothing is changed by the refusal. */
static void state_wal_edit_detected(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "balance", "1000");
    uint64_t end = info_of(state).wal_bytes;
    put(state, "other", "1");
    close_store(state);
    for (uint64_t bit = 0; bit < end * 8; bit += 5) {
        assert_int_equal(mf_simdisk_flip_bit(disk, "s/wal-0000000000000001", bit), 0);
        struct mf_errinfo why = {0, ""};
        int code = mf_state_open("s", NULL, &env, &state, &why);
        if (code != MF_ECORRUPT && code != MF_EFORMAT && code != MF_EVERSION &&
            code != MF_EMISMATCH) {
            print_error("bit %u: %d %s\n", (unsigned)bit, code, why.msg);
        }
        assert_true(code == MF_ECORRUPT || code == MF_EFORMAT || code == MF_EVERSION ||
                    code == MF_EMISMATCH);
        assert_non_null(strstr(why.msg, "wal-0000000000000001"));
        assert_int_equal(mf_simdisk_flip_bit(disk, "s/wal-0000000000000001", bit), 0);
    }
    state = open_store(disk, "s", 0);
    assert_string_equal(get(state, "balance"), "1000");
    close_store(state);
}

static void state_midlog_damage_refused(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE;
    options.wal_bytes_max = 64u << 10;
    options.wal_files_max = 16;
    struct mf_state *state = NULL;
    assert_ok(mf_state_open("s", &options, &env, &state, &err));
    static char value[900];
    memset(value, 'v', sizeof value - 1);
    for (int i = 0; i < 20; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%02d", i);
        put(state, key, value);
    }
    assert_true(info_of(state).wal_files > 3);
    close_store(state);
    /* In an earlier file: at its end, where nothing of that file follows. */
    struct mf_file_info info;
    char second[64] = "";
    for (int seq = 2; second[0] == '\0'; seq++) {
        (void)snprintf(second, sizeof second, "s/wal-%016x", (unsigned)seq);
        second[0] = mf_fs_info(env.fs, second, &info, NULL) == 0 ? 's' : '\0';
    }
    char *bytes = NULL;
    size_t len = 0;
    assert_ok(mf_fs_read_all(env.fs, second, 1u << 20, &bytes, &len, &err));
    while (bytes[len - 1] == 0) {
        len--;
    }
    assert_int_equal(mf_simdisk_flip_bit(disk, second, (len - 60) * 8), 0);
    struct mf_errinfo why = {0, ""};
    assert_int_equal(mf_state_open("s", NULL, &env, &state, &why), MF_ECORRUPT);
    assert_non_null(strstr(why.msg, second + 2));
    assert_non_null(strstr(why.msg, "offset"));
    char *again = NULL;
    size_t again_len = 0;
    assert_ok(mf_fs_read_all(env.fs, second, 1u << 20, &again, &again_len, &err));
    assert_true(again_len >= len && memcmp(again + len - 59, bytes + len - 59, 59) == 0);
    /* Salvage opens what is whole before it, and says what is wrong. */
    state = open_store(disk, "s", MF_STATE_SALVAGE);
    struct mf_state_report report = report_of(state);
    assert_non_null(strstr(report.damage, second + 2));
    assert_true(report.root_verified);
    assert_non_null(get(state, "k00"));
    assert_null(get(state, "k19"));
    close_store(state);
    /* A file that is missing between two others. */
    assert_int_equal(mf_simdisk_flip_bit(disk, second, (len - 60) * 8), 0);
    close_store(open_store(disk, "s", 0));
    assert_ok(mf_fs_unlink(env.fs, second, &err));
    assert_fails(MF_ECORRUPT, mf_state_open("s", NULL, &env, &state, &err));
    free(bytes);
    free(again);
}

/* D8: what a commit writes does not depend on how much there is. (How long it takes is measured by
 * bench/run state, not by a test.) */
static void state_commit_cost_flat_in_size(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    uint64_t cost[2] = {0, 0};
    for (int size = 0; size < 2; size++) {
        struct mf_state_tx *tx = NULL;
        assert_ok(mf_state_begin(state, &tx, &err));
        for (int i = 0; i < (size == 0 ? 100 : 20000); i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "key%06d", i);
            assert_ok(mf_state_put(tx, text(key), text("value"), &err));
        }
        assert_ok(mf_state_commit(tx, NULL, &err));
        uint64_t bytes = info_of(state).wal_bytes;
        uint64_t operations = mf_simdisk_operations(disk);
        put(state, "one", "more");
        cost[size] =
            (info_of(state).wal_bytes - bytes) * 1000 + (mf_simdisk_operations(disk) - operations);
    }
    assert_int_equal(cost[0], cost[1]);
    close_store(state);
}

/* D9: a sync that fails leaves the outcome open, and says so; nothing is tried again. */
static void fail_next_sync(void *context, const char *operation, const char *path, bool after)
{
    int *armed = context;
    (void)path;
    if (*armed != 0 && !after && strcmp(operation, "sync") == 0) {
        mf_simdisk_fail_nth(disk, 1, -EIO, false);
        *armed = 0;
    }
}

static void state_sync_error_is_indeterminate(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    struct mf_state_tx *early = NULL;
    assert_ok(mf_state_begin(state, &early, &err));
    assert_ok(mf_state_put(early, text("early"), text("1"), &err));
    int armed = 1;
    mf_simdisk_set_hook(disk, fail_next_sync, &armed);
    struct mf_state_change change = {MF_STATE_PUT, text("a"), text("2")};
    struct mf_state_result result;
    assert_fails(MF_EPOISONED, mf_state_batch(state, &change, 1, &result, &err));
    mf_simdisk_set_hook(disk, NULL, NULL);
    assert_int_equal(result.outcome, MF_STATE_INDETERMINATE);
    assert_int_equal(result.seq, 3);
    /* The disk works again, the handle does not. */
    uint64_t syncs = mf_simdisk_syncs(disk);
    assert_fails(MF_EPOISONED, mf_state_commit(early, &result, &err));
    assert_int_equal(result.outcome, MF_STATE_ABORTED);
    assert_fails(MF_EPOISONED, mf_state_sync(state, UINT64_MAX, &err));
    assert_fails(MF_EPOISONED, mf_state_begin(state, &early, &err));
    assert_int_equal(mf_simdisk_syncs(disk), syncs);
    assert_true(info_of(state).poisoned);
    assert_int_equal(info_of(state).durable_seq, 2);
    assert_string_equal(get(state, "a"), "1"); /* what is durable can be read */
    assert_fails(MF_EPOISONED, mf_state_close(state, &err));
}

/* D9: after opening again the answer is there, and it is the same from then on, whatever happens.
 */
static void state_sync_error_poisons(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    int armed = 1;
    mf_simdisk_set_hook(disk, fail_next_sync, &armed);
    struct mf_state_change change = {MF_STATE_PUT, text("a"), text("2")};
    assert_fails(MF_EPOISONED, mf_state_batch(state, &change, 1, NULL, &err));
    mf_simdisk_set_hook(disk, NULL, NULL);
    assert_fails(MF_EPOISONED, mf_state_close(state, &err));
    state = open_store(disk, "s", 0);
    char answer[8];
    (void)snprintf(answer, sizeof answer, "%.7s", get(state, "a"));
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct mf_simdisk_cut cut = {.seed = seed, .keep_nothing = seed == 0};
        struct mf_simdisk *left = mf_simdisk_power_cut(disk, &cut);
        assert_non_null(left);
        struct mf_state *after = open_store(left, "s", 0);
        assert_string_equal(get(after, "a"), answer);
        close_store(after);
        mf_simdisk_free(left);
    }
    put(state, "b", "3");
    close_store(state);
}

/* D12: what the store did itself stands in the same chain as the commits. */
static int find_audit(void *context, const struct mf_state_commit_info *info)
{
    char *notes = context;
    if (info->kind == MF_STATE_COMMIT_AUDIT) {
        size_t at = strlen(notes);
        (void)snprintf(notes + at, 512 - at, "%u %.*s\n", (unsigned)info->seq, (int)info->note.len,
                       (const char *)info->note.bytes);
    }
    return 0;
}

static void state_audit_chained(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    struct mf_simdisk *left = power_cut(disk);
    close_store(state);
    append_garbage(left, "s/wal-0000000000000001", 0, 100);
    state = open_store(left, "s", 0);
    char notes[512] = "";
    assert_ok(mf_state_log(state, 1, UINT64_MAX, find_audit, notes, &err));
    assert_non_null(strstr(notes, "1 created\n"));
    assert_non_null(strstr(notes, "3 recovered: "));
    assert_non_null(strstr(notes, "cut off wal-0000000000000001 at offset "));
    /* Its loss is noticed as that of any commit. */
    put(state, "b", "2");
    uint64_t end = info_of(state).wal_bytes;
    close_store(state);
    env.fs = mf_simdisk_fs(left);
    assert_int_equal(mf_simdisk_flip_bit(left, "s/wal-0000000000000001", (end - 260) * 8), 0);
    assert_fails(MF_ECORRUPT, mf_state_open("s", NULL, &env, &state, &err));
    mf_simdisk_free(left);
}

/* Recovery removes what a checkpoint of ours left, and nothing that only looks like it. */
static void state_only_own_temporaries_removed(void **unused)
{
    (void)unused;
    const struct mf_fs *fs = mf_simdisk_fs(disk);
    close_store(open_store(disk, "s", MF_STATE_CREATE));
    static const char *const names[] = {
        "s/checkpoint-0000000000000007.tmp", "s/state.t9.tmp", "s/checkpoint-7.tmp",
        "s/checkpoint-00000000000000zz.tmp", "s/notes.tmp",    "s/wal-spare.tmp",
        "s/checkpoint-0000000000000007.tmp2"};
    for (size_t i = 0; i < 7; i++) {
        struct mf_file *file = NULL;
        assert_ok(
            mf_file_open(fs, names[i], MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE, &file, &err));
        mf_file_close(file);
    }
    struct mf_state *state = open_store(disk, "s", 0);
    assert_int_equal(report_of(state).temporary_files, 1);
    struct mf_file_info info;
    for (size_t i = 0; i < 7; i++) {
        bool gone = i == 0 || i == 5;
        assert_int_equal(mf_fs_info(fs, names[i], &info, NULL), gone ? -ENOENT : 0);
    }
    close_store(state);
}

/* D11: a checkpoint holds the state, and the one before takes its place when it is bad. */
static void state_checkpoint_restores(void **unused)
{
    (void)unused;
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    uint64_t seqs[3];
    for (int i = 0; i < 3; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        seqs[i] = put(state, key, "v");
        assert_ok(mf_state_checkpoint(state, &err));
    }
    put(state, "last", "v");
    struct mf_state_info before = info_of(state);
    close_store(state);
    char path[64];
    (void)snprintf(path, sizeof path, "s/checkpoint-%016x", (unsigned)seqs[0]);
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(env.fs, path, &info, NULL), -ENOENT); /* two are kept */
    (void)snprintf(path, sizeof path, "s/checkpoint-%016x", (unsigned)seqs[2]);
    assert_ok(mf_fs_info(env.fs, path, &info, &err));
    const uint64_t step = 97;
    for (uint64_t bit = 0; bit < (info.size_bytes + 10) * 8; bit += step) {
        struct mf_simdisk *copy =
            mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.keep_all = true});
        assert_non_null(copy);
        if (bit < info.size_bytes * 8) {
            assert_int_equal(mf_simdisk_flip_bit(copy, path, bit), 0);
        } else { /* cut instead: to nothing, or within its header */
            struct mf_file *file = NULL;
            assert_ok(mf_file_open(mf_simdisk_fs(copy), path, MF_OPEN_WRITE, &file, &err));
            assert_ok(mf_file_truncate(file, bit / step % 2 * 30, &err));
            mf_file_close(file);
        }
        state = open_store(copy, "s", MF_STATE_READ_ONLY);
        assert_memory_equal(info_of(state).root, before.root, 32);
        close_store(state);
        state = open_store(copy, "s", 0);
        struct mf_state_report report = report_of(state);
        assert_memory_equal(info_of(state).root, before.root, 32);
        if (report.checkpoints_bad != 0) { /* not the mark at its end, which nobody needs */
            assert_int_equal(report.checkpoint_seq, seqs[1]);
            assert_non_null(strstr(report.damage, path));
            assert_int_equal(report.audit_seq, before.seq + 1);
        }
        close_store(state);
        state = open_store(copy, "s", 0); /* and it is over with that */
        assert_int_equal(report_of(state).checkpoints_bad, 0);
        assert_memory_equal(info_of(state).root, before.root, 32);
        close_store(state);
        mf_simdisk_free(copy);
    }
}

/* A full disk: the commit fails, earlier ones stay, and work goes on when there is space. */
static void state_full_disk(void **unused)
{
    (void)unused;
    struct mf_state *state = open_store(disk, "s", MF_STATE_CREATE);
    put(state, "a", "1");
    mf_simdisk_set_capacity(disk, 1);
    char *big = calloc(1, 1u << 20);
    assert_non_null(big);
    memset(big, 'v', 1u << 20);
    struct mf_state_change change = {MF_STATE_PUT, text("big"), {big, 1u << 20}};
    struct mf_state_result result;
    for (int i = 0; i < 3; i++) {
        assert_fails(-ENOSPC, mf_state_batch(state, &change, 1, &result, &err));
        assert_int_equal(result.outcome, MF_STATE_ABORTED);
        assert_null(get(state, "big"));
        assert_string_equal(get(state, "a"), "1");
        struct mf_simdisk *left = mf_simdisk_power_cut(
            disk, &(struct mf_simdisk_cut){.keep_all = i % 2 == 0, .seed = (uint64_t)i});
        assert_non_null(left);
        mf_simdisk_set_capacity(left, 0);
        struct mf_state *after = open_store(left, "s", 0);
        assert_null(get(after, "big"));
        close_store(after);
        mf_simdisk_free(left);
    }
    assert_false(info_of(state).poisoned);
    mf_simdisk_set_capacity(disk, 0);
    assert_ok(mf_state_batch(state, &change, 1, &result, &err));
    assert_int_equal(result.seq, 3);
    close_store(state);
    state = open_store(disk, "s", 0);
    assert_int_equal(info_of(state).keys, 2);
    close_store(state);
    free(big);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(state_ack_survives_split_filesystems),
        CASE(state_redo_from_wal),
        CASE(state_rollback_reported_once),
        CASE(state_report_matches_state),
        CASE(state_ack_waits_for_its_own_sync),
        CASE(state_batch_never_acks_unlogged),
        CASE(state_concurrent_commits_all_present),
        CASE(state_torn_tail_truncated),
        CASE(state_wal_edit_detected),
        CASE(state_midlog_damage_refused),
        CASE(state_commit_cost_flat_in_size),
        CASE(state_sync_error_is_indeterminate),
        CASE(state_sync_error_poisons),
        CASE(state_audit_chained),
        CASE(state_only_own_temporaries_removed),
        CASE(state_checkpoint_restores),
        CASE(state_full_disk),
    };
    return cmocka_run_group_tests_name("unit/state_defects", tests, NULL, NULL);
}
