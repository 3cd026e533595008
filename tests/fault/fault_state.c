/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_state.c -- one life of a store in which the Nth file call fails, or the Nth allocation, for
 * every N. A failure is returned, never swallowed; what was acknowledged is there, what was aborted
 * is not; nothing leaks; and afterwards everything works again.
 */
#include "base/heap.h"
#include "sanitizers.h"
#include "state_fixture.h"

#include <errno.h>
#include <stdlib.h>

#define COMMITS 10
/* Ways of living: mode, place of the log, code of the failure. Sanitizers are slow. */
#if UNDER_ASAN || UNDER_TSAN
#define WAY_STEP 5 /* DURABLE with -EIO, RELAXED with -ENOSPC and a log elsewhere */
#else
#define WAY_STEP 1
#endif

struct outcome {
    enum mf_state_outcome commits[COMMITS];
    bool tried[COMMITS];
    bool created; /* open with CREATE returned 0 */
    int failures;
    bool poisoned; /* a sync failed */
};

static void note(struct outcome *outcome, int code, const struct mf_errinfo *err)
{
    if (code < 0) {
        outcome->failures++;
        outcome->poisoned = outcome->poisoned || code == MF_EPOISONED;
        assert_int_equal(err->code, code);
        assert_true(strlen(err->msg) > 10);
    }
}

static struct mf_state *open_any(struct mf_simdisk *disk, struct outcome *outcome, int way)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.flags = MF_STATE_CREATE;
    options.mode = (enum mf_state_mode)(way % 3);
    options.max_delay_ns = 1;
    options.loss_window_ns = 1;
    options.wal_bytes_max = 64u << 10;
    options.wal_files_max = 16;
    options.wal_path = way % 2 == 0 ? NULL : "log";
    struct mf_state *state = NULL;
    for (int i = 0; i < 2 && state == NULL;
         i++) { /* whoever tries again succeeds: one call fails */
        struct mf_errinfo err = {0, ""};
        note(outcome, mf_state_open("s", &options, &env, &state, &err), &err);
    }
    outcome->created = outcome->created || state != NULL;
    return state;
}

static void commit_some(struct mf_state *state, struct outcome *outcome, int from, int to)
{
    static char value[3000];
    memset(value, 'v', sizeof value - 1);
    for (int i = from; i < to; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        struct mf_state_tx *tx = NULL;
        struct mf_errinfo err = {0, ""};
        struct mf_state_result result = {.outcome = MF_STATE_ABORTED};
        struct mf_state_bytes got;
        int code = mf_state_begin(state, &tx, &err);
        note(outcome, code, &err);
        if (code == 0) {
            code = mf_state_put(tx, text(key), text(value), &err);
            note(outcome, code, &err);
        }
        if (code == 0) {
            code = mf_state_get(tx, text("k0"), &got, &err);
            note(outcome, code, &err);
        }
        if (code >= 0) {
            outcome->tried[i] = true;
            code = mf_state_commit(tx, &result, &err);
            note(outcome, code, &err);
            assert_int_equal(code == 0, result.outcome == MF_STATE_COMMITTED);
            outcome->commits[i] = result.outcome;
        } else {
            mf_state_abort(tx);
        }
    }
}

/* Makes a store, commits, checkpoints, closes; opens it, scans, commits; reads it from outside. */
static struct outcome live(struct mf_simdisk *disk, int way)
{
    struct outcome outcome = {.failures = 0};
    struct mf_errinfo err = {0, ""};
    struct mf_state *state = open_any(disk, &outcome, way);
    if (state != NULL) {
        commit_some(state, &outcome, 0, 6);
        note(&outcome, mf_state_checkpoint(state, &err), &err);
        note(&outcome, mf_state_maintain(state, NULL, &err), &err);
        note(&outcome, mf_state_close(state, &err), &err);
    }
    state = open_any(disk, &outcome, way);
    if (state != NULL) {
        commit_some(state, &outcome, 6, COMMITS);
        note(&outcome, mf_state_checkpoint(state, &err), &err);
        struct mf_env env = {.fs = mf_simdisk_fs(disk)};
        struct mf_state_options options = MF_STATE_OPTIONS_INIT;
        struct mf_state *reader = NULL;
        options.flags = MF_STATE_READ_ONLY;
        int code = mf_state_open("s", &options, &env, &reader, &err);
        note(&outcome, code, &err);
        struct mf_state_tx *tx = NULL;
        if (code == 0) {
            note(&outcome, mf_state_refresh(reader, NULL, &err), &err);
            code = mf_state_snapshot(reader, &tx, &err);
            note(&outcome, code, &err);
        }
        struct mf_state_cursor *cursor = NULL;
        if (code == 0) {
            code = mf_state_scan(tx, MF_STATE_NONE, MF_STATE_NONE, &cursor, &err);
            note(&outcome, code, &err);
        }
        mf_state_cursor_close(cursor);
        mf_state_abort(tx);
        note(&outcome, mf_state_close(reader, &err), &err);
        note(&outcome, mf_state_close(state, &err), &err);
    }
    return outcome;
}

/* What is on the disk after all. `acked`: RELAXED acknowledges what a power cut may take. */
static void check_disk(struct mf_simdisk *disk, const struct outcome *outcome, int way, bool acked)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_state *state = NULL;
    struct mf_errinfo err = {0, ""};
    options.wal_path = way % 2 == 0 ? NULL : "log";
    int code = mf_state_open("s", &options, &env, &state, &err);
    if (code == -ENOENT && !outcome->created) {
        return;
    }
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
    for (int i = 0; i < COMMITS; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        bool there = get(state, key) != NULL;
        if (acked && outcome->commits[i] == MF_STATE_COMMITTED) {
            assert_true(there);
        }
        if (outcome->commits[i] == MF_STATE_ABORTED || !outcome->tried[i]) {
            assert_false(there);
        }
    }
    put(state, "after", "all");
    close_store(state);
}

static void check(struct mf_simdisk *disk, const struct outcome *outcome, int way)
{
    assert_int_equal(mf_simdisk_handles(disk), 0);
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct mf_simdisk_cut cut = {.seed = seed, .keep_nothing = seed == 0};
        struct mf_simdisk *after = mf_simdisk_power_cut(disk, &cut);
        assert_non_null(after);
        check_disk(after, outcome, way, way % 3 != MF_STATE_RELAXED);
        mf_simdisk_free(after);
    }
    /* A sync that failed takes from RELAXED what a power cut would. */
    check_disk(disk, outcome, way, way % 3 != MF_STATE_RELAXED || !outcome->poisoned);
}

static void test_nth_file_call(void **unused)
{
    (void)unused;
    static const int codes[] = {-EIO, -ENOSPC};
    for (int way = 0; way < 6; way += WAY_STEP) {
        uint64_t calls = 0;
        uint64_t nth = 0;
        do {
            struct mf_simdisk *disk = mf_simdisk_new(0);
            assert_non_null(disk);
            nth++;
            mf_simdisk_fail_nth(disk, nth, codes[way / 3], false);
            uint64_t before = mf_simdisk_operations(disk);
            struct outcome outcome = live(disk, way);
            calls = mf_simdisk_operations(disk) - before;
            mf_simdisk_fail_nth(disk, 0, 0, false);
            check(disk, &outcome, way);
            mf_simdisk_free(disk);
        } while (nth < calls);
        assert_true(nth > 100);
    }
}

struct failing {
    uint64_t left;
    uint64_t seen;
};

static int fail_later(void *context, size_t len)
{
    struct failing *failing = context;
    (void)len;
    failing->seen++;
    return failing->left != 0 && --failing->left == 0;
}

static void test_nth_allocation(void **unused)
{
    (void)unused;
    for (int way = 0; way < 3; way += WAY_STEP) {
        struct failing failing = {0, 0};
        uint64_t nth = 0;
        do {
            struct mf_simdisk *disk = mf_simdisk_new(0);
            assert_non_null(disk);
            nth++;
            failing = (struct failing){nth, 0};
            mf_heap_set_hook(fail_later, &failing);
            struct outcome outcome = live(disk, way);
            mf_heap_set_hook(NULL, NULL);
            check(disk, &outcome, way);
            mf_simdisk_free(disk);
        } while (failing.left == 0);
        assert_true(nth > 300);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nth_file_call),
        cmocka_unit_test(test_nth_allocation),
    };
    return cmocka_run_group_tests_name("fault/state", tests, NULL, NULL);
}
