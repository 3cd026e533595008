/* SPDX-License-Identifier: Apache-2.0
 * verb_cpu_doctor.c -- mayfly cpu doctor: which ways of watching CPU budgets this machine permits.
 */
#include "cli.h"

#include "fmt/json_write.h"
#include "os/alarm.h"
#include "os/cputime.h"
#include "os/switches.h"
#include <mayfly/cpu.h>

#include <stdio.h>

struct way {
    const char *name;
    const char *use;
    int rc;
    struct mf_errinfo err;
};

static void examine(struct way ways[4])
{
    int64_t cpu_ns;
    ways[0] = (struct way){.name = "thread clock", .use = "exact CPU time of a thread"};
    ways[0].rc = mf_cpu_read(0, &cpu_ns);
    ways[1] = (struct way){.name = "time stamps", .use = "scopes of some 20 ns"};
    ways[1].rc = mf_tsc_usable(&ways[1].err);
    ways[2] = (struct way){.name = "switches", .use = "scopes without reading the thread clock"};
    ways[2].rc = mf_switches_usable(&ways[2].err);
    ways[3] = (struct way){.name = "perf", .use = "interrupts by CPU time"};
    ways[3].rc = mf_alarm_perf_permitted();
}

static int run(struct cli_context *cli)
{
    struct way ways[4];
    struct mf_buffer out = MF_BUFFER_INIT;
    struct mf_json json;
    examine(ways);
    mf_json_init(&json, &out, MF_JSON_PRETTY);
    if (cli->json) {
        mf_json_begin_array(&json);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(ways); i++) {
        const struct way *way = &ways[i];
        const char *why = way->err.msg[0] != '\0' ? way->err.msg : mf_strerror(way->rc);
        if (!cli->json) {
            mf_buffer_printf(&out, "%-3s  %-12s  %s\n", way->rc == 0 ? "yes" : "no", way->name,
                             way->rc == 0 ? way->use : why);
            continue;
        }
        mf_json_begin_object(&json);
        mf_json_key_string(&json, "name", way->name);
        mf_json_key_bool(&json, "available", way->rc == 0);
        mf_json_key_string(&json, "use", way->use);
        if (way->rc != 0) {
            mf_json_key_string(&json, "why", why);
        }
        mf_json_end_object(&json);
    }
    if (cli->json) {
        mf_json_end_array(&json);
        mf_json_finish(&json);
    }
    const int printed = cli_print(cli, &out);
    return printed != 0 ? printed : ways[0].rc == 0 ? CLI_EXIT_OK : CLI_EXIT_NEGATIVE;
}

const struct cli_verb verb_cpu_doctor = {
    .name = "doctor",
    .summary = "Say which ways of watching CPU budgets this machine permits",
    .has_json = true,
    .examples =
        (const struct cli_example[]){
            {"mayfly cpu doctor", "Shows it."},
            {.command = NULL},
        },
    .run = run,
};
