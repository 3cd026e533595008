/* SPDX-License-Identifier: Apache-2.0
 * state_fixture.h -- short words for tests of a store, on the simulated disk. */
#ifndef STATE_FIXTURE_H
#define STATE_FIXTURE_H

#include "cmocka_all.h"
#include "os/simdisk.h"

#include <mayfly/state.h>
#include <stdio.h>
#include <string.h>

static inline struct mf_state_bytes text(const char *string)
{
    return (struct mf_state_bytes){string, strlen(string)};
}

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct mf_errinfo err = {0, ""};                                                           \
        int code_ = (call);                                                                        \
        if (code_ < 0) {                                                                           \
            print_error("%s: %s\n", #call, err.msg);                                               \
        }                                                                                          \
        assert_true(code_ >= 0);                                                                   \
    } while (0)

#define assert_fails(wanted, call)                                                                 \
    do {                                                                                           \
        struct mf_errinfo err = {0, ""};                                                           \
        int code_ = (call);                                                                        \
        if (code_ != (wanted)) {                                                                   \
            print_error("%s: %d %s\n", #call, code_, err.msg);                                     \
        }                                                                                          \
        assert_int_equal(code_, wanted);                                                           \
        assert_int_equal(err.code, wanted);                                                        \
        assert_true(strlen(err.msg) > 10);                                                         \
    } while (0)

static inline struct mf_state *open_store(struct mf_simdisk *disk, const char *path, uint32_t flags)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_state *state = NULL;
    options.flags = flags;
    assert_ok(mf_state_open(path, &options, &env, &state, &err));
    return state;
}

static inline void close_store(struct mf_state *state)
{
    assert_ok(mf_state_close(state, &err));
}

static inline uint64_t put(struct mf_state *state, const char *key, const char *value)
{
    struct mf_state_change change = {MF_STATE_PUT, text(key), text(value)};
    struct mf_state_result result;
    assert_ok(mf_state_batch(state, &change, 1, &result, &err));
    assert_int_equal(result.outcome, MF_STATE_COMMITTED);
    return result.seq;
}

/* The value as a string, or NULL; good until the next call. */
static inline const char *get(struct mf_state *state, const char *key)
{
    static char value[4096];
    struct mf_state_tx *tx = NULL;
    struct mf_state_bytes bytes = {NULL, 0};
    assert_ok(mf_state_snapshot(state, &tx, &err));
    int found = 0;
    assert_ok(found = mf_state_get(tx, text(key), &bytes, &err));
    if (found == 1) {
        (void)snprintf(value, sizeof value, "%.*s", (int)bytes.len, (const char *)bytes.bytes);
    }
    mf_state_abort(tx);
    return found == 1 ? value : NULL;
}

static inline struct mf_state_info info_of(struct mf_state *state)
{
    struct mf_state_info info;
    mf_state_info(state, &info);
    return info;
}

static inline struct mf_state_report report_of(struct mf_state *state)
{
    struct mf_state_report report;
    mf_state_report(state, &report);
    return report;
}

/* What is left when the power goes now and only what was synced is there. */
static inline struct mf_simdisk *power_cut(struct mf_simdisk *disk)
{
    struct mf_simdisk *left =
        mf_simdisk_power_cut(disk, &(struct mf_simdisk_cut){.keep_nothing = true});
    assert_non_null(left);
    return left;
}

#endif
