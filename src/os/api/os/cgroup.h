/* SPDX-License-Identifier: Apache-2.0
 *
 * cgroup.h -- a cgroup of our own for a tree of processes: who belongs to it, its exact CPU time,
 * its memory, and the end of all of it at once. Version 2 (also in the "unified" folder of hybrid
 * hosts), and beside it a version 1 memory cgroup where the memory controller lives there.
 *
 * Formats: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux.
 * One thread per object.
 */
#ifndef OS_CGROUP_H
#define OS_CGROUP_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_CGROUP_PATH_LEN 1024
#define MF_CGROUP_UNKNOWN  UINT64_MAX

/* Directories of the cgroups that this process is in; "" where there is none. */
struct mf_cgroup_places {
    char unified[MF_CGROUP_PATH_LEN];
    char memory_v1[MF_CGROUP_PATH_LEN];
};

/* From the texts of /proc/self/mountinfo and /proc/self/cgroup. Cannot fail: finds nothing at
 * worst. [any-thread] */
void mf_cgroup_parse_places(const char *mountinfo, size_t mountinfo_len, const char *membership,
                            size_t membership_len, struct mf_cgroup_places *ret_places);
void mf_cgroup_find_places(struct mf_cgroup_places *ret_places);

struct mf_cgroup;

/* Makes the cgroup `name` below ours, in every place where that is permitted, and sets the limit
 * when memory_max_bytes is not 0. Where version 2 has the memory controller but does not pass it on
 * to children, it is switched on for them; when only that we ourselves are in the parent forbids
 * it, this process moves into a cgroup <name>.recorder beside the new one until mf_cgroup_remove().
 * Errors: MF_EUNSUPPORTED when there is no place, or none for the limit; the message says why. */
int mf_cgroup_create(const struct mf_cgroup_places *places, const char *name,
                     uint64_t memory_max_bytes, struct mf_cgroup **ret_cgroup,
                     struct mf_errinfo *err);
/* Moves what still runs in it to the parent, and removes it. Frees. NULL is allowed. Returns the
 * number of processes that were moved. */
unsigned mf_cgroup_remove(struct mf_cgroup *cgroup);
/* The directories that a killed process left (as from mf_cgroup_path() and
 * mf_cgroup_memory_v1_path(), "" for none) are removed when nobody is in them; returns how many
 * processes are. */
unsigned mf_cgroup_remove_abandoned(const char *unified, const char *memory_v1);

/* Removes empty cgroups beside which a new one would be made, whose name begins with `prefix` and
 * which are older than age_ns: of processes that were killed before they could. */
void mf_cgroup_sweep(const struct mf_cgroup_places *places, const char *prefix, int64_t age_ns);

bool mf_cgroup_has_unified(const struct mf_cgroup *cgroup);
bool mf_cgroup_has_memory(const struct mf_cgroup *cgroup); /* memory figures, from either version */
bool mf_cgroup_has_memory_v1(const struct mf_cgroup *cgroup);
const char *mf_cgroup_path(const struct mf_cgroup *cgroup);           /* "" without version 2 */
const char *mf_cgroup_memory_v1_path(const struct mf_cgroup *cgroup); /* "" without */

/* Ways in. A process that writes "0" to each of the doors enters, which takes the kernel some 10
 * ms; into version 2 one can also be born (CLONE_INTO_CGROUP), and then needs that door no more.
 * All borrowed. */
struct mf_cgroup_entrance {
    int directory; /* of version 2, to be born into; -1 */
    int door;      /* cgroup.procs of version 2; -1 */
    int door_v1;   /* of the memory cgroup of version 1; -1 */
};
struct mf_cgroup_entrance mf_cgroup_entrance(const struct mf_cgroup *cgroup);

struct mf_cgroup_figures {
    uint64_t cpu_user_ns, cpu_system_ns; /* since its creation; user + system is exact */
    uint64_t memory_bytes;               /* page cache included */
    uint64_t memory_peak_bytes;
    uint64_t memory_limit_bytes; /* MF_CGROUP_UNKNOWN: none */
    uint64_t memory_anonymous_bytes;
    uint64_t oom_kills;
    uint64_t limit_hits;
    uint64_t read_bytes, write_bytes; /* io.stat, all devices */
    uint64_t processes;               /* pids.current: tasks */
};
/* Fills what can be read; the rest is MF_CGROUP_UNKNOWN. */
void mf_cgroup_read(struct mf_cgroup *cgroup, struct mf_cgroup_figures *ret_figures);
/* Only CPU time and memory_bytes, from descriptors that are kept open; the rest stays as it is. */
void mf_cgroup_read_quickly(struct mf_cgroup *cgroup, struct mf_cgroup_figures *figures);

/* Kills by memory that the cgroups above suffered, ours included in version 2; 0 where not known.
 */
uint64_t mf_cgroup_ancestor_oom_kills(const struct mf_cgroup_places *places);

/* Calls visit for each process in it, nested cgroups included; stops at non-zero and returns it. */
int mf_cgroup_each(const struct mf_cgroup *cgroup, int (*visit)(void *context, int32_t pid),
                   void *context);
/* SIGKILL to every process in it, also to those being forked. 0, or a negative errno. */
int mf_cgroup_kill(const struct mf_cgroup *cgroup);

#endif
