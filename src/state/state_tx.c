/* SPDX-License-Identifier: Apache-2.0
 * state_tx.c -- transactions: reading a version, collecting changes, and what was relied on. */
#include "state_tx.h"
#include "base/fail.h"
#include "base/heap.h"

#include <errno.h>
#include <string.h>

static int begin(struct mf_state *state, bool read_only, struct mf_state_tx **ret_tx,
                 struct mf_errinfo *err)
{
    struct mf_state_tx *tx = mf_calloc(1, sizeof *tx);
    if (tx == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot begin a transaction on %.200s", state->path);
    }
    tx->state = state;
    tx->read_only = read_only;
    tx->seen = mf__state_visible(state);
    tx->view = mf__tree_share(&tx->seen.tree);
    *ret_tx = tx;
    return 0;
}

int mf_state_begin(struct mf_state *state, struct mf_state_tx **ret_tx, struct mf_errinfo *err)
{
    if ((state->flags & MF_STATE_READ_ONLY) != 0) {
        return mf_fail(err, MF_EREADONLY,
                       "%.200s is open for reading only; take a snapshot, or open it for writing",
                       state->path);
    }
    mf_mutex_lock(&state->lock);
    int code = state->poison != 0 ? mf__state_poisoned(state, err) : 0;
    mf_mutex_unlock(&state->lock);
    return code == 0 ? begin(state, false, ret_tx, err) : code;
}

int mf_state_snapshot(struct mf_state *state, struct mf_state_tx **ret_tx, struct mf_errinfo *err)
{
    return begin(state, true, ret_tx, err);
}

void mf_state_abort(struct mf_state_tx *tx)
{
    if (tx == NULL) {
        return;
    }
    for (size_t i = 0; i < tx->range_count; i++) {
        mf_free(tx->ranges[i].from);
    }
    mf_free(tx->ranges);
    mf_buffer_free(&tx->changes);
    mf_buffer_free(&tx->expectations);
    mf_buffer_free(&tx->reads);
    mf__tree_release(&tx->view);
    mf__version_release(&tx->seen);
    mf_free(tx);
}

uint64_t mf_state_tx_seq(const struct mf_state_tx *tx, uint8_t *ret_root)
{
    if (ret_root != NULL) {
        memcpy(ret_root, tx->seen.root, MF_SHA256_LEN);
    }
    return tx->seen.seq;
}

/* --- changes --- */

static int check_key(struct mf_state_bytes key, struct mf_errinfo *err)
{
    if (key.len == 0 || key.len > MF_STATE_KEY_MAX) {
        return mf_fail(err, MF_ELIMIT, "a key of %zu bytes: keys have 1 to %u", key.len,
                       MF_STATE_KEY_MAX);
    }
    return 0;
}

/* Adds to one of the lists; afterwards all of it is there or nothing. */
static int add(struct mf_buffer *list, const struct change *change, struct mf_errinfo *err)
{
    char *out = mf_buffer_reserve(list, change->key_len + change->value_len + CHANGE_OVERHEAD_MAX);
    if (out == NULL) {
        list->failed = false; /* what was there before is whole */
        return mf_fail_os(err, -ENOMEM, "cannot note a change of %zu bytes",
                          change->key_len + change->value_len);
    }
    size_t len = mf__change_put((uint8_t *)out, change);
    if (change->value_len != 0) {
        memcpy(out + len, change->value, change->value_len);
    }
    list->len += len + change->value_len;
    return 0;
}

static int note_change(struct mf_state_tx *tx, uint32_t kind, struct mf_state_bytes key,
                       struct mf_state_bytes value, struct mf_errinfo *err)
{
    if (tx->read_only) {
        return mf_fail(err, MF_EREADONLY, "a snapshot changes nothing; begin a transaction");
    }
    int code = check_key(key, err);
    if (code < 0) {
        return code;
    }
    if (value.len > MF_STATE_VALUE_MAX) {
        return mf_fail(err, MF_ELIMIT, "a value of %zu bytes: values have at most %u", value.len,
                       MF_STATE_VALUE_MAX);
    }
    uint64_t bytes = tx->change_bytes + key.len + value.len + 16;
    if (bytes > MF_STATE_COMMIT_MAX) {
        return mf_fail(err, MF_ELIMIT,
                       "a commit holds at most %u bytes of keys and values; split it",
                       MF_STATE_COMMIT_MAX);
    }
    struct change change = {kind, key.bytes, key.len, value.bytes, value.len};
    bool changes = kind == MF_STATE_PUT || kind == MF_STATE_DELETE;
    code = add(changes ? &tx->changes : &tx->expectations, &change, err);
    if (code == 0) {
        tx->change_count += changes;
        tx->change_bytes = bytes;
    }
    return code;
}

int mf_state_put(struct mf_state_tx *tx, struct mf_state_bytes key, struct mf_state_bytes value,
                 struct mf_errinfo *err)
{
    return note_change(tx, MF_STATE_PUT, key, value, err);
}

int mf_state_delete(struct mf_state_tx *tx, struct mf_state_bytes key, struct mf_errinfo *err)
{
    return note_change(tx, MF_STATE_DELETE, key, MF_STATE_NONE, err);
}

int mf_state_expect(struct mf_state_tx *tx, struct mf_state_bytes key, struct mf_state_bytes value,
                    struct mf_errinfo *err)
{
    return note_change(tx, MF_STATE_EXPECT, key, value, err);
}

int mf_state_expect_absent(struct mf_state_tx *tx, struct mf_state_bytes key,
                           struct mf_errinfo *err)
{
    return note_change(tx, MF_STATE_EXPECT_ABSENT, key, MF_STATE_NONE, err);
}

int mf_state_note(struct mf_state_tx *tx, struct mf_state_bytes note, struct mf_errinfo *err)
{
    if (tx->read_only) {
        return mf_fail(err, MF_EREADONLY, "a snapshot has no note; begin a transaction");
    }
    if (note.len > MF_STATE_NOTE_MAX) {
        return mf_fail(err, MF_ELIMIT, "a note of %zu bytes: notes have at most %u", note.len,
                       MF_STATE_NOTE_MAX);
    }
    if (note.len != 0) {
        memcpy(tx->note, note.bytes, note.len);
    }
    tx->note_len = note.len;
    return 0;
}

/* --- reading --- */

/* Brings the view up to the changes. */
static int update_view(struct mf_state_tx *tx, struct mf_errinfo *err)
{
    if (tx->viewed < tx->changes.len) {
        struct version view = {.tree = tx->view};
        int code = mf__version_apply(&view, (const uint8_t *)tx->changes.data + tx->viewed,
                                     tx->changes.len - tx->viewed);
        tx->view = view.tree;
        if (code < 0) { /* applied in part: those changes are applied again, which is the same */
            return mf_fail_os(err, code, "cannot read behind one's own changes");
        }
        tx->viewed = tx->changes.len;
    }
    return 0;
}

int mf_state_get(struct mf_state_tx *tx, struct mf_state_bytes key,
                 struct mf_state_bytes *ret_value, struct mf_errinfo *err)
{
    int code = check_key(key, err);
    if (code == 0) {
        code = update_view(tx, err);
    }
    if (code < 0) {
        return code;
    }
    struct mf_tree_item item = {0};
    bool found = mf__tree_get(&tx->view, key.bytes, key.len, &item);
    if (!tx->read_only) {
        /* What the transaction itself has written is nothing that it relies on. */
        struct mf_tree_item before = {0};
        bool was = mf__tree_get(&tx->seen.tree, key.bytes, key.len, &before);
        if (found == was && item.value == before.value) {
            struct change read = {MF_STATE_EXPECT_ABSENT, key.bytes, key.len, NULL, 0};
            code = add(&tx->reads, &read, err);
            if (code < 0) {
                return code;
            }
        }
    }
    if (found) {
        *ret_value = (struct mf_state_bytes){item.value, item.value_len};
    }
    return found;
}

struct mf_state_cursor {
    struct mf_state_tx *tx;
    struct mf_tree tree;
    struct mf_tree_cursor at;
    struct tx_range range;
    struct mf_state_bytes last; /* key that was given out */
    bool started;
    bool ended; /* nothing more up to the end of the range */
};

static int order(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int difference = common != 0 ? memcmp(a, b, common) : 0;
    return difference != 0 ? difference : (a_len > b_len) - (a_len < b_len);
}

static bool is_beyond(const struct tx_range *range, const uint8_t *key, size_t key_len)
{
    if (range->to_end) {
        return false;
    }
    int difference = order(key, key_len, range->from + range->from_len, range->to_len);
    return range->to_inclusive ? difference > 0 : difference >= 0;
}

static int make_range(struct mf_state_bytes from, struct mf_state_bytes to, bool to_end,
                      struct tx_range *ret_range)
{
    size_t to_len = to_end ? 0 : to.len;
    uint8_t *bytes = mf_malloc(from.len + to_len + 1);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    if (from.len != 0) {
        memcpy(bytes, from.bytes, from.len);
    }
    if (to_len != 0) {
        memcpy(bytes + from.len, to.bytes, to_len);
    }
    *ret_range = (struct tx_range){bytes, from.len, to_len, to_end, false};
    return 0;
}

static int scan(struct mf_state_tx *tx, struct mf_state_bytes from, struct mf_state_bytes to,
                struct mf_state_cursor **ret_cursor, struct mf_errinfo *err)
{
    if (from.len > MF_STATE_KEY_MAX + 1 || to.len > MF_STATE_KEY_MAX + 1) {
        return mf_fail(err, MF_ELIMIT, "a bound of %zu bytes: keys have at most %u",
                       from.len > to.len ? from.len : to.len, MF_STATE_KEY_MAX);
    }
    int code = update_view(tx, err);
    if (code < 0) {
        return code;
    }
    struct mf_state_cursor *cursor = mf_calloc(1, sizeof *cursor);
    code = cursor != NULL ? make_range(from, to, to.bytes == NULL, &cursor->range) : -ENOMEM;
    if (code < 0) {
        mf_free(cursor);
        return mf_fail_os(err, code, "cannot scan");
    }
    cursor->tx = tx;
    cursor->tree = mf__tree_share(&tx->view);
    mf__tree_seek(&cursor->tree, cursor->range.from, cursor->range.from_len, &cursor->at);
    *ret_cursor = cursor;
    return 0;
}

int mf_state_scan(struct mf_state_tx *tx, struct mf_state_bytes from, struct mf_state_bytes to,
                  struct mf_state_cursor **ret_cursor, struct mf_errinfo *err)
{
    return scan(tx, from, to, ret_cursor, err);
}

int mf_state_scan_prefix(struct mf_state_tx *tx, struct mf_state_bytes prefix,
                         struct mf_state_cursor **ret_cursor, struct mf_errinfo *err)
{
    if (prefix.len > MF_STATE_KEY_MAX) {
        return mf_fail(err, MF_ELIMIT, "a prefix of %zu bytes: keys have at most %u", prefix.len,
                       MF_STATE_KEY_MAX);
    }
    /* The first key behind all those: the prefix with its last byte that can be raised raised. */
    uint8_t to[MF_STATE_KEY_MAX];
    size_t len = prefix.len;
    if (len != 0) {
        memcpy(to, prefix.bytes, len);
    }
    while (len != 0 && to[len - 1] == UINT8_MAX) {
        len--;
    }
    if (len == 0) {
        return scan(tx, prefix, MF_STATE_NONE, ret_cursor, err);
    }
    to[len - 1]++;
    return scan(tx, prefix, (struct mf_state_bytes){to, len}, ret_cursor, err);
}

int mf_state_next(struct mf_state_cursor *cursor, struct mf_state_bytes *ret_key,
                  struct mf_state_bytes *ret_value, struct mf_errinfo *err)
{
    (void)err; /* nothing can fail on a tree in memory */
    struct mf_tree_item item;
    if (cursor->ended || !mf__tree_next(&cursor->at, &item) ||
        is_beyond(&cursor->range, item.key, item.key_len)) {
        cursor->ended = true;
        return 0;
    }
    cursor->started = true;
    cursor->last = (struct mf_state_bytes){item.key, item.key_len};
    *ret_key = cursor->last;
    *ret_value = (struct mf_state_bytes){item.value, item.value_len};
    return 1;
}

/* Notes how far the cursor came. */
static int note_range(struct mf_state_cursor *cursor)
{
    struct mf_state_tx *tx = cursor->tx;
    if (tx->read_only || (!cursor->started && !cursor->ended)) {
        return 0;
    }
    if (tx->range_count == tx->range_capacity) {
        size_t capacity = tx->range_capacity != 0 ? tx->range_capacity * 2 : 8;
        struct tx_range *ranges = mf_realloc(tx->ranges, capacity * sizeof *ranges);
        if (ranges == NULL) {
            return -ENOMEM;
        }
        tx->ranges = ranges;
        tx->range_capacity = capacity;
    }
    struct tx_range range = cursor->range;
    if (!cursor->ended) {
        struct mf_state_bytes from = {range.from, range.from_len};
        int code = make_range(from, cursor->last, false, &range);
        if (code < 0) {
            return code;
        }
        range.to_inclusive = true;
    } else {
        cursor->range.from = NULL; /* given away */
    }
    tx->ranges[tx->range_count++] = range;
    return 0;
}

void mf_state_cursor_close(struct mf_state_cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    if (note_range(cursor) < 0) {
        cursor->tx->incomplete = true;
    }
    mf_free(cursor->range.from);
    mf__tree_release(&cursor->tree);
    mf_free(cursor);
}

/* --- what was relied on --- */

static bool is_same(const struct mf_tree_item *a, const struct mf_tree_item *b)
{
    return a->value == b->value ||
           (a->value_len == b->value_len && memcmp(a->value, b->value, a->value_len) == 0);
}

static bool reads_hold(const struct mf_state_tx *tx, const struct mf_tree *head)
{
    size_t at = 0;
    struct change read;
    while (mf__change_next((const uint8_t *)tx->reads.data, tx->reads.len, &at, &read) == 1) {
        struct mf_tree_item then;
        struct mf_tree_item now;
        bool was = mf__tree_get(&tx->seen.tree, read.key, read.key_len, &then);
        bool is = mf__tree_get(head, read.key, read.key_len, &now);
        if (was != is || (is && !is_same(&then, &now))) {
            return false;
        }
    }
    return true;
}

static bool range_holds(const struct tx_range *range, const struct mf_tree *seen,
                        const struct mf_tree *head)
{
    struct mf_tree_cursor then;
    struct mf_tree_cursor now;
    mf__tree_seek(seen, range->from, range->from_len, &then);
    mf__tree_seek(head, range->from, range->from_len, &now);
    for (;;) {
        struct mf_tree_item a;
        struct mf_tree_item b;
        bool was = mf__tree_next(&then, &a) && !is_beyond(range, a.key, a.key_len);
        bool is = mf__tree_next(&now, &b) && !is_beyond(range, b.key, b.key_len);
        if (!was || !is) {
            return was == is;
        }
        if (a.key != b.key && /* not the same entry of both trees */
            (order(a.key, a.key_len, b.key, b.key_len) != 0 || !is_same(&a, &b))) {
            return false;
        }
    }
}

static bool expectations_hold(const struct mf_state_tx *tx, const struct mf_tree *head)
{
    size_t at = 0;
    struct change expected;
    while (mf__change_next((const uint8_t *)tx->expectations.data, tx->expectations.len, &at,
                           &expected) == 1) {
        struct mf_tree_item now;
        bool is = mf__tree_get(head, expected.key, expected.key_len, &now);
        if (is != (expected.kind == MF_STATE_EXPECT) ||
            (is && (now.value_len != expected.value_len ||
                    memcmp(now.value, expected.value, now.value_len) != 0))) {
            return false;
        }
    }
    return true;
}

int mf__tx_check(const struct mf_state_tx *tx, const struct mf_tree *head, struct mf_errinfo *err)
{
    if (!expectations_hold(tx, head)) {
        return mf_fail(err, MF_ECONFLICT,
                       "nothing was committed: a key has not the value that was expected");
    }
    bool holds = tx->seen.tree.root == head->root || reads_hold(tx, head);
    for (size_t i = 0; holds && tx->seen.tree.root != head->root && i < tx->range_count; i++) {
        holds = range_holds(&tx->ranges[i], &tx->seen.tree, head);
    }
    return holds ? 0
                 : mf_fail(err, MF_ECONFLICT,
                           "nothing was committed: another commit changed what this transaction "
                           "had read; begin it again");
}

/* --- the end --- */

static int commit(struct mf_state_tx *tx, struct mf_state_result *ret_result,
                  struct mf_errinfo *err)
{
    if (tx->read_only) {
        return mf_fail(err, MF_EREADONLY, "a snapshot cannot be committed; abort it");
    }
    if (tx->incomplete) {
        return mf_fail_os(err, -ENOMEM,
                          "nothing was committed: a range that was read could not "
                          "be noted");
    }
    if (tx->changes.len == 0 && tx->note_len == 0) { /* nothing to write, perhaps to check */
        struct version now = mf__state_visible(tx->state);
        int code = tx->expectations.len != 0 ? mf__tx_check(tx, &now.tree, err) : 0;
        if (code == 0) {
            ret_result->outcome = MF_STATE_COMMITTED;
            ret_result->seq = now.seq;
            memcpy(ret_result->root, now.root, MF_SHA256_LEN);
        }
        mf__version_release(&now);
        return code;
    }
    struct commit_request request = {
        .kind = MF_STATE_COMMIT_CHANGES,
        .change_count = tx->change_count,
        .changes = (const uint8_t *)tx->changes.data,
        .changes_len = tx->changes.len,
        .note = tx->note,
        .note_len = tx->note_len,
        .tx = tx,
    };
    return mf__state_commit(tx->state, &request, ret_result, err);
}

int mf_state_commit(struct mf_state_tx *tx, struct mf_state_result *ret_result,
                    struct mf_errinfo *err)
{
    struct mf_state_result result = {.outcome = MF_STATE_ABORTED};
    int code = commit(tx, &result, err);
    mf_state_abort(tx);
    if (ret_result != NULL) {
        *ret_result = result;
    }
    return code;
}

int mf_state_batch(struct mf_state *state, const struct mf_state_change *changes, size_t count,
                   struct mf_state_result *ret_result, struct mf_errinfo *err)
{
    struct mf_state_tx *tx = NULL;
    if (ret_result != NULL) {
        *ret_result = (struct mf_state_result){.outcome = MF_STATE_ABORTED};
    }
    int code = mf_state_begin(state, &tx, err);
    for (size_t i = 0; i < count && code == 0; i++) {
        uint32_t kind = changes[i].kind;
        bool valued = kind == MF_STATE_PUT || kind == MF_STATE_EXPECT;
        code = kind >= MF_STATE_PUT && kind <= MF_STATE_EXPECT_ABSENT
                   ? note_change(tx, kind, changes[i].key,
                                 valued ? changes[i].value : MF_STATE_NONE, err)
                   : mf_fail(err, MF_EVALUE, "change %zu of %zu is of no known kind (%u)", i, count,
                             kind);
    }
    if (code < 0) {
        mf_state_abort(tx);
        return code;
    }
    return mf_state_commit(tx, ret_result, err);
}
