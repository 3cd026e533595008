/* SPDX-License-Identifier: Apache-2.0
 *
 * allocations.h -- counts heap allocations of the whole program while it is switched on.
 */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_allocations {
    uint64_t count;
    uint64_t bytes; /* asked for */
    int64_t live;   /* usable bytes allocated minus freed, since it was switched on */
};

/* Whether calls of malloc arrive here: not under a sanitizer, nor in a static program that was
 * linked without the options of `pkg-config --static`. */
bool mf__allocations_available(void);
void mf__allocations_start(void); /* from zero */
void mf__allocations_stop(void);
void mf__allocations_read(struct bench_allocations *ret_allocations);

/* Told of each allocation and release while it is switched on; NULL: nobody. Set it while it is
 * switched off. */
struct allocation_watch {
    void (*allocated)(void *p, size_t len_bytes);
    void (*released)(void *p);
};
void mf__allocations_watch(const struct allocation_watch *watch);

#endif
