/* SPDX-License-Identifier: Apache-2.0
 * archive_zstd.c -- the general compressor of archives. */
#include "archive.h"

#include "base/heap.h"

#include <errno.h>
#include <zstd.h>

#define LEVEL_ESTIMATE 3
#define LEVEL          19

struct mf__packer {
    ZSTD_CCtx *context;
    struct mf_buffer scratch;
};

struct mf__packer *mf__packer_new(void)
{
    struct mf__packer *packer = mf_calloc(1, sizeof *packer);
    if (packer != NULL) {
        packer->context = ZSTD_createCCtx();
    }
    if (packer == NULL || packer->context == NULL) {
        mf_free(packer);
        return NULL;
    }
    return packer;
}

void mf__packer_free(struct mf__packer *packer)
{
    if (packer != NULL) {
        ZSTD_freeCCtx(packer->context);
        mf_buffer_free(&packer->scratch);
        mf_free(packer);
    }
}

size_t mf__packer_estimate(void *context, const void *bytes, size_t len)
{
    struct mf__packer *packer = context;
    mf_buffer_clear(&packer->scratch);
    char *room = mf_buffer_reserve(&packer->scratch, ZSTD_compressBound(len));
    if (room == NULL) {
        return len;
    }
    const size_t packed = ZSTD_compressCCtx(packer->context, room, ZSTD_compressBound(len), bytes,
                                            len, LEVEL_ESTIMATE);
    return ZSTD_isError(packed) || packed > len ? len : packed;
}

int mf__pack(struct mf__packer *packer, const void *bytes, size_t len, struct mf_buffer *out,
             enum archive_packing *ret_packing)
{
    char *room = mf_buffer_reserve(out, ZSTD_compressBound(len));
    if (room == NULL) {
        return -ENOMEM;
    }
    const size_t packed =
        ZSTD_compressCCtx(packer->context, room, ZSTD_compressBound(len), bytes, len, LEVEL);
    if (ZSTD_isError(packed) || packed >= len) {
        mf_buffer_append(out, bytes, len);
        *ret_packing = ARCHIVE_PLAIN;
    } else {
        out->len += packed;
        *ret_packing = ARCHIVE_ZSTD;
    }
    return out->failed ? -ENOMEM : 0;
}

int mf__unpack(unsigned packing, const void *packed, size_t packed_len, void *bytes, size_t len)
{
    if (packing == ARCHIVE_PLAIN && packed_len == len) {
        memcpy(bytes, packed, len);
        return 0;
    }
    if (packing != ARCHIVE_ZSTD || ZSTD_decompress(bytes, len, packed, packed_len) != len) {
        return MF_ECORRUPT;
    }
    return 0;
}
