/* SPDX-License-Identifier: Apache-2.0
 * json_scan.c -- see json_scan.h. check() is the only place that meets text that may be wrong;
 * everything after it walks over text that is known to be right. */
#include "fmt/json_scan.h"

#include "base/check.h"
#include "base/heap.h"
#include "fmt/number.h"
#include "fmt/utf8.h"

#include <mayfly/error.h>
#include <string.h>

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
    while (at < len &&
           (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r')) {
        at++;
    }
    return at;
}

/* ---- checking ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits of a \u at text[at..]; -1 when there are none. */
static int32_t hex_unit(const char *text, size_t len, size_t at)
{
    int32_t unit = 0;
    if (len - at < 4) {
        return -1;
    }
    for (size_t i = 0; i < 4; i++) {
        const int digit = hex_digit(text[at + i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

/* The code point of a \u escape whose digits begin at text[at], and how many bytes they take (the
 * second half of a pair included); -1 when it is none: U+0000 and halves without the other are
 * refused. */
static int32_t escaped_code_point(const char *text, size_t len, size_t at, size_t *ret_len)
{
    const int32_t first = hex_unit(text, len, at);
    *ret_len = 4;
    if (first <= 0 || (first >= 0xdc00 && first <= 0xdfff)) {
        return -1;
    }
    if (first < 0xd800 || first > 0xdbff) {
        return first;
    }
    if (len - at < 10 || text[at + 4] != '\\' || text[at + 5] != 'u') {
        return -1;
    }
    const int32_t second = hex_unit(text, len, at + 6);
    *ret_len = 10;
    return second >= 0xdc00 && second <= 0xdfff
               ? 0x10000 + (first - 0xd800) * 0x400 + (second - 0xdc00)
               : -1;
}

/* Behind the closing quote of the string whose content begins at `at`; 0 when it is wrong, and *at
 * is where. */
static size_t check_string(const char *text, size_t len, size_t *at)
{
    size_t i = *at;
    while (i < len) {
        const unsigned char c = (unsigned char)text[i];
        size_t used = 1;
        if (c == '"') {
            return i + 1;
        }
        if (c == '\\') {
            used = 2;
            if (i + 1 >= len || strchr("\"\\/bfnrtu", text[i + 1]) == NULL || text[i + 1] == '\0') {
                break;
            }
            if (text[i + 1] == 'u') {
                if (escaped_code_point(text, len, i + 2, &used) < 0) {
                    break;
                }
                used += 2;
            }
        } else if (c < 0x20) {
            break;
        } else if (c >= 0x80 && mf_utf8_get(text + i, len - i, &used) == MF_UTF8_INVALID) {
            break;
        }
        i += used;
    }
    *at = i;
    return 0;
}

static size_t skip_digits(const char *text, size_t len, size_t at)
{
    while (at < len && text[at] >= '0' && text[at] <= '9') {
        at++;
    }
    return at;
}

/* Behind the number at `at`; 0 when it is none. */
static size_t check_number(const char *text, size_t len, size_t at)
{
    at += at < len && text[at] == '-';
    size_t end = skip_digits(text, len, at);
    if (end == at || (text[at] == '0' && end > at + 1)) {
        return 0;
    }
    if (end < len && text[end] == '.') {
        at = end + 1;
        end = skip_digits(text, len, at);
        if (end == at) {
            return 0;
        }
    }
    if (end < len && (text[end] == 'e' || text[end] == 'E')) {
        at = end + 1;
        at += at < len && (text[at] == '+' || text[at] == '-');
        end = skip_digits(text, len, at);
        if (end == at) {
            return 0;
        }
    }
    return end;
}

static size_t check_word(const char *text, size_t len, size_t at)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        const size_t word_len = strlen(words[i]);
        if (len - at >= word_len && memcmp(text + at, words[i], word_len) == 0) {
            return at + word_len;
        }
    }
    return 0;
}

/* What may come next. */
enum expect { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COMMA_OR_END };

struct checker {
    const char *text;
    size_t len;
    size_t at;
    unsigned depth;
    uint64_t objects; /* bit d: the container at depth d is an object */
    enum expect expect;
};

static bool in_object(const struct checker *checker)
{
    return (checker->objects >> (checker->depth - 1) & 1) != 0;
}

static bool check_key(struct checker *checker)
{
    size_t at = checker->at + 1;
    const size_t end = check_string(checker->text, checker->len, &at);
    if (end == 0) {
        checker->at = at;
        return false;
    }
    checker->at = skip_blanks(checker->text, checker->len, end);
    if (checker->at >= checker->len || checker->text[checker->at] != ':') {
        return false;
    }
    checker->at++;
    checker->expect = VALUE;
    return true;
}

static bool open_container(struct checker *checker, bool is_object)
{
    if (checker->depth == MF_SCAN_DEPTH_MAX) {
        return false;
    }
    const uint64_t bit = UINT64_C(1) << checker->depth;
    checker->objects = is_object ? checker->objects | bit : checker->objects & ~bit;
    checker->depth++;
    checker->at++;
    checker->expect = is_object ? KEY_OR_END : VALUE_OR_END;
    return true;
}

/* A value that is no container. */
static bool check_scalar(struct checker *checker)
{
    const char c = checker->text[checker->at];
    size_t at = checker->at;
    size_t end = 0;
    if (c == '"') {
        at++;
        end = check_string(checker->text, checker->len, &at);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        end = check_number(checker->text, checker->len, at);
    } else {
        end = check_word(checker->text, checker->len, at);
    }
    checker->at = end != 0 ? end : at;
    checker->expect = COMMA_OR_END;
    return end != 0;
}

/* The next token; false when it is not one that may stand there. */
static bool step(struct checker *checker)
{
    const char c = checker->text[checker->at];
    const enum expect expect = checker->expect;
    if (expect == COMMA_OR_END && c == ',') {
        checker->at++;
        checker->expect = in_object(checker) ? KEY : VALUE;
        return true;
    }
    if ((c == ']' || c == '}') &&
        (expect == COMMA_OR_END || expect == VALUE_OR_END || expect == KEY_OR_END)) {
        if (in_object(checker) != (c == '}')) {
            return false;
        }
        checker->depth--;
        checker->at++;
        checker->expect = COMMA_OR_END;
        return true;
    }
    if (expect == KEY || expect == KEY_OR_END) {
        return c == '"' && check_key(checker);
    }
    if (expect == COMMA_OR_END) {
        return false;
    }
    return c == '{' || c == '[' ? open_container(checker, c == '{') : check_scalar(checker);
}

/* The value that begins at `at` and ends before `end`. */
static struct mf_scan_value value_at(const char *text, size_t at, size_t end)
{
    switch (text[at]) {
    case '"':
        return (struct mf_scan_value){MF_SCAN_STRING, text + at + 1, end - at - 2};
    case '{':
        return (struct mf_scan_value){MF_SCAN_OBJECT, text + at, end - at};
    case '[':
        return (struct mf_scan_value){MF_SCAN_ARRAY, text + at, end - at};
    case 't':
    case 'f':
        return (struct mf_scan_value){MF_SCAN_BOOL, text + at, end - at};
    case 'n':
        return (struct mf_scan_value){MF_SCAN_NULL, text + at, end - at};
    default:
        return (struct mf_scan_value){MF_SCAN_NUMBER, text + at, end - at};
    }
}

int mf_scan(const char *text, size_t len, struct mf_scan_value *ret_value, size_t *ret_offset)
{
    struct checker checker = {.text = text, .len = len, .expect = VALUE};
    checker.at = skip_blanks(text, len, 0);
    const size_t begin = checker.at;
    bool right = begin < len;
    while (right) {
        right = step(&checker);
        if (checker.depth == 0) {
            break;
        }
        checker.at = right ? skip_blanks(text, len, checker.at) : checker.at;
        right = right && checker.at < len;
    }
    const size_t end = checker.at;
    const size_t rest = right ? skip_blanks(text, len, end) : end;
    if (!right || rest < len) {
        if (ret_offset != NULL) {
            *ret_offset = rest;
        }
        return MF_ESYNTAX;
    }
    *ret_value = value_at(text, begin, end);
    return 0;
}

/* ---- walking over what was checked ---- */

/* Behind the string whose opening quote is at `at`. */
static size_t string_end(const char *text, size_t at)
{
    for (at++; text[at] != '"'; at++) {
        at += text[at] == '\\';
    }
    return at + 1;
}

/* Behind the value at `at`, which lies within a container and so is followed by something. */
static size_t value_end(const char *text, size_t at)
{
    if (text[at] == '"') {
        return string_end(text, at);
    }
    if (text[at] != '{' && text[at] != '[') {
        return at + strcspn(text + at, ",]} \n\t\r");
    }
    static const signed char steps[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1, ['"'] = 2};
    for (int depth = 0;;) {
        while (steps[(unsigned char)text[at]] == 0) {
            at++;
        }
        if (text[at] == '"') {
            at = string_end(text, at);
            continue;
        }
        depth += steps[(unsigned char)text[at++]];
        if (depth == 0) {
            return at;
        }
    }
}

/* The next item behind *cursor in a container; false at its end. */
static bool next_item(struct mf_scan_value container, size_t *cursor)
{
    size_t at = skip_blanks(container.text, container.len, *cursor == 0 ? 1 : *cursor);
    if (container.text[at] == ',') {
        at = skip_blanks(container.text, container.len, at + 1);
    }
    *cursor = at;
    return at + 1 < container.len;
}

bool mf_scan_next_element(struct mf_scan_value array, size_t *cursor,
                          struct mf_scan_value *ret_element)
{
    if (array.type != MF_SCAN_ARRAY || !next_item(array, cursor)) {
        return false;
    }
    const size_t end = value_end(array.text, *cursor);
    *ret_element = value_at(array.text, *cursor, end);
    *cursor = end;
    return true;
}

bool mf_scan_next_member(struct mf_scan_value object, size_t *cursor,
                         struct mf_scan_member *ret_member)
{
    if (object.type != MF_SCAN_OBJECT || !next_item(object, cursor)) {
        return false;
    }
    const size_t key_end = string_end(object.text, *cursor);
    ret_member->key = value_at(object.text, *cursor, key_end);
    size_t at = skip_blanks(object.text, object.len, key_end) + 1; /* the colon */
    at = skip_blanks(object.text, object.len, at);
    const size_t end = value_end(object.text, at);
    ret_member->value = value_at(object.text, at, end);
    *cursor = end;
    return true;
}

size_t mf_scan_members(struct mf_scan_value object, struct mf_scan_member *members, size_t room)
{
    size_t cursor = 0;
    size_t count = 0;
    while (count < room && mf_scan_next_member(object, &cursor, &members[count])) {
        count++;
    }
    return count;
}

struct mf_scan_value mf_scan_find(const struct mf_scan_member *members, size_t count,
                                  const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (mf_scan_is(members[i].key, key)) {
            return members[i].value;
        }
    }
    return (struct mf_scan_value){0};
}

struct mf_scan_value mf_scan_member(struct mf_scan_value object, const char *key)
{
    struct mf_scan_member member;
    size_t cursor = 0;
    while (mf_scan_next_member(object, &cursor, &member)) {
        if (mf_scan_is(member.key, key)) {
            return member.value;
        }
    }
    return (struct mf_scan_value){0};
}

/* ---- values ---- */

/* Resolves the escapes of a string into out[0..capacity), as far as whole characters fit; returns
 * the bytes written. Never longer than the text: an escape is at least as long as what it stands
 * for. */
static size_t unescape(struct mf_scan_value string, char *out, size_t capacity)
{
    size_t len = 0;
    for (size_t at = 0; at < string.len;) {
        const char *escape = memchr(string.text + at, '\\', string.len - at);
        size_t plain = escape != NULL ? (size_t)(escape - string.text) - at : string.len - at;
        if (plain > capacity - len) {
            plain = capacity - len;
            while (plain > 0 && ((unsigned char)string.text[at + plain] & 0xc0) == 0x80) {
                plain--; /* not into a character */
            }
            memcpy(out + len, string.text + at, plain);
            return len + plain;
        }
        memcpy(out + len, string.text + at, plain);
        len += plain;
        at += plain;
        if (escape == NULL) {
            break;
        }
        static const char letters[] = "\"\\/bfnrt";
        static const char meanings[] = "\"\\/\b\f\n\r\t";
        char character[4] = {0};
        size_t character_len = 1;
        size_t used = 0;
        if (string.text[at + 1] == 'u') {
            const int32_t code_point = escaped_code_point(string.text, string.len, at + 2, &used);
            MF_ASSERT(code_point > 0); /* it was checked */
            character_len = mf_utf8_put(character, (uint32_t)code_point);
        } else {
            character[0] = meanings[strchr(letters, string.text[at + 1]) - letters];
        }
        if (character_len > capacity - len) {
            break;
        }
        memcpy(out + len, character, character_len);
        len += character_len;
        at += 2 + used;
    }
    return len;
}

bool mf_scan_is(struct mf_scan_value value, const char *text)
{
    if (value.type != MF_SCAN_STRING) {
        return false;
    }
    const size_t len = strlen(text);
    if (value.len == len && memcmp(value.text, text, len) == 0) {
        return memchr(text, '\\', len) == NULL;
    }
    if (value.len < len || memchr(value.text, '\\', value.len) == NULL) {
        return false;
    }
    char *copy = mf_scan_copy(value); /* rare: a key with an escape in it */
    const bool same = copy != NULL && strcmp(copy, text) == 0;
    mf_free(copy);
    return same;
}

/* A whole number as text for the parsers of number.h; false when it is none or longer than any. */
static bool number_text(struct mf_scan_value value, char text[MF_NUMBER_LEN])
{
    if (value.type != MF_SCAN_NUMBER || value.len >= MF_NUMBER_LEN) {
        return false;
    }
    memcpy(text, value.text, value.len);
    text[value.len] = '\0';
    return true;
}

bool mf_scan_int(struct mf_scan_value value, int64_t *ret_value)
{
    char text[MF_NUMBER_LEN];
    return number_text(value, text) && mf_parse_int64(text, ret_value, NULL) == 0;
}

bool mf_scan_uint(struct mf_scan_value value, uint64_t *ret_value)
{
    int64_t number = 0;
    if (!mf_scan_int(value, &number) || number < 0) {
        return false;
    }
    *ret_value = (uint64_t)number;
    return true;
}

bool mf_scan_bool(struct mf_scan_value value, bool *ret_value)
{
    if (value.type != MF_SCAN_BOOL) {
        return false;
    }
    *ret_value = value.text[0] == 't';
    return true;
}

char *mf_scan_copy(struct mf_scan_value string)
{
    MF_ASSERT(string.type == MF_SCAN_STRING);
    char *copy = mf_malloc(string.len + 1);
    if (copy != NULL) {
        copy[unescape(string, copy, string.len)] = '\0';
    }
    return copy;
}

bool mf_scan_copy_to(struct mf_scan_value value, char *out, size_t capacity)
{
    if (value.type != MF_SCAN_STRING || capacity == 0) {
        return false;
    }
    out[unescape(value, out, capacity - 1)] = '\0';
    return true;
}
