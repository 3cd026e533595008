/* SPDX-License-Identifier: Apache-2.0
 *
 * cgroup.c -- see cgroup.h.
 *
 * Places. A hierarchy is mounted somewhere (mountinfo: root of the mount within the hierarchy,
 * mount point), and /proc/self/cgroup has our path in it. In a container without a cgroup namespace
 * both start with the same prefix; with one, both are "/". A path that leaves the namespace ("/..")
 * is not usable.
 *
 * The leaf is made below our own cgroup and nowhere else, so that limits and stop commands that
 * apply to us apply to the command, too. Version 2 passes controllers to children only when the
 * parent has no processes of its own (or is the root), hence the step aside into <name>.recorder.
 *
 * Files are pseudo-files of the kernel: written directly, in one write(2) each.
 */
#include "os/cgroup.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REMOVE_ROUNDS  400 /* of 5 ms: on a busy machine the dying take their time */
#define FILE_NAME_ROOM 64  /* longest pseudo-file name with its slash */

struct leaf {
    char path[MF_CGROUP_PATH_LEN]; /* "" when there is none */
    char parent[MF_CGROUP_PATH_LEN];
    int door; /* cgroup.procs, for writing */
};

struct mf_cgroup {
    struct leaf unified;
    struct leaf memory_v1;
    bool unified_memory; /* the memory controller works in the leaf */
    bool enabled_controllers;
    bool stepped_aside;
    int directory;      /* of version 2 */
    int cpu_stat;       /* kept open: read at every sample */
    int memory_current; /* the same */
};

/* ---- pseudo-files ---- */

static void file_path(const char *directory, const char *name,
                      char ret_path[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM])
{
    snprintf(ret_path, MF_CGROUP_PATH_LEN + FILE_NAME_ROOM, "%s/%s", directory, name);
}

static int read_file(const char *directory, const char *name, char *text, size_t capacity)
{
    char path[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM];
    size_t len = 0;
    file_path(directory, name, path);
    return mf_proc_read_text(path, text, capacity, &len);
}

static int write_file(const char *directory, const char *name, const char *text)
{
    char path[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM];
    file_path(directory, name, path);
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    const ssize_t n = write(file, text, strlen(text));
    const int ret = n < 0 ? -errno : 0;
    close(file);
    return ret;
}

static int open_file(const char *directory, const char *name, int flags)
{
    char path[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM];
    file_path(directory, name, path);
    return open(path, flags | O_CLOEXEC);
}

/* A file of one number; "max" and failures are MF_CGROUP_UNKNOWN. */
static uint64_t number_in(const char *text)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    return end == text || errno != 0 ? MF_CGROUP_UNKNOWN : (uint64_t)value;
}

static uint64_t read_number(const char *directory, const char *name)
{
    char text[64];
    return read_file(directory, name, text, sizeof text) == 0 ? number_in(text) : MF_CGROUP_UNKNOWN;
}

static uint64_t read_keyed(const char *directory, const char *name, const char *key)
{
    char text[8192];
    uint64_t value = 0;
    if (read_file(directory, name, text, sizeof text) != 0 ||
        mf_proc_parse_keyed(text, strlen(text), key, &value) != 0) {
        return MF_CGROUP_UNKNOWN;
    }
    return value;
}

/* ---- places ---- */

/* mountinfo writes blanks, newlines and backslashes as \ooo. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0';) {
        if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
            in[3] >= '0' && in[3] <= '7') {
            *out++ = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
            in += 4;
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
}

/* Our directory: the mount point and what our path has beyond the root of the mount. */
static void join_place(const char *mount_point, const char *root, const char *path,
                       char ret_place[MF_CGROUP_PATH_LEN])
{
    const size_t root_len = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(path, "/..", 3) == 0 || strncmp(root, "/..", 3) == 0 ||
        strncmp(path, root, root_len) != 0 || (path[root_len] != '/' && path[root_len] != '\0')) {
        return;
    }
    const char *rest = path + root_len;
    const int len = snprintf(ret_place, MF_CGROUP_PATH_LEN, "%s%s", mount_point,
                             strcmp(rest, "/") == 0 ? "" : rest);
    if (len < 0 || len >= MF_CGROUP_PATH_LEN) {
        ret_place[0] = '\0';
    }
}

static bool has_word(const char *list, char separator, const char *word)
{
    const size_t len = strlen(word);
    for (const char *at = list; at != NULL;) {
        if (strncmp(at, word, len) == 0 &&
            (at[len] == separator || at[len] == '\0' || at[len] == '\n')) {
            return true;
        }
        at = strchr(at, separator);
        at = at != NULL ? at + 1 : NULL;
    }
    return false;
}

/* Our path in the hierarchy whose controllers contain `controller` ("": version 2). */
static bool find_membership(const char *membership, size_t len, const char *controller,
                            char ret_path[MF_CGROUP_PATH_LEN])
{
    const char *end = membership + len;
    for (const char *line = membership; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = newline != NULL ? newline : end;
        char copy[MF_CGROUP_PATH_LEN];
        const size_t line_len = (size_t)(line_end - line);
        if (line_len < sizeof copy) {
            memcpy(copy, line, line_len);
            copy[line_len] = '\0';
            char *controllers = strchr(copy, ':');
            char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
            if (path != NULL) {
                *controllers++ = '\0';
                *path++ = '\0';
                const bool found = controller[0] == '\0'
                                       ? controllers[0] == '\0' && strcmp(copy, "0") == 0
                                       : has_word(controllers, ',', controller);
                if (found && path[0] == '/') {
                    snprintf(ret_path, MF_CGROUP_PATH_LEN, "%s", path);
                    return true;
                }
            }
        }
        line = line_end + 1;
    }
    return false;
}

static void parse_mount(char *line, const char *unified_path, const char *memory_path,
                        struct mf_cgroup_places *places)
{
    char *separator = strstr(line, " - ");
    if (separator == NULL) {
        return;
    }
    *separator = '\0';
    char *kind = separator + 3;
    char *save = NULL;
    char *field[6] = {NULL};
    int fields = 0;
    for (char *word = strtok_r(line, " ", &save); word != NULL && fields < 6;
         word = strtok_r(NULL, " ", &save)) {
        field[fields++] = word;
    }
    if (fields < 5) {
        return;
    }
    unescape(field[3]);
    unescape(field[4]);
    const char *options = strrchr(kind, ' ');
    if (strncmp(kind, "cgroup2 ", 8) == 0) {
        if (places->unified[0] == '\0' && unified_path[0] != '\0') {
            join_place(field[4], field[3], unified_path, places->unified);
        }
    } else if (strncmp(kind, "cgroup ", 7) == 0 && options != NULL &&
               has_word(options + 1, ',', "memory")) {
        if (places->memory_v1[0] == '\0' && memory_path[0] != '\0') {
            join_place(field[4], field[3], memory_path, places->memory_v1);
        }
    }
}

void mf_cgroup_parse_places(const char *mountinfo, size_t mountinfo_len, const char *membership,
                            size_t membership_len, struct mf_cgroup_places *ret_places)
{
    struct mf_cgroup_places places = {{0}, {0}};
    char unified_path[MF_CGROUP_PATH_LEN] = "";
    char memory_path[MF_CGROUP_PATH_LEN] = "";
    find_membership(membership, membership_len, "", unified_path);
    find_membership(membership, membership_len, "memory", memory_path);
    const char *end = mountinfo + mountinfo_len;
    for (const char *line = mountinfo; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = newline != NULL ? newline : end;
        char copy[4096];
        const size_t len = (size_t)(line_end - line);
        if (len < sizeof copy) {
            memcpy(copy, line, len);
            copy[len] = '\0';
            parse_mount(copy, unified_path, memory_path, &places);
        }
        line = line_end + 1;
    }
    *ret_places = places;
}

void mf_cgroup_find_places(struct mf_cgroup_places *ret_places)
{
    *ret_places = (struct mf_cgroup_places){{0}, {0}};
    const size_t capacity = 1 << 20; /* container hosts have thousands of mounts */
    char *mountinfo = mf_malloc(capacity);
    char membership[16384];
    size_t mountinfo_len = 0;
    size_t membership_len = 0;
    if (mountinfo != NULL &&
        mf_proc_read_text("/proc/self/mountinfo", mountinfo, capacity, &mountinfo_len) == 0 &&
        mf_proc_read_text("/proc/self/cgroup", membership, sizeof membership, &membership_len) ==
            0) {
        mf_cgroup_parse_places(mountinfo, mountinfo_len, membership, membership_len, ret_places);
    }
    mf_free(mountinfo);
}

/* ---- making ---- */

static int make_leaf(const char *parent, const char *name, struct leaf *leaf)
{
    leaf->door = -1;
    leaf->path[0] = '\0';
    if (parent[0] == '\0') {
        return -ENOENT;
    }
    const int len = snprintf(leaf->path, sizeof leaf->path, "%s/%s", parent, name);
    if (len < 0 || (size_t)len >= sizeof leaf->path) {
        leaf->path[0] = '\0';
        return -ENAMETOOLONG;
    }
    snprintf(leaf->parent, sizeof leaf->parent, "%s", parent);
    if (mkdir(leaf->path, 0755) != 0) {
        const int ret = -errno;
        leaf->path[0] = '\0';
        return ret;
    }
    leaf->door = open_file(leaf->path, "cgroup.procs", O_WRONLY);
    if (leaf->door < 0) {
        const int ret = -errno;
        rmdir(leaf->path);
        leaf->path[0] = '\0';
        return ret;
    }
    return 0;
}

static bool only_we_are_in(const char *directory)
{
    char text[4096];
    char ours[32];
    snprintf(ours, sizeof ours, "%d\n", (int)getpid());
    return read_file(directory, "cgroup.procs", text, sizeof text) == 0 && strcmp(text, ours) == 0;
}

/* The controllers that we would like and that the parent has, as one line for subtree_control. */
static bool wanted_controllers(const char *parent, char sign, char *line, size_t capacity)
{
    static const char *const wanted[] = {"memory", "pids", "io"};
    char available[1024];
    char passed_on[1024];
    if (read_file(parent, "cgroup.controllers", available, sizeof available) != 0 ||
        read_file(parent, "cgroup.subtree_control", passed_on, sizeof passed_on) != 0) {
        return false;
    }
    line[0] = '\0';
    for (size_t i = 0; i < MF_ARRAY_LEN(wanted); i++) {
        if (has_word(available, ' ', wanted[i]) && !has_word(passed_on, ' ', wanted[i])) {
            const size_t used = strlen(line);
            snprintf(line + used, capacity - used, "%s%c%s", used > 0 ? " " : "", sign, wanted[i]);
        }
    }
    return line[0] != '\0';
}

/* Where we ourselves, and what outlives the flight, stay while the parent passes controllers on. */
static void aside_path(const struct mf_cgroup *cgroup,
                       char ret_path[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM])
{
    snprintf(ret_path, MF_CGROUP_PATH_LEN + FILE_NAME_ROOM, "%s.recorder", cgroup->unified.path);
}

static void pass_on_controllers(struct mf_cgroup *cgroup, const char *parent)
{
    char line[64];
    if (!wanted_controllers(parent, '+', line, sizeof line)) {
        return;
    }
    int ret = write_file(parent, "cgroup.subtree_control", line);
    if (ret == -EBUSY && only_we_are_in(parent)) {
        char aside[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM];
        aside_path(cgroup, aside);
        if (mkdir(aside, 0755) == 0) {
            if (write_file(aside, "cgroup.procs", "0") == 0) {
                ret = write_file(parent, "cgroup.subtree_control", line);
                cgroup->stepped_aside = true;
            } else {
                rmdir(aside);
            }
        }
    }
    cgroup->enabled_controllers = ret == 0;
}

static int set_limit(struct mf_cgroup *cgroup, uint64_t memory_max_bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)memory_max_bytes);
    if (cgroup->unified_memory) {
        (void)write_file(cgroup->unified.path, "memory.swap.max", "0"); /* absent without swap */
        return write_file(cgroup->unified.path, "memory.max", text);
    }
    if (cgroup->memory_v1.path[0] != '\0') {
        const int ret = write_file(cgroup->memory_v1.path, "memory.limit_in_bytes", text);
        (void)write_file(cgroup->memory_v1.path, "memory.memsw.limit_in_bytes", text);
        return ret;
    }
    return MF_EUNSUPPORTED;
}

int mf_cgroup_create(const struct mf_cgroup_places *places, const char *name,
                     uint64_t memory_max_bytes, struct mf_cgroup **ret_cgroup,
                     struct mf_errinfo *err)
{
    struct mf_cgroup *cgroup = mf_calloc(1, sizeof *cgroup);
    if (cgroup == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for a cgroup");
    }
    cgroup->directory = cgroup->cpu_stat = cgroup->memory_current = -1;
    const int unified = make_leaf(places->unified, name, &cgroup->unified);
    const int memory_v1 = make_leaf(places->memory_v1, name, &cgroup->memory_v1);
    if (unified == 0) {
        pass_on_controllers(cgroup, places->unified);
        cgroup->directory = open(cgroup->unified.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cgroup->cpu_stat = open_file(cgroup->unified.path, "cpu.stat", O_RDONLY);
        cgroup->memory_current = open_file(cgroup->unified.path, "memory.current", O_RDONLY);
        cgroup->unified_memory = cgroup->memory_current >= 0;
    }
    if (!cgroup->unified_memory && memory_v1 == 0) {
        cgroup->memory_current =
            open_file(cgroup->memory_v1.path, "memory.usage_in_bytes", O_RDONLY);
    }
    int ret = 0;
    if (unified != 0 && memory_v1 != 0) {
        ret = mf_fail(err, MF_EUNSUPPORTED, "no cgroup can be made below our own (%s): %s",
                      places->unified[0] != '\0' ? places->unified : "no cgroup2 file system",
                      mf_strerror(unified));
    } else if (memory_max_bytes > 0) {
        ret = set_limit(cgroup, memory_max_bytes);
        if (ret < 0) {
            ret = mf_fail(err, MF_EUNSUPPORTED,
                          "a memory limit needs a memory controller that may be written, and there "
                          "is none in %s: %s",
                          cgroup->unified.path[0] != '\0' ? cgroup->unified.path
                                                          : cgroup->memory_v1.path,
                          mf_strerror(ret));
        }
    }
    if (ret < 0) {
        mf_cgroup_remove(cgroup);
        return ret;
    }
    *ret_cgroup = cgroup;
    return 0;
}

bool mf_cgroup_has_unified(const struct mf_cgroup *cgroup)
{
    return cgroup->unified.path[0] != '\0';
}

bool mf_cgroup_has_memory(const struct mf_cgroup *cgroup)
{
    return cgroup->memory_current >= 0;
}

bool mf_cgroup_has_memory_v1(const struct mf_cgroup *cgroup)
{
    return cgroup->memory_v1.path[0] != '\0';
}

const char *mf_cgroup_path(const struct mf_cgroup *cgroup)
{
    return cgroup->unified.path;
}

const char *mf_cgroup_memory_v1_path(const struct mf_cgroup *cgroup)
{
    return cgroup->memory_v1.path;
}

struct mf_cgroup_entrance mf_cgroup_entrance(const struct mf_cgroup *cgroup)
{
    return (struct mf_cgroup_entrance){
        .directory = cgroup->directory,
        .door = cgroup->unified.door,
        .door_v1 = cgroup->memory_v1.door,
    };
}

/* ---- figures ---- */

static void read_cpu(const struct mf_cgroup *cgroup, struct mf_cgroup_figures *figures)
{
    char text[2048];
    const ssize_t n = cgroup->cpu_stat >= 0 ? pread(cgroup->cpu_stat, text, sizeof text, 0) : -1;
    uint64_t user = 0;
    uint64_t system = 0;
    if (n > 0 && mf_proc_parse_keyed(text, (size_t)n, "user_usec", &user) == 0 &&
        mf_proc_parse_keyed(text, (size_t)n, "system_usec", &system) == 0) {
        figures->cpu_user_ns = user * 1000;
        figures->cpu_system_ns = system * 1000;
    }
}

/* io.stat: "MAJ:MIN rbytes=N wbytes=N rios=N ..." per device. */
static void read_io(const struct mf_cgroup *cgroup, struct mf_cgroup_figures *figures)
{
    char text[8192];
    if (read_file(cgroup->unified.path, "io.stat", text, sizeof text) != 0) {
        return;
    }
    figures->read_bytes = figures->write_bytes = 0;
    for (const char *at = text; (at = strstr(at, "bytes=")) != NULL; at += 6) {
        if (at > text && (at[-1] == 'r' || at[-1] == 'w')) {
            const uint64_t value = number_in(at + 6);
            if (value != MF_CGROUP_UNKNOWN) {
                *(at[-1] == 'r' ? &figures->read_bytes : &figures->write_bytes) += value;
            }
        }
    }
}

void mf_cgroup_read_quickly(struct mf_cgroup *cgroup, struct mf_cgroup_figures *figures)
{
    char text[64];
    read_cpu(cgroup, figures);
    const ssize_t n =
        cgroup->memory_current >= 0 ? pread(cgroup->memory_current, text, sizeof text - 1, 0) : -1;
    if (n > 0) {
        text[n] = '\0';
        figures->memory_bytes = number_in(text);
    }
}

void mf_cgroup_read(struct mf_cgroup *cgroup, struct mf_cgroup_figures *ret_figures)
{
    struct mf_cgroup_figures figures;
    memset(&figures, 0xff, sizeof figures); /* all MF_CGROUP_UNKNOWN */
    mf_cgroup_read_quickly(cgroup, &figures);
    const char *unified = cgroup->unified.path;
    const char *memory_v1 = cgroup->memory_v1.path;
    if (cgroup->unified_memory) {
        figures.memory_peak_bytes = read_number(unified, "memory.peak");
        figures.memory_limit_bytes = read_number(unified, "memory.max");
        figures.memory_anonymous_bytes = read_keyed(unified, "memory.stat", "anon");
        figures.oom_kills = read_keyed(unified, "memory.events", "oom_kill");
        figures.limit_hits = read_keyed(unified, "memory.events", "max");
    } else if (memory_v1[0] != '\0') {
        figures.memory_peak_bytes = read_number(memory_v1, "memory.max_usage_in_bytes");
        figures.memory_limit_bytes = read_number(memory_v1, "memory.limit_in_bytes");
        if (figures.memory_limit_bytes > (uint64_t)1 << 60) { /* version 1's way to say "none" */
            figures.memory_limit_bytes = MF_CGROUP_UNKNOWN;
        }
        figures.memory_anonymous_bytes = read_keyed(memory_v1, "memory.stat", "total_rss");
        figures.oom_kills = read_keyed(memory_v1, "memory.oom_control", "oom_kill");
        figures.limit_hits = read_number(memory_v1, "memory.failcnt");
    }
    if (unified[0] != '\0') {
        read_io(cgroup, &figures);
        figures.processes = read_number(unified, "pids.current");
    }
    *ret_figures = figures;
}

uint64_t mf_cgroup_ancestor_oom_kills(const struct mf_cgroup_places *places)
{
    uint64_t kills = 0;
    if (places->unified[0] != '\0') {
        const uint64_t value = read_keyed(places->unified, "memory.events", "oom_kill");
        kills += value != MF_CGROUP_UNKNOWN ? value : 0;
    }
    if (places->memory_v1[0] != '\0') {
        const uint64_t value = read_keyed(places->memory_v1, "memory.oom_control", "oom_kill");
        kills += value != MF_CGROUP_UNKNOWN ? value : 0;
    }
    return kills;
}

/* ---- members ---- */

static int each_in(const char *directory, int (*visit)(void *context, int32_t pid), void *context)
{
    char path[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM];
    file_path(directory, "cgroup.procs", path);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -errno;
    }
    int ret = 0;
    char line[32];
    while (ret == 0 && fgets(line, sizeof line, file) != NULL) {
        const long pid = strtol(line, NULL, 10);
        if (pid > 0) { /* 0: a process of a namespace that we do not see */
            ret = visit(context, (int32_t)pid);
        }
    }
    fclose(file);
    return ret;
}

/* Nested cgroups that the command made, breadth first; more than this many are not looked into. */
#define NESTED_MAX 64

struct nest {
    char (*paths)[MF_CGROUP_PATH_LEN];
    unsigned count;
};

static void add_nested(struct nest *nest, const char *directory)
{
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        return;
    }
    for (struct dirent *entry; nest->count < NESTED_MAX && (entry = readdir(entries)) != NULL;) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') {
            continue;
        }
        const int len = snprintf(nest->paths[nest->count], MF_CGROUP_PATH_LEN, "%s/%s", directory,
                                 entry->d_name);
        if (len > 0 && len < MF_CGROUP_PATH_LEN) {
            nest->count++;
        }
    }
    closedir(entries);
}

static int each_nested(const char *directory, int (*visit)(void *context, int32_t pid),
                       void *context)
{
    int ret = each_in(directory, visit, context);
    struct nest nest = {NULL, 0};
    struct stat info;
    /* Two links more than nested directories: mostly there are none, and nothing is to be done. */
    if (ret != 0 || stat(directory, &info) != 0 || info.st_nlink <= 2) {
        return ret;
    }
    nest.paths = mf_malloc(sizeof *nest.paths * NESTED_MAX);
    if (nest.paths == NULL) {
        return -ENOMEM;
    }
    add_nested(&nest, directory);
    for (unsigned i = 0; ret == 0 && i < nest.count; i++) {
        const int nested = each_in(nest.paths[i], visit, context);
        ret = nested > 0 ? nested : 0; /* removed meanwhile: nobody there */
        add_nested(&nest, nest.paths[i]);
    }
    mf_free(nest.paths);
    return ret;
}

int mf_cgroup_each(const struct mf_cgroup *cgroup, int (*visit)(void *context, int32_t pid),
                   void *context)
{
    return each_nested(cgroup->unified.path[0] != '\0' ? cgroup->unified.path
                                                       : cgroup->memory_v1.path,
                       visit, context);
}

static int kill_one(void *context, int32_t pid)
{
    (void)context;
    kill(pid, SIGKILL);
    return 0;
}

int mf_cgroup_kill(const struct mf_cgroup *cgroup)
{
    const char *unified = cgroup->unified.path;
    if (unified[0] != '\0' && write_file(unified, "cgroup.kill", "1") == 0) {
        return 0;
    }
    /* Before Linux 5.14: several times, for a fork may be under way. */
    for (int round = 0; round < 10; round++) {
        const int ret = mf_cgroup_each(cgroup, kill_one, NULL);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

/* ---- removing ---- */

struct move {
    const char *parent;
    unsigned count;
};

static int move_one(void *context, int32_t pid)
{
    struct move *move = context;
    char text[16];
    snprintf(text, sizeof text, "%d", (int)pid);
    (void)write_file(move->parent, "cgroup.procs", text);
    move->count++;
    return 0;
}

static void undo_controllers(struct mf_cgroup *cgroup)
{
    const char *parent = cgroup->unified.parent;
    if (cgroup->enabled_controllers) {
        (void)write_file(parent, "cgroup.subtree_control", "-memory");
        (void)write_file(parent, "cgroup.subtree_control", "-pids");
        (void)write_file(parent, "cgroup.subtree_control", "-io");
    }
    if (cgroup->stepped_aside) {
        char aside[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM];
        aside_path(cgroup, aside);
        struct move move = {parent, 0};
        (void)each_in(aside, move_one, &move);
        rmdir(aside);
    }
}

static void remove_nested(const char *directory)
{
    struct nest nest = {mf_malloc(sizeof *nest.paths * NESTED_MAX), 0};
    if (nest.paths == NULL) {
        return;
    }
    add_nested(&nest, directory);
    for (unsigned i = 0; i < nest.count; i++) {
        add_nested(&nest, nest.paths[i]);
    }
    for (unsigned i = nest.count; i-- > 0;) {
        rmdir(nest.paths[i]);
    }
    mf_free(nest.paths);
}

static unsigned remove_leaf(const char *path, const char *parent)
{
    if (path[0] == '\0') {
        return 0;
    }
    struct move move = {parent, 0};
    for (int round = 0; round < REMOVE_ROUNDS; round++) {
        if (rmdir(path) == 0 || errno == ENOENT) {
            break;
        }
        /* Somebody lives there, or is just dying: the last exit has to be over. */
        move.count = 0;
        (void)each_nested(path, move_one, &move);
        remove_nested(path);
        nanosleep(&(struct timespec){.tv_nsec = round < 10 ? 200000 : 5000000}, NULL);
    }
    return move.count;
}

unsigned mf_cgroup_remove(struct mf_cgroup *cgroup)
{
    if (cgroup == NULL) {
        return 0;
    }
    const int files[] = {cgroup->unified.door, cgroup->memory_v1.door, cgroup->directory,
                         cgroup->cpu_stat, cgroup->memory_current};
    for (size_t i = 0; i < MF_ARRAY_LEN(files); i++) {
        if (files[i] >= 0) {
            close(files[i]);
        }
    }
    /* With controllers passed on, the parent can take processes back only after they are switched
     * off, and that needs the leaf to be gone: what still runs moves to the side first. */
    char refuge[MF_CGROUP_PATH_LEN + FILE_NAME_ROOM];
    snprintf(refuge, sizeof refuge, "%s", cgroup->unified.parent);
    if (cgroup->stepped_aside) {
        aside_path(cgroup, refuge);
    }
    const unsigned moved = remove_leaf(cgroup->unified.path, refuge);
    const unsigned moved_v1 = remove_leaf(cgroup->memory_v1.path, cgroup->memory_v1.parent);
    undo_controllers(cgroup);
    mf_free(cgroup);
    return moved > moved_v1 ? moved : moved_v1;
}

static int count_one(void *context, int32_t pid)
{
    (void)pid;
    (*(unsigned *)context)++;
    return 0;
}

unsigned mf_cgroup_remove_abandoned(const char *unified, const char *memory_v1)
{
    const char *const paths[] = {unified, memory_v1};
    unsigned alive[MF_ARRAY_LEN(paths)] = {0};
    for (size_t i = 0; i < MF_ARRAY_LEN(paths); i++) {
        if (paths[i][0] != '\0' && each_nested(paths[i], count_one, &alive[i]) == 0 &&
            alive[i] == 0) {
            remove_nested(paths[i]);
            rmdir(paths[i]);
        }
    }
    return alive[0] > alive[1] ? alive[0] : alive[1];
}

void mf_cgroup_sweep(const struct mf_cgroup_places *places, const char *prefix, int64_t age_ns)
{
    const char *const parents[] = {places->unified, places->memory_v1};
    const int64_t now_ns = mf_clock_wall_ns(NULL);
    for (size_t i = 0; i < MF_ARRAY_LEN(parents); i++) {
        DIR *entries = parents[i][0] != '\0' ? opendir(parents[i]) : NULL;
        if (entries == NULL) {
            continue;
        }
        for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
            struct stat info;
            if (entry->d_type == DT_DIR && strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
                fstatat(dirfd(entries), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                (int64_t)info.st_mtim.tv_sec * MF_NS_PER_SECOND + age_ns < now_ns) {
                /* The kernel refuses it when somebody is in there. */
                (void)unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR);
            }
        }
        closedir(entries);
    }
}
