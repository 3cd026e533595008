/* SPDX-License-Identifier: Apache-2.0
 * verb_metrics_export.c -- mayfly metrics export. */
#include "metrics_range.h"
#include "metrics_stores.h"

#include "base/heap.h"
#include "os/file.h"

#include <errno.h>
#include <mayfly/export.h>
#include <stdio.h>
#include <string.h>

/* Where the text goes: standard output, or a file that gets its name when it is whole. */
struct output {
    struct mf_file *file;
    uint64_t at;
    struct mf_errinfo *err;
};

static int write_output(void *context, const char *bytes, size_t len)
{
    struct output *output = context;
    if (stores_stopped(NULL)) {
        return -ECANCELED;
    }
    if (output->file == NULL) {
        fwrite(bytes, 1, len, stdout); /* checked at the end, by main() */
        return ferror(stdout) != 0 ? -EIO : 0;
    }
    int rc = mf_file_write(output->file, bytes, len, output->at, output->err);
    output->at += len;
    return rc;
}

static int add_store(struct cli_context *cli, struct mf_exporter *exporter, const char *path,
                     bool many)
{
    struct mf_metrics_query query = {.selector = cli_string(cli, "select")};
    struct mf_metrics_reader *reader;
    struct mf_metrics_info info;
    int rc = mf_metrics_reader_open(path, NULL, &reader, &cli->err);
    if (rc != 0) {
        return rc;
    }
    mf_metrics_reader_info(reader, &info);
    range_fill(cli, info.clock_wall_ns, &query);
    rc = query.start_ns >= query.end_ns
             ? mf_fail(&cli->err, MF_EVALUE, "the range begins at or after its end")
             : mf_exporter_add(exporter, many ? path : NULL, reader, &query, &cli->err);
    mf_metrics_reader_close(reader);
    return rc;
}

/* The newest values, as a scrape would get them. */
static int expose(struct cli_context *cli, const char *path, struct output *output)
{
    struct mf_metrics_reader *reader;
    int rc = mf_metrics_reader_open(path, NULL, &reader, &cli->err);
    if (rc == 0) {
        rc = mf_export_exposition(reader, cli_string(cli, "select"), write_output, output,
                                  &cli->err);
        mf_metrics_reader_close(reader);
    }
    return rc;
}

static int write_document(struct cli_context *cli, enum mf_export_format format,
                          struct stores *stores, size_t first, size_t count, struct output *output)
{
    struct mf_exporter *exporter = NULL;
    if (cli_flag(cli, "latest")) {
        return expose(cli, stores->paths[first], output);
    }
    int rc = mf_exporter_new(format, write_output, output, &exporter, &cli->err);
    for (size_t i = first; rc == 0 && i < first + count; i++) {
        rc = add_store(cli, exporter, stores->paths[i], count > 1);
    }
    rc = rc == 0 ? mf_exporter_finish(exporter, &cli->err) : rc;
    mf_exporter_free(exporter);
    return rc;
}

static int write_file(struct cli_context *cli, enum mf_export_format format, struct stores *stores,
                      size_t first, size_t count, const char *path)
{
    struct output output = {.err = &cli->err};
    char *temporary = mf_asprintf("%s.new", path);
    int rc = temporary == NULL
                 ? mf_fail_os(&cli->err, -ENOMEM, "%s", path)
                 : mf_file_open(NULL, temporary,
                                MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_TRUNCATE,
                                &output.file, &cli->err);
    if (rc == 0) {
        rc = write_document(cli, format, stores, first, count, &output);
        mf_file_close(output.file);
        rc = rc == 0 ? mf_fs_rename(NULL, temporary, path, &cli->err) : rc;
        if (rc != 0) {
            (void)mf_fs_unlink(NULL, temporary, NULL);
        }
    }
    mf_free(temporary);
    return rc;
}

/* One file for each store, named after its path. */
static int write_folder(struct cli_context *cli, enum mf_export_format format,
                        struct stores *stores, const char *folder)
{
    static const char *const suffixes[] = {
        [MF_EXPORT_OPENMETRICS] = "om", [MF_EXPORT_CSV] = "csv", [MF_EXPORT_JSON] = "json"};
    int rc = mf_fs_mkdirs(NULL, folder, &cli->err);
    for (size_t i = 0; rc == 0 && i < stores->count; i++) {
        char *name = mf_strdup(stores->paths[i]);
        char *path = NULL;
        stores_progress(i, stores->count);
        for (char *c = name; c != NULL && *c != '\0'; c++) {
            *c = *c == '/' ? '_' : *c;
        }
        if (name != NULL) {
            path = mf_asprintf("%s/%s.%s", folder, name + strspn(name, "_."), suffixes[format]);
        }
        rc = path == NULL ? mf_fail_os(&cli->err, -ENOMEM, "%s", folder)
                          : write_file(cli, format, stores, i, 1, path);
        mf_free(name);
        mf_free(path);
    }
    stores_progress(0, 0);
    return rc;
}

static int run(struct cli_context *cli)
{
    static const enum mf_export_format formats[] = {MF_EXPORT_OPENMETRICS, MF_EXPORT_CSV,
                                                    MF_EXPORT_JSON};
    struct stores stores;
    struct output standard = {.err = &cli->err};
    const enum mf_export_format format =
        cli->json ? MF_EXPORT_JSON : formats[cli_choice(cli, "format")];
    const char *file = cli_string(cli, "output");
    const char *folder = cli_string(cli, "output-dir");
    if (file != NULL && folder != NULL) {
        return cli_usage(cli, "--output and --output-dir exclude each other");
    }
    if (cli_flag(cli, "latest") && format != MF_EXPORT_OPENMETRICS) {
        return cli_usage(cli, "--latest is for --format openmetrics");
    }
    int rc = range_check(cli);
    rc = rc == 0 ? stores_find(cli, 0, &stores) : rc;
    if (rc != 0) {
        return rc;
    }
    if (format == MF_EXPORT_OPENMETRICS && stores.count > 1 && folder == NULL) {
        stores_free(&stores);
        return cli_usage(cli, "an OpenMetrics text is of one store: with several, --output-dir "
                              "gives each its file");
    }
    rc = stores_watch(cli);
    if (rc == 0) {
        rc = folder != NULL ? write_folder(cli, format, &stores, folder)
             : file != NULL ? write_file(cli, format, &stores, 0, stores.count, file)
                            : write_document(cli, format, &stores, 0, stores.count, &standard);
        rc = stores_unwatch(rc);
    }
    stores_free(&stores);
    return rc;
}

const struct cli_verb verb_metrics_export = {
    .name = "export",
    .summary = "Write the points of stores as OpenMetrics, CSV or JSON",
    .description =
        "OpenMetrics with times is what `promtool tsdb create-blocks-from openmetrics` turns into "
        "blocks for Prometheus: the way in for data that is older than remote write accepts. With "
        "--latest it is what a scrape would get: the newest value of each series, without "
        "times.\n\n"
        "CSV and JSON give the beginning of each slot and its interval; with several stores each "
        "point says which one it is from.",
    .options =
        (const struct cli_option[]){
            {.name = "format",
             .letter = 'f',
             .kind = CLI_CHOICE,
             .metavar = "FORMAT",
             .choices = "openmetrics|csv|json",
             .default_text = "openmetrics",
             .help = "How to write it"},
            {.name = "select",
             .letter = 's',
             .kind = CLI_STRING,
             .metavar = "SELECTOR",
             .help = "Only the series that match"},
            RANGE_OPTIONS("all", "finest"),
            {.name = "latest", .kind = CLI_FLAG, .help = "Only the newest values, without times"},
            {.name = "output",
             .letter = 'o',
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "Write to FILE, which appears when it is whole"},
            {.name = "output-dir",
             .letter = 'd',
             .kind = CLI_DIR,
             .metavar = "DIR",
             .help = "One file in DIR for each store"},
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STORES_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly metrics export ./store -o metrics.om && promtool tsdb create-blocks-from "
             "openmetrics metrics.om data",
             "Into blocks for Prometheus."},
            {"mayfly metrics export -f csv /var/lib/vms", "Everything as one table."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
