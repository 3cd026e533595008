/* SPDX-License-Identifier: Apache-2.0
 * flight_compare_markdown.c -- comparisons for the summary of a CI job. See flight/report.h. */
#include "flight/report.h"

#include "fmt/markdown.h"

#include "fmt/units.h"

#include <math.h>
#include <string.h>

#define TITLE_COLUMNS   160
#define COMMAND_COLUMNS 40
#define COMMANDS_MAX    12

static void duration(struct mf_buffer *out, uint64_t duration_ns)
{
    char text[MF_UNITS_LEN];
    mf_buffer_puts(out, mf_format_duration(text, (int64_t)duration_ns));
}

static void side(struct mf_buffer *out, const char *letter, const struct mf_flight_info *info)
{
    mf_buffer_printf(out, "- **%s** %s `%s` ", letter, info->success ? "✅" : "❌", info->id);
    mf_words_outcome(out, info);
    if (info->reason != NULL && !info->success) {
        mf_buffer_puts(out, ": ");
        mf_markdown_text(out, info->reason, TITLE_COLUMNS);
    }
    mf_buffer_putc(out, '\n');
}

static void figure_rows(struct mf_buffer *out, const struct mf_flight_info *a,
                        const struct mf_flight_info *b)
{
    mf_buffer_puts(out, "\n| | A | B | change |\n|:---|---:|---:|---:|\n");
    for (unsigned i = 0; i < MF_FIGURES; i++) {
        const double left = mf_figure_of(a, i);
        const double right = mf_figure_of(b, i);
        if (isnan(left) && isnan(right)) {
            continue;
        }
        mf_buffer_printf(out, "| %s | ", mf_figures[i].label);
        mf_figure_text(out, mf_figures[i].unit, left);
        mf_buffer_puts(out, " | ");
        mf_figure_text(out, mf_figures[i].unit, right);
        mf_buffer_puts(out, " | ");
        mf_change_text(out, left, right);
        mf_buffer_puts(out, " |\n");
    }
}

static void command_rows(struct mf_buffer *out, const struct mf_comparison *comparison)
{
    mf_buffer_puts(out, "\n<details><summary>CPU time by command</summary>\n\n"
                        "| command | A | B | change |\n|:---|---:|---:|---:|\n");
    for (size_t i = 0; i < comparison->command_count && i < COMMANDS_MAX; i++) {
        const struct mf_command_change *command = &comparison->commands[i];
        mf_buffer_puts(out, "| ");
        mf_markdown_code(out, command->comm, COMMAND_COLUMNS);
        for (unsigned k = 0; k < 2; k++) {
            mf_buffer_puts(out, " | ");
            duration(out, command->cpu_ns[k]);
            mf_buffer_printf(out, " in %zu", command->count[k]);
        }
        mf_buffer_puts(out, " | ");
        mf_change_text(out, (double)command->cpu_ns[0], (double)command->cpu_ns[1]);
        mf_buffer_puts(out, " |\n");
    }
    mf_buffer_puts(out, "\n</details>\n");
}

static void only_rows(struct mf_buffer *out, const struct mf_comparison *comparison, unsigned which)
{
    size_t count = 0;
    for (size_t i = 0; i < comparison->only_count && count < COMMANDS_MAX; i++) {
        const struct mf_only_in_one *only = &comparison->only[i];
        if (only->side != which) {
            continue;
        }
        if (count++ == 0) {
            mf_buffer_printf(out,
                             "\n<details><summary>Only in %s</summary>\n\n"
                             "| CPU | times | command |\n|---:|---:|:---|\n",
                             which == 0 ? "A" : "B");
        }
        mf_buffer_puts(out, "| ");
        duration(out, only->cpu_ns);
        mf_buffer_printf(out, " | %zu | ", only->count);
        mf_markdown_code(out, only->title, TITLE_COLUMNS);
        mf_buffer_puts(out, " |\n");
    }
    mf_buffer_puts(out, count > 0 ? "\n</details>\n" : "");
}

void mf_compare_markdown(struct mf_buffer *out, const struct mf_comparison *comparison)
{
    const struct mf_flight_info *a = comparison->stories[0]->info;
    const struct mf_flight_info *b = comparison->stories[1]->info;
    mf_buffer_puts(out, "### ");
    mf_markdown_text(out, a->name, TITLE_COLUMNS);
    if (strcmp(a->name, b->name) != 0) {
        mf_buffer_puts(out, " and ");
        mf_markdown_text(out, b->name, TITLE_COLUMNS);
    }
    mf_buffer_puts(out, " compared\n\n");
    side(out, "A", a);
    side(out, "B", b);
    figure_rows(out, a, b);
    command_rows(out, comparison);
    only_rows(out, comparison, 0);
    only_rows(out, comparison, 1);
}

/* ---- one and its history ---- */

void mf_history_markdown(struct mf_buffer *out, const struct mf_flight_info *info,
                         const struct mf_history *history)
{
    mf_buffer_puts(out, "### ");
    mf_markdown_text(out, info->name, TITLE_COLUMNS);
    mf_buffer_printf(out, " `%s` ", info->id);
    mf_words_outcome(out, info);
    mf_buffer_printf(out, "; %zu of %zu earlier flights succeeded\n", history->successes,
                     history->flights);
    if (history->last_failure_id != NULL) {
        mf_buffer_printf(out, "\nThe last failure was `%s`: ", history->last_failure_id);
        mf_markdown_text(out, history->last_failure_reason, TITLE_COLUMNS);
        mf_buffer_putc(out, '\n');
    }
    if (history->flights == 0) {
        return;
    }
    mf_buffer_printf(out,
                     "\n| | this one | median | range of %s | |\n|:---|---:|---:|:---:|:---|\n",
                     history->of_successes ? "successes" : "earlier ones");
    for (unsigned i = 0; i < MF_FIGURES; i++) {
        const struct mf_distribution *figure = &history->figures[i];
        if (figure->count == 0) {
            continue;
        }
        mf_buffer_printf(out, "| %s | ", mf_figures[i].label);
        mf_figure_text(out, mf_figures[i].unit, figure->value);
        mf_buffer_puts(out, " | ");
        mf_figure_text(out, mf_figures[i].unit, figure->median);
        mf_buffer_puts(out, " | ");
        mf_figure_text(out, mf_figures[i].unit, figure->min);
        mf_buffer_puts(out, " .. ");
        mf_figure_text(out, mf_figures[i].unit, figure->max);
        mf_buffer_printf(out, " | %s |\n", mf_standing_name(mf_standing_of(figure)));
    }
}
