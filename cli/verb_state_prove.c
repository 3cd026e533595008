/* SPDX-License-Identifier: Apache-2.0
 * verb_state_prove.c -- mayfly state prove DIR [KEY] */
#include "document.h"
#include "proof_trust.h"
#include "state_store.h"

#include <string.h>

static int prove_key(struct cli_context *cli, struct mf_state *state, struct mf_proof_file *file)
{
    struct mf_buffer key = MF_BUFFER_INIT;
    int rc = state_bytes(cli, cli->operands[1], &key);
    rc = rc == 0 ? mf_proof_of_key(state, key.data, key.len, NULL, file, &cli->err) : rc;
    mf_buffer_free(&key);
    return rc;
}

/* The note goes where a proof would; the line for those who check, to standard error. */
static int sign(struct cli_context *cli, struct mf_state *state)
{
    const char *path = cli_string(cli, "sign");
    char verifier[MF_PROOF_VERIFIER_LEN];
    char note[MF_PROOF_NOTE_MAX];
    struct mf_proof_root root;
    struct mf_proof_signer *signer = NULL;
    struct mf_buffer document = MF_BUFFER_INIT;
    int rc = mf_proof_root_of(state, MF_PROOF_NEWEST, &root, &cli->err);
    if (rc == 0 && cli_flag(cli, "new-key")) {
        rc = mf_proof_signer_create(path, NULL, &cli->err);
    }
    rc = rc == 0 ? mf_proof_signer_open(path, cli_string(cli, "name"), NULL, &signer, &cli->err)
                 : rc;
    if (rc == 0) {
        rc = mf_proof_note_sign(signer, &root, note, sizeof note, &cli->err);
        mf_proof_signer_verifier(signer, verifier);
        mf_proof_signer_free(signer);
    }
    if (rc < 0) {
        return rc;
    }
    cli_note("to be checked with --key %s", verifier);
    mf_buffer_append(&document, note, (size_t)rc);
    return cli_document_write(cli, cli_string(cli, "output"), &document);
}

static int prove(struct cli_context *cli, struct mf_state *state)
{
    struct mf_proof_file file = {.bytes = NULL};
    int rc = 0;
    if (cli_string(cli, "sign") != NULL) {
        return sign(cli, state);
    }
    if (cli_string(cli, "commit") != NULL) {
        rc = mf_proof_of_commit(state, (uint64_t)cli_int(cli, "commit"), MF_PROOF_NEWEST, &file,
                                &cli->err);
    } else if (cli_string(cli, "since") != NULL) {
        rc = mf_proof_of_extension(state, (uint64_t)cli_int(cli, "since"), MF_PROOF_NEWEST, &file,
                                   &cli->err);
    } else {
        rc = prove_key(cli, state, &file);
    }
    return rc == 0 ? proof_write(cli, cli_string(cli, "output"), &file) : rc;
}

static int run(struct cli_context *cli)
{
    const int wanted = (cli->operand_count > 1) + (cli_string(cli, "commit") != NULL) +
                       (cli_string(cli, "since") != NULL) + (cli_string(cli, "sign") != NULL);
    struct mf_state *state = NULL;
    if (wanted != 1) {
        return cli_usage(cli, "what is to be proven: KEY, --commit N or --since N; or --sign FILE");
    }
    if ((cli_string(cli, "sign") != NULL) != (cli_string(cli, "name") != NULL) ||
        (cli_flag(cli, "new-key") && cli_string(cli, "sign") == NULL)) {
        return cli_usage(cli, "--sign FILE needs --name NAME, and --name and --new-key go with it");
    }
    int rc = state_open(cli, MF_STATE_READ_ONLY, &state);
    if (rc == 0) {
        rc = prove(cli, state);
        rc = state_close(cli, state, rc);
    }
    return rc;
}

const struct cli_verb verb_state_prove = {
    .name = "prove",
    .summary = "Write a proof of what a store holds, or sign its root",
    .description =
        "A proof is a small file that anybody can check without the store, by `mayfly state "
        "verify` and a root that he trusts: that a key has its value, or is absent; that a commit "
        "is in the history; that the history goes on from an earlier root. With --sign the root "
        "itself is written, as a note signed with Ed25519.",
    .options =
        (const struct cli_option[]){
            {.name = "output",
             .letter = 'o',
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "Write it to FILE (default: standard output)"},
            {.name = "commit",
             .kind = CLI_INT,
             .metavar = "N",
             .min = 1,
             .max = INT64_MAX,
             .help = "Prove that commit N is in the history, and what it was"},
            {.name = "since",
             .kind = CLI_INT,
             .metavar = "N",
             .min = 0,
             .max = INT64_MAX,
             .help = "Prove that the history of the first N commits was only added to"},
            {.name = "sign",
             .kind = CLI_FILE,
             .metavar = "FILE",
             .help = "Sign the root with the key in FILE (PEM)"},
            {.name = "new-key", .kind = CLI_FLAG, .help = "Make that key first"},
            {.name = "name",
             .kind = CLI_STRING,
             .metavar = "NAME",
             .help = "Whose history it is, in the note: \"example.org/ledger\""},
            STATE_HEX_OPTION,
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            STATE_STORE_OPERAND,
            {.name = "KEY", .optional = true, .help = "The key"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly state prove settings colour -o colour.proof", "That the key has its value."},
            {"mayfly state prove settings --since 120 -o longer.proof",
             "That nothing in the first 120 commits was changed."},
            {"mayfly state prove settings --sign key.pem --name me/settings -o root.note",
             "The root of today, signed."},
            {.command = NULL},
        },
    .run = run,
};
