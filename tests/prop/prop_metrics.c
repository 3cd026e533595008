/* SPDX-License-Identifier: Apache-2.0
 * prop_metrics.c -- random operations on a store against the model (metrics_model.h): values in
 * time, late, early and far away, batches, ticks back and forth, counters, histograms,
 * consolidation, syncs and reopening, series that come and go, in several schemas of random tiers.
 * Every answer of every tier equals the model, exactly where the slot is exact, else within the
 * bounds of docs/metrics.md.
 *
 * Seed: MAYFLY_TEST_SEED. MAYFLY_TEST_ROUNDS: how many stores, one seed after the other (300). */
#include "metrics_fixture.h"
#include "metrics_model.h"
#include "test_seed.h"

#include "base/rng.h"

#define T0          (INT64_C(1700000000) * SECOND)
#define ROUNDS      300
#define STEPS       260
#define MOMENTS_MAX 8

struct run {
    struct fixture *f;
    uint64_t seed;
    struct mf_rng rng;
    struct model model;
    struct mf_metrics_options options;
    mf_series handles[MODEL_SERIES_MAX];
    bool integers[MODEL_SERIES_MAX];
    bool added[MODEL_SERIES_MAX]; /* a counter that is added to, not observed */
    struct mf_counter_writer writers[2];
    unsigned writer_count;
    int64_t now_ns; /* where things happen */
    unsigned step;
    char where[64]; /* what is looked at */
};

static uint64_t below(struct run *r, uint64_t bound)
{
    return mf_rng_below(&r->rng, bound);
}

static void wrong(const struct run *r, const char *what, long long got, long long expected)
{
    fail_msg("MAYFLY_TEST_SEED=%#llx MAYFLY_TEST_ROUNDS=1, step %u, %s: %s is %lld, not %lld",
             (unsigned long long)r->seed, r->step, r->where, what, got, expected);
}

static void expect(const struct run *r, const char *what, long long got, long long expected)
{
    if (got != expected) {
        wrong(r, what, got, expected);
    }
}

/* --- a store */

static void make_schemas(struct run *r, struct mf_metrics_schema *schemas, uint32_t count)
{
    static const char *const names[] = {"a", "b", "c"};
    static const char *const selectors[] = {"{s=\"0\"}", "{s=\"1\"}", "{s=\"2\"}"};
    for (uint32_t i = 0; i < count; i++) {
        schemas[i] = (struct mf_metrics_schema){
            .name = names[i],
            .selector = selectors[i],
            .series_max = MODEL_SERIES_MAX + (uint32_t)below(r, 3),
            .histograms_max = MODEL_SERIES_MAX,
            .histogram_bytes = below(r, 2) == 0 ? 1024 : 512,
            .tier_count = 1 + (uint32_t)below(r, 4),
        };
        int64_t interval_ns = below(r, 3) == 0 ? MF_NS_PER_MS * 100 : SECOND;
        int64_t children = 1;
        for (uint32_t t = 0; t < schemas[i].tier_count; t++) {
            interval_ns *= children;
            const int64_t next = 2 + (int64_t)below(r, 5);
            schemas[i].tiers[t] = (struct mf_metrics_tier){
                .interval_ns = interval_ns, .slots = (uint32_t)next + (uint32_t)below(r, 12)};
            children = next;
        }
    }
}

static void open_store(struct run *r)
{
    struct mf_errinfo err = {0};
    const int rc = mf_metrics_open(r->f->path, r->model.schemas, r->model.schema_count, &r->options,
                                   &r->f->env, &r->f->store, &err);
    if (rc != 0) {
        fail_msg("seed %#llx: open: %s", (unsigned long long)r->seed, err.msg);
    }
    for (unsigned w = 0; w < r->writer_count; w++) {
        assert_int_equal(mf_counter_writer_begin(r->f->store, &r->writers[w], &err), 0);
    }
}

static void close_store(struct run *r)
{
    for (unsigned w = 0; w < r->writer_count; w++) {
        mf_counter_writer_end(&r->writers[w]);
    }
    model_close(&r->model);
    fixture_close(r->f);
}

static void register_series(struct run *r, unsigned i, enum mf_series_type type, uint32_t schema)
{
    char name[16];
    char schema_label[4];
    snprintf(name, sizeof name, "m%u", i);
    snprintf(schema_label, sizeof schema_label, "%u", schema);
    const struct mf_label label = {"s", schema_label};
    const struct mf_series_spec spec = {
        .type = type, .name = name, .labels = &label, .label_count = 1, .unit = "u", .help = "h"};
    struct mf_errinfo err = {0};
    const int rc = mf_metrics_register(r->f->store, &spec, &r->handles[i], &err);
    if (rc != 0) {
        fail_msg("seed %#llx: register: %s", (unsigned long long)r->seed, err.msg);
    }
}

static void reopen(struct run *r)
{
    close_store(r);
    open_store(r);
    for (unsigned i = 0; i < MODEL_SERIES_MAX; i++) {
        const struct model_series *s = &r->model.series[i];
        if (s->live) {
            register_series(r, i, s->type, s->schema);
        }
    }
}

/* --- what happens */

static int64_t random_time(struct run *r, uint32_t schema)
{
    const struct mf_metrics_schema *s = &r->model.schemas[schema];
    const int64_t first_ns = s->tiers[0].interval_ns;
    const struct mf_metrics_tier *last = &s->tiers[s->tier_count - 1];
    const int64_t window_ns = last->interval_ns * (int64_t)last->slots;
    switch (below(r, 12)) {
    case 0: /* late, here or there */
        return r->now_ns - (int64_t)below(r, (uint64_t)window_ns + 1);
    case 1:
        return r->now_ns - window_ns - (int64_t)below(r, (uint64_t)window_ns * 2);
    case 2:
    case 3:
        return r->now_ns - (int64_t)below(r, (uint64_t)first_ns * 4);
    case 4:
        return r->now_ns + (int64_t)below(r, (uint64_t)first_ns * 3);
    case 5:
        return below(r, 6) == 0 ? r->now_ns + r->model.future_ns_max * (int64_t)(1 + below(r, 3))
                                : r->now_ns;
    default:
        return r->now_ns;
    }
}

static double random_value(struct run *r, unsigned series)
{
    const struct model_series *s = &r->model.series[series];
    if (below(r, 60) == 0) {
        static const double odd[] = {NAN, INFINITY, -INFINITY};
        return odd[below(r, 3)];
    }
    if (s->type == MF_HISTOGRAM) {
        return below(r, 50) == 0 ? -1 : (double)(1 + below(r, 40)) / 8;
    }
    return r->integers[series] ? (double)below(r, 1000) - 300
                               : (mf_rng_double(&r->rng) - 0.3) * 1e6;
}

static unsigned random_series(struct run *r)
{
    return (unsigned)below(r, MODEL_SERIES_MAX);
}

static void step_record(struct run *r)
{
    const unsigned i = random_series(r);
    const struct model_series *s = &r->model.series[i];
    if (s->live && s->type == MF_COUNTER) {
        if (r->added[i]) {
            const uint64_t n = below(r, 100);
            assert_int_equal(
                mf_counter_add(&r->writers[below(r, r->writer_count)], r->handles[i], n), 0);
            model_add(&r->model, i, n);
        } else if (below(r, 3) == 0) {
            const double total = s->seen + (double)below(r, 50) - (below(r, 10) == 0 ? s->seen : 0);
            expect(r, "observe_total()",
                   mf_metrics_observe_total(r->f->store, r->handles[i], total),
                   model_observe(&r->model, i, total));
        } else {
            const double total = s->seen + (double)below(r, 50);
            const int64_t at = random_time(r, s->schema);
            expect(r, "observe_total_at()",
                   mf_metrics_observe_total_at(r->f->store, r->handles[i], total, at),
                   model_observe_at(&r->model, i, total, at));
        }
        return;
    }
    for (uint64_t n = 1 + below(r, 5); n > 0; n--) {
        const double value = s->live ? random_value(r, i) : 1;
        if (below(r, 3) == 0) {
            expect(r, "record()", mf_metrics_record(r->f->store, r->handles[i], value),
                   model_record(&r->model, i, value));
        } else {
            const int64_t at = random_time(r, s->schema);
            expect(r, "record_at()", mf_metrics_record_at(r->f->store, r->handles[i], value, at),
                   model_record_at(&r->model, i, value, at));
        }
    }
}

static void step_batch(struct run *r)
{
    unsigned series[8];
    mf_series handles[8];
    double values[8];
    const size_t count = (size_t)below(r, 9);
    for (size_t i = 0; i < count; i++) {
        do {
            series[i] = random_series(r);
        } while (r->model.series[series[i]].live && r->model.series[series[i]].type == MF_COUNTER);
        handles[i] = r->handles[series[i]];
        values[i] = random_value(r, series[i]);
    }
    const int64_t at = random_time(r, count > 0 ? r->model.series[series[0]].schema : 0);
    expect(r, "record_batch()", mf_metrics_record_batch(r->f->store, handles, values, count, at),
           model_batch(&r->model, series, values, count, at));
}

static void step_time(struct run *r)
{
    const int64_t interval_ns = r->model.schemas[0].tiers[0].interval_ns;
    switch (below(r, 20)) {
    case 0:
        r->now_ns += interval_ns * (int64_t)below(r, 400);
        break;
    case 1:
        r->now_ns += interval_ns * (int64_t)below(r, 40);
        break;
    default:
        r->now_ns += (int64_t)below(r, (uint64_t)interval_ns * 2);
        break;
    }
    r->f->wall_ns = r->model.wall_ns = r->now_ns;
    if (below(r, 4) != 0) {
        const int64_t back_ns =
            below(r, 25) == 0 ? (int64_t)below(r, (uint64_t)interval_ns * 50) : 0;
        expect(r, "tick()", mf_metrics_tick(r->f->store, r->now_ns - back_ns),
               model_tick(&r->model, r->now_ns - back_ns));
    }
}

static void step_series(struct run *r)
{
    const unsigned i = random_series(r);
    struct model_series *s = &r->model.series[i];
    if (s->live && below(r, 8) == 0) {
        struct mf_errinfo err = {0};
        expect(r, "unregister()", mf_metrics_unregister(r->f->store, r->handles[i], &err), 0);
        model_unregister(&r->model, i);
    } else if (!s->live) {
        const enum mf_series_type type = (enum mf_series_type)(1 + below(r, 3));
        const uint32_t schema = (uint32_t)below(r, r->model.schema_count);
        r->integers[i] = below(r, 2) == 0;
        r->added[i] = below(r, 2) == 0;
        register_series(r, i, type, schema);
        model_register(&r->model, i, type, schema);
    }
}

/* --- what it answers */

static void expect_near(const struct run *r, const char *what, double got, double expected,
                        double tolerance)
{
    if (!(fabs(got - expected) <= tolerance)) {
        fail_msg("MAYFLY_TEST_SEED=%#llx MAYFLY_TEST_ROUNDS=1, step %u, %s: %s is %.17g, not %.17g "
                 "(within %g)",
                 (unsigned long long)r->seed, r->step, r->where, what, got, expected, tolerance);
    }
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_median(const struct run *r, const struct model_slot *expected, double got)
{
    qsort(expected->values, expected->value_count, sizeof *expected->values, compare_doubles);
    const double median = expected->values[(expected->value_count + 1) / 2 - 1];
    expect_near(r, "median", got, median, median / 64);
}

static void check_point(const struct run *r, unsigned i, const struct mf_point *got,
                        const struct model_slot *expected, const struct mf_series_result *series)
{
    const struct model_series *s = &r->model.series[i];
    const int64_t end_ns = got->start_ns + series->interval_ns;
    expect(r, "count", (long long)got->count, (long long)expected->count);
    expect(r, "the open flag", (got->flags & MF_POINT_OPEN) != 0, end_ns > r->model.clock_ns);
    if (s->type == MF_COUNTER) {
        expect_near(r, "total", got->last, expected->last, 0);
        expect_near(r, "increase", got->sum, expected->sum, 0);
        expect_near(r, "first", got->first, expected->first, 0);
        return;
    }
    const bool exact = (got->flags & MF_POINT_APPROXIMATE) == 0;
    const double step =
        fmax((expected->max - expected->min) / 32768, fabs(expected->min) / 8388608);
    const bool whole = s->type == MF_HISTOGRAM ? true : r->integers[i];
    const double tolerance = exact || whole ? 0 : step * (expected->late + 1);
    expect_near(r, "min", got->min, expected->min, tolerance);
    expect_near(r, "max", got->max, expected->max, tolerance);
    expect_near(r, "first", got->first, expected->first, tolerance);
    expect_near(r, "last", got->last, expected->last, tolerance);
    const double count = (double)expected->count;
    const double sum_noise = 1e-9 * (1 + count * fmax(fabs(expected->min), fabs(expected->max)));
    const double mean_step = whole ? 1.0 / 32 : step;
    expect_near(r, "sum", got->sum, expected->sum,
                exact ? sum_noise : sum_noise + count * mean_step * (expected->late + 1));
    if (!(got->min <= got->first && got->first <= got->max && got->min <= got->last &&
          got->last <= got->max)) {
        wrong(r, "order of min, first, last, max", 0, 1);
    }
}

static const struct mf_series_result *ask(struct run *r, struct mf_metrics_reader *reader,
                                          unsigned i, int tier, int64_t start_ns, int64_t end_ns,
                                          struct mf_metrics_result **ret_result)
{
    char selector[16];
    snprintf(selector, sizeof selector, "m%u", i);
    const struct mf_metrics_query query = {
        .selector = selector,
        .start_ns = start_ns,
        .end_ns = end_ns,
        .tier = tier,
        .function =
            r->model.series[i].type == MF_HISTOGRAM ? MF_FUNCTION_QUANTILE : MF_FUNCTION_NONE,
        .quantile = 0.5,
    };
    struct mf_errinfo err = {0};
    const int rc = mf_metrics_query(reader, &query, ret_result, &err);
    if (rc != 0) {
        fail_msg("seed %#llx, step %u: query: %s", (unsigned long long)r->seed, r->step, err.msg);
    }
    expect(r, "matches", (long long)(*ret_result)->series_count, 1);
    return (*ret_result)->series;
}

static void check_tier(struct run *r, struct mf_metrics_reader *reader, unsigned i, uint32_t tier)
{
    const struct model_series *s = &r->model.series[i];
    const int64_t interval_ns = r->model.schemas[s->schema].tiers[tier].interval_ns;
    int64_t first;
    int64_t last;
    model_window(&r->model, s->schema, tier, &first, &last);
    /* All of it and more, or a part. */
    int64_t from = first - 5;
    int64_t to = last + 5;
    if (below(r, 3) == 0) {
        from += (int64_t)below(r, (uint64_t)(to - from));
        to = from + 1 + (int64_t)below(r, (uint64_t)(to - from));
    }
    struct mf_metrics_result *result = NULL;
    const struct mf_series_result *got =
        ask(r, reader, i, (int)tier, from * interval_ns, to * interval_ns, &result);
    expect(r, "tier", got->tier, tier);
    expect(r, "retained from", got->retained_from_ns, first * interval_ns);
    size_t at = 0;
    for (int64_t slot = from; slot < to; slot++) {
        struct model_slot expected;
        if (!model_point(&r->model, i, tier, slot, &expected)) {
            continue;
        }
        snprintf(r->where, sizeof r->where, "m%u, tier %u, slot %lld", i, tier, (long long)slot);
        if (at == got->point_count || got->points[at].start_ns != slot * interval_ns) {
            wrong(r, "the start of a point", at < got->point_count ? got->points[at].start_ns : -1,
                  slot * interval_ns);
        }
        check_point(r, i, &got->points[at], &expected, got);
        if (s->type == MF_HISTOGRAM) {
            check_median(r, &expected, got->values[at]);
        }
        at++;
    }
    snprintf(r->where, sizeof r->where, "m%u, tier %u", i, tier);
    expect(r, "number of points", (long long)got->point_count, (long long)at);
    mf_metrics_result_free(result);
}

static void check_histogram(struct run *r, struct mf_metrics_reader *reader, unsigned i)
{
    const struct model_series *s = &r->model.series[i];
    const uint32_t tier = (uint32_t)below(r, r->model.schemas[s->schema].tier_count);
    const int64_t interval_ns = r->model.schemas[s->schema].tiers[tier].interval_ns;
    int64_t first;
    int64_t last;
    model_window(&r->model, s->schema, tier, &first, &last);
    uint64_t count = 0;
    double sum = 0;
    for (int64_t slot = first; slot <= last; slot++) {
        struct model_slot expected;
        if (model_point(&r->model, i, tier, slot, &expected)) {
            count += expected.count;
            sum += expected.sum;
        }
    }
    char selector[16];
    snprintf(selector, sizeof selector, "m%u", i);
    const struct mf_metrics_query query = {.selector = selector,
                                           .start_ns = first * interval_ns,
                                           .end_ns = (last + 1) * interval_ns,
                                           .tier = (int)tier};
    struct mf_histogram *histogram = NULL;
    struct mf_errinfo err = {0};
    assert_int_equal(mf_metrics_query_histogram(reader, &query, &histogram, &err), 0);
    expect(r, "values of the histogram", (long long)mf_histogram_count(histogram),
           (long long)count);
    expect_near(r, "sum of the histogram", mf_histogram_sum(histogram), sum, 1 + sum / 16);
    mf_histogram_free(histogram);
}

static void check_stats(const struct run *r, const struct mf_metrics_reader *reader)
{
    struct mf_metrics_info info;
    mf_metrics_reader_info(reader, &info);
    const struct mf_metrics_stats *stats = &r->model.stats;
    expect(r, "late_merged", (long long)info.stats.late_merged, (long long)stats->late_merged);
    expect(r, "late_refused", (long long)info.stats.late_refused, (long long)stats->late_refused);
    expect(r, "future_refused", (long long)info.stats.future_refused,
           (long long)stats->future_refused);
    expect(r, "value_refused", (long long)info.stats.value_refused,
           (long long)stats->value_refused);
    expect(r, "backward_steps", (long long)info.stats.backward_steps,
           (long long)stats->backward_steps);
    expect(r, "counter_resets", (long long)info.stats.counter_resets,
           (long long)stats->counter_resets);
    expect(r, "clock", info.clock_wall_ns, r->model.clock_ns == MODEL_NONE ? 0 : r->model.clock_ns);
    uint32_t live = 0;
    for (unsigned i = 0; i < MODEL_SERIES_MAX; i++) {
        live += r->model.series[i].live ? 1 : 0;
    }
    expect(r, "series", info.stats.series, live);
    expect(r, "recoveries and repairs", (long long)(info.stats.recoveries + info.stats.repaired),
           0);
}

static void check_all(struct run *r)
{
    struct mf_metrics_reader *reader = NULL;
    struct mf_errinfo err = {0};
    const int rc = below(r, 2) == 0 ? mf_metrics_reader_of(r->f->store, &reader, &err)
                                    : mf_metrics_reader_open(r->f->path, &r->f->env, &reader, &err);
    assert_int_equal(rc, 0);
    check_stats(r, reader);
    for (unsigned i = 0; r->model.clock_ns != MODEL_NONE && i < MODEL_SERIES_MAX; i++) {
        const struct model_series *s = &r->model.series[i];
        for (uint32_t t = 0; s->live && t < r->model.schemas[s->schema].tier_count; t++) {
            check_tier(r, reader, i, t);
        }
        if (s->live && s->type == MF_HISTOGRAM) {
            check_histogram(r, reader, i);
        }
    }
    mf_metrics_reader_close(reader);
}

static void do_step(struct run *r)
{
    const uint64_t choice = below(r, 100);
    if (choice < 50) {
        step_record(r);
    } else if (choice < 60) {
        step_batch(r);
    } else if (choice < 80) {
        step_time(r);
    } else if (choice < 88) {
        step_series(r);
    } else if (choice < 94) {
        assert_true(mf_metrics_consolidate(r->f->store) >= 0);
        model_consolidate(&r->model);
    } else if (choice < 96) {
        struct mf_errinfo err = {0};
        expect(r, "sync()", mf_metrics_sync(r->f->store, &err), 0);
    } else if (choice < 97) {
        reopen(r);
    } else {
        check_all(r);
    }
}

static void one_store(struct fixture *f, uint64_t seed)
{
    struct run r = {.f = f, .seed = seed, .now_ns = T0, .options = MF_METRICS_OPTIONS_INIT};
    mf_rng_seed(&r.rng, seed);
    struct mf_metrics_schema schemas[3];
    const uint32_t schema_count = 1 + (uint32_t)below(&r, 3);
    make_schemas(&r, schemas, schema_count);
    r.now_ns += (int64_t)below(&r, 1000) * SECOND;
    f->wall_ns = r.now_ns;
    r.options.future_ns_max = (int64_t)(1 + below(&r, 30)) * SECOND;
    r.options.writers_max = 3;
    r.writer_count = 1 + (unsigned)below(&r, 2);
    model_init(&r.model, schemas, schema_count, r.options.future_ns_max);
    r.model.wall_ns = r.now_ns;
    snprintf(f->path, sizeof f->path, "%s/%llx", f->directory, (unsigned long long)seed);
    open_store(&r);
    for (r.step = 0; r.step < STEPS; r.step++) {
        do_step(&r);
    }
    check_all(&r);
    reopen(&r);
    check_all(&r);
    mf_metrics_consolidate(f->store);
    check_all(&r);
    close_store(&r);
    struct mf_errinfo err = {0};
    if (mf_metrics_verify(f->path, &f->env, NULL, &err) != 0) {
        fail_msg("seed %#llx: verify: %s", (unsigned long long)seed, err.msg);
    }
    char file[128];
    snprintf(file, sizeof file, "%s/metrics.slab", f->path);
    unlink(file);
    rmdir(f->path);
    model_free(&r.model);
}

static void random_operations_equal_the_model(void **state)
{
    const char *given = getenv("MAYFLY_TEST_ROUNDS");
    const uint64_t rounds = given != NULL ? strtoull(given, NULL, 0) : ROUNDS;
    const uint64_t seed = test_seed();
    for (uint64_t round = 0; round < rounds; round++) {
        one_store(*state, seed + round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_operations_equal_the_model, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
