/* SPDX-License-Identifier: Apache-2.0
 * outside_evidence.c -- what a thread is doing at this moment, as far as /proc tells us. */
#include "cpu/outside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void deny(struct mf_watch_evidence *evidence, const char *what)
{
    const size_t len = strlen(evidence->denied);
    snprintf(evidence->denied + len, sizeof evidence->denied - len, "%s%s", len > 0 ? ", " : "",
             what);
}

static void read_text(struct mf_proc *proc, int32_t tid, const char *name, char *text,
                      size_t capacity, struct mf_watch_evidence *evidence)
{
    const int ret = mf_proc_thread_read_text(proc, tid, name, text, capacity);
    if (ret < 0) {
        text[0] = '\0';
    }
    if (ret == -EACCES || ret == -EPERM) {
        deny(evidence, name);
    }
}

void mf_watch_look_at(struct mf_proc *proc, int32_t tid, struct mf_watch_evidence *ret_evidence)
{
    struct mf_watch_evidence evidence = {.state = 0};
    struct mf_proc_stat stat;
    if (mf_proc_thread_read_stat(proc, tid, &stat) == 0) {
        evidence.state = stat.state;
    }
    read_text(proc, tid, "syscall", evidence.system_call, sizeof evidence.system_call, &evidence);
    read_text(proc, tid, "wchan", evidence.wait, sizeof evidence.wait, &evidence);
    if (strcmp(evidence.wait, "0") == 0) {
        evidence.wait[0] = '\0';
    }
    read_text(proc, tid, "stack", evidence.stack, sizeof evidence.stack, &evidence);
    *ret_evidence = evidence;
}
