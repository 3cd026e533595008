/* SPDX-License-Identifier: Apache-2.0
 * verb_metrics.c -- mayfly metrics: the group. */
#include "verb.h"

#include <stddef.h>

extern const struct cli_verb verb_metrics_info;
extern const struct cli_verb verb_metrics_query;
extern const struct cli_verb verb_metrics_tail;
extern const struct cli_verb verb_metrics_export;
extern const struct cli_verb verb_metrics_push;
extern const struct cli_verb verb_metrics_seal;
extern const struct cli_verb verb_metrics_verify;
extern const struct cli_verb verb_metrics;

const struct cli_verb verb_metrics = {
    .name = "metrics",
    .section = "Metrics",
    .summary = "Look at, export, push and seal recorded metrics",
    .description =
        "A store is a directory with metrics.slab (being written, closed, or left by a program "
        "that "
        "died) or metrics.archive (sealed). The store of a flight is its folder `metrics`. All of "
        "these verbs take one store, or a folder with thousands of them, and none of them disturbs "
        "a program that writes.",
    .verbs =
        (const struct cli_verb *const[]){
            &verb_metrics_info,
            &verb_metrics_query,
            &verb_metrics_tail,
            &verb_metrics_export,
            &verb_metrics_push,
            &verb_metrics_seal,
            &verb_metrics_verify,
            NULL,
        },
};
