/* SPDX-License-Identifier: Apache-2.0
 * reclog_format.h -- the bytes of a record file; docs/formats.md has the same in words. */
#ifndef RECLOG_FORMAT_H
#define RECLOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECLOG_VERSION     1
#define RECLOG_HEADER_LEN  64u
#define RECLOG_FRAME_LEN   32u /* before the payload */
#define RECLOG_FLAG_MARK   1u  /* no record: only says what is durable */
#define RECLOG_ALIGNMENT   8u
#define RECLOG_PAYLOAD_MAX (64u << 20)

struct reclog_header {
    uint32_t version;
    uint32_t kind;
    uint64_t salt;
    uint64_t first_seq;
    int64_t created_wall_ns;
    uint32_t crc; /* of the header; the seed of every record's, and what the first one follows */
};

enum reclog_header_state {
    RECLOG_HEADER_GOOD,
    RECLOG_HEADER_UNFINISHED, /* a crash while the file was made; nothing was in it */
    RECLOG_HEADER_FOREIGN,    /* not a record file */
    RECLOG_HEADER_DAMAGED
};

/* Writes RECLOG_HEADER_LEN bytes and sets header->crc. */
void mf__reclog_header_put(uint8_t *out, struct reclog_header *header);
/* Judges the first bytes of a file of `size` bytes; `len` of them are given, at least
 * RECLOG_HEADER_LEN if the file has as many. *ret_header is filled only when it is good. */
enum reclog_header_state mf__reclog_header_get(const uint8_t *in, size_t len, uint64_t size,
                                               struct reclog_header *ret_header);

struct reclog_frame {
    uint32_t crc;
    uint32_t previous_crc;
    uint32_t len;
    uint8_t type;
    uint8_t flags;
    uint64_t seq;
    uint64_t durable_seq;
};

/* Bytes that a record with this payload takes in the file. */
static inline size_t mf__reclog_total(uint32_t payload_len)
{
    return RECLOG_FRAME_LEN + (((size_t)payload_len + RECLOG_ALIGNMENT - 1) & ~(size_t)7);
}

/* Completes a record whose payload stands at out + RECLOG_FRAME_LEN: frame, padding, frame->crc. */
void mf__reclog_frame_put(uint8_t *out, uint32_t header_crc, struct reclog_frame *frame);
/* Reads the RECLOG_FRAME_LEN bytes; false when no record looks like that. */
bool mf__reclog_frame_get(const uint8_t *in, struct reclog_frame *ret_frame);
/* Whether the whole record, mf__reclog_total() bytes, has the checksum in its frame. */
bool mf__reclog_frame_whole(const uint8_t *in, uint32_t header_crc,
                            const struct reclog_frame *frame);

/* Whether the frame continues the chain. A mark repeats the number of the record before it. */
bool mf__reclog_follows(const struct reclog_frame *frame, uint64_t next_seq, uint32_t previous_crc);

bool mf__reclog_is_zero(const uint8_t *bytes, size_t len);

#endif
