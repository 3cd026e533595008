/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.h -- what on this machine makes measurements better or worse, and what to do about it.
 */
#ifndef BENCH_DOCTOR_H
#define BENCH_DOCTOR_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum finding_state {
    FINDING_GOOD,
    FINDING_NOTE,    /* nothing to do, but to know */
    FINDING_WARNING, /* makes figures worse; there is something to do */
    FINDING_BAD      /* figures cannot be trusted */
};

#define FINDINGS_MAX 24

struct finding {
    const char *name;
    enum finding_state state;
    char value[192];
    char advice[384]; /* "" when there is none */
};

struct findings {
    struct finding items[FINDINGS_MAX];
    size_t count;
};

struct finding *mf__finding_add(struct findings *findings, const char *name,
                                enum finding_state state);

/* What was measured before the judgement. */
struct doctor_measurements {
    double timer_cost_ns, timer_step_ns;
    double steal_fraction;       /* meanwhile; NaN unknown */
    double noise_floor_fraction; /* NaN: it was not measured */
    double spread_fraction;      /* of the medians of processes that were not paired; NaN */
    size_t pairs;
    double threshold_fraction; /* the smallest change that a gate is to find */
    unsigned cpus;
};

/* Looks at a machine (machine.h). */
void mf__doctor_examine(const char *root, const struct doctor_measurements *measured,
                        struct findings *ret_findings);

/* The noise floor of paired processes: what the estimate over `gate_pairs` pairs can be wrong by,
 * 19 times of 20, when there is no difference: from the logarithms of the ratios of n pairs that
 * ran the same program. NaN for n < 3. scratch: n values. */
double mf__noise_floor(const double *log_ratios, size_t n, size_t gate_pairs, double *scratch);

void mf__findings_text(const struct findings *findings, struct mf_buffer *out, bool colored);
void mf__findings_json(const struct findings *findings, const struct doctor_measurements *measured,
                       const char *fingerprint, struct mf_buffer *out);

#endif
