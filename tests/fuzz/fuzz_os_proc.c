/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the texts of /proc, of the kernel log and of the cgroup mounts: an error, or
 * figures. */
#include "os/cgroup.h"
#include "os/kernellog.h"
#include "os/proc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    struct mf_proc_stat stat;
    struct mf_proc_io io;
    struct mf_proc_status status;
    struct mf_proc_schedstat schedstat;
    struct mf_oom_message message;
    struct mf_cgroup_places places;
    uint64_t value = 0;
    if (mf_proc_parse_stat(text, len, &stat) == 0 && strlen(stat.comm) >= sizeof stat.comm) {
        abort();
    }
    (void)mf_proc_parse_io(text, len, &io);
    (void)mf_proc_parse_status(text, len, &status);
    (void)mf_proc_parse_schedstat(text, len, &schedstat);
    (void)mf_proc_parse_pss(text, len, &value);
    (void)mf_proc_parse_keyed(text, len, "oom_kill", &value);
    if (mf_kernellog_parse_oom(text, len, &message) == 1 && message.pid <= 0) {
        abort();
    }
    /* Mounts, a NUL, memberships. */
    const char *nul = len > 0 ? memchr(text, '\0', len) : NULL;
    const size_t mounts_len = nul != NULL ? (size_t)(nul - text) : len;
    const size_t rest = nul != NULL ? mounts_len + 1 : len;
    mf_cgroup_parse_places(text, mounts_len, text + rest, len - rest, &places);
    if (strlen(places.unified) >= sizeof places.unified ||
        strlen(places.memory_v1) >= sizeof places.memory_v1) {
        abort();
    }
    return 0;
}
