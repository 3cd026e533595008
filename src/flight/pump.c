/* SPDX-License-Identifier: Apache-2.0
 *
 * pump.c -- see pump.h.
 *
 * A thread per stream, so that a consumer who reads one stream slowly holds up the other as little
 * as it would without us, and sampling not at all. Bytes are kept before they are passed on: what a
 * person has seen is in the log, whoever is killed when.
 *
 * Pace. A program that writes line by line would wake us for each line, which costs it more than
 * the writing. So the first bytes after a pause are passed on at once, and while more come quickly
 * in small pieces we look once in a millisecond: the pipe (1 MiB) fills meanwhile, and nobody has
 * to be woken.
 *
 * read(2) and write(2), not splice(2) and tee(2): the bytes need a header and a checksum in the
 * log, so they pass through this process anyway, and one copy out of the pipe is what that costs.
 */
#include "pump.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/fd.h"

#include <errno.h>

#define BUFFER_BYTES (128 << 10)
#define PACE_NS      MF_NS_PER_MS
#define SMALL_BYTES                                                                                \
    2048 /* a pseudo-terminal gives at most 4095 at once, however much is waiting                  \
          */
#define READS_AFTER_STOP 64 /* of somebody who never stops writing */

static int64_t now_ns(const struct mf_pump *pump)
{
    return mf_clock_monotonic_ns(NULL) - pump->started_monotonic_ns;
}

/* Waits for more, or for the word to stop; false for the latter. */
static bool wait_for_more(const struct mf_pump *pump)
{
    struct mf_poll_item items[] = {{.descriptor = pump->source, .want_read = true},
                                   {.descriptor = pump->stop, .want_read = true}};
    while (mf_fd_poll(items, MF_ARRAY_LEN(items), -1) == 0) {
    }
    return !items[1].ret_readable;
}

static enum mf_pump_state run(struct mf_pump *pump)
{
    int64_t last_read_ns = -PACE_NS;
    for (unsigned reads_after_stop = 0; reads_after_stop < READS_AFTER_STOP;) {
        size_t len = 0;
        const int ret = mf_fd_read(pump->source, pump->buffer, BUFFER_BYTES, &len);
        if (ret == -EAGAIN) {
            if (!wait_for_more(pump)) {
                return MF_PUMP_STOPPED;
            }
            continue;
        }
        if (ret < 0 || len == 0) {
            return MF_PUMP_ENDED; /* -EIO: the last one has closed the terminal */
        }
        const int64_t t_ns = now_ns(pump);
        mf__output_append(pump->output, pump->stream, t_ns, pump->buffer, len);
        mf_thread_interruptible(true);
        const int failure = mf_fd_write_all(pump->sink, pump->buffer, len);
        mf_thread_interruptible(false);
        if (failure < 0) {
            atomic_store(&pump->error, -failure);
            return MF_PUMP_GONE;
        }
        if (len < SMALL_BYTES && t_ns - last_read_ns < 2 * PACE_NS) {
            (void)mf_clock_sleep_until_ns(pump->started_monotonic_ns + t_ns + PACE_NS);
        }
        last_read_ns = t_ns;
        reads_after_stop += atomic_load(&pump->stopping) ? 1 : 0;
    }
    return MF_PUMP_STOPPED;
}

static void *pump_thread(void *context)
{
    struct mf_pump *pump = context;
    mf_thread_interruptible(false);
    const enum mf_pump_state state = run(pump);
    if (state != MF_PUMP_STOPPED) {
        mf_fd_close(&pump->source);
    }
    atomic_store(&pump->state, state);
    mf_fd_event_set(pump->notify);
    return NULL;
}

int mf__pump_start(struct mf_pump *pump, struct mf_errinfo *err)
{
    atomic_init(&pump->state, MF_PUMP_RUNNING);
    atomic_init(&pump->error, 0);
    atomic_init(&pump->stopping, false);
    pump->buffer = mf_malloc(BUFFER_BYTES);
    if (pump->buffer == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the output");
    }
    int ret = mf_fd_event(&pump->stop);
    if (ret < 0) {
        mf_free(pump->buffer);
        return mf_fail_os(err, ret, "cannot make an event");
    }
    static const char *const names[MF_STREAMS] = {"mf-stdout", "mf-stderr", "mf-tty"};
    ret = mf_thread_start(&pump->thread, names[pump->stream], pump_thread, pump, err);
    if (ret < 0) {
        mf_fd_close(&pump->stop);
        mf_free(pump->buffer);
    }
    return ret;
}

void mf__pump_stop(struct mf_pump *pump)
{
    atomic_store(&pump->stopping, true);
    mf_fd_event_set(pump->stop);
}

void mf__pump_give_up(struct mf_pump *pump)
{
    if (atomic_load(&pump->state) == MF_PUMP_RUNNING) {
        mf_thread_interrupt(&pump->thread);
    }
}

/* Keeps what still waits to be read when the thread was interrupted. */
static void keep_the_rest(struct mf_pump *pump)
{
    for (unsigned reads = 0; reads < READS_AFTER_STOP; reads++) {
        size_t len = 0;
        if (mf_fd_read(pump->source, pump->buffer, BUFFER_BYTES, &len) < 0 || len == 0) {
            break;
        }
        mf__output_append(pump->output, pump->stream, now_ns(pump), pump->buffer, len);
    }
    mf_fd_close(&pump->source);
    atomic_store(&pump->error, ETIMEDOUT);
    atomic_store(&pump->state, MF_PUMP_GONE);
}

void mf__pump_join(struct mf_pump *pump)
{
    (void)mf_thread_join(&pump->thread);
    if (atomic_load(&pump->state) == MF_PUMP_RUNNING) {
        keep_the_rest(pump);
    }
    mf_fd_close(&pump->stop);
    mf_free(pump->buffer);
    pump->buffer = NULL;
}
