/* SPDX-License-Identifier: Apache-2.0
 * module.h -- which program or library of this process an address belongs to. [any-thread] */
#ifndef OS_MODULE_H
#define OS_MODULE_H

#include <stddef.h>
#include <stdint.h>

struct mf_module {
    char path[512];     /* of its file, to be opened */
    char name[64];      /* the last part of it; of the program itself its real name */
    uintptr_t moved_by; /* what loading has added to the addresses of its file */
};

/* 0, or MF_ENOTFOUND. */
int mf_module_of(uintptr_t address, struct mf_module *ret_module);

#endif
