/* SPDX-License-Identifier: Apache-2.0
 * test_os_cgroup.c -- where our cgroups are, told from the texts of the kernel; and, where
 * permitted, one of our own from its making to its end. */
#include "cmocka_all.h"

#include "os/cgroup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mf_cgroup_places places_of(const char *mountinfo, const char *membership)
{
    struct mf_cgroup_places places;
    mf_cgroup_parse_places(mountinfo, strlen(mountinfo), membership, strlen(membership), &places);
    return places;
}

static void version_2_alone(void **state)
{
    (void)state;
    const struct mf_cgroup_places p = places_of(
        "22 1 0:20 / / rw - ext4 /dev/vda rw\n"
        "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
        "0::/user.slice/user-1000.slice/session-2.scope\n");
    assert_string_equal(p.unified, "/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope");
    assert_string_equal(p.memory_v1, "");
}

static void hybrid(void **state)
{
    (void)state;
    static const char mounts[] =
        "40 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "41 30 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "42 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const struct mf_cgroup_places p = places_of(mounts, "5:memory:/a/b\n4:cpu,cpuacct:/c\n0::/\n");
    assert_string_equal(p.unified, "/sys/fs/cgroup/unified");
    assert_string_equal(p.memory_v1, "/sys/fs/cgroup/memory/a/b");
}

static void containers(void **state)
{
    (void)state;
    /* Without a namespace: the mount shows the container's part, the path is the host's. */
    struct mf_cgroup_places p = places_of(
        "5 1 0:3 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/abc\n");
    assert_string_equal(p.unified, "/sys/fs/cgroup");
    p = places_of("5 1 0:3 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
                  "0::/docker/abc/x\n");
    assert_string_equal(p.unified, "/sys/fs/cgroup/x");
    p = places_of("5 1 0:3 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
                  "0::/docker/abcd\n");
    assert_string_equal(p.unified, "");
    /* With one that we are not inside of. */
    p = places_of("5 1 0:3 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/../other\n");
    assert_string_equal(p.unified, "");
    p = places_of("5 1 0:3 /.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/\n");
    assert_string_equal(p.unified, "");
}

static void odd_texts(void **state)
{
    (void)state;
    const struct mf_cgroup_places p = places_of(
        "bad\n1 2\n\n5 1 0:3 / /mnt/with\\040blank\\012 rw - cgroup2 none rw", "0::/a:b\nx\n::\n");
    assert_string_equal(p.unified, "/mnt/with blank\n/a:b");
    assert_string_equal(places_of("", "").unified, "");
    assert_string_equal(
        places_of("5 1 0:3 / /m rw - cgroup2 none rw\n", "1:name=systemd:/\n").unified, "");
}

static void a_place_that_is_not_one(void **state)
{
    (void)state;
    struct mf_cgroup *cgroup = NULL;
    struct mf_errinfo err = {0};
    const struct mf_cgroup_places nowhere = {.unified = ""};
    assert_int_equal(mf_cgroup_create(&nowhere, "x", 0, &cgroup, &err), MF_EUNSUPPORTED);
    assert_true(strstr(err.msg, "no cgroup2 file system") != NULL);
    /* An ordinary directory: the new one does not get the files of a cgroup, and is taken away
     * again. */
    char directory[] = "/tmp/mayfly-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct mf_cgroup_places ordinary = {.unified = ""};
    snprintf(ordinary.unified, sizeof ordinary.unified, "%s", directory);
    assert_int_equal(mf_cgroup_create(&ordinary, "x", 0, &cgroup, &err), MF_EUNSUPPORTED);
    assert_int_equal(rmdir(directory), 0);
}

#define LOOKS 12000 /* of 5 ms */

static int count(void *context, int32_t pid)
{
    (void)pid;
    (*(int *)context)++;
    return 0;
}

static pid_t start_inside(struct mf_cgroup *cgroup)
{
    const struct mf_cgroup_entrance entrance = mf_cgroup_entrance(cgroup);
    const int doors[] = {entrance.door, entrance.door_v1};
    const pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 2; i++) {
            if (doors[i] >= 0 && write(doors[i], "0", 1) != 1) {
                _exit(1);
            }
        }
        for (volatile long i = 0; i < 30000000; i++) {
        }
        for (;;) {
            pause();
        }
    }
    assert_true(pid > 0);
    return pid;
}

static void one_of_our_own(void **state)
{
    (void)state;
    struct mf_cgroup_places places;
    struct mf_cgroup *cgroup = NULL;
    struct mf_errinfo err = {0};
    char name[64];
    snprintf(name, sizeof name, "mayfly-test-%d", (int)getpid());
    mf_cgroup_find_places(&places);
    if (mf_cgroup_create(&places, name, 0, &cgroup, &err) < 0) {
        print_message("not permitted here: %s\n", err.msg);
        skip();
    }
    char path[MF_CGROUP_PATH_LEN];
    snprintf(path, sizeof path, "%s",
             mf_cgroup_has_unified(cgroup) ? mf_cgroup_path(cgroup)
                                           : mf_cgroup_memory_v1_path(cgroup));
    int members = 0;
    assert_int_equal(mf_cgroup_each(cgroup, count, &members), 0);
    assert_int_equal(members, 0);
    const pid_t first = start_inside(cgroup);
    const pid_t second = start_inside(cgroup);
    struct mf_cgroup_figures figures = {0};
    for (int i = 0; i < LOOKS && members < 2; i++) {
        members = 0;
        usleep(5000);
        assert_int_equal(mf_cgroup_each(cgroup, count, &members), 0);
    }
    assert_int_equal(members, 2);
    for (int i = 0; i < LOOKS && mf_cgroup_has_unified(cgroup); i++) {
        mf_cgroup_read(cgroup, &figures);
        assert_true(figures.cpu_user_ns != MF_CGROUP_UNKNOWN);
        if (figures.cpu_user_ns + figures.cpu_system_ns > 0) {
            break;
        }
        usleep(5000);
    }
    if (mf_cgroup_has_unified(cgroup)) {
        assert_true(figures.cpu_user_ns + figures.cpu_system_ns > 0);
        assert_int_equal(mf_cgroup_kill(cgroup), 0);
        assert_int_equal(waitpid(first, NULL, 0), first);
    } else {
        kill(first, SIGKILL);
        waitpid(first, NULL, 0);
        kill(second, SIGKILL);
    }
    assert_int_equal(waitpid(second, NULL, 0), second);
    /* Who outlives it goes to the parent. */
    const pid_t third = start_inside(cgroup);
    members = 0;
    for (int i = 0; i < LOOKS && members == 0; i++) {
        usleep(5000);
        (void)mf_cgroup_each(cgroup, count, &members);
    }
    assert_int_equal(members, 1);
    assert_int_equal(mf_cgroup_remove(cgroup), 1);
    assert_int_equal(kill(third, 0), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    kill(third, SIGKILL);
    waitpid(third, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2_alone),
        cmocka_unit_test(hybrid),
        cmocka_unit_test(containers),
        cmocka_unit_test(odd_texts),
        cmocka_unit_test(a_place_that_is_not_one),
        cmocka_unit_test(one_of_our_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
