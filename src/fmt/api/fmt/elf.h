/* SPDX-License-Identifier: Apache-2.0
 *
 * elf.h -- names of functions in ELF files of 64 bits (System V ABI, "Object Files"): bytes in,
 * names out. Everything in the file is checked; a damaged one has no names. [any-thread] */
#ifndef FMT_ELF_H
#define FMT_ELF_H

#include <stddef.h>
#include <stdint.h>

/* The function that contains `address` (as the file has it, before it is moved by loading): its
 * name, which is in `bytes` and ends with a NUL there, and where it begins. Of the full symbol
 * table if the file has one, else of the dynamic one. 0; MF_EFORMAT when it is no such file;
 * MF_ENOTFOUND.
 */
int mf_elf_function(const void *bytes, size_t len, uint64_t address, const char **ret_name,
                    uint64_t *ret_begin);

#endif
