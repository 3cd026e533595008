/* SPDX-License-Identifier: Apache-2.0
 *
 * flights.h -- flights for tests, written piece by piece in the formats of docs/formats.md, without
 * running anything: the same bytes at any time on any machine. Any failure aborts.
 *
 *     const char *id = "20260924-120000-make-00aa";
 *     struct test_flight *f = test_flight_begin(home, id, "make", NULL, start_ns);
 *     test_flight_process(f, &(struct test_process){.number = 1, .comm = "make", .end_ms = 900});
 *     test_flight_line(f, 20, MF_STREAM_STDOUT, "hello");
 *     test_flight_end(f, &(struct test_end){.duration_ms = 1000, .kind = "exited"});
 */
#ifndef TESTS_FLIGHTS_H
#define TESTS_FLIGHTS_H

#include <mayfly/flight.h>
#include <stdbool.h>
#include <stdint.h>

#define TEST_MIB (UINT64_C(1) << 20)

struct test_flight;

struct test_process {
    uint64_t number;
    uint64_t parent;
    const char *comm;
    const char *args;
    int64_t start_ms;
    int64_t end_ms;      /* 0: lives on */
    double cores;        /* CPU used while it lives, 0.8 of it in user mode */
    double rss_mib;      /* reached at half of its life */
    double write_mib;    /* in all */
    unsigned threads;    /* 0: 1 */
    int status;          /* as from wait */
    bool no_exit_record; /* only samples tell of it */
};

struct test_end {
    int64_t duration_ms;
    const char *kind; /* NULL: not ended */
    int exit_code;
    int signal;
    const char *reason;
    const char *evidence; /* or NULL */
    const char *state;    /* NULL: "ended" */
};

/* `tags`: "a,b=c" or NULL. Interval 100 ms, rung "full". */
struct test_flight *test_flight_begin(const char *home, const char *id, const char *name,
                                      const char *tags, int64_t started_wall_ns);
void test_flight_process(struct test_flight *flight, const struct test_process *process);
void test_flight_output(struct test_flight *flight, int64_t t_ms, enum mf_flight_stream stream,
                        const void *bytes, size_t len);
/* A whole line of text. */
void test_flight_line(struct test_flight *flight, int64_t t_ms, enum mf_flight_stream stream,
                      const char *text);
/* Passes over bytes of a stream, as a recorder does beyond its limit. */
void test_flight_gap(struct test_flight *flight, enum mf_flight_stream stream, uint64_t len);
/* `members`: more members of the event's object, `"signal":15`, or "". */
void test_flight_event(struct test_flight *flight, int64_t t_ms, const char *kind, uint64_t process,
                       const char *members);
/* Leaves the metrics store out. */
void test_flight_no_metrics(struct test_flight *flight);
/* Writes flight.json and nothing else; for flights by the thousand. Only for those without events,
 * output and processes. */
void test_flight_only_description(struct test_flight *flight);
/* Writes everything in order of time and frees. The command is "<name> -j2 all". */
void test_flight_end(struct test_flight *flight, const struct test_end *end);

/* ---- whole ones; `start_ns` decides the id ---- */

/* A build of 6 s that works: make, cc, cc1, as, ld. */
void test_flight_build(const char *home, const char *id, int64_t start_ns);
/* The same, stopped after 3 s by an error in one file, with exit code 2. */
void test_flight_failing_build(const char *home, const char *id, int64_t start_ns);
/* Killed for memory. */
void test_flight_oom(const char *home, const char *id, int64_t start_ns);
/* Two seconds of it, and no end. */
void test_flight_unfinished(const char *home, const char *id, int64_t start_ns);

#endif
