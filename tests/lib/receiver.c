/* SPDX-License-Identifier: Apache-2.0
 * receiver.c -- see receiver.h. */
#include "receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYMBOLS_MAX 65536
#define BODY_MAX    (64u << 20)

struct sample_list {
    struct received_sample *samples;
    size_t count;
    size_t capacity;
};

struct receiver {
    receiver_policy policy;
    void *context;
    int listener;
    int stop[2]; /* a pipe: closing the second end stops the thread */
    pthread_t thread;
    char url[64];
    atomic_uint requests;
    struct sample_list stored;
};

static void die(const char *what)
{
    perror(what);
    abort();
}

/* ---- Protocol Buffers ---- */

struct piece {
    const uint8_t *at;
    const uint8_t *end;
};

static uint64_t get_varint(struct piece *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; in->at < in->end && shift < 64; shift += 7) {
        const uint8_t byte = *in->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    fprintf(stderr, "receiver: a varint is cut off\n");
    abort();
}

struct field {
    unsigned number;
    uint64_t value;     /* wire types 0 and 1 */
    struct piece bytes; /* wire type 2 */
};

static bool get_field(struct piece *in, struct field *field)
{
    if (in->at == in->end) {
        return false;
    }
    const uint64_t tag = get_varint(in);
    field->number = (unsigned)(tag >> 3);
    switch (tag & 7) {
    case 0:
        field->value = get_varint(in);
        return true;
    case 1:
        memcpy(&field->value, in->at, 8);
        in->at += 8;
        return true;
    case 2: {
        const uint64_t len = get_varint(in);
        if (len > (uint64_t)(in->end - in->at)) {
            break;
        }
        field->bytes = (struct piece){in->at, in->at + len};
        in->at += len;
        return true;
    }
    default:
        break;
    }
    fprintf(stderr, "receiver: the message is malformed\n");
    abort();
}

static char *text_of(struct piece bytes)
{
    return strndup((const char *)bytes.at, (size_t)(bytes.end - bytes.at));
}

static void add_sample(struct sample_list *list, const char *series, double value, int64_t time_ms)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        list->samples = realloc(list->samples, list->capacity * sizeof *list->samples);
        if (list->samples == NULL) {
            die("realloc");
        }
    }
    list->samples[list->count++] = (struct received_sample){strdup(series), value, time_ms};
}

static void clear(struct sample_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->samples[i].series);
    }
    list->count = 0;
}

/* Appends one label to a series' text: `name`, then `{a="b"`, then `,c="d"`. Labels must be sorted
 * and not repeated: real receivers may answer 500 to that. */
static void append_label(char *text, size_t room, const char *name, const char *value, char *last)
{
    if (strcmp(last, name) >= 0) {
        fprintf(stderr, "receiver: label %s after %s\n", name, last);
        abort();
    }
    snprintf(last, 128, "%s", name);
    const size_t len = strlen(text);
    if (strcmp(name, "__name__") == 0) {
        char rest[2048];
        snprintf(rest, sizeof rest, "%s", text);
        snprintf(text, room, "%s%s", value, rest);
        return;
    }
    snprintf(text + len, room - len, "%s%s=\"%s\"", strchr(text, '{') != NULL ? "," : "{", name,
             value);
}

static void close_labels(char *text, size_t room)
{
    const size_t len = strlen(text);
    if (strchr(text, '{') != NULL) {
        snprintf(text + len, room - len, "}");
    }
}

static void get_sample(struct piece in, const char *series, struct sample_list *list)
{
    struct field field;
    double value = 0;
    int64_t time_ms = 0;
    while (get_field(&in, &field)) {
        if (field.number == 1) {
            memcpy(&value, &field.value, sizeof value);
        } else if (field.number == 2) {
            time_ms = (int64_t)field.value;
        }
    }
    add_sample(list, series, value, time_ms);
}

static void get_series_v1(struct piece in, struct sample_list *list)
{
    char text[2048] = "";
    char last[128] = "";
    bool closed = false;
    struct field field;
    while (get_field(&in, &field)) {
        if (field.number == 1) {
            struct field part;
            char *name = NULL;
            char *value = NULL;
            while (get_field(&field.bytes, &part)) {
                char **to = part.number == 1 ? &name : &value;
                *to = text_of(part.bytes);
            }
            append_label(text, sizeof text, name, value, last);
            free(name);
            free(value);
        } else if (field.number == 2) {
            if (!closed) {
                close_labels(text, sizeof text);
            }
            closed = true;
            get_sample(field.bytes, text, list);
        }
    }
}

static void get_series_v2(struct piece in, char **symbols, size_t symbol_count,
                          struct sample_list *list)
{
    char text[2048] = "";
    char last[128] = "";
    struct field field;
    while (get_field(&in, &field)) {
        if (field.number == 1) {
            while (field.bytes.at < field.bytes.end) {
                const uint64_t name = get_varint(&field.bytes);
                const uint64_t value = get_varint(&field.bytes);
                if (name >= symbol_count || value >= symbol_count) {
                    fprintf(stderr, "receiver: a reference to no symbol\n");
                    abort();
                }
                append_label(text, sizeof text, symbols[name], symbols[value], last);
            }
            close_labels(text, sizeof text);
        } else if (field.number == 2) {
            get_sample(field.bytes, text, list);
        }
    }
}

static void decode(unsigned version, struct piece in, struct sample_list *list)
{
    static char *symbols[SYMBOLS_MAX];
    size_t symbol_count = 0;
    struct field field;
    while (get_field(&in, &field)) {
        if (version == 1 && field.number == 1) {
            get_series_v1(field.bytes, list);
        } else if (version == 2 && field.number == 4 && symbol_count < SYMBOLS_MAX) {
            symbols[symbol_count++] = text_of(field.bytes);
        } else if (version == 2 && field.number == 5) {
            get_series_v2(field.bytes, symbols, symbol_count, list);
        }
    }
    if (version == 2 && (symbol_count == 0 || symbols[0][0] != '\0')) {
        fprintf(stderr, "receiver: the first symbol is not empty\n");
        abort();
    }
    while (symbol_count > 0) {
        free(symbols[--symbol_count]);
    }
}

/* ---- HTTP ---- */

/* Reads until the blank line, then the body. false at the end of the connection. */
static bool read_request(int connection, char *head, size_t head_room, char **body,
                         size_t *body_len)
{
    size_t len = 0;
    char *end = NULL;
    while (end == NULL) {
        if (len + 1 == head_room) {
            return false;
        }
        const ssize_t got = read(connection, head + len, 1);
        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
        head[len] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    const char *length = strcasestr(head, "\r\nContent-Length:");
    *body_len = length != NULL ? strtoul(length + 17, NULL, 10) : 0;
    if (*body_len > BODY_MAX) {
        return false;
    }
    *body = malloc(*body_len + 1);
    for (size_t at = 0; *body != NULL && at < *body_len;) {
        const ssize_t got = read(connection, *body + at, *body_len - at);
        if (got <= 0) {
            free(*body);
            return false;
        }
        at += (size_t)got;
    }
    return *body != NULL;
}

static void unpack(unsigned version, const char *body, size_t body_len, struct sample_list *list)
{
    size_t len;
    if (snappy_uncompressed_length(body, body_len, &len) != SNAPPY_OK) {
        fprintf(stderr, "receiver: not a snappy block\n");
        abort();
    }
    char *message = malloc(len + 1);
    if (message == NULL || snappy_uncompress(body, body_len, message, &len) != SNAPPY_OK) {
        fprintf(stderr, "receiver: a damaged snappy block\n");
        abort();
    }
    decode(version, (struct piece){(uint8_t *)message, (uint8_t *)message + len}, list);
    free(message);
}

static bool answer(struct receiver *r, int connection, const char *head, const char *body,
                   size_t body_len)
{
    struct sample_list samples = {0};
    struct receiver_request request = {.number = ++r->requests, .head = head};
    if (strcasestr(head, "proto=io.prometheus.write.v2.Request") != NULL) {
        request.version = 2;
    } else if (strcasestr(head, "application/x-protobuf") != NULL) {
        request.version = 1;
    }
    unpack(request.version, body, body_len, &samples);
    request.samples = samples.samples;
    request.sample_count = samples.count;
    struct receiver_reply reply = {.status = 204, .store = true, .counted = true, .written = -1};
    if (r->policy != NULL) {
        r->policy(r->context, r, &request, &reply);
    }
    if (reply.store && reply.status / 100 == 2) {
        for (size_t i = 0; i < samples.count; i++) {
            add_sample(&r->stored, samples.samples[i].series, samples.samples[i].value,
                       samples.samples[i].time_ms);
        }
    }
    const long written = reply.written >= 0 ? reply.written : (long)samples.count;
    clear(&samples);
    free(samples.samples);
    if (reply.wait_ms > 0) {
        struct pollfd stop = {r->stop[0], POLLIN, 0};
        poll(&stop, 1, (int)reply.wait_ms);
    }
    if (reply.drop) {
        return false;
    }
    char counted[80] = "";
    if (reply.counted && request.version == 2) {
        snprintf(counted, sizeof counted, "X-Prometheus-Remote-Write-Samples-Written: %ld\r\n",
                 written);
    }
    char length[48] = "";
    if (reply.status != 204) {
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(reply.body));
    }
    char text[1024];
    const int len = snprintf(text, sizeof text, "HTTP/1.1 %d Answer\r\n%s%s%s\r\n%s", reply.status,
                             counted, reply.headers, length, reply.status != 204 ? reply.body : "");
    return send(connection, text, (size_t)len, MSG_NOSIGNAL) == len;
}

static void serve(struct receiver *r, int connection)
{
    char head[8192];
    char *body;
    size_t body_len;
    for (;;) {
        struct pollfd ready[2] = {{connection, POLLIN, 0}, {r->stop[0], POLLIN, 0}};
        if (poll(ready, 2, -1) < 0 || ready[1].revents != 0 ||
            !read_request(connection, head, sizeof head, &body, &body_len)) {
            return;
        }
        const bool goes_on = answer(r, connection, head, body, body_len);
        free(body);
        if (!goes_on) {
            return;
        }
    }
}

static void *run(void *context)
{
    struct receiver *r = context;
    for (;;) {
        struct pollfd ready[2] = {{r->listener, POLLIN, 0}, {r->stop[0], POLLIN, 0}};
        if (poll(ready, 2, -1) < 0 || ready[1].revents != 0) {
            return NULL;
        }
        const int connection = accept(r->listener, NULL, NULL);
        if (connection >= 0) {
            serve(r, connection);
            close(connection);
        }
    }
}

struct receiver *receiver_start(receiver_policy policy, void *context)
{
    struct receiver *r = calloc(1, sizeof *r);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    if (r == NULL || pipe(r->stop) != 0) {
        die("receiver");
    }
    r->policy = policy;
    r->context = context;
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(r->listener, 8) != 0 ||
        getsockname(r->listener, (struct sockaddr *)&address, &len) != 0) {
        die("receiver");
    }
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u/api/v1/write", ntohs(address.sin_port));
    setenv("no_proxy", "127.0.0.1", 1);
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        die("pthread_create");
    }
    return r;
}

void receiver_stop(struct receiver *r)
{
    if (r == NULL) {
        return;
    }
    close(r->stop[1]);
    pthread_join(r->thread, NULL);
    close(r->stop[0]);
    close(r->listener);
    clear(&r->stored);
    free(r->stored.samples);
    free(r);
}

const char *receiver_url(const struct receiver *r)
{
    return r->url;
}

size_t receiver_count(const struct receiver *r)
{
    return r->stored.count;
}

const struct received_sample *receiver_samples(const struct receiver *r)
{
    return r->stored.samples;
}

size_t receiver_count_of(const struct receiver *r, const char *series)
{
    size_t count = 0;
    for (size_t i = 0; i < r->stored.count; i++) {
        count += strcmp(r->stored.samples[i].series, series) == 0 ? 1 : 0;
    }
    return count;
}

const struct received_sample *receiver_find(const struct receiver *r, const char *series,
                                            int64_t time_ms)
{
    for (size_t i = 0; i < r->stored.count; i++) {
        if (r->stored.samples[i].time_ms == time_ms &&
            strcmp(r->stored.samples[i].series, series) == 0) {
            return &r->stored.samples[i];
        }
    }
    return NULL;
}

unsigned receiver_requests(const struct receiver *r)
{
    return r->requests;
}

void receiver_strict(void *context, struct receiver *r, const struct receiver_request *request,
                     struct receiver_reply *reply)
{
    (void)context;
    for (size_t i = 0; i < request->sample_count; i++) {
        const struct received_sample *sample = &request->samples[i];
        for (size_t k = r->stored.count; k-- > 0;) {
            const struct received_sample *newest = &r->stored.samples[k];
            if (strcmp(newest->series, sample->series) != 0) {
                continue;
            }
            if (sample->time_ms < newest->time_ms) {
                reply->status = 400;
                snprintf(reply->body, sizeof reply->body, "out of order sample\n");
                return;
            }
            if (sample->time_ms == newest->time_ms && sample->value != newest->value) {
                reply->status = 400;
                snprintf(reply->body, sizeof reply->body, "duplicate sample for timestamp\n");
                return;
            }
            break;
        }
    }
}
