/* SPDX-License-Identifier: Apache-2.0
 *
 * screen.h -- a terminal taken as a whole, for a live view: alternate screen, no echo, keys one by
 * one.
 *
 * Whatever ends the program but SIGKILL (an error, a signal, a crash) leaves the terminal as it was
 * found. Ctrl-Z stops the program with the terminal restored, and the view comes back with it. One
 * screen per process, for the main thread, before other threads start. */
#ifndef OS_SCREEN_H
#define OS_SCREEN_H

#include <mayfly/error.h>
#include <stddef.h>
#include <stdint.h>

struct mf_screen;

/* What mf_screen_next() returns beside characters (Unicode code points). */
enum mf_screen_key {
    MF_KEY_NONE = 0x110000, /* the time is over */
    MF_KEY_REDRAW,          /* the size changed, or the program was continued: draw everything */
    MF_KEY_END_OF_INPUT,    /* the terminal went away, or a signal asks to end */
    MF_KEY_ESCAPE,
    MF_KEY_UP,
    MF_KEY_DOWN,
    MF_KEY_LEFT,
    MF_KEY_RIGHT,
    MF_KEY_SHIFT_LEFT, /* with shift, control or alt */
    MF_KEY_SHIFT_RIGHT,
    MF_KEY_PAGE_UP,
    MF_KEY_PAGE_DOWN,
    MF_KEY_HOME,
    MF_KEY_END,
    MF_KEY_OTHER /* a key without a name here */
};

/* Takes the terminal at standard input and output. MF_EUNSUPPORTED when they are none. */
int mf_screen_open(struct mf_screen **ret_screen, struct mf_errinfo *err);
/* Gives it back. Returns the number of the signal that asked to end, which the caller then dies of
 * (mf_die_of), or 0. NULL is allowed. */
int mf_screen_close(struct mf_screen *screen);

/* Rows and columns, at least 1 each. */
void mf_screen_size(const struct mf_screen *screen, size_t *ret_rows, size_t *ret_columns);

/* Shows a frame: `text` has a line for each row, at most as many as there are rows, separated by
 * '\n' and no wider than the screen; what was there before is gone. -EPIPE when the terminal went
 * away. */
int mf_screen_show(struct mf_screen *screen, const char *text, size_t len);

/* The next key, waiting at most timeout_ns. Ctrl-C is the character 3. */
uint32_t mf_screen_next(struct mf_screen *screen, int64_t timeout_ns);

#endif
