/* SPDX-License-Identifier: Apache-2.0
 *
 * reclog.h -- crash-safe append-only record files.
 *
 * A log is one file. One process appends, any number read at the same time with read permission
 * only. A record is a type (0 .. 255, the caller's), a sequence number (first, first + 1, ...) and
 * a payload.
 *
 *     struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
 *     options.durability = MF_RECLOG_SYNC;
 *     mf_reclog_open("journal", &options, NULL, &log, &err);
 *     mf_reclog_append(log, 1, "hello", 5, &seq, &err);      returns when it is on disk
 *     mf_reclog_close(log, &err);
 *
 * What is lost, of the records whose append has returned 0:
 *
 *     durability  a record is then       SIGKILL takes        a power cut takes
 *     NONE        in memory              what is not flushed  what is not synced
 *     PAGE        in the page cache (1)  nothing (1)          what is not synced
 *     INTERVAL    in the page cache (1)  nothing (1)          the last sync_interval_ns
 *     SYNC        on disk                nothing              nothing
 *
 *     (1) With flush_delay_ns it may still be in memory for that long, and SIGKILL takes it.
 *
 * mf_reclog_flush() and mf_reclog_sync() can be called in every mode and make everything appended
 * before safe against SIGKILL or against a power cut. After any crash the log holds the records up
 * to some point in the order of their sequence numbers: never a gap, never a half record.
 *
 * Thread words: [any-thread] safe at any time from any thread; [owner-thread] one thread at a time
 * (the caller sees to it).
 */
#ifndef MAYFLY_RECLOG_H
#define MAYFLY_RECLOG_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mf_reclog;        /* a log opened for appending */
struct mf_reclog_reader; /* a log opened for reading */

#define MF_RECLOG_PAYLOAD_MAX (64u << 20)
#define MF_RECLOG_ALL         UINT64_MAX /* for mf_reclog_sync(): everything appended so far */

enum mf_reclog_durability {
    MF_RECLOG_PAGE = 0,
    MF_RECLOG_NONE = 1,
    MF_RECLOG_INTERVAL = 2,
    MF_RECLOG_SYNC = 3
};

enum mf_reclog_flags {
    MF_RECLOG_PREWRITE = 1, /* with reserve_bytes: the room is written with zeros, which makes syncs
                               cheaper still, and stays at close. A file of zeros is taken for a new
                               log, so that it can be prepared by somebody else */
    MF_RECLOG_PROVE = 2     /* open makes what it found durable, also in NONE and PAGE */
};

struct mf_reclog_options {
    uint32_t size;                        /* sizeof this struct */
    enum mf_reclog_durability durability; /* see above */
    int64_t flush_delay_ns; /* PAGE, INTERVAL: records may wait this long in memory, so that many go
                               out in one write(); 0: each append writes its record */
    int64_t sync_interval_ns; /* INTERVAL: how long a record may stay without a sync; 0: 1 s */
    uint32_t buffer_bytes;    /* how many bytes may wait in memory; 0: 64 KiB */
    uint32_t kind;          /* the caller's tag for the file; another one is MF_EMISMATCH; 0: any */
    uint64_t reserve_bytes; /* the file grows in steps of this size, reserved on disk and cut back
                               at close: syncs get cheaper. 0: it grows by what is written */
    uint64_t first_seq;     /* of a new log; 0: 1 */
    uint64_t expect_seq;    /* known from elsewhere to be durable: a log that ends before it is
                               MF_ECORRUPT; 0: nothing is known */
    uint64_t flags;         /* enum mf_reclog_flags */
    uint64_t reserved[3];   /* zero */
};
#define MF_RECLOG_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(struct mf_reclog_options), MF_RECLOG_PAGE, 0, 0, 0, 0, 0, 0, 0, 0,                  \
        {                                                                                          \
            0, 0, 0                                                                                \
        }                                                                                          \
    }

struct mf_reclog_info {
    uint32_t kind;
    bool created;            /* by this open */
    bool poisoned;           /* a sync has failed */
    uint64_t first_seq;      /* of the log */
    uint64_t last_seq;       /* appended; first_seq - 1 while the log is empty */
    uint64_t flushed_seq;    /* safe against SIGKILL up to here */
    uint64_t durable_seq;    /* safe against a power cut up to here, as far as is known */
    uint64_t size_bytes;     /* header and records, with those that still wait in memory */
    uint64_t syncs;          /* done since open */
    int64_t created_wall_ns; /* when the file was made */
    uint64_t recovered;      /* records found at open */
    uint64_t cut_bytes;      /* of a torn tail, removed at open */
    uint64_t cut_records;    /* whole records among them, which followed an incomplete one */
    bool closed;             /* open found it closed in order, or empty */
};

/* ---- appending ---- */

/* Opens the log `path` for appending and locks it; creates it when absent (the directory must
 * exist). A torn tail of a crash is removed and reported in mf_reclog_info(). options, env:
 * [borrow] for the call, may be NULL; env's members must outlive the log. Errors: MF_ELOCKED
 * (another writer), MF_ECORRUPT (a record that is known to have been durable is damaged; the file
 * is left as it is; the message names the offset), MF_EFORMAT (not a log), MF_EVERSION,
 * MF_EMISMATCH (other kind), MF_EVALUE (bad options), -ENOSPC, -errno. [any-thread] */
MF_API MF_MUST_CHECK int mf_reclog_open(const char *path, const struct mf_reclog_options *options,
                                        const struct mf_env *env, struct mf_reclog **ret_log,
                                        struct mf_errinfo *err);

struct mf_reclog_part {
    const void *bytes;
    size_t len;
};

/* Appends one record. payload: [copy], at most MF_RECLOG_PAYLOAD_MAX bytes (MF_ELIMIT), may be NULL
 * when len is 0. ret_seq may be NULL. Appends of one thread are in order; those of several get
 * their order here. On success the record is as safe as the durability says. On failure: -ENOSPC,
 * -ENOMEM, -EIO ... nothing was appended; earlier records are as they were; try again later.
 *   MF_EPOISONED   a sync failed, now or before. With SYNC the record may or may not be there after
 * the next open. Close the log and open it again. [any-thread] */
MF_API MF_MUST_CHECK int mf_reclog_append(struct mf_reclog *log, uint8_t type, const void *payload,
                                          size_t len, uint64_t *ret_seq, struct mf_errinfo *err);

/* The same; the payload is the parts one after the other. */
MF_API MF_MUST_CHECK int mf_reclog_append_parts(struct mf_reclog *log, uint8_t type,
                                                const struct mf_reclog_part *parts, size_t count,
                                                uint64_t *ret_seq, struct mf_errinfo *err);

/* Hands everything appended so far to the kernel: it then survives a SIGKILL of this process. After
 * a failure (disk full) what could not be written stays in memory and the next call tries again.
 * [any-thread] */
MF_API MF_MUST_CHECK int mf_reclog_flush(struct mf_reclog *log, struct mf_errinfo *err);

/* Waits until every record up to `seq` is on disk; MF_RECLOG_ALL means the last one appended.
 * Threads that wait at the same time share one sync. Records beyond mf_reclog_info().durable_seq
 * are not known to be durable after MF_EPOISONED. [any-thread] */
MF_API MF_MUST_CHECK int mf_reclog_sync(struct mf_reclog *log, uint64_t seq,
                                        struct mf_errinfo *err);

/* Takes back the records that wait in memory, after a flush or a sync that could not write them:
 * they are not in the log, and no crash brings them back. Those already handed to the kernel are
 * made durable. mf_reclog_info().last_seq says where the log ends then. MF_EPOISONED: it is not
 * known. [any-thread] */
MF_API MF_MUST_CHECK int mf_reclog_discard(struct mf_reclog *log, struct mf_errinfo *err);

/* A view of the log as it is now. [any-thread] */
MF_API void mf_reclog_info(struct mf_reclog *log, struct mf_reclog_info *ret_info);

/* Flushes (with SYNC and INTERVAL: syncs), unlocks and frees. NULL is allowed. A failure means that
 * records were lost or may be (the message says how many); the log is freed all the same.
 * No other call on the log may run or follow. [owner-thread] */
MF_API int mf_reclog_close(struct mf_reclog *log, struct mf_errinfo *err);

/* ---- reading ---- */

struct mf_reclog_record {
    uint64_t seq;
    uint64_t offset;     /* of the record in the file, for mf_reclog_reader_seek() */
    const void *payload; /* [borrow] until the next call on the reader; 8-byte aligned */
    size_t len;
    uint8_t type;
};

/* Opens the log `path` for reading, at its first record; needs read permission only. A log that is
 * just being created reads as empty. env: as above. Errors: -ENOENT, MF_EFORMAT, MF_EVERSION,
 * MF_ECORRUPT (header), -errno. [any-thread] */
MF_API MF_MUST_CHECK int mf_reclog_reader_open(const char *path, const struct mf_env *env,
                                               struct mf_reclog_reader **ret_reader,
                                               struct mf_errinfo *err);

/* The next record:
 *   1            *ret_record is filled
 *   0            the end so far; call again later to follow a writer
 *   MF_ETORN     the file ends in an incomplete record and nobody is writing. What precedes it is
 * all that the log holds: the next open for appending removes it MF_ECORRUPT  a record is damaged
 * that is known to have been durable other        -EIO, -ENOMEM ... After MF_ETORN and MF_ECORRUPT
 * the reader stays where it is; err names the file and the offset. [owner-thread] */
MF_API MF_MUST_CHECK int mf_reclog_next(struct mf_reclog_reader *reader,
                                        struct mf_reclog_record *ret_record,
                                        struct mf_errinfo *err);

/* After MF_ETORN or MF_ECORRUPT: moves to the next record that is whole in itself, so that what is
 * left of a damaged log can be read. 1 when there is one, 0 when there is none (the reader stays).
 * *ret_skipped_bytes may be NULL. [owner-thread] */
MF_API MF_MUST_CHECK int mf_reclog_reader_skip(struct mf_reclog_reader *reader,
                                               uint64_t *ret_skipped_bytes, struct mf_errinfo *err);

/* Continues at `offset`: that of a record seen before, or an earlier mf_reclog_reader_offset().
 * MF_EVALUE when no record can start there. [owner-thread] */
MF_API MF_MUST_CHECK int mf_reclog_reader_seek(struct mf_reclog_reader *reader, uint64_t offset,
                                               struct mf_errinfo *err);
MF_API void mf_reclog_reader_rewind(struct mf_reclog_reader *reader);
/* Where the next record starts or will start, in bytes from the beginning of the file. */
MF_API uint64_t mf_reclog_reader_offset(const struct mf_reclog_reader *reader);
/* Up to here the records read so far, and what stands between them, say that they are on disk. */
MF_API uint64_t mf_reclog_reader_durable_seq(const struct mf_reclog_reader *reader);
/* The file's tag (0 while the header is not written yet) and the time of its creation. */
MF_API uint32_t mf_reclog_reader_kind(const struct mf_reclog_reader *reader);
MF_API uint64_t mf_reclog_reader_first_seq(const struct mf_reclog_reader *reader);
MF_API int64_t mf_reclog_reader_created_wall_ns(const struct mf_reclog_reader *reader);
MF_API void mf_reclog_reader_close(struct mf_reclog_reader *reader); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
