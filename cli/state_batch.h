/* SPDX-License-Identifier: Apache-2.0
 * state_batch.h -- the changes of one commit as JSON lines:
 *
 *     {"op": "put", "key": "answer", "value": "42"}
 *     {"op": "delete", "key_hex": "00ff"}
 *     {"op": "expect", "key": "answer", "value": "41"}
 *     {"op": "absent", "key": "question"}
 *     {"op": "note", "note": "why"}
 *
 * "..._hex" has hexadecimal digits in place of text. Empty lines are passed over. */
#ifndef CLI_STATE_BATCH_H
#define CLI_STATE_BATCH_H

#include <mayfly/error.h>
#include <mayfly/state.h>
#include <stddef.h>

#define STATE_BATCH_LINE_MAX    (40u << 20)  /* bytes: the longest value in digits */
#define STATE_BATCH_LEN_MAX     (160u << 20) /* bytes: the largest commit in digits */
#define STATE_BATCH_CHANGES_MAX 4000000u     /* as many as a commit has room for */

struct state_batch {
    struct mf_state_change *changes;
    size_t count;
    struct mf_state_bytes note; /* none: no bytes */
    void **owned;               /* the memory of keys, values and the note */
    size_t owned_count;
};

/* Takes the lines apart. MF_ESYNTAX, MF_EVALUE (a length beyond the limits of a state) and
 * MF_ELIMIT with the number of the line; -ENOMEM. */
int state_batch_parse(const char *text, size_t len, struct state_batch *ret_batch,
                      struct mf_errinfo *err);
void state_batch_free(struct state_batch *batch); /* frees and empties */

#endif
