/* SPDX-License-Identifier: Apache-2.0
 *
 * measure.c -- one benchmark in this process: the functions that it calls, and what is collected
 * after.
 *
 * The benchmark's function runs once (in each thread) and asks for batches of iterations until it
 * is told that there are no more. What it is in the middle of is a phase (measure_phase): a
 * function that books the batch that has ended and names the size of the next. Phases of one
 * thread, in order:
 *
 *   warm-up      batches of 1, 2, 4, ... iterations until the time is over; tells how long one
 * takes samples      linear: d, 2d, 3d, ...; flat: n, n, n, ...; latency: single operations, n to a
 * sample operations   single operations into a histogram, so that there are percentiles; not with
 * latency, which has them, nor where each sample is a single operation already allocations  rounds
 * with counting switched on, which slows the heap down and so comes last
 *
 * Two processes of a pair measure in turns: one takes a sample while the other waits, so that both
 * meet the same state of the machine within milliseconds (mf__turn_pass).
 *
 * Several threads and open loops have timelines of their own (measure_threads.c, measure_rate.c).
 *
 * The time of a batch is the difference of two readings of the clock, less the cost of one reading,
 * less pauses. A batch without duration is refused: the compiler has removed what was to be
 * measured.
 */
#include "measure_private.h"
#include "resources.h"
#include "statistics.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/hdr.h"
#include "os/clock.h"
#include "os/turn.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what the benchmark's function calls ---- */

bool mf_bench_next_batch(struct mf_bench *bench, uint64_t *ret_iterations)
{
    const int64_t now = mf_clock_monotonic_ns(NULL);
    if (bench->finished) {
        return false;
    }
    if (bench->paused_since_ns != 0) {
        mf__measure_fail(bench, BENCH_FAILED,
                         "an iteration ended between mf_bench_pause() and mf_bench_resume()");
    }
    if (bench->batch != 0) {
        bench->elapsed_ns =
            (double)(now - bench->batch_start_ns - bench->paused_ns) - bench->shared->timer_cost_ns;
        bench->iterations += bench->batch;
    }
    const uint64_t next = atomic_load(&bench->shared->quit) ? 0 : bench->phase(bench, now);
    bench->batch = next;
    bench->paused_ns = 0;
    if (next == 0) {
        bench->finished = true;
        return false;
    }
    *ret_iterations = next;
    bench->batch_start_ns = mf_clock_monotonic_ns(NULL);
    return true;
}

void mf_bench_pause(struct mf_bench *bench)
{
    const int64_t now = mf_clock_monotonic_ns(NULL);
    if (bench->phase == mf__phase_allocations) {
        mf__allocations_read(&bench->shared->at_pause);
    }
    if (bench->paused_since_ns != 0) {
        mf__measure_fail(bench, BENCH_FAILED, "mf_bench_pause() twice without mf_bench_resume()");
    }
    bench->paused_since_ns = now;
}

void mf_bench_resume(struct mf_bench *bench)
{
    if (bench->paused_since_ns == 0) {
        mf__measure_fail(bench, BENCH_FAILED, "mf_bench_resume() without mf_bench_pause()");
        return;
    }
    if (bench->phase == mf__phase_allocations) {
        /* What was allocated meanwhile does not count; what stays alive does. */
        struct bench_allocations now;
        mf__allocations_read(&now);
        bench->shared->counted.count -= now.count - bench->shared->at_pause.count;
        bench->shared->counted.bytes -= now.bytes - bench->shared->at_pause.bytes;
    }
    /* Half of either reading of the clock lies outside of the difference: together one reading. */
    bench->paused_ns += mf_clock_monotonic_ns(NULL) - bench->paused_since_ns +
                        (int64_t)bench->shared->timer_cost_ns;
    bench->paused_since_ns = 0;
}

int64_t mf_bench_param(const struct mf_bench *bench)
{
    return bench->shared->plan->param;
}

int mf_bench_threads(const struct mf_bench *bench)
{
    return bench->shared->plan->threads;
}

int mf_bench_thread(const struct mf_bench *bench)
{
    return bench->thread;
}

uint64_t mf_bench_seed(const struct mf_bench *bench)
{
    return bench->shared->plan->seed;
}

uint64_t mf_bench_iterations(const struct mf_bench *bench)
{
    return bench->iterations;
}

/* The counter with that name, of its kind; a new one is 0. NULL after a failure. */
static struct bench_named *counter_of(struct mf_bench *bench, const char *name, bool report)
{
    for (size_t i = 0; i < bench->counter_count; i++) {
        if (strcmp(bench->counters[i].name, name) == 0) {
            if (bench->counter_is_report[i] != report) {
                mf__measure_fail(bench, BENCH_FAILED,
                                 "'%.40s' is both a counter and a figure by itself", name);
            }
            return &bench->counters[i];
        }
    }
    struct bench_named *counter = &bench->counters[bench->counter_count];
    if (bench->counter_count == BENCH_COUNTERS_MAX || strlen(name) >= sizeof counter->name) {
        mf__measure_fail(
            bench, BENCH_FAILED,
            "the counter '%.60s' is one too many (%d are possible), or its name too long", name,
            BENCH_COUNTERS_MAX);
        return NULL;
    }
    snprintf(counter->name, sizeof counter->name, "%s", name);
    counter->value = 0;
    bench->counter_is_report[bench->counter_count++] = report;
    return counter;
}

void mf_bench_count(struct mf_bench *bench, const char *name, double amount)
{
    struct bench_named *counter = counter_of(bench, name, false);
    if (counter != NULL) {
        counter->value += amount;
    }
}

void mf_bench_report(struct mf_bench *bench, const char *name, double value)
{
    struct bench_named *counter = counter_of(bench, name, true);
    if (counter != NULL) {
        counter->value = value;
    }
}

void mf_bench_set_elements(struct mf_bench *bench, uint64_t elements)
{
    atomic_store(&bench->shared->elements, elements);
}

void mf_bench_set_bytes(struct mf_bench *bench, uint64_t bytes)
{
    atomic_store(&bench->shared->bytes, bytes);
}

__attribute__((format(printf, 3, 0))) static void
give_up(struct mf_bench *bench, enum bench_status status, const char *format, va_list arguments)
{
    struct measurement *shared = bench->shared;
    mf_mutex_lock(&shared->lock);
    if (shared->status == BENCH_OK) { /* the first reason counts */
        shared->status = status;
        vsnprintf(shared->message, sizeof shared->message, format, arguments);
    }
    mf_mutex_unlock(&shared->lock);
    atomic_store(&shared->quit, true);
}

void mf__measure_fail(struct mf_bench *bench, enum bench_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    give_up(bench, status, format, arguments);
    va_end(arguments);
}

void mf_bench_fail(struct mf_bench *bench, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    give_up(bench, BENCH_FAILED, format, arguments);
    va_end(arguments);
}

void mf_bench_skip(struct mf_bench *bench, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    give_up(bench, BENCH_SKIPPED, format, arguments);
    va_end(arguments);
}

/* ---- what the phases share ---- */

uint64_t mf__phase_enter(struct mf_bench *bench, measure_phase *phase, int64_t now)
{
    bench->phase = phase;
    bench->batch = 0;
    bench->phase_start_ns = now;
    bench->phase_iterations = 0;
    return phase(bench, now);
}

uint64_t mf__phase_test(struct mf_bench *bench, int64_t now)
{
    (void)now;
    const uint64_t wanted = bench->shared->plan->test_iterations;
    return bench->batch != 0 ? 0 : wanted != 0 ? wanted : 1;
}

void mf__turn_wait(struct mf_bench *bench)
{
    if (bench->shared->turns > 0 && mf_turn_wait(bench->shared->turns) < 0) {
        bench->shared->turns = 0; /* the other one has ended, or never began */
    }
}

void mf__turn_pass(struct mf_bench *bench)
{
    if (bench->shared->turns > 0) {
        mf_turn_pass(bench->shared->turns);
    }
}

void mf__timing_begins(struct mf_bench *bench)
{
    struct measurement *shared = bench->shared;
    mf__resources_read(shared->before);
    shared->timed_iterations = bench->iterations;
    mf__note_memory(bench);
    if (shared->bracket != NULL) {
        shared->bracket->begin(shared->bracket->context);
    }
}

void mf__timing_ends(struct mf_bench *bench)
{
    struct measurement *shared = bench->shared;
    if (shared->bracket != NULL) {
        shared->bracket->end(shared->bracket->context);
    }
    mf__resources_read(shared->after);
    shared->timed_iterations = bench->iterations - shared->timed_iterations;
}

void mf__note_memory(struct mf_bench *bench)
{
    struct measurement *shared = bench->shared;
    struct mf_proc_stat stat;
    if (shared->self != NULL && shared->rss_count < (size_t)shared->plan->samples + 1 &&
        mf_proc_read_stat(shared->self, &stat) == 0) {
        shared->rss_iterations[shared->rss_count] = (double)bench->iterations;
        shared->rss_bytes[shared->rss_count++] = (double)stat.rss_bytes;
    }
}

/* ---- the life of a measurement ---- */

static int allocate_thread(struct mf_bench *bench)
{
    const size_t samples = bench->shared->plan->samples;
    bench->samples = mf_calloc(samples + 1, sizeof *bench->samples);
    bench->marks = mf_calloc(samples + 1, sizeof *bench->marks);
    bench->latency = mf_hdr_new();
    bench->service = bench->shared->plan->rate_per_second > 0 ? mf_hdr_new() : NULL;
    return bench->samples == NULL || bench->marks == NULL || bench->latency == NULL ||
                   (bench->shared->plan->rate_per_second > 0 && bench->service == NULL)
               ? -ENOMEM
               : 0;
}

static measure_phase *first_phase(const struct bench_plan *plan)
{
    if (plan->test) {
        return mf__phase_test;
    }
    if (plan->rate_per_second > 0) {
        return mf__phase_rate;
    }
    return plan->threads > 1 ? mf__phase_threads : mf__phase_warm_up;
}

/* A function of its own, never merged into its caller and never left by a jump: profilers cut
 * stacks where it stands. */
__attribute__((noinline)) void mf__bench_subject(const struct bench_entry *entry,
                                                 struct mf_bench *bench)
{
    entry->function(bench);
    __asm__ volatile("");
}

static void *run_thread(void *context)
{
    struct mf_bench *bench = context;
    struct measurement *shared = bench->shared;
    bench->phase = first_phase(shared->plan);
    if (!shared->plan->first_turn) {
        mf__turn_wait(bench);
    }
    mf__bench_subject(shared->entry, bench);
    mf__turn_pass(bench); /* for good */
    if (!bench->finished && !atomic_load(&shared->quit)) {
        mf__measure_fail(bench, BENCH_FAILED,
                         bench->batch == 0 && bench->iterations == 0
                             ? "it has no MF_LOOP"
                             : "it left its loop before the measurement was over");
    }
    return NULL;
}

static int run_threads(struct measurement *shared, struct mf_errinfo *err)
{
    const int count = shared->plan->threads;
    if (count == 1) {
        run_thread(&shared->threads[0]);
        return 0;
    }
    struct mf_thread *handles = mf_calloc((size_t)count, sizeof *handles);
    if (handles == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot start %d threads", count);
    }
    int rc = 0;
    int started = 0;
    for (; started < count && rc == 0; started += rc == 0) {
        char name[24];
        snprintf(name, sizeof name, "bench-%d", started);
        rc = mf_thread_start(&handles[started], name, run_thread, &shared->threads[started], err);
    }
    if (rc < 0) {
        atomic_store(&shared->quit, true);
    }
    for (int i = 0; i < started; i++) {
        mf_thread_join(&handles[i]);
    }
    mf_free(handles);
    return rc;
}

static void collect_counters(const struct measurement *shared, uint64_t iterations,
                             struct bench_process *process)
{
    for (int t = 0; t < shared->plan->threads; t++) {
        const struct mf_bench *bench = &shared->threads[t];
        for (size_t i = 0; i < bench->counter_count; i++) {
            size_t at = 0;
            while (at < process->counter_count &&
                   strcmp(process->counters[at].name, bench->counters[i].name) != 0) {
                at++;
            }
            if (at == BENCH_COUNTERS_MAX) {
                continue; /* each thread has names of its own: the first ones are kept */
            }
            const bool first = at == process->counter_count;
            if (first) {
                process->counters[at] = bench->counters[i];
                process->counters[at].value = 0;
                process->counter_count++;
            }
            double *value = &process->counters[at].value;
            if (bench->counter_is_report[i]) {
                *value = first ? bench->counters[i].value : fmax(*value, bench->counters[i].value);
            } else {
                *value += bench->counters[i].value / (double)iterations;
            }
        }
    }
}

static void collect_memory(const struct measurement *shared, struct bench_process *process)
{
    if (shared->counted_iterations > 0) {
        const double n = (double)shared->counted_iterations;
        mf__resource_add(process, "allocations_per_op", (double)shared->counted.count / n);
        mf__resource_add(process, "allocated_bytes_per_op", (double)shared->counted.bytes / n);
    }
    const double live = mf__live_heap_bytes();
    if (live > 0) {
        mf__resource_add(process, "live_bytes", live);
    }
    const size_t most =
        shared->rss_count > shared->live_count ? shared->rss_count : shared->live_count;
    double *scratch = mf_malloc((most * most + 1) * sizeof *scratch);
    if (scratch == NULL) {
        return; /* a figure less */
    }
    if (shared->live_count >= 2) {
        mf__resource_add(process, "leaked_bytes_per_op",
                         mf__theil_sen(shared->live_iterations, shared->live_bytes,
                                       shared->live_count, scratch));
    }
    if (shared->rss_count >= 3) {
        mf__resource_add(
            process, "rss_growth_bytes_per_op",
            mf__theil_sen(shared->rss_iterations, shared->rss_bytes, shared->rss_count, scratch));
    }
    mf_free(scratch);
}

/* One line for all threads: what each did between two boundaries of the timeline. */
static void combine_threads(struct measurement *shared, struct bench_process *process)
{
    shared->timed_iterations = 0;
    size_t marks = shared->threads[0].mark_count;
    for (int t = 1; t < shared->plan->threads; t++) {
        const size_t count = shared->threads[t].mark_count;
        marks = count < marks ? count : marks;
    }
    for (size_t k = 0; k + 1 < marks; k++) {
        double iterations = 0;
        double rate = 0;
        for (int t = 0; t < shared->plan->threads; t++) {
            const struct measure_mark *mark = &shared->threads[t].marks[k];
            const double done = mark[1].iterations - mark[0].iterations;
            const double busy = mark[1].busy_ns - mark[0].busy_ns;
            iterations += done;
            rate += busy > 0 ? done / busy : 0;
        }
        if (rate > 0 && iterations >= 1) {
            process->samples[process->sample_count++] = (struct bench_sample){
                .iterations = (uint64_t)llround(iterations),
                .time_ns = round(iterations) / rate,
            };
            shared->timed_iterations += (uint64_t)llround(iterations);
        }
    }
}

/* Windows in which nothing began are left out. */
static void combine_windows(struct measurement *shared, struct bench_process *process)
{
    for (size_t k = 0; k < shared->plan->samples; k++) {
        struct bench_sample sum = process->samples[k];
        for (int t = 1; t < shared->plan->threads; t++) {
            sum.iterations += shared->threads[t].samples[k].iterations;
            sum.time_ns += shared->threads[t].samples[k].time_ns;
        }
        if (sum.iterations > 0 && sum.time_ns > 0) {
            process->samples[process->sample_count++] = sum;
        }
    }
    shared->timed_iterations = shared->threads[0].service->count;
}

static void collect_samples(struct measurement *shared, struct bench_process *process)
{
    for (int t = 0; t < shared->plan->threads; t++) {
        struct mf_bench *bench = &shared->threads[t];
        if (t > 0) {
            mf_hdr_merge(shared->threads[0].latency, bench->latency);
            if (bench->service != NULL) {
                mf_hdr_merge(shared->threads[0].service, bench->service);
            }
        }
    }
    struct mf_bench *first = &shared->threads[0];
    process->samples = first->samples;
    first->samples = NULL;
    if (shared->plan->rate_per_second > 0) {
        combine_windows(shared, process);
    } else if (shared->plan->threads > 1) {
        combine_threads(shared, process);
    } else {
        process->sample_count = first->sample_count;
    }
    if (first->latency->count > 0) {
        process->latency = first->latency;
        first->latency = NULL;
    }
    if (first->service != NULL && first->service->count > 0) {
        process->service = first->service;
        first->service = NULL;
    }
}

static void collect(struct measurement *shared, struct bench_measured *measured)
{
    struct bench_process *process = &measured->process;
    uint64_t iterations = 0;
    for (int t = 0; t < shared->plan->threads; t++) {
        iterations += shared->threads[t].iterations;
    }
    measured->iterations = iterations;
    measured->elements = atomic_load(&shared->elements);
    measured->bytes = atomic_load(&shared->bytes);
    process->index = shared->plan->process_index;
    process->binary = 'A';
    process->paired = shared->paired;
    process->mode = shared->mode;
    process->timer_cost_ns = shared->timer_cost_ns;
    process->steal_fraction = NAN;
    process->load_average = NAN;
    if (shared->status == BENCH_OK && !shared->plan->test) {
        collect_samples(shared, process);
        if (process->sample_count == 0) {
            shared->status = BENCH_FAILED;
            snprintf(shared->message, sizeof shared->message,
                     "no sample was completed; give it more time");
        }
        if (shared->after->wall_ns != 0) {
            mf__resources_between(shared->before, shared->after, shared->timed_iterations, process);
        }
        collect_memory(shared, process);
    }
    if (iterations > 0) {
        collect_counters(shared, iterations, process);
    }
    measured->status = shared->status;
    snprintf(measured->message, sizeof measured->message, "%s", shared->message);
}

static int prepare(struct measurement *shared, struct mf_errinfo *err)
{
    const struct bench_plan *plan = shared->plan;
    shared->threads = mf_calloc((size_t)plan->threads, sizeof *shared->threads);
    shared->rss_iterations = mf_calloc((size_t)plan->samples + 1, sizeof *shared->rss_iterations);
    shared->rss_bytes = mf_calloc((size_t)plan->samples + 1, sizeof *shared->rss_bytes);
    shared->before = mf_calloc(1, sizeof *shared->before);
    shared->after = mf_calloc(1, sizeof *shared->after);
    int rc = shared->threads != NULL && shared->rss_iterations != NULL &&
                     shared->rss_bytes != NULL && shared->before != NULL && shared->after != NULL
                 ? 0
                 : -ENOMEM;
    for (int t = 0; t < plan->threads && rc == 0; t++) {
        shared->threads[t].shared = shared;
        shared->threads[t].thread = t;
        rc = allocate_thread(&shared->threads[t]);
    }
    if (rc == 0 && mf_proc_open((int32_t)getpid(), true, &shared->self) < 0) {
        shared->self = NULL; /* without /proc a figure less */
    }
    return rc == 0 ? 0 : mf_fail_os(err, rc, "cannot measure");
}

static void release(struct measurement *shared)
{
    for (int t = 0; shared->threads != NULL && t < shared->plan->threads; t++) {
        struct mf_bench *bench = &shared->threads[t];
        mf_free(bench->samples);
        mf_free(bench->marks);
        mf_free(bench->latency);
        mf_free(bench->service);
    }
    mf_free(shared->threads);
    mf_free(shared->rss_iterations);
    mf_free(shared->rss_bytes);
    mf_free(shared->before);
    mf_free(shared->after);
    mf_proc_close(shared->self);
}

/* AUTO is decided by the warm-up of a single thread; elsewhere samples are windows of time. */
static enum mf_bench_mode first_mode(const struct bench_plan *plan)
{
    if (plan->rate_per_second > 0) {
        return MF_BENCH_LATENCY;
    }
    return plan->threads > 1 && plan->mode != MF_BENCH_LATENCY ? MF_BENCH_FLAT : plan->mode;
}

int mf__measure(const struct bench_entry *entry, const struct bench_plan *plan,
                const struct bench_bracket *bracket, struct bench_measured *ret_measured,
                struct mf_errinfo *err)
{
    struct measurement shared = {
        .entry = entry,
        .plan = plan,
        .bracket = bracket,
        .timer_cost_ns = mf__timer_cost_ns(),
        .mode = first_mode(plan),
        .turns = plan->turns,
        .window_ns = (int64_t)(plan->measurement_seconds * 1e9 / plan->samples),
    };
    atomic_store(&shared.elements, entry->options.elements);
    atomic_store(&shared.bytes, entry->options.bytes);
    mf_mutex_init(&shared.lock);
    memset(ret_measured, 0, sizeof *ret_measured);
    int rc = prepare(&shared, err);
    if (rc == 0) {
        rc = run_threads(&shared, err);
    }
    if (rc == 0) {
        collect(&shared, ret_measured);
    }
    release(&shared);
    mf_mutex_fini(&shared.lock);
    return rc;
}
