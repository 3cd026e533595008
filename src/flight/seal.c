/* SPDX-License-Identifier: Apache-2.0
 *
 * seal.c -- seals flights; see seal.h. seal_manifest.c lists the files, seal_ledger.c keeps the
 * root, seal_verify.c holds a flight against it.
 *
 * What. A root over all files of a flight, kept where the flight is not: in the ledger, a state
 * store, whose own root stands for its whole history.
 *
 * Format. docs/formats.md, section "Seal": seal.json in the flight; flight/ID and removed/ID in the
 * ledger.
 *
 * Validity. A flight is what was sealed when the ledger has a record of its id, seal.json has the
 * SHA-256 that the record says, and the files have the sizes and the SHA-256 that seal.json says,
 * no more and no fewer of them. The checksums of blocks in seal.json only serve to say where
 * something has changed; they cost next to nothing, while the one SHA-256 of each file decides.
 *
 * Write path. The files are read once the recorder has written its last byte; the ledger is taken;
 * seal.json is put in its place whole; the record is committed on condition that there is none.
 * seal.json follows from the files alone, without times, so that whoever comes second writes the
 * same bytes, and finds the record. A record is never changed: a flight that is not what it was
 * cannot be sealed again.
 *
 * Recovery. A crash before the commit leaves a flight without a record, maybe with a seal.json or
 * its temporary file: sealing starts anew. After the commit everything is there, and was durable
 * before it: the recorder syncs the files before it seals.
 *
 * Concurrency. One process at a time has the ledger, for some milliseconds; others wait their turn,
 * up to a limit that the caller sets. Readers wait for nobody.
 *
 * Limits. What was there before the seal is not vouched for: a command may write into its own
 * flight while it runs. Modes, owners and times of files are not sealed. 65,536 files.
 */
#include "seal_ledger.h"
#include "seal_manifest.h"
#include "seal_private.h"

#include "base/fail.h"
#include "base/heap.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct sealing {
    const char *home;
    const char *dir;
    struct mf_flight_info *info;
    struct mf_seal_manifest manifest;
    struct mf_buffer text; /* seal.json */
    struct mf_seal_record record;
    bool fresh;
};

const char *mf__seal_name_in_home(const char *home, const char *dir)
{
    const char *slash = strrchr(dir, '/');
    char *flights = home != NULL ? mf_asprintf("%s/flights", home) : NULL;
    const bool inside = flights != NULL && slash != NULL &&
                        strlen(flights) == (size_t)(slash - dir) &&
                        strncmp(flights, dir, (size_t)(slash - dir)) == 0;
    mf_free(flights);
    return inside ? slash + 1 : NULL;
}

static int check_flight(const struct sealing *sealing, struct mf_errinfo *err)
{
    const struct mf_flight_info *info = sealing->info;
    const char *name = mf__seal_name_in_home(sealing->home, sealing->dir);
    if (info->state == MF_FLIGHT_RUNNING) {
        return mf_fail(err, MF_ELOCKED, "%.200s is being recorded by process %lld", sealing->dir,
                       (long long)info->recorder_pid);
    }
    if (info->state == MF_FLIGHT_DEAD) {
        return mf_fail(err, MF_EVALUE,
                       "the recorder of %.200s is gone; `mayfly recover` completes the flight and "
                       "seals it",
                       sealing->dir);
    }
    if (name != NULL && strcmp(name, info->id) != 0) {
        return mf_fail(err, MF_EMISMATCH, "%.200s is the flight %s under another name",
                       sealing->dir, info->id);
    }
    return 0;
}

static void fill_record(struct sealing *sealing)
{
    const struct mf_flight_info *info = sealing->info;
    struct mf_seal_record *record = &sealing->record;
    snprintf(record->id, sizeof record->id, "%s", info->id);
    memcpy(record->root, sealing->manifest.root, sizeof record->root);
    mf_sha256(sealing->text.data, sealing->text.len, record->seal_sha256);
    snprintf(record->name, sizeof record->name, "%s", info->name);
    snprintf(record->outcome, sizeof record->outcome, "%s", mf_flight_outcome_name(info->outcome));
    record->exit_code = info->exit_code;
    record->started_wall_ns = info->started_wall_ns;
    record->duration_ns = info->duration_ns;
    record->sealed_wall_ns = mf_clock_wall_ns(NULL);
    record->files = sealing->manifest.count;
    record->bytes = sealing->manifest.bytes;
    record->recovered = info->state == MF_FLIGHT_RECOVERED;
}

static int read_flight(struct sealing *sealing, struct mf_errinfo *err)
{
    int rc = mf_flight_info_read(sealing->dir, &sealing->info, err);
    rc = rc == 0 ? check_flight(sealing, err) : rc;
    rc = rc == 0 ? mf__seal_manifest_make(sealing->dir, sealing->info->id, &sealing->manifest, err)
                 : rc;
    if (rc == 0) {
        mf__seal_manifest_write(&sealing->manifest, &sealing->text);
        if (sealing->text.failed) {
            return mf_fail(err, -ENOMEM, "out of memory");
        }
        fill_record(sealing);
    }
    return rc;
}

/* Puts seal.json into its place, unless it is there. */
static int write_list(const struct sealing *sealing, struct mf_errinfo *err)
{
    char *there = NULL;
    size_t len = 0;
    char *path = mf_asprintf("%s/" MF_SEAL_FILE, sealing->dir);
    int rc = path != NULL ? 0 : mf_fail(err, -ENOMEM, "out of memory");
    if (rc == 0 && (mf_fs_read_all(NULL, path, MF_SEAL_LEN_MAX, &there, &len, NULL) < 0 ||
                    len != sealing->text.len || memcmp(there, sealing->text.data, len) != 0)) {
        rc = mf_fs_replace(NULL, path, sealing->text.data, sealing->text.len, err);
    }
    mf_free(there);
    mf_free(path);
    return rc;
}

static int commit(struct sealing *sealing, struct mf_state *ledger, struct mf_errinfo *err)
{
    struct mf_seal_record there;
    int rc = mf__ledger_find(ledger, sealing->record.id, &there, err);
    if (rc < 0) {
        return rc;
    }
    if (rc == 1) {
        if (memcmp(there.root, sealing->record.root, sizeof there.root) != 0 ||
            memcmp(there.seal_sha256, sealing->record.seal_sha256, sizeof there.seal_sha256) != 0) {
            return mf_fail(err, MF_EMISMATCH,
                           "%.200s was sealed and is not what it was then; `mayfly verify` says "
                           "what has changed",
                           sealing->dir);
        }
        sealing->record = there;
        return write_list(sealing, err);
    }
    sealing->fresh = true;
    rc = write_list(sealing, err);
    return rc == 0 ? mf__ledger_put(ledger, &sealing->record, err) : rc;
}

int mf_flight_seal(const char *home, const char *dir, int64_t wait_ns,
                   struct mf_seal_record *ret_record, bool *ret_fresh, struct mf_errinfo *err)
{
    struct sealing sealing = {.home = home, .dir = dir, .text = MF_BUFFER_INIT};
    struct mf_state *ledger = NULL;
    int rc = read_flight(&sealing, err);
    rc = rc == 0 ? mf__ledger_open(home, wait_ns, &ledger, err) : rc;
    if (rc == 0) {
        rc = commit(&sealing, ledger, err);
        MF_KEEP_FIRST(rc, mf_state_close(ledger, rc == 0 ? err : NULL));
    }
    if (rc == 0) {
        if (ret_record != NULL) {
            *ret_record = sealing.record;
        }
        if (ret_fresh != NULL) {
            *ret_fresh = sealing.fresh;
        }
    }
    mf_flight_info_free(sealing.info);
    mf__seal_manifest_free(&sealing.manifest);
    mf_buffer_free(&sealing.text);
    return rc;
}

int mf_flight_seal_read(const char *dir, struct mf_seal_record *ret_record, struct mf_errinfo *err)
{
    struct mf_seal_manifest manifest;
    char *text = NULL;
    size_t len = 0;
    char *path = mf_asprintf("%s/" MF_SEAL_FILE, dir);
    int rc = path != NULL ? mf_fs_read_all(NULL, path, MF_SEAL_LEN_MAX, &text, &len, err)
                          : mf_fail(err, -ENOMEM, "out of memory");
    if (rc == 0) {
        rc = mf__seal_manifest_parse(text, len, path, &manifest, err);
    }
    if (rc == 0) {
        *ret_record = (struct mf_seal_record){.files = manifest.count, .bytes = manifest.bytes};
        memcpy(ret_record->id, manifest.id, sizeof ret_record->id);
        memcpy(ret_record->root, manifest.root, sizeof ret_record->root);
        mf__seal_manifest_free(&manifest);
    }
    mf_free(text);
    mf_free(path);
    return rc == -ENOENT ? 0 : rc < 0 ? rc : 1;
}
