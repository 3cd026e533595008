/* SPDX-License-Identifier: Apache-2.0
 *
 * slab.h -- the mapped file of a store: its structures, where they lie, and how single pieces of it
 * are read and written whole. The essay is in metrics.c.
 */
#ifndef METRICS_SLAB_H
#define METRICS_SLAB_H

#include "histogram.h"
#include "slot.h"

#include "base/bytes.h"
#include "os/file.h"
#include <mayfly/metrics.h>
#include <stdatomic.h>

#define SLAB_FILE             "metrics.slab"
#define SLAB_FILE_NEW         "metrics.slab.new"
#define SLAB_MAGIC            "MFSLAB\r\n"
#define SLAB_VERSION          1u
#define SLAB_PAGE             4096u
#define SERIES_TEXT_BYTES_MAX 4096

#define SCHEMA_NAME_BYTES     48
#define SCHEMA_SELECTOR_BYTES 256
#define SLAB_LATE_BLOBS       512             /* where the blobs of struct slab_late begin */
#define SLOT_NONE             INT64_MIN       /* an aggregate that was never used */
#define TIME_LIMIT_NS         (INT64_MAX / 2) /* times are between - and + this */

enum slab_state { SLAB_OPEN = 1, SLAB_CLOSED = 2 };

/* Two of them, at 0 and SLAB_PAGE; the valid one with the higher sequence counts. */
struct slab_superblock {
    char magic[8];
    uint32_t version;
    uint32_t crc; /* CRC-32C of the whole structure with this field 0 */
    uint64_t sequence;
    uint64_t file_bytes;
    int64_t created_wall_ns;
    uint64_t config_bytes;
    uint32_t config_crc;
    uint32_t state; /* enum slab_state */
    uint64_t recoveries;
    uint64_t repaired;
};

/* At SLAB_PAGE * 2: what the store was created with; never changes. */
struct slab_tier_config {
    int64_t interval_ns;
    uint32_t slots;
    uint32_t zero;
};
struct slab_schema_config {
    char name[SCHEMA_NAME_BYTES];
    char selector[SCHEMA_SELECTOR_BYTES];
    uint32_t series_max;
    uint32_t histograms_max;
    uint32_t histogram_bytes;
    uint32_t tier_count;
    struct slab_tier_config tiers[MF_METRICS_TIERS_MAX];
};
struct slab_config {
    uint32_t schema_count;
    uint32_t writers_max;
    uint32_t series_text_bytes;
    uint32_t zero;
    int64_t future_ns_max;
    struct slab_schema_config schemas[MF_METRICS_SCHEMAS_MAX];
};

/* One page of single words, each written by the owner thread alone. */
struct slab_status {
    _Atomic int64_t clock_ns;
    _Atomic int64_t caller_clock_ns; /* the last tick as the caller gave it */
    _Atomic int64_t first_ns;
    _Atomic uint64_t late_merged;
    _Atomic uint64_t late_refused;
    _Atomic uint64_t future_refused;
    _Atomic uint64_t value_refused;
    _Atomic uint64_t backward_steps;
    _Atomic uint64_t counter_resets;
    _Atomic uint32_t series;
    _Atomic uint32_t shards_used;
    _Atomic int64_t
        ahead_ns; /* of the store's clock before the caller's, after a step back of that */
};

/* What a late value changes, written down before it is done, so that the next open finishes what a
 * kill left half done. Behind it lie the new blobs, one per ring. */
struct slab_late_ring {
    int64_t slot;
    struct mf__slot packed;
    uint64_t parts; /* LATE_SLOT, LATE_BLOB */
};
#define LATE_SLOT 1u
#define LATE_BLOB 2u
struct slab_late {
    uint32_t crc; /* of the rest and of the blobs; 0: nothing is going on */
    uint32_t column;
    uint32_t generation;
    uint32_t open_tier; /* that gets `aggregate`; 0: none */
    int64_t open_slot;
    int64_t open_through;
    uint64_t open_sequence; /* of that open slot before */
    struct mf__aggregate aggregate;
    struct slab_late_ring rings[MF_METRICS_TIERS_MAX]; /* per tier; parts 0: unchanged */
};

enum slab_entry_state { ENTRY_FREE = 0, ENTRY_LIVE = 1 };

/* The directory: one entry per column, in the order of the schemas. Its text (name{labels}, unit,
 * help, each with its NUL) lies in the text region at the same index. */
struct slab_entry {
    uint32_t crc; /* of the rest of the entry, then the text */
    uint32_t generation;
    _Atomic uint8_t state;
    uint8_t type;
    uint16_t series_len;
    uint16_t unit_len;
    uint16_t help_len;
    uint32_t histogram_column;
    uint32_t zero;
    int64_t registered_ns;
    uint64_t reserved[4];
};

/* An open slot, in one cache line. Each exists twice; the one with the higher sequence counts. A
 * change is written into the other copy, its sequence last; so at every instruction one of them is
 * whole, for a reader as for the next open after a kill. Accessed by __atomic built-ins. For a
 * counter `minus_min` holds minus the total last seen at its source (the sum of the shards, or the
 * observed total), and `max` where that is. */
struct slab_open {
    uint64_t sequence; /* grows by one with each value, so that it counts them too */
    uint64_t before;   /* the sequence before the first value: sequence - before values are in it */
    int64_t slot;
    double first;
    double sum; /* sum and last are one addition of two, */
    double last;
    double minus_min; /* min and max one maximum of two */
    double max;
};
/* An open slot of a tier above the first. `through`: the newest slot of the tier below that is in
 * it or in one before it. */
struct slab_upper {
    struct slab_open open;
    int64_t through;
    uint64_t reserved[7];
};

/* Each pair lies within 256 aligned bytes, so a disk's sector has both its copies as of one
 * instant. */
struct slab_cell {
    struct slab_open open[2];
    uint64_t reserved[16];
    struct slab_upper upper[][2]; /* tier_count - 1 of them */
};

_Static_assert(sizeof(struct slab_superblock) == 72, "superblock layout");
_Static_assert(sizeof(struct slab_schema_config) == 448, "schema layout");
_Static_assert(sizeof(struct slab_entry) == 64, "entry layout");
_Static_assert(sizeof(struct slab_open) == 64, "open slot layout");
_Static_assert(sizeof(struct slab_upper) == 128, "upper slot layout");
_Static_assert(sizeof(struct slab_cell) == 256, "cell layout");
_Static_assert(sizeof(struct slab_late) == 344, "late layout");
_Static_assert(sizeof(struct slab_status) <= 512, "status lies in one sector");

/* Where the parts of one tier of one schema lie. A row: lap (8 bytes), 8 zero bytes, then a packed
 * slot per column. */
struct slab_tier {
    int64_t interval_ns;
    uint32_t slots;
    int64_t children; /* slots of the tier below in one of this; 1 in the first tier */
    uint64_t row_bytes;
    uint64_t rows_offset;
    uint64_t blob_rows_offset; /* histogram buckets: histograms_max x blob_stride per row */
};

struct slab_schema {
    const struct slab_schema_config *config;
    uint32_t base; /* index of its first column in the directory */
    uint32_t tier_count;
    uint64_t cell_bytes;
    uint64_t cells_offset;
    uint64_t dense_offset; /* live histogram buckets: histograms_max x HISTOGRAM_BUCKETS x 8 */
    uint64_t blob_stride;  /* of a blob, whose room is histogram_bytes */
    struct slab_tier tiers[MF_METRICS_TIERS_MAX];
};

/* A mapped store, for writing or for reading. */
struct slab {
    uint8_t *base;
    uint64_t bytes;
    const struct slab_config *config;
    uint32_t schema_count;
    uint32_t columns; /* of all schemas */
    uint64_t late_offset;
    uint64_t late_stride; /* of the blobs behind struct slab_late */
    uint64_t directory_offset;
    uint64_t text_offset;
    uint64_t shards_offset;
    uint64_t shard_stride; /* bytes of one writer's shard */
    struct slab_schema schemas[MF_METRICS_SCHEMAS_MAX];
};

/* Checks the schemas and options of a new store and writes them as a config. */
int mf__slab_config_make(const struct mf_metrics_schema *schemas, size_t schema_count,
                         const struct mf_metrics_options *options, struct slab_config *ret_config,
                         struct mf_errinfo *err);
/* Checks a config that was read from disk. */
int mf__slab_config_check(const struct slab_config *config, const char *path,
                          struct mf_errinfo *err);
/* Fills everything but `base` from the config; returns the size of the file. */
uint64_t mf__slab_layout(struct slab *slab, const struct slab_config *config);

uint32_t mf__superblock_crc(const struct slab_superblock *superblock);
/* The newest valid superblock of a mapped file of `bytes` bytes, or NULL. */
const struct slab_superblock *mf__superblock_find(const uint8_t *base, uint64_t bytes);
/* Checks a mapped file and lays `slab` over it. */
int mf__slab_attach(struct slab *slab, uint8_t *base, uint64_t bytes, const char *path,
                    struct slab_superblock *ret_superblock, struct mf_errinfo *err);

const struct slab_schema *mf__slab_schema_of(const struct slab *slab, uint32_t column);

/* Whether the directory entry is live and its checksum holds; then *ret_entry (may be NULL) is a
 * copy of it whose lengths keep within the text region. */
bool mf__slab_entry_read(const struct slab *slab, uint32_t column, struct slab_entry *ret_entry);
/* text: of lengths that are in `entry`. */
uint32_t mf__slab_entry_crc(const struct slab_entry *entry, const char *text);

static inline struct slab_status *slab_status(const struct slab *slab)
{
    return (
        struct slab_status *)(slab->base + SLAB_PAGE * 2 +
                              ((sizeof(struct slab_config) + SLAB_PAGE - 1) & ~(SLAB_PAGE - 1u)));
}

static inline struct slab_entry *slab_entry(const struct slab *slab, uint32_t column)
{
    return (struct slab_entry *)(slab->base + slab->directory_offset) + column;
}

static inline char *slab_text(const struct slab *slab, uint32_t column)
{
    return (char *)slab->base + slab->text_offset +
           (uint64_t)column * slab->config->series_text_bytes;
}

static inline struct slab_cell *slab_cell(const struct slab *slab, const struct slab_schema *schema,
                                          uint32_t column)
{
    return (struct slab_cell *)(slab->base + schema->cells_offset +
                                (uint64_t)(column - schema->base) * schema->cell_bytes);
}

/* Words that are accessed by __atomic built-ins, like those of struct mf_counter_writer. */
static inline uint64_t *slab_shard(const struct slab *slab, uint64_t shard)
{
    return (uint64_t *)(slab->base + slab->shards_offset + shard * slab->shard_stride);
}

static inline _Atomic uint64_t *
slab_dense(const struct slab *slab, const struct slab_schema *schema, uint32_t histogram_column)
{
    return (_Atomic uint64_t *)(slab->base + schema->dense_offset) +
           (uint64_t)histogram_column * HISTOGRAM_BUCKETS;
}

static inline double load_double(const double *where)
{
    double value;
    __atomic_load(where, &value, __ATOMIC_RELAXED);
    return value;
}

static inline void store_double(double *where, double value)
{
    __atomic_store(where, &value, __ATOMIC_RELAXED);
}

static inline int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

/* Position and lap of a slot index in a ring. */
static inline uint32_t slot_position(const struct slab_tier *tier, int64_t slot)
{
    int64_t rest = slot % (int64_t)tier->slots;
    return (uint32_t)(rest < 0 ? rest + tier->slots : rest);
}

static inline uint64_t slot_lap(const struct slab_tier *tier, int64_t slot)
{
    return (uint64_t)floor_divide(slot, tier->slots);
}

static inline _Atomic uint64_t *slab_row(const struct slab *slab, const struct slab_tier *tier,
                                         uint32_t position)
{
    return (_Atomic uint64_t *)(slab->base + tier->rows_offset + position * tier->row_bytes);
}

static inline struct mf__slot *slab_row_slot(const struct slab *slab,
                                             const struct slab_schema *schema,
                                             const struct slab_tier *tier, uint32_t position,
                                             uint32_t column)
{
    return (struct mf__slot *)(slab->base + tier->rows_offset + position * tier->row_bytes + 16) +
           (column - schema->base);
}

static inline uint8_t *slab_blob(const struct slab *slab, const struct slab_schema *schema,
                                 const struct slab_tier *tier, uint32_t position,
                                 uint32_t histogram_column)
{
    return slab->base + tier->blob_rows_offset +
           ((uint64_t)position * schema->config->histograms_max + histogram_column) *
               schema->blob_stride;
}

static inline struct slab_late *slab_late(const struct slab *slab)
{
    return (struct slab_late *)(slab->base + slab->late_offset);
}

static inline uint8_t *slab_late_blob(const struct slab *slab, uint32_t tier)
{
    return slab->base + slab->late_offset + SLAB_LATE_BLOBS + tier * slab->late_stride;
}

/* A packed slot is stored and loaded by one instruction: whole for a process that is killed, and,
 * on every x86-64 CPU with AVX, whole for another CPU (Intel SDM 3A 9.1.1, AMD APM 2 7.3.2). */
static inline void slot_store(struct mf__slot *where, struct mf__slot slot)
{
#if defined(__x86_64__)
    typedef long long vector __attribute__((vector_size(16)));
    vector value = {(long long)slot.lo, (long long)slot.hi};
    __asm__ volatile("movdqa %1, %0" : "=m"(*where) : "x"(value));
#else
    __extension__ typedef unsigned __int128 wide;
    __atomic_store_n((wide *)where, ((wide)slot.hi << 64) | slot.lo, __ATOMIC_RELEASE);
#endif
}

static inline struct mf__slot slot_load(const struct mf__slot *where)
{
#if defined(__x86_64__)
    typedef long long vector __attribute__((vector_size(16)));
    vector value;
    __asm__ volatile("movdqa %1, %0" : "=x"(value) : "m"(*where));
    return (struct mf__slot){(uint64_t)value[0], (uint64_t)value[1]};
#else
    __extension__ typedef unsigned __int128 wide;
    wide value = __atomic_load_n((const wide *)where, __ATOMIC_ACQUIRE);
    return (struct mf__slot){(uint64_t)value, (uint64_t)(value >> 64)};
#endif
}

/* What all writers added to a counter. */
uint64_t mf__shards_sum(const struct slab *slab, uint32_t column);

/* A copy of an open slot, taken whole. */
struct open_copy {
    int64_t slot;
    int64_t through; /* of an upper slot */
    struct mf__aggregate aggregate;
};

/* Whether a slot number from disk lies within the times that exist. */
static inline bool slot_exists(const struct slab_tier *tier, int64_t slot)
{
    const int64_t limit = TIME_LIMIT_NS / tier->interval_ns;
    return slot >= -limit && slot <= limit;
}

/* The store's clock; INT64_MIN when there is none, or none that can be. */
int64_t mf__slab_clock(const struct slab *slab);

/* Appends what is open for `slot` of `tier`, from this tier down to the first: the open slots that
 * lie in it and that no tier in between has merged already. Coarse before fine is older before
 * newer. */
void mf__open_merge(const struct slab_schema *schema, const struct open_copy *copies, uint32_t tier,
                    int64_t slot, struct mf__aggregate *into);

/* Takes a whole copy of the newer of a pair, of which the second lies stride_bytes behind the
 * first. Returns its index (0 or 1), or -1 when the writer was faster in every attempt. */
int mf__open_read(const struct slab_open *first, size_t stride_bytes, struct open_copy *ret_copy);
/* The same of a cell's tier, and what cannot be (of a damaged file) is empty. 0 or MF_EBUSY. */
int mf__cell_read(const struct slab_schema *schema, const struct slab_cell *cell, uint32_t tier,
                  struct open_copy *ret_copy);

#endif
