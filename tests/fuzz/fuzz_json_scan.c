/* SPDX-License-Identifier: Apache-2.0
 * Any bytes into the scanner of JSON; what it takes is walked over to the last value. */
#include "base/heap.h"
#include "fmt/json_scan.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void walk(struct mf_scan_value value)
{
    struct mf_scan_value element;
    struct mf_scan_member member;
    int64_t number = 0;
    char cut[8];
    for (size_t cursor = 0; mf_scan_next_element(value, &cursor, &element);) {
        walk(element);
    }
    for (size_t cursor = 0; mf_scan_next_member(value, &cursor, &member);) {
        walk(member.key);
        walk(member.value);
    }
    (void)mf_scan_int(value, &number);
    if (value.type == MF_SCAN_STRING) {
        char *copy = mf_scan_copy(value);
        if (copy == NULL || strlen(copy) > value.len || !mf_scan_is(value, copy) ||
            !mf_scan_copy_to(value, cut, sizeof cut) || strncmp(copy, cut, strlen(cut)) != 0) {
            abort();
        }
        mf_free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mf_scan_value value;
    size_t offset = 0;
    if (mf_scan((const char *)data, size, &value, &offset) == 0) {
        walk(value);
    } else if (offset > size) {
        abort();
    }
    return 0;
}
