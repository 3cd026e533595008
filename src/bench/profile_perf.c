/* SPDX-License-Identifier: Apache-2.0
 *
 * profile_perf.c -- `--profile cpu`: by perf where it is installed and permitted, which sees into
 * the kernel, too; else the process samples itself (profile_cpu.c).
 */
#include "bench_profiler.h"
#include "profile_private.h"
#include "tool.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEPTH     128
#define NAME_LEN  256
#define PERF_RATE "499"

/* ---- what perf script prints ---- */

struct stack {
    char text[DEPTH][NAME_LEN];
    const char *names[DEPTH];
    size_t depth;
};

static void end_stack(struct stack *stack, struct mf_buffer *out)
{
    if (stack->depth > 0) {
        (void)mf__fold_stack(out, stack->names, stack->depth, 1);
    }
    stack->depth = 0;
}

/* "   ffffffff813a2413 finish_task_switch.isra.0": a blank, an address, a name. Those of the
 * kernel, whose addresses are in the upper half, get the mark by which they are coloured. */
static void add_line(struct stack *stack, const char *line, size_t len)
{
    size_t at = 0;
    while (at < len && (line[at] == ' ' || line[at] == '\t')) {
        at++;
    }
    const size_t digits = at;
    while (at < len && strchr("0123456789abcdef", line[at]) != NULL) {
        at++;
    }
    if (at == digits || at >= len || line[at] != ' ' || stack->depth == DEPTH) {
        return;
    }
    const bool kernel = at - digits == 16 && line[digits] >= '8';
    char *name = stack->text[stack->depth];
    snprintf(name, NAME_LEN, "%.*s%s", (int)(len - at - 1 < 240 ? len - at - 1 : 240),
             line + at + 1, kernel ? "_[k]" : "");
    if (strncmp(name, "[unknown]_[k]", 13) == 0) { /* the end of the stack, as perf writes it */
        return;
    }
    stack->names[stack->depth++] = name;
}

void mf__perf_fold(const char *text, size_t len, struct mf_buffer *out)
{
    struct stack *stack = mf_malloc(sizeof *stack);
    if (stack == NULL) {
        out->failed = true;
        return;
    }
    stack->depth = 0;
    for (size_t at = 0; at < len;) {
        const char *feed = memchr(text + at, '\n', len - at);
        const size_t line_len = feed != NULL ? (size_t)(feed - text) - at : len - at;
        if (line_len > 0 && (text[at] == ' ' || text[at] == '\t')) {
            add_line(stack, text + at, line_len);
        } else { /* the head of a sample, or the empty line between two */
            end_stack(stack, out);
        }
        at += line_len + 1;
    }
    end_stack(stack, out);
    mf_free(stack);
}

/* ---- running it ---- */

static void give_up_perf(struct profile_job *job, const char *why)
{
    job->perf = false;
    job->no_perf = true;
    mf__command_note(job->session->command,
                     "perf cannot be used here (%s); the benchmarks sample themselves", why);
}

/* Tried once: a kernel may have it and not permit it. */
static bool can_use_perf(struct profile_job *job)
{
    if (job->perf || job->no_perf) {
        return job->perf;
    }
    char *path = mf__profile_path(job, "perf.data");
    const char *const argv[] = {"perf", "record", "-q", "-e",   "cpu-clock",
                                "-o",   path,     "--", "true", NULL};
    struct mf_buffer output = MF_BUFFER_INIT;
    struct mf_errinfo why = {0};
    int signal = 0;
    job->perf = path != NULL &&
                mf__tool_run(argv, &job->session->command->signals, &output, &signal, &why) == 0;
    if (!job->perf) {
        give_up_perf(job, why.msg[0] != '\0' ? why.msg : "perf record fails");
    }
    if (path != NULL) {
        (void)mf_fs_unlink(NULL, path, NULL);
    }
    mf_buffer_free(&output);
    mf_free(path);
    return job->perf;
}

static int by_perf(struct profile_job *job, const char *folded)
{
    struct mf_errinfo *err = &job->session->command->err;
    struct bench_measured measured;
    struct mf_buffer output = MF_BUFFER_INIT;
    struct mf_buffer stacks = MF_BUFFER_INIT;
    char *path = mf__profile_path(job, "perf.data");
    if (path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot profile");
    }
    const char *const prefix[] = {"perf",    "record",       "-q",         "-e", "cpu-clock", "-F",
                                  PERF_RATE, "--call-graph", "dwarf,8192", "-o", path,        "--",
                                  NULL};
    const char *const script[] = {"perf",        "script", "-i",          path,
                                  "--no-inline", "-F",     "comm,ip,sym", NULL};
    int rc = mf__profile_run(job, "", "", prefix, 0, &measured, err);
    if (rc == 0) {
        mf__process_free(&measured.process);
        rc = mf__tool_run(script, &job->session->command->signals, &output, &job->session->signal,
                          err);
    }
    if (rc > 0) {
        rc = mf_fail(err, MF_EREMOTE, "perf script ended with exit code %d", rc);
    }
    if (rc == 0) {
        mf__perf_fold(output.data != NULL ? output.data : "", output.len, &stacks);
        rc = mf__fold_save(folded, &stacks, err);
    }
    (void)mf_fs_unlink(NULL, path, NULL);
    mf_buffer_free(&output);
    mf_buffer_free(&stacks);
    mf_free(path);
    return rc;
}

static int by_itself(struct profile_job *job, const char *folded)
{
    struct bench_measured measured;
    const int rc =
        mf__profile_run(job, "cpu", folded, NULL, 0, &measured, &job->session->command->err);
    if (rc == 0) {
        mf__process_free(&measured.process);
    }
    return rc;
}

/* Each stack once more, below the benchmark's name. */
static void add_to_suite(struct profile_job *job, const char *folded)
{
    const char *name = job->result->name;
    for (const char *p = folded; *p != '\0';) {
        const size_t len = strcspn(p, "\n");
        if (len > 0) {
            mf_buffer_printf(job->suite_stacks, "%s;", name);
            mf_buffer_append(job->suite_stacks, p, len);
            mf_buffer_putc(job->suite_stacks, '\n');
        }
        p += len + (p[len] != '\0');
    }
}

int mf__profile_cpu(struct profile_job *job)
{
    char *folded = mf__profile_path(job, "cpu.folded");
    char *svg = mf__profile_path(job, "flamegraph.svg");
    char *text = NULL;
    int rc = folded != NULL && svg != NULL
                 ? 0
                 : mf_fail_os(&job->session->command->err, -ENOMEM, "cannot profile");
    if (rc == 0) {
        rc = can_use_perf(job) ? by_perf(job, folded) : MF_EUNSUPPORTED;
        if (rc < 0 && rc != -EINTR && rc != -ENOMEM) {
            if (!job->no_perf) {
                give_up_perf(job, job->session->command->err.msg);
            }
            rc = by_itself(job, folded);
        }
    }
    if (rc == 0) {
        rc = mf__profile_draw(job, folded, svg, "CPU time", "samples", &text);
    }
    if (rc == 0 && text != NULL) {
        add_to_suite(job, text);
    }
    mf_free(text);
    mf_free(folded);
    mf_free(svg);
    return rc;
}
