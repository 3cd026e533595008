/* SPDX-License-Identifier: Apache-2.0
 * Which flights there are and which one a word means, over homes made of hand-written flight.json.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "scratch.h"

#include "os/file.h"

#include <mayfly/flight.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define NOON   (INT64_C(1790251200) * SECOND) /* 2026-09-24T12:00:00Z */

static char home[256];

static void write_file(const char *path, const char *text)
{
    assert_int_equal(mf_fs_replace(NULL, path, text, strlen(text), NULL), 0);
}

static void make_directory(const char *id)
{
    char path[512];
    snprintf(path, sizeof path, "%s/flights/%s", home, id);
    assert_int_equal(mf_fs_mkdirs(NULL, path, NULL), 0);
}

static void make(const char *id, const char *name, int64_t started_ns, const char *rest)
{
    char path[512];
    char text[1024];
    make_directory(id);
    snprintf(path, sizeof path, "%s/flights/%s/flight.json", home, id);
    snprintf(text, sizeof text,
             "{\"format\":1,\"id\":\"%s\",\"name\":\"%s\",\"started_wall_ns\":%lld,%s}", id, name,
             (long long)started_ns, rest);
    write_file(path, text);
}

#define ENDED(code)                                                                                \
    "\"state\":\"ended\",\"duration_ns\":5,\"outcome\":{\"kind\":\"exited\",\"exit_code\":" #code  \
    "}"

static int set_up(void **state)
{
    (void)state;
    static int turn;
    snprintf(home, sizeof home, "%s/home%d", scratch_directory(), turn++);
    make("20260924-120000-make-00aa", "make", NOON, ENDED(0) ",\"tags\":[\"ci\",\"os=linux\"]");
    make("20260924-120005-make-11bb", "make", NOON + 5 * SECOND + 200, ENDED(2));
    make("20260924-120005-make-22cc", "make", NOON + 5 * SECOND + 100, ENDED(0));
    make("20260924-130000-my_test-33dd", "My Test", NOON + 3600 * SECOND, ENDED(1));
    return 0;
}

static void check_resolves(const char *ref, const char *id)
{
    char *dir = NULL;
    struct mf_errinfo err = {0};
    assert_int_equal(mf_flight_resolve(home, ref, &dir, &err), 0);
    assert_string_equal(strrchr(dir, '/') + 1, id);
    mf_flight_free_text(dir);
}

static void check_refused(const char *ref, int code, const char *part)
{
    char *dir = NULL;
    struct mf_errinfo err = {0};
    assert_int_equal(mf_flight_resolve(home, ref, &dir, &err), code);
    assert_null(dir);
    assert_non_null(strstr(err.msg, part));
}

static void resolves_by_recency(void **state)
{
    (void)state;
    check_resolves("last", "20260924-130000-my_test-33dd");
    check_resolves("latest", "20260924-130000-my_test-33dd");
    check_resolves("-1", "20260924-130000-my_test-33dd");
    check_resolves("-2", "20260924-120005-make-11bb"); /* the later one within its second */
    check_resolves("-3", "20260924-120005-make-22cc");
    check_resolves("-4", "20260924-120000-make-00aa");
    check_refused("-5", MF_ENOTFOUND, "only 4 flights");
    check_refused("-0", MF_ENOTFOUND, "-0");
}

static void resolves_by_id_and_part(void **state)
{
    (void)state;
    check_resolves("20260924-120000-make-00aa", "20260924-120000-make-00aa");
    check_resolves("20260924-13", "20260924-130000-my_test-33dd");
    check_resolves("22cc", "20260924-120005-make-22cc");
    check_refused("2cc", MF_ENOTFOUND, "2cc"); /* an ending of three characters is none */
    check_refused("20260924-120005", MF_EVALUE, "2 flights");
    check_refused("2026", MF_EVALUE, "...");
    check_refused("nothing", MF_ENOTFOUND, "'nothing'");
    check_refused("", MF_ENOTFOUND, "''");
}

static void resolves_by_name(void **state)
{
    (void)state;
    check_resolves("make", "20260924-120005-make-11bb");
    check_resolves("My Test", "20260924-130000-my_test-33dd");
    /* a name is stronger than the beginning of ids */
    make("20260924-110000-2026-44ee", "2026", NOON - 3600 * SECOND, ENDED(0));
    check_resolves("2026", "20260924-110000-2026-44ee");
}

static void resolves_by_path(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/flights/20260924-120000-make-00aa///", home);
    check_resolves(path, "20260924-120000-make-00aa");
    check_refused(home, MF_ENOTFOUND, "not the directory of a flight");
    check_refused("/nowhere", MF_ENOTFOUND, "not the directory of a flight");
}

static size_t count_of(const struct mf_flight_filter *filter)
{
    struct mf_flight_list list;
    assert_int_equal(mf_flight_list_read(home, filter, &list, NULL), 0);
    const size_t count = list.count;
    mf_flight_list_free(&list);
    return count;
}

static void filters(void **state)
{
    (void)state;
    assert_int_equal(count_of(NULL), 4);
    assert_int_equal(count_of(&(struct mf_flight_filter){.name = "make"}), 3);
    assert_int_equal(count_of(&(struct mf_flight_filter){.failed = true}), 2);
    assert_int_equal(count_of(&(struct mf_flight_filter){.name = "make", .failed = true}), 1);
    assert_int_equal(count_of(&(struct mf_flight_filter){.limit = 3}), 3);
    assert_int_equal(count_of(&(struct mf_flight_filter){.since_wall_ns = NOON + SECOND}), 3);
    const char *const by_key[] = {"os", NULL};
    const char *const by_value[] = {"os=linux", "ci", NULL};
    const char *const other_value[] = {"os=lin", NULL};
    assert_int_equal(count_of(&(struct mf_flight_filter){.tags = by_key}), 1);
    assert_int_equal(count_of(&(struct mf_flight_filter){.tags = by_value}), 1);
    assert_int_equal(count_of(&(struct mf_flight_filter){.tags = other_value}), 0);
}

static void lists_damaged_ones_as_such(void **state)
{
    (void)state;
    make_directory("20260924-125900-lost-55ff");
    make("20260924-125901-torn-6600", "torn", NOON, "\"state\":");
    make_directory("20260924-125902-new-7711");
    char path[512];
    snprintf(path, sizeof path, "%s/flights/20260924-125902-new-7711/flight.json", home);
    write_file(path, "{\"format\":9,\"id\":\"x\",\"state\":\"ended\"}");
    make("20260924-125903-odd-8822", "odd", NOON, "\"state\":\"asleep\"");
    make_directory(".new-20260924-125904-x-9933");
    write_file(scratch_path("home-file"), "");
    struct mf_flight_list list;
    assert_int_equal(mf_flight_list_read(home, NULL, &list, NULL), 0);
    assert_int_equal(list.count, 8);
    assert_int_equal(list.unreadable, 4);
    static const struct {
        const char *id;
        int code;
    } wanted[] = {
        {"20260924-130000-my_test-33dd", 0},
        {"20260924-125903-odd-8822", MF_EFORMAT},
        {"20260924-125902-new-7711", MF_EVERSION},
        {"20260924-125901-torn-6600", MF_ECORRUPT},
        {"20260924-125900-lost-55ff", -2 /* ENOENT */},
        {"20260924-120005-make-11bb", 0},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_string_equal(list.items[i].id, wanted[i].id);
        assert_int_equal(list.items[i].why.code, wanted[i].code);
        assert_int_equal(list.items[i].info == NULL, wanted[i].code != 0);
    }
    mf_flight_list_free(&list);
    assert_int_equal(count_of(&(struct mf_flight_filter){.failed = true}), 2);
    assert_int_equal(count_of(&(struct mf_flight_filter){.since_wall_ns = NOON + 60 * SECOND}), 5);
    check_resolves("20260924-125900-lost-55ff", "20260924-125900-lost-55ff");
}

static void running_is_believed_while_the_lock_is_held(void **state)
{
    (void)state;
    char path[512];
    make("20260924-140000-live-aa44", "live", NOON, "\"state\":\"running\"");
    snprintf(path, sizeof path, "%s/flights/20260924-140000-live-aa44", home);
    struct mf_flight_info *info = NULL;
    assert_int_equal(mf_flight_info_read(path, &info, NULL), 0);
    assert_int_equal(info->state, MF_FLIGHT_DEAD);
    assert_int_equal(info->duration_ns, -1);
    mf_flight_info_free(info);
    assert_int_equal(count_of(&(struct mf_flight_filter){.failed = true}), 3);

    struct mf_file *lock = NULL;
    char lock_path[600];
    snprintf(lock_path, sizeof lock_path, "%s/recorder.lock", path);
    assert_int_equal(
        mf_file_open(NULL, lock_path, MF_OPEN_READ | MF_OPEN_WRITE | MF_OPEN_CREATE, &lock, NULL),
        0);
    assert_int_equal(mf_file_lock(lock, NULL), 0);
    assert_int_equal(mf_flight_info_read(path, &info, NULL), 0);
    assert_int_equal(info->state, MF_FLIGHT_RUNNING);
    assert_true(info->duration_ns > 0);
    mf_flight_info_free(info);
    assert_int_equal(count_of(&(struct mf_flight_filter){.failed = true}), 2);
    assert_int_equal(count_of(&(struct mf_flight_filter){.ended = true}), 4);
    mf_file_close(lock);
}

static void short_ids_name_one_flight(void **state)
{
    (void)state;
    make("20260924-150000-a-11bb", "a", NOON, ENDED(0));
    make("20260924-150000-x-a-11bb", "x-a", NOON, ENDED(0));
    struct mf_flight_list list;
    assert_int_equal(mf_flight_list_read(home, NULL, &list, NULL), 0);
    assert_int_equal(list.count, 6);
    for (size_t i = 0; i < list.count; i++) {
        check_resolves(list.items[i].short_id, list.items[i].id);
        const char *wanted = strcmp(list.items[i].id, "20260924-150000-x-a-11bb") == 0 ? "x-a-11bb"
                             : strcmp(list.items[i].id, "20260924-150000-a-11bb") == 0
                                 ? "150000-a-11bb"
                             : strcmp(list.items[i].id, "20260924-120005-make-11bb") == 0
                                 ? "make-11bb"
                                 : strrchr(list.items[i].id, '-') + 1;
        assert_string_equal(list.items[i].short_id, wanted);
    }
    mf_flight_list_free(&list);
}

static void no_home_has_no_flights(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "%s/absent", scratch_directory());
    assert_int_equal(count_of(NULL), 0);
    check_refused("last", MF_ENOTFOUND, "no flights");
    check_refused("x", MF_ENOTFOUND, "'x'");
}

static void home_by_environment(void **state)
{
    (void)state;
    static const struct {
        const char *mayfly, *xdg, *user, *wanted;
    } cases[] = {
        {"/m", "/x", "/u", "/m"},
        {"", "/x", "/u", "/x/mayfly"},
        {NULL, "x", "/u", "/u/.local/share/mayfly"},
        {NULL, NULL, "/u", "/u/.local/share/mayfly"},
        {NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const names[] = {"MAYFLY_HOME", "XDG_DATA_HOME", "HOME"};
        const char *const values[] = {cases[i].mayfly, cases[i].xdg, cases[i].user};
        for (int v = 0; v < 3; v++) {
            if (values[v] != NULL) {
                setenv(names[v], values[v], 1);
            } else {
                unsetenv(names[v]);
            }
        }
        char *found = NULL;
        const int rc = mf_flight_home(NULL, &found, NULL);
        assert_int_equal(rc, cases[i].wanted != NULL ? 0 : MF_EVALUE);
        if (rc == 0) {
            assert_string_equal(found, cases[i].wanted);
        }
        mf_flight_free_text(found);
    }
    char *found = NULL;
    assert_int_equal(mf_flight_home("/given", &found, NULL), 0);
    assert_string_equal(found, "/given");
    mf_flight_free_text(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(resolves_by_recency, set_up),
        cmocka_unit_test_setup(resolves_by_id_and_part, set_up),
        cmocka_unit_test_setup(resolves_by_name, set_up),
        cmocka_unit_test_setup(resolves_by_path, set_up),
        cmocka_unit_test_setup(filters, set_up),
        cmocka_unit_test_setup(lists_damaged_ones_as_such, set_up),
        cmocka_unit_test_setup(running_is_believed_while_the_lock_is_held, set_up),
        cmocka_unit_test_setup(short_ids_name_one_flight, set_up),
        cmocka_unit_test(no_home_has_no_flights),
        cmocka_unit_test(home_by_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
