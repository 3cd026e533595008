/* SPDX-License-Identifier: Apache-2.0
 * seal_private.h -- what sealing and verifying share. */
#ifndef FLIGHT_SEAL_PRIVATE_H
#define FLIGHT_SEAL_PRIVATE_H

/* The name of the directory, when it is one of the home's flights; else NULL. */
const char *mf__seal_name_in_home(const char *home, const char *dir);

#endif
