/* SPDX-License-Identifier: Apache-2.0
 *
 * sampler.c -- see sampler.h.
 *
 * Cost. A process that sleeps is looked at ever more seldom, up to every 8th tick; the first look
 * at a process of one thread is its schedstat (0.6 us, exact in ns), and only when that has moved
 * its stat and io are read. Proportional sizes walk page tables under the process's own lock: they
 * are read so seldom that they stay below 1/500 of the time. Sample records thin out as a flight
 * grows old: their distance is at least 1/3600 of its age.
 *
 * CPU time of short-lived processes. An exit record has the scheduler's sum as of its last look at
 * the thread's clock (a tick, a switch), and of the end nothing: up to some 5 ms are missing, which
 * is most of what a process of 1 ms has used. The cgroup's figure has it all. So at every tick what
 * the cgroup has counted beyond all processes is given to those that ended in this tick, in
 * proportion to what each can have used at most and not more than that: an estimate in its parts,
 * and exact in the sum.
 *
 * The tree's CPU time is the cgroup's where there is one. Else it is the sum over processes of what
 * is known of each at the time, plus what exit records add at its end. A process that lives shorter
 * than a tick and has no record is seen in neither; reaped children are added at the end
 * (recorder.c).
 */
#include "sampler.h"

#include "base/fail.h"
#include "os/clock.h"

#include <errno.h>
#include <string.h>

#define IDLE_TICKS_MAX 8
#define ROWS_MAX       64
#define SLOW_NS        (1 * MF_NS_PER_SECOND) /* switches, descriptors, most of the cgroup */
#define PSS_SHARE      500
#define PSS_RSS_MIN    (1U << 20)
#define ROW_CPU_NS     (1 * MF_NS_PER_MS)
#define ROW_BYTES      65536
#define ACTIVE_CPU_NS  (2 * MF_NS_PER_MS)
#define UNRECORDED_NS  (5 * MF_NS_PER_MS) /* a tick of 4 ms, and the end */

static uint64_t known_or_zero(uint64_t value)
{
    return value != UINT64_MAX ? value : 0;
}

static void raise_to(uint64_t *value, uint64_t new_value)
{
    if (*value == UINT64_MAX || new_value > *value) {
        *value = new_value;
    }
}

/* ---- one process ---- */

void mf__sampler_count(struct mf_sampler *sampler, struct mf_process *process)
{
    const uint64_t cpu_ns = mf__process_cpu_ns(process);
    if (cpu_ns <= process->counted_cpu_ns) {
        return;
    }
    const uint64_t more_ns = cpu_ns - process->counted_cpu_ns;
    process->counted_cpu_ns = cpu_ns;
    if (process->name != NULL) {
        process->name->cpu_ns += more_ns;
    }
    /* In the ratio that is known of it; without one it is user time. */
    const struct mf_figures *ratio =
        process->exact.cpu_user_ns != UINT64_MAX ? &process->exact : &process->live;
    const double user = (double)known_or_zero(ratio->cpu_user_ns);
    const double system = (double)known_or_zero(ratio->cpu_system_ns);
    const uint64_t system_ns =
        user + system > 0 ? (uint64_t)((double)more_ns * (system / (user + system))) : 0;
    sampler->cpu_system_ns += system_ns;
    sampler->cpu_user_ns += more_ns - system_ns;
}

void mf__sampler_ended(struct mf_sampler *sampler, const struct mf_process *process)
{
    if (process->handle != NULL && sampler->open_handles > 0) {
        sampler->open_handles--;
    }
}

static uint64_t less(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

/* The kernel's figures of a process have those of the children that it waited for. A process of one
 * thread is asked for that thread; from another's the children that were seen to end are taken off.
 */
static int read_own_io(struct mf_process *process, struct mf_proc_io *ret_io)
{
    if (process->threads_peak == 1) {
        return mf_proc_read_thread_io(process->handle, ret_io);
    }
    struct mf_proc_io io;
    const int ret = mf_proc_read_io(process->handle, &io);
    if (ret == 0) {
        ret_io->read_bytes = less(io.read_bytes, process->waited.read_bytes);
        ret_io->write_bytes = less(io.write_bytes, process->waited.write_bytes);
        ret_io->read_chars = less(io.read_chars, process->waited.read_chars);
        ret_io->write_chars = less(io.write_chars, process->waited.write_chars);
    }
    return ret;
}

static void read_io(struct mf_process *process)
{
    struct mf_proc_io io;
    if (process->io_forbidden) {
        return;
    }
    const int ret = read_own_io(process, &io);
    if (ret == 0) {
        raise_to(&process->live.read_bytes, io.read_bytes);
        raise_to(&process->live.write_bytes, io.write_bytes);
        raise_to(&process->live.read_chars, io.read_chars);
        raise_to(&process->live.write_chars, io.write_chars);
    } else if (ret == -EACCES || ret == -EPERM) {
        process->io_forbidden = true; /* it runs as somebody else */
    }
}

/* Its stat and io. False when it is gone. */
static bool read_figures(struct mf_sampler *sampler, struct mf_process *process, int64_t t_ns)
{
    struct mf_proc_stat stat;
    if (mf_proc_read_stat(process->handle, &stat) < 0) {
        return false;
    }
    if (process->start_ticks == 0) {
        process->start_ticks = stat.start_ticks;
    } else if (process->start_ticks != stat.start_ticks) {
        return false; /* opened when the pid was somebody else's already */
    }
    raise_to(&process->live.cpu_user_ns, stat.cpu_user_ns);
    raise_to(&process->live.cpu_system_ns, stat.cpu_system_ns);
    raise_to(&process->live.faults_minor, stat.faults_minor);
    raise_to(&process->live.faults_major, stat.faults_major);
    mf__processes_observe(sampler->processes, process, &stat, t_ns);
    read_io(process);
    return true;
}

static bool open_handle(struct mf_sampler *sampler, struct mf_process *process)
{
    if (process->handle != NULL) {
        return true;
    }
    const bool keep = sampler->open_handles * 4 < sampler->descriptors_max;
    if (process->unreadable || mf_proc_open(process->pid, keep, &process->handle) < 0) {
        process->unreadable = true;
        return false;
    }
    sampler->open_handles++;
    return true;
}

void mf__sampler_look(struct mf_sampler *sampler, struct mf_process *process, int64_t t_ns)
{
    struct mf_proc_schedstat schedstat;
    if (process->gone || !open_handle(sampler, process)) {
        process->gone = true;
        return;
    }
    if (process->threads_peak == 1 && mf_proc_read_schedstat(process->handle, &schedstat) == 0) {
        process->schedstat_ns =
            schedstat.run_ns > process->schedstat_ns ? schedstat.run_ns : process->schedstat_ns;
    }
    process->gone = !read_figures(sampler, process, t_ns);
}

/* Looks only as closely as there is reason to. */
static void check(struct mf_sampler *sampler, struct mf_process *process, int64_t t_ns)
{
    if (process->dead || process->gone || sampler->tick < process->next_check) {
        return;
    }
    if (!open_handle(sampler, process)) {
        process->gone = true;
        return;
    }
    bool moved = true;
    struct mf_proc_schedstat schedstat;
    if (process->threads_peak == 1 && mf_proc_read_schedstat(process->handle, &schedstat) == 0) {
        moved = schedstat.run_ns > process->schedstat_ns || process->rss_bytes == 0;
        process->schedstat_ns =
            schedstat.run_ns > process->schedstat_ns ? schedstat.run_ns : process->schedstat_ns;
    }
    if (moved) {
        const uint64_t before_ns = mf__process_cpu_ns(process);
        if (!read_figures(sampler, process, t_ns)) {
            process->gone = true;
            return;
        }
        moved = process->threads_peak == 1 || mf__process_cpu_ns(process) != before_ns;
    }
    process->idle_checks = moved ? 0 : process->idle_checks + 1;
    const uint64_t pause =
        process->idle_checks < IDLE_TICKS_MAX ? process->idle_checks : IDLE_TICKS_MAX;
    process->next_check = sampler->tick + (pause > 0 ? pause : 1);
    mf__sampler_count(sampler, process);
}

/* ---- who is there ---- */

struct walk {
    struct mf_sampler *sampler;
    int64_t t_ns;
    int32_t stack[1024]; /* pids whose children are still to be asked for */
    unsigned depth;
};

static int found_member(void *context, int32_t pid)
{
    struct walk *walk = context;
    mf__processes_scan_found(walk->sampler->processes, pid, walk->t_ns);
    return 0;
}

static int found_child(void *context, int32_t pid)
{
    struct walk *walk = context;
    mf__processes_scan_found(walk->sampler->processes, pid, walk->t_ns);
    if (walk->depth < MF_ARRAY_LEN(walk->stack)) {
        walk->stack[walk->depth++] = pid;
    }
    return 0;
}

/* Orphans come to us, so all descendants are found from here. */
static int walk_children(struct walk *walk)
{
    int ret = mf_proc_each_child(walk->sampler->recorder_pid, found_child, walk);
    while (ret == 0 && walk->depth > 0) {
        const int one = mf_proc_each_child(walk->stack[--walk->depth], found_child, walk);
        ret = one == MF_EUNSUPPORTED ? one : 0; /* it may be gone by now */
    }
    return ret;
}

/* Without the children files: every process is asked for its parent, as often as that adds one. */
struct family {
    struct walk *walk;
    bool added;
};

static int found_any(void *context, int32_t pid)
{
    struct family *family = context;
    struct mf_sampler *sampler = family->walk->sampler;
    const struct mf_process *known = mf__processes_find(sampler->processes, pid);
    struct mf_proc *proc = NULL;
    struct mf_proc_stat stat;
    if (known != NULL && !known->gone) {
        mf__processes_scan_found(sampler->processes, pid, family->walk->t_ns);
        return 0;
    }
    if (mf_proc_open(pid, false, &proc) < 0) {
        return 0;
    }
    if (mf_proc_read_stat(proc, &stat) == 0 &&
        (stat.parent_pid == sampler->recorder_pid ||
         mf__processes_find(sampler->processes, stat.parent_pid) != NULL)) {
        mf__processes_scan_found(sampler->processes, pid, family->walk->t_ns);
        family->added = true;
    }
    mf_proc_close(proc);
    return 0;
}

static void walk_all(struct walk *walk)
{
    struct family family = {walk, true};
    for (int round = 0; round < 16 && family.added; round++) {
        family.added = false;
        (void)mf_proc_each(found_any, &family);
    }
}

void mf__sampler_scan(struct mf_sampler *sampler, int64_t t_ns)
{
    struct walk walk = {.sampler = sampler, .t_ns = t_ns};
    mf__processes_scan_begin(sampler->processes);
    if (sampler->members_by_cgroup && sampler->cgroup != NULL &&
        mf_cgroup_each(sampler->cgroup, found_member, &walk) == 0) {
        mf__processes_scan_end(sampler->processes, t_ns);
        return;
    }
    if (sampler->by_proc || walk_children(&walk) == MF_EUNSUPPORTED) {
        sampler->by_proc = true;
        walk_all(&walk);
    }
    mf__processes_scan_end(sampler->processes, t_ns);
}

/* ---- the tree ---- */

static void add_live(uint64_t *sum, uint64_t value)
{
    if (value != UINT64_MAX) {
        *sum = known_or_zero(*sum) + value;
    }
}

static void sum_up(struct mf_sampler *sampler)
{
    struct mf_tree_figures *tree = &sampler->tree;
    const struct mf_process_totals *totals = mf__processes_totals(sampler->processes);
    const struct mf_figures *ended = &totals->ended;
    tree->read_bytes = ended->read_bytes;
    tree->write_bytes = ended->write_bytes;
    tree->read_chars = ended->read_chars;
    tree->write_chars = ended->write_chars;
    tree->faults_minor = ended->faults_minor;
    tree->faults_major = ended->faults_major;
    tree->switches_voluntary = ended->switches_voluntary;
    tree->switches_involuntary = ended->switches_involuntary;
    tree->rss_bytes = 0;
    mf__series_clear_sizes(sampler->series);
    for (struct mf_process *p = mf__processes_first(sampler->processes); p != NULL; p = p->next) {
        add_live(&tree->read_bytes, p->live.read_bytes);
        add_live(&tree->write_bytes, p->live.write_bytes);
        add_live(&tree->read_chars, p->live.read_chars);
        add_live(&tree->write_chars, p->live.write_chars);
        add_live(&tree->faults_minor, p->live.faults_minor);
        add_live(&tree->faults_major, p->live.faults_major);
        add_live(&tree->switches_voluntary, p->live.switches_voluntary);
        add_live(&tree->switches_involuntary, p->live.switches_involuntary);
        if (p->dead || p->gone) {
            continue;
        }
        tree->rss_bytes += p->rss_bytes;
        if (p->name != NULL) {
            p->name->rss_bytes += p->rss_bytes;
        }
    }
    raise_to(&sampler->rss_peak_bytes, tree->rss_bytes);
    tree->processes = totals->alive;
    tree->threads = totals->threads;
    tree->processes_started = totals->started;
    mf__output_totals(sampler->output, tree->output);
}

static void read_cgroup(struct mf_sampler *sampler, bool whole)
{
    struct mf_tree_figures *tree = &sampler->tree;
    struct mf_cgroup_figures *figures = &sampler->cgroup_figures;
    tree->cpu_user_ns = sampler->cpu_user_ns;
    tree->cpu_system_ns = sampler->cpu_system_ns;
    if (sampler->cgroup == NULL) {
        return;
    }
    if (whole) {
        mf_cgroup_read(sampler->cgroup, figures);
    } else {
        mf_cgroup_read_quickly(sampler->cgroup, figures);
    }
    if (figures->cpu_user_ns != MF_CGROUP_UNKNOWN) {
        tree->cpu_user_ns = figures->cpu_user_ns;
        tree->cpu_system_ns = figures->cpu_system_ns;
    }
    tree->memory_bytes = figures->memory_bytes;
    tree->memory_anonymous_bytes = figures->memory_anonymous_bytes;
    if (figures->memory_bytes != MF_CGROUP_UNKNOWN) {
        raise_to(&sampler->memory_peak_bytes, figures->memory_bytes);
    }
}

/* What an ended process can have used beyond what is known of it. */
static uint64_t unrecorded_at_most(const struct mf_process *process)
{
    const uint64_t life_ns = (uint64_t)(process->end_ns - process->start_ns);
    const uint64_t threads = process->threads_peak;
    const uint64_t missing_ns = less(life_ns * threads, mf__process_cpu_ns(process));
    const bool recorded = process->records > 0;
    return recorded && missing_ns > UNRECORDED_NS * threads ? UNRECORDED_NS * threads : missing_ns;
}

static void complete_ended(struct mf_sampler *sampler, uint64_t user_before_ns,
                           uint64_t system_before_ns)
{
    const struct mf_tree_figures *tree = &sampler->tree;
    const uint64_t counted_ns = sampler->cpu_user_ns + sampler->cpu_system_ns;
    const uint64_t rest_ns = less(tree->cpu_user_ns + tree->cpu_system_ns, counted_ns);
    const double user_ns = (double)less(tree->cpu_user_ns, user_before_ns);
    const double system_ns = (double)less(tree->cpu_system_ns, system_before_ns);
    uint64_t room_ns = 0;
    for (struct mf_process *p = mf__processes_ended(sampler->processes); p != NULL; p = p->next) {
        room_ns += unrecorded_at_most(p);
    }
    if (room_ns == 0 || rest_ns == 0) {
        return;
    }
    const double share = rest_ns < room_ns ? (double)rest_ns / (double)room_ns : 1;
    const double user_share = user_ns + system_ns > 0 ? user_ns / (user_ns + system_ns) : 1;
    for (struct mf_process *p = mf__processes_ended(sampler->processes); p != NULL; p = p->next) {
        struct mf_figures *figures = p->records > 0 ? &p->exact : &p->live;
        const uint64_t more_ns = (uint64_t)((double)unrecorded_at_most(p) * share);
        const uint64_t more_user_ns = (uint64_t)((double)more_ns * user_share);
        figures->cpu_user_ns = known_or_zero(figures->cpu_user_ns) + more_user_ns;
        figures->cpu_system_ns = known_or_zero(figures->cpu_system_ns) + (more_ns - more_user_ns);
        mf__sampler_count(sampler, p);
    }
}

/* Figures that cost more than they tell at every tick. */
static void sample_slowly(struct mf_sampler *sampler)
{
    uint64_t descriptors = 0;
    bool descriptors_known = false;
    for (struct mf_process *p = mf__processes_first(sampler->processes); p != NULL; p = p->next) {
        uint64_t count = 0;
        uint64_t voluntary = 0;
        uint64_t involuntary = 0;
        if (p->dead || p->gone || p->handle == NULL) {
            continue;
        }
        if (mf_proc_read_descriptors(p->handle, &count) == 0) {
            descriptors += count;
            descriptors_known = true;
        }
        if (p->idle_checks == 0 &&
            mf_proc_read_switches(p->handle, 64, &voluntary, &involuntary) == 0) {
            raise_to(&p->live.switches_voluntary, voluntary);
            raise_to(&p->live.switches_involuntary, involuntary);
        }
    }
    sampler->tree.descriptors = descriptors_known ? descriptors : UINT64_MAX;
}

static void sample_pss(struct mf_sampler *sampler)
{
    const int64_t begin_ns = mf_clock_monotonic_ns(NULL);
    uint64_t sum = 0;
    bool known = false;
    for (struct mf_process *p = mf__processes_first(sampler->processes); p != NULL; p = p->next) {
        if (p->dead || p->gone || p->handle == NULL) {
            continue;
        }
        uint64_t pss_bytes = 0;
        if (p->rss_bytes >= PSS_RSS_MIN && mf_proc_read_pss(p->handle, &pss_bytes) == 0) {
            p->pss_bytes = pss_bytes;
        } else {
            p->pss_bytes = p->rss_bytes;
        }
        sum += p->pss_bytes;
        known = true;
    }
    sampler->tree.pss_bytes = known ? sum : UINT64_MAX;
    const int64_t end_ns = mf_clock_monotonic_ns(NULL);
    const int64_t pause_ns = (end_ns - begin_ns) * PSS_SHARE;
    sampler->next_pss_ns =
        end_ns - sampler->started_monotonic_ns + (pause_ns > SLOW_NS ? pause_ns : SLOW_NS);
}

/* ---- records ---- */

static void write_known(struct mf_json *json, uint64_t value)
{
    if (value == UINT64_MAX) {
        mf_json_int(json, -1);
    } else {
        mf_json_uint(json, value);
    }
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool has_changed(const struct mf_process *process, uint64_t cpu_ns)
{
    const uint64_t io_bytes =
        known_or_zero(process->live.read_bytes) + known_or_zero(process->live.write_bytes);
    return cpu_ns >= process->written_cpu_ns + ROW_CPU_NS ||
           distance(process->rss_bytes, process->written_rss_bytes) >= ROW_BYTES ||
           io_bytes >= process->written_io_bytes + ROW_BYTES;
}

static void write_rows(struct mf_sampler *sampler, int64_t t_ns)
{
    struct mf_json *json = &sampler->events->json;
    unsigned rows = 0;
    for (struct mf_process *p = mf__processes_first(sampler->processes);
         p != NULL && rows < ROWS_MAX; p = p->next) {
        const uint64_t cpu_ns = mf__process_cpu_ns(p);
        if (p->dead || p->gone || !has_changed(p, cpu_ns)) {
            continue;
        }
        if (rows++ == 0) {
            mf__events_begin_sample(sampler->events, t_ns);
            mf_json_key(json, "p");
            mf_json_begin_array(json);
        }
        mf_json_begin_array(json);
        mf_json_uint(json, p->number);
        mf_json_uint(json, cpu_ns);
        mf_json_uint(json, p->rss_bytes);
        write_known(json, p->live.read_bytes);
        write_known(json, p->live.write_bytes);
        mf_json_uint(json, p->threads);
        mf_json_end_array(json);
        p->written_cpu_ns = cpu_ns;
        p->written_rss_bytes = p->rss_bytes;
        p->written_io_bytes =
            known_or_zero(p->live.read_bytes) + known_or_zero(p->live.write_bytes);
    }
    if (rows > 0) {
        mf_json_end_array(json);
        mf__events_end_sample(sampler->events);
    }
    const int64_t pause_ns = t_ns / 3600;
    sampler->next_rows_ns =
        t_ns + (pause_ns > sampler->interval_ns ? pause_ns : sampler->interval_ns / 2);
}

static void note_activity(struct mf_sampler *sampler, int64_t t_ns)
{
    const uint64_t cpu_ns = sampler->tree.cpu_user_ns + sampler->tree.cpu_system_ns;
    if (cpu_ns >= sampler->active_cpu_ns + ACTIVE_CPU_NS) {
        sampler->active_cpu_ns = cpu_ns;
        sampler->active_ns = t_ns;
    }
}

void mf__sample(struct mf_sampler *sampler, int64_t t_ns, bool last)
{
    sampler->tick++;
    if (sampler->scan) {
        mf__sampler_scan(sampler, t_ns);
    }
    for (struct mf_process *p = mf__processes_first(sampler->processes); p != NULL; p = p->next) {
        check(sampler, p, t_ns);
    }
    const bool slow = last || t_ns >= sampler->next_slow_ns;
    if (slow) {
        sampler->next_slow_ns = t_ns + SLOW_NS;
        sample_slowly(sampler);
    }
    if (!last && t_ns >= sampler->next_pss_ns) {
        sample_pss(sampler);
    }
    const uint64_t user_before_ns = sampler->tree.cpu_user_ns;
    const uint64_t system_before_ns = sampler->tree.cpu_system_ns;
    read_cgroup(sampler, slow);
    complete_ended(sampler, user_before_ns, system_before_ns);
    mf__processes_close_ended(sampler->processes);
    sum_up(sampler);
    note_activity(sampler, t_ns);
    mf__series_record(sampler->series, &sampler->tree, sampler->started_wall_ns + t_ns);
    if (last || t_ns >= sampler->next_rows_ns) {
        write_rows(sampler, t_ns);
    }
}
