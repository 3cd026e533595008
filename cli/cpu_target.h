/* SPDX-License-Identifier: Apache-2.0
 * cpu_target.h -- what `mayfly cpu watch` and `mayfly cpu top` look at: a process with its
 * descendants, the processes of a running flight, or the machine. */
#ifndef CLI_CPU_TARGET_H
#define CLI_CPU_TARGET_H

#include "cli.h"
#include "cpu/outside_tree.h"

/* Opens it by the operand PID and the option --flight, with the watch's settings in `spec`. What
 * stands before `machine` is true must be given: a usage error otherwise (positive). */
int cpu_target_open(struct cli_context *cli, bool machine, const struct mf_watch_spec *watch,
                    struct mf_watch_tree **ret_tree);

#define CPU_TARGET_OPTIONS                                                                         \
    {.name = "flight",                                                                             \
     .letter = 'f',                                                                                \
     .kind = CLI_STRING,                                                                           \
     .metavar = "FLIGHT",                                                                          \
     .help = "The processes of this running flight (id, name, or latest)"},                        \
    {                                                                                              \
        .name = "plain", .kind = CLI_FLAG,                                                         \
        .help = "Do without the kernel's events and exit records, as without privilege"            \
    }

#endif
