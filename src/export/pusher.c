/* SPDX-License-Identifier: Apache-2.0
 * pusher.c -- a peer and its configuration. */
#include "pusher.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/clock.h"

#include <errno.h>
#include <string.h>

#define BATCH_SAMPLES     2000
#define BATCH_SAMPLES_MAX 1000000
#define ATTEMPTS          5
#define TIMEOUT_NS        (30 * MF_NS_PER_SECOND)
#define BACKOFF_NS        (200 * MF_NS_PER_MS)
#define BACKOFF_NS_MAX    (30 * MF_NS_PER_SECOND)

static int wrong(struct mf_errinfo *err, const char *sentence)
{
    return mf_fail(err, MF_EVALUE, "remote write: %s", sentence);
}

static bool label_name_valid(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return name != NULL && name[0] != '\0' && strchr(first, name[0]) != NULL &&
           strncmp(name, "__", 2) != 0 &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] ==
               '\0';
}

static int check(const struct mf_push_config *config, struct mf_errinfo *err)
{
    if (config->size != sizeof *config) {
        return wrong(err, "the size of the configuration is not the one of this library");
    }
    if (config->url == NULL) {
        return wrong(err, "no URL is given");
    }
    if (config->protocol > MF_PUSH_V2) {
        return wrong(err, "the protocol is none of auto, 1.0 and 2.0");
    }
    if (config->bearer_token != NULL && (config->user != NULL || config->password != NULL)) {
        return wrong(err, "give a bearer token or user and password, not both");
    }
    if ((config->user == NULL) != (config->password == NULL)) {
        return wrong(err, "user and password belong together");
    }
    if (config->bearer_token != NULL && strpbrk(config->bearer_token, "\r\n") != NULL) {
        return wrong(err, "the bearer token has a line end in it");
    }
    if (config->buckets_per_octave > MF_EXPORT_BUCKETS_PER_OCTAVE_MAX ||
        config->buckets_per_octave == 3) {
        return wrong(err, "buckets per octave are 1, 2 or 4");
    }
    if (config->batch_samples_max > BATCH_SAMPLES_MAX) {
        return wrong(err, "a batch has at most 1000000 samples");
    }
    if (config->timeout_ns < 0 || config->backoff_ns < 0 || config->backoff_ns_max < 0) {
        return wrong(err, "a time is negative");
    }
    for (size_t i = 0; i < config->label_count; i++) {
        const struct mf_label *label = &config->labels[i];
        if (!label_name_valid(label->name) || label->value == NULL || label->value[0] == '\0') {
            return mf_fail(err, MF_EVALUE,
                           "remote write: label `%s` is not [a-zA-Z_][a-zA-Z0-9_]* with a value",
                           label->name != NULL ? label->name : "");
        }
    }
    if (config->store_label != NULL && !label_name_valid(config->store_label)) {
        return mf_fail(err, MF_EVALUE, "remote write: label `%s` is not [a-zA-Z_][a-zA-Z0-9_]*",
                       config->store_label);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(config->reserved); i++) {
        if (config->reserved[i] != 0) {
            return wrong(err, "a reserved member of the configuration is not zero");
        }
    }
    return 0;
}

static const char *keep(struct mf_pusher *pusher, const char *text, bool *ok)
{
    if (text == NULL) {
        return NULL;
    }
    char *copy = mf_strdup(text);
    *ok = *ok && copy != NULL;
    if (copy != NULL) {
        pusher->strings[pusher->string_count++] = copy;
    }
    return copy;
}

static void copy_labels(struct mf_pusher *pusher, const struct mf_push_config *from, bool *ok)
{
    /* One more, for the name of the store. */
    pusher->config.label_count = 0;
    pusher->labels = mf_calloc(from->label_count + 1, sizeof *pusher->labels);
    for (size_t i = 0; pusher->labels != NULL && i < from->label_count; i++) {
        pusher->labels[i].name = mf_strdup(from->labels[i].name);
        pusher->labels[i].value = mf_strdup(from->labels[i].value);
        *ok = *ok && pusher->labels[i].name != NULL && pusher->labels[i].value != NULL;
        pusher->config.label_count++;
    }
    pusher->config.labels = pusher->labels;
    *ok = *ok && pusher->labels != NULL;
}

/* The same peer and labels give the same cursor files, whatever else differs. */
static uint64_t identity_of(const struct mf_push_config *config, bool *ok)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    mf_buffer_append(&text, config->url, strlen(config->url) + 1);
    for (size_t i = 0; i < config->label_count; i++) {
        mf_buffer_append(&text, config->labels[i].name, strlen(config->labels[i].name) + 1);
        mf_buffer_append(&text, config->labels[i].value, strlen(config->labels[i].value) + 1);
    }
    if (config->store_label != NULL) {
        mf_buffer_puts(&text, config->store_label);
    }
    const uint64_t identity = text.failed ? 0 : mf_hash64(text.data, text.len);
    *ok = *ok && !text.failed;
    mf_buffer_free(&text);
    return identity;
}

static void fill_defaults(struct mf_push_config *config)
{
    config->buckets_per_octave = config->buckets_per_octave != 0 ? config->buckets_per_octave : 1;
    config->batch_samples_max =
        config->batch_samples_max != 0 ? config->batch_samples_max : BATCH_SAMPLES;
    config->attempts_max = config->attempts_max != 0 ? config->attempts_max : ATTEMPTS;
    config->timeout_ns = config->timeout_ns != 0 ? config->timeout_ns : TIMEOUT_NS;
    config->backoff_ns = config->backoff_ns != 0 ? config->backoff_ns : BACKOFF_NS;
    config->backoff_ns_max = config->backoff_ns_max != 0 ? config->backoff_ns_max : BACKOFF_NS_MAX;
}

int mf_pusher_new(const struct mf_push_config *config, struct mf_pusher **ret_pusher,
                  struct mf_errinfo *err)
{
    int rc = check(config, err);
    if (rc != 0) {
        return rc;
    }
    struct mf_pusher *pusher = mf_calloc(1, sizeof *pusher);
    if (pusher == NULL) {
        return mf_fail_os(err, -ENOMEM, "remote write");
    }
    bool ok = true;
    pusher->config = *config;
    pusher->config.url = keep(pusher, config->url, &ok);
    pusher->config.selector = keep(pusher, config->selector, &ok);
    pusher->config.bearer_token = keep(pusher, config->bearer_token, &ok);
    pusher->config.user = keep(pusher, config->user, &ok);
    pusher->config.password = keep(pusher, config->password, &ok);
    pusher->config.ca_file = keep(pusher, config->ca_file, &ok);
    pusher->config.cursor_directory = keep(pusher, config->cursor_directory, &ok);
    pusher->config.store_label = keep(pusher, config->store_label, &ok);
    copy_labels(pusher, config, &ok);
    pusher->identity = identity_of(config, &ok);
    fill_defaults(&pusher->config);
    pusher->fs = config->env != NULL ? config->env->fs : NULL;
    pusher->batch_samples_max = pusher->config.batch_samples_max;
    rc = ok ? mf__peer_new(&pusher->config, &pusher->peer, err)
            : mf_fail_os(err, -ENOMEM, "remote write");
    if (rc != 0) {
        mf_pusher_free(pusher);
        return rc;
    }
    *ret_pusher = pusher;
    return 0;
}

void mf_pusher_free(struct mf_pusher *pusher)
{
    if (pusher == NULL) {
        return;
    }
    mf__peer_free(pusher->peer);
    for (size_t i = 0; i < pusher->string_count; i++) {
        explicit_bzero(pusher->strings[i], strlen(pusher->strings[i])); /* some are secrets */
        mf_free(pusher->strings[i]);
    }
    for (size_t i = 0; pusher->labels != NULL && i < pusher->config.label_count; i++) {
        mf_free((void *)(uintptr_t)pusher->labels[i].name);
        mf_free((void *)(uintptr_t)pusher->labels[i].value);
    }
    mf_free(pusher->labels);
    mf__wire_batch_free(&pusher->batch);
    mf_buffer_free(&pusher->message);
    mf__push_ended_free(pusher);
    mf_free(pusher);
}

int mf_pusher_push(struct mf_pusher *pusher, const char *path, struct mf_push_report *report,
                   struct mf_errinfo *err)
{
    struct mf_push_report ignored = {0};
    bool finished;
    return mf__push_store(pusher, path, report != NULL ? report : &ignored, &finished, err);
}

int mf_export_push(const char *path, const struct mf_push_config *config,
                   struct mf_push_report *report, struct mf_errinfo *err)
{
    struct mf_pusher *pusher;
    int rc = mf_pusher_new(config, &pusher, err);
    if (rc == 0) {
        rc = mf_pusher_push(pusher, path, report, err);
        mf_pusher_free(pusher);
    }
    return rc;
}
