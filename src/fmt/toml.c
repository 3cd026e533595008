/* SPDX-License-Identifier: Apache-2.0
 * toml.c -- see toml.h. After the grammar of https://toml.io/en/v1.0.0. */
#include "fmt/toml.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/heap.h"
#include "fmt/number.h"
#include "fmt/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The document and everything that it owns. */
struct document {
    struct mf_toml head;
    char *origin;
    struct mf_toml_table *tables;
    size_t table_capacity;
    char **strings;
    size_t string_count, string_capacity;
    size_t pair_total;
};

struct parser {
    const char *at, *end;
    const char *line_begin;
    unsigned line;
    struct document *document;
    struct mf_toml_table *table;
    struct mf_errinfo *err;
};

/* ---- messages ---- */

static struct mf_toml_place place_of(const struct parser *parser, const char *at)
{
    unsigned column = 1;
    for (const char *p = parser->line_begin; p < at; column++) {
        size_t len = 1;
        (void)mf_utf8_get(p, (size_t)(at - p), &len);
        p += len;
    }
    return (struct mf_toml_place){parser->line, column};
}

static struct mf_toml_place here(const struct parser *parser)
{
    return place_of(parser, parser->at);
}

__attribute__((format(printf, 4, 0))) static int complain(const char *origin,
                                                          struct mf_toml_place place,
                                                          struct mf_errinfo *err,
                                                          const char *format, va_list arguments)
{
    char text[256];
    vsnprintf(text, sizeof text, format, arguments);
    return mf_fail(err, MF_ESYNTAX, "%.100s:%u:%u: %s", origin, place.line, place.column, text);
}

int mf_toml_fail(const struct mf_toml *toml, struct mf_toml_place place, struct mf_errinfo *err,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int rc = complain(toml->origin, place, err, format, arguments);
    va_end(arguments);
    return rc;
}

__attribute__((format(printf, 2, 3))) static int wrong(struct parser *parser, const char *format,
                                                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int rc = complain(parser->document->origin, here(parser), parser->err, format, arguments);
    va_end(arguments);
    return rc;
}

static int no_memory(struct parser *parser)
{
    return mf_fail_os(parser->err, -ENOMEM, "cannot read %.200s", parser->document->origin);
}

const char *mf_toml_type_name(enum mf_toml_type type)
{
    static const char *const names[] = {
        [MF_TOML_STRING] = "a string", [MF_TOML_INT] = "a whole number",
        [MF_TOML_FLOAT] = "a number",  [MF_TOML_BOOL] = "true or false",
        [MF_TOML_ARRAY] = "an array",
    };
    return names[type];
}

/* ---- memory ---- */

/* Takes the text over, also when it fails. */
static const char *keep(struct parser *parser, char *text)
{
    struct document *document = parser->document;
    if (text != NULL && document->string_count == document->string_capacity) {
        const size_t capacity = document->string_capacity != 0 ? 2 * document->string_capacity : 64;
        char **strings = mf_realloc(document->strings, capacity * sizeof *strings);
        if (strings == NULL) {
            mf_free(text);
            return NULL;
        }
        document->strings = strings;
        document->string_capacity = capacity;
    }
    if (text != NULL) {
        document->strings[document->string_count++] = text;
    }
    return text;
}

static int keep_span(struct parser *parser, const char *begin, size_t len, const char **ret)
{
    *ret = keep(parser, mf_strndup(begin, len));
    return *ret != NULL ? 0 : no_memory(parser);
}

/* Takes the content of a buffer, which is freed. A NUL cannot be in it. */
static int keep_buffer(struct parser *parser, struct mf_buffer *buffer, const char **ret)
{
    const int rc = buffer->failed ? no_memory(parser)
                                  : keep_span(parser, buffer->data != NULL ? buffer->data : "",
                                              buffer->len, ret);
    mf_buffer_free(buffer);
    return rc;
}

/* ---- characters ---- */

static bool at_end(const struct parser *parser)
{
    return parser->at == parser->end;
}

static char peek(const struct parser *parser)
{
    return at_end(parser) ? '\0' : *parser->at;
}

static bool take(struct parser *parser, char c)
{
    if (peek(parser) != c || at_end(parser)) {
        return false;
    }
    parser->at++;
    return true;
}

static void skip_blanks(struct parser *parser)
{
    while (peek(parser) == ' ' || peek(parser) == '\t') {
        parser->at++;
    }
}

/* What may stand in comments and strings: no control characters but the tab. */
static int check_text(struct parser *parser, const char *end)
{
    for (; parser->at < end; parser->at++) {
        const unsigned char c = (unsigned char)*parser->at;
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return wrong(parser, "the control character 0x%02x", c);
        }
    }
    return 0;
}

static const char *line_end(const struct parser *parser)
{
    const char *p = parser->at;
    while (p < parser->end && *p != '\n' && !(*p == '\r' && p + 1 < parser->end && p[1] == '\n')) {
        p++;
    }
    return p;
}

static int skip_comment(struct parser *parser)
{
    return peek(parser) == '#' ? check_text(parser, line_end(parser)) : 0;
}

static bool take_line_end(struct parser *parser)
{
    const char *before = parser->at;
    if (peek(parser) == '\r' && parser->at + 1 < parser->end && parser->at[1] == '\n') {
        parser->at++;
    }
    if (!take(parser, '\n')) {
        parser->at = before;
        return false;
    }
    parser->line++;
    parser->line_begin = parser->at;
    return true;
}

/* Blanks and a comment may follow; then the line must end. */
static int finish_line(struct parser *parser)
{
    skip_blanks(parser);
    const int rc = skip_comment(parser);
    if (rc < 0 || at_end(parser) || take_line_end(parser)) {
        return rc;
    }
    return wrong(parser, "unexpected text behind the value");
}

/* ---- strings ---- */

static int hex_digits(struct parser *parser, int count, uint32_t *ret)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++) {
        const char c = peek(parser);
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint32_t)(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint32_t)(c - 'A' + 10);
        } else {
            return wrong(parser, "an escape needs %d hexadecimal digits", count);
        }
        value = value * 16 + digit;
        parser->at++;
    }
    *ret = value;
    return 0;
}

static int read_escape(struct parser *parser, struct mf_buffer *out)
{
    static const char plain[] = "btnfr\"\\";
    static const char meant[] = "\b\t\n\f\r\"\\";
    const char c = peek(parser);
    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    if (found != NULL) {
        mf_buffer_putc(out, meant[found - plain]);
        parser->at++;
        return 0;
    }
    if (c != 'u' && c != 'U') {
        return wrong(parser, "an unknown escape in a string");
    }
    uint32_t code_point = 0;
    parser->at++;
    const int rc = hex_digits(parser, c == 'u' ? 4 : 8, &code_point);
    if (rc < 0) {
        return rc;
    }
    if (code_point == 0 || code_point > 0x10ffff ||
        (code_point >= 0xd800 && code_point <= 0xdfff)) {
        return wrong(parser, "an escape that is no character");
    }
    char bytes[4];
    mf_buffer_append(out, bytes, mf_utf8_put(bytes, code_point));
    return 0;
}

static int read_string(struct parser *parser, const char **ret)
{
    const char quote = *parser->at++;
    if (peek(parser) == quote && parser->at + 1 < parser->end && parser->at[1] == quote) {
        return wrong(parser, "strings over several lines are not supported");
    }
    struct mf_buffer out = MF_BUFFER_INIT;
    int rc = 0;
    while (rc == 0 && peek(parser) != quote) {
        if (at_end(parser) || parser->at == line_end(parser)) {
            rc = wrong(parser, "the string has no end on this line");
        } else if (quote == '"' && take(parser, '\\')) {
            rc = read_escape(parser, &out);
        } else {
            mf_buffer_putc(&out, *parser->at);
            rc = check_text(parser, parser->at + 1);
        }
    }
    if (rc < 0) {
        mf_buffer_free(&out);
        return rc;
    }
    parser->at++;
    return keep_buffer(parser, &out, ret);
}

/* ---- keys ---- */

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static int read_key_part(struct parser *parser, const char **ret)
{
    skip_blanks(parser);
    if (peek(parser) == '"' || peek(parser) == '\'') {
        return read_string(parser, ret);
    }
    const char *begin = parser->at;
    while (is_bare(peek(parser))) {
        parser->at++;
    }
    if (parser->at == begin) {
        return wrong(parser, at_end(parser) ? "a key is missing" : "a key cannot begin here");
    }
    return keep_span(parser, begin, (size_t)(parser->at - begin), ret);
}

/* A key of any number of parts: the last, and the ones before it joined by dots after `prefix`. */
static int read_key(struct parser *parser, const char *prefix, const char **ret_table,
                    const char **ret_key)
{
    struct mf_buffer table = MF_BUFFER_INIT;
    mf_buffer_puts(&table, prefix);
    const char *part = NULL;
    int rc = read_key_part(parser, &part);
    skip_blanks(parser);
    while (rc == 0 && take(parser, '.')) {
        mf_buffer_printf(&table, "%s%s", table.len > 0 ? "." : "", part);
        rc = read_key_part(parser, &part);
        skip_blanks(parser);
    }
    if (rc < 0) {
        mf_buffer_free(&table);
        return rc;
    }
    *ret_key = part;
    return keep_buffer(parser, &table, ret_table);
}

/* ---- values ---- */

static bool is_value_char(char c)
{
    return is_bare(c) || c == '+' || c == '.' || c == ':';
}

/* Takes out the underscores, each of which must stand between digits. */
static bool plain_digits(const char *text, size_t len, char *out, size_t capacity)
{
    size_t used = 0;
    if (len + 1 > capacity) {
        return false;
    }
    const char *between = len > 1 && text[0] == '0' && text[1] == 'x' ? "_x" : "_xob+-.eE";
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '_') {
            out[used++] = text[i];
        } else if (i == 0 || i + 1 == len || strchr(between, text[i - 1]) != NULL ||
                   strchr(between, text[i + 1]) != NULL) {
            return false;
        }
    }
    out[used] = '\0';
    return true;
}

static bool parse_based(const char *digits, unsigned base, int64_t *ret)
{
    uint64_t value = 0;
    if (*digits == '\0') {
        return false;
    }
    for (const char *p = digits; *p != '\0'; p++) {
        const char lower = (char)(*p | 0x20);
        const unsigned digit = *p >= '0' && *p <= '9'         ? (unsigned)(*p - '0')
                               : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10
                                                              : 99;
        if (digit >= base || value > (uint64_t)INT64_MAX / base) {
            return false;
        }
        value = value * base + digit;
    }
    if (value > INT64_MAX) {
        return false;
    }
    *ret = (int64_t)value;
    return true;
}

/* Leading zeros are not allowed, and a point stands between digits. */
static bool is_float_shape(const char *digits)
{
    const char *p = digits + (*digits == '+' || *digits == '-');
    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9')) {
        return false;
    }
    const char *point = strchr(p, '.');
    return point == NULL || (point[1] >= '0' && point[1] <= '9');
}

static int read_number(struct parser *parser, const char *text, size_t len,
                       struct mf_toml_value *value)
{
    char digits[128];
    static const struct {
        char letter;
        unsigned base;
    } bases[] = {{'x', 16}, {'o', 8}, {'b', 2}};
    if (!plain_digits(text, len, digits, sizeof digits)) {
        return wrong(parser, "'%.*s' is not a value", (int)(len < 60 ? len : 60), text);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(bases); i++) {
        if (digits[0] == '0' && digits[1] == bases[i].letter) {
            value->type = MF_TOML_INT;
            if (!parse_based(digits + 2, bases[i].base, &value->integer)) {
                break;
            }
            value->number = (double)value->integer;
            return 0;
        }
    }
    const char *p = digits + (digits[0] == '+' || digits[0] == '-');
    if (strcmp(p, "inf") == 0 || strcmp(p, "nan") == 0) {
        return wrong(parser, "a number must be finite");
    }
    if (is_float_shape(digits)) {
        const bool integer = strpbrk(digits, ".eE") == NULL;
        value->type = integer ? MF_TOML_INT : MF_TOML_FLOAT;
        if (integer && mf_parse_int64(digits, &value->integer, NULL) == 0) {
            value->number = (double)value->integer;
            return 0;
        }
        if (!integer && mf_parse_double(digits, &value->number, NULL) == 0) {
            return 0;
        }
    }
    if (digits[0] >= '0' && digits[0] <= '9' && strpbrk(digits, ":-") != NULL &&
        strpbrk(digits, "eE") == NULL) {
        return wrong(parser, "dates and times are not supported; write a string");
    }
    return wrong(parser, "'%.60s' is not a value; strings need quotes", digits);
}

static int read_scalar(struct parser *parser, struct mf_toml_value *value)
{
    value->place = here(parser);
    const char c = peek(parser);
    if (c == '"' || c == '\'') {
        value->type = MF_TOML_STRING;
        return read_string(parser, &value->text);
    }
    if (c == '{') {
        return wrong(parser, "inline tables are not supported; write [table]");
    }
    const char *begin = parser->at;
    while (is_value_char(peek(parser))) {
        parser->at++;
    }
    const size_t len = (size_t)(parser->at - begin);
    parser->at = begin; /* for messages */
    if (len == 0) {
        return wrong(parser, "a value is missing");
    }
    int rc = 0;
    if ((len == 4 && memcmp(begin, "true", 4) == 0) ||
        (len == 5 && memcmp(begin, "false", 5) == 0)) {
        value->type = MF_TOML_BOOL;
        value->integer = len == 4;
    } else {
        rc = read_number(parser, begin, len, value);
    }
    if (rc == 0) {
        rc = keep_span(parser, begin, len, &value->text);
    }
    parser->at += rc == 0 ? len : 0;
    return rc;
}

/* Blanks, comments and line ends between the members of an array. */
static int skip_gap(struct parser *parser)
{
    int rc = 0;
    do {
        skip_blanks(parser);
        rc = skip_comment(parser);
    } while (rc == 0 && take_line_end(parser));
    return rc;
}

static int count_pair(struct parser *parser)
{
    if (++parser->document->pair_total > MF_TOML_PAIRS_MAX) {
        return mf_fail(parser->err, MF_ELIMIT, "%.200s has more than %d values",
                       parser->document->origin, MF_TOML_PAIRS_MAX);
    }
    return 0;
}

static int add_item(struct parser *parser, struct mf_toml_value **items, size_t *count)
{
    if ((*count & (*count - 1)) == 0) { /* at each power of two */
        struct mf_toml_value *grown =
            mf_realloc(*items, (*count != 0 ? 2 * *count : 1) * sizeof *grown);
        if (grown == NULL) {
            return no_memory(parser);
        }
        *items = grown;
    }
    memset(&(*items)[*count], 0, sizeof **items);
    if (peek(parser) == '[') {
        return wrong(parser, "arrays in arrays are not supported");
    }
    const int rc = read_scalar(parser, &(*items)[*count]);
    *count += rc == 0;
    return rc < 0 ? rc : count_pair(parser);
}

static int read_array(struct parser *parser, struct mf_toml_value *value)
{
    struct mf_toml_value *items = NULL;
    size_t count = 0;
    value->type = MF_TOML_ARRAY;
    value->place = here(parser);
    parser->at++;
    int rc = skip_gap(parser);
    bool closed = rc == 0 && take(parser, ']');
    while (rc == 0 && !closed) {
        rc = at_end(parser) ? wrong(parser, "the array has no end")
                            : add_item(parser, &items, &count);
        rc = rc < 0 ? rc : skip_gap(parser);
        if (rc == 0 && take(parser, ',')) {
            rc = skip_gap(parser);
            closed = rc == 0 && take(parser, ']');
        } else if (rc == 0 && take(parser, ']')) {
            closed = true;
        } else if (rc == 0) {
            rc = wrong(parser, "a comma or ']' is missing in the array");
        }
    }
    value->items = items; /* freed with the document, also when this failed */
    value->item_count = count;
    return rc;
}

/* ---- lines ---- */

static struct mf_toml_table *find_table(const struct document *document, const char *name)
{
    for (size_t i = document->head.table_count; i > 0; i--) { /* of several the last */
        if (strcmp(document->tables[i - 1].name, name) == 0) {
            return &document->tables[i - 1];
        }
    }
    return NULL;
}

static int add_table(struct parser *parser, const char *name, struct mf_toml_place place,
                     bool of_array)
{
    struct document *document = parser->document;
    const int rc = count_pair(parser);
    if (rc < 0) {
        return rc;
    }
    if (document->head.table_count == document->table_capacity) {
        const size_t capacity = document->table_capacity != 0 ? 2 * document->table_capacity : 16;
        struct mf_toml_table *tables = mf_realloc(document->tables, capacity * sizeof *tables);
        if (tables == NULL) {
            return no_memory(parser);
        }
        document->tables = tables;
        document->head.tables = tables;
        document->table_capacity = capacity;
    }
    parser->table = &document->tables[document->head.table_count++];
    *parser->table = (struct mf_toml_table){.name = name, .place = place, .of_array = of_array};
    return 0;
}

static int read_header(struct parser *parser)
{
    const struct mf_toml_place place = here(parser);
    parser->at++;
    const bool of_array = take(parser, '[');
    const char *prefix = "";
    const char *last = "";
    int rc = read_key(parser, "", &prefix, &last);
    if (rc == 0 && (!take(parser, ']') || (of_array && !take(parser, ']')))) {
        rc = wrong(parser, "'%s' is missing behind the name of the table", of_array ? "]]" : "]");
    }
    if (rc < 0) {
        return rc;
    }
    const char *name =
        keep(parser, mf_asprintf("%s%s%s", prefix, *prefix != '\0' ? "." : "", last));
    if (name == NULL) {
        return no_memory(parser);
    }
    const struct mf_toml_table *same = find_table(parser->document, name);
    if (same != NULL && !(of_array && same->of_array)) {
        return mf_toml_fail(&parser->document->head, place, parser->err,
                            "the table '%.60s' is there already, in line %u", name,
                            same->place.line);
    }
    rc = add_table(parser, name, place, of_array);
    return rc < 0 ? rc : finish_line(parser);
}

static struct mf_toml_pair *add_pair(struct mf_toml_table *table)
{
    struct mf_toml_pair *pairs = (struct mf_toml_pair *)(uintptr_t)table->pairs;
    if ((table->pair_count & (table->pair_count - 1)) == 0) {
        pairs =
            mf_realloc(pairs, (table->pair_count != 0 ? 2 * table->pair_count : 1) * sizeof *pairs);
        if (pairs == NULL) {
            return NULL;
        }
        table->pairs = pairs;
    }
    memset(&pairs[table->pair_count], 0, sizeof *pairs);
    return &pairs[table->pair_count++];
}

static int read_pair(struct parser *parser)
{
    const struct mf_toml_place place = here(parser);
    const size_t table_index = (size_t)(parser->table - parser->document->tables);
    const char *table_name = "";
    const char *key = "";
    int rc = read_key(parser, parser->table->name, &table_name, &key);
    if (rc == 0 && !take(parser, '=')) {
        rc = wrong(parser, "'=' is missing behind the key");
    }
    if (rc == 0) {
        rc = count_pair(parser);
    }
    if (rc < 0) {
        return rc;
    }
    struct mf_toml_table *table = parser->table;
    if (strcmp(table_name, table->name) != 0) { /* a dotted key */
        table = find_table(parser->document, table_name);
        if (table == NULL) {
            rc = add_table(parser, table_name, place, false);
            table = parser->table;
            parser->table = &parser->document->tables[table_index];
        }
    }
    for (size_t i = 0; rc == 0 && i < table->pair_count; i++) {
        if (strcmp(table->pairs[i].key, key) == 0) {
            rc = mf_toml_fail(&parser->document->head, place, parser->err,
                              "'%.60s' is there already, in line %u", key,
                              table->pairs[i].place.line);
        }
    }
    struct mf_toml_pair *pair = rc == 0 ? add_pair(table) : NULL;
    if (pair == NULL) {
        return rc < 0 ? rc : no_memory(parser);
    }
    pair->key = key;
    pair->place = place;
    skip_blanks(parser);
    rc = peek(parser) == '[' ? read_array(parser, &pair->value) : read_scalar(parser, &pair->value);
    return rc < 0 ? rc : finish_line(parser);
}

static int read_document(struct parser *parser)
{
    int rc = add_table(parser, "", (struct mf_toml_place){1, 1}, false);
    while (rc == 0 && !at_end(parser)) {
        skip_blanks(parser);
        if (peek(parser) == '[') {
            rc = read_header(parser);
        } else if (at_end(parser) || peek(parser) == '#' || peek(parser) == '\n' ||
                   peek(parser) == '\r') {
            rc = finish_line(parser);
        } else {
            rc = read_pair(parser);
        }
    }
    return rc;
}

static int check_utf8(struct parser *parser)
{
    int rc = 0;
    for (const char *p = parser->at; p < parser->end && rc == 0;) {
        size_t len = 1;
        if (mf_utf8_get(p, (size_t)(parser->end - p), &len) == MF_UTF8_INVALID) {
            parser->at = p;
            rc = wrong(parser, "a byte that is not UTF-8");
        }
        if (*p == '\n') {
            parser->line++;
            parser->line_begin = p + 1;
        }
        p += len;
    }
    return rc;
}

int mf_toml_parse(const char *text, size_t len, const char *origin, struct mf_toml **ret_toml,
                  struct mf_errinfo *err)
{
    if (len > MF_TOML_LEN_MAX) {
        return mf_fail(err, MF_ELIMIT, "%.200s has %zu bytes; at most %u are read", origin, len,
                       MF_TOML_LEN_MAX);
    }
    struct document *document = mf_calloc(1, sizeof *document);
    if (document == NULL || (document->origin = mf_strdup(origin)) == NULL) {
        mf_free(document);
        return mf_fail_os(err, -ENOMEM, "cannot read %.200s", origin);
    }
    document->head.origin = document->origin;
    struct parser parser = {
        .at = text,
        .end = text + len,
        .line_begin = text,
        .line = 1,
        .document = document,
        .err = err,
    };
    int rc = check_utf8(&parser);
    parser.at = parser.line_begin = text;
    parser.line = 1;
    rc = rc < 0 ? rc : read_document(&parser);
    if (rc < 0) {
        mf_toml_free(&document->head);
        return rc;
    }
    *ret_toml = &document->head;
    return 0;
}

void mf_toml_free(struct mf_toml *toml)
{
    if (toml == NULL) {
        return;
    }
    struct document *document = (struct document *)toml;
    for (size_t i = 0; i < toml->table_count; i++) {
        const struct mf_toml_table *table = &toml->tables[i];
        for (size_t k = 0; k < table->pair_count; k++) {
            mf_free((void *)(uintptr_t)table->pairs[k].value.items);
        }
        mf_free((void *)(uintptr_t)table->pairs);
    }
    for (size_t i = 0; i < document->string_count; i++) {
        mf_free(document->strings[i]);
    }
    mf_free(document->strings);
    mf_free(document->tables);
    mf_free(document->origin);
    mf_free(document);
}
