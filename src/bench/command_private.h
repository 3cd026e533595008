/* SPDX-License-Identifier: Apache-2.0
 * command_private.h -- what the commands share. */
#ifndef BENCH_COMMAND_PRIVATE_H
#define BENCH_COMMAND_PRIVATE_H

#include "bench/command.h"
#include "cases.h"
#include "config.h"
#include "bench_report.h"

#include "base/buffer.h"

struct command {
    const struct bench_command_line *line;
    struct bench_config config;
    struct mf_signals signals;
    bool has_signals;
    struct mf_errinfo err;
};

/* A command returns one of enum bench_exit, 128 + a signal, or a negative code with its sentence in
 * command->err. */
typedef int command_function(struct command *command);
command_function mf__command_run;
command_function mf__command_list;
command_function mf__command_gate;
command_function mf__command_history;
command_function mf__command_compare;
command_function mf__command_doctor;
command_function mf__command_env;
command_function mf__command_report_stored;

struct command_entry {
    const char *name;
    unsigned groups;     /* of options, BENCH_SELECT .. */
    const char *operand; /* "[FILTER]...", or "" */
    const char *summary;
    command_function *run;
};
extern const struct command_entry mf__commands[]; /* ends without a name */

/* A remark on standard error: "PROGRAM: sentence". */
void mf__command_note(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* From here on signals interrupt measurements, until mf__command_close_signals(). */
int mf__command_open_signals(struct command *command);
void mf__command_close_signals(struct command *command);
/* The operands and --skip as a filter; everything is borrowed from the command. */
void mf__command_filter(const struct command *command, struct bench_filter *ret_filter);
/* The file for the output of the format with this index: the --output of the same index; NULL:
 * standard output. */
const char *mf__command_output(const struct command *command, size_t index);
/* Writes it there. */
int mf__command_write(struct command *command, size_t index, const struct mf_buffer *text);
/* Writes the report in each of the formats asked for. */
int mf__command_report(struct command *command, const struct bench_report *report);

#endif
