/* SPDX-License-Identifier: Apache-2.0
 * reclog_reader.c -- reading a record file, also while it is written. */
#include "reclog_scan.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <inttypes.h>
#include <mayfly/reclog.h>

/* While a writer is at work, an unreadable place is most likely its record on the way. Only when so
 * much has been written behind it is it looked at more closely. */
#define SUSPICION_BYTES (UINT64_C(1) << 20)

struct mf_reclog_reader {
    struct mf_file *file;
    struct reclog_scan scan;
    bool header_good;
    uint64_t judged_at;   /* the place that was judged last while a writer was at work */
    uint64_t judged_size; /* and the size of the file then */
};

static int header_failure(const struct mf_reclog_reader *reader, int state, struct mf_errinfo *err)
{
    const char *path = mf_file_path(reader->file);
    if (state == RECLOG_HEADER_FOREIGN) {
        return mf_fail(err, MF_EFORMAT, "%.200s is not a record file; name another file", path);
    }
    if (state == RECLOG_HEADER_DAMAGED) {
        return mf_fail(
            err, MF_ECORRUPT,
            "%.200s: the header at offset 0 fails its checksum; restore the file from a copy",
            path);
    }
    return state;
}

/* Reads the header if that has not been done: 0, or a negative code; reader->header_good says more.
 */
static int read_header(struct mf_reclog_reader *reader, struct mf_errinfo *err)
{
    int state = mf__reclog_scan_header(&reader->scan, err);
    if (state == RECLOG_HEADER_GOOD && reader->scan.header.version != RECLOG_VERSION) {
        return mf_fail(err, MF_EVERSION,
                       "%.200s has format version %" PRIu32
                       ", this build reads %d; use a newer build",
                       mf_file_path(reader->file), reader->scan.header.version, RECLOG_VERSION);
    }
    reader->header_good = state == RECLOG_HEADER_GOOD;
    return state == RECLOG_HEADER_UNFINISHED ? 0 : header_failure(reader, state, err);
}

int mf_reclog_reader_open(const char *path, const struct mf_env *env,
                          struct mf_reclog_reader **ret_reader, struct mf_errinfo *err)
{
    struct mf_reclog_reader *reader = mf_calloc(1, sizeof *reader);
    if (reader == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot open %.200s", path);
    }
    const struct mf_fs *fs = env != NULL ? env->fs : NULL;
    int code = mf_file_open(fs, path, MF_OPEN_READ, &reader->file, err);
    if (code < 0) {
        mf_free(reader);
        return code;
    }
    mf__reclog_scan_init(&reader->scan, reader->file);
    reader->scan.zeros_are_new = true;
    code = read_header(reader, err);
    if (code < 0) {
        mf_reclog_reader_close(reader);
        return code;
    }
    *ret_reader = reader;
    return 0;
}

void mf_reclog_reader_close(struct mf_reclog_reader *reader)
{
    if (reader != NULL) {
        mf__reclog_scan_fini(&reader->scan);
        mf_file_close(reader->file);
        mf_free(reader);
    }
}

static int damaged(const struct mf_reclog_reader *reader, const struct reclog_rest *rest,
                   uint64_t size, struct mf_errinfo *err)
{
    const struct reclog_scan *scan = &reader->scan;
    if (mf__reclog_rest_is_corrupt(rest, scan->next_seq)) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.160s: record %" PRIu64 " at offset %" PRIu64
                       " is damaged, although it was on disk; %" PRIu64
                       " whole records follow; restore the file from a copy",
                       mf_file_path(reader->file), scan->next_seq, scan->at, rest->records);
    }
    return mf_fail(err, MF_ETORN,
                   "%.160s: the last %" PRIu64 " bytes, from offset %" PRIu64
                   ", are an incomplete record of a writer that died (%" PRIu64
                   " whole records follow); opening the file for appending removes them",
                   mf_file_path(reader->file), size - scan->at, scan->at, rest->records);
}

static int file_size(struct mf_reclog_reader *reader, uint64_t *ret_size, struct mf_errinfo *err)
{
    struct mf_file_info info;
    int code = mf_file_info(reader->file, &info, err);
    if (code == 0) {
        *ret_size = info.size_bytes;
    }
    return code;
}

/* What to say when the next record is not there or not good. `alive`: a writer has the file. */
static int judge(struct mf_reclog_reader *reader, bool alive, struct mf_errinfo *err)
{
    struct reclog_scan *scan = &reader->scan;
    uint64_t size = 0;
    int code = file_size(reader, &size, err);
    if (code < 0 || size <= scan->at) {
        return code;
    }
    if (alive) {
        if (reader->judged_at != scan->at) {
            reader->judged_at = scan->at;
            reader->judged_size = scan->at;
        }
        if (size - reader->judged_size < SUSPICION_BYTES) {
            return 0;
        }
        reader->judged_size = size;
    }
    struct reclog_rest rest;
    code = mf__reclog_scan_rest(scan, scan->at, size, scan->next_seq, false, &rest, err);
    if (code < 0) {
        return code;
    }
    if (rest.all_zero || (alive && !mf__reclog_rest_is_corrupt(&rest, scan->next_seq))) {
        return 0;
    }
    return damaged(reader, &rest, size, err);
}

int mf_reclog_next(struct mf_reclog_reader *reader, struct mf_reclog_record *ret_record,
                   struct mf_errinfo *err)
{
    /* A writer that is seen to be gone may have completed the record just before; so what was found
     * while it was there counts for nothing, and there is a second look. */
    for (bool alive = true;;) {
        int code = reader->header_good ? 0 : read_header(reader, err);
        if (code < 0) {
            return code;
        }
        struct reclog_frame frame;
        const uint8_t *payload = NULL;
        uint64_t offset = 0;
        int step = RECLOG_STEP_END;
        if (reader->header_good) {
            step = mf__reclog_scan_next(&reader->scan, &frame, &offset, &payload, err);
        }
        if (step < 0) {
            return step;
        }
        if (step == RECLOG_STEP_RECORD) {
            *ret_record = (struct mf_reclog_record){.seq = frame.seq,
                                                    .offset = offset,
                                                    .payload = payload,
                                                    .len = frame.len,
                                                    .type = frame.type};
            return 1;
        }
        if (!alive) {
            return judge(reader, false, err);
        }
        uint64_t size = 0;
        code = file_size(reader, &size, err);
        if (code < 0 || size <= reader->scan.at) {
            return code;
        }
        int locked = mf_file_is_locked(reader->file, err);
        if (locked != 0) {
            return locked < 0 ? locked : judge(reader, true, err);
        }
        alive = false;
    }
}

int mf_reclog_reader_skip(struct mf_reclog_reader *reader, uint64_t *ret_skipped_bytes,
                          struct mf_errinfo *err)
{
    struct reclog_scan *scan = &reader->scan;
    uint64_t size = 0;
    struct reclog_rest rest = {0};
    int code = file_size(reader, &size, err);
    if (code < 0 || !reader->header_good || size <= scan->at) {
        return code;
    }
    code = mf__reclog_scan_rest(scan, scan->at, size, scan->next_seq, true, &rest, err);
    if (code < 0 || rest.records == 0) {
        return code;
    }
    if (ret_skipped_bytes != NULL) {
        *ret_skipped_bytes = rest.first_offset - scan->at;
    }
    mf__reclog_scan_jump(scan, rest.first_offset);
    return 1;
}

int mf_reclog_reader_seek(struct mf_reclog_reader *reader, uint64_t offset, struct mf_errinfo *err)
{
    uint64_t size = 0;
    int code = file_size(reader, &size, err);
    if (code < 0) {
        return code;
    }
    if (offset < RECLOG_HEADER_LEN || offset % RECLOG_ALIGNMENT != 0 || offset > size) {
        return mf_fail(err, MF_EVALUE,
                       "%.200s: no record starts at offset %" PRIu64
                       "; use the offset of a record that was read",
                       mf_file_path(reader->file), offset);
    }
    if (offset != reader->scan.at) {
        mf__reclog_scan_jump(&reader->scan, offset);
    }
    return 0;
}

void mf_reclog_reader_rewind(struct mf_reclog_reader *reader)
{
    if (reader->header_good) {
        mf__reclog_scan_rewind(&reader->scan);
    }
}

uint64_t mf_reclog_reader_offset(const struct mf_reclog_reader *reader)
{
    return reader->header_good ? reader->scan.at : RECLOG_HEADER_LEN;
}

uint64_t mf_reclog_reader_durable_seq(const struct mf_reclog_reader *reader)
{
    return reader->header_good ? reader->scan.durable_seq : 0;
}

uint32_t mf_reclog_reader_kind(const struct mf_reclog_reader *reader)
{
    return reader->header_good ? reader->scan.header.kind : 0;
}

uint64_t mf_reclog_reader_first_seq(const struct mf_reclog_reader *reader)
{
    return reader->header_good ? reader->scan.header.first_seq : 0;
}

int64_t mf_reclog_reader_created_wall_ns(const struct mf_reclog_reader *reader)
{
    return reader->header_good ? reader->scan.header.created_wall_ns : 0;
}
