/* SPDX-License-Identifier: Apache-2.0
 * command_history.c -- the command history: for each benchmark its medians from commit to commit,
 * and where their level has changed. */
#include "command_private.h"
#include "report_history.h"

#include "base/fail.h"

#include <errno.h>

static int print(struct command *command, const struct trend *trend)
{
    const struct bench_value *formats =
        mf__config_value(&command->config, NULL, BENCH_KEY_output_format);
    int rc = 0;
    for (size_t i = 0; i < formats->count && rc == 0; i++) {
        const bool screen = mf__command_output(command, i) == NULL;
        const struct history_report report = {
            .trend = trend,
            .threshold_fraction =
                mf__config_number(&command->config, NULL, BENCH_KEY_stored_threshold_pct) / 100,
            .colored = screen && command->line->colored,
            .columns = screen ? command->line->columns : 0,
        };
        struct mf_buffer out = MF_BUFFER_INIT;
        rc = mf__history_write(&report, formats->texts[i], &out, &command->err);
        if (rc == 0) {
            rc = mf__command_write(command, i, &out);
        }
        mf_buffer_free(&out);
    }
    return rc;
}

int mf__command_history(struct command *command)
{
    struct trend trend = {0};
    struct bench_filter filter;
    mf__command_filter(command, &filter);
    const char *directory = mf__config_text(&command->config, BENCH_KEY_results_dir);
    int rc = mf__trend_load(directory, &filter, &trend, &command->err);
    if (rc == 0 && trend.series_count == 0) {
        rc = mf_fail(&command->err, MF_ENOTFOUND,
                     "%s has no results of these benchmarks; `run --record` adds some", directory);
    }
    if (rc == 0) {
        rc = print(command, &trend);
    }
    mf__trend_free(&trend);
    return rc;
}
