/* SPDX-License-Identifier: Apache-2.0
 * The Nth allocation fails, for every N, in sealing, verifying and proving: an error that says so,
 * or the answer; what was sealed stays so; nothing leaks (under ASan). */
#include "cmocka_all.h"

#include "flights.h"
#include "scratch.h"

#include "base/heap.h"

#include <errno.h>
#include <mayfly/seal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1790251200) * SECOND)
#define ID     "20260924-120000-f-0000"
#define WAIT   (60 * SECOND)

static char home[300];
static char dir[400];
static long left; /* allocations until one fails; negative: none does */

static int fail_nth(void *context, size_t len)
{
    (void)context;
    (void)len;
    return left >= 0 && left-- == 0;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "%s/home", scratch_directory());
    snprintf(dir, sizeof dir, "%s/flights/%s", home, ID);
    struct test_flight *flight = test_flight_begin(home, ID, "f", NULL, START);
    test_flight_line(flight, 5, MF_STREAM_STDERR, "hello");
    test_flight_end(flight, &(struct test_end){.duration_ms = 300, .kind = "exited"});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove();
    return 0;
}

/* Runs it with the first, the second, ... allocation failing, until none did. */
static void with_each_failing(int (*action)(struct mf_errinfo *err))
{
    long n = 0;
    for (bool reached = true; reached; n++) {
        struct mf_errinfo err = {0};
        left = n;
        mf_heap_set_hook(fail_nth, NULL);
        const int rc = action(&err);
        mf_heap_set_hook(NULL, NULL);
        reached = left < 0;
        /* In the midst of a sync it poisons the ledger, which is opened anew by the next one. */
        if (rc < 0 && ((rc != -ENOMEM && rc != MF_EPOISONED) || err.msg[0] == '\0')) {
            fail_msg("allocation %ld: %d, '%s'", n, rc, err.msg);
        }
        if (!reached && rc < 0) {
            fail_msg("nothing failed, and yet: %s", err.msg);
        }
        assert_true(n < 100000);
    }
    assert_true(n > 3);
}

static int seal(struct mf_errinfo *err)
{
    return mf_flight_seal(home, dir, WAIT, NULL, NULL, err);
}

static void count(void *context, const struct mf_seal_finding *finding)
{
    ++*(int *)context;
    assert_true(finding->text[0] != '\0');
}

static int verify(struct mf_errinfo *err)
{
    const struct mf_seal_trust trust = {.home = home};
    struct mf_seal_check check = {.findings = 0};
    int findings = 0;
    const int rc = mf_flight_verify(dir, &trust, count, &findings, &check, err);
    if (rc == 0) {
        assert_int_equal(check.findings, findings);
    }
    return rc;
}

static int prove(struct mf_errinfo *err)
{
    struct mf_proof_file file = {.bytes = NULL};
    struct mf_proof proof;
    struct mf_seal_evidence evidence;
    int rc = mf_flight_prove(home, dir, "output.log", &file, err);
    if (rc < 0) {
        return rc;
    }
    assert_int_equal(mf_proof_decode(file.bytes, file.len, &proof, NULL), 0);
    assert_int_equal(mf_proof_check(&proof, &file.root, NULL), 0);
    rc = mf_flight_evidence_read(&proof, &evidence, err);
    if (rc == 0) {
        assert_string_equal(evidence.record.id, ID);
        assert_string_equal(evidence.path, "output.log");
        mf_flight_evidence_free(&evidence);
    }
    mf_proof_file_free(&file);
    return rc;
}

static void seal_then_rest(void **state)
{
    struct mf_seal_record record;
    struct mf_seal_record again;
    struct mf_errinfo err = {0};
    bool fresh = true;
    (void)state;
    with_each_failing(seal);
    assert_int_equal(mf_flight_seal(home, dir, WAIT, &record, &fresh, &err), 0);
    assert_false(fresh);
    with_each_failing(verify);
    with_each_failing(prove);
    assert_int_equal(mf_flight_seal_find(home, ID, &again, &err), 1);
    assert_memory_equal(record.root, again.root, sizeof record.root);
    assert_false(again.removed);
    assert_int_equal(mf_flight_seal_removed(home, dir, WAIT, &err), 0);
    assert_int_equal(mf_flight_seal_find(home, ID, &again, &err), 1);
    assert_true(again.removed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(seal_then_rest, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
