/* SPDX-License-Identifier: Apache-2.0
 * elf.c -- see elf.h. */
#include "fmt/elf.h"

#include <elf.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <string.h>

struct image {
    const char *bytes;
    size_t len;
    Elf64_Ehdr header;
};

static bool holds(const struct image *image, uint64_t offset, uint64_t len)
{
    return offset <= image->len && len <= image->len - offset;
}

static bool section_at(const struct image *image, uint64_t index, Elf64_Shdr *ret_section)
{
    if (index >= image->header.e_shnum) {
        return false;
    }
    const uint64_t offset = index * sizeof *ret_section;
    if (image->header.e_shoff > image->len ||
        !holds(image, image->header.e_shoff + offset, sizeof *ret_section)) {
        return false;
    }
    memcpy(ret_section, image->bytes + image->header.e_shoff + offset, sizeof *ret_section);
    return ret_section->sh_type == SHT_NOBITS ||
           holds(image, ret_section->sh_offset, ret_section->sh_size);
}

static int find_in(const struct image *image, const Elf64_Shdr *table, uint64_t address,
                   const char **ret_name, uint64_t *ret_begin)
{
    Elf64_Shdr strings;
    if (!section_at(image, table->sh_link, &strings) || strings.sh_type != SHT_STRTAB ||
        strings.sh_size == 0 || image->bytes[strings.sh_offset + strings.sh_size - 1] != '\0') {
        return MF_ENOTFOUND;
    }
    for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym symbol;
        memcpy(&symbol, image->bytes + table->sh_offset + i * sizeof symbol, sizeof symbol);
        const unsigned type = ELF64_ST_TYPE(symbol.st_info);
        if ((type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF &&
            address >= symbol.st_value && address - symbol.st_value < symbol.st_size &&
            symbol.st_name < strings.sh_size) {
            *ret_name = image->bytes + strings.sh_offset + symbol.st_name;
            *ret_begin = symbol.st_value;
            return 0;
        }
    }
    return MF_ENOTFOUND;
}

int mf_elf_function(const void *bytes, size_t len, uint64_t address, const char **ret_name,
                    uint64_t *ret_begin)
{
    struct image image = {.bytes = bytes, .len = len};
    if (len < sizeof image.header) {
        return MF_EFORMAT;
    }
    memcpy(&image.header, bytes, sizeof image.header);
    if (memcmp(image.header.e_ident, ELFMAG, SELFMAG) != 0 ||
        image.header.e_ident[EI_CLASS] != ELFCLASS64 ||
        image.header.e_ident[EI_DATA] != ELFDATA2LSB ||
        image.header.e_shentsize != sizeof(Elf64_Shdr)) {
        return MF_EFORMAT;
    }
    static const uint32_t types[] = {SHT_SYMTAB, SHT_DYNSYM};
    for (int t = 0; t < 2; t++) {
        for (uint64_t i = 0; i < image.header.e_shnum; i++) {
            Elf64_Shdr section;
            if (section_at(&image, i, &section) && section.sh_type == types[t] &&
                find_in(&image, &section, address, ret_name, ret_begin) == 0) {
                return 0;
            }
        }
    }
    return MF_ENOTFOUND;
}
