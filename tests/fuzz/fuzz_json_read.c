/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as JSON: an error or a document that can be walked, within the limits. */
#include "fmt/json_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t walk(struct mf_json_node node)
{
    struct mf_errinfo err;
    const char *text;
    int64_t integer;
    uint64_t natural;
    double number;
    bool flag;
    size_t nodes = 1;
    const int accepted = (mf_json_as_string(node, &text, &err) == 0) +
                         (mf_json_as_int(node, &integer, &err) == 0) +
                         (mf_json_as_bool(node, &flag, &err) == 0);
    const enum mf_json_type type = mf_json_type(node);
    if (accepted != (type == MF_JSON_STRING || type == MF_JSON_INT || type == MF_JSON_BOOL)) {
        abort();
    }
    (void)mf_json_as_uint(node, &natural, &err);
    (void)mf_json_as_double(node, &number, &err);
    if (type == MF_JSON_ARRAY) {
        for (size_t i = 0; i < mf_json_len(node); i++) {
            nodes += walk(mf_json_element(node, i));
        }
    } else if (type == MF_JSON_OBJECT) {
        struct mf_json_node member;
        for (void *cursor = NULL; mf_json_next(node, &cursor, &member);) {
            if (mf_json_member(node, member.key).value != member.value) {
                abort();
            }
            nodes += walk(member);
        }
    }
    return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct mf_json_limits limits = {.len_max_bytes = 1 << 16, .depth_max = 20};
    struct mf_json_document *document = NULL;
    struct mf_errinfo err = {0};
    if (mf_json_parse((const char *)data, len, &limits, "fuzz", &document, &err) != 0) {
        if (document != NULL || err.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    if (walk(mf_json_root(document)) > len) {
        abort(); /* more values than bytes */
    }
    mf_json_free(document);
    return 0;
}
