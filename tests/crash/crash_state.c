/* SPDX-License-Identifier: Apache-2.0
 *
 * crash_state.c -- power cuts at every operation of a store's life, on the simulated disk.
 *
 * Goal
 *   After a cut at any moment the store opens again. What it shows is the state after one of the
 *   commits that were submitted, with all that were acknowledged before; an aborted commit never
 *   comes back; roots are those that were acknowledged; the log of commits is whole. Opening it
 * once more changes nothing.
 *
 * Method
 *   A random workload (commits of all sizes, conditions, checkpoints, syncs, failing calls, a full
 *   disk, closing and opening again; every mode; the log beside the state or in a directory of its
 *   own) runs on a disk whose hook takes power cuts before and after each operation that changes
 *   something: one that keeps all, one that keeps nothing, several from seeds. Each disk that a cut
 *   leaves is opened and compared with the model (state_model.h). Some are worked on further, and
 *   cut again.
 *
 * Who watches the watchman
 *   The store's sources are compiled for this test with some of their calls led through planted_*()
 *   below (tests/state.cmake). With one of enum plant switched on, the store has a known bug, and
 *   the same search must find it.
 */
#include "cmocka_all.h"
#include "os/simdisk.h"
#include "sanitizers.h"
#include "state_model.h"
#include "state_private.h"
#include "test_seed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX    2
#define FOUND_BY_MAX 400000 /* states within which a planted bug must show */
/* Of the thread sanitizer few: there is one thread only. */
#define STATES_WANTED (UNDER_TSAN ? 500 : UNDER_ASAN ? 6000 : 1000000)

enum plant {
    PLANT_NONE,
    PLANT_ACK_BEFORE_SYNC,       /* the log is not synced */
    PLANT_CHECKPOINT_NOT_SYNCED, /* it gets its name, and the log goes, before it is durable */
    PLANT_LOG_GOES_EARLY,        /* up to the newest checkpoint, whose name is not synced: each of
                                    the two alone is harmless, because the other one holds */
    PLANT_HISTORY_NOT_SYNCED,    /* the log goes before the history has it */
    PLANT_HALF_REPLAYED,         /* the last change of a commit is not redone */
    PLANT_NOT_TAKEN_BACK,        /* an aborted commit stays in the file */
    PLANT_COUNT
};

static const char *const plant_names[PLANT_COUNT] = {
    "none",
    "acknowledged before the sync",
    "checkpoint not synced",
    "the log goes early",
    "history not synced",
    "half replayed",
    "an aborted commit stays",
};

static enum plant plant;

/* ---- the calls of the store that a plant can spoil ---- */

int planted_commit_sync(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err);
void planted_commit_info(struct mf_reclog *log, struct mf_reclog_info *ret_info);
int planted_discard(struct mf_reclog *log, struct mf_errinfo *err);
int planted_checkpoint_sync(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err);
int planted_sync_directory(const struct mf_fs *fs, const char *path, struct mf_errinfo *err);
int planted_history_sync(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err);
int planted_replay(struct version *version, const uint8_t *changes, size_t len);
int planted_detach(struct wal *wal, uint64_t seq, struct wal_segment **ret_segments,
                   size_t *ret_count, struct mf_errinfo *err);

int planted_commit_sync(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err)
{
    return plant == PLANT_ACK_BEFORE_SYNC ? mf_reclog_flush(log, err)
                                          : mf_reclog_sync(log, seq, err);
}

void planted_commit_info(struct mf_reclog *log, struct mf_reclog_info *ret_info)
{
    mf_reclog_info(log, ret_info);
    if (plant == PLANT_ACK_BEFORE_SYNC) {
        ret_info->durable_seq = ret_info->flushed_seq;
    }
}

int planted_discard(struct mf_reclog *log, struct mf_errinfo *err)
{
    return plant == PLANT_NOT_TAKEN_BACK ? 0 : mf_reclog_discard(log, err);
}

int planted_checkpoint_sync(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err)
{
    return plant == PLANT_CHECKPOINT_NOT_SYNCED ? mf_reclog_flush(log, err)
                                                : mf_reclog_sync(log, seq, err);
}

int planted_sync_directory(const struct mf_fs *fs, const char *path, struct mf_errinfo *err)
{
    return plant == PLANT_LOG_GOES_EARLY ? 0 : mf_fs_sync_directory(fs, path, err);
}

int planted_history_sync(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err)
{
    return plant == PLANT_HISTORY_NOT_SYNCED ? mf_reclog_flush(log, err)
                                             : mf_reclog_sync(log, seq, err);
}

int planted_replay(struct version *version, const uint8_t *changes, size_t len)
{
    if (plant == PLANT_HALF_REPLAYED) {
        for (size_t part = len; part-- > len / 2;) {
            if (mf__version_apply(version, changes, part) == 0) {
                return 0;
            }
        }
    }
    return mf__version_apply(version, changes, len);
}

int planted_detach(struct wal *wal, uint64_t seq, struct wal_segment **ret_segments,
                   size_t *ret_count, struct mf_errinfo *err)
{
    return mf__wal_detach(wal, plant == PLANT_LOG_GOES_EARLY ? UINT64_MAX : seq, ret_segments,
                          ret_count, err);
}

/* ---- one disk that a cut left ---- */

static uint64_t states;
static uint64_t rounds;

static void work(struct mf_simdisk *disk, struct model *model, struct mf_rng *rng, int depth);

static int64_t look(const struct mf_env *env, const struct model *model, uint32_t flags,
                    enum mf_state_mode mode, bool whole_log, struct mf_state_report *ret_report)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_state *state = NULL;
    struct mf_errinfo err;
    options.flags = flags;
    options.mode = mode;
    options.wal_bytes_max = 65536;
    if (mf_state_open("d/s", &options, env, &state, &err) != 0) {
        return model_violated("%s: %s", flags == MF_STATE_READ_ONLY ? "reading" : "opening",
                              err.msg);
    }
    int64_t found = model_find(model, state);
    if (found >= 0 && whole_log && !model_log_is_whole(state)) {
        found = -1;
    }
    mf_state_report(state, ret_report);
    if (mf_state_close(state, &err) != 0) {
        found = model_violated("closing: %s", err.msg);
    }
    return found;
}

static void check_disk(struct mf_simdisk *disk, const struct model *before, uint32_t acknowledged,
                       struct mf_rng *rng, int depth)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_file_info info;
    struct mf_state_report report;
    struct mf_state_report again;
    states++;
    mf_simdisk_set_capacity(disk, 0);
    if (!before->exists && mf_fs_info(env.fs, "d/s/store", &info, NULL) == -ENOENT) {
        return;
    }
    enum mf_state_mode mode = mf_rng_below(rng, 3) == 0 ? MF_STATE_RELAXED : MF_STATE_DURABLE;
    /* What takes its time is done with some of the disks only. */
    bool reads = mf_rng_below(rng, 3) == 0;
    bool whole_log = mf_rng_below(rng, 4) == 0;
    int64_t seen =
        reads ? look(&env, before, MF_STATE_READ_ONLY, MF_STATE_DURABLE, whole_log, &report) : 0;
    int64_t found = seen >= 0 ? look(&env, before, 0, mode, whole_log, &report) : -1;
    if (found < 0) {
        return;
    }
    if (reads && seen != found) {
        (void)model_violated("a reader saw commit %lld, recovery found %lld", (long long)seen,
                             (long long)found);
    }
    if (!model_holds(before, (uint32_t)found, acknowledged)) {
        (void)model_violated("commit %u was acknowledged, %lld is what was found", acknowledged,
                             (long long)found);
    }
    bool rarely = mf_rng_below(rng, 8) == 0;
    if (rarely && model_violation[0] == '\0') {
        int64_t second = look(&env, before, 0, mode, true, &again);
        if (second >= 0 && (second != found || again.torn_bytes != 0 || again.audit_seq != 0)) {
            (void)model_violated("a second recovery found commit %lld after %lld, cut %llu bytes",
                                 (long long)second, (long long)found,
                                 (unsigned long long)again.torn_bytes);
        }
    }
    uint64_t one_in = report.torn_commits != 0 ? 4 : 100;
    if (model_violation[0] == '\0' && depth < DEPTH_MAX && mf_rng_below(rng, one_in) == 0) {
        static struct model next[DEPTH_MAX + 1];
        next[depth] = *before;
        model_settle(&next[depth], (uint32_t)found);
        next[depth].exists = true;
        work(disk, &next[depth], rng, depth + 1);
    }
}

/* ---- the workload ---- */

struct life {
    struct mf_simdisk *disk;
    struct model *model;
    struct mf_rng *rng;
    int depth;
    bool failing; /* a sync may have failed since the store was opened: what it was to make durable
                     is forgotten by the next open, or by the kernel */
};

static uint32_t kept(const struct life *life)
{
    return life->failing ? life->model->durable : life->model->kept;
}

static void on_operation(void *context, const char *operation, const char *path, bool after)
{
    struct life *life = context;
    (void)path;
    (void)after;
    bool syncs = strstr(operation, "sync") != NULL;
    bool changes = syncs || strcmp(operation, "write") == 0 || strcmp(operation, "truncate") == 0 ||
                   strcmp(operation, "rename") == 0 || strcmp(operation, "unlink") == 0;
    if (!changes || model_violation[0] != '\0') {
        return;
    }
    /* At every sync; at some of the others, so that there is time for more workloads. */
    if (mf_rng_below(life->rng, syncs ? 2 : 4) != 0) {
        return;
    }
    for (int i = 0; i < 4 && model_violation[0] == '\0'; i++) {
        struct mf_simdisk_cut cut = {
            .seed = mf_rng_next(life->rng), .keep_all = i == 0, .keep_nothing = i == 1};
        struct mf_simdisk *left = mf_simdisk_power_cut(life->disk, &cut);
        assert_non_null(left);
        check_disk(left, life->model, i == 0 ? kept(life) : life->model->durable, life->rng,
                   life->depth);
        mf_simdisk_free(left);
    }
}

static bool is_of_the_disk(int code)
{
    return code == -EIO || code == -ENOSPC || code == MF_EPOISONED;
}

static struct mf_state *open_store(struct life *life)
{
    struct mf_env env = {.fs = mf_simdisk_fs(life->disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_state *state = NULL;
    struct mf_errinfo err;
    options.flags = MF_STATE_CREATE;
    options.mode = (enum mf_state_mode)mf_rng_below(life->rng, 3);
    options.max_delay_ns = 1;
    options.wal_bytes_max = 65536;
    options.wal_files_max = 4;
    if (!life->model->exists && mf_rng_below(life->rng, 3) == 0) {
        options.wal_path = "../w";
    }
    int code = mf_state_open("d/s", &options, &env, &state, &err);
    mf_simdisk_fail_nth(life->disk, 0, 0, false);
    mf_simdisk_set_capacity(life->disk, 0);
    if (code != 0) {
        if (!is_of_the_disk(code)) {
            (void)model_violated("opening: %s", err.msg);
        }
        return NULL;
    }
    int64_t found = model_find(life->model, state);
    if (found < 0) {
        (void)mf_state_close(state, NULL);
        return NULL;
    }
    if (!model_holds(life->model, (uint32_t)found, kept(life))) {
        (void)model_violated("opened again with commit %lld after %u", (long long)found,
                             kept(life));
    }
    life->failing = false;
    life->model->exists = true;
    model_settle(life->model, (uint32_t)found);
    return state;
}

/* One more thing happens to the store; whether it is still open. */
static bool step(struct life *life, struct mf_state *state)
{
    struct mf_errinfo err = {0};
    struct mf_rng *rng = life->rng;
    uint64_t what = mf_rng_below(rng, 24);
    int code = 0;
    if (what < 14) {
        model_commit(life->model, state, rng, &code);
        code = code == MF_ECONFLICT ? 0 : code;
    } else if (what < 16) {
        code = mf_state_checkpoint(state, &err);
    } else if (what == 16) {
        code = mf_state_sync(state, UINT64_MAX, &err);
    } else if (what == 17) {
        code = mf_state_maintain(state, NULL, &err);
    } else if (what < 20) {
        life->failing = true;
        mf_simdisk_fail_nth(life->disk, 1 + mf_rng_below(rng, 12),
                            mf_rng_below(rng, 2) == 0 ? -EIO : -ENOSPC, false);
    } else if (what == 20) {
        mf_simdisk_set_capacity(life->disk, mf_rng_below(rng, 3) == 0 ? 0 : 1);
    } else if (what == 21) {
        mf_simdisk_fail_nth(life->disk, 0, 0, false);
        mf_simdisk_set_capacity(life->disk, 0);
    } else {
        code = mf_state_close(state, &err);
        if (code == 0) {
            life->model->durable = life->model->current;
        }
        state = NULL;
    }
    if (code != 0 && !is_of_the_disk(code)) {
        (void)model_violated("step %llu: %d %s", (unsigned long long)what, code, err.msg);
    }
    if (state != NULL) {
        model_durable(life->model, state);
    }
    return state != NULL;
}

static void work(struct mf_simdisk *disk, struct model *model, struct mf_rng *rng, int depth)
{
    struct life life = {disk, model, rng, depth, false};
    struct mf_state *state = NULL;
    mf_simdisk_set_hook(disk, on_operation, &life);
    uint64_t steps = (depth == 0 ? 50 : 6) + mf_rng_below(rng, 10);
    for (uint64_t i = 0; i < steps && model_violation[0] == '\0'; i++) {
        if (state == NULL) {
            state = open_store(&life);
        } else if (!step(&life, state)) {
            state = NULL;
        }
    }
    mf_simdisk_set_hook(disk, NULL, NULL);
    mf_simdisk_fail_nth(disk, 0, 0, false);
    mf_simdisk_set_capacity(disk, 0);
    (void)mf_state_close(state, NULL);
}

/* Workloads one after the other until enough states were seen or one is wrong. */
static void search(uint64_t seed, uint64_t states_max)
{
    model_violation[0] = '\0';
    states = 0;
    for (rounds = 0; states < states_max && model_violation[0] == '\0'; rounds++) {
        struct mf_rng rng;
        mf_rng_seed(&rng, seed + rounds);
        struct mf_simdisk *disk = mf_simdisk_new(0);
        assert_non_null(disk);
        static struct model model;
        memset(&model, 0, sizeof model);
        assert_int_equal(mf_fs_mkdirs(mf_simdisk_fs(disk), "d/w", NULL), 0);
        assert_int_equal(mf_fs_sync_directory(mf_simdisk_fs(disk), "d", NULL), 0);
        assert_int_equal(mf_fs_sync_directory(mf_simdisk_fs(disk), "/", NULL), 0);
        work(disk, &model, &rng, 0);
        mf_simdisk_free(disk);
        if (model_violation[0] != '\0') {
            printf("after %llu states, workload %llu: %s\n", (unsigned long long)states,
                   (unsigned long long)rounds, model_violation);
        }
    }
}

static void every_cut(void **state)
{
    (void)state;
    const char *wanted = getenv("MAYFLY_CRASH_STATES"); /* for a long night */
    plant = PLANT_NONE;
    search(test_seed(), wanted != NULL ? strtoull(wanted, NULL, 10) : STATES_WANTED);
    assert_string_equal(model_violation, "");
    printf("%llu crash states of %llu workloads, 0 violations\n", (unsigned long long)states,
           (unsigned long long)rounds);
}

static void planted_bugs_are_found(void **state)
{
    (void)state;
    if (UNDER_TSAN || UNDER_ASAN) {
        printf("left to the build without sanitizers\n");
        skip();
    }
    for (plant = PLANT_NONE + 1; plant < PLANT_COUNT; plant++) {
        printf("%s: ", plant_names[plant]);
        fflush(stdout);
        search(7, FOUND_BY_MAX);
        if (model_violation[0] == '\0') {
            printf("not found in %llu states\n", (unsigned long long)states);
        }
        assert_string_not_equal(model_violation, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut),
        cmocka_unit_test(planted_bugs_are_found),
    };
    return cmocka_run_group_tests_name("crash/state", tests, NULL, NULL);
}
