/* SPDX-License-Identifier: Apache-2.0
 * Any text as a time: an error, or a time that is written and read back the same. */
#include "fmt/rfc3339.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[128];
    const size_t used = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, data, used);
    text[used] = '\0';
    int64_t wall_ns = 0;
    if (mf_parse_rfc3339(text, &wall_ns, NULL) == 0) {
        char out[MF_RFC3339_LEN];
        int64_t back = 0;
        mf_format_rfc3339(out, wall_ns, 0, 9);
        if (mf_parse_rfc3339(out, &back, NULL) != 0 || back != wall_ns) {
            abort();
        }
    }
    return 0;
}
