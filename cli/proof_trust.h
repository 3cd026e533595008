/* SPDX-License-Identifier: Apache-2.0
 * proof_trust.h -- proofs on the command line: read, held against a root that the user trusts, and
 * told in words. */
#ifndef CLI_PROOF_TRUST_H
#define CLI_PROOF_TRUST_H

#include "cli.h"

#include "base/buffer.h"
#include "fmt/json_write.h"

#include <mayfly/proof.h>

/* clang-format off */
#define PROOF_NOTE_OPTIONS                                                                         \
    {.name = "note", .kind = CLI_FILE, .metavar = "FILE",                                          \
     .help = "Trust the root that this note has, signed by the holder of --key"},                  \
    {.name = "key", .kind = CLI_STRING, .metavar = "KEY",                                          \
     .help = "The line of the signer: NAME+HASH+PUBLIC KEY"}
/* clang-format on */

/* The root of --root ("SIZE-HASH"), or of --note and --key. A command line that has neither or both
 * is CLI_EXIT_USAGE; a note that is not signed by that key is CLI_EXIT_NEGATIVE. */
int proof_trusted(struct cli_context *cli, struct mf_proof_root *ret_root);

struct proof_input {
    struct mf_buffer bytes;
    struct mf_proof proof; /* goes into the bytes */
};
/* "-": from standard input. */
int proof_read(struct cli_context *cli, const char *path, struct proof_input *ret_input);
void proof_input_free(struct proof_input *input);

/* Writes a proof to the file, "-" or NULL: to standard output, and frees it. */
int proof_write(struct cli_context *cli, const char *path, struct mf_proof_file *file);

/* What it proves, in words of one line each, or as members of an object that is open. */
void proof_tell(struct mf_buffer *out, const struct mf_proof *proof);
void proof_json(struct mf_json *json, const struct mf_proof *proof);

#endif
