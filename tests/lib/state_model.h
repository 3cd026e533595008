/* SPDX-License-Identifier: Apache-2.0
 * state_model.h -- what a test knows of a store of state: each commit that it tried, what the state
 * was after it, and which of them must survive.
 *
 * Every commit puts its own number under the key "id", so that a state that is found tells which
 * commit made it; all its other keys must then be as the model has them. */
#ifndef STATE_MODEL_H
#define STATE_MODEL_H

#include "base/rng.h"

#include <mayfly/state.h>
#include <stdbool.h>
#include <stdint.h>

#define MODEL_KEYS    5
#define MODEL_COMMITS 256

enum model_status {
    MODEL_PENDING,   /* being committed, or it is not known how that ended */
    MODEL_COMMITTED, /* acknowledged */
    MODEL_GONE       /* aborted, or not found by a recovery: must never be seen */
};

struct model_commit {
    uint32_t values[MODEL_KEYS]; /* 0: the key is absent */
    uint32_t parent;
    enum model_status status;
    uint64_t seq; /* COMMITTED */
    uint8_t root[MF_STATE_HASH_LEN];
};

/* Commits are numbered from 1; 0 is the empty state. */
struct model {
    struct model_commit commits[MODEL_COMMITS];
    uint32_t count;   /* the highest number */
    uint32_t current; /* what the next one builds on */
    uint32_t kept;    /* acknowledged as safe against a kill */
    uint32_t durable; /* acknowledged as safe against a power cut */
    bool exists;      /* an open has succeeded */
};

/* The first thing that went wrong; empty: nothing. Later ones are not noted. */
extern char model_violation[500];
int model_violated(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether `older` is `newer` or one of those that it builds on. */
bool model_holds(const struct model *model, uint32_t newer, uint32_t older);
/* What is not `found`, nor what it builds on, is gone for good; `found` is safe from now on. */
void model_settle(struct model *model, uint32_t found);

/* Commits a few random changes. `ret_code` is what mf_state_commit() returned. */
void model_commit(struct model *model, struct mf_state *state, struct mf_rng *rng, int *ret_code);
/* Takes over how far the store says to be durable. */
void model_durable(struct model *model, struct mf_state *state);
/* Which commit made the state that the store shows: its number, or -1 (violated). */
int64_t model_find(const struct model *model, struct mf_state *state);
/* Whether the log of commits is whole, and its last root the one of the state; else violated. */
bool model_log_is_whole(struct mf_state *state);
/* Of a salvaged store: whether each value is one that its key had at some time; else violated. */
bool model_knows_values(struct mf_state *state);

#endif
