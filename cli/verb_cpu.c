/* SPDX-License-Identifier: Apache-2.0
 * verb_cpu.c -- mayfly cpu: the group. */
#include "verb.h"

#include <stddef.h>

extern const struct cli_verb verb_cpu_bench;
extern const struct cli_verb verb_cpu_doctor;
extern const struct cli_verb verb_cpu_top;
extern const struct cli_verb verb_cpu_watch;
extern const struct cli_verb verb_cpu;

const struct cli_verb verb_cpu = {
    .name = "cpu",
    .section = "Metrics",
    .summary = "CPU time of threads, and budgets for it",
    .description =
        "What a program can do for its own threads through the library (mayfly/cpu.h), and what "
        "can be seen of the threads of others.",
    .verbs =
        (const struct cli_verb *const[]){
            &verb_cpu_top,
            &verb_cpu_watch,
            &verb_cpu_bench,
            &verb_cpu_doctor,
            NULL,
        },
};
