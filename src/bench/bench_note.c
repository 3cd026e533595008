/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_note.c -- tells benchmark programs from other files, without starting them: mf_bench_main()
 * brings an ELF note named "mayfly-bench" (see bench_main.c). Everything in the file is checked:
 * directories of programs have anything in them.
 */
#include "cases.h"

#include "base/bytes.h"
#include "base/heap.h"
#include "os/file.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define NOTE_NAME  "mayfly-bench"
#define PREFIX_LEN 65536 /* headers and notes lie at the beginning of a program */

static bool notes_have_ours(const unsigned char *notes, size_t len)
{
    size_t at = 0;
    while (at + sizeof(Elf64_Nhdr) <= len) {
        Elf64_Nhdr head;
        memcpy(&head, notes + at, sizeof head);
        const uint64_t name = at + sizeof head;
        const uint64_t description = name + mf_align_up(head.n_namesz, 4);
        const uint64_t next = description + mf_align_up(head.n_descsz, 4);
        if (next > len) {
            return false;
        }
        if (head.n_namesz == sizeof NOTE_NAME &&
            memcmp(notes + name, NOTE_NAME, sizeof NOTE_NAME) == 0) {
            return true;
        }
        at = (size_t)next;
    }
    return false;
}

bool mf__has_bench_note(const unsigned char *bytes, size_t len)
{
    Elf64_Ehdr head;
    if (len < sizeof head) {
        return false;
    }
    memcpy(&head, bytes, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_phentsize != sizeof(Elf64_Phdr)) {
        return false;
    }
    for (uint16_t i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr segment;
        const uint64_t offset = (uint64_t)i * sizeof segment;
        if (head.e_phoff > len || offset + sizeof segment > len - head.e_phoff) {
            return false;
        }
        memcpy(&segment, bytes + head.e_phoff + offset, sizeof segment);
        if (segment.p_type == PT_NOTE && segment.p_offset <= len &&
            segment.p_filesz <= len - segment.p_offset &&
            notes_have_ours(bytes + segment.p_offset, (size_t)segment.p_filesz)) {
            return true;
        }
    }
    return false;
}

int mf__is_bench_program(const char *path, struct mf_errinfo *err)
{
    struct mf_file *file = NULL;
    int rc = mf_file_open(NULL, path, MF_OPEN_READ, &file, err);
    if (rc < 0) {
        return rc;
    }
    unsigned char *bytes = mf_malloc(PREFIX_LEN);
    size_t len = 0;
    rc = bytes != NULL ? mf_file_read(file, bytes, PREFIX_LEN, 0, &len, err) : -ENOMEM;
    mf_file_close(file);
    if (rc == 0) {
        rc = mf__has_bench_note(bytes, len) ? 1 : 0;
    }
    mf_free(bytes);
    return rc;
}
