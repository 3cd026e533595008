/* SPDX-License-Identifier: Apache-2.0
 *
 * seal_test.c -- a sealed store answers every query as the slab did; how small it is; what happens
 * to damaged ones. */
#include "metrics_fixture.h"

#include "base/rng.h"

#define T0 (INT64_C(1700000000) * SECOND)

/* What recorders give: see fill(). */
enum shape {
    CPU_PERCENT,   /* two decimals, wandering */
    CPU_JIFFIES,   /* whole per cents of a 100 Hz tick */
    MEMORY_BYTES,  /* pages, a walk with plateaus */
    OPEN_FILES,    /* small whole numbers */
    BYTES_TOTAL,   /* a counter, bursty */
    EXITS_TOTAL,   /* a counter, steady */
    TEMPERATURE,   /* one decimal */
    RANDOM_DOUBLE, /* nothing to find */
    SHAPES
};

static double bell(struct mf_rng *rng)
{
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += mf_rng_double(rng);
    }
    return sum - 6;
}

struct walk {
    double level;
    double total;
};

static double next_value(struct mf_rng *rng, enum shape shape, struct walk *walk)
{
    switch (shape) {
    case CPU_PERCENT:
    case CPU_JIFFIES:
        walk->level = fabs(walk->level + 3 * bell(rng));
        walk->level = walk->level > 100 ? 200 - walk->level : walk->level;
        return shape == CPU_PERCENT ? round(walk->level * 100) / 100 : floor(walk->level);
    case MEMORY_BYTES:
        walk->level += mf_rng_below(rng, 3) == 0 ? floor(bell(rng) * 100) : 0;
        return (50000 + walk->level) * 4096;
    case OPEN_FILES:
        walk->level += mf_rng_below(rng, 10) == 0 ? (double)mf_rng_below(rng, 3) - 1 : 0;
        return 64 + walk->level;
    case BYTES_TOTAL:
        walk->total += mf_rng_below(rng, 4) == 0 ? floor(fabs(bell(rng)) * 65536) : 0;
        return walk->total;
    case EXITS_TOTAL:
        walk->total += 1000 + floor(bell(rng) * 30);
        return walk->total;
    case TEMPERATURE:
        walk->level += 0.3 * bell(rng) - walk->level * 0.02;
        return round((45 + walk->level) * 10) / 10;
    case RANDOM_DOUBLE:
    case SHAPES:
        break;
    }
    return mf_rng_double(rng);
}

static enum mf_series_type type_of(enum shape shape)
{
    return shape == BYTES_TOTAL || shape == EXITS_TOTAL ? MF_COUNTER : MF_GAUGE;
}

/* `seconds` seconds of `series` series of one shape, once a second. */
static void fill(struct fixture *f, enum shape shape, int series, int seconds)
{
    struct mf_rng rng;
    struct walk walks[16] = {{0}};
    mf_series handles[16];
    mf_rng_seed(&rng, 42 + (uint64_t)shape);
    for (int i = 0; i < series; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d_%d", (int)shape, i);
        handles[i] = fixture_series(f, type_of(shape), name);
    }
    for (int second = 0; second < seconds; second++) {
        const int64_t at = T0 + second * SECOND;
        f->wall_ns = at;
        for (int i = 0; i < series; i++) {
            const double value = next_value(&rng, shape, &walks[i]);
            assert_int_equal(type_of(shape) == MF_COUNTER
                                 ? mf_metrics_observe_total_at(f->store, handles[i], value, at)
                                 : mf_metrics_record_at(f->store, handles[i], value, at),
                             0);
        }
    }
}

static struct mf_metrics_seal_report seal(struct fixture *f)
{
    struct mf_metrics_seal_report report = {0};
    struct mf_errinfo err = {0};
    if (mf_metrics_seal(f->path, &f->env, &report, &err) != 0) {
        fail_msg("seal: %s", err.msg);
    }
    return report;
}

/* Everything that a store answers, for comparison. */
struct answers {
    struct mf_metrics_result *tiers[4];
    struct mf_histogram *merged;
};

static void ask_everything(struct fixture *f, struct answers *answers)
{
    for (int tier = -1; tier < 3; tier++) {
        answers->tiers[tier + 1] =
            fixture_ask(f, NULL, tier, T0 - 86400 * SECOND, T0 + 86400 * SECOND);
    }
}

static void assert_same(const struct answers *a, const struct answers *b)
{
    for (int tier = 0; tier < 4; tier++) {
        const struct mf_metrics_result *x = a->tiers[tier];
        const struct mf_metrics_result *y = b->tiers[tier];
        assert_int_equal(x->series_count, y->series_count);
        for (size_t i = 0; i < x->series_count; i++) {
            const struct mf_series_result *p = &x->series[i];
            const struct mf_series_result *q = &y->series[i];
            assert_string_equal(p->text, q->text);
            assert_string_equal(p->unit, q->unit);
            assert_string_equal(p->help, q->help);
            assert_int_equal(p->type, q->type);
            assert_int_equal(p->tier, q->tier);
            assert_int_equal(p->retained_from_ns, q->retained_from_ns);
            assert_int_equal(p->partial, q->partial);
            assert_int_equal(p->missing, q->missing);
            assert_int_equal(p->point_count, q->point_count);
            for (size_t k = 0; k < p->point_count; k++) {
                assert_int_equal(p->points[k].start_ns, q->points[k].start_ns);
                assert_int_equal(p->points[k].count, q->points[k].count);
                assert_int_equal(p->points[k].flags, q->points[k].flags);
                assert_memory_equal(&p->points[k].sum, &q->points[k].sum, 5 * sizeof(double));
            }
        }
    }
}

static void free_answers(struct answers *answers)
{
    for (int tier = 0; tier < 4; tier++) {
        mf_metrics_result_free(answers->tiers[tier]);
    }
}

static bool exists(const struct fixture *f, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    return access(path, F_OK) == 0;
}

/* Sizes, and that regular gauges of one second take at most two bytes a sample. */
static void regular_gauges_take_two_bytes(void **state)
{
    static const struct {
        enum shape shape;
        const char *name;
        double bytes_max;
    } shapes[] = {
        {CPU_PERCENT, "CPU per cent, two decimals", 2},
        {CPU_JIFFIES, "CPU per cent, whole", 2},
        {MEMORY_BYTES, "resident bytes", 2},
        {OPEN_FILES, "open files", 2},
        {BYTES_TOTAL, "bytes, counter, bursts", 2},
        {EXITS_TOTAL, "exits, counter, steady", 2},
        {TEMPERATURE, "temperature, one decimal", 2},
        {RANDOM_DOUBLE, "random doubles", 8},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s", f->path);
        snprintf(f->path, sizeof f->path, "%s/%zu", f->directory, i);
        fixture_open(f);
        fill(f, shapes[i].shape, 10, 600);
        fixture_close(f);
        const struct mf_metrics_seal_report report = seal(f);
        assert_int_equal(report.finest_points, 6000);
        const double bytes = (double)report.archive_bytes / (double)report.finest_points;
        printf("    %-28s %.2f bytes a sample (10 series, 600 s, all tiers, whole file)\n",
               shapes[i].name, bytes);
#ifdef WITHOUT_ZSTD
        assert_true(bytes <= 1.5 * shapes[i].bytes_max);
#else
        assert_true(bytes <= shapes[i].bytes_max);
#endif
    }
}

static void sealed_answers_are_the_same(void **state)
{
    struct fixture *f = *state;
    struct answers before;
    struct answers after;
    struct mf_rng rng;
    struct mf_metrics_info info;
    struct mf_metrics_reader *reader;
    fixture_open(f);
    for (int shape = 0; shape < SHAPES; shape++) {
        fill(f, (enum shape)shape, 2, 900); /* longer than the first tier retains */
    }
    const mf_series histogram = fixture_series(f, MF_HISTOGRAM, "h");
    const mf_series many = fixture_series(f, MF_GAUGE, "many");
    mf_rng_seed(&rng, 7);
    for (int i = 0; i < 3000; i++) { /* several values a slot, gaps, and some of them late */
        const int64_t at = T0 + 600 * SECOND + (int64_t)mf_rng_below(&rng, 300 * SECOND);
        (void)mf_metrics_record_at(f->store, many, mf_rng_double(&rng) * 1000, at);
        (void)mf_metrics_record_at(f->store, histogram, exp(bell(&rng)), at);
    }
    fixture_close(f);
    ask_everything(f, &before);
    struct mf_histogram *merged[2];
    const struct mf_metrics_query whole = {
        .selector = "h", .start_ns = T0, .end_ns = T0 + 900 * SECOND, .tier = 1};
    assert_int_equal(mf_metrics_reader_open(f->path, &f->env, &reader, NULL), 0);
    assert_int_equal(mf_metrics_query_histogram(reader, &whole, &merged[0], NULL), 0);
    mf_metrics_reader_close(reader);
    const struct mf_metrics_seal_report report = seal(f);
    assert_true(report.archive_bytes * 10 < report.slab_bytes);
    assert_false(exists(f, "metrics.slab"));
    assert_false(exists(f, "metrics.archive.new"));
    ask_everything(f, &after);
    assert_same(&before, &after);
    assert_int_equal(mf_metrics_reader_open(f->path, &f->env, &reader, NULL), 0);
    assert_int_equal(mf_metrics_query_histogram(reader, &whole, &merged[1], NULL), 0);
    mf_metrics_reader_info(reader, &info);
    assert_int_equal(info.state, MF_METRICS_SEALED);
    for (int i = 0; i <= 100; i++) {
        assert_double(mf_histogram_quantile(merged[0], i / 100.0),
                      mf_histogram_quantile(merged[1], i / 100.0), 0);
    }
    mf_histogram_free(merged[0]);
    mf_histogram_free(merged[1]);
    mf_metrics_reader_close(reader);
    free_answers(&before);
    free_answers(&after);
    struct mf_metrics_verify_report verified;
    struct mf_errinfo err = {0};
    if (mf_metrics_verify(f->path, &f->env, &verified, &err) != 0) {
        fail_msg("verify: %s", err.msg);
    }
    assert_int_equal(verified.points, report.points);
    /* Nobody writes to it, and it is not sealed twice. */
    const struct mf_metrics_schema schema = fixture_schema(32, 4);
    assert_int_equal(mf_metrics_open(f->path, &schema, 1, NULL, &f->env, &f->store, &err),
                     MF_ECLOSED);
    assert_int_equal(mf_metrics_seal(f->path, &f->env, NULL, &err), MF_ECLOSED);
}

static void store_that_is_written_is_not_sealed(void **state)
{
    struct fixture *f = *state;
    struct mf_errinfo err = {0};
    fixture_open(f);
    fill(f, OPEN_FILES, 1, 10);
    assert_int_equal(mf_metrics_seal(f->path, &f->env, NULL, &err), MF_ELOCKED);
    assert_true(exists(f, "metrics.slab"));
    assert_int_equal(mf_metrics_seal(f->directory, &f->env, NULL, &err), MF_ENOTFOUND);
}

static void empty_store_is_sealed(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_series(f, MF_GAUGE, "g");
    fixture_close(f);
    const struct mf_metrics_seal_report report = seal(f);
    assert_int_equal(report.series, 1);
    assert_int_equal(report.points, 0);
    struct mf_metrics_result *result = fixture_ask(f, NULL, 0, T0, T0 + SECOND);
    assert_int_equal(result->series_count, 1);
    assert_int_equal(result->series[0].point_count, 0);
    mf_metrics_result_free(result);
}

/* With any one bit flipped, or cut at any length, an archive says so or answers; it never does
 * anything else. */
static void damaged_archive_is_found(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fill(f, CPU_PERCENT, 2, 30);
    const mf_series histogram = fixture_series(f, MF_HISTOGRAM, "h");
    for (int i = 0; i < 30; i++) {
        fixture_record(f, histogram, 1 + i, T0 + i * SECOND);
    }
    fixture_close(f);
    seal(f);
    char path[160];
    static unsigned char bytes[65536];
    snprintf(path, sizeof path, "%s/metrics.archive", f->path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(len > 100 && len < sizeof bytes);
    for (size_t i = 0; i < 2 * len; i++) {
        struct mf_errinfo err = {0};
        const size_t at = i / 2;
        const bool cut = i % 2 == 1;
        bytes[at] ^= cut ? 0 : 1u << (at % 8);
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, cut ? at : len, file), cut ? at : len);
        fclose(file);
        bytes[at] ^= cut ? 0 : 1u << (at % 8);
        const int rc = mf_metrics_verify(f->path, &f->env, NULL, &err);
        if (rc != MF_ECORRUPT && rc != MF_EFORMAT && rc != MF_EVERSION) {
            fail_msg("%s at %zu of %zu: %s", cut ? "cut" : "flip", at, len, mf_error_name(rc));
        }
        assert_true(err.msg[0] != '\0');
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(regular_gauges_take_two_bytes),
        TEST(sealed_answers_are_the_same),
        TEST(store_that_is_written_is_not_sealed),
        TEST(empty_store_is_sealed),
        TEST(damaged_archive_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
