/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics_range.h -- the options --range, --from, --to, --tier of `mayfly metrics query` and
 * `export`, and the query that they make for a store.
 */
#ifndef CLI_METRICS_RANGE_H
#define CLI_METRICS_RANGE_H

#include "cli.h"

#include <mayfly/metrics.h>

/* For the tables of the verbs. */
#define RANGE_OPTIONS(default_range, default_tier)                                                 \
    {.name = "range",                                                                              \
     .letter = 'r',                                                                                \
     .kind = CLI_STRING,                                                                           \
     .metavar = "TIME",                                                                            \
     .default_text = default_range,                                                                \
     .help = "How far back from the newest time of the store: 45s, 1h30m, or all"},                \
        {.name = "from",                                                                           \
         .kind = CLI_STRING,                                                                       \
         .metavar = "WHEN",                                                                        \
         .help = "Begin: 2024-05-01T12:00:00Z, seconds since 1970, or -5m before the newest "      \
                 "time"},                                                                          \
        {.name = "to", .kind = CLI_STRING, .metavar = "WHEN", .help = "End, likewise"},            \
    {                                                                                              \
        .name = "tier", .kind = CLI_STRING, .metavar = "TIER", .default_text = default_tier,       \
        .help =                                                                                    \
            "Which tier: 0 is the finest; auto is the finest that has the begin of the range; "    \
            "finest is each time in the finest tier that still has it"                             \
    }

/* Checks the options once, before any store is opened: 0 or CLI_EXIT_USAGE. */
int range_check(struct cli_context *cli);
/* Fills start_ns, end_ns and tier for a store whose newest time is clock_ns. */
void range_fill(const struct cli_context *cli, int64_t clock_ns, struct mf_metrics_query *query);

#endif
