/* SPDX-License-Identifier: Apache-2.0
 * archive.h -- the parts of a sealed store; the format is described in archive.c. */
#ifndef METRICS_ARCHIVE_H
#define METRICS_ARCHIVE_H

#include "source.h"

#include "base/buffer.h"

#define ARCHIVE_FILE_NEW     "metrics.archive.new"
#define ARCHIVE_MAGIC        "MFARCH\r\n"
#define ARCHIVE_FOOTER_MAGIC "MFARCHED"
#define ARCHIVE_VERSION      1u
#define ARCHIVE_HEADER_BYTES 16
#define ARCHIVE_FOOTER_BYTES 32
#define ARCHIVE_FRAME_BYTES  16

#define ARCHIVE_CHUNK_POINTS  4096       /* at most, in one chunk */
#define ARCHIVE_CHUNK_BUCKETS 65536      /* bytes of buckets after which a chunk ends */
#define ARCHIVE_BLOCK_BYTES   65536      /* chunks are gathered to at least this many bytes */
#define ARCHIVE_BLOCK_MAX     (1u << 20) /* no block of chunks is longer, unpacked */
#define ARCHIVE_CATALOG_MAX   (1u << 30)

/* --- archive_zstd.c, or archive_plain.c in a build without zstd --- */

enum archive_packing { ARCHIVE_PLAIN = 0, ARCHIVE_ZSTD = 1 };

struct mf__packer; /* memory for packing; NULL when memory is out */
struct mf__packer *mf__packer_new(void);
void mf__packer_free(struct mf__packer *packer);
/* What `bytes` will take, for the choice of a form. */
size_t mf__packer_estimate(void *packer, const void *bytes, size_t len);
/* Appends the packed bytes and says how they are packed. -ENOMEM. */
int mf__pack(struct mf__packer *packer, const void *bytes, size_t len, struct mf_buffer *out,
             enum archive_packing *ret_packing);
/* Unpacks exactly `len` bytes. MF_ECORRUPT, or MF_EUNSUPPORTED in a build without that packing. */
int mf__unpack(unsigned packing, const void *packed, size_t packed_len, void *bytes, size_t len);

/* --- archive_chunk.c --- */

/* How a point stands in a chunk. */
enum chunk_kind {
    CHUNK_CONST = 1,          /* a packed slot of that mode, see slot.h */
    CHUNK_RANGE = 2,          /* .. */
    CHUNK_TOTAL = 3,          /* .. */
    CHUNK_RAW = 4,            /* an aggregate that no packed slot says exactly */
    CHUNK_DERIVED = 5,        /* follows from the next finer tier: merged */
    CHUNK_DERIVED_PACKED = 6, /* .. and packed */
    CHUNK_BUCKETS = 16        /* flag: its buckets stand in the chunk */
};
#define CHUNK_KIND 15

/* One chunk, taken apart: consecutive points of one series and tier. */
struct chunk {
    size_t count;
    struct source_point points[ARCHIVE_CHUNK_POINTS]; /* of derived ones the slot only */
    uint8_t kinds[ARCHIVE_CHUNK_POINTS];              /* kind and flag */
    struct mf_buffer buckets;                         /* one after the other */
    size_t bucket_offsets[ARCHIVE_CHUNK_POINTS];
    uint64_t words[ARCHIVE_CHUNK_POINTS]; /* work space */
};

/* The kind of a point that does not follow from another tier. */
enum chunk_kind mf__chunk_kind(const struct source_point *point, bool counter);
/* What the aggregate of finer slots would be in a packed slot; false when there is none. */
bool mf__chunk_packed(const struct mf__aggregate *merged, bool counter,
                      struct source_point *ret_point);
bool mf__points_equal(const struct source_point *a, const struct source_point *b);

void mf__buckets_encode(const struct mf_histogram *histogram, struct mf_buffer *out);
/* Adds encoded buckets to `into` (counts and halvings); *ret_len is what they took. MF_ECORRUPT. */
int mf__buckets_decode(const uint8_t *in, size_t len, struct mf_histogram *into, size_t *ret_len);

int mf__chunk_encode(struct chunk *chunk, struct mf__packer *packer, struct mf_buffer *out);
/* Reads a chunk of exactly `len` bytes; everything in it is checked. MF_ECORRUPT, -ENOMEM. */
int mf__chunk_decode(const uint8_t *in, size_t len, struct chunk *chunk);

/* --- archive_catalog.c --- */

struct catalog_series {
    struct source_series source;
    size_t chunk_first[MF_METRICS_TIERS_MAX]; /* in catalog.chunks */
    size_t chunk_count[MF_METRICS_TIERS_MAX];
};

struct catalog_chunk {
    int64_t first_slot;
    int64_t last_slot;
    uint32_t points;
    uint32_t block;
    uint32_t offset; /* in the unpacked block */
    uint32_t len;
};

struct catalog {
    struct mf_metrics_info info;
    uint32_t schema_count;
    struct mf_metrics_schema schemas[MF_METRICS_SCHEMAS_MAX];
    struct catalog_series *series;
    size_t series_count;
    size_t series_capacity;
    struct catalog_chunk *chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    uint64_t *blocks; /* where each begins in the file */
    size_t block_count;
    size_t block_capacity;
    char *text; /* what the strings point into; NULL in the writer */
};

void mf__catalog_free(struct catalog *catalog);
int mf__catalog_encode(const struct catalog *catalog, struct mf_buffer *out);
/* Takes over `text` (len bytes) also on failure. MF_ECORRUPT, -ENOMEM. */
int mf__catalog_decode(struct catalog *catalog, char *text, size_t len);
struct catalog_series *mf__catalog_add_series(struct catalog *catalog);
struct catalog_chunk *mf__catalog_add_chunk(struct catalog *catalog);
uint64_t *mf__catalog_add_block(struct catalog *catalog);

/* --- archive_write.c --- */

/* Writes the content of a reader to a new file, synced. */
int mf__archive_write(const struct mf_metrics_reader *reader, const struct mf_fs *fs,
                      const char *path, struct mf_metrics_seal_report *report,
                      struct mf_errinfo *err);

/* --- archive_read.c --- */

/* Opens one archive file. */
int mf__archive_open_file(const char *path, const struct mf_fs *fs,
                          struct mf_metrics_reader **ret_reader, struct mf_errinfo *err);
/* Reads every block and chunk of an archive, and every point of it. */
int mf__archive_check(const struct mf_metrics_reader *reader, uint64_t *ret_blocks,
                      struct mf_errinfo *err);

/* --- verify.c --- */

/* Checks every point that a source gives. */
int mf__source_check(const struct mf_metrics_reader *reader, const char *path, bool still,
                     uint64_t *ret_series, uint64_t *ret_points, struct mf_errinfo *err);

/* The slots that a tier retains. */
struct slot_range {
    int64_t first;
    int64_t last;
};
struct slot_range mf__retained(const struct mf_metrics_info *info,
                               const struct mf_metrics_tier *tier);

#endif
