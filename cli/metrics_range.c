/* SPDX-License-Identifier: Apache-2.0
 * metrics_range.c -- see metrics_range.h. */
#include "metrics_range.h"

#include "fmt/number.h"
#include "fmt/rfc3339.h"
#include "fmt/units.h"

#include <string.h>

#define NS_PER_SECOND 1e9
#define RANGE_END_NS  (INT64_MAX / 2) /* far from both ends, so that sums stay in 64 bits */

/* An absolute time, or one relative to the newest of the store. */
static int parse_when(const char *text, int64_t clock_ns, int64_t *ret_ns, struct mf_errinfo *err)
{
    int64_t duration_ns;
    double seconds;
    if (text[0] == '-' && mf_parse_duration(text + 1, &duration_ns, NULL) == 0) {
        *ret_ns = clock_ns - duration_ns;
        return 0;
    }
    if (mf_parse_double(text, &seconds, NULL) == 0 && seconds > -9e9 && seconds < 9e9) {
        *ret_ns = (int64_t)(seconds * NS_PER_SECOND);
        return 0;
    }
    return mf_parse_rfc3339(text, ret_ns, err);
}

static bool parse_tier(const char *text, int *ret_tier)
{
    uint64_t number;
    if (strcmp(text, "auto") == 0) {
        *ret_tier = MF_TIER_AUTO;
        return true;
    }
    if (strcmp(text, "finest") == 0) {
        *ret_tier = MF_TIER_FINEST;
        return true;
    }
    if (mf_parse_uint64(text, &number, NULL) != 0 || number >= MF_METRICS_TIERS_MAX) {
        return false;
    }
    *ret_tier = (int)number;
    return true;
}

int range_check(struct cli_context *cli)
{
    static const char *const names[] = {"from", "to"};
    const char *range = cli_string(cli, "range");
    int64_t ignored;
    int tier;
    if (strcmp(range, "all") != 0 &&
        (mf_parse_duration(range, &ignored, &cli->err) != 0 || ignored == 0)) {
        return cli_usage(cli, "--range: '%s' is no duration; 45s, 1h30m and all are examples",
                         range);
    }
    if (!parse_tier(cli_string(cli, "tier"), &tier)) {
        return cli_usage(cli, "--tier: '%s' is none of auto, finest and 0 to %d",
                         cli_string(cli, "tier"), MF_METRICS_TIERS_MAX - 1);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        const char *when = cli_string(cli, names[i]);
        if (when != NULL && parse_when(when, 0, &ignored, &cli->err) != 0) {
            return cli_usage(cli, "--%s: %s", names[i], cli->err.msg);
        }
    }
    return 0;
}

void range_fill(const struct cli_context *cli, int64_t clock_ns, struct mf_metrics_query *query)
{
    const char *range = cli_string(cli, "range");
    const char *from = cli_string(cli, "from");
    const char *to = cli_string(cli, "to");
    int64_t duration_ns = 0;
    query->end_ns = clock_ns + 1;
    query->start_ns = 0;
    if (strcmp(range, "all") == 0 || mf_parse_duration(range, &duration_ns, NULL) != 0) {
        query->start_ns = -RANGE_END_NS;
    } else if (clock_ns > duration_ns) {
        query->start_ns = clock_ns - duration_ns;
    }
    if (to != NULL) {
        (void)parse_when(to, clock_ns, &query->end_ns, NULL);
    }
    if (from != NULL) {
        (void)parse_when(from, clock_ns, &query->start_ns, NULL);
    } else if (to != NULL && duration_ns > 0) {
        query->start_ns = query->end_ns - duration_ns;
    }
    (void)parse_tier(cli_string(cli, "tier"), &query->tier);
}
