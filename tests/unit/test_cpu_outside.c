/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cpu_outside.c -- threads of another process, watched from outside. The other process is
 * burner, whose threads use CPU time by their own clocks and say how much; nothing here depends on
 * how long that takes.
 */
#include "cmocka_all.h"

#include "cpu/outside.h"
#include "os/clock.h"
#include "os/procevents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS       1000000
#define PATIENCE (60 * MF_NS_PER_SECOND)

/* ---- burner -------------------------------------------------------------------------------------
 */

struct burner {
    pid_t pid;
    int input;  /* closing it lets held threads end */
    int output; /* what it says */
    char text[65536];
    size_t len;
};

static void start(struct burner *burner, const char *const *args)
{
    int in[2];
    int out[2];
    char path[1024];
    const char *dir = getenv("MAYFLY_BINARY_DIR");
    assert_non_null(dir);
    snprintf(path, sizeof path, "%s/tests/burner", dir);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    burner->len = 0;
    burner->pid = fork();
    assert_true(burner->pid >= 0);
    if (burner->pid == 0) {
        char *argv[16] = {path};
        for (int i = 0; args[i] != NULL && i < 14; i++) {
            argv[i + 1] = strdup(args[i]);
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever becomes of the test */
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execv(path, argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    burner->input = in[1];
    burner->output = out[0];
}

/* Reads what it says until there are `lines` of it. */
static void await_lines(struct burner *burner, unsigned lines)
{
    const int64_t until_ns = mf_clock_monotonic_ns(NULL) + PATIENCE;
    for (;;) {
        unsigned have = 0;
        for (size_t i = 0; i < burner->len; i++) {
            have += burner->text[i] == '\n';
        }
        if (have >= lines) {
            return;
        }
        struct pollfd item = {.fd = burner->output, .events = POLLIN};
        const int64_t left_ns = until_ns - mf_clock_monotonic_ns(NULL);
        if (left_ns <= 0 || poll(&item, 1, (int)(left_ns / MS)) <= 0) {
            fail_msg("burner said %u of %u lines within a minute", have, lines);
        }
        const ssize_t len =
            read(burner->output, burner->text + burner->len, sizeof burner->text - 1 - burner->len);
        if (len <= 0) {
            fail_msg("burner ended after %u of %u lines", have, lines);
        }
        burner->len += (size_t)len;
        burner->text[burner->len] = '\0';
    }
}

/* The CPU time that it said of the thread. */
static uint64_t said_of(const struct burner *burner, int32_t tid)
{
    const char *line = burner->text;
    while (line != NULL && *line != '\0') {
        char *end = NULL;
        if (strtol(line, &end, 10) == tid && *end == ' ') {
            return strtoull(end, NULL, 10);
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return 0;
}

static void stop(struct burner *burner)
{
    kill(burner->pid, SIGKILL);
    assert_int_equal(waitpid(burner->pid, NULL, 0), burner->pid);
    close(burner->input);
    close(burner->output);
}

/* ---- watches ------------------------------------------------------------------------------------
 */

struct told {
    unsigned begun, ended;
    struct mf_watch_violation last;
    char comm[MF_PROC_COMM_LEN];
    bool had_proc;
    struct mf_watch_evidence evidence;
    uint64_t burst_sum_ns;
};

static uint64_t on_violation(void *context, const struct mf_watch_violation *violation)
{
    struct told *told = context;
    told->begun += !violation->ended;
    told->ended += violation->ended;
    told->last = *violation;
    snprintf(told->comm, sizeof told->comm, "%s", violation->comm);
    told->last.comm = told->comm;
    if (violation->ended) {
        assert_int_equal(violation->begin, 4711);
    } else if (violation->proc != NULL) {
        told->had_proc = true;
        mf_watch_look_at(violation->proc, violation->tid, &told->evidence);
    }
    return 4711;
}

static void on_burst(void *context, uint64_t cpu_ns)
{
    ((struct told *)context)->burst_sum_ns += cpu_ns;
}

static struct mf_watch *watch_with(struct told *told, const char *const *budgets, bool records,
                                   uint64_t descriptors_max)
{
    struct mf_watch_budget parsed[4];
    size_t count = 0;
    memset(told, 0, sizeof *told);
    for (; budgets != NULL && budgets[count] != NULL; count++) {
        assert_int_equal(mf_watch_budget_parse(budgets[count], &parsed[count], NULL), 0);
    }
    const struct mf_watch_spec spec = {
        .budgets = parsed,
        .budget_count = count,
        .interval_ns = 10 * MS,
        .descriptors_max = descriptors_max,
        .with_records = records,
        .on_violation = on_violation,
        .on_burst = on_burst,
        .context = told,
    };
    struct mf_watch *watch = NULL;
    assert_int_equal(mf_watch_new(&spec, &watch, NULL), 0);
    return watch;
}

static const struct mf_watch_name *name_of(struct mf_watch *watch, const char *comm)
{
    struct mf_watch_name *names = NULL;
    const size_t count = mf_watch_names(watch, &names);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].comm, comm) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

/* A thread that runs has what the scheduler booked last: samples until it has used `cpu_ns`. What
 * it used before it got its name is not among that. */
static void sample_until(struct mf_watch *watch, const char *comm, uint64_t cpu_ns)
{
    const int64_t until_ns = mf_clock_monotonic_ns(NULL) + PATIENCE;
    const struct mf_watch_name *name = NULL;
    do {
        mf_watch_sample(watch);
        name = name_of(watch, comm);
        if (mf_clock_monotonic_ns(NULL) > until_ns) {
            struct mf_watch_name *names = NULL;
            const size_t count = mf_watch_names(watch, &names);
            for (size_t i = 0; i < count; i++) {
                print_message("%s: %llu threads, %llu alive, %llu ns\n", names[i].comm,
                              (unsigned long long)names[i].threads,
                              (unsigned long long)names[i].alive,
                              (unsigned long long)names[i].figures.cpu_ns);
            }
            fail_msg("%s has not used %llu ns in time", comm, (unsigned long long)cpu_ns);
        }
    } while (name == NULL || name->figures.cpu_ns < cpu_ns);
}

struct found {
    struct mf_watch_thread threads[64];
    char comms[64][MF_PROC_COMM_LEN];
    unsigned count;
};

static void keep_thread(void *context, const struct mf_watch_thread *thread)
{
    struct found *found = context;
    if (found->count < 64) {
        found->threads[found->count] = *thread;
        snprintf(found->comms[found->count++], MF_PROC_COMM_LEN, "%s", thread->comm);
    }
}

/* ---- figures ------------------------------------------------------------------------------------
 */

static void every_thread_has_the_time_that_it_used(void **state)
{
    (void)state;
    static const char *const args[] = {
        "--hold", "3:20000:plain", "1:5000:two words", "1:3000:(a) R 1\n)", "1:1000:back\\slash",
        NULL};
    struct burner burner;
    struct told told;
    static struct found found;
    start(&burner, args);
    struct mf_watch *watch = watch_with(&told, NULL, false, 1000);
    mf_watch_add(watch, burner.pid, 9, true);
    mf_watch_sample(watch);
    await_lines(&burner, 7);
    sample_until(watch, "plain", 57 * MS);
    sample_until(watch, "two words", 4 * MS);
    sample_until(watch, "(a) R 1\n)", 2 * MS);
    sample_until(watch, "back\\slash", MS / 2);
    found.count = 0;
    mf_watch_each(watch, keep_thread, &found);
    assert_int_equal(found.count, 7);
    unsigned said = 0;
    for (unsigned i = 0; i < found.count; i++) {
        const struct mf_watch_thread *thread = &found.threads[i];
        const uint64_t cpu_ns = said_of(&burner, thread->tid);
        assert_int_equal(thread->pid, burner.pid);
        assert_int_equal(thread->tag, 9);
        if (thread->tid != burner.pid) {
            said++;
            assert_true(cpu_ns > 0);
            /* It said so before the last that it did: writing, waiting. */
            assert_true(thread->figures.cpu_ns + MS >= cpu_ns);
            assert_true(thread->figures.cpu_ns < cpu_ns + 10 * MS);
        }
    }
    assert_int_equal(said, 6);
    const struct mf_watch_name *plain = name_of(watch, "plain");
    assert_non_null(plain);
    assert_int_equal(plain->threads, 3);
    assert_int_equal(plain->alive, 3);
    assert_true(plain->figures.slices >= 3);
    assert_true(plain->burst_ns > 0);
    assert_non_null(name_of(watch, "two words"));
    assert_non_null(name_of(watch, "(a) R 1\n)"));
    assert_non_null(name_of(watch, "back\\slash"));
    struct mf_watch_totals totals;
    mf_watch_totals(watch, &totals);
    assert_true(totals.threads >= 7); /* a sanitizer may have one of its own before the execve */
    assert_int_equal(totals.alive, 7);
    assert_int_equal(totals.violations, 0);
    assert_true(totals.cpu_ns >= 69 * MS);
    assert_true(totals.figures.cpu_ns <= totals.cpu_ns + 10 * MS);
    assert_int_equal(told.burst_sum_ns, totals.figures.cpu_ns);
    assert_true(totals.figures.switches_voluntary + totals.figures.switches_involuntary > 0);
    stop(&burner);
    mf_watch_free(watch);
}

/* Of one that runs already, what it used before is not counted. */
static void what_was_before_does_not_count(void **state)
{
    (void)state;
    static const char *const args[] = {"--hold", "1:50000:early", NULL};
    struct burner burner;
    struct told told;
    start(&burner, args);
    await_lines(&burner, 2);
    struct mf_watch *watch = watch_with(&told, NULL, false, 1000);
    mf_watch_add(watch, burner.pid, 0, false);
    mf_watch_sample(watch);
    mf_watch_sample(watch);
    struct mf_watch_totals totals;
    mf_watch_totals(watch, &totals);
    assert_int_equal(totals.alive, 2);
    assert_true(totals.figures.cpu_ns < 25 * MS);
    assert_true(totals.cpu_ns < 25 * MS);
    stop(&burner);
    mf_watch_free(watch);
}

/* Short threads that nobody saw: without records their time is told as a rest, exactly. */
static void what_nobody_saw_is_told(void **state)
{
    (void)state;
    static const char *const args[] = {"--one-by-one", "--hold", "0:0:x", NULL};
    static const char *const short_args[] = {"--one-by-one", "100:1000:short", "1:-:last", NULL};
    struct burner burner;
    struct told told;
    start(&burner, args);
    await_lines(&burner, 1);
    stop(&burner);
    start(&burner, short_args);
    struct mf_watch *watch = watch_with(&told, NULL, false, 1000);
    mf_watch_add(watch, burner.pid, 0, true);
    await_lines(&burner, 100); /* 101st is never written */
    mf_watch_sample(watch);
    struct mf_watch_totals totals;
    mf_watch_totals(watch, &totals);
    assert_true(totals.cpu_ns >= 95 * MS); /* what has ended lacks nothing but its last tick */
    assert_true(totals.threads < 10);
    /* Nothing but the last of them and the first thread can have been seen. */
    assert_true(totals.unattributed_ns >= 90 * MS);
    assert_int_equal(totals.figures.cpu_ns + totals.unattributed_ns >= totals.cpu_ns, 1);
    stop(&burner);
    mf_watch_free(watch);
}

static struct mf_task_record record_of(int32_t pid, int32_t tid, const char *comm, uint64_t cpu_ns,
                                       uint64_t elapsed_ns)
{
    struct mf_task_record record = {.tid = tid,
                                    .tgid = pid,
                                    .cpu_user_ns = cpu_ns,
                                    .elapsed_ns = elapsed_ns,
                                    .switches_voluntary = 3,
                                    .switches_involuntary = 2};
    snprintf(record.comm, sizeof record.comm, "%s", comm);
    return record;
}

static void a_record_is_enough(void **state)
{
    (void)state;
    static const char *const args[] = {"--hold", "1:20000:real", NULL};
    static const char *const budgets[] = {"10ms/100ms,thread=gh*", NULL};
    struct burner burner;
    struct told told;
    start(&burner, args);
    struct mf_watch *watch = watch_with(&told, budgets, true, 1000);
    mf_watch_add(watch, burner.pid, 5, true);
    await_lines(&burner, 2);
    struct mf_task_record record = record_of(burner.pid, 999999, "ghost", 9 * MS, 9 * MS);
    assert_true(mf_watch_record(watch, &record));
    assert_int_equal(told.begun, 0);
    record = record_of(burner.pid, 999998, "ghost", 30 * MS, 60 * MS);
    assert_true(mf_watch_record(watch, &record));
    assert_int_equal(told.begun, 1);
    assert_int_equal(told.ended, 1); /* with the thread */
    assert_int_equal(told.last.tid, 999998);
    assert_true(told.last.thread_ended);
    record = record_of(burner.pid, 999997, "ghost", 30 * MS, 300 * MS); /* perhaps all over them */
    assert_true(mf_watch_record(watch, &record));
    assert_int_equal(told.begun, 1);
    record = record_of(burner.pid, 999996, "other", 300 * MS, 300 * MS);
    assert_true(mf_watch_record(watch, &record));
    assert_int_equal(told.begun, 1);
    record = record_of(burner.pid + 100000, 5, "stranger", 9 * MS, 9 * MS);
    assert_false(mf_watch_record(watch, &record));
    mf_watch_sample(watch);
    const struct mf_watch_name *ghost = name_of(watch, "ghost");
    assert_int_equal(ghost->threads, 3);
    assert_int_equal(ghost->figures.cpu_ns, 69 * MS);
    assert_int_equal(ghost->figures.switches_voluntary, 9);
    struct mf_watch_totals totals;
    mf_watch_totals(watch, &totals);
    assert_int_equal(totals.threads_by_record, 4);
    stop(&burner);
    mf_watch_free(watch);
}

/* What the records lack goes to those that ended, and never more than the clock has. */
static void the_rest_is_dealt_out(void **state)
{
    (void)state;
    static const char *const args[] = {"--one-by-one", "20:2000:short", "1:-:last", NULL};
    struct burner burner;
    struct told told;
    start(&burner, args);
    struct mf_watch *watch = watch_with(&told, NULL, true, 1000);
    mf_watch_add(watch, burner.pid, 5, true);
    await_lines(&burner, 20);
    for (int i = 0; i < 20; i++) {
        const struct mf_task_record record =
            record_of(burner.pid, 900000 + i, "short", 0, 3 * MS); /* nothing was booked */
        assert_true(mf_watch_record(watch, &record));
    }
    mf_watch_sample(watch);
    const struct mf_watch_name *name = name_of(watch, "short");
    assert_true(name->threads == 20 || name->threads == 21); /* the last may not be gone yet */
    assert_true(name->figures.cpu_ns >= 30 * MS);
    assert_true(name->figures.cpu_ns <= 60 * MS);
    struct mf_watch_totals totals;
    mf_watch_totals(watch, &totals);
    assert_true(totals.estimated_ns >= 25 * MS && totals.estimated_ns <= 60 * MS);
    assert_true(totals.figures.cpu_ns <= totals.cpu_ns + 5 * MS);
    stop(&burner);
    mf_watch_free(watch);
}

/* ---- budgets ------------------------------------------------------------------------------------
 */

/* Samples and checks as their owner should, until `done` says so. */
static void go_on(struct mf_watch *watch, const struct told *told,
                  bool (*done)(const struct told *told))
{
    const int64_t until_ns = mf_clock_monotonic_ns(NULL) + PATIENCE;
    int64_t sample_ns = 0;
    while (!done(told)) {
        int64_t t_ns = mf_clock_monotonic_ns(NULL);
        if (t_ns > until_ns) {
            struct mf_watch_totals totals;
            mf_watch_totals(watch, &totals);
            fail_msg("nothing within a minute: %u begun, %u ended; %llu threads, %llu alive, "
                     "%llu ns, %llu ns unattributed",
                     told->begun, told->ended, (unsigned long long)totals.threads,
                     (unsigned long long)totals.alive, (unsigned long long)totals.cpu_ns,
                     (unsigned long long)totals.unattributed_ns);
        }
        const int64_t due_ns =
            mf_watch_due_ns(watch) < sample_ns ? mf_watch_due_ns(watch) : sample_ns;
        if (due_ns > t_ns) {
            (void)poll(NULL, 0, (int)((due_ns - t_ns) / MS) + 1);
            t_ns = mf_clock_monotonic_ns(NULL);
        }
        if (t_ns >= sample_ns) {
            mf_watch_sample(watch);
            sample_ns = t_ns + 10 * MS;
        } else {
            mf_watch_check(watch);
        }
    }
}

static bool one_begun(const struct told *told)
{
    return told->begun >= 1;
}

static bool one_ended(const struct told *told)
{
    return told->ended >= 1;
}

/* D16: a thread that never ends is seen while it runs; and it is one violation, however long. */
static void cpu_endless_thread_seen_from_outside(void **state)
{
    (void)state;
    static const char *const args[] = {"1:-:spin", NULL};
    static const char *const budgets[] = {"30ms/1h,thread=spin", NULL};
    struct burner burner;
    struct told told;
    start(&burner, args);
    struct mf_watch *watch = watch_with(&told, budgets, false, 1000);
    mf_watch_add(watch, burner.pid, 3, true);
    go_on(watch, &told, one_begun);
    assert_string_equal(told.comm, "spin");
    assert_int_equal(told.last.pid, burner.pid);
    assert_int_not_equal(told.last.tid, burner.pid);
    assert_int_equal(told.last.tag, 3);
    assert_true(told.last.cpu_ns > 30 * MS);
    assert_int_equal(told.last.excess_ns, told.last.cpu_ns - 30 * MS);
    assert_true(told.last.wall_ns >= (int64_t)told.last.cpu_ns);
    assert_true(told.had_proc);
    assert_int_not_equal(told.evidence.state, 0);
    for (int i = 0; i < 20; i++) {
        mf_watch_check(watch);
        mf_watch_sample(watch);
    }
    assert_int_equal(told.begun, 1);
    assert_int_equal(told.ended, 0);
    stop(&burner);
    mf_watch_remove(watch, burner.pid, 4, 0); /* another one */
    assert_int_equal(told.ended, 0);
    mf_watch_remove(watch, burner.pid, 3, 0);
    assert_int_equal(told.ended, 1);
    assert_true(told.last.over_ns > 30 * MS);
    mf_watch_free(watch);
}

static void a_budget_that_is_kept(void **state)
{
    (void)state;
    static const char *const args[] = {"--hold", "4:20000:thrifty", NULL};
    static const char *const budgets[] = {"40ms/1h", "200ms/1h,of=all", "100ms/1h,of=all,thread=t*",
                                          NULL};
    struct burner burner;
    struct told told;
    start(&burner, args);
    struct mf_watch *watch = watch_with(&told, budgets, false, 1000);
    mf_watch_add(watch, burner.pid, 3, true);
    await_lines(&burner, 5);
    sample_until(watch, "thrifty", 75 * MS);
    mf_watch_check(watch);
    assert_int_equal(told.begun, 0);
    stop(&burner);
    mf_watch_free(watch);
}

static void together_they_exceed(void **state)
{
    (void)state;
    static const char *const args[] = {"--hold", "4:20000:one", "4:20000:two", NULL};
    static const char *const each[] = {"70ms/1h", NULL};
    static const char *const all[] = {"150ms/1h,of=all", NULL};
    static const char *const some[] = {"50ms/1h,of=all,thread=tw?", NULL};
    const char *const *const cases[] = {each, all, some};
    for (int i = 0; i < 3; i++) {
        struct burner burner;
        struct told told;
        start(&burner, args);
        struct mf_watch *watch = watch_with(&told, cases[i], false, 1000);
        mf_watch_add(watch, burner.pid, 3, true);
        mf_watch_sample(watch);
        await_lines(&burner, 9);
        sample_until(watch, "one", 75 * MS);
        sample_until(watch, "two", 75 * MS);
        assert_int_equal(told.begun, i > 0);
        if (i == 2) {
            assert_true(told.last.cpu_ns > 50 * MS && told.last.cpu_ns < 140 * MS);
        }
        stop(&burner);
        mf_watch_free(watch);
    }
}

/* It is kept again when the window has left the burst behind. */
static void a_violation_ends(void **state)
{
    (void)state;
    static const char *const args[] = {"--hold", "1:60000:burst", NULL};
    static const char *const budgets[] = {"1ms/1s,thread=burst", NULL};
    struct burner burner;
    struct told told;
    start(&burner, args);
    struct mf_watch *watch = watch_with(&told, budgets, false, 1000);
    mf_watch_add(watch, burner.pid, 3, true);
    go_on(watch, &told, one_begun);
    go_on(watch, &told, one_ended);
    assert_true(told.last.over_ns > 1 * MS);
    assert_true(told.last.lasted_ns > (int64_t)1 * MS);
    stop(&burner);
    mf_watch_free(watch);
}

/* ---- what can go wrong --------------------------------------------------------------------------
 */

static void a_thousand_threads(void **state)
{
    (void)state;
    static const char *const args[] = {"--hold", "1000:500:many", NULL};
    struct burner burner;
    struct told told;
    for (uint64_t descriptors = 40; descriptors <= 20000; descriptors += 19960) {
        start(&burner, args);
        struct mf_watch *watch = watch_with(&told, NULL, false, descriptors);
        mf_watch_add(watch, burner.pid, 3, true);
        mf_watch_sample(watch);
        await_lines(&burner, 1001);
        mf_watch_sample(watch);
        struct mf_watch_totals totals;
        mf_watch_totals(watch, &totals);
        assert_true(totals.threads >= 1001);
        assert_int_equal(totals.alive, 1001);
        assert_int_equal(name_of(watch, "many")->alive, 1000);
        sample_until(watch, "many", 300 * MS);
        if (descriptors == 40) {
            assert_true(totals.opened_anew >= 990);
        }
        stop(&burner);
        mf_watch_free(watch);
    }
}

/* It is killed at any moment of a sample, and its number belongs to nobody, or to a zombie. */
static void an_end_at_any_moment(void **state)
{
    (void)state;
    static const char *const args[] = {"30:-:spin", NULL};
    static const char *const budgets[] = {"5ms/100ms", "10ms/100ms,of=all", NULL};
    for (int i = 0; i < 12; i++) {
        struct burner burner;
        struct told told;
        start(&burner, args);
        struct mf_watch *watch = watch_with(&told, budgets, i % 2 == 0, 1000);
        mf_watch_add(watch, burner.pid, 3, true);
        for (int k = 0; k < 40; k++) {
            mf_watch_sample(watch);
            mf_watch_check(watch);
            if (k == 5 + i) {
                kill(burner.pid, SIGKILL);
            }
        }
        siginfo_t info;
        assert_int_equal(waitid(P_PID, (id_t)burner.pid, &info, WEXITED | WNOWAIT), 0);
        mf_watch_last_look(watch, burner.pid);
        mf_watch_sample(watch);
        uint64_t before_ns = 0;
        struct mf_watch_totals totals;
        mf_watch_totals(watch, &totals);
        before_ns = totals.cpu_ns;
        stop(&burner);
        mf_watch_sample(watch);
        mf_watch_add(watch, burner.pid, 4, true); /* used again, and gone again */
        mf_watch_sample(watch);
        mf_watch_remove(watch, burner.pid, 4, 0);
        mf_watch_remove(watch, burner.pid, 4, 0);
        mf_watch_totals(watch, &totals);
        assert_int_equal(totals.alive, 0);
        assert_true(totals.cpu_ns >= before_ns);
        assert_true(told.begun == told.ended + (told.begun - told.ended));
        mf_watch_free(watch);
    }
}

/* Another process under the same number is another one: nothing is taken over from the first. */
static void a_number_is_used_again(void **state)
{
    (void)state;
    static const char *const args[] = {"--hold", "1:30000:first", NULL};
    static const char *const args2[] = {"--hold", "1:5000:second", NULL};
    struct burner burner;
    struct burner other;
    struct told told;
    start(&burner, args);
    start(&other, args2);
    struct mf_watch *watch = watch_with(&told, NULL, false, 1000);
    mf_watch_add(watch, burner.pid, 1, true);
    await_lines(&burner, 2);
    await_lines(&other, 2);
    sample_until(watch, "first", 28 * MS);
    const uint64_t first_ns = name_of(watch, "first")->figures.cpu_ns;
    stop(&burner);
    /* Its threads are gone now, whoever has their numbers. */
    mf_watch_sample(watch);
    assert_int_equal(name_of(watch, "first")->figures.cpu_ns, first_ns);
    mf_watch_add(watch, burner.pid, 2, true);
    mf_watch_remove(watch, burner.pid, 2, 0);
    mf_watch_add(watch, other.pid, 2, true);
    sample_until(watch, "second", 4 * MS);
    assert_int_equal(name_of(watch, "first")->figures.cpu_ns, first_ns);
    assert_true(name_of(watch, "second")->figures.cpu_ns < 30 * MS);
    stop(&other);
    mf_watch_free(watch);
}

/* Without privilege: the same figures of another user's threads; the rest is denied, and said. */
static void as_nobody(void **state)
{
    (void)state;
    static const char *const args[] = {"--hold", "2:10000:theirs", "1:-:spin", NULL};
    static const char *const budgets[] = {"20ms/1h,thread=spin", NULL};
    struct burner burner;
    int status = 0;
    if (geteuid() != 0) {
        skip();
    }
    start(&burner, args);
    await_lines(&burner, 2);
    fflush(stdout);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct told told;
        alarm(120);
        if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) {
            _exit(9);
        }
        struct mf_watch *watch = watch_with(&told, budgets, false, 1000);
        mf_watch_add(watch, burner.pid, 1, true);
        go_on(watch, &told, one_begun);
        sample_until(watch, "theirs", 18 * MS);
        _exit(strstr(told.evidence.denied, "stack") == NULL ? 7 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    stop(&burner);
}

/* ---- budgets as text ----------------------------------------------------------------------------
 */

static void budgets_as_text(void **state)
{
    (void)state;
    static const char *const good[] = {
        "50ms/100ms",
        "1500us/10ms,action=stop",
        "3s/1s,of=all",
        "50ms/100ms,thread=worker-*",
        "1h/1h,of=all",
        "50ms/100ms,thread=a\\,b,action=kill",
        "50ms/100ms,thread=[ab]?,of=all,action=kill",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct mf_watch_budget budget;
        struct mf_errinfo err = {0};
        struct mf_buffer text = MF_BUFFER_INIT;
        if (mf_watch_budget_parse(good[i], &budget, &err) != 0) {
            fail_msg("%s: %s", good[i], err.msg);
        }
        mf_watch_budget_write(&budget, &text);
        assert_string_equal(text.data, good[i]);
        mf_buffer_free(&text);
    }
    struct mf_watch_budget budget;
    assert_int_equal(mf_watch_budget_parse("0.5s/1s,of=each,action=mark", &budget, NULL), 0);
    assert_int_equal(budget.limit_ns, 500 * MS);
    assert_int_equal(budget.within_ns, 1000 * MS);
    assert_false(budget.together);
    assert_int_equal(budget.action, MF_WATCH_MARK);
    static const char *const bad[] = {
        "",
        "50ms",
        "50ms/",
        "/100ms",
        "50/100ms",
        "50ms/100ms,",
        "a/b",
        "50ms/100ms,x",
        "50ms/100ms,thread=",
        "50ms/100ms,of=some",
        "100ms/100ms",
        "0/1s",
        "1us/999us",
        "1s/2h",
        "50ms/100ms,action=hang",
        "200ms/100ms",
        "50ms/100ms/1s",
        "50ms/100ms,thread=a\\",
        "1ms/2ms,thread=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mf_errinfo err = {0};
        if (mf_watch_budget_parse(bad[i], &budget, &err) == 0) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_int_not_equal(err.msg[0], '\0');
        assert_int_equal(budget.limit_ns, 500 * MS);
    }
}

static void too_many_budgets(void **state)
{
    (void)state;
    struct mf_watch_budget budgets[MF_WATCH_BUDGETS_MAX + 1];
    struct mf_watch *watch = NULL;
    const struct mf_watch_spec spec = {.budgets = budgets,
                                       .budget_count = MF_WATCH_BUDGETS_MAX + 1};
    assert_int_equal(mf_watch_new(&spec, &watch, NULL), MF_EVALUE);
    assert_null(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_as_text),
        cmocka_unit_test(too_many_budgets),
        cmocka_unit_test(every_thread_has_the_time_that_it_used),
        cmocka_unit_test(what_was_before_does_not_count),
        cmocka_unit_test(what_nobody_saw_is_told),
        cmocka_unit_test(a_record_is_enough),
        cmocka_unit_test(the_rest_is_dealt_out),
        cmocka_unit_test(cpu_endless_thread_seen_from_outside),
        cmocka_unit_test(a_budget_that_is_kept),
        cmocka_unit_test(together_they_exceed),
        cmocka_unit_test(a_violation_ends),
        cmocka_unit_test(a_thousand_threads),
        cmocka_unit_test(an_end_at_any_moment),
        cmocka_unit_test(a_number_is_used_again),
        cmocka_unit_test(as_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
