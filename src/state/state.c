/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c -- an ordered key-value state with atomic, durable, provable commits: the store as a
 * whole. The parts: state_tx.c (transactions), state_commit.c (the write path), wal.c and
 * wal_follower.c (the log), state_checkpoint.c and checkpoint_file.c, state_history.c,
 * state_recover.c, state_reader.c; tree.c and merkle_log.c for the two authenticated structures.
 *
 * Files (docs/formats.md has the bytes)
 *   store                what it is: id, version, where the log lies. Written last when a store is
 *                        made, so that a directory without it is no store
 *   lock                 held by the writer
 *   wal-<first>          the log: one record (reclog) for each commit
 *   checkpoint-<commit>  the whole state after that commit; the two newest are kept
 *   history-<first>      of each commit for ever: number, time, root, hash of its changes, note
 *   nodes                the Merkle tree over all commits, so that a proof is a few reads
 *
 * Validity
 *   Every record carries its CRC-32C, seeded with a salt of its file, and that of the record before
 *   it; its number is the one before plus one; and it says what was durable when it was made. Every
 *   commit carries the hash of its changes, the root of the state after it, and the root of the
 *   log of commits that ends with it. A checkpoint is used only if its entries give its root.
 *
 * Write path
 *   Under the lock: what the transaction relied on is compared with the head (the state with all
 *   that is in the log), its changes go into a version of the tree that shares all else with the
 *   head, the record goes into the log's buffer, the version becomes the head. Then the thread
 *   waits for a sync: if none is running it leads one for all that are waiting (one write, one
 *   fdatasync), otherwise the one after that covers it. Only then the version becomes visible and
 *   the commit is acknowledged, in the order of the numbers. A commit costs what it changes times
 *   the depth of the tree, whatever the size of the state. The files of the log are written with
 *   zeros ahead, since a sync of blocks that are in use already is the cheapest there is.
 *
 * Conflicts
 *   Optimistic: a transaction works on the visible state of its beginning and notes what it read:
 *   keys, and ranges as far as its cursors came. At commit the same reads are made on the head; if
 *   any gives something else, the commit is refused. So commits are serialisable in the order of
 *   their numbers. Reads see durable state only (in RELAXED: what is in the page cache).
 *
 * What fails
 *   The log cannot be written (disk full): what did not get into the file is taken back, the file
 * is cut and the cut is synced; these commits are ABORTED and no crash brings them back. A sync
 *   fails: Linux forgets what it could not write, so nothing is tried again: the commits in it are
 *   INDETERMINATE, the handle is poisoned, reads go on. Opening again decides: it forgets what
 * memory shows of the log, reads the disk, and what it finds it writes anew and syncs before
 * anything else.
 *
 * Checkpoints
 *   Due when the log since the last one reaches half of its bounds. The log is synced, the history
 *   and the nodes are extended and synced, the checkpoint is written under another name, synced,
 *   renamed, the directory is synced. Only then go the checkpoint before the one before, and the
 *   log up to the one before: whatever is wrong with the newest, the one before and the log since
 *   are there. Commits go on meanwhile: a version is a pointer.
 *
 * Recovery
 *   The newest checkpoint that is good, then every commit of the log after it: redo, so opening is
 *   idempotent. A record that is incomplete at the end of the log, behind which nothing attests
 * that it was durable, is the torn end of a crash: it is cut off, reported, and noted in the log as
 * an audit commit. Anything else that is not whole or not there (below a number that a later
 * record, a later file, a checkpoint or the history attests) is damage: the store is not opened,
 * nothing is changed. SALVAGE opens it for reading with what is whole up to the first damage. At
 * the end the root is computed anew and compared with that of the last commit.
 *
 * Concurrency
 *   `lock` guards the head and the queue of commits; it is not held during a sync. `visible_lock`
 *   guards the visible version only, so that reading never waits for a commit. Versions are shared
 *   by reference counts. One thread writes a checkpoint at a time. Other processes read the files
 *   without any lock and follow the log (state_reader.c).
 *
 * Limits
 *   The state is held in memory: keys, values and some 140 bytes for each. Keys of 1 .. 4096 bytes,
 *   values up to 16 MiB, a commit up to 63 MiB, 2^47 commits. The history and the nodes grow by
 *   about 200 bytes with each commit and are never cut.
 */
#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/random.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define WAL_BYTES_DEFAULT   (UINT64_C(100) * 1000 * 1000)
#define WAL_BYTES_MIN       (64u << 10)
#define WAL_FILES_DEFAULT   10u
#define WAL_FILES_MIN       4u
#define MAX_DELAY_DEFAULT   MF_NS_PER_MS
#define LOSS_WINDOW_DEFAULT MF_NS_PER_SECOND
#define IDLE_NS             (10 * MF_NS_PER_SECOND) /* of the thread, which is woken */
#define FLAGS_ALL                                                                                  \
    (MF_STATE_CREATE | MF_STATE_EXCLUSIVE | MF_STATE_READ_ONLY | MF_STATE_SALVAGE |                \
     MF_STATE_BACKGROUND)

/* --- opening --- */

static int check_options(const char *path, struct mf_state_options *options, struct mf_errinfo *err)
{
    if (options->size != sizeof *options || options->reserved[0] != 0 ||
        options->reserved[1] != 0 || options->reserved[2] != 0 || options->reserved[3] != 0) {
        return mf_fail(err, MF_EVALUE,
                       "cannot open %.200s: start the options from MF_STATE_OPTIONS_INIT", path);
    }
    if ((options->flags & MF_STATE_SALVAGE) != 0) {
        options->flags |= MF_STATE_READ_ONLY;
    }
    bool read_only = (options->flags & MF_STATE_READ_ONLY) != 0;
    bool writes =
        (options->flags & (MF_STATE_CREATE | MF_STATE_EXCLUSIVE | MF_STATE_BACKGROUND)) != 0;
    if ((options->flags & ~(uint32_t)FLAGS_ALL) != 0 || (read_only && writes)) {
        return mf_fail(err, MF_EVALUE, "cannot open %.200s: flags %" PRIu32 " do not go together",
                       path, options->flags);
    }
    if ((unsigned)options->mode > MF_STATE_RELAXED || options->max_delay_ns < 0 ||
        options->loss_window_ns < 0 ||
        (options->wal_bytes_max != 0 && options->wal_bytes_max < WAL_BYTES_MIN) ||
        (options->wal_files_max != 0 && options->wal_files_max < WAL_FILES_MIN)) {
        return mf_fail(err, MF_EVALUE,
                       "cannot open %.160s: bad options (mode %u, delay %" PRId64
                       " ns, loss window %" PRId64 " ns, log of %" PRIu64 " bytes in %" PRIu32
                       " files)",
                       path, (unsigned)options->mode, options->max_delay_ns,
                       options->loss_window_ns, options->wal_bytes_max, options->wal_files_max);
    }
    return 0;
}

static void fill(struct mf_state *state, const struct mf_state_options *options,
                 const struct mf_env *env)
{
    state->flags = options->flags;
    state->mode = options->mode;
    state->wal_bytes_max = options->wal_bytes_max != 0 ? options->wal_bytes_max : WAL_BYTES_DEFAULT;
    state->wal_files_max = options->wal_files_max != 0 ? options->wal_files_max : WAL_FILES_DEFAULT;
    state->max_delay_ns = options->max_delay_ns != 0 ? options->max_delay_ns : MAX_DELAY_DEFAULT;
    state->loss_window_ns =
        options->loss_window_ns != 0 ? options->loss_window_ns : LOSS_WINDOW_DEFAULT;
    state->clock = *(env != NULL && env->clock != NULL ? env->clock : mf_clock_real());
    if (env != NULL && env->observer != NULL) {
        state->observer = *env->observer;
    }
    /* The files below observe nothing of their own. */
    state->env = (struct mf_env){.fs = env != NULL ? env->fs : NULL, .clock = &state->clock};
}

static int take_lock(struct mf_state *state, struct mf_errinfo *err)
{
    char *path = mf__store_join(state->path, STORE_LOCK);
    int code = path != NULL
                   ? mf_file_open(state->env.fs, path,
                                  MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE | MF_OPEN_NOFOLLOW,
                                  &state->lock_file, err)
                   : mf_fail_os(err, -ENOMEM, "cannot lock %.200s", state->path);
    mf_free(path);
    return code == 0 ? mf_file_lock(state->lock_file, err) : code;
}

static int read_identity(struct mf_state *state, struct mf_errinfo *err)
{
    char *path = mf__store_join(state->path, STORE_IDENTITY);
    int code = path != NULL ? mf__store_identity_read(state->env.fs, path, &state->identity, err)
                            : mf_fail_os(err, -ENOMEM, "cannot open %.200s", state->path);
    mf_free(path);
    return code;
}

/* Where the log lies. */
static int choose_wal_path(struct mf_state *state, const char *given, struct mf_errinfo *err)
{
    const char *path = given != NULL ? given : state->identity.wal_path;
    if (path == NULL || path[0] == '\0') {
        state->wal_path = mf_strdup(state->path);
    } else {
        state->wal_path = path[0] == '/' ? mf_strdup(path) : mf__store_join(state->path, path);
    }
    if (state->wal_path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot open %.200s", state->path);
    }
    state->kind = mf__store_kind(&state->identity);
    state->wal = (struct wal){
        .env = state->env,
        .directory = state->wal_path,
        .kind = state->kind,
        .segment_bytes = state->wal_bytes_max / state->wal_files_max,
    };
    return 0;
}

static int open_writing(struct mf_state *state, const struct mf_state_options *options,
                        struct mf_errinfo *err)
{
    bool creating = (options->flags & MF_STATE_CREATE) != 0;
    struct mf_errinfo absent = {0, ""};
    int code = read_identity(state, &absent);
    if (code == -ENOENT && !creating) {
        return mf_fail(err, -ENOENT,
                       "%.200s holds no state; check the path, or ask for it to be created",
                       state->path);
    }
    if (code == -ENOENT) {
        code = mf__store_make_directory(state->env.fs, state->path, err);
    } else if (code < 0) {
        return mf_fail(err, code, "%s", absent.msg);
    }
    if (code == 0) {
        code = take_lock(state, err);
    }
    bool exists = state->identity.wal_path != NULL;
    if (code == 0 && !exists) {
        code = read_identity(state, &absent); /* somebody may have made it before the lock */
        exists = code == 0;
        code = code == -ENOENT ? 0 : code < 0 ? mf_fail(err, code, "%s", absent.msg) : 0;
    }
    if (code == 0 && exists && (options->flags & MF_STATE_EXCLUSIVE) != 0) {
        code = mf_fail(err, MF_EEXISTS, "%.200s holds a state already; choose another path",
                       state->path);
    }
    if (code == 0 && !exists) {
        return mf__state_create(state, options, err);
    }
    if (code == 0) {
        code = choose_wal_path(state, options->wal_path, err);
    }
    if (code == 0) {
        code = mf__store_remove_temporaries(state->env.fs, state->path,
                                            &state->report.temporary_files, err);
    }
    if (code == 0 && strcmp(state->path, state->wal_path) != 0) {
        code = mf__store_remove_temporaries(state->env.fs, state->wal_path,
                                            &state->report.temporary_files, err);
    }
    return code == 0 ? mf__state_recover(state, err) : code;
}

/* What an interrupted creation left is removed; anything more is not ours to remove. */
static int clear_remains(struct mf_state *state, struct mf_errinfo *err)
{
    struct store_numbers checkpoints = {NULL, 0};
    struct store_numbers segments = {NULL, 0};
    struct store_numbers history = {NULL, 0};
    const struct mf_fs *fs = state->env.fs;
    int code = mf__store_list(fs, state->path, STORE_CHECKPOINT, &checkpoints, err);
    if (code == 0) {
        code = mf__store_list(fs, state->wal_path, STORE_WAL, &segments, err);
    }
    if (code == 0) {
        code = mf__store_list(fs, state->path, STORE_HISTORY, &history, err);
    }
    bool used = checkpoints.count != 0 || history.count != 0 || segments.count > 1 ||
                (segments.count == 1 && segments.numbers[0] != 1);
    if (code == 0 && segments.count == 1 && !used) {
        struct wal_follower follower;
        struct commit commit;
        mf__follower_init(&follower, &state->env, state->wal_path, 0, 1);
        int found = mf__follower_next(&follower, &commit, NULL);
        found = found == 1 ? mf__follower_next(&follower, &commit, NULL) : found;
        used = found == 1; /* more than the first record, which creation writes */
        mf__follower_fini(&follower);
    }
    if (code == 0 && used) {
        code = mf_fail(err, MF_EMISMATCH,
                       "%.160s has files of a state, but its file \"" STORE_IDENTITY
                       "\" is missing; restore that from a copy, open it for salvage, or choose "
                       "another path",
                       state->path);
    }
    for (int i = 0; code == 0 && i < 2; i++) {
        char *path = i == 0 ? mf__store_path(state->wal_path, STORE_WAL, 1, NULL)
                            : mf__store_join(state->path, STORE_NODES);
        code =
            path != NULL ? mf_fs_unlink(fs, path, err) : mf_fail_os(err, -ENOMEM, "cannot create");
        code = code == -ENOENT ? 0 : code;
        mf_free(path);
    }
    mf_free(checkpoints.numbers);
    mf_free(segments.numbers);
    mf_free(history.numbers);
    return code;
}

static int make_identity(struct mf_state *state, const char *wal_path, struct mf_errinfo *err)
{
    state->identity.version = STORE_VERSION;
    state->identity.created_wall_ns = mf_clock_wall_ns(&state->clock);
    state->identity.wal_path = mf_strdup(wal_path != NULL ? wal_path : "");
    if (state->identity.wal_path == NULL) {
        return mf_fail_os(err, -ENOMEM, "cannot create %.200s", state->path);
    }
    return mf_random_bytes(state->identity.id, sizeof state->identity.id, err);
}

int mf__state_create(struct mf_state *state, const struct mf_state_options *options,
                     struct mf_errinfo *err)
{
    int code = make_identity(state, options->wal_path, err);
    if (code == 0) {
        code = choose_wal_path(state, NULL, err);
    }
    if (code == 0) {
        code = mf__store_make_directory(state->env.fs, state->wal_path, err);
    }
    if (code == 0) {
        code = clear_remains(state, err);
    }
    if (code == 0) {
        code = mf__wal_open(&state->wal, 1, 0, err);
    }
    if (code == 0) {
        code = mf__state_recover_empty(state, err);
    }
    uint64_t seq = 0;
    if (code == 0) {
        code = mf__state_audit(state, &seq, err, "created");
    }
    if (code == 0) {
        code = mf_state_sync(state, seq, err); /* RELAXED would not have */
    }
    char *path = code == 0 ? mf__store_join(state->path, STORE_IDENTITY) : NULL;
    if (code == 0) {
        code = path != NULL ? mf__store_identity_write(state->env.fs, path, &state->identity, err)
                            : mf_fail_os(err, -ENOMEM, "cannot create %.200s", state->path);
    }
    mf_free(path);
    state->report.created = true;
    state->report.clean = true;
    state->report.root_verified = true;
    state->report.seq = seq;
    return code;
}

static int open_reading(struct mf_state *state, const struct mf_state_options *options,
                        struct mf_errinfo *err)
{
    int code = read_identity(state, err);
    if (code == -ENOENT && (options->flags & MF_STATE_SALVAGE) == 0) {
        return mf_fail(err, -ENOENT, "%.200s holds no state; check the path", state->path);
    }
    bool damaged = code == -ENOENT || code == MF_ECORRUPT || code == MF_EFORMAT;
    if (damaged && (options->flags & MF_STATE_SALVAGE) != 0) {
        code = 0; /* then the files are taken as they are */
    }
    if (code == 0) {
        code = choose_wal_path(state, options->wal_path, err);
        state->kind = damaged ? 0 : state->kind;
    }
    return code == 0 ? mf__state_read(state, err) : code;
}

static void *run(void *context);

static void state_free(struct mf_state *state)
{
    mf__follower_fini(&state->follower);
    mf__merkle_log_close(state->nodes);
    mf__version_release(&state->head);
    mf__version_release(&state->visible);
    mf_file_close(state->lock_file);
    mf_mutex_fini(&state->refresh_lock);
    mf_mutex_fini(&state->visible_lock);
    mf_condition_fini(&state->work);
    mf_condition_fini(&state->changed);
    mf_mutex_fini(&state->lock);
    mf_free(state->identity.wal_path);
    mf_free(state->wal_path);
    mf_free(state->path);
    mf_free(state);
}

int mf_state_open(const char *path, const struct mf_state_options *options,
                  const struct mf_env *env, struct mf_state **ret_state, struct mf_errinfo *err)
{
    struct mf_state_options filled = MF_STATE_OPTIONS_INIT;
    filled = options != NULL ? *options : filled;
    int code = check_options(path, &filled, err);
    if (code < 0) {
        return code;
    }
    struct mf_state *state = mf_calloc(1, sizeof *state);
    char *copy = mf_strdup(path);
    if (state == NULL || copy == NULL) {
        mf_free(state);
        mf_free(copy);
        return mf_fail_os(err, -ENOMEM, "cannot open %.200s", path);
    }
    state->path = copy;
    fill(state, &filled, env);
    mf_mutex_init(&state->lock);
    mf_mutex_init(&state->visible_lock);
    mf_mutex_init(&state->refresh_lock);
    mf_condition_init(&state->changed);
    mf_condition_init(&state->work);
    int64_t begin = mf_clock_monotonic_ns(&state->clock);
    bool reads = (filled.flags & MF_STATE_READ_ONLY) != 0;
    code = reads ? open_reading(state, &filled, err) : open_writing(state, &filled, err);
    state->report.duration_ns = mf_clock_monotonic_ns(&state->clock) - begin;
    if (code == 0 && (filled.flags & MF_STATE_BACKGROUND) != 0) {
        code = mf_thread_start(&state->thread, "mf-state", run, state, err);
        state->has_thread = code == 0;
    }
    if (code < 0) {
        (void)mf_reclog_close(state->history, NULL);
        (void)mf__wal_close(&state->wal, NULL);
        state_free(state);
        return code;
    }
    *ret_state = state;
    return 0;
}

/* --- closing --- */

int mf_state_close(struct mf_state *state, struct mf_errinfo *err)
{
    if (state == NULL) {
        return 0;
    }
    mf_mutex_lock(&state->lock);
    state->stopping = true;
    mf_condition_broadcast(&state->work);
    mf_condition_broadcast(&state->changed);
    mf_mutex_unlock(&state->lock);
    if (state->has_thread) {
        (void)mf_thread_join(&state->thread);
    }
    int code = 0;
    if ((state->flags & MF_STATE_READ_ONLY) == 0) {
        code = state->poison != 0 ? mf__state_poisoned(state, err)
                                  : mf_state_sync(state, UINT64_MAX, err);
        (void)mf_reclog_close(state->history, NULL); /* what counts of it is on disk */
        MF_KEEP_FIRST(code, mf__wal_close(&state->wal, code == 0 ? err : NULL));
    }
    state_free(state);
    return code;
}

/* --- looking --- */

void mf_state_info(struct mf_state *state, struct mf_state_info *ret_info)
{
    struct mf_state_info info = {.flags = state->flags, .mode = state->mode};
    memcpy(info.id, state->identity.id, sizeof info.id);
    info.created_wall_ns = state->identity.created_wall_ns;
    mf_mutex_lock(&state->lock);
    info.durable_seq = state->durable_seq;
    info.checkpoint_seq = state->checkpoint_seq;
    info.wal_bytes = mf__wal_bytes(&state->wal);
    info.wal_files = (uint32_t)(state->wal.closed_count + (state->wal.log != NULL));
    info.poisoned = state->poison != 0;
    info.conflicts = state->conflicts;
    info.checkpoint_code = state->checkpoint_code;
    info.syncs = state->wal.syncs;
    if (state->wal.log != NULL) {
        struct mf_reclog_info log;
        mf_reclog_info(state->wal.log, &log);
        info.syncs += log.syncs;
    }
    mf_mutex_unlock(&state->lock);
    mf_mutex_lock(&state->visible_lock);
    info.seq = state->visible.seq;
    info.keys = state->visible.tree.count;
    info.bytes = state->visible.tree.size_bytes;
    memcpy(info.root, state->visible.root, sizeof info.root);
    memcpy(info.log_root, state->visible.log_root, sizeof info.log_root);
    mf_mutex_unlock(&state->visible_lock);
    info.durable_seq = info.durable_seq < info.seq ? info.durable_seq : info.seq;
    *ret_info = info;
}

void mf_state_report(struct mf_state *state, struct mf_state_report *ret_report)
{
    mf_mutex_lock(&state->lock);
    *ret_report = state->report;
    mf_mutex_unlock(&state->lock);
}

/* --- upkeep --- */

/* Whether a file for the log should be made ahead: the current one is half full. Lock held. */
static bool is_spare_wanted(const struct mf_state *state)
{
    return !state->wal.spare_ready && !state->preparing && state->poison == 0 &&
           state->wal.current.bytes >= state->wal.segment_bytes / 2;
}

static int prepare(struct mf_state *state, struct mf_errinfo *err)
{
    mf_mutex_lock(&state->lock);
    bool wanted = is_spare_wanted(state);
    state->preparing = state->preparing || wanted;
    mf_mutex_unlock(&state->lock);
    if (!wanted) {
        return 0;
    }
    int code = mf__wal_prepare(&state->wal, err);
    mf_mutex_lock(&state->lock);
    state->wal.spare_ready = code == 0;
    state->preparing = false;
    mf_mutex_unlock(&state->lock);
    return code;
}

/* How long until something is due. Lock held. */
static int64_t wait_ns(const struct mf_state *state)
{
    if (mf__state_checkpoint_due(state) || is_spare_wanted(state)) {
        return 0;
    }
    if (state->mode == MF_STATE_RELAXED && state->unsynced_since_ns != 0 && state->poison == 0) {
        /* At half of the window, so that the sync has the other half. */
        int64_t left =
            state->unsynced_since_ns + state->loss_window_ns / 2 - mf_clock_monotonic_ns(NULL);
        return left > 0 ? left : 0;
    }
    return IDLE_NS;
}

int mf_state_maintain(struct mf_state *state, int64_t *ret_wait_ns, struct mf_errinfo *err)
{
    if ((state->flags & MF_STATE_READ_ONLY) != 0) {
        return mf_fail(err, MF_EREADONLY, "%.200s is open for reading only", state->path);
    }
    mf_mutex_lock(&state->lock);
    bool sync_due =
        state->mode == MF_STATE_RELAXED && state->unsynced_since_ns != 0 &&
        mf_clock_monotonic_ns(NULL) - state->unsynced_since_ns >= state->loss_window_ns / 2;
    bool checkpoint_due = mf__state_checkpoint_due(state);
    mf_mutex_unlock(&state->lock);
    int code = sync_due ? mf_state_sync(state, UINT64_MAX, err) : 0;
    if (code == 0) {
        code = prepare(state, err);
    }
    if (code == 0 && checkpoint_due) {
        code = mf_state_checkpoint(state, err);
    }
    mf_mutex_lock(&state->lock);
    int64_t wait = wait_ns(state);
    mf_mutex_unlock(&state->lock);
    if (code == 0 && ret_wait_ns != NULL) {
        *ret_wait_ns = wait;
    }
    return code;
}

/* The store's own thread. */
static void *run(void *context)
{
    struct mf_state *state = context;
    mf_mutex_lock(&state->lock);
    while (!state->stopping) {
        int64_t wait = 0;
        mf_mutex_unlock(&state->lock);
        int code = mf_state_maintain(state, &wait, NULL);
        mf_mutex_lock(&state->lock);
        /* After a failure it is not tried at once again; who commits finds out himself. */
        wait = code < 0 ? MF_NS_PER_SECOND : wait;
        if (!state->stopping && wait > 0) {
            (void)mf_condition_wait_until(&state->work, &state->lock,
                                          mf_clock_monotonic_ns(NULL) + wait);
        }
    }
    mf_mutex_unlock(&state->lock);
    return NULL;
}
