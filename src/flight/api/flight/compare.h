/* SPDX-License-Identifier: Apache-2.0
 *
 * compare.h -- two flights beside each other, and one beside the earlier ones of its name.
 * One thread per object. */
#ifndef FLIGHT_COMPARE_H
#define FLIGHT_COMPARE_H

#include "flight/story.h"
#include "fmt/json_write.h"

enum mf_figure_unit { MF_UNIT_NS, MF_UNIT_BYTES, MF_UNIT_COUNT, MF_UNIT_CORES };

/* The figures that flights are compared by. X(id, key, label, unit) */
#define MF_FIGURE_MAP(X)                                                                           \
    X(DURATION, "duration_ns", "Duration", MF_UNIT_NS)                                             \
    X(CPU, "cpu_ns", "CPU time", MF_UNIT_NS)                                                       \
    X(CPU_USER, "cpu_user_ns", "  in user mode", MF_UNIT_NS)                                       \
    X(CPU_SYSTEM, "cpu_system_ns", "  in the system", MF_UNIT_NS)                                  \
    X(CORES, "cores", "Cores on average", MF_UNIT_CORES)                                           \
    X(MEMORY, "memory_peak_bytes", "Memory peak", MF_UNIT_BYTES)                                   \
    X(LARGEST, "largest_rss_bytes", "Largest process", MF_UNIT_BYTES)                              \
    X(READ, "read_bytes", "Read from storage", MF_UNIT_BYTES)                                      \
    X(WRITE, "write_bytes", "Written to storage", MF_UNIT_BYTES)                                   \
    X(PROCESSES, "processes", "Processes", MF_UNIT_COUNT)                                          \
    X(PROCESSES_PEAK, "processes_peak", "  at a time", MF_UNIT_COUNT)                              \
    X(THREADS_PEAK, "threads_peak", "Threads at a time", MF_UNIT_COUNT)                            \
    X(FAULTS_MAJOR, "faults_major", "Major page faults", MF_UNIT_COUNT)                            \
    X(SWITCHES, "switches", "Context switches", MF_UNIT_COUNT)                                     \
    X(OUTPUT, "output_bytes", "Output", MF_UNIT_BYTES)                                             \
    X(LINES, "output_lines", "Lines of output", MF_UNIT_COUNT)

enum mf_figure {
#define X(id, key, label, unit) MF_FIGURE_##id,
    MF_FIGURE_MAP(X)
#undef X
        MF_FIGURES
};

struct mf_figure_about {
    const char *key;
    const char *label;
    enum mf_figure_unit unit;
};
extern const struct mf_figure_about mf_figures[MF_FIGURES];

/* The figure of a flight; NaN when it is not known (also of a flight that has not ended). */
double mf_figure_of(const struct mf_flight_info *info, enum mf_figure figure);
/* "12.4 s", "402 MiB", "1.23 k", "1.72". A NaN is "-". */
void mf_figure_text(struct mf_buffer *out, enum mf_figure_unit unit, double value);
/* The change from a to b: "+12 %", "x3.1", "same", "new", "gone", "-". Changes below 0.5 % are the
 * same. */
void mf_change_text(struct mf_buffer *out, double a, double b);

/* ---- two ---- */

/* All processes of one name. */
struct mf_command_change {
    char *comm;
    size_t count[2];
    uint64_t cpu_ns[2];
    uint64_t rss_peak_bytes[2];
};

/* A command line that only one of the two ran. Names of temporary files and long numbers in it are
 * replaced, since they differ from run to run. */
struct mf_only_in_one {
    unsigned side; /* 0: a, 1: b */
    char *title;
    size_t count;
    uint64_t cpu_ns;
};

struct mf_comparison {
    const struct mf_story *stories[2];  /* borrowed */
    int64_t axis_ns;                    /* the longer duration: both are drawn on it */
    struct mf_command_change *commands; /* by how much CPU time changed, the most first */
    size_t command_count;
    struct mf_only_in_one *only; /* by CPU time, the most first */
    size_t only_count;
};

MF_MUST_CHECK int mf_compare(const struct mf_story *a, const struct mf_story *b,
                             struct mf_comparison *ret_comparison, struct mf_errinfo *err);
void mf_compare_free(struct mf_comparison *comparison);
void mf_compare_json(struct mf_json *json, const struct mf_comparison *comparison);

/* ---- one and its history ---- */

struct mf_distribution {
    size_t count; /* of earlier flights that know the figure */
    double min, quarter, median, three_quarters, max;
    double value; /* of the flight in question; NaN: not known */
    size_t below; /* earlier flights with a smaller value */
    size_t above; /* with a larger one */
};

/* Where the value falls. Beyond the usual: outside of [quarter - 1.5 r, three_quarters + 1.5 r], r
 * being the distance between the quarters (Tukey, "Exploratory Data Analysis", 1977, section 2C);
 * said from five earlier flights on. */
enum mf_standing {
    MF_STANDING_UNKNOWN,
    MF_STANDING_USUAL,
    MF_STANDING_LOW, /* beyond the usual */
    MF_STANDING_HIGH,
    MF_STANDING_LOWEST, /* beyond the usual, and there was no such value before */
    MF_STANDING_HIGHEST
};
enum mf_standing mf_standing_of(const struct mf_distribution *distribution);
/* "usual", "unusually high", "higher than ever", "" when it is not known. */
const char *mf_standing_name(enum mf_standing standing);

struct mf_history {
    size_t flights;    /* earlier ones of that name that ended */
    size_t successes;  /* of them */
    bool of_successes; /* the figures are those of successes only, of which there are some */
    struct mf_distribution figures[MF_FIGURES];
    char *last_failure_id; /* the newest earlier one; NULL: none */
    char *last_failure_reason;
};

/* Compares with at most `limit` flights of the same name below `home` that began before it. */
MF_MUST_CHECK int mf_history_read(const char *home, const struct mf_flight_info *info, size_t limit,
                                  struct mf_history *ret_history, struct mf_errinfo *err);
void mf_history_free(struct mf_history *history);
void mf_history_json(struct mf_json *json, const struct mf_history *history);

/* The distribution of values[0..count), which it sorts; NaN are left out. */
struct mf_distribution mf_distribution_of(double *values, size_t count, double value);

#endif
