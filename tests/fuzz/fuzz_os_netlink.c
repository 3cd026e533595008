/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a netlink message: of the process connector, and of taskstats. */
#include "os/procevents.h"
#include "os/taskstats.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct mf_procevent event;
    struct mf_task_record record;
    if (mf_procevents_parse(data, len, &event) == 1 && strlen(event.comm) >= sizeof event.comm) {
        abort();
    }
    if (mf_taskstats_parse(data, len, &record) == 1 && strlen(record.comm) >= sizeof record.comm) {
        abort();
    }
    return 0;
}
