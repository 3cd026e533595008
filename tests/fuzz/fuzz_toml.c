/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as TOML: an error with a place in it, or a document that is whole. And as settings of
 * the laboratory. */
#include "config_file.h"
#include "fmt/toml.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_value(const struct mf_toml_value *value, bool in_array)
{
    if (value->place.line == 0 || value->place.column == 0) {
        abort();
    }
    if (value->type == MF_TOML_ARRAY) {
        if (in_array) {
            abort();
        }
        for (size_t i = 0; i < value->item_count; i++) {
            check_value(&value->items[i], true);
        }
    } else if (value->text == NULL || !isfinite(value->number)) {
        abort();
    }
}

static void check_document(const struct mf_toml *toml)
{
    for (size_t i = 0; i < toml->table_count; i++) {
        const struct mf_toml_table *table = &toml->tables[i];
        for (size_t k = 0; k < table->pair_count; k++) {
            if (strlen(table->name) + strlen(table->pairs[k].key) > 1u << 20) {
                abort();
            }
            check_value(&table->pairs[k].value, false);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct mf_toml *toml = NULL;
    struct mf_errinfo err = {0};
    if (mf_toml_parse((const char *)data, len, "fuzz", &toml, &err) == 0) {
        check_document(toml);
        mf_toml_free(toml);
    } else if (toml != NULL || strncmp(err.msg, "fuzz", 4) != 0) {
        abort();
    }
    struct bench_config config = {0};
    err.msg[0] = '\0';
    if (mf__config_load_text(&config, (const char *)data, len, "fuzz", &err) < 0 &&
        strncmp(err.msg, "fuzz", 4) != 0) {
        abort();
    }
    mf__config_free(&config);
    return 0;
}
