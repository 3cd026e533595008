/* SPDX-License-Identifier: Apache-2.0
 * flight_seal.c -- see flight_seal.h. */
#include "flight_seal.h"
#include "flight_operand.h"
#include "hex.h"

#include <stdio.h>
#include <string.h>

const char *cli_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

char *cli_hash_text(const uint8_t hash[MF_SEAL_HASH_LEN], char out[CLI_HASH_TEXT_LEN])
{
    for (size_t i = 0; i < MF_SEAL_HASH_LEN; i++) {
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    }
    return out;
}

bool cli_hash_parse(const char *text, uint8_t ret_hash[MF_SEAL_HASH_LEN])
{
    return strlen(text) == CLI_HASH_TEXT_LEN - 1 && cli_hex_get(text, ret_hash, MF_SEAL_HASH_LEN);
}

void cli_seal_json(struct mf_json *json, const struct mf_seal_record *record)
{
    char hash[CLI_HASH_TEXT_LEN];
    mf_json_key_string(json, "root", cli_hash_text(record->root, hash));
    mf_json_key_string(json, "name", record->name);
    mf_json_key_string(json, "outcome", record->outcome);
    mf_json_key_int(json, "exit_code", record->exit_code);
    mf_json_key_int(json, "started_wall_ns", record->started_wall_ns);
    mf_json_key_int(json, "duration_ns", record->duration_ns);
    mf_json_key_int(json, "sealed_wall_ns", record->sealed_wall_ns);
    mf_json_key_uint(json, "files", record->files);
    mf_json_key_uint(json, "bytes", record->bytes);
    mf_json_key_bool(json, "recovered", record->recovered);
    if (record->removed) {
        mf_json_key_int(json, "removed_wall_ns", record->removed_wall_ns);
    }
}

void cli_seal_late(const char *dir)
{
    struct mf_errinfo err = {0};
    char *home = NULL;
    int rc = mf_flight_home(NULL, &home, &err);
    rc = rc == 0 ? mf_flight_seal(home, dir, CLI_SEAL_WAIT_NS, NULL, NULL, &err) : rc;
    if (rc < 0) {
        cli_note("not sealed: %s", err.msg);
    }
    mf_flight_free_text(home);
}

void cli_seal_removed(const char *dir)
{
    struct mf_errinfo err = {0};
    char *home = NULL;
    int rc = mf_flight_home(NULL, &home, &err);
    rc = rc == 0 ? mf_flight_seal_removed(home, dir, CLI_SEAL_WAIT_NS, &err) : rc;
    if (rc < 0) {
        cli_note("the ledger does not know that %s is removed: %s", cli_base_name(dir), err.msg);
    }
    mf_flight_free_text(home);
}

static int each_of_home(struct cli_context *cli,
                        int (*visit)(void *context, const char *dir,
                                     const struct mf_flight_info *info),
                        void *context)
{
    struct mf_flight_list list;
    char *home = NULL;
    int rc = mf_flight_home(NULL, &home, &cli->err);
    rc = rc == 0 ? mf_flight_list_read(home, NULL, &list, &cli->err) : rc;
    mf_flight_free_text(home);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = list.count; rc == 0 && i > 0; i--) {
        rc = visit(context, list.items[i - 1].dir, list.items[i - 1].info);
    }
    mf_flight_list_free(&list);
    return rc;
}

int cli_flights_each(struct cli_context *cli, bool all,
                     int (*visit)(void *context, const char *dir,
                                  const struct mf_flight_info *info),
                     void *context)
{
    if (all) {
        return each_of_home(cli, visit, context);
    }
    int rc = 0;
    const int count = cli->operand_count > 0 ? cli->operand_count : 1;
    for (int i = 0; rc == 0 && i < count; i++) {
        char *dir = NULL;
        struct mf_flight_info *info = NULL;
        rc = cli_flight_find(cli, cli->operand_count > 0 ? cli->operands[i] : NULL, &dir);
        if (rc == 0) {
            struct mf_errinfo why;
            (void)!mf_flight_info_read(dir, &info, &why); /* a damaged one is looked at, too */
            rc = visit(context, dir, info);
        }
        mf_flight_info_free(info);
        mf_flight_free_text(dir);
    }
    return rc;
}
