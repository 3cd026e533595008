/* SPDX-License-Identifier: Apache-2.0
 * scratch.h -- a directory of its own for a test, gone with everything in it at the end. */
#ifndef SCRATCH_H
#define SCRATCH_H

/* Creates $TMPDIR/mayfly-test-XXXXXX (TMPDIR or /tmp) on the first call; its path. Aborts on
 * failure. */
const char *scratch_directory(void);
/* "<scratch>/<name>", in one of 32 buffers used in turn. */
const char *scratch_path(const char *name);
/* Removes it with all content. Called at exit too, in the process that made it. */
void scratch_remove(void);

#endif
