/* SPDX-License-Identifier: Apache-2.0
 * doctor.c -- see doctor.h. The commands are in command_doctor.c. */
#include "doctor.h"
#include "figures.h"
#include "machine.h"
#include "statistics.h"

#include "base/check.h"
#include "base/fail.h"
#include "fmt/json_write.h"
#include "fmt/terminal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TIMER_SLOW_NS    200  /* a reading: the clock is not read in user space */
#define LOAD_MUCH        0.25 /* of a processor each */
#define STEAL_MUCH       0.01
#define MEMORY_LITTLE    0.1 /* of it */
#define FILES_FEW        4096
#define NOISE_CONFIDENCE 1.96
#define NORMAL_80        1.2816 /* so many deviations from the middle lie 80 % of normal data */

struct finding *mf__finding_add(struct findings *findings, const char *name,
                                enum finding_state state)
{
    MF_ASSERT(findings->count < FINDINGS_MAX);
    struct finding *finding = &findings->items[findings->count++];
    *finding = (struct finding){.name = name, .state = state};
    return finding;
}

__attribute__((format(printf, 2, 3))) static void value(struct finding *finding, const char *format,
                                                        ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->value, sizeof finding->value, format, arguments);
    va_end(arguments);
}

/* Makes it a warning. */
__attribute__((format(printf, 2, 3))) static void advise(struct finding *finding,
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->advice, sizeof finding->advice, format, arguments);
    va_end(arguments);
    if (finding->state < FINDING_WARNING) {
        finding->state = FINDING_WARNING;
    }
}

/* ---- the noise floor ---- */

double mf__noise_floor(const double *log_ratios, size_t n, size_t gate_pairs, double *scratch)
{
    if (n < 3) {
        return NAN;
    }
    /* Like the median absolute deviation, but of the 80th percentile: it sees broad tails, and
     * bears that one pair in five meets something else. */
    const double middle = mf__median(log_ratios, n, scratch);
    for (size_t i = 0; i < n; i++) {
        scratch[i] = fabs(log_ratios[i] - middle);
    }
    mf__sort_doubles(scratch, n);
    const double each = mf__quantile_sorted(scratch, n, 0.8) / NORMAL_80;
    const double error = NOISE_CONFIDENCE * each / sqrt((double)gate_pairs);
    return expm1(error);
}

/* ---- findings ---- */

static void examine_noise(const struct doctor_measurements *measured, struct findings *findings)
{
    if (isnan(measured->noise_floor_fraction)) {
        return;
    }
    struct finding *finding = mf__finding_add(findings, "noise floor", FINDING_GOOD);
    value(finding, "%s, of %zu pairs; unpaired processes differ by %s",
          mf__figure_percent(measured->noise_floor_fraction).text, measured->pairs,
          mf__figure_percent(measured->spread_fraction).text);
    if (measured->noise_floor_fraction > measured->threshold_fraction) {
        advise(
            finding,
            "A change of %s cannot be told from noise here. Stop what else runs, use --processes "
            "16 or more, or raise threshold_pct.",
            mf__figure_percent(measured->threshold_fraction).text);
        finding->state = FINDING_BAD;
    } else if (measured->spread_fraction > 0.05) {
        advise(finding, "Compare programs in turns (--compare, gate), never results of different "
                        "days.");
    }
}

static void examine_clock(const char *root, const struct doctor_measurements *measured,
                          struct findings *findings)
{
    char source[MACHINE_TEXT_LEN];
    struct finding *finding = mf__finding_add(findings, "timer", FINDING_GOOD);
    const bool known =
        mf__machine_line(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
                         source, sizeof source);
    value(finding, "%s to read, steps of %s%s%s", mf__figure_time(measured->timer_cost_ns).text,
          mf__figure_time(measured->timer_step_ns).text, known ? ", clock source " : "", source);
    if (measured->timer_cost_ns > TIMER_SLOW_NS) {
        advise(finding,
               "The clock is read by a system call (clock source %.60s): single operations below "
               "%s cannot be timed. The kernel option clocksource=tsc may help.",
               known ? source : "unknown", mf__figure_time(10 * measured->timer_cost_ns).text);
    }
}

static void examine_frequency(const char *root, struct findings *findings)
{
    char text[MACHINE_TEXT_LEN];
    struct finding *finding = mf__finding_add(findings, "governor", FINDING_GOOD);
    if (!mf__machine_governor(root, text, sizeof text)) {
        finding->state = FINDING_NOTE;
        value(finding, "n/a: the machine does not show how it is clocked (as virtual ones do)");
    } else {
        value(finding, "%s", text);
        if (strcmp(text, "performance") != 0) {
            advise(finding, "The clock follows the load: echo performance | sudo tee "
                            "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
        }
    }
    if (mf__machine_boost(root, text, sizeof text)) {
        finding = mf__finding_add(findings, "turbo", FINDING_GOOD);
        value(finding, "%s", text);
        if (strcmp(text, "on") == 0) {
            advise(finding, "The clock depends on heat and on what the other cores do: echo 1 | "
                            "sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 | "
                            "sudo tee /sys/devices/system/cpu/cpufreq/boost");
        }
    }
    if (mf__machine_smt(root, text, sizeof text)) {
        finding = mf__finding_add(findings, "SMT", FINDING_GOOD);
        value(finding, "%s", text);
        if (strcmp(text, "on") == 0) {
            advise(finding, "Two threads share a core: for the time of a measurement, echo off | "
                            "sudo tee /sys/devices/system/cpu/smt/control");
        }
    }
}

static void examine_load(const char *root, const struct doctor_measurements *measured,
                         struct findings *findings)
{
    const double load = mf__machine_load(root);
    struct finding *finding = mf__finding_add(findings, "load", FINDING_GOOD);
    value(finding, "%s on %u processors", mf__figure_number(load).text, measured->cpus);
    if (load > LOAD_MUCH * measured->cpus) {
        advise(finding, "Other programs run: see top, and wait or stop them.");
    }
    if (!isnan(measured->steal_fraction)) {
        finding = mf__finding_add(findings, "steal", FINDING_GOOD);
        value(finding, "%s of the processors' time while this was measured",
              mf__figure_percent(measured->steal_fraction).text);
        if (measured->steal_fraction > STEAL_MUCH) {
            advise(finding, "Other virtual machines take processor time from this one: only "
                            "interleaved comparisons hold; a dedicated machine is better.");
        }
    }
    const double quota = mf__machine_quota(root);
    if (!isnan(quota)) {
        finding = mf__finding_add(findings, "CPU quota", FINDING_NOTE);
        value(finding, "%s processors, by the cgroup", mf__figure_number(quota).text);
        advise(finding, "A process that has used its share is stopped for the rest of the period: "
                        "high percentiles show that, not the program. Measure without a quota.");
    }
}

static void examine_memory(const char *root, struct findings *findings)
{
    char text[MACHINE_TEXT_LEN];
    const double total = mf__machine_memory(root, "MemTotal");
    const double available = mf__machine_memory(root, "MemAvailable");
    struct finding *finding = mf__finding_add(findings, "memory", FINDING_GOOD);
    value(finding, "%s of %s available", mf__figure_size(available).text,
          mf__figure_size(total).text);
    if (available < MEMORY_LITTLE * total) {
        advise(finding, "Little is left: the kernel reclaims pages while you measure.");
    }
    const double swap = mf__machine_memory(root, "SwapTotal");
    const double used = swap - mf__machine_memory(root, "SwapFree");
    finding = mf__finding_add(findings, "swap", FINDING_GOOD);
    if (isnan(swap) || swap == 0) {
        value(finding, "none");
    } else {
        value(finding, "%s of %s used", mf__figure_size(used).text, mf__figure_size(swap).text);
        if (used > 0) {
            advise(finding,
                   "Memory is written out: sudo swapoff -a for the time of a measurement.");
        }
    }
    if (mf__machine_choice(root, "/sys/kernel/mm/transparent_hugepage/enabled", text,
                           sizeof text)) {
        finding = mf__finding_add(findings, "THP", FINDING_GOOD);
        value(finding, "%s", text);
        if (strcmp(text, "always") == 0) {
            finding->state = FINDING_NOTE;
            advise(finding,
                   "Which pages become large ones is chance, and changes speed and memory: "
                   "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
        }
    }
}

static void examine_process(const char *root, struct findings *findings)
{
    char text[MACHINE_TEXT_LEN];
    if (mf__machine_aslr(root, text, sizeof text)) {
        struct finding *finding = mf__finding_add(findings, "ASLR", FINDING_NOTE);
        value(finding, "%s", text);
        snprintf(finding->advice, sizeof finding->advice, "%s",
                 strcmp(text, "on") == 0
                     ? "Wanted: every process lies elsewhere, and several of them average that out."
                     : "Every process lies at the same place: figures repeat well, and may all be "
                       "wrong in the same way.");
    }
    const double files = mf__machine_limit(root, "Max open files");
    const double seconds = mf__machine_limit(root, "Max cpu time");
    const double space = mf__machine_limit(root, "Max address space");
    struct finding *finding = mf__finding_add(findings, "limits", FINDING_GOOD);
    value(finding, "%s open files%s%s", isinf(files) ? "unlimited" : mf__figure_number(files).text,
          isfinite(seconds) ? ", CPU time limited" : "",
          isfinite(space) ? ", address space limited" : "");
    if (files < FILES_FEW) {
        advise(finding, "Benchmarks with many files or sockets need more: ulimit -n 65536");
    }
    if (isfinite(seconds) || isfinite(space)) {
        advise(finding,
               "A benchmark may be killed by its limits: ulimit -t unlimited -v unlimited");
    }
    finding = mf__finding_add(findings, "perf", FINDING_GOOD);
    if (!mf__machine_line(root, "/proc/sys/kernel/perf_event_paranoid", text, sizeof text)) {
        finding->state = FINDING_NOTE;
        value(finding, "n/a: the kernel has no perf events");
    } else {
        value(finding, "perf_event_paranoid is %s", text);
        if (text[0] != '-' && strcmp(text, "2") > 0) {
            advise(finding, "--profile perfctr and perf need root: echo 2 | sudo tee "
                            "/proc/sys/kernel/perf_event_paranoid");
        }
    }
    if (mf__machine_hypervisor(root, text, sizeof text)) {
        finding = mf__finding_add(findings, "machine", FINDING_GOOD);
        value(finding, "%s%s", strcmp(text, "none") == 0 ? "bare metal" : "virtual, ",
              strcmp(text, "none") == 0  ? ""
              : strcmp(text, "yes") == 0 ? "of an unnamed maker"
                                         : text);
        finding->state = strcmp(text, "none") == 0 ? FINDING_GOOD : FINDING_NOTE;
    }
}

void mf__doctor_examine(const char *root, const struct doctor_measurements *measured,
                        struct findings *ret_findings)
{
    ret_findings->count = 0;
    examine_noise(measured, ret_findings);
    examine_clock(root, measured, ret_findings);
    examine_frequency(root, ret_findings);
    examine_load(root, measured, ret_findings);
    examine_memory(root, ret_findings);
    examine_process(root, ret_findings);
}

/* ---- output ---- */

static const char *state_name(enum finding_state state)
{
    static const char *const names[] = {"good", "note", "warning", "bad"};
    return names[state];
}

static enum mf_style state_style(enum finding_state state)
{
    return state == FINDING_GOOD      ? MF_STYLE_GREEN
           : state == FINDING_NOTE    ? MF_STYLE_FAINT
           : state == FINDING_WARNING ? MF_STYLE_YELLOW
                                      : MF_STYLE_RED;
}

void mf__findings_text(const struct findings *findings, struct mf_buffer *out, bool colored)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        mf_buffer_printf(out, "%s%-7s%s  %-11s  ", mf_style(colored, state_style(finding->state)),
                         state_name(finding->state), mf_style(colored, MF_STYLE_RESET),
                         finding->name);
        mf_terminal_escape(out, finding->value, strlen(finding->value));
        mf_buffer_putc(out, '\n');
        if (finding->advice[0] != '\0') {
            mf_buffer_puts(out, "                      ");
            mf_terminal_escape(out, finding->advice, strlen(finding->advice));
            mf_buffer_putc(out, '\n');
        }
    }
}

void mf__findings_json(const struct findings *findings, const struct doctor_measurements *measured,
                       const char *fingerprint, struct mf_buffer *out)
{
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", BENCH_SCHEMA_VERSION);
    mf_json_key_string(&json, "fingerprint", fingerprint);
    mf_json_key_double(&json, "noise_floor_fraction", measured->noise_floor_fraction);
    mf_json_key_double(&json, "spread_fraction", measured->spread_fraction);
    mf_json_key_uint(&json, "pairs", measured->pairs);
    mf_json_key_double(&json, "timer_cost_ns", measured->timer_cost_ns);
    mf_json_key_double(&json, "timer_step_ns", measured->timer_step_ns);
    mf_json_key_double(&json, "steal_fraction", measured->steal_fraction);
    mf_json_key(&json, "findings");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "name", finding->name);
        mf_json_key_string(&json, "state", state_name(finding->state));
        mf_json_key_string(&json, "value", finding->value);
        mf_json_key_string(&json, "advice", finding->advice);
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}
