/* SPDX-License-Identifier: Apache-2.0
 * flight_view.h -- pieces of text that show a flight, shared by verbs. */
#ifndef CLI_FLIGHT_VIEW_H
#define CLI_FLIGHT_VIEW_H

#include "cli.h"

#include "flight/story.h"
#include "fmt/terminal.h"

struct cli_view {
    struct mf_buffer *out;
    size_t width; /* columns */
    bool colored;
    bool unicode;
};

/* For standard output: its width (100 where it is no terminal), colours and characters. */
struct cli_view cli_view_of(struct cli_context *cli, struct mf_buffer *out);

/* A heading on a line of its own, after an empty line. */
void cli_view_heading(const struct cli_view *view, const char *heading);
/* "  Label      text": the text made harmless and wrapped below itself. */
void cli_view_field(const struct cli_view *view, const char *label, const char *text);
/* The same as a list, one text per line. */
void cli_view_item(const struct cli_view *view, const char *text);

/* Sparklines of CPU, memory, disk, output and processes over [from_ns, to_ns), each `rows` high,
 * with their largest values. Series that are not there or all zero are left out. */
void cli_view_charts(const struct cli_view *view, const struct mf_timeline *timeline,
                     int64_t from_ns, int64_t to_ns);

/* A table of the processes whose indexes are given. */
void cli_view_processes(const struct cli_view *view, const struct mf_story *story,
                        const size_t *indexes, size_t count);

/* A time of the flight: "12.4 s". */
void cli_view_moment(struct mf_buffer *out, int64_t t_ns);
/* The style that an outcome has, and the mark before it. */
enum mf_style cli_outcome_style(const struct mf_flight_info *info);
const char *cli_outcome_mark(const struct cli_view *view, const struct mf_flight_info *info);
/* A value of a series in its unit: "1.72 cores", "402 MiB", "1.5 MiB/s", "12". */
void cli_view_value(struct mf_buffer *out, const char *unit, double value);

#endif
