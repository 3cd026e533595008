/* SPDX-License-Identifier: Apache-2.0
 *
 * seal_verify.c -- holds a flight against its seal.
 *
 * The root is the ledger's, or one that the caller brings; nothing in the flight is believed. The
 * list in seal.json is good when its entries lead to that root, whatever else it says. Without a
 * good list the files can still be compared as a whole, by making the list anew.
 */
#include "seal_ledger.h"
#include "seal_manifest.h"
#include "seal_private.h"

#include "base/fail.h"
#include "base/heap.h"
#include "fmt/units.h"
#include "os/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct verifying {
    const char *dir;
    const struct mf_seal_trust *trust;
    void (*visit)(void *context, const struct mf_seal_finding *finding);
    void *context;
    struct mf_seal_check check;
    struct mf_seal_manifest list; /* of seal.json, when its entries lead to the root */
    bool has_list;
    struct mf_errinfo *err;
};

const char *mf_seal_fault_name(enum mf_seal_fault fault)
{
    static const char *const names[] = {"changed",    "shorter", "longer",       "missing", "added",
                                        "unreadable", "renamed", "list changed", "unknown"};
    return fault < MF_SEAL_FAULTS ? names[fault] : "unknown";
}

__attribute__((format(printf, 3, 4))) static void
report(struct verifying *v, struct mf_seal_finding *finding, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    finding->text = text;
    finding->path = finding->path != NULL ? finding->path : "";
    v->check.findings++;
    if (v->visit != NULL) {
        v->visit(v->context, finding);
    }
}

/* ---- one file ---- */

static void add_region(struct mf_seal_finding *finding, uint64_t offset, uint64_t len)
{
    struct mf_seal_region *last =
        finding->region_count > 0 ? &finding->regions[finding->region_count - 1] : NULL;
    if (last != NULL && last->offset + last->len == offset) {
        last->len += len;
    } else if (finding->region_count < MF_SEAL_REGIONS_MAX) {
        finding->regions[finding->region_count++] = (struct mf_seal_region){offset, len};
    } else {
        finding->more_regions = true;
    }
}

/* Where the blocks differ. The last block of a file that became shorter has lost its end; it tells
 * nothing. */
static void find_regions(const struct mf_seal_entry *was, const struct mf_seal_entry *is,
                         struct mf_seal_finding *finding)
{
    for (uint32_t i = 0; i < is->block_count && i < was->block_count; i++) {
        const uint64_t offset = i * was->block_bytes;
        const uint64_t end = offset + was->block_bytes < was->size_bytes ? offset + was->block_bytes
                                                                         : was->size_bytes;
        if (end <= is->size_bytes && was->blocks[i] != is->blocks[i]) {
            add_region(finding, offset, end - offset);
        }
    }
}

static const char *put_regions(const struct mf_seal_finding *finding, char *out, size_t capacity)
{
    const struct mf_seal_region *first = &finding->regions[0];
    if (finding->region_count == 0) {
        out[0] = '\0';
    } else if (finding->region_count == 1 && !finding->more_regions) {
        snprintf(out, capacity, "within the bytes %llu to %llu", (unsigned long long)first->offset,
                 (unsigned long long)(first->offset + first->len - 1));
    } else {
        snprintf(out, capacity, "within the bytes %llu to %llu and at %s%u other places",
                 (unsigned long long)first->offset,
                 (unsigned long long)(first->offset + first->len - 1),
                 finding->more_regions ? "more than " : "", finding->region_count - 1);
    }
    return out;
}

static void compare_entry(struct verifying *v, const struct mf_seal_entry *was,
                          const struct mf_seal_entry *is)
{
    char where[160];
    struct mf_seal_finding finding = {
        .path = was->path, .sealed_bytes = was->size_bytes, .bytes = is->size_bytes};
    const long long was_bytes = (long long)was->size_bytes;
    const long long is_bytes = (long long)is->size_bytes;
    if (was_bytes == is_bytes && memcmp(was->sha256, is->sha256, sizeof was->sha256) == 0) {
        return;
    }
    find_regions(was, is, &finding);
    put_regions(&finding, where, sizeof where);
    if (is_bytes < was_bytes) {
        finding.fault = MF_SEAL_SHORTER;
        report(v, &finding, "%lld of its %lld bytes are left%s%s", is_bytes, was_bytes,
               where[0] != '\0' ? ", changed " : "", where);
    } else if (is_bytes > was_bytes) {
        finding.fault = MF_SEAL_LONGER;
        report(v, &finding, "%lld bytes were added to its %lld%s%s", is_bytes - was_bytes,
               was_bytes, where[0] != '\0' ? "; changed " : "", where);
    } else {
        finding.fault = MF_SEAL_CHANGED;
        report(v, &finding, "changed %s",
               where[0] != '\0' ? where : "with care: its checksums do not tell where");
    }
}

static int compare_file(struct verifying *v, const struct mf_seal_entry *was,
                        enum mf_seal_kind kind)
{
    struct mf_seal_entry is;
    struct mf_errinfo why = {0};
    struct mf_seal_finding finding = {
        .fault = MF_SEAL_UNREADABLE, .path = was->path, .sealed_bytes = was->size_bytes};
    if (kind != MF_SEAL_IS_FILE) {
        finding.fault = MF_SEAL_MISSING;
        report(v, &finding, "something that is no file is in its place");
        return 0;
    }
    const int rc = mf__seal_entry_read(v->dir, was->path, was, &is, &why);
    if (rc == -ENOMEM) {
        return mf_fail(v->err, rc, "out of memory");
    }
    if (rc < 0) {
        report(v, &finding, "%s", why.msg);
        return 0;
    }
    compare_entry(v, was, &is);
    mf__seal_entry_free(&is);
    return 0;
}

/* ---- all files ---- */

static void report_added(struct verifying *v, const struct mf_seal_name *name)
{
    struct mf_seal_finding finding = {.fault = MF_SEAL_ADDED, .path = name->path};
    report(v, &finding, "was not there%s", name->kind == MF_SEAL_IS_OTHER ? " (no file)" : "");
}

/* Both are in the order of their paths. */
static int compare_files(struct verifying *v)
{
    const struct mf_seal_manifest *list = &v->list;
    struct mf_seal_names names;
    size_t at = 0;
    int rc = mf__seal_names_read(v->dir, &names, v->err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i <= names.count; i++) {
        const struct mf_seal_name *name = i < names.count ? &names.items[i] : NULL;
        while (at < list->count &&
               (name == NULL || strcmp(list->entries[at].path, name->path) < 0)) {
            struct mf_seal_finding finding = {.fault = MF_SEAL_MISSING,
                                              .path = list->entries[at].path,
                                              .sealed_bytes = list->entries[at].size_bytes};
            report(v, &finding, "is gone; it had %llu bytes",
                   (unsigned long long)list->entries[at].size_bytes);
            at++;
        }
        if (name == NULL || strcmp(name->path, MF_SEAL_FILE) == 0) {
            continue;
        }
        if (at < list->count && strcmp(list->entries[at].path, name->path) == 0) {
            rc = compare_file(v, &list->entries[at++], name->kind);
        } else if (name->kind != MF_SEAL_IS_DIRECTORY) { /* the list has what is in directories */
            report_added(v, name);
        }
    }
    mf__seal_names_free(&names);
    return rc;
}

/* Without a list that can be believed: all or nothing. */
static int compare_whole(struct verifying *v)
{
    struct mf_seal_manifest now;
    struct mf_errinfo why = {0};
    const int rc = mf__seal_manifest_make(v->dir, "", &now, &why);
    struct mf_seal_finding finding = {.fault = MF_SEAL_UNKNOWN};
    if (rc == -ENOMEM) {
        return mf_fail(v->err, rc, "out of memory");
    }
    if (rc < 0) {
        report(v, &finding, "not what was sealed: %s", why.msg);
        return 0;
    }
    if (memcmp(now.root, v->check.record.root, sizeof now.root) != 0) {
        report(v, &finding,
               "not what was sealed; what has changed cannot be told, since " MF_SEAL_FILE
               " is not the one of the seal");
    }
    mf__seal_manifest_free(&now);
    return 0;
}

/* ---- seal.json ---- */

static int read_list(struct verifying *v)
{
    static const uint8_t none[MF_SHA256_LEN];
    const struct mf_seal_record *record = &v->check.record;
    struct mf_seal_finding finding = {.fault = MF_SEAL_LIST, .path = MF_SEAL_FILE};
    uint8_t hash[MF_SHA256_LEN];
    char *text = NULL;
    size_t len = 0;
    struct mf_errinfo why = {0};
    char *path = mf_asprintf("%s/" MF_SEAL_FILE, v->dir);
    int rc =
        path != NULL ? mf_fs_read_all(NULL, path, MF_SEAL_LEN_MAX, &text, &len, &why) : -ENOMEM;
    if (rc == 0) {
        mf_sha256(text, len, hash);
        rc = mf__seal_manifest_parse(text, len, path, &v->list, &why);
        v->has_list = rc == 0 && memcmp(v->list.root, record->root, sizeof record->root) == 0;
    }
    mf_free(text);
    mf_free(path);
    if (rc == -ENOMEM) {
        return mf_fail(v->err, rc, "out of memory");
    }
    if (rc < 0) {
        finding.fault = rc == -ENOENT ? MF_SEAL_MISSING : MF_SEAL_LIST;
        report(v, &finding, "%s", rc == -ENOENT ? "is gone" : why.msg);
    } else if (!v->has_list) {
        report(v, &finding, "it lists other files than were sealed");
    } else if (memcmp(record->seal_sha256, none, sizeof none) != 0 &&
               memcmp(record->seal_sha256, hash, sizeof hash) != 0) {
        report(v, &finding, "changed, but its list of files is the one of the seal");
    }
    return 0;
}

/* ---- what to hold it against ---- */

/* The id that flight.json says, for mf_free(); NULL: it cannot be read. */
static char *read_id(const char *dir)
{
    struct mf_flight_info *info = NULL;
    char *id = NULL;
    if (mf_flight_info_read(dir, &info, NULL) == 0) {
        id = mf_strdup(info->id);
    }
    mf_flight_info_free(info);
    return id;
}

/* The record, by what the flight says that it is, else by the name of its directory. */
static int find_record(struct verifying *v, const char *id)
{
    const char *home = v->trust->home;
    const char *name = mf__seal_name_in_home(home, v->dir);
    struct mf_seal_record *record = &v->check.record;
    int rc = id != NULL ? mf_flight_seal_find(home, id, record, v->err) : 0;
    if (rc == 0 && name != NULL && (id == NULL || strcmp(id, name) != 0)) {
        rc = mf_flight_seal_find(home, name, record, v->err);
    }
    if (rc < 0) {
        return rc;
    }
    if (rc == 0) {
        return mf_fail(v->err, MF_ENOTFOUND, "%.200s is not sealed: the ledger has no record of it",
                       v->dir);
    }
    v->check.has_record = true;
    if (name != NULL && (id == NULL || strcmp(id, name) != 0)) {
        struct mf_seal_finding finding = {.fault = MF_SEAL_RENAMED};
        report(v, &finding,
               id != NULL ? "this is the flight %s under the name of %s"
                          : "flight.json cannot be read; held against the record of %s",
               id != NULL ? id : name, name);
    }
    return 0;
}

int mf_flight_verify(const char *dir, const struct mf_seal_trust *trust,
                     void (*visit)(void *context, const struct mf_seal_finding *finding),
                     void *context, struct mf_seal_check *ret_check, struct mf_errinfo *err)
{
    struct verifying v = {
        .dir = dir, .trust = trust, .visit = visit, .context = context, .err = err};
    struct mf_file_info info;
    int rc = mf_fs_info(NULL, dir, &info, err);
    char *id = rc == 0 ? read_id(dir) : NULL;
    if (rc == 0 && trust->root != NULL) {
        memcpy(v.check.record.root, trust->root, sizeof v.check.record.root);
        snprintf(v.check.record.id, sizeof v.check.record.id, "%s", id != NULL ? id : "");
        v.check.has_record = true;
    } else if (rc == 0) {
        rc = find_record(&v, id);
    }
    rc = rc == 0 ? read_list(&v) : rc;
    if (rc == 0) {
        rc = v.has_list ? compare_files(&v) : compare_whole(&v);
    }
    if (v.has_list) {
        mf__seal_manifest_free(&v.list);
    }
    mf_free(id);
    if (rc == 0 || rc == MF_ENOTFOUND) {
        *ret_check = v.check;
    }
    return rc;
}
