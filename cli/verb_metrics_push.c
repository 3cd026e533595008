/* SPDX-License-Identifier: Apache-2.0
 * verb_metrics_push.c -- mayfly metrics push. */
#include "metrics_stores.h"

#include "base/heap.h"
#include "fmt/json_write.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <inttypes.h>
#include <mayfly/export.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_BYTES_MAX 65536
#define LABELS_MAX       64
#define PROGRESS_NS      (MF_NS_PER_SECOND / 4)

/* What the configuration points into. */
struct settings {
    struct mf_push_config config;
    struct mf_label labels[LABELS_MAX];
    char *label_texts[LABELS_MAX];
    char *secret; /* token, or user:password */
};

/* The pushes of one run. */
struct pushing {
    struct cli_context *cli;
    struct mf_pusher *pusher;
    char **roots;
    size_t root_count;
    struct mf_push_report total;
    int64_t shown_ns; /* when the progress was shown last */
};

/* ---- settings ---- */

/* A secret from a file or a variable, never from the command line: that can be read by others. */
static int read_secret(struct cli_context *cli, const char *file_option, const char *env_option,
                       char **ret_secret)
{
    const char *file = cli_string(cli, file_option);
    const char *name = cli_string(cli, env_option);
    size_t len = 0;
    int rc = 0;
    if (file != NULL) {
        rc = mf_fs_read_all(NULL, file, SECRET_BYTES_MAX, ret_secret, &len, &cli->err);
        if (rc == 0) {
            (*ret_secret)[strcspn(*ret_secret, "\r\n")] = '\0';
        }
    } else if (name != NULL) {
        const char *value = getenv(name);
        *ret_secret = value != NULL ? mf_strdup(value) : NULL;
        rc = value == NULL         ? mf_fail(&cli->err, MF_ENOTFOUND, "$%s is not set", name)
             : *ret_secret == NULL ? mf_fail_os(&cli->err, -ENOMEM, "$%s", name)
                                   : 0;
    }
    if (rc == 0 && *ret_secret != NULL && (*ret_secret)[0] == '\0') {
        rc = mf_fail(&cli->err, MF_EVALUE, "%s is empty", file != NULL ? file : name);
    }
    return rc;
}

static int read_secrets(struct cli_context *cli, struct settings *s)
{
    static const char *const sources[] = {"bearer-token-file", "bearer-token-env",
                                          "basic-auth-file", "basic-auth-env"};
    unsigned given = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(sources); i++) {
        given += cli_string(cli, sources[i]) != NULL ? 1 : 0;
    }
    if (given > 1) {
        return cli_usage(cli, "at most one of --bearer-token-file, --bearer-token-env, "
                              "--basic-auth-file and --basic-auth-env");
    }
    int rc = read_secret(cli, "bearer-token-file", "bearer-token-env", &s->secret);
    if (rc != 0) {
        return rc;
    }
    if (s->secret != NULL) {
        s->config.bearer_token = s->secret;
        return 0;
    }
    rc = read_secret(cli, "basic-auth-file", "basic-auth-env", &s->secret);
    if (rc != 0 || s->secret == NULL) {
        return rc;
    }
    char *colon = strchr(s->secret, ':');
    if (colon == NULL) {
        return mf_fail(&cli->err, MF_EVALUE, "the basic authentication is not user:password");
    }
    *colon = '\0';
    s->config.user = s->secret;
    s->config.password = colon + 1;
    return 0;
}

static int read_labels(struct cli_context *cli, struct settings *s)
{
    for (int i = 0; i < cli_count(cli, "label"); i++) {
        const char *text = cli_string_at(cli, "label", i);
        char *copy = mf_strdup(text);
        char *equals = copy != NULL ? strchr(copy, '=') : NULL;
        if (copy == NULL) {
            return mf_fail_os(&cli->err, -ENOMEM, "--label");
        }
        if (equals == NULL || i == LABELS_MAX) {
            mf_free(copy);
            return equals == NULL ? cli_usage(cli, "--label: '%s' is not NAME=VALUE", text)
                                  : cli_usage(cli, "more than %d labels", LABELS_MAX);
        }
        *equals = '\0';
        s->label_texts[i] = copy;
        s->labels[i] = (struct mf_label){copy, equals + 1};
        s->config.label_count++;
    }
    s->config.labels = s->labels;
    return 0;
}

static int read_settings(struct cli_context *cli, struct settings *s)
{
    static const struct mf_push_config defaults = MF_PUSH_CONFIG_INIT;
    s->config = defaults;
    s->config.url = cli_string(cli, "url");
    s->config.protocol = (uint32_t)cli_choice(cli, "protocol");
    s->config.selector = cli_string(cli, "select");
    s->config.store_label = cli_string(cli, "store-label");
    if (s->config.store_label[0] == '\0') {
        s->config.store_label = NULL;
    }
    s->config.ca_file = cli_string(cli, "ca-file");
    s->config.cursor_directory = cli_string(cli, "cursor-dir");
    s->config.aggregates = cli_flag(cli, "aggregates") ? 1 : 0;
    s->config.flush = cli_flag(cli, "flush") ? 1 : 0;
    s->config.buckets_per_octave = (uint32_t)cli_int(cli, "buckets");
    s->config.attempts_max = (uint32_t)cli_int(cli, "attempts");
    s->config.timeout_ns = cli_int(cli, "timeout");
    if (s->config.url == NULL) {
        return cli_usage(cli, "--url is needed: where to push to");
    }
    int rc = read_labels(cli, s);
    return rc == 0 ? read_secrets(cli, s) : rc;
}

static void free_settings(struct settings *s)
{
    for (size_t i = 0; i < LABELS_MAX; i++) {
        mf_free(s->label_texts[i]);
    }
    if (s->secret != NULL) {
        explicit_bzero(s->secret, strlen(s->secret));
    }
    mf_free(s->secret);
}

/* ---- pushing ---- */

/* Asked often by the push: shows how far it is, and whether to stop. */
static bool on_turn(void *context)
{
    struct pushing *p = context;
    const int64_t now_ns = mf_clock_coarse_ns();
    if (now_ns - p->shown_ns >= PROGRESS_NS) {
        p->shown_ns = now_ns;
        if (isatty(STDERR_FILENO) == 1 && !cli_flag(p->cli, "quiet")) {
            fprintf(stderr, "\r\033[K%" PRIu64 " stores, %" PRIu64 " samples", p->total.stores,
                    p->total.samples);
        }
    }
    return stores_stopped(NULL);
}

static void wipe_progress(const struct pushing *p)
{
    if (isatty(STDERR_FILENO) == 1 && !cli_flag(p->cli, "quiet")) {
        fputs("\r\033[K", stderr);
    }
}

static int one_pass(struct pushing *p)
{
    int ret = 0;
    for (size_t i = 0; i < p->root_count && !stores_stopped(NULL); i++) {
        struct mf_errinfo *err = ret == 0 ? &p->cli->err : NULL;
        int rc = mf_pusher_push_all(p->pusher, p->roots[i], &p->total, err);
        ret = ret == 0 ? rc : ret;
    }
    wipe_progress(p);
    return ret;
}

/* Again and again, until the stores have ended (--until-ended) or a signal comes; then, unless the
 * peer is out of reach, once more for what was recorded since. A second signal ends that, too. */
static int loop(struct pushing *p, int64_t interval_ns)
{
    bool complained = false;
    for (int64_t next_ns = mf_clock_monotonic_ns(NULL);;) {
        p->total.stores = p->total.finished = p->total.failed = 0;
        int rc = one_pass(p);
        if (stores_stopped(NULL)) {
            return rc == -ECANCELED ? 0 : rc;
        }
        if (rc != 0 && !complained) {
            cli_note("%s; trying again every interval", p->cli->err.msg);
        } else if (rc == 0 && complained) {
            cli_note("the push goes on");
        }
        complained = rc != 0;
        if (cli_flag(p->cli, "until-ended") && rc == 0 && p->total.stores > 0 &&
            p->total.finished == p->total.stores) {
            return 0;
        }
        const int64_t now_ns = mf_clock_monotonic_ns(NULL);
        next_ns = next_ns + interval_ns > now_ns ? next_ns + interval_ns : now_ns;
        stores_wait(next_ns - now_ns);
        if (stores_stopped(NULL)) {
            if (rc == 0) {
                stores_once_more();
                p->total.stores = p->total.finished = p->total.failed = 0;
                rc = one_pass(p);
            }
            return rc == -ECANCELED ? 0 : rc;
        }
    }
}

static void say_json(const struct mf_push_report *r, struct mf_buffer *out)
{
    struct mf_json json;
    mf_json_init(&json, out, MF_JSON_COMPACT);
    mf_json_begin_object(&json);
    mf_json_key_uint(&json, "stores", r->stores);
    mf_json_key_uint(&json, "finished", r->finished);
    mf_json_key_uint(&json, "failed", r->failed);
    mf_json_key_uint(&json, "series", r->series);
    mf_json_key_uint(&json, "points", r->points);
    mf_json_key_uint(&json, "samples", r->samples);
    mf_json_key_uint(&json, "refused", r->refused);
    mf_json_key_uint(&json, "requests", r->requests);
    mf_json_key_uint(&json, "retries", r->retries);
    mf_json_key_uint(&json, "body_bytes", r->body_bytes);
    mf_json_key_uint(&json, "protocol", r->protocol);
    mf_json_key_bool(&json, "fell_back", r->fell_back != 0);
    if (r->refused != 0) {
        mf_json_key_string(&json, "refused_series", r->refused_series);
        mf_json_key_string(&json, "refused_reason", r->refused_reason);
    }
    mf_json_end_object(&json);
    mf_json_finish(&json);
}

static int say(struct cli_context *cli, const struct mf_push_report *r)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli->json) {
        say_json(r, &out);
    } else if (!cli_flag(cli, "quiet")) {
        mf_buffer_printf(&out,
                         "%" PRIu64 " store%s, %" PRIu64 " sent to the end; %" PRIu64
                         " samples in %" PRIu64 " request%s\n",
                         r->stores, r->stores == 1 ? "" : "s", r->finished, r->samples, r->requests,
                         r->requests == 1 ? "" : "s");
    }
    if (r->refused != 0 && !cli->json) {
        cli_note("%" PRIu64 " samples were refused, first %s: %s", r->refused, r->refused_series,
                 r->refused_reason);
        if (strcasestr(r->refused_reason, "out of bounds") != NULL) {
            cli_note("what is too old for a push goes in by `mayfly metrics export` and `promtool "
                     "tsdb create-blocks-from openmetrics`");
        }
    }
    return cli_print(cli, &out);
}

static int find_roots(struct cli_context *cli, struct pushing *p)
{
    const int count = cli->operand_count > 0 ? cli->operand_count : 1;
    p->roots = mf_calloc((size_t)count, sizeof *p->roots);
    if (p->roots == NULL) {
        return mf_fail_os(&cli->err, -ENOMEM, "push");
    }
    for (int i = 0; i < count; i++) {
        int rc = stores_root(cli, i < cli->operand_count ? cli->operands[i] : NULL, &p->roots[i]);
        if (rc != 0) {
            return rc;
        }
        p->root_count++;
    }
    return 0;
}

static int push(struct cli_context *cli, struct settings *settings, struct pushing *p)
{
    settings->config.cancelled = on_turn;
    settings->config.cancelled_context = p;
    int rc = mf_pusher_new(&settings->config, &p->pusher, &cli->err);
    if (rc != 0) {
        return rc;
    }
    const int64_t interval_ns = cli_int(cli, "interval");
    rc = interval_ns > 0 ? loop(p, interval_ns) : one_pass(p);
    mf_pusher_free(p->pusher);
    if (rc == 0 && p->total.stores == 0) {
        return mf_fail(&cli->err, MF_ENOTFOUND, "%s: no metrics store here or below", p->roots[0]);
    }
    if (rc != 0 && !cli->json) {
        return rc; /* its message says enough */
    }
    const int said = say(cli, &p->total);
    return rc == 0 ? said : rc;
}

static int run(struct cli_context *cli)
{
    struct settings settings = {0};
    struct pushing pushing = {.cli = cli};
    int rc = read_settings(cli, &settings);
    rc = rc == 0 ? find_roots(cli, &pushing) : rc;
    rc = rc == 0 ? stores_watch(cli) : rc;
    if (rc == 0) {
        rc = stores_unwatch(push(cli, &settings, &pushing));
    }
    for (size_t i = 0; i < pushing.root_count; i++) {
        mf_free(pushing.roots[i]);
    }
    mf_free(pushing.roots);
    free_settings(&settings);
    return rc;
}

const struct cli_verb verb_metrics_push = {
    .name = "push",
    .summary = "Send stores to a Prometheus remote write receiver",
    .description =
        "Sends what the receiver has not acknowledged yet: complete slots of stores that are being "
        "written, everything of those that have ended, also after the death of their writer. How "
        "far it got is kept in each store (push-*.cursor), so that a push can be stopped and "
        "repeated at any time.\n\n"
        "With --interval it goes on, finds new stores, and sends those that end to their end.\n\n"
        "Tokens and passwords come from a file or an environment variable, never from the command "
        "line.",
    .options =
        (const struct cli_option[]){
            {.name = "url",
             .letter = 'u',
             .kind = CLI_STRING,
             .metavar = "URL",
             .help = "Where to: http://host:9090/api/v1/write"},
            {.name = "interval",
             .letter = 'i',
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .max = 86400000000000,
             .min = 0,
             .help = "Go on, at this distance"},
            {.name = "until-ended",
             .kind = CLI_FLAG,
             .help = "With --interval: end when all stores have ended and were sent"},
            {.name = "flush",
             .kind = CLI_FLAG,
             .help = "Also the slot that is not over yet, of stores that are being written"},
            {.name = "label",
             .letter = 'l',
             .kind = CLI_STRING,
             .repeatable = true,
             .metavar = "NAME=VALUE",
             .help = "Add a label to every series that does not have it"},
            {.name = "store-label",
             .kind = CLI_STRING,
             .metavar = "NAME",
             .default_text = "instance",
             .help =
                 "Add a label with the name of the store, so that the stores of a folder do not "
                 "mix; '' adds none"},
            {.name = "select",
             .letter = 's',
             .kind = CLI_STRING,
             .metavar = "SELECTOR",
             .help = "Only the series that match"},
            {.name = "aggregates",
             .kind = CLI_FLAG,
             .help = "Of gauges also average, minimum and maximum: NAME:avg, NAME:min, NAME:max"},
            {.name = "buckets",
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "1",
             .min = 1,
             .max = 4,
             .help = "Buckets of histograms per power of two: 1, 2 or 4"},
            {.name = "protocol",
             .kind = CLI_CHOICE,
             .metavar = "VERSION",
             .choices = "auto|1|2",
             .default_text = "auto",
             .help = "Of remote write; auto is 2.0, and 1.0 for receivers that do not know it"},
            {.name = "bearer-token-file",
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "File with a bearer token in its first line"},
            {.name = "bearer-token-env",
             .kind = CLI_STRING,
             .metavar = "NAME",
             .help = "Environment variable with a bearer token"},
            {.name = "basic-auth-file",
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "File with user:password in its first line"},
            {.name = "basic-auth-env",
             .kind = CLI_STRING,
             .metavar = "NAME",
             .help = "Environment variable with user:password"},
            {.name = "ca-file",
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "Certificates to trust instead of the system's"},
            {.name = "cursor-dir",
             .kind = CLI_DIR,
             .metavar = "DIR",
             .help = "Keep the cursors here: for stores in folders that cannot be written"},
            {.name = "timeout",
             .kind = CLI_DURATION,
             .metavar = "TIME",
             .default_text = "30s",
             .min = 1000000,
             .max = 3600000000000,
             .help = "Of one request"},
            {.name = "attempts",
             .kind = CLI_INT,
             .metavar = "N",
             .default_text = "5",
             .min = 1,
             .max = 100,
             .help = "How often a request is made when the receiver is out of order"},
            {.name = "quiet", .kind = CLI_FLAG, .help = "No summary"},
            {.name = NULL},
        },
    .operands = (const struct cli_operand[]){STORES_OPERAND, {.name = NULL}},
    .examples =
        (const struct cli_example[]){
            {"mayfly metrics push --url http://localhost:9090/api/v1/write ./store",
             "One store, once."},
            {"mayfly metrics push -u https://prom.example/api/v1/write --bearer-token-file token "
             "-l host=$(hostname) -i 10s /var/lib/vms",
             "A folder of stores, all the time."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
