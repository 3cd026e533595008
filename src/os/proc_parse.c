/* SPDX-License-Identifier: Apache-2.0
 * proc_parse.c -- the parsers of proc.h. They take exactly what the kernel writes and are fuzzed.
 */
#include "os/proc.h"

#include <string.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)

struct scan {
    const char *at;
    const char *end;
};

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t')) {
        scan->at++;
    }
}

/* An unsigned decimal number; a leading '-' is allowed and gives the two's complement, as the
 * kernel's signed fields do. False at anything else or beyond 64 bits. */
static bool take_number(struct scan *scan, uint64_t *ret_value)
{
    skip_blanks(scan);
    const bool negative = scan->at < scan->end && *scan->at == '-';
    const char *p = scan->at + (negative ? 1 : 0);
    if (p >= scan->end || *p < '0' || *p > '9') {
        return false;
    }
    uint64_t value = 0;
    for (; p < scan->end && *p >= '0' && *p <= '9'; p++) {
        const unsigned digit = (unsigned)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    scan->at = p;
    *ret_value = negative ? 0 - value : value;
    return true;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
    return ticks * (NS_PER_SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
}

int mf_proc_parse_stat(const char *text, size_t len, struct mf_proc_stat *ret_stat)
{
    struct mf_proc_stat stat = {0};
    struct scan scan = {text, text + len};
    uint64_t field[53] = {0}; /* by the numbers of proc(5) */
    if (!take_number(&scan, &field[1]) || scan.at + 1 >= scan.end || scan.at[0] != ' ' ||
        scan.at[1] != '(') {
        return MF_ESYNTAX;
    }
    /* The name may hold blanks, newlines and parentheses: it ends at the last ')'. */
    const char *name = scan.at + 2;
    const char *close = memrchr(name, ')', (size_t)(scan.end - name));
    if (close == NULL || scan.end - close < 4 || close[1] != ' ' || close[3] != ' ') {
        return MF_ESYNTAX;
    }
    size_t name_len = (size_t)(close - name);
    if (name_len > sizeof stat.comm - 1) {
        name_len = sizeof stat.comm - 1;
    }
    memcpy(stat.comm, name, name_len);
    stat.state = close[2];
    scan.at = close + 3;
    for (int i = 4; i <= 24; i++) {
        if (!take_number(&scan, &field[i])) {
            return MF_ESYNTAX;
        }
    }
    stat.pid = (int32_t)field[1];
    stat.parent_pid = (int32_t)field[4];
    stat.group = (int32_t)field[5];
    stat.session = (int32_t)field[6];
    stat.faults_minor = field[10];
    stat.faults_major = field[12];
    stat.cpu_user_ns = ticks_to_ns(field[14]);
    stat.cpu_system_ns = ticks_to_ns(field[15]);
    stat.children_user_ns = ticks_to_ns(field[16]);
    stat.children_system_ns = ticks_to_ns(field[17]);
    stat.threads = (uint32_t)field[20];
    stat.start_ticks = field[22];
    stat.rss_bytes = (int64_t)field[24] > 0 ? field[24] * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    *ret_stat = stat;
    return 0;
}

/* Positions `scan` behind "key:" at the start of a line. */
static bool find_line(const char *text, size_t len, const char *key, char separator,
                      struct scan *ret_scan)
{
    const size_t key_len = strlen(key);
    const char *end = text + len;
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = newline != NULL ? newline : end;
        if ((size_t)(line_end - line) > key_len && memcmp(line, key, key_len) == 0 &&
            line[key_len] == separator) {
            *ret_scan = (struct scan){line + key_len + 1, line_end};
            return true;
        }
        line = line_end + 1;
    }
    return false;
}

static bool keyed_number(const char *text, size_t len, const char *key, char separator,
                         uint64_t *ret_value)
{
    struct scan scan;
    return find_line(text, len, key, separator, &scan) && take_number(&scan, ret_value);
}

int mf_proc_parse_keyed(const char *text, size_t len, const char *key, uint64_t *ret_value)
{
    return keyed_number(text, len, key, ' ', ret_value) ? 0 : MF_ENOTFOUND;
}

int mf_proc_parse_io(const char *text, size_t len, struct mf_proc_io *ret_io)
{
    struct mf_proc_io io = {0};
    uint64_t cancelled = 0;
    if (!keyed_number(text, len, "rchar", ':', &io.read_chars) ||
        !keyed_number(text, len, "wchar", ':', &io.write_chars) ||
        !keyed_number(text, len, "read_bytes", ':', &io.read_bytes) ||
        !keyed_number(text, len, "write_bytes", ':', &io.write_bytes) ||
        !keyed_number(text, len, "cancelled_write_bytes", ':', &cancelled)) {
        return MF_ESYNTAX;
    }
    /* Cancelled writes may be of other processes' dirty pages. */
    io.write_bytes = cancelled < io.write_bytes ? io.write_bytes - cancelled : 0;
    *ret_io = io;
    return 0;
}

/* The kernel writes a newline in a name as \n and a backslash twice. */
static void copy_name(struct scan scan, char comm[MF_PROC_COMM_LEN])
{
    size_t len = 0;
    for (const char *c = scan.at + (scan.at < scan.end && *scan.at == '\t');
         c < scan.end && len < MF_PROC_COMM_LEN - 1; c++) {
        const bool escaped = *c == '\\' && c + 1 < scan.end && (c[1] == 'n' || c[1] == '\\');
        c += escaped;
        comm[len++] = escaped && *c == 'n' ? '\n' : *c;
    }
    comm[len] = '\0';
}

int mf_proc_parse_status(const char *text, size_t len, struct mf_proc_status *ret_status)
{
    struct mf_proc_status status = {0};
    uint64_t group = 0;
    uint64_t uid = 0;
    uint64_t peak_kib = 0;
    if (!keyed_number(text, len, "Tgid", ':', &group) ||
        !keyed_number(text, len, "Uid", ':', &uid) ||
        !keyed_number(text, len, "voluntary_ctxt_switches", ':', &status.switches_voluntary) ||
        !keyed_number(text, len, "nonvoluntary_ctxt_switches", ':', &status.switches_involuntary)) {
        return MF_ESYNTAX;
    }
    struct scan name;
    if (find_line(text, len, "Name", ':', &name)) {
        copy_name(name, status.comm);
    }
    status.thread_group = (int32_t)group;
    status.uid = (uint32_t)uid;
    status.rss_peak_bytes =
        keyed_number(text, len, "VmHWM", ':', &peak_kib) ? peak_kib * 1024 : MF_PROC_UNKNOWN;
    *ret_status = status;
    return 0;
}

int mf_proc_parse_schedstat(const char *text, size_t len, struct mf_proc_schedstat *ret_schedstat)
{
    struct mf_proc_schedstat schedstat;
    struct scan scan = {text, text + len};
    if (!take_number(&scan, &schedstat.run_ns) || !take_number(&scan, &schedstat.wait_ns) ||
        !take_number(&scan, &schedstat.slices)) {
        return MF_ESYNTAX;
    }
    *ret_schedstat = schedstat;
    return 0;
}

int mf_proc_parse_pss(const char *text, size_t len, uint64_t *ret_bytes)
{
    uint64_t kib = 0;
    if (!keyed_number(text, len, "Pss", ':', &kib)) {
        return MF_ESYNTAX;
    }
    *ret_bytes = kib * 1024;
    return 0;
}
