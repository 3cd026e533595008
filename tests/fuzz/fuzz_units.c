/* SPDX-License-Identifier: Apache-2.0
 * Any text as a number, duration or size: an error that leaves the result alone, or a value that
 * its formatter and parser agree on. */
#include "fmt/number.h"
#include "fmt/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(int condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[256];
    const size_t used = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, data, used);
    text[used] = '\0';

    int64_t duration_ns = -1;
    char out[MF_UNITS_LEN];
    if (mf_parse_duration(text, &duration_ns, NULL) == 0) {
        check(duration_ns >= 0);
        /* the longest durations round up beyond what can be read back */
        int64_t back = 0;
        check(mf_parse_duration(mf_format_duration(out, duration_ns), &back, NULL) == 0 ||
              duration_ns > INT64_MAX / 2);
    } else {
        check(duration_ns == -1);
    }
    uint64_t size = 7;
    if (mf_parse_size(text, &size, NULL) == 0) {
        uint64_t back = 0;
        check(mf_parse_size(mf_format_size(out, size), &back, NULL) == 0 || size > UINT64_MAX / 2);
    } else {
        check(size == 7);
    }
    double number = 0;
    if (mf_parse_double(text, &number, NULL) == 0 && !isnan(number)) {
        char digits[MF_NUMBER_LEN];
        double back = 0;
        mf_format_double(digits, number);
        check(mf_parse_double(digits, &back, NULL) == 0 && back == number);
    }
    int64_t integer = 0;
    uint64_t natural = 0;
    if (mf_parse_uint64(text, &natural, NULL) == 0 && natural <= INT64_MAX) {
        check(mf_parse_int64(text, &integer, NULL) == 0 && integer == (int64_t)natural);
    }
    return 0;
}
