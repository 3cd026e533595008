/* SPDX-License-Identifier: Apache-2.0
 * selector.c -- see selector.h. */
#include "selector.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define MATCHERS_MAX       32
#define REGEX_BYTES_MAX    256
#define REGEX_SIZE_MAX     1000 /* characters, when all repetitions are built out */
#define REGEX_NESTED_MAX   2    /* repetitions of repetitions */
#define REGEX_DEPTH_MAX    32
#define SELECTOR_BYTES_MAX 8192
#define WORD_CHARACTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

enum match_kind { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };

struct matcher {
    enum match_kind kind;
    const char *name;
    const char *value;
    bool compiled;
    regex_t regex;
};

struct mf__selector {
    size_t matcher_count;
    char *strings; /* holds names and values */
    struct matcher matchers[MATCHERS_MAX];
};

struct cursor {
    const char *text;
    const char *at;
    char *out; /* next free byte of selector->strings */
    struct mf_errinfo *err;
};

static int syntax_error(const struct cursor *cursor, const char *expected)
{
    return mf_fail(cursor->err, MF_ESYNTAX, "selector `%.160s`, character %zu: expected %s",
                   cursor->text, (size_t)(cursor->at - cursor->text) + 1, expected);
}

static void skip_space(struct cursor *cursor)
{
    cursor->at += strspn(cursor->at, " \t\r\n");
}

static size_t identifier_length(const char *p)
{
    return strspn(p, WORD_CHARACTERS ":");
}

static const char *keep(struct cursor *cursor, const char *from, size_t len)
{
    char *kept = cursor->out;
    memcpy(kept, from, len);
    kept[len] = '\0';
    cursor->out += len + 1;
    return kept;
}

/* Behind a bracket expression that begins at p. */
static const char *skip_brackets(const char *p)
{
    p++;
    p += *p == '^' ? 1 : 0;
    p += *p == ']' ? 1 : 0;
    while (*p != '\0' && *p != ']') {
        if (*p == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
            const char end[] = {p[1], ']', '\0'};
            const char *close = strstr(p + 2, end);
            p = close != NULL ? close + 1 : p;
        }
        p++;
    }
    return *p == ']' ? p + 1 : p;
}

/* How often the repetition at *at makes glibc copy what it repeats; moves *at behind it. */
static uint64_t repetition(const char **at)
{
    const char *p = *at + 1;
    uint64_t times = **at == '?' ? 1 : 2;
    if (**at == '{') {
        char *end;
        const unsigned long low = strtoul(p, &end, 10);
        const unsigned long high = *end == ',' ? strtoul(end + 1, &end, 10) : 0;
        times = low > high ? low : high;
        times = times < REGEX_SIZE_MAX ? times + 1 : REGEX_SIZE_MAX + 1;
        p = end + (*end == '}' ? 1 : 0);
    }
    *at = p;
    return times;
}

/* What must be changed before glibc gets to see a pattern, or NULL. Its compiler builds repetitions
 * out, so that nested ones take gigabytes, or hours (`(((((a+)*+)*+)*+)*+)*`), and its matcher
 * takes exponential time for back-references. A group that ends too often would end the anchored
 * one. */
static const char *regex_fault(const char *pattern)
{
    static const char *const too_large =
        "a simpler regular expression (at most 256 bytes, repetitions "
        "nested once and of at most 1000 characters in all)";
    uint64_t sizes[REGEX_DEPTH_MAX + 1] = {0}; /* of the groups that are open */
    unsigned nested[REGEX_DEPTH_MAX + 1] = {0};
    unsigned depth = 0;
    uint64_t last = 0; /* size of what a repetition would repeat, and repetitions in it */
    unsigned last_nested = 0;
    if (strlen(pattern) > REGEX_BYTES_MAX) {
        return too_large;
    }
    for (const char *p = pattern; *p != '\0';) {
        if (strchr("*+?{", *p) != NULL) {
            const uint64_t times = repetition(&p);
            last_nested++;
            if (times > REGEX_SIZE_MAX || last_nested > REGEX_NESTED_MAX) {
                return too_large;
            }
            sizes[depth] += last * (times - 1);
            last *= times;
            nested[depth] = last_nested > nested[depth] ? last_nested : nested[depth];
        } else if (*p == '(') {
            if (depth == REGEX_DEPTH_MAX) {
                return too_large;
            }
            sizes[++depth] = 1;
            nested[depth] = 0;
            last = last_nested = 0;
            p++;
        } else if (*p == ')') {
            if (depth == 0) {
                return "( before ) in the regular expression";
            }
            last = sizes[depth];
            last_nested = nested[depth--];
            sizes[depth] += last;
            nested[depth] = last_nested > nested[depth] ? last_nested : nested[depth];
            p++;
        } else {
            if (*p == '\\' && p[1] >= '1' && p[1] <= '9') {
                return "a regular expression without back-references";
            }
            last = 1;
            last_nested = 0;
            sizes[depth]++;
            p = *p == '[' ? skip_brackets(p) : p + (*p == '\\' && p[1] != '\0' ? 2 : 1);
        }
        if (sizes[depth] > REGEX_SIZE_MAX) {
            return too_large;
        }
    }
    return depth > 0 ? ") after ( in the regular expression" : NULL;
}

/* The value of the matcher began at `value_at` in the text. */
static int compile(struct cursor *cursor, struct matcher *matcher, const char *value_at)
{
    const char *fault = regex_fault(matcher->value);
    if (fault != NULL) {
        cursor->at = value_at;
        return syntax_error(cursor, fault);
    }
    char anchored[REGEX_BYTES_MAX + 8];
    const size_t len = strlen(matcher->value);
    memcpy(anchored, "^(", 2);
    memcpy(anchored + 2, matcher->value, len);
    memcpy(anchored + 2 + len, ")$", 3);
    int rc = regcomp(&matcher->regex, anchored, REG_EXTENDED | REG_NOSUB);
    if (rc == REG_ESPACE) {
        return mf_fail_os(cursor->err, -ENOMEM, "selector `%.160s`", cursor->text);
    }
    if (rc != 0) {
        char reason[80];
        regerror(rc, &matcher->regex, reason, sizeof reason);
        return mf_fail(cursor->err, MF_ESYNTAX,
                       "selector `%.160s`, character %zu: regular expression: "
                       "%s",
                       cursor->text, (size_t)(value_at - cursor->text) + 1, reason);
    }
    matcher->compiled = true;
    return 0;
}

static int parse_operator(struct cursor *cursor, enum match_kind *ret_kind)
{
    static const struct {
        const char *text;
        enum match_kind kind;
    } operators[] = {
        {"=~", MATCH_REGEX}, {"!~", MATCH_NOT_REGEX}, {"!=", MATCH_NOT_EQUAL}, {"=", MATCH_EQUAL}};
    for (size_t i = 0; i < MF_ARRAY_LEN(operators); i++) {
        const size_t len = strlen(operators[i].text);
        if (strncmp(cursor->at, operators[i].text, len) == 0) {
            cursor->at += len;
            *ret_kind = operators[i].kind;
            return 0;
        }
    }
    return syntax_error(cursor, "one of = != =~ !~");
}

static int parse_value(struct cursor *cursor, const char **ret_value)
{
    if (*cursor->at != '"') {
        return syntax_error(cursor, "a value in double quotes");
    }
    cursor->at++;
    *ret_value = cursor->out;
    for (; *cursor->at != '"'; cursor->at++) {
        char c = *cursor->at;
        if (c == '\0') {
            return syntax_error(cursor, "a closing quote");
        }
        if (c == '\\') {
            cursor->at++;
            switch (*cursor->at) {
            case 'n':
                c = '\n';
                break;
            case '\\':
            case '"':
                c = *cursor->at;
                break;
            default: /* left in place for regular expressions: "\." */
                *cursor->out++ = '\\';
                c = *cursor->at;
                if (c == '\0') {
                    return syntax_error(cursor, "a character after \\");
                }
                break;
            }
        }
        *cursor->out++ = c;
    }
    *cursor->out++ = '\0';
    cursor->at++;
    return 0;
}

static int parse_matcher(struct cursor *cursor, struct matcher *matcher)
{
    skip_space(cursor);
    const size_t len = strcspn(cursor->at, " \t\r\n=!~,{}\"");
    if (!mf__label_name_valid(cursor->at, len) && (len < 2 || memcmp(cursor->at, "__", 2) != 0 ||
                                                   strspn(cursor->at, WORD_CHARACTERS) != len)) {
        return syntax_error(cursor, "a label name");
    }
    matcher->name = keep(cursor, cursor->at, len);
    cursor->at += len;
    skip_space(cursor);
    const char *value_at = cursor->at;
    int rc = parse_operator(cursor, &matcher->kind);
    if (rc == 0) {
        skip_space(cursor);
        value_at = cursor->at;
        rc = parse_value(cursor, &matcher->value);
    }
    if (rc == 0 && (matcher->kind == MATCH_REGEX || matcher->kind == MATCH_NOT_REGEX)) {
        rc = compile(cursor, matcher, value_at);
    }
    return rc;
}

static int parse_braces(struct cursor *cursor, struct mf__selector *selector)
{
    cursor->at++;
    skip_space(cursor);
    while (*cursor->at != '}') {
        if (selector->matcher_count == MATCHERS_MAX) {
            return syntax_error(cursor, "} (32 matchers are possible)");
        }
        int rc = parse_matcher(cursor, &selector->matchers[selector->matcher_count]);
        selector->matcher_count++; /* counted even when bad, so that its regex is freed */
        if (rc < 0) {
            return rc;
        }
        skip_space(cursor);
        if (*cursor->at == ',') {
            cursor->at++;
            skip_space(cursor);
        } else if (*cursor->at != '}') {
            return syntax_error(cursor, ", or }");
        }
    }
    cursor->at++;
    return 0;
}

int mf__selector_parse(const char *text, struct mf__selector **ret_selector, struct mf_errinfo *err)
{
    text = text != NULL ? text : "";
    const size_t text_len = strnlen(text, SELECTOR_BYTES_MAX);
    if (text_len == SELECTOR_BYTES_MAX) {
        return mf_fail(err, MF_ESYNTAX, "the selector is longer than %d bytes", SELECTOR_BYTES_MAX);
    }
    struct mf__selector *selector = mf_calloc(1, sizeof *selector);
    /* A name and a value are each followed by a character that is not copied; "__name__" is extra.
     */
    char *strings = mf_malloc(text_len + 16);
    if (selector == NULL || strings == NULL) {
        mf_free(selector);
        mf_free(strings);
        return mf_fail_os(err, -ENOMEM, "selector `%.160s`", text);
    }
    selector->strings = strings;
    struct cursor cursor = {text, text, strings, err};
    skip_space(&cursor);
    const size_t name_len = identifier_length(cursor.at);
    int rc = 0;
    if (name_len > 0) {
        if (!mf__metric_name_valid(cursor.at, name_len)) {
            rc = syntax_error(&cursor, "a series name");
        }
        selector->matchers[0] = (struct matcher){.kind = MATCH_EQUAL, .name = "__name__"};
        selector->matchers[0].value = keep(&cursor, cursor.at, name_len);
        selector->matcher_count = 1;
        cursor.at += name_len;
        skip_space(&cursor);
    }
    if (rc == 0 && *cursor.at == '{') {
        rc = parse_braces(&cursor, selector);
        skip_space(&cursor);
    }
    if (rc == 0 && *cursor.at != '\0') {
        rc = syntax_error(&cursor, name_len > 0 ? "{ or the end" : "a series name or {");
    }
    if (rc < 0) {
        mf__selector_free(selector);
        return rc;
    }
    *ret_selector = selector;
    return 0;
}

void mf__selector_free(struct mf__selector *selector)
{
    if (selector == NULL) {
        return;
    }
    for (size_t i = 0; i < selector->matcher_count; i++) {
        if (selector->matchers[i].compiled) {
            regfree(&selector->matchers[i].regex);
        }
    }
    mf_free(selector->strings);
    mf_free(selector);
}

bool mf__selector_matches(const struct mf__selector *selector, const struct mf__labels *labels)
{
    for (size_t i = 0; i < selector->matcher_count; i++) {
        const struct matcher *matcher = &selector->matchers[i];
        const char *value = mf__labels_value(labels, matcher->name);
        bool equal;
        if (matcher->compiled) {
            equal = regexec(&matcher->regex, value, 0, NULL, 0) == 0;
        } else {
            equal = strcmp(value, matcher->value) == 0;
        }
        const bool negated = matcher->kind == MATCH_NOT_EQUAL || matcher->kind == MATCH_NOT_REGEX;
        if (equal == negated) {
            return false;
        }
    }
    return true;
}
