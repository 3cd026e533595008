/* SPDX-License-Identifier: Apache-2.0
 *
 * profile_alloc.c -- `--profile alloc`: which places of a program allocate how much, and how much
 * of it lives at once at most.
 *
 * A place is a stack. Both the places and the blocks that are alive stand in tables of fixed size
 * that are made beforehand, so that nothing is allocated while allocations are watched; what does
 * not fit any more is counted as one place, "[more]", and blocks beyond the table count for no
 * peak.
 */
#include "allocations.h"
#include "bench_profiler.h"
#include "function_names.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/file.h"
#include "os/stacks.h"
#include "os/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES   16384
#define BLOCKS   (1u << 19)
#define DEPTH    32
#define NAME_LEN 256
#define GONE     ((uintptr_t)1) /* a block that was there: the search goes on over it */

struct place {
    uintptr_t addresses[DEPTH];
    uint32_t depth; /* 0: free */
    uint64_t count, bytes;
    uint64_t live, peak; /* bytes */
};

struct block {
    uintptr_t address; /* 0: free */
    uint32_t place;
    uint64_t len;
};

static struct place *places;
static struct block *blocks;
static size_t place_count;
static size_t block_count;
static struct mf_mutex lock;
static _Thread_local bool inside; /* the unwinder's own allocations, should it make any */

static struct place *place_of(const uintptr_t *addresses, uint32_t depth)
{
    size_t at = mf_hash64(addresses, depth * sizeof *addresses) % (PLACES - 1);
    for (size_t tries = 0; tries < PLACES - 1; tries++, at = (at + 1) % (PLACES - 1)) {
        struct place *place = &places[at];
        if (place->depth == 0 && place_count < PLACES * 3 / 4) {
            memcpy(place->addresses, addresses, depth * sizeof *addresses);
            place->depth = depth;
            place_count++;
            return place;
        }
        if (place->depth == depth &&
            memcmp(place->addresses, addresses, depth * sizeof *addresses) == 0) {
            return place;
        }
        if (place->depth == 0) {
            break;
        }
    }
    return &places[PLACES - 1]; /* of all others */
}

static size_t slot_of(uintptr_t address)
{
    return mf_hash64(&address, sizeof address) % BLOCKS;
}

static void remember(uintptr_t address, const struct place *place, uint64_t len)
{
    if (block_count >= BLOCKS * 3 / 4) {
        return;
    }
    size_t at = slot_of(address);
    while (blocks[at].address > GONE) {
        at = (at + 1) % BLOCKS;
    }
    block_count += blocks[at].address == 0;
    blocks[at] = (struct block){address, (uint32_t)(place - places), len};
}

static void allocated(void *p, size_t len)
{
    uintptr_t addresses[DEPTH];
    if (inside) {
        return;
    }
    inside = true;
    /* Without this function and the two of allocations.c that called it. */
    const size_t depth = mf_stack_capture(addresses, DEPTH, 1);
    if (depth > 0) {
        mf_mutex_lock(&lock);
        struct place *place = place_of(addresses, (uint32_t)depth);
        place->count++;
        place->bytes += len;
        place->live += len;
        place->peak = place->live > place->peak ? place->live : place->peak;
        remember((uintptr_t)p, place, len);
        mf_mutex_unlock(&lock);
    }
    inside = false;
}

static void released(void *p)
{
    if (inside) {
        return;
    }
    mf_mutex_lock(&lock);
    size_t at = slot_of((uintptr_t)p);
    while (blocks[at].address != 0 && blocks[at].address != (uintptr_t)p) {
        at = (at + 1) % BLOCKS;
    }
    if (blocks[at].address != 0) {
        places[blocks[at].place].live -= blocks[at].len;
        blocks[at].address = GONE;
    }
    mf_mutex_unlock(&lock);
}

static const struct allocation_watch watch = {allocated, released};

static int prepare(struct mf_errinfo *err)
{
    uintptr_t primer[2];
    if (!mf__allocations_available()) {
        return mf_fail(err, MF_EUNSUPPORTED,
                       "heap allocations are not seen in this program (it is built with a "
                       "sanitizer, or linked statically without pkg-config --static)");
    }
    places = mf_calloc(PLACES, sizeof *places);
    blocks = mf_calloc(BLOCKS, sizeof *blocks);
    if (places == NULL || blocks == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot watch allocations");
    }
    (void)mf_stack_capture(primer, 2, 0);
    mf_mutex_init(&lock);
    return 0;
}

static void begin(void)
{
    mf__allocations_watch(&watch);
    mf__allocations_start();
}

static void end(void)
{
    mf__allocations_stop();
    mf__allocations_watch(NULL);
}

/* ---- what was found ---- */

static int by_bytes(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static void write_places(const struct symbols *symbols, struct mf_buffer *folded,
                         struct mf_buffer *table)
{
    static char text[DEPTH][NAME_LEN];
    const char *names[DEPTH];
    mf_buffer_puts(table, "#     COUNT          BYTES     PEAK BYTES  PLACE\n");
    for (size_t i = 0; i < PLACES && places[i].count > 0; i++) {
        const struct place *place = &places[i];
        for (size_t k = 0; k < place->depth; k++) {
            mf__symbol_name(symbols, place->addresses[k], text[k], sizeof text[k]);
            names[k] = text[k];
        }
        struct mf_buffer stack = MF_BUFFER_INIT;
        if (place->depth == 0) {
            mf_buffer_printf(&stack, "[more] %llu\n", (unsigned long long)place->bytes);
        }
        if (place->depth == 0 || mf__fold_stack(&stack, names, place->depth, place->bytes)) {
            mf_buffer_append(folded, stack.data, stack.len);
            const size_t len = stack.len > 0 ? strcspn(stack.data, "\n") : 0;
            const char *blank = stack.len > 0 ? strrchr(stack.data, ' ') : NULL;
            const size_t shown = blank != NULL ? (size_t)(blank - stack.data) : len;
            mf_buffer_printf(table, "%11llu %14llu %14llu  %.*s\n",
                             (unsigned long long)place->count, (unsigned long long)place->bytes,
                             (unsigned long long)place->peak, (int)shown,
                             stack.data != NULL ? stack.data : "");
        }
        folded->failed = folded->failed || stack.failed;
        mf_buffer_free(&stack);
    }
}

static int write_found(const char *path, struct mf_errinfo *err)
{
    struct symbols symbols;
    struct mf_buffer folded = MF_BUFFER_INIT;
    struct mf_buffer table = MF_BUFFER_INIT;
    char *table_path = mf_asprintf("%s.txt", path);
    int rc = table_path != NULL ? mf__symbols_load(&symbols, err)
                                : mf_fail_os(err, -ENOMEM, "cannot write %s", path);
    if (rc == 0) {
        qsort(places, PLACES, sizeof *places, by_bytes);
        write_places(&symbols, &folded, &table);
        mf__symbols_free(&symbols);
        rc = mf__fold_save(path, &folded, err);
    }
    if (rc == 0) {
        rc = table.failed ? mf_fail_os(err, -ENOMEM, "cannot write %s", table_path)
                          : mf_fs_replace(NULL, table_path, table.data, table.len, err);
    }
    mf_buffer_free(&folded);
    mf_buffer_free(&table);
    mf_free(table_path);
    mf_free(places);
    mf_free(blocks);
    places = NULL;
    blocks = NULL;
    return rc;
}

const struct bench_profiler mf__profiler_alloc = {"alloc", prepare, begin, end, write_found};
