/* SPDX-License-Identifier: Apache-2.0
 * flight_gc.c -- which flights go. See flight/gc.h. */
#include "flight/gc.h"

#include "flight_tree.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int mf_flight_bytes(const char *dir, uint64_t *ret_bytes, struct mf_errinfo *err)
{
    return mf__tree_bytes(dir, ret_bytes, err);
}

/* Whether the rules are asked about it at all. What cannot be read is neither of another name nor
 * protected, as far as anybody can tell; with a name asked for, it is left alone. */
static bool concerns(const struct mf_gc_rules *rules, const struct mf_flight_entry *entry)
{
    const struct mf_flight_info *info = entry->info;
    if (info == NULL) {
        return rules->name == NULL;
    }
    if (info->state == MF_FLIGHT_RUNNING ||
        (rules->name != NULL && strcmp(rules->name, info->name) != 0)) {
        return false;
    }
    for (const char *const *tag = rules->protect; tag != NULL && *tag != NULL; tag++) {
        if (mf_flight_has_tag(info, *tag)) {
            return false;
        }
    }
    return true;
}

static int add(struct mf_gc_plan *plan, struct mf_flight_entry *entry, uint64_t bytes)
{
    const size_t count = plan->count;
    if ((count & (count - 1)) == 0) {
        struct mf_gc_item *go = mf_realloc(plan->go, (count == 0 ? 1 : count * 2) * sizeof *go);
        if (go == NULL) {
            return -ENOMEM;
        }
        plan->go = go;
    }
    plan->go[count] = (struct mf_gc_item){entry->dir, entry->id, entry->started_wall_ns, bytes};
    entry->dir = NULL;
    entry->id = NULL;
    plan->count++;
    plan->bytes += bytes;
    return 0;
}

/* Newest first. */
static int decide(struct mf_flight_list *list, const struct mf_gc_rules *rules, int64_t now_wall_ns,
                  struct mf_gc_plan *plan, struct mf_errinfo *err)
{
    uint64_t kept = 0;
    bool full = false; /* once a flight did not fit, no older one stays for being small */
    for (size_t i = 0; i < list->count; i++) {
        struct mf_flight_entry *entry = &list->items[i];
        uint64_t bytes = 0;
        if (!concerns(rules, entry)) {
            plan->stay++;
            plan->running += entry->info != NULL && entry->info->state == MF_FLIGHT_RUNNING;
            continue;
        }
        int rc = mf__tree_bytes(entry->dir, &bytes, err);
        if (rc == -ENOENT) {
            continue; /* removed by somebody else meanwhile */
        }
        if (rc < 0) {
            return rc;
        }
        const bool too_many = rules->has_keep && kept >= rules->keep;
        const bool too_old =
            rules->keep_for_ns > 0 && entry->started_wall_ns < now_wall_ns - rules->keep_for_ns;
        full = full || (rules->has_max_bytes &&
                        (bytes > rules->max_bytes || plan->stay_bytes > rules->max_bytes - bytes));
        if (!too_many && !too_old && !full) {
            kept++;
            plan->stay++;
            plan->stay_bytes += bytes;
            continue;
        }
        rc = add(plan, entry, bytes);
        if (rc < 0) {
            return mf_fail(err, rc, "out of memory");
        }
    }
    return 0;
}

int mf_gc_plan(const char *home, const struct mf_gc_rules *rules, int64_t now_wall_ns,
               struct mf_gc_plan *ret_plan, struct mf_errinfo *err)
{
    struct mf_flight_list list;
    struct mf_gc_plan plan = {0};
    int rc = mf_flight_list_read(home, NULL, &list, err);
    if (rc < 0) {
        return rc;
    }
    rc = decide(&list, rules, now_wall_ns, &plan, err);
    mf_flight_list_free(&list);
    if (rc < 0) {
        mf_gc_plan_free(&plan);
        return rc;
    }
    for (size_t i = 0; i < plan.count / 2; i++) {
        const struct mf_gc_item item = plan.go[i];
        plan.go[i] = plan.go[plan.count - 1 - i];
        plan.go[plan.count - 1 - i] = item;
    }
    *ret_plan = plan;
    return 0;
}

void mf_gc_plan_free(struct mf_gc_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        mf_free(plan->go[i].dir);
        mf_free(plan->go[i].id);
    }
    mf_free(plan->go);
    *plan = (struct mf_gc_plan){0};
}
