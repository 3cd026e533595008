/* SPDX-License-Identifier: Apache-2.0
 * verb_metrics_tail.c -- mayfly metrics tail: new points as they are recorded. */
#include "metrics_stores.h"

#include "base/heap.h"
#include "fmt/json_write.h"
#include "fmt/number.h"
#include "fmt/rfc3339.h"
#include "fmt/terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <mayfly/metrics.h>
#include <stdio.h>
#include <string.h>

struct tail {
    struct cli_context *cli;
    const char *path; /* NULL when there is one store only */
    const struct mf_series_result *series;
    int64_t shown_until_ns; /* what begins before was shown */
    int64_t next_until_ns;  /* what to remember for the next look */
    bool with_open;
    struct mf_buffer out;
};

static int on_series(void *context, const struct mf_series_result *series, int64_t *start_ns)
{
    struct tail *tail = context;
    tail->series = series;
    *start_ns = *start_ns > tail->shown_until_ns ? *start_ns : tail->shown_until_ns;
    return 0;
}

static void put_json(struct tail *tail, const struct mf_point *point, int64_t interval_ns)
{
    struct mf_json json;
    mf_json_init(&json, &tail->out, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    if (tail->path != NULL) {
        mf_json_key_string(&json, "store", tail->path);
    }
    mf_json_key_int(&json, "time_ns", point->start_ns);
    mf_json_key_int(&json, "interval_ns", interval_ns);
    mf_json_key_string(&json, "series", tail->series->text);
    mf_json_key_string(&json, "type", stores_type_word(tail->series->type));
    mf_json_key_uint(&json, "count", point->count);
    mf_json_key_double(&json, "sum", point->sum);
    mf_json_key_double(&json, "min", point->min);
    mf_json_key_double(&json, "max", point->max);
    mf_json_key_double(&json, "last", point->last);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static void put_text(struct tail *tail, const struct mf_point *point, int64_t interval_ns)
{
    struct mf_buffer *out = &tail->out;
    char time[MF_RFC3339_LEN];
    char number[MF_NUMBER_LEN];
    mf_format_rfc3339(time, point->start_ns, 0, interval_ns % 1000000000 != 0 ? 3 : 0);
    mf_buffer_printf(out, "%s ", time);
    if (tail->path != NULL) {
        mf_terminal_escape(out, tail->path, strlen(tail->path));
        mf_buffer_puts(out, ": ");
    }
    mf_terminal_escape(out, tail->series->text, strlen(tail->series->text));
    mf_format_double(number, point->last);
    mf_buffer_printf(out, " %s", number);
    if (tail->series->type == MF_COUNTER) {
        mf_format_double(number, point->sum);
        mf_buffer_printf(out, " (+%s)", number);
    } else if (point->count > 1) {
        mf_format_double(number, point->min);
        mf_buffer_printf(out, " (%" PRIu64 " values, %s to ", point->count, number);
        mf_format_double(number, point->max);
        mf_buffer_printf(out, "%s)", number);
    }
    mf_buffer_putc(out, '\n');
}

static int on_point(void *context, const struct mf_point *point, int64_t interval_ns,
                    const struct mf_histogram *buckets)
{
    (void)buckets;
    struct tail *tail = context;
    const bool open = (point->flags & MF_POINT_OPEN) != 0;
    if (point->start_ns < tail->shown_until_ns || (open && !tail->with_open)) {
        return 0;
    }
    if (tail->cli->json) {
        put_json(tail, point, interval_ns);
    } else {
        put_text(tail, point, interval_ns);
    }
    const int64_t until_ns = point->start_ns + interval_ns;
    tail->next_until_ns = until_ns > tail->next_until_ns ? until_ns : tail->next_until_ns;
    return stores_stopped(NULL) ? -ECANCELED : 0;
}

/* One look at one store: what is new in it. *ret_ended: nobody writes it any more. */
static int look(struct tail *tail, const char *path, int64_t first_ns, int64_t *shown_until_ns,
                bool *ret_ended)
{
    const struct mf_metrics_visitor visitor = {on_series, on_point, NULL, tail};
    struct mf_metrics_query query = {
        .selector = cli_string(tail->cli, "select"), .end_ns = INT64_MAX, .tier = 0};
    struct mf_metrics_reader *reader;
    struct mf_metrics_info info;
    int rc = mf_metrics_reader_open(path, NULL, &reader, &tail->cli->err);
    if (rc != 0) {
        return rc;
    }
    mf_metrics_reader_info(reader, &info);
    *ret_ended = info.state != MF_METRICS_WRITING;
    tail->with_open = *ret_ended;
    if (*shown_until_ns == INT64_MIN) {
        *shown_until_ns = info.clock_wall_ns - first_ns;
    }
    tail->shown_until_ns = *shown_until_ns;
    tail->next_until_ns = *shown_until_ns;
    query.start_ns = *shown_until_ns;
    rc = mf_metrics_visit(reader, &query, &visitor, &tail->cli->err);
    mf_metrics_reader_close(reader);
    if (rc == 0 && tail->out.failed) {
        rc = mf_fail_os(&tail->cli->err, -ENOMEM, "%s", path);
    }
    if (rc == 0) {
        *shown_until_ns = tail->next_until_ns;
        fwrite(tail->out.data != NULL ? tail->out.data : "", 1, tail->out.len, stdout);
        fflush(stdout);
        rc = ferror(stdout) != 0 ? mf_fail(&tail->cli->err, -EIO, "standard output: cannot write")
                                 : 0;
    }
    mf_buffer_clear(&tail->out);
    return rc;
}

static int follow(struct tail *tail, const struct stores *stores, int64_t *shown_until_ns)
{
    struct cli_context *cli = tail->cli;
    int rc = 0;
    for (bool all_ended = false; rc == 0 && !all_ended && !stores_stopped(NULL);) {
        all_ended = true;
        for (size_t i = 0; rc == 0 && i < stores->count; i++) {
            bool ended = false;
            tail->path = stores->count > 1 ? stores->paths[i] : NULL;
            rc = look(tail, stores->paths[i], cli_int(cli, "range"), &shown_until_ns[i], &ended);
            all_ended = all_ended && ended;
        }
        if (rc == 0 && !all_ended) {
            stores_wait(cli_int(cli, "interval"));
        }
    }
    return rc;
}

static int run(struct cli_context *cli)
{
    struct tail tail = {.cli = cli};
    struct stores stores;
    int rc = stores_find(cli, 0, &stores);
    if (rc != 0) {
        return rc;
    }
    int64_t *shown_until_ns = mf_malloc(stores.count * sizeof *shown_until_ns);
    for (size_t i = 0; shown_until_ns != NULL && i < stores.count; i++) {
        shown_until_ns[i] = INT64_MIN;
    }
    rc = shown_until_ns == NULL ? mf_fail_os(&cli->err, -ENOMEM, "tail") : stores_watch(cli);
    if (rc == 0) {
        rc = stores_unwatch(follow(&tail, &stores, shown_until_ns));
    }
    mf_buffer_free(&tail.out);
    mf_free(shown_until_ns);
    stores_free(&stores);
    return rc;
}

const struct cli_verb verb_metrics_tail = {
    .name = "tail",
    .summary = "Follow new points as they are recorded",
    .description = "Shows the newest points of the finest tier, then each slot when it is over, "
                   "until the stores are no longer written. With --json one object per line.",
    .options =
        (const struct cli_option[]){
            {.name = "select",
             .letter = 's',
             .kind = CLI_STRING,
             .metavar = "SELECTOR",
             .help = "Only the series that match"},
            {.name = "range",
             .letter = 'r',
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .default_text = "10s",
             .help = "How far back to begin"},
            {.name = "interval",
             .letter = 'i',
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .default_text = "500ms",
             .min = 10000000,
             .max = 86400000000000,
             .help = "How often to look"},
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STORES_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly metrics tail -s '{__name__=~\"cpu.*\"}'", "The newest flight."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
