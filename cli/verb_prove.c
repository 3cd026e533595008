/* SPDX-License-Identifier: Apache-2.0
 * verb_prove.c -- mayfly prove FLIGHT [FILE] */
#include "flight_operand.h"
#include "flight_seal.h"
#include "proof_trust.h"
#include "verbs.h"

static int run(struct cli_context *cli)
{
    struct mf_proof_file file = {.bytes = NULL};
    char root[MF_PROOF_ROOT_TEXT_LEN];
    char *home = NULL;
    char *dir = NULL;
    int rc = mf_flight_home(NULL, &home, &cli->err);
    rc = rc == 0 ? cli_flight_find(cli, cli->operands[0], &dir) : rc;
    if (rc == 0) {
        rc = mf_flight_prove(home, dir, cli->operand_count > 1 ? cli->operands[1] : NULL, &file,
                             &cli->err);
    }
    if (rc == 0) {
        mf_proof_root_text(&file.root, root);
        cli_note("to be checked with --root %s", root);
        rc = proof_write(cli, cli_string(cli, "output"), &file);
    }
    mf_flight_free_text(home);
    mf_flight_free_text(dir);
    return rc;
}

const struct cli_verb verb_prove = {
    .name = "prove",
    .section = "Flights",
    .summary = "Write a proof of a sealed flight, or of one of its files",
    .description =
        "The proof is a small file. `mayfly verify --proof` checks it on another machine, without "
        "the ledger: against a root of the ledger that somebody has noted down or signed (`mayfly "
        "state stat`, `mayfly state prove --sign`). It shows the record of the flight (name, "
        "outcome, times, root over its files) or besides the size and SHA-256 of one file, or that "
        "the flight has no such file.",
    .options =
        (const struct cli_option[]){
            {.name = "output",
             .letter = 'o',
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "Write it to FILE (default: standard output)"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FLIGHT", .help = CLI_FLIGHT_HELP},
            {.name = "PATH", .optional = true, .help = "A file of it, below its directory"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly prove nightly -o nightly.proof", "That this flight was sealed, and as what."},
            {"mayfly prove nightly output.log -o output.proof", "What its output was."},
            {.command = NULL},
        },
    .run = run,
};
