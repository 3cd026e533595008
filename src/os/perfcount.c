/* SPDX-License-Identifier: Apache-2.0
 * perfcount.c -- see perfcount.h. */
#include "os/perfcount.h"

#include "base/fail.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CACHE(cache, operation, result)                                                            \
    (PERF_COUNT_HW_CACHE_##cache | PERF_COUNT_HW_CACHE_OP_##operation << 8 |                       \
     PERF_COUNT_HW_CACHE_RESULT_##result << 16)

static const struct {
    const char *name;
    uint32_t type;
    uint64_t config;
} events[] = {
    {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {"branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS},
    {"branch_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
    {"cache_references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES},
    {"cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    {"l1d_read_misses", PERF_TYPE_HW_CACHE, CACHE(L1D, READ, MISS)},
    {"dtlb_read_misses", PERF_TYPE_HW_CACHE, CACHE(DTLB, READ, MISS)},
    {"task_clock_ns", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
    {"page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
    {"context_switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES},
    {"migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS},
};
_Static_assert(MF_ARRAY_LEN(events) <= MF_PERFCOUNT_MAX, "all fit");

static int descriptors[MF_ARRAY_LEN(events)];
static bool opened;

/* The kernel's part needs a permission of its own; without it, that of the program. */
static int open_event(size_t index)
{
    struct perf_event_attr attributes = {
        .size = sizeof attributes,
        .type = events[index].type,
        .config = events[index].config,
        .disabled = 1,
        .inherit = 1,
        .exclude_hv = 1,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
    };
    long descriptor = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (descriptor < 0 && (errno == EACCES || errno == EPERM)) {
        attributes.exclude_kernel = 1;
        descriptor = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    }
    return descriptor < 0 ? -errno : (int)descriptor;
}

static int explain(int code, struct mf_errinfo *err)
{
    if (code == -EACCES || code == -EPERM) {
        return mf_fail(err, code,
                       "performance counters are not permitted: echo 2 | sudo tee "
                       "/proc/sys/kernel/perf_event_paranoid");
    }
    if (code == -ENOENT || code == -EOPNOTSUPP || code == -ENODEV) {
        return mf_fail(err, MF_EUNSUPPORTED,
                       "this machine shows no hardware counters (virtual ones seldom do)");
    }
    return mf_fail_os(err, code, "cannot open performance counters");
}

int mf_perfcount_open(struct mf_errinfo *err)
{
    int count = 0;
    int first_error = 0;
    if (opened) {
        return mf_fail(err, -EBUSY, "the performance counters are in use");
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(events); i++) {
        descriptors[i] = open_event(i);
        count += descriptors[i] >= 0;
        first_error = descriptors[i] < 0 && first_error == 0 ? descriptors[i] : first_error;
    }
    if (first_error != 0) {
        (void)explain(first_error, err);
    }
    opened = true;
    return count;
}

int mf_perfcount_hardware(void)
{
    int count = 0;
    for (size_t i = 0; opened && i < MF_ARRAY_LEN(events); i++) {
        count += descriptors[i] >= 0 && events[i].type != PERF_TYPE_SOFTWARE;
    }
    return count;
}

static void control(unsigned long request)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(events); i++) {
        if (descriptors[i] >= 0) {
            (void)ioctl(descriptors[i], request, 0);
        }
    }
}

void mf_perfcount_start(void)
{
    control(PERF_EVENT_IOC_RESET);
    control(PERF_EVENT_IOC_ENABLE);
}

void mf_perfcount_stop(void)
{
    control(PERF_EVENT_IOC_DISABLE);
}

size_t mf_perfcount_read(struct mf_perfcount ret_counts[MF_PERFCOUNT_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(events); i++) {
        struct {
            uint64_t value, enabled_ns, running_ns;
        } reading;
        if (descriptors[i] < 0 ||
            read(descriptors[i], &reading, sizeof reading) != sizeof reading ||
            reading.running_ns == 0) {
            continue;
        }
        const double share = (double)reading.running_ns / (double)reading.enabled_ns;
        ret_counts[count++] = (struct mf_perfcount){
            .name = events[i].name,
            .value = (double)reading.value / share,
            .share = share,
        };
    }
    return count;
}

void mf_perfcount_close(void)
{
    for (size_t i = 0; opened && i < MF_ARRAY_LEN(events); i++) {
        if (descriptors[i] >= 0) {
            (void)close(descriptors[i]);
        }
    }
    opened = false;
}
