/* SPDX-License-Identifier: Apache-2.0
 * symbols.c -- names for the addresses of a stack, from the symbol tables of the files that this
 * process was loaded from. A file is read for one name at a time: names are made for people, a few
 * at a time, and nothing is kept. */
#include "base/heap.h"
#include "fmt/elf.h"
#include "os/file.h"
#include "os/module.h"

#include <mayfly/cpu.h>
#include <stdio.h>

#define FILE_MAX ((size_t)1 << 30)

static int name_in(const struct mf_module *module, uintptr_t address, char *text, size_t capacity)
{
    char *bytes = NULL;
    size_t len = 0;
    /* Read, not mapped: a library that is replaced meanwhile must not end us by SIGBUS. */
    int rc = mf_fs_read_all(mf_fs_real(), module->path, FILE_MAX, &bytes, &len, NULL);
    if (rc != 0) {
        return rc;
    }
    const char *name;
    uint64_t begin;
    rc = mf_elf_function(bytes, len, address - module->moved_by, &name, &begin);
    if (rc == 0) {
        snprintf(text, capacity, "%s+0x%llx (%s)", name,
                 (unsigned long long)(address - module->moved_by - begin), module->name);
    }
    mf_free(bytes);
    return rc;
}

char *mf_cpu_symbol(uintptr_t address, char *text, size_t capacity)
{
    struct mf_module module;
    if (mf_module_of(address, &module) != 0) {
        snprintf(text, capacity, "0x%llx", (unsigned long long)address);
    } else if (name_in(&module, address, text, capacity) != 0) {
        snprintf(text, capacity, "%s+0x%llx", module.name,
                 (unsigned long long)(address - module.moved_by));
    }
    return text;
}
