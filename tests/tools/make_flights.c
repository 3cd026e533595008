/* SPDX-License-Identifier: Apache-2.0
 *
 * make_flights -- fills a home with flights for tests: make_flights HOME KIND...
 *
 *   build, failing, oom, unfinished   see tests/lib/flights.h; each a minute after the one before
 *   damaged                           a directory with a torn flight.json
 *   many=N                            N builds that are nothing but a flight.json
 *   hold                              holds the lock of the flight made before, as its recorder
 * would, until standard input ends; says "held" when it does
 */
#include "flights.h"

#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

static int64_t next_ns = INT64_C(1790251200) * SECOND; /* 2026-09-24T12:00:00Z */
static unsigned turn;
static char last_id[128];

static const char *next_id(const char *name)
{
    const time_t now = (time_t)(next_ns / SECOND);
    char when[32];
    struct tm parts;
    strftime(when, sizeof when, "%Y%m%d-%H%M%S", gmtime_r(&now, &parts));
    snprintf(last_id, sizeof last_id, "%s-%s-%04x", when, name, 0xa000 + turn++);
    return last_id;
}

static void make_many(const char *home, long count)
{
    for (long i = 0; i < count; i++, next_ns += SECOND) {
        struct test_flight *flight =
            test_flight_begin(home, next_id("make"), "make", "ci,branch=main", next_ns);
        test_flight_only_description(flight);
        test_flight_end(flight, &(struct test_end){.duration_ms = 1000 + i,
                                                   .kind = "exited",
                                                   .exit_code = i % 7 == 6 ? 2 : 0,
                                                   .reason = "exited"});
    }
}

static void make_damaged(const char *home)
{
    char path[640];
    snprintf(path, sizeof path, "%s/flights/%s", home, next_id("torn"));
    if (mf_fs_mkdirs(NULL, path, NULL) < 0) {
        abort();
    }
    strncat(path, "/flight.json", sizeof path - strlen(path) - 1);
    if (mf_fs_replace(NULL, path, "{\"format\":1,\"id\":", 17, NULL) < 0) {
        abort();
    }
}

static void hold(const char *home)
{
    char path[640];
    struct mf_file *lock = NULL;
    snprintf(path, sizeof path, "%s/flights/%s/recorder.lock", home, last_id);
    if (mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_WRITE, &lock, NULL) < 0 ||
        mf_file_lock(lock, NULL) < 0) {
        abort();
    }
    puts("held");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    mf_file_close(lock);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *kind;
        const char *name;
        void (*make)(const char *home, const char *id, int64_t start_ns);
    } kinds[] = {
        {"build", "make", test_flight_build},
        {"failing", "make", test_flight_failing_build},
        {"oom", "train", test_flight_oom},
        {"unfinished", "server", test_flight_unfinished},
    };
    for (int i = 2; i < argc; i++, next_ns += 60 * SECOND) {
        bool known = false;
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            if (strcmp(argv[i], kinds[k].kind) == 0) {
                kinds[k].make(argv[1], next_id(kinds[k].name), next_ns);
                known = true;
            }
        }
        if (strncmp(argv[i], "many=", 5) == 0) {
            make_many(argv[1], strtol(argv[i] + 5, NULL, 10));
        } else if (strcmp(argv[i], "damaged") == 0) {
            make_damaged(argv[1]);
        } else if (strcmp(argv[i], "hold") == 0) {
            hold(argv[1]);
        } else if (!known) {
            fprintf(stderr, "make_flights: unknown kind '%s'\n", argv[i]);
            return 64;
        }
    }
    return 0;
}
