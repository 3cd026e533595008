/* SPDX-License-Identifier: Apache-2.0
 * reclog_open.c -- making a record file, and finding its end again after whatever happened to it.
 */
#include "base/bytes.h"
#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/random.h"
#include "reclog_private.h"
#include "reclog_scan.h"

#include <errno.h>
#include <inttypes.h>

/* A new file: first its name is made durable, then its header, and only then can a record be
 * written. So a whole header says that the name is durable, and a file with records has a whole
 * header. */
static int create(struct mf_reclog *log, const struct mf_env *env, struct mf_errinfo *err)
{
    log->header = (struct reclog_header){
        .version = RECLOG_VERSION,
        .kind = log->options.kind,
        .first_seq = log->options.first_seq,
        .created_wall_ns = mf_clock_wall_ns(env != NULL ? env->clock : NULL),
    };
    int code = mf_random_bytes(&log->header.salt, sizeof log->header.salt, err);
    if (code < 0) {
        return code;
    }
    uint8_t bytes[RECLOG_HEADER_LEN];
    mf__reclog_header_put(bytes, &log->header);
    struct mf_file_info info;
    code = mf_file_info(log->file, &info, err);
    bool stays = (log->options.flags & MF_RECLOG_PREWRITE) != 0;
    if (code == 0 && info.size_bytes > RECLOG_HEADER_LEN && stays) {
        log->reserved_end = info.size_bytes;        /* zeros, as the header's scan has seen */
    } else if (code == 0 && info.size_bytes != 0) { /* ext4 writes a truncated file out at close */
        code = mf_file_truncate(log->file, 0, err);
    }
    if (code == 0) {
        code = mf_fs_sync_parent(env != NULL ? env->fs : NULL, mf_file_path(log->file), err);
    }
    if (code == 0) {
        code = mf_file_write(log->file, bytes, sizeof bytes, 0, err);
    }
    if (code == 0) {
        code = mf_file_sync(log->file, err);
    }
    log->recovery.created = true;
    log->end = RECLOG_HEADER_LEN;
    log->next_seq = log->header.first_seq;
    log->last_crc = log->header.crc;
    log->durable_seq = log->next_seq - 1;
    return code;
}

static int check_header(const struct mf_reclog *log, int state, struct mf_errinfo *err)
{
    const char *path = mf_file_path(log->file);
    const struct reclog_header *header = &log->header;
    if (state == RECLOG_HEADER_FOREIGN) {
        return mf_fail(err, MF_EFORMAT,
                       "%.200s is not a record file and is left alone; name another file", path);
    }
    if (state == RECLOG_HEADER_DAMAGED) {
        return mf_fail(
            err, MF_ECORRUPT,
            "%.200s: the header at offset 0 fails its checksum; restore the file from a copy, "
            "or move it away",
            path);
    }
    if (header->version != RECLOG_VERSION) {
        return mf_fail(err, MF_EVERSION,
                       "%.200s has format version %" PRIu32
                       ", this build writes %d; use a newer build",
                       path, header->version, RECLOG_VERSION);
    }
    if (log->options.kind != 0 && header->kind != log->options.kind) {
        return mf_fail(err, MF_EMISMATCH,
                       "%.200s holds records of kind %" PRIu32 ", not %" PRIu32
                       "; name another file",
                       path, header->kind, log->options.kind);
    }
    return 0;
}

/* Where the tail that no record attests as durable begins, or a little before it. Known exactly
 * when a record follows a synced one: it begins behind that one, with the mark that may stand
 * there. Otherwise a record can be the lower bound once a later one attests it, so a candidate is
 * kept. */
struct attested {
    uint64_t offset;
    uint64_t candidate_offset;
    uint64_t candidate_seq;
    uint64_t last_end; /* of the last record, marks not counted */
};

static void note_attested(struct attested *attested, const struct reclog_frame *frame,
                          uint64_t offset)
{
    uint64_t bound = frame->durable_seq + 1 == frame->seq ? attested->last_end : 0;
    if (frame->durable_seq >= attested->candidate_seq) {
        bound = attested->candidate_offset > bound ? attested->candidate_offset : bound;
        attested->candidate_offset = offset;
        attested->candidate_seq = frame->seq;
    }
    attested->offset = bound > attested->offset ? bound : attested->offset;
    attested->last_end = offset + mf__reclog_total(frame->len);
}

/* Reads every record up to the end or to the first bad place; the code of the last step. */
static int read_records(struct mf_reclog *log, struct reclog_scan *scan, struct attested *attested,
                        struct mf_errinfo *err)
{
    for (;;) {
        struct reclog_frame frame;
        const uint8_t *payload = NULL;
        uint64_t offset = 0;
        int step = mf__reclog_scan_next(scan, &frame, &offset, &payload, err);
        if (step != RECLOG_STEP_RECORD) {
            return step;
        }
        note_attested(attested, &frame, offset);
        log->recovery.recovered++;
    }
}

static int refuse(const struct mf_reclog *log, const struct reclog_scan *scan,
                  const struct reclog_rest *rest, struct mf_errinfo *err)
{
    return mf_fail(
        err, MF_ECORRUPT,
        "%.140s: record %" PRIu64 " at offset %" PRIu64
        " is damaged, although it was on disk; %" PRIu64
        " whole records follow; the file is left as it is: restore it from a copy, or move it "
        "away and read the rest of it",
        mf_file_path(log->file), scan->next_seq, scan->at, rest->records);
}

/* What follows the last good record: room that was reserved, the torn end of a crash, or a reason
 * not to touch the file. *ret_stays: the room can be used. */
static int judge_tail(struct mf_reclog *log, struct reclog_scan *scan, uint64_t size,
                      bool *ret_stays, struct mf_errinfo *err)
{
    struct reclog_rest rest;
    int code = mf__reclog_scan_rest(scan, scan->at, size, scan->next_seq, false, &rest, err);
    if (code == 0 && mf__reclog_rest_is_corrupt(&rest, scan->next_seq)) {
        code = refuse(log, scan, &rest, err);
    }
    if (code == 0 && !rest.all_zero) {
        log->recovery.cut_bytes = size - scan->at;
        log->recovery.cut_records = rest.records;
    }
    *ret_stays = code == 0 && rest.all_zero && (log->options.flags & MF_RECLOG_PREWRITE) != 0;
    return code;
}

static int recover(struct mf_reclog *log, struct reclog_scan *scan, struct mf_errinfo *err)
{
    struct mf_file_info info;
    struct attested attested = {RECLOG_HEADER_LEN, RECLOG_HEADER_LEN, log->header.first_seq,
                                RECLOG_HEADER_LEN};
    int code = read_records(log, scan, &attested, err);
    if (code >= 0) {
        code = mf_file_info(log->file, &info, err);
    }
    bool stays = false;
    if (code == 0 && info.size_bytes > scan->at) {
        code = judge_tail(log, scan, info.size_bytes, &stays, err);
    }
    if (code < 0) {
        return code;
    }
    if (scan->next_seq - 1 < log->options.expect_seq) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.160s ends with record %" PRIu64 " at offset %" PRIu64
                       ", but record %" PRIu64 " was on disk; restore the file from a copy",
                       mf_file_path(log->file), scan->next_seq - 1, scan->at,
                       log->options.expect_seq);
    }
    if (stays) {
        log->reserved_end = info.size_bytes;
    } else if (info.size_bytes > scan->at) {
        /* Durably, before anything else: what is cut must not come back behind a new record. */
        code = mf_file_truncate(log->file, scan->at, err);
        if (code == 0) {
            code = mf_file_sync(log->file, err);
        }
    }
    log->end = scan->at;
    log->next_seq = scan->next_seq;
    log->last_crc = scan->previous_crc;
    log->durable_seq = scan->durable_seq;
    bool header_proven = log->durable_seq >= log->header.first_seq;
    bool all_proven = log->durable_seq + 1 == log->next_seq;
    log->recovery.closed = all_proven;
    log->unproven_from = !header_proven ? 0 : all_proven ? attested.last_end : attested.offset;
    log->unproven_to = log->end;
    return code;
}

int mf__reclog_rewrite(struct mf_reclog *log, struct mf_errinfo *err)
{
    enum { CHUNK = 65536 };
    uint8_t *chunk = mf_malloc(CHUNK);
    if (chunk == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot sync %.200s", mf_file_path(log->file));
    }
    int code = 0;
    while (code == 0 && log->unproven_from < log->unproven_to) {
        uint64_t left = log->unproven_to - log->unproven_from;
        size_t got = 0;
        code = mf_file_read(log->file, chunk, left < CHUNK ? (size_t)left : CHUNK,
                            log->unproven_from, &got, err);
        if (code == 0 && got == 0) {
            code =
                mf_fail(err, MF_ECORRUPT,
                        "%.200s was cut at offset %" PRIu64 " by somebody else while it was open",
                        mf_file_path(log->file), log->unproven_from);
        }
        if (code == 0) {
            code = mf_file_write(log->file, chunk, got, log->unproven_from, err);
        }
        log->unproven_from += code == 0 ? got : 0;
    }
    mf_free(chunk);
    return code;
}

int mf__reclog_load(struct mf_reclog *log, const char *path, const struct mf_env *env,
                    struct mf_errinfo *err)
{
    int code = mf_file_open(env != NULL ? env->fs : NULL, path,
                            MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_NOFOLLOW,
                            &log->file, err);
    if (code == 0) {
        code = mf_file_lock(log->file, err);
    }
    if (code < 0) {
        return code;
    }
    if ((log->options.flags & MF_RECLOG_PROVE) != 0) {
        mf_file_forget(log->file); /* what is found is to be what the disk has */
    }
    struct reclog_scan scan;
    mf__reclog_scan_init(&scan, log->file);
    scan.zeros_are_new = (log->options.flags & MF_RECLOG_PREWRITE) != 0;
    code = mf__reclog_scan_header(&scan, err);
    if (code == RECLOG_HEADER_UNFINISHED) {
        code = create(log, env, err);
    } else if (code >= 0) {
        log->header = scan.header;
        code = check_header(log, code, err);
        if (code == 0) {
            code = recover(log, &scan, err);
        }
    }
    mf__reclog_scan_fini(&scan);
    log->flushed_seq = log->next_seq - 1;
    log->attested_seq = log->durable_seq;
    return code;
}
