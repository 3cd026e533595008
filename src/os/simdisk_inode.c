/* SPDX-License-Identifier: Apache-2.0
 * simdisk_inode.c -- the files of the simulated disk: content, changes since the last sync, and
 * what a power cut leaves of them. */
#include "simdisk_private.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIM_SIZE_MAX (UINT64_C(1) << 34) /* a file is held in memory */

struct sim_inode *mf__sim_inode_new(struct mf_simdisk *disk, enum mf_file_kind kind)
{
    struct sim_inode *inode = mf_calloc(1, sizeof *inode);
    if (inode != NULL) {
        inode->disk = disk;
        inode->kind = kind;
        inode->refs = 1;
        inode->map_descriptor = -1;
        inode->next = disk->inodes;
        if (inode->next != NULL) {
            inode->next->previous = inode;
        }
        disk->inodes = inode;
    }
    return inode;
}

void mf__sim_inode_get(struct sim_inode *inode, bool live)
{
    inode->refs++;
    inode->live_refs += live ? 1 : 0;
}

static void give_blocks(struct sim_inode *inode, size_t from)
{
    for (size_t page = from; page < inode->block_count; page++) {
        if (inode->blocks[page] != 0) {
            inode->blocks[page] = 0;
            inode->blocks_taken--;
            inode->disk->taken_bytes -= SIM_PAGE;
        }
    }
}

static void change_free(struct sim_change *change)
{
    mf_free(change->bytes);
}

static void inode_free(struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        change_free(&inode->changes[i]);
    }
    mf_free(inode->changes);
    if (inode->map_descriptor >= 0) {
        (void)munmap(inode->now.data, inode->now.capacity);
        (void)close(inode->map_descriptor);
    } else {
        mf_free(inode->now.data);
    }
    mf_free(inode->noticed.data);
    mf_free(inode->durable.data);
    give_blocks(inode, 0);
    mf_free(inode->blocks);
    mf__sim_entries_free(&inode->entries, true);
    mf__sim_entries_free(&inode->durable_entries, false);
    if (inode->next != NULL) {
        inode->next->previous = inode->previous;
    }
    if (inode->previous != NULL) {
        inode->previous->next = inode->next;
    } else {
        inode->disk->inodes = inode->next;
    }
    mf_free(inode);
}

void mf__sim_inode_put(struct sim_inode *inode, bool live)
{
    MF_ASSERT(inode->refs > 0 && (!live || inode->live_refs > 0));
    inode->live_refs -= live ? 1 : 0;
    if (live && inode->live_refs == 0) {
        give_blocks(inode, 0);
    }
    if (--inode->refs == 0) {
        inode_free(inode);
    }
}

/* Room for `len` bytes; what is new is zero. */
static int grow_plain(struct sim_bytes *bytes, size_t len)
{
    if (len <= bytes->capacity) {
        return 0;
    }
    size_t capacity = bytes->capacity != 0 ? bytes->capacity : SIM_PAGE;
    while (capacity < len) {
        capacity *= 2;
    }
    uint8_t *data = mf_realloc(bytes->data, capacity);
    if (data == NULL) {
        return -ENOMEM;
    }
    memset(data + bytes->capacity, 0, capacity - bytes->capacity);
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

static int grow_now(struct sim_inode *inode, uint64_t len)
{
    if (len > SIM_SIZE_MAX) {
        return -EFBIG;
    }
    if (inode->map_descriptor < 0) {
        return grow_plain(&inode->now, len);
    }
    if (len > inode->now.capacity) {
        size_t capacity = (size_t)mf_align_up(len * 2, SIM_PAGE);
        if (ftruncate(inode->map_descriptor, (off_t)capacity) != 0) {
            return -errno;
        }
        void *data = mremap(inode->now.data, inode->now.capacity, capacity, MREMAP_MAYMOVE);
        if (data == MAP_FAILED) {
            return -errno;
        }
        inode->now.data = data;
        inode->now.capacity = capacity;
    }
    return grow_plain(&inode->noticed, inode->now.capacity);
}

/* Takes disk space for the page. */
static int take_block(struct sim_inode *inode, size_t page)
{
    struct mf_simdisk *disk = inode->disk;
    if (page >= inode->block_count) {
        size_t count = page * 2 + 16;
        uint8_t *blocks = mf_realloc(inode->blocks, count);
        if (blocks == NULL) {
            return -ENOMEM;
        }
        memset(blocks + inode->block_count, 0, count - inode->block_count);
        inode->blocks = blocks;
        inode->block_count = count;
    }
    if (inode->blocks[page] == 0) {
        if (disk->capacity_bytes != 0 && disk->taken_bytes + SIM_PAGE > disk->capacity_bytes) {
            return -ENOSPC;
        }
        inode->blocks[page] = 1;
        inode->blocks_taken++;
        disk->taken_bytes += SIM_PAGE;
    }
    return 0;
}

static struct sim_change *change_slot(struct sim_inode *inode)
{
    if (inode->change_count == inode->change_capacity) {
        size_t capacity = inode->change_capacity != 0 ? inode->change_capacity * 2 : 8;
        struct sim_change *changes = mf_realloc(inode->changes, capacity * sizeof *changes);
        if (changes == NULL) {
            return NULL;
        }
        inode->changes = changes;
        inode->change_capacity = capacity;
    }
    return &inode->changes[inode->change_count];
}

/* Notes a write within one page; the content itself is the caller's to update. */
static int note_write(struct sim_inode *inode, const uint8_t *bytes, uint32_t len, uint64_t offset)
{
    int code = take_block(inode, (size_t)(offset / SIM_PAGE));
    struct sim_change *change = code == 0 ? change_slot(inode) : NULL;
    uint8_t *copy = change != NULL ? mf_malloc(len) : NULL;
    if (copy == NULL) {
        return code < 0 ? code : -ENOMEM;
    }
    memcpy(copy, bytes, len);
    uint64_t size = offset + len > inode->size ? offset + len : inode->size;
    *change = (struct sim_change){false, offset, len, copy, size};
    inode->change_count++;
    inode->size = size;
    inode->modified_ns = (int64_t)inode->disk->calls;
    return 0;
}

int mf__sim_write(struct sim_inode *inode, const void *bytes, size_t len, uint64_t offset)
{
    int code = offset > SIM_SIZE_MAX || len > SIM_SIZE_MAX ? -EFBIG : mf__sim_notice(inode);
    if (code == 0) {
        code = grow_now(inode, offset + len);
    }
    const uint8_t *from = bytes;
    while (len > 0 && code == 0) {
        uint32_t room = SIM_PAGE - (uint32_t)(offset % SIM_PAGE);
        uint32_t piece = len < room ? (uint32_t)len : room;
        code = note_write(inode, from, piece, offset);
        if (code == 0) {
            memcpy(inode->now.data + offset, from, piece);
            if (inode->noticed.data != NULL) {
                memcpy(inode->noticed.data + offset, from, piece);
            }
            offset += piece;
            from += piece;
            len -= piece;
        }
    }
    return code;
}

int mf__sim_resize(struct sim_inode *inode, uint64_t size_bytes)
{
    int code = mf__sim_notice(inode);
    if (code == 0) {
        code = grow_now(inode, size_bytes);
    }
    struct sim_change *change = code == 0 ? change_slot(inode) : NULL;
    if (change == NULL) {
        return code < 0 ? code : -ENOMEM;
    }
    *change = (struct sim_change){true, size_bytes, 0, NULL, size_bytes};
    inode->change_count++;
    if (size_bytes < inode->size) {
        memset(inode->now.data + size_bytes, 0, inode->size - size_bytes);
        if (inode->noticed.data != NULL) {
            memset(inode->noticed.data + size_bytes, 0, inode->size - size_bytes);
        }
        give_blocks(inode, (size_t)(mf_align_up(size_bytes, SIM_PAGE) / SIM_PAGE));
    }
    inode->size = size_bytes;
    inode->modified_ns = (int64_t)inode->disk->calls;
    return 0;
}

int mf__sim_allocate(struct sim_inode *inode, uint64_t size_bytes)
{
    if (size_bytes > SIM_SIZE_MAX) {
        return -EFBIG;
    }
    size_t pages = (size_t)(mf_align_up(size_bytes, SIM_PAGE) / SIM_PAGE);
    size_t missing = pages;
    for (size_t page = 0; page < pages && page < inode->block_count; page++) {
        missing -= inode->blocks[page];
    }
    const struct mf_simdisk *disk = inode->disk;
    if (disk->capacity_bytes != 0 &&
        disk->taken_bytes + (uint64_t)missing * SIM_PAGE > disk->capacity_bytes) {
        return -ENOSPC;
    }
    int code = 0;
    for (size_t page = 0; page < pages && code == 0; page++) {
        code = take_block(inode, page);
    }
    return code == 0 && size_bytes > inode->size ? mf__sim_resize(inode, size_bytes) : code;
}

/* Puts `now` into a memory file, so that mappings of it see what is written and the reverse. */
static int make_mappable(struct sim_inode *inode, size_t len)
{
    if (inode->map_descriptor >= 0) {
        return grow_now(inode, len);
    }
    size_t capacity = inode->now.capacity > len ? inode->now.capacity : len;
    capacity = (size_t)mf_align_up(capacity, SIM_PAGE);
    int code = grow_plain(&inode->noticed, capacity);
    if (code < 0) {
        return code;
    }
    int descriptor = memfd_create("simdisk", MFD_CLOEXEC);
    if (descriptor < 0) {
        return -errno;
    }
    void *data = ftruncate(descriptor, (off_t)capacity) == 0
                     ? mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                     : MAP_FAILED;
    if (data == MAP_FAILED) {
        code = -errno;
        (void)close(descriptor);
        return code;
    }
    if (inode->size != 0) {
        memcpy(data, inode->now.data, inode->size);
        memcpy(inode->noticed.data, inode->now.data, inode->size);
    }
    mf_free(inode->now.data);
    inode->now = (struct sim_bytes){data, capacity};
    inode->map_descriptor = descriptor;
    return 0;
}

int mf__sim_map(struct sim_inode *inode, size_t len, bool writable, void **ret_address)
{
    int code = len == 0 ? -EINVAL : len > SIM_SIZE_MAX ? -ENOMEM : make_mappable(inode, len);
    if (code < 0) {
        return code;
    }
    void *address = mmap(NULL, len, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED,
                         inode->map_descriptor, 0);
    if (address == MAP_FAILED) {
        return -errno;
    }
    *ret_address = address;
    return 0;
}

/* A copy of a sector that programs may be writing to at the same time, as write-back takes it; true
 * when it differs from `noticed`. Word by word and outside the race detector: on a real disk there
 * is no order between the two either. */
__attribute__((no_sanitize("thread"))) static bool
sector_taken(const uint8_t *now, const uint8_t *noticed, uint8_t *copy)
{
    uint64_t difference = 0;
    for (size_t i = 0; i < SIM_SECTOR; i += 8) {
        uint64_t word = *(const volatile uint64_t *)(const void *)(now + i);
        difference |= word ^ *(const uint64_t *)(const void *)(noticed + i);
        *(uint64_t *)(void *)(copy + i) = word;
    }
    return difference != 0;
}

int mf__sim_notice(struct sim_inode *inode)
{
    if (inode->noticed.data == NULL) {
        return 0;
    }
    int code = 0;
    for (uint64_t offset = 0; offset < inode->size; offset += SIM_SECTOR) {
        _Alignas(8) uint8_t copy[SIM_SECTOR];
        if (!sector_taken(inode->now.data + offset, inode->noticed.data + offset, copy)) {
            continue;
        }
        uint64_t left = inode->size - offset;
        int noted =
            note_write(inode, copy, left < SIM_SECTOR ? (uint32_t)left : SIM_SECTOR, offset);
        if (noted == 0) {
            memcpy(inode->noticed.data + offset, copy, SIM_SECTOR);
        } else {
            code = noted; /* no room for a page of a hole: the write-back fails, the others go on */
        }
    }
    return code;
}

static void apply(const struct sim_change *change, struct sim_bytes *bytes, uint64_t *size)
{
    if (!change->resize) {
        memcpy(bytes->data + change->offset, change->bytes, change->len);
        *size = change->offset + change->len > *size ? change->offset + change->len : *size;
    } else {
        if (change->offset < *size) {
            memset(bytes->data + change->offset, 0, *size - change->offset);
        }
        *size = change->offset;
    }
}

/* The shared part of a sync that succeeds (rng NULL) and one that fails. */
static void settle(struct sim_inode *inode, uint64_t from, uint64_t to, struct mf_rng *rng)
{
    bool all = to == UINT64_MAX;
    for (size_t i = 0; i < inode->change_count; i++) {
        all = all || inode->changes[i].resize;
    }
    size_t kept = 0;
    for (size_t i = 0; i < inode->change_count; i++) {
        struct sim_change *change = &inode->changes[i];
        if (all || (change->offset >= from && change->offset < to)) {
            if (change->resize || rng == NULL || mf_rng_below(rng, 2) == 0) {
                apply(change, &inode->durable, &inode->durable_size);
            }
            change_free(change);
        } else {
            change->size_after = inode->size;
            inode->changes[kept++] = *change;
        }
    }
    inode->change_count = kept;
    inode->durable_size = inode->size;
}

int mf__sim_sync(struct sim_inode *inode, uint64_t from, uint64_t to)
{
    int code = grow_plain(&inode->durable, inode->now.capacity);
    if (code == 0) {
        settle(inode, from, to, NULL);
    }
    return code;
}

void mf__sim_sync_failed(struct sim_inode *inode, uint64_t from, uint64_t to, struct mf_rng *rng)
{
    if (grow_plain(&inode->durable, inode->now.capacity) == 0) {
        settle(inode, from, to, rng);
    }
}

static bool page_is_dirty(const struct sim_inode *inode, uint64_t offset)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        const struct sim_change *change = &inode->changes[i];
        bool covers = change->resize ? change->offset < offset + SIM_PAGE
                                     : change->offset < offset + SIM_PAGE &&
                                           change->offset + change->len > offset;
        if (covers) {
            return true;
        }
    }
    return false;
}

void mf__sim_forget(struct sim_inode *inode)
{
    if (inode->map_descriptor >= 0) {
        return; /* mapped pages stay in memory */
    }
    for (uint64_t offset = 0; offset < inode->size; offset += SIM_PAGE) {
        if (page_is_dirty(inode, offset)) {
            continue;
        }
        uint64_t left = inode->size - offset;
        size_t len = left < SIM_PAGE ? (size_t)left : SIM_PAGE;
        size_t there = inode->durable.capacity > offset ? inode->durable.capacity - offset : 0;
        there = there < len ? there : len;
        if (there != 0) {
            memcpy(inode->now.data + offset, inode->durable.data + offset, there);
        }
        memset(inode->now.data + offset + there, 0, len - there);
    }
}

/* What a power cut does to one sector: changes up to number `limit` reached it, the last of them
 * only up to the byte `tear`. */
struct sim_fate {
    int32_t limit;
    int32_t last;
    uint32_t tear;
};

static void draw_fates(const struct sim_inode *inode, struct sim_fate *fates, size_t sectors,
                       int32_t metadata, bool in_order, struct mf_rng *rng)
{
    int32_t count = (int32_t)inode->change_count;
    for (size_t s = 0; s < sectors; s++) {
        uint64_t luck = mf_rng_below(rng, 8);
        int32_t between = (int32_t)mf_rng_below(rng, (uint64_t)count);
        uint32_t tear = luck == 7 ? (uint32_t)mf_rng_below(rng, SIM_SECTOR) : SIM_SECTOR;
        int32_t limit = in_order ? metadata : luck < 4 ? count - 1 : luck < 6 ? -1 : between;
        /* A sector cannot hold what was cut off, once the cut is there. Without it, what was
         * written behind the cut later went to other blocks, which nobody finds; but the page that
         * the cut went through was written in place. */
        for (int32_t i = 0; i < count; i++) {
            const struct sim_change *change = &inode->changes[i];
            uint64_t moved = mf_align_up(change->offset, SIM_PAGE) / SIM_SECTOR;
            if (change->resize && i <= metadata && s >= change->offset / SIM_SECTOR && limit < i) {
                limit = i;
            } else if (change->resize && i > metadata && s >= moved && limit >= i) {
                limit = i - 1;
            }
        }
        fates[s] = (struct sim_fate){limit, -1, tear};
    }
}

static void apply_fate(const struct sim_change *change, int32_t index, struct sim_fate *fates,
                       size_t sectors, uint8_t *data, bool marking)
{
    uint64_t begin = change->offset;
    uint64_t end = change->resize ? (uint64_t)sectors * SIM_SECTOR : begin + change->len;
    while (begin < end) {
        uint64_t s = begin / SIM_SECTOR;
        uint64_t stop = (s + 1) * SIM_SECTOR < end ? (s + 1) * SIM_SECTOR : end;
        struct sim_fate *fate = &fates[s];
        if (index <= fate->limit && marking) {
            fate->last = index;
        } else if (index <= fate->limit && change->resize) {
            memset(data + begin, 0, stop - begin);
        } else if (index <= fate->limit) {
            uint64_t reach = fate->last == index ? s * SIM_SECTOR + fate->tear : stop;
            reach = reach < stop ? reach : stop;
            if (reach > begin) {
                memcpy(data + begin, change->bytes + (begin - change->offset), reach - begin);
            }
        }
        begin = stop;
    }
}

static int cut_changes(const struct sim_inode *inode, struct sim_inode *copy, struct mf_rng *rng)
{
    size_t sectors = copy->now.capacity / SIM_SECTOR;
    struct sim_fate *fates = mf_malloc(sectors * sizeof *fates);
    if (fates == NULL) {
        return -ENOMEM;
    }
    /* How far the length of the file got, which the file system keeps in order. */
    int32_t count = (int32_t)inode->change_count;
    uint64_t luck = mf_rng_below(rng, 3);
    int32_t metadata = luck == 0   ? -1
                       : luck == 1 ? count - 1
                                   : (int32_t)mf_rng_below(rng, (uint64_t)count + 1) - 1;
    bool in_order = mf_rng_below(rng, 4) == 0; /* and the data with it: the gentle disk */
    draw_fates(inode, fates, sectors, metadata, in_order, rng);
    for (int marking = 1; marking >= 0; marking--) {
        for (int32_t i = 0; i < count; i++) {
            apply_fate(&inode->changes[i], i, fates, sectors, copy->now.data, marking == 1);
        }
    }
    mf_free(fates);
    copy->size = metadata >= 0 ? inode->changes[metadata].size_after : inode->durable_size;
    if (copy->size < copy->now.capacity) {
        memset(copy->now.data + copy->size, 0, copy->now.capacity - copy->size);
    }
    return 0;
}

int mf__sim_cut_file(const struct sim_inode *inode, struct sim_inode *copy,
                     const struct mf_simdisk_cut *cut, struct mf_rng *rng)
{
    size_t capacity = inode->now.capacity > inode->durable.capacity ? inode->now.capacity
                                                                    : inode->durable.capacity;
    if (capacity == 0) {
        return 0;
    }
    int code = grow_plain(&copy->now, capacity);
    const struct sim_bytes *from = cut->keep_all ? &inode->now : &inode->durable;
    if (code == 0 && from->capacity != 0) {
        memcpy(copy->now.data, from->data, from->capacity);
    }
    copy->size = cut->keep_all ? inode->size : inode->durable_size;
    if (code == 0 && !cut->keep_all && !cut->keep_nothing && inode->change_count != 0) {
        code = cut_changes(inode, copy, rng);
    }
    if (code == 0) {
        code = grow_plain(&copy->durable, copy->now.capacity);
    }
    if (code < 0) {
        return code;
    }
    memcpy(copy->durable.data, copy->now.data, copy->now.capacity);
    copy->durable_size = copy->size;
    copy->modified_ns = inode->modified_ns;
    size_t pages = (size_t)(mf_align_up(copy->size, SIM_PAGE) / SIM_PAGE);
    for (size_t page = 0; page < pages && code == 0; page++) {
        static const uint8_t zeros[SIM_PAGE];
        bool taken = page < inode->block_count && inode->blocks[page] != 0;
        if (taken || memcmp(copy->now.data + page * SIM_PAGE, zeros, SIM_PAGE) != 0) {
            uint64_t limit = copy->disk->capacity_bytes;
            copy->disk->capacity_bytes = 0; /* what survived has its space, full or not */
            code = take_block(copy, page);
            copy->disk->capacity_bytes = limit;
        }
    }
    return code;
}
