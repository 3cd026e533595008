/* SPDX-License-Identifier: Apache-2.0
 * fs_type.c -- the kind of a file system by its number; statfs(2), linux/magic.h. */
#include "os/file.h"

#include "base/fail.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#define PATH_LEN  4096
#define XFS_MAGIC 0x58465342
#define ZFS_MAGIC 0x2fc12fc1

static const struct {
    uint32_t magic;
    const char *name;
} types[] = {
    {EXT4_SUPER_MAGIC, "ext4"},   {XFS_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"}, {ZFS_MAGIC, "zfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},   {TMPFS_MAGIC, "tmpfs"},
    {RAMFS_MAGIC, "ramfs"},       {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
    {NFS_SUPER_MAGIC, "nfs"},     {V9FS_MAGIC, "9p"},
    {FUSE_SUPER_MAGIC, "fuse"},   {MSDOS_SUPER_MAGIC, "vfat"},
};

int mf_fs_type(const char *path, char *out, size_t capacity)
{
    char part[PATH_LEN];
    struct statfs info;
    const int len = snprintf(part, sizeof part, "%s", path);
    if (len <= 0 || (size_t)len >= sizeof part) {
        return -EINVAL;
    }
    /* What does not exist yet will be on the file system of the nearest directory above it. */
    while (statfs(part, &info) != 0) {
        if ((errno != ENOENT && errno != ENOTDIR) || strcmp(part, ".") == 0) {
            return -errno;
        }
        char *slash = strrchr(part, '/');
        if (slash == NULL) {
            memcpy(part, ".", 2);
        } else {
            slash[slash == part] = '\0';
        }
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(types); i++) {
        if ((uint32_t)info.f_type == types[i].magic) {
            snprintf(out, capacity, "%s", types[i].name);
            return 0;
        }
    }
    snprintf(out, capacity, "0x%08x", (unsigned)info.f_type);
    return 0;
}
