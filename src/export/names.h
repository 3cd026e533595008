/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h -- under which names the series of a store are exported.
 *
 * The series of one name and type form a family. Its base is the name, of a counter without
 * `_total`; its samples are base_total of a counter, base of a gauge, base_bucket, base_sum and
 * base_count of a histogram. No two families share a base or a sample name: where that would happen
 * (a counter `a` and a gauge `a_total`, or one name with two types), the later one in the order of
 * names is called name_gauge, name_counter or name_histogram.
 */
#ifndef EXPORT_NAMES_H
#define EXPORT_NAMES_H

#include <mayfly/metrics.h>
#include <stddef.h>

struct names_family {
    char *name; /* in the store */
    char *base; /* in the export */
    enum mf_series_type type;
    unsigned round; /* how many families with the same name stand before it */
};

struct names {
    struct names_family *families; /* by name, then by their first series */
    size_t count;
    size_t capacity;
    unsigned rounds; /* passes over the series in which each family is met in one piece */
    char **taken;    /* hash table of the bases and sample names in use */
    size_t taken_count;
    size_t taken_slots;
};

/* Reads the names of all series that match. aggregates: gauges also have base:avg, :min and :max.
 */
int mf__names_read(struct names *names, struct mf_metrics_reader *reader, const char *selector,
                   bool aggregates, struct mf_errinfo *err);
void mf__names_free(struct names *names);
/* NULL for a series that was registered after the names were read. */
const struct names_family *mf__names_find(const struct names *names, const char *name,
                                          enum mf_series_type type);

/* Adds the families of one series; names must come in ascending order. -ENOMEM. */
int mf__names_add(struct names *names, const char *name, enum mf_series_type type, bool aggregates);

#endif
