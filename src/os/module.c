/* SPDX-License-Identifier: Apache-2.0
 * module.c -- see module.h. */
#include "os/module.h"

#include "os/proc.h"

#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct search {
    uintptr_t address;
    struct mf_module *module;
    bool found;
};

static int visit(struct dl_phdr_info *info, size_t len, void *context)
{
    struct search *search = context;
    (void)len;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const uintptr_t low = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || search->address < low ||
            search->address - low >= header->p_memsz) {
            continue;
        }
        struct mf_module *module = search->module;
        module->moved_by = info->dlpi_addr;
        snprintf(module->path, sizeof module->path, "%s",
                 info->dlpi_name != NULL ? info->dlpi_name : "");
        search->found = true;
        return 1;
    }
    return 0;
}

int mf_module_of(uintptr_t address, struct mf_module *ret_module)
{
    struct mf_module module = {.moved_by = 0};
    struct search search = {.address = address, .module = &module};
    dl_iterate_phdr(visit, &search);
    if (!search.found) {
        return MF_ENOTFOUND;
    }
    const char *named = module.path;
    char own[512];
    if (module.path[0] == '\0') { /* the program itself */
        if (mf_proc_own_path(own, sizeof own) != 0) {
            snprintf(own, sizeof own, "program");
        }
        named = own;
        snprintf(module.path, sizeof module.path, "%s", own);
    }
    const char *slash = strrchr(named, '/');
    snprintf(module.name, sizeof module.name, "%.63s", slash != NULL ? slash + 1 : named);
    *ret_module = module;
    return 0;
}
