/* SPDX-License-Identifier: Apache-2.0
 * flight_lines.c -- see flight/lines.h.
 *
 * The tail is kept in two pools: lines go into one until it alone would make a full tail, then the
 * other is emptied and takes its place. So there is always at least one full tail, at most two, and
 * a line costs a copy, not an allocation. */
#include "flight/lines.h"

#include "base/buffer.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

struct kept {
    struct mf_kept_line line; /* its text is set when all is read */
    size_t offset;
};

struct pool {
    struct mf_buffer text;
    struct mf_buffer lines; /* struct kept */
};

struct mf_lines_store {
    struct pool head;
    struct pool tails[2];
    unsigned newer;
    bool head_full;
};

static size_t pool_count(const struct pool *pool)
{
    return pool->lines.len / sizeof(struct kept);
}

static void pool_free(struct pool *pool)
{
    mf_buffer_free(&pool->text);
    mf_buffer_free(&pool->lines);
}

static int pool_add(struct pool *pool, const struct mf_flight_line *line, size_t len)
{
    const struct kept kept = {
        .line =
            {
                .t_ns = line->t_ns,
                .stream = line->stream,
                .complete = line->complete && len == line->len,
                .gap_bytes = line->gap_bytes,
                .cut_bytes = line->len - len,
                .len = len,
            },
        .offset = pool->text.len,
    };
    mf_buffer_append(&pool->text, line->text, len);
    mf_buffer_append(&pool->lines, &kept, sizeof kept);
    return pool->text.failed || pool->lines.failed ? -ENOMEM : 0;
}

static bool fits(const struct pool *pool, size_t len, size_t lines_max, size_t bytes_max)
{
    return pool_count(pool) < lines_max && len <= bytes_max && pool->text.len <= bytes_max - len;
}

static void leave_out(struct mf_lines *lines, const struct pool *pool, size_t first, size_t count)
{
    const struct kept *kept = (const struct kept *)(const void *)pool->lines.data;
    for (size_t i = first; i < first + count; i++) {
        lines->left_out_lines++;
        lines->left_out_bytes +=
            kept[i].line.len + kept[i].line.cut_bytes + (kept[i].line.complete ? 1 : 0);
    }
}

static int take(struct mf_lines *lines, const struct mf_lines_options *options,
                const struct mf_flight_line *line)
{
    struct mf_lines_store *store = lines->store;
    size_t len = line->len;
    if (options->line_bytes_max != 0 && len > options->line_bytes_max) {
        len = options->line_bytes_max;
    }
    if (!store->head_full &&
        fits(&store->head, len, options->head_lines_max, options->head_bytes_max)) {
        return pool_add(&store->head, line, len);
    }
    store->head_full = true;
    if (options->tail_lines_max == 0) {
        lines->left_out_lines++;
        lines->left_out_bytes += line->len + (line->complete ? 1 : 0);
        return 0;
    }
    struct pool *newer = &store->tails[store->newer];
    if (!fits(newer, len, options->tail_lines_max, options->tail_bytes_max)) {
        store->newer ^= 1;
        newer = &store->tails[store->newer];
        leave_out(lines, newer, 0, pool_count(newer));
        mf_buffer_clear(&newer->text);
        mf_buffer_clear(&newer->lines);
    }
    return pool_add(newer, line, len);
}

static bool wanted(const struct mf_lines_options *options, const struct mf_flight_line *line)
{
    return (options->streams == 0 || (options->streams & 1U << line->stream) != 0) &&
           line->t_ns >= options->since_ns &&
           (options->until_ns == 0 || line->t_ns < options->until_ns);
}

static int read_all(struct mf_flight_output *output, bool finished, struct mf_lines *lines,
                    const struct mf_lines_options *options, struct mf_errinfo *err)
{
    struct mf_flight_line line;
    bool at_end = false;
    for (;;) {
        int rc = at_end ? mf_flight_output_last_line(output, &line, err)
                        : mf_flight_output_next_line(output, &line, err);
        if (rc == MF_ECORRUPT) {
            lines->damaged++;
            continue;
        }
        if (rc < 0) {
            return rc;
        }
        if (rc == 0 && (at_end || !finished)) {
            return 0;
        }
        at_end = at_end || rc == 0;
        if (rc == 1 && wanted(options, &line)) {
            rc = take(lines, options, &line);
            if (rc < 0) {
                return mf_fail(err, rc, "out of memory");
            }
        }
    }
}

/* How many of the last lines of the older tail still fit together with the newer. */
static size_t still_fit(const struct mf_lines_store *store, const struct mf_lines_options *options)
{
    const struct pool *newer = &store->tails[store->newer];
    const struct pool *older = &store->tails[store->newer ^ 1];
    const struct kept *kept = (const struct kept *)(const void *)older->lines.data;
    size_t count = 0;
    size_t bytes = newer->text.len;
    for (size_t i = pool_count(older); i > 0; i--) {
        bytes += kept[i - 1].line.len;
        if (bytes > options->tail_bytes_max ||
            pool_count(newer) + count + 1 > options->tail_lines_max) {
            break;
        }
        count++;
    }
    return count;
}

static void append(struct mf_lines *lines, const struct pool *pool, size_t first)
{
    const struct kept *kept = (const struct kept *)(const void *)pool->lines.data;
    for (size_t i = first; i < pool_count(pool); i++) {
        struct mf_kept_line *line = &lines->items[lines->count++];
        *line = kept[i].line;
        line->text = pool->text.data != NULL ? pool->text.data + kept[i].offset : "";
    }
}

static int arrange(struct mf_lines *lines, const struct mf_lines_options *options,
                   struct mf_errinfo *err)
{
    struct mf_lines_store *store = lines->store;
    const struct pool *older = &store->tails[store->newer ^ 1];
    const struct pool *newer = &store->tails[store->newer];
    const size_t total = pool_count(&store->head) + pool_count(older) + pool_count(newer);
    lines->items = mf_calloc(total + 1, sizeof *lines->items);
    if (lines->items == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    const size_t too_many = pool_count(older) - still_fit(store, options);
    leave_out(lines, older, 0, too_many);
    append(lines, &store->head, 0);
    lines->head_count = lines->count;
    append(lines, older, too_many);
    append(lines, newer, 0);
    return 0;
}

int mf_lines_take(struct mf_flight_output *output, bool finished,
                  const struct mf_lines_options *options, struct mf_lines *ret_lines,
                  struct mf_errinfo *err)
{
    struct mf_lines lines = {.store = mf_calloc(1, sizeof *lines.store)};
    if (lines.store == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    int rc = read_all(output, finished, &lines, options, err);
    if (rc == 0) {
        rc = arrange(&lines, options, err);
    }
    if (rc < 0) {
        mf_lines_free(&lines);
        return rc;
    }
    *ret_lines = lines;
    return 0;
}

int mf_lines_read(const char *dir, const struct mf_lines_options *options,
                  struct mf_lines *ret_lines, struct mf_errinfo *err)
{
    struct mf_flight_output *output = NULL;
    int rc = mf_flight_output_open(dir, &output, err);
    if (rc == 0) {
        rc = mf_lines_take(output, true, options, ret_lines, err);
    }
    mf_flight_output_close(output);
    return rc;
}

void mf_lines_free(struct mf_lines *lines)
{
    if (lines->store != NULL) {
        pool_free(&lines->store->head);
        pool_free(&lines->store->tails[0]);
        pool_free(&lines->store->tails[1]);
    }
    mf_free(lines->store);
    mf_free(lines->items);
    *lines = (struct mf_lines){0};
}
