/* SPDX-License-Identifier: Apache-2.0
 * verb_compare.c -- mayfly compare [A [B]] */
#include "cli.h"
#include "document.h"
#include "flight_operand.h"
#include "flight_view.h"
#include "verbs.h"

#include "base/heap.h"
#include "flight/report.h"
#include "fmt/spark.h"
#include "fmt/table.h"
#include "fmt/units.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define COMMANDS_MAX  12
#define NOTABLE_SHARE 0.05 /* smaller changes have no colour */
#define SPARK_MAX     200
#define SPARK_LABEL   16
#define SPARK_VALUE   18

enum format { TEXT, HTML, MARKDOWN, JSON };

/* ---- pieces of text ---- */

static void side_line(const struct cli_view *view, const char *letter,
                      const struct mf_flight_info *info)
{
    char text[MF_UNITS_LEN];
    mf_buffer_printf(view->out, "%s%s%s  %s%s%s ", mf_style(view->colored, MF_STYLE_BOLD), letter,
                     mf_style(view->colored, MF_STYLE_RESET),
                     mf_style(view->colored, cli_outcome_style(info)), cli_outcome_mark(view, info),
                     mf_style(view->colored, MF_STYLE_RESET));
    mf_terminal_escape(view->out, info->id, strlen(info->id));
    mf_buffer_puts(view->out, "  ");
    mf_words_outcome(view->out, info);
    if (info->duration_ns >= 0) {
        mf_buffer_printf(view->out, " after %s", mf_format_duration(text, info->duration_ns));
    }
    mf_buffer_putc(view->out, '\n');
    if (!info->success && info->reason != NULL) {
        mf_buffer_puts(view->out, "     ");
        mf_terminal_escape(view->out, info->reason, strlen(info->reason));
        mf_buffer_putc(view->out, '\n');
    }
}

static enum mf_style change_style(double a, double b)
{
    if (isnan(a) || isnan(b) || fabs(b - a) <= NOTABLE_SHARE * a) {
        return MF_STYLE_RESET;
    }
    return b > a ? MF_STYLE_YELLOW : MF_STYLE_GREEN;
}

static void figure_cell(struct mf_table *table, unsigned figure, double value)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    mf_figure_text(&text, mf_figures[figure].unit, value);
    mf_table_cell(table, text.data);
    mf_buffer_free(&text);
}

static void change_cell(struct mf_table *table, double a, double b)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    mf_change_text(&text, a, b);
    mf_table_cell_styled(table, text.data, change_style(a, b));
    mf_buffer_free(&text);
}

static void figures(const struct cli_view *view, const struct mf_flight_info *a,
                    const struct mf_flight_info *b)
{
    static const struct mf_column columns[] = {{"FIGURE", MF_ALIGN_LEFT, 12},
                                               {"A", MF_ALIGN_RIGHT, 0},
                                               {"B", MF_ALIGN_RIGHT, 0},
                                               {"CHANGE", MF_ALIGN_RIGHT, 0}};
    struct mf_table table;
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    for (unsigned i = 0; i < MF_FIGURES; i++) {
        const double left = mf_figure_of(a, i);
        const double right = mf_figure_of(b, i);
        if (!isnan(left) || !isnan(right)) {
            mf_table_cell(&table, mf_figures[i].label);
            figure_cell(&table, i, left);
            figure_cell(&table, i, right);
            change_cell(&table, left, right);
        }
    }
    mf_buffer_putc(view->out, '\n');
    mf_table_write(&table, view->out, (int)view->width, view->colored);
    mf_table_free(&table);
}

/* ---- charts on one axis ---- */

struct chart {
    const char *label;
    const char *name;
    const char *unit;
};

static double columns_of(const struct mf_story *story, const char *name, int64_t axis_ns,
                         size_t columns, double *values)
{
    double max = 0;
    mf_timeline_columns(&story->timeline, name, 0, axis_ns, columns, values);
    for (size_t i = 0; i < columns; i++) {
        const double begin_ns = (double)axis_ns / (double)columns * (double)i;
        if (begin_ns >= (double)story->timeline.duration_ns) {
            values[i] = NAN; /* it had ended */
        }
        max = fmax(max, values[i]);
    }
    return max;
}

static void chart_row(const struct cli_view *view, const struct chart *chart, unsigned side,
                      const double *values, size_t columns, double max, double own_max)
{
    mf_buffer_printf(view->out, "%s%-12s%s  %c ", mf_style(view->colored, MF_STYLE_FAINT),
                     side == 0 ? chart->label : "", mf_style(view->colored, MF_STYLE_RESET),
                     side == 0 ? 'A' : 'B');
    mf_buffer_puts(view->out, mf_style(view->colored, side == 0 ? MF_STYLE_BLUE : MF_STYLE_YELLOW));
    mf_spark_row(view->out, values, columns, max, 0, 1, view->unicode);
    mf_buffer_printf(view->out, "%s max ", mf_style(view->colored, MF_STYLE_RESET));
    cli_view_value(view->out, chart->unit, own_max);
    mf_buffer_putc(view->out, '\n');
}

static void charts(const struct cli_view *view, const struct mf_comparison *comparison)
{
    static const struct chart all[] = {
        {"CPU", "cpu", "cores"},
        {"Memory", "memory", "bytes"},
        {"Disk reads", "io_read", "bytes_per_second"},
        {"Disk writes", "io_write", "bytes_per_second"},
        {"Processes", "processes", "count"},
    };
    double values[2][SPARK_MAX];
    double max[2];
    char end[MF_UNITS_LEN];
    size_t columns =
        view->width > SPARK_LABEL + SPARK_VALUE + 10 ? view->width - SPARK_LABEL - SPARK_VALUE : 10;
    columns = columns < SPARK_MAX ? columns : SPARK_MAX;
    cli_view_heading(view, "On one time axis");
    for (size_t i = 0; i < MF_ARRAY_LEN(all); i++) {
        for (unsigned side = 0; side < 2; side++) {
            max[side] = columns_of(comparison->stories[side], all[i].name, comparison->axis_ns,
                                   columns, values[side]);
        }
        const double larger = fmax(max[0], max[1]);
        for (unsigned side = 0; side < 2 && larger > 0; side++) {
            chart_row(view, &all[i], side, values[side], columns, larger, max[side]);
        }
    }
    mf_format_duration(end, comparison->axis_ns);
    mf_buffer_printf(view->out, "%s%*s%-*s%s%s\n", mf_style(view->colored, MF_STYLE_FAINT),
                     SPARK_LABEL, "", (int)(columns - strlen(end)), "0 s", end,
                     mf_style(view->colored, MF_STYLE_RESET));
}

/* ---- commands ---- */

static void commands(const struct cli_view *view, const struct mf_comparison *comparison)
{
    static const struct mf_column columns[] = {
        {"COMMAND", MF_ALIGN_LEFT, 8},   {"CPU A", MF_ALIGN_RIGHT, 0},
        {"CPU B", MF_ALIGN_RIGHT, 0},    {"CHANGE", MF_ALIGN_RIGHT, 0},
        {"RUNS A", MF_ALIGN_RIGHT, 0},   {"RUNS B", MF_ALIGN_RIGHT, 0},
        {"MEMORY A", MF_ALIGN_RIGHT, 0}, {"MEMORY B", MF_ALIGN_RIGHT, 0},
    };
    char text[MF_UNITS_LEN];
    struct mf_table table;
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    for (size_t i = 0; i < comparison->command_count && i < COMMANDS_MAX; i++) {
        const struct mf_command_change *command = &comparison->commands[i];
        mf_table_cell(&table, command->comm);
        mf_table_cell(&table, mf_format_duration(text, (int64_t)command->cpu_ns[0]));
        mf_table_cell(&table, mf_format_duration(text, (int64_t)command->cpu_ns[1]));
        change_cell(&table, (double)command->cpu_ns[0], (double)command->cpu_ns[1]);
        mf_table_cellf(&table, "%zu", command->count[0]);
        mf_table_cellf(&table, "%zu", command->count[1]);
        for (unsigned side = 0; side < 2; side++) {
            mf_table_cell(&table, command->count[side] > 0
                                      ? mf_format_size(text, command->rss_peak_bytes[side])
                                      : "-");
        }
    }
    cli_view_heading(view, "Commands whose CPU time changed most");
    mf_table_write(&table, view->out, (int)view->width, view->colored);
    mf_table_free(&table);
}

static void only_in(const struct cli_view *view, const struct mf_comparison *comparison,
                    unsigned side)
{
    static const struct mf_column columns[] = {
        {"CPU", MF_ALIGN_RIGHT, 0}, {"RUNS", MF_ALIGN_RIGHT, 0}, {"COMMAND", MF_ALIGN_LEFT, 20}};
    char text[MF_UNITS_LEN];
    struct mf_table table;
    size_t count = 0;
    size_t more = 0;
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    for (size_t i = 0; i < comparison->only_count; i++) {
        const struct mf_only_in_one *only = &comparison->only[i];
        if (only->side != side) {
            continue;
        }
        if (count == COMMANDS_MAX) {
            more++;
            continue;
        }
        mf_table_cell(&table, mf_format_duration(text, (int64_t)only->cpu_ns));
        mf_table_cellf(&table, "%zu", only->count);
        mf_table_cell(&table, only->title);
        count++;
    }
    if (count > 0) {
        cli_view_heading(view, side == 0 ? "Ran only in A" : "Ran only in B");
        mf_table_write(&table, view->out, (int)view->width, view->colored);
        if (more > 0) {
            mf_buffer_printf(view->out, "and %zu more\n", more);
        }
    }
    mf_table_free(&table);
}

static void text_of(struct cli_context *cli, const struct mf_comparison *comparison,
                    struct mf_buffer *out)
{
    const struct cli_view view = cli_view_of(cli, out);
    side_line(&view, "A", comparison->stories[0]->info);
    side_line(&view, "B", comparison->stories[1]->info);
    figures(&view, comparison->stories[0]->info, comparison->stories[1]->info);
    charts(&view, comparison);
    commands(&view, comparison);
    only_in(&view, comparison, 0);
    only_in(&view, comparison, 1);
}

/* ---- the documents ---- */

static int page_of(struct cli_context *cli, const struct mf_comparison *comparison,
                   struct mf_buffer *out)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &text, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", 1);
    mf_json_key_string(&json, "mode", "compare");
    int rc = 0;
    for (unsigned side = 0; rc == 0 && side < 2; side++) {
        mf_json_key(&json, side == 0 ? "a" : "b");
        rc = mf_report_json(&json, comparison->stories[side], &cli->err);
    }
    if (rc < 0) {
        mf_buffer_free(&text);
        return rc;
    }
    mf_json_end_object(&json);
    mf_json_finish(&json);
    return cli_document_page(cli, &text, out);
}

static enum format choose_format(const struct cli_context *cli)
{
    const int asked = cli_choice(cli, "format");
    return cli->json ? JSON : asked >= 0 ? (enum format)asked : TEXT;
}

static int write_comparison(struct cli_context *cli, const struct mf_comparison *comparison)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    const char *path = cli_string(cli, "output");
    char *default_path = NULL;
    int rc = 0;
    switch (choose_format(cli)) {
    case TEXT:
        text_of(cli, comparison, &out);
        break;
    case MARKDOWN:
        mf_compare_markdown(&out, comparison);
        break;
    case JSON:
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_compare_json(&json, comparison);
        mf_json_finish(&json);
        break;
    case HTML:
        rc = page_of(cli, comparison, &out);
        if (rc == 0 && path == NULL) {
            default_path = mf_asprintf("%s-%s.html", comparison->stories[0]->info->id,
                                       comparison->stories[1]->info->id);
            rc = default_path != NULL ? 0 : mf_fail(&cli->err, -ENOMEM, "out of memory");
        }
        break;
    }
    if (rc == 0) {
        rc = cli_document_write(cli, path != NULL ? path : default_path, &out);
    }
    mf_free(default_path);
    mf_buffer_free(&out);
    return rc;
}

static int compare_two(struct cli_context *cli, const char *a_dir, const char *b_dir)
{
    struct mf_story a;
    struct mf_story b;
    struct mf_comparison comparison;
    int rc = mf_story_read(a_dir, &a, &cli->err);
    if (rc < 0) {
        return rc;
    }
    rc = mf_story_read(b_dir, &b, &cli->err);
    if (rc == 0) {
        rc = mf_compare(&a, &b, &comparison, &cli->err);
        if (rc == 0) {
            rc = write_comparison(cli, &comparison);
            mf_compare_free(&comparison);
        }
        mf_story_free(&b);
    }
    mf_story_free(&a);
    return rc;
}

/* ---- history ---- */

static void standing_cell(struct mf_table *table, const struct mf_distribution *figure)
{
    const enum mf_standing standing = mf_standing_of(figure);
    const bool high = standing == MF_STANDING_HIGH || standing == MF_STANDING_HIGHEST;
    const bool low = standing == MF_STANDING_LOW || standing == MF_STANDING_LOWEST;
    if (standing == MF_STANDING_UNKNOWN && !isnan(figure->value)) {
        mf_table_cellf(table, "%zu lower, %zu higher", figure->below, figure->above);
        return;
    }
    mf_table_cell_styled(table, mf_standing_name(standing),
                         high  ? MF_STYLE_YELLOW
                         : low ? MF_STYLE_GREEN
                               : MF_STYLE_RESET);
}

/* Where the value lies between the smallest and the largest: "├──┼─●──┤". */
static void range_cell(struct mf_table *table, const struct mf_distribution *figure, bool unicode)
{
    enum { WIDTH = 15 };
    const double span = figure->max - figure->min;
    struct mf_buffer text = MF_BUFFER_INIT;
    const long value = span > 0 && !isnan(figure->value)
                           ? lround((figure->value - figure->min) / span * (WIDTH - 1))
                           : -1;
    const long median = span > 0 ? lround((figure->median - figure->min) / span * (WIDTH - 1)) : -1;
    if (span > 0) {
        mf_buffer_puts(&text, value < 0 && !isnan(figure->value) ? (unicode ? "◂" : "<") : " ");
        for (long i = 0; i < WIDTH; i++) {
            mf_buffer_puts(&text, i == value       ? (unicode ? "●" : "o")
                                  : i == median    ? (unicode ? "┼" : "+")
                                  : i == 0         ? (unicode ? "├" : "|")
                                  : i == WIDTH - 1 ? (unicode ? "┤" : "|")
                                                   : (unicode ? "─" : "-"));
        }
        mf_buffer_puts(&text, value >= WIDTH ? (unicode ? "▸" : ">") : "");
    }
    mf_table_cell(table, text.data);
    mf_buffer_free(&text);
}

static void history_table(const struct cli_view *view, const struct mf_history *history)
{
    static const struct mf_column columns[] = {
        {"FIGURE", MF_ALIGN_LEFT, 12},  {"THIS ONE", MF_ALIGN_RIGHT, 0},
        {"MEDIAN", MF_ALIGN_RIGHT, 0},  {"LOWEST", MF_ALIGN_RIGHT, 0},
        {"HIGHEST", MF_ALIGN_RIGHT, 0}, {"RANGE", MF_ALIGN_LEFT, 0},
        {"", MF_ALIGN_LEFT, 0},
    };
    struct mf_table table;
    mf_table_init(&table, columns, MF_ARRAY_LEN(columns));
    for (unsigned i = 0; i < MF_FIGURES; i++) {
        const struct mf_distribution *figure = &history->figures[i];
        if (figure->count == 0) {
            continue;
        }
        mf_table_cell(&table, mf_figures[i].label);
        figure_cell(&table, i, figure->value);
        figure_cell(&table, i, figure->median);
        figure_cell(&table, i, figure->min);
        figure_cell(&table, i, figure->max);
        range_cell(&table, figure, view->unicode);
        standing_cell(&table, figure);
    }
    mf_buffer_putc(view->out, '\n');
    mf_table_write(&table, view->out, (int)view->width, view->colored);
    mf_table_free(&table);
}

static void history_text(struct cli_context *cli, const struct mf_flight_info *info,
                         const struct mf_history *history, struct mf_buffer *out)
{
    const struct cli_view view = cli_view_of(cli, out);
    side_line(&view, info->name, info);
    if (history->flights == 0) {
        mf_buffer_printf(out, "\nThere is no earlier flight of this name.\n");
        return;
    }
    mf_buffer_printf(out, "   %zu earlier flight%s of this name, %zu of them good",
                     history->flights, history->flights == 1 ? "" : "s", history->successes);
    if (history->last_failure_id != NULL) {
        mf_buffer_printf(out, "; the last failure was %s: ", history->last_failure_id);
        mf_terminal_escape(out, history->last_failure_reason, strlen(history->last_failure_reason));
    }
    mf_buffer_putc(out, '\n');
    history_table(&view, history);
    mf_buffer_printf(out, "\nThe figures are those of %s.\n",
                     history->of_successes ? "the good ones" : "all of them; none was good");
}

static int write_history(struct cli_context *cli, const struct mf_flight_info *info,
                         const struct mf_history *history)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    switch (choose_format(cli)) {
    case MARKDOWN:
        mf_history_markdown(&out, info, history);
        break;
    case JSON:
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_history_json(&json, history);
        mf_json_finish(&json);
        break;
    case TEXT:
    case HTML:
        history_text(cli, info, history, &out);
        break;
    }
    return cli_document_write(cli, cli_string(cli, "output"), &out);
}

static int compare_history(struct cli_context *cli, const char *dir)
{
    struct mf_flight_info *info = NULL;
    struct mf_history history;
    char *home = NULL;
    int rc = mf_flight_home(NULL, &home, &cli->err);
    if (rc == 0) {
        rc = mf_flight_info_read(dir, &info, &cli->err);
    }
    if (rc == 0) {
        rc = mf_history_read(home, info, (size_t)cli_int(cli, "limit"), &history, &cli->err);
    }
    if (rc == 0) {
        rc = write_history(cli, info, &history);
        mf_history_free(&history);
    }
    mf_flight_info_free(info);
    mf_flight_free_text(home);
    return rc;
}

/* ---- which flights ---- */

/* The newest flight of the same name that began before this one. */
static int find_previous(struct cli_context *cli, const char *dir, char **ret_dir)
{
    struct mf_flight_info *info = NULL;
    struct mf_flight_list list = {0};
    char *home = NULL;
    char *previous = NULL;
    int rc = mf_flight_info_read(dir, &info, &cli->err);
    if (rc == 0) {
        rc = mf_flight_home(NULL, &home, &cli->err);
    }
    if (rc == 0) {
        const struct mf_flight_filter filter = {.name = info->name};
        rc = mf_flight_list_read(home, &filter, &list, &cli->err);
    }
    for (size_t i = 0; rc == 0 && previous == NULL && i < list.count; i++) {
        const struct mf_flight_info *other = list.items[i].info;
        if (strcmp(other->id, info->id) != 0 && other->started_wall_ns <= info->started_wall_ns) {
            previous = mf_strdup(list.items[i].dir);
            rc = previous != NULL ? 0 : mf_fail(&cli->err, -ENOMEM, "out of memory");
        }
    }
    if (rc == 0 && previous == NULL) {
        rc = mf_fail(&cli->err, MF_ENOTFOUND, "there is no flight named '%.80s' before %s",
                     info->name, info->id);
    }
    mf_flight_list_free(&list);
    mf_flight_info_free(info);
    mf_flight_free_text(home);
    if (rc == 0) {
        *ret_dir = previous;
    }
    return rc;
}

static int run(struct cli_context *cli)
{
    const bool history = cli_flag(cli, "history");
    if (history && cli->operand_count > 1) {
        return cli_usage(cli, "--history compares one flight with the earlier ones of its name");
    }
    if (history && choose_format(cli) == HTML) {
        return cli_usage(cli, "--history has no HTML; there is markdown and JSON");
    }
    char *first = NULL;
    char *second = NULL;
    int rc = cli_flight_find(cli, cli->operands[0], &first);
    if (rc == 0 && history) {
        rc = compare_history(cli, first);
    } else if (rc == 0 && cli->operand_count == 2) {
        rc = cli_flight_find(cli, cli->operands[1], &second);
        rc = rc == 0 ? compare_two(cli, first, second) : rc;
    } else if (rc == 0) {
        rc = find_previous(cli, first, &second);
        rc = rc == 0 ? compare_two(cli, second, first) : rc;
    }
    mf_flight_free_text(first);
    mf_flight_free_text(second);
    return rc;
}

const struct cli_verb verb_compare = {
    .name = "compare",
    .section = "Flights",
    .summary = "Compare two flights, or one with its history",
    .description =
        "A is the older one by convention. With one flight it is B, and A is the one of the same "
        "name before it; without any B is the newest.\n\n"
        "With --history the flight is set against the earlier ones of its name, the good ones if "
        "there are any. From five of them on it is said what is unusual: beyond the quarters by "
        "more than one and a half times their distance.",
    .options =
        (const struct cli_option[]){
            {.name = "history",
             .letter = 'H',
             .kind = CLI_FLAG,
             .help = "Compare with all earlier flights of the same name"},
            {.name = "limit",
             .letter = 'l',
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "100",
             .min = 1,
             .max = 1000000,
             .help = "Of the history at most the newest N"},
            {.name = "format",
             .letter = 'F',
             .kind = CLI_CHOICE,
             .metavar = "FORMAT",
             .choices = "text|html|markdown|json",
             .default_text = "text",
             .help = "How to write it"},
            {.name = "output",
             .letter = 'o',
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "Write to FILE instead of standard output (html: of A-B.html); - is standard "
                     "output"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "A", .optional = true, .help = CLI_FLIGHT_HELP},
            {.name = "B", .optional = true, .help = "Another one"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly compare -2 -1", "What the newest flight changed."},
            {"mayfly compare --history make", "Whether the last build was an ordinary one."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
