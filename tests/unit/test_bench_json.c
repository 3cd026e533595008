/* SPDX-License-Identifier: Apache-2.0
 * Results as JSON, there and back; what the reader refuses. */
#include "bench_fixture.h"
#include "cmocka_all.h"
#include "run_json.h"

#include "base/fail.h"

#include <stdio.h>
#include <stdlib.h>

static void make_run(struct bench_run *run)
{
    struct mf_rng rng;
    mf_rng_seed(&rng, 3);
    *run = (struct bench_run){
        .started_wall_ns = INT64_C(1700000000123000000),
        .commit = mf_strdup("0123abc-dirty"),
        .seed = UINT64_MAX,
        .result_count = 3,
        .environment = {.pair_count = 1, .fingerprint = "0123456789abcdef"},
    };
    run->environment.pairs = mf_calloc(1, sizeof *run->environment.pairs);
    run->environment.pairs[0].key = mf_strdup("cpu \"model\"");
    run->environment.pairs[0].value = mf_strdup("x\n");
    run->results = mf_calloc(3, sizeof *run->results);
    fixture_result(&run->results[0], "suite::a", 3, 12, 100, 0.01, 0.01, true, &rng);
    fixture_result(&run->results[1], "suite::b/n:4", 8, 20, 5e6, 0.01, 0.01, false, &rng);
    run->results[1].options.param_count = 1;
    run->results[1].param = 4;
    for (size_t i = 0; i < 8; i++) {
        run->results[1].processes[i].mode = MF_BENCH_LINEAR;
    }
    fixture_result(&run->results[2], "suite::c", 1, 2, 1, 0, 0, false, &rng);
    run->results[2].status = BENCH_FAILED;
    run->results[2].message = mf_strdup("it failed");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture_estimate(&run->results[i]), 0);
    }
}

static void there_and_back(void **state)
{
    (void)state;
    for (int detail = RUN_JSON_SUMMARY; detail <= RUN_JSON_SAMPLES; detail++) {
        struct bench_run run;
        struct bench_run again = {0};
        struct mf_buffer first = MF_BUFFER_INIT;
        struct mf_buffer second = MF_BUFFER_INIT;
        struct mf_errinfo err = {0};
        make_run(&run);
        mf__run_json_write(&first, &run, NULL, 0, MF_JSON_COMPACT, (enum run_json_detail)detail);
        if (mf__run_json_read(first.data, first.len, "x.json", &again, &err) != 0) {
            fail_msg("%s", err.msg);
        }
        mf__run_json_write(&second, &again, NULL, 0, MF_JSON_COMPACT, (enum run_json_detail)detail);
        assert_string_equal(first.data, second.data);
        assert_true(again.seed == UINT64_MAX);
        assert_int_equal(again.results[1].process_count, 8);
        assert_int_equal(again.results[1].processes[7].index, 7);
        assert_int_equal(again.results[0].latency != NULL, detail == RUN_JSON_SAMPLES);
        assert_string_equal(again.results[0].fingerprint, "0123456789abcdef");
        mf__bench_run_free(&run);
        mf__bench_run_free(&again);
        mf_buffer_free(&first);
        mf_buffer_free(&second);
    }
}

/* Replaces the first `from` by `to` in the text of a run. Returns what the reader says. */
static int read_changed(const char *from, const char *to, struct mf_errinfo *err)
{
    struct bench_run run;
    struct bench_run again = {0};
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_buffer changed = MF_BUFFER_INIT;
    make_run(&run);
    mf__run_json_write(&text, &run, NULL, 0, MF_JSON_COMPACT, RUN_JSON_SAMPLES);
    const char *at = strstr(text.data, from);
    if (at == NULL) {
        fail_msg("no '%s' in the text", from);
    }
    mf_buffer_append(&changed, text.data, (size_t)(at - text.data));
    mf_buffer_puts(&changed, to);
    mf_buffer_puts(&changed, at + strlen(from));
    const int rc = mf__run_json_read(changed.data, changed.len, "x.json", &again, err);
    if (rc == 0) {
        mf__bench_run_free(&again);
    }
    mf__bench_run_free(&run);
    mf_buffer_free(&text);
    mf_buffer_free(&changed);
    return rc;
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        int code;
        const char *message; /* a part of it */
    } table[] = {
        {"\"schema_version\":1", "\"schema_version\":2", MF_EVERSION, "its schema_version is 2"},
        {"\"schema_version\":1", "\"schema_version\":\"1\"", MF_ESYNTAX, "'schema_version' must"},
        {"\"unit\":\"ns\"", "\"unit\":\"s\"", MF_EVALUE, "only \"ns\" is known"},
        {"\"name\":\"suite::a\"", "\"name\":\"\"", MF_EVALUE, "the benchmark ''"},
        {"\"status\":\"ok\"", "\"status\":\"fine\"", MF_EVALUE, "unknown status 'fine'"},
        {"\"mode\":\"flat\"", "\"mode\":\"round\"", MF_EVALUE, "'round' is none of the modes"},
        {"\"started\":\"2023", "\"started\":\"20x3", MF_ESYNTAX, "20x3"},
        {"\"fingerprint\":\"0123456789abcdef\"", "\"fingerprint\":\"0123456789abcdefx\"", MF_EVALUE,
         "fingerprint"},
        {"\"process_indices\":[0,1,2]", "\"process_indices\":[0,1]", MF_EVALUE,
         "3 medians of processes, 2 indices"},
        {"\"estimates\":{", "\"estimate\":{", MF_ENOTFOUND, "'estimates' is missing"},
        {"\"percentiles\":[{", "\"percentiles\":[7,{", MF_ENOTFOUND, "'percent' is missing"},
        {"\"iterations\":[1000", "\"iterations\":[0", MF_EVALUE, "0 iterations"},
        {"\"iterations\":[1000,", "\"iterations\":[", MF_EVALUE, "11 samples have iterations"},
        {"\"count\":12", "\"count\":13", MF_EVALUE, "does not add up"},
        {"\"quick\":false", "\"quick\":0", MF_ESYNTAX, "'quick' must be a boolean"},
        {"{\"schema", "[{\"schema", MF_ESYNTAX, "x.json"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(table); i++) {
        struct mf_errinfo err = {0};
        const int rc = read_changed(table[i].from, table[i].to, &err);
        if (rc != table[i].code || strstr(err.msg, table[i].message) == NULL ||
            strncmp(err.msg, "x.json", 6) != 0) {
            fail_msg("row %zu: %d '%s'", i, rc, err.msg);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
