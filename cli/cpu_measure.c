/* SPDX-License-Identifier: Apache-2.0
 * cpu_measure.c -- see cpu_measure.h. */
#include "cpu_measure.h"

int cpu_measure(const struct mf_cpu_config *config, const struct mf_burst_case *burst,
                struct mf_burst_result *ret_result, struct mf_cpu_status *ret_status,
                struct mf_errinfo *err)
{
    struct mf_cpu *cpu = NULL;
    int rc = mf_cpu_open(config, &cpu, err);
    if (rc != 0) {
        return rc;
    }
    rc = mf_bursts_run(cpu, "burst", burst, ret_result, err);
    mf_cpu_status(cpu, ret_status);
    mf_cpu_close(cpu);
    return rc;
}
