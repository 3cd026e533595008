/* SPDX-License-Identifier: Apache-2.0
 *
 * output_writer.c -- see output_writer.h; the format is in docs/formats.md.
 *
 * A flood keeps its head and its tail: after half of the limit output goes into two tail files in
 * turn, of a quarter each, and the older one is emptied when the newer is full. So at any moment,
 * also after a SIGKILL, between a quarter and a half of the limit of the newest output is there.
 * The readers see the gap by the offsets in the streams.
 *
 * One mutex: appends of two streams are seldom at the same time, and short.
 */
#include "output_writer.h"

#include "base/bytes.h"
#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"
#include "os/thread.h"

#include <errno.h>
#include <mayfly/reclog.h>
#include <stdio.h>
#include <string.h>

#define OUTPUT_KIND 0x54554F4Du /* the log's tag, "MOUT" */
#define HEADER_LEN  24
#define TAILS       2
#define LIMIT_MIN   65536

struct segment {
    struct mf_reclog *log; /* NULL: not open */
    uint64_t bytes;        /* of output in it */
    uint64_t of_stream[MF_STREAMS];
};

struct mf_output_writer {
    struct mf_mutex mutex;
    struct mf_env env;
    char *dir;
    uint64_t limit_bytes;
    struct segment head;
    struct segment tails[TAILS];
    int tail;    /* the one being written; -1: still in the head */
    int limited; /* stream that began the tail; -1 */
    int64_t last_ns;
    struct mf_flight_stream_totals totals[MF_STREAMS];
};

static int open_segment(const struct mf_output_writer *output, const char *name,
                        struct segment *segment, struct mf_errinfo *err)
{
    char *path = mf_asprintf("%s/%s", output->dir, name);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the name of %.200s", name);
    }
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.kind = OUTPUT_KIND;
    memset(segment, 0, sizeof *segment);
    const int ret = mf_reclog_open(path, &options, &output->env, &segment->log, err);
    mf_free(path);
    return ret;
}

static void close_segment(struct segment *segment)
{
    if (segment->log != NULL) {
        /* Every record was written when it was appended, or counted as lost. */
        (void)mf_reclog_close(segment->log, NULL);
        segment->log = NULL;
    }
}

int mf__output_open(const char *dir, uint64_t limit_bytes, const struct mf_env *env,
                    struct mf_output_writer **ret_output, struct mf_errinfo *err)
{
    struct mf_output_writer *output = mf_calloc(1, sizeof *output);
    if (output == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the output log");
    }
    output->env = env != NULL ? *env : (struct mf_env){0};
    output->limit_bytes = limit_bytes > LIMIT_MIN ? limit_bytes : LIMIT_MIN;
    output->tail = output->limited = -1;
    output->last_ns = -1;
    output->dir = mf_strdup(dir);
    int ret = output->dir == NULL ? mf_fail(err, -ENOMEM, "no memory for the output log")
                                  : open_segment(output, "output.log", &output->head, err);
    if (ret < 0) {
        mf_free(output->dir);
        mf_free(output);
        return ret;
    }
    mf_mutex_init(&output->mutex);
    *ret_output = output;
    return 0;
}

/* Empties the other tail file and goes on there. */
static void switch_tail(struct mf_output_writer *output)
{
    const int next = output->tail == 0 ? 1 : 0;
    struct segment *segment = &output->tails[next];
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        output->totals[i].lost_bytes += segment->of_stream[i];
    }
    close_segment(segment);
    char name[] = "output.tail0";
    name[sizeof name - 2] = (char)('0' + next);
    char *path = mf_asprintf("%s/%s", output->dir, name);
    if (path != NULL) {
        (void)mf_fs_unlink(output->env.fs, path, NULL);
        mf_free(path);
    }
    if (open_segment(output, name, segment, NULL) < 0) {
        memset(segment, 0,
               sizeof *segment); /* what follows is lost, and the next try is here again */
    }
    output->tail = next;
}

/* Where the next bytes go, and how many of them fit; at least one does. */
static struct segment *segment_for(struct mf_output_writer *output, enum mf_flight_stream stream,
                                   uint64_t *ret_room)
{
    if (output->tail < 0) {
        if (output->head.bytes < output->limit_bytes / 2) {
            *ret_room = output->limit_bytes / 2 - output->head.bytes;
            return &output->head;
        }
        output->limited = (int)stream;
        switch_tail(output);
    } else if (output->tails[output->tail].bytes >= output->limit_bytes / 4) {
        switch_tail(output);
    }
    struct segment *segment = &output->tails[output->tail];
    *ret_room = output->limit_bytes / 4 - segment->bytes;
    return segment;
}

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < len; i++) {
        lines += bytes[i] == '\n';
    }
    return lines;
}

void mf__output_append(struct mf_output_writer *output, enum mf_flight_stream stream, int64_t t_ns,
                       const void *bytes, size_t len)
{
    uint8_t header[HEADER_LEN] = {1, (uint8_t)stream};
    const char *at = bytes;
    const uint64_t lines = count_lines(bytes, len);
    mf_mutex_lock(&output->mutex);
    struct mf_flight_stream_totals *totals = &output->totals[stream];
    while (len > 0) {
        /* Times rise from record to record, so that the first ones tell which tail is the newer:
         * two threads may come here in another order than they looked at the clock. */
        t_ns = t_ns > output->last_ns ? t_ns : output->last_ns + 1;
        output->last_ns = t_ns;
        mf_store_u64(header + 8, (uint64_t)t_ns);
        uint64_t room = 0;
        struct segment *segment = segment_for(output, stream, &room);
        const size_t piece = len < room ? len : (size_t)room;
        const struct mf_reclog_part parts[] = {{header, sizeof header}, {at, piece}};
        mf_store_u64(header + 16, totals->bytes);
        if (segment->log != NULL &&
            mf_reclog_append_parts(segment->log, 0, parts, MF_ARRAY_LEN(parts), NULL, NULL) == 0) {
            segment->bytes += piece;
            segment->of_stream[stream] += piece;
        } else {
            totals->lost_bytes += piece;
        }
        totals->bytes += piece;
        at += piece;
        len -= piece;
    }
    totals->lines += lines;
    mf_mutex_unlock(&output->mutex);
}

void mf__output_totals(struct mf_output_writer *output, struct mf_flight_stream_totals *ret_totals)
{
    mf_mutex_lock(&output->mutex);
    memcpy(ret_totals, output->totals, sizeof output->totals);
    mf_mutex_unlock(&output->mutex);
}

int64_t mf__output_last_ns(struct mf_output_writer *output)
{
    mf_mutex_lock(&output->mutex);
    const int64_t last_ns = output->last_ns;
    mf_mutex_unlock(&output->mutex);
    return last_ns;
}

int mf__output_limited(struct mf_output_writer *output)
{
    mf_mutex_lock(&output->mutex);
    const int limited = output->limited;
    mf_mutex_unlock(&output->mutex);
    return limited;
}

void mf__output_close(struct mf_output_writer *output, struct mf_flight_stream_totals *ret_totals)
{
    close_segment(&output->head);
    for (int i = 0; i < TAILS; i++) {
        close_segment(&output->tails[i]);
    }
    memcpy(ret_totals, output->totals, sizeof output->totals);
    mf_mutex_fini(&output->mutex);
    mf_free(output->dir);
    mf_free(output);
}
