/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as what stands in a flight: flight.json, the records of its event log, the records of
 * its output. They are read with every cursor, and the flight is recovered; the first byte says
 * which. */
#include <mayfly/flight.h>
#include <mayfly/reclog.h>

#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char dir[64];

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    (void)!system(command);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(path_of(name), "wb");
    if (file == NULL || fwrite(bytes, 1, len, file) != len) {
        abort();
    }
    fclose(file);
}

/* Records divided by the byte 0x1e; the first byte of each is its type. */
static void write_log(const char *name, const uint8_t *data, size_t len)
{
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    struct mf_env env = {.fs = mf_fs_unsynced()};
    struct mf_reclog *log = NULL;
    unlink(path_of(name));
    if (mf_reclog_open(path_of(name), &options, &env, &log, NULL) < 0) {
        abort();
    }
    while (len > 0) {
        const uint8_t *end = memchr(data, 0x1e, len);
        const size_t part = end != NULL ? (size_t)(end - data) : len;
        if (part > 0 && mf_reclog_append(log, data[0] & 1, data + 1, part - 1, NULL, NULL) < 0) {
            abort();
        }
        data += part + (end != NULL);
        len -= part + (end != NULL);
    }
    mf_reclog_close(log, NULL);
}

static void read_everything(void)
{
    struct mf_flight_info *info = NULL;
    struct mf_flight_events *events = NULL;
    struct mf_flight_output *output = NULL;
    struct mf_flight_processes processes;
    struct mf_flight_event event;
    struct mf_flight_line line;
    if (mf_flight_info_read(dir, &info, NULL) == 0) {
        mf_flight_info_free(info);
    }
    if (mf_flight_events_open(dir, &events, NULL) == 0) {
        for (int ret; (ret = mf_flight_events_next(events, true, &event, NULL)) == 1;) {
            if (event.json[event.json_len] != '\0' || event.kind == NULL) {
                abort();
            }
        }
        mf_flight_events_close(events);
    }
    if (mf_flight_output_open(dir, &output, NULL) == 0) {
        size_t bytes = 0;
        for (int i = 0; i < 100000 && mf_flight_output_next_line(output, &line, NULL) == 1; i++) {
            bytes += line.len;
        }
        while (mf_flight_output_last_line(output, &line, NULL) == 1) {
            bytes += line.len;
        }
        mf_flight_output_close(output);
        if (bytes > (1u << 24)) {
            abort();
        }
    }
    if (mf_flight_processes_read(dir, &processes, NULL) == 0) {
        mf_flight_processes_free(&processes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char running[] =
        "{\"format\":1,\"id\":\"20261120-000000-x-0000\",\"state\":\"running\"}";
    if (dir[0] == '\0') {
        snprintf(dir, sizeof dir, "/dev/shm/mayfly-fuzz-XXXXXX");
        if (mkdtemp(dir) == NULL) {
            snprintf(dir, sizeof dir, "/tmp/mayfly-fuzz-XXXXXX");
            if (mkdtemp(dir) == NULL) {
                abort();
            }
        }
        atexit(remove_dir);
    }
    if (len == 0) {
        return 0;
    }
    const uint8_t which = data[0] % 3;
    write_file("flight.json", which == 0 ? (const void *)(data + 1) : running,
               which == 0 ? len - 1 : sizeof running - 1);
    write_log("events.log", data + 1, which == 1 ? len - 1 : 0);
    write_log("output.log", data + 1, which == 2 ? len - 1 : 0);
    unlink(path_of("recorder.lock"));
    read_everything();
    struct mf_flight_recovery recovery;
    struct mf_flight_info *info = NULL;
    if (mf_flight_recover(dir, &recovery, NULL) == 0) {
        if (mf_flight_info_read(dir, &info, NULL) != 0) {
            abort(); /* what it has written must be readable */
        }
        mf_flight_info_free(info);
        read_everything();
    }
    return 0;
}
