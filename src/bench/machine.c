/* SPDX-License-Identifier: Apache-2.0
 * machine.c -- see machine.h. */
#include "machine.h"

#include "fmt/number.h"
#include "os/proc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PATH_LEN  512
#define TEXT_LEN  32768
#define CACHES    8
#define CPU       "/sys/devices/system/cpu"
#define ONE_CPU   CPU "/cpu0"
#define CPU_STATE CPU "/intel_pstate/no_turbo"

static bool read_text(const char *root, const char *path, char *out, size_t capacity)
{
    char full[PATH_LEN];
    size_t len = 0;
    out[0] = '\0';
    const int wanted = snprintf(full, sizeof full, "%s%s", root, path);
    return wanted > 0 && (size_t)wanted < sizeof full &&
           mf_proc_read_text(full, out, capacity, &len) == 0;
}

/* The part of a line up to its end, without blanks around it. */
static bool take_line(const char *text, char *out, size_t capacity)
{
    const char *begin = text + strspn(text, " \t");
    size_t len = strcspn(begin, "\n");
    while (len > 0 && strchr(" \t\r", begin[len - 1]) != NULL) {
        len--;
    }
    snprintf(out, capacity, "%.*s", (int)len, begin);
    return len > 0;
}

bool mf__machine_line(const char *root, const char *path, char *out, size_t capacity)
{
    char text[4096];
    out[0] = '\0';
    return read_text(root, path, text, sizeof text) && take_line(text, out, capacity);
}

bool mf__machine_choice(const char *root, const char *path, char *out, size_t capacity)
{
    char text[MACHINE_TEXT_LEN];
    out[0] = '\0';
    if (!mf__machine_line(root, path, text, sizeof text)) {
        return false;
    }
    const char *open = strchr(text, '[');
    const char *begin = open != NULL ? open + 1 : text;
    snprintf(out, capacity, "%.*s", (int)strcspn(begin, open != NULL ? "]" : " "), begin);
    return out[0] != '\0';
}

bool mf__machine_field(const char *root, const char *path, const char *key, char *out,
                       size_t capacity)
{
    char text[TEXT_LEN];
    const size_t len = strlen(key);
    out[0] = '\0';
    if (!read_text(root, path, text, sizeof text)) {
        return false;
    }
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) == 0 && strchr(":\t ", line[len]) != NULL) {
            const char *value = line + strcspn(line, ":\n");
            return take_line(value + (*value == ':'), out, capacity);
        }
    }
    return false;
}

bool mf__machine_governor(const char *root, char *out, size_t capacity)
{
    return mf__machine_line(root, ONE_CPU "/cpufreq/scaling_governor", out, capacity);
}

static bool on_off(const char *text, const char *on, char *out, size_t capacity)
{
    snprintf(out, capacity, "%s", strcmp(text, on) == 0 ? "on" : "off");
    return true;
}

bool mf__machine_boost(const char *root, char *out, size_t capacity)
{
    char text[MACHINE_TEXT_LEN];
    out[0] = '\0';
    if (mf__machine_line(root, CPU_STATE, text, sizeof text)) {
        return on_off(text, "0", out, capacity);
    }
    return mf__machine_line(root, CPU "/cpufreq/boost", text, sizeof text) &&
           on_off(text, "1", out, capacity);
}

bool mf__machine_smt(const char *root, char *out, size_t capacity)
{
    char text[MACHINE_TEXT_LEN];
    out[0] = '\0';
    return mf__machine_line(root, CPU "/smt/active", text, sizeof text) &&
           on_off(text, "1", out, capacity);
}

/* Off for the machine, or for this process and its children (setarch -R). */
bool mf__machine_aslr(const char *root, char *out, size_t capacity)
{
    char text[MACHINE_TEXT_LEN];
    out[0] = '\0';
    if (!mf__machine_line(root, "/proc/sys/kernel/randomize_va_space", text, sizeof text)) {
        return false;
    }
    bool off = strcmp(text, "0") == 0;
    if (mf__machine_line(root, "/proc/self/personality", text, sizeof text) && strlen(text) >= 5) {
        const char digit = text[strlen(text) - 5]; /* ADDR_NO_RANDOMIZE is 0x0040000 */
        off = off || strchr("4567cdef", digit) != NULL;
    }
    snprintf(out, capacity, "%s", off ? "off" : "on");
    return true;
}

bool mf__machine_caches(const char *root, char *out, size_t capacity)
{
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < CACHES && at < capacity; i++) {
        char path[PATH_LEN];
        char level[16];
        char type[32];
        char size[32];
        snprintf(path, sizeof path, ONE_CPU "/cache/index%d/level", i);
        const bool there = mf__machine_line(root, path, level, sizeof level);
        snprintf(path, sizeof path, ONE_CPU "/cache/index%d/type", i);
        (void)mf__machine_line(root, path, type, sizeof type);
        snprintf(path, sizeof path, ONE_CPU "/cache/index%d/size", i);
        if (there && mf__machine_line(root, path, size, sizeof size)) {
            at += (size_t)snprintf(out + at, capacity - at, "%sL%s%s %s", at > 0 ? ", " : "", level,
                                   type[0] == 'D'   ? "d"
                                   : type[0] == 'I' ? "i"
                                                    : "",
                                   size);
        }
    }
    return at > 0;
}

bool mf__machine_hypervisor(const char *root, char *out, size_t capacity)
{
    char text[4096];
    out[0] = '\0';
    if (!mf__machine_field(root, "/proc/cpuinfo", "flags", text, sizeof text)) {
        return false;
    }
    if (strstr(text, " hypervisor") == NULL) {
        snprintf(out, capacity, "none");
    } else if (!mf__machine_line(root, "/sys/hypervisor/type", out, capacity) &&
               !mf__machine_line(root, "/sys/class/dmi/id/sys_vendor", out, capacity) &&
               !mf__machine_field(root, "/proc/cpuinfo", "Hypervisor vendor", out, capacity)) {
        snprintf(out, capacity, "yes");
    }
    return true;
}

static double number_of(const char *text)
{
    char digits[MF_NUMBER_LEN];
    double value = NAN;
    snprintf(digits, sizeof digits, "%.*s", (int)strcspn(text, " \t"), text);
    return mf_parse_double(digits, &value, NULL) == 0 ? value : NAN;
}

double mf__machine_quota(const char *root)
{
    char group[MACHINE_TEXT_LEN];
    char path[PATH_LEN];
    char text[MACHINE_TEXT_LEN];
    if (!mf__machine_line(root, "/proc/self/cgroup", group, sizeof group)) {
        return NAN;
    }
    const char *below = strstr(group, "::"); /* of version 2 */
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", below != NULL ? below + 2 : "");
    if (!mf__machine_line(root, path, text, sizeof text) || strncmp(text, "max", 3) == 0) {
        return NAN;
    }
    const char *period = strchr(text, ' ');
    return period != NULL ? number_of(text) / number_of(period + 1) : NAN;
}

double mf__machine_memory(const char *root, const char *key)
{
    char text[MACHINE_TEXT_LEN];
    return mf__machine_field(root, "/proc/meminfo", key, text, sizeof text) ? 1024 * number_of(text)
                                                                            : NAN;
}

double mf__machine_limit(const char *root, const char *name)
{
    char text[8192];
    if (!read_text(root, "/proc/self/limits", text, sizeof text)) {
        return NAN;
    }
    const char *line = strstr(text, name);
    if (line == NULL) {
        return NAN;
    }
    line += strlen(name);
    line += strspn(line, " ");
    return strncmp(line, "unlimited", 9) == 0 ? INFINITY : number_of(line);
}

double mf__machine_load(const char *root)
{
    char text[MACHINE_TEXT_LEN];
    return mf__machine_line(root, "/proc/loadavg", text, sizeof text) ? number_of(text) : NAN;
}
