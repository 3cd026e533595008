/* SPDX-License-Identifier: Apache-2.0
 * fuzz_state_batch.c -- the lines of `mayfly state commit`: whatever is taken keeps the limits. */
#include "state_batch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct state_batch batch;
    struct mf_errinfo err = {0};
    if (state_batch_parse((const char *)data, size, &batch, &err) < 0) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < batch.count; i++) {
        const struct mf_state_change *change = &batch.changes[i];
        const bool has_value = change->kind == MF_STATE_PUT || change->kind == MF_STATE_EXPECT;
        if (change->key.len == 0 || change->key.len > MF_STATE_KEY_MAX ||
            change->value.len > MF_STATE_VALUE_MAX || (has_value && change->value.bytes == NULL)) {
            abort();
        }
    }
    if (batch.note.len > MF_STATE_NOTE_MAX) {
        abort();
    }
    state_batch_free(&batch);
    return 0;
}
