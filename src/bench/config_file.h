/* SPDX-License-Identifier: Apache-2.0
 * config_file.h -- benchmark.toml, and what bench_config.c shares with its reader. */
#ifndef BENCH_CONFIG_FILE_H
#define BENCH_CONFIG_FILE_H

#include "config.h"

/* Reads the file into the configuration. `optional`: it need not exist. */
int mf__config_load_file(struct bench_config *config, const char *path, bool optional,
                         struct mf_errinfo *err);
/* The same from text; `origin` names it in messages. */
int mf__config_load_text(struct bench_config *config, const char *text, size_t len,
                         const char *origin, struct mf_errinfo *err);

void mf__value_free(struct bench_value *value);
int mf__value_parse(enum bench_key key, const char *text, struct bench_value *value,
                    struct mf_errinfo *err);
int mf__value_set(struct bench_value *value, enum bench_key key, const char *text,
                  enum bench_source source, struct mf_errinfo *err);

#endif
