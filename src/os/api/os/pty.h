/* SPDX-License-Identifier: Apache-2.0
 *
 * pty.h -- terminals: ours, and the pseudo-terminal that a command gets in its place. [any-thread]
 */
#ifndef OS_PTY_H
#define OS_PTY_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <termios.h>

/* A new pseudo-terminal; both ends close-on-exec, the master non-blocking. */
int mf_pty_open(int *ret_master, int *ret_slave, struct mf_errinfo *err);

struct mf_terminal {
    int descriptor;
    struct termios modes; /* as they were found */
};

/* Remembers the modes of the terminal `descriptor` (borrowed). */
int mf_terminal_save(int descriptor, struct mf_terminal *ret_terminal);
/* Every byte goes through as it is, both ways; the line discipline is left to another terminal. */
int mf_terminal_raw(const struct mf_terminal *terminal);
int mf_terminal_restore(const struct mf_terminal *terminal);
/* Whether our process group may use it now. */
bool mf_terminal_in_foreground(int descriptor);

/* Gives `to` the modes of `from`; `output_raw`: output is not post-processed, because it will be
 * when it is passed on. */
int mf_terminal_copy_modes(int from, int to, bool output_raw);
/* Switches the output processing of a pseudo-terminal (line ends) by its master. */
int mf_terminal_set_output_processing(int master, bool on);
/* Gives `to` the size of `from`; the kernel tells the processes there (SIGWINCH). */
int mf_terminal_copy_size(int from, int to);

#endif
