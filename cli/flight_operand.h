/* SPDX-License-Identifier: Apache-2.0
 * flight_operand.h -- how verbs name flights, and a few words that they share. */
#ifndef CLI_FLIGHT_OPERAND_H
#define CLI_FLIGHT_OPERAND_H

#include "cli.h"

#include <mayfly/flight.h>

/* The help of an operand FLIGHT. */
#define CLI_FLIGHT_HELP                                                                            \
    "A flight: its id, a part of it that no other has, its name (the newest of that name), "       \
    "'latest', -1 (the newest), -2 (the one before), or a directory"
#define CLI_FLIGHT_OR_LAST_HELP CLI_FLIGHT_HELP "; the newest by default"

/* The directory of the flight that the operand names, NULL: the newest. *ret_dir is the caller's
 * (mf_flight_free_text). When there is none, the message has the nearest names. */
int cli_flight_find(struct cli_context *cli, const char *ref, char **ret_dir);

/* A time on the wall in the local time zone: "2026-09-24 12:00:00". */
#define CLI_TIME_LEN 32
char *cli_local_time(char out[CLI_TIME_LEN], int64_t wall_ns);
/* The shortest that is clear to somebody who looks at it now: "12:00:00", "Sep 24 12:00" or
 * "2025-09-24". */
char *cli_short_time(char out[CLI_TIME_LEN], int64_t wall_ns);

/* Whether the terminal shows Unicode: yes, unless the locale says another encoding. */
bool cli_unicode(void);

#endif
