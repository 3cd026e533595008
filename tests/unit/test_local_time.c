/* SPDX-License-Identifier: Apache-2.0
 * Local time: the offset of the zone, summer and winter, and what it makes of a timestamp. */
#include "fmt/rfc3339.h"
#include "os/clock.h"

#include "cmocka_all.h"
#include <stdlib.h>

#define WINTER (INT64_C(1704067200) * MF_NS_PER_SECOND) /* 2024-01-01T00:00:00Z */
#define SUMMER (INT64_C(1719792000) * MF_NS_PER_SECOND) /* 2024-07-01T00:00:00Z */

static void test_offset(void **state)
{
    (void)state;
    setenv("TZ", "UTC0", 1);
    assert_int_equal(mf_clock_local_offset_s(WINTER), 0);
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    assert_int_equal(mf_clock_local_offset_s(WINTER), 3600);
    assert_int_equal(mf_clock_local_offset_s(SUMMER), 7200);
    assert_int_equal(mf_clock_local_offset_s(-1), 3600);
    char text[MF_RFC3339_LEN];
    assert_string_equal(mf_format_rfc3339(text, SUMMER, mf_clock_local_offset_s(SUMMER), 0),
                        "2024-07-01T02:00:00+02:00");
    setenv("TZ", "NST3:30NDT,M3.2.0,M11.1.0", 1);
    assert_int_equal(mf_clock_local_offset_s(WINTER), -12600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_offset)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
