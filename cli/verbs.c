/* SPDX-License-Identifier: Apache-2.0
 * verbs.c -- the program as a group of its verbs. */
#include "verbs.h"
#include "help.h"

#include <stddef.h>

static const struct cli_verb *const all_verbs[] = {
#define X(name) &verb_##name,
    CLI_VERB_MAP(X)
#undef X
        NULL,
};

const struct cli_verb cli_program = {
    .name = "mayfly",
    .summary = "The flight recorder and data plane of short-lived compute",
    .description =
        "Records what a command, script, agent or virtual machine does while it lives, so that its "
        "evidence outlives it. Nothing needs a server; everything is kept below MAYFLY_HOME "
        "(by default $XDG_DATA_HOME/mayfly or ~/.local/share/mayfly).",
    .verbs = all_verbs,
};
