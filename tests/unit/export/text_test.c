/* SPDX-License-Identifier: Apache-2.0
 * text_test.c -- OpenMetrics, CSV and JSON, letter by letter. */
#include "export_fixture.h"

#include <errno.h>

struct text {
    char bytes[1 << 20];
    size_t len;
    size_t room; /* a write beyond it fails */
};

static int collect(void *context, const char *bytes, size_t len)
{
    struct text *text = context;
    if (len > text->room - text->len) {
        return -ENOSPC;
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
    return 0;
}

static struct mf_metrics_reader *reader_of(struct fixture *f)
{
    struct mf_metrics_reader *reader;
    struct mf_errinfo err = {0};
    if (mf_metrics_reader_open(f->path, &f->env, &reader, &err) != 0) {
        fail_msg("reader: %s", err.msg);
    }
    return reader;
}

static const char *exposition(struct fixture *f)
{
    static struct text text;
    struct mf_metrics_reader *reader = reader_of(f);
    struct mf_errinfo err = {0};
    text.len = 0;
    text.room = sizeof text.bytes - 1;
    if (mf_export_exposition(reader, NULL, collect, &text, &err) != 0) {
        fail_msg("exposition: %s", err.msg);
    }
    mf_metrics_reader_close(reader);
    return text.bytes;
}

static const char *range(struct fixture *f, enum mf_export_format format,
                         const struct mf_metrics_query *query)
{
    static struct text text;
    struct mf_metrics_reader *reader = reader_of(f);
    struct mf_errinfo err = {0};
    text.len = 0;
    text.room = sizeof text.bytes - 1;
    if (mf_export_range(reader, query, format, collect, &text, &err) != 0) {
        fail_msg("range: %s", err.msg);
    }
    mf_metrics_reader_close(reader);
    return text.bytes;
}

static const struct mf_metrics_query everything = {
    .start_ns = 0, .end_ns = INT64_MAX, .tier = MF_TIER_FINEST};

static mf_series with(struct fixture *f, enum mf_series_type type, const char *name,
                      const char *unit, const char *help, const char *label, const char *value)
{
    const struct mf_label labels[] = {{label, value}};
    const struct mf_series_spec spec = {.type = type,
                                        .name = name,
                                        .labels = labels,
                                        .label_count = label != NULL ? 1 : 0,
                                        .unit = unit,
                                        .help = help};
    mf_series series = 0;
    assert_int_equal(mf_metrics_register(f->store, &spec, &series, NULL), 0);
    return series;
}

static void empty_store_is_an_empty_text(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_string_equal(exposition(f), "# EOF\n");
    fixture_series(f, MF_GAUGE, "g"); /* without a value */
    assert_string_equal(exposition(f), "# EOF\n");
    assert_string_equal(range(f, MF_EXPORT_OPENMETRICS, &everything), "# EOF\n");
}

static void exposition_is_as_specified(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series g = with(f, MF_GAUGE, "temp_celsius", "celsius", "It's \\ a \"test\"\nof two.",
                             "at", "a\\b\"c\nd");
    const mf_series g2 = with(f, MF_GAUGE, "temp_celsius", "celsius", NULL, "at", "z");
    const mf_series c = with(f, MF_COUNTER, "requests_total", "bytes", NULL, NULL, NULL);
    const mf_series h = with(f, MF_HISTOGRAM, "size_bytes", "bytes", "Sizes.", "le", "x");
    fixture_record(f, g, 20.25, T0);
    fixture_record(f, g, 21.5, T0 + SECOND);
    fixture_record(f, g2, -1e300, T0 - 700 * SECOND); /* not in the first tier any more */
    assert_int_equal(mf_metrics_observe_total_at(f->store, c, 0, T0), 0);
    assert_int_equal(mf_metrics_observe_total_at(f->store, c, 12345678901, T0 + SECOND), 0);
    for (int i = 1; i <= 4; i++) {
        fixture_record(f, h, i, T0);
    }
    fixture_record(f, h, 0.5, T0 + SECOND);
    assert_string_equal(exposition(f), "# TYPE requests counter\n"
                                       "requests_total 12345678901\n"
                                       "# TYPE temp_celsius gauge\n"
                                       "# UNIT temp_celsius celsius\n"
                                       "# HELP temp_celsius It's \\\\ a \\\"test\\\"\\nof two.\n"
                                       "temp_celsius{at=\"a\\\\b\\\"c\\nd\"} 21.5\n"
                                       "temp_celsius{at=\"z\"} -1e+300\n"
                                       "# TYPE size_bytes histogram\n"
                                       "# UNIT size_bytes bytes\n"
                                       "# HELP size_bytes Sizes.\n"
                                       "size_bytes_bucket{exported_le=\"x\",le=\"0.5\"} 1\n"
                                       "size_bytes_bucket{exported_le=\"x\",le=\"1.0\"} 2\n"
                                       "size_bytes_bucket{exported_le=\"x\",le=\"2.0\"} 3\n"
                                       "size_bytes_bucket{exported_le=\"x\",le=\"4.0\"} 5\n"
                                       "size_bytes_bucket{exported_le=\"x\",le=\"+Inf\"} 5\n"
                                       "size_bytes_sum{exported_le=\"x\"} 10.5\n"
                                       "size_bytes_count{exported_le=\"x\"} 5\n"
                                       "# EOF\n");
}

/* No two families share a name, and each stands in one piece, whatever the series are called. */
static void families_are_kept_apart(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const struct {
        enum mf_series_type type;
        const char *name;
        const char *value;
    } series[] = {
        {MF_COUNTER, "a", "1"},   {MF_COUNTER, "a_total", "1"}, {MF_GAUGE, "a_total", "2"},
        {MF_GAUGE, "b", "1"},     {MF_COUNTER, "b", "2"},       {MF_GAUGE, "b", "3"},
        {MF_HISTOGRAM, "c", "1"}, {MF_GAUGE, "c_sum", "1"},     {MF_GAUGE, "_total", "1"},
    };
    for (size_t i = 0; i < sizeof series / sizeof series[0]; i++) {
        const mf_series s =
            with(f, series[i].type, series[i].name, NULL, NULL, "l", series[i].value);
        if (series[i].type == MF_COUNTER) {
            assert_int_equal(mf_metrics_observe_total_at(f->store, s, 1, T0), 0);
            assert_int_equal(mf_metrics_observe_total_at(f->store, s, 7, T0), 0);
        } else {
            fixture_record(f, s, 1, T0);
        }
    }
    assert_string_equal(exposition(f), "# TYPE _total gauge\n"
                                       "_total{l=\"1\"} 1\n"
                                       "# TYPE a counter\n"
                                       "a_total{l=\"1\"} 7\n"
                                       "# TYPE a_counter counter\n"
                                       "a_counter_total{l=\"1\"} 7\n"
                                       "# TYPE b gauge\n"
                                       "b{l=\"1\"} 1\n"
                                       "b{l=\"3\"} 1\n"
                                       "# TYPE c_sum_gauge gauge\n"
                                       "c_sum_gauge{l=\"1\"} 1\n"
                                       "# TYPE c histogram\n"
                                       "c_bucket{l=\"1\",le=\"1.0\"} 1\n"
                                       "c_bucket{l=\"1\",le=\"+Inf\"} 1\n"
                                       "c_sum{l=\"1\"} 1\n"
                                       "c_count{l=\"1\"} 1\n"
                                       "# TYPE a_total_gauge gauge\n"
                                       "a_total_gauge{l=\"2\"} 1\n"
                                       "# TYPE b_counter counter\n"
                                       "b_counter_total{l=\"2\"} 7\n"
                                       "# EOF\n");
}

static void range_has_times_in_seconds(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series g = fixture_series(f, MF_GAUGE, "g");
    const mf_series h = fixture_series(f, MF_HISTOGRAM, "h");
    fixture_record(f, g, 1, T0);
    fixture_record(f, h, 3, T0);
    fixture_record(f, h, 5, T0 + SECOND);
    fixture_record(f, g, 2, T0 + 2 * SECOND + SECOND / 2);
    assert_string_equal(range(f, MF_EXPORT_OPENMETRICS, &everything),
                        "# TYPE g gauge\n"
                        "g 1 1700000001.000\n"
                        "g 2 1700000002.500\n"
                        "# TYPE h histogram\n"
                        "h_bucket{le=\"4.0\"} 1 1700000001.000\n"
                        "h_bucket{le=\"+Inf\"} 1 1700000001.000\n"
                        "h_sum 3 1700000001.000\n"
                        "h_count 1 1700000001.000\n"
                        "h_bucket{le=\"4.0\"} 1 1700000002.000\n"
                        "h_bucket{le=\"8.0\"} 2 1700000002.000\n"
                        "h_bucket{le=\"+Inf\"} 2 1700000002.000\n"
                        "h_sum 8 1700000002.000\n"
                        "h_count 2 1700000002.000\n"
                        "# EOF\n");
}

static void csv_and_json(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    const mf_series g = with(f, MF_GAUGE, "g", "bytes", "Help.", "a", "x,\"y\"");
    const mf_series c = fixture_series(f, MF_COUNTER, "c");
    fixture_record(f, g, 1.5, T0);
    fixture_record(f, g, 2.5, T0);
    assert_int_equal(mf_metrics_observe_total_at(f->store, c, 10, T0), 0);
    assert_int_equal(mf_metrics_observe_total_at(f->store, c, 40, T0 + SECOND), 0);
    assert_string_equal(
        range(f, MF_EXPORT_CSV, &everything),
        "time_ns,series,type,interval_ns,count,sum,min,max,first,last,p50,p90,p99,value,flags\r\n"
        "1700000000000000000,c,counter,1000000000,1,0,10,10,10,10,,,,,\r\n"
        "1700000001000000000,c,counter,1000000000,1,30,10,40,10,40,,,,,O\r\n"
        "1700000000000000000,\"g{a=\"\"x,\\\"\"y\\\"\"\"\"}\",gauge,1000000000,2,4,1.5,2.5,1.5,2.5,"
        ",,,,\r\n");
    struct mf_metrics_query rate = everything;
    rate.selector = "c";
    rate.tier = 0;
    rate.function = MF_FUNCTION_INCREASE;
    assert_string_equal(
        range(f, MF_EXPORT_JSON, &rate),
        "{\"series\":[{\"name\":\"c\",\"labels\":{},\"series\":\"c\",\"type\":\"counter\","
        "\"unit\":\"\",\"help\":\"\",\"points\":["
        "{\"time_ns\":1700000000000000000,\"interval_ns\":1000000000,\"count\":1,\"sum\":0,"
        "\"min\":10,\"max\":10,\"first\":10,\"last\":10,\"value\":0},"
        "{\"time_ns\":1700000001000000000,\"interval_ns\":1000000000,\"count\":1,\"sum\":30,"
        "\"min\":10,\"max\":40,\"first\":10,\"last\":40,\"value\":30,\"open\":true}]}]}\n");
}

/* Each time is in one point only, in the finest tier that still has it, and every total is whole.
 */
static void finest_joins_the_tiers(void **state)
{
    struct fixture *f = *state;
    struct sample_store s;
    sample_open(f, &s);
    for (int i = 0; i < 5000; i++) {
        const int64_t at = T0 + i * SECOND;
        f->wall_ns = at;
        fixture_record(f, s.gauge, 1, at);
    }
    struct mf_metrics_query gauge = everything;
    gauge.selector = "g";
    const char *text = range(f, MF_EXPORT_CSV, &gauge);
    int64_t until_ns = T0;
    uint64_t values = 0;
    unsigned points[2] = {0, 0};
    text = strchr(text, '\n') + 1;
    for (; *text != '\0'; text = strchr(text, '\n') + 1) {
        static const char series[] = ",\"g{job=\"\"vm\"\"}\",gauge,";
        char *at;
        const int64_t start_ns = strtoll(text, &at, 10);
        assert_memory_equal(at, series, strlen(series));
        const int64_t interval_ns = strtoll(at + strlen(series), &at, 10);
        assert_int_equal(*at, ',');
        const uint64_t count = strtoull(at + 1, &at, 10);
        assert_int_equal(start_ns, until_ns);
        until_ns = start_ns + interval_ns;
        values += count;
        points[interval_ns == SECOND ? 0 : 1]++;
    }
    assert_int_equal(values, 5000);
    assert_true(points[0] >= 590 && points[0] <= 600);
    assert_int_equal(points[1], (5000 - points[0]) / 10);
}

static void failing_writer_ends_an_export(void **state)
{
    struct fixture *f = *state;
    struct sample_store s;
    sample_open(f, &s);
    sample_record(f, &s, 0, 400);
    static struct text text;
    const enum mf_export_format formats[] = {MF_EXPORT_OPENMETRICS, MF_EXPORT_CSV, MF_EXPORT_JSON};
    for (size_t i = 0; i < 3; i++) {
        for (text.room = 0; text.room < 60000; text.room += 20000) {
            struct mf_metrics_reader *reader = reader_of(f);
            struct mf_errinfo err = {0};
            text.len = 0;
            assert_int_equal(mf_export_range(reader, &everything, formats[i], collect, &text, &err),
                             -ENOSPC);
            assert_true(err.msg[0] != '\0');
            mf_metrics_reader_close(reader);
        }
    }
}

static void several_stores_in_one_document(void **state)
{
    struct fixture *f = *state;
    struct mf_exporter *exporter;
    static struct text text;
    fixture_open(f);
    fixture_record(f, fixture_series(f, MF_GAUGE, "g"), 1, T0);
    struct mf_metrics_reader *reader = reader_of(f);
    text.room = sizeof text.bytes - 1;
    text.len = 0;
    assert_int_equal(mf_exporter_new(MF_EXPORT_CSV, collect, &text, &exporter, NULL), 0);
    assert_int_equal(mf_exporter_add(exporter, "one", reader, &everything, NULL), 0);
    assert_int_equal(mf_exporter_add(exporter, "t,wo", reader, &everything, NULL), 0);
    assert_int_equal(mf_exporter_finish(exporter, NULL), 0);
    mf_exporter_free(exporter);
    assert_string_equal(
        text.bytes, "store,time_ns,series,type,interval_ns,count,sum,min,max,first,last,p50,p90,"
                    "p99,value,flags\r\n"
                    "one,1700000000000000000,g,gauge,1000000000,1,1,1,1,1,1,,,,,O\r\n"
                    "\"t,wo\",1700000000000000000,g,gauge,1000000000,1,1,1,1,1,1,,,,,O\r\n");
    assert_int_equal(mf_exporter_new(MF_EXPORT_OPENMETRICS, collect, &text, &exporter, NULL), 0);
    assert_int_equal(mf_exporter_add(exporter, NULL, reader, &everything, NULL), 0);
    assert_int_equal(mf_exporter_add(exporter, NULL, reader, &everything, NULL), MF_EVALUE);
    mf_exporter_free(exporter);
    mf_metrics_reader_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(empty_store_is_an_empty_text),
        TEST(exposition_is_as_specified),
        TEST(families_are_kept_apart),
        TEST(range_has_times_in_seconds),
        TEST(csv_and_json),
        TEST(finest_joins_the_tiers),
        TEST(failing_writer_ends_an_export),
        TEST(several_stores_in_one_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
