/* SPDX-License-Identifier: Apache-2.0
 * screen.c -- see screen.h. Sequences of ECMA-48 and of xterm ("XTerm Control Sequences") that
 * every terminal of today knows. */
#include "os/screen.h"

#include "base/buffer.h"
#include "base/fail.h"
#include "base/heap.h"
#include "os/fd.h"
#include "os/pty.h"
#include "os/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CTRL_Z         0x1a
#define ESC            0x1b
#define ESC_WAIT_NS    INT64_C(30000000) /* an ESC that nothing follows within it is the key */
#define INPUT_CAPACITY 256

/* Alternate screen, cursor hidden, lines not wrapped; and back. */
static const char enter_sequence[] = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
static const char leave_sequence[] = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

struct mf_screen {
    struct mf_terminal terminal; /* as it was found */
    struct mf_signals signals;
    struct sigaction crash_actions[MF_ARRAY_LEN(crash_signals)];
    uint8_t input[INPUT_CAPACITY];
    size_t input_len;
    int end_signal;
};

/* For the handlers of crashes, which must not look at anything that may be broken. */
static struct mf_terminal crash_terminal;

static void on_crash(int number)
{
    const ssize_t written = write(STDOUT_FILENO, leave_sequence, sizeof leave_sequence - 1);
    (void)written;
    (void)mf_terminal_restore(&crash_terminal);
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_crashes(struct mf_screen *screen)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_crash;
    action.sa_flags = SA_NODEFER | (int)SA_RESETHAND;
    crash_terminal = screen->terminal;
    for (size_t i = 0; i < MF_ARRAY_LEN(crash_signals); i++) {
        sigaction(crash_signals[i], &action, &screen->crash_actions[i]);
    }
}

static void unwatch_crashes(const struct mf_screen *screen)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(crash_signals); i++) {
        sigaction(crash_signals[i], &screen->crash_actions[i], NULL);
    }
}

static void enter(const struct mf_screen *screen)
{
    (void)mf_terminal_raw(&screen->terminal);
    (void)mf_fd_write_all(STDOUT_FILENO, enter_sequence, sizeof enter_sequence - 1);
}

static void leave(const struct mf_screen *screen)
{
    (void)mf_fd_write_all(STDOUT_FILENO, leave_sequence, sizeof leave_sequence - 1);
    (void)mf_terminal_restore(&screen->terminal);
}

int mf_screen_open(struct mf_screen **ret_screen, struct mf_errinfo *err)
{
    if (!mf_fd_is_terminal(STDIN_FILENO) || !mf_fd_is_terminal(STDOUT_FILENO)) {
        return mf_fail(err, MF_EUNSUPPORTED, "standard input and output are not a terminal");
    }
    struct mf_screen *screen = mf_calloc(1, sizeof *screen);
    if (screen == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    int rc = mf_terminal_save(STDIN_FILENO, &screen->terminal);
    if (rc < 0) {
        rc = mf_fail_os(err, rc, "cannot read the modes of the terminal");
    } else {
        rc = mf_signals_open(&screen->signals, err);
    }
    if (rc < 0) {
        mf_free(screen);
        return rc;
    }
    watch_crashes(screen);
    enter(screen);
    *ret_screen = screen;
    return 0;
}

int mf_screen_close(struct mf_screen *screen)
{
    if (screen == NULL) {
        return 0;
    }
    const int end_signal = screen->end_signal;
    leave(screen);
    unwatch_crashes(screen);
    mf_signals_close(&screen->signals);
    mf_free(screen);
    return end_signal;
}

void mf_screen_size(const struct mf_screen *screen, size_t *ret_rows, size_t *ret_columns)
{
    (void)screen;
    struct winsize size = {0};
    const bool known =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    *ret_rows = known ? size.ws_row : 24;
    *ret_columns = known ? size.ws_col : 80;
}

/* A line is cleared before it is written: clearing behind its end would take the last character of
 * one that is as wide as the screen. All goes out at once, so that nothing flickers. */
int mf_screen_show(struct mf_screen *screen, const char *text, size_t len)
{
    (void)screen;
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_buffer_puts(&out,
                   "\x1b[H"); /* a frame has a line for every row: nothing of the old one stays */
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t line_len = end != NULL ? (size_t)(end - (text + at)) : len - at;
        mf_buffer_puts(&out, "\x1b[0m\x1b[K");
        mf_buffer_append(&out, text + at, line_len);
        at += line_len + (end != NULL);
        mf_buffer_puts(&out, at < len ? "\r\n" : "");
    }
    mf_buffer_puts(&out, "\x1b[0m");
    const int rc = out.failed ? -ENOMEM : mf_fd_write_all(STDOUT_FILENO, out.data, out.len);
    mf_buffer_free(&out);
    return rc == -EIO ? -EPIPE : rc;
}

/* ---- keys ---- */

struct sequence {
    const char *text; /* behind ESC */
    uint32_t key;
};

static const struct sequence sequences[] = {
    {"[A", MF_KEY_UP},
    {"[B", MF_KEY_DOWN},
    {"[C", MF_KEY_RIGHT},
    {"[D", MF_KEY_LEFT},
    {"OA", MF_KEY_UP},
    {"OB", MF_KEY_DOWN},
    {"OC", MF_KEY_RIGHT},
    {"OD", MF_KEY_LEFT},
    {"[H", MF_KEY_HOME},
    {"[F", MF_KEY_END},
    {"OH", MF_KEY_HOME},
    {"OF", MF_KEY_END},
    {"[1~", MF_KEY_HOME},
    {"[4~", MF_KEY_END},
    {"[7~", MF_KEY_HOME},
    {"[8~", MF_KEY_END},
    {"[5~", MF_KEY_PAGE_UP},
    {"[6~", MF_KEY_PAGE_DOWN},
    {"[1;2C", MF_KEY_SHIFT_RIGHT},
    {"[1;2D", MF_KEY_SHIFT_LEFT},
    {"[1;3C", MF_KEY_SHIFT_RIGHT},
    {"[1;3D", MF_KEY_SHIFT_LEFT},
    {"[1;5C", MF_KEY_SHIFT_RIGHT},
    {"[1;5D", MF_KEY_SHIFT_LEFT},
};

/* The length of the sequence at the beginning of the input (its ESC included), 0 while it is not
 * complete. */
static size_t sequence_len(const uint8_t *input, size_t len)
{
    if (len < 2) {
        return 0;
    }
    if (input[1] == 'O') {
        return len >= 3 ? 3 : 0;
    }
    if (input[1] != '[') {
        return 2; /* alt and a key */
    }
    for (size_t i = 2; i < len; i++) {
        if (input[i] >= 0x40 && input[i] <= 0x7e) {
            return i + 1;
        }
    }
    return len == INPUT_CAPACITY ? len : 0;
}

static uint32_t take(struct mf_screen *screen, size_t len, uint32_t key)
{
    screen->input_len -= len;
    memmove(screen->input, screen->input + len, screen->input_len);
    return key;
}

/* The key at the beginning of the input; MF_KEY_NONE while it is not complete. */
static uint32_t parse_key(struct mf_screen *screen)
{
    if (screen->input_len == 0) {
        return MF_KEY_NONE;
    }
    if (screen->input[0] != ESC) {
        return take(screen, 1, screen->input[0] < 0x80 ? screen->input[0] : MF_KEY_OTHER);
    }
    const size_t len = sequence_len(screen->input, screen->input_len);
    if (len == 0) {
        return MF_KEY_NONE;
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(sequences); i++) {
        if (strlen(sequences[i].text) == len - 1 &&
            memcmp(sequences[i].text, screen->input + 1, len - 1) == 0) {
            return take(screen, len, sequences[i].key);
        }
    }
    return take(screen, len, MF_KEY_OTHER);
}

/* What the pending signals mean; MF_KEY_NONE: nothing. */
static uint32_t read_signals(struct mf_screen *screen)
{
    struct mf_signal signal;
    uint32_t key = MF_KEY_NONE;
    while (mf_signals_next(&screen->signals, &signal) == 1) {
        switch (signal.number) {
        case SIGHUP:
        case SIGINT:
        case SIGQUIT:
        case SIGTERM:
            screen->end_signal = signal.number;
            return MF_KEY_END_OF_INPUT;
        case SIGCONT:
            enter(screen);
            key = MF_KEY_REDRAW;
            break;
        case SIGWINCH:
            key = MF_KEY_REDRAW;
            break;
        default:
            break;
        }
    }
    return key;
}

static void suspend(struct mf_screen *screen)
{
    leave(screen);
    mf_stop_group(); /* returns when continued; SIGCONT then enters again */
    enter(screen);
}

/* One wait: reads what came. 1: something did, 0: the time is over, negative: the terminal is gone.
 */
static int wait_for_input(struct mf_screen *screen, int64_t timeout_ns, uint32_t *ret_key)
{
    struct mf_poll_item items[] = {
        {.descriptor = STDIN_FILENO, .want_read = true},
        {.descriptor = screen->signals.descriptor, .want_read = true},
    };
    const int ready = mf_fd_poll(items, MF_ARRAY_LEN(items), timeout_ns);
    if (ready < 0) {
        return ready;
    }
    if (items[1].ret_readable) {
        *ret_key = read_signals(screen);
    }
    if (items[0].ret_readable) {
        size_t len = 0;
        const int rc = mf_fd_read(STDIN_FILENO, screen->input + screen->input_len,
                                  sizeof screen->input - screen->input_len, &len);
        screen->input_len += len;
        if (rc != -EAGAIN && (rc < 0 || len == 0)) {
            return -EPIPE;
        }
    }
    return ready > 0;
}

uint32_t mf_screen_next(struct mf_screen *screen, int64_t timeout_ns)
{
    for (;;) {
        uint32_t key = parse_key(screen);
        if (key == CTRL_Z) {
            suspend(screen);
            return MF_KEY_REDRAW;
        }
        if (key != MF_KEY_NONE) {
            return key;
        }
        const bool begun = screen->input_len > 0;
        const int rc = wait_for_input(screen, begun ? ESC_WAIT_NS : timeout_ns, &key);
        if (rc < 0) {
            return MF_KEY_END_OF_INPUT;
        }
        if (key != MF_KEY_NONE) {
            return key;
        }
        if (rc == 0 && !begun) {
            return MF_KEY_NONE;
        }
        if (rc == 0) { /* nothing followed the ESC, or what followed stays incomplete */
            return take(screen, screen->input_len,
                        screen->input_len == 1 ? MF_KEY_ESCAPE : MF_KEY_OTHER);
        }
        timeout_ns = timeout_ns < 0 ? timeout_ns : 0;
    }
}
