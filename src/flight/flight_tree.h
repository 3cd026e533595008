/* SPDX-License-Identifier: Apache-2.0
 * flight_tree.h -- the directory of a flight as a tree of files. Symbolic links are never followed.
 */
#ifndef FLIGHT_FLIGHT_TREE_H
#define FLIGHT_FLIGHT_TREE_H

#include <mayfly/error.h>
#include <stdint.h>

/* What all files below take on disk. */
int mf__tree_bytes(const char *dir, uint64_t *ret_bytes, struct mf_errinfo *err);
/* Removes the directory with all in it. What vanishes meanwhile is fine. */
int mf__tree_remove(const char *dir, struct mf_errinfo *err);

#endif
