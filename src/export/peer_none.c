/* SPDX-License-Identifier: Apache-2.0
 * peer_none.c -- in place of peer.c in a build without libcurl or snappy. */
#include "peer.h"

#include "base/fail.h"

int mf__peer_new(const struct mf_push_config *config, struct peer **ret_peer,
                 struct mf_errinfo *err)
{
    (void)config, (void)ret_peer;
    return mf_fail(
        err, MF_EUNSUPPORTED,
        "remote write is not in this build: it was configured without libcurl or snappy");
}

void mf__peer_free(struct peer *peer)
{
    (void)peer;
}

int mf__peer_send(struct peer *peer, unsigned version, const struct mf_buffer *message,
                  size_t samples, struct peer_answer *ret_answer, struct mf_push_report *report,
                  struct mf_errinfo *err)
{
    (void)peer, (void)version, (void)message, (void)samples, (void)ret_answer, (void)report;
    return mf_fail(err, MF_EUNSUPPORTED, "remote write is not in this build");
}

const char *mf__peer_name(const struct peer *peer)
{
    (void)peer;
    return "";
}
