/* SPDX-License-Identifier: Apache-2.0
 * test_os_netlink.c -- process events and exit records: what the parsers take of the messages of
 * old, new and future kernels, and, where permitted, what the kernel says of a child that lives a
 * moment. */
#include "cmocka_all.h"

#include "os/procevents.h"
#include "os/taskstats.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- process events ---- */

static size_t make_event(uint8_t *message, const struct proc_event *event, size_t event_len)
{
    struct nlmsghdr header = {.nlmsg_len =
                                  (uint32_t)(NLMSG_HDRLEN + sizeof(struct cn_msg) + event_len),
                              .nlmsg_type = NLMSG_DONE};
    struct cn_msg connector = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = (uint16_t)event_len};
    memcpy(message, &header, sizeof header);
    memcpy(message + NLMSG_HDRLEN, &connector, sizeof connector);
    memcpy(message + NLMSG_HDRLEN + sizeof connector, event, event_len);
    return header.nlmsg_len;
}

static void events_of_each_kind(void **state)
{
    (void)state;
    uint8_t message[256];
    struct mf_procevent event;
    struct proc_event raw = {.what = PROC_EVENT_FORK, .timestamp_ns = 99};
    raw.event_data.fork.parent_tgid = 10;
    raw.event_data.fork.child_pid = raw.event_data.fork.child_tgid = 20;
    assert_int_equal(mf_procevents_parse(message, make_event(message, &raw, sizeof raw), &event),
                     1);
    assert_int_equal(event.kind, MF_PROCEVENT_FORK);
    assert_int_equal(event.monotonic_ns, 99);
    assert_int_equal(event.parent, 10);
    assert_int_equal(event.tgid, 20);
    raw.event_data.fork.child_pid = 21;
    assert_int_equal(mf_procevents_parse(message, make_event(message, &raw, sizeof raw), &event),
                     1);
    assert_int_equal(event.kind, MF_PROCEVENT_CLONE);
    assert_int_equal(event.tid, 21);

    raw = (struct proc_event){.what = PROC_EVENT_COMM};
    raw.event_data.comm.process_pid = raw.event_data.comm.process_tgid = 5;
    memset(raw.event_data.comm.comm, 'x', sizeof raw.event_data.comm.comm);
    assert_int_equal(mf_procevents_parse(message, make_event(message, &raw, sizeof raw), &event),
                     1);
    assert_string_equal(event.comm, "xxxxxxxxxxxxxxxx"); /* ended even when the kernel's is not */

    raw = (struct proc_event){.what = PROC_EVENT_EXIT};
    raw.event_data.exit.process_pid = 6;
    raw.event_data.exit.process_tgid = 5;
    raw.event_data.exit.exit_code = 0x8b;
    /* Before Linux 4.18 the event has no parent. */
    assert_int_equal(
        mf_procevents_parse(message, make_event(message, &raw, sizeof raw - 8), &event), 1);
    assert_int_equal(event.kind, MF_PROCEVENT_EXIT);
    assert_int_equal(event.status, 0x8b);

    raw = (struct proc_event){.what = PROC_EVENT_UID};
    assert_int_equal(mf_procevents_parse(message, make_event(message, &raw, sizeof raw), &event),
                     0);
}

static void events_that_are_none(void **state)
{
    (void)state;
    uint8_t message[256];
    struct mf_procevent event;
    const struct proc_event raw = {.what = PROC_EVENT_EXEC};
    const size_t len = make_event(message, &raw, sizeof raw);
    for (size_t cut = 0; cut < NLMSG_HDRLEN + sizeof(struct cn_msg) + 16; cut++) {
        assert_int_equal(mf_procevents_parse(message, cut, &event), MF_ESYNTAX);
    }
    struct cn_msg connector;
    memcpy(&connector, message + NLMSG_HDRLEN, sizeof connector);
    connector.len = 1000; /* more than there is */
    memcpy(message + NLMSG_HDRLEN, &connector, sizeof connector);
    assert_int_equal(mf_procevents_parse(message, len, &event), MF_ESYNTAX);
    connector.len = sizeof raw;
    connector.id.idx = 77; /* another subsystem */
    memcpy(message + NLMSG_HDRLEN, &connector, sizeof connector);
    assert_int_equal(mf_procevents_parse(message, len, &event), MF_ESYNTAX);
}

/* ---- exit records ---- */

static size_t put_attribute(uint8_t *at, uint16_t type, const void *bytes, size_t len)
{
    const struct nlattr attribute = {(uint16_t)(sizeof attribute + len), type};
    memcpy(at, &attribute, sizeof attribute);
    memcpy(at + sizeof attribute, bytes, len);
    return NLA_ALIGN(attribute.nla_len);
}

static size_t make_record(uint8_t *message, uint16_t aggregate, const void *stats, size_t stats_len)
{
    uint8_t inner[1024] = {0};
    const uint32_t pid = 31;
    size_t inner_len = put_attribute(inner, TASKSTATS_TYPE_PID, &pid, sizeof pid);
    inner_len += put_attribute(inner + inner_len, TASKSTATS_TYPE_STATS, stats, stats_len);
    const struct genlmsghdr generic = {.cmd = TASKSTATS_CMD_NEW, .version = 1};
    const size_t head = NLMSG_HDRLEN + GENL_HDRLEN;
    memcpy(message + NLMSG_HDRLEN, &generic, sizeof generic);
    const size_t len = head + put_attribute(message + head, aggregate, inner, inner_len);
    const struct nlmsghdr header = {.nlmsg_len = (uint32_t)len, .nlmsg_type = NLMSG_MIN_TYPE + 9};
    memcpy(message, &header, sizeof header);
    return len;
}

static struct taskstats sample_stats(uint16_t version)
{
    struct taskstats stats;
    memset(&stats, 0, sizeof stats);
    stats.version = version;
    stats.ac_exitcode = 0x0900;
    stats.ac_pid = 31;
    stats.ac_ppid = 7;
    stats.ac_tgid = 30;
    stats.ac_utime = 3000;
    stats.ac_stime = 1000;
    stats.ac_etime = 5000;
    stats.cpu_run_virtual_total = 4444000;
    stats.hiwater_rss = 2048;
    stats.read_char = 11;
    stats.write_bytes = 100;
    stats.cancelled_write_bytes = 40;
    stats.nvcsw = 5;
    stats.nivcsw = 6;
    memset(stats.ac_comm, 'c', sizeof stats.ac_comm);
    return stats;
}

static void records_of_all_versions(void **state)
{
    (void)state;
    uint8_t message[2048];
    struct mf_task_record record;
    struct taskstats stats = sample_stats(12);
    assert_int_equal(
        mf_taskstats_parse(
            message, make_record(message, TASKSTATS_TYPE_AGGR_PID, &stats, sizeof stats), &record),
        1);
    assert_int_equal(record.tid, 31);
    assert_int_equal(record.tgid, 30);
    assert_int_equal(record.status, 0x0900);
    assert_int_equal(record.cpu_user_ns + record.cpu_system_ns, 4444000);
    assert_int_equal(record.cpu_user_ns, 3333000);
    assert_int_equal(record.elapsed_ns, 5000000);
    assert_int_equal(record.rss_peak_bytes, 2048 * 1024);
    assert_int_equal(record.write_bytes, 60);
    assert_int_equal(record.switches_involuntary, 6);
    assert_int_equal(strlen(record.comm), 32); /* ended even when the kernel's is not */

    /* Version 9 ends long before the thread group; what stands behind it is not the record's. */
    stats = sample_stats(9);
    const size_t old_len = offsetof(struct taskstats, ac_btime64);
    assert_int_equal(
        mf_taskstats_parse(message, make_record(message, TASKSTATS_TYPE_AGGR_PID, &stats, old_len),
                           &record),
        1);
    assert_int_equal(record.tgid, 0);
    assert_int_equal(record.switches_voluntary, 5);

    /* A future one is longer. */
    uint8_t future[sizeof stats + 64] = {0};
    stats = sample_stats(99);
    memcpy(future, &stats, sizeof stats);
    assert_int_equal(
        mf_taskstats_parse(
            message, make_record(message, TASKSTATS_TYPE_AGGR_PID, future, sizeof future), &record),
        1);
    assert_int_equal(record.tgid, 30);
}

static void cpu_time_is_split_as_the_kernel_does(void **state)
{
    (void)state;
    static const struct {
        uint64_t user_us, system_us, exact_ns, want_user, want_system;
    } cases[] = {
        {0, 0, 900, 900, 0},               /* no tick hit it */
        {0, 4000, 900, 0, 900},            /* only system ticks */
        {4000, 0, 900, 900, 0},            /* only user ticks */
        {4000, 4000, 900, 450, 450},       /* halves */
        {4000, 8000, 0, 4000000, 8000000}, /* a kernel without the exact sum */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t message[2048];
        struct mf_task_record record;
        struct taskstats stats = sample_stats(13);
        stats.ac_utime = cases[i].user_us;
        stats.ac_stime = cases[i].system_us;
        stats.cpu_run_virtual_total = cases[i].exact_ns;
        const size_t len = make_record(message, TASKSTATS_TYPE_AGGR_PID, &stats, sizeof stats);
        assert_int_equal(mf_taskstats_parse(message, len, &record), 1);
        assert_int_equal(record.cpu_user_ns, cases[i].want_user);
        assert_int_equal(record.cpu_system_ns, cases[i].want_system);
    }
}

static void records_that_are_none(void **state)
{
    (void)state;
    uint8_t message[2048];
    struct mf_task_record record;
    struct taskstats stats = sample_stats(13);
    /* The sums of a group repeat what the threads' records had. */
    assert_int_equal(
        mf_taskstats_parse(
            message, make_record(message, TASKSTATS_TYPE_AGGR_TGID, &stats, sizeof stats), &record),
        0);
    /* Too short to have what is needed. */
    assert_int_equal(mf_taskstats_parse(message,
                                        make_record(message, TASKSTATS_TYPE_AGGR_PID, &stats, 100),
                                        &record),
                     MF_ESYNTAX);
    const size_t len = make_record(message, TASKSTATS_TYPE_AGGR_PID, &stats, sizeof stats);
    for (size_t cut = 0; cut < len; cut++) {
        assert_true(mf_taskstats_parse(message, cut, &record) <= 0);
    }
    struct nlmsghdr header = {.nlmsg_len = 36, .nlmsg_type = NLMSG_ERROR};
    memcpy(message, &header, sizeof header);
    assert_int_equal(mf_taskstats_parse(message, 36, &record), 0);
}

/* ---- the kernel itself ---- */

static void a_moment_of_life(void **state)
{
    (void)state;
    struct mf_procevents *events = NULL;
    struct mf_taskstats *taskstats = NULL;
    struct mf_errinfo err = {0};
    if (mf_procevents_open(&events, &err) < 0) {
        print_message("not permitted here: %s\n", err.msg);
        skip();
    }
    const bool with_records = mf_taskstats_open(&taskstats, &err) == 0;
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(3);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    bool forked = false;
    bool exited = false;
    bool recorded = !with_records;
    const time_t until = time(NULL) + 30;
    while (time(NULL) < until && !(forked && exited && recorded)) {
        struct pollfd item = {.fd = mf_procevents_descriptor(events), .events = POLLIN};
        (void)poll(&item, 1, 10);
        struct mf_procevent event;
        while (mf_procevents_next(events, &event) == 1) {
            forked = forked || (event.kind == MF_PROCEVENT_FORK && event.tgid == pid &&
                                event.parent == getpid());
            exited = exited || (event.kind == MF_PROCEVENT_EXIT && event.tgid == pid &&
                                event.status == 0x0300);
        }
        struct mf_task_record record;
        while (with_records && mf_taskstats_next(taskstats, &record) == 1) {
            recorded = recorded || (record.tid == pid && record.status == 0x0300);
        }
    }
    mf_procevents_close(events);
    mf_taskstats_close(taskstats);
    assert_true(forked);
    assert_true(exited);
    assert_true(recorded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_each_kind),
        cmocka_unit_test(events_that_are_none),
        cmocka_unit_test(records_of_all_versions),
        cmocka_unit_test(cpu_time_is_split_as_the_kernel_does),
        cmocka_unit_test(records_that_are_none),
        cmocka_unit_test(a_moment_of_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
