/* SPDX-License-Identifier: Apache-2.0
 * verb_logs.c -- mayfly logs [FLIGHT] */
#include "cli.h"
#include "flight_operand.h"
#include "verbs.h"

#include "flight/lines.h"
#include "fmt/json_write.h"
#include "fmt/rfc3339.h"
#include "fmt/terminal.h"
#include "fmt/terminal_clean.h"
#include "fmt/units.h"
#include "os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define POLL_NS (50 * MF_NS_PER_MS)

struct logs {
    struct cli_context *cli;
    const struct mf_flight_info *info;
    struct mf_lines_options select; /* streams and times */
    struct mf_terminal_cleaner cleaners[MF_STREAMS];
    bool terminal;
    bool colored;
    bool timestamps;
    bool wall;
    uint64_t damaged;
    bool line_open;        /* what was printed last does not end in a newline */
    struct mf_buffer text; /* what is being put together */
};

/* ---- one line ---- */

static bool wanted(const struct logs *logs, const struct mf_kept_line *line)
{
    const struct mf_lines_options *select = &logs->select;
    return (select->streams == 0 || (select->streams & 1U << line->stream) != 0) &&
           line->t_ns >= select->since_ns &&
           (select->until_ns == 0 || line->t_ns < select->until_ns);
}

static void put_timestamp(struct logs *logs, const struct mf_kept_line *line)
{
    char time[MF_RFC3339_LEN];
    const bool is_stderr = line->stream == MF_STREAM_STDERR;
    if (logs->wall) {
        mf_format_rfc3339(time, logs->info->started_wall_ns + line->t_ns, 0, 3);
    } else {
        snprintf(time, sizeof time, "%5lld.%03lld", (long long)(line->t_ns / MF_NS_PER_SECOND),
                 (long long)(line->t_ns / MF_NS_PER_MS % 1000));
    }
    if (logs->terminal) {
        mf_buffer_printf(&logs->text, "%s%s%s %s%s%s ", mf_style(logs->colored, MF_STYLE_FAINT),
                         time, mf_style(logs->colored, MF_STYLE_RESET),
                         mf_style(logs->colored, is_stderr ? MF_STYLE_RED : MF_STYLE_FAINT),
                         cli_unicode() ? (is_stderr ? "┃" : "│") : (is_stderr ? "!" : "|"),
                         mf_style(logs->colored, MF_STYLE_RESET));
    } else {
        mf_buffer_printf(&logs->text, "%s %s ", time, mf_flight_stream_name(line->stream));
    }
}

/* Where output was not kept: in its place on a terminal, else beside it. */
static void tell_gap(struct logs *logs, const struct mf_kept_line *line)
{
    char size[MF_UNITS_LEN];
    mf_format_size(size, line->gap_bytes);
    if (logs->line_open) {
        mf_buffer_putc(&logs->text, '\n'); /* what follows is not its end */
    }
    if (logs->terminal) {
        mf_buffer_printf(
            &logs->text, "%s[%s of %s not kept]%s\n", mf_style(logs->colored, MF_STYLE_FAINT), size,
            mf_flight_stream_name(line->stream), mf_style(logs->colored, MF_STYLE_RESET));
    } else {
        cli_note("%s of %s before %lld.%03lld s not kept", size,
                 mf_flight_stream_name(line->stream), (long long)(line->t_ns / MF_NS_PER_SECOND),
                 (long long)(line->t_ns / MF_NS_PER_MS % 1000));
    }
}

static void put_json(struct logs *logs, const struct mf_kept_line *line)
{
    struct mf_json json;
    mf_json_init(&json, &logs->text, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "t_ns", line->t_ns);
    mf_json_key_int(&json, "wall_ns", logs->info->started_wall_ns + line->t_ns);
    mf_json_key_string(&json, "stream", mf_flight_stream_name(line->stream));
    mf_json_key(&json, "text");
    mf_json_string_len(&json, line->text, line->len);
    if (!line->complete) {
        mf_json_key_bool(&json, "partial", true);
    }
    if (line->gap_bytes > 0) {
        mf_json_key_uint(&json, "gap_bytes", line->gap_bytes);
    }
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static int print_line(struct logs *logs, const struct mf_kept_line *line)
{
    mf_buffer_clear(&logs->text);
    if (logs->cli->json) {
        put_json(logs, line);
    } else {
        if (line->gap_bytes > 0) {
            tell_gap(logs, line);
        }
        if (logs->timestamps) {
            put_timestamp(logs, line);
        }
        if (logs->terminal) {
            mf_terminal_clean_line(&logs->cleaners[line->stream], &logs->text, line->text,
                                   line->len);
        } else {
            mf_buffer_append(&logs->text, line->text, line->len);
        }
        logs->line_open = !line->complete && !logs->terminal;
        mf_buffer_puts(&logs->text, logs->line_open ? "" : "\n");
    }
    if (logs->text.failed) {
        return mf_fail(&logs->cli->err, -ENOMEM, "out of memory");
    }
    fwrite(logs->text.data, 1, logs->text.len, stdout);
    return 0;
}

/* ---- the ways through the output ---- */

/* Prints what a cursor has now, after which it can be read on. */
static int print_lines(struct logs *logs, struct mf_flight_output *output, bool last)
{
    for (;;) {
        struct mf_flight_line line;
        int rc = last ? mf_flight_output_last_line(output, &line, &logs->cli->err)
                      : mf_flight_output_next_line(output, &line, &logs->cli->err);
        if (rc == MF_ECORRUPT) {
            logs->damaged++;
            continue;
        }
        if (rc <= 0) {
            return rc;
        }
        const struct mf_kept_line kept = {
            .t_ns = line.t_ns,
            .stream = line.stream,
            .complete = line.complete,
            .gap_bytes = line.gap_bytes,
            .text = line.text,
            .len = line.len,
        };
        rc = wanted(logs, &kept) ? print_line(logs, &kept) : 0;
        if (rc < 0) {
            return rc;
        }
    }
}

static int print_tail(struct logs *logs, struct mf_flight_output *output, bool finished,
                      size_t lines_max)
{
    struct mf_lines_options options = logs->select;
    struct mf_lines lines;
    options.tail_lines_max = lines_max;
    options.tail_bytes_max = SIZE_MAX;
    int rc = mf_lines_take(output, finished, &options, &lines, &logs->cli->err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < lines.count; i++) {
        rc = print_line(logs, &lines.items[i]);
    }
    logs->damaged += lines.damaged;
    mf_lines_free(&lines);
    return rc;
}

static int print_raw(struct logs *logs, struct mf_flight_output *output)
{
    for (;;) {
        struct mf_flight_chunk chunk;
        const int rc = mf_flight_output_next(output, &chunk, &logs->cli->err);
        if (rc == MF_ECORRUPT) {
            logs->damaged++;
            continue;
        }
        if (rc <= 0) {
            return rc;
        }
        const struct mf_kept_line times = {.t_ns = chunk.t_ns, .stream = chunk.stream};
        if (wanted(logs, &times)) {
            fwrite(chunk.bytes, 1, chunk.len, stdout);
        }
    }
}

/* Whether the flight is being recorded still. */
static int is_running(const char *dir, struct mf_errinfo *err)
{
    struct mf_flight_info *info = NULL;
    const int rc = mf_flight_info_read(dir, &info, err);
    if (rc < 0) {
        return rc;
    }
    const int running = info->state == MF_FLIGHT_RUNNING;
    mf_flight_info_free(info);
    return running;
}

static int print_all(struct logs *logs, struct mf_flight_output *output)
{
    struct cli_context *cli = logs->cli;
    const bool raw = cli_flag(cli, "raw");
    const bool follow = cli_flag(cli, "follow");
    int running = follow ? is_running(logs->info->dir, &cli->err) : 0;
    int rc = running < 0 ? running : 0;
    if (rc == 0 && cli_string(cli, "tail") != NULL) {
        rc = print_tail(logs, output, running == 0, (size_t)cli_int(cli, "tail"));
    }
    for (;;) {
        if (rc == 0) {
            rc = raw ? print_raw(logs, output) : print_lines(logs, output, false);
        }
        if (rc < 0 || running == 0) {
            break;
        }
        fflush(stdout);
        if (ferror(stdout)) {
            break; /* main() tells */
        }
        const int64_t next_ns = mf_clock_monotonic_ns(NULL) + POLL_NS;
        (void)mf_clock_sleep_until_ns(next_ns);
        /* What was written before the end is read once more after it was seen. */
        running = is_running(logs->info->dir, &cli->err);
        rc = running < 0 ? running : 0;
    }
    if (rc == 0 && !raw) {
        rc = print_lines(logs, output, true);
    }
    return rc;
}

static int run_on(struct cli_context *cli, const char *dir)
{
    struct logs logs = {
        .cli = cli,
        .terminal = cli_columns() > 0 && !cli_flag(cli, "raw") && !cli->json,
        .colored = cli_colored(cli),
        .timestamps = cli_flag(cli, "timestamps") || cli_flag(cli, "wall"),
        .wall = cli_flag(cli, "wall"),
        .select = {.since_ns = cli_int(cli, "since"), .until_ns = cli_int(cli, "until")},
    };
    const int stream = cli_choice(cli, "stream");
    if (stream >= 0) {
        logs.select.streams = 1U << stream;
    }
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        logs.cleaners[i].colors = logs.colored;
    }
    struct mf_flight_info *info = NULL;
    struct mf_flight_output *output = NULL;
    int rc = mf_flight_info_read(dir, &info, &cli->err);
    if (rc == 0) {
        logs.info = info;
        rc = mf_flight_output_open(dir, &output, &cli->err);
    }
    if (rc == 0) {
        rc = print_all(&logs, output);
    }
    if (rc == 0 && logs.damaged > 0) {
        fflush(stdout);
        cli_note("%llu damaged place%s in the recorded output %s passed over",
                 (unsigned long long)logs.damaged, logs.damaged == 1 ? "" : "s",
                 logs.damaged == 1 ? "was" : "were");
        rc = CLI_EXIT_DATA;
    }
    mf_flight_output_close(output);
    mf_flight_info_free(info);
    mf_buffer_free(&logs.text);
    return rc;
}

static int run(struct cli_context *cli)
{
    if (cli_flag(cli, "raw") && (cli->json || cli_flag(cli, "timestamps") ||
                                 cli_flag(cli, "wall") || cli_string(cli, "tail") != NULL)) {
        return cli_usage(cli, "--raw prints bytes as they are, without --json, --timestamps, "
                              "--wall or --tail");
    }
    char *dir = NULL;
    int rc = cli_flight_find(cli, cli->operands[0], &dir);
    if (rc == 0) {
        rc = run_on(cli, dir);
    }
    mf_flight_free_text(dir);
    return rc;
}

const struct cli_verb verb_logs = {
    .name = "logs",
    .section = "Flights",
    .summary = "Print what the command of a flight wrote",
    .description =
        "All streams in the order in which they arrived, line by line. On a terminal colours are "
        "kept, other control sequences are left out or made visible, and of a line that was "
        "overwritten its last state is shown; elsewhere lines are printed as they are. With "
        "--raw the bytes are exactly those of the command.\n\n"
        "With --json each line is one JSON object.",
    .options =
        (const struct cli_option[]){
            {.name = "follow",
             .letter = 'f',
             .kind = CLI_FLAG,
             .help = "Go on until the flight ends"},
            {.name = "stream",
             .letter = 's',
             .kind = CLI_CHOICE,
             .metavar = "STREAM",
             .choices = "stdout|stderr|tty",
             .help = "Only this stream"},
            {.name = "tail",
             .letter = 'n',
             .kind = CLI_INT,
             .metavar = "N",
             .min = 0,
             .max = 1000000000,
             .help = "Only the last N lines (with --follow: and those that come)"},
            {.name = "since",
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .help = "Only lines written at this time of the flight or later: 90s"},
            {.name = "until",
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .help = "Only lines written before this time of the flight"},
            {.name = "timestamps",
             .letter = 't',
             .kind = CLI_FLAG,
             .help = "With the seconds since the start before each line"},
            {.name = "wall",
             .letter = 'w',
             .kind = CLI_FLAG,
             .help = "With the time of day (UTC) before each line"},
            {.name = "raw",
             .letter = 'r',
             .kind = CLI_FLAG,
             .help = "Exactly the bytes that were written"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .optional = true, .help = CLI_FLIGHT_OR_LAST_HELP},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly logs -f make", "Follows a flight that is being recorded."},
            {"mayfly logs -t --tail 20 --stream stderr", "The last lines of stderr, with times."},
            {"mayfly logs --raw --stream stdout -1 > output", "The output, byte for byte."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
