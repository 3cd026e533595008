/* SPDX-License-Identifier: Apache-2.0
 * verb_top.c -- mayfly top [FLIGHT]: the loop, the keys and the data of the live view. */
#include "cli.h"
#include "flight_operand.h"
#include "top_frame.h"
#include "verbs.h"

#include "base/heap.h"
#include "flight/lines.h"
#include "os/clock.h"
#include "os/screen.h"
#include "os/signals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIVE_LINES_MAX  256    /* kept of a running flight; more than a screen has rows */
#define ENDED_LINES_MAX 200000 /* of one that has ended, for looking back */
#define ENDED_BYTES_MAX ((size_t)16 << 20)
#define LINE_BYTES_MAX  ((size_t)4 << 10)
#define STEPS           100 /* arrow keys move by this part of what is drawn */
#define ZOOM_MIN_NS     (MF_NS_PER_SECOND / 2)

static const char keys_text[] =
    "q quit  ←→ PgUp PgDn time  +- zoom  c m p sort  ↑↓ scroll  space pause";
static const char keys_text_ascii[] =
    "q quit  <> PgUp PgDn time  +- zoom  c m p sort  jk scroll  space pause";

struct top {
    struct cli_context *cli;
    struct mf_story story;
    struct top_view view;
    int64_t window_ns; /* of the axis; 0: the whole flight */
    bool at_end;       /* the moment is now, or the whole flight */
    /* output */
    struct mf_flight_output *output; /* while it runs */
    struct mf_lines ended;           /* afterwards */
    struct top_line *lines;
    size_t line_count;
    bool lines_complete;
};

/* ---- data ---- */

static bool is_running(const struct top *top)
{
    return top->story.info->state == MF_FLIGHT_RUNNING;
}

static void free_live_lines(struct top *top)
{
    for (size_t i = 0; !top->lines_complete && i < top->line_count; i++) {
        mf_free(top->lines[i].text != NULL ? (void *)(uintptr_t)top->lines[i].text : NULL);
    }
    mf_free(top->lines);
    top->lines = NULL;
    top->line_count = 0;
}

static struct top_line line_of(const struct mf_kept_line *kept)
{
    return (struct top_line){kept->t_ns, kept->stream, kept->text, kept->len};
}

/* All of an ended flight's output, as far as it is kept. */
static int load_lines(struct top *top)
{
    const struct mf_lines_options options = {
        .tail_lines_max = ENDED_LINES_MAX,
        .tail_bytes_max = ENDED_BYTES_MAX,
        .line_bytes_max = LINE_BYTES_MAX,
    };
    struct mf_errinfo why;
    free_live_lines(top);
    mf_flight_output_close(top->output);
    top->output = NULL;
    top->lines_complete = true;
    const int rc = mf_lines_read(top->story.info->dir, &options, &top->ended, &why);
    if (rc < 0) {
        return rc == -ENOMEM ? mf_fail(&top->cli->err, rc, "out of memory") : 0;
    }
    top->lines = mf_calloc(top->ended.count + 1, sizeof *top->lines);
    if (top->lines == NULL) {
        return mf_fail(&top->cli->err, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < top->ended.count; i++) {
        top->lines[i] = line_of(&top->ended.items[i]);
    }
    top->line_count = top->ended.count;
    return 0;
}

static int keep_line(struct top *top, const struct mf_kept_line *kept)
{
    char *text = mf_strndup(kept->text, kept->len);
    if (text == NULL) {
        return mf_fail(&top->cli->err, -ENOMEM, "out of memory");
    }
    if (top->line_count == LIVE_LINES_MAX) {
        mf_free((void *)(uintptr_t)top->lines[0].text);
        memmove(top->lines, top->lines + 1, (LIVE_LINES_MAX - 1) * sizeof *top->lines);
        top->line_count--;
    }
    top->lines[top->line_count] = line_of(kept);
    top->lines[top->line_count++].text = text;
    return 0;
}

/* What a running flight wrote since the last look. */
static int follow_lines(struct top *top)
{
    const struct mf_lines_options options = {
        .tail_lines_max = LIVE_LINES_MAX,
        .tail_bytes_max = ENDED_BYTES_MAX,
        .line_bytes_max = LINE_BYTES_MAX,
    };
    struct mf_lines lines;
    int rc = 0;
    if (top->output == NULL) {
        top->lines = mf_calloc(LIVE_LINES_MAX, sizeof *top->lines);
        if (top->lines == NULL) {
            return mf_fail(&top->cli->err, -ENOMEM, "out of memory");
        }
        rc = mf_flight_output_open(top->story.info->dir, &top->output, &top->cli->err);
    }
    if (rc == 0) {
        rc = mf_lines_take(top->output, false, &options, &lines, &top->cli->err);
    }
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < lines.count; i++) {
        rc = keep_line(top, &lines.items[i]);
    }
    mf_lines_free(&lines);
    return rc;
}

/* Where on the axis the view is; `t_ns` is kept within the flight. */
static void place(struct top *top)
{
    struct top_view *view = &top->view;
    const int64_t end_ns = top->story.timeline.duration_ns;
    if (top->at_end) {
        view->whole = !is_running(top);
        view->t_ns = end_ns;
    } else {
        view->whole = false;
    }
    view->t_ns = view->t_ns < 0 ? 0 : view->t_ns > end_ns ? end_ns : view->t_ns;
    view->from_ns = 0;
    view->to_ns = end_ns;
    if (top->window_ns > 0 && top->window_ns < end_ns) {
        int64_t from_ns = top->at_end ? end_ns - top->window_ns : view->t_ns - top->window_ns / 2;
        from_ns = from_ns > end_ns - top->window_ns ? end_ns - top->window_ns : from_ns;
        view->from_ns = from_ns > 0 ? from_ns : 0;
        view->to_ns = view->from_ns + top->window_ns;
    }
    view->lines = top->lines;
    view->line_count = top->line_count;
}

static int refresh(struct top *top)
{
    int rc = 0;
    if (is_running(top)) {
        rc = mf_story_update(&top->story, &top->cli->err);
    }
    if (rc == 0 && is_running(top)) {
        rc = follow_lines(top);
    } else if (rc == 0 && !top->lines_complete) {
        rc = load_lines(top);
    }
    top->view.story = &top->story;
    return rc;
}

static int open_top(struct top *top, const char *dir)
{
    int rc = mf_story_read(dir, &top->story, &top->cli->err);
    if (rc < 0) {
        return rc;
    }
    top->at_end = true;
    top->view.order = MF_BY_CPU;
    top->view.colored = cli_colored(top->cli);
    top->view.unicode = cli_unicode();
    rc = is_running(top) ? follow_lines(top) : load_lines(top);
    top->view.story = &top->story;
    place(top);
    return rc;
}

static void close_top(struct top *top)
{
    free_live_lines(top);
    mf_flight_output_close(top->output);
    mf_lines_free(&top->ended);
    if (top->story.info != NULL) {
        mf_story_free(&top->story);
    }
}

/* ---- keys ---- */

static void move_time(struct top *top, int64_t by_ns)
{
    const int64_t end_ns = top->story.timeline.duration_ns;
    struct top_view *view = &top->view;
    if (top->at_end && by_ns > 0) {
        return;
    }
    view->t_ns += by_ns;
    top->at_end = false;
    if (view->t_ns >= end_ns) {
        top->at_end = true;
        view->paused = false;
    } else if (view->t_ns < 0) {
        view->t_ns = 0;
    }
    view->scroll = 0;
}

static void zoom(struct top *top, bool in)
{
    const int64_t end_ns = top->story.timeline.duration_ns;
    const int64_t window_ns = top->window_ns > 0 ? top->window_ns : end_ns;
    const int64_t wanted_ns = in ? window_ns / 2 : window_ns * 2;
    top->window_ns = wanted_ns >= end_ns ? 0 : wanted_ns < ZOOM_MIN_NS ? ZOOM_MIN_NS : wanted_ns;
}

static void scroll(struct top *top, int by)
{
    const size_t count = top_process_count(&top->view);
    if (by < 0) {
        top->view.scroll -= top->view.scroll > 0;
    } else {
        top->view.scroll += top->view.scroll + 1 < count;
    }
}

static void pause_or_go(struct top *top)
{
    top->view.paused = !top->view.paused && is_running(top);
    top->at_end = !top->view.paused;
}

/* Whether the view goes on. */
static bool press(struct top *top, uint32_t key)
{
    const int64_t drawn_ns = top->view.to_ns - top->view.from_ns;
    const int64_t step_ns = drawn_ns / STEPS > 0 ? drawn_ns / STEPS : 1;
    switch (key) {
    case 'q':
    case 3: /* Ctrl-C */
    case MF_KEY_END_OF_INPUT:
        return false;
    case MF_KEY_LEFT:
    case '<':
    case 'h':
        move_time(top, -step_ns);
        break;
    case MF_KEY_RIGHT:
    case '>':
    case 'l':
        move_time(top, step_ns);
        break;
    case MF_KEY_SHIFT_LEFT:
    case MF_KEY_PAGE_UP:
        move_time(top, -10 * step_ns);
        break;
    case MF_KEY_SHIFT_RIGHT:
    case MF_KEY_PAGE_DOWN:
        move_time(top, 10 * step_ns);
        break;
    case MF_KEY_HOME:
    case 'g':
        move_time(top, -top->story.timeline.duration_ns);
        break;
    case MF_KEY_END:
    case 'G':
    case MF_KEY_ESCAPE:
        top->at_end = true;
        top->view.paused = false;
        break;
    case MF_KEY_UP:
    case 'k':
        scroll(top, -1);
        break;
    case MF_KEY_DOWN:
    case 'j':
        scroll(top, 1);
        break;
    case '+':
    case '=':
        zoom(top, true);
        break;
    case '-':
        zoom(top, false);
        break;
    case '0':
        top->window_ns = 0;
        break;
    case 'c':
        top->view.order = MF_BY_CPU;
        break;
    case 'm':
        top->view.order = MF_BY_MEMORY;
        break;
    case 'p':
        top->view.order = MF_BY_START;
        break;
    case ' ':
        pause_or_go(top);
        break;
    default:
        break;
    }
    return true;
}

/* ---- the view ---- */

static int draw(struct top *top, struct mf_screen *screen)
{
    struct mf_buffer frame = MF_BUFFER_INIT;
    mf_screen_size(screen, &top->view.rows, &top->view.columns);
    place(top);
    top_frame(&frame, &top->view);
    int rc = frame.failed ? mf_fail(&top->cli->err, -ENOMEM, "out of memory") : 0;
    if (rc == 0) {
        rc = mf_screen_show(screen, frame.data, frame.len);
    }
    mf_buffer_free(&frame);
    return rc;
}

static int watch(struct top *top, struct mf_screen *screen)
{
    const int64_t interval_ns = cli_int(top->cli, "interval");
    int64_t next_ns = mf_clock_monotonic_ns(NULL) + interval_ns;
    int rc = draw(top, screen);
    while (rc == 0) {
        const int64_t left_ns = next_ns - mf_clock_monotonic_ns(NULL);
        const uint32_t key = is_running(top) ? mf_screen_next(screen, left_ns > 0 ? left_ns : 0)
                                             : mf_screen_next(screen, -1);
        if (key == MF_KEY_NONE) {
            next_ns = mf_clock_monotonic_ns(NULL) + interval_ns;
            rc = refresh(top);
        } else if (!press(top, key)) {
            return 0;
        }
        if (rc == 0) {
            rc = draw(top, screen);
        }
    }
    return rc == -EPIPE ? 0 : rc; /* the terminal is gone, and nobody to tell */
}

static int run_live(struct top *top)
{
    struct mf_screen *screen = NULL;
    top->view.keys = top->view.unicode ? keys_text : keys_text_ascii;
    int rc = mf_screen_open(&screen, &top->cli->err);
    if (rc == MF_EUNSUPPORTED) {
        return mf_fail(&top->cli->err, rc,
                       "the live view needs a terminal; --once prints one frame as text");
    }
    if (rc < 0) {
        return rc;
    }
    rc = watch(top, screen);
    const int signal = mf_screen_close(screen);
    if (signal != 0) {
        mf_die_of(signal);
    }
    return rc;
}

static int run_once(struct top *top)
{
    struct cli_context *cli = top->cli;
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    const int columns = cli_columns();
    if (cli_string(cli, "at") != NULL) {
        top->view.t_ns = cli_int(cli, "at");
        top->at_end = false;
    }
    top->view.rows = (size_t)cli_int(cli, "rows");
    top->view.columns = columns > TOP_COLUMNS_MIN ? (size_t)columns
                        : columns > 0             ? TOP_COLUMNS_MIN
                                                  : 100;
    place(top);
    if (cli->json) {
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        top_json(&json, &top->view);
        mf_json_finish(&json);
    } else {
        top_frame(&out, &top->view);
    }
    return cli_print(cli, &out);
}

static int run(struct cli_context *cli)
{
    struct top top = {.cli = cli};
    char *dir = NULL;
    static const enum mf_process_order orders[] = {MF_BY_CPU, MF_BY_MEMORY, MF_BY_START};
    int rc = cli_flight_find(cli, cli->operands[0], &dir);
    if (rc == 0) {
        rc = open_top(&top, dir);
    }
    if (rc == 0) {
        top.view.order = orders[cli_choice(cli, "sort")];
        rc = cli_flag(cli, "once") || cli->json ? run_once(&top) : run_live(&top);
    }
    close_top(&top);
    mf_flight_free_text(dir);
    return rc;
}

const struct cli_verb verb_top = {
    .name = "top",
    .section = "Flights",
    .summary = "Watch a flight in the terminal, or look back at one",
    .description =
        "CPU, memory, disk and output over time, the processes, and the last lines of output. Of a "
        "running flight this moment is shown, of one that has ended its totals; the arrow keys "
        "move "
        "to any other moment.\n\n"
        "%CPU of a process is the mean of the second before the moment, 100 being one processor.",
    .options =
        (const struct cli_option[]){
            {.name = "once",
             .kind = CLI_FLAG,
             .help = "Print one frame as text and end (--json does so too)"},
            {.name = "at",
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .help = "With --once: this time of the flight"},
            {.name = "rows",
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "24",
             .min = TOP_ROWS_MIN,
             .max = 1000,
             .help = "With --once: lines of the frame"},
            {.name = "sort",
             .letter = 's',
             .kind = CLI_CHOICE,
             .metavar = "KEY",
             .choices = "cpu|memory|start",
             .default_text = "cpu",
             .help = "Order of the processes at first"},
            {.name = "interval",
             .letter = 'i',
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .default_text = "500ms",
             .min = 50 * MF_NS_PER_MS,
             .max = 3600 * MF_NS_PER_SECOND,
             .help = "Between two looks at a running flight"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .optional = true, .help = CLI_FLIGHT_OR_LAST_HELP},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly top", "Watches the newest flight."},
            {"mayfly top --once --at 3s make", "What it did at its third second."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
