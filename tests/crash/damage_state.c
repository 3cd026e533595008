/* SPDX-License-Identifier: Apache-2.0
 *
 * damage_state.c -- flipped bits and misdirected writes anywhere in a store.
 *
 * A random workload makes a store on the simulated disk. Copies of it are damaged in one place: a
 * bit is flipped, or a sector is overwritten with another one of the store. Each must then either
 * open with the state that it had, or be refused with a message that names a file; nothing else may
 * ever be shown. The end of the log is the one place where damage cannot be told from a crash: of
 * the records in the last sector, those that no later one attests may be taken for torn. A salvaged
 * store shows nothing that was not put.
 */
#include "cmocka_all.h"
#include "os/simdisk.h"
#include "sanitizers.h"
#include "state_model.h"
#include "test_seed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR       512
#define LOST_MAX     4 /* commits whose records fit into a sector */
#define FILES_MAX    64
#define TRIALS       60
#define DAMAGED_FILE 64

#define STORES (UNDER_TSAN || UNDER_ASAN ? 12 : 150)

struct files {
    char names[FILES_MAX][DAMAGED_FILE];
    size_t count;
};

static uint64_t opened;
static uint64_t refused;
static uint64_t salvaged;

static int note_file(void *context, const char *name, enum mf_file_kind kind)
{
    struct files *files = context;
    if (kind == MF_KIND_FILE && files->count < FILES_MAX) {
        snprintf(files->names[files->count++], DAMAGED_FILE, "d/s/%s", name);
    }
    return 0;
}

static struct mf_state *open_with(const struct mf_env *env, uint32_t flags, struct mf_errinfo *err)
{
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_state *state = NULL;
    options.flags = flags;
    options.wal_bytes_max = 65536;
    return mf_state_open("d/s", &options, env, &state, err) == 0 ? state : NULL;
}

/* A store of some commits and checkpoints; closed, or as a kill leaves it. */
static void make_store(struct mf_simdisk *disk, struct model *model, struct mf_rng *rng)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_errinfo err;
    assert_int_equal(mf_fs_mkdirs(env.fs, "d", NULL), 0);
    struct mf_state *state = open_with(&env, MF_STATE_CREATE, &err);
    assert_non_null(state);
    uint64_t steps = 3 + mf_rng_below(rng, 40);
    for (uint64_t i = 0; i < steps; i++) {
        int code = 0;
        if (mf_rng_below(rng, 8) == 0) {
            code = mf_state_checkpoint(state, &err);
        } else {
            model_commit(model, state, rng, &code);
        }
        assert_true(code == 0 || code == MF_ECONFLICT);
    }
    assert_int_equal(mf_state_close(state, &err), 0);
}

static void read_sector(struct mf_file *file, uint64_t offset, uint8_t *ret_sector)
{
    size_t len = 0;
    memset(ret_sector, 0, SECTOR);
    assert_int_equal(mf_file_read(file, ret_sector, SECTOR, offset, &len, NULL), 0);
}

/* Overwrites a sector with another one; whether that changed anything. */
static bool misdirect(const struct mf_fs *fs, const char *from, const char *to, struct mf_rng *rng)
{
    struct mf_file *source = NULL;
    struct mf_file *target = NULL;
    struct mf_file_info sizes[2];
    uint8_t sector[SECTOR];
    uint8_t before[SECTOR];
    assert_int_equal(mf_file_open(fs, from, MF_OPEN_READ, &source, NULL), 0);
    assert_int_equal(mf_file_open(fs, to, MF_OPEN_READ | MF_OPEN_WRITE, &target, NULL), 0);
    assert_int_equal(mf_file_info(source, &sizes[0], NULL), 0);
    assert_int_equal(mf_file_info(target, &sizes[1], NULL), 0);
    bool changed = false;
    if (sizes[0].size_bytes > 0 && sizes[1].size_bytes > 0) {
        uint64_t take = mf_rng_below(rng, (sizes[0].size_bytes + SECTOR - 1) / SECTOR) * SECTOR;
        uint64_t put = mf_rng_below(rng, (sizes[1].size_bytes + SECTOR - 1) / SECTOR) * SECTOR;
        uint64_t room = sizes[1].size_bytes - put;
        size_t len = room < SECTOR ? (size_t)room : SECTOR;
        read_sector(source, take, sector);
        read_sector(target, put, before);
        changed = memcmp(sector, before, len) != 0;
        assert_int_equal(mf_file_write(target, sector, len, put, NULL), 0);
    }
    mf_file_close(source);
    mf_file_close(target);
    return changed;
}

static bool flip(struct mf_simdisk *disk, const char *path, struct mf_rng *rng)
{
    struct mf_file_info info;
    assert_int_equal(mf_fs_info(mf_simdisk_fs(disk), path, &info, NULL), 0);
    return info.size_bytes > 0 &&
           mf_simdisk_flip_bit(disk, path, mf_rng_below(rng, info.size_bytes * 8)) == 0;
}

/* `id`, or one of the few before it. */
static bool is_near(const struct model *model, uint32_t id, int64_t found)
{
    for (int i = 0; i <= LOST_MAX; i++) {
        if (found == id) {
            return true;
        }
        id = model->commits[id].parent;
    }
    return false;
}

static void check_opened(const struct model *model, struct mf_state *state, const char *what)
{
    int64_t found = model_find(model, state);
    opened++;
    if (found >= 0 && !is_near(model, model->kept, found)) {
        struct mf_state_info info;
        mf_state_info(state, &info);
        (void)model_violated("%s: commit %lld of %u is what was found%s", what, (long long)found,
                             model->kept,
                             (info.flags & MF_STATE_READ_ONLY) != 0 ? " by a reader" : "");
    }
}

static void check_refused(const struct mf_env *env, const struct mf_errinfo *refusal,
                          const char *what)
{
    struct mf_errinfo err;
    refused++;
    if (strstr(refusal->msg, "d/s") == NULL ||
        (refusal->code != MF_ECORRUPT && refusal->code != MF_EFORMAT &&
         refusal->code != MF_EVERSION && refusal->code != MF_EMISMATCH)) {
        (void)model_violated("%s: refused with %d: %s", what, refusal->code, refusal->msg);
    }
    struct mf_state *state = open_with(env, MF_STATE_SALVAGE, &err);
    if (state != NULL) {
        salvaged++;
        (void)model_knows_values(state);
        (void)mf_state_close(state, NULL);
    }
}

static void damage_once(struct mf_simdisk *disk, const struct model *model, struct mf_rng *rng)
{
    struct mf_simdisk_cut cut = {.seed = mf_rng_next(rng), .keep_all = true};
    struct mf_simdisk *copy = mf_simdisk_power_cut(disk, &cut);
    assert_non_null(copy);
    struct mf_env env = {.fs = mf_simdisk_fs(copy)};
    static struct files files;
    files.count = 0;
    assert_int_equal(mf_fs_list(env.fs, "d/s", note_file, &files, NULL), 0);
    const char *target = files.names[mf_rng_below(rng, files.count)];
    const char *source = files.names[mf_rng_below(rng, files.count)];
    bool flips = mf_rng_below(rng, 2) == 0;
    char what[200];
    snprintf(what, sizeof what, flips ? "a bit of %s" : "a sector of %s, from %s", target, source);
    bool changed = flips ? flip(copy, target, rng) : misdirect(env.fs, source, target, rng);
    if (changed) {
        struct mf_errinfo err = {0};
        bool reads = mf_rng_below(rng, 2) == 0;
        struct mf_state *state = open_with(&env, reads ? MF_STATE_READ_ONLY : 0, &err);
        if (state != NULL) {
            check_opened(model, state, what);
            (void)mf_state_close(state, NULL);
        } else {
            check_refused(&env, &err, what);
        }
    }
    mf_simdisk_free(copy);
}

static void damage_is_never_shown(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    model_violation[0] = '\0';
    for (uint64_t round = 0; round < STORES && model_violation[0] == '\0'; round++) {
        struct mf_rng rng;
        mf_rng_seed(&rng, seed + round);
        struct mf_simdisk *disk = mf_simdisk_new(0);
        assert_non_null(disk);
        static struct model model;
        memset(&model, 0, sizeof model);
        make_store(disk, &model, &rng);
        for (int i = 0; i < TRIALS && model_violation[0] == '\0'; i++) {
            damage_once(disk, &model, &rng);
        }
        mf_simdisk_free(disk);
        if (model_violation[0] != '\0') {
            printf("store %llu: %s\n", (unsigned long long)round, model_violation);
        }
    }
    printf("%llu opened as they were, %llu refused, %llu of them salvaged\n",
           (unsigned long long)opened, (unsigned long long)refused, (unsigned long long)salvaged);
    assert_string_equal(model_violation, "");
    assert_true(opened > 0 && refused > 0 && salvaged > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damage_is_never_shown)};
    return cmocka_run_group_tests_name("crash/state_damage", tests, NULL, NULL);
}
