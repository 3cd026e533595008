/* SPDX-License-Identifier: Apache-2.0
 *
 * outcome.c -- see outcome.h.
 *
 * Out of memory is believed, strongest first: when the flight's own cgroup counted a kill; when the
 * kernel log names a process of the flight; when a cgroup above, or at last the machine, counted a
 * kill while a process of the flight ended by a SIGKILL that we did not send. It is the outcome
 * when the command failed of it, by the signal or by an exit code that its dead child caused; a
 * command that ended well in spite of it has ended well, with the kill among the evidence.
 */
#include "outcome.h"

#include "fmt/units.h"
#include "os/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

char *mf__format_moment(char out[32], int64_t t_ns)
{
    const long long tenths = (long long)(t_ns / 100000000);
    const long long seconds = tenths / 10;
    if (seconds >= 3600) {
        snprintf(out, 32, "%lld:%02lld:%02lld.%lld", seconds / 3600, seconds / 60 % 60,
                 seconds % 60, tenths % 10);
    } else {
        snprintf(out, 32, "%02lld:%02lld.%lld", seconds / 60, seconds % 60, tenths % 10);
    }
    return out;
}

__attribute__((format(printf, 2, 3))) static void add_evidence(struct mf_verdict *verdict,
                                                               const char *format, ...)
{
    if (verdict->evidence_count == MF_EVIDENCE_MAX) {
        return;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct mf_buffer *line = &verdict->evidence[verdict->evidence_count++];
    *line = (struct mf_buffer)MF_BUFFER_INIT;
    mf_buffer_puts(line, text);
}

/* ---- out of memory ---- */

static bool counted(uint64_t value)
{
    return value != UINT64_MAX && value > 0;
}

static bool was_out_of_memory(const struct mf_ending *ending)
{
    if (counted(ending->cgroup_oom_kills) || ending->logged_oom_kills > 0) {
        return true;
    }
    return ending->killed_processes > 0 &&
           (counted(ending->ancestor_oom_kills) || counted(ending->machine_oom_kills));
}

static void add_oom_evidence(const struct mf_ending *ending, struct mf_verdict *verdict)
{
    char size[MF_UNITS_LEN];
    if (counted(ending->cgroup_oom_kills)) {
        add_evidence(verdict, "%s of the flight's cgroup counts %" PRIu64 " kill%s for memory",
                     ending->cgroup_counter, ending->cgroup_oom_kills,
                     ending->cgroup_oom_kills == 1 ? "" : "s");
    }
    if (ending->logged_oom_kills > 0) {
        add_evidence(verdict, "the kernel log says that %s was killed for memory (%s)",
                     ending->victim_comm,
                     ending->log_says_cgroup ? "limit of a cgroup" : "the machine was short");
    }
    if (counted(ending->ancestor_oom_kills) && !counted(ending->cgroup_oom_kills)) {
        add_evidence(verdict,
                     "a cgroup above counted %" PRIu64 " kill%s for memory during the flight",
                     ending->ancestor_oom_kills, ending->ancestor_oom_kills == 1 ? "" : "s");
    }
    if (counted(ending->machine_oom_kills) && !counted(ending->cgroup_oom_kills) &&
        ending->logged_oom_kills == 0) {
        add_evidence(verdict,
                     "the machine counted %" PRIu64 " kill%s for memory during the flight, and "
                     "%" PRIu64 " of its processes ended by a SIGKILL that was not ours",
                     ending->machine_oom_kills, ending->machine_oom_kills == 1 ? "" : "s",
                     ending->killed_processes);
    }
    if (ending->memory_limit_bytes != UINT64_MAX && counted(ending->limit_hits)) {
        add_evidence(verdict, "the limit of %s was hit %" PRIu64 " times",
                     mf_format_size(size, ending->memory_limit_bytes), ending->limit_hits);
    }
}

/* "out of memory (limit 512 MiB, peak 511 MiB, largest: cc1plus 402 MiB at 00:41.2)" */
static void say_out_of_memory(const struct mf_ending *ending, struct mf_buffer *reason)
{
    char size[MF_UNITS_LEN];
    char moment[32];
    const char *separator = " (";
    mf_buffer_puts(reason, "out of memory");
    if (ending->memory_limit_bytes != UINT64_MAX) {
        mf_buffer_printf(reason, "%slimit %s", separator,
                         mf_format_size(size, ending->memory_limit_bytes));
        separator = ", ";
    }
    if (ending->memory_peak_bytes != UINT64_MAX) {
        mf_buffer_printf(reason, "%speak %s", separator,
                         mf_format_size(size, ending->memory_peak_bytes));
        separator = ", ";
    }
    if (ending->victim_comm[0] != '\0' && ending->victim_rss_bytes > 0) {
        mf_buffer_printf(reason, "%s%s: %s %s", separator,
                         ending->victim_known ? "killed" : "largest", ending->victim_comm,
                         mf_format_size(size, ending->victim_rss_bytes));
        if (ending->victim_at_ns >= 0) {
            mf_buffer_printf(reason, " at %s", mf__format_moment(moment, ending->victim_at_ns));
        }
        separator = ", ";
    }
    if (separator[0] == ',') {
        mf_buffer_putc(reason, ')');
    }
}

/* ---- the rest ---- */

static void judge_start_failure(const struct mf_ending *ending, struct mf_verdict *verdict)
{
    const bool missing = ending->exec_error == ENOENT;
    verdict->outcome = missing ? MF_OUTCOME_NOT_FOUND : MF_OUTCOME_NOT_EXECUTABLE;
    verdict->exit_code = missing ? 127 : 126;
    if (missing) {
        mf_buffer_printf(&verdict->reason, "command not found: %s",
                         ending->command[0] != '\0' ? ending->command : "''");
    } else {
        mf_buffer_printf(&verdict->reason, "%s cannot be executed: %s", ending->command,
                         strerror(ending->exec_error));
    }
    add_evidence(verdict, "execve: %s", strerror(ending->exec_error));
}

static void say_status(const struct mf_ending *ending, const struct mf_verdict *verdict,
                       struct mf_buffer *reason)
{
    if (verdict->signal != 0) {
        mf_buffer_printf(reason, "ended by %s%s", mf_signal_name(verdict->signal),
                         verdict->core_dumped ? " (core dumped)" : "");
        if (verdict->signal == ending->forwarded_signal) {
            if (ending->forwarded_from == 0) {
                mf_buffer_puts(reason, " from the terminal");
            } else {
                mf_buffer_printf(reason, " that process %d sent", ending->forwarded_from);
            }
        }
    } else {
        mf_buffer_printf(reason, "exit code %d", verdict->exit_code);
        if (verdict->exit_code > 128 && verdict->exit_code <= 128 + 64) {
            mf_buffer_printf(reason, " (a shell's word for %s)",
                             mf_signal_name(verdict->exit_code - 128));
        }
    }
}

static void read_status(const struct mf_ending *ending, struct mf_verdict *verdict)
{
    if (WIFSIGNALED(ending->status)) {
        verdict->outcome = MF_OUTCOME_SIGNALED;
        verdict->signal = WTERMSIG(ending->status);
        verdict->core_dumped = WCOREDUMP(ending->status);
        verdict->exit_code = 128 + verdict->signal;
    } else {
        verdict->outcome = MF_OUTCOME_EXITED;
        verdict->exit_code = WEXITSTATUS(ending->status);
    }
    add_evidence(verdict, "wait status 0x%04x", (unsigned)ending->status);
}

static void judge_timeout(const struct mf_ending *ending, struct mf_verdict *verdict)
{
    char limit[MF_UNITS_LEN];
    char grace[MF_UNITS_LEN];
    mf_format_duration(limit, ending->timeout_ns);
    verdict->outcome = MF_OUTCOME_TIMEOUT;
    mf_buffer_printf(&verdict->reason, "ended after the timeout of %s", limit);
    if (ending->kill_after_ns > 0) {
        mf_buffer_printf(&verdict->reason, " by SIGKILL, for it outlived SIGTERM by %s",
                         mf_format_duration(grace, ending->kill_after_ns));
    } else if (verdict->signal == 0) {
        mf_buffer_printf(&verdict->reason, " with exit code %d", verdict->exit_code);
    }
    verdict->exit_code = 124; /* as timeout(1) */
    verdict->signal = 0;
}

static void judge_cpu_budget(const struct mf_ending *ending, struct mf_verdict *verdict)
{
    char grace[MF_UNITS_LEN];
    verdict->outcome = MF_OUTCOME_CPU_BUDGET;
    mf_buffer_printf(&verdict->reason, "cpu budget exceeded: %s", ending->cpu_budget);
    if (ending->cpu_budget_killed) {
        mf_buffer_puts(&verdict->reason, "; ended by SIGKILL");
    } else if (ending->kill_after_ns > 0) {
        mf_buffer_printf(&verdict->reason, "; ended by SIGKILL, for it outlived SIGTERM by %s",
                         mf_format_duration(grace, ending->kill_after_ns));
    } else if (verdict->signal == 0) {
        mf_buffer_printf(&verdict->reason, "; it ended with exit code %d", verdict->exit_code);
    } else {
        mf_buffer_printf(&verdict->reason, "; ended by %s", mf_signal_name(verdict->signal));
    }
    verdict->exit_code = 123;
    verdict->signal = 0;
}

void mf__ending_judge(const struct mf_ending *ending, struct mf_verdict *ret_verdict)
{
    struct mf_verdict verdict = {.outcome = MF_OUTCOME_NONE};
    const bool out_of_memory = was_out_of_memory(ending);
    if (ending->exec_error != 0) {
        judge_start_failure(ending, &verdict);
        *ret_verdict = verdict;
        return;
    }
    if (ending->status_known) {
        read_status(ending, &verdict);
    } else {
        verdict.outcome = MF_OUTCOME_RECORDER_LOST;
        verdict.exit_code = 125;
        mf_buffer_puts(&verdict.reason, "how the command ended is not known");
    }
    if (ending->timeout_ns > 0) {
        judge_timeout(ending, &verdict);
    } else if (ending->cpu_budget != NULL) {
        judge_cpu_budget(ending, &verdict);
    } else if (out_of_memory && verdict.exit_code != 0) {
        verdict.outcome = MF_OUTCOME_OOM;
        if (verdict.signal == 9) {
            mf_buffer_puts(&verdict.reason, "killed by the kernel: ");
        } else {
            say_status(ending, &verdict, &verdict.reason);
            mf_buffer_puts(&verdict.reason, " after the kernel killed for memory: ");
        }
        say_out_of_memory(ending, &verdict.reason);
    } else if (ending->status_known) {
        say_status(ending, &verdict, &verdict.reason);
    }
    if (out_of_memory) {
        add_oom_evidence(ending, &verdict);
    } else if (verdict.signal == 9 && ending->forwarded_signal != 9) {
        add_evidence(&verdict, "no kill for memory was counted or logged that we can see: "
                               "somebody sent SIGKILL");
    }
    *ret_verdict = verdict;
}

void mf__verdict_free(struct mf_verdict *verdict)
{
    mf_buffer_free(&verdict->reason);
    for (unsigned i = 0; i < verdict->evidence_count; i++) {
        mf_buffer_free(&verdict->evidence[i]);
    }
}
