/* SPDX-License-Identifier: Apache-2.0
 * baseline_store.c -- see store_baseline.h. The history is in bench_history.c. */
#include "process_json.h"
#include "run_json.h"
#include "statistics.h"
#include "store_baseline.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLUG_LEN     80
#define BASELINE_LEN 64

/* ---- names ---- */

int mf__baseline_check_name(const char *name, struct mf_errinfo *err)
{
    static const char *const taken[] = {BENCH_BASELINE_LATEST, "change", "report", "profile"};
    const size_t len = strlen(name);
    bool good = len > 0 && len <= BASELINE_LEN && name[0] != '.';
    for (const char *p = name; *p != '\0'; p++) {
        good = good && (isalnum((unsigned char)*p) || strchr("._-", *p) != NULL);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(taken); i++) {
        good = good && strcmp(name, taken[i]) != 0;
    }
    return good ? 0
                : mf_fail(err, MF_EVALUE,
                          "'%.80s' cannot be the name of a baseline: letters, digits, '.', '_' and "
                          "'-' can, but not " BENCH_BASELINE_LATEST ", change, report or profile",
                          name);
}

char *mf__baseline_directory(const char *target_dir, const char *benchmark)
{
    char slug[SLUG_LEN + 1];
    size_t len = 0;
    for (const char *p = benchmark; *p != '\0' && len < SLUG_LEN; p++) {
        const bool plain = isalnum((unsigned char)*p) || strchr(".-", *p) != NULL;
        if (plain || (len > 0 && slug[len - 1] != '_')) {
            slug[len++] = plain ? *p : '_';
        }
    }
    slug[len] = '\0';
    return mf_asprintf("%s/%s-%08x", target_dir, slug,
                       (unsigned)mf_hash64(benchmark, strlen(benchmark)));
}

/* ---- saving ---- */

static void write_estimates(struct mf_json *json, const struct bench_result *result)
{
    const struct {
        const char *key;
        const struct bench_estimate *estimate;
    } all[] = {
        {"mean", &result->mean},
        {"median", &result->median},
        {"median_abs_dev", &result->median_abs_dev},
        {"slope", &result->slope},
        {"std_dev", &result->std_dev},
    };
    mf_json_begin_object(json);
    for (size_t i = 0; i < MF_ARRAY_LEN(all); i++) {
        const struct bench_estimate *estimate = all[i].estimate;
        mf_json_key(json, all[i].key);
        if (estimate == &result->slope && result->mode != MF_BENCH_LINEAR) {
            mf_json_null(json);
            continue;
        }
        mf_json_begin_object(json);
        mf_json_key(json, "confidence_interval");
        mf_json_begin_object(json);
        mf_json_key_double(json, "confidence_level",
                           estimate->confidence_interval.confidence_level);
        mf_json_key_double(json, "lower_bound", estimate->confidence_interval.lower_bound);
        mf_json_key_double(json, "upper_bound", estimate->confidence_interval.upper_bound);
        mf_json_end_object(json);
        mf_json_key_double(json, "point_estimate", estimate->point_estimate);
        mf_json_key_double(json, "standard_error", estimate->standard_error);
        mf_json_end_object(json);
    }
    mf_json_end_object(json);
}

static void write_sample(struct mf_json *json, const struct bench_result *result)
{
    mf_json_begin_object(json);
    mf_json_key_string(json, "sampling_mode", result->mode == MF_BENCH_LINEAR ? "Linear" : "Flat");
    for (int times = 0; times < 2; times++) {
        mf_json_key(json, times ? "times" : "iters");
        mf_json_begin_array(json);
        for (size_t i = 0; i < result->process_count; i++) {
            for (size_t k = 0; k < result->processes[i].sample_count; k++) {
                const struct bench_sample *sample = &result->processes[i].samples[k];
                mf_json_double(json, times ? sample->time_ns : (double)sample->iterations);
            }
        }
        mf_json_end_array(json);
    }
    mf_json_end_object(json);
}

static void write_tukey(struct mf_json *json, const struct bench_result *result)
{
    size_t n = 0;
    for (size_t i = 0; i < result->process_count; i++) {
        n += result->processes[i].sample_count;
    }
    double *values = mf_malloc((n + 1) * sizeof *values);
    size_t at = 0;
    for (size_t i = 0; values != NULL && i < result->process_count; i++) {
        for (size_t k = 0; k < result->processes[i].sample_count; k++) {
            const struct bench_sample *sample = &result->processes[i].samples[k];
            values[at++] = sample->time_ns / (double)sample->iterations;
        }
    }
    mf_json_begin_array(json);
    if (values == NULL) {
        json->out->failed = true;
    } else if (n > 0) {
        mf__sort_doubles(values, n);
        const double q1 = mf__quantile_sorted(values, n, 0.25);
        const double q3 = mf__quantile_sorted(values, n, 0.75);
        mf_json_double(json, q1 - 3 * (q3 - q1));
        mf_json_double(json, q1 - 1.5 * (q3 - q1));
        mf_json_double(json, q3 + 1.5 * (q3 - q1));
        mf_json_double(json, q3 + 3 * (q3 - q1));
    }
    mf_json_end_array(json);
    mf_free(values);
}

/* Writes the text and frees it. */
static int save_file(const char *directory, const char *name, struct mf_buffer *text,
                     struct mf_errinfo *err)
{
    char *path = mf_asprintf("%s/%s", directory, name);
    const int rc = path == NULL || text->failed
                       ? mf_fail_os(err, -ENOMEM, "cannot store %s/%s", directory, name)
                       : mf_fs_replace(NULL, path, text->data, text->len, err);
    mf_free(path);
    mf_buffer_free(text);
    return rc;
}

static int save_result(const char *directory, const struct bench_run *run,
                       struct bench_result *result, struct mf_errinfo *err)
{
    static const struct {
        const char *name;
        void (*write)(struct mf_json *json, const struct bench_result *result);
    } files[] = {
        {"estimates.json", write_estimates},
        {"sample.json", write_sample},
        {"tukey.json", write_tukey},
    };
    int rc = mf_fs_mkdirs(NULL, directory, err);
    for (size_t i = 0; i < MF_ARRAY_LEN(files) && rc == 0; i++) {
        struct mf_buffer text = MF_BUFFER_INIT;
        struct mf_json json;
        mf_json_init(&json, &text, MF_JSON_COMPACT);
        files[i].write(&json, result);
        mf_json_finish(&json);
        rc = save_file(directory, files[i].name, &text, err);
    }
    if (rc == 0) {
        struct bench_run one = *run;
        one.results = result;
        one.result_count = 1;
        struct mf_buffer text = MF_BUFFER_INIT;
        mf__run_json_write(&text, &one, NULL, 0, MF_JSON_COMPACT, RUN_JSON_SAMPLES);
        rc = save_file(directory, "benchmark.json", &text, err);
    }
    return rc;
}

int mf__baseline_save(const char *target_dir, const char *baseline, const struct bench_run *run,
                      struct mf_errinfo *err)
{
    int rc = 0;
    for (size_t i = 0; i < run->result_count && rc == 0; i++) {
        struct bench_result *result = &run->results[i];
        if (result->status != BENCH_OK || result->process_medians == NULL) {
            continue;
        }
        char *of_benchmark = mf__baseline_directory(target_dir, result->name);
        char *directory =
            of_benchmark != NULL ? mf_asprintf("%s/%s", of_benchmark, baseline) : NULL;
        rc = directory != NULL ? save_result(directory, run, result, err)
                               : mf_fail_os(err, -ENOMEM, "cannot store %s", result->name);
        mf_free(of_benchmark);
        mf_free(directory);
    }
    return rc;
}

/* ---- loading ---- */

int mf__run_load(const char *path, struct bench_run *ret_run, struct mf_errinfo *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = mf_fs_read_all(NULL, path, RUN_JSON_LEN_MAX, &text, &len, err);
    if (rc == 0) {
        rc = mf__run_json_read(text, len, path, ret_run, err);
    }
    mf_free(text);
    return rc;
}

struct loader {
    const char *target_dir;
    const char *baseline;
    const struct bench_filter *filter;
    struct bench_run *run;
    struct mf_errinfo *err;
};

/* Takes the result of a run of one benchmark; the rest of that run becomes the rest of ours, once.
 */
static int take_result(struct loader *loader, struct bench_run *one)
{
    struct bench_run *run = loader->run;
    struct bench_result *grown = mf_realloc(run->results, (run->result_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return mf_fail_os(loader->err, -ENOMEM, "cannot load the baseline %s", loader->baseline);
    }
    run->results = grown;
    run->results[run->result_count] = one->results[0];
    one->result_count = 0;
    if (run->result_count++ == 0) {
        struct bench_result *results = run->results;
        mf_free(one->results);
        *run = *one;
        run->results = results;
        run->result_count = 1;
        *one = (struct bench_run){0};
    }
    return 0;
}

static int load_entry(void *context, const char *name, enum mf_file_kind kind)
{
    struct loader *loader = context;
    if (kind != MF_KIND_DIRECTORY) {
        return 0;
    }
    char *path = mf_asprintf("%s/%s/%s/benchmark.json", loader->target_dir, name, loader->baseline);
    struct bench_run one = {0};
    struct mf_file_info info;
    int rc = path != NULL ? 0 : -ENOMEM;
    if (rc == 0 && mf_fs_info(NULL, path, &info, NULL) == 0) {
        rc = mf__run_load(path, &one, loader->err);
        if (rc == 0 && one.result_count != 1) {
            rc = mf_fail(loader->err, MF_EVALUE, "%.200s has %zu benchmarks instead of one", path,
                         one.result_count);
        }
        if (rc == 0 && mf__filter_matches(loader->filter, one.results[0].name)) {
            rc = take_result(loader, &one);
        }
    }
    mf__bench_run_free(&one);
    mf_free(path);
    return rc;
}

int mf__baseline_load(const char *target_dir, const char *baseline,
                      const struct bench_filter *filter, struct bench_run *ret_run,
                      struct mf_errinfo *err)
{
    struct bench_run run = {0};
    struct mf_errinfo why = {0};
    struct loader loader = {target_dir, baseline, filter, &run, &why};
    struct mf_file_info info;
    int rc = mf_fs_info(NULL, target_dir, &info, &why);
    if (rc == -ENOENT) { /* nothing was ever stored */
        *ret_run = run;
        return 0;
    }
    if (rc == 0) {
        rc = mf_fs_list(NULL, target_dir, load_entry, &loader, &why);
    }
    if (rc < 0) {
        mf__bench_run_free(&run);
        return mf_fail(err, rc, "%s", why.msg);
    }
    *ret_run = run;
    return 0;
}

/* ---- the noise floor ---- */

int mf__noise_floor_save(const char *target_dir, const char *fingerprint, double fraction,
                         struct mf_errinfo *err)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &text, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", BENCH_SCHEMA_VERSION);
    mf_json_key_string(&json, "fingerprint", fingerprint);
    mf_json_key_double(&json, "noise_floor_fraction", fraction);
    mf_json_end_object(&json);
    mf_json_finish(&json);
    int rc = mf_fs_mkdirs(NULL, target_dir, err);
    if (rc < 0) {
        mf_buffer_free(&text);
        return rc;
    }
    return save_file(target_dir, "noise-floor.json", &text, err);
}

static int read_noise_floor(const char *text, size_t len, const char *path, const char *fingerprint,
                            double *ret_fraction, struct mf_errinfo *err)
{
    struct mf_json_document *document = NULL;
    int rc = mf_json_parse(text, len, NULL, path, &document, err);
    if (rc < 0) {
        return rc;
    }
    const struct mf_json_node root = mf_json_root(document);
    const char *measured_for = "";
    double fraction = 0;
    rc = mf_json_get_string(root, "fingerprint", &measured_for, err);
    if (rc == 0) {
        rc = mf_json_get_double(root, "noise_floor_fraction", &fraction, err);
    }
    if (rc == 0 && !(fraction >= 0 && fraction < 10)) {
        rc = mf_fail(err, MF_EVALUE, "%.200s: a noise floor of %g", path, fraction);
    }
    if (rc == 0 && strcmp(measured_for, fingerprint) == 0) {
        *ret_fraction = fraction;
        rc = 1;
    }
    mf_json_free(document);
    return rc;
}

int mf__noise_floor_load(const char *target_dir, const char *fingerprint, double *ret_fraction,
                         struct mf_errinfo *err)
{
    char *path = mf_asprintf("%s/noise-floor.json", target_dir);
    if (path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot read the noise floor");
    }
    char *text = NULL;
    size_t len = 0;
    int rc = mf_fs_read_all(NULL, path, 1u << 16, &text, &len, err);
    if (rc == 0) {
        rc = read_noise_floor(text, len, path, fingerprint, ret_fraction, err);
    } else if (rc == -ENOENT) {
        rc = 0;
    }
    mf_free(text);
    mf_free(path);
    return rc;
}
