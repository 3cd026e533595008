/* SPDX-License-Identifier: Apache-2.0
 *
 * allocations.c -- stands between the program and its heap.
 *
 * In a dynamic program the functions below come before those of every library, so that what
 * libraries allocate is counted, too; what is called in the end is the next definition in the
 * linker's order: the C library's, or that of another allocator. They are weak, so that in a static
 * program the C library's own win without a clash; there the linker's --wrap (in `pkg-config
 * --static --libs mayfly-bench`) leads calls to the __wrap_ functions. Sanitizers have a heap of
 * their own: nothing is counted then.
 *
 * While nothing is counted a call costs two predictable branches more than without; timed samples
 * are taken like that, and allocations are counted in a pass of their own.
 */
#include "allocations.h"

#include <stdatomic.h>
#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer) || !defined(__GLIBC__)

bool mf__allocations_available(void)
{
    return false;
}

void mf__allocations_start(void)
{
}

void mf__allocations_stop(void)
{
}

void mf__allocations_read(struct bench_allocations *ret_allocations)
{
    *ret_allocations = (struct bench_allocations){0};
}

void mf__allocations_watch(const struct allocation_watch *watch)
{
    (void)watch;
}

#else

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool counting;
static atomic_uint_fast64_t total_count;
static atomic_uint_fast64_t total_bytes;
static atomic_int_fast64_t total_live;
static _Atomic(const struct allocation_watch *) watcher;

void mf__allocations_watch(const struct allocation_watch *watch)
{
    atomic_store(&watcher, watch);
}

static const struct allocation_watch *watching(void)
{
    return atomic_load_explicit(&watcher, memory_order_acquire);
}

void mf__allocations_start(void)
{
    atomic_store(&total_count, 0);
    atomic_store(&total_bytes, 0);
    atomic_store(&total_live, 0);
    atomic_store(&counting, true);
}

void mf__allocations_stop(void)
{
    atomic_store(&counting, false);
}

void mf__allocations_read(struct bench_allocations *ret_allocations)
{
    ret_allocations->count = atomic_load(&total_count);
    ret_allocations->bytes = atomic_load(&total_bytes);
    ret_allocations->live = atomic_load(&total_live);
}

bool mf__allocations_available(void)
{
    /* By a caller outside of this library: --wrap does not see calls within an object. Not
     * directly, else the compiler would leave the pair out. */
    char *(*volatile duplicate)(const char *) = strdup;
    struct bench_allocations seen;
    mf__allocations_start();
    char *p = duplicate("");
    mf__allocations_stop();
    mf__allocations_read(&seen);
    free(p);
    return seen.count > 0;
}

/* ---- what is called in the end ---- */

struct heap {
    void *(*allocate)(size_t);
    void *(*allocate_zeroed)(size_t, size_t);
    void *(*resize)(void *, size_t);
    void (*release)(void *);
    void *(*allocate_aligned)(size_t, size_t);
    size_t (*usable)(void *);
};

extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t count, size_t len);
extern void *__libc_realloc(void *old, size_t len);
extern void __libc_free(void *p);
extern void *__libc_memalign(size_t alignment, size_t len);
#pragma weak dlsym
#pragma weak malloc_usable_size

static const struct heap c_library = {__libc_malloc, __libc_calloc,   __libc_realloc,
                                      __libc_free,   __libc_memalign, malloc_usable_size};
static struct heap next_heap;
static _Atomic(const struct heap *) heap_in_use;

/* ISO C has no conversion from an object pointer to a function; POSIX promises that it works. */
#define FIND(member, name)                                                                         \
    do {                                                                                           \
        void *found_ = dlsym(RTLD_NEXT, name);                                                     \
        if (found_ != NULL) {                                                                      \
            __builtin_memcpy(&next_heap.member, &found_, sizeof found_);                           \
        }                                                                                          \
    } while (0)

static const struct heap *find_heap(void)
{
    /* Before main(), when there is one thread; what dlsym() itself allocates is the C library's. */
    atomic_store(&heap_in_use, &c_library);
    next_heap = c_library;
    if (dlsym != NULL) {
        FIND(allocate, "malloc");
        FIND(allocate_zeroed, "calloc");
        FIND(resize, "realloc");
        FIND(release, "free");
        FIND(allocate_aligned, "memalign");
        FIND(usable, "malloc_usable_size");
        atomic_store(&heap_in_use, &next_heap);
    }
    return atomic_load(&heap_in_use);
}

static inline const struct heap *heap(void)
{
    const struct heap *found = atomic_load_explicit(&heap_in_use, memory_order_acquire);
    return __builtin_expect(found != NULL, 1) ? found : find_heap();
}

static inline bool is_counting(void)
{
    return __builtin_expect(atomic_load_explicit(&counting, memory_order_relaxed), 0);
}

static void count_new(const struct heap *from, void *p, size_t len)
{
    if (p != NULL) {
        atomic_fetch_add_explicit(&total_count, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&total_bytes, len, memory_order_relaxed);
        atomic_fetch_add_explicit(&total_live, (int_fast64_t)from->usable(p), memory_order_relaxed);
        const struct allocation_watch *watch = watching();
        if (watch != NULL) {
            watch->allocated(p, len);
        }
    }
}

static void count_gone(const struct heap *from, void *p)
{
    if (p != NULL) {
        atomic_fetch_sub_explicit(&total_live, (int_fast64_t)from->usable(p), memory_order_relaxed);
        const struct allocation_watch *watch = watching();
        if (watch != NULL) {
            watch->released(p);
        }
    }
}

/* ---- counted calls ---- */

static void *counted_malloc(const struct heap *to, size_t len)
{
    void *p = to->allocate(len);
    if (is_counting()) {
        count_new(to, p, len);
    }
    return p;
}

static void *counted_calloc(const struct heap *to, size_t count, size_t len)
{
    void *p = to->allocate_zeroed(count, len);
    if (is_counting()) {
        count_new(to, p, count * len);
    }
    return p;
}

static void *counted_realloc(const struct heap *to, void *old, size_t len)
{
    if (!is_counting()) {
        return to->resize(old, len);
    }
    const size_t before = old != NULL ? to->usable(old) : 0;
    void *const gone = old; /* its name, when it is not there any more */
    void *p = to->resize(old, len);
    if (p != NULL || len == 0) {
        atomic_fetch_sub_explicit(&total_live, (int_fast64_t)before, memory_order_relaxed);
        const struct allocation_watch *watch = watching();
        if (gone != NULL && watch != NULL) {
            watch->released(gone);
        }
        count_new(to, p, len);
    }
    return p;
}

static void counted_free(const struct heap *to, void *p)
{
    if (is_counting()) {
        count_gone(to, p);
    }
    to->release(p);
}

static void *counted_memalign(const struct heap *to, size_t alignment, size_t len)
{
    void *p = to->allocate_aligned(alignment, len);
    if (is_counting()) {
        count_new(to, p, len);
    }
    return p;
}

static int counted_posix_memalign(const struct heap *to, void **ret, size_t alignment, size_t len)
{
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) {
        return EINVAL;
    }
    const int before = errno;
    void *p = counted_memalign(to, alignment, len);
    errno = before; /* POSIX: the function returns it, errno stays */
    if (p == NULL) {
        return ENOMEM;
    }
    *ret = p;
    return 0;
}

/* ---- the names that programs call ---- */

#define INTERPOSED __attribute__((weak, visibility("default")))

INTERPOSED void *malloc(size_t len)
{
    return counted_malloc(heap(), len);
}

INTERPOSED void *calloc(size_t count, size_t len)
{
    return counted_calloc(heap(), count, len);
}

INTERPOSED void *realloc(void *old, size_t len)
{
    return counted_realloc(heap(), old, len);
}

INTERPOSED void free(void *p)
{
    counted_free(heap(), p);
}

INTERPOSED void *memalign(size_t alignment, size_t len)
{
    return counted_memalign(heap(), alignment, len);
}

INTERPOSED void *aligned_alloc(size_t alignment, size_t len)
{
    return counted_memalign(heap(), alignment, len);
}

INTERPOSED int posix_memalign(void **ret, size_t alignment, size_t len)
{
    return counted_posix_memalign(heap(), ret, alignment, len);
}

/* ---- the same for `ld --wrap=malloc` ---- */

#define WRAPPED __attribute__((visibility("default")))
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
void __wrap_free(void *p);
void *__wrap_memalign(size_t alignment, size_t len);
void *__wrap_aligned_alloc(size_t alignment, size_t len);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t len);

WRAPPED void *__wrap_malloc(size_t len)
{
    return counted_malloc(&c_library, len);
}

WRAPPED void *__wrap_calloc(size_t count, size_t len)
{
    return counted_calloc(&c_library, count, len);
}

WRAPPED void *__wrap_realloc(void *old, size_t len)
{
    return counted_realloc(&c_library, old, len);
}

WRAPPED void __wrap_free(void *p)
{
    counted_free(&c_library, p);
}

WRAPPED void *__wrap_memalign(size_t alignment, size_t len)
{
    return counted_memalign(&c_library, alignment, len);
}

WRAPPED void *__wrap_aligned_alloc(size_t alignment, size_t len)
{
    return counted_memalign(&c_library, alignment, len);
}

WRAPPED int __wrap_posix_memalign(void **ret, size_t alignment, size_t len)
{
    return counted_posix_memalign(&c_library, ret, alignment, len);
}

#endif
