/* SPDX-License-Identifier: Apache-2.0
 * The real file layer: what os/file.h promises, and the sentences of its failures. */
#include "base/heap.h"
#include "os/file.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_all.h"

#define RW     (MF_OPEN_READ | MF_OPEN_WRITE)
#define CREATE (RW | MF_OPEN_CREATE)

#define SEEN_LEN 200

static struct mf_errinfo err;

static struct mf_file *opened(const char *path, unsigned flags)
{
    struct mf_file *file = NULL;
    int code = mf_file_open(NULL, path, flags, &file, &err);
    if (code != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(code, 0);
    return file;
}

static void put(const char *path, const char *text)
{
    struct mf_file *file = opened(path, CREATE | MF_OPEN_TRUNCATE);
    assert_int_equal(mf_file_write(file, text, strlen(text), 0, &err), 0);
    mf_file_close(file);
}

static void assert_content(const char *path, const char *text)
{
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(mf_fs_read_all(NULL, path, 1 << 20, &bytes, &len, &err), 0);
    assert_int_equal(len, strlen(text));
    assert_string_equal(bytes, text);
    mf_free(bytes);
}

static void test_write_read_truncate(void **state)
{
    (void)state;
    const char *path = scratch_path("plain");
    struct mf_file *file = opened(path, CREATE);
    assert_string_equal(mf_file_path(file), path);
    assert_int_equal(mf_file_write(file, "abcdef", 6, 10, &err), 0);
    char back[32];
    size_t len = 99;
    assert_int_equal(mf_file_read(file, back, sizeof back, 8, &len, &err), 0);
    assert_int_equal(len, 8);
    assert_memory_equal(back, "\0\0abcdef", 8);
    assert_int_equal(mf_file_read(file, back, sizeof back, 100, &len, &err), 0);
    assert_int_equal(len, 0);
    assert_int_equal(mf_file_sync(file, &err), 0);
    assert_int_equal(mf_file_truncate(file, 12, &err), 0);
    struct mf_file_info info;
    assert_int_equal(mf_file_info(file, &info, &err), 0);
    assert_int_equal(info.kind, MF_KIND_FILE);
    assert_int_equal(info.size_bytes, 12);
    assert_int_equal(info.mode, 0600);
    assert_true(info.modified_wall_ns > 0);
    assert_true(mf_file_descriptor(file) >= 0);
    assert_true((fcntl(mf_file_descriptor(file), F_GETFD) & FD_CLOEXEC) != 0);
    mf_file_close(file);
    mf_file_close(NULL);
}

static void assert_sentence(int code, const char *operation, const char *path, const char *advice)
{
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.msg, operation));
    assert_non_null(strstr(err.msg, path));
    assert_non_null(strstr(err.msg, mf_strerror(code)));
    assert_non_null(strstr(err.msg, advice));
    assert_null(strchr(err.msg, '\n'));
}

static void test_open_failures(void **state)
{
    (void)state;
    struct mf_file *file = (struct mf_file *)&err; /* must stay untouched */
    const char *absent = scratch_path("absent");
    assert_int_equal(mf_file_open(NULL, absent, MF_OPEN_READ, &file, &err), -ENOENT);
    assert_sentence(-ENOENT, "cannot open", absent, "check the path");
    assert_int_equal(mf_file_open(NULL, absent, MF_OPEN_READ, &file, NULL), -ENOENT);
    assert_int_equal(mf_file_open(NULL, scratch_directory(), MF_OPEN_READ, &file, &err), -EISDIR);
    assert_int_equal(mf_file_open(NULL, scratch_directory(), RW, &file, &err), -EISDIR);

    const char *present = scratch_path("present");
    put(present, "x");
    assert_int_equal(mf_file_open(NULL, present, CREATE | MF_OPEN_EXCLUSIVE, &file, &err), -EEXIST);
    assert_sentence(-EEXIST, "cannot create", present, "");

    const char *link = scratch_path("link");
    assert_int_equal(symlink(present, link), 0);
    assert_int_equal(mf_file_open(NULL, link, RW | MF_OPEN_NOFOLLOW, &file, &err), -ELOOP);
    assert_sentence(-ELOOP, "cannot open for writing", link, "symbolic link");
    mf_file_close(opened(link, RW));
    file = (struct mf_file *)&err;

    const char *fifo = scratch_path("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(mf_file_open(NULL, fifo, MF_OPEN_READ, &file, &err), MF_EVALUE);
    assert_int_equal(mf_file_open(NULL, fifo, RW, &file, &err), MF_EVALUE);
    assert_int_equal(mf_file_open(NULL, "/dev/null", RW, &file, &err), MF_EVALUE);
    assert_ptr_equal(file, &err);
}

/* The end of a sentence carries the reason, so a long path must not push it out. */
static void test_long_path_keeps_reason(void **state)
{
    (void)state;
    char path[3000];
    snprintf(path, sizeof path, "%s/", scratch_directory());
    for (size_t len = strlen(path); len + 102 < sizeof path; len += 101) {
        memset(path + len, 'd', 100);
        snprintf(path + len + 100, sizeof path - len - 100, "/");
    }
    memcpy(path + strlen(path) - 4, "/tip", 4);
    struct mf_file *file = NULL;
    assert_int_equal(mf_file_open(NULL, path, MF_OPEN_READ, &file, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/tip"));
    assert_non_null(strstr(err.msg, "No such file or directory; check the path"));
}

static void test_truncate_flag(void **state)
{
    (void)state;
    const char *path = scratch_path("cut");
    put(path, "long content");
    put(path, "short");
    assert_content(path, "short");
}

static void test_lock(void **state)
{
    (void)state;
    const char *path = scratch_path("lock");
    struct mf_file *first = opened(path, CREATE);
    struct mf_file *second = opened(path, MF_OPEN_READ);
    assert_int_equal(mf_file_is_locked(second, &err), 0);
    assert_int_equal(mf_file_lock(first, &err), 0);
    assert_int_equal(mf_file_is_locked(first, &err), 1);
    assert_int_equal(mf_file_is_locked(first, &err), 1); /* asking did not weaken it */
    assert_int_equal(mf_file_is_locked(second, &err), 1);
    assert_int_equal(mf_file_lock(second, &err), MF_ELOCKED);
    assert_sentence(MF_ELOCKED, "cannot lock", path, "stop the other process");
    mf_file_close(first);
    assert_int_equal(mf_file_is_locked(second, &err), 0);
    assert_int_equal(mf_file_lock(second, &err), 0);
    mf_file_close(second);
}

/* A mapping keeps the kernel's open file alive; the lock must go with the handle all the same. */
static void test_close_unlocks_under_mapping(void **state)
{
    (void)state;
    const char *path = scratch_path("mapped-lock");
    struct mf_file *first = opened(path, CREATE);
    assert_int_equal(mf_file_allocate(first, 4096, &err), 0);
    assert_int_equal(mf_file_lock(first, &err), 0);
    void *address = NULL;
    assert_int_equal(mf_file_map(first, 4096, true, &address, &err), 0);
    mf_file_close(first);
    struct mf_file *second = opened(path, RW);
    assert_int_equal(mf_file_lock(second, &err), 0);
    memcpy(address, "still", 5);
    assert_int_equal(mf_file_map_sync(first, (char *)address + 1, 3, &err), 0);
    assert_int_equal(mf_file_unmap(first, address, 4096), 0);
    char back[5];
    size_t len = 0;
    assert_int_equal(mf_file_read(second, back, 5, 0, &len, &err), 0);
    assert_memory_equal(back, "still", 5);
    mf_file_close(second);
}

static void test_lock_not_inherited(void **state)
{
    (void)state;
    struct mf_file *file = opened(scratch_path("inherit"), CREATE);
    assert_int_equal(mf_file_lock(file, &err), 0);
    int gate[2];
    assert_int_equal(pipe2(gate, 0), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(gate[1]);
        dup2(gate[0], 0);
        execlp("cat", "cat", (char *)NULL);
        _exit(127);
    }
    close(gate[0]);
    /* The lock may be the child's too until its exec, which mf_file_close must not depend on. */
    mf_file_close(file);
    file = opened(scratch_path("inherit"), RW);
    assert_int_equal(mf_file_lock(file, &err), 0);
    mf_file_close(file);
    close(gate[1]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_allocate(void **state)
{
    (void)state;
    struct mf_file *file = opened(scratch_path("room"), CREATE);
    assert_int_equal(mf_file_write(file, "head", 4, 0, &err), 0);
    assert_int_equal(mf_file_allocate(file, 1 << 20, &err), 0);
    struct mf_file_info info;
    assert_int_equal(mf_file_info(file, &info, &err), 0);
    assert_int_equal(info.size_bytes, 1 << 20);
    assert_true(info.allocated_bytes >= 1 << 20);
    assert_int_equal(mf_file_allocate(file, 10, &err), 0); /* never shortens */
    assert_int_equal(mf_file_info(file, &info, &err), 0);
    assert_int_equal(info.size_bytes, 1 << 20);
    char back[4];
    size_t len = 0;
    assert_int_equal(mf_file_read(file, back, 4, 0, &len, &err), 0);
    assert_memory_equal(back, "head", 4);
    mf_file_close(file);
}

/* Runs `body` in a child, because a limit of the process is lowered; 0 when it returned 0. */
static int in_child(int (*body)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(body());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int limited_file_size(void)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {65536, 65536};
    struct mf_file *file = NULL;
    struct mf_file_info info;
    char block[8192] = {0};
    return setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
           mf_file_open(NULL, scratch_path("limited"), CREATE, &file, &err) != 0 ||
           mf_file_allocate(file, 1 << 20, &err) != -EFBIG || strstr(err.msg, "reserve") == NULL ||
           mf_file_info(file, &info, &err) != 0 || info.size_bytes != 0 ||
           mf_file_write(file, block, sizeof block, 60000, &err) != -EFBIG ||
           strstr(err.msg, "write 8192 bytes at offset 60000") == NULL;
}

static void test_limit_is_reported(void **state)
{
    (void)state;
    scratch_directory();
    assert_int_equal(in_child(limited_file_size), 0);
}

static int visit(void *context, const char *name, enum mf_file_kind kind)
{
    char *seen = context;
    size_t used = strlen(seen);
    snprintf(seen + used, SEEN_LEN - used, "%s:%d ", name, (int)kind);
    return strcmp(name, "stop") == 0 ? 7 : 0;
}

static void test_directories(void **state)
{
    (void)state;
    const char *top = scratch_path("dirs");
    assert_int_equal(mf_fs_mkdir(NULL, top, &err), 0);
    assert_int_equal(mf_fs_mkdir(NULL, top, &err), -EEXIST);
    assert_int_equal(mf_fs_mkdirs(NULL, scratch_path("dirs//a/b/c/"), &err), 0);
    assert_int_equal(mf_fs_mkdirs(NULL, scratch_path("dirs/a/b/c"), &err), 0);
    put(scratch_path("dirs/file"), "x");
    assert_int_equal(mf_fs_mkdirs(NULL, scratch_path("dirs/file"), &err), -EEXIST);
    assert_int_equal(mf_fs_mkdirs(NULL, scratch_path("dirs/file/below"), &err), -EEXIST);
    assert_int_equal(mf_fs_mkdirs(NULL, "", &err), -ENOENT);
    assert_int_equal(symlink("a", scratch_path("dirs/link")), 0);
    assert_int_equal(mf_fs_mkdirs(NULL, scratch_path("dirs/link/x"), &err), 0);

    struct mf_file_info info;
    assert_int_equal(mf_fs_info(NULL, scratch_path("dirs/link"), &info, &err), 0);
    assert_int_equal(info.kind, MF_KIND_OTHER);
    assert_int_equal(mf_fs_info(NULL, scratch_path("dirs/a"), &info, &err), 0);
    assert_int_equal(info.kind, MF_KIND_DIRECTORY);
    assert_int_equal(info.mode, 0700);
    assert_int_equal(mf_fs_info(NULL, scratch_path("dirs/none"), &info, &err), -ENOENT);

    char seen[SEEN_LEN] = "";
    assert_int_equal(mf_fs_list(NULL, top, visit, seen, &err), 0);
    assert_string_equal(seen, "a:1 file:0 link:2 ");
    assert_int_equal(mf_fs_rename(NULL, scratch_path("dirs/file"), scratch_path("dirs/stop"), &err),
                     0);
    put(scratch_path("dirs/z"), "");
    seen[0] = '\0';
    assert_int_equal(mf_fs_list(NULL, top, visit, seen, &err), 7);
    assert_string_equal(seen, "a:1 link:2 stop:0 ");
    assert_int_equal(mf_fs_list(NULL, scratch_path("none"), visit, seen, &err), -ENOENT);

    assert_int_equal(mf_fs_sync_directory(NULL, top, &err), 0);
    assert_int_equal(mf_fs_sync_directory(NULL, scratch_path("dirs/z"), &err), -ENOTDIR);
    assert_int_equal(mf_fs_rmdir(NULL, top, &err), -ENOTEMPTY);
    assert_int_equal(mf_fs_unlink(NULL, scratch_path("dirs/z"), &err), 0);
    assert_int_equal(mf_fs_unlink(NULL, scratch_path("dirs/z"), &err), -ENOENT);
}

static int count_entry(void *context, const char *name, enum mf_file_kind kind)
{
    (void)name;
    (void)kind;
    ++*(int *)context;
    return 0;
}

static void test_replace(void **state)
{
    (void)state;
    assert_int_equal(mf_fs_mkdir(NULL, scratch_path("replace"), &err), 0);
    const char *path = scratch_path("replace/file");
    assert_int_equal(mf_fs_replace(NULL, path, "one", 3, &err), 0);
    assert_int_equal(mf_fs_replace(NULL, path, "second", 6, &err), 0);
    assert_content(path, "second");
    assert_int_equal(mf_fs_replace(NULL, scratch_path("replace"), "x", 1, &err), -EISDIR);
    assert_int_equal(symlink("file", scratch_path("replace/link")), 0);
    assert_int_equal(mf_fs_replace(NULL, scratch_path("replace/link"), "x", 1, &err), MF_EVALUE);
    assert_int_equal(mf_fs_replace(NULL, scratch_path("none/file"), "x", 1, &err), -ENOENT);
    int entries = 0;
    assert_int_equal(mf_fs_list(NULL, scratch_path("replace"), count_entry, &entries, &err), 0);
    assert_int_equal(entries, 2); /* no temporary file is left */

    /* Without a directory in the name, the current one is meant. */
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch_path("replace")), 0);
    assert_int_equal(mf_fs_replace(NULL, "bare", "bare", 4, &err), 0);
    assert_int_equal(chdir(before), 0);
    assert_content(scratch_path("replace/bare"), "bare");
}

static void test_read_all(void **state)
{
    (void)state;
    const char *path = scratch_path("whole");
    put(path, "");
    assert_content(path, "");
    static char text[20001];
    memset(text, 't', sizeof text - 1);
    put(path, text);
    assert_content(path, text);
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(mf_fs_read_all(NULL, path, 20000, &bytes, &len, &err), 0);
    mf_free(bytes);
    bytes = NULL;
    assert_int_equal(mf_fs_read_all(NULL, path, 19999, &bytes, &len, &err), MF_ELIMIT);
    assert_null(bytes);
    assert_int_equal(mf_fs_read_all(NULL, "/proc/self/status", 1 << 20, &bytes, &len, &err), 0);
    assert_true(len > 100); /* although its size is said to be 0 */
    assert_int_equal(strlen(bytes), len);
    mf_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_read_truncate),
        cmocka_unit_test(test_open_failures),
        cmocka_unit_test(test_long_path_keeps_reason),
        cmocka_unit_test(test_truncate_flag),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_close_unlocks_under_mapping),
        cmocka_unit_test(test_lock_not_inherited),
        cmocka_unit_test(test_allocate),
        cmocka_unit_test(test_limit_is_reported),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_read_all),
    };
    return cmocka_run_group_tests_name("os/file", tests, NULL, NULL);
}
