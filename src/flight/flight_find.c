/* SPDX-License-Identifier: Apache-2.0
 * flight_find.c -- where flights live, which there are, and which one a word means.
 *
 * An id begins with the UTC second of the start, so the names of the directories, sorted backwards,
 * are the flights newest first; only those that began in the same second need a look inside.
 * Nothing else is indexed: a home can be copied, mixed or thinned out with ordinary tools.
 */
#include <mayfly/flight.h>

#include "base/fail.h"
#include "base/heap.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_LEN 15 /* YYYYMMDD-HHMMSS */
#define ENDING_MIN 4

/* ---- home ---- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

int mf_flight_home(const char *override, char **ret_home, struct mf_errinfo *err)
{
    const char *base = override != NULL ? override : variable("MAYFLY_HOME");
    const char *below = "";
    if (base == NULL) {
        base = variable("XDG_DATA_HOME");
        below = "/mayfly";
        if (base == NULL || base[0] != '/') { /* the standard: relative ones are to be ignored */
            base = variable("HOME");
            below = "/.local/share/mayfly";
        }
    }
    if (base == NULL) {
        return mf_fail(err, MF_EVALUE, "no home is known: set MAYFLY_HOME to a directory");
    }
    char *home = mf_asprintf("%s%s", base, below);
    if (home == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    *ret_home = home;
    return 0;
}

void mf_flight_free_text(char *text)
{
    mf_free(text);
}

/* ---- ids ---- */

struct ids {
    char **items; /* newest second first */
    size_t count;
    size_t capacity;
};

static void free_ids(struct ids *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        mf_free(ids->items[i]);
    }
    mf_free(ids->items);
}

/* Names that begin with a dot are flights not yet begun, or on their way out. */
static int collect_id(void *context, const char *name, enum mf_file_kind kind)
{
    struct ids *ids = context;
    if (kind != MF_KIND_DIRECTORY || name[0] == '.') {
        return 0;
    }
    if (ids->count == ids->capacity) {
        const size_t capacity = ids->capacity == 0 ? 256 : ids->capacity * 2;
        char **items = mf_realloc(ids->items, capacity * sizeof *items);
        if (items == NULL) {
            return -ENOMEM;
        }
        ids->items = items;
        ids->capacity = capacity;
    }
    ids->items[ids->count] = mf_strdup(name);
    if (ids->items[ids->count] == NULL) {
        return -ENOMEM;
    }
    ids->count++;
    return 0;
}

static int backwards(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

static int read_ids(const char *home, struct ids *ret_ids, struct mf_errinfo *err)
{
    struct ids ids = {0};
    char *path = mf_asprintf("%s/flights", home);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    int rc = mf_fs_list(NULL, path, collect_id, &ids, err);
    mf_free(path);
    if (rc == -ENOENT) {
        rc = 0;
    } else if (rc == -ENOMEM) {
        rc = mf_fail(err, -ENOMEM, "out of memory");
    }
    if (rc < 0) {
        free_ids(&ids);
        return rc;
    }
    if (ids.count > 1) {
        qsort(ids.items, ids.count, sizeof *ids.items, backwards);
    }
    *ret_ids = ids;
    return 0;
}

/* The number in text[0..len). */
static int64_t digits(const char *text, size_t len)
{
    int64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* The wall time that an id begins with; 0 for a name that is no id. Days from civil: Howard
 * Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t id_wall_ns(const char *id)
{
    if (strspn(id, "0123456789") != 8 || id[8] != '-' || strspn(id + 9, "0123456789") != 6) {
        return 0;
    }
    const int64_t month = digits(id + 4, 2);
    const int64_t year = digits(id, 4) - (month <= 2);
    const int64_t era = year / 400;
    const int64_t year_of_era = year - era * 400;
    const int64_t day_of_year =
        (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + digits(id + 6, 2) - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    const int64_t days = era * 146097 + day_of_era - 719468;
    const int64_t hours = days * 24 + digits(id + 9, 2);
    return ((hours * 60 + digits(id + 11, 2)) * 60 + digits(id + 13, 2)) * INT64_C(1000000000);
}

/* ---- entries ---- */

static void free_entry(struct mf_flight_entry *entry)
{
    mf_free(entry->dir);
    mf_free(entry->id);
    mf_flight_info_free(entry->info);
}

/* Fails only when memory is out; a flight that cannot be read is an entry too. */
static int read_entry(const char *home, const char *id, struct mf_flight_entry *ret_entry,
                      struct mf_errinfo *err)
{
    struct mf_flight_entry entry = {
        .dir = mf_asprintf("%s/flights/%s", home, id),
        .id = mf_strdup(id),
    };
    int rc = -ENOMEM;
    if (entry.dir != NULL && entry.id != NULL) {
        rc = mf_flight_info_read(entry.dir, &entry.info, &entry.why);
    }
    if (rc == -ENOMEM) {
        free_entry(&entry);
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    entry.started_wall_ns = entry.info != NULL ? entry.info->started_wall_ns : id_wall_ns(id);
    *ret_entry = entry;
    return 0;
}

static int newer_first(const void *a, const void *b)
{
    const struct mf_flight_entry *left = a;
    const struct mf_flight_entry *right = b;
    const int64_t left_ns = left->started_wall_ns;
    const int64_t right_ns = right->started_wall_ns;
    return left_ns != right_ns ? (left_ns < right_ns) - (left_ns > right_ns)
                               : strcmp(right->id, left->id);
}

static void free_entries(struct mf_flight_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free_entry(&entries[i]);
    }
    mf_free(entries);
}

/* Calls visit with every flight, newest first. visit owns what it takes out of the entry (and
 * leaves zeros there); non-zero ends the walk and is returned. */
static int walk(const char *home, int (*visit)(void *context, struct mf_flight_entry *entry),
                void *context, struct mf_errinfo *err)
{
    struct ids ids = {0};
    int rc = read_ids(home, &ids, err);
    for (size_t begin = 0, end = 0; rc == 0 && begin < ids.count; begin = end) {
        for (end = begin + 1;
             end < ids.count && strncmp(ids.items[begin], ids.items[end], SECOND_LEN) == 0;) {
            end++;
        }
        struct mf_flight_entry *entries = mf_calloc(end - begin, sizeof *entries);
        if (entries == NULL) {
            rc = mf_fail(err, -ENOMEM, "out of memory");
            break;
        }
        for (size_t i = begin; rc == 0 && i < end; i++) {
            rc = read_entry(home, ids.items[i], &entries[i - begin], err);
        }
        if (rc == 0) {
            qsort(entries, end - begin, sizeof *entries, newer_first);
        }
        for (size_t i = 0; rc == 0 && i < end - begin; i++) {
            rc = visit(context, &entries[i]);
        }
        free_entries(entries, end - begin);
    }
    free_ids(&ids);
    return rc;
}

/* ---- listing ---- */

static bool matches(const struct mf_flight_filter *filter, const struct mf_flight_entry *entry)
{
    const struct mf_flight_info *info = entry->info;
    const bool asks_inside =
        filter->name != NULL || filter->tags != NULL || filter->failed || filter->ended;
    if (filter->since_wall_ns > entry->started_wall_ns || (info == NULL && asks_inside)) {
        return false;
    }
    if (info == NULL) {
        return true;
    }
    const bool ended = info->state == MF_FLIGHT_ENDED || info->state == MF_FLIGHT_RECOVERED;
    if ((filter->name != NULL && strcmp(info->name, filter->name) != 0) ||
        (filter->ended && !ended) ||
        (filter->failed && (info->state == MF_FLIGHT_RUNNING || (ended && info->success)))) {
        return false;
    }
    for (const char *const *tag = filter->tags; tag != NULL && *tag != NULL; tag++) {
        if (!mf_flight_has_tag(info, *tag)) {
            return false;
        }
    }
    return true;
}

struct listing {
    const struct mf_flight_filter *filter;
    struct mf_flight_list list;
    size_t capacity;
    struct mf_errinfo *err;
};

static int add_to_list(void *context, struct mf_flight_entry *entry)
{
    struct listing *listing = context;
    struct mf_flight_list *list = &listing->list;
    if (!matches(listing->filter, entry)) {
        return 0;
    }
    if (list->count == listing->capacity) {
        const size_t capacity = listing->capacity == 0 ? 64 : listing->capacity * 2;
        struct mf_flight_entry *items = mf_realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            return mf_fail(listing->err, -ENOMEM, "out of memory");
        }
        list->items = items;
        listing->capacity = capacity;
    }
    list->unreadable += entry->info == NULL;
    list->items[list->count++] = *entry;
    *entry = (struct mf_flight_entry){0};
    return listing->filter->limit != 0 && list->count == listing->filter->limit;
}

static size_t common_ending(const char *a, const char *b)
{
    const size_t a_len = strlen(a);
    const size_t b_len = strlen(b);
    size_t len = 0;
    while (len < a_len && len < b_len && a[a_len - 1 - len] == b[b_len - 1 - len]) {
        len++;
    }
    return len;
}

/* In the order of the endings, so that those most alike are neighbours. */
static int by_ending(const void *a, const void *b)
{
    const char *left = *(char *const *)a;
    const char *right = *(char *const *)b;
    const size_t len = common_ending(left, right);
    const size_t left_rest = strlen(left) - len;
    const size_t right_rest = strlen(right) - len;
    const int left_next = left_rest > 0 ? (unsigned char)left[left_rest - 1] : -1;
    const int right_next = right_rest > 0 ? (unsigned char)right[right_rest - 1] : -1;
    return (left_next > right_next) - (left_next < right_next);
}

/* The ending of `id` that its neighbours in `sorted` lack, from the beginning of a part of the id.
 */
static const char *short_ending(const struct ids *sorted, const char *id)
{
    char *const *found =
        bsearch(&id, sorted->items, sorted->count, sizeof *sorted->items, by_ending);
    if (found == NULL) {
        return id; /* made after the list of names was read */
    }
    const size_t at = (size_t)(found - sorted->items);
    size_t shared = ENDING_MIN - 1;
    if (at > 0) {
        const size_t len = common_ending(id, sorted->items[at - 1]);
        shared = len > shared ? len : shared;
    }
    if (at + 1 < sorted->count) {
        const size_t len = common_ending(id, sorted->items[at + 1]);
        shared = len > shared ? len : shared;
    }
    const size_t id_len = strlen(id);
    size_t begin = shared < id_len ? id_len - shared - 1 : 0;
    while (begin > 0 && id[begin - 1] != '-') {
        begin--;
    }
    return id + begin;
}

static int set_short_ids(const char *home, struct mf_flight_list *list, struct mf_errinfo *err)
{
    struct ids ids = {0};
    const int rc = read_ids(home, &ids, err);
    if (rc == 0 && ids.count > 1) {
        qsort(ids.items, ids.count, sizeof *ids.items, by_ending);
    }
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        list->items[i].short_id = short_ending(&ids, list->items[i].id);
    }
    free_ids(&ids);
    return rc;
}

int mf_flight_list_read(const char *home, const struct mf_flight_filter *filter,
                        struct mf_flight_list *ret_list, struct mf_errinfo *err)
{
    static const struct mf_flight_filter everything;
    struct listing listing = {.filter = filter != NULL ? filter : &everything, .err = err};
    int rc = walk(home, add_to_list, &listing, err);
    if (rc >= 0) {
        rc = set_short_ids(home, &listing.list, err);
    }
    if (rc < 0) {
        mf_flight_list_free(&listing.list);
        return rc;
    }
    *ret_list = listing.list;
    return 0;
}

void mf_flight_list_free(struct mf_flight_list *list)
{
    free_entries(list->items, list->count);
    *list = (struct mf_flight_list){0};
}

/* ---- resolving ---- */

struct search {
    const char *name; /* looked for, or NULL: any flight */
    uint64_t skip;    /* how many that fit to pass over */
    char *dir;        /* found */
};

static int look_at(void *context, struct mf_flight_entry *entry)
{
    struct search *search = context;
    if (search->name != NULL &&
        (entry->info == NULL || strcmp(entry->info->name, search->name) != 0)) {
        return 0;
    }
    if (search->skip > 0) {
        search->skip--;
        return 0;
    }
    search->dir = entry->dir;
    entry->dir = NULL;
    return 1;
}

/* How many before the newest: 0 for "last", "latest" and "-1", 1 for "-2"; false for other words.
 */
static bool parse_recent(const char *ref, uint64_t *ret_before)
{
    if (strcmp(ref, "last") == 0 || strcmp(ref, "latest") == 0) {
        *ret_before = 0;
        return true;
    }
    const size_t digits = ref[0] == '-' ? strspn(ref + 1, "0123456789") : 0;
    if (digits == 0 || digits > 9 || ref[1 + digits] != '\0') {
        return false;
    }
    const uint64_t number = strtoull(ref + 1, NULL, 10);
    *ret_before = number - 1;
    return number > 0;
}

static int resolve_recent(const char *home, uint64_t before, char **ret_dir, struct mf_errinfo *err)
{
    struct search search = {.skip = before};
    const int rc = walk(home, look_at, &search, err);
    if (rc < 0) {
        return rc;
    }
    if (search.dir == NULL && search.skip == before) {
        return mf_fail(err, MF_ENOTFOUND, "there are no flights in %.200s/flights", home);
    }
    if (search.dir == NULL) {
        return mf_fail(err, MF_ENOTFOUND, "there are only %llu flights in %.200s/flights",
                       (unsigned long long)(before - search.skip), home);
    }
    *ret_dir = search.dir;
    return 0;
}

static int resolve_path(const char *path, char **ret_dir, struct mf_errinfo *err)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    char *dir = mf_strndup(path, len);
    char *description = mf_asprintf("%.*s/flight.json", (int)len, path);
    int rc = -ENOMEM;
    if (dir != NULL && description != NULL) {
        struct mf_file_info info;
        rc = mf_fs_info(NULL, description, &info, err);
    } else {
        rc = mf_fail(err, -ENOMEM, "out of memory");
    }
    mf_free(description);
    if (rc < 0) {
        mf_free(dir);
        return rc == -ENOENT || rc == -ENOTDIR
                   ? mf_fail(err, MF_ENOTFOUND, "%.300s is not the directory of a flight", path)
                   : rc;
    }
    *ret_dir = dir;
    return 0;
}

static bool part_fits(const char *id, const char *part)
{
    const size_t id_len = strlen(id);
    const size_t len = strlen(part);
    return strncmp(id, part, len) == 0 ||
           (len >= ENDING_MIN && len <= id_len && strcmp(id + id_len - len, part) == 0);
}

/* A whole id, or the only one with that part. 1 when found. */
static int resolve_id(const struct ids *ids, const char *home, const char *ref, bool whole,
                      char **ret_dir, struct mf_errinfo *err)
{
    const char *found = NULL;
    const char *other = NULL;
    size_t count = 0;
    for (size_t i = 0; i < ids->count; i++) {
        if (whole ? strcmp(ids->items[i], ref) == 0 : part_fits(ids->items[i], ref)) {
            other = count == 1 ? ids->items[i] : other;
            found = count == 0 ? ids->items[i] : found;
            count++;
        }
    }
    if (count == 0) {
        return 0;
    }
    if (count > 1) {
        return mf_fail(err, MF_EVALUE,
                       "'%.80s' could be %zu flights: %s, %s%s; write more of the id", ref, count,
                       found, other, count > 2 ? ", ..." : "");
    }
    *ret_dir = mf_asprintf("%s/flights/%s", home, found);
    return *ret_dir != NULL ? 1 : mf_fail(err, -ENOMEM, "out of memory");
}

int mf_flight_resolve(const char *home, const char *ref, char **ret_dir, struct mf_errinfo *err)
{
    uint64_t before = 0;
    if (strchr(ref, '/') != NULL || strcmp(ref, ".") == 0 || strcmp(ref, "..") == 0) {
        return resolve_path(ref, ret_dir, err);
    }
    if (parse_recent(ref, &before)) {
        return resolve_recent(home, before, ret_dir, err);
    }
    struct ids ids = {0};
    char *dir = NULL;
    int rc = ref[0] != '\0' ? read_ids(home, &ids, err) : 0;
    if (rc == 0) {
        rc = resolve_id(&ids, home, ref, true, &dir, err);
    }
    if (rc == 0 && ref[0] != '\0') {
        struct search search = {.name = ref};
        rc = walk(home, look_at, &search, err);
        dir = search.dir;
    }
    if (rc == 0 && ref[0] != '\0') {
        rc = resolve_id(&ids, home, ref, false, &dir, err);
    }
    free_ids(&ids);
    if (rc < 0) {
        return rc;
    }
    if (dir == NULL) {
        return mf_fail(err, MF_ENOTFOUND, "no flight is called '%.80s' in %.200s/flights", ref,
                       home);
    }
    *ret_dir = dir;
    return 0;
}

int mf_flight_metrics_path(const char *dir, char **ret_path, struct mf_errinfo *err)
{
    char *path = mf_asprintf("%s/metrics", dir);
    if (path == NULL) {
        return mf_fail(err, -ENOMEM, "out of memory");
    }
    *ret_path = path;
    return 0;
}
