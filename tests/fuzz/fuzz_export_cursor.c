/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_export_cursor.c -- cursor files with good checksums: the input is what stands between magic
 * and checksum. Whatever it says, loading ends well, and what is then saved loads again. */
#include "cursor.h"

#include "base/buffer.h"
#include "base/hash.h"
#include "os/simdisk.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct mf_simdisk *disk = mf_simdisk_new(0);
    const struct mf_fs *fs = mf_simdisk_fs(disk);
    struct mf_buffer file = MF_BUFFER_INIT;
    struct cursor cursor;
    struct cursor again;
    const uint32_t version = 1;
    must(disk != NULL);
    mf_buffer_append(&file, "MFCURS\r\n", 8);
    mf_buffer_append(&file, &version, sizeof version);
    mf_buffer_append(&file, data, len);
    const uint32_t crc = mf_crc32c(0, file.data, file.len);
    mf_buffer_append(&file, &crc, sizeof crc);
    must(!file.failed && mf_fs_replace(fs, "/c", file.data, file.len, NULL) == 0);
    must(mf__cursor_load(&cursor, fs, "/c", 0, 1, NULL) == 0);
    must(mf__cursor_entry_of(&cursor, "g{a=\"b\"}") != NULL);
    must(mf__cursor_save(&cursor, fs, "/c", NULL) == 0);
    must(mf__cursor_load(&again, fs, "/c", 0, 1, NULL) == 0);
    must(!again.discarded && again.count == cursor.count && again.flags == cursor.flags);
    mf__cursor_free(&cursor);
    mf__cursor_free(&again);
    mf_buffer_free(&file);
    mf_simdisk_free(disk);
    return 0;
}
