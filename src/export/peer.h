/* SPDX-License-Identifier: Apache-2.0
 *
 * peer.h -- one remote write endpoint: a connection, how a request is put, and what its answers
 * mean. The only file that knows libcurl and snappy is peer.c.
 *
 *   answer                                       verdict
 *   2xx (2.0: with Samples-Written = sent)       STORED
 *   2xx to 2.0, header missing or short          NOT_STORED: the peer did not understand the
 * message 415                                          NOT_STORED to 2.0, FAILED to 1.0 400, 409,
 * 422                                REFUSED: something in it; all or (header) a part 413 TOO_LARGE
 *   429, 5xx, no connection, no answer           asked again after a wait; in the end FAILED
 *   everything else                              FAILED: asking again would not help
 */
#ifndef EXPORT_PEER_H
#define EXPORT_PEER_H

#include "base/buffer.h"
#include <mayfly/export.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;

enum peer_verdict { PEER_STORED, PEER_NOT_STORED, PEER_REFUSED, PEER_TOO_LARGE };

struct peer_answer {
    enum peer_verdict verdict;
    bool counted;     /* the peer said how many samples it stored */
    uint64_t written; /* that number */
    char text[200];   /* the peer's own words, one line */
};

/* The config is complete (no zeros for defaults) and outlives the peer. */
int mf__peer_new(const struct mf_push_config *config, struct peer **ret_peer,
                 struct mf_errinfo *err);
void mf__peer_free(struct peer *peer); /* NULL is allowed */

/* Sends a message of `samples` samples as version 1 or 2, until there is a verdict. MF_EREMOTE when
 * there is none (FAILED above), -ECANCELED, -ENOMEM. Adds to requests, retries and body_bytes. */
int mf__peer_send(struct peer *peer, unsigned version, const struct mf_buffer *message,
                  size_t samples, struct peer_answer *ret_answer, struct mf_push_report *report,
                  struct mf_errinfo *err);

/* The URL without its query, for messages. */
const char *mf__peer_name(const struct peer *peer);

#endif
