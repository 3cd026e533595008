/* SPDX-License-Identifier: Apache-2.0
 * state_version.c -- the state after a commit, and which one a transaction sees. */
#include "base/fail.h"
#include "state_private.h"

#include <inttypes.h>
#include <string.h>

struct version mf__version_share(struct version *version)
{
    struct version second = *version;
    second.tree = mf__tree_share(&version->tree);
    return second;
}

void mf__version_release(struct version *version)
{
    mf__tree_release(&version->tree);
}

void mf__version_advance(struct version *version, const struct commit *commit, const uint8_t *leaf,
                         size_t leaf_len)
{
    memcpy(version->leaf, leaf, leaf_len);
    version->leaf_len = (uint32_t)leaf_len;
    mf__merkle_hash_leaf(leaf, leaf_len, version->leaf_hash);
    mf__merkle_append(&version->log, version->leaf_hash, NULL, NULL);
    if (commit->log_root != NULL) {
        memcpy(version->log_root, commit->log_root, MF_SHA256_LEN);
    } else {
        mf__merkle_root(&version->log, version->log_root);
    }
    memcpy(version->root, commit->root, MF_SHA256_LEN);
    version->seq = commit->seq;
}

int mf__version_apply(struct version *version, const uint8_t *changes, size_t len)
{
    size_t at = 0;
    for (;;) {
        struct change change;
        int code = mf__change_next(changes, len, &at, &change);
        if (code == 0) {
            return 0;
        }
        if (code < 0 || change.key_len == 0 || change.key_len > MF_STATE_KEY_MAX ||
            change.value_len > MF_STATE_VALUE_MAX || change.kind > MF_STATE_DELETE) {
            return MF_ECORRUPT;
        }
        code = change.kind == MF_STATE_PUT
                   ? mf__tree_put(&version->tree, change.key, change.key_len, change.value,
                                  change.value_len)
                   : mf__tree_delete(&version->tree, change.key, change.key_len);
        if (code < 0) {
            return code;
        }
    }
}

int mf__version_check(struct version *version, struct mf_errinfo *err)
{
    uint8_t root[MF_SHA256_LEN];
    uint8_t log_root[MF_SHA256_LEN];
    mf__tree_root(&version->tree, root);
    mf__merkle_root(&version->log, log_root);
    bool state_good = memcmp(root, version->root, MF_SHA256_LEN) == 0;
    if (!state_good || memcmp(log_root, version->log_root, MF_SHA256_LEN) != 0) {
        return mf_fail(err, MF_ECORRUPT,
                       "the %s recovered up to commit %" PRIu64
                       " has not the root that was committed; restore the store from a copy",
                       state_good ? "log of commits" : "state", version->seq);
    }
    return 0;
}

struct version mf__state_visible(struct mf_state *state)
{
    mf_mutex_lock(&state->visible_lock);
    struct version version = mf__version_share(&state->visible);
    mf_mutex_unlock(&state->visible_lock);
    return version;
}

void mf__state_publish(struct mf_state *state, struct version *version)
{
    mf_mutex_lock(&state->visible_lock);
    struct version old = state->visible;
    state->visible = *version;
    mf_mutex_unlock(&state->visible_lock);
    mf__version_release(&old);
}
