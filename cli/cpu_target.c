/* SPDX-License-Identifier: Apache-2.0
 * cpu_target.c -- see cpu_target.h. */
#include "cpu_target.h"
#include "flight_operand.h"

#include "base/heap.h"
#include "os/child.h"

#include <errno.h>
#include <mayfly/flight.h>
#include <stdlib.h>

static int add_members(struct cli_context *cli, const char *dir, int32_t **ret_pids,
                       size_t *ret_count)
{
    struct mf_flight_processes processes;
    int rc = mf_flight_processes_read(dir, &processes, &cli->err);
    if (rc < 0) {
        return rc;
    }
    int32_t *pids = mf_calloc(processes.count + 1, sizeof *pids);
    size_t count = 0;
    for (size_t i = 0; pids != NULL && i < processes.count; i++) {
        if (!processes.items[i].ended) {
            pids[count++] = (int32_t)processes.items[i].pid;
        }
    }
    mf_flight_processes_free(&processes);
    if (pids == NULL) {
        return mf_fail(&cli->err, -ENOMEM, "out of memory");
    }
    *ret_pids = pids;
    *ret_count = count;
    return 0;
}

static int flight_members(struct cli_context *cli, const char *ref, int32_t **ret_pids,
                          size_t *ret_count)
{
    char *dir = NULL;
    struct mf_flight_info *info = NULL;
    int rc = cli_flight_find(cli, ref, &dir);
    if (rc == 0) {
        rc = mf_flight_info_read(dir, &info, &cli->err);
    }
    if (rc == 0 && info->state != MF_FLIGHT_RUNNING) {
        rc = mf_fail(&cli->err, MF_ENOTFOUND,
                     "flight %s is not running any more; `mayfly show` has its threads", info->id);
    }
    if (rc == 0) {
        rc = add_members(cli, dir, ret_pids, ret_count);
    }
    if (rc == 0 && *ret_count == 0) {
        mf_free(*ret_pids);
        rc = mf_fail(&cli->err, MF_ENOTFOUND, "no process of flight %s is left", info->id);
    }
    mf_flight_info_free(info);
    mf_flight_free_text(dir);
    return rc;
}

static int parse_pid(const char *text, int32_t *ret_pid)
{
    char *end = NULL;
    errno = 0;
    const long pid = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || pid <= 0 || pid > INT32_MAX) {
        return -EINVAL;
    }
    *ret_pid = (int32_t)pid;
    return 0;
}

int cpu_target_open(struct cli_context *cli, bool machine, const struct mf_watch_spec *watch,
                    struct mf_watch_tree **ret_tree)
{
    const char *flight = cli_string(cli, "flight");
    struct mf_watch_tree_spec spec = {.watch = *watch, .plain = cli_flag(cli, "plain")};
    int32_t *pids = NULL;
    int32_t pid = 0;
    int rc = 0;
    if (flight != NULL && cli->operand_count > 0) {
        return cli_usage(cli, "takes PID or --flight, not both");
    }
    if (flight == NULL && cli->operand_count == 0 && !machine) {
        return cli_usage(cli, "needs a PID or --flight FLIGHT");
    }
    if (flight != NULL) {
        rc = flight_members(cli, flight, &pids, &spec.root_count);
        spec.roots = pids;
    } else if (cli->operand_count > 0) {
        if (parse_pid(cli->operands[0], &pid) < 0) {
            return cli_usage(cli, "'%s' is no process number", cli->operands[0]);
        }
        spec.roots = &pid;
        spec.root_count = 1;
    }
    spec.watch.descriptors_max = mf_raise_descriptor_limit();
    if (rc == 0) {
        rc = mf_watch_tree_new(&spec, ret_tree, &cli->err);
        rc = rc == -ESRCH
                 ? mf_fail(&cli->err, MF_ENOTFOUND, "there is no process %d", (int)spec.roots[0])
                 : rc;
        mf_free(pids);
    }
    return rc;
}
