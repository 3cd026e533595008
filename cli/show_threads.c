/* SPDX-License-Identifier: Apache-2.0
 * show_threads.c -- see show_threads.h; the event `threads` is in docs/formats.md. */
#include "show_threads.h"

#include "fmt/json_read.h"
#include "fmt/table.h"
#include "fmt/units.h"

#include <string.h>

#define NAMES_MAX 8

static uint64_t get_uint(struct mf_json_node object, const char *key)
{
    uint64_t value = 0;
    return mf_json_get_uint_or(object, key, 0, &value, NULL) == 0 ? value : 0;
}

static void add_row(struct mf_table *table, struct mf_json_node name)
{
    const char *thread = "";
    char text[MF_UNITS_LEN];
    (void)mf_json_get_string(name, "thread", &thread, NULL);
    mf_table_cell(table, thread);
    mf_table_cellf(table, "%llu", (unsigned long long)get_uint(name, "threads"));
    mf_table_cell(table, mf_format_duration(text, (int64_t)get_uint(name, "cpu_ns")));
    mf_table_cell(table, mf_format_duration(text, (int64_t)get_uint(name, "wait_ns")));
    mf_table_cell(table, mf_format_duration(text, (int64_t)get_uint(name, "burst_ns")));
    mf_table_cell(table, mf_format_count(text, get_uint(name, "nvcsw")));
    mf_table_cell(table, mf_format_count(text, get_uint(name, "nivcsw")));
}

static void put_names(const struct cli_view *view, struct mf_json_node names)
{
    static const struct mf_column columns[] = {
        {"  THREAD", MF_ALIGN_LEFT, 12},  {"THREADS", MF_ALIGN_RIGHT, 0},
        {"CPU", MF_ALIGN_RIGHT, 0},       {"WAITED", MF_ALIGN_RIGHT, 0},
        {"BURST", MF_ALIGN_RIGHT, 0},     {"YIELDED", MF_ALIGN_RIGHT, 0},
        {"PREEMPTED", MF_ALIGN_RIGHT, 0},
    };
    struct mf_table table;
    const size_t count = mf_json_len(names);
    mf_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count && i < NAMES_MAX; i++) {
        add_row(&table, mf_json_element(names, i));
    }
    mf_table_write(&table, view->out, (int)view->width, view->colored);
    mf_table_free(&table);
}

static void put_rest(const struct cli_view *view, struct mf_json_node root, size_t names)
{
    char text[MF_UNITS_LEN];
    const uint64_t unattributed_ns = get_uint(root, "unattributed_ns");
    const uint64_t tree_ns = get_uint(root, "tree_cpu_ns");
    const uint64_t violations = get_uint(root, "violations");
    if (names > NAMES_MAX) {
        mf_buffer_printf(view->out, "  and %zu more names\n", names - NAMES_MAX);
    }
    if (unattributed_ns > tree_ns / 100) {
        mf_buffer_printf(view->out, "  %s by threads that nobody saw: they lived too short\n",
                         mf_format_duration(text, (int64_t)unattributed_ns));
    }
    if (violations > 0) {
        mf_buffer_printf(view->out, "  CPU budgets were exceeded %llu time%s\n",
                         (unsigned long long)violations, violations == 1 ? "" : "s");
    }
}

void show_threads(const struct cli_view *view, const struct mf_story *story)
{
    struct mf_json_document *document = NULL;
    if (story->threads == NULL || mf_json_parse(story->threads, strlen(story->threads), NULL,
                                                "threads", &document, NULL) < 0) {
        return;
    }
    const struct mf_json_node root = mf_json_root(document);
    const struct mf_json_node names = mf_json_member(root, "names");
    const struct mf_json_node budgets = mf_json_member(root, "budgets");
    const bool several = get_uint(root, "threads") > story->info->totals.processes;
    const bool watched = mf_json_type(budgets) == MF_JSON_ARRAY && mf_json_len(budgets) > 0;
    if (mf_json_type(names) == MF_JSON_ARRAY && mf_json_len(names) > 0 && (several || watched)) {
        cli_view_heading(view, "Threads by name, the busiest first");
        put_names(view, names);
        put_rest(view, root, mf_json_len(names));
    }
    mf_json_free(document);
}
