/* SPDX-License-Identifier: Apache-2.0
 * files_test.c -- the store as a file: D15 (full disk), D16 (alignment), D17 (damage, two writers),
 * D18 (directories that exist, truncation), D19 (reading without write permission, schemas that
 * differ). */
#include "metrics_fixture.h"

#include "slab.h"

#include "base/hash.h"
#include "base/rng.h"
#include "os/simdisk.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define T0 (INT64_C(1700000000) * SECOND)

static struct mf_metrics_schema small_schema(void)
{
    return (struct mf_metrics_schema){.name = "s",
                                      .series_max = 5,
                                      .histograms_max = 1,
                                      .histogram_bytes = 128,
                                      .tier_count = 2,
                                      .tiers = {{SECOND, 10}, {5 * SECOND, 10}}};
}

/* A closed store with three series. */
static void make_store(struct fixture *f)
{
    const struct mf_metrics_schema schema = small_schema();
    fixture_open_with(f, &schema);
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    const mf_series counter = fixture_series(f, MF_COUNTER, "c");
    const mf_series histogram = fixture_series(f, MF_HISTOGRAM, "h");
    for (int i = 0; i < 10; i++) {
        fixture_record(f, gauge, i, T0 + i * SECOND);
        fixture_record(f, histogram, i, T0 + i * SECOND);
        assert_int_equal(mf_metrics_observe_total(f->store, counter, i), 0);
    }
    fixture_close(f);
}

/* What make_store() recorded, all or, with `only_whole`, as far as a series is there. */
static void check_store(struct fixture *f, bool only_whole)
{
    struct mf_metrics_result *result = fixture_ask(f, "", 0, T0, T0 + 10 * SECOND);
    assert_true(only_whole || result->series_count == 3);
    for (size_t i = 0; i < result->series_count; i++) {
        const struct mf_series_result *series = &result->series[i];
        assert_non_null(strchr("gch", series->name[0]));
        assert_int_equal(series->point_count, 10);
        for (size_t k = 0; k < 10; k++) {
            assert_double(series->points[k].last, (double)k, 0);
        }
    }
    mf_metrics_result_free(result);
}

static char *slab_path(const struct fixture *f)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/metrics.slab", f->path);
    return path;
}

struct image {
    uint8_t *bytes;
    size_t len;
};

static struct image read_image(const struct fixture *f)
{
    struct image image = {0};
    FILE *file = fopen(slab_path(f), "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    image.len = (size_t)ftell(file);
    rewind(file);
    image.bytes = malloc(image.len);
    assert_int_equal(fread(image.bytes, 1, image.len, file), image.len);
    fclose(file);
    return image;
}

static void write_image(const struct fixture *f, const uint8_t *bytes, size_t len)
{
    FILE *file = fopen(slab_path(f), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static int try_open(struct fixture *f, struct mf_errinfo *err)
{
    const struct mf_metrics_schema schema = small_schema();
    const int rc = mf_metrics_open(f->path, &schema, 1, NULL, &f->env, &f->store, err);
    if (rc == 0) {
        fixture_close(f);
    }
    return rc;
}

static int try_reader(struct fixture *f, struct mf_errinfo *err)
{
    struct mf_metrics_reader *reader = NULL;
    const int rc = mf_metrics_reader_open(f->path, &f->env, &reader, err);
    mf_metrics_reader_close(reader);
    return rc;
}

/* --- D15 */

static void d15_full_tmpfs_is_an_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->path, 0700), 0);
    if (mount("tmpfs", f->path, "tmpfs", 0, "size=512k") != 0) {
        print_message("skipped: mounting a tmpfs is not permitted here (%s)\n", strerror(errno));
        skip();
    }
    const struct mf_metrics_schema schema = mf_metrics_schema_default(30);
    struct mf_errinfo err = {0};
    const int rc = mf_metrics_open(f->path, &schema, 1, NULL, &f->env, &f->store, &err);
    char left[200];
    snprintf(left, sizeof left, "%s/metrics.slab.new", f->path);
    const bool cleaned = access(left, F_OK) != 0 && access(slab_path(f), F_OK) != 0;
    const struct mf_metrics_schema small = small_schema();
    const int rc_small = mf_metrics_open(f->path, &small, 1, NULL, &f->env, &f->store, &err);
    if (rc_small == 0) {
        mf_metrics_close(f->store, NULL);
        f->store = NULL;
    }
    assert_int_equal(umount(f->path), 0);
    assert_int_equal(rc, -ENOSPC);
    assert_true(cleaned);
    assert_int_equal(rc_small, 0);
}

static void d15_full_simulated_disk_is_an_error(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = small_schema();
    struct slab_config config;
    struct slab slab;
    assert_int_equal(mf__slab_config_make(&schema, 1, NULL, &config, NULL), 0);
    const uint64_t bytes = mf__slab_layout(&slab, &config);
    for (uint64_t room = 0; room <= bytes + 4096; room += room < bytes - 4096 ? 12288 : 4096) {
        struct mf_simdisk *disk = mf_simdisk_new(room == 0 ? 1 : room);
        const struct mf_env env = {.fs = mf_simdisk_fs(disk), .clock = &f->clock};
        struct mf_metrics *store = NULL;
        struct mf_errinfo err = {0};
        const int rc = mf_metrics_open("/d/store", &schema, 1, NULL, &env, &store, &err);
        assert_int_equal(rc, room >= bytes ? 0 : -ENOSPC);
        if (rc == 0) { /* nothing more is ever needed */
            mf_simdisk_set_capacity(disk, 1);
            const struct mf_series_spec spec = {.type = MF_HISTOGRAM, .name = "h"};
            mf_series series = 0;
            assert_int_equal(mf_metrics_register(store, &spec, &series, &err), 0);
            for (int i = 0; i < 100; i++) {
                assert_int_equal(mf_metrics_record_at(store, series, i, T0 + i * SECOND), 0);
            }
            assert_int_equal(mf_metrics_sync(store, &err), 0);
            assert_int_equal(mf_metrics_close(store, &err), 0);
        } else {
            assert_true(strlen(err.msg) > 10);
            mf_simdisk_set_capacity(disk, bytes + 65536);
            assert_int_equal(mf_metrics_open("/d/store", &schema, 1, NULL, &env, &store, &err), 0);
            assert_int_equal(mf_metrics_close(store, &err), 0);
        }
        assert_int_equal(mf_simdisk_handles(disk), 0);
        mf_simdisk_free(disk);
    }
}

/* --- D16 */

struct region {
    uint64_t begin;
    uint64_t end;
};

static int compare_regions(const void *a, const void *b)
{
    const struct region *x = a;
    const struct region *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static void add_region(struct region *regions, size_t *count, uint64_t begin, uint64_t len,
                       uint64_t alignment)
{
    assert_int_equal(begin % alignment, 0);
    if (len > 0) {
        regions[(*count)++] = (struct region){begin, begin + len};
    }
}

static void d16_everything_is_aligned(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 16);
    for (int round = 0; round < 3000; round++) {
        static const char *const names[] = {"a", "b", "c"};
        struct mf_metrics_schema schemas[3];
        const size_t schema_count = 1 + (size_t)mf_rng_below(&rng, 3);
        for (size_t i = 0; i < schema_count; i++) {
            schemas[i] = (struct mf_metrics_schema){
                .name = names[i],
                .series_max = 1 + (uint32_t)mf_rng_below(&rng, 40),
                .histogram_bytes = 64 + 8 * (uint32_t)mf_rng_below(&rng, 200),
                .tier_count = 1 + (uint32_t)mf_rng_below(&rng, 8)};
            schemas[i].histograms_max = (uint32_t)mf_rng_below(&rng, schemas[i].series_max + 1);
            int64_t interval_ns = SECOND;
            for (uint32_t t = 0; t < schemas[i].tier_count; t++, interval_ns *= 2) {
                schemas[i].tiers[t] =
                    (struct mf_metrics_tier){interval_ns, 2 + (uint32_t)mf_rng_below(&rng, 9)};
            }
        }
        struct mf_metrics_options options = MF_METRICS_OPTIONS_INIT;
        options.writers_max = 1 + (uint32_t)mf_rng_below(&rng, 9);
        options.series_text_bytes = 32 + (uint32_t)mf_rng_below(&rng, 100);
        struct slab_config config;
        struct slab slab;
        assert_int_equal(mf__slab_config_make(schemas, schema_count, &options, &config, NULL), 0);
        const uint64_t bytes = mf__slab_layout(&slab, &config);
        assert_int_equal(bytes % 4096, 0);
        struct region regions[64];
        size_t count = 0;
        const uint64_t columns = slab.columns;
        add_region(regions, &count, 0, 8192, 4096);
        add_region(regions, &count, 8192, sizeof config, 4096);
        add_region(regions, &count, slab.late_offset - 4096, 4096, 4096); /* status */
        add_region(regions, &count, slab.late_offset, 512 + 8 * slab.late_stride, 4096);
        add_region(regions, &count, slab.directory_offset, columns * 64, 64);
        add_region(regions, &count, slab.text_offset, columns * config.series_text_bytes, 8);
        add_region(regions, &count, slab.shards_offset, slab.shard_stride * config.writers_max, 64);
        assert_int_equal(slab.shard_stride % 64, 0);
        for (size_t i = 0; i < schema_count; i++) {
            const struct slab_schema *schema = &slab.schemas[i];
            const struct slab_schema_config *c = schema->config;
            assert_int_equal(schema->cell_bytes % 256, 0);
            add_region(regions, &count, schema->cells_offset, schema->cell_bytes * c->series_max,
                       256);
            add_region(regions, &count, schema->dense_offset,
                       (uint64_t)c->histograms_max * HISTOGRAM_BUCKETS * 8, 64);
            assert_true(schema->blob_stride >= c->histogram_bytes);
            for (uint32_t t = 0; t < schema->tier_count; t++) {
                const struct slab_tier *tier = &schema->tiers[t];
                assert_int_equal(tier->row_bytes % 16, 0);
                add_region(regions, &count, tier->rows_offset, tier->row_bytes * tier->slots, 64);
                add_region(regions, &count, tier->blob_rows_offset,
                           schema->blob_stride * c->histograms_max * tier->slots, 512);
            }
        }
        qsort(regions, count, sizeof *regions, compare_regions);
        for (size_t i = 0; i + 1 < count; i++) {
            assert_true(regions[i].end <= regions[i + 1].begin);
        }
        assert_true(regions[count - 1].end <= bytes);
    }
}

/* --- D17 */

static void d17_damaged_superblocks_fall_back(void **state)
{
    struct fixture *f = *state;
    make_store(f);
    const struct image image = read_image(f);
    uint8_t *damaged = malloc(image.len);
    for (size_t at = 0; at < 8192; at++) {
        static const uint8_t masks[] = {0x01, 0xFF};
        if (at % 4096 >= sizeof(struct slab_superblock) + 8) {
            continue; /* the rest of the page is not used */
        }
        for (size_t m = 0; m < 2; m++) {
            memcpy(damaged, image.bytes, image.len);
            damaged[at] ^= masks[m];
            write_image(f, damaged, image.len);
            check_store(f, false); /* one of the two stands */
            struct mf_errinfo err = {0};
            assert_int_equal(try_open(f, &err), 0);
            check_store(f, false);
            damaged[(at + 4096) % 8192] ^= masks[m]; /* the other one, too */
            write_image(f, damaged, image.len);
            const bool unused = at % 4096 >= sizeof(struct slab_superblock);
            assert_int_equal(try_reader(f, &err), unused          ? 0
                                                  : at % 4096 < 8 ? MF_EFORMAT
                                                                  : MF_ECORRUPT);
            assert_int_equal(try_open(f, &err), unused          ? 0
                                                : at % 4096 < 8 ? MF_EFORMAT
                                                                : MF_ECORRUPT);
        }
    }
    free(damaged);
    free(image.bytes);
}

static void d17_damaged_config_is_an_error(void **state)
{
    struct fixture *f = *state;
    make_store(f);
    const struct image image = read_image(f);
    for (size_t at = 8192; at < 8192 + sizeof(struct slab_config); at++) {
        image.bytes[at] ^= 0x10;
        write_image(f, image.bytes, image.len);
        struct mf_errinfo err = {0};
        assert_int_equal(try_reader(f, &err), MF_ECORRUPT);
        assert_int_equal(try_open(f, &err), MF_ECORRUPT);
        assert_non_null(strstr(err.msg, "schemas at offset 8192 fail their checksum"));
        image.bytes[at] ^= 0x10;
    }
    free(image.bytes);
}

/* A damaged entry takes its series away, and nothing else; and its column is clean when another
 * series gets it. */
static void d17_damaged_entries_take_only_their_series(void **state)
{
    struct fixture *f = *state;
    make_store(f);
    const struct image image = read_image(f);
    struct slab slab;
    const struct slab_config *config = (const struct slab_config *)(image.bytes + 8192);
    assert_int_equal(mf__slab_layout(&slab, config), image.len);
    const struct mf_metrics_schema schema = small_schema();
    for (uint32_t column = 0; column < 4; column++) {
        for (size_t at = 0; at < 64 + 6; at++) {
            const size_t where = at < 64 ? slab.directory_offset + column * 64 + at
                                         : slab.text_offset + column * 256 + (at - 64);
            image.bytes[where] ^= 0x40;
            write_image(f, image.bytes, image.len);
            image.bytes[where] ^= 0x40;
            check_store(f, true);
            fixture_open_with(f, &schema);
            check_store(f, true);
            static const char *const names[] = {"n1", "n2", "n3", "n4", "n5"};
            mf_series series = 0;
            for (size_t i = 0; i < 5; i++) { /* takes every column that is free */
                const struct mf_series_spec spec = {.type = MF_GAUGE, .name = names[i]};
                if (mf_metrics_register(f->store, &spec, &series, NULL) != 0) {
                    break;
                }
            }
            struct mf_metrics_result *result =
                fixture_ask(f, "{__name__=~\"n.\"}", 0, T0 - 100 * SECOND, T0 + 100 * SECOND);
            assert_in_range(result->series_count, 2, 3);
            for (size_t i = 0; i < result->series_count; i++) {
                assert_int_equal(result->series[i].point_count, 0);
            }
            mf_metrics_result_free(result);
            fixture_close(f);
        }
    }
    free(image.bytes);
}

static void d17_second_writer_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = small_schema();
    fixture_open_with(f, &schema);
    struct mf_metrics *other = NULL;
    struct mf_errinfo err = {0};
    assert_int_equal(mf_metrics_open(f->path, &schema, 1, NULL, &f->env, &other, &err), MF_ELOCKED);
    assert_true(strlen(err.msg) > 10);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        _exit(mf_metrics_open(f->path, NULL, 0, NULL, NULL, &other, NULL) == MF_ELOCKED ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_close(f);
    assert_int_equal(mf_metrics_open(f->path, NULL, 0, NULL, &f->env, &f->store, &err), 0);
}

/* Processes that make, use and close one store at the same time: each that got it has counted. */
static void writers_that_meet_lose_nothing(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = small_schema();
    enum { CHILDREN = 4, ROUNDS = 15, STORES = 10 };
    for (int s = 0; s < STORES; s++) {
        snprintf(f->path, sizeof f->path, "%s/store-%d", f->directory, s);
        pid_t children[CHILDREN];
        fflush(NULL);
        for (int c = 0; c < CHILDREN; c++) {
            children[c] = fork();
            assert_true(children[c] >= 0);
            if (children[c] != 0) {
                continue;
            }
            int bad = 0;
            for (int got = 0; got < ROUNDS && bad == 0;) {
                struct mf_metrics *store = NULL;
                struct mf_counter_writer writer;
                mf_series series = 0;
                const struct mf_series_spec spec = {.type = MF_COUNTER, .name = "c"};
                const int rc = mf_metrics_open(f->path, &schema, 1, NULL, &f->env, &store, NULL);
                if (rc == MF_ELOCKED) {
                    continue;
                }
                bad = rc != 0 || mf_metrics_register(store, &spec, &series, NULL) != 0 ||
                      mf_counter_writer_begin(store, &writer, NULL) != 0 ||
                      mf_metrics_tick(store, T0) != 0 || mf_counter_add(&writer, series, 1) != 0;
                if (rc == 0) {
                    mf_counter_writer_end(&writer);
                    bad = mf_metrics_close(store, NULL) != 0 || bad;
                }
                got++;
            }
            _exit(bad);
        }
        for (int c = 0; c < CHILDREN; c++) {
            int status = -1;
            assert_int_equal(waitpid(children[c], &status, 0), children[c]);
            assert_int_equal(status, 0);
        }
        struct mf_metrics_result *result = fixture_ask(f, "c", 0, T0, T0 + SECOND);
        assert_double(result->series[0].points[0].last, CHILDREN * ROUNDS, 0);
        mf_metrics_result_free(result);
    }
}

/* --- D18 */

static void d18_directories_of_every_kind(void **state)
{
    struct fixture *f = *state;
    struct mf_errinfo err = {0};
    struct mf_metrics_reader *reader = NULL;
    assert_int_equal(mf_metrics_reader_open(f->path, &f->env, &reader, &err), MF_ENOTFOUND);
    assert_int_equal(mf_metrics_open(f->path, NULL, 0, NULL, &f->env, &f->store, &err),
                     MF_ENOTFOUND);
    assert_int_equal(mkdir(f->path, 0700), 0); /* empty, as mkdtemp makes them */
    assert_int_equal(mf_metrics_reader_open(f->path, &f->env, &reader, &err), MF_ENOTFOUND);
    assert_non_null(strstr(err.msg, "no metrics store here"));
    char left[200];
    snprintf(left, sizeof left, "%s/metrics.slab.new", f->path);
    FILE *file = fopen(left, "w"); /* of a creation that was killed */
    fputs("half", file);
    fclose(file);
    make_store(f);
    check_store(f, false);
    assert_int_equal(access(left, F_OK), -1);
    snprintf(f->path, sizeof f->path, "%s/a/b/c", f->directory); /* made with all above it */
    make_store(f);
    check_store(f, false);
    snprintf(f->path, sizeof f->path, "%s/a/b/c/metrics.slab", f->directory); /* a file */
    assert_int_equal(try_open(f, &err), -EEXIST);
    assert_int_equal(mf_metrics_reader_open(f->path, &f->env, &reader, &err), MF_ENOTFOUND);
}

static void d18_any_truncation_is_an_error(void **state)
{
    struct fixture *f = *state;
    make_store(f);
    const struct image image = read_image(f);
    struct slab slab;
    mf__slab_layout(&slab, (const struct slab_config *)(image.bytes + 8192));
    size_t lengths[128];
    size_t count = 0;
    const uint64_t edges[] = {0,
                              72,
                              512,
                              4096,
                              4096 + 72,
                              8192,
                              8192 + sizeof(struct slab_config),
                              slab.late_offset - 4096,
                              slab.late_offset,
                              slab.directory_offset,
                              slab.text_offset,
                              slab.shards_offset,
                              slab.schemas[0].cells_offset,
                              slab.schemas[0].dense_offset,
                              slab.schemas[0].tiers[0].rows_offset,
                              slab.schemas[0].tiers[1].blob_rows_offset,
                              image.len - 4096,
                              image.len};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        for (int d = -1; d <= 1; d++) {
            lengths[count++] = (size_t)((int64_t)edges[i] + (edges[i] == 0 && d < 0 ? 0 : d));
        }
    }
    uint8_t *longer = calloc(1, image.len + 4096);
    memcpy(longer, image.bytes, image.len);
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] == image.len) {
            continue;
        }
        write_image(f, longer, lengths[i]);
        struct mf_errinfo err = {0};
        const int expected = lengths[i] < 8192 ? MF_EFORMAT : MF_ECORRUPT;
        assert_int_equal(try_reader(f, &err), expected);
        assert_true(strlen(err.msg) > 10);
        assert_int_equal(try_open(f, &err), expected);
        assert_int_equal(mf_metrics_verify(f->path, &f->env, NULL, &err), expected);
    }
    write_image(f, image.bytes, image.len);
    check_store(f, false);
    free(longer);
    free(image.bytes);
}

/* --- D19 */

static void d19_other_users_read_without_writing(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0) {
        print_message("skipped: needs root, to become somebody else\n");
        skip();
    }
    make_store(f);
    const struct mf_metrics_schema schema = small_schema();
    fixture_open_with(f, &schema); /* there is a writer, too */
    assert_int_equal(chmod(f->directory, 0755), 0);
    assert_int_equal(chmod(f->path, 0555), 0);
    assert_int_equal(chmod(slab_path(f), 0444), 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct mf_metrics_reader *reader = NULL;
        struct mf_metrics *store = NULL;
        struct mf_metrics_info info = {0};
        struct mf_metrics_result *result = NULL;
        const struct mf_metrics_query query = {
            .selector = "g", .start_ns = T0, .end_ns = T0 + 10 * SECOND, .tier = 0};
        int bad = setgid(65534) != 0 || setuid(65534) != 0;
        bad = bad || mf_metrics_open(f->path, NULL, 0, NULL, NULL, &store, NULL) != -EACCES;
        bad = bad || mf_metrics_reader_open(f->path, NULL, &reader, NULL) != 0;
        bad = bad || mf_metrics_query(reader, &query, &result, NULL) != 0;
        bad = bad || result->series[0].point_count != 10;
        if (bad == 0) {
            mf_metrics_reader_info(reader, &info);
        }
        _exit(bad || info.state != MF_METRICS_WRITING);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_close(f);
}

static void d19_differing_schemas_are_named(void **state)
{
    struct fixture *f = *state;
    make_store(f);
    struct mf_metrics_schema other[9];
    static const char *const words[] = {"schema 0 is s `` in the store, t `` is wanted",
                                        "schema 0 is s `` in the store, s `{a=\"b\"}` is wanted",
                                        "holds 5 series",
                                        "and 1 histograms of 128",
                                        "136 are wanted",
                                        "has 2 tiers, 1 are wanted",
                                        "tier 1 has 10 slots of 5000000000 ns, 11 of",
                                        "tier 1 has 10 slots of 5000000000 ns, 10 of 4000000000",
                                        "has 1 schemas, 2 are wanted"};
    for (size_t i = 0; i < 9; i++) {
        other[i] = small_schema();
    }
    other[0].name = "t";
    other[1].selector = "{a=\"b\"}";
    other[2].series_max = 6;
    other[3].histograms_max = 2;
    other[4].histogram_bytes = 136;
    other[5].tier_count = 1;
    other[6].tiers[1].slots = 11;
    other[7].tiers[1].interval_ns = 4 * SECOND;
    for (size_t i = 0; i < 9; i++) {
        struct mf_errinfo err = {0};
        struct mf_metrics_schema pair[2] = {other[i], other[i]};
        pair[1].name = "second";
        assert_int_equal(
            mf_metrics_open(f->path, pair, i == 8 ? 2 : 1, NULL, &f->env, &f->store, &err),
            MF_EMISMATCH);
        if (strstr(err.msg, words[i]) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", err.msg, words[i]);
        }
    }
    check_store(f, false);
}

/* The hash of what is in the file is a specified one: CRC-32C, so another build reads it. */
static void d19_versions_are_told_apart(void **state)
{
    struct fixture *f = *state;
    make_store(f);
    const struct image image = read_image(f);
    for (int block = 0; block < 2; block++) {
        struct slab_superblock *superblock = (struct slab_superblock *)(image.bytes + block * 4096);
        superblock->version = 2;
        superblock->crc = 0;
        superblock->crc = mf_crc32c(0, superblock, sizeof *superblock);
    }
    write_image(f, image.bytes, image.len);
    struct mf_errinfo err = {0};
    assert_int_equal(try_reader(f, &err), MF_EVERSION);
    assert_int_equal(try_open(f, &err), MF_EVERSION);
    assert_non_null(strstr(err.msg, "format version 2; this build reads version 1"));
    free(image.bytes);
}

static void bad_options_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct mf_metrics_schema schema = small_schema();
    struct mf_metrics_options options[6];
    for (size_t i = 0; i < 6; i++) {
        options[i] = (struct mf_metrics_options)MF_METRICS_OPTIONS_INIT;
    }
    options[0].size = 8;
    options[1].writers_max = 257;
    options[2].series_text_bytes = 5000;
    options[3].future_ns_max = -1;
    options[4].reserved[2] = 1;
    options[5].reserved32 = 1;
    for (size_t i = 0; i < 6; i++) {
        struct mf_errinfo err = {0};
        assert_int_equal(
            mf_metrics_open(f->path, &schema, 1, &options[i], &f->env, &f->store, &err), MF_EVALUE);
        assert_true(strlen(err.msg) > 10);
    }
    options[3].future_ns_max = INT64_MAX; /* never refuse: fine */
    assert_int_equal(mf_metrics_open(f->path, &schema, 1, &options[3], &f->env, &f->store, NULL),
                     0);
    const mf_series gauge = fixture_series(f, MF_GAUGE, "g");
    assert_int_equal(mf_metrics_record_at(f->store, gauge, 1, -T0), 0);
    assert_int_equal(mf_metrics_record_at(f->store, gauge, 1, T0 * 2), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(d15_full_tmpfs_is_an_error),
        TEST(d15_full_simulated_disk_is_an_error),
        TEST(d16_everything_is_aligned),
        TEST(d17_damaged_superblocks_fall_back),
        TEST(d17_damaged_config_is_an_error),
        TEST(d17_damaged_entries_take_only_their_series),
        TEST(d17_second_writer_is_refused),
        TEST(writers_that_meet_lose_nothing),
        TEST(d18_directories_of_every_kind),
        TEST(d18_any_truncation_is_an_error),
        TEST(d19_other_users_read_without_writing),
        TEST(d19_differing_schemas_are_named),
        TEST(d19_versions_are_told_apart),
        TEST(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
