/* SPDX-License-Identifier: Apache-2.0
 *
 * merkle_log.c -- see merkle_log.h.
 *
 * Format. A header of 64 bytes: magic, u32 version, u32 zero, id of the store, zeros, CRC-32C of
 * the bytes before. Then the nodes, 32 bytes each, in the order in which they become complete: each
 * leaf, and behind it the nodes that it completes, upwards. So n leaves have 2n - popcount(n)
 * nodes, and node (level, index), which the leaf ((index + 1) << level) - 1 completes, is the
 * level-th behind that leaf. 64 bytes a commit, each node calculated and written once.
 *
 * Validity. A node has no checksum, it is one: of the nodes below it. Opening compares the peaks
 * with the attested ones. A proof is verified from the leaf to the root that is known in memory
 * before it leaves; an older root is first proven to be one of the list's.
 */
#include "merkle_log.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/heap.h"
#include "os/thread.h"

#include <errno.h>
#include <inttypes.h>

#define VERSION     1
#define HEADER_LEN  64u
#define CRC_OFFSET  (HEADER_LEN - 4)
#define BLOCK_NODES 2048u /* nodes that a check reads at once */

static const uint8_t magic[8] = {'M', 'F', 'N', 'O', 'D', 'E', 'S', 0};

struct mf_merkle_log {
    struct mf_file *file;
    bool read_only;
    bool poisoned;
    struct mf_mutex lock; /* of what follows */
    struct mf_merkle_frontier frontier;
    uint64_t written; /* nodes in the file */
    uint8_t *buffer;  /* the ones behind them */
    size_t buffered;
    size_t capacity;
};

/* How many nodes there are before leaf `size`. */
static uint64_t nodes_before(uint64_t size)
{
    return 2 * size - (uint64_t)__builtin_popcountll(size);
}

static uint64_t position_of(unsigned level, uint64_t index)
{
    return nodes_before(((index + 1) << level) - 1) + level;
}

static uint64_t offset_of(uint64_t position)
{
    return HEADER_LEN + position * MF_SHA256_LEN;
}

/* Reads nodes [position, position + count), all of them there. */
static int read_nodes(struct mf_merkle_log *log, uint64_t position, size_t count,
                      uint8_t *ret_nodes, struct mf_errinfo *err)
{
    mf_mutex_lock(&log->lock);
    uint64_t written = log->written;
    size_t in_file = position >= written           ? 0
                     : written - position >= count ? count
                                                   : (size_t)(written - position);
    if (in_file < count) {
        size_t first = (size_t)(position + in_file - written);
        MF_ASSERT(first + count - in_file <= log->buffered);
        memcpy(ret_nodes + in_file * MF_SHA256_LEN, log->buffer + first * MF_SHA256_LEN,
               (count - in_file) * MF_SHA256_LEN);
    }
    mf_mutex_unlock(&log->lock);
    if (in_file == 0) {
        return 0;
    }
    size_t len = 0;
    int code =
        mf_file_read(log->file, ret_nodes, in_file * MF_SHA256_LEN, offset_of(position), &len, err);
    if (code < 0) {
        return code;
    }
    if (len != in_file * MF_SHA256_LEN) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.200s ends at offset %" PRIu64 ", in the middle of its nodes; restore it "
                       "from a copy",
                       mf_file_path(log->file), offset_of(position) + len);
    }
    return 0;
}

#define SEEN 128u

/* The reads of one proof. It asks for many nodes more than once: for the path, and to verify it. */
struct reading {
    struct mf_merkle_log *log;
    struct mf_errinfo *err;
    uint64_t seen[SEEN]; /* 1 + position of the node that is here; 0: none */
    uint8_t nodes[SEEN][MF_SHA256_LEN];
};

static void begin_reading(struct reading *reading, struct mf_merkle_log *log,
                          struct mf_errinfo *err)
{
    reading->log = log;
    reading->err = err;
    memset(reading->seen, 0, sizeof reading->seen);
}

static int read_node(void *context, unsigned level, uint64_t index, uint8_t ret_hash[MF_SHA256_LEN])
{
    struct reading *reading = context;
    uint64_t position = position_of(level, index);
    size_t place = (size_t)(position % SEEN);
    if (reading->seen[place] != position + 1) {
        reading->seen[place] = 0;
        int code = read_nodes(reading->log, position, 1, reading->nodes[place], reading->err);
        if (code < 0) {
            return code;
        }
        reading->seen[place] = position + 1;
    }
    memcpy(ret_hash, reading->nodes[place], MF_SHA256_LEN);
    return 0;
}

/* ---- opening ---- */

static void make_header(const uint8_t id[MF_MERKLE_ID_LEN], uint8_t ret_header[HEADER_LEN])
{
    memset(ret_header, 0, HEADER_LEN);
    memcpy(ret_header, magic, sizeof magic);
    mf_store_u32(ret_header + 8, VERSION);
    memcpy(ret_header + 16, id, MF_MERKLE_ID_LEN);
    mf_store_u32(ret_header + CRC_OFFSET, mf_crc32c(0, ret_header, CRC_OFFSET));
}

static int check_header(struct mf_file *file, const uint8_t id[MF_MERKLE_ID_LEN],
                        struct mf_errinfo *err)
{
    const char *path = mf_file_path(file);
    uint8_t header[HEADER_LEN];
    size_t len = 0;
    int code = mf_file_read(file, header, sizeof header, 0, &len, err);
    if (code < 0) {
        return code;
    }
    if (len < sizeof magic || memcmp(header, magic, sizeof magic) != 0) {
        return mf_fail(err, MF_EFORMAT, "%.200s is not a file of Merkle nodes", path);
    }
    if (len < sizeof header ||
        mf_crc32c(0, header, CRC_OFFSET) != mf_load_u32(header + CRC_OFFSET)) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.200s: the header at offset 0 fails its checksum; restore the file from a "
                       "copy",
                       path);
    }
    if (mf_load_u32(header + 8) != VERSION) {
        return mf_fail(err, MF_EVERSION,
                       "%.200s has format version %" PRIu32
                       ", this build knows %d; use a newer build",
                       path, mf_load_u32(header + 8), VERSION);
    }
    if (memcmp(header + 16, id, MF_MERKLE_ID_LEN) != 0) {
        return mf_fail(err, MF_EMISMATCH, "%.200s belongs to another store", path);
    }
    return 0;
}

/* That the file has the nodes of the attested list. What is behind them counts for nothing, but
 * stays until it is written again: a newer checkpoint, which could not be read just now, may attest
 * it. */
static int settle(struct mf_merkle_log *log, const struct mf_merkle_frontier *attested,
                  struct mf_errinfo *err)
{
    const char *path = mf_file_path(log->file);
    struct mf_file_info info;
    int code = mf_file_info(log->file, &info, err);
    if (code < 0) {
        return code;
    }
    log->written = nodes_before(attested->size);
    uint64_t end = offset_of(log->written);
    if (info.size_bytes < end) {
        return mf_fail(err, MF_ECORRUPT,
                       "%.200s ends at offset %" PRIu64 ", the checkpoint attests %" PRIu64
                       " bytes; restore it from a copy",
                       path, info.size_bytes, end);
    }
    for (unsigned level = 0; level < MF_MERKLE_LEVELS; level++) {
        if ((attested->size >> level & 1) == 0) {
            continue;
        }
        uint64_t position = position_of(level, (attested->size >> level) - 1);
        uint8_t peak[MF_SHA256_LEN];
        code = read_nodes(log, position, 1, peak, err);
        if (code < 0) {
            return code;
        }
        if (memcmp(peak, attested->peaks[level], sizeof peak) != 0) {
            return mf_fail(err, MF_ECORRUPT,
                           "%.200s: the node at offset %" PRIu64
                           " is not the one that the checkpoint attests; restore the file from a "
                           "copy",
                           path, offset_of(position));
        }
    }
    log->frontier = *attested;
    return 0;
}

int mf__merkle_log_open(const struct mf_fs *fs, const char *path, unsigned flags,
                        const uint8_t id[MF_MERKLE_ID_LEN],
                        const struct mf_merkle_frontier *attested, struct mf_merkle_log **ret_log,
                        struct mf_errinfo *err)
{
    MF_ASSERT(attested->size <= MF_MERKLE_SIZE_MAX);
    struct mf_merkle_log *log = mf_calloc(1, sizeof *log);
    if (log == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot open %.200s", path);
    }
    mf_mutex_init(&log->lock);
    log->read_only = (flags & MF_MERKLE_LOG_READ_ONLY) != 0;
    unsigned how = MF_OPEN_READ | MF_OPEN_NOFOLLOW | (log->read_only ? 0 : MF_OPEN_WRITE);
    int code = mf_file_open(fs, path, how, &log->file, err);
    if (code == -ENOENT && (flags & MF_MERKLE_LOG_CREATE) != 0 && !log->read_only &&
        attested->size == 0) {
        uint8_t header[HEADER_LEN];
        make_header(id, header);
        code = mf_fs_replace(fs, path, header, sizeof header, err);
        code = code < 0 ? code : mf_file_open(fs, path, how, &log->file, err);
    }
    code = code < 0 ? code : check_header(log->file, id, err);
    code = code < 0 ? code : settle(log, attested, err);
    if (code < 0) {
        mf__merkle_log_close(log);
        return code;
    }
    *ret_log = log;
    return 0;
}

void mf__merkle_log_close(struct mf_merkle_log *log)
{
    if (log == NULL) {
        return;
    }
    mf_file_close(log->file);
    mf_mutex_fini(&log->lock);
    mf_free(log->buffer);
    mf_free(log);
}

/* ---- growing ---- */

int mf__merkle_log_reserve(struct mf_merkle_log *log, size_t leaves)
{
    /* n leaves complete at most 2n nodes and as many as the list has levels. */
    if (leaves > SIZE_MAX / MF_SHA256_LEN / 4) {
        return -ENOMEM;
    }
    size_t needed = log->buffered + 2 * leaves + MF_MERKLE_LEVELS;
    if (needed <= log->capacity) {
        return 0;
    }
    size_t capacity = needed > 2 * log->capacity ? needed : 2 * log->capacity;
    uint8_t *buffer = mf_malloc(capacity * MF_SHA256_LEN);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    mf_mutex_lock(&log->lock);
    if (log->buffered != 0) {
        memcpy(buffer, log->buffer, log->buffered * MF_SHA256_LEN);
    }
    uint8_t *old = log->buffer;
    log->buffer = buffer;
    log->capacity = capacity;
    mf_mutex_unlock(&log->lock);
    mf_free(old);
    return 0;
}

static void keep_node(void *context, const uint8_t hash[MF_SHA256_LEN])
{
    struct mf_merkle_log *log = context;
    MF_ASSERT(log->buffered < log->capacity);
    memcpy(log->buffer + log->buffered++ * MF_SHA256_LEN, hash, MF_SHA256_LEN);
}

void mf__merkle_log_append(struct mf_merkle_log *log, const uint8_t leaf[MF_SHA256_LEN])
{
    mf_mutex_lock(&log->lock);
    mf__merkle_append(&log->frontier, leaf, keep_node, log);
    mf_mutex_unlock(&log->lock);
}

void mf__merkle_log_frontier(struct mf_merkle_log *log, struct mf_merkle_frontier *ret_frontier)
{
    mf_mutex_lock(&log->lock);
    *ret_frontier = log->frontier;
    mf_mutex_unlock(&log->lock);
}

size_t mf__merkle_log_buffered(struct mf_merkle_log *log)
{
    mf_mutex_lock(&log->lock);
    size_t buffered = log->buffered;
    mf_mutex_unlock(&log->lock);
    return buffered * MF_SHA256_LEN;
}

int mf__merkle_log_write(struct mf_merkle_log *log, struct mf_errinfo *err)
{
    if (log->read_only) {
        return mf_fail(err, MF_EREADONLY, "%.200s is open for reading only",
                       mf_file_path(log->file));
    }
    /* Only this thread changes the buffer; others read it, and may while it is written. */
    size_t count = log->buffered;
    if (count == 0) {
        return 0;
    }
    int code =
        mf_file_write(log->file, log->buffer, count * MF_SHA256_LEN, offset_of(log->written), err);
    if (code < 0) {
        return code;
    }
    mf_mutex_lock(&log->lock);
    log->written += count;
    log->buffered = 0;
    mf_mutex_unlock(&log->lock);
    return 0;
}

int mf__merkle_log_sync(struct mf_merkle_log *log, struct mf_errinfo *err)
{
    if (log->poisoned) {
        return mf_fail(err, MF_EPOISONED,
                       "%.200s: an earlier sync failed; close the store and open it",
                       mf_file_path(log->file));
    }
    int code = mf__merkle_log_write(log, err);
    if (code < 0) {
        return code;
    }
    code = mf_file_sync(log->file, err);
    log->poisoned = code < 0;
    return code;
}

/* ---- proofs ---- */

static int not_so_many(const struct mf_merkle_log *log, uint64_t size, uint64_t there,
                       struct mf_errinfo *err)
{
    return mf_fail(err, MF_EVALUE, "%.200s has %" PRIu64 " commits, not %" PRIu64,
                   mf_file_path(log->file), there, size);
}

static int damaged(const struct mf_merkle_log *log, uint64_t from, uint64_t to,
                   struct mf_errinfo *err)
{
    return mf_fail(err, MF_ECORRUPT,
                   "%.200s: a node of the commits %" PRIu64 " to %" PRIu64
                   " is not what it was; restore the file from a copy",
                   mf_file_path(log->file), from + 1, to);
}

/* The path from the root over `old_size` leaves, which it finds, to the known one over `size`. */
static int prove_between(struct reading *reading, uint64_t old_size, uint64_t size,
                         const uint8_t root[MF_SHA256_LEN], struct mf_merkle_path *ret_path,
                         uint8_t ret_old_root[MF_SHA256_LEN])
{
    struct mf_merkle_source source = {read_node, reading};
    struct mf_merkle_frontier old;
    int code = mf__merkle_frontier_at(&source, old_size, &old);
    code = code < 0 ? code : mf__merkle_prove_extension(&source, old_size, size, ret_path);
    if (code < 0) {
        return code;
    }
    mf__merkle_root(&old, ret_old_root);
    return mf__merkle_extends(old_size, ret_old_root, size, root, ret_path->hashes[0],
                              ret_path->count)
               ? 0
               : damaged(reading->log, 0, size, reading->err);
}

static int root_in(struct reading *reading, const struct mf_merkle_frontier *now, uint64_t size,
                   uint8_t ret_root[MF_SHA256_LEN])
{
    if (size > now->size) {
        return not_so_many(reading->log, size, now->size, reading->err);
    }
    uint8_t last[MF_SHA256_LEN];
    mf__merkle_root(now, last);
    if (size == now->size) {
        memcpy(ret_root, last, sizeof last);
        return 0;
    }
    struct mf_merkle_path path;
    return prove_between(reading, size, now->size, last, &path, ret_root);
}

int mf__merkle_log_root_at(struct mf_merkle_log *log, uint64_t size,
                           uint8_t ret_root[MF_SHA256_LEN], struct mf_errinfo *err)
{
    uint8_t root[MF_SHA256_LEN];
    struct mf_merkle_frontier now;
    mf__merkle_log_frontier(log, &now);
    struct reading reading;
    begin_reading(&reading, log, err);
    int code = root_in(&reading, &now, size, root);
    if (code == 0) {
        memcpy(ret_root, root, sizeof root);
    }
    return code;
}

int mf__merkle_log_prove_leaf(struct mf_merkle_log *log, uint64_t index, uint64_t size,
                              struct mf_merkle_path *ret_path, uint8_t ret_leaf[MF_SHA256_LEN],
                              uint8_t ret_root[MF_SHA256_LEN], struct mf_errinfo *err)
{
    struct mf_merkle_frontier now;
    mf__merkle_log_frontier(log, &now);
    if (index >= size) {
        return not_so_many(log, index + 1, size, err);
    }
    uint8_t root[MF_SHA256_LEN];
    uint8_t reached[MF_SHA256_LEN];
    uint8_t leaf[MF_SHA256_LEN];
    struct mf_merkle_path path;
    struct reading reading;
    struct mf_merkle_source source = {read_node, &reading};
    begin_reading(&reading, log, err);
    int code = root_in(&reading, &now, size, root);
    code = code < 0 ? code : read_node(&reading, 0, index, leaf);
    code = code < 0 ? code : mf__merkle_prove_leaf(&source, index, size, &path);
    if (code < 0) {
        return code;
    }
    if (!mf__merkle_leaf_root(leaf, index, size, path.hashes[0], path.count, reached) ||
        memcmp(reached, root, sizeof root) != 0) {
        return damaged(log, index, size, err);
    }
    *ret_path = path;
    memcpy(ret_leaf, leaf, sizeof leaf);
    memcpy(ret_root, root, sizeof root);
    return 0;
}

int mf__merkle_log_prove_extension(struct mf_merkle_log *log, uint64_t old_size, uint64_t size,
                                   struct mf_merkle_path *ret_path,
                                   uint8_t ret_old_root[MF_SHA256_LEN],
                                   uint8_t ret_root[MF_SHA256_LEN], struct mf_errinfo *err)
{
    struct mf_merkle_frontier now;
    mf__merkle_log_frontier(log, &now);
    if (old_size > size) {
        return not_so_many(log, old_size, size, err);
    }
    uint8_t old_root[MF_SHA256_LEN];
    uint8_t root[MF_SHA256_LEN];
    struct mf_merkle_path path;
    struct reading reading;
    begin_reading(&reading, log, err);
    int code = root_in(&reading, &now, size, root);
    code = code < 0 ? code : prove_between(&reading, old_size, size, root, &path, old_root);
    if (code < 0) {
        return code;
    }
    *ret_path = path;
    memcpy(ret_old_root, old_root, sizeof old_root);
    memcpy(ret_root, root, sizeof root);
    return 0;
}

/* ---- the whole file ---- */

struct checking {
    struct mf_merkle_log *log;
    struct mf_errinfo *err;
    uint8_t *block;
    uint64_t first; /* position of what is in the block */
    size_t count;
    uint64_t end; /* behind the last node */
    uint64_t position;
    int code;
};

/* The next stored node, which is not moved on from. */
static const uint8_t *stored_node(struct checking *checking)
{
    if (checking->position - checking->first >= checking->count) {
        uint64_t left = checking->end - checking->position;
        checking->first = checking->position;
        checking->count = left < BLOCK_NODES ? (size_t)left : BLOCK_NODES;
        checking->code = read_nodes(checking->log, checking->first, checking->count,
                                    checking->block, checking->err);
        if (checking->code < 0) {
            return NULL;
        }
    }
    return checking->block + (checking->position - checking->first) * MF_SHA256_LEN;
}

static void compare_node(void *context, const uint8_t hash[MF_SHA256_LEN])
{
    struct checking *checking = context;
    const uint8_t *stored = checking->code < 0 ? NULL : stored_node(checking);
    if (stored != NULL && memcmp(stored, hash, MF_SHA256_LEN) != 0) {
        checking->code =
            mf_fail(checking->err, MF_ECORRUPT,
                    "%.200s: the node at offset %" PRIu64
                    ", or one that it is made of, is not what it was; restore the file from a copy",
                    mf_file_path(checking->log->file), offset_of(checking->position));
    }
    checking->position++;
}

int mf__merkle_log_check(struct mf_merkle_log *log, struct mf_errinfo *err)
{
    struct mf_merkle_frontier now;
    struct mf_merkle_frontier frontier = {.size = 0};
    mf__merkle_log_frontier(log, &now);
    struct checking checking = {.log = log, .err = err, .end = nodes_before(now.size)};
    checking.block = mf_malloc(BLOCK_NODES * MF_SHA256_LEN);
    if (checking.block == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot check %.200s", mf_file_path(log->file));
    }
    while (frontier.size < now.size && checking.code >= 0) {
        const uint8_t *leaf = stored_node(&checking);
        if (leaf != NULL) {
            uint8_t kept[MF_SHA256_LEN];
            memcpy(kept, leaf, sizeof kept);
            mf__merkle_append(&frontier, kept, compare_node, &checking);
        }
    }
    mf_free(checking.block);
    if (checking.code < 0) {
        return checking.code;
    }
    uint8_t root[MF_SHA256_LEN];
    uint8_t wanted[MF_SHA256_LEN];
    mf__merkle_root(&frontier, root);
    mf__merkle_root(&now, wanted);
    return memcmp(root, wanted, sizeof root) == 0 ? 0 : damaged(log, 0, now.size, err);
}
