/* SPDX-License-Identifier: Apache-2.0
 * proof_trust.c -- see proof_trust.h. */
#include "proof_trust.h"
#include "document.h"
#include "hex.h"
#include "state_store.h"

#include "base/heap.h"
#include "fmt/rfc3339.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_note(struct cli_context *cli, struct mf_proof_root *ret_root)
{
    char *note = NULL;
    size_t len = 0;
    int rc =
        mf_fs_read_all(NULL, cli_string(cli, "note"), MF_PROOF_NOTE_MAX, &note, &len, &cli->err);
    rc = rc == 0 ? mf_proof_note_check(note, len, cli_string(cli, "key"), ret_root, &cli->err) : rc;
    mf_free(note);
    if (rc == MF_EPROOF) {
        cli_note("%s", cli->err.msg);
        return CLI_EXIT_NEGATIVE;
    }
    return rc;
}

int proof_trusted(struct cli_context *cli, struct mf_proof_root *ret_root)
{
    const char *root = cli_string(cli, "root");
    const char *note = cli_string(cli, "note");
    if ((note == NULL) != (cli_string(cli, "key") == NULL) || (root == NULL) == (note == NULL)) {
        return cli_usage(cli, "say which root to trust: --root ROOT, or --note FILE and --key KEY");
    }
    return root != NULL ? mf_proof_root_parse(root, ret_root, &cli->err) : read_note(cli, ret_root);
}

int proof_read(struct cli_context *cli, const char *path, struct proof_input *ret_input)
{
    struct proof_input input = {.bytes = MF_BUFFER_INIT};
    int rc = state_read_input(cli, path, MF_PROOF_LEN_MAX, &input.bytes);
    rc = rc == 0 ? mf_proof_decode(input.bytes.data, input.bytes.len, &input.proof, &cli->err) : rc;
    if (rc < 0) {
        mf_buffer_free(&input.bytes);
        return rc;
    }
    *ret_input = input;
    return 0;
}

void proof_input_free(struct proof_input *input)
{
    mf_buffer_free(&input->bytes);
}

int proof_write(struct cli_context *cli, const char *path, struct mf_proof_file *file)
{
    struct mf_buffer document = MF_BUFFER_INIT;
    mf_buffer_append(&document, file->bytes, file->len);
    mf_proof_file_free(file);
    return cli_document_write(cli, path, &document);
}

/* ---- in words ---- */

static const char *kind_word(const struct mf_proof *proof)
{
    static const char *const words[] = {"unknown", "commit", "extension", "key", "file"};
    return proof->kind < MF_ARRAY_LEN(words) ? words[proof->kind] : words[0];
}

static struct mf_state_bytes bytes_of(const uint8_t *bytes, size_t len)
{
    return (struct mf_state_bytes){bytes, len};
}

static void tell_commit(struct mf_buffer *out, const struct mf_proof *proof)
{
    struct mf_proof_commit commit;
    char time[MF_RFC3339_LEN];
    if (mf_proof_commit_get(proof->leaf, proof->leaf_len, &commit, NULL) < 0) {
        return;
    }
    mf_buffer_printf(out, "commit %llu of %llu, made %s", (unsigned long long)commit.seq,
                     (unsigned long long)proof->root.size,
                     mf_format_rfc3339(time, commit.wall_ns, 0, 3));
    if (commit.note_len > 0) {
        mf_buffer_puts(out, ": ");
        state_put_bytes(out, bytes_of(commit.note, commit.note_len), false);
    }
    mf_buffer_puts(out, "\nroot of the state after it: ");
    cli_hex_put(out, commit.root, sizeof commit.root);
    mf_buffer_putc(out, '\n');
}

static void tell_entry(struct mf_buffer *out, const char *what, const struct mf_proof_entry *entry)
{
    mf_buffer_printf(out, "%s ", what);
    state_put_bytes(out, bytes_of(entry->key, entry->key_len), false);
    if (!entry->present) {
        mf_buffer_puts(out, ": absent\n");
    } else if (entry->value != NULL) {
        mf_buffer_puts(out, ": ");
        state_put_bytes(out, bytes_of(entry->value, entry->value_len), false);
        mf_buffer_putc(out, '\n');
    } else {
        mf_buffer_puts(out, ": a value with the hash ");
        cli_hex_put(out, entry->value_hash, sizeof entry->value_hash);
        mf_buffer_putc(out, '\n');
    }
}

void proof_tell(struct mf_buffer *out, const struct mf_proof *proof)
{
    char root[MF_PROOF_ROOT_TEXT_LEN];
    if (proof->kind == MF_PROOF_EXTENSION) {
        mf_proof_root_text(&proof->root, root);
        mf_buffer_printf(out, "the log of %s\n", root);
        mf_proof_root_text(&proof->old_root, root);
        mf_buffer_printf(out, "begins with the log of %s\n", root);
        return;
    }
    tell_commit(out, proof);
    if (proof->kind != MF_PROOF_COMMIT) {
        tell_entry(out, "key", &proof->key);
    }
    if (proof->kind == MF_PROOF_FILE) {
        tell_entry(out, "file", &proof->file);
    }
}

static void entry_json(struct mf_json *json, const char *name, const struct mf_proof_entry *entry)
{
    mf_json_key(json, name);
    mf_json_begin_object(json);
    state_json_bytes(json, "key", bytes_of(entry->key, entry->key_len));
    mf_json_key_bool(json, "present", entry->present);
    if (entry->present) {
        state_json_hash(json, "value_hash", entry->value_hash);
    }
    if (entry->value != NULL) {
        state_json_bytes(json, "value", bytes_of(entry->value, entry->value_len));
    }
    mf_json_end_object(json);
}

static void commit_json(struct mf_json *json, const struct mf_proof *proof)
{
    struct mf_proof_commit commit;
    if (mf_proof_commit_get(proof->leaf, proof->leaf_len, &commit, NULL) < 0) {
        return;
    }
    mf_json_key(json, "commit");
    mf_json_begin_object(json);
    mf_json_key_uint(json, "seq", commit.seq);
    mf_json_key_int(json, "wall_ns", commit.wall_ns);
    mf_json_key_uint(json, "changes", commit.changes);
    state_json_hash(json, "root", commit.root);
    state_json_hash(json, "changes_hash", commit.changes_hash);
    if (commit.note_len > 0) {
        state_json_bytes(json, "note", bytes_of(commit.note, commit.note_len));
    }
    mf_json_end_object(json);
}

void proof_json(struct mf_json *json, const struct mf_proof *proof)
{
    char root[MF_PROOF_ROOT_TEXT_LEN];
    mf_proof_root_text(&proof->root, root);
    mf_json_key_string(json, "kind", kind_word(proof));
    mf_json_key_string(json, "root", root);
    if (proof->kind == MF_PROOF_EXTENSION) {
        mf_proof_root_text(&proof->old_root, root);
        mf_json_key_string(json, "old_root", root);
        return;
    }
    commit_json(json, proof);
    if (proof->kind != MF_PROOF_COMMIT) {
        entry_json(json, "key", &proof->key);
    }
    if (proof->kind == MF_PROOF_FILE) {
        entry_json(json, "file", &proof->file);
    }
}
