/* SPDX-License-Identifier: Apache-2.0
 * state_tx.h -- a transaction. */
#ifndef STATE_TX_H
#define STATE_TX_H

#include "state_private.h"

/* Keys from `from` up to `to`. */
struct tx_range {
    uint8_t *from; /* with `to` behind it */
    size_t from_len;
    size_t to_len;
    bool to_end;       /* there is no `to` */
    bool to_inclusive; /* `to` was read too */
};

struct mf_state_tx {
    struct mf_state *state;
    bool read_only;
    struct version seen; /* as it began */

    struct mf_buffer changes; /* as in a record; the same of conditions */
    uint64_t change_count;
    uint64_t change_bytes; /* counted as MF_STATE_COMMIT_MAX says */
    struct mf_buffer expectations;
    uint8_t note[MF_STATE_NOTE_MAX];
    size_t note_len;

    struct mf_tree view; /* with its own changes, so far as `viewed` says */
    size_t viewed;       /* bytes of `changes` */

    struct mf_buffer reads; /* keys that were asked for, as changes of kind EXPECT_ABSENT */
    struct tx_range *ranges;
    size_t range_count;
    size_t range_capacity;
    bool incomplete; /* a read could not be noted: memory was out */
};

#endif
