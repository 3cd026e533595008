/* SPDX-License-Identifier: Apache-2.0
 * state_store.h -- what the verbs of `mayfly state` share. */
#ifndef CLI_STATE_STORE_H
#define CLI_STATE_STORE_H

#include "cli.h"

#include "base/buffer.h"
#include "fmt/json_write.h"

#include <mayfly/state.h>

/* clang-format off */
#define STATE_STORE_OPERAND {.name = "DIR", .help = "The store"}
#define STATE_HEX_OPTION                                                                           \
    {.name = "hex", .letter = 'x', .kind = CLI_FLAG,                                               \
     .help = "Keys and values are written as hexadecimal digits"}
#define STATE_WAIT_OPTION                                                                          \
    {.name = "wait", .kind = CLI_DURATION, .metavar = "TIME", .default_text = "10s", .min = 0,     \
     .max = INT64_C(86400000000000),                                                               \
     .help = "How long to wait while another process writes to the store"}
/* clang-format on */

/* Opens the store that the first operand names. For writing it waits its turn, as long as --wait
 * says; READ_ONLY and SALVAGE wait for nobody. */
int state_open(struct cli_context *cli, uint32_t flags, struct mf_state **ret_state);
/* Closes it; the first failure counts. */
int state_close(struct cli_context *cli, struct mf_state *state, int rc);

/* The bytes that a word of the command line stands for: its own, or with --hex those of its digits.
 * Freed with mf_buffer_free(). */
int state_bytes(struct cli_context *cli, const char *word, struct mf_buffer *ret_bytes);
/* All of a file, "-": of standard input. MF_ELIMIT beyond `len_max`. */
int state_read_input(struct cli_context *cli, const char *path, size_t len_max,
                     struct mf_buffer *ret_bytes);

/* "name": "text" where the bytes are UTF-8 without NUL, else "name_hex": "digits". */
void state_json_bytes(struct mf_json *json, const char *name, struct mf_state_bytes bytes);
/* Bytes for a line: made harmless, or as digits. */
void state_put_bytes(struct mf_buffer *out, struct mf_state_bytes bytes, bool hex);
void state_json_hash(struct mf_json *json, const char *name, const uint8_t *hash);

/* Commits the changes, with a note where `note` has bytes, and says what became of it: COMMITTED,
 * ABORTED or INDETERMINATE. Returns the exit code. */
int state_commit(struct cli_context *cli, struct mf_state *state,
                 const struct mf_state_change *changes, size_t count, struct mf_state_bytes note);

#endif
