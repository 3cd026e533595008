/* SPDX-License-Identifier: Apache-2.0
 * environment.h -- on what machine, and under what conditions, was measured. */
#ifndef BENCH_ENVIRONMENT_H
#define BENCH_ENVIRONMENT_H

#include "config.h"
#include "model.h"

/* Reads what there is to know, and the fingerprint; [hardware] of the configuration is added as
 * "hardware.<key>". *ret_environment belongs to a run, which frees it. What cannot be found out is
 * left out. 0 or -ENOMEM. */
int mf__environment_read(const struct bench_config *config,
                         struct bench_environment *ret_environment, struct mf_errinfo *err);
/* The same of another machine's files (machine.h), without what only a running system has. */
int mf__environment_read_root(const char *root, const struct bench_config *config,
                              struct bench_environment *ret_environment, struct mf_errinfo *err);

/* The value of a key; NULL. */
const char *mf__environment_get(const struct bench_environment *environment, const char *key);
/* Whether a pair is part of the fingerprint: what makes runs comparable. */
bool mf__environment_counts(const char *key);

#endif
