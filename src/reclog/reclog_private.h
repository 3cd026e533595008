/* SPDX-License-Identifier: Apache-2.0
 * reclog_private.h -- a log opened for appending; the essay is in reclog.c. */
#ifndef RECLOG_PRIVATE_H
#define RECLOG_PRIVATE_H

#include "os/file.h"
#include "os/thread.h"
#include "reclog_format.h"

#include <mayfly/reclog.h>

struct mf_reclog {
    /* Set at open. */
    struct mf_file *file;
    struct mf_reclog_options options; /* defaults filled in */
    struct mf_observer observer;
    struct reclog_header header;
    struct mf_reclog_info recovery; /* created, recovered, cut_* */
    bool write_through;             /* no record waits in memory once append returns */

    struct mf_mutex lock;       /* guards what follows */
    struct mf_condition synced; /* a sync ended */
    struct mf_condition work;   /* for the thread: there is something to wait for, or stop */
    uint8_t *buffer;            /* whole records that are not in the file yet */
    size_t buffer_len;
    size_t buffer_capacity;
    uint64_t end;          /* of the records in the file; the buffer goes here */
    uint64_t reserved_end; /* of the file, when it was reserved ahead, or written with zeros */
    bool tail_dirty;       /* the file may have bytes of a failed write beyond `end` */
    uint64_t next_seq;
    uint32_t last_crc;
    uint64_t flushed_seq;
    uint64_t durable_seq;
    uint64_t attested_seq;  /* the highest durable_seq that stands in a record */
    uint64_t unproven_from; /* [from, to) of the file was found at open and may be clean in */
    uint64_t unproven_to;   /* the page cache without being on disk; the first sync rewrites it */
    uint64_t syncs;
    bool syncing;              /* some thread is in fdatasync, without the lock */
    int poison;                /* code of the failed sync, or 0 */
    int64_t waiting_since_ns;  /* monotonic: the oldest record in the buffer; 0: none */
    int64_t unsynced_since_ns; /* monotonic: the oldest record that is not durable; 0: none */
    bool stopping;

    bool has_thread;
    struct mf_thread thread;
};

/* reclog_open.c: makes the file, or finds the end of its records and cuts what follows. Fills the
 * file part of `log`, whose options and observer are set. */
int mf__reclog_load(struct mf_reclog *log, const char *path, const struct mf_env *env,
                    struct mf_errinfo *err);
/* Writes [unproven_from, unproven_to) over itself, so that the next sync covers it. */
int mf__reclog_rewrite(struct mf_reclog *log, struct mf_errinfo *err);

#endif
