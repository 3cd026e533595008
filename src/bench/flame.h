/* SPDX-License-Identifier: Apache-2.0
 *
 * flame.h -- stacks that were sampled, folded (a line for each: "outer;inner;leaf count", as
 * Brendan Gregg's tools write and read them), and as a flame graph.
 */
#ifndef BENCH_FLAME_H
#define BENCH_FLAME_H

#include "base/buffer.h"

#include <mayfly/error.h>
#include <stddef.h>
#include <stdint.h>

#define FLAME_DEPTH_MAX 256
#define FLAME_LEN_MAX   (64u << 20)

/* One function at one place in the tree of calls. */
struct flame_frame {
    const char *name; /* within the folded text */
    size_t name_len;
    uint32_t parent; /* index; of the root itself */
    uint32_t depth;
    uint64_t self, total;               /* of what was counted */
    uint64_t begin;                     /* of all: where it begins, once arranged */
    uint32_t first_child, next_sibling; /* 0: none */
};

struct flame {
    struct flame_frame *frames; /* [0] is the root, "all" */
    size_t frame_count, frame_capacity;
    uint32_t depth;
};

/* Reads folded stacks; `text` must stay. A line without a count at its end is MF_ESYNTAX with its
 * number, more than FLAME_DEPTH_MAX frames are cut. Freed with mf__flame_free(). */
int mf__flame_read(const char *text, size_t len, struct flame *ret_flame, struct mf_errinfo *err);
void mf__flame_free(struct flame *flame);
/* The same as text again: a line for each stack, none twice. */
void mf__flame_write(const struct flame *flame, struct mf_buffer *out);

/* The graph as SVG, the root above. `unit` follows the counts ("samples", "bytes"). Frames below a
 * twentieth of a percent are left out. With `alone` it is a file with its own style and script. */
void mf__flame_svg(const struct flame *flame, const char *title, const char *unit, bool alone,
                   struct mf_buffer *out);

/* Appends a function's name to a stack in folded form: ';' and line ends, which have a meaning
 * there, become ':' and blanks. */
void mf__folded_name(struct mf_buffer *out, const char *name);

#endif
