/* SPDX-License-Identifier: Apache-2.0
 *
 * taskstats.c -- see taskstats.h.
 *
 * A record comes as TASKSTATS_CMD_NEW with TASKSTATS_TYPE_AGGR_PID { TYPE_PID, TYPE_STATS }; when
 * the last thread of a group ends, AGGR_TGID with the group's sums follows in the same or the next
 * message. That one is ignored: its fields are filled for some figures only, and the threads' own
 * records add up to the exact totals.
 *
 * CPU time: ac_utime and ac_stime count the clock ticks that hit the thread, so a thread of 1 ms
 * has mostly none; cpu_run_virtual_total is the scheduler's own sum in nanoseconds. The exact sum
 * is divided in the ratio of the ticks, as the kernel does for getrusage(2) (cputime_adjust in
 * kernel/sched/cputime.c: all is user time without system ticks, and the reverse).
 */
#include "os/taskstats.h"

#include "base/fail.h"
#include "base/heap.h"
#include "netlink.h"
#include "os/proc.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stdio.h>
#include <string.h>

struct mf_taskstats {
    struct mf_netlink netlink;
};

/* ---- attributes ---- */

struct attributes {
    const uint8_t *at;
    size_t left;
};

/* The next attribute: false at the end; a bad length ends too. */
static bool next_attribute(struct attributes *list, unsigned *ret_type,
                           struct attributes *ret_value)
{
    struct nlattr header;
    if (list->left < sizeof header) {
        return false;
    }
    memcpy(&header, list->at, sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > list->left) {
        return false;
    }
    *ret_type = header.nla_type & NLA_TYPE_MASK;
    *ret_value = (struct attributes){list->at + sizeof header, header.nla_len - sizeof header};
    const size_t step = NLA_ALIGN(header.nla_len);
    list->at += step < list->left ? step : list->left;
    list->left -= step < list->left ? step : list->left;
    return true;
}

static bool find_attribute(struct attributes list, unsigned type, struct attributes *ret_value)
{
    unsigned found = 0;
    while (next_attribute(&list, &found, ret_value)) {
        if (found == type) {
            return true;
        }
    }
    return false;
}

/* ---- parsing ---- */

static void split_cpu_time(const struct taskstats *stats, struct mf_task_record *record)
{
    const uint64_t exact_ns = stats->cpu_run_virtual_total;
    const uint64_t user_us = stats->ac_utime;
    const uint64_t system_us = stats->ac_stime;
    if (exact_ns == 0) { /* not kept by this kernel */
        record->cpu_user_ns = user_us * 1000;
        record->cpu_system_ns = system_us * 1000;
    } else if (system_us == 0) {
        record->cpu_user_ns = exact_ns;
        record->cpu_system_ns = 0;
    } else {
        /* user_us + system_us may wrap; as doubles they do not, and rounding may go beyond the
         * whole. */
        const double share = (double)user_us / ((double)user_us + (double)system_us);
        const double user_ns = (double)exact_ns * share;
        record->cpu_user_ns = user_us == 0 ? 0 : user_ns < 0x1p63 ? (uint64_t)user_ns : exact_ns;
        record->cpu_user_ns = record->cpu_user_ns < exact_ns ? record->cpu_user_ns : exact_ns;
        record->cpu_system_ns = exact_ns - record->cpu_user_ns;
    }
}

static int take_record(struct attributes bytes, struct mf_task_record *ret_record)
{
    /* The first release had the fields up to the delays; a usable record goes to the switches. */
    const size_t needed = offsetof(struct taskstats, nivcsw) + sizeof(uint64_t);
    struct taskstats stats;
    if (bytes.left < needed) {
        return MF_ESYNTAX;
    }
    memset(&stats, 0, sizeof stats);
    memcpy(&stats, bytes.at, bytes.left < sizeof stats ? bytes.left : sizeof stats);
    struct mf_task_record record = {
        .tid = (int32_t)stats.ac_pid,
        .tgid = stats.version >= 12 ? (int32_t)stats.ac_tgid : 0,
        .parent = (int32_t)stats.ac_ppid,
        .status = stats.ac_exitcode,
        .elapsed_ns = stats.ac_etime * 1000,
        .rss_peak_bytes = stats.hiwater_rss * 1024,
        .read_chars = stats.read_char,
        .write_chars = stats.write_char,
        .read_bytes = stats.read_bytes,
        .write_bytes = stats.cancelled_write_bytes < stats.write_bytes
                           ? stats.write_bytes - stats.cancelled_write_bytes
                           : 0,
        .faults_minor = stats.ac_minflt,
        .faults_major = stats.ac_majflt,
        .switches_voluntary = stats.nvcsw,
        .switches_involuntary = stats.nivcsw,
    };
    memcpy(record.comm, stats.ac_comm, sizeof stats.ac_comm);
    record.comm[sizeof record.comm - 1] = '\0';
    split_cpu_time(&stats, &record);
    *ret_record = record;
    return 1;
}

int mf_taskstats_parse(const void *message, size_t len, struct mf_task_record *ret_record)
{
    struct nlmsghdr header;
    if (len < NLMSG_HDRLEN + GENL_HDRLEN) {
        return MF_ESYNTAX;
    }
    memcpy(&header, message, sizeof header);
    if (header.nlmsg_type < NLMSG_MIN_TYPE) {
        return 0; /* an error or an acknowledgement */
    }
    const uint8_t *generic = (const uint8_t *)message + NLMSG_HDRLEN;
    if (generic[0] != TASKSTATS_CMD_NEW) {
        return 0;
    }
    struct attributes list = {generic + GENL_HDRLEN, len - NLMSG_HDRLEN - GENL_HDRLEN};
    struct attributes aggregate;
    struct attributes stats;
    if (!find_attribute(list, TASKSTATS_TYPE_AGGR_PID, &aggregate)) {
        return 0;
    }
    return find_attribute(aggregate, TASKSTATS_TYPE_STATS, &stats) ? take_record(stats, ret_record)
                                                                   : MF_ESYNTAX;
}

/* ---- the socket ---- */

struct request {
    struct nlmsghdr header;
    struct genlmsghdr generic;
    uint8_t payload[512];
};

static void request_init(struct request *request, uint16_t family, uint8_t command, uint8_t version,
                         bool acknowledge)
{
    memset(request, 0, sizeof *request);
    request->header.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
    request->header.nlmsg_type = family;
    request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (acknowledge ? NLM_F_ACK : 0));
    request->generic.cmd = command;
    request->generic.version = version;
}

static void request_text(struct request *request, uint16_t type, const char *text)
{
    const size_t used = request->header.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
    const size_t len = strnlen(text, sizeof request->payload / 2) + 1;
    const struct nlattr attribute = {(uint16_t)(sizeof attribute + len), type};
    memcpy(request->payload + used, &attribute, sizeof attribute);
    memcpy(request->payload + used + sizeof attribute, text, len - 1);
    request->header.nlmsg_len += (uint32_t)NLA_ALIGN(attribute.nla_len);
}

/* Sends and waits for the answer: the acknowledgement's errno, or 1 with another message. */
static int converse(struct mf_netlink *netlink, const struct request *request,
                    const void **ret_message, size_t *ret_len)
{
    const int sent = mf__netlink_send(netlink, request, request->header.nlmsg_len);
    if (sent < 0) {
        return sent;
    }
    const int ret = mf__netlink_await(netlink, ret_message, ret_len);
    if (ret <= 0) {
        return ret < 0 ? ret : -ETIMEDOUT;
    }
    struct nlmsghdr header;
    memcpy(&header, *ret_message, sizeof header);
    if (header.nlmsg_type == NLMSG_ERROR && *ret_len >= NLMSG_HDRLEN + sizeof(int32_t)) {
        int32_t error = 0;
        memcpy(&error, (const uint8_t *)*ret_message + NLMSG_HDRLEN, sizeof error);
        return error;
    }
    return 1;
}

static int find_family(struct mf_netlink *netlink, uint16_t *ret_family)
{
    struct request request;
    request_init(&request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, false);
    request_text(&request, CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME);
    const void *answer = NULL;
    size_t len = 0;
    const int ret = converse(netlink, &request, &answer, &len);
    if (ret <= 0) {
        return ret == 0 ? -ENOENT : ret;
    }
    if (len < NLMSG_HDRLEN + GENL_HDRLEN) {
        return -EPROTO;
    }
    const struct attributes list = {(const uint8_t *)answer + NLMSG_HDRLEN + GENL_HDRLEN,
                                    len - NLMSG_HDRLEN - GENL_HDRLEN};
    struct attributes value;
    if (!find_attribute(list, CTRL_ATTR_FAMILY_ID, &value) || value.left < sizeof *ret_family) {
        return -EPROTO;
    }
    memcpy(ret_family, value.at, sizeof *ret_family);
    return 0;
}

static int register_for_exits(struct mf_netlink *netlink)
{
    uint16_t family = 0;
    int ret = find_family(netlink, &family);
    if (ret < 0) {
        return ret;
    }
    /* The kernel wants a subset of the possible CPUs. */
    char cpus[200] = "0";
    size_t len = 0;
    if (mf_proc_read_text("/sys/devices/system/cpu/possible", cpus, sizeof cpus, &len) == 0) {
        cpus[strcspn(cpus, "\n")] = '\0';
    }
    struct request request;
    request_init(&request, family, TASKSTATS_CMD_GET, TASKSTATS_GENL_VERSION, true);
    request_text(&request, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, cpus);
    const void *answer = NULL;
    ret = converse(netlink, &request, &answer, &len);
    return ret > 0 ? 0 : ret; /* a first record in place of the acknowledgement: it works */
}

int mf_taskstats_open(struct mf_taskstats **ret_taskstats, struct mf_errinfo *err)
{
    struct mf_host host;
    mf_host_read(&host);
    if (!host.initial_namespaces) {
        return mf_fail(err, MF_EUNSUPPORTED,
                       "exit records are not delivered inside a container (pid or user namespace)");
    }
    struct mf_taskstats *taskstats = mf_malloc(sizeof *taskstats);
    if (taskstats == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the exit records");
    }
    int ret = mf__netlink_open(&taskstats->netlink, NETLINK_GENERIC, 0);
    if (ret == 0) {
        ret = register_for_exits(&taskstats->netlink);
        if (ret < 0) {
            mf__netlink_close(&taskstats->netlink);
        }
    }
    if (ret < 0) {
        mf_free(taskstats);
        if (ret == -EPERM || ret == -EACCES) {
            return mf_fail(err, -EPERM, "exit records (taskstats) need CAP_NET_ADMIN");
        }
        return mf_fail(err, MF_EUNSUPPORTED, "exit records (taskstats) are not available: %s",
                       mf_strerror(ret));
    }
    *ret_taskstats = taskstats;
    return 0;
}

void mf_taskstats_close(struct mf_taskstats *taskstats)
{
    if (taskstats != NULL) {
        mf__netlink_close(&taskstats->netlink);
        mf_free(taskstats);
    }
}

int mf_taskstats_descriptor(const struct mf_taskstats *taskstats)
{
    return taskstats->netlink.descriptor;
}

int mf_taskstats_next(struct mf_taskstats *taskstats, struct mf_task_record *ret_record)
{
    for (;;) {
        const void *message = NULL;
        size_t len = 0;
        const int ret = mf__netlink_next(&taskstats->netlink, &message, &len);
        if (ret <= 0) {
            return ret;
        }
        if (mf_taskstats_parse(message, len, ret_record) == 1) {
            return 1;
        }
    }
}
