/* SPDX-License-Identifier: Apache-2.0
 *
 * prop_state.c -- a store against a simple model, from a printed seed; and many threads whose
 * transactions keep a sum constant, in every mode, while the log is rotated, checkpoints are
 * written and a reader follows.
 */
#include "base/rng.h"
#include "os/thread.h"
#include "state_fixture.h"
#include "test_seed.h"

#include <stdatomic.h>
#include <stdlib.h>

#define KEYS     64
#define STEPS    1500
#define ACCOUNTS 8
#define THREADS  4
#define ROUNDS   60 /* of each thread */

/* The model: the number of each key's value, 0: absent. Key names are in the order of numbers. */
struct model {
    uint32_t values[KEYS];
};

static const char *name_of(uint32_t key)
{
    static char name[16];
    (void)snprintf(name, sizeof name, "key-%03u%s", (unsigned)key, key % 3 == 0 ? "\x01" : "");
    return name;
}

static struct mf_state_bytes value_of(uint32_t number)
{
    static uint8_t bytes[2000];
    size_t len = number % 11 == 0 ? 0 : number % 5 == 0 ? 1900 : number % 40 + 4;
    memset(bytes, (int)number, len);
    if (len >= 4) {
        memcpy(bytes, &number, 4);
    }
    return (struct mf_state_bytes){bytes, len};
}

static bool is_value(struct mf_state_bytes got, uint32_t number)
{
    struct mf_state_bytes wanted = value_of(number);
    return got.len == wanted.len && (got.len == 0 || memcmp(got.bytes, wanted.bytes, got.len) == 0);
}

static void check_range(struct mf_state_tx *tx, const struct model *model, uint32_t from,
                        uint32_t to)
{
    struct mf_state_cursor *cursor = NULL;
    struct mf_state_bytes key;
    struct mf_state_bytes value;
    char from_name[16];
    char to_name[16];
    (void)snprintf(from_name, sizeof from_name, "%s", name_of(from));
    (void)snprintf(to_name, sizeof to_name, "%s", name_of(to));
    assert_ok(mf_state_scan(tx, text(from_name), text(to_name), &cursor, &err));
    for (uint32_t i = from; i < to; i++) {
        if (model->values[i] != 0) {
            assert_int_equal(mf_state_next(cursor, &key, &value, NULL), 1);
            assert_int_equal(key.len, strlen(name_of(i)));
            assert_memory_equal(key.bytes, name_of(i), key.len);
            assert_true(is_value(value, model->values[i]));
        }
    }
    assert_int_equal(mf_state_next(cursor, &key, &value, NULL), 0);
    mf_state_cursor_close(cursor);
}

static void transact(struct mf_state *state, struct model *committed, struct mf_rng *rng,
                     uint32_t *next)
{
    struct model model = *committed;
    struct mf_state_tx *tx = NULL;
    assert_ok(mf_state_begin(state, &tx, &err));
    uint64_t changes = mf_rng_below(rng, 12);
    for (uint64_t i = 0; i < changes; i++) {
        uint32_t key = (uint32_t)mf_rng_below(rng, KEYS);
        uint32_t other = (uint32_t)mf_rng_below(rng, KEYS);
        switch (mf_rng_below(rng, 5)) {
        case 0:
            assert_ok(mf_state_delete(tx, text(name_of(key)), &err));
            model.values[key] = 0;
            break;
        case 1: {
            struct mf_state_bytes got;
            int found = mf_state_get(tx, text(name_of(key)), &got, NULL);
            assert_int_equal(found, model.values[key] != 0);
            assert_true(found == 0 || is_value(got, model.values[key]));
            break;
        }
        case 2:
            check_range(tx, &model, key < other ? key : other, key < other ? other : key);
            break;
        default:
            model.values[key] = ++*next;
            assert_ok(mf_state_put(tx, text(name_of(key)), value_of(*next), &err));
            break;
        }
    }
    if (mf_rng_below(rng, 4) == 0) {
        mf_state_abort(tx);
        return;
    }
    assert_ok(mf_state_commit(tx, NULL, &err));
    *committed = model;
}

static void check_all(struct mf_state *state, const struct model *model)
{
    struct mf_state_tx *tx = NULL;
    assert_ok(mf_state_snapshot(state, &tx, &err));
    check_range(tx, model, 0, KEYS - 1);
    mf_state_abort(tx);
    uint64_t keys = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        keys += model->values[i] != 0;
    }
    assert_int_equal(info_of(state).keys, keys);
}

static struct mf_state *open_random(struct mf_simdisk *disk, struct mf_rng *rng)
{
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_state *state = NULL;
    options.flags = MF_STATE_CREATE;
    options.mode = (enum mf_state_mode)mf_rng_below(rng, 3);
    options.max_delay_ns = 1000;
    options.wal_bytes_max = 64u << (10 + mf_rng_below(rng, 4));
    options.wal_files_max = 4 + (uint32_t)mf_rng_below(rng, 8);
    assert_ok(mf_state_open("s", &options, &env, &state, &err));
    return state;
}

static void test_against_model(void **unused)
{
    (void)unused;
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    struct mf_simdisk *disk = mf_simdisk_new(0);
    assert_non_null(disk);
    struct model model = {{0}};
    uint32_t next = 0;
    struct mf_state *state = open_random(disk, &rng);
    struct mf_state *reader = open_store(disk, "s", MF_STATE_READ_ONLY);
    for (int step = 0; step < STEPS; step++) {
        uint64_t what = mf_rng_below(&rng, 60);
        transact(state, &model, &rng, &next);
        if (what == 0) {
            close_store(state);
            state = open_random(disk, &rng);
            check_all(state, &model);
        } else if (what == 1) {
            assert_ok(mf_state_checkpoint(state, &err));
        } else if (what == 2) {
            assert_ok(mf_state_maintain(state, NULL, &err));
        } else if (what < 6) {
            bool changed = false;
            assert_ok(mf_state_refresh(reader, &changed, &err));
            check_all(reader, &model);
            assert_memory_equal(info_of(reader).root, info_of(state).root, 32);
            assert_memory_equal(info_of(reader).log_root, info_of(state).log_root, 32);
        }
        assert_int_equal(info_of(state).checkpoint_code, 0);
    }
    check_all(state, &model);
    close_store(reader);
    close_store(state);
    assert_int_equal(mf_simdisk_handles(disk), 0);
    mf_simdisk_free(disk);
}

/* --- threads --- */

struct teller {
    struct mf_state *state;
    uint64_t seed;
    uint64_t conflicts;
    const char *problem;
};

static atomic_bool done;

static int64_t read_number(struct mf_state_tx *tx, const char *key, struct teller *teller)
{
    struct mf_state_bytes value;
    int64_t number = 0;
    if (mf_state_get(tx, text(key), &value, NULL) != 1 || value.len != sizeof number) {
        teller->problem = "a number is missing";
        return 0;
    }
    memcpy(&number, value.bytes, sizeof number);
    return number;
}

static int write_number(struct mf_state_tx *tx, const char *key, int64_t number)
{
    struct mf_state_bytes value = {&number, sizeof number};
    return mf_state_put(tx, text(key), value, NULL);
}

/* Moves an amount from one account to another and counts it, in one transaction. */
static int move(struct teller *teller, struct mf_rng *rng)
{
    char from[16];
    char to[16];
    struct mf_state_tx *tx = NULL;
    struct mf_errinfo err = {0, ""};
    int64_t amount = (int64_t)mf_rng_below(rng, 50);
    (void)snprintf(from, sizeof from, "account-%u", (unsigned)mf_rng_below(rng, ACCOUNTS));
    (void)snprintf(to, sizeof to, "account-%u", (unsigned)mf_rng_below(rng, ACCOUNTS));
    int code = mf_state_begin(teller->state, &tx, &err);
    if (code == 0) {
        code = write_number(tx, from, read_number(tx, from, teller) - amount);
        code = code == 0 ? write_number(tx, to, read_number(tx, to, teller) + amount) : code;
        code = code == 0 ? write_number(tx, "moves", read_number(tx, "moves", teller) + 1) : code;
        if (code == 0) {
            code = mf_state_commit(tx, NULL, &err);
        } else {
            mf_state_abort(tx);
        }
    }
    if (code < 0 && code != MF_ECONFLICT) {
        teller->problem = "a call failed";
        print_error("%s\n", err.msg);
    }
    return code;
}

static void *tell(void *context)
{
    struct teller *teller = context;
    struct mf_rng rng;
    mf_rng_seed(&rng, teller->seed);
    for (int i = 0; i < ROUNDS && teller->problem == NULL;) {
        int code = move(teller, &rng);
        teller->conflicts += code == MF_ECONFLICT;
        i += code == 0;
    }
    return NULL;
}

/* The sum over all accounts is zero whenever anybody looks. */
static const char *audit_sum(struct mf_state *state)
{
    struct mf_state_tx *tx = NULL;
    struct mf_state_cursor *cursor = NULL;
    struct mf_state_bytes key;
    struct mf_state_bytes value;
    int64_t sum = 0;
    int count = 0;
    if (mf_state_snapshot(state, &tx, NULL) != 0 ||
        mf_state_scan_prefix(tx, text("account-"), &cursor, NULL) != 0) {
        mf_state_abort(tx);
        return "no snapshot";
    }
    while (mf_state_next(cursor, &key, &value, NULL) == 1) {
        int64_t number = 0;
        memcpy(&number, value.bytes, sizeof number);
        sum += number;
        count++;
    }
    mf_state_cursor_close(cursor);
    mf_state_abort(tx);
    return count != ACCOUNTS ? "an account is missing" : sum != 0 ? "the sum is not zero" : NULL;
}

static void *audit(void *context)
{
    struct teller *teller = context;
    while (!atomic_load(&done) && teller->problem == NULL) {
        struct mf_errinfo err = {0, ""};
        if ((info_of(teller->state).flags & MF_STATE_READ_ONLY) != 0 &&
            mf_state_refresh(teller->state, NULL, &err) < 0) {
            print_error("%s\n", err.msg);
            teller->problem = "refresh";
            break;
        }
        teller->problem = audit_sum(teller->state);
        mf_thread_yield();
    }
    return NULL;
}

static void run_mode(uint64_t seed, enum mf_state_mode mode, uint32_t flags)
{
    struct mf_simdisk *disk = mf_simdisk_new(0);
    assert_non_null(disk);
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    struct mf_state_options options = MF_STATE_OPTIONS_INIT;
    struct mf_state *state = NULL;
    options.flags = MF_STATE_CREATE | flags;
    options.mode = mode;
    options.max_delay_ns = 200000;
    options.loss_window_ns = 1000000;
    options.wal_bytes_max = 64u << 10;
    options.wal_files_max = 8;
    assert_ok(mf_state_open("s", &options, &env, &state, &err));
    struct mf_state_tx *tx = NULL;
    assert_ok(mf_state_begin(state, &tx, &err));
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "account-%u", i);
        assert_int_equal(write_number(tx, name, 0), 0);
    }
    assert_int_equal(write_number(tx, "moves", 0), 0);
    assert_ok(mf_state_commit(tx, NULL, &err));

    struct mf_state *reader = open_store(disk, "s", MF_STATE_READ_ONLY);
    struct mf_thread threads[THREADS + 2];
    struct teller tellers[THREADS + 2];
    atomic_store(&done, false);
    for (unsigned i = 0; i < THREADS + 2; i++) {
        tellers[i] = (struct teller){.state = i == THREADS + 1 ? reader : state, .seed = seed + i};
        assert_ok(
            mf_thread_start(&threads[i], "test", i < THREADS ? tell : audit, &tellers[i], &err));
    }
    for (unsigned i = 0; i < THREADS + 2; i++) {
        if (i == THREADS) {
            atomic_store(&done, true);
        }
        (void)mf_thread_join(&threads[i]);
    }
    for (unsigned i = 0; i < THREADS + 2; i++) {
        assert_ptr_equal(tellers[i].problem, NULL);
    }
    uint64_t root_seq = info_of(state).seq;
    close_store(reader);
    close_store(state);
    state = open_store(disk, "s", 0);
    assert_int_equal(info_of(state).seq, root_seq);
    assert_ptr_equal(audit_sum(state), NULL);
    struct teller last = {.state = state};
    assert_ok(mf_state_snapshot(state, &tx, &err));
    assert_int_equal(read_number(tx, "moves", &last), THREADS * ROUNDS); /* none was lost */
    mf_state_abort(tx);
    close_store(state);
    assert_int_equal(mf_simdisk_handles(disk), 0);
    mf_simdisk_free(disk);
}

static void test_threads_keep_the_sum(void **unused)
{
    (void)unused;
    uint64_t seed = test_seed();
    for (int mode = MF_STATE_DURABLE; mode <= MF_STATE_RELAXED; mode++) {
        run_mode(seed, (enum mf_state_mode)mode, 0);
        run_mode(seed, (enum mf_state_mode)mode, MF_STATE_BACKGROUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_threads_keep_the_sum),
    };
    return cmocka_run_group_tests_name("prop/state", tests, NULL, NULL);
}
