/* SPDX-License-Identifier: Apache-2.0
 * The simulated disk's promises: what a power cut may and may not leave, and each fault. A crash
 * test is worth no more than this. */
#include "base/heap.h"
#include "os/simdisk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

#define RW     (MF_OPEN_READ | MF_OPEN_WRITE)
#define CREATE (RW | MF_OPEN_CREATE)
#define CUTS   400

static struct mf_errinfo err;

static struct mf_file *opened(const struct mf_fs *fs, const char *path, unsigned flags)
{
    struct mf_file *file = NULL;
    assert_int_equal(mf_file_open(fs, path, flags, &file, &err), 0);
    return file;
}

static struct mf_simdisk *cut(struct mf_simdisk *disk, uint64_t seed)
{
    struct mf_simdisk *after = mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.seed = seed});
    assert_non_null(after);
    return after;
}

/* Content of a file on the disk: its length, or -1 when it has no such name. */
static long content(struct mf_simdisk *disk, const char *path, char *bytes, size_t len)
{
    struct mf_file *file = NULL;
    if (mf_file_open(mf_simdisk_fs(disk), path, MF_OPEN_READ, &file, &err) != 0) {
        assert_int_equal(err.code, -ENOENT);
        return -1;
    }
    struct mf_file_info info;
    size_t got = 0;
    memset(bytes, 0, len);
    assert_int_equal(mf_file_info(file, &info, &err), 0);
    assert_int_equal(mf_file_read(file, bytes, len, 0, &got, &err), 0);
    mf_file_close(file);
    return (long)info.size_bytes;
}

static void fill(struct mf_file *file, char c, size_t len, uint64_t offset)
{
    char bytes[8192];
    assert_true(len <= sizeof bytes);
    memset(bytes, c, len);
    assert_int_equal(mf_file_write(file, bytes, len, offset, &err), 0);
}

/* A file "f" whose name and first `len` bytes, all `c`, are durable. */
static struct mf_file *durable_file(struct mf_simdisk *disk, char c, size_t len)
{
    struct mf_file *file = opened(mf_simdisk_fs(disk), "f", CREATE);
    if (len != 0) {
        fill(file, c, len, 0);
    }
    assert_int_equal(mf_file_sync(file, &err), 0);
    assert_int_equal(mf_fs_sync_directory(mf_simdisk_fs(disk), "/", &err), 0);
    return file;
}

static void test_nothing_and_all(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    struct mf_file *file = durable_file(disk, 'a', 100);
    fill(file, 'b', 50, 80);
    struct mf_file *nameless = opened(mf_simdisk_fs(disk), "g", CREATE);
    fill(nameless, 'g', 10, 0);
    assert_int_equal(mf_file_sync(nameless, &err), 0); /* the content, not the name */
    char bytes[200];

    struct mf_simdisk *after =
        mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.keep_nothing = true});
    assert_int_equal(content(after, "f", bytes, sizeof bytes), 100);
    assert_int_equal(bytes[99], 'a');
    assert_int_equal(content(after, "g", bytes, sizeof bytes), -1);
    mf_simdisk_free(after);

    after = mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.keep_all = true});
    assert_int_equal(content(after, "f", bytes, sizeof bytes), 130);
    assert_int_equal(bytes[80], 'b');
    assert_int_equal(content(after, "g", bytes, sizeof bytes), 10);
    mf_simdisk_free(after);
    mf_file_close(file);
    mf_file_close(nameless);
    mf_simdisk_free(disk);
}

/* Four sectors written twice after a sync: over many cuts each is seen old, new, in between and
 * torn, independently of the others; and nothing is ever seen that was not written. */
static void test_sectors_are_independent(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    struct mf_file *file = durable_file(disk, 'a', 2048);
    fill(file, 'b', 2048, 0);
    fill(file, 'c', 2048, 0);
    int old = 0;
    int middle = 0;
    int new = 0;
    int torn = 0;
    int reordered = 0;
    for (uint64_t seed = 0; seed < CUTS; seed++) {
        struct mf_simdisk *after = cut(disk, seed);
        char bytes[2048];
        assert_int_equal(content(after, "f", bytes, sizeof bytes), 2048);
        for (int s = 0; s < 4; s++) {
            const char *sector = bytes + s * 512;
            int changes = 0;
            for (int i = 0; i < 512; i++) {
                assert_true(sector[i] >= 'a' && sector[i] <= 'c');
                changes += i > 0 && sector[i] != sector[i - 1];
            }
            assert_true(changes <= 1);
            torn += changes;
            old += changes == 0 && sector[0] == 'a';
            middle += changes == 0 && sector[0] == 'b';
            new += changes == 0 && sector[0] == 'c';
        }
        reordered += bytes[0] == 'a' && bytes[2047] == 'c';
        mf_simdisk_free(after);
    }
    assert_true(old > 50 && middle > 50 && new > 200 && torn > 50 && reordered > 10);
    mf_file_close(file);
    mf_simdisk_free(disk);
}

static void test_seed_repeats(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    struct mf_file *file = durable_file(disk, 'a', 4096);
    fill(file, 'b', 8192, 100);
    for (uint64_t seed = 1; seed < 20; seed++) {
        char first[9000];
        char second[9000];
        struct mf_simdisk *after = cut(disk, seed);
        long len = content(after, "f", first, sizeof first);
        mf_simdisk_free(after);
        after = cut(disk, seed);
        assert_int_equal(content(after, "f", second, sizeof second), len);
        assert_memory_equal(first, second, sizeof first);
        mf_simdisk_free(after);
    }
    mf_file_close(file);
    mf_simdisk_free(disk);
}

/* The file is cut to 500 bytes and written again behind that: in the same page, and in another. */
static void test_growth_and_truncation(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    struct mf_file *file = durable_file(disk, 'a', 1000);
    fill(file, 'b', 8000, 1000);
    assert_int_equal(mf_file_truncate(file, 500, &err), 0);
    fill(file, 'c', 200, 1800);
    fill(file, 'd', 200, 5000);
    int cut_short = 0;
    int not_cut = 0;
    int in_place = 0;
    for (uint64_t seed = 0; seed < CUTS; seed++) {
        struct mf_simdisk *after = cut(disk, seed);
        char bytes[9000];
        long len = content(after, "f", bytes, sizeof bytes);
        bool was_cut = len == 500 || len == 2000 || len == 5200;
        /* A write is one change per page that it touches. */
        assert_true(was_cut || len == 1000 || len == 4096 || len == 8192 || len == 9000);
        cut_short += was_cut;
        not_cut += !was_cut;
        for (long i = 0; i < len; i++) {
            char c = bytes[i];
            bool is_c = i >= 1800 && i < 2000 && c == 'c';
            bool is_d = i >= 5000 && i < 5200 && c == 'd';
            if (was_cut) { /* nothing from before beyond it */
                assert_true(c == (i < 500 ? 'a' : 0) || is_c || is_d);
            } else { /* what came after it can be in its own page only */
                assert_true(c == (i < 1000 ? 'a' : 'b') || (c == 0 && i >= 500) || is_c);
                in_place += is_c;
            }
        }
        mf_simdisk_free(after);
    }
    assert_true(cut_short > 50 && not_cut > 50 && in_place > 0);
    mf_file_close(file);
    mf_simdisk_free(disk);
}

static void test_names(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    const struct mf_fs *fs = mf_simdisk_fs(disk);
    mf_file_close(durable_file(disk, 'a', 10));
    assert_int_equal(mf_fs_mkdir(fs, "d", &err), 0);
    assert_int_equal(mf_fs_sync_directory(fs, "/", &err), 0);
    assert_int_equal(mf_fs_rename(fs, "f", "d/f", &err), 0);
    mf_file_close(opened(fs, "x", CREATE));
    mf_file_close(opened(fs, "y", CREATE));
    int moved = 0;
    int only_y = 0;
    char bytes[10];
    for (uint64_t seed = 0; seed < CUTS; seed++) {
        struct mf_simdisk *after = cut(disk, seed);
        bool here = content(after, "f", bytes, 10) == 10;
        bool there = content(after, "d/f", bytes, 10) == 10;
        assert_true(here != there); /* a rename is atomic */
        moved += there;
        only_y += content(after, "x", bytes, 10) < 0 && content(after, "y", bytes, 10) == 0;
        mf_simdisk_free(after);
    }
    assert_true(moved > 50 && moved < CUTS - 50);
    assert_true(only_y > 20);

    assert_int_equal(mf_fs_sync_directory(fs, "d", &err), 0); /* one end of the rename is enough */
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct mf_simdisk *after = cut(disk, seed);
        assert_int_equal(content(after, "d/f", bytes, 10), 10);
        assert_int_equal(content(after, "f", bytes, 10), -1);
        mf_simdisk_free(after);
    }

    assert_int_equal(mf_fs_unlink(fs, "d/f", &err), 0);
    assert_int_equal(mf_fs_sync_directory(fs, "d", &err), 0);
    assert_int_equal(mf_fs_rmdir(fs, "d", &err), 0);
    int gone = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct mf_simdisk *after = cut(disk, seed);
        struct mf_file_info info;
        gone += mf_fs_info(mf_simdisk_fs(after), "d", &info, &err) == -ENOENT;
        assert_int_equal(content(after, "d/f", bytes, 10), -1);
        mf_simdisk_free(after);
    }
    assert_true(gone > 10 && gone < 90);
    mf_simdisk_free(disk);
}

/* The classic mistake: rename without a sync of the content before it. */
static void test_rename_without_sync_is_caught(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    const struct mf_fs *fs = mf_simdisk_fs(disk);
    mf_file_close(durable_file(disk, 'a', 600));
    struct mf_file *file = opened(fs, "f.new", CREATE);
    fill(file, 'b', 600, 0);
    mf_file_close(file);
    assert_int_equal(mf_fs_rename(fs, "f.new", "f", &err), 0);
    assert_int_equal(mf_fs_sync_directory(fs, ".", &err), 0);
    int half = 0;
    for (uint64_t seed = 0; seed < CUTS; seed++) {
        struct mf_simdisk *after = cut(disk, seed);
        char bytes[600];
        half += content(after, "f", bytes, 600) != 600 || bytes[0] != 'b' || bytes[599] != 'b';
        mf_simdisk_free(after);
    }
    assert_true(half > 100);
    mf_simdisk_free(disk);
}

static void test_replace_survives(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    const struct mf_fs *fs = mf_simdisk_fs(disk);
    char old[3000];
    char new[5000];
    memset(old, 'o', sizeof old);
    memset(new, 'n', sizeof new);
    assert_int_equal(mf_fs_mkdirs(fs, "/a/b", &err), 0);
    assert_int_equal(mf_fs_replace(fs, "/a/b/f", old, sizeof old, &err), 0);
    uint64_t before = mf_simdisk_operations(disk);
    assert_int_equal(mf_fs_replace(fs, "/a/b/f", new, sizeof new, &err), 0);
    uint64_t calls = mf_simdisk_operations(disk) - before;
    mf_simdisk_free(disk);
    assert_true(calls >= 5);

    for (uint64_t stop = 1; stop <= calls + 1; stop++) { /* every later call fails: the crash */
        disk = mf_simdisk_new(0);
        fs = mf_simdisk_fs(disk);
        assert_int_equal(mf_fs_mkdirs(fs, "/a/b", &err), 0);
        assert_int_equal(mf_fs_replace(fs, "/a/b/f", old, sizeof old, &err), 0);
        mf_simdisk_fail_nth(disk, stop, -EIO, true);
        int code = mf_fs_replace(fs, "/a/b/f", new, sizeof new, &err);
        assert_int_equal(code, stop <= calls ? -EIO : 0);
        for (uint64_t seed = 0; seed < 60; seed++) {
            struct mf_simdisk *after = cut(disk, seed);
            char *bytes = NULL;
            size_t len = 0;
            assert_int_equal(
                mf_fs_read_all(mf_simdisk_fs(after), "/a/b/f", 9999, &bytes, &len, &err), 0);
            bool is_new = len == sizeof new &&memcmp(bytes, new, len) == 0;
            bool is_old = len == sizeof old && memcmp(bytes, old, len) == 0;
            assert_true(is_new || (is_old && code < 0));
            mf_free(bytes);
            mf_simdisk_free(after);
        }
        mf_simdisk_free(disk);
    }
}

static int no_temporary(void *context, const char *name, enum mf_file_kind kind)
{
    (void)context;
    (void)kind;
    return strstr(name, MF_TEMPORARY_MARK) != NULL;
}

static void test_replace_cleans_up(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 6; nth++) {
        struct mf_simdisk *disk = mf_simdisk_new(0);
        const struct mf_fs *fs = mf_simdisk_fs(disk);
        mf_simdisk_fail_nth(disk, nth, -ENOSPC, false);
        (void)mf_fs_replace(fs, "f", "text", 4, &err);
        mf_simdisk_fail_nth(disk, 0, 0, false);
        assert_int_equal(mf_fs_list(fs, "/", no_temporary, NULL, &err), 0);
        assert_int_equal(mf_fs_replace(fs, "f", "text", 4, &err), 0);
        mf_simdisk_free(disk);
    }
}

static void test_mapping(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    struct mf_file *file = durable_file(disk, 'a', 8192);
    assert_int_equal(mf_file_allocate(file, 3 * 4096, &err), 0);
    assert_int_equal(mf_file_sync(file, &err), 0);
    void *address = NULL;
    assert_int_equal(mf_file_map(file, 3 * 4096, true, &address, &err), 0);
    assert_int_equal(mf_simdisk_handles(disk), 1);
    char *bytes = address;
    assert_int_equal(bytes[0], 'a');
    fill(file, 'w', 10, 0); /* writes are seen in the mapping and the reverse */
    assert_int_equal(bytes[9], 'w');
    memset(bytes, 'm', 3 * 4096);
    char back[8];
    size_t len = 0;
    assert_int_equal(mf_file_read(file, back, 8, 12280, &len, &err), 0);
    assert_memory_equal(back, "mmmmmmmm", 8);

    int first = 0;
    int last = 0;
    for (uint64_t seed = 0; seed < CUTS; seed++) {
        struct mf_simdisk *after = cut(disk, seed);
        char found[3 * 4096];
        assert_int_equal(content(after, "f", found, sizeof found), sizeof found);
        first += found[0] == 'm' && found[12287] == 0;
        last += found[0] != 'm' && found[12287] == 'm';
        mf_simdisk_free(after);
    }
    assert_true(first > 10 && last > 10);

    /* The middle page only, named by an address inside it. */
    assert_int_equal(mf_file_map_sync(file, bytes + 5000, 10, &err), 0);
    struct mf_simdisk *after =
        mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.keep_nothing = true});
    char found[3 * 4096];
    assert_int_equal(content(after, "f", found, sizeof found), sizeof found);
    assert_int_equal(found[4095], 'a');
    assert_int_equal(found[4096], 'm');
    assert_int_equal(found[8191], 'm');
    assert_int_equal(found[8192], 0);
    mf_simdisk_free(after);

    /* The mapping outlives the handle, and the name. */
    assert_int_equal(mf_fs_unlink(mf_simdisk_fs(disk), "f", &err), 0);
    mf_file_close(file);
    assert_int_equal(mf_simdisk_handles(disk), 1);
    bytes[0] = 'x';
    assert_int_equal(mf_file_map_sync(file, bytes, 3 * 4096, &err), 0);
    assert_int_equal(mf_file_unmap(file, address, 3 * 4096), 0);
    assert_int_equal(mf_simdisk_handles(disk), 0);
    mf_simdisk_free(disk);
}

static void test_failed_sync_forgets(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t round = 0; round < 50; round++) {
        struct mf_simdisk *disk = mf_simdisk_new(0);
        struct mf_file *file = durable_file(disk, 'a', 4096);
        for (uint64_t i = 0; i < round; i++) { /* another place in the sequence of calls */
            struct mf_file_info info;
            assert_int_equal(mf_file_info(file, &info, &err), 0);
        }
        fill(file, 'b', 4096, 0);
        mf_simdisk_fail_nth(disk, 1, -EIO, false);
        assert_int_equal(mf_file_sync(file, &err), -EIO);
        assert_non_null(strstr(err.msg, "cannot sync f: Input/output error"));
        assert_int_equal(mf_file_sync(file, &err), 0); /* the lie */
        char bytes[4096];
        assert_int_equal(content(disk, "f", bytes, 4096), 4096);
        assert_int_equal(bytes[0], 'b'); /* still in the cache */
        struct mf_simdisk *after =
            mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.keep_nothing = true});
        assert_int_equal(content(after, "f", bytes, 4096), 4096);
        lost += bytes[0] == 'a';
        mf_simdisk_free(after);
        char on_disk[4096];
        memcpy(on_disk, bytes, sizeof on_disk);
        mf_file_forget(file); /* then the disk is read */
        assert_int_equal(content(disk, "f", bytes, 4096), 4096);
        assert_memory_equal(bytes, on_disk, sizeof bytes);
        fill(file, 'c', 4096, 0);
        mf_file_forget(file); /* but what is still to be written stays */
        assert_int_equal(content(disk, "f", bytes, 4096), 4096);
        assert_int_equal(bytes[0], 'c');
        mf_file_close(file);
        mf_simdisk_free(disk);
    }
    assert_true(lost > 5 && lost < 45);
}

static void test_fail_nth(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    const struct mf_fs *fs = mf_simdisk_fs(disk);
    struct mf_file *file = opened(fs, "f", CREATE);
    uint64_t before = mf_simdisk_operations(disk);
    mf_simdisk_fail_nth(disk, 2, -EIO, false);
    fill(file, 'a', 10, 0);
    assert_int_equal(mf_file_write(file, "b", 1, 0, &err), -EIO);
    fill(file, 'a', 10, 0);
    assert_int_equal(mf_simdisk_operations(disk) - before, 3);
    mf_simdisk_fail_nth(disk, 1, -EROFS, true);
    assert_int_equal(mf_file_sync(file, &err), -EROFS);
    assert_int_equal(mf_fs_mkdir(fs, "d", &err), -EROFS);
    struct mf_file *none = NULL;
    assert_int_equal(mf_file_open(fs, "f", MF_OPEN_READ, &none, &err), -EROFS);
    assert_null(none);
    mf_simdisk_fail_nth(disk, 0, 0, false);
    assert_int_equal(mf_fs_mkdir(fs, "d", &err), 0);
    assert_int_equal(mf_simdisk_syncs(disk), 1);
    mf_file_close(file);
    mf_simdisk_free(disk);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(5 * 4096);
    const struct mf_fs *fs = mf_simdisk_fs(disk);
    struct mf_file *file = opened(fs, "f", CREATE);
    assert_int_equal(mf_file_truncate(file, 1 << 20, &err), 0); /* a hole takes nothing */
    assert_int_equal(mf_file_allocate(file, 6 * 4096, &err), -ENOSPC);
    assert_int_equal(mf_file_allocate(file, 3 * 4096, &err), 0);
    struct mf_file_info info;
    assert_int_equal(mf_file_info(file, &info, &err), 0);
    assert_int_equal(info.size_bytes, 1 << 20);
    assert_int_equal(info.allocated_bytes, 3 * 4096);
    struct mf_file *other = opened(fs, "g", CREATE);
    char block[4 * 4096];
    memset(block, 'g', sizeof block);
    assert_int_equal(mf_file_write(other, block, sizeof block, 0, &err), -ENOSPC);
    assert_non_null(strstr(err.msg, "free space"));
    assert_int_equal(mf_file_info(other, &info, &err), 0);
    assert_int_equal(info.size_bytes, 2 * 4096); /* what fitted */
    fill(file, 'f', 4096, 0);                    /* overwriting needs no space */
    mf_file_close(file);
    assert_int_equal(mf_fs_unlink(fs, "f", &err), 0);
    assert_int_equal(mf_file_write(other, block, sizeof block, 0, &err), 0);

    /* A hole that is stored to through a mapping. */
    assert_int_equal(mf_file_truncate(other, 8 * 4096, &err), 0);
    void *address = NULL;
    assert_int_equal(mf_file_map(other, 8 * 4096, true, &address, &err), 0);
    memset((char *)address + 4 * 4096, 'h', 4 * 4096);
    assert_int_equal(mf_file_sync(other, &err), -ENOSPC);
    mf_simdisk_set_capacity(disk, 0);
    assert_int_equal(mf_file_sync(other, &err), 0);
    assert_int_equal(mf_file_unmap(other, address, 8 * 4096), 0);
    mf_file_close(other);
    mf_simdisk_free(disk);
}

static void test_flip_bit(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    struct mf_file *file = durable_file(disk, 'a', 10);
    assert_int_equal(mf_simdisk_flip_bit(disk, "f", 9 * 8 + 1), 0);
    assert_int_equal(mf_simdisk_flip_bit(disk, "f", 80), -EINVAL);
    assert_int_equal(mf_simdisk_flip_bit(disk, "g", 0), -ENOENT);
    char bytes[10];
    assert_int_equal(content(disk, "f", bytes, 10), 10);
    assert_memory_equal(bytes, "aaaaaaaaac", 10);
    struct mf_simdisk *after = cut(disk, 1);
    assert_int_equal(content(after, "f", bytes, 10), 10);
    assert_memory_equal(bytes, "aaaaaaaaac", 10);
    mf_simdisk_free(after);
    mf_file_close(file);
    mf_simdisk_free(disk);
}

static void test_locks(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    struct mf_file *first = opened(mf_simdisk_fs(disk), "f", CREATE);
    struct mf_file *second = opened(mf_simdisk_fs(disk), "f", MF_OPEN_READ);
    assert_int_equal(mf_file_lock(first, &err), 0);
    assert_int_equal(mf_file_lock(second, &err), MF_ELOCKED);
    assert_int_equal(mf_file_is_locked(second, &err), 1);
    struct mf_simdisk *after = cut(disk, 0);
    mf_file_close(opened(mf_simdisk_fs(after), "x", CREATE));
    mf_simdisk_free(after);
    mf_file_close(first);
    assert_int_equal(mf_file_is_locked(second, &err), 0);
    mf_file_close(second);
    mf_simdisk_free(disk);
}

struct seen {
    struct mf_simdisk *disk;
    int before;
    int after;
};

static void on_operation(void *context, const char *operation, const char *path, bool after)
{
    struct seen *seen = context;
    assert_string_equal(path, "f");
    if (strcmp(operation, "sync") == 0) {
        struct mf_simdisk *left =
            mf_simdisk_power_cut(seen->disk, &(struct mf_simdisk_cut){.keep_nothing = true});
        char bytes[10];
        assert_int_equal(content(left, "f", bytes, 10), after ? 20 : 10);
        mf_simdisk_free(left);
        seen->before += !after;
        seen->after += after;
    }
}

static void test_hook(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    struct mf_file *file = durable_file(disk, 'a', 10);
    struct seen seen = {disk, 0, 0};
    mf_simdisk_set_hook(disk, on_operation, &seen);
    fill(file, 'b', 10, 10);
    assert_int_equal(mf_file_sync(file, &err), 0);
    mf_simdisk_set_hook(disk, NULL, NULL);
    assert_int_equal(seen.before, 1);
    assert_int_equal(seen.after, 1);
    mf_file_close(file);
    mf_simdisk_free(disk);
}

/* Old names and new ones form a ring here; nothing may leak or be freed twice. */
static void test_ring_of_names(void **state)
{
    (void)state;
    struct mf_simdisk *disk = mf_simdisk_new(0);
    const struct mf_fs *fs = mf_simdisk_fs(disk);
    assert_int_equal(mf_fs_mkdirs(fs, "a/b", &err), 0);
    assert_int_equal(mf_fs_rename(fs, "a/b", "b", &err), 0);
    assert_int_equal(mf_fs_rename(fs, "a", "b/a", &err), 0);
    assert_int_equal(mf_fs_rename(fs, "b", "b/a/c", &err), -EINVAL);
    for (uint64_t seed = 0; seed < 50; seed++) {
        mf_simdisk_free(cut(disk, seed));
    }
    mf_simdisk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_and_all),
        cmocka_unit_test(test_sectors_are_independent),
        cmocka_unit_test(test_seed_repeats),
        cmocka_unit_test(test_growth_and_truncation),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_rename_without_sync_is_caught),
        cmocka_unit_test(test_replace_survives),
        cmocka_unit_test(test_replace_cleans_up),
        cmocka_unit_test(test_mapping),
        cmocka_unit_test(test_failed_sync_forgets),
        cmocka_unit_test(test_fail_nth),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_flip_bit),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_hook),
        cmocka_unit_test(test_ring_of_names),
    };
    return cmocka_run_group_tests_name("os/simdisk", tests, NULL, NULL);
}
