/* SPDX-License-Identifier: Apache-2.0
 *
 * flame.c -- see flame.h.
 *
 * A frame is a rectangle, as wide as the part of all samples that were taken in the function and in
 * what it called; below it stands what it called, in the order of the alphabet, so that two graphs
 * of the same program look alike. Its colour comes from its name. The script (page/flame.js) only
 * moves what is there.
 */
#include "flame.h"
#include "chart.h"

#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "fmt/escape.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPAN      1180.0 /* of the root, in units */
#define MARGIN    10.0
#define ROW       17.0
#define HEAD      46.0
#define CHARACTER 6.6
#define LEAST     0.0005 /* of all */
#define NAME_LEN  400

/* ---- reading ---- */

static int add_frame(struct flame *flame, uint32_t parent, const char *name, size_t len,
                     uint32_t *ret_index)
{
    if (flame->frame_count == flame->frame_capacity) {
        const size_t capacity = flame->frame_capacity != 0 ? 2 * flame->frame_capacity : 256;
        struct flame_frame *grown = mf_realloc(flame->frames, capacity * sizeof *grown);
        if (grown == NULL || flame->frame_count >= UINT32_MAX) {
            return -ENOMEM;
        }
        flame->frames = grown;
        flame->frame_capacity = capacity;
    }
    const uint32_t index = (uint32_t)flame->frame_count++;
    struct flame_frame *frame = &flame->frames[index];
    *frame = (struct flame_frame){.name = name, .name_len = len, .parent = parent};
    if (index > 0) {
        frame->depth = flame->frames[parent].depth + 1;
        frame->next_sibling = flame->frames[parent].first_child;
        flame->frames[parent].first_child = index;
        flame->depth = frame->depth > flame->depth ? frame->depth : flame->depth;
    }
    *ret_index = index;
    return 0;
}

static int child_of(struct flame *flame, uint32_t parent, const char *name, size_t len,
                    uint32_t *ret_index)
{
    for (uint32_t i = flame->frames[parent].first_child; i != 0;
         i = flame->frames[i].next_sibling) {
        if (flame->frames[i].name_len == len && memcmp(flame->frames[i].name, name, len) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    return add_frame(flame, parent, name, len, ret_index);
}

/* Where the count begins, and the count; NULL when there is none. */
static const char *find_count(const char *line, size_t len, uint64_t *ret_count)
{
    uint64_t count = 0;
    uint64_t scale = 1;
    size_t at = len;
    while (at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9' && len - at < 19) {
        count += scale * (uint64_t)(line[--at] - '0');
        scale *= 10;
    }
    if (at == len || at == 0 || line[at - 1] != ' ') {
        return NULL;
    }
    *ret_count = count;
    return line + at - 1;
}

static int add_stack(struct flame *flame, const char *stack, size_t len, uint64_t count)
{
    uint32_t at = 0;
    int rc = 0;
    flame->frames[0].total += count;
    for (size_t begin = 0; begin < len && rc == 0;) {
        const char *end = memchr(stack + begin, ';', len - begin);
        const size_t part = end != NULL ? (size_t)(end - stack) - begin : len - begin;
        if (part > 0 && flame->frames[at].depth < FLAME_DEPTH_MAX) {
            rc = child_of(flame, at, stack + begin, part, &at);
            if (rc == 0) {
                flame->frames[at].total += count;
            }
        }
        begin += part + 1;
    }
    flame->frames[at].self += count;
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct flame_frame *x = *(struct flame_frame *const *)a;
    const struct flame_frame *y = *(struct flame_frame *const *)b;
    const size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
    const int order = memcmp(x->name, y->name, len);
    return order != 0 ? order : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

/* Puts the children of each frame side by side. Parents come before their children in the array. */
static int arrange(struct flame *flame)
{
    struct flame_frame **children = mf_malloc((flame->frame_count + 1) * sizeof *children);
    if (children == NULL) {
        return -ENOMEM;
    }
    for (size_t p = 0; p < flame->frame_count; p++) {
        size_t count = 0;
        for (uint32_t i = flame->frames[p].first_child; i != 0; i = flame->frames[i].next_sibling) {
            children[count++] = &flame->frames[i];
        }
        if (count > 1) {
            qsort(children, count, sizeof(struct flame_frame *), by_name);
        }
        uint64_t begin = flame->frames[p].begin;
        for (size_t i = 0; i < count; i++) {
            children[i]->begin = begin;
            begin += children[i]->total;
        }
    }
    mf_free(children);
    return 0;
}

int mf__flame_read(const char *text, size_t len, struct flame *ret_flame, struct mf_errinfo *err)
{
    struct flame flame = {0};
    uint32_t root = 0;
    if (len > FLAME_LEN_MAX) {
        return mf_fail(err, MF_ELIMIT, "there are %zu bytes of stacks; %u are read", len,
                       FLAME_LEN_MAX);
    }
    int rc = add_frame(&flame, 0, "all", 3, &root);
    size_t number = 1;
    for (size_t at = 0; at < len && rc == 0; number++) {
        const char *line = text + at;
        const char *feed = memchr(line, '\n', len - at);
        const size_t line_len = feed != NULL ? (size_t)(feed - line) : len - at;
        uint64_t count = 0;
        const char *end = find_count(line, line_len, &count);
        if (line_len > 0 && end == NULL) {
            rc = mf_fail(err, MF_ESYNTAX, "line %zu of the stacks has no count at its end", number);
        } else if (line_len > 0 && count > UINT64_MAX / 4 - flame.frames[0].total) {
            rc =
                mf_fail(err, MF_ELIMIT, "line %zu of the stacks: the counts are too large", number);
        } else if (line_len > 0) {
            rc = add_stack(&flame, line, (size_t)(end - line), count);
        }
        at += line_len + 1;
    }
    if (rc == 0) {
        rc = arrange(&flame);
    }
    if (rc < 0) {
        mf__flame_free(&flame);
        return rc == -ENOMEM ? mf_fail_os(err, rc, "cannot read the stacks") : rc;
    }
    *ret_flame = flame;
    return 0;
}

void mf__flame_free(struct flame *flame)
{
    mf_free(flame->frames);
    *flame = (struct flame){0};
}

void mf__flame_write(const struct flame *flame, struct mf_buffer *out)
{
    uint32_t path[FLAME_DEPTH_MAX + 1];
    for (uint32_t i = 1; i < flame->frame_count; i++) {
        if (flame->frames[i].self == 0) {
            continue;
        }
        size_t depth = 0;
        for (uint32_t at = i; at != 0; at = flame->frames[at].parent) {
            path[depth++] = at;
        }
        while (depth > 0) {
            const struct flame_frame *frame = &flame->frames[path[--depth]];
            mf_buffer_append(out, frame->name, frame->name_len);
            mf_buffer_putc(out, depth > 0 ? ';' : ' ');
        }
        mf_buffer_printf(out, "%llu\n", (unsigned long long)flame->frames[i].self);
    }
}

void mf__folded_name(struct mf_buffer *out, const char *name)
{
    for (const char *p = name; *p != '\0'; p++) {
        mf_buffer_putc(out, *p == ';' ? ':' : (unsigned char)*p < ' ' ? ' ' : *p);
    }
}

/* ---- drawing ---- */

static void put(struct mf_buffer *out, double value)
{
    mf_buffer_printf(out, "%.2f", value);
}

/* A warm colour of its own for each name; those of the kernel are blue. */
static void put_colour(struct mf_buffer *out, const char *name, size_t len)
{
    const uint64_t hash = mf_hash64(name, len);
    const bool kernel = len > 4 && memcmp(name + len - 4, "_[k]", 4) == 0;
    const unsigned hue = kernel ? 200 + (unsigned)(hash % 25) : 14 + (unsigned)(hash % 40);
    const unsigned light = 60 + (unsigned)(hash >> 32) % 14;
    mf_buffer_printf(out, "hsl(%u 85%% %u%%)", hue, light);
}

static void put_count(struct mf_buffer *out, uint64_t count)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < len; i++) {
        mf_buffer_puts(out, i > 0 && (len - i) % 3 == 0 ? "," : "");
        mf_buffer_putc(out, digits[i]);
    }
}

static void draw_frame(const struct flame *flame, const struct flame_frame *frame, const char *unit,
                       struct mf_buffer *out)
{
    const double all = (double)flame->frames[0].total;
    const double x = MARGIN + (double)frame->begin / all * SPAN;
    const double width = (double)frame->total / all * SPAN;
    const double y = HEAD + frame->depth * ROW;
    const size_t len = frame->name_len < NAME_LEN ? frame->name_len : NAME_LEN;
    const double room = (width - 6) / CHARACTER;
    mf_buffer_puts(out, "<g class=\"frame\" tabindex=\"-1\" data-name=\"");
    mf_html_text(out, frame->name, len);
    mf_buffer_printf(out, "\" data-begin=\"%llu\" data-width=\"%llu\" data-depth=\"%u\"><title>",
                     (unsigned long long)frame->begin, (unsigned long long)frame->total,
                     frame->depth);
    mf_html_text(out, frame->name, len);
    mf_buffer_puts(out, ": ");
    put_count(out, frame->total);
    mf_buffer_printf(out, " %s, %.2f %%; itself %.2f %%</title><rect x=\"", unit,
                     100 * (double)frame->total / all, 100 * (double)frame->self / all);
    put(out, x);
    mf_buffer_printf(out, "\" y=\"%.0f\" width=\"", y);
    put(out, fmax(width, 0.1));
    mf_buffer_printf(out, "\" height=\"%.0f\" rx=\"2\" fill=\"", ROW - 1);
    put_colour(out, frame->name, len);
    mf_buffer_puts(out, "\"/><text x=\"");
    put(out, x + 3);
    mf_buffer_printf(out, "\" y=\"%.0f\">", y + 12);
    if (room >= 3) {
        const bool cut = (double)len > room;
        mf_html_text(out, frame->name, cut ? (size_t)room - 1 : len);
        mf_buffer_puts(out, cut ? "…" : "");
    }
    mf_buffer_puts(out, "</text></g>\n");
}

static const char style[] =
    "svg.flamegraph{display:block;min-width:640px;width:100%;height:auto;"
    "font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,\"Liberation Mono\",monospace}"
    "svg.flamegraph .frame{cursor:pointer}"
    "svg.flamegraph .frame text{fill:var(--flame-ink,#1d1408);pointer-events:none}"
    "svg.flamegraph .frame:hover rect,svg.flamegraph .frame:focus rect"
    "{stroke:var(--text,#171b21);stroke-width:1}"
    "svg.flamegraph .above rect{fill-opacity:.5}"
    "svg.flamegraph .found rect{fill:#c04be0}"
    "svg.flamegraph .head{fill:var(--text,#171b21);font-weight:600;font-size:13px}"
    "svg.flamegraph .status{fill:var(--muted,#57616d)}"
    "svg.flamegraph .back,svg.flamegraph .find"
    "{fill:var(--accent,#1d5fc0);cursor:pointer;font-size:12px}";

static void draw_head(const struct flame *flame, const char *title, const char *unit,
                      struct mf_buffer *out)
{
    mf_buffer_printf(out, "<text class=\"head\" x=\"%.0f\" y=\"16\">", MARGIN);
    mf_html_text(out, title, strlen(title));
    mf_buffer_puts(out, ": ");
    put_count(out, flame->frames[0].total);
    mf_buffer_printf(out, " %s</text>", unit);
    mf_buffer_printf(out,
                     "<text class=\"find\" style=\"display:none\" text-anchor=\"end\" x=\"%.0f\" "
                     "y=\"16\">Search</text>"
                     "<text class=\"back\" style=\"display:none\" text-anchor=\"end\" x=\"%.0f\" "
                     "y=\"16\">Show all</text>"
                     "<text class=\"status\" x=\"%.0f\" y=\"36\"></text>\n",
                     MARGIN + SPAN, MARGIN + SPAN - 70, MARGIN);
}

void mf__flame_svg(const struct flame *flame, const char *title, const char *unit, bool alone,
                   struct mf_buffer *out)
{
    const struct flame_frame *root = &flame->frames[0];
    uint32_t depth = 0;
    for (size_t i = 0; i < flame->frame_count; i++) {
        const struct flame_frame *frame = &flame->frames[i];
        const bool seen = (double)frame->total >= LEAST * (double)root->total;
        depth = seen && frame->depth > depth ? frame->depth : depth;
    }
    const double height = HEAD + (depth + 1) * ROW + MARGIN;
    mf_buffer_printf(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flamegraph\" "
                     "viewBox=\"0 0 %.0f %.0f\" data-total=\"%llu\" data-span=\"%.0f\" "
                     "data-margin=\"%.0f\"><style>",
                     SPAN + 2 * MARGIN, height, (unsigned long long)root->total, SPAN, MARGIN);
    if (alone) {
        mf_buffer_puts(out, mf__chart_css);
        mf_buffer_puts(out, "svg{background:var(--card)}");
    }
    mf_buffer_puts(out, style);
    mf_buffer_puts(out, "</style>\n");
    draw_head(flame, title, unit, out);
    for (size_t i = 0; i < flame->frame_count && root->total > 0; i++) {
        if ((double)flame->frames[i].total >= LEAST * (double)root->total) {
            draw_frame(flame, &flame->frames[i], unit, out);
        }
    }
    if (alone) {
        mf_buffer_puts(out, "<script><![CDATA[\n");
        mf_buffer_puts(out, mf__flame_js);
        mf_buffer_puts(out, "]]></script>\n");
    }
    mf_buffer_puts(out, "</svg>\n");
}
