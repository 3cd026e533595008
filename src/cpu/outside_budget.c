/* SPDX-License-Identifier: Apache-2.0
 * outside_budget.c -- budgets as text: see outside.h. */
#include "cpu/outside.h"

#include "base/fail.h"
#include "fmt/units.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS     INT64_C(1000000)
#define WITHIN_NS_MIN (1 * NS_PER_MS)
#define WITHIN_NS_MAX (3600 * 1000 * NS_PER_MS)
#define PART_LEN      128

const char *mf_watch_action_name(enum mf_watch_action action)
{
    static const char *const names[] = {"mark", "stop", "kill"};
    return names[action];
}

/* Copies up to the next separator that is not escaped by a backslash, which stays unless it
 * escapes the separator. Returns what follows it, or NULL at the end; *ret_fits: it had room. */
static const char *take_part(const char *text, char separator, char part[PART_LEN], bool *ret_fits)
{
    size_t len = 0;
    *ret_fits = true;
    for (; *text != '\0' && *text != separator; text++) {
        if (text[0] == '\\' && text[1] == separator) {
            text++;
        } else if (text[0] == '\\' && text[1] != '\0' && len < PART_LEN - 1) {
            part[len++] = *text++;
        }
        if (len < PART_LEN - 1) {
            part[len++] = *text;
        } else {
            *ret_fits = false;
        }
    }
    part[len] = '\0';
    return *text == separator ? text + 1 : NULL;
}

static int parse_times(const char *text, struct mf_watch_budget *budget, struct mf_errinfo *err)
{
    char part[PART_LEN];
    bool fits = false;
    const char *within = take_part(text, '/', part, &fits);
    if (within == NULL || !fits) {
        return mf_fail(err, MF_ESYNTAX, "a budget begins with two times, as in 50ms/100ms: '%.60s'",
                       text);
    }
    int ret = mf_parse_duration(part, &budget->limit_ns, err);
    if (ret == 0) {
        ret = mf_parse_duration(within, &budget->within_ns, err);
    }
    return ret;
}

static int parse_setting(const char *text, struct mf_watch_budget *budget, struct mf_errinfo *err)
{
    if (strncmp(text, "thread=", 7) == 0) {
        const size_t len = strlen(text + 7);
        if (len == 0 || len >= sizeof budget->pattern) {
            return mf_fail(err, MF_EVALUE, "a pattern of thread names has 1 to %zu bytes: '%.80s'",
                           sizeof budget->pattern - 1, text + 7);
        }
        size_t backslashes = 0;
        while (backslashes < len && text[7 + len - 1 - backslashes] == '\\') {
            backslashes++;
        }
        if (backslashes % 2 == 1) {
            return mf_fail(err, MF_EVALUE, "a pattern cannot end with a backslash: '%.80s'",
                           text + 7);
        }
        memcpy(budget->pattern, text + 7, len + 1);
        return 0;
    }
    if (strcmp(text, "of=each") == 0 || strcmp(text, "of=all") == 0) {
        budget->together = text[3] == 'a';
        return 0;
    }
    for (unsigned i = 0; strncmp(text, "action=", 7) == 0 && i <= MF_WATCH_KILL; i++) {
        if (strcmp(text + 7, mf_watch_action_name(i)) == 0) {
            budget->action = i;
            return 0;
        }
    }
    return mf_fail(err, MF_ESYNTAX,
                   "'%.60s' is none of thread=PATTERN, of=each|all, action=mark|stop|kill", text);
}

static int check(const struct mf_watch_budget *budget, struct mf_errinfo *err)
{
    if (budget->limit_ns <= 0 || budget->within_ns < WITHIN_NS_MIN ||
        budget->within_ns > WITHIN_NS_MAX) {
        return mf_fail(err, MF_EVALUE, "a budget is more than 0 of CPU time within 1 ms to 1 h");
    }
    if (!budget->together && budget->limit_ns >= budget->within_ns) {
        return mf_fail(err, MF_EVALUE,
                       "a thread cannot use more CPU time than passes: that budget is never "
                       "exceeded (of=all has that of several threads)");
    }
    return 0;
}

int mf_watch_budget_parse(const char *text, struct mf_watch_budget *ret_budget,
                          struct mf_errinfo *err)
{
    struct mf_watch_budget budget = {.action = MF_WATCH_MARK};
    char part[PART_LEN];
    bool fits = false;
    const char *rest = take_part(text, ',', part, &fits);
    int ret = fits ? parse_times(part, &budget, err)
                   : mf_fail(err, MF_ESYNTAX, "a part of this budget is too long: '%.60s'", text);
    while (ret == 0 && rest != NULL) {
        rest = take_part(rest, ',', part, &fits);
        ret = fits ? parse_setting(part, &budget, err)
                   : mf_fail(err, MF_ESYNTAX, "a part of this budget is too long: '%.60s'", text);
    }
    if (ret == 0) {
        ret = check(&budget, err);
    }
    if (ret == 0) {
        *ret_budget = budget;
    }
    return ret;
}

/* "50ms", in the largest unit that leaves it whole. */
static void write_time(int64_t ns, struct mf_buffer *out)
{
    static const struct {
        int64_t ns;
        const char *unit;
    } units[] = {{3600 * 1000 * NS_PER_MS, "h"},
                 {60 * 1000 * NS_PER_MS, "m"},
                 {1000 * NS_PER_MS, "s"},
                 {NS_PER_MS, "ms"},
                 {1000, "us"},
                 {1, "ns"}};
    size_t i = 0;
    while (ns % units[i].ns != 0) {
        i++;
    }
    mf_buffer_printf(out, "%lld%s", (long long)(ns / units[i].ns), units[i].unit);
}

void mf_watch_budget_write(const struct mf_watch_budget *budget, struct mf_buffer *out)
{
    write_time(budget->limit_ns, out);
    mf_buffer_putc(out, '/');
    write_time(budget->within_ns, out);
    if (budget->pattern[0] != '\0') {
        mf_buffer_puts(out, ",thread=");
        for (const char *c = budget->pattern; *c != '\0'; c++) {
            if (*c == ',') {
                mf_buffer_putc(out, '\\');
            }
            mf_buffer_putc(out, *c);
        }
    }
    if (budget->together) {
        mf_buffer_puts(out, ",of=all");
    }
    if (budget->action != MF_WATCH_MARK) {
        mf_buffer_printf(out, ",action=%s", mf_watch_action_name(budget->action));
    }
}
