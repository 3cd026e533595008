/* SPDX-License-Identifier: Apache-2.0
 *
 * push_batch.c -- one batch to one peer, until each sample is stored or refused for good.
 *
 * The batch is a line of samples, series after series, each ascending in time. A range of it that
 * the peer refuses as a whole is divided, between series first, then within one, until what it
 * refuses is a single sample; that one is left out and counted with the peer's words. The pieces go
 * in order, so that nothing becomes out of order by being sent late.
 *
 * A peer says "out of order", "duplicate", "out of bounds" or "too old" of the oldest sample of a
 * series when it says it of any. So of a range within one series the first sample is left out
 * without asking, and the rest tried again: that is how a push whose cursor was lost finds the
 * place where the peer's data ends. What is out of bounds at one time is so at all times before, in
 * every series.
 */
#include "pusher.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIECES_MAX 128 /* 2 x log2 of any number of samples */

struct piece {
    size_t first;
    size_t end;
};

struct sending {
    struct mf_pusher *pusher;
    const struct wire_batch *batch;
    struct mf_push_report *report;
    struct piece pieces[PIECES_MAX]; /* still to be sent, the next one last */
    size_t piece_count;
    bool bounded;     /* something was out of bounds: */
    int64_t bound_ms; /* the newest time of it */
};

static void put_piece(struct sending *s, size_t first, size_t end)
{
    if (first < end) {
        s->pieces[s->piece_count++] = (struct piece){first, end};
    }
}

/* Notes the first refusal and counts all. */
static void refuse(struct sending *s, size_t index, uint64_t count, const char *reason)
{
    struct mf_push_report *report = s->report;
    if (report->refused_reason[0] == '\0') {
        struct mf_buffer name = MF_BUFFER_INIT;
        mf__wire_batch_describe(s->batch, mf__wire_batch_series_of(s->batch, index), &name);
        snprintf(report->refused_series, sizeof report->refused_series, "%s",
                 name.failed ? "" : name.data);
        snprintf(report->refused_reason, sizeof report->refused_reason, "%s",
                 reason[0] != '\0' ? reason : "no reason given");
        mf_buffer_free(&name);
    }
    report->refused += count;
}

static bool is_about_age(const char *reason)
{
    static const char *const phrases[] = {"out of order", "out of bounds", "out-of-order",
                                          "too old",      "duplicate",     "older than"};
    for (size_t i = 0; i < MF_ARRAY_LEN(phrases); i++) {
        if (strcasestr(reason, phrases[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Where to divide [first, end): between two series, as near to the middle as their ends are; within
 * one series in the middle. */
static size_t division(const struct wire_batch *batch, struct piece piece)
{
    const size_t middle = piece.first + (piece.end - piece.first) / 2;
    const struct wire_series *series = &batch->series[mf__wire_batch_series_of(batch, middle)];
    if (series->sample_first > piece.first) {
        return series->sample_first;
    }
    const size_t series_end = series->sample_first + series->sample_count;
    return series_end < piece.end ? series_end : middle;
}

static bool within_one_series(const struct wire_batch *batch, struct piece piece)
{
    return mf__wire_batch_series_of(batch, piece.first) ==
           mf__wire_batch_series_of(batch, piece.end - 1);
}

static void on_refused(struct sending *s, struct piece piece, const struct peer_answer *answer)
{
    const size_t samples = piece.end - piece.first;
    if (answer->counted && answer->written > 0 && answer->written < samples) {
        /* Partly stored, and the rest is not wanted: there is nothing to repeat. */
        s->report->samples += answer->written;
        refuse(s, piece.first, samples - answer->written, answer->text);
        return;
    }
    const bool one_series = within_one_series(s->batch, piece);
    const bool old = one_series && is_about_age(answer->text);
    if (samples > 1 && !old) {
        const size_t at = division(s->batch, piece);
        put_piece(s, at, piece.end);
        put_piece(s, piece.first, at);
        return;
    }
    refuse(s, piece.first, 1, answer->text);
    const int64_t time_ms = s->batch->samples[piece.first].time_ms;
    if (old && strcasestr(answer->text, "out of bounds") != NULL &&
        (!s->bounded || time_ms > s->bound_ms)) {
        s->bounded = true;
        s->bound_ms = time_ms;
    }
    put_piece(s, piece.first + 1, piece.end);
}

static int on_not_stored(struct sending *s, struct piece piece, const struct peer_answer *answer,
                         struct mf_errinfo *err)
{
    struct mf_pusher *pusher = s->pusher;
    if (pusher->config.protocol == MF_PUSH_V2 || pusher->v1_only) {
        return mf_fail(err, MF_EREMOTE, "%s: does not store remote write %s%s%s",
                       mf__peer_name(pusher->peer), pusher->v1_only ? "1.0" : "2.0",
                       answer->text[0] != '\0' ? ": " : "", answer->text);
    }
    pusher->v1_only = true;
    s->report->fell_back = 1;
    put_piece(s, piece.first, piece.end);
    return 0;
}

static int send_piece(struct sending *s, struct piece piece, struct mf_errinfo *err)
{
    struct mf_pusher *pusher = s->pusher;
    const unsigned version = pusher->config.protocol == MF_PUSH_V1 || pusher->v1_only ? 1 : 2;
    struct peer_answer answer;
    mf_buffer_clear(&pusher->message);
    int rc = version == 1 ? mf__wire_encode_v1(s->batch, piece.first, piece.end, &pusher->message)
                          : mf__wire_encode_v2(s->batch, piece.first, piece.end, &pusher->message);
    if (rc != 0) {
        return mf_fail_os(err, rc, "%s", mf__peer_name(pusher->peer));
    }
    const size_t samples = piece.end - piece.first;
    s->report->protocol = version;
    rc = mf__peer_send(pusher->peer, version, &pusher->message, samples, &answer, s->report, err);
    if (rc != 0) {
        return rc;
    }
    switch (answer.verdict) {
    case PEER_STORED:
        s->report->samples += samples;
        return 0;
    case PEER_NOT_STORED:
        return on_not_stored(s, piece, &answer, err);
    case PEER_TOO_LARGE:
        if (samples == 1) {
            return mf_fail(err, MF_EREMOTE, "%s: finds a message with a single sample too large",
                           mf__peer_name(pusher->peer));
        }
        pusher->batch_samples_max = samples / 2;
        put_piece(s, piece.first + samples / 2, piece.end);
        put_piece(s, piece.first, piece.first + samples / 2);
        return 0;
    case PEER_REFUSED:
        on_refused(s, piece, &answer);
        return 0;
    }
    return 0;
}

int mf__push_batch(struct mf_pusher *pusher, struct mf_push_report *report, struct mf_errinfo *err)
{
    struct sending s = {.pusher = pusher, .batch = &pusher->batch, .report = report};
    if (s.batch->failed) {
        return mf_fail_os(err, -ENOMEM, "%s", mf__peer_name(pusher->peer));
    }
    put_piece(&s, 0, s.batch->sample_count);
    while (s.piece_count > 0) {
        struct piece piece = s.pieces[--s.piece_count];
        while (s.bounded && piece.first < piece.end && within_one_series(s.batch, piece) &&
               s.batch->samples[piece.first].time_ms <= s.bound_ms) {
            refuse(&s, piece.first, 1, report->refused_reason);
            piece.first++;
        }
        if (piece.first == piece.end) {
            continue;
        }
        int rc = send_piece(&s, piece, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
