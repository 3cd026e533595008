/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_environment.c -- see environment.h.
 *
 * The fingerprint is a hash of what makes two runs comparable: the processor, how many of them, the
 * kernel and the compiler. Figures of different fingerprints are shown beside each other, but a
 * difference between them is no verdict.
 */
#include "environment.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LEN 16384

static int add(struct bench_environment *environment, const char *key, const char *value)
{
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

/* The value of "key : value" in /proc/cpuinfo, of the first processor. */
static bool cpu_field(const char *text, const char *key, char *out, size_t capacity)
{
    const size_t len = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) == 0 && (line[len] == '\t' || line[len] == ' ')) {
            const char *value = line + strcspn(line, ":\n");
            value += strspn(value, ": ");
            snprintf(out, capacity, "%.*s", (int)strcspn(value, "\n"), value);
            return true;
        }
    }
    return false;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct bench_pair *)a)->key, ((const struct bench_pair *)b)->key);
}

static int read_machine(struct bench_environment *environment)
{
    char text[TEXT_LEN];
    char value[256];
    size_t len = 0;
    int rc = 0;
    struct mf_host host;
    mf_host_read(&host);
    if (mf_proc_read_text("/proc/cpuinfo", text, sizeof text, &len) == 0 &&
        cpu_field(text, "model name", value, sizeof value)) {
        rc = add(environment, "cpu_model", value);
    }
    if (rc == 0) {
        snprintf(value, sizeof value, "%u", host.cpus);
        rc = add(environment, "cpus", value);
    }
    if (rc == 0) {
        rc = add(environment, "kernel", host.kernel);
    }
    return rc;
}

int mf__environment_read(const struct bench_config *config,
                         struct bench_environment *ret_environment, struct mf_errinfo *err)
{
    struct bench_environment environment = {0};
    int rc = read_machine(&environment);
    if (rc == 0) {
        rc = add(&environment, "compiler", __VERSION__);
    }
    char joined[1024];
    size_t at = 0;
    for (size_t i = 0; i < environment.pair_count && rc == 0 && at < sizeof joined; i++) {
        at += (size_t)snprintf(joined + at, sizeof joined - at, "%s=%s\n", environment.pairs[i].key,
                               environment.pairs[i].value);
    }
    snprintf(environment.fingerprint, sizeof environment.fingerprint, "%016llx",
             (unsigned long long)mf_hash64(joined, at < sizeof joined ? at : sizeof joined - 1));
    for (size_t i = 0; i < config->hardware_count && rc == 0; i++) {
        char key[128];
        snprintf(key, sizeof key, "hardware.%s", config->hardware[i].key);
        rc = add(&environment, key, config->hardware[i].value);
    }
    if (rc < 0) {
        struct bench_run holder = {.environment = environment};
        mf__bench_run_free(&holder);
        return mf_fail_os(err, rc, "cannot read the environment");
    }
    qsort(environment.pairs, environment.pair_count, sizeof *environment.pairs, by_key);
    *ret_environment = environment;
    return 0;
}
