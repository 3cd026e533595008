/* SPDX-License-Identifier: Apache-2.0
 *
 * push_defects_test.c -- D23 of the list of defects, in its parts: the cursor before the push,
 * retries of everything, no User-Agent, locks over the exchange, nothing at the exit. */
#include "export_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* Answers with each status in turn, then with 204. */
struct script {
    int statuses[8];
    const char *headers;
    const char *body;
    char heads[8][4096];
    unsigned versions[8];
};

static void run_script(void *context, struct receiver *receiver,
                       const struct receiver_request *request, struct receiver_reply *reply)
{
    (void)receiver;
    struct script *script = context;
    if (request->number > 8) {
        return;
    }
    const int status = script->statuses[request->number - 1];
    snprintf(script->heads[request->number - 1], 4096, "%s", request->head);
    script->versions[request->number - 1] = request->version;
    if (status == -1) {
        reply->drop = true;
        reply->store = false;
    } else if (status != 0) {
        reply->status = status;
        snprintf(reply->headers, sizeof reply->headers, "%s",
                 script->headers != NULL ? script->headers : "");
        snprintf(reply->body, sizeof reply->body, "%s", script->body != NULL ? script->body : "");
    }
}

/* A store of ten seconds, closed unless `open`. */
static void make_store(struct fixture *f, bool open)
{
    struct sample_store s;
    sample_open(f, &s);
    sample_record(f, &s, 0, 10);
    if (!open) {
        fixture_close(f);
    }
}

static void d23_failed_push_leaves_the_cursor(void **state)
{
    struct fixture *f = *state;
    struct script script = {.statuses = {500, 500, 500, 500, 500}};
    struct receiver *receiver = receiver_start(run_script, &script);
    struct mf_push_config config = push_config(receiver);
    struct mf_errinfo err = {0};
    make_store(f, true);
    push_fails(f->path, &config, MF_EREMOTE, &err);
    assert_int_equal(receiver_requests(receiver), 5);
    push_ok(f->path, &config);
    assert_gauge(receiver, 0, 9); /* second 9 is not over */
    receiver_stop(receiver);
}

static void d23_failure_between_batches_leaves_no_gap(void **state)
{
    struct fixture *f = *state;
    struct script script = {.statuses = {0, 0, 503, 503}};
    struct receiver *receiver = receiver_start(run_script, &script);
    struct mf_push_config config = push_config(receiver);
    struct mf_errinfo err = {0};
    config.batch_samples_max = 2;
    config.attempts_max = 2;
    make_store(f, true);
    struct mf_push_report report = push_fails(f->path, &config, MF_EREMOTE, &err);
    assert_int_equal(report.points, 4);
    report = push_ok(f->path, &config);
    assert_int_equal(report.points, 5);
    assert_gauge(receiver, 0, 9);
    receiver_stop(receiver);
}

static void d23_server_errors_are_retried(void **state)
{
    struct fixture *f = *state;
    struct script script = {.statuses = {-1, 500, 503, 429}};
    struct receiver *receiver = receiver_start(run_script, &script);
    const struct mf_push_config config = push_config(receiver);
    make_store(f, true);
    const struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.requests, 5);
    assert_int_equal(report.retries, 4);
    assert_gauge(receiver, 0, 9);
    receiver_stop(receiver);
}

static void d23_other_4xx_are_never_retried(void **state)
{
    static const int statuses[] = {401, 403, 404, 405, 410, 301};
    struct fixture *f = *state;
    make_store(f, true);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct script script = {.statuses = {statuses[i]}, .body = "not for\nyou"};
        struct receiver *receiver = receiver_start(run_script, &script);
        const struct mf_push_config config = push_config(receiver);
        struct mf_errinfo err = {0};
        push_fails(f->path, &config, MF_EREMOTE, &err);
        assert_int_equal(receiver_requests(receiver), 1);
        char status[8];
        snprintf(status, sizeof status, "%d", statuses[i]);
        assert_non_null(strstr(err.msg, status));
        assert_non_null(strstr(err.msg, statuses[i] == 301 ? "redirect" : "not for you"));
        receiver_stop(receiver);
    }
}

static void d23_retry_after_is_honoured(void **state)
{
    struct fixture *f = *state;
    struct script script = {.statuses = {429}, .headers = "Retry-After: 1\r\n"};
    struct receiver *receiver = receiver_start(run_script, &script);
    struct mf_push_config config = push_config(receiver);
    make_store(f, true);
    const int64_t before = mf_clock_monotonic_ns(NULL);
    push_ok(f->path, &config);
    assert_true(mf_clock_monotonic_ns(NULL) - before >= SECOND);
    assert_int_equal(receiver_requests(receiver), 2);
    receiver_stop(receiver);

    /* Asked to wait longer than it may, it leaves the rest to the next push. */
    struct script long_script = {.statuses = {503}, .headers = "Retry-After: 86400\r\n"};
    struct mf_errinfo err = {0};
    receiver = receiver_start(run_script, &long_script);
    config = push_config(receiver);
    push_fails(f->path, &config, MF_EREMOTE, &err);
    assert_int_equal(receiver_requests(receiver), 1);
    receiver_stop(receiver);
}

static void d23_headers_are_as_specified(void **state)
{
    struct fixture *f = *state;
    struct script script = {.statuses = {0}};
    struct receiver *receiver = receiver_start(run_script, &script);
    struct mf_push_config config = push_config(receiver);
    config.bearer_token = "s3cret";
    make_store(f, true);
    push_ok(f->path, &config);
    const char *head = script.heads[0];
    assert_non_null(strstr(head, "POST /api/v1/write HTTP/1.1\r\n"));
    assert_non_null(strstr(head, "\r\nUser-Agent: Mayfly/" MF_VERSION_STRING "\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Encoding: snappy\r\n"));
    assert_non_null(strstr(head, "\r\nContent-Type: application/x-protobuf\r\n"));
    assert_non_null(strstr(head, "\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n"));
    assert_non_null(strstr(head, "\r\nAuthorization: Bearer s3cret\r\n"));
    receiver_stop(receiver);

    struct script second = {.statuses = {0}};
    receiver = receiver_start(run_script, &second);
    config = push_config(receiver);
    config.protocol = MF_PUSH_V2;
    config.user = "me";
    config.password = "pass";
    push_ok(f->path, &config);
    head = second.heads[0];
    assert_non_null(strstr(
        head, "\r\nContent-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"));
    assert_non_null(strstr(head, "\r\nX-Prometheus-Remote-Write-Version: 2.0.0\r\n"));
    assert_non_null(strstr(head, "\r\nAuthorization: Basic bWU6cGFzcw==\r\n"));
    receiver_stop(receiver);
}

static void secrets_are_in_no_message(void **state)
{
    struct fixture *f = *state;
    struct script script = {.statuses = {401}};
    struct receiver *receiver = receiver_start(run_script, &script);
    struct mf_push_config config = push_config(receiver);
    struct mf_errinfo err = {0};
    make_store(f, true);
    config.bearer_token = "s3cret";
    push_fails(f->path, &config, MF_EREMOTE, &err);
    assert_null(strstr(err.msg, "s3cret"));
    config.bearer_token = NULL;
    config.url = "http://me:s3cret@127.0.0.1/";
    push_fails(f->path, &config, MF_EVALUE, &err);
    assert_null(strstr(err.msg, "s3cret"));
    receiver_stop(receiver);
}

/* --- nothing is held while the peer is waited for --- */

struct slow_peer {
    sem_t asked;  /* a request has come */
    sem_t answer; /* it may be answered */
};

static void wait_for_test(void *context, struct receiver *receiver,
                          const struct receiver_request *request, struct receiver_reply *reply)
{
    (void)receiver, (void)request, (void)reply;
    struct slow_peer *slow = context;
    sem_post(&slow->asked);
    sem_wait(&slow->answer);
}

struct push_thread {
    const char *path;
    const struct mf_push_config *config;
    int rc;
};

static void *push_in_thread(void *context)
{
    struct push_thread *push = context;
    push->rc = mf_export_push(push->path, push->config, NULL, NULL);
    return NULL;
}

/* While the peer has a request and does not answer, the store does everything a writer can ask. */
static void d23_nothing_is_locked_during_an_exchange(void **state)
{
    struct fixture *f = *state;
    struct slow_peer slow;
    struct sample_store s;
    sem_init(&slow.asked, 0, 0);
    sem_init(&slow.answer, 0, 0);
    struct receiver *receiver = receiver_start(wait_for_test, &slow);
    const struct mf_push_config config = push_config(receiver);
    sample_open(f, &s);
    sample_record(f, &s, 0, 10);
    struct push_thread push = {f->path, &config, -1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_in_thread, &push), 0);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    assert_int_equal(sem_timedwait(&slow.asked, &until), 0);
    sample_record(f, &s, 10, 20);
    fixture_series(f, MF_GAUGE, "another");
    assert_int_equal(mf_metrics_tick(f->store, T0 + 20 * SECOND), 0);
    assert_true(mf_metrics_consolidate(f->store) >= 0);
    assert_int_equal(mf_metrics_sync(f->store, NULL), 0);
    sem_post(&slow.answer);
    pthread_join(thread, NULL);
    assert_int_equal(push.rc, 0);
    assert_gauge(receiver, 0, 9);
    receiver_stop(receiver);
    sem_destroy(&slow.asked);
    sem_destroy(&slow.answer);
}

/* --- the end of a store --- */

static void d23_short_life_is_exported_whole_after_close(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    const struct mf_push_config config = push_config(receiver);
    struct sample_store s;
    sample_open(f, &s);
    sample_record(f, &s, 0, 5);
    fixture_close(f);
    struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.points, 5);
    assert_int_equal(report.finished, 1);
    assert_int_equal(receiver_count(receiver), 5);
    /* The last second was not over: it has the store's own time. */
    assert_non_null(receiver_find(receiver, "g{job=\"vm\"}", T0_MS + 4 * 1000 + 250));
    report = push_ok(f->path, &config);
    assert_int_equal(report.requests, 0);
    receiver_stop(receiver);
}

static void d23_writer_that_was_killed_is_exported_whole(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    const struct mf_push_config config = push_config(receiver);
    const pid_t child = fork();
    if (child == 0) {
        struct sample_store s;
        sample_open(f, &s);
        sample_record(f, &s, 0, 5);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    const struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.points, 5);
    assert_int_equal(report.finished, 1);
    assert_int_equal(receiver_count(receiver), 5);
    receiver_stop(receiver);
}

/* A store that is opened again goes on where it was, although its open slot was sent. */
static void open_slot_goes_on_after_a_flush(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(receiver_strict, NULL);
    struct mf_push_config config = push_config(receiver);
    struct sample_store s;
    config.selector = NULL;
    sample_open(f, &s);
    sample_record(f, &s, 0, 5);
    fixture_close(f);
    push_ok(f->path, &config);
    const struct received_sample *count =
        receiver_find(receiver, "h_seconds_count", T0_MS + 4 * 1000 + 250);
    assert_non_null(count);
    assert_double(count->value, 5, 0);
    sample_open(f, &s);
    fixture_record(f, s.gauge, 44, T0 + 4 * SECOND + SECOND / 2);
    fixture_record(f, s.histogram, 44, T0 + 4 * SECOND + SECOND / 2);
    sample_record(f, &s, 5, 7);
    const struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.refused, 0);
    const struct received_sample *sample =
        receiver_find(receiver, "g{job=\"vm\"}", T0_MS + 5 * 1000);
    assert_non_null(sample);
    assert_double(sample->value, 44, 0);
    count = receiver_find(receiver, "h_seconds_count", T0_MS + 5 * 1000);
    assert_non_null(count);
    assert_double(count->value, 6, 0);
    receiver_stop(receiver);
}

/* --- what a peer refuses --- */

static void refuse_odd(void *context, struct receiver *receiver,
                       const struct receiver_request *request, struct receiver_reply *reply)
{
    (void)context, (void)receiver;
    for (size_t i = 0; i < request->sample_count; i++) {
        if (request->samples[i].time_ms == T0_MS + 4000) {
            reply->status = 400;
            snprintf(reply->body, sizeof reply->body, "the number 4 is unlucky");
        }
    }
}

static void bad_sample_is_isolated_and_counted(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(refuse_odd, NULL);
    struct mf_push_config config = push_config(receiver);
    config.selector = NULL;
    make_store(f, true);
    const struct mf_push_report report = push_ok(f->path, &config);
    assert_true(report.refused > 2);
    assert_non_null(strstr(report.refused_reason, "unlucky"));
    assert_true(report.refused_series[0] != '\0');
    assert_int_equal(receiver_count_of(receiver, "g{job=\"vm\"}"), 8);
    assert_int_equal(receiver_count_of(receiver, "c_total"), 8);
    assert_int_equal(report.samples, receiver_count(receiver));
    receiver_stop(receiver);
}

static void refuse_large(void *context, struct receiver *receiver,
                         const struct receiver_request *request, struct receiver_reply *reply)
{
    (void)context, (void)receiver;
    if (request->sample_count > 3) {
        reply->status = 413;
    }
}

static void too_large_is_divided(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(refuse_large, NULL);
    const struct mf_push_config config = push_config(receiver);
    make_store(f, true);
    const struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.refused, 0);
    assert_gauge(receiver, 0, 9);
    receiver_stop(receiver);
}

/* --- remote write 2.0 and peers that do not know it --- */

struct old_peer {
    int status; /* of answers to 2.0 */
    bool counted;
    long written;
    unsigned v2_requests;
};

static void only_knows_v1(void *context, struct receiver *receiver,
                          const struct receiver_request *request, struct receiver_reply *reply)
{
    (void)receiver;
    struct old_peer *peer = context;
    if (request->version == 2) {
        peer->v2_requests++;
        reply->status = peer->status;
        reply->store = false;
        reply->counted = peer->counted;
        reply->written = peer->written;
    }
}

static void silently_dropped_v2_is_sent_again_as_v1(void **state)
{
    static const struct old_peer peers[] = {
        {204, false, -1, 0}, /* as Prometheus 2.42 */
        {204, true, 0, 0},   {204, true, 3, 0}, {200, false, -1, 0}, {415, false, -1, 0},
    };
    struct fixture *f = *state;
    make_store(f, true);
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        struct old_peer peer = peers[i];
        struct receiver *receiver = receiver_start(only_knows_v1, &peer);
        struct mf_push_config config = push_config(receiver);
        config.protocol = MF_PUSH_AUTO;
        struct mf_push_report report = push_ok(f->path, &config);
        assert_int_equal(report.fell_back, 1);
        assert_int_equal(report.protocol, 1);
        assert_int_equal(report.refused, 0);
        assert_int_equal(peer.v2_requests, 1);
        assert_gauge(receiver, 0, 9);
        /* Another pusher reads in the cursor that this peer knows 1.0 only. */
        config.selector = NULL;
        report = push_ok(f->path, &config);
        assert_true(report.requests > 0);
        assert_int_equal(peer.v2_requests, 1);
        assert_int_equal(report.fell_back, 0);
        receiver_stop(receiver);
        char cursor[512];
        cursor_file(f->path, cursor);
        assert_int_equal(unlink(cursor), 0);
    }
}

static void v2_that_is_demanded_does_not_fall_back(void **state)
{
    struct fixture *f = *state;
    struct old_peer peer = {.status = 204};
    struct receiver *receiver = receiver_start(only_knows_v1, &peer);
    struct mf_push_config config = push_config(receiver);
    struct mf_errinfo err = {0};
    config.protocol = MF_PUSH_V2;
    make_store(f, true);
    push_fails(f->path, &config, MF_EREMOTE, &err);
    assert_non_null(strstr(err.msg, "does not store remote write 2.0"));
    assert_int_equal(receiver_count(receiver), 0);
    receiver_stop(receiver);
}

static void v2_is_kept_with_a_peer_that_knows_it(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(NULL, NULL);
    struct mf_push_config config = push_config(receiver);
    config.protocol = MF_PUSH_AUTO;
    make_store(f, true);
    const struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.protocol, 2);
    assert_int_equal(report.requests, 1);
    assert_gauge(receiver, 0, 9);
    receiver_stop(receiver);
}

static void takes_a_part(void *context, struct receiver *receiver,
                         const struct receiver_request *request, struct receiver_reply *reply)
{
    (void)context, (void)receiver;
    reply->status = 400;
    reply->written = (long)request->sample_count - 2;
    snprintf(reply->body, sizeof reply->body, "two of them are bad");
}

static void v2_partial_write_is_final(void **state)
{
    struct fixture *f = *state;
    struct receiver *receiver = receiver_start(takes_a_part, NULL);
    struct mf_push_config config = push_config(receiver);
    config.protocol = MF_PUSH_AUTO;
    make_store(f, true);
    const struct mf_push_report report = push_ok(f->path, &config);
    assert_int_equal(report.requests, 1);
    assert_int_equal(report.refused, 2);
    assert_int_equal(report.samples, 7);
    receiver_stop(receiver);
}

static void slow_peer_times_out_and_is_asked_again(void **state)
{
    struct fixture *f = *state;
    struct slow_peer slow;
    sem_init(&slow.asked, 0, 0);
    sem_init(&slow.answer, 0, 0);
    struct receiver *receiver = receiver_start(wait_for_test, &slow);
    struct mf_push_config config = push_config(receiver);
    struct mf_errinfo err = {0};
    config.timeout_ns = 100 * MF_NS_PER_MS;
    config.attempts_max = 2;
    make_store(f, true);
    const struct mf_push_report report = push_fails(f->path, &config, MF_EREMOTE, &err);
    assert_int_equal(report.requests, 2);
    sem_post(&slow.answer);
    sem_post(&slow.answer);
    sem_post(&slow.answer);
    receiver_stop(receiver);
    sem_destroy(&slow.asked);
    sem_destroy(&slow.answer);
}

static bool is_set(void *context)
{
    return atomic_load((atomic_bool *)context);
}

static void set_and_fail(void *context, struct receiver *receiver,
                         const struct receiver_request *request, struct receiver_reply *reply)
{
    (void)receiver, (void)request;
    atomic_store((atomic_bool *)context, true);
    reply->status = 503;
}

static void cancellation_ends_a_push(void **state)
{
    struct fixture *f = *state;
    atomic_bool stop = false;
    struct receiver *receiver = receiver_start(set_and_fail, &stop);
    struct mf_push_config config = push_config(receiver);
    struct mf_errinfo err = {0};
    config.backoff_ns = 3600 * SECOND;
    config.backoff_ns_max = 3600 * SECOND;
    config.cancelled = is_set;
    config.cancelled_context = &stop;
    make_store(f, true);
    push_fails(f->path, &config, -ECANCELED, &err);
    assert_int_equal(receiver_requests(receiver), 1);
    receiver_stop(receiver);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(d23_failed_push_leaves_the_cursor),
        TEST(d23_failure_between_batches_leaves_no_gap),
        TEST(d23_server_errors_are_retried),
        TEST(d23_other_4xx_are_never_retried),
        TEST(d23_retry_after_is_honoured),
        TEST(d23_headers_are_as_specified),
        TEST(d23_nothing_is_locked_during_an_exchange),
        TEST(d23_short_life_is_exported_whole_after_close),
        TEST(d23_writer_that_was_killed_is_exported_whole),
        TEST(open_slot_goes_on_after_a_flush),
        TEST(secrets_are_in_no_message),
        TEST(bad_sample_is_isolated_and_counted),
        TEST(too_large_is_divided),
        TEST(silently_dropped_v2_is_sent_again_as_v1),
        TEST(v2_that_is_demanded_does_not_fall_back),
        TEST(v2_is_kept_with_a_peer_that_knows_it),
        TEST(v2_partial_write_is_final),
        TEST(slow_peer_times_out_and_is_asked_again),
        TEST(cancellation_ends_a_push),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
