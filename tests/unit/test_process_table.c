/* SPDX-License-Identifier: Apache-2.0
 * test_process_table.c -- who belongs to a flight and what each process has used, from events and
 * records in every order in which the kernel may deliver them. What is written is read back with
 * the cursors. */
#include "cmocka_all.h"

#include "process_table.h"
#include "scratch.h"
#include "test_seed.h"

#include "base/fail.h"
#include "base/rng.h"

#include <mayfly/flight.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDER 1000
#define COMMAND  1001
/* Pids beyond any that can exist: /proc does not know them. */
#define PID(n) (5000000 + (n))

struct world {
    struct mf_event_writer events;
    struct mf_process_table *table;
    struct mf_host host;
    char dir[256];
    unsigned ends;
    unsigned renames;
    int64_t now_ns;
};

static void on_start(void *context, const struct mf_process *process)
{
    (void)context;
    (void)process;
}

static void on_close(void *context, const struct mf_process *process, uint64_t cpu_ns)
{
    (void)context;
    (void)process;
    (void)cpu_ns;
}

static void on_record(void *context, const struct mf_task_record *record)
{
    (void)context;
    (void)record;
}

static void on_end(void *context, struct mf_process *process)
{
    (void)process;
    ((struct world *)context)->ends++;
}

static void on_rename(void *context, struct mf_process *process)
{
    (void)process;
    ((struct world *)context)->renames++;
}

static void begin(struct world *w, bool with_events, bool with_records)
{
    static int number;
    char path[320];
    struct mf_errinfo err = {0};
    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "%s-%d", scratch_path("flight"), number++);
    assert_int_equal(mkdir(w->dir, 0700), 0);
    snprintf(path, sizeof path, "%s/events.log", w->dir);
    if (mf__events_open(&w->events, path, 0, NULL, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    const struct mf_process_table_spec spec = {
        .events = &w->events,
        .host = &w->host,
        .recorder_pid = RECORDER,
        .with_events = with_events,
        .with_records = with_records,
        .on_start = on_start,
        .on_close = on_close,
        .on_record = on_record,
        .on_end = on_end,
        .on_rename = on_rename,
        .context = w,
    };
    static const char *const argv[] = {"/usr/bin/make", "-j2", "it's all", NULL};
    assert_int_equal(mf__processes_new(&spec, &w->table, &err), 0);
    mf__processes_add_command(w->table, PID(1), 0, argv, 0);
}

static void event(struct world *w, enum mf_procevent_kind kind, int32_t tid, int32_t tgid,
                  int32_t parent, uint32_t status)
{
    const struct mf_procevent e = {.kind = kind,
                                   .monotonic_ns = ++w->now_ns,
                                   .tid = tid,
                                   .tgid = tgid,
                                   .parent = parent,
                                   .status = status};
    mf__processes_event(w->table, &e);
}

static void fork_event(struct world *w, int32_t parent, int32_t child)
{
    event(w, MF_PROCEVENT_FORK, child, child, parent, 0);
}

static void exit_event(struct world *w, int32_t tid, int32_t tgid, uint32_t status)
{
    event(w, MF_PROCEVENT_EXIT, tid, tgid, 0, status);
}

static void record(struct world *w, int32_t tid, int32_t tgid, const char *comm, uint64_t cpu_ns,
                   uint64_t rss_bytes)
{
    struct mf_task_record r = {.tid = tid,
                               .tgid = tgid,
                               .cpu_user_ns = cpu_ns,
                               .rss_peak_bytes = rss_bytes,
                               .read_bytes = 10,
                               .faults_minor = 3};
    snprintf(r.comm, sizeof r.comm, "%s", comm);
    mf__processes_record(w->table, &r);
}

/* One pass of the loop: all events, then all records, as drained from two sockets. */
static void pass(struct world *w)
{
    mf__processes_retry_records(w->table);
}

static void started(struct world *w)
{
    fork_event(w, RECORDER, PID(1)); /* those of the command, which is known already */
    event(w, MF_PROCEVENT_EXEC, PID(1), PID(1), 0, 0);
}

static void read_back(struct world *w, struct mf_flight_processes *processes)
{
    struct mf_errinfo err = {0};
    mf__processes_finish(w->table);
    mf__processes_close_ended(w->table);
    mf__events_close(&w->events);
    if (mf_flight_processes_read(w->dir, processes, &err) != 0) {
        fail_msg("%s", err.msg);
    }
}

static void end(struct world *w, struct mf_flight_processes *processes)
{
    mf_flight_processes_free(processes);
    mf__processes_free(w->table);
}

static void a_child_of_a_moment(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    fork_event(&w, PID(1), PID(2));
    event(&w, MF_PROCEVENT_EXEC, PID(2), PID(2), 0, 0);
    exit_event(&w, PID(2), PID(2), 0x0300);
    pass(&w);
    record(&w, PID(2), PID(2), "true", 777, 4096);
    mf__processes_settle(w.table);
    assert_int_equal(w.ends, 1);
    assert_int_equal(mf__processes_totals(w.table)->alive, 1);
    assert_int_equal(mf__processes_totals(w.table)->alive_peak, 2);
    read_back(&w, &p);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.items[1].number, 2);
    assert_int_equal(p.items[1].parent, 1);
    assert_string_equal(p.items[1].comm, "true"); /* only its exit record knew */
    assert_true(p.items[1].totals_exact && p.items[1].ended && p.items[1].start_exact);
    assert_int_equal(p.items[1].exit_code, 3);
    assert_int_equal(p.items[1].cpu_user_ns, 777);
    assert_int_equal(p.items[1].rss_peak_bytes, 4096);
    assert_int_equal(p.items[0].exec_count, 1);
    assert_string_equal(p.items[0].args, "/usr/bin/make -j2 'it'\\''s all'");
    assert_false(p.items[0].ended);
    end(&w, &p);
}

static void records_before_their_process(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    pass(&w);
    /* The record of a process whose fork came after the events were read, and one of a stranger. */
    record(&w, PID(2), PID(2), "early", 5, 0);
    record(&w, PID(99), PID(99), "stranger", 5, 0);
    mf__processes_settle(w.table);
    fork_event(&w, PID(1), PID(2));
    exit_event(&w, PID(2), PID(2), 0);
    pass(&w);
    mf__processes_settle(w.table);
    read_back(&w, &p);
    assert_int_equal(p.count, 2);
    assert_true(p.items[1].totals_exact);
    assert_string_equal(p.items[1].comm, "early");
    end(&w, &p);
}

static void a_record_before_the_exec(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    /* Its fork was read; it executed and ended before the records were. */
    fork_event(&w, PID(1), PID(2));
    pass(&w);
    record(&w, PID(2), PID(2), "true", 5, 0);
    mf__processes_settle(w.table);
    event(&w, MF_PROCEVENT_EXEC, PID(2), PID(2), 0, 0);
    exit_event(&w, PID(2), PID(2), 0);
    pass(&w);
    mf__processes_settle(w.table);
    read_back(&w, &p);
    assert_string_equal(p.items[1].comm, "true");
    assert_true(p.items[1].totals_exact);
    end(&w, &p);
}

static void strangers_are_none_of_ours(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    fork_event(&w, PID(50), PID(51));
    event(&w, MF_PROCEVENT_EXEC, PID(51), PID(51), 0, 0);
    event(&w, MF_PROCEVENT_CLONE, PID(52), PID(51), 0, 0);
    exit_event(&w, PID(51), PID(51), 0);
    /* An orphan's child, and what a process makes for its parent (CLONE_PARENT), are. */
    fork_event(&w, RECORDER, PID(3));
    read_back(&w, &p);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.items[1].pid, PID(3));
    end(&w, &p);
}

static void threads(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    fork_event(&w, PID(1), PID(10));
    event(&w, MF_PROCEVENT_CLONE, PID(11), PID(10), 0, 0);
    event(&w, MF_PROCEVENT_CLONE, PID(12), PID(10), 0, 0);
    assert_int_equal(mf__processes_totals(w.table)->threads, 4);
    /* The first thread ends first; the process lives on. */
    exit_event(&w, PID(10), PID(10), 0);
    pass(&w);
    record(&w, PID(10), PID(10), "multi", 100, 1000);
    mf__processes_settle(w.table);
    assert_int_equal(w.ends, 0);
    exit_event(&w, PID(11), PID(10), 0);
    exit_event(&w, PID(12), PID(10), 0);
    pass(&w);
    record(&w, PID(11), PID(10), "multi", 20, 1000);
    mf__processes_settle(w.table);
    assert_int_equal(w.ends, 0); /* a record is still missing */
    pass(&w);
    record(&w, PID(12), PID(10), "multi", 3, 1000);
    mf__processes_settle(w.table);
    assert_int_equal(w.ends, 1);
    read_back(&w, &p);
    assert_int_equal(p.items[1].cpu_user_ns, 123);
    assert_int_equal(p.items[1].rss_peak_bytes, 1000); /* of the address space, not added up */
    assert_int_equal(p.items[1].read_bytes, 30);
    assert_int_equal(p.items[1].threads, 3);
    assert_true(p.items[1].totals_exact);
    end(&w, &p);
}

static void records_without_a_thread_group(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true); /* as before Linux 5.19 */
    started(&w);
    fork_event(&w, PID(1), PID(10));
    event(&w, MF_PROCEVENT_CLONE, PID(11), PID(10), 0, 0);
    exit_event(&w, PID(11), PID(10), 0);
    exit_event(&w, PID(10), PID(10), 0);
    pass(&w);
    record(&w, PID(11), 0, "t", 40, 0);
    record(&w, PID(10), 0, "t", 2, 0);
    mf__processes_settle(w.table);
    read_back(&w, &p);
    assert_int_equal(p.items[1].cpu_user_ns, 42);
    assert_true(p.items[1].totals_exact);
    end(&w, &p);
}

static void an_exec_by_another_thread(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    fork_event(&w, PID(1), PID(10));
    event(&w, MF_PROCEVENT_CLONE, PID(11), PID(10), 0, 0);
    event(&w, MF_PROCEVENT_CLONE, PID(12), PID(10), 0, 0);
    /* 11 executes: 12 and the first thread end, 11 takes the number 10 over. */
    exit_event(&w, PID(12), PID(10), 0);
    exit_event(&w, PID(10), PID(10), 0);
    event(&w, MF_PROCEVENT_EXEC, PID(10), PID(10), 0, 0);
    assert_int_equal(mf__processes_totals(w.table)->threads, 2);
    pass(&w);
    record(&w, PID(12), PID(10), "before", 1, 0);
    record(&w, PID(10), PID(10), "before", 2, 0);
    mf__processes_settle(w.table);
    assert_int_equal(w.ends, 0);
    exit_event(&w, PID(10), PID(10), 0x0500);
    pass(&w);
    record(&w, PID(10), PID(10), "after", 4, 0);
    mf__processes_settle(w.table);
    assert_int_equal(w.ends, 1);
    read_back(&w, &p);
    assert_int_equal(p.items[1].exit_code, 5);
    assert_int_equal(p.items[1].cpu_user_ns, 7);
    assert_string_equal(p.items[1].comm, "after");
    end(&w, &p);
}

static void a_pid_that_is_used_again(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    fork_event(&w, PID(1), PID(2));
    exit_event(&w, PID(2), PID(2), 0x0100);
    pass(&w);
    record(&w, PID(2), PID(2), "first", 1, 0);
    mf__processes_settle(w.table);
    fork_event(&w, PID(1), PID(2));
    /* Its end is lost; the pid comes a third time. */
    fork_event(&w, PID(1), PID(2));
    exit_event(&w, PID(2), PID(2), 0x0300);
    pass(&w);
    record(&w, PID(2), PID(2), "third", 1, 0);
    mf__processes_settle(w.table);
    read_back(&w, &p);
    assert_int_equal(p.count, 4);
    assert_int_equal(p.items[1].exit_code, 1);
    assert_true(p.items[2].ended);
    assert_false(p.items[2].status_known);
    assert_int_equal(p.items[3].exit_code, 3);
    assert_string_equal(p.items[3].comm, "third");
    assert_int_equal(mf__processes_totals(w.table)->alive, 1);
    end(&w, &p);
}

static void a_record_that_never_comes(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    fork_event(&w, PID(1), PID(2));
    exit_event(&w, PID(2), PID(2), 9);
    for (int i = 0; i < 5; i++) {
        pass(&w);
        mf__processes_settle(w.table);
    }
    assert_int_equal(w.ends, 1);
    read_back(&w, &p);
    assert_false(mf__processes_totals(w.table)->ended_exact);
    assert_false(p.items[1].totals_exact);
    assert_int_equal(p.items[1].signal, 9);
    assert_true(p.items[1].cpu_user_ns == MF_FLIGHT_UNKNOWN || p.items[1].cpu_user_ns == 0);
    end(&w, &p);
}

static void io_is_passed_on_to_the_parent(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    fork_event(&w, PID(1), PID(2));
    fork_event(&w, PID(2), PID(3));
    exit_event(&w, PID(3), PID(3), 0);
    pass(&w);
    record(&w, PID(3), PID(3), "c", 1, 0);
    mf__processes_settle(w.table);
    exit_event(&w, PID(2), PID(2), 0);
    pass(&w);
    record(&w, PID(2), PID(2), "b", 1, 0);
    mf__processes_settle(w.table);
    /* What the kernel adds to the figures of process 1 when it waits. */
    assert_int_equal(mf__processes_find(w.table, PID(1))->waited.read_bytes, 20);
    read_back(&w, &p);
    assert_int_equal(p.items[1].read_bytes, 10);
    end(&w, &p);
}

static void scans_without_events(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, false, false);
    /* A real process, since it is looked at; and one that is gone before it can be. */
    mf__processes_scan_begin(w.table);
    mf__processes_scan_found(w.table, PID(1), 5);
    mf__processes_scan_found(w.table, getpid(), 5);
    mf__processes_scan_found(w.table, PID(7), 5);
    mf__processes_scan_end(w.table, 5);
    mf__processes_settle(w.table);
    assert_int_equal(mf__processes_totals(w.table)->alive, 2);
    /* The next time nobody is there but the command; that is reaped. */
    mf__processes_scan_begin(w.table);
    mf__processes_scan_found(w.table, PID(1), 9);
    mf__processes_scan_end(w.table, 9);
    mf__processes_settle(w.table);
    assert_int_equal(mf__processes_totals(w.table)->alive, 1);
    mf__processes_reaped(w.table, PID(1), 0x0200, 12);
    mf__processes_settle(w.table);
    read_back(&w, &p);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.items[0].exit_code, 2);
    assert_int_equal(p.items[0].end_ns, 12);
    assert_string_equal(p.items[1].comm, "test_unit_proce");
    assert_false(p.items[1].start_exact);
    assert_false(p.items[1].status_known);
    assert_true(p.items[1].args != NULL &&
                strstr(p.items[1].args, "test_unit_process_table") != NULL);
    end(&w, &p);
}

static void a_scan_and_its_late_fork_event(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    /* Events were lost, so somebody looked; then the fork event comes after all. */
    mf__processes_scan_begin(w.table);
    mf__processes_scan_found(w.table, PID(1), 5);
    mf__processes_scan_found(w.table, getpid(), 5);
    mf__processes_scan_end(w.table, 5);
    fork_event(&w, PID(1), getpid());
    exit_event(&w, getpid(), getpid(), 0);
    pass(&w);
    record(&w, getpid(), getpid(), "x", 9, 0);
    mf__processes_settle(w.table);
    read_back(&w, &p);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.items[1].cpu_user_ns, 9);
    end(&w, &p);
}

static void random_events_keep_the_books(void **state)
{
    (void)state;
    struct world w;
    struct mf_flight_processes p;
    begin(&w, true, true);
    started(&w);
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        const int32_t pid = PID(1 + (int)mf_rng_below(&rng, 40));
        const int32_t other = PID(1 + (int)mf_rng_below(&rng, 40));
        switch ((int)mf_rng_below(&rng, 6)) {
        case 0:
            fork_event(&w, other, pid == PID(1) ? PID(2) : pid);
            break;
        case 1:
            event(&w, MF_PROCEVENT_CLONE, PID(1000 + (int)mf_rng_below(&rng, 100)), pid, 0, 0);
            break;
        case 2:
            event(&w, MF_PROCEVENT_EXEC, pid, pid, 0, 0);
            break;
        case 3:
            exit_event(&w,
                       (int)mf_rng_below(&rng, 2) ? pid : PID(1000 + (int)mf_rng_below(&rng, 100)),
                       pid == PID(1) ? PID(2) : pid, 0);
            break;
        case 4:
            record(&w, (int)mf_rng_below(&rng, 2) ? pid : PID(1000 + (int)mf_rng_below(&rng, 100)),
                   (int)mf_rng_below(&rng, 2) ? pid : 0, "n", 1, 1);
            break;
        case 5:
            pass(&w);
            mf__processes_settle(w.table);
            if ((int)mf_rng_below(&rng, 4) == 0) {
                mf__processes_close_ended(w.table);
            }
            break;
        }
        uint64_t alive = 0;
        uint64_t threads_alive = 0;
        for (struct mf_process *q = mf__processes_first(w.table); q != NULL; q = q->next) {
            alive++;
            threads_alive += q->threads;
        }
        assert_int_equal(alive, mf__processes_totals(w.table)->alive);
        assert_int_equal(threads_alive, mf__processes_totals(w.table)->threads);
        assert_int_equal(alive + w.ends, mf__processes_totals(w.table)->started);
    }
    read_back(&w, &p);
    assert_int_equal(p.count, mf__processes_totals(w.table)->started);
    end(&w, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_of_a_moment),
        cmocka_unit_test(records_before_their_process),
        cmocka_unit_test(a_record_before_the_exec),
        cmocka_unit_test(strangers_are_none_of_ours),
        cmocka_unit_test(threads),
        cmocka_unit_test(records_without_a_thread_group),
        cmocka_unit_test(an_exec_by_another_thread),
        cmocka_unit_test(a_pid_that_is_used_again),
        cmocka_unit_test(a_record_that_never_comes),
        cmocka_unit_test(io_is_passed_on_to_the_parent),
        cmocka_unit_test(scans_without_events),
        cmocka_unit_test(a_scan_and_its_late_fork_event),
        cmocka_unit_test(random_events_keep_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
