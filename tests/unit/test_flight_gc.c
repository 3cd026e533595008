/* SPDX-License-Identifier: Apache-2.0
 * Removing flights: which ones, never one that is being recorded, nothing outside, and after a
 * crash. */
#include "cmocka_all.h"

#include "flights.h"
#include "scratch.h"

#include "base/fail.h"
#include "flight/gc.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define START  (INT64_C(1790251200) * SECOND)

static char home[300];

static const char *dir_of(const char *id)
{
    static char dirs[4][600];
    static unsigned turn;
    char *dir = dirs[turn++ % 4];
    snprintf(dir, sizeof dirs[0], "%s/flights/%s", home, id);
    return dir;
}

static void make(int i, const char *name, const char *tags, size_t output_len)
{
    char id[64];
    char *output = test_calloc(output_len + 1, 1);
    snprintf(id, sizeof id, "20260924-12000%d-%s-000%d", i, name, i);
    struct test_flight *flight = test_flight_begin(home, id, name, tags, START + i * SECOND);
    test_flight_no_metrics(flight);
    if (output_len > 0) {
        test_flight_output(flight, 1, MF_STREAM_STDOUT, output, output_len);
    }
    test_flight_end(flight, &(struct test_end){.duration_ms = 10, .kind = "exited", .reason = ""});
    test_free(output);
}

static int set_up(void **state)
{
    (void)state;
    static int turn;
    snprintf(home, sizeof home, "%s/gc%d", scratch_directory(), turn++);
    for (int i = 0; i < 6; i++) {
        make(i, i % 2 == 0 ? "even" : "odd", i == 1 ? "keep" : NULL, 0);
    }
    return 0;
}

/* The last digits of the ids that go, oldest first. */
static void check_plan(const struct mf_gc_rules *rules, const char *wanted)
{
    struct mf_gc_plan plan;
    char ids[16] = "";
    assert_int_equal(mf_gc_plan(home, rules, START + 10 * SECOND, &plan, NULL), 0);
    for (size_t i = 0; i < plan.count; i++) {
        ids[i] = plan.go[i].id[strlen(plan.go[i].id) - 1];
        ids[i + 1] = '\0';
        assert_true(plan.go[i].bytes > 0);
    }
    assert_string_equal(ids, wanted);
    mf_gc_plan_free(&plan);
}

static struct mf_file *hold(const char *id)
{
    char path[700];
    struct mf_file *lock = NULL;
    snprintf(path, sizeof path, "%s/recorder.lock", dir_of(id));
    assert_int_equal(mf_file_open(NULL, path, MF_OPEN_READ | MF_OPEN_WRITE, &lock, NULL), 0);
    assert_int_equal(mf_file_lock(lock, NULL), 0);
    return lock;
}

static void rules_say_which_go(void **state)
{
    (void)state;
    static const char *const protect[] = {"keep", NULL};
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 2}, "0123");
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 0}, "012345");
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 6}, "");
    check_plan(&(struct mf_gc_rules){.keep_for_ns = 7 * SECOND}, "012");
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 5, .keep_for_ns = 8 * SECOND}, "01");
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 1, .name = "even"}, "02");
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 2, .protect = protect}, "023");
    check_plan(&(struct mf_gc_rules){.has_max_bytes = true, .max_bytes = 0}, "012345");
    check_plan(&(struct mf_gc_rules){.has_max_bytes = true, .max_bytes = UINT64_MAX}, "");
}

static void sizes_count_from_the_newest(void **state)
{
    (void)state;
    uint64_t small = 0;
    make(6, "big", NULL, 200000);
    make(7, "even", NULL, 0);
    assert_int_equal(mf_flight_bytes(dir_of("20260924-120007-even-0007"), &small, NULL), 0);
    /* The big one does not fit, and nothing older stays for being small. */
    check_plan(&(struct mf_gc_rules){.has_max_bytes = true, .max_bytes = 4 * small}, "0123456");
}

static void running_ones_never_go(void **state)
{
    (void)state;
    char path[700];
    struct mf_file *lock = hold("20260924-120003-odd-0003");
    snprintf(path, sizeof path, "%s/flight.json", dir_of("20260924-120003-odd-0003"));
    static const char running[] =
        "{\"format\":1,\"id\":\"20260924-120003-odd-0003\",\"state\":\"running\","
        "\"started_wall_ns\":1790251203000000000}";
    assert_int_equal(mf_fs_replace(NULL, path, running, strlen(running), NULL), 0);
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 0}, "01245");
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 2}, "012"); /* nor do they count */
    struct mf_errinfo err;
    assert_int_equal(mf_flight_remove(dir_of("20260924-120003-odd-0003"), &err), MF_ELOCKED);
    mf_file_close(lock);
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 0}, "012345"); /* dead now */
    assert_int_equal(mf_flight_remove(dir_of("20260924-120003-odd-0003"), &err), 0);
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 0}, "01245");
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void removing_stays_inside(void **state)
{
    (void)state;
    const char *dir = dir_of("20260924-120002-even-0002");
    char outside[400];
    char link_path[700];
    snprintf(outside, sizeof outside, "%s/outside", home);
    assert_int_equal(mkdir(outside, 0700), 0);
    char file[500];
    snprintf(file, sizeof file, "%s/precious", outside);
    assert_int_equal(mf_fs_replace(NULL, file, "x", 1, NULL), 0);
    snprintf(link_path, sizeof link_path, "%s/metrics", dir);
    assert_int_equal(symlink(outside, link_path), 0);
    snprintf(link_path, sizeof link_path, "%s/deep", dir);
    assert_int_equal(mkdir(link_path, 0700), 0);
    snprintf(link_path, sizeof link_path, "%s/deep/link", dir);
    assert_int_equal(symlink(file, link_path), 0);
    assert_int_equal(mf_flight_remove(dir, NULL), 0);
    assert_false(there(dir));
    assert_true(there(file));
    /* A link to a flight is not a flight. */
    snprintf(link_path, sizeof link_path, "%s/flights/link", home);
    assert_int_equal(symlink(dir_of("20260924-120001-odd-0001"), link_path), 0);
    assert_int_equal(mf_flight_remove(link_path, NULL), MF_EFORMAT);
    assert_true(there(dir_of("20260924-120001-odd-0001")));
    assert_int_equal(mf_flight_remove(outside, NULL), MF_EFORMAT);
    assert_true(there(file));
    assert_int_equal(mf_flight_remove(dir_of("nothing"), NULL), -ENOENT);
    assert_int_equal(mf_flight_remove(dir_of("."), NULL), MF_EFORMAT);
}

static void damaged_ones_can_be_removed(void **state)
{
    (void)state;
    assert_int_equal(mf_fs_mkdirs(NULL, dir_of("empty"), NULL), 0);
    assert_int_equal(mf_flight_remove(dir_of("empty"), NULL), 0);
    char path[700];
    snprintf(path, sizeof path, "%s/flight.json", dir_of("20260924-120004-even-0004"));
    assert_int_equal(mf_fs_replace(NULL, path, "{", 1, NULL), 0);
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 1}, "01234");
    assert_int_equal(mf_flight_remove(dir_of("20260924-120004-even-0004"), NULL), 0);
}

/* Neither followed nor waited for: a lock or a description that is a link, a FIFO, a directory. */
static void odd_files_go_with_the_rest(void **state)
{
    (void)state;
    static const char *const names[] = {"recorder.lock", "flight.json"};
    char victim[400];
    char path[700];
    struct mf_gc_plan plan;
    struct mf_flight_info *info = NULL;
    snprintf(victim, sizeof victim, "%s/victim", home);
    assert_int_equal(mf_fs_replace(NULL, victim, "x", 1, NULL), 0);
    for (int i = 0; i < 6; i++) {
        char id[64];
        snprintf(id, sizeof id, "20260924-12000%d-%s-000%d", i, i % 2 == 0 ? "even" : "odd", i);
        snprintf(path, sizeof path, "%s/%s", dir_of(id), names[i % 2]);
        (void)unlink(path);
        assert_int_equal(i / 2 == 0   ? symlink(victim, path)
                         : i / 2 == 1 ? mkfifo(path, 0600)
                                      : mkdir(path, 0700),
                         0);
        const int rc = mf_flight_info_read(dir_of(id), &info, NULL);
        assert_true(rc == 0 ? i % 2 == 0 : i % 2 == 1);
        mf_flight_info_free(info);
        info = NULL;
    }
    const struct mf_gc_rules all = {.has_keep = true, .keep = 0};
    assert_int_equal(mf_gc_plan(home, &all, START, &plan, NULL), 0);
    assert_int_equal(plan.count, 6);
    for (size_t i = 0; i < plan.count; i++) {
        assert_int_equal(mf_flight_remove(plan.go[i].dir, NULL), 0);
    }
    mf_gc_plan_free(&plan);
    assert_true(there(victim));
}

/* A crash between the renaming and the removal, or before a flight had its name. */
static void leftovers_are_swept(void **state)
{
    (void)state;
    struct mf_gc_swept swept;
    assert_int_equal(mf_fs_rename(NULL, dir_of("20260924-120000-even-0000"),
                                  dir_of(".gone-20260924-120000-even-0000"), NULL),
                     0);
    assert_int_equal(mf_fs_rename(NULL, dir_of("20260924-120001-odd-0001"),
                                  dir_of(".new-20260924-120001-odd-0001"), NULL),
                     0);
    check_plan(&(struct mf_gc_rules){.has_keep = true, .keep = 0}, "2345");
    struct mf_file *lock = hold(".new-20260924-120001-odd-0001");
    assert_int_equal(mf_gc_sweep(home, INT64_MAX, true, &swept, NULL), 0);
    assert_int_equal(swept.count, 1);
    assert_true(there(dir_of(".gone-20260924-120000-even-0000"))); /* it was a dry run */
    assert_int_equal(mf_gc_sweep(home, INT64_MAX, false, &swept, NULL), 0);
    assert_int_equal(swept.count, 1);
    assert_true(swept.bytes > 0);
    assert_false(there(dir_of(".gone-20260924-120000-even-0000")));
    assert_true(there(dir_of(".new-20260924-120001-odd-0001"))); /* its recorder lives */
    mf_file_close(lock);
    assert_int_equal(mf_gc_sweep(home, 0, false, &swept, NULL), 0);
    assert_int_equal(swept.count, 0); /* too young */
    assert_int_equal(mf_gc_sweep(home, INT64_MAX, false, &swept, NULL), 0);
    assert_int_equal(swept.count, 1);
    assert_false(there(dir_of(".new-20260924-120001-odd-0001")));
    /* Removing one whose leftover of the same name is still there. */
    assert_int_equal(mf_fs_mkdirs(NULL, dir_of(".gone-20260924-120005-odd-0005/x"), NULL), 0);
    assert_int_equal(mf_flight_remove(dir_of("20260924-120005-odd-0005"), NULL), 0);
    assert_false(there(dir_of("20260924-120005-odd-0005")));
}

static void no_home_is_fine(void **state)
{
    (void)state;
    struct mf_gc_plan plan;
    struct mf_gc_swept swept;
    snprintf(home, sizeof home, "%s/absent", scratch_directory());
    assert_int_equal(mf_gc_plan(home, &(struct mf_gc_rules){.has_keep = true}, START, &plan, NULL),
                     0);
    assert_int_equal(plan.count, 0);
    mf_gc_plan_free(&plan);
    assert_int_equal(mf_gc_sweep(home, INT64_MAX, false, &swept, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rules_say_which_go, set_up),
        cmocka_unit_test_setup(sizes_count_from_the_newest, set_up),
        cmocka_unit_test_setup(running_ones_never_go, set_up),
        cmocka_unit_test_setup(removing_stays_inside, set_up),
        cmocka_unit_test_setup(damaged_ones_can_be_removed, set_up),
        cmocka_unit_test_setup(odd_files_go_with_the_rest, set_up),
        cmocka_unit_test_setup(leftovers_are_swept, set_up),
        cmocka_unit_test(no_home_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
