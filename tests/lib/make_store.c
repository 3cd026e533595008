/* SPDX-License-Identifier: Apache-2.0
 *
 * make_store.c -- makes a store with known content for tests of the command line.
 *
 *   make_store PATH END SECONDS [closed|killed|live]
 *       one point a second, SECONDS of them, the last at END (seconds since 1970):
 *       g{job="vm"} = i, c_total = 2 i, h_seconds: one observation of 2^(i % 4) / 8
 *       killed: dies by SIGKILL without closing; live: then goes on, a point a second with the time
 * of the clock, until SIGTERM, and closes make_store serve PATH prints the port on 127.0.0.1 at
 * which it answers GET /metrics with mf_export_exposition(), until SIGTERM
 */
#include <arpa/inet.h>
#include <mayfly/export.h>
#include <mayfly/metrics.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static struct mf_errinfo err;
static volatile sig_atomic_t stop;

static void on_term(int number)
{
    (void)number;
    stop = 1;
}

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "make_store: %s: %s %s\n", what, mf_error_name(rc), err.msg);
        exit(1);
    }
}

static mf_series add(struct mf_metrics *store, enum mf_series_type type, const char *name,
                     size_t label_count)
{
    const struct mf_label label = {"job", "vm"};
    const struct mf_series_spec spec = {.type = type,
                                        .name = name,
                                        .labels = &label,
                                        .label_count = label_count,
                                        .unit = type == MF_HISTOGRAM ? "seconds" : NULL,
                                        .help = "A \"series\" of\ntwo lines."};
    mf_series series = 0;
    must(mf_metrics_register(store, &spec, &series, &err), name);
    return series;
}

static void record(struct mf_metrics *store, const mf_series series[3], int i, int64_t at)
{
    must(mf_metrics_record_at(store, series[0], i, at), "g");
    must(mf_metrics_observe_total_at(store, series[1], 2 * i, at), "c");
    must(mf_metrics_record_at(store, series[2], (1 << i % 4) / 8.0, at), "h");
}

static int make(const char *path, int64_t end_s, int seconds, const char *mode)
{
    struct mf_metrics_schema schema = mf_metrics_schema_default(8);
    struct mf_metrics *store;
    schema.histograms_max = 1;
    must(mf_metrics_open(path, &schema, 1, NULL, NULL, &store, &err), "open");
    const mf_series series[3] = {add(store, MF_GAUGE, "g", 1), add(store, MF_COUNTER, "c_total", 0),
                                 add(store, MF_HISTOGRAM, "h_seconds", 0)};
    int i = 0;
    for (; i < seconds; i++) {
        record(store, series, i, (end_s - seconds + 1 + i) * SECOND);
    }
    if (strcmp(mode, "killed") == 0) {
        raise(SIGKILL);
    }
    if (strcmp(mode, "live") == 0) {
        /* The clock of time(2) lags, so that two looks a second apart can be in the same one. */
        for (time_t now, before = 0; poll(NULL, 0, 1000) == 0 && !stop; before = now) {
            now = time(NULL);
            if (now > before) {
                record(store, series, i++, now * SECOND);
            }
        }
    }
    must(mf_metrics_close(store, &err), "close");
    return 0;
}

static int send_text(void *context, const char *bytes, size_t len)
{
    return send(*(int *)context, bytes, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

static void answer(int connection, struct mf_metrics_reader *reader)
{
    char request[4096];
    const char *head = "HTTP/1.0 200 OK\r\nContent-Type: " MF_EXPORT_OPENMETRICS_TYPE "\r\n\r\n";
    if (recv(connection, request, sizeof request, 0) > 0 &&
        send_text(&connection, head, strlen(head)) == 0) {
        must(mf_export_exposition(reader, NULL, send_text, &connection, &err), "exposition");
    }
    close(connection);
}

static int serve(const char *path)
{
    struct mf_metrics_reader *reader;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    must(mf_metrics_reader_open(path, NULL, &reader, &err), "reader");
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0 || getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        perror("make_store");
        return 1;
    }
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    while (!stop) {
        const int connection = accept(listener, NULL, NULL);
        if (connection >= 0) {
            answer(connection, reader);
        }
    }
    close(listener);
    mf_metrics_reader_close(reader);
    return 0;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = on_term}; /* ends what waits */
    sigaction(SIGTERM, &action, NULL);
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        return serve(argv[2]);
    }
    if (argc != 4 && argc != 5) {
        fputs("usage: make_store PATH END SECONDS [closed|killed|live] | serve PATH\n", stderr);
        return 1;
    }
    return make(argv[1], strtoll(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10),
                argc == 5 ? argv[4] : "closed");
}
