/* SPDX-License-Identifier: Apache-2.0
 * proc_private.h -- what proc.c and proc_thread.c share. */
#ifndef OS_PROC_PRIVATE_H
#define OS_PROC_PRIVATE_H

#include "os/proc.h"

enum mf_proc_kept { KEPT_STAT, KEPT_IO, KEPT_THREAD_IO, KEPT_SCHEDSTAT, KEPT_FILES };

struct mf_proc {
    int32_t pid;
    int directory;
    int tasks; /* its task directory; -1: not open */
    bool keep;
    int files[KEPT_FILES]; /* -1: not open */
    char names[KEPT_FILES][32];
};

/* A negative code for errno: what no longer exists is -ESRCH. */
int mf__proc_gone(int error);
/* Reads from offset 0 until `capacity` or the end: /proc files may come in pieces of a page. */
int mf__proc_read_from_start(int file, char *text, size_t capacity, size_t *ret_len);
/* One pread, enough for the short files: they are made whole on the first. */
int mf__proc_read_once(int file, char *text, size_t capacity, size_t *ret_len);
bool mf__proc_is_number(const char *name);

#endif
