/* SPDX-License-Identifier: Apache-2.0
 *
 * kernellog.c -- see kernellog.h.
 *
 * The line (mm/oom_kill.c of Linux, __oom_kill_process):
 *   "Out of memory: Killed process 1234 (name) total-vm:1kB, anon-rss:2kB, file-rss:3kB,
 * shmem-rss:4kB, ..." "Memory cgroup out of memory: Killed process 1234 (name) ..." A record of
 * /dev/kmsg has "priority,sequence,microseconds,flags;" before it. The name may hold anything.
 */
#include "os/kernellog.h"

#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t kib_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at != NULL ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

int mf_kernellog_parse_oom(const char *line, size_t len, struct mf_oom_message *ret_message)
{
    char text[1024];
    if (len >= sizeof text) {
        len = sizeof text - 1;
    }
    memcpy(text, line, len);
    text[len] = '\0';
    static const char mark[] = "ut of memory: Killed process "; /* "Out" or "out" */
    char *at = strstr(text, mark);
    if (at == NULL) {
        return 0;
    }
    struct mf_oom_message message = {.of_cgroup = strstr(text, "cgroup out of memory") != NULL};
    char *name = NULL;
    const long pid = strtol(at + sizeof mark - 1, &name, 10);
    char *figures = name != NULL ? strstr(name, ") total-vm:") : NULL;
    if (pid <= 0 || pid > INT32_MAX || figures == NULL || strncmp(name, " (", 2) != 0) {
        return 0;
    }
    message.pid = (int32_t)pid;
    const size_t name_len = (size_t)(figures - name - 2);
    memcpy(message.comm, name + 2,
           name_len < sizeof message.comm ? name_len : sizeof message.comm - 1);
    message.rss_bytes = kib_after(figures, "anon-rss:") + kib_after(figures, "file-rss:") +
                        kib_after(figures, "shmem-rss:");
    *ret_message = message;
    return 1;
}

void mf_kernellog_open(struct mf_kernellog *ret_log)
{
    ret_log->descriptor = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (ret_log->descriptor >= 0 && lseek(ret_log->descriptor, 0, SEEK_END) < 0) {
        mf_kernellog_close(ret_log);
    }
}

int mf_kernellog_next_oom(struct mf_kernellog *log, struct mf_oom_message *ret_message)
{
    while (log->descriptor >= 0) {
        char record[8192]; /* the kernel's own maximum; a smaller buffer is an error */
        const ssize_t n = read(log->descriptor, record, sizeof record);
        if (n < 0 &&
            (errno == EPIPE || errno == EINTR)) { /* EPIPE: older records were overwritten */
            continue;
        }
        if (n <= 0) {
            return 0;
        }
        if (mf_kernellog_parse_oom(record, (size_t)n, ret_message) == 1) {
            return 1;
        }
    }
    return 0;
}

void mf_kernellog_close(struct mf_kernellog *log)
{
    if (log->descriptor >= 0) {
        close(log->descriptor);
        log->descriptor = -1;
    }
}

uint64_t mf_machine_oom_kills(void)
{
    char text[16384];
    size_t len = 0;
    uint64_t kills = 0;
    if (mf_proc_read_text("/proc/vmstat", text, sizeof text, &len) != 0 ||
        mf_proc_parse_keyed(text, len, "oom_kill", &kills) != 0) {
        return UINT64_MAX;
    }
    return kills;
}
