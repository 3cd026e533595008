/* SPDX-License-Identifier: Apache-2.0
 *
 * crash_reclog_kill.c -- SIGKILL of a writer on the real file system, again and again on one log.
 *
 * The writer is a child with two appending threads and one that calls flush or sync. What has been
 * acknowledged it puts into memory shared with the parent, after the call has returned. The parent
 * kills it at a random moment, sometimes while a reader follows, and then everything acknowledged
 * must be there, in order, with the content that belongs to its number; and the next child goes on.
 */
#include "base/bytes.h"
#include "base/rng.h"
#include "cmocka_all.h"
#include "scratch.h"
#include "test_seed.h"

#include <mayfly/reclog.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS      30
#define PAYLOAD_MAX 3000

struct shared {
    _Atomic uint64_t appended;     /* highest number that an append has returned */
    _Atomic uint64_t acknowledged; /* highest number that is promised to survive a kill */
    _Atomic int ready;
};

struct child {
    struct mf_reclog *log;
    struct shared *shared;
    uint64_t seed;
    bool write_through;
};

static void raise_to(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t now = atomic_load(value);
    while (now < to && !atomic_compare_exchange_weak(value, &now, to)) {
    }
}

/* A payload says its own length and fills itself from it, so that it can be judged alone. */
static size_t make_payload(uint8_t *bytes, uint64_t draw)
{
    size_t len = 16 + (size_t)(draw % (PAYLOAD_MAX - 16)) / (draw % 7 == 0 ? 1 : 30);
    mf_store_u64(bytes, draw);
    mf_store_u64(bytes + 8, len);
    for (size_t i = 16; i < len; i++) {
        bytes[i] = (uint8_t)(draw + i * 7);
    }
    return len;
}

static void *append_for_ever(void *context)
{
    struct child *child = context;
    struct mf_rng rng;
    mf_rng_seed(&rng, child->seed ^ (uintptr_t)pthread_self());
    for (;;) {
        uint8_t bytes[PAYLOAD_MAX];
        uint64_t seq = 0;
        size_t len = make_payload(bytes, mf_rng_next(&rng));
        if (mf_reclog_append(child->log, 3, bytes, len, &seq, NULL) != 0) {
            _exit(3);
        }
        raise_to(&child->shared->appended, seq);
        if (child->write_through) {
            raise_to(&child->shared->acknowledged, seq);
        }
    }
    return NULL;
}

static _Noreturn void be_child(struct shared *shared, uint64_t seed)
{
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    static const enum mf_reclog_durability modes[4] = {MF_RECLOG_PAGE, MF_RECLOG_PAGE,
                                                       MF_RECLOG_NONE, MF_RECLOG_SYNC};
    options.durability = modes[seed % 4];
    options.flush_delay_ns = seed % 4 == 1 ? 1000000 : 0;
    options.reserve_bytes = seed % 3 == 0 ? 1 << 20 : 0;
    options.buffer_bytes = 16384;
    struct child child = {NULL, shared, seed, seed % 4 == 0 || seed % 4 == 3};
    if (mf_reclog_open(scratch_path("log"), &options, NULL, &child.log, NULL) != 0) {
        _exit(2);
    }
    atomic_store(&shared->ready, 1);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, append_for_ever, &child) != 0) {
            _exit(4);
        }
    }
    for (;;) {
        uint64_t before = atomic_load(&shared->appended);
        if (mf_reclog_flush(child.log, NULL) != 0 ||
            (seed % 5 == 0 && mf_reclog_sync(child.log, before, NULL) != 0)) {
            _exit(5);
        }
        raise_to(&shared->acknowledged, before);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

/* Reads on from where the reader stands, at most `count` records: the number of the last one. */
static uint64_t read_on(struct mf_reclog_reader *reader, uint64_t last, uint64_t count,
                        int *ret_code)
{
    struct mf_reclog_record record;
    struct mf_errinfo err;
    int code = 0;
    for (; count > 0 && (code = mf_reclog_next(reader, &record, &err)) == 1; count--) {
        uint8_t expected[PAYLOAD_MAX];
        assert_int_equal(record.seq, last + 1);
        assert_true(record.len >= 16);
        size_t len = make_payload(expected, mf_load_u64(record.payload));
        assert_int_equal(record.len, len);
        assert_memory_equal(record.payload, expected, len);
        last = record.seq;
    }
    if (code < 0 && code != MF_ETORN) {
        print_error("%s\n", err.msg);
    }
    *ret_code = code;
    return last;
}

static void test_kill(void **state)
{
    (void)state;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    const char *path = scratch_path("log");
    struct mf_rng rng;
    mf_rng_seed(&rng, test_seed());
    struct mf_reclog_reader *reader = NULL;
    uint64_t last = 0;
    int code = 0;
    int torn = 0;
    for (int round = 0; round < ROUNDS; round++) {
        atomic_store(&shared->ready, 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            be_child(shared, mf_rng_next(&rng));
        }
        (void)mf_rng_next(&rng); /* what the child drew */
        int status = 0;
        while (atomic_load(&shared->ready) == 0 && waitpid(pid, &status, WNOHANG) == 0) {
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t life_ns = mf_rng_below(&rng, 15000000);
        for (struct timespec now = until; (uint64_t)((now.tv_sec - until.tv_sec) * 1000000000 +
                                                     now.tv_nsec - until.tv_nsec) < life_ns;
             clock_gettime(CLOCK_MONOTONIC, &now)) {
            if (reader != NULL && round % 2 == 0) {
                last = read_on(reader, last, 1000, &code);
                assert_true(code >= 0); /* never half a record, never the end of a dead writer */
            }
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        uint64_t acknowledged = atomic_load(&shared->acknowledged);
        if (reader == NULL) {
            assert_int_equal(mf_reclog_reader_open(path, NULL, &reader, NULL), 0);
        }
        last = read_on(reader, last, UINT64_MAX, &code);
        assert_true(code == 0 || code == MF_ETORN);
        torn += code == MF_ETORN;
        assert_true(last >= acknowledged);

        struct mf_reclog *log = NULL; /* and recovery sees the same */
        struct mf_reclog_info info;
        assert_int_equal(mf_reclog_open(path, NULL, NULL, &log, NULL), 0);
        mf_reclog_info(log, &info);
        assert_int_equal(info.last_seq, last);
        assert_int_equal(info.cut_records, 0);
        assert_int_equal(mf_reclog_close(log, NULL), 0);
        last = read_on(reader, last, UINT64_MAX, &code);
        assert_int_equal(code, 0);
        assert_int_equal(info.last_seq, last);
        atomic_store(&shared->appended, last);
        atomic_store(&shared->acknowledged, last);
    }
    printf("%d kills, %llu records, %d torn tails\n", ROUNDS, (unsigned long long)last, torn);
    mf_reclog_reader_rewind(reader);
    assert_int_equal(read_on(reader, 0, UINT64_MAX, &code), last);
    mf_reclog_reader_close(reader);
    munmap(shared, sizeof *shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests_name("crash/reclog_kill", tests, NULL, NULL);
}
