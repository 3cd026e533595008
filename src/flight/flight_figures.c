/* SPDX-License-Identifier: Apache-2.0
 * flight_figures.c -- the figures that flights are compared by. See flight/compare.h. */
#include "flight/compare.h"

#include "fmt/units.h"

#include <math.h>

const struct mf_figure_about mf_figures[MF_FIGURES] = {
#define X(id, key, label, unit) {key, label, unit},
    MF_FIGURE_MAP(X)
#undef X
};

static double known(uint64_t value)
{
    return value != MF_FLIGHT_UNKNOWN ? (double)value : NAN;
}

static double output_sum(const struct mf_flight_totals *totals, bool lines)
{
    double sum = 0;
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        sum += (double)(lines ? totals->output[i].lines : totals->output[i].bytes);
    }
    return sum;
}

double mf_figure_of(const struct mf_flight_info *info, enum mf_figure figure)
{
    const struct mf_flight_totals *totals = &info->totals;
    const double cpu_ns = known(totals->cpu_user_ns) + known(totals->cpu_system_ns);
    if (info->state != MF_FLIGHT_ENDED && info->state != MF_FLIGHT_RECOVERED) {
        return NAN;
    }
    switch (figure) {
    case MF_FIGURE_DURATION:
        return info->duration_ns >= 0 ? (double)info->duration_ns : NAN;
    case MF_FIGURE_CPU:
        return cpu_ns;
    case MF_FIGURE_CPU_USER:
        return known(totals->cpu_user_ns);
    case MF_FIGURE_CPU_SYSTEM:
        return known(totals->cpu_system_ns);
    case MF_FIGURE_CORES:
        return info->duration_ns > 0 ? cpu_ns / (double)info->duration_ns : NAN;
    case MF_FIGURE_MEMORY:
        return known(totals->memory_peak_bytes);
    case MF_FIGURE_LARGEST:
        return info->largest_comm != NULL ? (double)info->largest_rss_bytes : NAN;
    case MF_FIGURE_READ:
        return known(totals->read_bytes);
    case MF_FIGURE_WRITE:
        return known(totals->write_bytes);
    case MF_FIGURE_PROCESSES:
        return known(totals->processes);
    case MF_FIGURE_PROCESSES_PEAK:
        return known(totals->processes_peak);
    case MF_FIGURE_THREADS_PEAK:
        return known(totals->threads_peak);
    case MF_FIGURE_FAULTS_MAJOR:
        return known(totals->faults_major);
    case MF_FIGURE_SWITCHES:
        return known(totals->switches_voluntary) + known(totals->switches_involuntary);
    case MF_FIGURE_OUTPUT:
        return output_sum(totals, false);
    case MF_FIGURE_LINES:
        return output_sum(totals, true);
    case MF_FIGURES:
        break;
    }
    return NAN;
}

void mf_figure_text(struct mf_buffer *out, enum mf_figure_unit unit, double value)
{
    char text[MF_UNITS_LEN];
    if (!(value >= 0) || value >= 9e18) {
        mf_buffer_putc(out, '-');
        return;
    }
    switch (unit) {
    case MF_UNIT_NS:
        mf_buffer_puts(out, mf_format_duration(text, llround(value)));
        break;
    case MF_UNIT_BYTES:
        mf_buffer_puts(out, mf_format_size(text, (uint64_t)llround(value)));
        break;
    case MF_UNIT_COUNT:
        if (value < 100000) {
            mf_buffer_printf(out, "%lld", llround(value));
        } else {
            mf_buffer_puts(out, mf_format_count(text, (uint64_t)llround(value)));
        }
        break;
    case MF_UNIT_CORES:
        mf_buffer_printf(out, "%.2f", value);
        break;
    }
}

void mf_change_text(struct mf_buffer *out, double a, double b)
{
    if (isnan(a) || isnan(b)) {
        mf_buffer_putc(out, '-');
    } else if (a == b || fabs(b - a) < 0.005 * a) {
        mf_buffer_puts(out, "same");
    } else if (a == 0) {
        mf_buffer_puts(out, "new");
    } else if (b == 0) {
        mf_buffer_puts(out, "gone");
    } else if (b >= 3 * a) {
        mf_buffer_printf(out, "x%.*f", b < 9.95 * a ? 1 : 0, b / a);
    } else {
        const double percent = (b - a) / a * 100;
        mf_buffer_printf(out, "%+.*f %%", fabs(percent) < 9.95 ? 1 : 0, percent);
    }
}
