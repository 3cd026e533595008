/* SPDX-License-Identifier: Apache-2.0
 * verb_state_verify.c -- mayfly state verify PROOF */
#include "proof_trust.h"

static int print_verdict(struct cli_context *cli, const struct mf_proof *proof, bool good)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli->json) {
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_json_begin_object(&json);
        mf_json_key_bool(&json, "good", good);
        if (good) {
            proof_json(&json, proof);
        } else {
            mf_json_key_string(&json, "message", cli->err.msg);
        }
        mf_json_end_object(&json);
        mf_json_finish(&json);
    } else if (good) {
        mf_buffer_puts(&out, "proven:\n");
        proof_tell(&out, proof);
    } else {
        cli_note("NOT proven: %s", cli->err.msg);
    }
    const int printed = cli_print(cli, &out);
    return printed < 0 ? printed : good ? 0 : CLI_EXIT_NEGATIVE;
}

static int run(struct cli_context *cli)
{
    struct mf_proof_root trusted;
    struct proof_input input;
    int rc = proof_trusted(cli, &trusted);
    rc = rc == 0 ? proof_read(cli, cli->operands[0], &input) : rc;
    if (rc != 0) {
        return rc;
    }
    rc = mf_proof_check(&input.proof, &trusted, &cli->err);
    rc = rc == 0 || rc == MF_EPROOF ? print_verdict(cli, &input.proof, rc == 0) : rc;
    proof_input_free(&input);
    return rc;
}

const struct cli_verb verb_state_verify = {
    .name = "verify",
    .summary = "Check a proof against a root that one trusts",
    .description =
        "Needs no store. The root is what `mayfly state stat` printed (\"Log root\") when it was "
        "noted down, or a signed note with the key of its signer. A proof is for one root; with a "
        "proof by --since one gets from an older root to a newer one. Exit code 1 when it does "
        "not hold.",
    .options =
        (const struct cli_option[]){
            {.name = "root",
             .letter = 'r',
             .kind = CLI_STRING,
             .metavar = "ROOT",
             .help = "Trust this root: SIZE-HASH"},
            PROOF_NOTE_OPTIONS,
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "FILE", .help = "The proof, '-': from standard input"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly state verify colour.proof --note root.note --key me/settings+8a1d..+Ae..",
             "What it proves, if it does."},
            {.command = NULL},
        },
    .has_json = true,
    .run = run,
};
