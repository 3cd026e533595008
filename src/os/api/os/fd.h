/* SPDX-License-Identifier: Apache-2.0
 *
 * fd.h -- plain descriptors: pipes, terminals and whatever the caller gave us as 0, 1 and 2. Files
 * that Mayfly keeps go through file.h. All functions return 0 or a negative errno; EINTR is
 * retried. [any-thread]
 */
#ifndef OS_FD_H
#define OS_FD_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void mf_fd_close(int *descriptor); /* closes unless it is negative, and sets it to -1 */
int mf_fd_set_nonblocking(int descriptor);
int mf_fd_set_close_on_exec(int descriptor);
/* /dev/null for reading and writing, close-on-exec. Returns the descriptor. */
int mf_fd_null(void);
bool mf_fd_is_terminal(int descriptor);
/* How wide the terminal is now, 80 where it does not tell; 0: it is none. */
int mf_fd_columns(int descriptor);
/* Closed, or one of the stand-ins for closed standard descriptors: /dev/null opened the wrong way.
 */
bool mf_fd_is_closed(int descriptor);

/* Both ends close-on-exec. `size_bytes`: wanted capacity, taken as far as the system permits. */
int mf_fd_pipe(int ret_ends[2], int size_bytes);

/* One read: *ret_len is 0 at the end. -EAGAIN when nothing is there, -EIO from a hung-up terminal.
 */
int mf_fd_read(int descriptor, void *bytes, size_t capacity, size_t *ret_len);
/* One write, *ret_len may be less than len. */
int mf_fd_write(int descriptor, const void *bytes, size_t len, size_t *ret_len);
/* All of it, waiting also where the descriptor is non-blocking. */
int mf_fd_write_all(int descriptor, const void *bytes, size_t len);

/* For waking a poll from another thread. */
int mf_fd_event(int *ret_descriptor);
void mf_fd_event_set(int descriptor);
void mf_fd_event_clear(int descriptor);

struct mf_poll_item {
    int descriptor; /* negative: left out */
    bool want_read;
    bool want_write;
    bool ret_readable; /* or ended, or in error: a read tells */
    bool ret_writable;
};
/* Waits until one is ready or the time is over (negative: for ever). Returns how many are ready; 0
 * also on a signal. */
int mf_fd_poll(struct mf_poll_item *items, size_t count, int64_t timeout_ns);

#endif
