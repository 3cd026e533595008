/* SPDX-License-Identifier: Apache-2.0
 * slab.c -- the layout of the mapped file and the checks on what was read from disk. */
#include "slab.h"
#include "labels.h"
#include "selector.h"

#include "base/bytes.h"
#include "base/fail.h"
#include "base/hash.h"

#include <math.h>
#include <string.h>

#define SERIES_TEXT_BYTES_DEFAULT 256
#define WRITERS_DEFAULT           8
#define WRITERS_MAX               256
#define HISTOGRAM_BYTES_DEFAULT   1024
#define FUTURE_NS_DEFAULT         (INT64_C(3600) * 1000000000)
#define WINDOW_NS_MAX             (INT64_MAX / 4)
#define FILE_BYTES_MAX            (UINT64_C(1) << 44)
#define FUTURE_NS_MAX             (INT64_MAX / 4) /* what is more means as much */
#define OPEN_READ_ATTEMPTS        100000
#define SECTOR                    512u

struct mf_metrics_schema mf_metrics_schema_default(uint32_t series_max)
{
    const int64_t second = 1000000000;
    return (struct mf_metrics_schema){
        .name = "default",
        .series_max = series_max,
        .tier_count = 3,
        .tiers = {{second, 600}, {10 * second, 2160}, {300 * second, 2016}},
    };
}

static bool schema_name_valid(const char *name)
{
    size_t len = strnlen(name, SCHEMA_NAME_BYTES);
    if (len == 0 || len == SCHEMA_NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const char c = name[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-'))) {
            return false;
        }
    }
    return true;
}

static int check_tiers(const struct slab_schema_config *schema, const char *path, int code,
                       struct mf_errinfo *err)
{
    if (schema->tier_count < 1 || schema->tier_count > MF_METRICS_TIERS_MAX) {
        return mf_fail(err, code, "%s: schema %s has %u tiers; 1 to %d are possible", path,
                       schema->name, schema->tier_count, MF_METRICS_TIERS_MAX);
    }
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        const struct slab_tier_config *tier = &schema->tiers[t];
        if (tier->interval_ns < MF_METRICS_INTERVAL_NS_MIN) {
            return mf_fail(err, code,
                           "%s: schema %s, tier %u: an interval of %lld ns; 1 ms is the "
                           "shortest",
                           path, schema->name, t, (long long)tier->interval_ns);
        }
        if (tier->slots < 2 || tier->slots > MF_METRICS_SLOTS_MAX) {
            return mf_fail(err, code, "%s: schema %s, tier %u: %u slots; 2 to %d are possible",
                           path, schema->name, t, tier->slots, MF_METRICS_SLOTS_MAX);
        }
        if (tier->interval_ns > WINDOW_NS_MAX / (int64_t)tier->slots) {
            return mf_fail(err, code,
                           "%s: schema %s, tier %u: %u slots of %lld ns are more than 70 "
                           "years",
                           path, schema->name, t, tier->slots, (long long)tier->interval_ns);
        }
        if (t == 0) {
            continue;
        }
        const struct slab_tier_config *finer = &schema->tiers[t - 1];
        const int64_t children = tier->interval_ns / finer->interval_ns;
        if (tier->interval_ns % finer->interval_ns != 0 || children < 2) {
            return mf_fail(err, code,
                           "%s: schema %s, tier %u: its interval of %lld ns is not a "
                           "multiple (2 or more) of the tier before (%lld ns)",
                           path, schema->name, t, (long long)tier->interval_ns,
                           (long long)finer->interval_ns);
        }
        if (children > finer->slots) {
            return mf_fail(err, code,
                           "%s: schema %s, tier %u: one slot takes %lld slots of the tier "
                           "before, which keeps only %u",
                           path, schema->name, t, (long long)children, finer->slots);
        }
    }
    return 0;
}

static int check_schema(const struct slab_config *config, uint32_t index, const char *path,
                        int code, struct mf_errinfo *err)
{
    const struct slab_schema_config *schema = &config->schemas[index];
    if (!schema_name_valid(schema->name)) {
        return mf_fail(err, code,
                       "%s: schema %u has an invalid name; use [a-zA-Z_][a-zA-Z0-9_-]*, at "
                       "most %d bytes",
                       path, index, SCHEMA_NAME_BYTES - 1);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(schema->name, config->schemas[i].name) == 0) {
            return mf_fail(err, code, "%s: two schemas are named %s", path, schema->name);
        }
    }
    if (strnlen(schema->selector, SCHEMA_SELECTOR_BYTES) == SCHEMA_SELECTOR_BYTES) {
        return mf_fail(err, code, "%s: the selector of schema %s is not terminated", path,
                       schema->name);
    }
    struct mf__selector *selector = NULL;
    int rc = mf__selector_parse(schema->selector, &selector, err);
    mf__selector_free(selector);
    if (rc < 0) {
        return rc;
    }
    if (schema->series_max < 1 || schema->series_max > MF_METRICS_SERIES_MAX) {
        return mf_fail(err, code, "%s: schema %s is for %u series; 1 to %d are possible", path,
                       schema->name, schema->series_max, MF_METRICS_SERIES_MAX);
    }
    if (schema->histograms_max > schema->series_max) {
        return mf_fail(err, code, "%s: schema %s is for %u histograms, more than its %u series",
                       path, schema->name, schema->histograms_max, schema->series_max);
    }
    if (schema->histogram_bytes < 64 || schema->histogram_bytes > HISTOGRAM_BLOB_MAX ||
        schema->histogram_bytes % 8 != 0) {
        return mf_fail(err, code,
                       "%s: schema %s: %u bytes for a histogram; 64 to %d, a multiple of 8, "
                       "are possible",
                       path, schema->name, schema->histogram_bytes, HISTOGRAM_BLOB_MAX);
    }
    return check_tiers(schema, path, code, err);
}

static int check_config(const struct slab_config *config, const char *path, int code,
                        struct mf_errinfo *err)
{
    if (config->schema_count < 1 || config->schema_count > MF_METRICS_SCHEMAS_MAX) {
        return mf_fail(err, code, "%s: %u schemas; 1 to %d are possible", path,
                       config->schema_count, MF_METRICS_SCHEMAS_MAX);
    }
    if (config->writers_max < 1 || config->writers_max > WRITERS_MAX) {
        return mf_fail(err, code, "%s: writers_max is %u; 1 to %d are possible", path,
                       config->writers_max, WRITERS_MAX);
    }
    if (config->series_text_bytes < 32 || config->series_text_bytes > SERIES_TEXT_BYTES_MAX) {
        return mf_fail(err, code, "%s: series_text_bytes is %u; 32 to %d are possible", path,
                       config->series_text_bytes, SERIES_TEXT_BYTES_MAX);
    }
    if (config->future_ns_max < 0 || config->future_ns_max > FUTURE_NS_MAX) {
        return mf_fail(err, code, "%s: future_ns_max is %lld ns; 0 to %lld are possible", path,
                       (long long)config->future_ns_max, (long long)FUTURE_NS_MAX);
    }
    uint64_t columns = 0;
    for (uint32_t i = 0; i < config->schema_count; i++) {
        int rc = check_schema(config, i, path, code, err);
        if (rc < 0) {
            return rc;
        }
        columns += config->schemas[i].series_max;
    }
    if (columns > MF_METRICS_SERIES_MAX) {
        return mf_fail(err, code, "%s: the schemas hold %llu series together; %d are possible",
                       path, (unsigned long long)columns, MF_METRICS_SERIES_MAX);
    }
    struct slab slab;
    const uint64_t bytes = mf__slab_layout(&slab, config);
    if (bytes > FILE_BYTES_MAX) {
        return mf_fail(err, code,
                       "%s: the store would take %llu bytes; fewer slots or series, please", path,
                       (unsigned long long)bytes);
    }
    return 0;
}

int mf__slab_config_check(const struct slab_config *config, const char *path,
                          struct mf_errinfo *err)
{
    return check_config(config, path, MF_ECORRUPT, err);
}

static int copy_text(char *to, size_t room, const char *from, const char *what,
                     struct mf_errinfo *err)
{
    const size_t len = strnlen(from, room);
    if (len == room) {
        return mf_fail(err, MF_EVALUE, "%s is longer than %zu bytes", what, room - 1);
    }
    memcpy(to, from, len);
    return 0;
}

static int check_options(const struct mf_metrics_options *options, struct mf_errinfo *err)
{
    if (options->size != sizeof *options) {
        return mf_fail(err, MF_EVALUE,
                       "mf_metrics_options.size is %u, not %zu: use "
                       "MF_METRICS_OPTIONS_INIT",
                       options->size, sizeof *options);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(options->reserved); i++) {
        if (options->reserved[i] != 0 || options->reserved32 != 0) {
            return mf_fail(err, MF_EVALUE, "mf_metrics_options: reserved fields must be zero");
        }
    }
    return 0;
}

int mf__slab_config_make(const struct mf_metrics_schema *schemas, size_t schema_count,
                         const struct mf_metrics_options *options, struct slab_config *ret_config,
                         struct mf_errinfo *err)
{
    const struct mf_metrics_options defaults = MF_METRICS_OPTIONS_INIT;
    options = options != NULL ? options : &defaults;
    int rc = check_options(options, err);
    if (rc < 0) {
        return rc;
    }
    if (schema_count < 1 || schema_count > MF_METRICS_SCHEMAS_MAX) {
        return mf_fail(err, MF_EVALUE, "%zu schemas; 1 to %d are possible", schema_count,
                       MF_METRICS_SCHEMAS_MAX);
    }
    struct slab_config config = {
        .schema_count = (uint32_t)schema_count,
        .writers_max = options->writers_max != 0 ? options->writers_max : WRITERS_DEFAULT,
        .series_text_bytes = options->series_text_bytes != 0
                                 ? (uint32_t)mf_align_up(options->series_text_bytes, 8)
                                 : SERIES_TEXT_BYTES_DEFAULT,
        .future_ns_max = options->future_ns_max != 0 ? options->future_ns_max : FUTURE_NS_DEFAULT,
    };
    if (config.future_ns_max > FUTURE_NS_MAX) {
        config.future_ns_max = FUTURE_NS_MAX;
    }
    for (size_t i = 0; i < schema_count; i++) {
        const struct mf_metrics_schema *from = &schemas[i];
        struct slab_schema_config *to = &config.schemas[i];
        rc = copy_text(to->name, sizeof to->name, from->name != NULL ? from->name : "",
                       "the name of a schema", err);
        if (rc == 0 && from->selector != NULL) {
            rc = copy_text(to->selector, sizeof to->selector, from->selector,
                           "the selector of a schema", err);
        }
        if (rc < 0) {
            return rc;
        }
        to->series_max = from->series_max;
        to->histograms_max = from->histograms_max;
        to->histogram_bytes =
            from->histogram_bytes != 0 ? from->histogram_bytes : HISTOGRAM_BYTES_DEFAULT;
        to->tier_count = from->tier_count;
        for (uint32_t t = 0; t < from->tier_count && t < MF_METRICS_TIERS_MAX; t++) {
            to->tiers[t].interval_ns = from->tiers[t].interval_ns;
            to->tiers[t].slots = from->tiers[t].slots;
        }
    }
    rc = check_config(&config, "new store", MF_EVALUE, err);
    if (rc == 0) {
        *ret_config = config;
    }
    return rc;
}

/* Blobs that fit into a sector lie in one, so that a power cut cannot tear them. */
static uint64_t blob_stride(const struct slab_schema_config *config)
{
    uint64_t stride = 64;
    while (stride < config->histogram_bytes && stride < SECTOR) {
        stride *= 2;
    }
    return stride < SECTOR ? stride : mf_align_up(config->histogram_bytes, SECTOR);
}

static uint64_t lay_out_schema(struct slab_schema *schema, const struct slab_schema_config *config,
                               uint32_t base, uint64_t offset)
{
    *schema =
        (struct slab_schema){.config = config, .base = base, .tier_count = config->tier_count};
    schema->cell_bytes =
        sizeof(struct slab_cell) + (config->tier_count - 1) * 2 * sizeof(struct slab_upper);
    schema->blob_stride = blob_stride(config);
    schema->cells_offset = offset = mf_align_up(offset, sizeof(struct slab_cell));
    offset += schema->cell_bytes * config->series_max;
    schema->dense_offset = offset = mf_align_up(offset, 64);
    offset += (uint64_t)config->histograms_max * HISTOGRAM_BUCKETS * sizeof(uint64_t);
    for (uint32_t t = 0; t < config->tier_count; t++) {
        struct slab_tier *tier = &schema->tiers[t];
        tier->interval_ns = config->tiers[t].interval_ns;
        tier->slots = config->tiers[t].slots;
        tier->children = t == 0 ? 1 : tier->interval_ns / schema->tiers[t - 1].interval_ns;
        tier->row_bytes = 16 + (uint64_t)config->series_max * sizeof(struct mf__slot);
        tier->rows_offset = offset = mf_align_up(offset, 64);
        offset += tier->row_bytes * tier->slots;
        tier->blob_rows_offset = offset = mf_align_up(offset, SECTOR);
        offset += (uint64_t)config->histograms_max * schema->blob_stride * tier->slots;
    }
    return offset;
}

uint64_t mf__slab_layout(struct slab *slab, const struct slab_config *config)
{
    *slab = (struct slab){.config = config, .schema_count = config->schema_count};
    for (uint32_t i = 0; i < config->schema_count; i++) {
        const struct slab_schema_config *schema = &config->schemas[i];
        slab->columns += schema->series_max;
        if (schema->histograms_max > 0 && blob_stride(schema) > slab->late_stride) {
            slab->late_stride = blob_stride(schema);
        }
    }
    uint64_t offset =
        SLAB_PAGE * 2 + mf_align_up(sizeof(struct slab_config), SLAB_PAGE) + SLAB_PAGE;
    slab->late_offset = offset;
    offset += mf_align_up(SLAB_LATE_BLOBS + MF_METRICS_TIERS_MAX * slab->late_stride, SLAB_PAGE);
    slab->directory_offset = offset;
    offset += (uint64_t)slab->columns * sizeof(struct slab_entry);
    slab->text_offset = offset;
    offset += (uint64_t)slab->columns * config->series_text_bytes;
    slab->shards_offset = offset = mf_align_up(offset, 64);
    slab->shard_stride = mf_align_up((uint64_t)slab->columns * sizeof(uint64_t), 64);
    offset += slab->shard_stride * config->writers_max;
    uint32_t base = 0;
    for (uint32_t i = 0; i < config->schema_count; i++) {
        offset = lay_out_schema(&slab->schemas[i], &config->schemas[i], base, offset);
        base += config->schemas[i].series_max;
    }
    slab->bytes = mf_align_up(offset, SLAB_PAGE);
    return slab->bytes;
}

uint32_t mf__superblock_crc(const struct slab_superblock *superblock)
{
    struct slab_superblock copy = *superblock;
    copy.crc = 0;
    return mf_crc32c(0, &copy, sizeof copy);
}

const struct slab_superblock *mf__superblock_find(const uint8_t *base, uint64_t bytes)
{
    const struct slab_superblock *newest = NULL;
    for (uint64_t offset = 0; offset < SLAB_PAGE * 2 && offset + SLAB_PAGE <= bytes;
         offset += SLAB_PAGE) {
        const struct slab_superblock *candidate = (const struct slab_superblock *)(base + offset);
        if (memcmp(candidate->magic, SLAB_MAGIC, sizeof candidate->magic) == 0 &&
            candidate->crc == mf__superblock_crc(candidate) &&
            (newest == NULL || candidate->sequence > newest->sequence)) {
            newest = candidate;
        }
    }
    return newest;
}

static int describe_bad_superblock(const uint8_t *base, uint64_t bytes, const char *path,
                                   struct mf_errinfo *err)
{
    for (uint64_t offset = 0; offset < SLAB_PAGE * 2 && offset + SLAB_PAGE <= bytes;
         offset += SLAB_PAGE) {
        if (memcmp(base + offset, SLAB_MAGIC, 8) == 0) {
            return mf_fail(err, MF_ECORRUPT,
                           "%s: both superblocks (offsets 0 and %u) fail their "
                           "checksum; the store cannot be read",
                           path, SLAB_PAGE);
        }
    }
    return mf_fail(err, MF_EFORMAT, "%s: not a metrics store (no superblock at offset 0)", path);
}

int mf__slab_attach(struct slab *slab, uint8_t *base, uint64_t bytes, const char *path,
                    struct slab_superblock *ret_superblock, struct mf_errinfo *err)
{
    /* A writer changes the superblock it is not using; a copy that verifies is whole. */
    struct slab_superblock superblock;
    for (int attempt = 0;; attempt++) {
        const struct slab_superblock *found = mf__superblock_find(base, bytes);
        if (found != NULL) {
            superblock = *found;
            if (superblock.crc == mf__superblock_crc(&superblock)) {
                break;
            }
        }
        if (attempt == 100) {
            return describe_bad_superblock(base, bytes, path, err);
        }
    }
    if (superblock.version != SLAB_VERSION) {
        return mf_fail(err, MF_EVERSION, "%s: format version %u; this build reads version %u", path,
                       superblock.version, SLAB_VERSION);
    }
    if (superblock.file_bytes != bytes) {
        return mf_fail(err, MF_ECORRUPT,
                       "%s: %llu bytes long, should be %llu: it was cut or extended", path,
                       (unsigned long long)bytes, (unsigned long long)superblock.file_bytes);
    }
    const struct slab_config *config = (const struct slab_config *)(base + SLAB_PAGE * 2);
    if (bytes < SLAB_PAGE * 2 + sizeof *config || superblock.config_bytes != sizeof *config ||
        mf_crc32c(0, config, sizeof *config) != superblock.config_crc) {
        return mf_fail(err, MF_ECORRUPT, "%s: the schemas at offset %u fail their checksum", path,
                       SLAB_PAGE * 2);
    }
    int rc = mf__slab_config_check(config, path, err);
    if (rc < 0) {
        return rc;
    }
    if (mf__slab_layout(slab, config) != bytes) {
        return mf_fail(err, MF_ECORRUPT, "%s: %llu bytes long, but its schemas need %llu", path,
                       (unsigned long long)bytes, (unsigned long long)slab->bytes);
    }
    slab->base = base;
    *ret_superblock = superblock;
    return 0;
}

const struct slab_schema *mf__slab_schema_of(const struct slab *slab, uint32_t column)
{
    uint32_t i = 0;
    while (i + 1 < slab->schema_count && column >= slab->schemas[i + 1].base) {
        i++;
    }
    return &slab->schemas[i];
}

static size_t text_bytes(const struct slab_entry *entry)
{
    return (size_t)entry->series_len + entry->unit_len + entry->help_len + 3;
}

uint32_t mf__slab_entry_crc(const struct slab_entry *entry, const char *text)
{
    struct slab_entry copy = *entry;
    copy.crc = 0;
    return mf_crc32c(mf_crc32c(0, &copy, sizeof copy), text, text_bytes(&copy));
}

bool mf__slab_entry_read(const struct slab *slab, uint32_t column, struct slab_entry *ret_entry)
{
    const struct slab_entry *where = slab_entry(slab, column);
    if (atomic_load_explicit(&where->state, memory_order_acquire) != ENTRY_LIVE) {
        return false;
    }
    struct slab_entry entry;
    memcpy(&entry, where, sizeof entry);
    if (entry.generation == 0 || entry.type < MF_GAUGE || entry.type > MF_HISTOGRAM ||
        text_bytes(&entry) > slab->config->series_text_bytes ||
        (entry.type == MF_HISTOGRAM &&
         entry.histogram_column >= mf__slab_schema_of(slab, column)->config->histograms_max) ||
        entry.crc != mf__slab_entry_crc(&entry, slab_text(slab, column))) {
        return false;
    }
    if (ret_entry != NULL) {
        *ret_entry = entry;
    }
    return true;
}

/* The writer publishes a copy by its sequence and then begins to change the other one. So what was
 * read of a copy is whole when, afterwards, the other has still not been published past it. */
int mf__open_read(const struct slab_open *first, size_t stride_bytes, struct open_copy *ret_copy)
{
    const struct slab_open *copies[2] = {
        first, (const struct slab_open *)((const uint8_t *)first + stride_bytes)};
    for (int attempt = 0; attempt < OPEN_READ_ATTEMPTS; attempt++) {
        const uint64_t sequences[2] = {__atomic_load_n(&copies[0]->sequence, __ATOMIC_ACQUIRE),
                                       __atomic_load_n(&copies[1]->sequence, __ATOMIC_ACQUIRE)};
        const int newer = sequences[1] > sequences[0] ? 1 : 0;
        const struct slab_open *open = copies[newer];
        struct open_copy copy = {
            .slot = __atomic_load_n(&open->slot, __ATOMIC_RELAXED),
            .through = SLOT_NONE,
            .aggregate = {.count =
                              sequences[newer] - __atomic_load_n(&open->before, __ATOMIC_RELAXED),
                          .sum = load_double(&open->sum),
                          .min = -load_double(&open->minus_min),
                          .max = load_double(&open->max),
                          .first = load_double(&open->first),
                          .last = load_double(&open->last)},
        };
        if (stride_bytes == sizeof(struct slab_upper)) {
            copy.through =
                __atomic_load_n(&((const struct slab_upper *)open)->through, __ATOMIC_RELAXED);
        }
        atomic_thread_fence(memory_order_acquire);
        if (__atomic_load_n(&copies[0]->sequence, __ATOMIC_RELAXED) == sequences[0] &&
            __atomic_load_n(&copies[1]->sequence, __ATOMIC_RELAXED) == sequences[1]) {
            *ret_copy = copy;
            return newer;
        }
    }
    return -1;
}

static bool aggregate_exists(const struct mf__aggregate *a)
{
    return isfinite(a->min) && isfinite(a->max) && isfinite(a->first) && isfinite(a->last);
}

int mf__cell_read(const struct slab_schema *schema, const struct slab_cell *cell,
                  uint32_t tier_index, struct open_copy *ret_copy)
{
    const struct slab_tier *tier = &schema->tiers[tier_index];
    const int which = tier_index == 0
                          ? mf__open_read(cell->open, sizeof(struct slab_open), ret_copy)
                          : mf__open_read(&cell->upper[tier_index - 1][0].open,
                                          sizeof(struct slab_upper), ret_copy);
    if (which < 0) {
        return MF_EBUSY;
    }
    if (!aggregate_exists(&ret_copy->aggregate)) {
        *ret_copy = (struct open_copy){.slot = SLOT_NONE, .through = ret_copy->through};
    }
    if (!slot_exists(tier, ret_copy->slot)) {
        ret_copy->slot = SLOT_NONE;
        ret_copy->aggregate.count = 0;
    }
    if (tier_index == 0 || !slot_exists(tier - 1, ret_copy->through)) {
        ret_copy->through = SLOT_NONE;
    }
    return 0;
}

int64_t mf__slab_clock(const struct slab *slab)
{
    const int64_t clock_ns =
        atomic_load_explicit(&slab_status(slab)->clock_ns, memory_order_acquire);
    return clock_ns > -TIME_LIMIT_NS && clock_ns < TIME_LIMIT_NS ? clock_ns : INT64_MIN;
}

void mf__open_merge(const struct slab_schema *schema, const struct open_copy *copies, uint32_t tier,
                    int64_t slot, struct mf__aggregate *into)
{
    for (uint32_t t = tier + 1; t-- > 0;) {
        int64_t at = copies[t].slot;
        bool pending = copies[t].aggregate.count > 0;
        for (uint32_t above = t + 1; pending && above <= tier; above++) {
            pending = copies[above].through < at;
            at = floor_divide(at, schema->tiers[above].children);
        }
        if (pending && at == slot) {
            mf__aggregate_append(into, &copies[t].aggregate);
        }
    }
}
