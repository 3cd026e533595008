/* SPDX-License-Identifier: Apache-2.0
 *
 * flight.h -- flights: one recorded run of a command each, a directory that is complete in itself.
 *
 * mf_flight_run() makes one. The rest reads them, also while they are being recorded and from other
 * processes: a reader needs read permission only and never disturbs the recorder. The files and
 * their formats are in docs/formats.md, section "Flight".
 *
 * Times: `wall_ns` are nanoseconds since 1970 UTC; `t_ns` are nanoseconds since the start of the
 * flight on the monotonic clock, so that output, events, samples and metrics share one axis; the
 * wall time of a moment is started_wall_ns + t_ns. Sizes are bytes, CPU times nanoseconds.
 *
 * Thread rule: an object is used by one thread at a time; different objects are independent.
 */
#ifndef MAYFLY_FLIGHT_H
#define MAYFLY_FLIGHT_H

#include <mayfly/env.h>
#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MF_FLIGHT_FORMAT  1
#define MF_FLIGHT_ID_LEN  80         /* longest id with its NUL */
#define MF_FLIGHT_UNKNOWN UINT64_MAX /* a figure that this rung could not see */

/* What is known about the recording itself. */
enum mf_flight_state {
    MF_FLIGHT_RUNNING, /* its recorder lives */
    MF_FLIGHT_ENDED,   /* the recorder closed it */
    MF_FLIGHT_DEAD, /* says "running", but its recorder is gone: mf_flight_recover() completes it */
    MF_FLIGHT_RECOVERED, /* closed by mf_flight_recover() */
    MF_FLIGHT_STATES
};

/* How the command ended. */
enum mf_flight_outcome {
    MF_OUTCOME_NONE,           /* not ended */
    MF_OUTCOME_EXITED,         /* exit_code */
    MF_OUTCOME_SIGNALED,       /* signal, core_dumped */
    MF_OUTCOME_OOM,            /* the kernel killed for memory, and the command failed of it */
    MF_OUTCOME_TIMEOUT,        /* mayfly ended it: --timeout */
    MF_OUTCOME_NOT_FOUND,      /* no such command (127) */
    MF_OUTCOME_NOT_EXECUTABLE, /* found, but it could not be executed (126) */
    MF_OUTCOME_RECORDER_LOST,  /* the recorder was killed; how the command ended is not known */
    MF_OUTCOME_CPU_BUDGET,     /* mayfly ended it: --cpu-budget with action=stop or kill (123) */
    MF_OUTCOMES
};

/* Where it stood on the ladder: what the recorder was allowed to see (docs/run.md). */
enum mf_flight_rung {
    MF_RUNG_PROC,   /* /proc samples and reaped orphans */
    MF_RUNG_CGROUP, /* + a cgroup: exact CPU of the tree, complete membership */
    MF_RUNG_EVENTS, /* + the proc connector: every start, exec and exit */
    MF_RUNG_FULL,   /* + taskstats: exact totals of every process, however short-lived */
    MF_RUNGS
};

/* Short constant words ("running", "out of memory", "full"). Never NULL. [any-thread] */
MF_API const char *mf_flight_state_name(enum mf_flight_state state);
MF_API const char *mf_flight_outcome_name(enum mf_flight_outcome outcome);
MF_API const char *mf_flight_rung_name(enum mf_flight_rung rung);

/* ---- where flights live ---- */

/* The home: `override` when not NULL, else $MAYFLY_HOME, else $XDG_DATA_HOME/mayfly, else
 * $HOME/.local/share/mayfly. *ret_home is the caller's (mf_flight_free_text). Nothing is created.
 * Errors: MF_EVALUE when none of them is set, -ENOMEM. */
MF_API MF_MUST_CHECK int mf_flight_home(const char *override, char **ret_home,
                                        struct mf_errinfo *err);
MF_API void mf_flight_free_text(char *text);

/* The directory of the flight that `ref` names, by the first of these that fits:
 *   a path          with a slash in it, or "." or "..": a flight directory anywhere
 *   last, latest    the newest; also "-1". "-2" is the one before, and so on
 *   a whole id
 *   a name          the newest flight of that name
 *   part of an id   a beginning, or an ending of at least four characters, that only one id has
 * *ret_dir is the caller's (mf_flight_free_text).
 * Errors: MF_ENOTFOUND, MF_EVALUE (ambiguous; the message lists some). */
MF_API MF_MUST_CHECK int mf_flight_resolve(const char *home, const char *ref, char **ret_dir,
                                           struct mf_errinfo *err);

/* ---- what a flight says of itself ---- */

struct mf_flight_stream_totals {
    uint64_t bytes;      /* written by the command */
    uint64_t lines;      /* newlines in them */
    uint64_t lost_bytes; /* passed on, but not kept: over --output-limit, or the disk was full */
};

enum mf_flight_stream { MF_STREAM_STDOUT, MF_STREAM_STDERR, MF_STREAM_TTY, MF_STREAMS };
MF_API const char *
mf_flight_stream_name(enum mf_flight_stream stream); /* "stdout", "stderr", "tty" */

struct mf_flight_totals {
    uint64_t cpu_user_ns;
    uint64_t cpu_system_ns;
    uint64_t memory_peak_bytes; /* see memory_peak_source */
    uint64_t rss_peak_bytes; /* largest sum of resident sizes at one sample; shared pages count per
                                process */
    uint64_t read_bytes;     /* from storage */
    uint64_t write_bytes;    /* to storage */
    uint64_t read_chars;     /* through read calls, the page cache included */
    uint64_t write_chars;
    uint64_t faults_minor;
    uint64_t faults_major;
    uint64_t switches_voluntary;
    uint64_t switches_involuntary;
    uint64_t processes; /* started in all */
    uint64_t processes_peak;
    uint64_t threads_peak;
    uint64_t processes_left; /* alive when the recorder left */
    uint64_t events;         /* records in events.log */
    uint64_t user_events;    /* written by the command, bad lines included */
    uint64_t bad_events;     /* of these: not JSON objects, kept as text */
    uint64_t lost_events;    /* kernel messages and records that were lost */
    uint64_t oom_kills;
    struct mf_flight_stream_totals output[MF_STREAMS];
};

struct mf_flight_info {
    char *dir;
    char id[MF_FLIGHT_ID_LEN];
    char *name;
    char **tags;    /* "key=value" or "key"; NULL-terminated */
    char **command; /* argv; NULL-terminated */
    char *cwd;
    char **env; /* "NAME=value" of the kept names; NULL-terminated */
    char *host;
    char *kernel;
    char *boot_id;
    uint64_t host_cpus;
    uint64_t host_memory_bytes;
    int64_t started_wall_ns;
    int64_t started_monotonic_ns; /* of that boot */
    int64_t interval_ns;
    int64_t recorder_pid;
    enum mf_flight_rung rung;
    char **facilities; /* "cgroup", "connector", "taskstats", "memory-v1", ...; NULL-terminated */
    char **blind;      /* what this rung could not see, one sentence each; NULL-terminated */
    char trace_id[33]; /* hexadecimal, as in TRACEPARENT */
    char span_id[17];
    char parent_span_id[17]; /* "" without a given TRACEPARENT */
    bool terminal;           /* the command had a terminal of ours */

    enum mf_flight_state state;
    /* From here on valid unless the flight is running or dead (then: zero, NULL, NONE). */
    int64_t duration_ns; /* running: up to now; dead: -1 */
    enum mf_flight_outcome outcome;
    int exit_code; /* what `mayfly run` returned: the command's, 128 + signal, 123 .. 127 */
    int signal;    /* 0 when none */
    bool core_dumped;
    bool success;             /* outcome EXITED with 0 */
    char *reason;             /* in words */
    char **evidence;          /* what decided, one sentence each; NULL-terminated */
    char *memory_peak_source; /* "cgroup" or "samples" */
    char *largest_comm;       /* process with the highest peak of resident memory, and that peak */
    uint64_t largest_rss_bytes;
    char *busiest_comm; /* process with the most CPU time, and that time */
    uint64_t busiest_cpu_ns;
    struct mf_flight_totals totals;

    /* Only as mf_flight_run() returns it; see seal.h. */
    char seal_root[65]; /* hexadecimal; "": not sealed */
    char *seal_problem; /* why it could not be; NULL: it was not to be, or it is */
};

/* Reads flight.json of a flight directory and looks whether its recorder lives. *ret_info is the
 * caller's. Errors: -ENOENT, MF_EFORMAT, MF_EVERSION, MF_ECORRUPT, -ENOMEM. */
MF_API MF_MUST_CHECK int mf_flight_info_read(const char *dir, struct mf_flight_info **ret_info,
                                             struct mf_errinfo *err);
MF_API void mf_flight_info_free(struct mf_flight_info *info); /* NULL is allowed */
/* Whether it has the tag: "key=value", or "key" with any value or none. */
MF_API bool mf_flight_has_tag(const struct mf_flight_info *info, const char *tag);

/* A flight among others. */
struct mf_flight_entry {
    char *dir;
    char *id;                /* the directory's name */
    const char *short_id;    /* the end of id that no other flight here has: enough to name it by */
    int64_t started_wall_ns; /* as the id says where the flight itself cannot be read; 0: unknown */
    struct mf_flight_info *info; /* NULL: it cannot be read, and `why` says so */
    struct mf_errinfo why;
};

struct mf_flight_list {
    struct mf_flight_entry *items; /* newest first */
    size_t count;
    size_t unreadable; /* those without info */
};

/* Which flights. All that is zero or NULL takes every flight. */
struct mf_flight_filter {
    const char *name;
    const char *const *tags; /* NULL-terminated; each must be there (mf_flight_has_tag) */
    int64_t since_wall_ns;   /* started then or later */
    bool failed;             /* ended without success, or its recorder is gone */
    bool ended;              /* neither running nor dead */
    size_t limit;            /* at most so many of those that match, the newest */
};

/* The flights below `home` that match `filter` (NULL: all). A home that does not exist has none. A
 * directory that cannot be read matches where only `since_wall_ns` and `limit` are asked for. */
MF_API MF_MUST_CHECK int mf_flight_list_read(const char *home,
                                             const struct mf_flight_filter *filter,
                                             struct mf_flight_list *ret_list,
                                             struct mf_errinfo *err);
MF_API void mf_flight_list_free(struct mf_flight_list *list);

/* Store with the time series of the flight, for mf_metrics_open(); the caller's
 * (mf_flight_free_text). Series are listed in docs/run.md. */
MF_API MF_MUST_CHECK int mf_flight_metrics_path(const char *dir, char **ret_path,
                                                struct mf_errinfo *err);

/* ---- output ---- */

struct mf_flight_output; /* a cursor over what the command wrote, in the order of its arrival */

struct mf_flight_chunk {
    int64_t t_ns;
    enum mf_flight_stream stream;
    uint64_t offset; /* of the first byte in its stream; a jump over the end of the last chunk is a
                        gap */
    uint64_t gap_bytes;   /* bytes of this stream that were not kept just before this chunk */
    const uint8_t *bytes; /* valid until the next call on the cursor */
    size_t len;
};

struct mf_flight_line {
    int64_t t_ns; /* arrival of its first byte */
    enum mf_flight_stream stream;
    uint64_t gap_bytes; /* as above */
    const char
        *text; /* valid until the next call; may hold any byte, NUL too; without the newline */
    size_t len;
    bool complete; /* ended by a newline; false: end of the output, a gap, or longer than 1 MiB */
};

MF_API MF_MUST_CHECK int mf_flight_output_open(const char *dir,
                                               struct mf_flight_output **ret_output,
                                               struct mf_errinfo *err);
/* The next chunk, or line: 1 and *ret filled, or 0 when there is none (now: a cursor of a running
 * flight may be asked again and goes on where it was). Chunks and lines come from the same
 * position: use one kind per cursor. A torn tail ends the output; damage inside is MF_ECORRUPT, and
 * the next call goes on behind it. */
MF_API MF_MUST_CHECK int mf_flight_output_next(struct mf_flight_output *output,
                                               struct mf_flight_chunk *ret_chunk,
                                               struct mf_errinfo *err);
MF_API MF_MUST_CHECK int mf_flight_output_next_line(struct mf_flight_output *output,
                                                    struct mf_flight_line *ret_line,
                                                    struct mf_errinfo *err);
/* After next_line() returned 0 and the flight has ended: unfinished last lines, one per call. */
MF_API MF_MUST_CHECK int mf_flight_output_last_line(struct mf_flight_output *output,
                                                    struct mf_flight_line *ret_line,
                                                    struct mf_errinfo *err);
MF_API void mf_flight_output_close(struct mf_flight_output *output);

/* ---- events ---- */

struct mf_flight_events; /* a cursor over events.log */

struct mf_flight_event {
    uint64_t id;     /* 1, 2, ... within the flight */
    uint64_t parent; /* id of the event that caused it; 0: none */
    int64_t t_ns;
    int64_t wall_ns;
    uint64_t process; /* flight-local number of the process; 0: the flight itself */
    const char *kind; /* "process.start", "oom", "user", ...: the table in docs/formats.md */
    const char *json; /* the whole record: one JSON object, NUL-terminated */
    size_t json_len;
    /* all pointers valid until the next call on the cursor */
};

MF_API MF_MUST_CHECK int mf_flight_events_open(const char *dir,
                                               struct mf_flight_events **ret_events,
                                               struct mf_errinfo *err);
/* 1 and *ret_event, or 0 at the end (ask again on a running flight). Samples are skipped unless
 * `with_samples`. Records that are not valid events are counted and skipped. */
MF_API MF_MUST_CHECK int mf_flight_events_next(struct mf_flight_events *events, bool with_samples,
                                               struct mf_flight_event *ret_event,
                                               struct mf_errinfo *err);
MF_API uint64_t mf_flight_events_skipped(const struct mf_flight_events *events);
MF_API void mf_flight_events_close(struct mf_flight_events *events);

/* ---- processes ---- */

struct mf_flight_exec {
    int64_t t_ns;
    char *comm;
    char *args; /* the command line, arguments separated by blanks, quoted where needed; NULL: gone
                   too soon */
};

/* One sample of one process; between two of them nothing was spent unless a figure changed. */
struct mf_flight_sample {
    int64_t t_ns;
    uint64_t cpu_ns; /* so far */
    uint64_t rss_bytes;
    uint64_t read_bytes; /* so far; MF_FLIGHT_UNKNOWN where not permitted */
    uint64_t write_bytes;
    uint32_t threads;
};

struct mf_flight_process {
    uint64_t number; /* 1 is the command; never reused, unlike pids */
    uint64_t parent; /* its number; 0: the recorder (the command, or an orphan whose parent was not
                        seen) */
    int64_t pid;
    char *comm;       /* the last one */
    char *args;       /* of the last exec; may be NULL */
    int64_t start_ns; /* t_ns; exact with events, else when it was first seen */
    int64_t end_ns;   /* -1: still running, or alive when the recorder left */
    bool start_exact;
    bool totals_exact; /* from the kernel's exit record; else from the last sample */
    bool ended;
    bool status_known;
    int exit_code; /* with status_known: code, or 128 + signal */
    int signal;
    bool core_dumped;
    bool oom_killed;
    uint64_t cpu_user_ns;
    uint64_t cpu_system_ns;
    uint64_t rss_peak_bytes;
    uint64_t read_bytes, write_bytes, read_chars,
        write_chars; /* MF_FLIGHT_UNKNOWN where not seen */
    uint64_t faults_minor, faults_major;
    uint64_t switches_voluntary, switches_involuntary;
    uint32_t threads;             /* most at a time that were seen */
    struct mf_flight_exec *execs; /* in order; without events: the first sighting of each name */
    size_t exec_count;
    struct mf_flight_sample *samples;
    size_t sample_count;
};

struct mf_flight_processes {
    struct mf_flight_process *items; /* by number */
    size_t count;
};

/* The process table, merged from the events. */
MF_API MF_MUST_CHECK int mf_flight_processes_read(const char *dir,
                                                  struct mf_flight_processes *ret_processes,
                                                  struct mf_errinfo *err);
MF_API void mf_flight_processes_free(struct mf_flight_processes *processes);

/* ---- completing and removing ---- */

struct mf_flight_recovery {
    bool was_complete;   /* nothing to do */
    uint64_t torn_bytes; /* unfinished records at the ends of the logs, dropped */
    uint64_t corrupt_records;
    uint64_t processes_alive; /* processes of the flight that still run (found in its cgroup) */
    uint64_t logs_lost;       /* put aside as *.lost: a power cut came before their first sync */
};
/* Completes a flight whose recorder is gone: repairs the logs' ends, merges what they hold into
 * totals, writes flight.json with the state "recovered", removes the flight's empty cgroup.
 * Idempotent; a power cut within leaves it to be recovered again. Errors: MF_ELOCKED while its
 * recorder lives. */
MF_API MF_MUST_CHECK int mf_flight_recover(const char *dir, struct mf_flight_recovery *ret_recovery,
                                           struct mf_errinfo *err);
/* Removes the directory and what is in it, after checking that it is a flight that is not being
 * recorded. Never follows symbolic links. Errors: MF_ELOCKED, MF_EFORMAT. */
MF_API MF_MUST_CHECK int mf_flight_remove(const char *dir, struct mf_errinfo *err);

/* ---- recording ---- */

enum mf_leftover { MF_LEFTOVER_LEAVE, MF_LEFTOVER_WAIT, MF_LEFTOVER_KILL };

struct mf_flight_options {
    uint32_t size;               /* sizeof this struct */
    const char *home;            /* as mf_flight_home() returned it */
    const char *name;            /* NULL: the command's file name */
    const char *const *tags;     /* NULL-terminated, may be NULL */
    const char *const *keep_env; /* names of variables to record, NULL-terminated, may be NULL */
    const char *const *command;  /* argv, NULL-terminated */
    int64_t interval_ns;         /* sampling; 10 ms .. 60 s; 0: 100 ms */
    int64_t timeout_ns;          /* 0: none */
    int64_t kill_after_ns;       /* from TERM to KILL; 0: 5 s */
    int64_t grace_ns;            /* wait for output that background processes hold; 0: 1 s */
    int64_t hang_after_ns; /* no CPU and no output for this long is an event; 0: 30 s; -1: never */
    int64_t seal_wait_ns;  /* for the ledger while others write to it; 0: 2 s */
    uint64_t output_limit_bytes;  /* kept of the output, head and tail; 0: 1 GiB */
    uint64_t memory_max_bytes;    /* limit for the tree; 0: none */
    enum mf_flight_rung rung_max; /* the ladder is not climbed beyond */
    enum mf_leftover leftover;    /* what becomes of processes that outlive the command */
    bool merge_streams;           /* both through one pipe: their order is kept, not their names */
    bool no_seal;                 /* leave it without a seal */
    const char *const *cpu_budgets; /* "50ms/100ms,thread=...": see docs/run.md; NULL-terminated,
                                       may be NULL; at most 16 */
    uint64_t reserved[7];           /* zero */
};
#define MF_FLIGHT_OPTIONS_INIT                                                                     \
    {                                                                                              \
        .size = sizeof(struct mf_flight_options), .rung_max = MF_RUNG_FULL                         \
    }

/* Runs the command as a flight, with this process's descriptors 0, 1, 2, its terminal, working
 * directory and environment, until it has ended, and returns 0 with *ret_info as after
 * mf_flight_info_read(); ret_info->exit_code and ->signal say what the caller should end with.
 * Blocks signals, becomes a child subreaper and starts threads: for a program's main thread that
 * has no other threads and children. Errors (nothing was started): -EINVAL, MF_EVALUE,
 * MF_EUNSUPPORTED (a memory limit that cannot be set), and those of creating files. */
MF_API MF_MUST_CHECK int mf_flight_run(const struct mf_flight_options *options,
                                       struct mf_flight_info **ret_info, struct mf_errinfo *err);

#ifdef __cplusplus
}
#endif
#endif
