/* SPDX-License-Identifier: Apache-2.0
 * reclog_scan.h -- walking over a record file: shared by the reader and by recovery. */
#ifndef RECLOG_SCAN_H
#define RECLOG_SCAN_H

#include "os/file.h"
#include "reclog_format.h"

struct reclog_scan {
    struct mf_file *file; /* borrowed */
    bool zeros_are_new;   /* a header that is not whole, and then only zeros: a log in the making */
    struct reclog_header header;
    uint64_t at;           /* where the next record starts */
    uint64_t next_seq;     /* 0: unknown, after a jump */
    uint32_t previous_crc; /* valid when next_seq is */
    uint64_t durable_seq;  /* the highest that a record seen so far attests */

    uint8_t *window; /* a piece of the file, from window_offset on */
    size_t window_capacity;
    size_t window_len;
    uint64_t window_offset;
};

void mf__reclog_scan_init(struct reclog_scan *scan, struct mf_file *file);
void mf__reclog_scan_fini(struct reclog_scan *scan); /* does not close the file */

/* Reads the header: its state, or a negative code. When it is good the scan starts at the first
 * record. */
int mf__reclog_scan_header(struct reclog_scan *scan, struct mf_errinfo *err);
void mf__reclog_scan_rewind(struct reclog_scan *scan);
/* Continues at `offset` with whatever record is there. */
void mf__reclog_scan_jump(struct reclog_scan *scan, uint64_t offset);

enum reclog_step {
    RECLOG_STEP_END = 0, /* no byte here, or only zeros where a record would start */
    RECLOG_STEP_RECORD = 1,
    RECLOG_STEP_BAD = 2 /* something that is not the next record, or not all of it */
};
/* Looks at the next record, in the file as it is now, and moves behind it when it is good. Marks
 * are taken in on the way. *ret_payload is valid until the next call. Negative: the read failed. */
int mf__reclog_scan_next(struct reclog_scan *scan, struct reclog_frame *ret_frame,
                         uint64_t *ret_offset, const uint8_t **ret_payload, struct mf_errinfo *err);

struct reclog_rest {
    bool all_zero;         /* nothing but zeros up to the end of the file */
    bool undecided;        /* the search was given up: too many bytes that look like records */
    uint64_t records;      /* that are whole in themselves */
    uint64_t first_offset; /* of these */
    uint64_t first_seq;
    uint64_t durable_seq; /* the highest that they attest */
};
/* Looks through [from, size) for records without regard to the chain; `next_seq` is the one that
 * should be at `from`, 0 when that is not known. `first_only`: stops at the first. Leaves scan->at
 * alone. */
int mf__reclog_scan_rest(struct reclog_scan *scan, uint64_t from, uint64_t size, uint64_t next_seq,
                         bool first_only, struct reclog_rest *ret_rest, struct mf_errinfo *err);
/* What `rest` says of the bad place before it: whether a record there is known to have been
 * durable. */
bool mf__reclog_rest_is_corrupt(const struct reclog_rest *rest, uint64_t next_seq);

#endif
