/* SPDX-License-Identifier: Apache-2.0
 * scratch.c -- see scratch.h. */
#include "scratch.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[PATH_MAX];
static pid_t owner;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void scratch_remove(void)
{
    if (directory[0] != '\0' && owner == getpid()) {
        nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        directory[0] = '\0';
    }
}

const char *scratch_directory(void)
{
    if (directory[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(directory, sizeof directory, "%s/mayfly-test-XXXXXX",
                 base != NULL ? base : "/tmp");
        if (mkdtemp(directory) == NULL) {
            perror(directory);
            abort();
        }
        owner = getpid();
        atexit(scratch_remove);
    }
    return directory;
}

const char *scratch_path(const char *name)
{
    static char paths[32][PATH_MAX + 64];
    static unsigned turn;
    char *path = paths[turn++ % 32];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_directory(), name);
    return path;
}
