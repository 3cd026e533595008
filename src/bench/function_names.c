/* SPDX-License-Identifier: Apache-2.0
 * function_names.c -- see function_names.h; ELF-64 specification, dl_iterate_phdr(3). */
#include "function_names.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"
#include "os/proc.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 30)
#define PATH_LEN 4096

/* ---- one file ---- */

static bool lies_within(uint64_t offset, uint64_t size, size_t len)
{
    return offset <= len && size <= len - offset;
}

static bool section_at(const char *bytes, size_t len, const Elf64_Ehdr *head, unsigned index,
                       Elf64_Shdr *ret_section)
{
    const uint64_t offset = head->e_shoff + (uint64_t)index * sizeof *ret_section;
    if (index >= head->e_shnum || head->e_shoff > len ||
        !lies_within(offset, sizeof *ret_section, len)) {
        return false;
    }
    memcpy(ret_section, bytes + offset, sizeof *ret_section);
    return true;
}

/* The table with most functions: .symtab, when the file was not stripped. */
static bool find_table(const char *bytes, size_t len, const Elf64_Ehdr *head, Elf64_Shdr *ret_table,
                       Elf64_Shdr *ret_strings)
{
    bool found = false;
    for (unsigned i = 0; i < head->e_shnum; i++) {
        Elf64_Shdr section;
        Elf64_Shdr strings;
        if (!section_at(bytes, len, head, i, &section)) {
            return found;
        }
        const bool better = section.sh_type == SHT_SYMTAB;
        if ((better || (section.sh_type == SHT_DYNSYM && !found)) &&
            section.sh_entsize == sizeof(Elf64_Sym) &&
            lies_within(section.sh_offset, section.sh_size, len) &&
            section_at(bytes, len, head, section.sh_link, &strings) &&
            lies_within(strings.sh_offset, strings.sh_size, len)) {
            *ret_table = section;
            *ret_strings = strings;
            found = true;
            if (better) {
                return true;
            }
        }
    }
    return found;
}

static int by_address(const void *a, const void *b)
{
    const uint64_t x = ((const struct symbol *)a)->address;
    const uint64_t y = ((const struct symbol *)b)->address;
    return (x > y) - (x < y);
}

int mf__symbols_parse(const char *bytes, size_t len, struct symbol **ret_symbols, size_t *ret_count)
{
    Elf64_Ehdr head;
    Elf64_Shdr table = {0};
    Elf64_Shdr strings = {0};
    *ret_symbols = NULL;
    *ret_count = 0;
    if (len < sizeof head) {
        return 0;
    }
    memcpy(&head, bytes, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_shentsize != sizeof(Elf64_Shdr) ||
        !find_table(bytes, len, &head, &table, &strings)) {
        return 0;
    }
    const size_t total = table.sh_size / sizeof(Elf64_Sym);
    struct symbol *symbols = mf_calloc(total + 1, sizeof *symbols);
    size_t count = 0;
    if (symbols == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < total; i++) {
        Elf64_Sym symbol;
        memcpy(&symbol, bytes + table.sh_offset + i * sizeof symbol, sizeof symbol);
        const unsigned type = ELF64_ST_TYPE(symbol.st_info);
        const char *name = bytes + strings.sh_offset + symbol.st_name;
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF ||
            symbol.st_name >= strings.sh_size ||
            memchr(name, '\0', strings.sh_size - symbol.st_name) == NULL || name[0] == '\0') {
            continue;
        }
        symbols[count++] = (struct symbol){symbol.st_value, symbol.st_size, name};
    }
    if (count > 1) {
        qsort(symbols, count, sizeof *symbols, by_address);
    }
    *ret_symbols = symbols;
    *ret_count = count;
    return 0;
}

/* ---- what is loaded ---- */

struct listing {
    struct symbols *symbols;
    int rc;
};

static int list_file(struct dl_phdr_info *info, size_t size, void *context)
{
    struct listing *listing = context;
    struct symbols *symbols = listing->symbols;
    char path[PATH_LEN];
    (void)size;
    struct symbol_file *grown = mf_realloc(symbols->files, (symbols->count + 1) * sizeof *grown);
    if (grown == NULL) {
        listing->rc = -ENOMEM;
        return 1;
    }
    symbols->files = grown;
    struct symbol_file *file = &symbols->files[symbols->count];
    *file = (struct symbol_file){.base = info->dlpi_addr, .low = UINT64_MAX};
    snprintf(path, sizeof path, "%s", info->dlpi_name);
    if (path[0] == '\0' && mf_proc_own_path(path, sizeof path) < 0) {
        path[0] = '\0';
    }
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const uint64_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        const uint64_t end = begin + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            file->low = begin < file->low ? begin : file->low;
            file->high = end > file->high ? end : file->high;
        }
    }
    file->path = mf_strdup(path);
    symbols->count++;
    listing->rc = file->path != NULL ? 0 : -ENOMEM;
    return listing->rc < 0;
}

int mf__symbols_load(struct symbols *ret_symbols, struct mf_errinfo *err)
{
    struct symbols symbols = {0};
    struct listing listing = {&symbols, 0};
    (void)dl_iterate_phdr(list_file, &listing);
    int rc = listing.rc;
    for (size_t i = 0; i < symbols.count && rc == 0; i++) {
        struct symbol_file *file = &symbols.files[i];
        size_t len = 0;
        if (file->path[0] == '/' &&
            mf_fs_read_all(NULL, file->path, FILE_MAX, &file->bytes, &len, NULL) == 0) {
            rc = mf__symbols_parse(file->bytes, len, &file->symbols, &file->count);
        }
    }
    if (rc < 0) {
        mf__symbols_free(&symbols);
        return mf_fail_os(err, rc, "cannot find the names of functions");
    }
    *ret_symbols = symbols;
    return 0;
}

void mf__symbols_free(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->count; i++) {
        mf_free(symbols->files[i].path);
        mf_free(symbols->files[i].bytes);
        mf_free(symbols->files[i].symbols);
    }
    mf_free(symbols->files);
    *symbols = (struct symbols){0};
}

static const struct symbol *find(const struct symbol_file *file, uint64_t address)
{
    size_t low = 0;
    size_t high = file->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (file->symbols[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    const struct symbol *symbol = &file->symbols[low - 1];
    const uint64_t into = address - symbol->address;
    return into < symbol->len || (symbol->len == 0 && into < 4096) ? symbol : NULL;
}

void mf__symbol_name(const struct symbols *symbols, uintptr_t address, char *out, size_t capacity)
{
    for (size_t i = 0; i < symbols->count; i++) {
        const struct symbol_file *file = &symbols->files[i];
        if (address < file->low || address >= file->high) {
            continue;
        }
        const struct symbol *symbol = find(file, address - file->base);
        const char *slash = strrchr(file->path, '/');
        if (symbol != NULL) {
            snprintf(out, capacity, "%s", symbol->name);
        } else {
            snprintf(out, capacity, "[%.200s]", slash != NULL ? slash + 1 : file->path);
        }
        return;
    }
    snprintf(out, capacity, "[unknown]");
}
