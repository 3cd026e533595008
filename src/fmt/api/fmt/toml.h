/* SPDX-License-Identifier: Apache-2.0
 *
 * toml.h -- reads the part of TOML 1.0 that configuration files use: tables, arrays of tables,
 * bare, quoted and dotted keys, strings, integers (with _, 0x, 0o, 0b), floats, booleans, arrays of
 * these. Not read, and said so: dates, inline tables, strings over several lines, arrays in arrays.
 *
 * Messages are "ORIGIN:LINE:COLUMN: what is wrong", counted from 1, columns in characters. What the
 * reader of a document finds wrong with it should look the same: mf_toml_fail().
 *
 * A document belongs to one thread, or to many that only read; everything in it lives as long as
 * it.
 */
#ifndef FMT_TOML_H
#define FMT_TOML_H

#include <mayfly/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MF_TOML_LEN_MAX   (1u << 20)
#define MF_TOML_PAIRS_MAX 10000 /* keys in a document, and values in all of its arrays */

enum mf_toml_type { MF_TOML_STRING, MF_TOML_INT, MF_TOML_FLOAT, MF_TOML_BOOL, MF_TOML_ARRAY };

struct mf_toml_place {
    unsigned line, column;
};

struct mf_toml_value {
    enum mf_toml_type type;
    struct mf_toml_place place;
    const char *text; /* of a STRING its content; of INT, FLOAT and BOOL as written */
    int64_t integer;  /* INT, and 0 or 1 of a BOOL */
    double number;    /* INT and FLOAT */
    const struct mf_toml_value *items; /* ARRAY */
    size_t item_count;
};

struct mf_toml_pair {
    const char *key;
    struct mf_toml_place place;
    struct mf_toml_value value;
};

/* [name], or one of several [[name]]; what comes before the first is the table "". The parts of a
 * dotted name are joined by dots; a dotted key "a.b" in [x] is the key "b" of the table "x.a". */
struct mf_toml_table {
    const char *name;
    struct mf_toml_place place;
    bool of_array;
    const struct mf_toml_pair *pairs;
    size_t pair_count;
};

struct mf_toml {
    const struct mf_toml_table *tables; /* in the order of the text */
    size_t table_count;
    const char *origin;
};

/* Errors: MF_ESYNTAX, MF_ELIMIT, -ENOMEM. `origin`, a path, is copied. */
int mf_toml_parse(const char *text, size_t len, const char *origin, struct mf_toml **ret_toml,
                  struct mf_errinfo *err);
void mf_toml_free(struct mf_toml *toml); /* NULL is allowed */

/* "a string", "a whole number", ... */
const char *mf_toml_type_name(enum mf_toml_type type);
/* MF_ESYNTAX, with the place before the message. */
int mf_toml_fail(const struct mf_toml *toml, struct mf_toml_place place, struct mf_errinfo *err,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
