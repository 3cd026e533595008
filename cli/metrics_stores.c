/* SPDX-License-Identifier: Apache-2.0
 * metrics_stores.c -- see metrics_stores.h. */
#include "metrics_stores.h"

#include "base/heap.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/signals.h"

#include <errno.h>
#include <mayfly/flight.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct mf_signals signals;
static int stopped_by;
static int ended_by; /* the signal that stores_once_more() put aside */

int stores_root(struct cli_context *cli, const char *operand, char **ret_root)
{
    struct mf_file_info info;
    char *home = NULL;
    if (operand != NULL && mf_fs_info(NULL, operand, &info, NULL) == 0) {
        *ret_root = mf_strdup(operand);
        return *ret_root != NULL ? 0 : mf_fail_os(&cli->err, -ENOMEM, "%s", operand);
    }
    if (operand != NULL && strchr(operand, '/') != NULL) {
        return mf_fail(&cli->err, MF_ENOTFOUND, "%s: no such directory", operand);
    }
    int rc = mf_flight_home(NULL, &home, &cli->err);
    if (rc == 0) {
        rc = mf_flight_resolve(home, operand != NULL ? operand : "last", ret_root, &cli->err);
        mf_flight_free_text(home);
    }
    return rc;
}

static int add(void *context, const char *path)
{
    struct stores *stores = context;
    if (stores->count == stores->capacity) {
        const size_t capacity = stores->capacity == 0 ? 64 : stores->capacity * 2;
        char **paths = mf_realloc(stores->paths, capacity * sizeof *paths);
        if (paths == NULL) {
            return -ENOMEM;
        }
        stores->paths = paths;
        stores->capacity = capacity;
    }
    char *copy = mf_strdup(path);
    if (copy == NULL) {
        return -ENOMEM;
    }
    stores->paths[stores->count++] = copy;
    return 0;
}

int stores_find(struct cli_context *cli, int first, struct stores *ret_stores)
{
    struct stores stores = {0};
    int rc = 0;
    for (int i = first; rc == 0 && (i < cli->operand_count || i == first); i++) {
        char *root = NULL;
        rc = stores_root(cli, i < cli->operand_count ? cli->operands[i] : NULL, &root);
        if (rc == 0) {
            rc = mf_metrics_discover(root, NULL, add, &stores, &cli->err);
        }
        if (rc == 0 && stores.count == 0) {
            rc = mf_fail(&cli->err, MF_ENOTFOUND, "%s: no metrics store here or below", root);
        }
        mf_free(root);
    }
    if (rc != 0) {
        stores_free(&stores);
        return rc == -ENOMEM ? mf_fail_os(&cli->err, rc, "the list of stores") : rc;
    }
    *ret_stores = stores;
    return 0;
}

void stores_free(struct stores *stores)
{
    for (size_t i = 0; i < stores->count; i++) {
        mf_free(stores->paths[i]);
    }
    mf_free(stores->paths);
    *stores = (struct stores){0};
}

int stores_watch(struct cli_context *cli)
{
    stopped_by = 0;
    ended_by = 0;
    return mf_signals_open(&signals, &cli->err);
}

bool stores_stopped(void *ignored)
{
    (void)ignored;
    struct mf_signal signal;
    while (mf_signals_next(&signals, &signal) == 1) {
        if (signal.number == SIGINT || signal.number == SIGTERM || signal.number == SIGHUP ||
            signal.number == SIGQUIT) {
            stopped_by = signal.number;
        }
    }
    return stopped_by != 0;
}

void stores_wait(int64_t duration_ns)
{
    struct mf_poll_item item = {.descriptor = signals.descriptor, .want_read = true};
    if (!stores_stopped(NULL) && duration_ns > 0) {
        (void)mf_fd_poll(&item, 1, duration_ns);
    }
}

int stores_unwatch(int ret)
{
    (void)stores_stopped(NULL);
    mf_signals_close(&signals);
    if (stopped_by != 0 || ended_by != 0) {
        fflush(stdout);
        mf_die_of(stopped_by != 0 ? stopped_by : ended_by);
    }
    return ret;
}

void stores_once_more(void)
{
    ended_by = stopped_by;
    stopped_by = 0;
}

void stores_progress(size_t done, size_t total)
{
    static bool shown;
    if (isatty(STDERR_FILENO) != 1 || (total == 0 && !shown)) {
        return;
    }
    shown = total != 0;
    if (total == 0) {
        fputs("\r\033[K", stderr);
    } else if (total > 1) {
        fprintf(stderr, "\r\033[K%zu of %zu stores", done, total);
    }
}

const char *stores_state_word(enum mf_metrics_state state)
{
    switch (state) {
    case MF_METRICS_WRITING:
        return "writing";
    case MF_METRICS_CLOSED:
        return "closed";
    case MF_METRICS_ABANDONED:
        return "abandoned";
    case MF_METRICS_SEALED:
        return "sealed";
    }
    return "unknown";
}

const char *stores_type_word(enum mf_series_type type)
{
    switch (type) {
    case MF_GAUGE:
        return "gauge";
    case MF_COUNTER:
        return "counter";
    case MF_HISTOGRAM:
        return "histogram";
    }
    return "unknown";
}
