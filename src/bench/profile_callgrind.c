/* SPDX-License-Identifier: Apache-2.0
 *
 * profile_callgrind.c -- `--profile callgrind`: how many instructions an iteration takes, counted
 * by valgrind, which simulates the processor. The number is the same on a busy machine, so that a
 * small limit holds; but it is not time.
 *
 * Two runs, one of twice as many iterations as the other: their difference is free of everything
 * that happens once. The caches that are simulated are always the same ones, whatever the machine
 * has.
 */
#include "profile_private.h"
#include "figures.h"
#include "run_json.h"
#include "store_baseline.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/json_read.h"
#include "fmt/number.h"
#include "os/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WORK_NS        5e6 /* of one run, at the speed without valgrind */
#define ITERATIONS_MAX 20000
#define EVENTS_MAX     24
#define OUT_MAX        (256u << 20)

/* ---- what callgrind writes ---- */

static const char *line_of(const char *text, size_t len, const char *key, size_t *ret_len)
{
    const size_t key_len = strlen(key);
    for (size_t at = 0; at < len;) {
        const char *feed = memchr(text + at, '\n', len - at);
        const size_t line_len = feed != NULL ? (size_t)(feed - text) - at : len - at;
        if (line_len > key_len && memcmp(text + at, key, key_len) == 0) {
            *ret_len = line_len - key_len;
            return text + at + key_len;
        }
        at += line_len + 1;
    }
    return NULL;
}

/* The next word of a line; its length 0 at the end. */
static const char *word(const char **line, size_t *left, size_t *ret_len)
{
    while (*left > 0 && **line == ' ') {
        (*line)++;
        (*left)--;
    }
    const char *begin = *line;
    while (*left > 0 && **line != ' ') {
        (*line)++;
        (*left)--;
    }
    *ret_len = (size_t)(*line - begin);
    return begin;
}

int mf__callgrind_parse(const char *text, size_t len, const char *origin,
                        struct callgrind_counts *ret_counts, struct mf_errinfo *err)
{
    static const char *const names[] = {"Ir",   "Dr",   "Dw",   "I1mr", "D1mr",
                                        "D1mw", "ILmr", "DLmr", "DLmw"};
    double values[MF_ARRAY_LEN(names)];
    size_t events_len = 0;
    size_t totals_len = 0;
    const char *events = line_of(text, len, "events:", &events_len);
    const char *totals = line_of(text, len, "totals:", &totals_len);
    totals = totals != NULL ? totals : line_of(text, len, "summary:", &totals_len);
    if (events == NULL || totals == NULL) {
        return mf_fail(err, MF_ESYNTAX, "%s has no totals", origin);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        values[i] = 0;
    }
    bool has_instructions = false;
    for (int i = 0; i < EVENTS_MAX; i++) {
        size_t name_len = 0;
        size_t value_len = 0;
        char digits[MF_NUMBER_LEN];
        uint64_t value = 0;
        const char *name = word(&events, &events_len, &name_len);
        const char *number = word(&totals, &totals_len, &value_len);
        if (name_len == 0 || value_len == 0) {
            break;
        }
        snprintf(digits, sizeof digits, "%.*s", (int)(value_len < 30 ? value_len : 30), number);
        if (mf_parse_uint64(digits, &value, err) < 0) {
            return mf_fail(err, MF_ESYNTAX, "%s: '%s' is no count", origin, digits);
        }
        for (size_t k = 0; k < MF_ARRAY_LEN(names); k++) {
            if (strlen(names[k]) == name_len && memcmp(names[k], name, name_len) == 0) {
                values[k] = (double)value;
                has_instructions = has_instructions || k == 0;
            }
        }
    }
    if (!has_instructions) {
        return mf_fail(err, MF_ESYNTAX, "%s does not count instructions", origin);
    }
    const double all = values[0] + values[1] + values[2];
    const double first_misses = values[3] + values[4] + values[5];
    const double last_misses = values[6] + values[7] + values[8];
    ret_counts->ir = values[0];
    ret_counts->cycles = (all - first_misses) + 5 * (first_misses - last_misses) + 35 * last_misses;
    return 0;
}

int mf__limit_parse(const char *text, const char **ret_event, double *ret_fraction,
                    struct mf_errinfo *err)
{
    static const char *const events[] = {"ir", "cycles"};
    char digits[MF_NUMBER_LEN];
    double percent = NAN;
    const char *equals = strchr(text, '=');
    for (size_t i = 0; equals != NULL && i < MF_ARRAY_LEN(events); i++) {
        const size_t len = strlen(events[i]);
        snprintf(digits, sizeof digits, "%.*s", (int)strcspn(equals + 1, "%"), equals + 1);
        const char *rest = equals + 1 + strcspn(equals + 1, "%");
        if ((size_t)(equals - text) == len && memcmp(text, events[i], len) == 0 &&
            (*rest == '\0' || strcmp(rest, "%") == 0) &&
            mf_parse_double(digits, &percent, NULL) == 0 && percent >= 0 && percent <= 1e6) {
            *ret_event = events[i];
            *ret_fraction = percent / 100;
            return 0;
        }
    }
    return mf_fail(err, MF_ESYNTAX,
                   "'%.60s' is no limit: ir=PERCENT or cycles=PERCENT, such as ir=0.5%%", text);
}

/* ---- counting ---- */

static int count_once(struct profile_job *job, uint64_t iterations, const char *path,
                      struct callgrind_counts *ret_counts)
{
    struct mf_errinfo *err = &job->session->command->err;
    struct bench_measured measured;
    struct mf_errinfo why = {0};
    char *text = NULL;
    size_t len = 0;
    char *option = mf_asprintf("--callgrind-out-file=%s", path);
    char *log = mf_asprintf("--log-file=%s.log", path);
    if (option == NULL || log == NULL) {
        mf_free(option);
        mf_free(log);
        return mf_fail_os(err, -ENOMEM, "cannot profile");
    }
    const char *const prefix[] = {"valgrind",
                                  "--tool=callgrind",
                                  "-q",
                                  "--cache-sim=yes",
                                  "--I1=32768,8,64",
                                  "--D1=32768,8,64",
                                  "--LL=8388608,16,64",
                                  option,
                                  log,
                                  NULL};
    int rc = mf__profile_run(job, "", "", prefix, iterations, &measured, &why);
    if (rc == 0) {
        mf__process_free(&measured.process);
        rc = mf_fs_read_all(NULL, path, OUT_MAX, &text, &len, err);
    } else if (rc == -ENOENT || rc == MF_ENOTFOUND) {
        rc = mf_fail(err, MF_ENOTFOUND, "valgrind is not installed");
    } else if (strstr(why.msg, "SIGILL") != NULL) {
        rc = mf_fail(err, MF_EUNSUPPORTED,
                     "valgrind does not know an instruction of this program (SIGILL): build it "
                     "without -march=native, for x86-64-v3 at most");
    } else {
        rc = mf_fail(err, rc, "%s", why.msg);
    }
    if (rc == 0) {
        rc = mf__callgrind_parse(text, len, path, ret_counts, err);
    }
    mf_free(text);
    mf_free(option);
    mf_free(log);
    return rc;
}

static int count(struct profile_job *job, const char *path, struct callgrind_counts *ret_each)
{
    const double wanted = WORK_NS / job->result->median.point_estimate;
    const uint64_t n = wanted < 1 ? 1 : wanted > ITERATIONS_MAX ? ITERATIONS_MAX : (uint64_t)wanted;
    struct callgrind_counts one;
    struct callgrind_counts two;
    int rc = count_once(job, n, path, &one);
    if (rc == 0) {
        rc = count_once(job, 2 * n, path, &two);
    }
    if (rc == 0) {
        ret_each->ir = (two.ir - one.ir) / (double)n;
        ret_each->cycles = (two.cycles - one.cycles) / (double)n;
    }
    return rc;
}

/* ---- stored counts ---- */

static char *stored_path(const struct profile_job *job, const char *baseline)
{
    return mf_asprintf("%s/%s/callgrind.json", job->directory, baseline);
}

static int save(const struct profile_job *job, const char *baseline,
                const struct callgrind_counts *counts, struct mf_errinfo *err)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &text, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", BENCH_SCHEMA_VERSION);
    mf_json_key_string(&json, "name", job->result->name);
    mf_json_key_double(&json, "ir", counts->ir);
    mf_json_key_double(&json, "cycles", counts->cycles);
    mf_json_end_object(&json);
    mf_json_finish(&json);
    char *directory = mf_asprintf("%s/%s", job->directory, baseline);
    char *path = stored_path(job, baseline);
    int rc = directory != NULL && path != NULL && !text.failed
                 ? mf_fs_mkdirs(NULL, directory, err)
                 : mf_fail_os(err, -ENOMEM, "cannot store the counts");
    if (rc == 0) {
        rc = mf_fs_replace(NULL, path, text.data, text.len, err);
    }
    mf_free(directory);
    mf_free(path);
    mf_buffer_free(&text);
    return rc;
}

/* 1 and the counts, 0 when none are stored. */
static int load(const struct profile_job *job, const char *baseline,
                struct callgrind_counts *ret_counts, struct mf_errinfo *err)
{
    struct mf_json_document *document = NULL;
    struct mf_file_info info;
    char *text = NULL;
    size_t len = 0;
    char *path = stored_path(job, baseline);
    if (path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot read the counts");
    }
    int rc = 0;
    if (mf_fs_info(NULL, path, &info, NULL) == 0) {
        rc = mf_fs_read_all(NULL, path, 1u << 16, &text, &len, err);
        if (rc == 0) {
            rc = mf_json_parse(text, len, NULL, path, &document, err);
        }
        if (rc == 0) {
            rc = mf_json_get_double(mf_json_root(document), "ir", &ret_counts->ir, err);
        }
        if (rc == 0) {
            rc = mf_json_get_double(mf_json_root(document), "cycles", &ret_counts->cycles, err);
        }
        rc = rc == 0 ? 1 : rc;
    }
    mf_json_free(document);
    mf_free(text);
    mf_free(path);
    return rc;
}

/* ---- limits ---- */

static void tell(struct profile_job *job, const struct callgrind_counts *now,
                 const struct callgrind_counts *before)
{
    char change[FIGURE_LEN + 16] = "";
    if (before != NULL) {
        snprintf(change, sizeof change, " (%s)", mf__figure_change(now->ir / before->ir).text);
    }
    mf__command_note(job->session->command, "%s: %s instructions an iteration%s, about %s cycles",
                     job->result->name, mf__figure_number(now->ir).text, change,
                     mf__figure_number(now->cycles).text);
}

static void check_limits(struct profile_job *job, const struct callgrind_counts *now,
                         const struct callgrind_counts *before)
{
    struct command *command = job->session->command;
    const struct bench_value *limits = mf__config_value(&command->config, NULL, BENCH_KEY_limit);
    for (size_t i = 0; i < limits->count; i++) {
        const char *event = "";
        double fraction = 0;
        if (mf__limit_parse(limits->texts[i], &event, &fraction, NULL) < 0) {
            continue; /* it was checked before */
        }
        const bool cycles = strcmp(event, "cycles") == 0;
        const double ratio = cycles ? now->cycles / before->cycles : now->ir / before->ir;
        if (ratio > 1 + fraction) {
            mf__command_note(command, "%s: %s of %s, more than the limit of %s", job->result->name,
                             event, mf__figure_change(ratio).text,
                             mf__figure_percent(fraction).text);
            job->session->limit_exceeded = true;
        }
    }
}

int mf__profile_callgrind(struct profile_job *job)
{
    struct command *command = job->session->command;
    const char *named = mf__config_text(&command->config, BENCH_KEY_baseline);
    const char *saved = mf__config_text(&command->config, BENCH_KEY_save_baseline);
    const bool limited = mf__config_value(&command->config, NULL, BENCH_KEY_limit)->count > 0;
    struct callgrind_counts now = {0, 0};
    struct callgrind_counts before = {0, 0};
    char *path = mf__profile_path(job, "callgrind.out");
    int rc = path != NULL ? count(job, path, &now)
                          : mf_fail_os(&command->err, -ENOMEM, "cannot profile");
    mf_free(path);
    if (rc == 0) {
        rc = load(job, named != NULL ? named : BENCH_BASELINE_LATEST, &before, &command->err);
    }
    if (rc >= 0) {
        const bool compared = rc == 1 && before.ir > 0;
        tell(job, &now, compared ? &before : NULL);
        if (compared) {
            check_limits(job, &now, &before);
        } else if (limited) {
            mf__command_note(command,
                             "%s: no counts are stored to hold the limit against; these "
                             "are, from now on",
                             job->result->name);
        }
        rc = save(job, BENCH_BASELINE_LATEST, &now, &command->err);
    }
    if (rc == 0 && saved != NULL) {
        rc = save(job, saved, &now, &command->err);
    }
    return rc;
}
