/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics_stores.h -- what the verbs of `mayfly metrics` share: which stores are meant,
 * interruption, progress, and words.
 */
#ifndef CLI_METRICS_STORES_H
#define CLI_METRICS_STORES_H

#include "cli.h"

#include <mayfly/metrics.h>
#include <stddef.h>

/* The operand of all of them, for their tables. */
#define STORES_OPERAND                                                                             \
    {                                                                                              \
        .name = "STORE", .optional = true, .repeated = true,                                       \
        .help = "A store, a folder with stores anywhere below it, or a flight by id or name "      \
                "(default: the newest flight)"                                                     \
    }

/* The stores that operands name, each a path; in the order of the operands, then of their paths. */
struct stores {
    char **paths;
    size_t count;
    size_t capacity;
};

/* The directory or flight that one operand names; NULL: the newest flight. *ret_root: mf_free(). */
int stores_root(struct cli_context *cli, const char *operand, char **ret_root);
/* Finds all stores of operands[first ..]; none at all is MF_ENOTFOUND. */
int stores_find(struct cli_context *cli, int first, struct stores *ret_stores);
void stores_free(struct stores *stores);

/* From stores_watch() on, SIGINT, SIGTERM and SIGHUP do not end the program: stores_stopped() says
 * that one has come. stores_unwatch() returns the exit code, or ends the program by that signal, as
 * a shell expects. */
int stores_watch(struct cli_context *cli);
bool stores_stopped(void *ignored);
/* Waits until the time is over or a signal came. */
void stores_wait(int64_t duration_ns);
int stores_unwatch(int ret);
/* The signal that has come is kept for stores_unwatch(), and stores_stopped() waits for another. */
void stores_once_more(void);

/* "12 of 3400 stores" on standard error, when that is a terminal; total 0 wipes it. */
void stores_progress(size_t done, size_t total);

const char *stores_state_word(enum mf_metrics_state state);
const char *stores_type_word(enum mf_series_type type);

#endif
