/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_capture.c -- the parts of bench/capture.sh: how many points of short lives are kept by a
 * store in the process, and how many by a Prometheus that scrapes it.
 *
 *   live STORE PORT SECONDS
 *       Is a short life: once per second it sets a gauge, in a store of its own and on a loopback
 *       endpoint in Prometheus' text format that answers at any time; at the end it kills itself
 *       with SIGKILL, as a virtual machine is killed. So it closes nothing.
 *   ports COUNT
 *       Prints that many free loopback ports.
 *   table DIRECTORY [--json]
 *       Reads DIRECTORY/lives (lines of: seconds, port, store), opens each store, reads the scraped
 *       points from DIRECTORY/scrapes.json (Prometheus' answer to count_over_time), and prints the
 *       comparison.
 */
#include "base/fail.h"
#include "base/heap.h"
#include "base/buffer.h"
#include "fmt/json_read.h"
#include "fmt/json_write.h"
#include "fmt/number.h"
#include "os/clock.h"
#include "os/file.h"
#include <mayfly/metrics.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GAUGE_NAME     "capture_value"
#define LIVES_MAX      1000
#define SCRAPES_MAX    8
#define REQUEST_MAX    4096
#define CLIENT_WAIT_MS 100

_Noreturn __attribute__((format(printf, 1, 2))) static void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench_capture: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void bench_check(int rc, const struct mf_errinfo *err, const char *what)
{
    if (rc < 0) {
        bench_die("%s: %s", what, err != NULL ? err->msg : mf_strerror(rc));
    }
}

static uint64_t number_argument(const char *text, uint64_t most)
{
    uint64_t value = 0;
    struct mf_errinfo err;
    bench_check(mf_parse_uint64(text, &value, &err), &err, "argument");
    if (value == 0 || value > most) {
        bench_die("%s: a number from 1 to %llu is wanted", text, (unsigned long long)most);
    }
    return value;
}

/* Port 0: any that is free. */
static int listen_on_loopback(uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int yes = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(listener, (const struct sockaddr *)&address, len) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        bench_die("cannot listen on 127.0.0.1:%u: %s", port, strerror(errno));
    }
    *ret_port = ntohs(address.sin_port);
    return listener;
}

/* ---- a life ---- */

struct life {
    struct mf_metrics *store;
    mf_series gauge;
    int listener;
    double value;
};

static void life_begin(struct life *life, const char *path, uint16_t port)
{
    struct mf_errinfo err;
    const struct mf_metrics_schema schema = mf_metrics_schema_default(1);
    const struct mf_series_spec spec = {.type = MF_GAUGE, .name = GAUGE_NAME};
    bench_check(mf_metrics_open(path, &schema, 1, NULL, NULL, &life->store, &err), &err, path);
    bench_check(mf_metrics_register(life->store, &spec, &life->gauge, &err), &err, path);
    life->listener = listen_on_loopback(port, &port);
}

/* Answers one request, whatever it asks for. A client that dawdles is left. */
static void answer(const struct life *life)
{
    int client = accept4(life->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) {
        return;
    }
    char request[REQUEST_MAX + 1];
    size_t len = 0;
    struct pollfd wait = {.fd = client, .events = POLLIN};
    request[0] = '\0';
    while (len < REQUEST_MAX && strstr(request, "\r\n\r\n") == NULL &&
           poll(&wait, 1, CLIENT_WAIT_MS) == 1) {
        const ssize_t got = recv(client, request + len, REQUEST_MAX - len, 0);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
        request[len] = '\0';
    }
    char body[128];
    char response[512];
    const int body_len = snprintf(body, sizeof body, "# TYPE %s gauge\n%s %g\n", GAUGE_NAME,
                                  GAUGE_NAME, life->value);
    const int response_len =
        snprintf(response, sizeof response,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                 "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                 body_len, body);
    (void)send(client, response, (size_t)response_len, MSG_NOSIGNAL);
    close(client);
}

static void answer_until(const struct life *life, int64_t until_ns)
{
    int64_t left_ns;
    while ((left_ns = until_ns - mf_clock_monotonic_ns(NULL)) > 0) {
        struct pollfd wait = {.fd = life->listener, .events = POLLIN};
        const struct timespec timeout = {left_ns / MF_NS_PER_SECOND, left_ns % MF_NS_PER_SECOND};
        if (ppoll(&wait, 1, &timeout, NULL) == 1) {
            answer(life);
        }
    }
}

static int live(const char *path, const char *port, const char *seconds)
{
    const uint64_t count = number_argument(seconds, 3600);
    struct life life = {0};
    const int64_t start_ns = mf_clock_monotonic_ns(NULL);
    const int64_t start_wall_ns = mf_clock_wall_ns(NULL);
    life_begin(&life, path, (uint16_t)number_argument(port, UINT16_MAX));
    for (uint64_t second = 0; second < count; second++) {
        const int64_t since_start_ns = (int64_t)second * MF_NS_PER_SECOND;
        life.value = (double)second + 1;
        bench_check(mf_metrics_record_at(life.store, life.gauge, life.value,
                                         start_wall_ns + since_start_ns),
                    NULL, "record");
        answer_until(&life, start_ns + since_start_ns + MF_NS_PER_SECOND);
    }
    return raise(SIGKILL);
}

static int ports(const char *count_text)
{
    const uint64_t count = number_argument(count_text, LIVES_MAX);
    for (uint64_t i = 0; i < count; i++) { /* kept until the end, so that they differ */
        uint16_t port;
        (void)listen_on_loopback(0, &port);
        printf("%u\n", port);
    }
    return 0;
}

/* ---- the comparison ---- */

struct one_life {
    uint64_t seconds;
    uint64_t port;
    uint64_t recorded;
    uint64_t scraped[SCRAPES_MAX]; /* by job */
};

struct comparison {
    struct one_life lives[LIVES_MAX];
    size_t life_count;
    char jobs[SCRAPES_MAX][32];
    size_t job_count;
};

/* Points in the store that hold what the life recorded: the seconds 1, 2, 3, ... of it, in order.
 */
static uint64_t recorded_points(const char *path)
{
    struct mf_errinfo err;
    struct mf_metrics_reader *reader;
    struct mf_metrics_result *result;
    const struct mf_metrics_query query = {
        .selector = GAUGE_NAME, .start_ns = 0, .end_ns = INT64_MAX / 4, .tier = 0};
    bench_check(mf_metrics_reader_open(path, NULL, &reader, &err), &err, path);
    bench_check(mf_metrics_query(reader, &query, &result, &err), &err, path);
    uint64_t points = 0;
    for (size_t i = 0; result->series_count == 1 && i < result->series[0].point_count; i++) {
        const struct mf_point *point = &result->series[0].points[i];
        points += point->count == 1 && point->last == (double)(i + 1);
    }
    mf_metrics_result_free(result);
    mf_metrics_reader_close(reader);
    return points;
}

static void read_lives(struct comparison *all, const char *directory)
{
    char path[512];
    snprintf(path, sizeof path, "%s/lives", directory);
    struct mf_errinfo err;
    char *text;
    size_t len;
    bench_check(mf_fs_read_all(NULL, path, 1 << 20, &text, &len, &err), &err, path);
    char *rest = text;
    char *row;
    while ((row = strsep(&rest, "\n")) != NULL && row[0] != '\0') {
        const char *seconds = strsep(&row, " ");
        const char *port = strsep(&row, " ");
        if (port == NULL || row == NULL || all->life_count == LIVES_MAX) {
            bench_die("%s: a line is not of the form: seconds, port, store", path);
        }
        all->lives[all->life_count++] = (struct one_life){.seconds = number_argument(seconds, 3600),
                                                          .port = number_argument(port, UINT16_MAX),
                                                          .recorded = recorded_points(row)};
    }
    mf_free(text);
}

static size_t job_index(struct comparison *all, const char *name)
{
    size_t i = 0;
    while (i < all->job_count && strcmp(all->jobs[i], name) != 0) {
        i++;
    }
    if (i == all->job_count) {
        if (i == SCRAPES_MAX || strlen(name) >= sizeof all->jobs[0]) {
            bench_die("too many scrape jobs, or one with too long a name: %s", name);
        }
        all->job_count++;
        memcpy(all->jobs[i], name, strlen(name) + 1);
    }
    return i;
}

/* One element of the answer: {"metric": {"job", "instance"}, "value": [time, "count"]}. */
static void read_scrape(struct comparison *all, struct mf_json_node element, const char *path)
{
    struct mf_errinfo err;
    struct mf_json_node metric;
    struct mf_json_node value;
    const char *job;
    const char *instance;
    const char *count;
    bench_check(mf_json_get_object(element, "metric", &metric, &err), &err, path);
    bench_check(mf_json_get_string(metric, "job", &job, &err), &err, path);
    bench_check(mf_json_get_string(metric, "instance", &instance, &err), &err, path);
    bench_check(mf_json_get_array(element, "value", &value, &err), &err, path);
    bench_check(mf_json_as_string(mf_json_element(value, 1), &count, &err), &err, path);
    const size_t j = job_index(all, job);
    const char *port = strrchr(instance, ':');
    for (size_t i = 0; port != NULL && i < all->life_count; i++) {
        if (all->lives[i].port == strtoull(port + 1, NULL, 10)) {
            all->lives[i].scraped[j] = number_argument(count, UINT32_MAX);
        }
    }
}

static void read_scrapes(struct comparison *all, const char *directory)
{
    char path[512];
    snprintf(path, sizeof path, "%s/scrapes.json", directory);
    struct mf_errinfo err;
    char *text;
    size_t len;
    struct mf_json_document *document;
    struct mf_json_node data;
    struct mf_json_node result;
    bench_check(mf_fs_read_all(NULL, path, 16 << 20, &text, &len, &err), &err, path);
    bench_check(mf_json_parse(text, len, NULL, path, &document, &err), &err, path);
    bench_check(mf_json_get_object(mf_json_root(document), "data", &data, &err), &err, path);
    bench_check(mf_json_get_array(data, "result", &result, &err), &err, path);
    for (size_t i = 0; i < mf_json_len(result); i++) {
        read_scrape(all, mf_json_element(result, i), path);
    }
    mf_json_free(document);
    mf_free(text);
}

/* Points of all lives of one length, by one way of keeping them. */
struct kept {
    uint64_t lives;
    uint64_t points;
    uint64_t least;
    uint64_t most;
    uint64_t without; /* lives of which nothing was kept */
};

static struct kept kept_of(const struct comparison *all, uint64_t seconds, size_t job)
{
    struct kept kept = {.least = UINT64_MAX};
    for (size_t i = 0; i < all->life_count; i++) {
        const struct one_life *life = &all->lives[i];
        if (life->seconds != seconds) {
            continue;
        }
        const uint64_t points = job < SCRAPES_MAX ? life->scraped[job] : life->recorded;
        kept.lives++;
        kept.points += points;
        kept.least = points < kept.least ? points : kept.least;
        kept.most = points > kept.most ? points : kept.most;
        kept.without += points == 0;
    }
    return kept;
}

static void print_kept(const struct kept *kept, uint64_t seconds)
{
    printf("  %5.1f (%llu..%llu) %5.1f %%, none of %llu",
           (double)kept->points / (double)kept->lives, (unsigned long long)kept->least,
           (unsigned long long)kept->most,
           100.0 * (double)kept->points / (double)(kept->lives * seconds),
           (unsigned long long)kept->without);
}

static void json_kept(struct mf_json *json, const char *way, const struct kept *kept)
{
    mf_json_key(json, way);
    mf_json_begin_object(json);
    mf_json_key_uint(json, "points", kept->points);
    mf_json_key_uint(json, "least", kept->least);
    mf_json_key_uint(json, "most", kept->most);
    mf_json_key_uint(json, "lives_without", kept->without);
    mf_json_end_object(json);
}

/* The table, or with `json` the same as JSON. */
static void compare(const struct comparison *all, struct mf_json *json)
{
    if (json == NULL) {
        printf(
            "Points kept of each life: mean (least..most), share of one per second, lives of which "
            "nothing was kept.\n\n%7s %6s  %-36s",
            "seconds", "lives", "recorded in the process");
        for (size_t j = 0; j < all->job_count; j++) {
            printf("  %-36s", all->jobs[j]);
        }
        putchar('\n');
    }
    uint64_t seconds = 0;
    for (size_t i = 0; i < all->life_count; i++) { /* they are sorted */
        if (all->lives[i].seconds == seconds) {
            continue;
        }
        seconds = all->lives[i].seconds;
        const struct kept recorded = kept_of(all, seconds, SCRAPES_MAX);
        if (json != NULL) {
            mf_json_begin_object(json);
            mf_json_key_uint(json, "seconds", seconds);
            mf_json_key_uint(json, "lives", recorded.lives);
            json_kept(json, "recorded", &recorded);
        } else {
            printf("%7llu %6llu", (unsigned long long)seconds, (unsigned long long)recorded.lives);
            print_kept(&recorded, seconds);
        }
        for (size_t j = 0; j < all->job_count; j++) {
            const struct kept scraped = kept_of(all, seconds, j);
            if (json != NULL) {
                json_kept(json, all->jobs[j], &scraped);
            } else {
                print_kept(&scraped, seconds);
            }
        }
        if (json != NULL) {
            mf_json_end_object(json);
        } else {
            putchar('\n');
        }
    }
}

static void print_json(const struct comparison *all)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &text, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    mf_json_key_int(&json, "schema_version", 1);
    mf_json_key_string(&json, "suite", "capture");
    mf_json_key(&json, "lives");
    mf_json_begin_array(&json);
    compare(all, &json);
    mf_json_end_array(&json);
    mf_json_end_object(&json);
    mf_json_finish(&json);
    if (text.failed || fwrite(text.data, 1, text.len, stdout) != text.len) {
        bench_die("cannot write the table");
    }
    mf_buffer_free(&text);
}

static int table(const char *directory, bool json)
{
    static struct comparison all;
    read_lives(&all, directory);
    for (size_t i = 1; i < all.life_count; i++) {
        if (all.lives[i].seconds < all.lives[i - 1].seconds) {
            bench_die("%s/lives is not sorted by seconds", directory);
        }
    }
    read_scrapes(&all, directory);
    if (json) {
        print_json(&all);
    } else {
        compare(&all, NULL);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "live") == 0) {
        return live(argv[2], argv[3], argv[4]);
    }
    if (argc == 3 && strcmp(argv[1], "ports") == 0) {
        return ports(argv[2]);
    }
    if ((argc == 3 || (argc == 4 && strcmp(argv[3], "--json") == 0)) &&
        strcmp(argv[1], "table") == 0) {
        return table(argv[2], argc == 4);
    }
    fputs("usage: bench_capture live STORE PORT SECONDS | ports COUNT | table DIRECTORY [--json]\n",
          stderr);
    return 64;
}
