/* SPDX-License-Identifier: Apache-2.0
 * spark.c -- see spark.h. */
#include "fmt/spark.h"

#include <math.h>

/* Eighths of a cell, filled from the bottom, and from the left. */
static const char *const rising[9] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const growing[9] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
static const char ascii_rising[] = " .:-=+*#@";

static long bounded_lround(double value, long max)
{
    return value <= 0 ? 0 : value >= (double)max ? max : lround(value);
}

void mf_spark_row(struct mf_buffer *out, const double *values, size_t count, double max, size_t row,
                  size_t rows, bool unicode)
{
    for (size_t i = 0; i < count; i++) {
        long eighths = 0;
        if (!isnan(values[i]) && values[i] > 0) {
            eighths =
                max > 0 ? bounded_lround(values[i] / max * 8.0 * (double)rows, 8 * (long)rows) : 0;
            eighths = eighths == 0 ? 1 : eighths;
        }
        eighths -= 8 * (long)row;
        eighths = eighths < 0 ? 0 : eighths > 8 ? 8 : eighths;
        if (unicode) {
            mf_buffer_puts(out, rising[eighths]);
        } else {
            mf_buffer_putc(out, ascii_rising[eighths]);
        }
    }
}

/* The column where a bar begins is filled as a whole: there is no piece that is filled from the
 * right. Only its end is shown in eighths. */
void mf_spark_bar(struct mf_buffer *out, double from, double to, size_t width, bool unicode)
{
    const double scale = (double)width;
    size_t begin = (size_t)bounded_lround(floor(from * scale), (long)width);
    long end_eighths = bounded_lround(to * scale * 8.0, 8 * (long)width);
    if (begin == width && width > 0) {
        begin--;
        end_eighths = 0;
    }
    if (end_eighths <= 8 * (long)begin) {
        end_eighths = 8 * (long)begin + 1;
    }
    for (size_t i = 0; i < width; i++) {
        long eighths = i < begin ? 0 : end_eighths - 8 * (long)i;
        eighths = eighths < 0 ? 0 : eighths > 8 ? 8 : eighths;
        if (unicode) {
            mf_buffer_puts(out, growing[eighths]);
        } else {
            mf_buffer_putc(out, eighths == 0 ? ' ' : '=');
        }
    }
}
