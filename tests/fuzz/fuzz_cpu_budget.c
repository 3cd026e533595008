/* SPDX-License-Identifier: Apache-2.0
 * Any text as a CPU budget: an error, or a budget that is written and read again as the same. */
#include "cpu/outside.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[512];
    struct mf_watch_budget budget;
    struct mf_watch_budget again;
    struct mf_errinfo err = {0};
    struct mf_buffer written = MF_BUFFER_INIT;
    const size_t used = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, data, used);
    text[used] = '\0';
    if (mf_watch_budget_parse(text, &budget, &err) < 0) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    mf_watch_budget_write(&budget, &written);
    if (written.failed || mf_watch_budget_parse(written.data, &again, NULL) < 0 ||
        again.limit_ns != budget.limit_ns || again.within_ns != budget.within_ns ||
        again.together != budget.together || again.action != budget.action ||
        strcmp(again.pattern, budget.pattern) != 0) {
        abort();
    }
    mf_buffer_free(&written);
    return 0;
}
