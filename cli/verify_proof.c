/* SPDX-License-Identifier: Apache-2.0
 * verify_proof.c -- see verify_proof.h. */
#include "verify_proof.h"
#include "flight_operand.h"
#include "flight_seal.h"
#include "proof_trust.h"

#include "fmt/terminal.h"
#include "fmt/units.h"

#include <string.h>

/* Whether what the operand names is what was proven; true without an operand. */
static int hold_against(struct cli_context *cli, const struct mf_seal_evidence *evidence,
                        void (*findings)(void *context, const struct mf_seal_finding *finding),
                        void *context, bool *ret_same)
{
    const char *path = cli->operand_count > 0 ? cli->operands[0] : NULL;
    const struct mf_seal_trust trust = {.root = evidence->record.root};
    struct mf_seal_check check;
    *ret_same = true;
    if (path == NULL) {
        return 0;
    }
    if (evidence->path != NULL) {
        return mf_flight_evidence_check_file(evidence, path, ret_same, &cli->err);
    }
    const int rc = mf_flight_verify(path, &trust, findings, context, &check, &cli->err);
    *ret_same = rc == 0 && evidence->sealed && check.findings == 0;
    return rc;
}

static void tell_record(struct mf_buffer *out, const struct mf_seal_record *record)
{
    char time[CLI_TIME_LEN];
    char size[MF_UNITS_LEN];
    char duration[MF_UNITS_LEN];
    char hash[CLI_HASH_TEXT_LEN];
    mf_buffer_puts(out, "proven: the flight ");
    mf_terminal_escape(out, record->id, strlen(record->id));
    mf_buffer_puts(out, " (");
    mf_terminal_escape(out, record->name, strlen(record->name));
    mf_buffer_puts(out, ": ");
    mf_terminal_escape(out, record->outcome, strlen(record->outcome));
    mf_buffer_printf(out, ", exit code %lld, after %s) was sealed %s", (long long)record->exit_code,
                     mf_format_duration(duration, record->duration_ns),
                     cli_local_time(time, record->sealed_wall_ns));
    mf_buffer_printf(out, " with %llu files, %s, root %s\n", (unsigned long long)record->files,
                     mf_format_size(size, record->bytes), cli_hash_text(record->root, hash));
}

static void tell(struct mf_buffer *out, const struct mf_seal_evidence *evidence)
{
    char hash[CLI_HASH_TEXT_LEN];
    if (!evidence->sealed) {
        mf_buffer_puts(out, "proven: the ledger has no record of the flight ");
        mf_terminal_escape(out, evidence->record.id, strlen(evidence->record.id));
        mf_buffer_putc(out, '\n');
        return;
    }
    tell_record(out, &evidence->record);
    if (evidence->path != NULL) {
        mf_buffer_puts(out, evidence->has_file ? "proven: its file " : "proven: it has no file ");
        mf_terminal_escape(out, evidence->path, strlen(evidence->path));
        if (evidence->has_file) {
            mf_buffer_printf(out, " has %llu bytes, SHA-256 %s",
                             (unsigned long long)evidence->bytes,
                             cli_hash_text(evidence->sha256, hash));
        }
        mf_buffer_putc(out, '\n');
    }
}

static void evidence_json(struct mf_json *json, const struct mf_seal_evidence *evidence)
{
    char hash[CLI_HASH_TEXT_LEN];
    mf_json_key_string(json, "id", evidence->record.id);
    mf_json_key_bool(json, "sealed", evidence->sealed);
    if (evidence->sealed) {
        cli_seal_json(json, &evidence->record);
    }
    if (evidence->path != NULL) {
        mf_json_key(json, "file");
        mf_json_begin_object(json);
        mf_json_key_string(json, "path", evidence->path);
        mf_json_key_bool(json, "present", evidence->has_file);
        if (evidence->has_file) {
            mf_json_key_uint(json, "bytes", evidence->bytes);
            mf_json_key_string(json, "sha256", cli_hash_text(evidence->sha256, hash));
        }
        mf_json_end_object(json);
    }
}

static int print_verdict(struct cli_context *cli, const struct mf_seal_evidence *evidence,
                         bool same)
{
    const char *path = cli->operand_count > 0 ? cli->operands[0] : NULL;
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli->json) {
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_json_begin_object(&json);
        mf_json_key_bool(&json, "good", same);
        evidence_json(&json, evidence);
        mf_json_end_object(&json);
        mf_json_finish(&json);
    } else {
        tell(&out, evidence);
        if (path != NULL) {
            mf_terminal_escape(&out, path, strlen(path));
            mf_buffer_printf(&out, " is %s\n", same ? "that" : "NOT that");
        }
    }
    const int printed = cli_print(cli, &out);
    return printed < 0 ? printed : same ? 0 : CLI_EXIT_NEGATIVE;
}

static int not_proven(struct cli_context *cli)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli->json) {
        struct mf_json json;
        mf_json_init(&json, &out, MF_JSON_PRETTY);
        mf_json_begin_object(&json);
        mf_json_key_bool(&json, "good", false);
        mf_json_key_string(&json, "message", cli->err.msg);
        mf_json_end_object(&json);
        mf_json_finish(&json);
    } else {
        cli_note("NOT proven: %s", cli->err.msg);
    }
    const int printed = cli_print(cli, &out);
    return printed < 0 ? printed : CLI_EXIT_NEGATIVE;
}

int verify_proof(struct cli_context *cli,
                 void (*findings)(void *context, const struct mf_seal_finding *finding),
                 void *context)
{
    struct mf_proof_root trusted;
    struct proof_input input;
    struct mf_seal_evidence evidence = {.sealed = false};
    bool same = false;
    int rc = proof_trusted(cli, &trusted);
    rc = rc == 0 ? proof_read(cli, cli_string(cli, "proof"), &input) : rc;
    if (rc != 0) {
        return rc;
    }
    rc = mf_proof_check(&input.proof, &trusted, &cli->err);
    if (rc == MF_EPROOF) {
        rc = not_proven(cli);
    } else if (rc == 0) {
        rc = mf_flight_evidence_read(&input.proof, &evidence, &cli->err);
        rc = rc == 0 ? hold_against(cli, &evidence, findings, context, &same) : rc;
        rc = rc == 0 ? print_verdict(cli, &evidence, same) : rc;
    }
    mf_flight_evidence_free(&evidence);
    proof_input_free(&input);
    return rc;
}
