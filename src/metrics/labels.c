/* SPDX-License-Identifier: Apache-2.0
 * labels.c -- see labels.h. The rules for names are those of the Prometheus data model. */
#include "labels.h"

#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

static bool name_valid(const char *name, size_t len, bool colon)
{
    for (size_t i = 0; i < len; i++) {
        const char c = name[i];
        const bool letter =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return len > 0;
}

bool mf__metric_name_valid(const char *name, size_t len)
{
    return name_valid(name, len, true);
}

bool mf__label_name_valid(const char *name, size_t len)
{
    return name_valid(name, len, false) && !(len >= 2 && name[0] == '_' && name[1] == '_');
}

/* Length of the well-formed sequence at p (Unicode 15, table 3-7), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t len)
{
    const unsigned char c = p[0];
    if (c < 0x80) {
        return 1;
    }
    size_t size = c >= 0xC2 && c <= 0xDF   ? 2
                  : (c & 0xF0) == 0xE0     ? 3
                  : c >= 0xF0 && c <= 0xF4 ? 4
                                           : 0;
    if (size == 0 || size > len) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (c == 0xE0 && p[1] < 0xA0) || (c == 0xF0 && p[1] < 0x90);
    const bool surrogate = c == 0xED && p[1] > 0x9F;
    const bool beyond = c == 0xF4 && p[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : size;
}

bool mf__utf8_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < len;) {
        const size_t size = utf8_sequence(p + i, len - i);
        if (size == 0) {
            return false;
        }
        i += size;
    }
    return true;
}

static int check_labels(const char *name, const struct mf_label *labels, size_t count,
                        struct mf_errinfo *err)
{
    if (name == NULL || !mf__metric_name_valid(name, strlen(name))) {
        return mf_fail(err, MF_EVALUE,
                       "series name \"%.80s\" is not valid: use [a-zA-Z_:][a-zA-Z0-9_:]*",
                       name != NULL ? name : "");
    }
    if (count > MF_METRICS_LABELS_MAX) {
        return mf_fail(err, MF_EVALUE, "series %.80s has %zu labels; %d are possible", name, count,
                       MF_METRICS_LABELS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const char *label = labels[i].name;
        if (label == NULL || !mf__label_name_valid(label, strlen(label))) {
            return mf_fail(err, MF_EVALUE,
                           "series %.80s: label name \"%.80s\" is not valid: use "
                           "[a-zA-Z_][a-zA-Z0-9_]*, not starting with __",
                           name, label != NULL ? label : "");
        }
        const char *value = labels[i].value;
        if (value == NULL || value[0] == '\0' || !mf__utf8_valid(value, strlen(value))) {
            return mf_fail(err, MF_EVALUE,
                           "series %.80s: the value of label %.80s is empty or not UTF-8", name,
                           label);
        }
    }
    return 0;
}

static void append_escaped(struct mf_buffer *text, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            mf_buffer_puts(text, "\\n");
            continue;
        }
        if (*value == '\\' || *value == '"') {
            mf_buffer_putc(text, '\\');
        }
        mf_buffer_putc(text, *value);
    }
}

int mf__labels_format(const char *name, const struct mf_label *labels, size_t label_count,
                      struct mf_buffer *text, struct mf_errinfo *err)
{
    int rc = check_labels(name, labels, label_count, err);
    if (rc < 0) {
        return rc;
    }
    size_t order[MF_METRICS_LABELS_MAX];
    for (size_t i = 0; i < label_count; i++) { /* insertion sort: few labels, mostly in order */
        size_t at = i;
        for (; at > 0 && strcmp(labels[order[at - 1]].name, labels[i].name) > 0; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    mf_buffer_puts(text, name);
    for (size_t i = 0; i < label_count; i++) {
        const struct mf_label *label = &labels[order[i]];
        if (i > 0 && strcmp(labels[order[i - 1]].name, label->name) == 0) {
            return mf_fail(err, MF_EVALUE, "series %.80s: label %.80s is given twice", name,
                           label->name);
        }
        mf_buffer_putc(text, i == 0 ? '{' : ',');
        mf_buffer_puts(text, label->name);
        mf_buffer_puts(text, "=\"");
        append_escaped(text, label->value);
        mf_buffer_putc(text, '"');
    }
    if (label_count > 0) {
        mf_buffer_putc(text, '}');
    }
    return text->failed ? mf_fail_os(err, -ENOMEM, "series %.80s", name) : 0;
}

/* Copies a quoted value from *at (behind the opening quote) to out, moves *at behind the closing
 * quote. Returns the end of the copy, or NULL. */
static char *unescape(const char **at, const char *end, char *out)
{
    const char *p = *at;
    for (; p < end && *p != '"'; p++) {
        char c = *p;
        if (c == '\\') {
            p++;
            if (p == end || (*p != 'n' && *p != '\\' && *p != '"')) {
                return NULL;
            }
            c = *p == 'n' ? '\n' : *p;
        }
        *out++ = c;
    }
    if (p == end) {
        return NULL;
    }
    *at = p + 1;
    *out++ = '\0';
    return out;
}

int mf__labels_parse(const char *text, size_t len, struct mf__labels **ret_labels)
{
    const char *end = text + len;
    const char *brace = memchr(text, '{', len);
    const size_t name_len = brace != NULL ? (size_t)(brace - text) : len;
    if (!mf__metric_name_valid(text, name_len)) {
        return MF_ESYNTAX;
    }
    /* The strings need no more room than the text: each has a quote or '=' in place of its NUL. */
    const size_t array_bytes = MF_METRICS_LABELS_MAX * sizeof(struct mf_label);
    struct mf__labels *labels = mf_malloc(sizeof *labels + array_bytes + len + 2);
    if (labels == NULL) {
        return -ENOMEM;
    }
    char *out = (char *)labels->labels + array_bytes;
    memcpy(out, text, name_len);
    out[name_len] = '\0';
    labels->name = out;
    labels->label_count = 0;
    out += name_len + 1;
    const char *p = text + name_len;
    while (p < end && *p != '}') {
        p++; /* '{' or ',' */
        const char *equals = memchr(p, '=', (size_t)(end - p));
        if (equals == NULL || end - equals < 3 || equals[1] != '"' ||
            labels->label_count == MF_METRICS_LABELS_MAX ||
            !mf__label_name_valid(p, (size_t)(equals - p))) {
            goto bad;
        }
        struct mf_label *label = &labels->labels[labels->label_count++];
        memcpy(out, p, (size_t)(equals - p));
        out[equals - p] = '\0';
        label->name = out;
        out += equals - p + 1;
        label->value = out;
        p = equals + 2;
        out = unescape(&p, end, out);
        if (out == NULL || p == end || (*p != ',' && *p != '}')) {
            goto bad;
        }
    }
    if (brace != NULL && (labels->label_count == 0 || p + 1 != end)) {
        goto bad;
    }
    *ret_labels = labels;
    return 0;
bad:
    mf_free(labels);
    return MF_ESYNTAX;
}

const char *mf__labels_value(const struct mf__labels *labels, const char *name)
{
    if (strcmp(name, "__name__") == 0) {
        return labels->name;
    }
    for (size_t i = 0; i < labels->label_count; i++) {
        if (strcmp(labels->labels[i].name, name) == 0) {
            return labels->labels[i].value;
        }
    }
    return "";
}
