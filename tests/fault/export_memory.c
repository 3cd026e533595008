/* SPDX-License-Identifier: Apache-2.0
 *
 * export_memory.c -- every allocation of a push, an export, a sealing and a verification fails
 * once: each gives -ENOMEM or succeeds, loses nothing, and works when memory is back. */
#include "export_fixture.h"

#include "base/heap.h"

#include <errno.h>

struct countdown {
    long left; /* allocations until one fails; negative: never */
};

static int fail_one(void *context, size_t len)
{
    (void)len;
    struct countdown *countdown = context;
    return countdown->left-- == 0 ? 1 : 0;
}

static int swallow(void *context, const char *bytes, size_t len)
{
    (void)bytes;
    *(size_t *)context += len;
    return 0;
}

static int push(struct fixture *f, struct receiver *receiver)
{
    struct mf_push_config config = push_config(receiver);
    struct mf_errinfo err = {0};
    config.selector = NULL;
    config.protocol = MF_PUSH_AUTO;
    config.attempts_max = 1;
    config.store_label = "instance";
    const int rc = mf_export_push(f->path, &config, NULL, &err);
    assert_true(rc == 0 || err.msg[0] != '\0');
    return rc;
}

static int export_all(struct fixture *f, struct receiver *receiver)
{
    (void)receiver;
    static const struct mf_metrics_query all = {.end_ns = INT64_MAX, .tier = MF_TIER_FINEST};
    struct mf_metrics_reader *reader;
    struct mf_errinfo err = {0};
    size_t len = 0;
    int rc = mf_metrics_reader_open(f->path, &f->env, &reader, &err);
    if (rc != 0) {
        return rc;
    }
    for (int format = MF_EXPORT_OPENMETRICS; rc == 0 && format <= MF_EXPORT_JSON; format++) {
        rc = mf_export_range(reader, &all, (enum mf_export_format)format, swallow, &len, &err);
    }
    rc = rc == 0 ? mf_export_exposition(reader, NULL, swallow, &len, &err) : rc;
    mf_metrics_reader_close(reader);
    assert_true(rc == 0 || err.msg[0] != '\0');
    return rc;
}

static int seal(struct fixture *f, struct receiver *receiver)
{
    (void)receiver;
    struct mf_errinfo err = {0};
    char command[512];
    /* One that was sealed although an allocation failed is taken back. */
    snprintf(command, sizeof command,
             "cd %s && { [ -e backup ] || cp metrics.slab backup; } && "
             "if [ ! -e metrics.slab ]; then rm metrics.archive; cp backup metrics.slab; fi",
             f->path);
    assert_int_equal(system(command), 0);
    const int rc = mf_metrics_seal(f->path, &f->env, NULL, &err);
    assert_true(rc == 0 || err.msg[0] != '\0');
    return rc;
}

static int verify(struct fixture *f, struct receiver *receiver)
{
    (void)receiver;
    struct mf_errinfo err = {0};
    const int rc = mf_metrics_verify(f->path, &f->env, NULL, &err);
    assert_true(rc == 0 || err.msg[0] != '\0');
    return rc;
}

static void fail_each(struct fixture *f, struct receiver *receiver, const char *what,
                      int (*operation)(struct fixture *, struct receiver *))
{
    int rc = -ENOMEM;
    for (long n = 0; rc != 0; n++) {
        struct countdown countdown = {n};
        mf_heap_set_hook(fail_one, &countdown);
        rc = operation(f, receiver);
        mf_heap_set_hook(NULL, NULL);
        if (rc != 0 && rc != -ENOMEM) {
            fail_msg("%s, allocation %ld: %s", what, n, mf_error_name(rc));
        }
        if (rc == 0 && countdown.left < 0) {
            rc = -ENOMEM; /* it did without that one; go on with the next */
        }
        assert_true(n < 100000);
    }
}

static void memory_runs_out_anywhere(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    struct sample_store s;
    sample_open(f, &s);
    sample_record(f, &s, 0, 12);
    fixture_close(f);
    fail_each(f, receiver, "push", push);
    /* What was stored before its acknowledgement could be kept is sent again, and is the same. */
    for (int i = 0; i < 12; i++) {
        assert_non_null(receiver_find(receiver, "g{instance=\"store\",job=\"vm\"}",
                                      i < 11 ? T0_MS + (i + 1) * 1000 : T0_MS + 11250));
    }
    fail_each(f, receiver, "export_all", export_all);
    fail_each(f, receiver, "verify", verify);
    fail_each(f, receiver, "seal", seal);
    fail_each(f, receiver, "export_all", export_all);
    fail_each(f, receiver, "verify", verify);
    receiver_stop(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_runs_out_anywhere, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
