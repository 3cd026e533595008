/* SPDX-License-Identifier: Apache-2.0
 * archive_plain.c -- in place of archive_zstd.c in a build without zstd. */
#include "archive.h"

#include "base/heap.h"

#include <errno.h>

struct mf__packer {
    char unused;
};

struct mf__packer *mf__packer_new(void)
{
    return mf_calloc(1, sizeof(struct mf__packer));
}

void mf__packer_free(struct mf__packer *packer)
{
    mf_free(packer);
}

size_t mf__packer_estimate(void *packer, const void *bytes, size_t len)
{
    (void)packer, (void)bytes;
    return len;
}

int mf__pack(struct mf__packer *packer, const void *bytes, size_t len, struct mf_buffer *out,
             enum archive_packing *ret_packing)
{
    (void)packer;
    mf_buffer_append(out, bytes, len);
    *ret_packing = ARCHIVE_PLAIN;
    return out->failed ? -ENOMEM : 0;
}

int mf__unpack(unsigned packing, const void *packed, size_t packed_len, void *bytes, size_t len)
{
    if (packing == ARCHIVE_ZSTD) {
        return MF_EUNSUPPORTED;
    }
    if (packing != ARCHIVE_PLAIN || packed_len != len) {
        return MF_ECORRUPT;
    }
    memcpy(bytes, packed, len);
    return 0;
}
