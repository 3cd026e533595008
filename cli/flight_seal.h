/* SPDX-License-Identifier: Apache-2.0
 * flight_seal.h -- what verbs share that seal flights or look at seals. */
#ifndef CLI_FLIGHT_SEAL_H
#define CLI_FLIGHT_SEAL_H

#include "cli.h"

#include "fmt/json_write.h"

#include <mayfly/seal.h>

/* Waiting for the ledger, by those who have time. */
#define CLI_SEAL_WAIT_NS INT64_C(10000000000)

/* The last part of a path. */
const char *cli_base_name(const char *path);

#define CLI_HASH_TEXT_LEN (2 * MF_SEAL_HASH_LEN + 1)
char *cli_hash_text(const uint8_t hash[MF_SEAL_HASH_LEN], char out[CLI_HASH_TEXT_LEN]);
/* False when it is not 64 hexadecimal digits. */
bool cli_hash_parse(const char *text, uint8_t ret_hash[MF_SEAL_HASH_LEN]);

/* The members of a record, for an object that is open. */
void cli_seal_json(struct mf_json *json, const struct mf_seal_record *record);

/* Seals a flight that is complete, unless it is; says why it cannot, which is no failure. */
void cli_seal_late(const char *dir);
/* Notes in the ledger that the flight is removed now; says why it cannot. */
void cli_seal_removed(const char *dir);

/* `visit` for the flights that the operands name, for all of the home with `all`, in the order of
 * their ids. It returns 0, or what ends the walk. */
int cli_flights_each(struct cli_context *cli, bool all,
                     int (*visit)(void *context, const char *dir,
                                  const struct mf_flight_info *info),
                     void *context);

#endif
