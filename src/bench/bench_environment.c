/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_environment.c -- see environment.h.
 *
 * The fingerprint is a hash of what makes two runs comparable: processor and its microcode, how
 * many of them and how they are clocked, kernel, compiler and C library. Figures of different
 * fingerprints are shown beside each other, but a difference between them is advisory: no verdict
 * that a gate acts on. What changes from run to run on the same machine (load, free memory, the
 * command line) is recorded, and no part of it.
 */
#include "environment.h"
#include "machine.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/file.h"
#include "os/proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS_LEN 8192

static const char *const counting[] = {
    "aslr",      "boost",     "caches", "clocksource", "compiler",   "compiler_flags",
    "cpu_flags", "cpu_model", "cpus",   "governor",    "hypervisor", "kernel",
    "libc",      "microcode", "smt",    "thp",
};

bool mf__environment_counts(const char *key)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(counting); i++) {
        if (strcmp(counting[i], key) == 0) {
            return true;
        }
    }
    return false;
}

const char *mf__environment_get(const struct bench_environment *environment, const char *key)
{
    for (size_t i = 0; i < environment->pair_count; i++) {
        if (strcmp(environment->pairs[i].key, key) == 0) {
            return environment->pairs[i].value;
        }
    }
    return NULL;
}

static int add(struct bench_environment *environment, const char *key, const char *value)
{
    if (value[0] == '\0') {
        return 0;
    }
    struct bench_pair *grown =
        mf_realloc(environment->pairs, (environment->pair_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return -ENOMEM;
    }
    environment->pairs = grown;
    struct bench_pair *pair = &environment->pairs[environment->pair_count++];
    pair->key = mf_strdup(key);
    pair->value = mf_strdup(value);
    return pair->key != NULL && pair->value != NULL ? 0 : -ENOMEM;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct bench_pair *)a)->key, ((const struct bench_pair *)b)->key);
}

/* What a file, or a line of one, says as it is. */
static int add_files(const char *root, struct bench_environment *environment)
{
    static const struct {
        const char *key;
        bool (*read)(const char *root, const char *path, char *out, size_t capacity);
        const char *path;
    } files[] = {
        {"clocksource", mf__machine_line,
         "/sys/devices/system/clocksource/clocksource0/current_clocksource"},
        {"load_average", mf__machine_line, "/proc/loadavg"},
        {"perf_event_paranoid", mf__machine_line, "/proc/sys/kernel/perf_event_paranoid"},
        {"thp", mf__machine_choice, "/sys/kernel/mm/transparent_hugepage/enabled"},
    };
    static const struct {
        const char *key;
        bool (*read)(const char *root, char *out, size_t capacity);
    } facts[] = {
        {"aslr", mf__machine_aslr},     {"boost", mf__machine_boost},
        {"caches", mf__machine_caches}, {"governor", mf__machine_governor},
        {"smt", mf__machine_smt},       {"hypervisor", mf__machine_hypervisor},
    };
    static const struct {
        const char *key;
        const char *path;
        const char *field;
    } fields[] = {
        {"cpu_model", "/proc/cpuinfo", "model name"},
        {"microcode", "/proc/cpuinfo", "microcode"},
        {"memory", "/proc/meminfo", "MemTotal"},
        {"memory_available", "/proc/meminfo", "MemAvailable"},
        {"swap", "/proc/meminfo", "SwapTotal"},
    };
    char value[MACHINE_TEXT_LEN];
    int rc = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(files) && rc == 0; i++) {
        (void)files[i].read(root, files[i].path, value, sizeof value);
        rc = add(environment, files[i].key, value);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(facts) && rc == 0; i++) {
        (void)facts[i].read(root, value, sizeof value);
        rc = add(environment, facts[i].key, value);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(fields) && rc == 0; i++) {
        (void)mf__machine_field(root, fields[i].path, fields[i].field, value, sizeof value);
        rc = add(environment, fields[i].key, value);
    }
    return rc;
}

/* The flags of the processor are many; that they are the same is what counts. */
static int add_flags(const char *root, struct bench_environment *environment)
{
    char flags[FLAGS_LEN];
    char value[32];
    if (!mf__machine_field(root, "/proc/cpuinfo", "flags", flags, sizeof flags) &&
        !mf__machine_field(root, "/proc/cpuinfo", "Features", flags, sizeof flags)) {
        return 0;
    }
    snprintf(value, sizeof value, "%016llx", (unsigned long long)mf_hash64(flags, strlen(flags)));
    return add(environment, "cpu_flags", value);
}

static int add_build(struct bench_environment *environment)
{
#if defined(__clang__)
    int rc = add(environment, "compiler", "clang " __clang_version__);
#else
    int rc = add(environment, "compiler", "gcc " __VERSION__);
#endif
    if (rc == 0) {
        rc = add(environment, "compiler_flags", MAYFLY_BENCH_FLAGS);
    }
#ifdef __GLIBC__
    char libc[32];
    snprintf(libc, sizeof libc, "glibc %d.%d", __GLIBC__, __GLIBC_MINOR__);
    if (rc == 0) {
        rc = add(environment, "libc", libc);
    }
#endif
    return rc;
}

/* What only the running system knows. */
static int add_system(const struct bench_config *config, struct bench_environment *environment)
{
    char value[4096];
    size_t len = 0;
    struct mf_host host;
    mf_host_read(&host);
    snprintf(value, sizeof value, "%u", host.cpus);
    int rc = add(environment, "cpus", value);
    if (rc == 0) {
        rc = add(environment, "kernel", host.kernel);
    }
    if (rc == 0 && mf_proc_read_text("/proc/self/cmdline", value, sizeof value, &len) == 0) {
        for (size_t i = 0; i + 1 < len; i++) {
            value[i] = value[i] == '\0' ? ' ' : value[i];
        }
        rc = add(environment, "command_line", value);
    }
    const char *target = mf__config_text(config, BENCH_KEY_target_dir);
    if (rc == 0 && target != NULL && mf_fs_type(target, value, sizeof value) == 0) {
        rc = add(environment, "target_file_system", value);
    }
    return rc;
}

static int add_hardware(const struct bench_config *config, struct bench_environment *environment)
{
    int rc = 0;
    for (size_t i = 0; i < config->hardware_count && rc == 0; i++) {
        char key[128];
        snprintf(key, sizeof key, "hardware.%s", config->hardware[i].key);
        rc = add(environment, key, config->hardware[i].value);
    }
    return rc;
}

static int make_fingerprint(struct bench_environment *environment)
{
    char *joined = mf_strdup("");
    for (size_t i = 0; i < environment->pair_count && joined != NULL; i++) {
        const struct bench_pair *pair = &environment->pairs[i];
        if (mf__environment_counts(pair->key)) {
            char *longer = mf_asprintf("%s%s=%s\n", joined, pair->key, pair->value);
            mf_free(joined);
            joined = longer;
        }
    }
    if (joined == NULL) {
        return -ENOMEM;
    }
    snprintf(environment->fingerprint, sizeof environment->fingerprint, "%016llx",
             (unsigned long long)mf_hash64(joined, strlen(joined)));
    mf_free(joined);
    return 0;
}

static int read_all(const char *root, bool system, const struct bench_config *config,
                    struct bench_environment *ret_environment, struct mf_errinfo *err)
{
    struct bench_environment environment = {0};
    int rc = add_files(root, &environment);
    if (rc == 0) {
        rc = add_flags(root, &environment);
    }
    if (rc == 0) {
        rc = add_build(&environment);
    }
    if (rc == 0 && system) {
        rc = add_system(config, &environment);
    }
    if (rc == 0) {
        rc = add_hardware(config, &environment);
    }
    if (rc == 0) {
        qsort(environment.pairs, environment.pair_count, sizeof *environment.pairs, by_key);
        rc = make_fingerprint(&environment);
    }
    if (rc < 0) {
        struct bench_run holder = {.environment = environment};
        mf__bench_run_free(&holder);
        return mf_fail_os(err, rc, "cannot read the environment");
    }
    *ret_environment = environment;
    return 0;
}

int mf__environment_read(const struct bench_config *config,
                         struct bench_environment *ret_environment, struct mf_errinfo *err)
{
    return read_all("", true, config, ret_environment, err);
}

int mf__environment_read_root(const char *root, const struct bench_config *config,
                              struct bench_environment *ret_environment, struct mf_errinfo *err)
{
    return read_all(root, false, config, ret_environment, err);
}
