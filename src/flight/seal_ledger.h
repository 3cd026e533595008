/* SPDX-License-Identifier: Apache-2.0
 * seal_ledger.h -- the records of the ledger. */
#ifndef FLIGHT_SEAL_LEDGER_H
#define FLIGHT_SEAL_LEDGER_H

#include <mayfly/seal.h>
#include <mayfly/state.h>

/* Opens the ledger for writing, and makes it where there is none; waits its turn. */
int mf__ledger_open(const char *home, int64_t wait_ns, struct mf_state **ret_ledger,
                    struct mf_errinfo *err);
/* The same for reading. -ENOENT: there is none. */
int mf__ledger_read(const char *home, struct mf_state **ret_ledger, struct mf_errinfo *err);

/* As mf_flight_seal_find(), in an open ledger. */
int mf__ledger_find(struct mf_state *ledger, const char *id, struct mf_seal_record *ret_record,
                    struct mf_errinfo *err);
/* Commits the record; MF_ECONFLICT when there is one. */
int mf__ledger_put(struct mf_state *ledger, const struct mf_seal_record *record,
                   struct mf_errinfo *err);

/* A value of the ledger taken apart. MF_ECORRUPT, -ENOMEM. */
int mf__ledger_parse(const char *id, const void *value, size_t len,
                     struct mf_seal_record *ret_record, struct mf_errinfo *err);

#endif
