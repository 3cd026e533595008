/* SPDX-License-Identifier: Apache-2.0
 * verb_report.c -- mayfly report [FLIGHT] */
#include "cli.h"
#include "document.h"
#include "flight_operand.h"
#include "verbs.h"

#include "base/heap.h"
#include "flight/report.h"

#include <errno.h>
#include <string.h>

enum format { HTML, MARKDOWN, JSON, FORMATS };

/* As asked for; else by the ending of the file's name. */
static enum format choose_format(const struct cli_context *cli, const char *path)
{
    static const struct {
        const char *ending;
        enum format format;
    } endings[] = {{".md", MARKDOWN}, {".markdown", MARKDOWN}, {".json", JSON}};
    const int asked = cli_choice(cli, "format");
    if (cli->json || asked >= 0) {
        return cli->json ? JSON : (enum format)asked;
    }
    const size_t len = path != NULL ? strlen(path) : 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(endings); i++) {
        const size_t ending_len = strlen(endings[i].ending);
        if (len > ending_len && strcmp(path + len - ending_len, endings[i].ending) == 0) {
            return endings[i].format;
        }
    }
    return HTML;
}

static int write_json(struct cli_context *cli, const struct mf_story *story,
                      enum mf_json_style style, struct mf_buffer *out)
{
    struct mf_json json;
    mf_json_init(&json, out, style);
    const int rc = mf_report_json(&json, story, &cli->err);
    if (rc == 0) {
        mf_json_finish(&json);
    }
    return rc;
}

static int make(struct cli_context *cli, const struct mf_story *story, enum format format,
                struct mf_buffer *out)
{
    struct mf_buffer json = MF_BUFFER_INIT;
    int rc = 0;
    switch (format) {
    case MARKDOWN:
        return mf_report_markdown(out, story, (size_t)cli_int(cli, "lines"), &cli->err);
    case JSON:
        return write_json(cli, story, MF_JSON_PRETTY, out);
    case HTML:
    case FORMATS:
        break;
    }
    rc = write_json(cli, story, MF_JSON_COMPACT, &json);
    if (rc < 0) {
        mf_buffer_free(&json);
        return rc;
    }
    return cli_document_page(cli, &json, out);
}

static int report(struct cli_context *cli, const struct mf_story *story)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    const char *path = cli_string(cli, "output");
    const enum format format = choose_format(cli, path);
    char *default_path = NULL;
    int rc = make(cli, story, format, &out);
    if (rc == 0 && path == NULL && format == HTML) {
        default_path = mf_asprintf("%s.html", story->info->id);
        rc = default_path != NULL ? 0 : mf_fail(&cli->err, -ENOMEM, "out of memory");
    }
    if (rc == 0) {
        rc = cli_document_write(cli, path != NULL ? path : default_path, &out);
    }
    mf_free(default_path);
    mf_buffer_free(&out);
    return rc;
}

static int run(struct cli_context *cli)
{
    char *dir = NULL;
    struct mf_story story;
    int rc = cli_flight_find(cli, cli->operands[0], &dir);
    if (rc == 0) {
        rc = mf_story_read(dir, &story, &cli->err);
    }
    if (rc == 0) {
        rc = report(cli, &story);
        mf_story_free(&story);
    }
    mf_flight_free_text(dir);
    return rc;
}

const struct cli_verb verb_report = {
    .name = "report",
    .section = "Flights",
    .summary = "Make a report of a flight",
    .description =
        "HTML is one file that needs nothing else: charts, processes, events and output on one "
        "time axis. It goes to ID.html in the working directory, and that name is printed. "
        "Markdown is for the summary of a CI job, JSON (also as --json) is what the HTML page "
        "holds; both go to standard output. A file is replaced as a whole, and is readable by its "
        "owner only.",
    .options =
        (const struct cli_option[]){
            {.name = "output",
             .letter = 'o',
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "Write to FILE; - is standard output"},
            {.name = "format",
             .letter = 'F',
             .kind = CLI_CHOICE,
             .metavar = "FORMAT",
             .choices = "html|markdown|json",
             .help = "By default as the name of FILE ends, else html"},
            {.name = "lines",
             .letter = 'l',
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "40",
             .min = 0,
             .max = 1000,
             .help = "Last lines of output in Markdown"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .optional = true, .help = CLI_FLIGHT_OR_LAST_HELP},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly report -o build.html make", "The newest flight named make as a page."},
            {"mayfly report --format markdown >> \"$GITHUB_STEP_SUMMARY\"",
             "Shows the newest flight in the summary of a CI job."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
