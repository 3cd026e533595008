/* SPDX-License-Identifier: Apache-2.0
 * harness_processes.c -- the same suite in several processes, one after the other: each is this
 * program with --json and --processes 1, and its report is read back. */
#include "harness_internal.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/json_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_DEFAULT 5
#define ARGUMENTS_MAX     32
#define REPORT_MAX        (64u << 20)

/* Starts the program again; its standard output is *ret_output. */
static pid_t start_again(const struct bench *bench, int *ret_output)
{
    static char json[] = "--json";
    static char processes[] = "--processes";
    static char one[] = "1";
    char *arguments[ARGUMENTS_MAX];
    size_t count = 0;
    for (char **argument = bench->argv; *argument != NULL; argument++) {
        if (count == ARGUMENTS_MAX - 4) {
            bench_die("too many options");
        }
        arguments[count++] = *argument;
    }
    arguments[count++] = json;
    arguments[count++] = processes;
    arguments[count++] = one;
    arguments[count] = NULL;
    int ends[2];
    if (pipe(ends) != 0) {
        bench_die("pipe: %s", strerror(errno));
    }
    const pid_t child = fork();
    if (child < 0) {
        bench_die("fork: %s", strerror(errno));
    }
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv("/proc/self/exe", arguments);
        _exit(127);
    }
    close(ends[1]);
    *ret_output = ends[0];
    return child;
}

static void read_report(struct bench *bench, struct mf_buffer *report)
{
    int output;
    const pid_t child = start_again(bench, &output);
    for (;;) {
        char *room = mf_buffer_reserve(report, 65536);
        if (room == NULL || report->len > REPORT_MAX) {
            bench_die("no memory for the report of a process");
        }
        const ssize_t got = read(output, room, 65536);
        if (got <= 0) {
            break;
        }
        report->len += (size_t)got;
    }
    close(output);
    int status;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        bench_die("a measuring process failed");
    }
}

/* The case of that name; made when it is the first report that has it. */
static struct measured *case_of(struct bench *bench, const char *name, const char *baseline)
{
    for (size_t i = 0; i < bench->case_count; i++) {
        if (strcmp(bench->cases[i].item.name, name) == 0) {
            return &bench->cases[i];
        }
    }
    const size_t before = bench->case_count;
    bench_add(bench, &(struct bench_case){.name = bench__keep(bench, mf_strdup(name)),
                                          .baseline = strcmp(name, baseline) == 0});
    return &bench->cases[before];
}

static void add_case(struct bench *bench, struct mf_json_node node, const char *baseline)
{
    struct mf_errinfo err;
    const char *name;
    struct mf_json_node samples;
    struct mf_json_node median;
    uint64_t preempted;
    bench_check(mf_json_get_string(node, "name", &name, &err), &err, "report");
    struct measured *measured = case_of(bench, name, baseline);
    bench_check(mf_json_get_uint(node, "operations_per_sample", &measured->count, &err), &err,
                name);
    bench_check(mf_json_get_uint(node, "preempted_samples", &preempted, &err), &err, name);
    bench_check(mf_json_get_array(node, "samples_ns", &samples, &err), &err, name);
    bench_check(mf_json_get_object(node, "ns_per_operation", &median, &err), &err, name);
    bench_check(
        mf_json_get_double(median, "median", &measured->process_medians[bench->processes], &err),
        &err, name);
    measured->preempted += preempted;
    measured->item.without_ratio =
        mf_json_type(mf_json_member(node, "ratio_to_baseline")) == MF_JSON_ABSENT;
    const size_t count = mf_json_len(samples);
    bench__samples_reserve(measured, measured->sample_count + count);
    for (size_t i = 0; i < count; i++) {
        bench_check(mf_json_as_double(mf_json_element(samples, i),
                                      &measured->samples[measured->sample_count++], &err),
                    &err, name);
    }
}

static void add_report(struct bench *bench, const struct mf_buffer *report)
{
    struct mf_errinfo err;
    struct mf_json_document *document;
    struct mf_json_node cases;
    const char *baseline;
    bench_check(mf_json_parse(report->data, report->len, NULL, "report", &document, &err), &err,
                "report");
    const struct mf_json_node root = mf_json_root(document);
    bench_check(mf_json_get_string_or(root, "baseline", "", &baseline, &err), &err, "report");
    bench_check(mf_json_get_array(root, "benchmarks", &cases, &err), &err, "report");
    for (size_t i = 0; i < mf_json_len(cases); i++) {
        add_case(bench, mf_json_element(cases, i), baseline);
    }
    mf_json_free(document);
    bench->processes++;
}

bool bench_replicate(struct bench *bench)
{
    const size_t processes =
        bench->options.processes > 0 ? bench->options.processes : PROCESSES_DEFAULT;
    if (processes == 1 || bench->options.once > 0) {
        return false;
    }
    const char *filter = bench->options.filter;
    bench->options.filter = NULL; /* the processes have applied it */
    for (size_t i = 0; i < processes; i++) {
        struct mf_buffer report = MF_BUFFER_INIT;
        read_report(bench, &report);
        add_report(bench, &report);
        mf_buffer_free(&report);
    }
    bench->options.filter = filter;
    return true;
}
