/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.c -- the laboratory. This file: what a benchmark program has registered.
 *
 * What it is. A benchmark program links this library and registers functions (mayfly/bench.h).
 * Started as a command it is its own runner: it starts itself again as a child for each (benchmark,
 * replica), collects what the children measured, estimates, compares, reports. `mayfly bench` is
 * the same runner for the programs of others. One process is one sample: where the loader, the
 * allocator and the kernel happen to put things changes the speed of the same code by more than the
 * spread inside of a process.
 *
 *   registry (this file)  which benchmarks there are
 *   measure*.c            in the child: warm-up, samples, single operations, open loop, threads
 *   bench_child.c         the child's side of the protocol; launch.c the parent's; process_json.c
 * the words bench_runner.c        which child is started when: random interleaving, pairs of two
 * binaries bench_estimate.c      from processes to estimates with intervals (statistics.c,
 * rank_tests.c) bench_compare.c       verdicts; bench_gate.c: targets, bands and the exit code
 *   baseline_store.c         baselines and the history on disk; run_json.c the format
 *   bench_config.c        command line over environment over benchmark.toml over registration
 *   bench_command.c       the commands; report_*.c what they print
 *
 * Validity. A figure is refused rather than guessed: samples without duration, quantiles of too few
 * values and baselines of another shape are errors or "n/a", with the reason.
 *
 * Recovery. A child that fails, hangs or crashes costs its benchmark, never the run; Ctrl-C keeps
 * what is complete and marks it. Files are replaced in one step, the history is only ever added to.
 *
 * Concurrency. The parent has one thread and one child at a time, so that nothing of ours runs
 * beside a measurement. The child has the threads that the benchmark asks for and no others.
 *
 * Limits. BENCH_NAME_LEN for a name; 1024 threads; results below 64 MiB for each child.
 */
#include "registry.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define THREADS_MAX 1024

static struct bench_entry *entries;
static size_t entry_count;
static size_t entry_capacity;
static bool out_of_memory; /* before main(): told when there is somebody to tell it to */

void mf_bench_register(const char *suite, const char *name, const struct mf_bench_options *options,
                       mf_bench_function function)
{
    if (entry_count == entry_capacity) {
        const size_t capacity = entry_capacity != 0 ? 2 * entry_capacity : 32;
        struct bench_entry *grown = mf_realloc(entries, capacity * sizeof *grown);
        if (grown == NULL) {
            out_of_memory = true;
            return;
        }
        entries = grown;
        entry_capacity = capacity;
    }
    entries[entry_count++] = (struct bench_entry){
        .suite = suite,
        .name = name,
        .options = options != NULL ? *options : (struct mf_bench_options){0},
        .function = function,
    };
}

size_t mf__registry_count(void)
{
    return entry_count;
}

const struct bench_entry *mf__registry_at(size_t index)
{
    return &entries[index];
}

size_t mf__base_name(const struct bench_entry *entry, char *out, size_t capacity)
{
    const char *group = entry->options.group != NULL ? entry->options.group : "";
    const int len = snprintf(out, capacity, "%s::%s%s%s", entry->suite, group,
                             group[0] != '\0' ? "/" : "", entry->name);
    return len < 0 ? 0 : (size_t)len;
}

const struct bench_entry *mf__registry_find(const char *base_name)
{
    char name[BENCH_NAME_LEN];
    for (size_t i = 0; i < entry_count; i++) {
        mf__base_name(&entries[i], name, sizeof name);
        if (strcmp(name, base_name) == 0) {
            return &entries[i];
        }
    }
    mf__base_name(&mf__noise_entry, name, sizeof name);
    return strcmp(name, base_name) == 0 ? &mf__noise_entry : NULL;
}

/* Printable, and nothing that would be taken for a pattern or a separator. */
static bool is_name(const char *text, bool slashes)
{
    for (const char *p = text; *p != '\0'; p++) {
        const unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == 0x7f || strchr("*?[]{}\"'\\", c) != NULL || (c == '/' && !slashes)) {
            return false;
        }
    }
    return text[0] != '\0' && strstr(text, "::") == NULL;
}

static int check_entry(const struct bench_entry *entry, struct mf_errinfo *err)
{
    if (entry->suite == NULL || entry->name == NULL || entry->function == NULL) {
        return mf_fail(err, MF_EVALUE, "a benchmark is registered without suite, name or function");
    }
    char name[BENCH_NAME_LEN];
    const size_t len = mf__base_name(entry, name, sizeof name);
    const struct mf_bench_options *options = &entry->options;
    const char *group = options->group != NULL ? options->group : "";
    const char *param_name = options->param_name != NULL ? options->param_name : "n";
    if (!is_name(entry->suite, false) || !is_name(entry->name, true) ||
        (group[0] != '\0' && !is_name(group, true)) ||
        (param_name[0] != '\0' && !is_name(param_name, false))) {
        return mf_fail(
            err, MF_EVALUE,
            "the benchmark name '%.200s' has a blank, a quote, a '::' or one of *?[]{}\\", name);
    }
    if (len + strlen(param_name) + 48 > sizeof name) { /* "/n:-9223372036854775808/threads:1024" */
        return mf_fail(err, MF_ELIMIT, "the benchmark name '%.120s...' is too long: %zu bytes",
                       name, len);
    }
    if (mf__registry_find(name) != entry) {
        return mf_fail(err, MF_EEXISTS, "two benchmarks are named '%.200s'", name);
    }
    if ((options->param_count > 0 && options->params == NULL) ||
        (options->thread_count > 0 && options->threads == NULL)) {
        return mf_fail(err, MF_EVALUE, "%s: a count without its values", name);
    }
    for (size_t i = 0; i < options->thread_count; i++) {
        if (options->threads[i] < 1 || options->threads[i] > THREADS_MAX) {
            return mf_fail(err, MF_EVALUE, "%s: %d threads; from 1 to %d are possible", name,
                           options->threads[i], THREADS_MAX);
        }
    }
    return 0;
}

int mf__registry_check(struct mf_errinfo *err)
{
    if (out_of_memory) {
        return mf_fail_os(err, -ENOMEM, "cannot register the benchmarks");
    }
    for (size_t i = 0; i < entry_count; i++) {
        const int rc = check_entry(&entries[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}
