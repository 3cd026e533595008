/* SPDX-License-Identifier: Apache-2.0
 * metrics_step.c -- SIGKILL at every instruction. A kill between two instructions leaves exactly
 * what the mapped file holds then, so all that matters are the instructions that store into it. A
 * child makes the mapping read-only and the call; each store faults, is let through alone (the
 * trap flag of the processor), and the file after it is kept. Every state is then opened anew and
 * asked: of every series, in all tiers, the answer is that of before the call or that of after it;
 * the same holds after some more recording, and a second recovery changes nothing. Other children
 * are killed for real, at random stores.
 *
 * MAYFLY_TEST_SCENARIO: only the scenario of this name. */
#include "metrics_fixture.h"

#include "metrics_answers.h"
#include "test_seed.h"

#include "base/rng.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

/* A multiple of every interval below; the four seconds before it begin a lap that is a multiple of
 * 128, so that their rows are cleared. */
#define T0 ((INT64_C(512) * 3320000 + 4) * SECOND)

struct world {
    struct mf_metrics *store;
    mf_series gauge;
    mf_series other;
    mf_series histogram;
    mf_series counter;
    mf_series observed;
    struct mf_counter_writer writer;
    int rc; /* of the call */
};

struct scenario {
    const char *name;
    void (*prepare)(struct world *w);
    void (*call)(struct world *w);
};

static struct mf_metrics_schema schema(void)
{
    return (struct mf_metrics_schema){.name = "s",
                                      .series_max = 6,
                                      .histograms_max = 2,
                                      .histogram_bytes = 128,
                                      .tier_count = 3,
                                      .tiers = {{SECOND, 4}, {2 * SECOND, 4}, {4 * SECOND, 4}}};
}

static void record(struct world *w, mf_series series, double value, int64_t seconds_times_10)
{
    const int rc =
        mf_metrics_record_at(w->store, series, value, T0 + seconds_times_10 * SECOND / 10);
    if (rc != 0) {
        fprintf(stderr, "prepare: %s\n", mf_error_name(rc));
        _exit(3);
    }
}

/* Slots -8 to -1, so that all tiers and rings have something and end at 0. */
static void fill(struct world *w)
{
    for (int i = -80; i < 0; i += 5) {
        mf_metrics_tick(w->store, T0 + i * SECOND / 10);
        record(w, w->gauge, i, i);
        record(w, w->other, 100 + i, i);
        record(w, w->histogram, 1000 + i, i);
        (void)mf_counter_add(&w->writer, w->counter, 3);
        (void)mf_metrics_observe_total_at(w->store, w->observed, 1000 + i, T0 + i * SECOND / 10);
    }
}

static void gap(struct world *w) /* nothing between -50 and -20 */
{
    for (int i = -80; i < 0; i += 10) {
        if (i < -50 || i > -20) {
            record(w, w->gauge, i, i);
            record(w, w->histogram, 1000 + i, i);
        }
    }
    record(w, w->other, 1, 0);
}

static void quiet(struct world *w) /* the clock is far ahead of the series */
{
    fill(w);
    record(w, w->other, 1, 55);
}

static void consolidated(struct world *w)
{
    fill(w);
    record(w, w->other, 1, 5);
    mf_metrics_consolidate(w->store);
}

static void synced(struct world *w)
{
    fill(w);
    w->rc = mf_metrics_sync(w->store, NULL);
}

static void call_record(struct world *w)
{
    w->rc = mf_metrics_record_at(w->store, w->gauge, 7, T0 - 1);
}
static void call_record_histogram(struct world *w)
{
    w->rc = mf_metrics_record_at(w->store, w->histogram, 7, T0 - 1);
}
static void call_roll(struct world *w)
{
    w->rc = mf_metrics_record_at(w->store, w->gauge, 7, T0);
}
static void call_roll_histogram(struct world *w)
{
    w->rc = mf_metrics_record_at(w->store, w->histogram, 7, T0);
}
static void call_tick(struct world *w)
{
    w->rc = mf_metrics_tick(w->store, T0);
}
static void call_add(struct world *w)
{
    w->rc = mf_counter_add(&w->writer, w->counter, 7);
}
static void call_observe(struct world *w)
{
    w->rc = mf_metrics_observe_total_at(w->store, w->observed, 2000, T0);
}
static void call_reset(struct world *w)
{
    w->rc = mf_metrics_observe_total_at(w->store, w->observed, 1, T0 - 1);
}
static void call_batch(struct world *w)
{
    const mf_series series[] = {w->gauge, w->histogram, w->other};
    const double values[] = {7, 8, 9};
    w->rc = mf_metrics_record_batch(w->store, series, values, 3, T0);
}
static void call_late(struct world *w)
{
    w->rc = mf_metrics_record_at(w->store, w->gauge, 777, T0 - 3 * SECOND);
}
static void call_late_histogram(struct world *w)
{
    w->rc = mf_metrics_record_at(w->store, w->histogram, 777, T0 - 3 * SECOND);
}
static void call_very_late_histogram(struct world *w) /* the first tier has forgotten that time */
{
    w->rc = mf_metrics_record_at(w->store, w->histogram, 777, T0 - 7 * SECOND);
}
static void call_late_current(struct world *w) /* the newest slot of the series, but it is over */
{
    w->rc = mf_metrics_record_at(w->store, w->histogram, 777, T0 - 1);
}
static void call_consolidate(struct world *w)
{
    (void)mf_metrics_consolidate(w->store);
}
static void call_register(struct world *w)
{
    const struct mf_series_spec spec = {
        .type = MF_HISTOGRAM, .name = "new", .unit = "seconds", .help = "What is new."};
    mf_series series;
    w->rc = mf_metrics_register(w->store, &spec, &series, NULL);
}
static void call_unregister(struct world *w)
{
    w->rc = mf_metrics_unregister(w->store, w->histogram, NULL);
}
static void call_sync(struct world *w)
{
    w->rc = mf_metrics_sync(w->store, NULL);
}
static void call_close(struct world *w)
{
    mf_counter_writer_end(&w->writer);
    w->rc = mf_metrics_close(w->store, NULL);
}

static const struct scenario scenarios[] = {
    {"record", fill, call_record},
    {"record a histogram", fill, call_record_histogram},
    {"roll with cascade", fill, call_roll},
    {"roll a histogram with cascade", fill, call_roll_histogram},
    {"roll after a sync", synced, call_roll},
    {"roll a histogram after a sync", synced, call_roll_histogram},
    {"tick: samples of counters", fill, call_tick},
    {"add to a counter", fill, call_add},
    {"observe a total", fill, call_observe},
    {"observe a reset", fill, call_reset},
    {"batch that rolls", fill, call_batch},
    {"late value", fill, call_late},
    {"late value in a gap", gap, call_late},
    {"late value of a quiet series", quiet, call_late},
    {"late value after consolidation", consolidated, call_late},
    {"late value of a histogram", fill, call_late_histogram},
    {"late value of a histogram in a gap", gap, call_late_histogram},
    {"late value of a quiet histogram", quiet, call_late_histogram},
    {"very late value of a histogram", fill, call_very_late_histogram},
    {"newest slot, after consolidation", consolidated, call_late_current},
    {"consolidate", quiet, call_consolidate},
    {"register", fill, call_register},
    {"unregister", fill, call_unregister},
    {"sync", fill, call_sync},
    {"close", fill, call_close},
};

/* --- the child */

#define STATES_MAX    4096
#define TRAP_FLAG     0x100 /* of EFLAGS: SIGTRAP after one instruction */
#define CHILD_SECONDS 100

/* What parent and child share. The states are in a file of their own, one image after the other. */
struct trace {
    uint64_t kill_at; /* after this many stores SIGKILL; 0: never */
    uint64_t stores;
    size_t count; /* of states */
    size_t len;   /* of each */
    uint64_t at[STATES_MAX];
};

static struct {
    struct trace *trace;
    uint8_t *file; /* the mapping of the store */
    uint8_t *last; /* the state before */
    int states;
} child;

static void keep_state(void)
{
    struct trace *t = child.trace;
    if (t->count == STATES_MAX || write(child.states, child.file, t->len) != (ssize_t)t->len) {
        _exit(5);
    }
    memcpy(child.last, child.file, t->len);
    t->at[t->count++] = t->stores;
}

static void on_store(int signal, siginfo_t *info, void *context)
{
    const uint8_t *address = info->si_addr;
    if (address < child.file || address >= child.file + child.trace->len ||
        mprotect(child.file, child.trace->len, PROT_READ | PROT_WRITE) != 0) {
        (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        return; /* and dies of it */
    }
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_stored(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    if (++child.trace->stores == child.trace->kill_at) {
        kill(getpid(), SIGKILL);
    }
    if (memcmp(child.file, child.last, child.trace->len) != 0) {
        keep_state();
    }
    if (mprotect(child.file, child.trace->len, PROT_READ) != 0) {
        _exit(5);
    }
}

/* Where the slab is mapped; /proc/self/maps has a line "begin-end rw-s ... path" for it. */
static bool find_mapping(const struct fixture *f)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *rest = NULL;
        const uintptr_t begin = strtoul(line, &rest, 16);
        const uintptr_t end = strtoul(rest + 1, NULL, 16);
        if (strstr(line, " rw-s ") != NULL && strstr(line, f->path) != NULL) {
            child.file = (uint8_t *)begin; // NOLINT(performance-no-int-to-ptr)
            child.trace->len = end - begin;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return child.file != NULL;
}

static void watch_stores(const struct fixture *f)
{
    const struct sigaction store = {.sa_sigaction = on_store, .sa_flags = SA_SIGINFO};
    const struct sigaction stored = {.sa_sigaction = on_stored, .sa_flags = SA_SIGINFO};
    child.last = find_mapping(f) ? malloc(child.trace->len) : NULL;
    if (child.last == NULL || sigaction(SIGSEGV, &store, NULL) != 0 ||
        sigaction(SIGTRAP, &stored, NULL) != 0) {
        _exit(5);
    }
    keep_state();
    if (mprotect(child.file, child.trace->len, PROT_READ) != 0) {
        _exit(5);
    }
}

static _Noreturn void work(struct fixture *f, const struct scenario *scenario)
{
    struct world w = {0};
    const struct mf_metrics_schema s = schema();
    const struct mf_series_spec specs[] = {{.type = MF_GAUGE, .name = "gauge"},
                                           {.type = MF_GAUGE, .name = "other"},
                                           {.type = MF_HISTOGRAM, .name = "histogram"},
                                           {.type = MF_COUNTER, .name = "counter"},
                                           {.type = MF_COUNTER, .name = "observed"}};
    mf_series *const series[] = {&w.gauge, &w.other, &w.histogram, &w.counter, &w.observed};
    int rc = mf_metrics_open(f->path, &s, 1, NULL, &f->env, &w.store, NULL);
    for (size_t i = 0; rc == 0 && i < 5; i++) {
        rc = mf_metrics_register(w.store, &specs[i], series[i], NULL);
    }
    rc = rc == 0 ? mf_counter_writer_begin(w.store, &w.writer, NULL) : rc;
    if (rc != 0) {
        _exit(3);
    }
    scenario->prepare(&w);
    watch_stores(f); /* from here on each store counts */
    scenario->call(&w);
    _exit(w.rc == 0 ? 0 : 4);
}

/* A child prepares, makes the call, and ends or is killed; the states are in *trace and the file.
 */
static void run_child(struct fixture *f, const struct scenario *scenario, struct trace *trace,
                      const char *states)
{
    trace->stores = trace->count = trace->len = 0;
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        child.trace = trace;
        child.states = open(states, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        work(f, scenario);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != (trace->kill_at > 0 ? SIGKILL : 0)) {
        fail_msg("%s: the child ended with status %d", scenario->name, status);
    }
}

/* --- what is left */

struct reference {
    struct answers now;  /* what a store in this state answers */
    struct answers then; /* and after some more recording */
};

struct check {
    struct fixture *f;
    const struct scenario *scenario;
    char copy[128];
    struct reference before;
    struct reference after;
    int64_t first_ns[MF_METRICS_TIERS_MAX]; /* what is retained by the later clock */
    struct answers got;
};

static void write_copy(const struct check *c, const uint8_t *bytes, size_t len)
{
    char path[160];
    mkdir(c->copy, 0700);
    snprintf(path, sizeof path, "%s/metrics.slab", c->copy);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* Opens the copy, which repairs it, and asks. With `more` it records before it asks. Left as if
 * killed again, with `kill_again`: the next open has to repair as well. */
static void recover_and_ask(struct check *c, bool more, struct answers *ret_answers)
{
    struct mf_metrics *store = NULL;
    struct mf_metrics_reader *reader = NULL;
    struct mf_errinfo err = {0};
    const struct mf_metrics_schema s = schema();
    if (mf_metrics_open(c->copy, &s, 1, NULL, &c->f->env, &store, &err) != 0) {
        fail_msg("%s: open: %s", c->scenario->name, err.msg);
    }
    if (more) {
        static const char *const names[] = {"gauge", "other", "histogram"};
        mf_series series = 0;
        for (int i = 0; i < 12; i++) { /* in the slots that were open, and then on */
            for (size_t n = 0; n < 3; n++) {
                const struct mf_series_spec spec = {.type = n == 2 ? MF_HISTOGRAM : MF_GAUGE,
                                                    .name = names[n]};
                assert_int_equal(mf_metrics_register(store, &spec, &series, &err), 0);
                const int64_t at = T0 - SECOND / 4 + i * SECOND / 2;
                assert_int_equal(mf_metrics_record_at(store, series, 16 + i, at), 0);
            }
        }
        struct mf_counter_writer writer;
        const struct mf_series_spec spec = {.type = MF_COUNTER, .name = "counter"};
        assert_int_equal(mf_metrics_register(store, &spec, &series, &err), 0);
        assert_int_equal(mf_counter_writer_begin(store, &writer, &err), 0);
        assert_int_equal(mf_metrics_tick(store, T0 + 6 * SECOND), 0);
        assert_int_equal(mf_counter_add(&writer, series, 1), 0);
        mf_counter_writer_end(&writer);
        const struct mf_series_spec total = {.type = MF_COUNTER, .name = "observed"};
        assert_int_equal(mf_metrics_register(store, &total, &series, &err), 0);
        assert_int_equal(mf_metrics_observe_total(store, series, 5000), 0);
    }
    assert_int_equal(mf_metrics_reader_of(store, &reader, &err), 0);
    if (answers_take(reader, ret_answers, &err) != 0) {
        fail_msg("%s: query: %s", c->scenario->name, err.msg);
    }
    mf_metrics_reader_close(reader);
    assert_int_equal(mf_metrics_close(store, &err), 0);
    if (mf_metrics_verify(c->copy, &c->f->env, NULL, &err) != 0) {
        fail_msg("%s: verify: %s", c->scenario->name, err.msg);
    }
}

static void take_reference(struct check *c, const uint8_t *bytes, size_t len,
                           struct reference *ret_reference)
{
    struct mf_errinfo err = {0};
    write_copy(c, bytes, len);
    if (answers_of(c->copy, &c->f->env, &ret_reference->now, &err) != 0) {
        fail_msg("%s: %s", c->scenario->name, err.msg);
    }
    recover_and_ask(c, true, &ret_reference->then);
}

/* The windows of the store's clock. */
static void take_windows(struct check *c)
{
    struct mf_metrics_reader *reader = NULL;
    struct mf_metrics_info info;
    struct mf_metrics_schema s;
    assert_int_equal(mf_metrics_reader_open(c->f->path, &c->f->env, &reader, NULL), 0);
    mf_metrics_reader_info(reader, &info);
    mf_metrics_reader_schema(reader, 0, &s);
    for (uint32_t t = 0; t < s.tier_count; t++) {
        const int64_t interval_ns = s.tiers[t].interval_ns;
        c->first_ns[t] =
            (info.clock_wall_ns / interval_ns - (int64_t)s.tiers[t].slots + 1) * interval_ns;
    }
    mf_metrics_reader_close(reader);
}

static const char *const all_names[] = {"gauge",   "other",    "histogram",
                                        "counter", "observed", "new"};

/* 'b' as before, 'a' as after, '=' when these are the same, 0 when it is neither. */
static char compare(const struct answers *got, const struct answers *before,
                    const struct answers *after, const char *name, const int64_t *first_ns)
{
    const bool as_before = answers_agree(got, before, name, first_ns);
    const bool as_after = answers_agree(got, after, name, first_ns);
    return (char)(as_before && as_after ? '=' : as_before ? 'b' : as_after ? 'a' : 0);
}

static void expect_before_or_after(struct check *c, const char *when, uint64_t at, bool then,
                                   char *results)
{
    for (size_t i = 0; i < 6; i++) {
        const struct answers *before = then ? &c->before.then : &c->before.now;
        const struct answers *after = then ? &c->after.then : &c->after.now;
        const char result =
            compare(&c->got, before, after, all_names[i], then ? NULL : c->first_ns);
        const bool same =
            results[i] == 0 || results[i] == '=' || result == '=' || result == results[i];
        if (result == 0 || !same) {
            fprintf(stderr, "got:\n");
            answers_print(&c->got, all_names[i]);
            fprintf(stderr, "before:\n");
            answers_print(before, all_names[i]);
            fprintf(stderr, "after:\n");
            answers_print(after, all_names[i]);
            fail_msg("%s, store %llu, %s: %s is neither as before nor as after (%d)",
                     c->scenario->name, (unsigned long long)at, when, all_names[i], result);
        }
        results[i] = results[i] == 0 || results[i] == '=' ? result : results[i];
    }
}

static void check_state(struct check *c, const uint8_t *bytes, size_t len, uint64_t at)
{
    struct mf_errinfo err = {0};
    char results[6] = {0};
    write_copy(c, bytes, len);
    if (answers_of(c->copy, &c->f->env, &c->got, &err) != 0) {
        fail_msg("%s, store %llu: reading as it is: %s", c->scenario->name, (unsigned long long)at,
                 err.msg);
    }
    recover_and_ask(c, false, &c->got);
    expect_before_or_after(c, "recovered", at, false, results);
    write_copy(c, bytes, len);
    recover_and_ask(c, true, &c->got);
    memset(results, 0, sizeof results);
    expect_before_or_after(c, "after more recording", at, true, results);
}

/* --- the tests */

/* A child that is killed indeed, at a random store; the store itself is opened then. */
static void kill_for_real(struct check *c, struct mf_rng *rng, struct trace *trace,
                          const char *states)
{
    trace->kill_at = 1 + mf_rng_below(rng, trace->stores);
    run_child(c->f, c->scenario, trace, states);
    char results[6] = {0};
    snprintf(c->copy, sizeof c->copy, "%s", c->f->path);
    recover_and_ask(c, false, &c->got);
    expect_before_or_after(c, "killed", trace->kill_at, false, results);
    trace->kill_at = 0;
}

static void run_scenario(struct fixture *f, const struct scenario *scenario, struct mf_rng *rng,
                         struct trace *trace)
{
    static struct check c;
    char path[160];
    char states[160];
    c.f = f;
    c.scenario = scenario;
    snprintf(f->path, sizeof f->path, "%s/stepped", f->directory);
    snprintf(c.copy, sizeof c.copy, "%s/copy", f->directory);
    snprintf(path, sizeof path, "%s/metrics.slab", f->path);
    snprintf(states, sizeof states, "%s/states", f->directory);
    run_child(f, scenario, trace, states);
    const int fd = open(states, O_RDONLY | O_CLOEXEC);
    uint8_t *images = mmap(NULL, trace->count * trace->len, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(images != MAP_FAILED);
    close(fd);
    take_windows(&c);
    take_reference(&c, images, trace->len, &c.before);
    take_reference(&c, images + (trace->count - 1) * trace->len, trace->len, &c.after);
    for (size_t i = 0; i < trace->count; i++) {
        check_state(&c, images + i * trace->len, trace->len, trace->at[i]);
    }
    printf("%-36s %6llu stores %6zu states\n", scenario->name, (unsigned long long)trace->stores,
           trace->count);
    munmap(images, trace->count * trace->len);
    unlink(path);
    kill_for_real(&c, rng, trace, states);
    unlink(path);
}

static void killed_at_every_instruction(void **state)
{
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    const char *only = getenv("MAYFLY_TEST_SCENARIO");
    struct trace *trace =
        mmap(NULL, sizeof *trace, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(trace != MAP_FAILED);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (only == NULL || strcmp(only, scenarios[i].name) == 0) {
            run_scenario(*state, &scenarios[i], &rng, trace);
        }
    }
    munmap(trace, sizeof *trace);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
#if !defined(__x86_64__)
    printf("skipped: the trap flag is that of x86-64\n");
    return 77;
#endif
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
    printf("skipped: nothing here runs in threads, and ThreadSanitizer keeps signals back\n");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        TEST(killed_at_every_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
