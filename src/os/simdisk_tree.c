/* SPDX-License-Identifier: Apache-2.0
 * simdisk_tree.c -- the names of the simulated disk: directories as programs see them, as they are
 * durable, and the operations in between. */
#include "simdisk_private.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

#define SIM_DEPTH_MAX 64

void mf__sim_entries_free(struct sim_entries *entries, bool live)
{
    for (size_t i = 0; i < entries->count; i++) {
        mf_free(entries->list[i].name);
        mf__sim_inode_put(entries->list[i].inode, live); /* as deep as directories are */
    }
    mf_free(entries->list);
    *entries = (struct sim_entries){NULL, 0, 0};
}

static struct sim_entry *entries_find(const struct sim_entries *entries, const char *name)
{
    for (size_t i = 0; i < entries->count; i++) {
        if (strcmp(entries->list[i].name, name) == 0) {
            return &entries->list[i];
        }
    }
    return NULL;
}

static int entries_set(struct sim_entries *entries, const char *name, struct sim_inode *inode,
                       bool live)
{
    struct sim_entry *entry = entries_find(entries, name);
    if (entry != NULL) {
        mf__sim_inode_get(inode, live);
        mf__sim_inode_put(entry->inode, live);
        entry->inode = inode;
        return 0;
    }
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity != 0 ? entries->capacity * 2 : 8;
        struct sim_entry *list = mf_realloc(entries->list, capacity * sizeof *list);
        if (list == NULL) {
            return -ENOMEM;
        }
        entries->list = list;
        entries->capacity = capacity;
    }
    char *copy = mf_strdup(name);
    if (copy == NULL) {
        return -ENOMEM;
    }
    mf__sim_inode_get(inode, live);
    entries->list[entries->count++] = (struct sim_entry){copy, inode};
    return 0;
}

static void entries_remove(struct sim_entries *entries, const char *name, bool live)
{
    struct sim_entry *entry = entries_find(entries, name);
    if (entry != NULL) {
        struct sim_inode *inode = entry->inode;
        mf_free(entry->name);
        *entry = entries->list[--entries->count];
        mf__sim_inode_put(inode, live);
    }
}

/* Splits the path into components without ".", "..", and empty ones. */
static int split(const char *path, const char **parts, size_t *lens, size_t *ret_count)
{
    size_t count = 0;
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (len == 2 && at[0] == '.' && at[1] == '.') {
            count -= count > 0 ? 1 : 0;
        } else if (len > 0 && !(len == 1 && at[0] == '.')) {
            if (count == SIM_DEPTH_MAX || len > 255) {
                return -ENAMETOOLONG;
            }
            parts[count] = at;
            lens[count++] = len;
        }
        at += len;
        at += *at == '/' ? 1 : 0;
    }
    *ret_count = count;
    return 0;
}

static bool wants_directory(const char *path)
{
    size_t len = strlen(path);
    return len > 0 &&
           (path[len - 1] == '/' || (len > 1 && path[len - 1] == '.' && path[len - 2] == '/'));
}

int mf__sim_walk(struct mf_simdisk *disk, const char *path, struct sim_name *ret_name)
{
    const char *parts[SIM_DEPTH_MAX];
    size_t lens[SIM_DEPTH_MAX];
    size_t count = 0;
    int code = path[0] == '\0' ? -ENOENT : split(path, parts, lens, &count);
    if (code < 0) {
        return code;
    }
    struct sim_name name = {disk->root, ""};
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            struct sim_inode *next = mf__sim_look(&name);
            if (next == NULL || next->kind != MF_KIND_DIRECTORY) {
                return next == NULL ? -ENOENT : -ENOTDIR;
            }
            name.directory = next;
        }
        memcpy(name.text, parts[i], lens[i]);
        name.text[lens[i]] = '\0';
    }
    const struct sim_inode *target = mf__sim_look(&name);
    if (target != NULL && target->kind != MF_KIND_DIRECTORY && wants_directory(path)) {
        return -ENOTDIR;
    }
    *ret_name = name;
    return 0;
}

struct sim_inode *mf__sim_look(const struct sim_name *name)
{
    if (name->text[0] == '\0') {
        return name->directory;
    }
    const struct sim_entry *entry = entries_find(&name->directory->entries, name->text);
    return entry != NULL ? entry->inode : NULL;
}

static void operation_free(struct sim_operation *operation)
{
    mf_free(operation->from_name);
    mf_free(operation->to_name);
    if (operation->from != NULL) {
        mf__sim_inode_put(operation->from, false);
    }
    if (operation->to != NULL) {
        mf__sim_inode_put(operation->to, false);
    }
    if (operation->inode != NULL) {
        mf__sim_inode_put(operation->inode, false);
    }
}

void mf__sim_operations_free(struct mf_simdisk *disk)
{
    while (disk->operation_count > 0) {
        operation_free(&disk->operations[--disk->operation_count]);
    }
    mf_free(disk->operations);
    disk->operations = NULL;
}

static int operation_add(struct mf_simdisk *disk, const struct sim_name *from,
                         const struct sim_name *to, struct sim_inode *inode)
{
    if (disk->operation_count == disk->operation_capacity) {
        size_t capacity = disk->operation_capacity != 0 ? disk->operation_capacity * 2 : 16;
        struct sim_operation *list = mf_realloc(disk->operations, capacity * sizeof *list);
        if (list == NULL) {
            return -ENOMEM;
        }
        disk->operations = list;
        disk->operation_capacity = capacity;
    }
    struct sim_operation operation = {NULL, NULL, NULL, NULL, NULL};
    operation.from_name = from != NULL ? mf_strdup(from->text) : NULL;
    operation.to_name = to != NULL ? mf_strdup(to->text) : NULL;
    if ((from != NULL && operation.from_name == NULL) ||
        (to != NULL && operation.to_name == NULL)) {
        operation_free(&operation);
        return -ENOMEM;
    }
    operation.from = from != NULL ? from->directory : NULL;
    operation.to = to != NULL ? to->directory : NULL;
    operation.inode = inode;
    struct sim_inode *held[] = {operation.from, operation.to, inode};
    for (size_t i = 0; i < 3; i++) {
        if (held[i] != NULL) {
            mf__sim_inode_get(held[i], false);
        }
    }
    disk->operations[disk->operation_count++] = operation;
    return 0;
}

static void operation_undo(struct mf_simdisk *disk)
{
    operation_free(&disk->operations[--disk->operation_count]);
}

int mf__sim_link(struct mf_simdisk *disk, const struct sim_name *name, struct sim_inode *inode)
{
    int code = operation_add(disk, NULL, name, inode);
    if (code == 0) {
        code = entries_set(&name->directory->entries, name->text, inode, true);
        if (code < 0) {
            operation_undo(disk);
        }
    }
    return code;
}

int mf__sim_unlink(struct mf_simdisk *disk, const struct sim_name *name, struct sim_inode *inode)
{
    int code = operation_add(disk, name, NULL, inode);
    if (code == 0) {
        entries_remove(&name->directory->entries, name->text, true);
    }
    return code;
}

/* Whether `inode` lies in the tree below `top` (or is it). */
static bool is_below(const struct sim_inode *top, const struct sim_inode *inode, int depth)
{
    if (top == inode) {
        return true;
    }
    for (size_t i = 0; depth > 0 && i < top->entries.count; i++) {
        if (is_below(top->entries.list[i].inode, inode, depth - 1)) {
            return true;
        }
    }
    return false;
}

int mf__sim_rename(struct mf_simdisk *disk, const struct sim_name *from, const struct sim_name *to)
{
    struct sim_inode *inode = mf__sim_look(from);
    struct sim_inode *target = mf__sim_look(to);
    if (inode == NULL) {
        return -ENOENT;
    }
    if (inode == disk->root || target == disk->root) {
        return -EBUSY;
    }
    if (inode == target) {
        return 0;
    }
    if (inode->kind == MF_KIND_DIRECTORY && is_below(inode, to->directory, SIM_DEPTH_MAX)) {
        return -EINVAL;
    }
    if (target != NULL && target->kind == MF_KIND_DIRECTORY &&
        is_below(target, inode, SIM_DEPTH_MAX)) {
        return -ENOTEMPTY;
    }
    if (target != NULL && target->kind != inode->kind) {
        return target->kind == MF_KIND_DIRECTORY ? -EISDIR : -ENOTDIR;
    }
    if (target != NULL && target->entries.count != 0) {
        return -ENOTEMPTY;
    }
    int code = operation_add(disk, from, to, inode);
    if (code == 0) {
        code = entries_set(&to->directory->entries, to->text, inode, true);
        if (code < 0) {
            operation_undo(disk);
        } else {
            entries_remove(&from->directory->entries, from->text, true);
        }
    }
    return code;
}

/* Whether the later operation makes sense only after the earlier one: they touch the same name. */
static bool depends(const struct sim_operation *later, const struct sim_operation *earlier)
{
    const struct sim_inode *directories[2][2] = {{later->from, later->to},
                                                 {earlier->from, earlier->to}};
    const char *names[2][2] = {{later->from_name, later->to_name},
                               {earlier->from_name, earlier->to_name}};
    for (int a = 0; a < 2; a++) {
        for (int b = 0; b < 2; b++) {
            if (directories[0][a] != NULL && directories[0][a] == directories[1][b] &&
                strcmp(names[0][a], names[1][b]) == 0) {
                return true;
            }
        }
    }
    return false;
}

int mf__sim_sync_directory(struct mf_simdisk *disk, struct sim_inode *directory)
{
    size_t count = disk->operation_count;
    uint8_t *wanted = mf_calloc(count, 1);
    if (wanted == NULL) {
        return -ENOMEM;
    }
    for (size_t i = count; i-- > 0;) {
        const struct sim_operation *operation = &disk->operations[i];
        wanted[i] |= operation->from == directory || operation->to == directory;
        for (size_t j = 0; wanted[i] != 0 && j < i; j++) {
            wanted[j] |= depends(operation, &disk->operations[j]);
        }
    }
    size_t kept = 0;
    int code = 0;
    for (size_t i = 0; i < count; i++) {
        struct sim_operation operation = disk->operations[i];
        if (wanted[i] != 0 && code == 0 && operation.to != NULL) {
            code = entries_set(&operation.to->durable_entries, operation.to_name, operation.inode,
                               false);
        }
        if (wanted[i] == 0 || code < 0) {
            disk->operations[kept++] = operation;
            continue;
        }
        if (operation.from != NULL) {
            entries_remove(&operation.from->durable_entries, operation.from_name, false);
        }
        operation_free(&operation);
    }
    disk->operation_count = kept;
    mf_free(wanted);
    return code;
}

static int copy_entries(const struct sim_entries *entries, struct sim_entries *ret_entries,
                        bool live, bool other_disk)
{
    int code = 0;
    for (size_t i = 0; i < entries->count && code == 0; i++) {
        const struct sim_entry *entry = &entries->list[i];
        code = entries_set(ret_entries, entry->name, other_disk ? entry->inode->copy : entry->inode,
                           live);
    }
    return code;
}

/* Lets the operations that survive the cut happen on the copy. */
static int cut_operations(const struct mf_simdisk *disk, struct mf_rng *rng)
{
    size_t count = disk->operation_count;
    uint8_t *dropped = mf_calloc(count, 1);
    if (dropped == NULL) {
        return -ENOMEM;
    }
    bool in_order = mf_rng_below(rng, 4) == 0; /* one journal for everything */
    size_t reach = mf_rng_below(rng, count + 1);
    int code = 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        const struct sim_operation *operation = &disk->operations[i];
        dropped[i] = in_order ? i >= reach : mf_rng_below(rng, 2) == 0;
        for (size_t j = 0; j < i && dropped[i] == 0; j++) {
            dropped[i] = dropped[j] != 0 && depends(operation, &disk->operations[j]);
        }
        if (dropped[i] == 0 && operation->to != NULL) {
            code = entries_set(&operation->to->copy->entries, operation->to_name,
                               operation->inode->copy, true);
        }
        if (dropped[i] == 0 && code == 0 && operation->from != NULL) {
            entries_remove(&operation->from->copy->entries, operation->from_name, true);
        }
    }
    mf_free(dropped);
    return code;
}

int mf__sim_cut_tree(struct mf_simdisk *disk, struct mf_simdisk *copy,
                     const struct mf_simdisk_cut *cut, struct mf_rng *rng)
{
    int code = 0;
    for (struct sim_inode *inode = disk->inodes; inode != NULL && code == 0; inode = inode->next) {
        inode->copy = inode == disk->root ? copy->root : mf__sim_inode_new(copy, inode->kind);
        code = inode->copy == NULL                ? -ENOMEM
               : inode->kind == MF_KIND_DIRECTORY ? 0
                                                  : mf__sim_cut_file(inode, inode->copy, cut, rng);
    }
    for (struct sim_inode *inode = disk->inodes; inode != NULL && code == 0; inode = inode->next) {
        code = copy_entries(cut->keep_all ? &inode->entries : &inode->durable_entries,
                            &inode->copy->entries, true, true);
    }
    if (code == 0 && !cut->keep_all && !cut->keep_nothing) {
        code = cut_operations(disk, rng);
    }
    for (struct sim_inode *inode = copy->inodes; inode != NULL && code == 0; inode = inode->next) {
        code = copy_entries(&inode->entries, &inode->durable_entries, false, false);
    }
    /* Gives back the reference of the creation; what has no name is gone then. The next inode still
     * has its own, so it outlives the step. */
    for (struct sim_inode *inode = copy->inodes; inode != NULL;) {
        struct sim_inode *next = inode->next;
        if (inode != copy->root) {
            mf__sim_inode_put(inode, false);
        }
        inode = next;
    }
    return code;
}
