/* SPDX-License-Identifier: Apache-2.0
 * tool.h -- other programs (git, cmake, valgrind) that the laboratory calls. */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include "base/buffer.h"
#include "os/signals.h"

#include <mayfly/error.h>

/* Runs a command to its end. Its standard output goes to *ret_output (freed by the caller, also
 * after a failure), or with NULL to our standard error. Returns its exit code; MF_ENOTFOUND when
 * there is no such program, -EINTR when a signal came (the command is killed then), MF_EREMOTE when
 * a signal killed it. `signals` NULL: nothing interrupts. */
int mf__tool_run(const char *const *argv, struct mf_signals *signals, struct mf_buffer *ret_output,
                 int *ret_signal, struct mf_errinfo *err);

/* --- git */

/* The commit of the working tree here, with "-dirty" behind it when files that git knows have
 * changed;
 * "" outside of a tree. For mf_free(); NULL: out of memory. */
char *mf__git_commit(void);
/* Programs of another revision: the same files of the build, built there by the same preset of
 * CMake (as build/<preset>/..; else "release") in a worktree of its own, and kept below the target
 * directory for the next time. ret_paths (`count` of them) are for mf_free(), also after a failure;
 * NULL for a program that the revision does not make, if it makes another. */
int mf__revision_build(const char *revision, const char *const *programs, size_t count,
                       const char *target_dir, struct mf_signals *signals, int *ret_signal,
                       char **ret_paths, struct mf_errinfo *err);

#endif
