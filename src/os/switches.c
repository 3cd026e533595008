/* SPDX-License-Identifier: Apache-2.0
 * switches.c -- see switches.h. */
#include "os/switches.h"

#include "base/fail.h"
#include "os/clock.h"
#include "os/refusal.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__x86_64__) && __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define HAVE_WORD 1
#else
#define HAVE_WORD 0
#endif

#if HAVE_WORD

/* What the word points to. It lives in a page of its own that is never given back, because the
 * kernel may look at it as long as any thread lives, even after a dlclose() of this library. */
struct description {
    struct rseq_cs section;
    uint32_t signature; /* the kernel wants it before abort_ip */
    uint32_t never_executed[15];
};

static struct description *description;

static volatile uint64_t *word_of_this_thread(void)
{
    char *thread_pointer;
    __asm__("mov %%fs:0, %0" : "=r"(thread_pointer));
    struct rseq *area = (struct rseq *)(void *)(thread_pointer + __rseq_offset);
    return (volatile uint64_t *)(void *)&area->rseq_cs;
}

static int describe(struct mf_errinfo *err)
{
    int rc = mf__refused("rseq");
    if (rc != 0 || __rseq_size == 0) {
        return mf_fail(err, MF_EUNSUPPORTED,
                       "the C library has not registered rseq with the kernel (%s)",
                       rc != 0 ? mf_strerror(rc) : "glibc.pthread.rseq, or an older kernel");
    }
    void *page =
        mmap(NULL, sizeof *description, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return mf_fail_os(err, -errno, "no memory for a description of rseq");
    }
    struct description *made = page;
    made->signature = RSEQ_SIG;
    made->section.abort_ip = (uintptr_t)&made->never_executed[0];
    made->section.start_ip = (uintptr_t)&made->never_executed[8];
    made->section.post_commit_offset = 4;
    description = made;
    return 0;
}

/* Does the mark outlast a system call, and does it go when the thread sleeps? */
static int try_out(struct mf_errinfo *err)
{
    volatile uint64_t *word = word_of_this_thread();
    const uint64_t mark = (uintptr_t)description;
    bool stayed = false;
    for (int i = 0; i < 100 && !stayed; i++) { /* a switch may come between */
        *word = mark;
        (void)mf_clock_coarse_ns();
        stayed = *word == mark;
    }
    bool went = false;
    for (int i = 0; i < 10 && !went; i++) { /* the time may be over before it sleeps */
        *word = mark;
        const int64_t until_ns = mf_clock_monotonic_ns(NULL) + (20 * MF_NS_PER_US << i);
        while (mf_clock_sleep_until_ns(until_ns) == -EINTR) {
        }
        went = *word != mark;
    }
    *word = 0;
    if (!stayed || !went) {
        return mf_fail(err, MF_EUNSUPPORTED, "the mark of rseq %s",
                       stayed ? "stays although the thread slept" : "does not stay");
    }
    return 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int mf_switches_usable(struct mf_errinfo *err)
{
    pthread_mutex_lock(&lock);
    int rc = description != NULL ? mf__refused("rseq") : describe(err);
    rc = rc == 0 ? try_out(err) : rc;
    pthread_mutex_unlock(&lock);
    return rc;
}

void mf_switches_init(struct mf_switches *switches, bool usable)
{
    switches->unused = 0;
    switches->word = usable ? word_of_this_thread() : &switches->unused;
    switches->mark = usable ? (uintptr_t)description : 0;
    switches->kept = usable ? switches->mark : 1;
}

#else

int mf_switches_usable(struct mf_errinfo *err)
{
    return mf_fail(err, MF_EUNSUPPORTED, "rseq is not known for this processor or C library");
}

void mf_switches_init(struct mf_switches *switches, bool usable)
{
    (void)usable;
    *switches = (struct mf_switches){.kept = 1};
    switches->word = &switches->unused;
}

#endif
