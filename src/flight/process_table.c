/* SPDX-License-Identifier: Apache-2.0
 *
 * process_table.c -- see process_table.h.
 *
 * Who belongs to the flight: the command, and every process whose parent belongs to it or is the
 * recorder, which adopts orphans and starts nothing else. A process has a number of its own, since
 * pids are used again.
 *
 * The end. The kernel sends for each thread of a process first its exit record, over one socket,
 * and then its exit event, over another. A process is dead when as many threads have ended as were
 * started, and complete when as many records as exits have come; if some do not (they were dropped)
 * it is closed two passes later with what is there. Records can be read before the fork event of
 * their process, because the sockets are read one after the other: such a record waits for the next
 * pass.
 *
 * An exit event is written when somebody has completed the figures (mf__processes_close_ended()):
 * the CPU time of an exit record lacks what the thread ran since the scheduler last looked at its
 * clock, and the tearing down of its memory; for a process of a millisecond that is most of it. See
 * sampler.c.
 *
 * An exec by a thread that is not the first ends all others and takes the number of the first over:
 * the count of threads starts again at one.
 *
 * Limits: beyond DETAILED_MAX processes the rest is counted and accounted, without events of its
 * own.
 */
#include "process_table.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BUCKETS        4096 /* a power of two */
#define DETAILED_MAX   200000
#define PENDING_MAX    4096
#define ARGS_BYTES_MAX 8192
#define PASSES_TO_WAIT 2

struct thread_entry { /* of threads that are not the first of their process, for old kernels'
                         records */
    int32_t tid;
    struct mf_process *process;
    struct thread_entry *bucket_next;
};

struct mf_process_table {
    struct mf_process_table_spec spec;
    struct mf_process *buckets[BUCKETS];
    struct thread_entry *threads[BUCKETS];
    struct mf_process *first, *last;
    struct mf_process *ended, *ended_last; /* whose exit events wait */
    uint64_t round;
    int32_t monitor_pid;
    uint32_t dead_waiting;
    struct mf_task_record *pending; /* records of processes not known yet */
    size_t pending_count;
    struct mf_process_totals totals;
};

static const struct mf_figures nothing_known = {
    UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
    UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
};

static unsigned bucket_of(int32_t pid)
{
    return (uint32_t)pid & (BUCKETS - 1);
}

static int64_t now_ns(const struct mf_process_table *table, int64_t monotonic_ns)
{
    const int64_t t_ns = monotonic_ns - table->spec.started_monotonic_ns;
    return t_ns > 0 ? t_ns : 0;
}

/* ---- the containers ---- */

int mf__processes_new(const struct mf_process_table_spec *spec, struct mf_process_table **ret_table,
                      struct mf_errinfo *err)
{
    struct mf_process_table *table = mf_calloc(1, sizeof *table);
    if (table != NULL) {
        table->pending = mf_calloc(PENDING_MAX, sizeof *table->pending);
    }
    if (table == NULL || table->pending == NULL) {
        mf_free(table);
        return mf_fail(err, -ENOMEM, "no memory for the table of processes");
    }
    table->spec = *spec;
    table->totals.ended_exact = spec->with_records;
    *ret_table = table;
    return 0;
}

struct mf_process *mf__processes_find(struct mf_process_table *table, int32_t pid)
{
    struct mf_process *process = table->buckets[bucket_of(pid)];
    while (process != NULL && process->pid != pid) {
        process = process->bucket_next;
    }
    return process;
}

struct mf_process *mf__processes_first(struct mf_process_table *table)
{
    return table->first;
}

struct mf_process_totals *mf__processes_totals(struct mf_process_table *table)
{
    return &table->totals;
}

static void unlink_process(struct mf_process_table *table, struct mf_process *process)
{
    struct mf_process **link = &table->buckets[bucket_of(process->pid)];
    while (*link != process) {
        link = &(*link)->bucket_next;
    }
    *link = process->bucket_next;
    *(process->previous != NULL ? &process->previous->next : &table->first) = process->next;
    *(process->next != NULL ? &process->next->previous : &table->last) = process->previous;
}

static void add_thread(struct mf_process_table *table, int32_t tid, struct mf_process *process)
{
    struct thread_entry *entry = mf_malloc(sizeof *entry);
    if (entry != NULL) {
        struct thread_entry **bucket = &table->threads[bucket_of(tid)];
        *entry = (struct thread_entry){tid, process, *bucket};
        *bucket = entry;
    }
}

/* The process that a thread was noted for; forgets it. NULL: not noted. */
static struct mf_process *take_thread(struct mf_process_table *table, int32_t tid)
{
    struct thread_entry **link = &table->threads[bucket_of(tid)];
    while (*link != NULL && (*link)->tid != tid) {
        link = &(*link)->bucket_next;
    }
    if (*link == NULL) {
        return NULL;
    }
    struct thread_entry *entry = *link;
    struct mf_process *process = entry->process;
    *link = entry->bucket_next;
    mf_free(entry);
    return process;
}

static void drop_threads_of(struct mf_process_table *table, const struct mf_process *process)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct thread_entry **link = &table->threads[i]; *link != NULL;) {
            struct thread_entry *entry = *link;
            if (entry->process == process) {
                *link = entry->bucket_next;
                mf_free(entry);
            } else {
                link = &entry->bucket_next;
            }
        }
    }
}

void mf__processes_free(struct mf_process_table *table)
{
    if (table == NULL) {
        return;
    }
    for (struct mf_process *process = table->first; process != NULL;) {
        struct mf_process *next = process->next;
        mf_proc_close(process->handle);
        drop_threads_of(table, process);
        mf_free(process);
        process = next;
    }
    while (table->ended != NULL) {
        struct mf_process *next = table->ended->next;
        mf_free(table->ended);
        table->ended = next;
    }
    mf_free(table->pending);
    mf_free(table);
}

/* ---- figures ---- */

static uint64_t known_or_zero(uint64_t value)
{
    return value != UINT64_MAX ? value : 0;
}

static void add_known(uint64_t *sum, uint64_t value)
{
    if (value != UINT64_MAX) {
        *sum = (*sum == UINT64_MAX ? 0 : *sum) + value;
    }
}

static void add_figures(struct mf_figures *sum, const struct mf_figures *figures)
{
    add_known(&sum->cpu_user_ns, figures->cpu_user_ns);
    add_known(&sum->cpu_system_ns, figures->cpu_system_ns);
    add_known(&sum->read_bytes, figures->read_bytes);
    add_known(&sum->write_bytes, figures->write_bytes);
    add_known(&sum->read_chars, figures->read_chars);
    add_known(&sum->write_chars, figures->write_chars);
    add_known(&sum->faults_minor, figures->faults_minor);
    add_known(&sum->faults_major, figures->faults_major);
    add_known(&sum->switches_voluntary, figures->switches_voluntary);
    add_known(&sum->switches_involuntary, figures->switches_involuntary);
}

static bool has_exact(const struct mf_process *process)
{
    return process->records > 0 && process->records >= process->exits;
}

static uint64_t cpu_of(const struct mf_figures *figures)
{
    return figures->cpu_user_ns != UINT64_MAX ? figures->cpu_user_ns + figures->cpu_system_ns : 0;
}

uint64_t mf__process_cpu_ns(const struct mf_process *process)
{
    const uint64_t exact_ns = cpu_of(&process->exact);
    if (process->dead && has_exact(process)) {
        return exact_ns;
    }
    /* Samples go by clock ticks or by the one thread; records have only threads that have ended. */
    uint64_t cpu_ns = cpu_of(&process->live);
    cpu_ns = process->schedstat_ns > cpu_ns ? process->schedstat_ns : cpu_ns;
    return exact_ns > cpu_ns ? exact_ns : cpu_ns;
}

/* Its peak, and whether it is the largest of all. */
static void note_rss(struct mf_process_table *table, struct mf_process *process, uint64_t rss_bytes,
                     int64_t t_ns)
{
    if (process->live.rss_peak_bytes == UINT64_MAX || rss_bytes > process->live.rss_peak_bytes) {
        process->live.rss_peak_bytes = rss_bytes;
    }
    struct mf_process_totals *totals = &table->totals;
    if (rss_bytes > totals->largest_rss_bytes) {
        totals->largest_rss_bytes = rss_bytes;
        totals->largest_at_ns = t_ns;
        memcpy(totals->largest_comm, process->comm, sizeof totals->largest_comm);
    }
}

/* ---- starting ---- */

static bool is_detailed(const struct mf_process *process)
{
    return process->number <= DETAILED_MAX;
}

static void set_comm(struct mf_process_table *table, struct mf_process *process, const char *comm)
{
    if (comm != process->comm) {
        snprintf(process->comm, sizeof process->comm, "%s", comm);
    }
    table->spec.on_rename(table->spec.context, process);
}

/* `comm` NULL: that of the parent, as after every fork. */
static struct mf_process *add_process(struct mf_process_table *table, int32_t pid,
                                      int32_t parent_pid, int64_t t_ns, const char *comm,
                                      const char *seen)
{
    struct mf_process *process = mf_calloc(1, sizeof *process);
    if (process == NULL) {
        table->spec.events->lost++;
        return NULL;
    }
    struct mf_process *parent = mf__processes_find(table, parent_pid);
    process->number = ++table->totals.started;
    process->pid = pid;
    process->parent_pid = parent_pid;
    process->parent = parent != NULL ? parent->number : 0;
    /* Read from /proc it is rounded to a clock tick: never before the parent's. */
    process->start_ns = parent != NULL && t_ns < parent->start_ns ? parent->start_ns : t_ns;
    process->end_ns = -1;
    process->threads = process->threads_peak = 1;
    process->exact = process->live = nothing_known;
    process->last_seen = table->round;
    if (parent != NULL) {
        memcpy(process->comm, parent->comm, sizeof process->comm);
        process->name = parent->name;
    }
    if (comm != NULL) {
        set_comm(table, process, comm);
    }

    struct mf_process **bucket = &table->buckets[bucket_of(pid)];
    process->bucket_next = *bucket;
    *bucket = process;
    process->previous = table->last;
    *(table->last != NULL ? &table->last->next : &table->first) = process;
    table->last = process;

    struct mf_process_totals *totals = &table->totals;
    totals->alive++;
    totals->threads++;
    totals->alive_peak = totals->alive > totals->alive_peak ? totals->alive : totals->alive_peak;
    totals->threads_peak =
        totals->threads > totals->threads_peak ? totals->threads : totals->threads_peak;
    table->spec.on_start(table->spec.context, process);
    if (!is_detailed(process)) {
        totals->undetailed++;
        return process;
    }
    struct mf_event_writer *events = table->spec.events;
    process->start_event = process->cause =
        mf__events_begin(events, process->start_ns, "process.start",
                         parent != NULL ? parent->cause : 0, process->number);
    mf_json_key_int(&events->json, "pid", pid);
    mf_json_key_int(&events->json, "ppid", parent_pid);
    if (process->parent != 0) {
        mf_json_key_uint(&events->json, "pproc", process->parent);
    }
    mf_json_key_string(&events->json, "comm", process->comm);
    mf_json_key_string(&events->json, "seen", seen);
    mf__events_end(events);
    return process;
}

/* Arguments as one line that a shell would read back. */
static void append_args(struct mf_buffer *line, const char *args, size_t len)
{
    for (size_t at = 0; at < len;) {
        const char *arg = args + at;
        const size_t arg_len = strnlen(arg, len - at);
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "%+,-./:=@_^";
        if (at > 0) {
            mf_buffer_putc(line, ' ');
        }
        bool quote = arg_len == 0;
        for (size_t i = 0; i < arg_len && !quote; i++) {
            quote = strchr(plain, arg[i]) == NULL && (unsigned char)arg[i] < 0x80;
        }
        if (!quote) {
            mf_buffer_append(line, arg, arg_len);
        } else {
            mf_buffer_putc(line, '\'');
            for (size_t i = 0; i < arg_len; i++) {
                if (arg[i] == '\'') {
                    mf_buffer_puts(line, "'\\''");
                } else {
                    mf_buffer_putc(line, arg[i]);
                }
            }
            mf_buffer_putc(line, '\'');
        }
        at += arg_len + 1;
    }
}

static void write_exec(struct mf_process_table *table, struct mf_process *process, int64_t t_ns,
                       const char *args, size_t args_len)
{
    if (!is_detailed(process)) {
        return;
    }
    struct mf_event_writer *events = table->spec.events;
    process->cause =
        mf__events_begin(events, t_ns, "process.exec", process->cause, process->number);
    if (process->comm[0] != '\0') {
        mf_json_key_string(&events->json, "comm", process->comm);
    }
    if (args_len > 0) {
        struct mf_buffer line = MF_BUFFER_INIT;
        append_args(&line, args, args_len);
        if (!line.failed) {
            mf_json_key(&events->json, "args");
            mf_json_string_len(&events->json, line.data, line.len);
        }
        mf_buffer_free(&line);
    }
    mf__events_end(events);
}

/* Asks /proc what a process is now. False when it is gone. */
static bool look_at(struct mf_process *process, char *args, size_t *ret_args_len)
{
    struct mf_proc_stat stat;
    if (process->handle == NULL && mf_proc_open(process->pid, true, &process->handle) < 0) {
        return false;
    }
    if (mf_proc_read_stat(process->handle, &stat) < 0) {
        return false;
    }
    process->start_ticks = stat.start_ticks;
    memcpy(process->comm, stat.comm, sizeof process->comm);
    if (args != NULL &&
        mf_proc_read_args(process->handle, args, ARGS_BYTES_MAX, ret_args_len) < 0) {
        *ret_args_len = 0;
    }
    return true;
}

void mf__processes_add_command(struct mf_process_table *table, int32_t pid, int32_t monitor_pid,
                               const char *const *argv, int64_t t_ns)
{
    table->monitor_pid = monitor_pid;
    const char *slash = strrchr(argv[0], '/');
    char comm[16];
    snprintf(comm, sizeof comm, "%s", slash != NULL ? slash + 1 : argv[0]);
    struct mf_process *process =
        add_process(table, pid, table->spec.recorder_pid, t_ns, comm, "fork");
    if (process == NULL) {
        return;
    }
    process->fork_expected = process->exec_expected = table->spec.with_events;
    char args[ARGS_BYTES_MAX];
    size_t args_len = 0;
    for (int i = 0; argv[i] != NULL && args_len < sizeof args; i++) {
        args_len += (size_t)snprintf(args + args_len, sizeof args - args_len, "%s", argv[i]) + 1;
    }
    (void)look_at(process, NULL, NULL);
    set_comm(table, process, process->comm);
    write_exec(table, process, t_ns, args, args_len < sizeof args ? args_len : sizeof args);
}

/* ---- ending ---- */

static void write_known(struct mf_json *json, const char *key, uint64_t value)
{
    if (value != UINT64_MAX) {
        mf_json_key_uint(json, key, value);
    }
}

static void write_exit(struct mf_process_table *table, const struct mf_process *process,
                       const struct mf_figures *figures)
{
    struct mf_event_writer *events = table->spec.events;
    struct mf_json *json = &events->json;
    mf__events_begin(events, process->end_ns, "process.exit", process->cause, process->number);
    if (process->status_known) {
        mf_json_key_uint(json, "status", process->status);
    }
    mf_json_key_bool(json, "exact", has_exact(process));
    mf_json_key_int(json, "start", process->start_ns);
    mf_json_key_string(json, "comm", process->comm);
    write_known(json, "utime_ns", figures->cpu_user_ns);
    write_known(json, "stime_ns", figures->cpu_system_ns);
    write_known(json, "rss_peak", figures->rss_peak_bytes);
    write_known(json, "rbytes", figures->read_bytes);
    write_known(json, "wbytes", figures->write_bytes);
    write_known(json, "rchar", figures->read_chars);
    write_known(json, "wchar", figures->write_chars);
    write_known(json, "minflt", figures->faults_minor);
    write_known(json, "majflt", figures->faults_major);
    write_known(json, "nvcsw", figures->switches_voluntary);
    write_known(json, "nivcsw", figures->switches_involuntary);
    mf_json_key_uint(json, "threads", process->threads_peak);
    mf__events_end(events);
}

/* What the kernel adds to the parent when it waits for the process. */
static void pass_on_io(struct mf_process_table *table, const struct mf_process *process,
                       const struct mf_figures *figures)
{
    struct mf_process *parent = mf__processes_find(table, process->parent_pid);
    if (parent != NULL && parent->number == process->parent) {
        struct mf_proc_io *waited = &parent->waited;
        waited->read_bytes += known_or_zero(figures->read_bytes) + process->waited.read_bytes;
        waited->write_bytes += known_or_zero(figures->write_bytes) + process->waited.write_bytes;
        waited->read_chars += known_or_zero(figures->read_chars) + process->waited.read_chars;
        waited->write_chars += known_or_zero(figures->write_chars) + process->waited.write_chars;
    }
}

/* Of a process of one thread the scheduler's sum is exact, the split is by ticks. */
static void refine_cpu(struct mf_process *process)
{
    struct mf_figures *live = &process->live;
    const uint64_t system_ns = known_or_zero(live->cpu_system_ns);
    if (process->schedstat_ns > cpu_of(live)) {
        live->cpu_system_ns = system_ns;
        live->cpu_user_ns = process->schedstat_ns - system_ns;
    }
}

/* It is none of the living any more, and its pid may be used again. Its exit event waits. */
static void end_process(struct mf_process_table *table, struct mf_process *process)
{
    struct mf_process_totals *totals = &table->totals;
    if (process->end_ns < 0) {
        process->end_ns = process->start_ns;
    }
    refine_cpu(process);
    table->spec.on_end(table->spec.context, process);
    pass_on_io(table, process, has_exact(process) ? &process->exact : &process->live);
    totals->alive--;
    totals->threads -= process->threads;
    if (process->threads_peak > 1) {
        drop_threads_of(table, process);
    }
    unlink_process(table, process);
    mf_proc_close(process->handle);
    process->handle = NULL;
    process->next = NULL;
    *(table->ended_last != NULL ? &table->ended_last->next : &table->ended) = process;
    table->ended_last = process;
}

static void close_process(struct mf_process_table *table, struct mf_process *process)
{
    struct mf_process_totals *totals = &table->totals;
    const bool exact = has_exact(process);
    const struct mf_figures *figures = exact ? &process->exact : &process->live;
    const uint64_t cpu_ns = cpu_of(figures);
    if (exact && figures->rss_peak_bytes != UINT64_MAX) {
        note_rss(table, process, figures->rss_peak_bytes, process->end_ns);
    }
    if (cpu_ns > totals->busiest_cpu_ns) {
        totals->busiest_cpu_ns = cpu_ns;
        memcpy(totals->busiest_comm, process->comm, sizeof totals->busiest_comm);
    }
    totals->ended_exact = totals->ended_exact && exact;
    add_figures(&totals->ended, figures);
    if (is_detailed(process)) {
        write_exit(table, process, figures);
    }
    table->spec.on_close(table->spec.context, process, cpu_ns);
    mf_free(process);
}

struct mf_process *mf__processes_ended(struct mf_process_table *table)
{
    return table->ended;
}

void mf__processes_close_ended(struct mf_process_table *table)
{
    while (table->ended != NULL) {
        struct mf_process *process = table->ended;
        table->ended = process->next;
        close_process(table, process);
    }
    table->ended_last = NULL;
}

static void mark_dead(struct mf_process_table *table, struct mf_process *process, int64_t t_ns)
{
    if (!process->dead) {
        process->dead = true;
        process->end_ns = t_ns;
        process->passes_dead = 0;
        table->dead_waiting++;
    }
}

void mf__processes_settle(struct mf_process_table *table)
{
    if (table->dead_waiting == 0) {
        return;
    }
    for (struct mf_process *process = table->first; process != NULL;) {
        struct mf_process *next = process->next;
        if (process->dead && (!table->spec.with_records || has_exact(process) ||
                              process->passes_dead++ >= PASSES_TO_WAIT)) {
            table->dead_waiting--;
            end_process(table, process);
        }
        process = next;
    }
}

void mf__processes_finish(struct mf_process_table *table)
{
    for (int i = 0; i <= PASSES_TO_WAIT && table->dead_waiting > 0; i++) {
        mf__processes_settle(table);
    }
}

/* ---- events ---- */

static void on_fork(struct mf_process_table *table, const struct mf_procevent *event, int64_t t_ns)
{
    if (event->tgid == table->monitor_pid && table->monitor_pid != 0) {
        return;
    }
    const bool ours = event->parent == table->spec.recorder_pid ||
                      (table->monitor_pid != 0 && event->parent == table->monitor_pid) ||
                      mf__processes_find(table, event->parent) != NULL;
    if (!ours) {
        return;
    }
    struct mf_process *process = mf__processes_find(table, event->tgid);
    if (process != NULL && process->fork_expected) {
        process->fork_expected = false;
        return;
    }
    if (process != NULL) {
        /* Its pid is used again, so its end was missed (or is waiting for records that will not
         * come). */
        if (process->dead) {
            table->dead_waiting--;
        }
        process->dead = true;
        process->end_ns = process->end_ns >= 0 ? process->end_ns : t_ns;
        end_process(table, process);
    }
    add_process(table, event->tgid, event->parent, t_ns, NULL, "fork");
}

static void on_clone(struct mf_process_table *table, const struct mf_procevent *event)
{
    struct mf_process *process = mf__processes_find(table, event->tgid);
    if (process == NULL) {
        return;
    }
    process->threads++;
    table->totals.threads++;
    if (process->threads > process->threads_peak) {
        process->threads_peak = process->threads;
    }
    if (table->totals.threads > table->totals.threads_peak) {
        table->totals.threads_peak = table->totals.threads;
    }
    if (table->spec.with_records) {
        add_thread(table, event->tid, process);
    }
}

static void on_exec(struct mf_process_table *table, const struct mf_procevent *event, int64_t t_ns)
{
    struct mf_process *process = mf__processes_find(table, event->tgid);
    if (process == NULL) {
        return;
    }
    if (process->exec_expected) {
        process->exec_expected = false;
        return;
    }
    table->totals.threads -= process->threads - 1;
    process->threads = 1;
    char args[ARGS_BYTES_MAX];
    size_t args_len = 0;
    char before[MF_PROC_COMM_LEN];
    memcpy(before, process->comm, sizeof before);
    const bool seen = look_at(process, args, &args_len);
    if (!seen && !process->last_name) {
        process->comm[0] = '\0'; /* the exit record will tell */
    } else if (strcmp(before, process->comm) != 0) {
        set_comm(table, process, process->comm);
    }
    process->unreadable = process->io_forbidden = false; /* another program, other rights */
    process->next_check = 0;
    write_exec(table, process, t_ns, args, args_len);
}

static void on_comm(struct mf_process_table *table, const struct mf_procevent *event, int64_t t_ns)
{
    struct mf_process *process = mf__processes_find(table, event->tgid);
    if (process == NULL || event->tid != event->tgid || strcmp(process->comm, event->comm) == 0) {
        return;
    }
    set_comm(table, process, event->comm);
    if (is_detailed(process)) {
        mf__events_begin(table->spec.events, t_ns, "process.comm", process->cause, process->number);
        mf_json_key_string(&table->spec.events->json, "comm", process->comm);
        mf__events_end(table->spec.events);
    }
}

static void on_exit(struct mf_process_table *table, const struct mf_procevent *event, int64_t t_ns)
{
    struct mf_process *process = mf__processes_find(table, event->tgid);
    if (process == NULL || process->dead) {
        return;
    }
    process->exits++;
    if (event->tid == event->tgid) {
        process->status = event->status;
        process->status_known = true;
    }
    if (process->threads > 1) {
        process->threads--;
        table->totals.threads--;
        return;
    }
    mark_dead(table, process, t_ns);
}

bool mf__processes_event(struct mf_process_table *table, const struct mf_procevent *event)
{
    const bool known = mf__processes_find(table, event->tgid) != NULL;
    const int64_t t_ns = now_ns(table, event->monotonic_ns);
    switch (event->kind) {
    case MF_PROCEVENT_FORK:
        on_fork(table, event, t_ns);
        break;
    case MF_PROCEVENT_CLONE:
        on_clone(table, event);
        break;
    case MF_PROCEVENT_EXEC:
        on_exec(table, event, t_ns);
        break;
    case MF_PROCEVENT_COMM:
        on_comm(table, event, t_ns);
        break;
    case MF_PROCEVENT_EXIT:
        on_exit(table, event, t_ns);
        break;
    case MF_PROCEVENT_OTHER:
        break;
    }
    return known || mf__processes_find(table, event->tgid) != NULL;
}

/* ---- exit records ---- */

static bool take_record(struct mf_process_table *table, const struct mf_task_record *record)
{
    struct mf_process *process = NULL;
    if (record->tgid != 0) {
        process = mf__processes_find(table, record->tgid);
        if (process != NULL && record->tid != record->tgid) {
            (void)take_thread(table, record->tid);
        }
    } else {
        process = take_thread(table, record->tid);
        process = process != NULL ? process : mf__processes_find(table, record->tid);
    }
    if (process == NULL) {
        return false;
    }
    const struct mf_figures figures = {
        .cpu_user_ns = record->cpu_user_ns,
        .cpu_system_ns = record->cpu_system_ns,
        .rss_peak_bytes = record->rss_peak_bytes,
        .read_bytes = record->read_bytes,
        .write_bytes = record->write_bytes,
        .read_chars = record->read_chars,
        .write_chars = record->write_chars,
        .faults_minor = record->faults_minor,
        .faults_major = record->faults_major,
        .switches_voluntary = record->switches_voluntary,
        .switches_involuntary = record->switches_involuntary,
    };
    add_figures(&process->exact, &figures);
    if (process->exact.rss_peak_bytes == UINT64_MAX ||
        record->rss_peak_bytes > process->exact.rss_peak_bytes) {
        process->exact.rss_peak_bytes = record->rss_peak_bytes;
    }
    process->records++;
    table->spec.on_record(table->spec.context, record);
    if (record->tid == process->pid) {
        process->last_name = true;
        if (strcmp(process->comm, record->comm) != 0) {
            set_comm(table, process, record->comm);
        }
    }
    return true;
}

void mf__processes_record(struct mf_process_table *table, const struct mf_task_record *record)
{
    if (!take_record(table, record) && table->pending_count < PENDING_MAX) {
        table->pending[table->pending_count++] = *record;
    }
}

void mf__processes_retry_records(struct mf_process_table *table)
{
    /* Most are of processes that are not ours: the records come from the whole machine. */
    for (size_t i = 0; i < table->pending_count; i++) {
        (void)take_record(table, &table->pending[i]);
    }
    table->pending_count = 0;
}

/* ---- without events ---- */

void mf__processes_reaped(struct mf_process_table *table, int32_t pid, int status, int64_t t_ns)
{
    struct mf_process *process = mf__processes_find(table, pid);
    if (process == NULL) {
        return;
    }
    process->status = (uint32_t)status;
    process->status_known = true;
    if (!table->spec.with_events) {
        mark_dead(table, process, t_ns);
    }
}

void mf__processes_scan_begin(struct mf_process_table *table)
{
    table->round++;
}

static void add_found(struct mf_process_table *table, int32_t pid, int64_t t_ns)
{
    struct mf_proc *handle = NULL;
    struct mf_proc_stat stat;
    if (mf_proc_open(pid, true, &handle) < 0) {
        return;
    }
    if (mf_proc_read_stat(handle, &stat) < 0) {
        mf_proc_close(handle);
        return;
    }
    int64_t start_ns =
        now_ns(table, mf_proc_start_monotonic_ns(stat.start_ticks, table->spec.host));
    start_ns = start_ns < t_ns ? start_ns : t_ns;
    struct mf_process *process =
        add_process(table, pid, stat.parent_pid, start_ns, stat.comm, "scan");
    if (process == NULL) {
        mf_proc_close(handle);
        return;
    }
    process->handle = handle;
    process->start_ticks = stat.start_ticks;
    process->fork_expected = table->spec.with_events; /* it may be in the queue still */
    char args[ARGS_BYTES_MAX];
    size_t args_len = 0;
    (void)look_at(process, args, &args_len);
    write_exec(table, process, t_ns, args, args_len);
}

void mf__processes_scan_found(struct mf_process_table *table, int32_t pid, int64_t t_ns)
{
    if (pid == table->spec.recorder_pid || pid == table->monitor_pid) {
        return;
    }
    struct mf_process *process = mf__processes_find(table, pid);
    if (process != NULL && process->gone) {
        /* The pid is used again. */
        if (process->dead) {
            table->dead_waiting--;
        }
        process->dead = true;
        process->end_ns = t_ns;
        end_process(table, process);
        process = NULL;
    }
    if (process == NULL) {
        add_found(table, pid, t_ns);
    } else {
        process->last_seen = table->round;
    }
}

void mf__processes_scan_end(struct mf_process_table *table, int64_t t_ns)
{
    for (struct mf_process *process = table->first; process != NULL; process = process->next) {
        if (process->last_seen != table->round) {
            mark_dead(table, process, t_ns);
        }
    }
}

void mf__processes_observe(struct mf_process_table *table, struct mf_process *process,
                           const struct mf_proc_stat *stat, int64_t t_ns)
{
    process->rss_bytes = stat->rss_bytes;
    note_rss(table, process, stat->rss_bytes, t_ns);
    if (table->spec.with_events) {
        return;
    }
    struct mf_process_totals *totals = &table->totals;
    const uint32_t threads = stat->threads > 0 ? stat->threads : 1;
    totals->threads = totals->threads - process->threads + threads;
    process->threads = threads;
    process->threads_peak = threads > process->threads_peak ? threads : process->threads_peak;
    totals->threads_peak =
        totals->threads > totals->threads_peak ? totals->threads : totals->threads_peak;
    if (strcmp(process->comm, stat->comm) != 0) {
        char args[ARGS_BYTES_MAX];
        size_t args_len = 0;
        (void)look_at(process, args, &args_len);
        set_comm(table, process, process->comm);
        write_exec(table, process, t_ns, args, args_len);
    }
}
