/* SPDX-License-Identifier: Apache-2.0
 * flight_words.c -- what happened, in words. See flight/story.h. */
#include "flight/story.h"

#include "base/fail.h"
#include "base/heap.h"

#include <stdlib.h>
#include <string.h>

void mf_words_signal(struct mf_buffer *out, int signal)
{
    const char *name = sigabbrev_np(signal);
    if (name != NULL) {
        mf_buffer_printf(out, "SIG%s", name);
    } else {
        mf_buffer_printf(out, "signal %d", signal);
    }
}

void mf_words_outcome(struct mf_buffer *out, const struct mf_flight_info *info)
{
    if (info->state == MF_FLIGHT_RUNNING) {
        mf_buffer_puts(out, "still running");
        return;
    }
    if (info->state == MF_FLIGHT_DEAD) {
        mf_buffer_puts(out, "was left by its recorder ('mayfly recover' completes it)");
        return;
    }
    switch (info->outcome) {
    case MF_OUTCOME_EXITED:
        if (info->exit_code == 0) {
            mf_buffer_puts(out, "succeeded");
        } else {
            mf_buffer_printf(out, "failed with exit code %d", info->exit_code);
        }
        break;
    case MF_OUTCOME_SIGNALED:
        mf_buffer_puts(out, "killed by ");
        mf_words_signal(out, info->signal);
        mf_buffer_puts(out, info->core_dumped ? ", core dumped" : "");
        break;
    case MF_OUTCOME_OOM:
        mf_buffer_puts(out, "ran out of memory");
        break;
    case MF_OUTCOME_TIMEOUT:
        mf_buffer_puts(out, "stopped at its time limit");
        break;
    case MF_OUTCOME_CPU_BUDGET:
        mf_buffer_puts(out, "stopped for exceeding its CPU budget");
        break;
    case MF_OUTCOME_NOT_FOUND:
        mf_buffer_puts(out, "command not found");
        break;
    case MF_OUTCOME_NOT_EXECUTABLE:
        mf_buffer_puts(out, "command could not be executed");
        break;
    case MF_OUTCOME_RECORDER_LOST:
        mf_buffer_puts(out, "lost its recorder");
        break;
    case MF_OUTCOME_NONE:
    case MF_OUTCOMES:
        mf_buffer_puts(out, "ended, it is not known how");
        break;
    }
}

void mf_words_outcome_short(struct mf_buffer *out, const struct mf_flight_info *info)
{
    if (info->state == MF_FLIGHT_RUNNING || info->state == MF_FLIGHT_DEAD) {
        mf_buffer_puts(out, mf_flight_state_name(info->state));
        return;
    }
    switch (info->outcome) {
    case MF_OUTCOME_EXITED:
        if (info->exit_code == 0) {
            mf_buffer_puts(out, "ok");
        } else {
            mf_buffer_printf(out, "exit %d", info->exit_code);
        }
        break;
    case MF_OUTCOME_SIGNALED:
        mf_words_signal(out, info->signal);
        break;
    default:
        mf_buffer_puts(out, mf_flight_outcome_name(info->outcome));
        break;
    }
}

void mf_words_exit(struct mf_buffer *out, const struct mf_flight_process *process)
{
    if (!process->ended) {
        mf_buffer_puts(out, "running");
    } else if (!process->status_known) {
        mf_buffer_puts(out, process->oom_killed ? "out of memory" : "not seen");
    } else if (process->signal != 0) {
        mf_words_signal(out, process->signal);
        mf_buffer_puts(out, process->oom_killed    ? " (out of memory)"
                            : process->core_dumped ? " (core dumped)"
                                                   : "");
    } else {
        mf_buffer_printf(out, process->exit_code == 0 ? "%d" : "exit %d", process->exit_code);
    }
}

/* Characters that need no quotes in a shell. */
static bool is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-+=./,:@%^";
    return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

void mf_words_command(struct mf_buffer *out, char *const *command)
{
    for (char *const *word = command; *word != NULL; word++) {
        if (word != command) {
            mf_buffer_putc(out, ' ');
        }
        if (is_plain(*word)) {
            mf_buffer_puts(out, *word);
            continue;
        }
        mf_buffer_putc(out, '\'');
        for (const char *p = *word; *p != '\0'; p++) {
            if (*p == '\'') {
                mf_buffer_puts(out, "'\\''");
            } else {
                mf_buffer_putc(out, *p);
            }
        }
        mf_buffer_putc(out, '\'');
    }
}

/* ---- processes ---- */

uint64_t mf_process_cpu_ns(const struct mf_flight_process *process)
{
    return process->cpu_user_ns + process->cpu_system_ns;
}

int64_t mf_process_life_ns(const struct mf_flight_process *process, int64_t now_ns)
{
    const int64_t end_ns = process->ended ? process->end_ns : now_ns;
    return end_ns > process->start_ns ? end_ns - process->start_ns : 0;
}

/* The last sample at or before t; -1: none. */
static ptrdiff_t sample_before(const struct mf_flight_process *process, int64_t t_ns)
{
    size_t low = 0;
    size_t high = process->sample_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (process->samples[middle].t_ns <= t_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (ptrdiff_t)low - 1;
}

double mf_process_cpu_at_ns(const struct mf_flight_process *process, int64_t t_ns,
                            int64_t interval_ns)
{
    const ptrdiff_t at = sample_before(process, t_ns);
    const size_t next = (size_t)(at + 1);
    const double before = at >= 0 ? (double)process->samples[at].cpu_ns : 0;
    int64_t from_ns = at >= 0 ? process->samples[at].t_ns : process->start_ns;
    int64_t to_ns = 0;
    double after = 0;
    if (t_ns <= process->start_ns) {
        return 0;
    }
    if (next < process->sample_count) {
        to_ns = process->samples[next].t_ns;
        after = (double)process->samples[next].cpu_ns;
    } else if (process->ended) {
        to_ns = process->end_ns;
        after = (double)mf_process_cpu_ns(process);
    } else {
        return before;
    }
    if (t_ns >= to_ns) {
        return after > before ? after : before;
    }
    from_ns = to_ns - interval_ns > from_ns ? to_ns - interval_ns : from_ns;
    return t_ns <= from_ns || after <= before
               ? before
               : before + (after - before) * (double)(t_ns - from_ns) / (double)(to_ns - from_ns);
}

uint64_t mf_process_rss_at(const struct mf_flight_process *process, int64_t t_ns)
{
    const ptrdiff_t at = sample_before(process, t_ns);
    if (t_ns < process->start_ns || (process->ended && t_ns > process->end_ns)) {
        return 0;
    }
    return at >= 0 ? process->samples[at].rss_bytes : 0;
}

bool mf_process_failed(const struct mf_flight_process *process)
{
    return process->oom_killed ||
           (process->ended && process->status_known && process->exit_code != 0);
}

const struct mf_flight_process *mf_process_find(const struct mf_flight_processes *processes,
                                                uint64_t number)
{
    size_t low = 0;
    size_t high = processes->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (processes->items[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < processes->count && processes->items[low].number == number ? &processes->items[low]
                                                                            : NULL;
}

const char *mf_process_title(const struct mf_flight_process *process)
{
    return process->args != NULL && process->args[0] != '\0' ? process->args : process->comm;
}

/* ---- short command lines ---- */

/* The next word of a command line as it is recorded, quotes included; 0 at the end. */
static size_t next_word(const char **cursor)
{
    const char *word = *cursor + strspn(*cursor, " ");
    size_t len = 0;
    bool quoted = false;
    while (word[len] != '\0' && (quoted || word[len] != ' ')) {
        quoted ^= word[len] == '\'';
        len++;
    }
    *cursor = word;
    return len;
}

static bool is_word(const char *word, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(word, text, len) == 0;
}

/* How much an argument looks like what the program is about: a file with a name of its own counts,
 * options and where the result goes do not. */
static int score(const char *word, size_t len, const char *before, size_t before_len)
{
    static const char *const places[] = {"-o", "-I", "-L", "-MF", "-MT", "-MQ", "-isystem"};
    const char *slash = memrchr(word, '/', len);
    const char *name = slash != NULL ? slash + 1 : word;
    const char *dot = memrchr(name, '.', (size_t)(word + len - name));
    int points = (slash != NULL ? 2 : 0) + (dot != NULL && dot > name ? 2 : 0);
    points += before_len == 0 || before[0] != '-' ? 1 : 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(places); i++) {
        points -= is_word(before, before_len, places[i]) ? 3 : 0;
    }
    return len >= 5 && strncmp(word, "/tmp/", 5) == 0 ? points - 5 : points;
}

/* The argument that tells; its length, or 0 when there is none. */
static size_t telling_argument(const char *args, const char **ret_word)
{
    const char *before = args;
    size_t before_len = next_word(&before);
    const char *word = before + before_len;
    size_t best_len = 0;
    int best = -100;
    before_len = 0; /* the program is no option */
    for (size_t len = 0; (len = next_word(&word)) > 0; word += len) {
        const int points = word[0] != '-' ? score(word, len, before, before_len) : -100;
        if (points > best) {
            best = points;
            best_len = len;
            *ret_word = word;
        }
        before = word;
        before_len = len;
    }
    return best_len;
}

void mf_words_process_label(struct mf_buffer *out, const struct mf_flight_process *process)
{
    const char *word = NULL;
    const size_t len = process->args != NULL ? telling_argument(process->args, &word) : 0;
    mf_buffer_puts(out, process->comm);
    if (len > 0) {
        const char *slash = word[0] != '\'' ? memrchr(word, '/', len - 1) : NULL;
        const size_t skip = slash != NULL ? (size_t)(slash + 1 - word) : 0;
        mf_buffer_putc(out, ' ');
        mf_buffer_append(out, word + skip, len - skip);
    }
}

void mf_words_process(struct mf_buffer *out, const struct mf_flight_process *process,
                      size_t columns_max, bool unicode)
{
    const char *title = mf_process_title(process);
    const char *slash = memrchr(title, '/', strcspn(title, " "));
    if (slash != NULL && slash[1] != '\0' && slash[1] != ' ') {
        title = slash + 1;
    }
    if (strlen(title) <= columns_max) {
        mf_buffer_puts(out, title);
        return;
    }
    mf_words_process_label(out, process);
    mf_buffer_puts(out, unicode ? " \u2026" : " ...");
}

struct order_context {
    const struct mf_flight_processes *processes;
    enum mf_process_order order;
};

static int compare_processes(const void *a, const void *b, void *context)
{
    const struct order_context *by = context;
    const struct mf_flight_process *left = &by->processes->items[*(const size_t *)a];
    const struct mf_flight_process *right = &by->processes->items[*(const size_t *)b];
    uint64_t left_key = 0;
    uint64_t right_key = 0;
    switch (by->order) {
    case MF_BY_CPU:
        left_key = mf_process_cpu_ns(left);
        right_key = mf_process_cpu_ns(right);
        break;
    case MF_BY_MEMORY:
        left_key = left->rss_peak_bytes;
        right_key = right->rss_peak_bytes;
        break;
    case MF_BY_START: /* the earliest first */
        left_key = (uint64_t)(right->start_ns > 0 ? right->start_ns : 0);
        right_key = (uint64_t)(left->start_ns > 0 ? left->start_ns : 0);
        break;
    case MF_BY_END: /* the latest first; those that live on are later than all */
        left_key = left->ended ? (uint64_t)left->end_ns : UINT64_MAX;
        right_key = right->ended ? (uint64_t)right->end_ns : UINT64_MAX;
        break;
    }
    if (left_key != right_key) {
        return left_key < right_key ? 1 : -1;
    }
    return (left->number > right->number) - (left->number < right->number);
}

size_t *mf_process_order(const struct mf_flight_processes *processes, enum mf_process_order order)
{
    size_t *indexes = mf_calloc(processes->count + 1, sizeof *indexes);
    if (indexes == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < processes->count; i++) {
        indexes[i] = i;
    }
    struct order_context context = {processes, order};
    if (processes->count > 1) {
        qsort_r(indexes, processes->count, sizeof *indexes, compare_processes, &context);
    }
    return indexes;
}
