/* SPDX-License-Identifier: Apache-2.0
 * verb_state.c -- mayfly state: the group. */
#include "verb.h"

#include <stddef.h>

#define STATE_VERB_MAP(X)                                                                          \
    X(init)                                                                                        \
    X(put)                                                                                         \
    X(get)                                                                                         \
    X(scan)                                                                                        \
    X(commit)                                                                                      \
    X(log)                                                                                         \
    X(prove)                                                                                       \
    X(verify)                                                                                      \
    X(check)                                                                                       \
    X(salvage)                                                                                     \
    X(compact)                                                                                     \
    X(stat)

#define X(name) extern const struct cli_verb verb_state_##name;
STATE_VERB_MAP(X)
#undef X
extern const struct cli_verb verb_state;

const struct cli_verb verb_state = {
    .name = "state",
    .section = "State",
    .summary = "Keep keys and values in commits that are atomic, durable and provable",
    .description =
        "A store is a directory. Each commit is all or nothing, is on the disk when it is reported "
        "as COMMITTED, and has a number and a root over all keys and values; all commits together "
        "are a Merkle log. One process writes at a time, any number read. `ledger` below "
        "MAYFLY_HOME is such a store: it has the seals of flights.",
    .verbs =
        (const struct cli_verb *const[]){
#define X(name) &verb_state_##name,
            STATE_VERB_MAP(X)
#undef X
                NULL,
        },
};
