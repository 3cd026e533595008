/* SPDX-License-Identifier: Apache-2.0
 * profile_counters.c -- `--profile perfctr`: the counters of os/perfcount.h over the timed part. */
#include "bench_profiler.h"

#include "base/fail.h"
#include "os/file.h"
#include "os/perfcount.h"

#include <errno.h>

static int prepare(struct mf_errinfo *err)
{
    const int count = mf_perfcount_open(err);
    return count > 0 ? 0 : count < 0 ? count : MF_EUNSUPPORTED;
}

static int write_counts(const char *path, struct mf_errinfo *err)
{
    struct mf_perfcount counts[MF_PERFCOUNT_MAX];
    const size_t count = mf_perfcount_read(counts);
    struct mf_buffer out = MF_BUFFER_INIT;
    mf_buffer_printf(&out, "hardware %d 1\n", mf_perfcount_hardware());
    for (size_t i = 0; i < count; i++) {
        mf_buffer_printf(&out, "%s %.17g %.6f\n", counts[i].name, counts[i].value, counts[i].share);
    }
    mf_perfcount_close();
    const int rc = out.failed ? mf_fail_os(err, -ENOMEM, "cannot write %s", path)
                              : mf_fs_replace(NULL, path, out.data, out.len, err);
    mf_buffer_free(&out);
    return rc;
}

const struct bench_profiler mf__profiler_perfctr = {"perfctr", prepare, mf_perfcount_start,
                                                    mf_perfcount_stop, write_counts};
