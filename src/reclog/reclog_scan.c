/* SPDX-License-Identifier: Apache-2.0
 * reclog_scan.c -- see reclog_scan.h. */
#include "reclog_scan.h"
#include "base/bytes.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

#define WINDOW_LEN 65536u

/* The search for records behind a bad place may check so many bytes per byte of the file, plus one
 * record of the largest size. Real files need one; a file made to be slow is given up. */
#define SEARCH_COST_MAX 16u

void mf__reclog_scan_init(struct reclog_scan *scan, struct mf_file *file)
{
    memset(scan, 0, sizeof *scan);
    scan->file = file;
}

void mf__reclog_scan_fini(struct reclog_scan *scan)
{
    mf_free(scan->window);
    scan->window = NULL;
}

/* Brings [offset, offset + len) into the window, as far as the file has it. */
static int load(struct reclog_scan *scan, uint64_t offset, size_t len, const uint8_t **ret_bytes,
                size_t *ret_available, struct mf_errinfo *err)
{
    uint64_t end = scan->window_offset + scan->window_len;
    if (offset < scan->window_offset || offset + len > end) {
        size_t wanted = len < WINDOW_LEN ? WINDOW_LEN : len;
        if (wanted > scan->window_capacity) {
            uint8_t *window = mf_realloc(scan->window, wanted);
            if (window == NULL) {
                return mf_fail(err, -ENOMEM,
                               "cannot read a record of %s: %zu bytes of memory are missing",
                               mf_file_path(scan->file), wanted);
            }
            scan->window = window;
            scan->window_capacity = wanted;
        }
        scan->window_len = 0; /* in case the read fails */
        scan->window_offset = offset;
        int code = mf_file_read(scan->file, scan->window, wanted, offset, &scan->window_len, err);
        if (code < 0) {
            return code;
        }
        end = offset + scan->window_len;
    }
    *ret_bytes = scan->window + (offset - scan->window_offset);
    *ret_available = end - offset < len ? (size_t)(end - offset) : len;
    return 0;
}

static void forget_window(struct reclog_scan *scan)
{
    scan->window_len = 0;
    scan->window_offset = 0;
}

/* Whether nothing but zeros follows the place of the header: 1, 0, or a negative code. */
static int only_header(struct reclog_scan *scan, uint64_t size, struct mf_errinfo *err)
{
    int zero = 1;
    for (uint64_t at = RECLOG_HEADER_LEN; zero == 1 && at < size;) {
        const uint8_t *bytes = NULL;
        size_t available = 0;
        int code = load(scan, at, WINDOW_LEN, &bytes, &available, err);
        if (code < 0) {
            return code;
        }
        zero = mf__reclog_is_zero(bytes, available) ? 1 : 0;
        at = available != 0 ? at + available : size;
    }
    return zero;
}

int mf__reclog_scan_header(struct reclog_scan *scan, struct mf_errinfo *err)
{
    struct mf_file_info info;
    const uint8_t *bytes = NULL;
    size_t available = 0;
    forget_window(scan);
    int code = mf_file_info(scan->file, &info, err);
    if (code == 0) {
        code = load(scan, 0, RECLOG_HEADER_LEN, &bytes, &available, err);
    }
    if (code < 0) {
        return code;
    }
    uint64_t size = info.size_bytes > available ? info.size_bytes : available;
    enum reclog_header_state state = mf__reclog_header_get(bytes, available, size, &scan->header);
    bool bad = state == RECLOG_HEADER_FOREIGN || state == RECLOG_HEADER_DAMAGED;
    if (bad && scan->zeros_are_new && available == RECLOG_HEADER_LEN) {
        uint8_t header[RECLOG_HEADER_LEN];
        memcpy(header, bytes, sizeof header);
        code = only_header(scan, size, err);
        if (code < 0) {
            return code;
        }
        size = code == 1 ? RECLOG_HEADER_LEN : size;
        state = mf__reclog_header_get(header, sizeof header, size, &scan->header);
    }
    if (state == RECLOG_HEADER_GOOD) {
        mf__reclog_scan_rewind(scan);
    }
    return (int)state;
}

void mf__reclog_scan_rewind(struct reclog_scan *scan)
{
    scan->at = RECLOG_HEADER_LEN;
    scan->next_seq = scan->header.first_seq;
    scan->previous_crc = scan->header.crc;
    scan->durable_seq = scan->header.first_seq - 1;
}

void mf__reclog_scan_jump(struct reclog_scan *scan, uint64_t offset)
{
    scan->at = offset;
    scan->next_seq = 0;
    scan->durable_seq = scan->header.first_seq - 1;
}

static bool continues(const struct reclog_scan *scan, const struct reclog_frame *frame)
{
    return scan->next_seq == 0 || mf__reclog_follows(frame, scan->next_seq, scan->previous_crc);
}

/* One look at `at` with the window as it is. */
static int look(struct reclog_scan *scan, struct reclog_frame *ret_frame,
                const uint8_t **ret_record, struct mf_errinfo *err)
{
    const uint8_t *bytes = NULL;
    size_t available = 0;
    int code = load(scan, scan->at, RECLOG_FRAME_LEN, &bytes, &available, err);
    if (code < 0) {
        return code;
    }
    if (mf__reclog_is_zero(bytes, available)) {
        return RECLOG_STEP_END;
    }
    if (available < RECLOG_FRAME_LEN || !mf__reclog_frame_get(bytes, ret_frame) ||
        !continues(scan, ret_frame)) {
        return RECLOG_STEP_BAD;
    }
    size_t total = mf__reclog_total(ret_frame->len);
    struct mf_file_info info = {.size_bytes = UINT64_MAX};
    if (total > WINDOW_LEN) { /* no memory for a length that the file cannot have */
        code = mf_file_info(scan->file, &info, err);
    }
    if (code == 0 && total > info.size_bytes - scan->at) {
        return RECLOG_STEP_BAD;
    }
    if (code == 0) {
        code = load(scan, scan->at, total, &bytes, &available, err);
    }
    if (code < 0) {
        return code;
    }
    *ret_record = bytes;
    /* The frame is read again from the same bytes as the payload: a writer may be at work. */
    return available == total && mf__reclog_frame_get(bytes, ret_frame) &&
                   mf__reclog_total(ret_frame->len) == total && continues(scan, ret_frame) &&
                   mf__reclog_frame_whole(bytes, scan->header.crc, ret_frame)
               ? RECLOG_STEP_RECORD
               : RECLOG_STEP_BAD;
}

int mf__reclog_scan_next(struct reclog_scan *scan, struct reclog_frame *ret_frame,
                         uint64_t *ret_offset, const uint8_t **ret_payload, struct mf_errinfo *err)
{
    bool fresh = false;
    for (;;) {
        struct reclog_frame frame;
        const uint8_t *record = NULL;
        int step = look(scan, &frame, &record, err);
        if (step != RECLOG_STEP_RECORD && step >= 0 && !fresh) {
            forget_window(scan); /* it may be older than the file */
            fresh = true;
            continue;
        }
        if (step != RECLOG_STEP_RECORD) {
            return step;
        }
        uint64_t offset = scan->at;
        scan->at += mf__reclog_total(frame.len);
        scan->next_seq = frame.seq + 1;
        scan->previous_crc = frame.crc;
        scan->durable_seq =
            frame.durable_seq > scan->durable_seq ? frame.durable_seq : scan->durable_seq;
        fresh = false;
        if (frame.flags != RECLOG_FLAG_MARK) {
            *ret_frame = frame;
            *ret_offset = offset;
            *ret_payload = record + RECLOG_FRAME_LEN;
            return RECLOG_STEP_RECORD;
        }
    }
}

/* Whether a record that stands `distance` bytes behind the one that should be next can have `seq`.
 */
static bool is_near(uint64_t seq, uint64_t next_seq, uint64_t distance)
{
    return next_seq == 0 || (seq >= next_seq && seq - next_seq <= distance / RECLOG_FRAME_LEN);
}

int mf__reclog_scan_rest(struct reclog_scan *scan, uint64_t from, uint64_t size, uint64_t next_seq,
                         bool first_only, struct reclog_rest *ret_rest, struct mf_errinfo *err)
{
    struct reclog_rest rest = {.all_zero = true};
    uint64_t left = SEARCH_COST_MAX * (size - from) + RECLOG_PAYLOAD_MAX + RECLOG_FRAME_LEN;
    forget_window(scan);
    for (uint64_t at = from; at < size && !rest.undecided;) {
        const uint8_t *bytes = NULL;
        size_t available = 0;
        int code = load(scan, at, RECLOG_FRAME_LEN, &bytes, &available, err);
        if (code < 0) {
            return code;
        }
        if (available == 0) {
            break; /* cut meanwhile */
        }
        struct reclog_frame frame;
        /* Within zeros no record starts: its number is not zero. */
        bool zero = mf__reclog_is_zero(bytes, available);
        size_t step = zero ? RECLOG_FRAME_LEN : RECLOG_ALIGNMENT;
        rest.all_zero = rest.all_zero && zero;
        if (available == RECLOG_FRAME_LEN && mf__reclog_frame_get(bytes, &frame) &&
            is_near(frame.seq, next_seq, at - from) && mf__reclog_total(frame.len) <= size - at) {
            size_t total = mf__reclog_total(frame.len);
            code = load(scan, at, total, &bytes, &available, err);
            if (code < 0) {
                return code;
            }
            rest.undecided = total > left;
            left -= rest.undecided ? left : total;
            if (!rest.undecided && available == total &&
                mf__reclog_frame_whole(bytes, scan->header.crc, &frame)) {
                if (rest.records == 0) {
                    rest.first_offset = at;
                    rest.first_seq = frame.seq;
                }
                rest.records += frame.flags == RECLOG_FLAG_MARK ? 0 : 1;
                rest.durable_seq =
                    frame.durable_seq > rest.durable_seq ? frame.durable_seq : rest.durable_seq;
                step = total;
                if (first_only && rest.records != 0) {
                    break;
                }
            }
        }
        at += step;
    }
    *ret_rest = rest;
    return 0;
}

bool mf__reclog_rest_is_corrupt(const struct reclog_rest *rest, uint64_t next_seq)
{
    /* Without the number of the record that should be there, what can be said is that it stood
     * before the first that is whole. */
    uint64_t lost = next_seq != 0 ? next_seq : rest->records != 0 ? rest->first_seq - 1 : 0;
    return rest->undecided || (lost != 0 && rest->durable_seq >= lost);
}
