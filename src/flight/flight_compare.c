/* SPDX-License-Identifier: Apache-2.0
 * flight_compare.c -- two flights beside each other. See flight/compare.h. */
#include "flight/compare.h"

#include "base/fail.h"
#include "base/heap.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_LEN_MAX 5  /* longer ones are process ids, times, ports of the moment */
#define HEX_LEN_MAX    8  /* longer ones are hashes */
#define ONLY_MAX       50 /* command lines that are listed */

/* ---- command lines without what differs from run to run ---- */

/* The length of the run of hexadecimal digits at p, and whether all are decimal. */
static size_t digits_at(const char *p, bool *ret_decimal)
{
    size_t len = 0;
    *ret_decimal = true;
    while (isxdigit((unsigned char)p[len])) {
        *ret_decimal = *ret_decimal && isdigit((unsigned char)p[len]);
        len++;
    }
    return len;
}

static void normalise(struct mf_buffer *out, const char *title)
{
    static const char temporary[] = "/tmp/";
    bool in_word = false;
    for (const char *p = title; *p != '\0';) {
        bool decimal = false;
        if (strncmp(p, temporary, strlen(temporary)) == 0) {
            mf_buffer_puts(out, "/tmp/*");
            p += strcspn(p, " '\"");
            in_word = false;
            continue;
        }
        const size_t len = in_word ? 0 : digits_at(p, &decimal);
        if (len >= (decimal ? NUMBER_LEN_MAX : HEX_LEN_MAX) && !isalnum((unsigned char)p[len])) {
            mf_buffer_putc(out, '#');
            p += len;
        } else {
            in_word = isalnum((unsigned char)*p) != 0;
            mf_buffer_putc(out, *p++);
        }
    }
}

/* ---- what each side ran ---- */

/* A process under a key, to be sorted and then walked in groups of one key. */
struct keyed {
    char *key;
    unsigned side;
    const struct mf_flight_process *process;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *left = a;
    const struct keyed *right = b;
    const int order = strcmp(left->key, right->key);
    return order != 0 ? order : (int)left->side - (int)right->side;
}

static void free_keyed(struct keyed *keyed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mf_free(keyed[i].key);
    }
    mf_free(keyed);
}

static char *key_of(const struct mf_flight_process *process, bool by_title)
{
    if (!by_title) {
        return mf_strdup(process->comm);
    }
    struct mf_buffer key = MF_BUFFER_INIT;
    normalise(&key, mf_process_title(process));
    char *copy = key.failed ? NULL : mf_strdup(key.data != NULL ? key.data : "");
    mf_buffer_free(&key);
    return copy;
}

static int collect(const struct mf_story *const stories[2], bool by_title, struct keyed **ret_keyed,
                   size_t *ret_count)
{
    const size_t total = stories[0]->processes.count + stories[1]->processes.count;
    struct keyed *keyed = mf_calloc(total + 1, sizeof *keyed);
    size_t count = 0;
    if (keyed == NULL) {
        return -ENOMEM;
    }
    for (unsigned side = 0; side < 2; side++) {
        for (size_t i = 0; i < stories[side]->processes.count; i++) {
            const struct mf_flight_process *process = &stories[side]->processes.items[i];
            keyed[count] = (struct keyed){key_of(process, by_title), side, process};
            if (keyed[count].key == NULL) {
                free_keyed(keyed, count);
                return -ENOMEM;
            }
            count++;
        }
    }
    if (count > 1) {
        qsort(keyed, count, sizeof *keyed, by_key);
    }
    *ret_keyed = keyed;
    *ret_count = count;
    return 0;
}

static size_t group_end(const struct keyed *keyed, size_t count, size_t begin)
{
    size_t end = begin + 1;
    while (end < count && strcmp(keyed[end].key, keyed[begin].key) == 0) {
        end++;
    }
    return end;
}

static double cpu_change(const struct mf_command_change *command)
{
    return fabs((double)command->cpu_ns[1] - (double)command->cpu_ns[0]);
}

static int by_cpu_change(const void *a, const void *b)
{
    const double left = cpu_change(a);
    const double right = cpu_change(b);
    return left != right ? (left < right) - (left > right)
                         : strcmp(((const struct mf_command_change *)a)->comm,
                                  ((const struct mf_command_change *)b)->comm);
}

static int compare_commands(struct mf_comparison *comparison)
{
    struct keyed *keyed = NULL;
    size_t count = 0;
    int rc = collect(comparison->stories, false, &keyed, &count);
    if (rc < 0) {
        return rc;
    }
    comparison->commands = mf_calloc(count + 1, sizeof *comparison->commands);
    rc = comparison->commands != NULL ? 0 : -ENOMEM;
    for (size_t begin = 0, end = 0; rc == 0 && begin < count; begin = end) {
        end = group_end(keyed, count, begin);
        struct mf_command_change *command = &comparison->commands[comparison->command_count++];
        command->comm = keyed[begin].key;
        keyed[begin].key = NULL;
        for (size_t i = begin; i < end; i++) {
            const unsigned side = keyed[i].side;
            const uint64_t rss = keyed[i].process->rss_peak_bytes;
            command->count[side]++;
            command->cpu_ns[side] += mf_process_cpu_ns(keyed[i].process);
            command->rss_peak_bytes[side] =
                rss > command->rss_peak_bytes[side] ? rss : command->rss_peak_bytes[side];
        }
    }
    free_keyed(keyed, count);
    if (comparison->command_count > 1) {
        qsort(comparison->commands, comparison->command_count, sizeof *comparison->commands,
              by_cpu_change);
    }
    return rc;
}

static int by_cpu(const void *a, const void *b)
{
    const struct mf_only_in_one *left = a;
    const struct mf_only_in_one *right = b;
    return left->cpu_ns != right->cpu_ns
               ? (left->cpu_ns < right->cpu_ns) - (left->cpu_ns > right->cpu_ns)
               : strcmp(left->title, right->title);
}

static int find_only_in_one(struct mf_comparison *comparison)
{
    struct keyed *keyed = NULL;
    size_t count = 0;
    int rc = collect(comparison->stories, true, &keyed, &count);
    if (rc < 0) {
        return rc;
    }
    comparison->only = mf_calloc(count + 1, sizeof *comparison->only);
    rc = comparison->only != NULL ? 0 : -ENOMEM;
    for (size_t begin = 0, end = 0; rc == 0 && begin < count; begin = end) {
        end = group_end(keyed, count, begin);
        if (keyed[begin].side != keyed[end - 1].side) {
            continue; /* sorted by side: both are there */
        }
        struct mf_only_in_one *only = &comparison->only[comparison->only_count++];
        *only = (struct mf_only_in_one){
            .side = keyed[begin].side, .title = keyed[begin].key, .count = end - begin};
        keyed[begin].key = NULL;
        for (size_t i = begin; i < end; i++) {
            only->cpu_ns += mf_process_cpu_ns(keyed[i].process);
        }
    }
    free_keyed(keyed, count);
    if (comparison->only_count > 1) {
        qsort(comparison->only, comparison->only_count, sizeof *comparison->only, by_cpu);
    }
    return rc;
}

int mf_compare(const struct mf_story *a, const struct mf_story *b,
               struct mf_comparison *ret_comparison, struct mf_errinfo *err)
{
    struct mf_comparison comparison = {.stories = {a, b}};
    comparison.axis_ns = a->timeline.duration_ns > b->timeline.duration_ns
                             ? a->timeline.duration_ns
                             : b->timeline.duration_ns;
    int rc = compare_commands(&comparison);
    if (rc == 0) {
        rc = find_only_in_one(&comparison);
    }
    if (rc < 0) {
        mf_compare_free(&comparison);
        return mf_fail(err, rc, "out of memory");
    }
    *ret_comparison = comparison;
    return 0;
}

void mf_compare_free(struct mf_comparison *comparison)
{
    for (size_t i = 0; i < comparison->command_count; i++) {
        mf_free(comparison->commands[i].comm);
    }
    for (size_t i = 0; i < comparison->only_count; i++) {
        mf_free(comparison->only[i].title);
    }
    mf_free(comparison->commands);
    mf_free(comparison->only);
    *comparison = (struct mf_comparison){0};
}

/* ---- json ---- */

static void put_pair(struct mf_json *json, double a, double b)
{
    mf_json_key_double(json, "a", a);
    mf_json_key_double(json, "b", b);
    mf_json_key_double(json, "change", b - a);
    mf_json_key_double(json, "ratio", a != 0 ? b / a : NAN);
}

static void put_side(struct mf_json *json, const char *key, const struct mf_flight_info *info)
{
    mf_json_key(json, key);
    mf_json_begin_object(json);
    mf_json_key_string(json, "id", info->id);
    mf_json_key_string(json, "name", info->name);
    mf_json_key_string(json, "state", mf_flight_state_name(info->state));
    mf_json_key_string(json, "outcome", mf_flight_outcome_name(info->outcome));
    mf_json_key_bool(json, "success", info->success);
    mf_json_key_int(json, "exit_code", info->exit_code);
    if (info->reason != NULL) {
        mf_json_key_string(json, "reason", info->reason);
    }
    mf_json_end_object(json);
}

static void put_commands(struct mf_json *json, const struct mf_comparison *comparison)
{
    mf_json_key(json, "commands");
    mf_json_begin_array(json);
    for (size_t i = 0; i < comparison->command_count; i++) {
        const struct mf_command_change *command = &comparison->commands[i];
        mf_json_begin_object(json);
        mf_json_key_string(json, "comm", command->comm);
        for (unsigned side = 0; side < 2; side++) {
            mf_json_key(json, side == 0 ? "a" : "b");
            mf_json_begin_object(json);
            mf_json_key_uint(json, "count", command->count[side]);
            mf_json_key_uint(json, "cpu_ns", command->cpu_ns[side]);
            mf_json_key_uint(json, "rss_peak_bytes", command->rss_peak_bytes[side]);
            mf_json_end_object(json);
        }
        mf_json_end_object(json);
    }
    mf_json_end_array(json);
}

static void put_only(struct mf_json *json, const struct mf_comparison *comparison, unsigned side)
{
    size_t listed = 0;
    mf_json_key(json, side == 0 ? "only_in_a" : "only_in_b");
    mf_json_begin_array(json);
    for (size_t i = 0; i < comparison->only_count && listed < ONLY_MAX; i++) {
        const struct mf_only_in_one *only = &comparison->only[i];
        if (only->side == side) {
            mf_json_begin_object(json);
            mf_json_key_string(json, "command", only->title);
            mf_json_key_uint(json, "count", only->count);
            mf_json_key_uint(json, "cpu_ns", only->cpu_ns);
            mf_json_end_object(json);
            listed++;
        }
    }
    mf_json_end_array(json);
}

void mf_compare_json(struct mf_json *json, const struct mf_comparison *comparison)
{
    const struct mf_flight_info *a = comparison->stories[0]->info;
    const struct mf_flight_info *b = comparison->stories[1]->info;
    mf_json_begin_object(json);
    put_side(json, "a", a);
    put_side(json, "b", b);
    mf_json_key_bool(json, "same_outcome",
                     a->state == b->state && a->outcome == b->outcome &&
                         a->exit_code == b->exit_code);
    mf_json_key(json, "figures");
    mf_json_begin_object(json);
    for (unsigned i = 0; i < MF_FIGURES; i++) {
        mf_json_key(json, mf_figures[i].key);
        mf_json_begin_object(json);
        put_pair(json, mf_figure_of(a, i), mf_figure_of(b, i));
        mf_json_end_object(json);
    }
    mf_json_end_object(json);
    put_commands(json, comparison);
    put_only(json, comparison, 0);
    put_only(json, comparison, 1);
    mf_json_end_object(json);
}
