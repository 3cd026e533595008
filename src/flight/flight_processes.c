/* SPDX-License-Identifier: Apache-2.0
 * flight_processes.c -- the process table of a flight, merged from its events and samples.
 *
 * Nothing is taken for granted: a start may be missing (the recorder began later, a message was
 * lost), an exit may come without figures, a number may be absurd. A process exists as soon as
 * anything names its number; what the kernel's exit record says wins over samples, whatever their
 * order.
 */
#include <mayfly/flight.h>

#include "flight_events.h"
#include "flight_process_table.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static int out_of_memory(struct mf__process_table *table)
{
    return mf_fail(table->err, -ENOMEM, "out of memory");
}

/* ---- finding a process by its number ---- */

static size_t slot_of(const struct mf__process_table *table, uint64_t number)
{
    size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (table->slot_count - 1);
    while (table->slots[at] != 0 && table->items[table->slots[at] - 1].number != number) {
        at = (at + 1) & (table->slot_count - 1);
    }
    return at;
}

static void fill_slots(struct mf__process_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        table->slots[slot_of(table, table->items[i].number)] = (uint32_t)(i + 1);
    }
}

static int grow(struct mf__process_table *table)
{
    const size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
    uint32_t *slots = mf_calloc(capacity * 4, sizeof *slots);
    struct mf_flight_process *items = mf_realloc(table->items, capacity * sizeof *items);
    if (items != NULL) {
        table->items = items;
    }
    if (items == NULL || slots == NULL || capacity > UINT32_MAX / 4) {
        mf_free(slots);
        return out_of_memory(table);
    }
    mf_free(table->slots);
    table->slots = slots;
    table->slot_count = capacity * 4;
    table->capacity = capacity;
    fill_slots(table);
    return 0;
}

/* The process of that number, made when it is new; NULL: out of memory. */
static struct mf_flight_process *process_of(struct mf__process_table *table, uint64_t number,
                                            int64_t t_ns)
{
    if (table->count == table->capacity && grow(table) < 0) {
        return NULL;
    }
    const size_t at = slot_of(table, number);
    if (table->slots[at] != 0) {
        return &table->items[table->slots[at] - 1];
    }
    struct mf_flight_process *process = &table->items[table->count++];
    *process = (struct mf_flight_process){
        .number = number,
        .start_ns = t_ns,
        .end_ns = -1,
        .read_bytes = MF_FLIGHT_UNKNOWN,
        .write_bytes = MF_FLIGHT_UNKNOWN,
        .read_chars = MF_FLIGHT_UNKNOWN,
        .write_chars = MF_FLIGHT_UNKNOWN,
    };
    table->slots[at] = (uint32_t)table->count;
    return process;
}

/* ---- pieces of an event ---- */

#define MEMBERS_MAX 32

/* The members of an event. */
struct record {
    struct mf_scan_member members[MEMBERS_MAX];
    size_t count;
};

static struct mf_scan_value member(const struct record *record, const char *key)
{
    return mf_scan_find(record->members, record->count, key);
}

static uint64_t get_count(const struct record *record, const char *key, uint64_t fallback)
{
    uint64_t value = fallback;
    return mf_scan_uint(member(record, key), &value) ? value : fallback;
}

static int64_t get_int(const struct record *record, const char *key, int64_t fallback)
{
    int64_t value = fallback;
    return mf_scan_int(member(record, key), &value) ? value : fallback;
}

/* Sets a text from a member; one that is not there leaves it as it is. */
static int set_text(struct mf__process_table *table, char **field, const struct record *record,
                    const char *key)
{
    const struct mf_scan_value value = member(record, key);
    if (value.type != MF_SCAN_STRING || (*field != NULL && mf_scan_is(value, *field))) {
        return 0;
    }
    char *copy = mf_scan_copy(value);
    if (copy == NULL) {
        return out_of_memory(table);
    }
    mf_free(*field);
    *field = copy;
    return 0;
}

static int set_default(struct mf__process_table *table, char **field, const char *text)
{
    if (*field == NULL && (*field = mf_strdup(text)) == NULL) {
        return out_of_memory(table);
    }
    return 0;
}

/* Makes room for one more in an array that grows by doubling. */
static void *room_for_one(void *items, size_t count, size_t item_len)
{
    return (count & (count - 1)) != 0 ? items
                                      : mf_realloc(items, (count == 0 ? 1 : count * 2) * item_len);
}

static int add_exec(struct mf__process_table *table, struct mf_flight_process *process,
                    int64_t t_ns, const struct record *record)
{
    struct mf_flight_exec *execs = room_for_one(process->execs, process->exec_count, sizeof *execs);
    if (execs == NULL) {
        return out_of_memory(table);
    }
    process->execs = execs;
    struct mf_flight_exec *exec = &execs[process->exec_count++];
    *exec = (struct mf_flight_exec){.t_ns = t_ns};
    int rc = set_text(table, &exec->comm, record, "comm");
    MF_KEEP_FIRST(rc, set_default(table, &exec->comm, ""));
    MF_KEEP_FIRST(rc, set_text(table, &exec->args, record, "args"));
    return rc;
}

/* ---- kinds of events ---- */

static int take_start(struct mf__process_table *table, struct mf_flight_process *process,
                      int64_t t_ns, const struct record *record)
{
    process->start_ns = t_ns;
    process->start_exact = mf_scan_is(member(record, "seen"), "fork");
    process->pid = get_int(record, "pid", 0);
    process->parent = get_count(record, "pproc", 0);
    return set_text(table, &process->comm, record, "comm");
}

static int take_exec(struct mf__process_table *table, struct mf_flight_process *process,
                     int64_t t_ns, const struct record *record)
{
    int rc = set_text(table, &process->comm, record, "comm");
    if (member(record, "args").type == MF_SCAN_ABSENT) { /* what it was before would be wrong */
        mf_free(process->args);
        process->args = NULL;
    }
    MF_KEEP_FIRST(rc, set_text(table, &process->args, record, "args"));
    MF_KEEP_FIRST(rc, add_exec(table, process, t_ns, record));
    return rc;
}

static void take_status(struct mf_flight_process *process, int64_t status)
{
    const int raw = (int)status;
    process->status_known = true;
    if (WIFSIGNALED(raw)) {
        process->signal = WTERMSIG(raw);
        process->exit_code = 128 + process->signal;
        process->core_dumped = WCOREDUMP(raw);
    } else {
        process->exit_code = WEXITSTATUS(raw);
    }
}

static void take_most(uint64_t *field, uint64_t value)
{
    if (value != MF_FLIGHT_UNKNOWN && (*field == MF_FLIGHT_UNKNOWN || value > *field)) {
        *field = value;
    }
}

static int take_exit(struct mf__process_table *table, struct mf_flight_process *process,
                     int64_t t_ns, const struct record *record)
{
    bool exact = false;
    (void)mf_scan_bool(member(record, "exact"), &exact);
    process->ended = true;
    process->end_ns = t_ns;
    process->start_ns = get_int(record, "start", process->start_ns);
    const int64_t status = get_int(record, "status", -1);
    if (status >= 0 && status <= 0xFFFF) {
        take_status(process, status);
    }
    const uint64_t user_ns = get_count(record, "utime_ns", MF_FLIGHT_UNKNOWN);
    const uint64_t system_ns = get_count(record, "stime_ns", MF_FLIGHT_UNKNOWN);
    if (user_ns != MF_FLIGHT_UNKNOWN && system_ns != MF_FLIGHT_UNKNOWN) {
        process->totals_exact = exact;
        process->cpu_user_ns = user_ns;
        process->cpu_system_ns = system_ns;
    }
    take_most(&process->rss_peak_bytes, get_count(record, "rss_peak", 0));
    take_most(&process->read_bytes, get_count(record, "rbytes", MF_FLIGHT_UNKNOWN));
    take_most(&process->write_bytes, get_count(record, "wbytes", MF_FLIGHT_UNKNOWN));
    process->read_chars = get_count(record, "rchar", MF_FLIGHT_UNKNOWN);
    process->write_chars = get_count(record, "wchar", MF_FLIGHT_UNKNOWN);
    process->faults_minor = get_count(record, "minflt", 0);
    process->faults_major = get_count(record, "majflt", 0);
    process->switches_voluntary = get_count(record, "nvcsw", 0);
    process->switches_involuntary = get_count(record, "nivcsw", 0);
    const uint64_t threads = get_count(record, "threads", 0);
    if (threads > process->threads && threads <= UINT32_MAX) {
        process->threads = (uint32_t)threads;
    }
    return set_text(table, &process->comm, record, "comm");
}

/* [proc, cpu_ns, rss_bytes, read_bytes, write_bytes, threads]; -1 is not known. */
static int take_sample(struct mf__process_table *table, int64_t t_ns, struct mf_scan_value row)
{
    int64_t values[6];
    size_t cursor = 0;
    struct mf_scan_value number;
    for (size_t i = 0; i < MF_ARRAY_LEN(values); i++) {
        if (!mf_scan_next_element(row, &cursor, &number) || !mf_scan_int(number, &values[i])) {
            return 0;
        }
    }
    if (values[0] <= 0) {
        return 0;
    }
    struct mf_flight_process *process = process_of(table, (uint64_t)values[0], t_ns);
    if (process == NULL) {
        return -ENOMEM;
    }
    struct mf_flight_sample *samples =
        room_for_one(process->samples, process->sample_count, sizeof *samples);
    if (samples == NULL) {
        return out_of_memory(table);
    }
    process->samples = samples;
    const struct mf_flight_sample *before =
        process->sample_count > 0 ? &samples[process->sample_count - 1] : NULL;
    const struct mf_flight_sample sample = {
        .t_ns = t_ns,
        .cpu_ns = values[1] >= 0   ? (uint64_t)values[1]
                  : before != NULL ? before->cpu_ns
                                   : 0,
        .rss_bytes = values[2] >= 0   ? (uint64_t)values[2]
                     : before != NULL ? before->rss_bytes
                                      : 0,
        .read_bytes = values[3] >= 0 ? (uint64_t)values[3] : MF_FLIGHT_UNKNOWN,
        .write_bytes = values[4] >= 0 ? (uint64_t)values[4] : MF_FLIGHT_UNKNOWN,
        .threads = values[5] > 0 && values[5] <= UINT32_MAX ? (uint32_t)values[5] : 0,
    };
    samples[process->sample_count++] = sample;
    take_most(&process->rss_peak_bytes, sample.rss_bytes);
    take_most(&process->read_bytes, sample.read_bytes);
    take_most(&process->write_bytes, sample.write_bytes);
    process->threads = sample.threads > process->threads ? sample.threads : process->threads;
    /* Until there is a record of the end, the samples are all there is. */
    if (!process->totals_exact && sample.cpu_ns > process->cpu_user_ns + process->cpu_system_ns) {
        process->cpu_user_ns = sample.cpu_ns - process->cpu_system_ns;
    }
    return 0;
}

static int take_samples(struct mf__process_table *table, int64_t t_ns, const struct record *record)
{
    const struct mf_scan_value rows = member(record, "p");
    struct mf_scan_value row;
    int rc = 0;
    for (size_t cursor = 0; rc == 0 && mf_scan_next_element(rows, &cursor, &row);) {
        rc = take_sample(table, t_ns, row);
    }
    return rc;
}

/* The kernel names the victim by its pid; it is the youngest process that has it. */
static void take_oom(struct mf__process_table *table, const struct record *record)
{
    const int64_t pid = get_int(record, "pid", 0);
    for (size_t i = table->count; pid > 0 && i-- > 0;) {
        if (table->items[i].pid == pid) {
            table->items[i].oom_killed = true;
            return;
        }
    }
}

int mf__process_table_take(struct mf__process_table *table, const struct mf_flight_event *event,
                           struct mf_scan_value root, struct mf_errinfo *err)
{
    table->err = err;
    const bool is_sample = strcmp(event->kind, "sample") == 0;
    const bool is_oom = strcmp(event->kind, "oom") == 0;
    const bool is_process = strncmp(event->kind, "process.", 8) == 0 && event->process != 0;
    if (!is_sample && !is_oom && !is_process) {
        return 0;
    }
    struct record record;
    record.count = mf_scan_members(root, record.members, MEMBERS_MAX);
    if (is_sample) {
        return take_samples(table, event->t_ns, &record);
    }
    if (is_oom) {
        take_oom(table, &record);
        return 0;
    }
    struct mf_flight_process *process = process_of(table, event->process, event->t_ns);
    if (process == NULL) {
        return -ENOMEM;
    }
    const char *kind = event->kind + 8;
    if (strcmp(kind, "start") == 0) {
        return take_start(table, process, event->t_ns, &record);
    }
    if (strcmp(kind, "exec") == 0) {
        return take_exec(table, process, event->t_ns, &record);
    }
    if (strcmp(kind, "comm") == 0) {
        return set_text(table, &process->comm, &record, "comm");
    }
    return strcmp(kind, "exit") == 0 ? take_exit(table, process, event->t_ns, &record) : 0;
}

/* ---- the whole table ---- */

static int complete(struct mf__process_table *table, struct mf_flight_process *process)
{
    if (process->ended && process->end_ns < process->start_ns) {
        process->start_ns = process->end_ns;
    }
    if (process->parent == process->number) {
        process->parent = 0;
    }
    return set_default(table, &process->comm, "?");
}

static int by_number(const void *a, const void *b)
{
    const struct mf_flight_process *left = a;
    const struct mf_flight_process *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

/* Numbers are given in the order of the events, so there is hardly ever something to do. */
static void sort(struct mf__process_table *table)
{
    bool sorted = true;
    for (size_t i = 1; i < table->count && sorted; i++) {
        sorted = table->items[i - 1].number < table->items[i].number;
    }
    if (!sorted) {
        qsort(table->items, table->count, sizeof *table->items, by_number);
        memset(table->slots, 0, table->slot_count * sizeof *table->slots);
        fill_slots(table);
    }
}

int mf__process_table_view(struct mf__process_table *table, struct mf_flight_processes *ret_view,
                           struct mf_errinfo *err)
{
    int rc = 0;
    table->err = err;
    for (size_t i = 0; rc == 0 && i < table->count; i++) {
        rc = complete(table, &table->items[i]);
    }
    if (rc == 0) {
        sort(table);
        *ret_view = (struct mf_flight_processes){table->items, table->count};
    }
    return rc;
}

void mf__process_table_free(struct mf__process_table *table)
{
    struct mf_flight_processes processes = {table->items, table->count};
    mf_flight_processes_free(&processes);
    mf_free(table->slots);
    *table = (struct mf__process_table){0};
}

int mf_flight_processes_read(const char *dir, struct mf_flight_processes *ret_processes,
                             struct mf_errinfo *err)
{
    struct mf__process_table table = {0};
    struct mf_flight_events *events = NULL;
    struct mf_flight_event event;
    int rc = mf_flight_events_open(dir, &events, err);
    while (rc >= 0) {
        rc = mf_flight_events_next(events, true, &event, err);
        if (rc <= 0) {
            break;
        }
        rc = mf__process_table_take(&table, &event, mf__flight_event_root(events), err);
    }
    mf_flight_events_close(events);
    if (rc == 0) {
        rc = mf__process_table_view(&table, ret_processes, err);
    }
    if (rc < 0) {
        mf__process_table_free(&table);
        return rc;
    }
    mf_free(table.slots); /* the items are the caller's now */
    return 0;
}

void mf_flight_processes_free(struct mf_flight_processes *processes)
{
    for (size_t i = 0; i < processes->count; i++) {
        struct mf_flight_process *process = &processes->items[i];
        for (size_t e = 0; e < process->exec_count; e++) {
            mf_free(process->execs[e].comm);
            mf_free(process->execs[e].args);
        }
        mf_free(process->execs);
        mf_free(process->samples);
        mf_free(process->comm);
        mf_free(process->args);
    }
    mf_free(processes->items);
    *processes = (struct mf_flight_processes){0};
}
