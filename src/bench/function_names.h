/* SPDX-License-Identifier: Apache-2.0
 *
 * function_names.h -- the names of functions at addresses of this process, from the symbol tables
 * of the program and its libraries (.symtab, else .dynsym). Everything in the files is checked.
 */
#ifndef BENCH_FUNCTION_NAMES_H
#define BENCH_FUNCTION_NAMES_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
    uint64_t address, len; /* as in the file */
    const char *name;
};

struct symbol_file { /* one program or library */
    char *path;
    uint64_t base; /* what is added to addresses of the file */
    uint64_t low, high;
    char *bytes;
    struct symbol *symbols; /* sorted by address */
    size_t count;
};

struct symbols {
    struct symbol_file *files;
    size_t count;
};

/* Of what is loaded now. Files that cannot be read have no names. 0 or -ENOMEM; freed with
 * mf__symbols_free(). */
int mf__symbols_load(struct symbols *ret_symbols, struct mf_errinfo *err);
void mf__symbols_free(struct symbols *symbols);
/* The function at an address, or "[libc.so.6]", or "[unknown]". */
void mf__symbol_name(const struct symbols *symbols, uintptr_t address, char *out, size_t capacity);

/* The functions in the bytes of an ELF file; *ret_symbols is for mf_free(), names are within the
 * bytes. 0 and no symbols when it is none that is known here. */
int mf__symbols_parse(const char *bytes, size_t len, struct symbol **ret_symbols,
                      size_t *ret_count);

#endif
