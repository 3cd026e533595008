/* SPDX-License-Identifier: Apache-2.0
 * pusher.h -- a peer with its configuration, as the parts of the module see it. */
#ifndef EXPORT_PUSHER_H
#define EXPORT_PUSHER_H

#include "peer.h"
#include "wire.h"

#include "os/file.h"
#include <mayfly/export.h>

struct mf_pusher {
    struct mf_push_config config; /* complete: defaults filled in, strings are copies */
    char *strings[9];             /* what the copies are in */
    size_t string_count;
    struct mf_label *labels; /* config.labels, and room for the label of the store */
    uint64_t identity;       /* hash of the URL and the labels: names the cursor files */
    const struct mf_fs *fs;
    struct peer *peer;
    bool v1_only;             /* found out, or read in a cursor */
    size_t batch_samples_max; /* less than configured when the peer found a message too large */
    struct wire_batch batch;
    struct mf_buffer message;
    struct ended *ended; /* push_all.c: stores that need no look until they change */
    size_t ended_count;
    size_t ended_capacity;
};

/* Sends the samples of the pusher's batch until each is stored or refused. MF_EREMOTE when the peer
 * gives no verdict; some may be stored by then. */
int mf__push_batch(struct mf_pusher *pusher, struct mf_push_report *report, struct mf_errinfo *err);

/* mf_pusher_push(); *ret_finished: the store has ended, and all of it was sent. */
int mf__push_store(struct mf_pusher *pusher, const char *path, struct mf_push_report *report,
                   bool *ret_finished, struct mf_errinfo *err);

void mf__push_ended_free(struct mf_pusher *pusher);

#endif
