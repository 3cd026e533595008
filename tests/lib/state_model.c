/* SPDX-License-Identifier: Apache-2.0
 * state_model.c -- see state_model.h. */
#include "state_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VALUE_LEN_MAX 14000 /* some commits fill a log file */

char model_violation[500];

int model_violated(const char *format, ...)
{
    if (model_violation[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(model_violation, sizeof model_violation, format, arguments);
        va_end(arguments);
    }
    return -1;
}

bool model_holds(const struct model *model, uint32_t newer, uint32_t older)
{
    while (newer > older) {
        newer = model->commits[newer].parent;
    }
    return newer == older;
}

void model_settle(struct model *model, uint32_t found)
{
    uint32_t kept = found;
    for (uint32_t id = model->count; id > 0; id--) {
        if (id == kept) {
            kept = model->commits[id].parent;
        } else {
            model->commits[id].status = MODEL_GONE;
        }
    }
    model->current = model->kept = model->durable = found;
}

/* A value is known by its number: the number, then bytes that follow from it. */
static size_t value_of(uint32_t number, uint8_t *bytes)
{
    struct mf_rng rng;
    mf_rng_seed(&rng, number);
    uint64_t shape = mf_rng_below(&rng, 24);
    size_t len = shape == 0  ? (size_t)mf_rng_below(&rng, VALUE_LEN_MAX - 4)
                 : shape < 4 ? 700
                             : (size_t)mf_rng_below(&rng, 60);
    memcpy(bytes, &number, 4);
    for (size_t i = 0; i < len; i++) {
        bytes[4 + i] = (uint8_t)(number * 7 + i * 31);
    }
    return 4 + len;
}

static struct mf_state_bytes key_of(unsigned index, char *text)
{
    text[0] = 'k';
    text[1] = (char)('0' + index);
    return (struct mf_state_bytes){text, 2};
}

static int stage(struct mf_state_tx *tx, struct mf_rng *rng, struct model_commit *commit,
                 uint32_t id)
{
    static uint8_t bytes[VALUE_LEN_MAX];
    char key[2];
    int code = 0;
    uint64_t changes = mf_rng_below(rng, 4);
    for (uint64_t i = 0; i < changes && code == 0; i++) {
        unsigned index = (unsigned)mf_rng_below(rng, MODEL_KEYS);
        if (mf_rng_below(rng, 4) == 0) {
            code = mf_state_delete(tx, key_of(index, key), NULL);
            commit->values[index] = 0;
        } else {
            uint32_t number = id * 4 + (uint32_t)i + 1;
            struct mf_state_bytes value = {bytes, value_of(number, bytes)};
            code = mf_state_put(tx, key_of(index, key), value, NULL);
            commit->values[index] = number;
        }
    }
    struct mf_state_bytes number = {&id, sizeof id};
    return code == 0 ? mf_state_put(tx, MF_STATE_TEXT("id"), number, NULL) : code;
}

void model_commit(struct model *model, struct mf_state *state, struct mf_rng *rng, int *ret_code)
{
    struct mf_state_tx *tx = NULL;
    struct mf_errinfo err;
    *ret_code = mf_state_begin(state, &tx, &err);
    if (*ret_code != 0 || model->count + 1 == MODEL_COMMITS) {
        mf_state_abort(tx);
        return;
    }
    uint32_t id = ++model->count;
    struct model_commit *commit = &model->commits[id];
    *commit = model->commits[model->current];
    commit->parent = model->current;
    commit->status = MODEL_PENDING;
    int staged = stage(tx, rng, commit, id);
    bool conflict = mf_rng_below(rng, 16) == 0;
    if (conflict) {
        staged = staged == 0 ? mf_state_expect_absent(tx, MF_STATE_TEXT("none"), NULL) : staged;
        staged = staged == 0 ? mf_state_expect(tx, MF_STATE_TEXT("id"), MF_STATE_TEXT("no"), NULL)
                             : staged;
    }
    if (staged != 0) {
        (void)model_violated("a change was refused: %d", staged);
    }
    struct mf_state_result result;
    *ret_code = mf_state_commit(tx, &result, &err);
    if ((*ret_code == 0) != (result.outcome == MF_STATE_COMMITTED)) {
        (void)model_violated("commit returned %d with outcome %d", *ret_code, (int)result.outcome);
    }
    if (conflict && *ret_code == 0) {
        (void)model_violated("commit %u was made against its condition", id);
    }
    if (result.outcome == MF_STATE_COMMITTED) {
        commit->status = MODEL_COMMITTED;
        commit->seq = result.seq;
        memcpy(commit->root, result.root, sizeof commit->root);
        model->current = model->kept = id;
    } else if (result.outcome == MF_STATE_ABORTED) {
        commit->status = MODEL_GONE;
    }
}

void model_durable(struct model *model, struct mf_state *state)
{
    struct mf_state_info info;
    mf_state_info(state, &info);
    uint32_t id = model->current;
    while (id > model->durable && model->commits[id].seq > info.durable_seq) {
        id = model->commits[id].parent;
    }
    model->durable = id > model->durable ? id : model->durable;
}

static int check_key(const struct model *model, uint32_t id, struct mf_state_bytes key,
                     struct mf_state_bytes value)
{
    static uint8_t expected[VALUE_LEN_MAX];
    const char *text = key.bytes;
    unsigned index = key.len == 2 && text[0] == 'k' ? (unsigned)(text[1] - '0') : MODEL_KEYS;
    if (index >= MODEL_KEYS) {
        return model_violated("commit %u: a key that was never put", id);
    }
    uint32_t number = model->commits[id].values[index];
    if (number == 0) {
        return model_violated("commit %u: k%u is there", id, index);
    }
    size_t len = value_of(number, expected);
    return value.len == len && memcmp(value.bytes, expected, len) == 0
               ? 0
               : model_violated("commit %u: k%u has another value", id, index);
}

static int check_state(const struct model *model, uint32_t id, struct mf_state_tx *tx)
{
    struct mf_state_cursor *cursor = NULL;
    struct mf_state_bytes key;
    struct mf_state_bytes value;
    int code = mf_state_scan(tx, MF_STATE_NONE, MF_STATE_NONE, &cursor, NULL);
    unsigned found = 0;
    while (code == 0 && (code = mf_state_next(cursor, &key, &value, NULL)) == 1) {
        bool is_id = key.len == 2 && memcmp(key.bytes, "id", 2) == 0;
        found += is_id ? 0 : 1;
        code = is_id ? 0 : check_key(model, id, key, value);
    }
    mf_state_cursor_close(cursor);
    unsigned expected = 0;
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        expected += model->commits[id].values[i] != 0;
    }
    return code == 0 && found != expected
               ? model_violated("commit %u has %u of %u keys", id, found, expected)
               : code;
}

int64_t model_find(const struct model *model, struct mf_state *state)
{
    struct mf_state_tx *tx = NULL;
    struct mf_state_bytes value;
    if (mf_state_snapshot(state, &tx, NULL) != 0) {
        return model_violated("no snapshot");
    }
    uint8_t root[MF_STATE_HASH_LEN];
    (void)mf_state_tx_seq(tx, root);
    uint32_t id = 0;
    int code = mf_state_get(tx, MF_STATE_TEXT("id"), &value, NULL);
    if (code == 1 && value.len == sizeof id) {
        memcpy(&id, value.bytes, sizeof id);
        code = 0;
    }
    if (code != 0 || id > model->count || (id != 0 && model->commits[id].status == MODEL_GONE)) {
        code = model_violated("commit %u of %u must not be there (%d)", id, model->count, code);
    }
    code = code == 0 ? check_state(model, id, tx) : code;
    if (code == 0 && id != 0 && model->commits[id].status == MODEL_COMMITTED &&
        memcmp(root, model->commits[id].root, sizeof root) != 0) {
        code = model_violated("commit %u has another root than was acknowledged", id);
    }
    mf_state_abort(tx);
    return code == 0 ? (int64_t)id : -1;
}

struct log_walk {
    uint64_t next;
    uint8_t root[MF_STATE_HASH_LEN];
};

static int walk(void *context, const struct mf_state_commit_info *info)
{
    struct log_walk *log = context;
    if (info->seq != log->next) {
        return model_violated("the log of commits has %llu where %llu belongs",
                              (unsigned long long)info->seq, (unsigned long long)log->next);
    }
    log->next++;
    memcpy(log->root, info->root, sizeof log->root);
    return 0;
}

bool model_log_is_whole(struct mf_state *state)
{
    struct log_walk log = {.next = 1};
    struct mf_errinfo err = {0};
    struct mf_state_info info;
    mf_state_info(state, &info);
    int code = info.seq > 0 ? mf_state_log(state, 1, UINT64_MAX, walk, &log, &err) : 0;
    if (code != 0) {
        return model_violated("the log of commits: %s", err.msg) == 0;
    }
    if (info.seq > 0 &&
        (log.next != info.seq + 1 || memcmp(log.root, info.root, sizeof log.root) != 0)) {
        return model_violated("the log of commits ends with %llu, the state is %llu",
                              (unsigned long long)log.next - 1, (unsigned long long)info.seq) == 0;
    }
    return true;
}

bool model_knows_values(struct mf_state *state)
{
    static uint8_t expected[VALUE_LEN_MAX];
    struct mf_state_tx *tx = NULL;
    struct mf_state_cursor *cursor = NULL;
    struct mf_state_bytes key;
    struct mf_state_bytes value;
    int code = mf_state_snapshot(state, &tx, NULL);
    code = code == 0 ? mf_state_scan(tx, MF_STATE_NONE, MF_STATE_NONE, &cursor, NULL) : code;
    while (code == 0 && (code = mf_state_next(cursor, &key, &value, NULL)) == 1) {
        uint32_t number = 0;
        memcpy(&number, value.bytes, value.len < sizeof number ? value.len : sizeof number);
        bool is_id = key.len == 2 && memcmp(key.bytes, "id", 2) == 0 && value.len == sizeof number;
        bool known =
            is_id || (number / 4 <= MODEL_COMMITS && value.len == value_of(number, expected) &&
                      memcmp(value.bytes, expected, value.len) == 0);
        code = known ? 0 : model_violated("salvage made up a value of %zu bytes", value.len);
    }
    mf_state_cursor_close(cursor);
    mf_state_abort(tx);
    return code == 0;
}
