/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as an ELF file: a name that lies in them and ends there, or none. The last eight bytes
 * are the address that is asked for. */
#include "fmt/elf.h"

#include <mayfly/error.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint64_t address = 0;
    if (len < sizeof address) {
        return 0;
    }
    memcpy(&address, data + len - sizeof address, sizeof address);
    const char *name = NULL;
    uint64_t begin = 0;
    const int rc = mf_elf_function(data, len, address, &name, &begin);
    if (rc == 0) {
        const char *const first = (const char *)data;
        if (name < first || name >= first + len ||
            memchr(name, '\0', (size_t)(first + len - name)) == NULL || begin > address) {
            abort();
        }
    } else if (rc != MF_EFORMAT && rc != MF_ENOTFOUND) {
        abort();
    }
    return 0;
}
