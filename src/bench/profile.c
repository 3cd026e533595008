/* SPDX-License-Identifier: Apache-2.0
 * profile.c -- see profile.h. */
#include "profile.h"
#include "bench_profiler.h"
#include "figures.h"
#include "flame.h"
#include "profile_private.h"
#include "relations.h"
#include "store_baseline.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/number.h"
#include "os/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FOLDED_MAX      (64u << 20)
#define PROFILE_SAMPLES 50
#define PROFILE_WARM_UP 0.2
/* With a stack for each, allocations take a hundred times longer than the plan expects. */
#define WATCHED_SHARE   0.005
#define SLOW_TIMEOUT_NS (INT64_C(600) * 1000000000) /* of one that runs fifty times slower */

/* ---- running ---- */

char *mf__profile_path(const struct profile_job *job, const char *name)
{
    return mf_asprintf("%s/%s", job->into, name);
}

static void make_plan(const struct profile_job *job, bool watched, uint64_t iterations,
                      struct bench_plan *plan)
{
    const struct bench_config *config = &job->session->command->config;
    const struct mf_bench_options *options = &job->one->listed->options;
    const char *suite = job->one->listed->suite;
    const double rate = mf__config_number(config, suite, BENCH_KEY_rate);
    const double seconds = mf__config_number(config, NULL, BENCH_KEY_profile_time);
    *plan = (struct bench_plan){
        .mode = options->mode,
        .param = job->one->param,
        .threads = job->one->threads,
        .warm_up_seconds = PROFILE_WARM_UP,
        .measurement_seconds = watched ? fmax(seconds * WATCHED_SHARE, 0.002) : seconds,
        .samples = PROFILE_SAMPLES,
        .rate_per_second = rate > 0 ? rate : options->rate_per_second,
        .poisson = options->poisson || mf__config_flag(config, BENCH_KEY_poisson),
        .seed = mf__config_seed(config),
        .test = iterations > 0,
        .test_iterations = iterations,
    };
}

int mf__profile_run(struct profile_job *job, const char *profiler, const char *output,
                    const char *const *prefix, uint64_t iterations,
                    struct bench_measured *ret_measured, struct mf_errinfo *err)
{
    struct bench_request request = {.action = BENCH_ACTION_MEASURE, .cpu = -1};
    struct mf_buffer answer = MF_BUFFER_INIT;
    if (strlen(output) >= sizeof request.profile_output) {
        return mf_fail(err, MF_ELIMIT, "the path %.60s... is too long", output);
    }
    snprintf(request.benchmark, sizeof request.benchmark, "%s", job->one->listed->base_name);
    snprintf(request.profile, sizeof request.profile, "%s", profiler);
    snprintf(request.profile_output, sizeof request.profile_output, "%s", output);
    make_plan(job, strcmp(profiler, "alloc") == 0, iterations, &request.plan);
    const struct bench_launch launch = {
        .program = job->one->program->path,
        .prefix = prefix,
        .request = &request,
        .timeout_ns = SLOW_TIMEOUT_NS,
        .signals = &job->session->command->signals,
        .ret_signal = &job->session->signal,
    };
    int rc = mf__launch(&launch, &answer, err);
    if (rc == 0) {
        rc = mf__measured_read(answer.data, answer.len, launch.program, ret_measured, err);
        mf_buffer_free(&answer);
    }
    if (rc == 0 && ret_measured->status != BENCH_OK) {
        rc = mf_fail(err, MF_EREMOTE, "%s", ret_measured->message);
        mf__process_free(&ret_measured->process);
    }
    return rc;
}

int mf__profile_draw(struct profile_job *job, const char *folded_path, const char *svg_path,
                     const char *title, const char *unit, char **ret_folded)
{
    struct command *command = job->session->command;
    struct flame flame;
    struct mf_buffer out = MF_BUFFER_INIT;
    char *text = NULL;
    size_t len = 0;
    int rc = mf_fs_read_all(NULL, folded_path, FOLDED_MAX, &text, &len, &command->err);
    if (rc == 0) {
        rc = mf__flame_read(text, len, &flame, &command->err);
    }
    if (rc == 0 && flame.frames[0].total == 0) {
        mf__command_note(command, "%s: nothing was seen to draw (is the program without symbols?)",
                         job->result->name);
    } else if (rc == 0) {
        char heading[BENCH_NAME_LEN + 32];
        snprintf(heading, sizeof heading, "%s, %s", job->result->name, title);
        mf__flame_svg(&flame, heading, unit, true, &out);
        rc = out.failed ? mf_fail_os(&command->err, -ENOMEM, "cannot draw %s", svg_path)
                        : mf_fs_replace(NULL, svg_path, out.data, out.len, &command->err);
        if (rc == 0) {
            mf__command_note(command, "%s: %s in %s", job->result->name, title, svg_path);
        }
    }
    if (rc == 0 || flame.frames != NULL) {
        mf__flame_free(&flame);
    }
    mf_buffer_free(&out);
    if (rc == 0 && ret_folded != NULL) {
        *ret_folded = text;
    } else {
        mf_free(text);
    }
    return rc;
}

/* ---- allocations ---- */

static int profile_alloc(struct profile_job *job)
{
    struct bench_measured measured;
    char *folded = mf__profile_path(job, "alloc.folded");
    char *svg = mf__profile_path(job, "alloc.svg");
    struct mf_errinfo *err = &job->session->command->err;
    int rc = folded != NULL && svg != NULL
                 ? mf__profile_run(job, "alloc", folded, NULL, 0, &measured, err)
                 : mf_fail_os(err, -ENOMEM, "cannot profile");
    if (rc == 0) {
        mf__process_free(&measured.process);
        rc = mf__profile_draw(job, folded, svg, "allocations", "bytes", NULL);
    }
    mf_free(folded);
    mf_free(svg);
    return rc;
}

/* ---- counters ---- */

static double timed_iterations(const struct bench_process *process)
{
    double sum = 0;
    for (size_t i = 0; i < process->sample_count; i++) {
        sum += (double)process->samples[i].iterations;
    }
    return sum;
}

/* A line of "NAME VALUE SHARE" for each counter; told for each iteration. */
static void tell_counters(struct profile_job *job, const char *text, double iterations)
{
    struct command *command = job->session->command;
    char line[256];
    double instructions = NAN;
    double cycles = NAN;
    for (const char *p = text; *p != '\0'; p += strcspn(p, "\n") + (p[strcspn(p, "\n")] != '\0')) {
        char name[64];
        char number[MF_NUMBER_LEN];
        double value = NAN;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
        const size_t name_len = strcspn(line, " ");
        const char *rest = line + name_len + (line[name_len] != '\0');
        snprintf(name, sizeof name, "%.*s", (int)name_len, line);
        snprintf(number, sizeof number, "%.*s", (int)strcspn(rest, " "), rest);
        if (mf_parse_double(number, &value, NULL) < 0) {
            continue;
        }
        if (strcmp(name, "hardware") == 0) {
            if (value == 0 && !job->no_counters) {
                job->no_counters = true;
                mf__command_note(
                    command,
                    "this machine shows no hardware counters (virtual ones seldom do); what "
                    "the kernel counts follows");
            }
            continue;
        }
        instructions = strcmp(name, "instructions") == 0 ? value : instructions;
        cycles = strcmp(name, "cycles") == 0 ? value : cycles;
        mf__command_note(command, "%s: %s %s an iteration", job->result->name,
                         mf__figure_number(value / iterations).text, name);
    }
    if (!isnan(instructions) && cycles > 0) {
        mf__command_note(command, "%s: %s instructions a cycle", job->result->name,
                         mf__figure_number(instructions / cycles).text);
    }
}

static int profile_perfctr(struct profile_job *job)
{
    struct bench_measured measured;
    struct mf_errinfo *err = &job->session->command->err;
    if (job->counters_absent) { /* which was said already */
        return 0;
    }
    char *path = mf__profile_path(job, "perfctr.txt");
    char *text = NULL;
    size_t len = 0;
    int rc = path != NULL ? mf__profile_run(job, "perfctr", path, NULL, 0, &measured, err)
                          : mf_fail_os(err, -ENOMEM, "cannot profile");
    if (rc == MF_EREMOTE) { /* the machine is without, and says why */
        mf__command_note(job->session->command, "%s", err->msg);
        job->counters_absent = true;
        rc = 0;
    } else if (rc == 0) {
        const double iterations = timed_iterations(&measured.process);
        mf__process_free(&measured.process);
        rc = mf_fs_read_all(NULL, path, 1u << 16, &text, &len, err);
        if (rc == 0 && iterations > 0) {
            tell_counters(job, text, iterations);
        }
    }
    mf_free(text);
    mf_free(path);
    return rc;
}

/* ---- programs of others ---- */

static int under_another(struct profile_job *job, const char *const *prefix, const char *what,
                         const char *path)
{
    struct bench_measured measured;
    struct command *command = job->session->command;
    const int rc = mf__profile_run(job, "", "", prefix, 1000, &measured, &command->err);
    if (rc == 0) {
        mf__process_free(&measured.process);
        mf__command_note(command, "%s: %s in %s", job->result->name, what, path);
    }
    return rc;
}

static int profile_dhat(struct profile_job *job)
{
    char *path = mf__profile_path(job, "dhat-heap.json");
    char *option = mf_asprintf("--dhat-out-file=%s", path != NULL ? path : "");
    const char *const prefix[] = {"valgrind", "--tool=dhat", "-q", option, NULL};
    const int rc = path != NULL && option != NULL
                       ? under_another(job, prefix, "DHAT's record (see dh_view.html)", path)
                       : mf_fail_os(&job->session->command->err, -ENOMEM, "cannot profile");
    mf_free(path);
    mf_free(option);
    return rc;
}

static int profile_heaptrack(struct profile_job *job)
{
    char *path = mf__profile_path(job, "heaptrack");
    const char *const prefix[] = {"heaptrack", "--record-only", "-o", path, NULL};
    const int rc = path != NULL
                       ? under_another(job, prefix, "heaptrack's record", path)
                       : mf_fail_os(&job->session->command->err, -ENOMEM, "cannot profile");
    mf_free(path);
    return rc;
}

/* ---- all kinds ---- */

static const struct {
    const char *name;
    profile_function *run;
} kinds[] = {
    {"cpu", mf__profile_cpu},
    {"alloc", profile_alloc},
    {"callgrind", mf__profile_callgrind},
    {"dhat", profile_dhat},
    {"heaptrack", profile_heaptrack},
    {"perfctr", profile_perfctr},
};

static profile_function *find_kind(const char *text, size_t len)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(kinds); i++) {
        if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, text, len) == 0) {
            return kinds[i].run;
        }
    }
    return NULL;
}

static bool has_kind(const char *profile, const char *kind)
{
    for (const char *p = profile; p != NULL; p = strchr(p, ',')) {
        p += *p == ',';
        if (strcspn(p, ",") == strlen(kind) && memcmp(p, kind, strlen(kind)) == 0) {
            return true;
        }
    }
    return false;
}

int mf__profile_check(struct command *command)
{
    const struct bench_config *config = &command->config;
    const char *profile = mf__config_text(config, BENCH_KEY_profile);
    const struct bench_value *limits = mf__config_value(config, NULL, BENCH_KEY_limit);
    for (const char *p = profile; p != NULL; p = strchr(p, ',')) {
        p += *p == ',';
        const size_t len = strcspn(p, ",");
        if (find_kind(p, len) == NULL) {
            return mf_fail(
                &command->err, MF_ESYNTAX,
                "no profile '%.*s'; there are cpu, alloc, callgrind, dhat, heaptrack and "
                "perfctr",
                len < 40 ? (int)len : 40, p);
        }
    }
    if (profile != NULL && mf__config_flag(config, BENCH_KEY_test)) {
        return mf_fail(&command->err, MF_ESYNTAX, "a test run is not profiled: leave out --test");
    }
    if (limits->count > 0 && (profile == NULL || !has_kind(profile, "callgrind"))) {
        return mf_fail(&command->err, MF_ESYNTAX, "--limit is about --profile callgrind");
    }
    for (size_t i = 0; i < limits->count; i++) {
        const char *event = NULL;
        double fraction = 0;
        const int rc = mf__limit_parse(limits->texts[i], &event, &fraction, &command->err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static const struct bench_case *case_of(const struct session *session, const char *name)
{
    for (size_t i = 0; i < session->cases.case_count; i++) {
        if (strcmp(session->cases.cases[i].name, name) == 0) {
            return &session->cases.cases[i];
        }
    }
    return NULL;
}

/* One benchmark. What cannot be had is a remark, and no reason to leave the rest out. */
static int profile_one(struct profile_job *job, const char *kinds_text)
{
    struct command *command = job->session->command;
    const char *target = mf__config_text(&command->config, BENCH_KEY_target_dir);
    job->directory = mf__baseline_directory(target, job->result->name);
    job->into = job->directory != NULL ? mf_asprintf("%s/profile", job->directory) : NULL;
    int rc = job->into != NULL ? mf_fs_mkdirs(NULL, job->into, &command->err)
                               : mf_fail_os(&command->err, -ENOMEM, "cannot profile");
    for (const char *p = kinds_text; p != NULL && rc == 0; p = strchr(p, ',')) {
        p += *p == ',';
        const size_t len = strcspn(p, ",");
        rc = find_kind(p, len)(job);
        if (rc < 0 && rc != -ENOMEM && rc != -EINTR) {
            mf__command_note(command, "%s: no profile %.*s: %s", job->result->name, (int)len, p,
                             command->err.msg);
            job->session->profile_failed = true;
            rc = 0;
        }
    }
    mf_free(job->directory);
    mf_free(job->into);
    return rc;
}

/* The CPU time of all benchmarks of a suite in one graph, beside the target directory. */
static int draw_suite(struct session *session, const char *suite, const struct mf_buffer *stacks)
{
    struct command *command = session->command;
    const char *target = mf__config_text(&command->config, BENCH_KEY_target_dir);
    const char *slash = strrchr(target, '/');
    struct flame flame;
    struct mf_buffer out = MF_BUFFER_INIT;
    if (stacks->len == 0 || stacks->failed) {
        return stacks->failed ? mf_fail_os(&command->err, -ENOMEM, "cannot draw %s", suite) : 0;
    }
    char *path = mf_asprintf("%.*s%sbenchmark-%s.svg", slash != NULL ? (int)(slash - target) : 0,
                             target, slash != NULL ? "/" : "", suite);
    int rc = path != NULL ? mf__flame_read(stacks->data, stacks->len, &flame, &command->err)
                          : mf_fail_os(&command->err, -ENOMEM, "cannot draw %s", suite);
    if (rc == 0) {
        mf__flame_svg(&flame, suite, "samples", true, &out);
        mf__flame_free(&flame);
        rc = out.failed ? mf_fail_os(&command->err, -ENOMEM, "cannot draw %s", path)
                        : mf_fs_replace(NULL, path, out.data, out.len, &command->err);
    }
    mf_buffer_free(&out);
    mf_free(path);
    return rc;
}

static int profile_suite(struct session *session, size_t first, const char *kinds_text,
                         struct profile_job *job)
{
    const char *suite = session->run.results[first].suite;
    struct mf_buffer stacks = MF_BUFFER_INIT;
    int rc = 0;
    for (size_t i = first; i < session->run.result_count && rc == 0; i++) {
        const struct bench_result *result = &session->run.results[i];
        job->one = case_of(session, result->name);
        job->result = result;
        job->suite_stacks = &stacks;
        if (strcmp(result->suite, suite) == 0 && mf__is_measured(result) && job->one != NULL) {
            rc = profile_one(job, kinds_text);
        }
    }
    if (rc == 0) {
        rc = draw_suite(session, suite, &stacks);
    }
    mf_buffer_free(&stacks);
    return rc;
}

int mf__session_profile(struct session *session)
{
    struct command *command = session->command;
    const char *profile = mf__config_text(&command->config, BENCH_KEY_profile);
    struct profile_job job = {.session = session};
    int rc = 0;
    for (size_t i = 0; profile != NULL && i < session->run.result_count && rc == 0; i++) {
        bool done = false; /* with the first of its suite */
        for (size_t k = 0; k < i; k++) {
            done =
                done || strcmp(session->run.results[k].suite, session->run.results[i].suite) == 0;
        }
        rc = done || session->signal != 0 ? 0 : profile_suite(session, i, profile, &job);
    }
    return rc;
}

/* ---- for the page ---- */

void mf__profiles_free(struct bench_profile *profiles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mf_free(profiles[i].folded);
    }
    mf_free(profiles);
}

int mf__profiles_load(const char *target_dir, const struct bench_run *run,
                      struct bench_profile **ret_profiles, size_t *ret_count,
                      struct mf_errinfo *err)
{
    static const char *const found[] = {"cpu", "alloc"};
    struct bench_profile *profiles = mf_calloc(2 * run->result_count + 1, sizeof *profiles);
    size_t count = 0;
    int rc = profiles != NULL ? 0 : mf_fail_os(err, -ENOMEM, "cannot read profiles");
    for (size_t i = 0; i < 2 * run->result_count && rc == 0; i++) {
        const struct bench_result *result = &run->results[i / 2];
        char *directory = mf__baseline_directory(target_dir, result->name);
        char *path =
            directory != NULL ? mf_asprintf("%s/profile/%s.folded", directory, found[i % 2]) : NULL;
        struct mf_file_info info;
        size_t len = 0;
        rc = path != NULL ? 0 : mf_fail_os(err, -ENOMEM, "cannot read profiles");
        if (rc == 0 && mf_fs_info(NULL, path, &info, NULL) == 0) {
            rc = mf_fs_read_all(NULL, path, FOLDED_MAX, &profiles[count].folded, &len, err);
            profiles[count].result = result;
            profiles[count].kind = found[i % 2];
            count += rc == 0;
        }
        mf_free(directory);
        mf_free(path);
    }
    if (rc < 0) {
        mf__profiles_free(profiles, count);
        return rc;
    }
    *ret_profiles = profiles;
    *ret_count = count;
    return 0;
}
