/* SPDX-License-Identifier: Apache-2.0
 *
 * peer.c -- see peer.h.
 *
 * Waiting: before attempt n + 1 half of backoff x 2^(n - 1) and a random part of the other half, at
 * most backoff_ns_max; at least what the peer asks for by Retry-After. A peer that asks for more
 * than backoff_ns_max is left for the next push.
 *
 * Secrets go into libcurl's memory and nowhere else; redirects are not followed, so they reach no
 * other host. Nothing of a request is in a message but its URL up to the query.
 */
#include "peer.h"

#include "base/fail.h"
#include "base/heap.h"
#include "base/rng.h"
#include "os/clock.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NAP_NS (20 * MF_NS_PER_MS) /* how long a cancellation may go unseen while waiting */

struct peer {
    const struct mf_push_config *config;
    CURL *curl;
    struct curl_slist *headers[2]; /* of version 1 and 2 */
    struct mf_rng rng;
    char *packed;
    size_t packed_capacity;
    char *name;
};

/* What one exchange brought. */
struct exchange {
    long status;
    bool counted;
    uint64_t written;
    int64_t retry_after_ns; /* -1: not said */
    char text[200];
    size_t text_len;
};

const char *mf__peer_name(const struct peer *peer)
{
    return peer->name;
}

static bool cancelled(const struct peer *peer)
{
    return peer->config->cancelled != NULL &&
           peer->config->cancelled(peer->config->cancelled_context);
}

/* ---- libcurl's callbacks ---- */

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return cancelled(context) ? 1 : 0;
}

/* Keeps the first line or so of an answer; the rest of it is read and dropped. */
static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    for (size_t i = 0; i < size * count && exchange->text_len < sizeof exchange->text - 1; i++) {
        const unsigned char c = (unsigned char)bytes[i];
        exchange->text[exchange->text_len++] = c < ' ' || c == 0x7F ? ' ' : (char)c;
    }
    exchange->text[exchange->text_len] = '\0';
    return size * count;
}

/* The value of header `name` in a header line of `len` bytes, copied to value; false for another.
 */
static bool header_value(const char *line, size_t len, const char *name, char value[64])
{
    const size_t name_len = strlen(name);
    if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':') {
        return false;
    }
    size_t first = name_len + 1;
    while (first < len && isspace((unsigned char)line[first])) {
        first++;
    }
    while (len > first && isspace((unsigned char)line[len - 1])) {
        len--;
    }
    if (len - first > 63) {
        return false;
    }
    memcpy(value, line + first, len - first);
    value[len - first] = '\0';
    return true;
}

/* Decimal digits only. */
static bool whole_number(const char *text, uint64_t *ret_number)
{
    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    char *end;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    if (*end != '\0' || errno != 0) {
        return false;
    }
    *ret_number = number;
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    char value[64];
    uint64_t number;
    if (strncasecmp(line, "HTTP/", 5) == 0) { /* of the next answer, after a 100 */
        exchange->counted = false;
        exchange->retry_after_ns = -1;
    } else if (header_value(line, size * count, "X-Prometheus-Remote-Write-Samples-Written",
                            value)) {
        exchange->counted = whole_number(value, &exchange->written);
    } else if (header_value(line, size * count, "Retry-After", value)) {
        if (whole_number(value, &number)) {
            exchange->retry_after_ns =
                number < 1000000 ? (int64_t)number * MF_NS_PER_SECOND : INT64_MAX;
        } else {
            const time_t at = curl_getdate(value, NULL);
            const int64_t now = mf_clock_wall_ns(NULL) / MF_NS_PER_SECOND;
            if (at != -1) {
                exchange->retry_after_ns = at > now ? (at - now) * MF_NS_PER_SECOND : 0;
            }
        }
    }
    return size * count;
}

/* ---- set-up ---- */

static struct curl_slist *add_header(struct curl_slist *list, const char *line, bool *ok)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    *ok = *ok && longer != NULL;
    return longer != NULL ? longer : list;
}

static struct curl_slist *headers_of(unsigned version, bool *ok)
{
    struct curl_slist *list = NULL;
    list = add_header(list, "Content-Encoding: snappy", ok);
    list = add_header(
        list,
        version == 2 ? "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request"
                     : "Content-Type: application/x-protobuf",
        ok);
    list = add_header(list,
                      version == 2 ? "X-Prometheus-Remote-Write-Version: 2.0.0"
                                   : "X-Prometheus-Remote-Write-Version: 0.1.0",
                      ok);
    return add_header(list, "Expect:", ok); /* no 100-continue round trip */
}

static void set_up(struct peer *peer)
{
    const struct mf_push_config *config = peer->config;
    CURL *curl = peer->curl;
    curl_easy_setopt(curl, CURLOPT_URL, config->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "Mayfly/" MF_VERSION_STRING);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(config->timeout_ns / MF_NS_PER_MS));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(config->timeout_ns / MF_NS_PER_MS));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, peer);
    if (config->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file);
    }
    if (config->bearer_token != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, config->bearer_token);
    } else if (config->user != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, config->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, config->password);
    }
}

/* Only http and https, with a host, without user or password; `display` is the URL up to its query.
 */
static int check_url(const char *url, char **ret_display, struct mf_errinfo *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    char *user = NULL;
    char *password = NULL;
    int rc = 0;
    if (parts == NULL) {
        return mf_fail_os(err, -ENOMEM, "remote write");
    }
    const CURLUcode code = curl_url_set(parts, CURLUPART_URL, url, 0);
    if (code != CURLUE_OK) {
        rc = mf_fail(err, MF_EVALUE, "the URL of the peer cannot be read: %s",
                     curl_url_strerror(code));
        goto out;
    }
    if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0)) {
        rc = mf_fail(err, MF_EVALUE, "the URL of the peer must begin with http:// or https://");
        goto out;
    }
    if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK ||
        curl_url_get(parts, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK) {
        rc = mf_fail(
            err, MF_EVALUE,
            "the URL of the peer has a user or password in it; give them separately, so that "
            "they do not show in process lists and logs");
        goto out;
    }
    *ret_display = mf_strndup(url, strcspn(url, "?#"));
    rc = *ret_display == NULL ? mf_fail_os(err, -ENOMEM, "remote write") : 0;
out:
    curl_free(scheme);
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(parts);
    return rc;
}

int mf__peer_new(const struct mf_push_config *config, struct peer **ret_peer,
                 struct mf_errinfo *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) { /* counted; thread-safe since 7.84 */
        return mf_fail(err, MF_EUNSUPPORTED, "libcurl does not start");
    }
    struct peer *peer = mf_calloc(1, sizeof *peer);
    if (peer == NULL) {
        curl_global_cleanup();
        return mf_fail_os(err, -ENOMEM, "remote write");
    }
    peer->config = config;
    mf_rng_seed(&peer->rng, (uint64_t)mf_clock_monotonic_ns(NULL) ^ (uint64_t)(uintptr_t)peer);
    int rc = check_url(config->url, &peer->name, err);
    if (rc == 0) {
        bool ok = true;
        peer->headers[0] = headers_of(1, &ok);
        peer->headers[1] = headers_of(2, &ok);
        peer->curl = curl_easy_init();
        if (peer->curl == NULL || !ok) {
            rc = mf_fail_os(err, -ENOMEM, "remote write");
        }
    }
    if (rc != 0) {
        mf__peer_free(peer);
        return rc;
    }
    set_up(peer);
    *ret_peer = peer;
    return 0;
}

void mf__peer_free(struct peer *peer)
{
    if (peer == NULL) {
        return;
    }
    curl_easy_cleanup(peer->curl);
    curl_slist_free_all(peer->headers[0]);
    curl_slist_free_all(peer->headers[1]);
    mf_free(peer->packed);
    mf_free(peer->name);
    mf_free(peer);
    curl_global_cleanup();
}

/* ---- requests ---- */

static int pack(struct peer *peer, const struct mf_buffer *message, size_t *ret_len,
                struct mf_errinfo *err)
{
    size_t len = snappy_max_compressed_length(message->len);
    if (len > peer->packed_capacity) {
        char *packed = mf_realloc(peer->packed, len);
        if (packed == NULL) {
            return mf_fail_os(err, -ENOMEM, "remote write: %zu bytes", len);
        }
        peer->packed = packed;
        peer->packed_capacity = len;
    }
    if (snappy_compress(message->data, message->len, peer->packed, &len) != SNAPPY_OK) {
        return mf_fail(err, MF_EVALUE,
                       "remote write: a message of %zu bytes is too large for snappy",
                       message->len);
    }
    *ret_len = len;
    return 0;
}

/* Whether a failure below HTTP may pass by itself. A wrong host name, certificate or URL does not;
 * the name of a host may only be missing for the moment. */
static bool may_pass(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
        return true;
    default:
        return false;
    }
}

/* Waits; -ECANCELED as soon as the caller wants to stop. */
static int wait_ns(const struct peer *peer, int64_t duration_ns, struct mf_errinfo *err)
{
    const int64_t end = mf_clock_monotonic_ns(NULL) + duration_ns;
    for (int64_t now; (now = mf_clock_monotonic_ns(NULL)) < end;) {
        if (cancelled(peer)) {
            return mf_fail_os(err, -ECANCELED, "%s: push stopped", peer->name);
        }
        /* A signal only ends the nap early. */
        (void)mf_clock_sleep_until_ns(end - now > NAP_NS ? now + NAP_NS : end);
    }
    return 0;
}

static int64_t backoff_ns(struct peer *peer, uint32_t attempt)
{
    const int64_t longest = peer->config->backoff_ns_max;
    int64_t wait = peer->config->backoff_ns;
    for (uint32_t i = 1; i < attempt && wait < longest; i++) {
        wait *= 2;
    }
    wait = wait < longest ? wait : longest;
    return wait / 2 + (int64_t)(mf_rng_double(&peer->rng) * (double)(wait / 2));
}

/* Sets *ret_again when the answer leaves the question open. */
static int judge(const struct peer *peer, unsigned version, size_t samples,
                 const struct exchange *exchange, struct peer_answer *answer, bool *ret_again,
                 struct mf_errinfo *err)
{
    const long status = exchange->status;
    *answer = (struct peer_answer){
        .counted = exchange->counted,
        .written = exchange->written,
    };
    memcpy(answer->text, exchange->text, sizeof answer->text);
    *ret_again = false;
    if (status >= 200 && status <= 299) {
        const bool stored = version == 1 || (exchange->counted && exchange->written >= samples);
        answer->verdict = stored ? PEER_STORED : PEER_NOT_STORED;
        return 0;
    }
    if (status == 415 && version == 2) {
        answer->verdict = PEER_NOT_STORED;
        return 0;
    }
    if (status == 400 || status == 409 || status == 422) {
        answer->verdict = PEER_REFUSED;
        return 0;
    }
    if (status == 413) {
        answer->verdict = PEER_TOO_LARGE;
        return 0;
    }
    *ret_again = status == 429 || status >= 500;
    if (status >= 300 && status <= 399) {
        return mf_fail(err, MF_EREMOTE,
                       "%s: HTTP status %ld: the peer has moved, and a redirect is not followed",
                       peer->name, status);
    }
    return mf_fail(err, MF_EREMOTE, "%s: HTTP status %ld%s%s", peer->name, status,
                   exchange->text_len > 0 ? ": " : "", exchange->text);
}

/* One HTTP exchange. *ret_again: there was no verdict, and asking again may bring one. */
static int exchange_once(struct peer *peer, unsigned version, size_t body_len, size_t samples,
                         struct exchange *exchange, struct peer_answer *answer, bool *ret_again,
                         struct mf_errinfo *err)
{
    *exchange = (struct exchange){.retry_after_ns = -1};
    curl_easy_setopt(peer->curl, CURLOPT_HTTPHEADER, peer->headers[version - 1]);
    curl_easy_setopt(peer->curl, CURLOPT_POSTFIELDS, peer->packed);
    curl_easy_setopt(peer->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_len);
    curl_easy_setopt(peer->curl, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(peer->curl, CURLOPT_HEADERDATA, exchange);
    const CURLcode code = curl_easy_perform(peer->curl);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        *ret_again = false;
        return mf_fail_os(err, -ECANCELED, "%s: push stopped", peer->name);
    }
    if (code != CURLE_OK) {
        *ret_again = may_pass(code);
        return mf_fail(err, code == CURLE_OUT_OF_MEMORY ? -ENOMEM : MF_EREMOTE, "%s: %s",
                       peer->name, curl_easy_strerror(code));
    }
    curl_easy_getinfo(peer->curl, CURLINFO_RESPONSE_CODE, &exchange->status);
    return judge(peer, version, samples, exchange, answer, ret_again, err);
}

int mf__peer_send(struct peer *peer, unsigned version, const struct mf_buffer *message,
                  size_t samples, struct peer_answer *ret_answer, struct mf_push_report *report,
                  struct mf_errinfo *err)
{
    size_t len = 0;
    int rc = pack(peer, message, &len, err);
    if (rc != 0) {
        return rc;
    }
    for (uint32_t attempt = 1;; attempt++) {
        struct exchange exchange;
        struct peer_answer answer;
        bool again;
        if (cancelled(peer)) {
            return mf_fail_os(err, -ECANCELED, "%s: push stopped", peer->name);
        }
        report->requests++;
        report->retries += attempt > 1 ? 1 : 0;
        report->body_bytes += len;
        rc = exchange_once(peer, version, len, samples, &exchange, &answer, &again, err);
        if (rc == 0) {
            *ret_answer = answer;
            return 0;
        }
        if (!again || attempt >= peer->config->attempts_max) {
            return rc;
        }
        int64_t wait = backoff_ns(peer, attempt);
        if (exchange.retry_after_ns > peer->config->backoff_ns_max) {
            return rc; /* the message has the status; the next push comes later anyway */
        }
        wait = exchange.retry_after_ns > wait ? exchange.retry_after_ns : wait;
        rc = wait_ns(peer, wait, err);
        if (rc != 0) {
            return rc;
        }
    }
}
