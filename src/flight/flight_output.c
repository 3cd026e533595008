/* SPDX-License-Identifier: Apache-2.0
 * flight_output.c -- the cursor over what the command wrote (docs/formats.md, output.log and
 * output.tail0/1), by chunks as they arrived and by lines.
 *
 * The recorder keeps the beginning in output.log and, beyond half of the limit, the end in two
 * tails that it fills by turns. A cursor reads the log, then the older tail, then the newer. On a
 * running flight a tail may be emptied and begun anew at any time: it is a new file then, known by
 * the time of its creation. So whenever the cursor has nothing more to read it looks at the tails
 * again, goes on in a file that it knows where it stood, and begins with one that it does not know.
 * Offsets decide what is new: bytes before the next offset of their stream were returned already,
 * bytes beyond it come after a gap.
 */
#include <mayfly/flight.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <mayfly/reclog.h>
#include <string.h>

#define HEADER_LEN   24
#define LINE_LEN_MAX ((size_t)1 << 20)
#define PART_COUNT   3 /* the log and the tails */

static const char *const part_names[PART_COUNT] = {"output.log", "output.tail0", "output.tail1"};

/* One of the files. */
struct part {
    struct mf_reclog_reader *reader; /* NULL: not there (yet) */
    int64_t created_ns;
    int64_t first_ns; /* t_ns of its first record; -1: it has none yet */
    bool begun;       /* the cursor has been in it */
    bool hopeless;    /* nothing whole follows a damaged place */
};

/* The beginning of a line whose end has not come yet. */
struct pending {
    struct mf_buffer text;
    int64_t t_ns;
    uint64_t gap_bytes;
    bool open; /* there is one, perhaps still without bytes but with a gap */
};

struct mf_flight_output {
    char *dir;
    struct part parts[PART_COUNT];
    unsigned current;
    uint64_t next_offset[MF_STREAMS];
    struct mf_flight_chunk chunk; /* being split into lines: what is left of it */
    struct pending pending[MF_STREAMS];
    bool clear_pending; /* pending[cleared] was returned by the last call */
    unsigned cleared;
};

/* ---- files ---- */

static void close_part(struct part *part)
{
    mf_reclog_reader_close(part->reader);
    *part = (struct part){.first_ns = -1};
}

/* Opens the part when it is there; a log of another process that is just being made is not. */
static int open_part(const struct mf_flight_output *output, unsigned index, struct part *ret_part,
                     struct mf_errinfo *err)
{
    struct part part = {.first_ns = -1};
    char *path = mf_asprintf("%s/%s", output->dir, part_names[index]);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    int rc = mf_reclog_reader_open(path, NULL, &part.reader, err);
    mf_free(path);
    if (rc == -ENOENT) {
        *ret_part = part;
        return 0;
    }
    if (rc < 0) {
        return rc;
    }
    part.created_ns = mf_reclog_reader_created_wall_ns(part.reader);
    *ret_part = part;
    return 0;
}

/* Learns when the part begins; its reader stays at the first record. */
static void learn_beginning(struct part *part)
{
    struct mf_reclog_record record;
    if (part->reader != NULL && part->first_ns < 0 &&
        mf_reclog_next(part->reader, &record, NULL) == 1) {
        if (record.len > HEADER_LEN) {
            part->first_ns = (int64_t)mf_load_u64((const uint8_t *)record.payload + 8);
        }
        mf_reclog_reader_rewind(part->reader);
    }
}

/* Looks at the tails again: those begun anew replace what was known. */
static int look_at_tails(struct mf_flight_output *output, struct mf_errinfo *err)
{
    for (unsigned i = 1; i < PART_COUNT; i++) {
        struct part *known = &output->parts[i];
        struct part found = {.first_ns = -1};
        const int rc = open_part(output, i, &found, err);
        if (rc < 0) {
            return rc;
        }
        if (found.reader == NULL ||
            (known->reader != NULL && known->created_ns == found.created_ns)) {
            close_part(&found);
        } else {
            close_part(known);
            *known = found;
        }
        if (known->first_ns < 0) {
            learn_beginning(known);
        }
    }
    return 0;
}

/* The part to read after the current one: the older of the tails that the cursor has not been in. 0
 * when there is none. */
static unsigned part_after(const struct mf_flight_output *output)
{
    unsigned best = 0;
    for (unsigned i = 1; i < PART_COUNT; i++) {
        const struct part *part = &output->parts[i];
        if (!part->begun && part->first_ns >= 0 &&
            (best == 0 || part->first_ns < output->parts[best].first_ns)) {
            best = i;
        }
    }
    return best;
}

int mf_flight_output_open(const char *dir, struct mf_flight_output **ret_output,
                          struct mf_errinfo *err)
{
    struct mf_flight_output *output = mf_calloc(1, sizeof *output);
    int rc = -ENOMEM;
    if (output != NULL) {
        for (unsigned i = 0; i < PART_COUNT; i++) {
            output->parts[i].first_ns = -1;
        }
        output->dir = mf_strdup(dir);
        rc = output->dir != NULL ? 0 : -ENOMEM;
    }
    if (rc < 0) {
        mf_flight_output_close(output);
        return mf_fail(err, rc, "out of memory");
    }
    rc = open_part(output, 0, &output->parts[0], err);
    if (rc < 0) {
        mf_flight_output_close(output);
        return rc;
    }
    *ret_output = output;
    return 0;
}

void mf_flight_output_close(struct mf_flight_output *output)
{
    if (output == NULL) {
        return;
    }
    for (unsigned i = 0; i < PART_COUNT; i++) {
        close_part(&output->parts[i]);
    }
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        mf_buffer_free(&output->pending[i].text);
    }
    mf_free(output->dir);
    mf_free(output);
}

/* ---- chunks ---- */

/* The next record of the current part: 1, 0 at its end so far, or a code. */
static int next_in_part(struct mf_flight_output *output, struct mf_reclog_record *ret_record,
                        struct mf_errinfo *err)
{
    struct part *part = &output->parts[output->current];
    int rc = 0;
    if (part->reader == NULL) {
        rc = output->current == 0 ? open_part(output, 0, part, err) : 0;
        if (rc < 0 || part->reader == NULL) {
            return rc;
        }
    }
    if (part->hopeless) {
        return 0;
    }
    rc = mf_reclog_next(part->reader, ret_record, err);
    if (rc == MF_ETORN || rc == MF_ECORRUPT) {
        /* Also behind a torn place whole records may follow, as after a power cut. */
        const int skipped = mf_reclog_reader_skip(part->reader, NULL, NULL);
        part->hopeless = skipped <= 0;
        if (rc == MF_ETORN && skipped == 0) {
            return 0;
        }
        rc = MF_ECORRUPT;
        if (err != NULL) {
            err->code = rc;
        }
    }
    return rc;
}

/* The next record of any part: 1, 0 at the end so far, or a code. */
static int next_record(struct mf_flight_output *output, struct mf_reclog_record *ret_record,
                       struct mf_errinfo *err)
{
    for (;;) {
        int rc = next_in_part(output, ret_record, err);
        if (rc != 0) {
            return rc;
        }
        rc = look_at_tails(output, err);
        if (rc < 0) {
            return rc;
        }
        const unsigned next = part_after(output);
        if (next == 0) {
            return 0;
        }
        /* The recorder has moved on, so this part grows no more; but it may have grown meanwhile.
         */
        rc = next_in_part(output, ret_record, err);
        if (rc != 0) {
            return rc;
        }
        output->current = next;
        output->parts[next].begun = true;
    }
}

/* Reads the header of a record; false when it is none. */
static bool read_header(const struct mf_reclog_record *record, struct mf_flight_chunk *ret_chunk)
{
    const uint8_t *bytes = record->payload;
    if (record->len <= HEADER_LEN || bytes[0] != 1 || bytes[1] >= MF_STREAMS) {
        return false;
    }
    const uint64_t t_ns = mf_load_u64(bytes + 8);
    const uint64_t offset = mf_load_u64(bytes + 16);
    const size_t len = record->len - HEADER_LEN;
    if (t_ns > INT64_MAX || offset > UINT64_MAX - len) {
        return false;
    }
    *ret_chunk = (struct mf_flight_chunk){
        .t_ns = (int64_t)t_ns,
        .stream = (enum mf_flight_stream)bytes[1],
        .offset = offset,
        .bytes = bytes + HEADER_LEN,
        .len = len,
    };
    return true;
}

int mf_flight_output_next(struct mf_flight_output *output, struct mf_flight_chunk *ret_chunk,
                          struct mf_errinfo *err)
{
    for (;;) {
        struct mf_reclog_record record;
        const int rc = next_record(output, &record, err);
        if (rc <= 0) {
            return rc;
        }
        struct mf_flight_chunk chunk;
        if (!read_header(&record, &chunk)) {
            return mf_fail(err, MF_ECORRUPT, "%.250s/%s: the record at byte %llu is not output",
                           output->dir, part_names[output->current],
                           (unsigned long long)record.offset);
        }
        uint64_t *next_offset = &output->next_offset[chunk.stream];
        if (chunk.offset + chunk.len <= *next_offset) {
            continue; /* returned before */
        }
        if (chunk.offset < *next_offset) {
            const size_t seen = (size_t)(*next_offset - chunk.offset);
            chunk.bytes += seen;
            chunk.len -= seen;
            chunk.offset += seen;
        }
        chunk.gap_bytes = chunk.offset - *next_offset;
        *next_offset = chunk.offset + chunk.len;
        *ret_chunk = chunk;
        return 1;
    }
}

/* ---- lines ---- */

static void begin_pending(struct pending *pending, const struct mf_flight_chunk *chunk)
{
    if (!pending->open) {
        pending->open = true;
        pending->t_ns = chunk->t_ns;
        pending->gap_bytes = chunk->gap_bytes;
    }
}

static int give_pending(struct mf_flight_output *output, unsigned stream, bool complete,
                        struct mf_flight_line *ret_line, struct mf_errinfo *err)
{
    const struct pending *pending = &output->pending[stream];
    if (pending->text.failed) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    *ret_line = (struct mf_flight_line){
        .t_ns = pending->t_ns,
        .stream = (enum mf_flight_stream)stream,
        .gap_bytes = pending->gap_bytes,
        .text = pending->text.data != NULL ? pending->text.data : "",
        .len = pending->text.len,
        .complete = complete,
    };
    output->clear_pending = true;
    output->cleared = stream;
    return 1;
}

static void forget_given(struct mf_flight_output *output)
{
    if (output->clear_pending) {
        struct pending *pending = &output->pending[output->cleared];
        mf_buffer_clear(&pending->text);
        pending->open = false;
        output->clear_pending = false;
    }
}

/* Takes `len` bytes of the chunk off, and its gap with them. */
static void consume(struct mf_flight_chunk *chunk, size_t len)
{
    chunk->bytes += len;
    chunk->len -= len;
    chunk->offset += len;
    chunk->gap_bytes = 0;
}

/* A line out of the current chunk: 1, or 0 when the chunk is used up. */
static int split(struct mf_flight_output *output, struct mf_flight_line *ret_line,
                 struct mf_errinfo *err)
{
    struct mf_flight_chunk *chunk = &output->chunk;
    if (chunk->len == 0) {
        return 0;
    }
    struct pending *pending = &output->pending[chunk->stream];
    if (pending->open && pending->text.len > 0 && chunk->gap_bytes > 0) {
        return give_pending(output, chunk->stream, false, ret_line, err);
    }
    begin_pending(pending, chunk);
    const size_t room = LINE_LEN_MAX - pending->text.len;
    const size_t looked_at = chunk->len < room ? chunk->len : room;
    const uint8_t *newline = memchr(chunk->bytes, '\n', looked_at);
    const size_t len = newline != NULL ? (size_t)(newline - chunk->bytes) : looked_at;
    mf_buffer_append(&pending->text, chunk->bytes, len);
    consume(chunk, len + (newline != NULL));
    if (newline != NULL) {
        return give_pending(output, chunk->stream, true, ret_line, err);
    }
    return pending->text.len == LINE_LEN_MAX
               ? give_pending(output, chunk->stream, false, ret_line, err)
               : 0;
}

int mf_flight_output_next_line(struct mf_flight_output *output, struct mf_flight_line *ret_line,
                               struct mf_errinfo *err)
{
    forget_given(output);
    for (;;) {
        int rc = split(output, ret_line, err);
        if (rc != 0) {
            return rc;
        }
        rc = mf_flight_output_next(output, &output->chunk, err);
        if (rc <= 0) {
            return rc;
        }
    }
}

int mf_flight_output_last_line(struct mf_flight_output *output, struct mf_flight_line *ret_line,
                               struct mf_errinfo *err)
{
    forget_given(output);
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        if (output->pending[i].open && output->pending[i].text.len > 0) {
            return give_pending(output, i, false, ret_line, err);
        }
    }
    return 0;
}
