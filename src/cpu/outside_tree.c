/* SPDX-License-Identifier: Apache-2.0
 *
 * outside_tree.c -- see outside_tree.h.
 *
 * With the kernel's process events a child is known when it is forked; without them, and after some
 * were lost, the children of all members are looked up at each sample, so that an orphan stays a
 * member whoever has adopted it. A member leaves when its process is gone. Children that were read
 * of a pid count only if the process still lives after that: then the pid was its own.
 */
#include "cpu/outside_tree.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/procevents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLIND_MAX    4
#define CHILDREN_MAX 4096

struct mf_watch_tree {
    struct mf_watch *watch;
    struct mf_procevents *events;
    struct mf_taskstats *records;
    bool machine;
    bool started;
    bool look_around;
    uint64_t next_tag;
    uint64_t lost;
    char blind[BLIND_MAX][400];
    unsigned blind_count;
    int32_t children[CHILDREN_MAX];
    size_t child_count;
};

static void add_blind(struct mf_watch_tree *tree, const char *what, const char *why)
{
    if (tree->blind_count < BLIND_MAX) {
        char *sentence = tree->blind[tree->blind_count++];
        snprintf(sentence, sizeof tree->blind[0], "%.140s: %.250s", what, why);
    }
}

static void add(struct mf_watch_tree *tree, int32_t pid)
{
    if (!mf_watch_has(tree->watch, pid)) {
        mf_watch_add(tree->watch, pid, ++tree->next_tag, tree->started);
    }
}

/* ---- looking around -----------------------------------------------------------------------------
 */

static int keep_child(void *context, int32_t pid)
{
    struct mf_watch_tree *tree = context;
    if (tree->child_count < CHILDREN_MAX) {
        tree->children[tree->child_count++] = pid;
    }
    return 0;
}

static int add_any(void *context, int32_t pid)
{
    add(context, pid);
    return 0;
}

/* Without the children files each process is asked for its parent. */
static int add_if_child(void *context, int32_t pid)
{
    struct mf_watch_tree *tree = context;
    struct mf_proc *proc = NULL;
    struct mf_proc_stat stat;
    if (mf_watch_has(tree->watch, pid) || mf_proc_open(pid, false, &proc) < 0) {
        return 0;
    }
    if (mf_proc_read_stat(proc, &stat) == 0 && mf_watch_has(tree->watch, stat.parent_pid)) {
        add(tree, pid);
    }
    mf_proc_close(proc);
    return 0;
}

static int add_children(void *context, int32_t pid, struct mf_proc *proc)
{
    struct mf_watch_tree *tree = context;
    uint32_t threads = 0;
    tree->child_count = 0;
    const int ret = mf_proc_each_child(pid, keep_child, tree);
    if (ret == MF_EUNSUPPORTED) {
        return ret;
    }
    /* One that was added just now, or is known by its records only, has not been opened. */
    struct mf_proc *opened = NULL;
    if (proc == NULL && mf_proc_open(pid, false, &opened) < 0) {
        return 0;
    }
    if (mf_proc_count_threads(proc != NULL ? proc : opened, &threads) == 0) {
        for (size_t i = 0; i < tree->child_count; i++) {
            add(tree, tree->children[i]);
        }
    }
    if (opened != NULL) {
        mf_proc_close(opened);
    }
    return 0;
}

/* A process that is added is visited, too: it stands behind the others. */
static void look_around(struct mf_watch_tree *tree)
{
    if (tree->machine) {
        (void)mf_proc_each(add_any, tree);
    } else if (mf_watch_each_process(tree->watch, add_children, tree) == MF_EUNSUPPORTED) {
        (void)mf_proc_each(add_if_child, tree);
    }
    tree->look_around = false;
}

/* ---- the kernel's messages ----------------------------------------------------------------------
 */

static void take_event(struct mf_watch_tree *tree, const struct mf_procevent *event)
{
    switch (event->kind) {
    case MF_PROCEVENT_FORK:
        if (tree->machine || mf_watch_has(tree->watch, event->parent)) {
            mf_watch_add(tree->watch, event->tgid, ++tree->next_tag, true);
        }
        break;
    case MF_PROCEVENT_CLONE:
        mf_watch_clone(tree->watch, event->tgid, event->tid, event->monotonic_ns);
        break;
    case MF_PROCEVENT_EXEC:
        mf_watch_exec(tree->watch, event->tgid);
        break;
    case MF_PROCEVENT_COMM:
        mf_watch_rename(tree->watch, event->tid, event->comm);
        break;
    case MF_PROCEVENT_EXIT:
    case MF_PROCEVENT_OTHER:
        break;
    }
}

static void drain(struct mf_watch_tree *tree)
{
    struct mf_procevent event;
    struct mf_task_record record;
    for (int ret; tree->events != NULL && (ret = mf_procevents_next(tree->events, &event)) != 0;) {
        if (ret == 1) {
            take_event(tree, &event);
        } else if (ret == -ENOBUFS) {
            tree->lost++;
            tree->look_around = true;
        } else {
            break;
        }
    }
    for (int ret;
         tree->records != NULL && (ret = mf_taskstats_next(tree->records, &record)) != 0;) {
        if (ret == 1) {
            (void)mf_watch_record(tree->watch, &record);
        } else if (ret == -ENOBUFS) {
            tree->lost++;
        } else {
            break;
        }
    }
}

static void listen(struct mf_watch_tree *tree, bool plain)
{
    struct mf_errinfo why = {0};
    if (plain) {
        (void)mf_fail(&why, MF_EUNSUPPORTED, "not asked for");
    } else if (mf_procevents_open(&tree->events, &why) == 0) {
        (void)mf_taskstats_open(&tree->records, &why);
    }
    if (tree->events == NULL) {
        add_blind(tree, "processes and threads are found by looking for them once per interval",
                  why.msg);
    }
    if (tree->records == NULL) {
        add_blind(
            tree,
            "threads that live shorter than an interval are not seen one by one; the CPU time "
            "of processes that live that short is missed",
            why.msg);
    }
}

/* ---- the tree -----------------------------------------------------------------------------------
 */

int mf_watch_tree_new(const struct mf_watch_tree_spec *spec, struct mf_watch_tree **ret_tree,
                      struct mf_errinfo *err)
{
    struct mf_watch_tree *tree = mf_calloc(1, sizeof *tree);
    if (tree == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for watching processes");
    }
    tree->machine = spec->root_count == 0;
    listen(tree, spec->plain);
    struct mf_watch_spec watch = spec->watch;
    watch.with_records = tree->records != NULL;
    int ret = mf_watch_new(&watch, &tree->watch, err);
    for (size_t i = 0; ret == 0 && i < spec->root_count; i++) {
        struct mf_proc *proc = NULL;
        if (mf_proc_open(spec->roots[i], false, &proc) == 0) {
            mf_proc_close(proc);
            add(tree, spec->roots[i]);
        }
    }
    if (ret == 0 && !tree->machine && mf_watch_tree_processes(tree) == 0) {
        ret = mf_fail(err, -ESRCH, "there is no process %d", (int)spec->roots[0]);
    }
    if (ret < 0) {
        mf_watch_tree_free(tree);
        return ret;
    }
    look_around(tree);
    if (mf_watch_by_ticks(tree->watch)) {
        add_blind(tree, "CPU time comes in clock ticks of 10 ms", "the kernel keeps no schedstat");
    }
    tree->started = true;
    *ret_tree = tree;
    return 0;
}

void mf_watch_tree_free(struct mf_watch_tree *tree)
{
    if (tree != NULL) {
        mf_watch_free(tree->watch);
        mf_procevents_close(tree->events);
        mf_taskstats_close(tree->records);
        mf_free(tree);
    }
}

void mf_watch_tree_sample(struct mf_watch_tree *tree)
{
    drain(tree);
    if (tree->events == NULL || tree->look_around) {
        look_around(tree);
    }
    mf_watch_sample(tree->watch);
    mf_watch_forget_gone(tree->watch);
}

struct mf_watch *mf_watch_tree_watch(struct mf_watch_tree *tree)
{
    return tree->watch;
}

static int count_one(void *context, int32_t pid, struct mf_proc *proc)
{
    (void)pid;
    (void)proc;
    ++*(size_t *)context;
    return 0;
}

size_t mf_watch_tree_processes(const struct mf_watch_tree *tree)
{
    size_t count = 0;
    (void)mf_watch_each_process(tree->watch, count_one, &count);
    return count;
}

const char *mf_watch_tree_blind(const struct mf_watch_tree *tree, unsigned index)
{
    return index < tree->blind_count ? tree->blind[index] : NULL;
}

uint64_t mf_watch_tree_lost(const struct mf_watch_tree *tree)
{
    return tree->lost;
}
