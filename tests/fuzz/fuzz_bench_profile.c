/* SPDX-License-Identifier: Apache-2.0
 * What other programs write and profiles read: folded stacks, perf's, callgrind's, symbol tables.
 * The first byte chooses. */
#include "flame.h"
#include "profile.h"
#include "function_names.h"

#include "base/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    struct mf_buffer out = MF_BUFFER_INIT;
    if (size == 0) {
        return 0;
    }
    struct flame flame;
    struct callgrind_counts counts;
    struct symbol *symbols = NULL;
    size_t count = 0;
    switch (data[0] % 4) {
    case 0:
        if (mf__flame_read(text, size - 1, &flame, NULL) == 0) {
            mf__flame_write(&flame, &out);
            mf__flame_svg(&flame, "fuzz", "samples", false, &out);
            mf__flame_free(&flame);
        }
        break;
    case 1:
        mf__perf_fold(text, size - 1, &out);
        break;
    case 2:
        (void)mf__callgrind_parse(text, size - 1, "fuzz", &counts, NULL);
        break;
    default:
        (void)mf__symbols_parse(text, size - 1, &symbols, &count);
        mf_free(symbols);
    }
    mf_buffer_free(&out);
    return 0;
}
