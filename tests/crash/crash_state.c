/* SPDX-License-Identifier: Apache-2.0
 *
 * crash_state.c -- power cuts at every operation of a store's life, on the simulated disk.
 *
 * Goal
 *   After a cut at any moment the store opens again, and its state is exactly the one after some
 *   commit: not before the last that was acknowledged as durable, not after the last that was
 *   submitted, and never one that was aborted. Opening it once more changes nothing.
 *
 * Method
 *   A random workload (commits of several changes, checkpoints, failing calls, a full disk, closing
 *   and opening again; all modes) runs on a disk whose hook takes power cuts before and after each
 *   operation that changes something. Each disk that a cut leaves is opened and compared with the
 *   model at that moment.
 */
#include "base/rng.h"
#include "cmocka_all.h"
#include "os/simdisk.h"
#include "test_seed.h"

#include <errno.h>
#include <mayfly/state.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS    24
#define SEQ_MAX 400
#ifdef __SANITIZE_THREAD__
#define STATES_WANTED 500 /* there is one thread only */
#elif defined(__SANITIZE_ADDRESS__)
#define STATES_WANTED 3000
#else
#define STATES_WANTED 20000
#endif

/* The state after one commit: for each key the number of its value, 0: absent. */
struct model {
    uint32_t values[KEYS];
};

static struct model models[SEQ_MAX]; /* [seq], as submitted last */
static uint64_t acked;               /* durable for certain */
static uint64_t submitted;
static bool made;    /* the store was opened once */
static bool opening; /* and is being opened again */
static uint32_t next_value;
static uint64_t states;
static char violation[512];

static void violated(const char *what, uint64_t seq)
{
    if (violation[0] == '\0') {
        (void)snprintf(violation, sizeof violation,
                       "%.300s (recovered %llu, acknowledged %llu, submitted %llu, state %llu)",
                       what, (unsigned long long)seq, (unsigned long long)acked,
                       (unsigned long long)submitted, (unsigned long long)states);
    }
}

static size_t value_of(uint32_t value, char *bytes)
{
    size_t len = 4 + value % 300 * (value % 7 == 0 ? 9 : 1);
    memset(bytes, (int)(value * 31), len);
    memcpy(bytes, &value, 4);
    return len;
}

/* What the store holds, compared with the model of that commit. */
static bool is_model(struct mf_state *state, uint64_t seq)
{
    struct mf_state_tx *tx = NULL;
    struct mf_errinfo err;
    bool same = mf_state_snapshot(state, &tx, &err) == 0;
    uint64_t keys = 0;
    for (uint32_t key = 0; same && key < KEYS; key++) {
        char name[8];
        static char bytes[4096];
        struct mf_state_bytes value = {NULL, 0};
        (void)snprintf(name, sizeof name, "k%u", (unsigned)key);
        int found = mf_state_get(tx, (struct mf_state_bytes){name, strlen(name)}, &value, &err);
        uint32_t wanted = models[seq].values[key];
        size_t len = wanted != 0 ? value_of(wanted, bytes) : 0;
        same = wanted == 0 ? found == 0
                           : found == 1 && value.len == len && memcmp(value.bytes, bytes, len) == 0;
        keys += wanted != 0;
    }
    struct mf_state_info info;
    mf_state_info(state, &info);
    mf_state_abort(tx);
    return same && info.keys == keys;
}

/* The commit whose state the store holds: `seq`. Opening may have added audit commits, which change
 * nothing, to an earlier one than submitted: what a failed sync left in memory is forgotten then.
 * UINT64_MAX: none. */
static uint64_t commit_of(struct mf_state *state, uint64_t seq)
{
    uint64_t lowest = opening && seq > 4 ? seq - 4 : opening ? 0 : seq;
    for (uint64_t at = seq; at >= lowest && at >= acked && at != UINT64_MAX; at--) {
        if (is_model(state, at)) {
            return at;
        }
    }
    return UINT64_MAX;
}

static struct mf_state_options options_of(struct mf_rng *rng)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    options.mode = (enum mf_state_mode)mf_rng_below(rng, 3);
    options.max_delay_ns = 1;
    options.loss_window_ns = INT64_MAX / 4;
    options.wal_bytes_max = 64u << 10;
    options.wal_files_max = 4 + (uint32_t)mf_rng_below(rng, 20);
    return options;
}

static void check_disk(struct mf_simdisk *disk)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_errinfo err = {0, ""};
    struct mf_state_options reading = MF_STATE_OPTIONS_INIT;
    struct mf_state_info first;
    struct mf_state *state = NULL;
    uint64_t read_seq = 0;
    states++;
    mf_simdisk_set_capacity(disk, 0);
    reading.flags = MF_STATE_READ_ONLY;
    int code = mf_state_open("s", &reading, &env, &state, &err);
    if (code == -ENOENT && !made) {
        return;
    }
    if (code == 0) {
        mf_state_info(state, &first);
        read_seq = first.seq;
        (void)mf_state_close(state, NULL);
        code = mf_state_open("s", NULL, &env, &state, &err);
    }
    if (code < 0) {
        violated(err.msg, 0);
        return;
    }
    struct mf_state_report report;
    mf_state_report(state, &report);
    if (report.seq < acked || report.seq > submitted || report.seq != read_seq) {
        violated("another number of commits", report.seq);
    } else if (commit_of(state, report.seq) == UINT64_MAX) {
        violated("another state", report.seq);
    } else if (!report.root_verified) {
        violated("the root was not verified", report.seq);
    }
    mf_state_info(state, &first);
    if (mf_state_close(state, &err) != 0) {
        violated(err.msg, 0);
    }
    if (violation[0] != '\0' || states % 4 != 0) {
        return;
    }
    struct mf_state_info second;
    if (mf_state_open("s", NULL, &env, &state, &err) != 0) {
        violated(err.msg, 0);
        return;
    }
    mf_state_info(state, &second);
    if (first.seq != second.seq || memcmp(first.root, second.root, sizeof first.root) != 0 ||
        memcmp(first.log_root, second.log_root, sizeof first.log_root) != 0) {
        violated("a second recovery changed something", second.seq);
    }
    (void)mf_state_close(state, NULL);
}

struct life {
    struct mf_simdisk *disk;
    struct mf_rng *rng;
};

static void on_operation(void *context, const char *operation, const char *path, bool after)
{
    struct life *life = context;
    (void)path;
    bool changes = strcmp(operation, "read") != 0 && strcmp(operation, "info") != 0 &&
                   strcmp(operation, "list") != 0;
    if (!changes || violation[0] != '\0' || (after && mf_rng_below(life->rng, 2) == 0)) {
        return;
    }
    for (int i = 0; i < 2 && violation[0] == '\0'; i++) {
        struct mf_simdisk_cut cut = {.seed = mf_rng_next(life->rng), .keep_nothing = i == 1};
        struct mf_simdisk *left = mf_simdisk_power_cut(life->disk, &cut);
        assert_non_null(left);
        check_disk(left);
        mf_simdisk_free(left);
    }
}

static struct mf_state *open_again(struct life *life)
{
    struct mf_env env = {.fs = mf_simdisk_fs(life->disk)};
    struct mf_state_options options = options_of(life->rng);
    struct mf_state *state = NULL;
    struct mf_errinfo err;
    options.flags = MF_STATE_CREATE;
    /* Opening may add audit commits, which change nothing in the state. */
    struct model last = models[submitted];
    for (uint64_t seq = submitted + 1; seq <= submitted + 2 && seq < SEQ_MAX; seq++) {
        models[seq] = last;
    }
    submitted = submitted + 2 < SEQ_MAX ? submitted + 2 : submitted;
    opening = true;
    if (mf_state_open("s", &options, &env, &state, &err) < 0) {
        if (err.code != -EIO && err.code != -ENOSPC && err.code != MF_EPOISONED) {
            violated(err.msg, 0);
        }
        return NULL;
    }
    made = true;
    struct mf_state_report report;
    struct mf_state_info info;
    mf_state_report(state, &report);
    mf_state_info(state, &info);
    uint64_t commit = commit_of(state, report.seq);
    if (report.seq < acked || report.seq > submitted || commit == UINT64_MAX) {
        violated("another state after opening again", report.seq);
        commit = report.seq;
    }
    models[report.seq] = models[commit];
    opening = false;
    for (uint64_t seq = report.seq + 1; seq <= info.seq; seq++) {
        models[seq] = models[report.seq];
    }
    acked = info.durable_seq;
    submitted = info.seq;
    return state;
}

static void commit_one(struct mf_state *state, struct mf_rng *rng)
{
    struct mf_state_info info;
    mf_state_info(state, &info);
    if (info.poisoned || info.seq + 4 >= SEQ_MAX) {
        return;
    }
    struct mf_state_change changes[4];
    char names[4][8];
    static char bytes[4][4096];
    size_t count = 1 + mf_rng_below(rng, 4);
    struct model model = models[info.seq];
    for (size_t i = 0; i < count; i++) {
        uint32_t key = (uint32_t)mf_rng_below(rng, KEYS);
        bool gone = mf_rng_below(rng, 4) == 0;
        uint32_t value = gone ? 0 : ++next_value;
        (void)snprintf(names[i], sizeof names[i], "k%u", (unsigned)key);
        changes[i].kind = gone ? MF_STATE_DELETE : MF_STATE_PUT;
        changes[i].key = (struct mf_state_bytes){names[i], strlen(names[i])};
        changes[i].value = (struct mf_state_bytes){bytes[i], gone ? 0 : value_of(value, bytes[i])};
        model.values[key] = value;
    }
    models[info.seq + 1] = model;
    submitted = info.seq + 1;
    struct mf_state_result result;
    struct mf_errinfo err;
    int code = mf_state_batch(state, changes, count, &result, &err);
    mf_state_info(state, &info);
    if (code == 0 && (result.seq != submitted || !is_model(state, submitted))) {
        violated("another result than expected", result.seq);
    }
    if (result.outcome == MF_STATE_ABORTED) {
        submitted--; /* it must never be seen */
        if (code != -EIO && code != -ENOSPC && code != MF_EPOISONED) {
            violated(err.msg, 0);
        }
    }
    acked = info.durable_seq;
}

static void work(struct life *life)
{
    struct mf_state *state = NULL;
    struct mf_errinfo err;
    uint64_t steps = 40 + mf_rng_below(life->rng, 60);
    for (uint64_t step = 0; step < steps && violation[0] == '\0'; step++) {
        if (state == NULL) {
            state = open_again(life);
            mf_simdisk_fail_nth(life->disk, 0, 0, false);
            mf_simdisk_set_capacity(life->disk, 0);
            continue;
        }
        uint64_t what = mf_rng_below(life->rng, 40);
        struct mf_state_info info;
        if (what < 30) {
            commit_one(state, life->rng);
        } else if (what < 32) {
            int code = mf_state_checkpoint(state, &err);
            mf_state_info(state, &info);
            acked = code == 0 ? info.durable_seq : acked;
        } else if (what == 32) {
            int code = mf_state_sync(state, UINT64_MAX, &err);
            mf_state_info(state, &info);
            acked = code == 0 ? info.durable_seq : acked;
        } else if (what == 33) {
            int code = mf_state_maintain(state, NULL, &err);
            if (code < 0 && code != -EIO && code != -ENOSPC && code != MF_EPOISONED) {
                violated(err.msg, 0);
            }
        } else if (what < 36) {
            uint64_t nth = 1 + mf_rng_below(life->rng, 12);
            mf_simdisk_fail_nth(life->disk, nth, what == 34 ? -EIO : -ENOSPC, false);
        } else if (what == 36) {
            mf_simdisk_set_capacity(life->disk, mf_rng_below(life->rng, 3) == 0 ? 0 : 1);
        } else if (what == 37) {
            (void)mf_state_close(state, &err);
            state = NULL;
        } else {
            mf_simdisk_fail_nth(life->disk, 0, 0, false);
        }
    }
    (void)mf_state_close(state, &err);
}

static void test_every_cut(void **unused)
{
    (void)unused;
    const char *wanted = getenv("MAYFLY_CRASH_STATES"); /* for a long night */
    uint64_t states_max = wanted != NULL ? strtoull(wanted, NULL, 10) : STATES_WANTED;
    uint64_t seed = test_seed();
    uint64_t rounds = 0;
    for (; states < states_max && violation[0] == '\0'; rounds++) {
        struct mf_rng rng;
        mf_rng_seed(&rng, seed + rounds);
        struct mf_simdisk *disk = mf_simdisk_new(0);
        assert_non_null(disk);
        struct life life = {disk, &rng};
        memset(models, 0, sizeof models);
        acked = submitted = 0;
        next_value = 0; /* all from the seed */
        made = opening = false;
        mf_simdisk_set_hook(disk, on_operation, &life);
        work(&life);
        mf_simdisk_set_hook(disk, NULL, NULL);
        assert_int_equal(mf_simdisk_handles(disk), 0);
        mf_simdisk_free(disk);
    }
    if (violation[0] != '\0') {
        print_error("workload %llu: %s\n", (unsigned long long)rounds - 1, violation);
    }
    assert_string_equal(violation, "");
    printf("%llu crash states of %llu workloads, 0 violations\n", (unsigned long long)states,
           (unsigned long long)rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_cut)};
    return cmocka_run_group_tests_name("crash/state", tests, NULL, NULL);
}
