/* SPDX-License-Identifier: Apache-2.0
 * flights.c -- see flights.h. */
#include "flights.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "fmt/json_write.h"
#include "os/file.h"

#include <mayfly/metrics.h>
#include <mayfly/reclog.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS          INT64_C(1000000)
#define INTERVAL_MS 100

#define OUTPUT_HEADER_LEN 24

/* Ends the test program when something that must work does not. */
#define MUST(call) must((call), #call)
static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "flights.c: %s: %s\n", what, mf_strerror(rc));
        abort();
    }
}

struct record {
    int64_t t_ms;
    size_t turn; /* keeps the order of records of one time */
    uint8_t type;
    enum mf_flight_stream stream; /* of output */
    uint64_t gap_bytes;           /* before it */
    char *bytes;
    size_t len;
};

struct records {
    struct record *items;
    size_t count;
};

struct test_flight {
    char dir[512];
    char id[128];
    char name[64];
    char tags[256];
    int64_t started_wall_ns;
    bool no_metrics;
    bool only_description;
    struct test_process *processes;
    size_t process_count;
    struct records output, events;
    uint64_t bytes[MF_STREAMS];
    uint64_t lines[MF_STREAMS];
    uint64_t next_gap[MF_STREAMS];
    uint64_t gaps[MF_STREAMS];
};

static void add_record(struct records *records, int64_t t_ms, uint8_t type, struct mf_buffer *bytes)
{
    records->items = realloc(records->items, (records->count + 1) * sizeof *records->items);
    if (records->items == NULL || bytes->failed) {
        abort();
    }
    records->items[records->count] = (struct record){.t_ms = t_ms,
                                                     .turn = records->count,
                                                     .type = type,
                                                     .bytes = bytes->data,
                                                     .len = bytes->len};
    records->count++;
}

static int by_time(const void *a, const void *b)
{
    const struct record *left = a;
    const struct record *right = b;
    return left->t_ms != right->t_ms ? (left->t_ms > right->t_ms) - (left->t_ms < right->t_ms)
                                     : (left->turn > right->turn) - (left->turn < right->turn);
}

static void write_records(const char *dir, const char *name, bool is_output,
                          struct records *records)
{
    char path[640];
    struct mf_reclog *log = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    MUST(mf_reclog_open(path, NULL, NULL, &log, NULL));
    if (records->count > 1) {
        qsort(records->items, records->count, sizeof *records->items, by_time);
    }
    uint64_t offsets[MF_STREAMS] = {0};
    for (size_t i = 0; i < records->count; i++) {
        const struct record *record = &records->items[i];
        if (is_output) {
            uint64_t *offset = &offsets[record->stream];
            *offset += record->gap_bytes;
            mf_store_u64(record->bytes + 16, *offset);
            *offset += record->len - OUTPUT_HEADER_LEN;
        }
        MUST(mf_reclog_append(log, record->type, record->bytes, record->len, NULL, NULL));
        free(record->bytes);
    }
    MUST(mf_reclog_close(log, NULL));
    free(records->items);
}

/* ---- pieces ---- */

struct test_flight *test_flight_begin(const char *home, const char *id, const char *name,
                                      const char *tags, int64_t started_wall_ns)
{
    struct test_flight *flight = calloc(1, sizeof *flight);
    if (flight == NULL) {
        abort();
    }
    snprintf(flight->dir, sizeof flight->dir, "%s/flights/%s", home, id);
    snprintf(flight->id, sizeof flight->id, "%s", id);
    snprintf(flight->name, sizeof flight->name, "%s", name);
    snprintf(flight->tags, sizeof flight->tags, "%s", tags != NULL ? tags : "");
    flight->started_wall_ns = started_wall_ns;
    MUST(mf_fs_mkdirs(NULL, flight->dir, NULL));
    return flight;
}

void test_flight_no_metrics(struct test_flight *flight)
{
    flight->no_metrics = true;
}

void test_flight_only_description(struct test_flight *flight)
{
    flight->only_description = true;
}

void test_flight_output(struct test_flight *flight, int64_t t_ms, enum mf_flight_stream stream,
                        const void *bytes, size_t len)
{
    uint8_t header[OUTPUT_HEADER_LEN] = {1, (uint8_t)stream};
    struct mf_buffer record = MF_BUFFER_INIT;
    mf_store_u64(header + 8, (uint64_t)(t_ms * MS));
    mf_buffer_append(&record, header, sizeof header);
    mf_buffer_append(&record, bytes, len);
    add_record(&flight->output, t_ms, 0, &record);
    flight->output.items[flight->output.count - 1].stream = stream;
    flight->output.items[flight->output.count - 1].gap_bytes = flight->next_gap[stream];
    flight->next_gap[stream] = 0;
    flight->bytes[stream] += len;
    for (size_t i = 0; i < len; i++) {
        flight->lines[stream] += ((const char *)bytes)[i] == '\n';
    }
}

void test_flight_line(struct test_flight *flight, int64_t t_ms, enum mf_flight_stream stream,
                      const char *text)
{
    char line[1024];
    const int len = snprintf(line, sizeof line, "%s\n", text);
    test_flight_output(flight, t_ms, stream, line, (size_t)len);
}

void test_flight_gap(struct test_flight *flight, enum mf_flight_stream stream, uint64_t len)
{
    flight->next_gap[stream] += len;
    flight->bytes[stream] += len;
    flight->gaps[stream] += len;
}

void test_flight_event(struct test_flight *flight, int64_t t_ms, const char *kind, uint64_t process,
                       const char *members)
{
    struct mf_buffer record = MF_BUFFER_INIT;
    mf_buffer_printf(&record, "{\"id\":%zu,\"t\":%lld,\"wall\":%lld,\"kind\":\"%s\"",
                     flight->events.count + 1, (long long)(t_ms * MS),
                     (long long)(flight->started_wall_ns + t_ms * MS), kind);
    if (process != 0) {
        mf_buffer_printf(&record, ",\"proc\":%llu", (unsigned long long)process);
    }
    mf_buffer_printf(&record, "%s%s}", members[0] != '\0' ? "," : "", members);
    add_record(&flight->events, t_ms, 0, &record);
}

void test_flight_process(struct test_flight *flight, const struct test_process *process)
{
    flight->processes =
        realloc(flight->processes, (flight->process_count + 1) * sizeof *flight->processes);
    if (flight->processes == NULL) {
        abort();
    }
    flight->processes[flight->process_count++] = *process;
}

/* ---- what the processes did ---- */

static int64_t end_of(const struct test_process *process, int64_t now_ms)
{
    return process->end_ms != 0 && process->end_ms < now_ms ? process->end_ms : now_ms;
}

static bool lives(const struct test_process *process, int64_t now_ms)
{
    return process->start_ms <= now_ms && (process->end_ms == 0 || now_ms < process->end_ms);
}

static uint64_t cpu_ns(const struct test_process *process, int64_t now_ms)
{
    const int64_t lived_ms = end_of(process, now_ms) - process->start_ms;
    return lived_ms > 0 ? (uint64_t)(process->cores * (double)(lived_ms * MS)) : 0;
}

static double share_of_life(const struct test_process *process, int64_t now_ms)
{
    const int64_t whole_ms = (process->end_ms != 0 ? process->end_ms : 2000) - process->start_ms;
    const double share =
        whole_ms > 0 ? (double)(end_of(process, now_ms) - process->start_ms) / (double)whole_ms : 1;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static uint64_t rss_bytes(const struct test_process *process, int64_t now_ms)
{
    const double grown = share_of_life(process, now_ms) * 2;
    return (uint64_t)(process->rss_mib * (grown < 1 ? grown : 1)) * TEST_MIB;
}

static uint64_t write_bytes(const struct test_process *process, int64_t now_ms)
{
    return (uint64_t)(process->write_mib * share_of_life(process, now_ms) * (double)TEST_MIB);
}

static unsigned threads_of(const struct test_process *process)
{
    return process->threads != 0 ? process->threads : 1;
}

static void add_process_events(struct test_flight *flight, const struct test_process *process)
{
    struct mf_buffer members = MF_BUFFER_INIT;
    mf_buffer_printf(
        &members, "\"pid\":%llu,\"ppid\":%llu,\"pproc\":%llu,\"seen\":\"fork\",\"comm\":",
        4000 + (unsigned long long)process->number, 4000 + (unsigned long long)process->parent,
        (unsigned long long)process->parent);
    mf_json_escape(&members, process->comm, strlen(process->comm));
    test_flight_event(flight, process->start_ms, "process.start", process->number, members.data);
    if (process->args != NULL) {
        mf_buffer_clear(&members);
        mf_buffer_puts(&members, "\"comm\":");
        mf_json_escape(&members, process->comm, strlen(process->comm));
        mf_buffer_puts(&members, ",\"args\":");
        mf_json_escape(&members, process->args, strlen(process->args));
        test_flight_event(flight, process->start_ms + 1, "process.exec", process->number,
                          members.data);
    }
    if (process->end_ms != 0 && !process->no_exit_record) {
        const uint64_t cpu = cpu_ns(process, process->end_ms);
        mf_buffer_clear(&members);
        mf_buffer_printf(
            &members,
            "\"status\":%d,\"exact\":true,\"start\":%lld,\"comm\":\"%s\","
            "\"utime_ns\":%llu,\"stime_ns\":%llu,\"rss_peak\":%llu,\"rbytes\":0,"
            "\"wbytes\":%llu,\"threads\":%u",
            process->status, (long long)(process->start_ms * MS), process->comm,
            (unsigned long long)(cpu * 8 / 10), (unsigned long long)(cpu - cpu * 8 / 10),
            (unsigned long long)(process->rss_mib * (double)TEST_MIB),
            (unsigned long long)write_bytes(process, process->end_ms), threads_of(process));
        test_flight_event(flight, process->end_ms, "process.exit", process->number, members.data);
    }
    mf_buffer_free(&members);
}

static void add_samples(struct test_flight *flight, int64_t now_ms)
{
    struct mf_buffer record = MF_BUFFER_INIT;
    mf_buffer_printf(&record, "{\"t\":%lld,\"kind\":\"sample\",\"p\":[", (long long)(now_ms * MS));
    const char *comma = "";
    for (size_t i = 0; i < flight->process_count; i++) {
        const struct test_process *process = &flight->processes[i];
        if (lives(process, now_ms)) {
            mf_buffer_printf(&record, "%s[%llu,%llu,%llu,0,%llu,%u]", comma,
                             (unsigned long long)process->number,
                             (unsigned long long)cpu_ns(process, now_ms),
                             (unsigned long long)rss_bytes(process, now_ms),
                             (unsigned long long)write_bytes(process, now_ms), threads_of(process));
            comma = ",";
        }
    }
    mf_buffer_puts(&record, "]}");
    add_record(&flight->events, now_ms, 1, &record);
}

/* ---- the store ---- */

enum { CPU_USER, CPU_SYSTEM, MEMORY, READ, WRITE, PROCESSES, THREADS, SERIES };

static void tree_at(const struct test_flight *flight, int64_t now_ms, double values[SERIES])
{
    memset(values, 0, SERIES * sizeof *values);
    for (size_t i = 0; i < flight->process_count; i++) {
        const struct test_process *process = &flight->processes[i];
        const double cpu_s = (double)cpu_ns(process, now_ms) / 1e9;
        values[CPU_USER] += cpu_s * 0.8;
        values[CPU_SYSTEM] += cpu_s * 0.2;
        values[WRITE] += (double)write_bytes(process, now_ms);
        if (lives(process, now_ms)) {
            values[MEMORY] += (double)rss_bytes(process, now_ms);
            values[PROCESSES] += 1;
            values[THREADS] += threads_of(process);
        }
    }
}

static void write_metrics(const struct test_flight *flight, int64_t duration_ms)
{
    static const struct mf_label user = {"mode", "user"};
    static const struct mf_label system = {"mode", "system"};
    static const struct mf_series_spec specs[SERIES] = {
        [CPU_USER] = {MF_COUNTER, "flight_cpu_seconds_total", &user, 1, "seconds", NULL},
        [CPU_SYSTEM] = {MF_COUNTER, "flight_cpu_seconds_total", &system, 1, "seconds", NULL},
        [MEMORY] = {MF_GAUGE, "flight_memory_bytes", NULL, 0, "bytes", NULL},
        [READ] = {MF_COUNTER, "flight_read_bytes_total", NULL, 0, "bytes", NULL},
        [WRITE] = {MF_COUNTER, "flight_write_bytes_total", NULL, 0, "bytes", NULL},
        [PROCESSES] = {MF_GAUGE, "flight_processes", NULL, 0, NULL, NULL},
        [THREADS] = {MF_GAUGE, "flight_threads", NULL, 0, NULL, NULL},
    };
    char path[640];
    struct mf_metrics *store = NULL;
    mf_series series[SERIES];
    const struct mf_metrics_schema schema = {
        .name = "tree",
        .series_max = 16,
        .tier_count = 2,
        .tiers = {{INTERVAL_MS * MS, 600}, {1000 * MS, 600}},
    };
    snprintf(path, sizeof path, "%s/metrics", flight->dir);
    MUST(mf_metrics_open(path, &schema, 1, NULL, NULL, &store, NULL));
    for (int i = 0; i < SERIES; i++) {
        MUST(mf_metrics_register(store, &specs[i], &series[i], NULL));
    }
    for (int64_t t_ms = 0;; t_ms += INTERVAL_MS) {
        const int64_t now_ms = t_ms < duration_ms ? t_ms : duration_ms;
        double values[SERIES];
        tree_at(flight, now_ms, values);
        MUST(mf_metrics_tick(store, flight->started_wall_ns + now_ms * MS));
        for (int i = 0; i < SERIES; i++) {
            const int64_t wall_ns = flight->started_wall_ns + now_ms * MS;
            MUST(specs[i].type == MF_COUNTER
                     ? mf_metrics_observe_total_at(store, series[i], values[i], wall_ns)
                     : mf_metrics_record_at(store, series[i], values[i], wall_ns));
        }
        if (now_ms == duration_ms) {
            break;
        }
    }
    MUST(mf_metrics_close(store, NULL));
}

/* ---- flight.json ---- */

static void put_totals(struct mf_json *json, const struct test_flight *flight, int64_t duration_ms)
{
    double end[SERIES];
    double peak[SERIES] = {0};
    for (int64_t t_ms = 0; t_ms <= duration_ms; t_ms += INTERVAL_MS / 10) {
        tree_at(flight, t_ms, end);
        for (int i = 0; i < SERIES; i++) {
            peak[i] = end[i] > peak[i] ? end[i] : peak[i];
        }
    }
    tree_at(flight, duration_ms, end);
    mf_json_key(json, "totals");
    mf_json_begin_object(json);
    mf_json_key_uint(json, "cpu_user_ns", (uint64_t)(end[CPU_USER] * 1e9));
    mf_json_key_uint(json, "cpu_system_ns", (uint64_t)(end[CPU_SYSTEM] * 1e9));
    mf_json_key_uint(json, "memory_peak_bytes", (uint64_t)peak[MEMORY]);
    mf_json_key_uint(json, "rss_peak_bytes", (uint64_t)peak[MEMORY]);
    mf_json_key_uint(json, "read_bytes", 0);
    mf_json_key_uint(json, "write_bytes", (uint64_t)end[WRITE]);
    mf_json_key_uint(json, "processes", flight->process_count);
    mf_json_key_uint(json, "processes_peak", (uint64_t)peak[PROCESSES]);
    mf_json_key_uint(json, "threads_peak", (uint64_t)peak[THREADS]);
    mf_json_key_uint(json, "events", flight->events.count);
    mf_json_key(json, "output");
    mf_json_begin_object(json);
    for (unsigned i = 0; i < MF_STREAMS; i++) {
        mf_json_key(json, mf_flight_stream_name(i));
        mf_json_begin_object(json);
        mf_json_key_uint(json, "bytes", flight->bytes[i]);
        mf_json_key_uint(json, "lines", flight->lines[i]);
        mf_json_key_uint(json, "lost_bytes", flight->gaps[i]);
        mf_json_end_object(json);
    }
    mf_json_end_object(json);
    mf_json_end_object(json);
}

static void put_extremes(struct mf_json *json, const struct test_flight *flight,
                         int64_t duration_ms)
{
    const struct test_process *largest = &flight->processes[0];
    const struct test_process *busiest = &flight->processes[0];
    for (size_t i = 1; i < flight->process_count; i++) {
        const struct test_process *process = &flight->processes[i];
        largest = process->rss_mib > largest->rss_mib ? process : largest;
        busiest = cpu_ns(process, duration_ms) > cpu_ns(busiest, duration_ms) ? process : busiest;
    }
    mf_json_key_string(json, "memory_peak_source", "cgroup");
    mf_json_key(json, "largest");
    mf_json_begin_object(json);
    mf_json_key_string(json, "comm", largest->comm);
    mf_json_key_uint(json, "rss_bytes", (uint64_t)(largest->rss_mib * (double)TEST_MIB));
    mf_json_end_object(json);
    mf_json_key(json, "busiest");
    mf_json_begin_object(json);
    mf_json_key_string(json, "comm", busiest->comm);
    mf_json_key_uint(json, "cpu_ns", cpu_ns(busiest, duration_ms));
    mf_json_end_object(json);
}

static void put_strings(struct mf_json *json, const char *key, const char *list)
{
    mf_json_key(json, key);
    mf_json_begin_array(json);
    while (*list != '\0') {
        const size_t len = strcspn(list, ",");
        mf_json_string_len(json, list, len);
        list += len + (list[len] == ',');
    }
    mf_json_end_array(json);
}

static void put_start(struct mf_json *json, const struct test_flight *flight)
{
    mf_json_key_int(json, "format", MF_FLIGHT_FORMAT);
    mf_json_key_string(json, "id", flight->id);
    mf_json_key_string(json, "name", flight->name);
    put_strings(json, "tags", flight->tags);
    mf_json_key(json, "command");
    mf_json_begin_array(json);
    mf_json_string(json, flight->name);
    mf_json_string(json, "-j2");
    mf_json_string(json, "all");
    mf_json_end_array(json);
    mf_json_key_string(json, "cwd", "/home/dev/project");
    mf_json_key(json, "env");
    mf_json_begin_object(json);
    mf_json_end_object(json);
    mf_json_key(json, "host");
    mf_json_begin_object(json);
    mf_json_key_string(json, "name", "builder");
    mf_json_key_string(json, "kernel", "Linux 6.18.0");
    mf_json_key_string(json, "boot_id", "00000000-0000-4000-8000-000000000000");
    mf_json_key_int(json, "cpus", 2);
    mf_json_key_int(json, "memory_bytes", INT64_C(8) << 30);
    mf_json_end_object(json);
    mf_json_key_int(json, "started_wall_ns", flight->started_wall_ns);
    mf_json_key_int(json, "started_monotonic_ns", 1);
    mf_json_key_int(json, "interval_ns", INTERVAL_MS * MS);
    mf_json_key_string(json, "rung", "full");
    put_strings(json, "facilities", "cgroup,connector,taskstats");
    put_strings(json, "blind",
                "what threads do that live for less than an interval is seen in "
                "their process only");
    mf_json_key(json, "recorder");
    mf_json_begin_object(json);
    mf_json_key_int(json, "pid", 4000);
    mf_json_key_int(json, "start_ticks", 1);
    mf_json_key_string(json, "version", MF_VERSION_STRING);
    mf_json_end_object(json);
    mf_json_key(json, "trace");
    mf_json_begin_object(json);
    mf_json_key_string(json, "trace_id", "0af7651916cd43dd8448eb211c80319c");
    mf_json_key_string(json, "span_id", "b7ad6b7169203331");
    mf_json_key_string(json, "parent_span_id", "");
    mf_json_end_object(json);
    mf_json_key_bool(json, "terminal", false);
}

static void put_end(struct mf_json *json, const struct test_flight *flight,
                    const struct test_end *end)
{
    mf_json_key_int(json, "duration_ns", end->duration_ms * MS);
    mf_json_key(json, "outcome");
    mf_json_begin_object(json);
    mf_json_key_string(json, "kind", end->kind);
    mf_json_key_int(json, "exit_code", end->exit_code);
    mf_json_key_int(json, "signal", end->signal);
    mf_json_key_bool(json, "core_dumped", false);
    mf_json_key_string(json, "reason", end->reason);
    put_strings(json, "evidence", end->evidence != NULL ? end->evidence : "");
    mf_json_end_object(json);
    put_totals(json, flight, end->duration_ms);
    if (flight->process_count > 0) {
        put_extremes(json, flight, end->duration_ms);
    }
}

/* Without a sync: a test's flight need not survive a power cut. */
static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
        perror(path);
        abort();
    }
}

static void write_description(const struct test_flight *flight, const struct test_end *end)
{
    char path[640];
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_json json;
    mf_json_init(&json, &text, MF_JSON_PRETTY);
    mf_json_begin_object(&json);
    put_start(&json, flight);
    mf_json_key_string(&json, "state",
                       end->kind == NULL    ? "running"
                       : end->state != NULL ? end->state
                                            : "ended");
    if (end->kind != NULL) {
        put_end(&json, flight, end);
    }
    mf_json_end_object(&json);
    mf_json_finish(&json);
    if (text.failed) {
        abort();
    }
    snprintf(path, sizeof path, "%s/flight.json", flight->dir);
    write_file(path, text.data, text.len);
    snprintf(path, sizeof path, "%s/recorder.lock", flight->dir);
    write_file(path, "", 0);
    mf_buffer_free(&text);
}

void test_flight_end(struct test_flight *flight, const struct test_end *end)
{
    if (flight->only_description) {
        write_description(flight, end);
        free(flight);
        return;
    }
    for (size_t i = 0; i < flight->process_count; i++) {
        add_process_events(flight, &flight->processes[i]);
    }
    for (int64_t t_ms = INTERVAL_MS; t_ms <= end->duration_ms; t_ms += INTERVAL_MS) {
        add_samples(flight, t_ms);
    }
    write_description(flight, end);
    write_records(flight->dir, "output.log", true, &flight->output);
    write_records(flight->dir, "events.log", false, &flight->events);
    if (!flight->no_metrics) {
        write_metrics(flight, end->duration_ms);
    }
    free(flight->processes);
    free(flight);
}

/* ---- whole ones ---- */

#define WAIT_EXIT(code) ((code) << 8)

/* make and its compilers; two at a time, `files` of them. Returns when the last one ends. */
static int64_t compile(struct test_flight *flight, int files, int failing)
{
    static const char *const sources[] = {"slab.c",  "query.c", "labels.c", "ring.c",
                                          "store.c", "lanes.c", "crc.c",    "main.c"};
    static char args[8][3][160];
    int64_t free_ms[2] = {60, 90};
    uint64_t number = 2;
    for (int i = 0; i < files; i++) {
        const char *source = sources[i % 8];
        const int64_t start_ms = free_ms[i % 2] + 10;
        const int64_t end_ms = start_ms + 500 + 137 * (i * 5 % 7);
        const int status = i == failing ? WAIT_EXIT(1) : 0;
        char line[160];
        snprintf(args[i % 8][0], sizeof args[0][0], "cc -O2 -c src/%s -o build/%s.o", source,
                 source);
        snprintf(args[i % 8][1], sizeof args[0][0],
                 "/usr/lib/gcc/cc1 -quiet -O2 src/%s -o /tmp/cc%d.s", source, 100 + i);
        snprintf(args[i % 8][2], sizeof args[0][0], "as --64 -o build/%s.o /tmp/cc%d.s", source,
                 100 + i);
        snprintf(line, sizeof line, "\x1b[32mCC\x1b[0m src/%s", source);
        test_flight_line(flight, start_ms, MF_STREAM_STDOUT, line);
        test_flight_process(flight, &(struct test_process){.number = number,
                                                           .parent = 1,
                                                           .comm = "cc",
                                                           .args = args[i % 8][0],
                                                           .start_ms = start_ms,
                                                           .end_ms = end_ms,
                                                           .cores = 0.02,
                                                           .rss_mib = 2,
                                                           .status = status});
        test_flight_process(flight, &(struct test_process){.number = number + 1,
                                                           .parent = number,
                                                           .comm = "cc1",
                                                           .args = args[i % 8][1],
                                                           .start_ms = start_ms + 4,
                                                           .end_ms = end_ms - 40,
                                                           .cores = 0.93,
                                                           .rss_mib = 40 + 17 * (i * 3 % 8),
                                                           .write_mib = 1,
                                                           .status = status});
        if (i != failing) {
            test_flight_process(flight, &(struct test_process){.number = number + 2,
                                                               .parent = number,
                                                               .comm = "as",
                                                               .args = args[i % 8][2],
                                                               .start_ms = end_ms - 38,
                                                               .end_ms = end_ms - 30,
                                                               .cores = 0.8,
                                                               .rss_mib = 6,
                                                               .write_mib = 0.25});
        }
        free_ms[i % 2] = end_ms;
        number += 3;
        if (i == failing) {
            snprintf(line, sizeof line,
                     "\x1b[1msrc/%s:118:9:\x1b[0m \x1b[1;31merror:\x1b[0m implicit declaration of "
                     "function 'slab_opn'",
                     source);
            test_flight_line(flight, end_ms - 45, MF_STREAM_STDERR, line);
            test_flight_line(flight, end_ms - 44, MF_STREAM_STDERR,
                             "  118 |         slab_opn(path);");
            test_flight_line(flight, end_ms - 44, MF_STREAM_STDERR, "      |         ^~~~~~~~");
            snprintf(line, sizeof line, "make: *** [Makefile:41: build/%s.o] Error 1", source);
            test_flight_line(flight, end_ms + 2, MF_STREAM_STDERR, line);
            return end_ms;
        }
    }
    return free_ms[0] > free_ms[1] ? free_ms[0] : free_ms[1];
}

void test_flight_build(const char *home, const char *id, int64_t start_ns)
{
    struct test_flight *flight = test_flight_begin(home, id, "make", "ci,branch=main", start_ns);
    test_flight_event(flight, 0, "flight.start", 0, "");
    test_flight_event(flight, 50, "user", 1, "\"data\":{\"step\":\"compile\",\"state\":\"begin\"}");
    const int64_t compiled_ms = compile(flight, 12, -1);
    test_flight_event(flight, compiled_ms, "user", 1,
                      "\"data\":{\"step\":\"compile\",\"state\":\"end\"}");
    const int64_t end_ms = compiled_ms + 900;
    test_flight_line(flight, compiled_ms + 5, MF_STREAM_STDOUT, "\x1b[32mLD\x1b[0m build/program");
    test_flight_process(flight, &(struct test_process){.number = 80,
                                                       .parent = 1,
                                                       .comm = "ld",
                                                       .args = "ld -o build/program build/*.o",
                                                       .start_ms = compiled_ms + 10,
                                                       .end_ms = end_ms - 30,
                                                       .cores = 0.6,
                                                       .rss_mib = 210,
                                                       .write_mib = 12,
                                                       .threads = 3});
    test_flight_process(flight, &(struct test_process){.number = 1,
                                                       .comm = "make",
                                                       .args = "make -j2 all",
                                                       .end_ms = end_ms,
                                                       .cores = 0.03,
                                                       .rss_mib = 3});
    test_flight_line(flight, end_ms - 10, MF_STREAM_STDOUT, "12 files, no warnings");
    test_flight_event(flight, end_ms, "flight.end", 0,
                      "\"exit_code\":0,\"reason\":\"exited with code 0\"");
    test_flight_end(flight, &(struct test_end){.duration_ms = end_ms + 4,
                                               .kind = "exited",
                                               .reason = "exited with code 0"});
}

void test_flight_failing_build(const char *home, const char *id, int64_t start_ns)
{
    struct test_flight *flight = test_flight_begin(home, id, "make", "ci,branch=fix", start_ns);
    test_flight_event(flight, 0, "flight.start", 0, "");
    const int64_t end_ms = compile(flight, 12, 5) + 5;
    test_flight_process(flight, &(struct test_process){.number = 1,
                                                       .comm = "make",
                                                       .args = "make -j2 all",
                                                       .end_ms = end_ms,
                                                       .cores = 0.03,
                                                       .rss_mib = 3,
                                                       .status = WAIT_EXIT(2)});
    test_flight_event(flight, end_ms, "flight.end", 0,
                      "\"exit_code\":2,\"reason\":\"exited with code 2\"");
    test_flight_end(flight,
                    &(struct test_end){.duration_ms = end_ms + 3,
                                       .kind = "exited",
                                       .exit_code = 2,
                                       .reason = "exited with code 2",
                                       .evidence = "wait status of the command: exit code 2"});
}

void test_flight_oom(const char *home, const char *id, int64_t start_ns)
{
    struct test_flight *flight = test_flight_begin(home, id, "train", "gpu=none", start_ns);
    test_flight_event(flight, 0, "flight.start", 0, "");
    test_flight_process(flight, &(struct test_process){.number = 1,
                                                       .comm = "python3",
                                                       .args = "python3 train.py --epochs 3",
                                                       .end_ms = 4200,
                                                       .cores = 1.2,
                                                       .rss_mib = 500,
                                                       .threads = 9,
                                                       .status = SIGKILL});
    test_flight_line(flight, 300, MF_STREAM_STDOUT, "loading data");
    test_flight_line(flight, 1900, MF_STREAM_STDOUT, "epoch 1: loss 0.93");
    test_flight_event(
        flight, 4190, "oom", 1,
        "\"pid\":4001,\"comm\":\"python3\",\"rss_bytes\":524288000,\"source\":\"cgroup\"");
    test_flight_event(flight, 4200, "flight.end", 0, "\"exit_code\":137");
    test_flight_end(
        flight, &(struct test_end){.duration_ms = 4201,
                                   .kind = "out of memory",
                                   .exit_code = 137,
                                   .signal = SIGKILL,
                                   .reason = "killed by the kernel: out of memory (limit 512 MiB)",
                                   .evidence = "memory.events of the cgroup: oom_kill 1"});
}

void test_flight_unfinished(const char *home, const char *id, int64_t start_ns)
{
    struct test_flight *flight = test_flight_begin(home, id, "server", NULL, start_ns);
    test_flight_event(flight, 0, "flight.start", 0, "");
    test_flight_process(flight, &(struct test_process){.number = 1,
                                                       .comm = "server",
                                                       .args = "./server --port 80",
                                                       .cores = 0.4,
                                                       .rss_mib = 64,
                                                       .threads = 4});
    test_flight_line(flight, 120, MF_STREAM_STDERR, "listening on port 80");
    test_flight_end(flight, &(struct test_end){.duration_ms = 2000});
}
