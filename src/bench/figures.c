/* SPDX-License-Identifier: Apache-2.0
 * figures.c -- see figures.h. */
#include "figures.h"

#include "base/fail.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct unit {
    double scale;
    const char *name;
};

static const struct unit times[] = {{1e9, " s"}, {1e6, " ms"}, {1e3, " µs"}, {1, " ns"}};
static const struct unit sizes[] = {{1099511627776.0, " TiB"},
                                    {1073741824.0, " GiB"},
                                    {1048576.0, " MiB"},
                                    {1024.0, " KiB"},
                                    {1, " B"}};
static const struct unit counts[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}, {1, ""}};
static const struct unit bare[] = {{1, ""}};

static struct figure unknown(void)
{
    return (struct figure){"n/a"};
}

/* Three digits, never in exponents where people do not want them. */
static void digits(char *out, size_t capacity, double value)
{
    const double size = fabs(value);
    if (size >= 999.5 && size < 1e12) {
        snprintf(out, capacity, "%.0f", value);
    } else {
        snprintf(out, capacity, "%.3g", value);
    }
}

/* The largest unit of which there is one at least, after rounding to three digits. */
static const struct unit *unit_of(double value, const struct unit *units, size_t count)
{
    size_t i = 0;
    while (i + 1 < count && fabs(value) < 0.9995 * units[i].scale) {
        i++;
    }
    return &units[i];
}

static struct figure scaled(double value, const struct unit *units, size_t count)
{
    if (!isfinite(value)) {
        return unknown();
    }
    const struct unit *unit = unit_of(value, units, count);
    char number[32];
    struct figure figure;
    digits(number, sizeof number, value / unit->scale);
    snprintf(figure.text, sizeof figure.text, "%s%s", number, unit->name);
    return figure;
}

struct figure mf__figure_number(double value)
{
    return scaled(value, bare, MF_ARRAY_LEN(bare));
}

struct figure mf__figure_time(double ns)
{
    return scaled(ns, times, MF_ARRAY_LEN(times));
}

struct figure mf__figure_size(double bytes)
{
    return scaled(bytes, sizes, MF_ARRAY_LEN(sizes));
}

struct figure mf__figure_percent(double fraction)
{
    struct figure figure = scaled(100 * fraction, bare, MF_ARRAY_LEN(bare));
    if (isfinite(fraction)) {
        strncat(figure.text, " %", sizeof figure.text - strlen(figure.text) - 1);
    }
    return figure;
}

struct figure mf__figure_change(double ratio)
{
    if (!isfinite(ratio)) {
        return unknown();
    }
    struct figure figure;
    const double percent = 100 * (ratio - 1);
    if (fabs(percent) < 1000) {
        snprintf(figure.text, sizeof figure.text, "%+.*f %%", fabs(percent) < 10 ? 2 : 1, percent);
    } else {
        snprintf(figure.text, sizeof figure.text, percent < 1e9 ? "%+.0f %%" : "%+.3g %%", percent);
    }
    return figure;
}

static void times_text(char *out, size_t capacity, double ratio)
{
    if (ratio >= 0.995 && ratio < 9.95) {
        const bool near_one = ratio < 1.095;
        snprintf(out, capacity, "%.*f×", near_one ? 2 : 1, ratio);
    } else {
        char number[32];
        digits(number, sizeof number, ratio);
        snprintf(out, capacity, "%s×", number);
    }
}

struct figure mf__figure_speedup(double ratio)
{
    struct figure figure = unknown();
    if (isfinite(ratio)) {
        times_text(figure.text, sizeof figure.text, ratio);
    }
    return figure;
}

struct figure mf__figure_ratio(double ratio)
{
    struct figure figure = unknown();
    if (isfinite(ratio)) {
        char number[40];
        times_text(number, sizeof number, ratio);
        snprintf(figure.text, sizeof figure.text, "%s%s", number,
                 ratio >= 1.05   ? " slower"
                 : ratio <= 0.95 ? " (faster)"
                                 : "");
    }
    return figure;
}

/* Both ends in the unit of the upper one, which is said once. */
struct figure mf__figure_interval(struct bench_interval interval)
{
    if (!isfinite(interval.lower_bound) || !isfinite(interval.upper_bound)) {
        return unknown();
    }
    const struct unit *unit = unit_of(interval.upper_bound, times, MF_ARRAY_LEN(times));
    char low[24];
    char high[24];
    struct figure figure;
    digits(low, sizeof low, interval.lower_bound / unit->scale);
    digits(high, sizeof high, interval.upper_bound / unit->scale);
    snprintf(figure.text, sizeof figure.text, "%s .. %s%s", low, high, unit->name);
    return figure;
}

struct figure mf__figure_throughput(const struct bench_result *result)
{
    const double per_second = 1e9 / result->median.point_estimate;
    struct figure figure = {""};
    if (result->bytes != 0) {
        figure = scaled(per_second * (double)result->bytes, sizes, MF_ARRAY_LEN(sizes));
    } else if (result->elements != 0) {
        figure = scaled(per_second * (double)result->elements, counts, MF_ARRAY_LEN(counts));
        if (strchr(figure.text, ' ') == NULL) {
            strncat(figure.text, " ", sizeof figure.text - strlen(figure.text) - 1);
        }
    } else {
        return figure;
    }
    strncat(figure.text, "/s", sizeof figure.text - strlen(figure.text) - 1);
    return figure;
}

struct figure mf__figure_percentile(const struct bench_percentile *percentile, double timer_cost_ns)
{
    struct figure figure;
    if (percentile->n_needed > 0) {
        snprintf(figure.text, sizeof figure.text, "n/a (need n >= %llu)",
                 (unsigned long long)percentile->n_needed);
        return figure;
    }
    /* Single operations are counted in whole nanoseconds; fractions come from whole batches. */
    if (percentile->value_ns < timer_cost_ns &&
        percentile->value_ns == floor(percentile->value_ns)) {
        const struct figure cost = mf__figure_time(timer_cost_ns);
        snprintf(figure.text, sizeof figure.text, "<%.50s", cost.text);
        return figure;
    }
    return mf__figure_time(percentile->value_ns);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t len = strlen(text);
    const size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

struct figure mf__figure_metric(const char *name, double value)
{
    struct figure figure;
    if (strstr(name, "bytes") != NULL && value >= 0) {
        figure = mf__figure_size(value);
    } else if (ends_with(name, "_ns") || strstr(name, "_ns_per_op") != NULL) {
        figure = mf__figure_time(value);
    } else if (ends_with(name, "_fraction")) {
        figure = mf__figure_percent(value);
    } else if (ends_with(name, "_per_second")) {
        figure = scaled(value, counts, MF_ARRAY_LEN(counts));
    } else if (ends_with(name, "_pct")) {
        figure = mf__figure_percent(value / 100);
    } else {
        figure = mf__figure_number(value);
    }
    if (ends_with(name, "_per_second") && isfinite(value)) {
        strncat(figure.text, "/s", sizeof figure.text - strlen(figure.text) - 1);
    }
    return figure;
}
