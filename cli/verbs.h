/* SPDX-License-Identifier: Apache-2.0
 * verbs.h -- the verbs, in the order of the help. A new one: its file in cli/CMakeLists.txt, and a
 * line here. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "verb.h"

#define CLI_VERB_MAP(X)                                                                            \
    X(run)                                                                                         \
    X(ls)                                                                                          \
    X(show)                                                                                        \
    X(logs)                                                                                        \
    X(top)                                                                                         \
    X(compare)                                                                                     \
    X(report)                                                                                      \
    X(recover)                                                                                     \
    X(seal)                                                                                        \
    X(verify)                                                                                      \
    X(prove)                                                                                       \
    X(rm)                                                                                          \
    X(gc)                                                                                          \
    X(metrics)                                                                                     \
    X(state)                                                                                       \
    X(cpu)                                                                                         \
    X(bench)                                                                                       \
    X(doctor)                                                                                      \
    X(completion)                                                                                  \
    X(help)

#define X(name) extern const struct cli_verb verb_##name;
CLI_VERB_MAP(X)
#undef X

#endif
