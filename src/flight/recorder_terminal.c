/* SPDX-License-Identifier: Apache-2.0
 *
 * recorder_terminal.c -- between our terminal and the one that the command has instead.
 *
 * Ours is in raw mode while we are in the foreground: what is typed passes through, and Ctrl-C or
 * Ctrl-Z become signals at the command's terminal, to whatever is in the foreground there. When the
 * command is stopped, its monitor tells us; we put our terminal back, stop like it, and when
 * somebody continues us (fg, bg, kill -CONT) the command is continued. In the background our
 * terminal is left alone: nothing is read from it and its modes are not touched.
 */
#include "recorder.h"

#include "os/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void mf__terminal_enter(struct mf_recorder *recorder)
{
    struct mf_terminal_link *link = &recorder->terminal;
    if (link->active && !link->raw && mf_terminal_in_foreground(link->ours.descriptor)) {
        /* Somebody may have changed the modes while we were stopped; those are restored later. */
        (void)mf_terminal_save(link->ours.descriptor, &link->ours);
        link->raw = mf_terminal_raw(&link->ours) == 0;
    }
    if (link->active) {
        /* Whichever terminal is not raw makes line ends of line feeds; one of the two. */
        (void)mf_terminal_set_output_processing(link->master, link->raw);
    }
}

void mf__terminal_leave(struct mf_recorder *recorder)
{
    struct mf_terminal_link *link = &recorder->terminal;
    if (link->raw) {
        (void)mf_terminal_restore(&link->ours);
        (void)mf_terminal_set_output_processing(link->master, false);
        link->raw = false;
    }
}

void mf__terminal_read(struct mf_recorder *recorder)
{
    struct mf_terminal_link *link = &recorder->terminal;
    if (link->typed_len == sizeof link->typed) {
        return;
    }
    size_t len = 0;
    const int ret = mf_fd_read(link->ours.descriptor, link->typed + link->typed_len,
                               sizeof link->typed - link->typed_len, &len);
    if (ret < 0 || len == 0) {
        if (ret != -EAGAIN) {
            link->active = false; /* hung up; SIGHUP tells the command */
        }
        return;
    }
    link->typed_len += len;
    mf__terminal_write(recorder);
}

void mf__terminal_write(struct mf_recorder *recorder)
{
    struct mf_terminal_link *link = &recorder->terminal;
    size_t len = 0;
    if (link->typed_len == 0) {
        return;
    }
    const int ret = mf_fd_write(link->master, link->typed, link->typed_len, &len);
    if (ret < 0 && ret != -EAGAIN) {
        link->typed_len = 0; /* nobody is there any more */
        return;
    }
    memmove(link->typed, link->typed + len, link->typed_len - len);
    link->typed_len -= len;
}

void mf__terminal_resized(struct mf_recorder *recorder)
{
    if (recorder->terminal.active) {
        (void)mf_terminal_copy_size(STDIN_FILENO, recorder->terminal.master);
    }
    bool any = false;
    for (int i = 0; i < 2; i++) {
        if (recorder->output_terminals[i] >= 0) {
            const int number = mf_fd_is_terminal(STDOUT_FILENO) ? STDOUT_FILENO : STDERR_FILENO;
            (void)mf_terminal_copy_size(number, recorder->output_terminals[i]);
            any = true;
        }
    }
    if (any) {
        /* It had the signal from our terminal, maybe before the new size was there to be asked for.
         */
        (void)mf_process_signal(recorder->child.pid, SIGWINCH);
    }
}

void mf__terminal_stopped(struct mf_recorder *recorder, int signal)
{
    (void)mf__events_begin(&recorder->events, mf__recorder_now_ns(recorder), "stopped",
                           recorder->start_event, 1);
    mf_json_key_string(&recorder->events.json, "signal", mf_signal_name(signal));
    mf__events_end(&recorder->events);
    if (!recorder->terminal.active) {
        return;
    }
    mf__events_flush(&recorder->events);
    mf__terminal_leave(recorder);
    mf_stop_group();
    mf__terminal_continued(recorder);
    recorder->continued = true;
}

void mf__recorder_tell_continued(struct mf_recorder *recorder)
{
    (void)mf__events_begin(&recorder->events, mf__recorder_now_ns(recorder), "continued",
                           recorder->start_event, 1);
    mf__events_end(&recorder->events);
}

void mf__terminal_continued(struct mf_recorder *recorder)
{
    mf__terminal_enter(recorder);
    mf__terminal_resized(recorder);
    if (recorder->terminal.active) {
        (void)mf_process_signal(-recorder->child.pid, SIGCONT);
    }
    mf__recorder_tell_continued(recorder);
}
