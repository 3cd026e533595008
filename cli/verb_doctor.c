/* SPDX-License-Identifier: Apache-2.0
 * verb_doctor.c -- mayfly doctor: what this build has, what this machine permits, where things go.
 * Every answer comes from trying, in the way that a recording would; nothing is left behind. */
#include "build_info.h"
#include "cli.h"
#include "verbs.h"

#include "base/check.h"
#include "base/heap.h"
#include "fmt/json_write.h"
#include "fmt/terminal.h"
#include "os/cgroup.h"
#include "os/procevents.h"
#include "os/taskstats.h"
#include <mayfly/flight.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHECKS_MAX 16

struct check {
    const char *section;
    const char *name;
    bool available;
    bool needed; /* without it the main job cannot be done */
    const char *use;
    char why[384]; /* when it is not available */
};

struct report {
    struct check checks[CHECKS_MAX];
    size_t count;
};

static struct check *add(struct report *report, const char *section, const char *name,
                         bool available, const char *use)
{
    MF_ASSERT(report->count < CHECKS_MAX);
    struct check *check = &report->checks[report->count++];
    *check = (struct check){.section = section, .name = name, .available = available, .use = use};
    return check;
}

static void add_tried(struct report *report, const char *name, int rc, const struct mf_errinfo *err,
                      const char *use)
{
    struct check *check = add(report, "This machine", name, rc >= 0, use);
    if (rc < 0) {
        snprintf(check->why, sizeof check->why, "%s",
                 err->msg[0] != '\0' ? err->msg : mf_strerror(rc));
    }
}

/* ---- the build ---- */

static void add_part(struct report *report, const char *name, bool available, const char *use,
                     const char *lacks)
{
    struct check *check = add(report, "This build", name, available, use);
    if (!available) {
        snprintf(check->why, sizeof check->why, "built without %s", lacks);
    }
}

static void examine_build(struct report *report)
{
    add_part(report, "metrics push", MAYFLY_HAVE_CURL && MAYFLY_HAVE_SNAPPY,
             "sends metrics to Prometheus and what speaks its remote write", "libcurl or snappy");
    add_part(report, "zstd", MAYFLY_HAVE_ZSTD, "packs sealed metrics more tightly", "libzstd");
    add_part(report, "report page", MAYFLY_HAVE_REPORT_TEMPLATE,
             "`mayfly report` writes the HTML page", "the page (npm was missing)");
}

/* ---- the machine ---- */

static void examine_cgroup(struct report *report)
{
    struct mf_cgroup_places places;
    struct mf_cgroup *cgroup = NULL;
    struct mf_errinfo err = {0};
    char name[64];
    snprintf(name, sizeof name, "mayfly-doctor-%ld", (long)getpid());
    mf_cgroup_find_places(&places);
    const int rc = mf_cgroup_create(&places, name, 0, &cgroup, &err);
    add_tried(report, "cgroup", rc, &err,
              "exact CPU time of a run, and every process that belongs to it");
    if (rc == 0) {
        struct check *check =
            add(report, "This machine", "cgroup memory", mf_cgroup_has_memory(cgroup),
                "exact memory of a run, and limits");
        if (!check->available) {
            snprintf(check->why, sizeof check->why, "no memory controller is passed on to us");
        }
    }
    mf_cgroup_remove(cgroup);
}

static void examine_kernel(struct report *report)
{
    struct mf_errinfo err = {0};
    struct mf_procevents *events = NULL;
    int rc = mf_procevents_open(&events, &err);
    add_tried(report, "process events", rc, &err, "start and end of every process, as they happen");
    mf_procevents_close(events);

    err = (struct mf_errinfo){0};
    struct mf_taskstats *taskstats = NULL;
    rc = mf_taskstats_open(&taskstats, &err);
    add_tried(report, "taskstats", rc, &err,
              "exact totals of processes that live for milliseconds");
    mf_taskstats_close(taskstats);
}

/* The home itself, or the nearest directory above it that exists, must be writable. */
static int examine_home(struct report *report, char **ret_home, struct mf_errinfo *err)
{
    char *home = NULL;
    int rc = mf_flight_home(NULL, &home, err);
    if (rc < 0) {
        return rc;
    }
    char *path = mf_strdup(home);
    if (path == NULL) {
        mf_flight_free_text(home);
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    while (access(path, F_OK) != 0 && strrchr(path, '/') != NULL && strcmp(path, "/") != 0) {
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
    }
    struct check *check = add(report, "This machine", "home", access(path, W_OK | X_OK) == 0,
                              "flights are kept there");
    check->needed = true;
    if (!check->available) {
        snprintf(check->why, sizeof check->why, "%.200s: %s", path, strerror(errno));
    }
    mf_free(path);
    *ret_home = home;
    return 0;
}

/* ---- the answer ---- */

static void write_text(struct mf_buffer *out, const struct report *report, const char *home,
                       bool colored)
{
    mf_buffer_printf(out, "mayfly %s, built by %s\n", mf_version_string(), MAYFLY_COMPILER);
    mf_buffer_puts(out, "home: ");
    mf_terminal_escape(out, home, strlen(home));
    mf_buffer_putc(out, '\n');
    const char *section = "";
    for (size_t i = 0; i < report->count; i++) {
        const struct check *check = &report->checks[i];
        if (strcmp(section, check->section) != 0) {
            section = check->section;
            mf_buffer_printf(out, "\n%s%s%s\n", mf_style(colored, MF_STYLE_BOLD), section,
                             mf_style(colored, MF_STYLE_RESET));
        }
        mf_buffer_printf(out, "  %s%-3s%s  %-15s %s\n",
                         mf_style(colored, check->available ? MF_STYLE_GREEN : MF_STYLE_YELLOW),
                         check->available ? "yes" : "no", mf_style(colored, MF_STYLE_RESET),
                         check->name, check->use);
        if (!check->available) {
            mf_buffer_printf(out, "%*s", 23, "");
            mf_terminal_escape(out, check->why, strlen(check->why));
            mf_buffer_putc(out, '\n');
        }
    }
}

static void write_json(struct mf_buffer *out, const struct report *report, const char *home)
{
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_string(&json, "version", mf_version_string());
    mf_json_key_string(&json, "compiler", MAYFLY_COMPILER);
    mf_json_key_string(&json, "home", home);
    mf_json_key(&json, "checks");
    mf_json_begin_array(&json);
    for (size_t i = 0; i < report->count; i++) {
        const struct check *check = &report->checks[i];
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "section", check->section);
        mf_json_key_string(&json, "name", check->name);
        mf_json_key_bool(&json, "available", check->available);
        mf_json_key_string(&json, "use", check->use);
        if (!check->available) {
            mf_json_key_string(&json, "why", check->why);
        }
        mf_json_end_object(&json);
    }
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static int run(struct cli_context *cli)
{
    struct report report = {.count = 0};
    char *home = NULL;
    examine_build(&report);
    const int rc = examine_home(&report, &home, &cli->err);
    if (rc < 0) {
        return rc;
    }
    examine_cgroup(&report);
    examine_kernel(&report);

    int exit_code = CLI_EXIT_OK;
    for (size_t i = 0; i < report.count; i++) {
        if (report.checks[i].needed && !report.checks[i].available) {
            exit_code = CLI_EXIT_NEGATIVE;
        }
    }
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli->json) {
        write_json(&out, &report, home);
    } else {
        write_text(&out, &report, home, cli_colored(cli));
    }
    mf_flight_free_text(home);
    const int printed = cli_print(cli, &out);
    return printed < 0 ? printed : exit_code;
}

const struct cli_verb verb_doctor = {
    .name = "doctor",
    .section = "Help",
    .summary = "Say what this build has and what this machine permits",
    .description =
        "Tries what a recording would use and says what it would miss without. The exit code "
        "is 1 when flights cannot be kept at all.",
    .has_json = true,
    .examples =
        (const struct cli_example[]){
            {"mayfly doctor", "Shows it."},
            {"mayfly doctor --json | jq '.checks[] | select(.available | not)'",
             "What is not there, for a program."},
            {.command = NULL},
        },
    .run = run,
};
