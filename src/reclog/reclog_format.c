/* SPDX-License-Identifier: Apache-2.0
 * reclog_format.c -- see reclog_format.h. */
#include "reclog_format.h"
#include "base/bytes.h"
#include "base/hash.h"

#include <string.h>

static const uint8_t magic[8] = {'M', 'F', 'R', 'E', 'C', 'L', 'O', 'G'};

bool mf__reclog_is_zero(const uint8_t *bytes, size_t len)
{
    while (len >= 8 && mf_load_u64(bytes) == 0) {
        bytes += 8;
        len -= 8;
    }
    for (; len > 0 && *bytes == 0; len--) {
        bytes++;
    }
    return len == 0;
}

void mf__reclog_header_put(uint8_t *out, struct reclog_header *header)
{
    memset(out, 0, RECLOG_HEADER_LEN);
    memcpy(out, magic, sizeof magic);
    mf_store_u32(out + 8, header->version);
    mf_store_u32(out + 12, header->kind);
    mf_store_u64(out + 16, header->salt);
    mf_store_u64(out + 24, header->first_seq);
    mf_store_u64(out + 32, (uint64_t)header->created_wall_ns);
    header->crc = mf_crc32c(0, out, RECLOG_HEADER_LEN - 4);
    mf_store_u32(out + RECLOG_HEADER_LEN - 4, header->crc);
}

enum reclog_header_state mf__reclog_header_get(const uint8_t *in, size_t len, uint64_t size,
                                               struct reclog_header *ret_header)
{
    size_t matching = 0;
    while (matching < sizeof magic && matching < len && in[matching] == magic[matching]) {
        matching++;
    }
    if (len < RECLOG_HEADER_LEN || matching < sizeof magic ||
        mf_crc32c(0, in, RECLOG_HEADER_LEN - 4) != mf_load_u32(in + RECLOG_HEADER_LEN - 4)) {
        /* Records come after a synced header only, so a file with records has a whole one. The
         * write of the header may have been torn: a beginning of it, and zeros or nothing after
         * that. */
        bool ours = matching == sizeof magic || mf__reclog_is_zero(in + matching, len - matching);
        if (size <= RECLOG_HEADER_LEN && ours) {
            return RECLOG_HEADER_UNFINISHED;
        }
        return matching == sizeof magic ? RECLOG_HEADER_DAMAGED : RECLOG_HEADER_FOREIGN;
    }
    if (mf_load_u64(in + 24) == 0 || mf_load_u64(in + 24) > INT64_MAX) {
        return RECLOG_HEADER_DAMAGED;
    }
    ret_header->version = mf_load_u32(in + 8);
    ret_header->kind = mf_load_u32(in + 12);
    ret_header->salt = mf_load_u64(in + 16);
    ret_header->first_seq = mf_load_u64(in + 24);
    ret_header->created_wall_ns = (int64_t)mf_load_u64(in + 32);
    ret_header->crc = mf_load_u32(in + RECLOG_HEADER_LEN - 4);
    return RECLOG_HEADER_GOOD;
}

static uint32_t record_crc(const uint8_t *record, uint32_t header_crc, size_t total)
{
    return mf_crc32c(header_crc, record + 4, total - 4);
}

void mf__reclog_frame_put(uint8_t *out, uint32_t header_crc, struct reclog_frame *frame)
{
    size_t total = mf__reclog_total(frame->len);
    memset(out + RECLOG_FRAME_LEN + frame->len, 0, total - RECLOG_FRAME_LEN - frame->len);
    mf_store_u32(out + 4, frame->previous_crc);
    mf_store_u32(out + 8, frame->len);
    out[12] = frame->type;
    out[13] = frame->flags;
    mf_store_u16(out + 14, 0);
    mf_store_u64(out + 16, frame->seq);
    mf_store_u64(out + 24, frame->durable_seq);
    frame->crc = record_crc(out, header_crc, total);
    mf_store_u32(out, frame->crc);
}

bool mf__reclog_frame_get(const uint8_t *in, struct reclog_frame *ret_frame)
{
    struct reclog_frame frame = {
        .crc = mf_load_u32(in),
        .previous_crc = mf_load_u32(in + 4),
        .len = mf_load_u32(in + 8),
        .type = in[12],
        .flags = in[13],
        .seq = mf_load_u64(in + 16),
        .durable_seq = mf_load_u64(in + 24),
    };
    bool mark = frame.flags == RECLOG_FLAG_MARK;
    if (frame.len > RECLOG_PAYLOAD_MAX || mf_load_u16(in + 14) != 0 ||
        frame.flags > RECLOG_FLAG_MARK || frame.seq == 0 || frame.durable_seq > frame.seq ||
        (mark ? frame.len != 0 || frame.type != 0 : frame.durable_seq == frame.seq)) {
        return false;
    }
    *ret_frame = frame;
    return true;
}

bool mf__reclog_frame_whole(const uint8_t *in, uint32_t header_crc,
                            const struct reclog_frame *frame)
{
    return record_crc(in, header_crc, mf__reclog_total(frame->len)) == frame->crc;
}

bool mf__reclog_follows(const struct reclog_frame *frame, uint64_t next_seq, uint32_t previous_crc)
{
    bool mark = frame->flags == RECLOG_FLAG_MARK;
    return frame->previous_crc == previous_crc && frame->seq == next_seq - (mark ? 1 : 0);
}
