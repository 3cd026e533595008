/* SPDX-License-Identifier: Apache-2.0
 * test_os_proc.c -- /proc: what the parsers take, and what the reader says of living and vanished
 * processes. */
#include "cmocka_all.h"

#include "os/clock.h"
#include "os/kernellog.h"
#include "os/proc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int parse_stat(const char *text, struct mf_proc_stat *stat)
{
    return mf_proc_parse_stat(text, strlen(text), stat);
}

static void stat_of_an_ordinary_process(void **state)
{
    (void)state;
    struct mf_proc_stat stat;
    assert_int_equal(
        parse_stat("4242 (cc1plus) R 4200 4200 77 34816 4300 4194304 12345 6 7 8 150 25 3 4 20 "
                   "0 9 0 987654 104857600 2560 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 "
                   "0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
                   &stat),
        0);
    assert_int_equal(stat.pid, 4242);
    assert_string_equal(stat.comm, "cc1plus");
    assert_int_equal(stat.state, 'R');
    assert_int_equal(stat.parent_pid, 4200);
    assert_int_equal(stat.group, 4200);
    assert_int_equal(stat.session, 77);
    assert_int_equal(stat.faults_minor, 12345);
    assert_int_equal(stat.faults_major, 7);
    const uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    assert_int_equal(stat.cpu_user_ns, 150 * tick_ns);
    assert_int_equal(stat.cpu_system_ns, 25 * tick_ns);
    assert_int_equal(stat.threads, 9);
    assert_int_equal(stat.start_ticks, 987654);
    assert_int_equal(stat.rss_bytes, 2560 * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void stat_with_a_name_that_lies(void **state)
{
    (void)state;
    struct mf_proc_stat stat;
    assert_int_equal(
        parse_stat("7 (a) R 1 (b)\n) S 3 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 5 0 -1", &stat), 0);
    assert_string_equal(stat.comm, "a) R 1 (b)\n");
    assert_int_equal(stat.state, 'S');
    assert_int_equal(stat.parent_pid, 3);
    assert_int_equal(stat.rss_bytes, 0); /* a negative approximation is no memory */
    assert_int_equal(parse_stat("7 () S 3 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 5 0 0", &stat), 0);
    assert_string_equal(stat.comm, "");
}

static void stat_that_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "7",
        "7 ",
        "7 (",
        "7 (a",
        "7 (a)",
        "7 (a) S",
        "7 (a) S ",
        "x (a) S 1 1 1",
        "7 (a) S 3 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 5 0", /* one field short */
        "7 (a) S 3 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 99999999999999999999999 0 0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mf_proc_stat stat = {.pid = -5};
        assert_int_equal(parse_stat(bad[i], &stat), MF_ESYNTAX);
        assert_int_equal(stat.pid, -5);
    }
}

static void the_other_files(void **state)
{
    (void)state;
    static const char io_text[] = "rchar: 10\nwchar: 20\nsyscr: 1\nsyscw: 2\nread_bytes: 4096\n"
                                  "write_bytes: 8192\ncancelled_write_bytes: 4096\n";
    struct mf_proc_io io;
    assert_int_equal(mf_proc_parse_io(io_text, strlen(io_text), &io), 0);
    assert_int_equal(io.read_chars, 10);
    assert_int_equal(io.write_bytes, 4096);
    assert_int_equal(mf_proc_parse_io(io_text, 40, &io), MF_ESYNTAX);

    static const char status_text[] =
        "Name:\tx\nTgid:\t12\nUid:\t1000\t0\t0\t0\nVmHWM:\t  300 kB\n"
        "voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n";
    struct mf_proc_status status;
    assert_int_equal(mf_proc_parse_status(status_text, strlen(status_text), &status), 0);
    assert_int_equal(status.thread_group, 12);
    assert_int_equal(status.uid, 1000);
    assert_int_equal(status.rss_peak_bytes, 300 * 1024);
    assert_int_equal(status.switches_voluntary, 5);
    assert_int_equal(status.switches_involuntary, 6);

    struct mf_proc_schedstat schedstat;
    assert_int_equal(mf_proc_parse_schedstat("123456789 5 7\n", 14, &schedstat), 0);
    assert_int_equal(schedstat.run_ns, 123456789);
    assert_int_equal(mf_proc_parse_schedstat("12 5\n", 5, &schedstat), MF_ESYNTAX);

    uint64_t value = 0;
    static const char rollup[] = "5581-7ffd ---p 00000000 00:00 0 [rollup]\nRss: 4 kB\nPss: 3 kB\n"
                                 "Pss_Anon: 1 kB\n";
    assert_int_equal(mf_proc_parse_pss(rollup, strlen(rollup), &value), 0);
    assert_int_equal(value, 3 * 1024);
    static const char events[] = "low 0\nhigh 1\nmax 17\noom 2\noom_kill 3\noom_group_kill 0\n";
    assert_int_equal(mf_proc_parse_keyed(events, strlen(events), "oom_kill", &value), 0);
    assert_int_equal(value, 3);
    assert_int_equal(mf_proc_parse_keyed(events, strlen(events), "oom_", &value), MF_ENOTFOUND);
}

static void the_kernel_log(void **state)
{
    (void)state;
    static const char cgroup[] = "3,1234,5678901,-;Memory cgroup out of memory: Killed process "
                                 "4711 (py) (x) total-vm:534200kB, "
                                 "anon-rss:510000kB, file-rss:2000kB, shmem-rss:24kB, UID:0 "
                                 "pgtables:1060kB oom_score_adj:0\n";
    struct mf_oom_message message;
    assert_int_equal(mf_kernellog_parse_oom(cgroup, strlen(cgroup), &message), 1);
    assert_int_equal(message.pid, 4711);
    assert_string_equal(message.comm, "py) (x");
    assert_int_equal(message.rss_bytes, UINT64_C(512024) * 1024);
    assert_true(message.of_cgroup);
    static const char machine[] =
        "3,1,1,-;Out of memory: Killed process 9 (a) total-vm:1kB, anon-rss:2kB";
    assert_int_equal(mf_kernellog_parse_oom(machine, strlen(machine), &message), 1);
    assert_false(message.of_cgroup);
    static const char *const others[] = {
        "6,1,1,-;eth0: link up", "3,1,1,-;Out of memory: Killed process",
        "3,1,1,-;Out of memory: Killed process -3 (a) total-vm:1kB", ""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(mf_kernellog_parse_oom(others[i], strlen(others[i]), &message), 0);
    }
}

static void a_living_process(void **state)
{
    (void)state;
    prctl(PR_SET_NAME, "a) S 1 (\nb");
    struct mf_proc *proc = NULL;
    struct mf_proc_stat stat;
    struct mf_proc_io io;
    struct mf_proc_status status;
    struct mf_proc_schedstat schedstat;
    uint64_t number = 0;
    char args[4096];
    size_t len = 0;
    assert_int_equal(mf_proc_open(getpid(), true, &proc), 0);
    for (int round = 0; round < 2; round++) { /* the second from the kept descriptors */
        assert_int_equal(mf_proc_read_stat(proc, &stat), 0);
        assert_int_equal(stat.pid, getpid());
        assert_int_equal(stat.parent_pid, getppid());
        assert_string_equal(stat.comm, "a) S 1 (\nb");
        assert_int_equal(mf_proc_read_io(proc, &io), 0);
        assert_int_equal(mf_proc_read_thread_io(proc, &io), 0);
        assert_int_equal(mf_proc_read_schedstat(proc, &schedstat), 0);
        assert_true(schedstat.run_ns > 0);
    }
    assert_int_equal(mf_proc_read_status(proc, &status), 0);
    assert_int_equal(status.uid, getuid());
    assert_int_equal(mf_proc_read_switches(proc, 10, &number, &number), 0);
    assert_int_equal(mf_proc_read_pss(proc, &number), 0);
    assert_true(number > 0);
    assert_int_equal(mf_proc_read_args(proc, args, sizeof args, &len), 0);
    assert_true(len > 0 && args[len - 1] == '\0');
    const int descriptors = mf_proc_read_descriptors(proc, &number);
    assert_true(descriptors == MF_EUNSUPPORTED || (descriptors == 0 && number >= 3));
    mf_proc_close(proc);
    prctl(PR_SET_NAME, "test_os_proc");
}

static pid_t start_sleeper(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    assert_true(pid > 0);
    return pid;
}

static void a_process_that_vanishes(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct mf_proc *proc = NULL;
        struct mf_proc_stat stat;
        struct mf_proc_io io;
        uint64_t pss = 0;
        size_t len = 0;
        char text[64];
        const pid_t pid = start_sleeper();
        assert_int_equal(mf_proc_open(pid, keep != 0, &proc), 0);
        assert_int_equal(mf_proc_read_stat(proc, &stat), 0);
        kill(pid, SIGKILL);
        siginfo_t info;
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(mf_proc_read_stat(proc, &stat),
                         0); /* a zombie still says how much it was */
        assert_int_equal(stat.state, 'Z');
        assert_int_equal(mf_proc_read_args(proc, text, sizeof text, &len), 0);
        assert_int_equal(len, 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(mf_proc_read_stat(proc, &stat), -ESRCH);
        assert_int_equal(mf_proc_read_io(proc, &io), -ESRCH);
        assert_int_equal(mf_proc_read_pss(proc, &pss), -ESRCH);
        assert_int_equal(mf_proc_read_switches(proc, 4, &pss, &pss), -ESRCH);
        mf_proc_close(proc);
        assert_int_equal(mf_proc_open(pid, keep != 0, &proc), -ESRCH);
    }
}

static int find_pid(void *context, int32_t pid)
{
    return pid == *(int32_t *)context ? 77 : 0;
}

static void who_is_there(void **state)
{
    (void)state;
    int32_t self = getpid();
    int32_t nobody = -3;
    assert_int_equal(mf_proc_each(find_pid, &self), 77);
    assert_int_equal(mf_proc_each(find_pid, &nobody), 0);
    const pid_t pid = start_sleeper();
    int32_t child = pid;
    const int ret = mf_proc_each_child(self, find_pid, &child);
    assert_true(ret == 77 || ret == MF_EUNSUPPORTED);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(mf_proc_each_child(pid, find_pid, &child), -ESRCH);
}

static void the_machine(void **state)
{
    (void)state;
    struct mf_host host;
    mf_host_read(&host);
    assert_true(host.cpus >= 1 && host.memory_bytes > 0);
    assert_true(strlen(host.boot_id) == 36);
    struct mf_proc *proc = NULL;
    struct mf_proc_stat stat;
    const pid_t pid = start_sleeper();
    assert_int_equal(mf_proc_open(pid, false, &proc), 0);
    assert_int_equal(mf_proc_read_stat(proc, &stat), 0);
    const int64_t start_ns = mf_proc_start_monotonic_ns(stat.start_ticks, &host);
    const int64_t now_ns = mf_clock_monotonic_ns(NULL);
    assert_true(start_ns <= now_ns);
    assert_true(now_ns - start_ns < 60 * MF_NS_PER_SECOND);
    mf_proc_close(proc);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void names_in_status(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *comm;
    } cases[] = {
        {"Name:\tworker", "worker"},
        {"Name:\ttwo words", "two words"},
        {"Name:\t lead", " lead"},
        {"Name:\ta\\nb", "a\nb"},
        {"Name:\tback\\\\slash", "back\\slash"},
        {"Name:\t(x) R 1)", "(x) R 1)"},
        {"Name:\t", ""},
        {"Name:\tkworker/u8:3-events_unbound-of-a-very-long-kind-that-does-not-fit-in-here",
         "kworker/u8:3-events_unbound-of-a-very-long-kind-that-does-not-f"},
        {"Other:\tx", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[400];
        struct mf_proc_status status;
        snprintf(text, sizeof text,
                 "%s\nTgid:\t12\nUid:\t0\t0\t0\t0\nvoluntary_ctxt_switches:\t5\n"
                 "nonvoluntary_ctxt_switches:\t6\n",
                 cases[i].line);
        assert_int_equal(mf_proc_parse_status(text, strlen(text), &status), 0);
        assert_string_equal(status.comm, cases[i].comm);
        assert_true(status.rss_peak_bytes == MF_PROC_UNKNOWN);
    }
}

static void schedstat_as_kernels_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int ret;
        uint64_t run_ns, wait_ns, slices;
    } cases[] = {
        {"123456789 5 7\n", 0, 123456789, 5, 7},
        {"0 0 0\n", 0, 0, 0, 0}, /* switched off */
        {"18446744073709551615 1 2\n", 0, UINT64_MAX, 1, 2},
        {"18446744073709551616 1 2\n", MF_ESYNTAX, 0, 0, 0},
        {"1 2 3 4 5\n", 0, 1, 2, 3}, /* some had more */
        {"1 2", MF_ESYNTAX, 0, 0, 0},
        {"", MF_ESYNTAX, 0, 0, 0},
        {"a b c\n", MF_ESYNTAX, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mf_proc_schedstat schedstat = {0, 0, 0};
        assert_int_equal(mf_proc_parse_schedstat(cases[i].text, strlen(cases[i].text), &schedstat),
                         cases[i].ret);
        assert_true(schedstat.run_ns == cases[i].run_ns);
        assert_true(schedstat.wait_ns == cases[i].wait_ns);
        assert_true(schedstat.slices == cases[i].slices);
    }
}

static int count_thread(void *context, int32_t tid)
{
    (void)tid;
    ++*(unsigned *)context;
    return 0;
}

/* Of a child of one thread, alive, dead and reaped. */
static void threads_of_a_process(void **state)
{
    (void)state;
    struct mf_proc *proc = NULL;
    struct mf_proc_schedstat schedstat;
    struct mf_proc_status status;
    char comm[MF_PROC_COMM_LEN];
    uint32_t count = 0;
    uint64_t cpu_ns = 0;
    unsigned seen = 0;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            pause();
        }
    }
    assert_int_equal(mf_proc_open(pid, true, &proc), 0);
    assert_int_equal(mf_proc_count_threads(proc, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(mf_proc_each_thread(proc, count_thread, &seen), 0);
    assert_int_equal(seen, 1);
    assert_int_equal(mf_proc_read_cpu(proc, &cpu_ns), 0);
    const int descriptor = mf_proc_thread_open(proc, pid);
    assert_true(descriptor >= 0);
    assert_int_equal(mf_proc_thread_read_schedstat(proc, pid, descriptor, &schedstat), 0);
    assert_int_equal(mf_proc_thread_read_schedstat(proc, pid, -1, &schedstat), 0);
    assert_int_equal(mf_proc_thread_read_status(proc, pid, &status), 0);
    assert_int_equal(mf_proc_thread_read_comm(proc, pid, comm), 0);
    assert_string_equal(comm, status.comm);
    assert_int_equal(mf_proc_thread_read_schedstat(proc, pid + 1, -1, &schedstat), -ESRCH);
    kill(pid, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(mf_proc_read_cpu(proc, &cpu_ns), 0); /* a zombie has its figures yet */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(mf_proc_read_cpu(proc, &cpu_ns), -ESRCH);
    assert_int_equal(mf_proc_count_threads(proc, &count), -ESRCH);
    assert_int_equal(mf_proc_thread_read_schedstat(proc, pid, descriptor, &schedstat), -ESRCH);
    assert_int_equal(mf_proc_thread_read_schedstat(proc, pid, -1, &schedstat), -ESRCH);
    close(descriptor);
    mf_proc_close(proc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_status),
        cmocka_unit_test(schedstat_as_kernels_write_it),
        cmocka_unit_test(threads_of_a_process),
        cmocka_unit_test(stat_of_an_ordinary_process),
        cmocka_unit_test(stat_with_a_name_that_lies),
        cmocka_unit_test(stat_that_is_none),
        cmocka_unit_test(the_other_files),
        cmocka_unit_test(the_kernel_log),
        cmocka_unit_test(a_living_process),
        cmocka_unit_test(a_process_that_vanishes),
        cmocka_unit_test(who_is_there),
        cmocka_unit_test(the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
