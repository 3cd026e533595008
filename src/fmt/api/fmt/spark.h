/* SPDX-License-Identifier: Apache-2.0
 *
 * spark.h -- small charts made of characters: block elements (U+2580 ff.) where the terminal shows
 * Unicode, ASCII elsewhere. */
#ifndef FMT_SPARK_H
#define FMT_SPARK_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends one row of a chart that is `rows` high, row 0 the lowest: one column for each value,
 * filled from the bottom in eighths, `max` reaching the top. NaN is blank; any other value above
 * zero shows at least the smallest piece in row 0. A chart of one row is a sparkline. */
void mf_spark_row(struct mf_buffer *out, const double *values, size_t count, double max, size_t row,
                  size_t rows, bool unicode);

/* Appends a bar of `width` columns of which the part [from, to) is filled, 0 <= from <= to <= 1;
 * never empty: at least one eighth shows. The rest is blanks. */
void mf_spark_bar(struct mf_buffer *out, double from, double to, size_t width, bool unicode);

#endif
