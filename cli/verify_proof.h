/* SPDX-License-Identifier: Apache-2.0
 * verify_proof.h -- mayfly verify --proof. */
#ifndef CLI_VERIFY_PROOF_H
#define CLI_VERIFY_PROOF_H

#include "cli.h"

#include <mayfly/seal.h>

/* Checks the proof and, where there is an operand, holds it against what is proven: the directory
 * of a flight, or a file. `findings` is told what is wrong with a directory. */
int verify_proof(struct cli_context *cli,
                 void (*findings)(void *context, const struct mf_seal_finding *finding),
                 void *context);

#endif
