/* SPDX-License-Identifier: Apache-2.0
 *
 * recorder_open.c -- what has to be there before the command starts: the place on the ladder, the
 * flight directory and its files.
 *
 * Order. The ladder first, for flight.json says where we stand; the directory under the name
 * .new-<id>, with the lock taken and flight.json in it, then renamed: a reader finds a flight whole
 * or not at all. Nothing is synced here, so that a short command does not wait for the disk; a
 * thread does it meanwhile.
 */
#include "recorder.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/random.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RESERVE_BYTES 65536
#define SWEEP_AGE_NS                                                                               \
    (10 * 60 * MF_NS_PER_SECOND) /* no recorder takes that long to start its command */

/* ---- texts of the description ---- */

static char **copy_list(const char *const *texts)
{
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    char **copy = mf_calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = mf_strdup(texts[i]);
        if (copy[i] == NULL) {
            return NULL; /* what there is of it goes with the process: nothing was started */
        }
    }
    return copy;
}

static char **copy_env(const char *const *names)
{
    size_t count = 0;
    while (names != NULL && names[count] != NULL) {
        count++;
    }
    char **kept = mf_calloc(count + 1, sizeof *kept);
    for (size_t i = 0, used = 0; kept != NULL && i < count; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL) {
            kept[used++] = mf_asprintf("%s=%s", names[i], value);
        }
    }
    return kept;
}

static bool add_text(char ***list, const char *text)
{
    size_t count = 0;
    while (*list != NULL && (*list)[count] != NULL) {
        count++;
    }
    char **longer = mf_realloc(*list, (count + 2) * sizeof *longer);
    if (longer == NULL) {
        return false;
    }
    longer[count] = mf_strdup(text);
    longer[count + 1] = NULL;
    *list = longer;
    return longer[count] != NULL;
}

/* The name as part of an id: [a-z0-9._-], 32 characters, not empty, no dash or dot in front. */
static void reduce_name(const char *name, char reduced[33])
{
    size_t len = 0;
    for (; *name != '\0' && len < 32; name++) {
        const char c = (char)tolower((unsigned char)*name);
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (len == 0 && (c == '-' || c == '.' || !plain)) {
            continue;
        }
        reduced[len++] = plain ? c : '-';
    }
    reduced[len] = '\0';
    if (len == 0) {
        memcpy(reduced, "flight", 7);
    }
}

static int make_id(struct mf_flight_info *info, struct mf_errinfo *err)
{
    char reduced[33];
    char moment[32];
    uint16_t suffix = 0;
    const time_t seconds = (time_t)(info->started_wall_ns / MF_NS_PER_SECOND);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(moment, sizeof moment, "%Y%m%d-%H%M%S", &utc);
    reduce_name(info->name, reduced);
    const int ret = mf_random_bytes(&suffix, sizeof suffix, err);
    snprintf(info->id, sizeof info->id, "%s-%s-%04x", moment, reduced, suffix);
    return ret;
}

static int describe(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    const struct mf_flight_options *options = &recorder->options;
    struct mf_flight_info *info = recorder->info;
    info->started_wall_ns = mf_clock_wall_ns(NULL);
    info->started_monotonic_ns = mf_clock_monotonic_ns(NULL);
    info->interval_ns = options->interval_ns;
    info->recorder_pid = getpid();
    info->state = MF_FLIGHT_RUNNING;
    const char *slash = strrchr(options->command[0], '/');
    const char *base = slash != NULL && slash[1] != '\0' ? slash + 1 : options->command[0];
    base = base[0] != '\0' ? base : "flight";
    char cwd[4096];
    info->name = mf_strdup(options->name != NULL ? options->name : base);
    info->tags = copy_list(options->tags);
    info->command = copy_list(options->command);
    info->cwd = mf_strdup(getcwd(cwd, sizeof cwd) != NULL ? cwd : "");
    info->env = copy_env(options->keep_env);
    info->host = mf_strdup(recorder->host.name);
    info->kernel = mf_strdup(recorder->host.kernel);
    info->boot_id = mf_strdup(recorder->host.boot_id);
    info->host_cpus = recorder->host.cpus;
    info->host_memory_bytes = recorder->host.memory_bytes;
    if (info->name == NULL || info->tags == NULL || info->command == NULL || info->cwd == NULL ||
        info->env == NULL || info->host == NULL || info->kernel == NULL || info->boot_id == NULL) {
        return mf_fail(err, -ENOMEM, "no memory to describe the flight");
    }
    int ret = make_id(info, err);
    if (ret == 0) {
        ret = mf__trace_context_new(getenv("TRACEPARENT"), &recorder->trace, err);
    }
    if (ret < 0) {
        return ret;
    }
    memcpy(info->trace_id, recorder->trace.trace_id, sizeof info->trace_id);
    memcpy(info->span_id, recorder->trace.span_id, sizeof info->span_id);
    memcpy(info->parent_span_id, recorder->trace.parent_span_id, sizeof info->parent_span_id);
    struct mf_proc *self = NULL;
    struct mf_proc_stat stat;
    if (mf_proc_open(getpid(), false, &self) == 0) {
        if (mf_proc_read_stat(self, &stat) == 0) {
            recorder->extra.recorder_start_ticks = stat.start_ticks;
        }
        mf_proc_close(self);
    }
    recorder->extra.recorder_version = mf_strdup(MF_VERSION_STRING);
    return recorder->extra.recorder_version != NULL
               ? 0
               : mf_fail(err, -ENOMEM, "no memory to describe the flight");
}

/* ---- the ladder ---- */

static int make_cgroup(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    const uint64_t limit = recorder->options.memory_max_bytes;
    if (recorder->options.rung_max < MF_RUNG_CGROUP && limit == 0) {
        return mf_fail(err, MF_EUNSUPPORTED, "not asked for (--rung)");
    }
    char name[MF_FLIGHT_ID_LEN + 8];
    snprintf(name, sizeof name, "mayfly-%s", recorder->info->id);
    return mf_cgroup_create(&recorder->places, name, limit, &recorder->cgroup, err);
}

/* Says what is used, and for the rest what it costs the reader of the flight and why it is so. */
static int climb(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    struct mf_flight_info *info = recorder->info;
    struct mf_errinfo why[3] = {{0}};
    mf_cgroup_find_places(&recorder->places);
    mf_cgroup_sweep(&recorder->places, "mayfly-2", SWEEP_AGE_NS);
    int ret = make_cgroup(recorder, &why[0]);
    if (ret < 0 && recorder->options.memory_max_bytes > 0) {
        return mf_fail(err, ret, "--memory-max needs a cgroup of its own: %.600s", why[0].msg);
    }
    const bool want_events = recorder->options.rung_max >= MF_RUNG_EVENTS;
    const bool want_records = recorder->options.rung_max >= MF_RUNG_FULL;
    if (want_events) {
        (void)mf_procevents_open(&recorder->connector, &why[1]);
    } else {
        (void)mf_fail(&why[1], MF_EUNSUPPORTED, "not asked for (--rung)");
    }
    if (want_records && recorder->connector != NULL) {
        (void)mf_taskstats_open(&recorder->taskstats, &why[2]);
    } else {
        (void)mf_fail(&why[2], MF_EUNSUPPORTED,
                      want_records ? "no process events" : "not asked for (--rung)");
    }
    const bool cgroup = recorder->cgroup != NULL && mf_cgroup_has_unified(recorder->cgroup) &&
                        recorder->options.rung_max >= MF_RUNG_CGROUP;
    info->rung = recorder->connector != NULL
                     ? (recorder->taskstats != NULL ? MF_RUNG_FULL : MF_RUNG_EVENTS)
                     : (cgroup ? MF_RUNG_CGROUP : MF_RUNG_PROC);
    bool ok = true;
    char text[512];
    if (cgroup) {
        ok = ok && add_text(&info->facilities, "cgroup");
    } else {
        snprintf(text, sizeof text,
                 "no cgroup: CPU time of the tree is summed up from its "
                 "processes: %.300s",
                 why[0].msg);
        ok = ok && add_text(&info->blind, text);
    }
    if (recorder->cgroup != NULL && mf_cgroup_has_memory(recorder->cgroup)) {
        ok = ok && add_text(&info->facilities,
                            mf_cgroup_has_memory_v1(recorder->cgroup) ? "memory-v1" : "memory");
    } else {
        ok = ok && add_text(&info->blind, "no memory controller: peak memory is the largest sum of "
                                          "resident sizes that a sample saw");
    }
    if (recorder->connector != NULL) {
        ok = ok && add_text(&info->facilities, "connector");
    } else {
        snprintf(text, sizeof text,
                 "no process events: processes that live shorter than the "
                 "sampling interval are missed: %.300s",
                 why[1].msg);
        ok = ok && add_text(&info->blind, text);
    }
    if (recorder->taskstats != NULL) {
        ok = ok && add_text(&info->facilities, "taskstats");
    } else {
        snprintf(text, sizeof text,
                 "no exit records: the totals of a process are those of its last sample, and "
                 "threads that live shorter than the sampling interval are not seen one by one: "
                 "%.300s",
                 why[2].msg);
        ok = ok && add_text(&info->blind, text);
    }
    if (recorder->cgroup != NULL) {
        const char *path = mf_cgroup_path(recorder->cgroup);
        const char *memory_v1 = mf_cgroup_memory_v1_path(recorder->cgroup);
        recorder->extra.cgroup = path[0] != '\0' ? mf_strdup(path) : NULL;
        recorder->extra.cgroup_memory_v1 = memory_v1[0] != '\0' ? mf_strdup(memory_v1) : NULL;
    }
    mf_kernellog_open(&recorder->kernel_log);
    recorder->ancestor_oom_kills = mf_cgroup_ancestor_oom_kills(&recorder->places);
    recorder->machine_oom_kills = mf_machine_oom_kills();
    return ok ? 0 : mf_fail(err, -ENOMEM, "no memory to describe the flight");
}

/* ---- the directory ---- */

/* Given back before the last writes, so that they find room on a full disk. */
static void make_reserve(const char *dir)
{
    char *path = mf_asprintf("%s/reserve", dir);
    struct mf_file *file = NULL;
    if (path != NULL &&
        mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_EXCLUSIVE,
                     &file, NULL) == 0) {
        (void)mf_file_allocate(file, RESERVE_BYTES, NULL);
        mf_file_close(file);
    }
    mf_free(path);
}

static int take_lock(struct mf_recorder *recorder, const char *dir, struct mf_errinfo *err)
{
    char *path = mf_asprintf("%s/recorder.lock", dir);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the flight");
    }
    int ret =
        mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_EXCLUSIVE,
                     &recorder->lock, err);
    if (ret == 0) {
        ret = mf_file_lock(recorder->lock, err);
    }
    mf_free(path);
    return ret;
}

static void remove_new(const char *dir)
{
    static const char *const names[] = {"flight.json", "recorder.lock", "reserve"};
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        char *path = mf_asprintf("%s/%s", dir, names[i]);
        if (path != NULL) {
            (void)mf_fs_unlink(NULL, path, NULL);
        }
        mf_free(path);
    }
    (void)mf_fs_rmdir(NULL, dir, NULL);
}

static int make_directory(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    char *flights = mf_asprintf("%s/flights", recorder->options.home);
    if (flights == NULL) {
        return mf_fail(err, -ENOMEM, "no memory for the flight");
    }
    int ret = mf_fs_mkdirs(mf_fs_unsynced(), flights, err);
    char resolved[PATH_MAX]; /* the command may change directory */
    const char *absolute = ret == 0 ? realpath(flights, resolved) : NULL;
    char *fresh = absolute != NULL ? mf_asprintf("%s/.new-%s", absolute, recorder->info->id) : NULL;
    recorder->dir = absolute != NULL ? mf_asprintf("%s/%s", absolute, recorder->info->id) : NULL;
    recorder->info->dir = recorder->dir != NULL ? mf_strdup(recorder->dir) : NULL;
    if (ret == 0 && (fresh == NULL || recorder->info->dir == NULL)) {
        ret = mf_fail(err, -ENOMEM, "no memory for the flight, or %.200s cannot be resolved",
                      flights);
    }
    if (ret == 0) {
        ret = mf_fs_mkdir(NULL, fresh, err);
    }
    if (ret == 0) {
        ret = take_lock(recorder, fresh, err);
        if (ret == 0) {
            make_reserve(fresh);
            ret = mf__flight_json_write(recorder->info, &recorder->extra, fresh, MF_JSON_NEW, err);
        }
        if (ret == 0) {
            ret = mf_fs_rename(NULL, fresh, recorder->dir, err);
        }
        if (ret < 0) {
            remove_new(fresh);
        }
    }
    mf_free(flights);
    mf_free(fresh);
    return ret;
}

/* ---- logs ---- */

static char *path_in(const struct mf_recorder *recorder, const char *name)
{
    return mf_asprintf("%s/%s", recorder->dir, name);
}

static int open_logs(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    const struct mf_env env = {.fs = mf_fs_unsynced()}; /* see flight_sync.c */
    char *events = path_in(recorder, "events.log");
    char *metrics = path_in(recorder, "metrics");
    int ret =
        events == NULL || metrics == NULL ? mf_fail(err, -ENOMEM, "no memory for the flight") : 0;
    if (ret == 0) {
        ret =
            mf__events_open(&recorder->events, events, recorder->info->started_wall_ns, &env, err);
    }
    if (ret == 0) {
        ret = mf__output_open(recorder->dir, recorder->options.output_limit_bytes, &env,
                              &recorder->output, err);
    }
    struct mf_errinfo why = {0};
    if (ret == 0 && mf__series_open(metrics, recorder->options.interval_ns, &env, &recorder->series,
                                    &why) < 0) {
        /* The largest file by far; a flight is of use without it. */
        (void)mf__events_begin(&recorder->events, 0, "lost", 0, 0);
        mf_json_key_string(&recorder->events.json, "what", "time series");
        mf_json_key_string(&recorder->events.json, "why", why.msg);
        mf__events_end(&recorder->events);
        recorder->events.lost++;
    }
    mf_free(events);
    mf_free(metrics);
    return ret;
}

/* ---- the table of processes ---- */

static void on_end(void *context, struct mf_process *process)
{
    struct mf_recorder *recorder = context;
    mf__sampler_count(&recorder->sampler, process);
    mf__sampler_ended(&recorder->sampler, process);
    if (process->status_known && (process->status & 0x7f) == 9 && recorder->kill_ns < 0) {
        recorder->killed_processes++;
    }
    for (unsigned i = 0; i < recorder->logged_count; i++) {
        if (recorder->logged[i].pid == process->pid) {
            recorder->logged_oom_kills++;
            recorder->victim = recorder->logged[i];
            recorder->victim_at_ns = process->end_ns;
            recorder->logged[i].pid = 0;
        }
    }
}

static void on_rename(void *context, struct mf_process *process)
{
    struct mf_recorder *recorder = context;
    mf__sampler_count(&recorder->sampler, process); /* what it used so far is the old name's */
    process->name = mf__series_name(recorder->series, process->comm);
    mf__threads_rename(recorder->threads, process);
}

static void on_start(void *context, const struct mf_process *process)
{
    const struct mf_recorder *recorder = context;
    mf__threads_add(recorder->threads, process);
}

static void on_close(void *context, const struct mf_process *process, uint64_t cpu_ns)
{
    const struct mf_recorder *recorder = context;
    mf__threads_remove(recorder->threads, process, cpu_ns);
}

static void on_record(void *context, const struct mf_task_record *record)
{
    const struct mf_recorder *recorder = context;
    mf__threads_record(recorder->threads, record);
}

static int make_table(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    const struct mf_process_table_spec spec = {
        .events = &recorder->events,
        .host = &recorder->host,
        .started_monotonic_ns = recorder->info->started_monotonic_ns,
        .recorder_pid = getpid(),
        .with_events = recorder->connector != NULL,
        .with_records = recorder->taskstats != NULL,
        .on_start = on_start,
        .on_close = on_close,
        .on_record = on_record,
        .on_end = on_end,
        .on_rename = on_rename,
        .context = recorder,
    };
    int ret = mf__processes_new(&spec, &recorder->processes, err);
    recorder->sampler = (struct mf_sampler){
        .processes = recorder->processes,
        .series = recorder->series,
        .events = &recorder->events,
        .output = recorder->output,
        .cgroup = recorder->options.rung_max >= MF_RUNG_CGROUP ? recorder->cgroup : NULL,
        .scan = recorder->connector == NULL,
        .members_by_cgroup = recorder->info->rung != MF_RUNG_PROC,
        .recorder_pid = getpid(),
        .interval_ns = recorder->options.interval_ns,
        .started_monotonic_ns = recorder->info->started_monotonic_ns,
        .started_wall_ns = recorder->info->started_wall_ns,
        .descriptors_max = mf_raise_descriptor_limit(),
        .rss_peak_bytes = UINT64_MAX,
        .memory_peak_bytes = UINT64_MAX,
        .tree = {.pss_bytes = UINT64_MAX,
                 .descriptors = UINT64_MAX,
                 .memory_bytes = UINT64_MAX,
                 .memory_anonymous_bytes = UINT64_MAX},
    };
    if (ret == 0) {
        ret = mf__threads_new(recorder, &recorder->threads, err);
    }
    return ret;
}

int mf__recorder_open(struct mf_recorder *recorder, struct mf_errinfo *err)
{
    mf_host_read(&recorder->host);
    int ret = describe(recorder, err);
    if (ret == 0) {
        ret = climb(recorder, err);
    }
    if (ret == 0) {
        ret = make_directory(recorder, err);
    }
    if (ret == 0) {
        recorder->opened = true;
        ret = open_logs(recorder, err);
    }
    return ret == 0 ? make_table(recorder, err) : ret;
}
