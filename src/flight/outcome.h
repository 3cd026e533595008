/* SPDX-License-Identifier: Apache-2.0
 * outcome.h -- how a command ended, in words, and what says so. No system calls. */
#ifndef FLIGHT_OUTCOME_H
#define FLIGHT_OUTCOME_H

#include "base/buffer.h"

#include <mayfly/flight.h>
#include <stdbool.h>
#include <stdint.h>

#define MF_EVIDENCE_MAX 12

/* What is known; UINT64_MAX, "" and 0 for what is not. */
struct mf_ending {
    const char *command; /* argv[0] */
    int exec_error;      /* an errno: it could not be started */
    bool status_known;
    int status;             /* as from wait(2) */
    int64_t timeout_ns;     /* it was ended for time after this long; 0: not */
    int64_t kill_after_ns;  /* and SIGKILL had to follow after that; 0: not */
    const char *cpu_budget; /* it was ended for exceeding this, in words; NULL: not */
    bool cpu_budget_killed; /* by SIGKILL at once */
    int forwarded_signal; /* the last signal that was passed on to it, or that its terminal sent it
                           */
    int32_t forwarded_from; /* pid of its sender; 0: the terminal */

    uint64_t cgroup_oom_kills;   /* counted in the flight's own cgroup */
    const char *cgroup_counter;  /* the file that counts them */
    uint64_t ancestor_oom_kills; /* in the cgroups above, meanwhile */
    uint64_t machine_oom_kills;  /* on the machine, meanwhile */
    uint64_t logged_oom_kills;   /* of processes of the flight, in the kernel log */
    bool log_says_cgroup;        /* the log names a cgroup's limit */
    uint64_t killed_processes;   /* of the flight that ended by a SIGKILL that was not ours */
    uint64_t memory_limit_bytes;
    uint64_t memory_peak_bytes;
    uint64_t limit_hits;
    char
        victim_comm[64]; /* the largest process that was killed for memory, or the largest of all */
    uint64_t victim_rss_bytes;
    int64_t victim_at_ns; /* -1: not known */
    bool victim_known;    /* it is known to have been killed */
};

struct mf_verdict {
    enum mf_flight_outcome outcome;
    int exit_code;
    int signal;
    bool core_dumped;
    struct mf_buffer reason;
    struct mf_buffer evidence[MF_EVIDENCE_MAX];
    unsigned evidence_count;
};

void mf__ending_judge(const struct mf_ending *ending, struct mf_verdict *ret_verdict);
void mf__verdict_free(struct mf_verdict *verdict);

/* "00:41.2", "1:02:03.4". Returns out. */
char *mf__format_moment(char out[32], int64_t t_ns);

#endif
