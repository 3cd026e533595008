/* SPDX-License-Identifier: Apache-2.0
 *
 * outside_tree.h -- which processes are watched: some and all that descend from them, or all of the
 * machine. For a watch that stands alone; a flight has a table of processes of its own. One thread
 * per object.
 */
#ifndef CPU_OUTSIDE_TREE_H
#define CPU_OUTSIDE_TREE_H

#include "cpu/outside.h"

struct mf_watch_tree;

struct mf_watch_tree_spec {
    struct mf_watch_spec watch; /* `with_records` is set by what is permitted */
    const int32_t *roots;       /* processes that are watched with all their descendants */
    size_t root_count;          /* 0: all processes of the machine */
    bool plain;                 /* do without events and exit records */
};

/* -ESRCH when none of the roots exists; -ENOMEM; MF_EVALUE. */
int mf_watch_tree_new(const struct mf_watch_tree_spec *spec, struct mf_watch_tree **ret_tree,
                      struct mf_errinfo *err);
void mf_watch_tree_free(struct mf_watch_tree *tree); /* NULL is allowed */

/* Takes what the kernel has told, looks who is there, and samples. */
void mf_watch_tree_sample(struct mf_watch_tree *tree);
/* The watch, for its figures and for mf_watch_check(). */
struct mf_watch *mf_watch_tree_watch(struct mf_watch_tree *tree);
/* Processes that are there. */
size_t mf_watch_tree_processes(const struct mf_watch_tree *tree);
/* What cannot be seen and why: sentences from 0 on, NULL behind the last. */
const char *mf_watch_tree_blind(const struct mf_watch_tree *tree, unsigned index);
/* Messages of the kernel that were lost, so far. */
uint64_t mf_watch_tree_lost(const struct mf_watch_tree *tree);

#endif
