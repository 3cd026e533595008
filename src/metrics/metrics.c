/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.c -- opening, syncing and closing a store; and what the whole module is.
 *
 * WHAT
 *   A store of labelled series in one mapped file of fixed size. Recording is a few stores into
 *   the mapping: it survives the death of the process as it is, and power loss as of the last
 *   sync. Readers in other processes map the same file, read-only.
 *
 * FILE: metrics.slab, little-endian, all of it allocated when it is created
 *   0       superblock A: magic "MFSLAB\r\n", version, CRC-32C, sequence, file size, time of
 *           creation, size and CRC of the config, state (1 open for writing, 2 closed), counts of
 *           recoveries and repairs
 *   4096    superblock B, the same. The valid one with the higher sequence counts; only the other
 *           is ever written.
 *   8192    config: schemas, tiers, options. Never changes.
 *   then, each at an offset that follows from the config (slab.c, mf__slab_layout):
 *   status     one page of single words: clock, first time, counts of refused values
 *   late       what a late value is about to change (late.c)
 *   directory  64 bytes per column: state, generation, type, lengths, CRC over itself and its text
 *   text       series_text_bytes per column: name{labels}, unit, help
 *   shards     writers_max x columns x 8 bytes: what each writer thread added to counters
 *   per schema:
 *     cells    per column its open slots, one per tier, each in two copies (slab.h)
 *     dense    per histogram 2050 bucket counts of its open slot
 *     per tier: rows (lap, 8 zero bytes, a packed slot of 16 bytes per column; format in slot.h),
 *               then blobs (per row and histogram; format in histogram.h)
 *
 * VALIDITY
 *   A slot index is floor(time / interval); it lies in row (index mod slots) and belongs to lap
 *   floor(index / slots). A packed slot is believed when the row's lap is that lap, the slot's tag
 *   is its low byte, and the index is within `slots` of the store's clock. So neither an old lap
 *   nor the gap behind it is ever read as new, also when a power cut kept one page and lost
 *   another: a slot lies in one sector, and its tag tells its lap. Every 128 laps a row is cleared
 *   before it is used, so that the tags of series that went quiet cannot come round.
 *   A directory entry is believed when its CRC holds; buckets when theirs holds and name their
 *   slot. Of the open slot of a tier the ring may have an earlier state, which nobody looks at.
 *
 * WRITE PATH
 *   A value goes into the open slot of the first tier of its series (record.c). When the next slot
 *   of that series begins, the old one is packed into the ring and merged, exactly, into the open
 *   slot of the next tier, and so on (ring.c). Nothing depends on when, or whether, anybody
 *   consolidates. Values behind the newest of their series are merged into the slots they belong
 *   to (late.c). Counters are described in counter.c. Histograms have the buckets of their open
 *   slot in `dense`, and those of closed slots in blobs; an upper tier's blob is merged from the
 *   blobs of the tier below when its slot ends.
 *
 * DURABILITY
 *   mf_metrics_sync() packs what is open into the rings, too, as it stands; then it writes the
 *   mapping back (msync), then a superblock. Data pages may reach the disk earlier, in any order.
 *   The superblock says "open" from before the first change until a close in good order. A failed
 *   sync poisons the store for further syncs; recording goes on in memory.
 *   The file is created under another name with all its blocks allocated, synced, and renamed; so
 *   a full disk is an error at creation and never a SIGBUS later.
 *
 * RECOVERY (recover.c), when the superblock says "open" and the lock is free
 *   Killed between any two instructions: of the two copies of an open slot one is whole; a slot
 *   that was on its way into the rings is moved again, which changes nothing that was done
 *   already; a histogram's bucket that was not counted yet is known from the last value; a late
 *   value is carried out from what was written down of it. Nothing that was recorded is lost.
 *   Power cut: each sector is as it was at some instant since the last sync. What was synced is
 *   there, since a slot lives on in its ring when its cell is used for the next; of what came
 *   later any part. Entries that fail their CRC are cleared with their column; open slots that are
 *   older than their ring are dropped; what an upper tier lacks is merged from the tier below.
 *
 * CONCURRENCY
 *   One process writes, held by flock on the file. In it, one thread at a time registers, ticks,
 *   syncs and records gauges and histograms; any number of threads add to counters, each in its
 *   own shard. Readers take no lock. Pairs that are ordered: open slot (sequence released by the
 *   writer, acquired by the reader before and looked at again after); row lap; directory state;
 *   status clock. Packed slots are one 16-byte access. A reader looks at open slots from the first
 *   tier upwards and at the rings last, so what moves meanwhile is seen once: `through` tells what
 *   a tier has from the one below.
 *
 * LIMITS
 *   Closed slots are rounded (slot.h): exact for a single or constant value, for integers of small
 *   range and for totals; else within 1/2^15 of the slot's range or 1/2^23 of its minimum; each
 *   late value that meets a closed slot rounds it once more. Rings have no checksum of their own
 *   (sealed archives do). A power cut may tear buckets that take more than a sector; of them the
 *   number remains. Big-endian machines are not
 *   supported.
 */
#include "source.h"
#include "store.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/clock.h"

#include <errno.h>
#include <string.h>

static int sync_range(struct mf_metrics *store, void *address, size_t len, struct mf_errinfo *err)
{
    int rc = mf_file_map_sync(store->file, address, len, err);
    if (rc < 0) {
        store->poisoned = true;
    }
    return rc;
}

/* Writes the superblock that is not in use, and makes it durable. */
static int write_superblock(struct mf_metrics *store, enum slab_state state, struct mf_errinfo *err)
{
    struct slab_superblock next = store->superblock;
    next.sequence++;
    next.state = state;
    next.crc = mf__superblock_crc(&next);
    uint8_t *where = store->slab.base + (next.sequence & 1) * SLAB_PAGE;
    memcpy(where, &next, sizeof next);
    store->superblock = next;
    return sync_range(store, where, SLAB_PAGE, err);
}

static void fill_new_slab(uint8_t *base, uint64_t bytes, const struct slab_config *config,
                          int64_t now_wall_ns)
{
    memcpy(base + SLAB_PAGE * 2, config, sizeof *config);
    struct slab_superblock superblock = {
        .version = SLAB_VERSION,
        .sequence = 2,
        .file_bytes = bytes,
        .created_wall_ns = now_wall_ns,
        .config_bytes = sizeof *config,
        .config_crc = mf_crc32c(0, config, sizeof *config),
        .state = SLAB_CLOSED,
    };
    memcpy(superblock.magic, SLAB_MAGIC, sizeof superblock.magic);
    superblock.crc = mf__superblock_crc(&superblock);
    memcpy(base, &superblock, sizeof superblock);
    const struct slab slab = {.base = base};
    struct slab_status *status = slab_status(&slab);
    atomic_store(&status->clock_ns, INT64_MIN);
    atomic_store(&status->caller_clock_ns, INT64_MIN);
    atomic_store(&status->first_ns, INT64_MAX);
}

/* Another process may have made the store between our look and our lock; then the file that we
 * locked is its, under its name. */
static int check_not_made(const struct mf_env *env, const char *path, struct mf_errinfo *err)
{
    struct mf_file_info info;
    const int rc = mf_fs_info(env->fs, path, &info, NULL);
    if (rc == 0) {
        return mf_fail(err, MF_ELOCKED, "%s: was made by another writer just now", path);
    }
    return rc == -ENOENT ? 0 : mf_fail_os(err, rc, "%s", path);
}

/* Makes the file under a name of its own, whole and durable, and gives it its name. */
static int create_slab(const struct mf_env *env, const char *directory, const char *path,
                       const char *path_new, const struct slab_config *config,
                       struct mf_file **ret_file, struct mf_errinfo *err)
{
    struct mf_file *file = NULL;
    int rc =
        mf_file_open(env->fs, path_new, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE, &file, err);
    if (rc < 0) {
        return rc;
    }
    struct slab slab;
    const uint64_t bytes = mf__slab_layout(&slab, config);
    void *base = NULL;
    rc = mf_file_lock(file, err);
    if (rc == 0) {
        rc = check_not_made(env, path, err);
    }
    if (rc < 0) {
        mf_file_close(file);
        return rc; /* somebody else is creating it: his file stays */
    }
    rc = mf_file_truncate(file, 0, err);
    if (rc == 0) {
        rc = mf_file_allocate(file, bytes, err);
    }
    if (rc == 0) {
        rc = mf_file_map(file, bytes, true, &base, err);
    }
    if (rc == 0) {
        fill_new_slab(base, bytes, config, mf_clock_wall_ns(env->clock));
        rc = mf_file_map_sync(file, base, bytes, err);
        if (rc == 0) {
            rc = mf_file_sync(file, err);
        }
        MF_KEEP_FIRST(rc, mf_file_unmap(file, base, bytes));
    }
    if (rc == 0) {
        rc = mf_fs_rename(env->fs, path_new, path, err);
    }
    if (rc < 0) {
        (void)mf_fs_unlink(env->fs, path_new, NULL);
        mf_file_close(file);
        return rc;
    }
    rc = mf_fs_sync_directory(env->fs, directory, err);
    if (rc < 0) {
        mf_file_close(file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

static int check_not_sealed(const struct mf_env *env, const char *directory, struct mf_errinfo *err)
{
    char *archive = mf_asprintf("%s/" ARCHIVE_FILE, directory);
    if (archive == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", directory);
    }
    struct mf_file_info info;
    int rc = mf_fs_info(env->fs, archive, &info, NULL);
    mf_free(archive);
    if (rc == 0) {
        return mf_fail(err, MF_ECLOSED, "%s: the store is sealed and can only be read", directory);
    }
    return 0;
}

/* Opens metrics.slab, or creates it when `config` is given and there is none. Locked on success. */
static int open_or_create(const struct mf_env *env, const char *directory,
                          const struct slab_config *config, struct mf_file **ret_file,
                          struct mf_errinfo *err)
{
    int rc = config != NULL ? mf_fs_mkdirs(env->fs, directory, err) : 0;
    if (rc < 0) {
        return rc;
    }
    char *path = mf_asprintf("%s/" SLAB_FILE, directory);
    char *path_new = mf_asprintf("%s/" SLAB_FILE_NEW, directory);
    struct mf_file *file = NULL;
    if (path == NULL || path_new == NULL) {
        rc = mf_fail_os(err, -ENOMEM, "%s", directory);
        goto out;
    }
    rc = mf_file_open(env->fs, path, MF_OPEN_READ | MF_OPEN_WRITE, &file, err);
    if (rc == 0) {
        rc = mf_file_lock(file, err);
        if (rc < 0) {
            mf_file_close(file);
        }
    } else if (rc == -ENOENT) {
        rc = check_not_sealed(env, directory, err);
        if (rc == 0 && config == NULL) {
            rc = mf_fail(err, MF_ENOTFOUND, "%s: no metrics store here (no " SLAB_FILE ")",
                         directory);
        } else if (rc == 0) {
            rc = create_slab(env, directory, path, path_new, config, &file, err);
        }
    }
    if (rc == 0) {
        *ret_file = file;
    }
out:
    mf_free(path);
    mf_free(path_new);
    return rc;
}

static int compare_configs(const struct mf_metrics *store, const struct slab_config *wanted,
                           struct mf_errinfo *err)
{
    const struct slab_config *have = store->slab.config;
    if (have->schema_count != wanted->schema_count) {
        return mf_fail(err, MF_EMISMATCH, "%s: the store has %u schemas, %u are wanted",
                       store->path, have->schema_count, wanted->schema_count);
    }
    for (uint32_t i = 0; i < have->schema_count; i++) {
        const struct slab_schema_config *a = &have->schemas[i];
        const struct slab_schema_config *b = &wanted->schemas[i];
        if (strcmp(a->name, b->name) != 0 || strcmp(a->selector, b->selector) != 0) {
            return mf_fail(err, MF_EMISMATCH,
                           "%s: schema %u is %s `%s` in the store, %s `%s` is "
                           "wanted",
                           store->path, i, a->name, a->selector, b->name, b->selector);
        }
        if (a->series_max != b->series_max || a->histograms_max != b->histograms_max ||
            (b->histograms_max > 0 && a->histogram_bytes != b->histogram_bytes)) {
            return mf_fail(err, MF_EMISMATCH,
                           "%s: schema %s holds %u series and %u histograms of %u "
                           "bytes, %u, %u and %u are wanted",
                           store->path, a->name, a->series_max, a->histograms_max,
                           a->histogram_bytes, b->series_max, b->histograms_max,
                           b->histogram_bytes);
        }
        if (a->tier_count != b->tier_count) {
            return mf_fail(err, MF_EMISMATCH, "%s: schema %s has %u tiers, %u are wanted",
                           store->path, a->name, a->tier_count, b->tier_count);
        }
        for (uint32_t t = 0; t < a->tier_count; t++) {
            if (a->tiers[t].interval_ns != b->tiers[t].interval_ns ||
                a->tiers[t].slots != b->tiers[t].slots) {
                return mf_fail(err, MF_EMISMATCH,
                               "%s: schema %s, tier %u has %u slots of %lld ns, %u "
                               "of %lld ns are wanted",
                               store->path, a->name, t, a->tiers[t].slots,
                               (long long)a->tiers[t].interval_ns, b->tiers[t].slots,
                               (long long)b->tiers[t].interval_ns);
            }
        }
    }
    return 0;
}

static int map_store(struct mf_metrics *store, struct mf_errinfo *err)
{
    struct mf_file_info info;
    int rc = mf_file_info(store->file, &info, err);
    if (rc < 0) {
        return rc;
    }
    const char *path = mf_file_path(store->file);
    if (info.size_bytes < SLAB_PAGE * 2 || info.size_bytes > SIZE_MAX / 2) {
        return mf_fail(err, MF_EFORMAT, "%s: not a metrics store (%llu bytes long)", path,
                       (unsigned long long)info.size_bytes);
    }
    void *base;
    rc = mf_file_map(store->file, info.size_bytes, true, &base, err);
    if (rc < 0) {
        return rc;
    }
    rc = mf__slab_attach(&store->slab, base, info.size_bytes, path, &store->superblock, err);
    if (rc < 0) {
        (void)mf_file_unmap(store->file, base, info.size_bytes);
        store->slab.base = NULL;
    }
    return rc;
}

static void store_free(struct mf_metrics *store)
{
    if (store->slab.base != NULL) {
        (void)mf_file_unmap(store->file, store->slab.base, store->slab.bytes);
    }
    mf__series_unload(store);
    mf_file_close(store->file);
    mf_mutex_fini(&store->writers_lock);
    mf_buffer_free(&store->text);
    mf_free(store->shard_taken);
    mf_free(store->path);
    mf_free(store);
}

/* After the mapping stands: tables, clock, the superblock that says "open", and repair. */
static int start_writing(struct mf_metrics *store, struct mf_errinfo *err)
{
    store->shard_taken = mf_calloc(store->slab.config->writers_max, 1);
    if (store->shard_taken == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", store->path);
    }
    const struct slab_status *status = slab_status(&store->slab);
    const bool abandoned = store->superblock.state == SLAB_OPEN;
    const int64_t ahead_ns = atomic_load(&status->ahead_ns);
    store->clock_ns = mf__slab_clock(&store->slab);
    store->ahead_ns = ahead_ns > 0 && ahead_ns < TIME_LIMIT_NS ? ahead_ns : 0;
    int rc = mf__series_load(store, err);
    if (rc == 0) {
        store->superblock.recoveries += abandoned ? 1 : 0;
        rc = write_superblock(store, SLAB_OPEN, err);
    }
    if (rc < 0) {
        return rc;
    }
    const uint64_t repaired = store->superblock.repaired;
    mf__clear_damaged(store);
    if (abandoned) {
        mf__recover(store);
    }
    if (store->clock_ns != INT64_MIN) {
        for (uint32_t i = 0; i < store->slab.schema_count; i++) {
            mf__clock_set_slot(&store->schemas[i], store->clock_ns);
        }
    }
    return store->superblock.repaired != repaired ? write_superblock(store, SLAB_OPEN, err) : 0;
}

int mf_metrics_open(const char *path, const struct mf_metrics_schema *schemas, size_t schema_count,
                    const struct mf_metrics_options *options, const struct mf_env *env,
                    struct mf_metrics **ret_store, struct mf_errinfo *err)
{
    struct slab_config config;
    const bool create = schema_count > 0;
    int rc = create ? mf__slab_config_make(schemas, schema_count, options, &config, err) : 0;
    if (rc < 0) {
        return rc;
    }
    struct mf_metrics *store = mf_calloc(1, sizeof *store);
    if (store == NULL) {
        return mf_fail_os(err, -ENOMEM, "%s", path);
    }
    mf_mutex_init(&store->writers_lock);
    store->env = env != NULL ? *env : (struct mf_env){0};
    store->path = mf_strdup(path);
    rc = store->path != NULL ? 0 : mf_fail_os(err, -ENOMEM, "%s", path);
    if (rc == 0) {
        rc = open_or_create(&store->env, path, create ? &config : NULL, &store->file, err);
    }
    if (rc == 0) {
        rc = map_store(store, err);
    }
    if (rc == 0 && create) {
        rc = compare_configs(store, &config, err);
    }
    if (rc == 0) {
        rc = start_writing(store, err);
    }
    if (rc < 0) {
        store_free(store);
        return rc;
    }
    *ret_store = store;
    return 0;
}

static int sync_as(struct mf_metrics *store, enum slab_state state, struct mf_errinfo *err)
{
    if (store->poisoned) {
        return mf_fail(err, MF_EPOISONED,
                       "%s: an earlier sync failed, so it is unknown what the disk "
                       "holds; close and reopen the store",
                       store->path);
    }
    for (uint32_t column = 0; column < store->slab.columns; column++) {
        if (store->series[column].type != 0) {
            mf__ring_checkpoint(store, &store->series[column]);
        }
    }
    int rc = sync_range(store, store->slab.base, store->slab.bytes, err);
    return rc < 0 ? rc : write_superblock(store, state, err);
}

int mf_metrics_sync(struct mf_metrics *store, struct mf_errinfo *err)
{
    return sync_as(store, SLAB_OPEN, err);
}

int mf_metrics_close(struct mf_metrics *store, struct mf_errinfo *err)
{
    if (store == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < store->slab.schema_count; i++) {
        if (store->schemas[i].slot != CLOCK_NONE) {
            mf__counters_sample(store, &store->schemas[i]);
        }
    }
    int rc = sync_as(store, SLAB_CLOSED, err);
    store_free(store);
    return rc;
}
