/* SPDX-License-Identifier: Apache-2.0
 * harness_internal.h -- the state of a run, for the three parts of the harness: measuring
 * (harness.c), several processes (harness_processes.c), machine and reports (harness_report.c). */
#ifndef BENCH_HARNESS_INTERNAL_H
#define BENCH_HARNESS_INTERNAL_H

#include "harness.h"

#include "base/buffer.h"

#define CASES_MAX     64
#define STRINGS_MAX   256
#define PROCESSES_MAX 100

/* How busy the machine was, from the kernel's counters since boot. */
struct machine_load {
    int64_t at_ns;
    double busy_s;   /* all CPUs, everybody */
    double stolen_s; /* what the hypervisor gave to others */
    double own_s;    /* this process and those that it waited for */
    double average;  /* over the last minute */
};

struct measured {
    struct bench_case item;
    uint64_t count;  /* operations of one sample */
    double *samples; /* ns per operation, in the order of the rounds */
    size_t sample_count;
    uint64_t preempted; /* samples during which the thread lost its CPU */
    double process_medians[PROCESSES_MAX];
};

struct bench {
    const char *suite;
    const char *summary;
    char **argv;
    struct bench_options options;
    struct measured cases[CASES_MAX];
    size_t case_count;
    size_t baseline;  /* CASES_MAX: none */
    size_t processes; /* that measured */
    struct machine_load before;
    struct mf_buffer json_text;
    struct mf_json json;
    bool json_begun;
    char *strings[STRINGS_MAX]; /* that live as long as the bench */
    size_t string_count;
};

/* Takes over a string from the heap; NULL ends the program. */
const char *bench__keep(struct bench *bench, char *text);
struct machine_load bench__load_now(void);
/* The tables, or the end of the JSON document. */
void bench__report(struct bench *bench);
/* Room for samples of a case. */
void bench__samples_reserve(struct measured *measured, size_t count);

#endif
