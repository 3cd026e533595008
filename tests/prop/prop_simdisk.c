/* SPDX-License-Identifier: Apache-2.0
 * Without faults the simulated disk behaves as the real file system does: the same random calls on
 * both give the same codes, contents and listings. */
#include "base/rng.h"
#include "os/simdisk.h"
#include "scratch.h"
#include "test_seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

#define ROUNDS 40
#define STEPS  300
#define OPEN   4
#define LEN    20000

static const char *const names[] = {"a", "b", "c", "d/a", "d/b", "d", "e", "e/a", "d/e", "d/e/x"};
#define NAMES (sizeof names / sizeof names[0])

struct world {
    const struct mf_fs *fs;
    char root[4096];
    struct mf_file *files[OPEN];
    void *maps[OPEN];
    size_t map_lens[OPEN];
    char listing[4096];
};

static const char *full(const struct world *world, size_t name)
{
    static char paths[4][8192];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", world->root, names[name]);
    return path;
}

static int list_entry(void *context, const char *name, enum mf_file_kind kind)
{
    char *listing = context;
    size_t used = strlen(listing);
    snprintf(listing + used, 4096 - used, "%s=%d ", name, (int)kind);
    return 0;
}

static void forget(struct world *world, size_t slot)
{
    if (world->maps[slot] != NULL) {
        assert_int_equal(
            mf_file_unmap(world->files[slot], world->maps[slot], world->map_lens[slot]), 0);
        world->maps[slot] = NULL;
    }
    mf_file_close(world->files[slot]);
    world->files[slot] = NULL;
}

/* One step, drawn from the generator; its code and what it saw. */
static int step(struct world *world, struct mf_rng *rng, char *seen, size_t *ret_len)
{
    size_t slot = mf_rng_below(rng, OPEN);
    size_t name = mf_rng_below(rng, NAMES);
    size_t other = mf_rng_below(rng, NAMES);
    uint64_t offset = mf_rng_below(rng, LEN);
    size_t len = mf_rng_below(rng, LEN);
    char fill = (char)mf_rng_below(rng, 256);
    unsigned flags = MF_OPEN_READ | MF_OPEN_WRITE |
                     (mf_rng_below(rng, 4) != 0 ? MF_OPEN_CREATE : 0) |
                     (mf_rng_below(rng, 8) == 0 ? MF_OPEN_TRUNCATE : 0);
    flags |= (flags & MF_OPEN_CREATE) != 0 && mf_rng_below(rng, 8) == 0 ? MF_OPEN_EXCLUSIVE : 0;
    static char bytes[LEN];
    struct mf_file_info info = {0};
    struct mf_file *file = world->files[slot];
    uint64_t what = mf_rng_below(rng, 18);
    *ret_len = 0;
    if (file == NULL && what >= 6) {
        what %= 6;
    }
    int code = 0;
    switch (what) {
    case 0:
        if (file != NULL) {
            forget(world, slot);
        }
        return mf_file_open(world->fs, full(world, name), flags, &world->files[slot], NULL);
    case 1:
        return mf_fs_mkdir(world->fs, full(world, name), NULL);
    case 2:
        return mf_fs_rename(world->fs, full(world, name), full(world, other), NULL);
    case 3:
        /* Linux says EISDIR where POSIX says EPERM; both ours follow Linux. */
        return mf_fs_unlink(world->fs, full(world, name), NULL);
    case 4:
        return mf_fs_rmdir(world->fs, full(world, name), NULL);
    case 5:
        world->listing[0] = '\0';
        code = mf_fs_list(world->fs, full(world, name), list_entry, world->listing, NULL);
        snprintf(seen, LEN, "%s", world->listing);
        *ret_len = strlen(seen);
        return code;
    case 6:
    case 7:
    case 8:
        memset(bytes, fill, len);
        return mf_file_write(file, bytes, len, offset, NULL);
    case 9:
        return mf_file_truncate(file, offset, NULL);
    case 10:
        return mf_file_allocate(file, offset, NULL);
    case 11:
        return mf_file_sync(file, NULL);
    case 12:
        code = mf_file_info(file, &info, NULL);
        *ret_len = (size_t)info.size_bytes;
        memset(seen, 0, LEN < *ret_len ? LEN : *ret_len);
        *ret_len = *ret_len < LEN ? *ret_len : LEN;
        return code;
    case 13:
        if (world->maps[slot] != NULL || mf_file_info(file, &info, NULL) != 0 ||
            info.size_bytes == 0) {
            return 0;
        }
        world->map_lens[slot] = (size_t)info.size_bytes;
        return mf_file_map(file, world->map_lens[slot], true, &world->maps[slot], NULL);
    case 14:
        if (world->maps[slot] == NULL || mf_file_info(file, &info, NULL) != 0 ||
            offset >= info.size_bytes || offset >= world->map_lens[slot]) {
            return 0; /* beyond the end of the file is a SIGBUS on the real one */
        }
        ((char *)world->maps[slot])[offset] = fill;
        return mf_file_map_sync(file, (char *)world->maps[slot] + offset, 1, NULL);
    case 15:
        return mf_fs_sync_directory(world->fs, full(world, name), NULL);
    default:
        return mf_file_read(file, seen, len, offset, ret_len, NULL);
    }
}

static void run(uint64_t seed)
{
    struct mf_simdisk *disk = mf_simdisk_new(0);
    assert_non_null(disk);
    static struct world real;
    static struct world simulated;
    memset(&real, 0, sizeof real);
    memset(&simulated, 0, sizeof simulated);
    snprintf(real.root, sizeof real.root, "%s/%llu", scratch_directory(), (unsigned long long)seed);
    snprintf(simulated.root, sizeof simulated.root, "/top");
    simulated.fs = mf_simdisk_fs(disk);
    assert_int_equal(mf_fs_mkdirs(real.fs, real.root, NULL), 0);
    assert_int_equal(mf_fs_mkdirs(simulated.fs, simulated.root, NULL), 0);
    struct mf_rng first;
    mf_rng_seed(&first, seed);
    for (int i = 0; i < STEPS; i++) {
        static char here[LEN];
        static char there[LEN];
        size_t here_len = 0;
        size_t there_len = 0;
        struct mf_rng second = first;
        int expected = step(&real, &first, here, &here_len);
        int got = step(&simulated, &second, there, &there_len);
        if (expected != got || here_len != there_len || memcmp(here, there, here_len) != 0) {
            print_error("MAYFLY_TEST_SEED=%llu step %d: real %s (%zu bytes), simulated %s (%zu)\n",
                        (unsigned long long)seed, i, mf_error_name(expected), here_len,
                        mf_error_name(got), there_len);
            fail();
        }
    }
    for (size_t slot = 0; slot < OPEN; slot++) {
        forget(&real, slot);
        forget(&simulated, slot);
    }
    mf_simdisk_free(disk);
}

static void test_same_as_real(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t round = 0; round < ROUNDS; round++) {
        run(seed + round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_real)};
    return cmocka_run_group_tests_name("simdisk", tests, NULL, NULL);
}
