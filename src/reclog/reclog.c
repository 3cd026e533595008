/* SPDX-License-Identifier: Apache-2.0
 *
 * reclog.c -- crash-safe append-only record files: appending.
 *
 * Format (docs/formats.md has the byte offsets)
 *   A header of 64 bytes with a random salt, then records, each a frame of 32 bytes and its
 *   payload, padded to 8. A frame holds its own checksum, that of the record before it, length,
 *   type, sequence number, and the highest sequence number that was durable when the record was
 *   made. A mark is a frame without payload that only says the last.
 *
 * Validity
 *   A record is whole when its CRC32C over frame and payload, seeded with the header's, is right:
 *   each record can be judged alone, and one of another file never passes. It is the next one
 *   when it also names the checksum of the record before and has the next number: so neither a
 *   stale block nor a reordered one ever continues the log. The log ends before the first place
 *   that is not the next record.
 *
 * Torn or corrupt
 *   Sectors that were not synced reach the disk in any order, so after a power cut a whole record
 *   may stand behind a broken one; that alone is no corruption. But each record attests what was
 *   durable before it. So when a record behind the bad place attests the number that should stand
 *   there, the file was damaged later: MF_ECORRUPT, and nothing is changed. Otherwise the bad
 *   place is the torn end of a crash: it is cut off at the next open, and how much was cut is
 *   reported. A log that is closed with everything synced ends in a mark, so that damage to its
 *   last records is known as such too. What no record attests can be told from outside
 *   (options.expect_seq).
 *
 * Write path
 *   append: record into the buffer, in the order of the lock; buffer into the page cache by
 *   write(), at once or when it is full or has waited flush_delay_ns; fdatasync by whoever waits
 *   for it. Room may be reserved ahead (zeros behind the last record mean the end), which spares
 *   each sync the update of the length; or it is written with zeros (PREWRITE), which also spares
 *   the file system the note that a block is in use now. Such room stays at the end of the file,
 *   and a file of nothing but zeros is an empty log whose header is still to be written.
 *   A write that fails is read back: whole records that got through count as written, the rest is
 *   cut off again and stays in the buffer, so that a full disk loses nothing and work goes on
 *   when there is space. An append whose record would have to wait there although its durability
 *   says otherwise takes it back and fails.
 *
 * Group commit
 *   mf_reclog_sync() waits while another thread syncs. Then, if its record is still not durable,
 *   it becomes the one that syncs: it writes the buffer, notes the last number, leaves the lock,
 *   calls fdatasync, publishes the number and wakes the others. Everything that is appended
 *   during a sync is covered by the next one, whoever starts it. A lone thread so pays for one
 *   fdatasync and no switch of threads. The log's own thread runs only for delays: it writes a
 *   buffer that has waited long enough, and with INTERVAL it is one more caller of sync.
 *
 * Failed sync
 *   Linux forgets what it could not write: the next fdatasync would succeed without the data. So
 *   the log is poisoned: every later call fails, durable_seq stays where it was. The pages still
 *   look good to whoever opens the file next on the same machine; so the first sync after an open
 *   rewrites those recovered records that nothing attests, before it calls fdatasync. With SYNC
 *   and INTERVAL that happens in open itself: what open found, and that nothing follows it, is
 *   then as durable as what is appended.
 *
 * Recovery
 *   Reads the file once. The cut of a torn tail is synced before the first append, because
 *   otherwise a record that was cut could come back behind a new one with the same content.
 *   Opening is idempotent.
 *
 * Concurrency
 *   One lock guards the state; it is held during write(), never during fdatasync. One flock keeps
 *   a second writer out. Readers need no lock: they read what is whole and stop before what is
 *   not; to tell a record on its way from the end of a dead writer they ask whether the flock is
 *   held.
 *
 * Limits
 *   64 MiB per record; one file only, rotation is the caller's (first_seq continues the numbers).
 *   The salt guards against accident, not against somebody who can read the file and forges
 *   records.
 *   While the disk is full, delayed records wait longer than flush_delay_ns, up to buffer_bytes
 *   of them.
 */
#include "reclog_private.h"
#include "base/check.h"
#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BUFFER_BYTES_DEFAULT     65536u
#define SYNC_INTERVAL_NS_DEFAULT MF_NS_PER_SECOND
#define RETRY_NS_MIN             (100 * MF_NS_PER_MS) /* of the thread, on a full disk */

_Static_assert(RECLOG_PAYLOAD_MAX == MF_RECLOG_PAYLOAD_MAX, "the format's limit is the API's");

static void observe_count(const struct mf_reclog *log, const char *name, uint64_t increment)
{
    if (log->observer.count != NULL) {
        log->observer.count(log->observer.context, name, increment);
    }
}

static int poisoned(const struct mf_reclog *log, struct mf_errinfo *err)
{
    return mf_fail(err, MF_EPOISONED,
                   "a sync of %.160s failed (%s): records after %" PRIu64
                   " may be lost; close it, look at the disk, and open it again",
                   mf_file_path(log->file), mf_strerror(log->poison), log->durable_seq);
}

/* ---- the buffer, all with the lock held ---- */

/* Takes the first `len` bytes, whole records, out of the buffer: they are in the file now. */
static void consume(struct mf_reclog *log, size_t len)
{
    if (len == log->buffer_len) {
        log->flushed_seq = log->next_seq - 1;
    }
    for (size_t at = 0; at < len && len < log->buffer_len;) {
        struct reclog_frame frame;
        MF_ASSERT(mf__reclog_frame_get(log->buffer + at, &frame));
        log->flushed_seq = frame.seq;
        at += mf__reclog_total(frame.len);
    }
    log->end += len;
    log->buffer_len -= len;
    memmove(log->buffer, log->buffer + len, log->buffer_len);
    log->waiting_since_ns = log->buffer_len != 0 ? log->waiting_since_ns : 0;
    observe_count(log, "reclog.written_bytes", len);
}

/* After a failed write: how many bytes of the buffer, in whole records, are in the file all the
 * same. */
static size_t written_anyway(struct mf_reclog *log)
{
    size_t same = 0;
    for (;;) {
        uint8_t back[4096];
        size_t got = 0;
        size_t left = log->buffer_len - same;
        if (mf_file_read(log->file, back, left < sizeof back ? left : sizeof back, log->end + same,
                         &got, NULL) < 0) {
            return 0;
        }
        size_t equal = 0;
        while (equal < got && back[equal] == log->buffer[same + equal]) {
            equal++;
        }
        same += equal;
        if (equal < sizeof back) {
            break;
        }
    }
    size_t whole = 0;
    struct reclog_frame frame;
    while (whole + RECLOG_FRAME_LEN <= same && mf__reclog_frame_get(log->buffer + whole, &frame) &&
           whole + mf__reclog_total(frame.len) <= same) {
        whole += mf__reclog_total(frame.len);
    }
    return whole;
}

static int cut_back(struct mf_reclog *log, struct mf_errinfo *err)
{
    int code = mf_file_truncate(log->file, log->end, err);
    if (code == 0) {
        log->tail_dirty = false;
        log->reserved_end = 0;
    }
    return code;
}

/* Zeros from the end of what is about to be written up to `target`. */
static int prewrite(struct mf_reclog *log, uint64_t target)
{
    static const uint8_t zeros[65536];
    uint64_t begin = log->reserved_end > log->end ? log->reserved_end : log->end + log->buffer_len;
    for (uint64_t at = begin; at < target;) {
        size_t len = target - at < sizeof zeros ? (size_t)(target - at) : sizeof zeros;
        int code = mf_file_write(log->file, zeros, len, at, NULL);
        if (code < 0) {
            log->tail_dirty = true; /* some of them may be there; cut off before the next write */
            return code;
        }
        at += len;
    }
    return 0;
}

/* Reserves room for the buffer and more. When there is none the write will say so, or find its own.
 */
static void reserve(struct mf_reclog *log)
{
    uint64_t step = log->options.reserve_bytes;
    uint64_t wanted = log->end + log->buffer_len;
    if (step != 0 && wanted > log->reserved_end) {
        uint64_t target = (wanted / step + 1) * step;
        bool zeros = (log->options.flags & MF_RECLOG_PREWRITE) != 0;
        if ((zeros ? prewrite(log, target) : mf_file_allocate(log->file, target, NULL)) == 0) {
            log->reserved_end = target;
        }
    }
}

static int flush_locked(struct mf_reclog *log, struct mf_errinfo *err)
{
    if (log->buffer_len == 0) {
        return 0;
    }
    if (log->poison != 0) {
        return poisoned(log, err);
    }
    int code = log->tail_dirty ? cut_back(log, err) : 0;
    if (code < 0) {
        return code;
    }
    reserve(log);
    code = mf_file_write(log->file, log->buffer, log->buffer_len, log->end, err);
    if (code == 0) {
        consume(log, log->buffer_len);
        return 0;
    }
    log->tail_dirty = true;
    size_t whole = written_anyway(log);
    if (whole != 0) {
        consume(log, whole);
    }
    (void)cut_back(log, NULL); /* tried again before the next write */
    return code;
}

/* Makes room for a record of `total` bytes at the end of the buffer. */
static int make_room(struct mf_reclog *log, size_t total, struct mf_errinfo *err)
{
    if (log->buffer_len != 0 && log->buffer_len + total > log->options.buffer_bytes) {
        int code = flush_locked(log, err);
        if (code < 0) {
            return code;
        }
    }
    size_t wanted = log->buffer_len + total;
    if (wanted > log->buffer_capacity) {
        size_t capacity = wanted > log->options.buffer_bytes ? wanted : log->options.buffer_bytes;
        uint8_t *buffer = mf_realloc(log->buffer, capacity);
        if (buffer == NULL) {
            return mf_fail_os(err, -ENOMEM, "cannot append %zu bytes to %.200s", total,
                              mf_file_path(log->file));
        }
        log->buffer = buffer;
        log->buffer_capacity = capacity;
    }
    return 0;
}

/* Puts a frame around the payload that stands at the end of the buffer, behind room for the frame.
 */
static void add_frame(struct mf_reclog *log, uint8_t type, uint8_t flags, size_t len)
{
    struct reclog_frame frame = {
        .previous_crc = log->last_crc,
        .len = (uint32_t)len,
        .type = type,
        .flags = flags,
        .seq = flags == RECLOG_FLAG_MARK ? log->next_seq - 1 : log->next_seq,
        .durable_seq = log->durable_seq,
    };
    mf__reclog_frame_put(log->buffer + log->buffer_len, log->header.crc, &frame);
    log->buffer_len += mf__reclog_total(frame.len);
    log->next_seq = frame.seq + 1;
    log->last_crc = frame.crc;
    log->attested_seq = frame.durable_seq;
}

static int64_t now_ns(void)
{
    return mf_clock_monotonic_ns(NULL); /* what conditions wait by */
}

/* Starts the clocks of the delays for a record that was just added. */
static void note_waiting(struct mf_reclog *log)
{
    bool wake = false;
    if (log->waiting_since_ns == 0 && log->buffer_len != 0 && log->options.flush_delay_ns > 0) {
        log->waiting_since_ns = now_ns();
        wake = true;
    }
    if (log->unsynced_since_ns == 0 && log->options.durability == MF_RECLOG_INTERVAL) {
        log->unsynced_since_ns = now_ns();
        wake = true;
    }
    if (wake) {
        mf_condition_signal(&log->work);
    }
}

/* ---- sync ---- */

/* The part of a sync that runs without the lock. */
static int sync_file(struct mf_reclog *log, uint64_t records, struct mf_errinfo *err)
{
    int64_t begin = now_ns();
    int code = mf__reclog_rewrite(log, err);
    if (code == 0) {
        code = mf_file_sync(log->file, err);
    }
    if (code == 0 && log->observer.duration != NULL) {
        log->observer.duration(log->observer.context, "reclog.sync", (uint64_t)(now_ns() - begin));
    }
    if (code == 0) {
        observe_count(log, "reclog.synced_records", records);
    }
    return code;
}

/* Leads one sync of everything appended so far. A record that cannot be written does not keep the
 * ones before it from being synced. */
static int lead_sync(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err)
{
    int code = flush_locked(log, err);
    if (code < 0 && log->flushed_seq < seq) {
        return code;
    }
    uint64_t target = log->flushed_seq;
    uint64_t records = target - log->durable_seq;
    log->syncing = true;
    mf_mutex_unlock(&log->lock);
    code = sync_file(log, records, err);
    mf_mutex_lock(&log->lock);
    log->syncing = false;
    if (code == 0) {
        log->durable_seq = target;
        log->syncs++;
        log->unsynced_since_ns = log->next_seq - 1 > target ? now_ns() : 0;
    } else {
        log->poison = code;
        code = poisoned(log, err);
    }
    mf_condition_broadcast(&log->synced);
    return code;
}

static int sync_locked(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err)
{
    int code = 0;
    seq = seq < log->next_seq ? seq : log->next_seq - 1;
    while (code == 0 && log->durable_seq < seq) {
        if (log->poison != 0) {
            code = poisoned(log, err);
        } else if (log->syncing) {
            mf_condition_wait(&log->synced, &log->lock);
        } else {
            code = lead_sync(log, seq, err);
        }
    }
    return code;
}

/* The log's own thread: sees to the delays. */
static void *run_delays(void *context)
{
    struct mf_reclog *log = context;
    int64_t flush_not_before = 0;
    mf_mutex_lock(&log->lock);
    while (!log->stopping) {
        int64_t flush_at = INT64_MAX;
        int64_t sync_at = INT64_MAX;
        if (log->waiting_since_ns != 0 && log->poison == 0) {
            flush_at = log->waiting_since_ns + log->options.flush_delay_ns;
            flush_at = flush_at > flush_not_before ? flush_at : flush_not_before;
        }
        if (log->unsynced_since_ns != 0 && log->poison == 0) {
            sync_at = log->unsynced_since_ns + log->options.sync_interval_ns;
            sync_at = sync_at > flush_not_before ? sync_at : flush_not_before;
        }
        int64_t next = flush_at < sync_at ? flush_at : sync_at;
        int code = 0;
        if (next == INT64_MAX) {
            mf_condition_wait(&log->work, &log->lock);
        } else if (now_ns() < next) {
            (void)mf_condition_wait_until(&log->work, &log->lock, next);
        } else if (sync_at == next) {
            code = sync_locked(log, MF_RECLOG_ALL, NULL);
        } else {
            code = flush_locked(log, NULL);
        }
        if (code < 0) { /* the caller is told by the next call that cannot do without */
            flush_not_before = now_ns() + RETRY_NS_MIN;
        }
    }
    mf_mutex_unlock(&log->lock);
    return NULL;
}

/* ---- the API ---- */

static int check_options(const char *path, struct mf_reclog_options *options,
                         struct mf_errinfo *err)
{
    if (options->size != sizeof *options || options->reserved[0] != 0 ||
        options->reserved[1] != 0 || options->reserved[2] != 0) {
        return mf_fail(err, MF_EVALUE,
                       "cannot open %.200s: start the options from MF_RECLOG_OPTIONS_INIT", path);
    }
    if ((unsigned)options->durability > MF_RECLOG_SYNC || options->flush_delay_ns < 0 ||
        options->sync_interval_ns < 0 || options->buffer_bytes > MF_RECLOG_PAYLOAD_MAX ||
        options->first_seq > INT64_MAX ||
        (options->flags & ~(uint64_t)(MF_RECLOG_PREWRITE | MF_RECLOG_PROVE)) != 0) {
        return mf_fail(err, MF_EVALUE,
                       "cannot open %.160s: bad options (durability %u, flush delay %" PRId64
                       " ns, sync interval %" PRId64 " ns, buffer %" PRIu32 " bytes, first %" PRIu64
                       ", flags %" PRIu64 ")",
                       path, (unsigned)options->durability, options->flush_delay_ns,
                       options->sync_interval_ns, options->buffer_bytes, options->first_seq,
                       options->flags);
    }
    options->buffer_bytes =
        options->buffer_bytes != 0 ? options->buffer_bytes : BUFFER_BYTES_DEFAULT;
    options->first_seq = options->first_seq != 0 ? options->first_seq : 1;
    if (options->sync_interval_ns == 0) {
        options->sync_interval_ns = SYNC_INTERVAL_NS_DEFAULT;
    }
    bool delays =
        options->durability == MF_RECLOG_PAGE || options->durability == MF_RECLOG_INTERVAL;
    options->flush_delay_ns = delays ? options->flush_delay_ns : 0;
    return 0;
}

static void log_free(struct mf_reclog *log)
{
    mf_condition_fini(&log->work);
    mf_condition_fini(&log->synced);
    mf_mutex_fini(&log->lock);
    mf_file_close(log->file);
    mf_free(log->buffer);
    mf_free(log);
}

int mf_reclog_open(const char *path, const struct mf_reclog_options *options,
                   const struct mf_env *env, struct mf_reclog **ret_log, struct mf_errinfo *err)
{
    struct mf_reclog_options filled = MF_RECLOG_OPTIONS_INIT;
    filled = options != NULL ? *options : filled;
    int code = check_options(path, &filled, err);
    if (code < 0) {
        return code;
    }
    struct mf_reclog *log = mf_calloc(1, sizeof *log);
    if (log == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot open %.200s", path);
    }
    log->options = filled;
    if (env != NULL && env->observer != NULL) {
        log->observer = *env->observer;
    }
    log->write_through = filled.durability != MF_RECLOG_NONE && filled.flush_delay_ns == 0;
    mf_mutex_init(&log->lock);
    mf_condition_init(&log->synced);
    mf_condition_init(&log->work);
    code = mf__reclog_load(log, path, env, err);
    bool durable = filled.durability == MF_RECLOG_SYNC || filled.durability == MF_RECLOG_INTERVAL;
    durable = durable || (filled.flags & MF_RECLOG_PROVE) != 0;
    if (code == 0 && durable && !log->recovery.created) {
        mf_mutex_lock(&log->lock);
        code = lead_sync(log, log->next_seq - 1, err);
        mf_mutex_unlock(&log->lock);
    }
    if (code == 0 && (filled.durability == MF_RECLOG_INTERVAL || filled.flush_delay_ns > 0)) {
        code = mf_thread_start(&log->thread, "mf-reclog", run_delays, log, err);
        log->has_thread = code == 0;
    }
    if (code < 0) {
        log_free(log);
        return code;
    }
    if (log->recovery.cut_bytes != 0) {
        observe_count(log, "reclog.cut_bytes", log->recovery.cut_bytes);
    }
    *ret_log = log;
    return 0;
}

/* Takes back the record that was added last, unless it is in the file. */
static bool take_back(struct mf_reclog *log, uint64_t seq, size_t total, uint32_t crc_before,
                      uint64_t attested_before)
{
    if (log->flushed_seq >= seq) {
        return false;
    }
    log->buffer_len -= total;
    log->next_seq = seq;
    log->last_crc = crc_before;
    log->attested_seq = attested_before;
    return true;
}

static int append_locked(struct mf_reclog *log, uint8_t type, const struct mf_reclog_part *parts,
                         size_t count, size_t len, uint64_t *ret_seq, struct mf_errinfo *err)
{
    if (log->poison != 0) {
        return poisoned(log, err);
    }
    size_t total = mf__reclog_total((uint32_t)len);
    int code = make_room(log, total, err);
    if (code < 0) {
        return code;
    }
    uint8_t *out = log->buffer + log->buffer_len + RECLOG_FRAME_LEN;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len != 0) {
            memcpy(out, parts[i].bytes, parts[i].len);
            out += parts[i].len;
        }
    }
    uint64_t seq = log->next_seq;
    uint32_t crc_before = log->last_crc;
    uint64_t attested_before = log->attested_seq;
    add_frame(log, type, 0, len);
    if (log->write_through || log->buffer_len > log->options.buffer_bytes) {
        code = flush_locked(log, err);
        if (code < 0 && take_back(log, seq, total, crc_before, attested_before)) {
            return code;
        }
    }
    note_waiting(log);
    *ret_seq = seq;
    return log->options.durability == MF_RECLOG_SYNC ? sync_locked(log, seq, err) : 0;
}

int mf_reclog_append_parts(struct mf_reclog *log, uint8_t type, const struct mf_reclog_part *parts,
                           size_t count, uint64_t *ret_seq, struct mf_errinfo *err)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > MF_RECLOG_PAYLOAD_MAX - len) {
            return mf_fail(err, MF_ELIMIT,
                           "cannot append to %.200s: a record holds at most %u bytes; split it",
                           mf_file_path(log->file), MF_RECLOG_PAYLOAD_MAX);
        }
        len += parts[i].len;
    }
    uint64_t seq = 0;
    mf_mutex_lock(&log->lock);
    int code = append_locked(log, type, parts, count, len, &seq, err);
    mf_mutex_unlock(&log->lock);
    if (code == 0 && ret_seq != NULL) {
        *ret_seq = seq;
    }
    return code;
}

int mf_reclog_append(struct mf_reclog *log, uint8_t type, const void *payload, size_t len,
                     uint64_t *ret_seq, struct mf_errinfo *err)
{
    struct mf_reclog_part part = {payload, len};
    return mf_reclog_append_parts(log, type, &part, 1, ret_seq, err);
}

int mf_reclog_flush(struct mf_reclog *log, struct mf_errinfo *err)
{
    mf_mutex_lock(&log->lock);
    int code = log->poison != 0 ? poisoned(log, err) : flush_locked(log, err);
    mf_mutex_unlock(&log->lock);
    return code;
}

int mf_reclog_sync(struct mf_reclog *log, uint64_t seq, struct mf_errinfo *err)
{
    mf_mutex_lock(&log->lock);
    int code = sync_locked(log, seq, err);
    mf_mutex_unlock(&log->lock);
    return code;
}

static int discard_locked(struct mf_reclog *log, struct mf_errinfo *err)
{
    while (log->syncing) {
        mf_condition_wait(&log->synced, &log->lock);
    }
    if (log->poison != 0) {
        return poisoned(log, err);
    }
    struct reclog_frame first;
    if (log->buffer_len != 0) {
        MF_ASSERT(mf__reclog_frame_get(log->buffer, &first));
        log->last_crc = first.previous_crc;
        log->next_seq = log->flushed_seq + 1;
        log->buffer_len = 0;
        log->attested_seq = 0; /* no longer known; a mark more does no harm */
        log->waiting_since_ns = 0;
    }
    int code = log->tail_dirty ? cut_back(log, err) : 0;
    return code == 0 ? lead_sync(log, log->flushed_seq, err) : code;
}

int mf_reclog_discard(struct mf_reclog *log, struct mf_errinfo *err)
{
    mf_mutex_lock(&log->lock);
    int code = discard_locked(log, err);
    mf_mutex_unlock(&log->lock);
    return code;
}

void mf_reclog_info(struct mf_reclog *log, struct mf_reclog_info *ret_info)
{
    mf_mutex_lock(&log->lock);
    *ret_info = log->recovery;
    ret_info->kind = log->header.kind;
    ret_info->poisoned = log->poison != 0;
    ret_info->first_seq = log->header.first_seq;
    ret_info->last_seq = log->next_seq - 1;
    ret_info->flushed_seq = log->flushed_seq;
    ret_info->durable_seq = log->durable_seq;
    ret_info->size_bytes = log->end + log->buffer_len;
    ret_info->syncs = log->syncs;
    ret_info->created_wall_ns = log->header.created_wall_ns;
    mf_mutex_unlock(&log->lock);
}

/* The mark that closes a log whose records are all durable. It is an extra: when it cannot be
 * written the log is as good without it. */
static void write_mark(struct mf_reclog *log)
{
    if (log->poison == 0 && log->durable_seq == log->next_seq - 1 &&
        log->attested_seq < log->durable_seq && make_room(log, RECLOG_FRAME_LEN, NULL) == 0) {
        add_frame(log, 0, RECLOG_FLAG_MARK, 0);
        if (flush_locked(log, NULL) < 0) {
            log->buffer_len = 0;
        }
    }
}

static int close_locked(struct mf_reclog *log, struct mf_errinfo *err)
{
    bool durable =
        log->options.durability == MF_RECLOG_SYNC || log->options.durability == MF_RECLOG_INTERVAL;
    int code = log->poison != 0 ? poisoned(log, err) : flush_locked(log, err);
    if (code == 0 && durable) {
        code = sync_locked(log, MF_RECLOG_ALL, err);
    }
    if (log->flushed_seq + 1 < log->next_seq) {
        struct mf_errinfo reason = err != NULL ? *err : (struct mf_errinfo){code, ""};
        (void)mf_fail(err, code, "%" PRIu64 " records of %.100s were lost at close: %.200s",
                      log->next_seq - 1 - log->flushed_seq, mf_file_path(log->file), reason.msg);
    }
    if (code == 0) {
        write_mark(log);
    }
    bool stays = (log->options.flags & MF_RECLOG_PREWRITE) != 0;
    if (log->tail_dirty || (log->reserved_end > log->end && !stays)) {
        (void)cut_back(log, NULL); /* the next open does it otherwise */
    }
    return code;
}

int mf_reclog_close(struct mf_reclog *log, struct mf_errinfo *err)
{
    if (log == NULL) {
        return 0;
    }
    mf_mutex_lock(&log->lock);
    log->stopping = true;
    mf_condition_signal(&log->work);
    mf_mutex_unlock(&log->lock);
    if (log->has_thread) {
        (void)mf_thread_join(&log->thread);
    }
    mf_mutex_lock(&log->lock);
    int code = close_locked(log, err);
    mf_mutex_unlock(&log->lock);
    log_free(log);
    return code;
}
