/* SPDX-License-Identifier: Apache-2.0
 * flight_operand.c -- see flight_operand.h. */
#include "flight_operand.h"
#include "suggest.h"

#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Adds the nearest name or id to the message. */
static void add_suggestion(struct cli_context *cli, const char *home, const char *ref)
{
    struct mf_flight_list list;
    if (mf_flight_list_read(home, NULL, &list, NULL) < 0) {
        return;
    }
    struct cli_suggestion best = {0};
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].info != NULL) {
            cli_suggest(&best, ref, list.items[i].info->name);
        }
        cli_suggest(&best, ref, list.items[i].short_id);
        cli_suggest(&best, ref, list.items[i].id);
    }
    if (best.word != NULL) {
        const size_t len = strlen(cli->err.msg);
        snprintf(cli->err.msg + len, sizeof cli->err.msg - len, "; did you mean '%.100s'?",
                 best.word);
    }
    mf_flight_list_free(&list);
}

int cli_flight_find(struct cli_context *cli, const char *ref, char **ret_dir)
{
    char *home = NULL;
    int rc = mf_flight_home(NULL, &home, &cli->err);
    if (rc == 0) {
        rc = mf_flight_resolve(home, ref != NULL ? ref : "latest", ret_dir, &cli->err);
    }
    if (rc == MF_ENOTFOUND && ref != NULL) {
        add_suggestion(cli, home, ref);
    }
    mf_flight_free_text(home);
    return rc;
}

static struct tm local_parts(int64_t wall_ns)
{
    const time_t seconds = (time_t)(wall_ns / MF_NS_PER_SECOND);
    struct tm parts = {0};
    localtime_r(&seconds, &parts);
    return parts;
}

char *cli_local_time(char out[CLI_TIME_LEN], int64_t wall_ns)
{
    const struct tm parts = local_parts(wall_ns);
    strftime(out, CLI_TIME_LEN, "%Y-%m-%d %H:%M:%S", &parts);
    return out;
}

char *cli_short_time(char out[CLI_TIME_LEN], int64_t wall_ns)
{
    const struct tm now = local_parts(mf_clock_wall_ns(NULL));
    const struct tm parts = local_parts(wall_ns);
    if (now.tm_year != parts.tm_year) {
        strftime(out, CLI_TIME_LEN, "%Y-%m-%d", &parts);
    } else if (now.tm_yday != parts.tm_yday) {
        strftime(out, CLI_TIME_LEN, "%b %e %H:%M", &parts);
    } else {
        strftime(out, CLI_TIME_LEN, "%H:%M:%S", &parts);
    }
    return out;
}

bool cli_unicode(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return true;
}
