/* SPDX-License-Identifier: Apache-2.0
 *
 * flight_recover.c -- completes a flight whose recorder was killed or whose machine went down.
 *
 * What there is: flight.json as of the start, and the logs and the store up to some moment. The
 * ends of the logs are repaired by opening them for appending, the store by sealing it. Totals are
 * put together from the process table, the series and the output; they cover what was recorded, so
 * they are at most some tenths of a second short. How the command ended is known when its exit was
 * still recorded.
 *
 * A power cut in the first second of a flight, before its first sync, can leave a log without its
 * header, and then nothing of what follows can be told from old blocks. Such a log is put aside
 * under the name *.lost, and the flight says so.
 *
 * The lock of the recorder is held meanwhile, so that of two recoveries one waits its turn, and
 * readers see the flight as running for that time. flight.json is replaced last: whatever
 * interrupts this leaves a flight that can be recovered again.
 *
 * flight.json may have been written by anybody, and this may run as root: of the cgroups that it
 * names only those are touched whose name is the flight's own, and only to remove them when they
 * are empty.
 */
#include "flight_json.h"
#include "outcome.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/cgroup.h"
#include "os/file.h"
#include "os/proc.h"

#include <errno.h>
#include <mayfly/metrics.h>
#include <mayfly/reclog.h>
#include <stdio.h>
#include <string.h>

static const char *const logs[] = {"events.log", "output.log", "output.tail0", "output.tail1"};

struct recovering {
    const char *dir;
    struct mf_flight_info *info;
    struct mf_flight_extra extra;
    struct mf_flight_recovery result;
    int64_t last_ns; /* the newest record of any kind */
};

static char *path_in(const struct recovering *r, const char *name)
{
    return mf_asprintf("%s/%s", r->dir, name);
}

static void note_time(struct recovering *r, int64_t t_ns)
{
    r->last_ns = t_ns > r->last_ns ? t_ns : r->last_ns;
}

/* ---- logs ---- */

#define HEADER_LEN 64 /* of a reclog */

/* Whether a log that cannot be opened is one that was never synced: its header is missing or torn,
 * and there is more behind it. Damage elsewhere is not that. */
static bool has_lost_its_header(const char *path, int code)
{
    struct mf_reclog_reader *reader = NULL;
    struct mf_file *file = NULL;
    uint8_t header[HEADER_LEN] = {1};
    size_t len = 0;
    if (code == MF_ECORRUPT) { /* of a record or of the header: a reader needs only the latter */
        const int ret = mf_reclog_reader_open(path, NULL, &reader, NULL);
        mf_reclog_reader_close(reader);
        return ret == MF_ECORRUPT;
    }
    if (code == MF_EFORMAT && mf_file_open(NULL, path, MF_OPEN_READ, &file, NULL) == 0) {
        (void)mf_file_read(file, header, sizeof header, 0, &len, NULL);
        mf_file_close(file);
        static const uint8_t zeros[HEADER_LEN];
        return len == sizeof header && memcmp(header, zeros, sizeof header) == 0;
    }
    return false;
}

static int put_aside(const char *path, struct mf_errinfo *err)
{
    char *lost = mf_asprintf("%s.lost", path);
    const int ret = lost != NULL ? mf_fs_rename(NULL, path, lost, err)
                                 : mf_fail(err, -ENOMEM, "no memory to recover %.200s", path);
    mf_free(lost);
    return ret;
}

/* Opening a log for appending cuts off what is torn. A log that is not there is not made. */
static int repair_log(struct recovering *r, const char *name, struct mf_errinfo *err)
{
    char *path = path_in(r, name);
    struct mf_file_info file;
    struct mf_reclog *log = NULL;
    int ret = path != NULL ? 0 : mf_fail(err, -ENOMEM, "no memory to recover %.200s", r->dir);
    if (ret == 0 && mf_fs_info(NULL, path, &file, NULL) == 0) {
        struct mf_errinfo why;
        ret = mf_reclog_open(path, NULL, NULL, &log, &why);
        if (ret == 0) {
            struct mf_reclog_info info;
            mf_reclog_info(log, &info);
            r->result.torn_bytes += info.cut_bytes;
            ret = mf_reclog_close(log, err);
        } else if (has_lost_its_header(path, ret)) {
            ret = put_aside(path, err);
        } else if (ret == MF_ECORRUPT) {
            r->result.corrupt_records++; /* left as it is; readers go around the place */
            ret = 0;
        } else if (err != NULL) {
            *err = why;
        }
    }
    mf_free(path);
    return ret;
}

/* ---- totals ---- */

static void add_known(uint64_t *sum, uint64_t value)
{
    if (value != MF_FLIGHT_UNKNOWN) {
        *sum = (*sum == MF_FLIGHT_UNKNOWN ? 0 : *sum) + value;
    }
}

static void raise_to(uint64_t *value, uint64_t other)
{
    if (other != MF_FLIGHT_UNKNOWN && (*value == MF_FLIGHT_UNKNOWN || other > *value)) {
        *value = other;
    }
}

/* Nothing that ran had a peak of 0: then it was not seen. */
static void raise_peak(uint64_t *value, uint64_t other)
{
    if (other != 0) {
        raise_to(value, other);
    }
}

static void all_unknown(struct mf_flight_totals *totals)
{
    memset(totals, 0, sizeof *totals);
    uint64_t *const figures[] = {
        &totals->cpu_user_ns,    &totals->cpu_system_ns,      &totals->memory_peak_bytes,
        &totals->rss_peak_bytes, &totals->read_bytes,         &totals->write_bytes,
        &totals->read_chars,     &totals->write_chars,        &totals->faults_minor,
        &totals->faults_major,   &totals->switches_voluntary, &totals->switches_involuntary,
        &totals->processes_peak, &totals->threads_peak,
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(figures); i++) {
        *figures[i] = MF_FLIGHT_UNKNOWN;
    }
}

static int keep_comm(char **kept, const char *comm)
{
    mf_free(*kept);
    *kept = mf_strdup(comm);
    return *kept != NULL ? 0 : -ENOMEM;
}

static int sum_processes(struct recovering *r, const struct mf_flight_processes *processes)
{
    struct mf_flight_info *info = r->info;
    struct mf_flight_totals *totals = &info->totals;
    int ret = 0;
    for (size_t i = 0; i < processes->count && ret == 0; i++) {
        const struct mf_flight_process *p = &processes->items[i];
        const uint64_t cpu_ns =
            p->cpu_user_ns == MF_FLIGHT_UNKNOWN ? 0 : p->cpu_user_ns + p->cpu_system_ns;
        add_known(&totals->cpu_user_ns, p->cpu_user_ns);
        add_known(&totals->cpu_system_ns, p->cpu_system_ns);
        add_known(&totals->read_bytes, p->read_bytes);
        add_known(&totals->write_bytes, p->write_bytes);
        add_known(&totals->read_chars, p->read_chars);
        add_known(&totals->write_chars, p->write_chars);
        add_known(&totals->faults_minor, p->faults_minor);
        add_known(&totals->faults_major, p->faults_major);
        add_known(&totals->switches_voluntary, p->switches_voluntary);
        add_known(&totals->switches_involuntary, p->switches_involuntary);
        if (p->comm != NULL && p->rss_peak_bytes != MF_FLIGHT_UNKNOWN &&
            p->rss_peak_bytes > info->largest_rss_bytes) {
            info->largest_rss_bytes = p->rss_peak_bytes;
            ret = keep_comm(&info->largest_comm, p->comm);
        }
        if (p->comm != NULL && ret == 0 && cpu_ns > info->busiest_cpu_ns) {
            info->busiest_cpu_ns = cpu_ns;
            ret = keep_comm(&info->busiest_comm, p->comm);
        }
    }
    totals->processes = processes->count;
    raise_peak(&totals->rss_peak_bytes, info->largest_rss_bytes);
    return ret;
}

/* The largest value of a series, or with `total` the last of a counter. Unknown without the series.
 */
static uint64_t ask_series(struct mf_metrics_reader *reader, const char *selector, bool total,
                           double scale)
{
    const struct mf_metrics_query query = {
        .selector = selector, .start_ns = 0, .end_ns = INT64_MAX, .tier = MF_TIER_AUTO};
    struct mf_metrics_result *result = NULL;
    uint64_t value = MF_FLIGHT_UNKNOWN;
    if (mf_metrics_query(reader, &query, &result, NULL) < 0) {
        return value;
    }
    for (size_t i = 0; i < result->series_count; i++) {
        const struct mf_series_result *series = &result->series[i];
        for (size_t k = 0; k < series->point_count; k++) {
            const double number = scale * (total ? series->points[k].last : series->points[k].max);
            if (number >= 0 && number < 0x1p63) {
                raise_to(&value, (uint64_t)number);
            }
        }
    }
    mf_metrics_result_free(result);
    return value;
}

/* What only the tree as a whole knows: peaks, and what the cgroup counted of short-lived processes.
 */
static void read_series(struct recovering *r)
{
    struct mf_flight_totals *totals = &r->info->totals;
    struct mf_metrics_reader *reader = NULL;
    char *path = path_in(r, "metrics");
    if (path == NULL || mf_metrics_reader_open(path, NULL, &reader, NULL) < 0) {
        mf_free(path);
        return;
    }
    raise_to(&totals->cpu_user_ns,
             ask_series(reader, "flight_cpu_seconds_total{mode=\"user\"}", true, 1e9));
    raise_to(&totals->cpu_system_ns,
             ask_series(reader, "flight_cpu_seconds_total{mode=\"system\"}", true, 1e9));
    raise_peak(&totals->memory_peak_bytes, ask_series(reader, "flight_memory_bytes", false, 1));
    raise_peak(&totals->rss_peak_bytes, ask_series(reader, "flight_memory_rss_bytes", false, 1));
    raise_peak(&totals->processes_peak, ask_series(reader, "flight_processes", false, 1));
    raise_peak(&totals->threads_peak, ask_series(reader, "flight_threads", false, 1));
    mf_metrics_reader_close(reader);
    mf_free(path);
}

static int sum_output(struct recovering *r, struct mf_errinfo *err)
{
    struct mf_flight_output *output = NULL;
    struct mf_flight_chunk chunk;
    int ret = mf_flight_output_open(r->dir, &output, err);
    if (ret < 0) {
        return ret == -ENOENT ? 0 : ret;
    }
    for (;;) {
        ret = mf_flight_output_next(output, &chunk, err);
        if (ret == MF_ECORRUPT) {
            r->result.corrupt_records++;
            continue;
        }
        if (ret <= 0) {
            break;
        }
        struct mf_flight_stream_totals *totals = &r->info->totals.output[chunk.stream];
        totals->bytes = chunk.offset + chunk.len;
        totals->lost_bytes += chunk.gap_bytes;
        for (size_t i = 0; i < chunk.len; i++) {
            totals->lines += chunk.bytes[i] == '\n';
        }
        note_time(r, chunk.t_ns);
    }
    mf_flight_output_close(output);
    return ret;
}

static int count_events(struct recovering *r, struct mf_errinfo *err)
{
    struct mf_flight_events *events = NULL;
    struct mf_flight_event event;
    int ret = mf_flight_events_open(r->dir, &events, err);
    if (ret < 0) {
        return ret == -ENOENT ? 0 : ret;
    }
    struct mf_flight_totals *totals = &r->info->totals;
    for (;;) {
        ret = mf_flight_events_next(events, true, &event, err);
        if (ret == MF_ECORRUPT) {
            r->result.corrupt_records++;
            continue;
        }
        if (ret <= 0) {
            break;
        }
        totals->events++;
        totals->user_events += strcmp(event.kind, "user") == 0 || strcmp(event.kind, "text") == 0;
        totals->bad_events += strcmp(event.kind, "text") == 0;
        totals->oom_kills += strcmp(event.kind, "oom") == 0;
        totals->lost_events += strcmp(event.kind, "lost") == 0;
        note_time(r, event.t_ns);
    }
    mf_flight_events_close(events);
    return ret;
}

/* ---- the ending ---- */

static int add_evidence(struct mf_flight_info *info, const char *text)
{
    size_t count = 0;
    while (info->evidence != NULL && info->evidence[count] != NULL) {
        count++;
    }
    char **longer = mf_realloc(info->evidence, (count + 2) * sizeof *longer);
    if (longer == NULL) {
        return -ENOMEM;
    }
    longer[count] = mf_strdup(text);
    longer[count + 1] = NULL;
    info->evidence = longer;
    return longer[count] != NULL ? 0 : -ENOMEM;
}

/* The command's exit was recorded: the rest is as if we had been there. */
static int judge(struct recovering *r, const struct mf_flight_process *command)
{
    struct mf_flight_info *info = r->info;
    struct mf_ending ending = {
        .command = info->command != NULL && info->command[0] != NULL ? info->command[0] : "",
        .status_known = true,
        .status = command->signal != 0 ? command->signal | (command->core_dumped ? 0x80 : 0)
                                       : command->exit_code << 8,
        .cgroup_oom_kills = info->totals.oom_kills,
        .cgroup_counter = "events.log",
        .memory_limit_bytes = UINT64_MAX,
        .memory_peak_bytes = info->totals.memory_peak_bytes,
        .limit_hits = UINT64_MAX,
        .victim_rss_bytes = info->largest_rss_bytes,
        .victim_at_ns = -1,
    };
    snprintf(ending.victim_comm, sizeof ending.victim_comm, "%s",
             info->largest_comm != NULL ? info->largest_comm : "");
    struct mf_verdict verdict;
    mf__ending_judge(&ending, &verdict);
    info->outcome = verdict.outcome;
    info->exit_code = verdict.exit_code;
    info->signal = verdict.signal;
    info->core_dumped = verdict.core_dumped;
    info->reason = mf_strdup(verdict.reason.data != NULL ? verdict.reason.data : "");
    int ret = info->reason != NULL ? 0 : -ENOMEM;
    for (unsigned i = 0; i < verdict.evidence_count; i++) {
        MF_KEEP_FIRST(
            ret,
            add_evidence(info, verdict.evidence[i].data != NULL ? verdict.evidence[i].data : ""));
    }
    mf__verdict_free(&verdict);
    MF_KEEP_FIRST(ret,
                  add_evidence(info, "the recorder was gone before it could close the flight"));
    return ret;
}

static int judge_lost(struct recovering *r, bool same_boot)
{
    struct mf_flight_info *info = r->info;
    char moment[32];
    info->outcome = MF_OUTCOME_RECORDER_LOST;
    info->exit_code = 125;
    info->reason = mf_asprintf(
        "%s; the last record is of %s, and how the command ended is not known",
        same_boot ? "the recorder was killed" : "the machine went down or was started anew",
        mf__format_moment(moment, r->last_ns));
    return info->reason != NULL
               ? add_evidence(info, same_boot ? "its lock is free, and the machine is the same boot"
                                              : "the boot id is another now")
               : -ENOMEM;
}

/* Also of an earlier recovery that did not come to its end. */
static int tell_lost_logs(struct recovering *r)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(logs); i++) {
        struct mf_file_info file;
        char *path = mf_asprintf("%s/%s.lost", r->dir, logs[i]);
        char *text = mf_asprintf("%s was lost: the machine went down before its beginning had "
                                 "reached the disk; what is there of it is in %s.lost",
                                 logs[i], logs[i]);
        int ret = path != NULL && text != NULL ? 0 : -ENOMEM;
        if (ret == 0 && mf_fs_info(NULL, path, &file, NULL) == 0) {
            r->result.logs_lost++;
            ret = add_evidence(r->info, text);
        }
        mf_free(path);
        mf_free(text);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

static int finish_info(struct recovering *r, const struct mf_flight_processes *processes,
                       bool same_boot)
{
    struct mf_flight_info *info = r->info;
    const struct mf_flight_process *command = NULL;
    for (size_t i = 0; i < processes->count; i++) {
        const struct mf_flight_process *p = &processes->items[i];
        note_time(r, p->end_ns);
        command = p->number == 1 ? p : command;
    }
    const bool known = command != NULL && command->ended && command->status_known;
    info->duration_ns = known ? command->end_ns : r->last_ns;
    int ret = known ? judge(r, command) : judge_lost(r, same_boot);
    MF_KEEP_FIRST(ret, tell_lost_logs(r));
    info->success = info->outcome == MF_OUTCOME_EXITED && info->exit_code == 0;
    const bool by_cgroup = info->totals.memory_peak_bytes != MF_FLIGHT_UNKNOWN;
    if (!by_cgroup) {
        info->totals.memory_peak_bytes = info->totals.rss_peak_bytes;
    }
    info->memory_peak_source = mf_strdup(by_cgroup ? "cgroup" : "samples");
    info->totals.processes_left = r->result.processes_alive;
    info->state = MF_FLIGHT_RECOVERED;
    return info->memory_peak_source != NULL ? ret : -ENOMEM;
}

/* ---- the cgroup ---- */

/* The path when it ends in the name that this flight's cgroup has, else "". */
static const char *own_cgroup(const struct recovering *r, const char *path)
{
    char name[MF_FLIGHT_ID_LEN + 16];
    snprintf(name, sizeof name, "/mayfly-%s", r->info->id);
    const size_t len = path != NULL ? strlen(path) : 0;
    const size_t name_len = strlen(name);
    return len > name_len && path[0] == '/' && strcmp(path + len - name_len, name) == 0 &&
                   strstr(path, "/../") == NULL
               ? path
               : "";
}

static bool is_same_boot(const struct mf_flight_info *info)
{
    struct mf_host host;
    mf_host_read(&host);
    return info->boot_id != NULL && strcmp(host.boot_id, info->boot_id) == 0;
}

/* ---- all of it ---- */

static int recover_locked(struct recovering *r, struct mf_errinfo *err)
{
    struct mf_flight_processes processes = {NULL, 0};
    char *reserve = path_in(r, "reserve");
    char *metrics = path_in(r, "metrics");
    int ret = reserve != NULL && metrics != NULL
                  ? 0
                  : mf_fail(err, -ENOMEM, "no memory to recover %.200s", r->dir);
    if (ret == 0) {
        (void)mf_fs_unlink(NULL, reserve, NULL);
        (void)!mf_metrics_seal(metrics, NULL, NULL, NULL); /* as it is, it can be read, too */
    }
    for (size_t i = 0; ret == 0 && i < MF_ARRAY_LEN(logs); i++) {
        ret = repair_log(r, logs[i], err);
    }
    all_unknown(&r->info->totals);
    if (ret == 0) {
        ret = count_events(r, err);
    }
    if (ret == 0) {
        ret = sum_output(r, err);
    }
    if (ret == 0) {
        ret = mf_flight_processes_read(r->dir, &processes, err);
        ret = ret == -ENOENT ? 0 : ret;
    }
    const bool same_boot = is_same_boot(r->info);
    if (ret == 0) {
        if (same_boot) {
            r->result.processes_alive = mf_cgroup_remove_abandoned(
                own_cgroup(r, r->extra.cgroup), own_cgroup(r, r->extra.cgroup_memory_v1));
        }
        ret = sum_processes(r, &processes);
        read_series(r);
        MF_KEEP_FIRST(ret, finish_info(r, &processes, same_boot));
        if (ret < 0) {
            ret = mf_fail(err, ret, "no memory to recover %.200s", r->dir);
        }
    }
    if (ret == 0) {
        ret = mf__flight_json_write(r->info, &r->extra, r->dir, MF_JSON_DURABLE, err);
    }
    mf_flight_processes_free(&processes);
    mf_free(reserve);
    mf_free(metrics);
    return ret;
}

static int lock_and_recover(struct recovering *r, struct mf_errinfo *err)
{
    struct mf_file *lock = NULL;
    char *path = path_in(r, "recorder.lock");
    int ret = path != NULL
                  ? mf_file_open(NULL, path,
                                 MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_NOFOLLOW,
                                 &lock, err)
                  : mf_fail(err, -ENOMEM, "no memory to recover %.200s", r->dir);
    mf_free(path);
    if (ret < 0) {
        return ret;
    }
    ret = mf_file_lock(lock, err);
    if (ret == 0) {
        ret = mf__flight_json_read_extra(r->dir, &r->extra, err);
    }
    if (ret == 0) {
        ret = recover_locked(r, err);
    }
    mf_file_close(lock);
    return ret;
}

int mf_flight_recover(const char *dir, struct mf_flight_recovery *ret_recovery,
                      struct mf_errinfo *err)
{
    struct recovering r = {.dir = dir};
    int ret = mf_flight_info_read(dir, &r.info, err);
    if (ret < 0) {
        return ret;
    }
    if (r.info->state == MF_FLIGHT_RUNNING) {
        ret = mf_fail(err, MF_ELOCKED, "%.200s is being recorded by process %lld", dir,
                      (long long)r.info->recorder_pid);
    } else if (r.info->state == MF_FLIGHT_DEAD) {
        ret = lock_and_recover(&r, err);
    } else {
        r.result.was_complete = true;
    }
    if (ret == 0 && ret_recovery != NULL) {
        *ret_recovery = r.result;
    }
    mf__flight_extra_free(&r.extra);
    mf_flight_info_free(r.info);
    return ret;
}
