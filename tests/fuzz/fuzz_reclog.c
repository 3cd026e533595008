/* SPDX-License-Identifier: Apache-2.0
 * fuzz_reclog.c -- any bytes as a record file: reading, skipping damage, recovery, appending behind
 * it.
 *
 * The first byte says what is put right before, so that the search gets past the checksums: bit 0
 * the header, bit 1 the records one after the other as far as their lengths make sense, bit 2 also
 * numbers and chain. */
#include "base/bytes.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/simdisk.h"
#include "reclog_format.h"

#include <mayfly/reclog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(x)                                                                                  \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "line %d: %s\n", __LINE__, #x);                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void put_right(uint8_t *bytes, size_t len, unsigned what)
{
    struct reclog_header header = {.version = RECLOG_VERSION, .first_seq = 1, .salt = 7};
    if ((what & 1) != 0 && len >= RECLOG_HEADER_LEN) {
        mf__reclog_header_put(bytes, &header);
    }
    uint32_t previous = header.crc;
    uint64_t seq = 1;
    for (size_t at = RECLOG_HEADER_LEN; (what & 2) != 0 && at + RECLOG_FRAME_LEN <= len;) {
        uint32_t payload = mf_load_u32(bytes + at + 8) % 512;
        size_t total = mf__reclog_total(payload);
        if (total > len - at) {
            break;
        }
        struct reclog_frame frame = {
            .previous_crc = mf_load_u32(bytes + at + 4),
            .len = payload,
            .type = bytes[at + 12],
            .flags = bytes[at + 13],
            .seq = mf_load_u64(bytes + at + 16),
            .durable_seq = mf_load_u64(bytes + at + 24),
        };
        if ((what & 4) != 0) {
            bool mark = payload == 0 && (frame.flags & 1) != 0;
            frame.flags = mark ? RECLOG_FLAG_MARK : 0;
            frame.type = mark ? 0 : frame.type;
            frame.previous_crc = previous;
            frame.seq = mark && seq > 1 ? seq - 1 : seq;
            frame.durable_seq = mark ? frame.seq : frame.durable_seq % frame.seq;
            seq = frame.seq + 1;
        }
        mf__reclog_frame_put(bytes + at, header.crc, &frame);
        previous = frame.crc;
        at += total + ((frame.type & 0xC0) == 0xC0 ? 8 : 0); /* now and then a gap */
    }
}

/* Everything that a reader can do with it; how many records stand before the first bad place. */
static uint64_t read_everything(const struct mf_env *env)
{
    struct mf_reclog_reader *reader = NULL;
    struct mf_errinfo err;
    if (mf_reclog_reader_open("log", env, &reader, &err) != 0) {
        return UINT64_MAX;
    }
    uint64_t before_damage = 0;
    uint64_t count = 0;
    bool damaged = false;
    for (;;) {
        struct mf_reclog_record record;
        uint64_t at = mf_reclog_reader_offset(reader);
        int code = mf_reclog_next(reader, &record, &err);
        if (code == 1) {
            EXPECT(record.offset >= at && mf_reclog_reader_offset(reader) > record.offset);
            volatile uint32_t touched = mf_crc32c(0, record.payload, record.len);
            (void)touched;
            count++;
            before_damage += damaged ? 0 : 1;
            continue;
        }
        if (code == 0) {
            break;
        }
        EXPECT(code == MF_ETORN || code == MF_ECORRUPT);
        EXPECT(mf_reclog_reader_offset(reader) >= at);
        damaged = true;
        if (mf_reclog_reader_skip(reader, NULL, &err) != 1) {
            break;
        }
    }
    if (count > 0) {
        mf_reclog_reader_rewind(reader);
        struct mf_reclog_record record;
        EXPECT(mf_reclog_next(reader, &record, &err) <= 1);
        if (mf_reclog_reader_seek(reader, RECLOG_HEADER_LEN + 8 * (count % 5), &err) == 0) {
            EXPECT(mf_reclog_next(reader, &record, &err) <= 1);
        }
    }
    mf_reclog_reader_close(reader);
    return before_damage;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1) {
        return 0;
    }
    uint8_t *bytes = malloc(len);
    struct mf_simdisk *disk = mf_simdisk_new(0);
    EXPECT(bytes != NULL && disk != NULL);
    memcpy(bytes, data + 1, len - 1);
    put_right(bytes, len - 1, data[0]);
    struct mf_env env = {.fs = mf_simdisk_fs(disk)};
    EXPECT(mf_fs_replace(env.fs, "log", bytes, len - 1, NULL) == 0);
    free(bytes);

    uint64_t count = read_everything(&env);
    struct mf_reclog *log = NULL;
    struct mf_errinfo err;
    int code = mf_reclog_open("log", NULL, &env, &log, &err);
    if (code == 0) {
        struct mf_reclog_info info;
        mf_reclog_info(log, &info);
        EXPECT(info.recovered == (count == UINT64_MAX ? 0 : count));
        EXPECT(mf_reclog_append(log, 9, "behind", 6, NULL, &err) == 0);
        EXPECT(mf_reclog_close(log, &err) == 0);
        EXPECT(read_everything(&env) == info.recovered + 1);
        EXPECT(mf_reclog_open("log", NULL, &env, &log, &err) == 0);
        mf_reclog_info(log, &info);
        EXPECT(info.cut_bytes == 0);
        EXPECT(mf_reclog_close(log, &err) == 0);
    } else {
        EXPECT(code == MF_ECORRUPT || code == MF_EFORMAT || code == MF_EVERSION);
        EXPECT(strlen(err.msg) > 0);
    }
    mf_simdisk_free(disk);
    return 0;
}
