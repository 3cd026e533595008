/* SPDX-License-Identifier: Apache-2.0
 * crash_flight.c -- mayfly run is killed with SIGKILL at any moment of its life, from before its
 * directory has a name until after its last write. Whatever is left is either no flight at all, or
 * one that mf_flight_recover() completes: with a beginning of the output, byte for byte, as long as
 * what had arrived, with a process table, with a reason; and a second recovery changes nothing. */
#include "cmocka_all.h"

#include "scratch.h"
#include "test_seed.h"

#include "base/rng.h"
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mayfly/flight.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 60

static char mayfly[1024];
static char home[512];

/* Numbered lines, processes, an event now and then; ends by itself after about 100 ms. */
static const char script[] =
    "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); /bin/true; done; "
    "echo '{\"half\":1}' >&$MAYFLY_EVENT_FD; "
    "while [ $i -lt 120 ]; do echo line $i; i=$((i+1)); done; exit 3";

static pid_t start(int output)
{
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(output, 1);
        dup2(output, 2);
        execl(mayfly, mayfly, "run", "-q", "--name", "victim", "--", "sh", "-c", script,
              (char *)NULL);
        _exit(99);
    }
    assert_true(pid > 0);
    return pid;
}

/* The only directory below flights/, or NULL; `*ret_new`: one that never got its name. */
static char *find_flight(bool *ret_new)
{
    char path[600];
    char *found = NULL;
    *ret_new = false;
    snprintf(path, sizeof path, "%s/flights", home);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return NULL;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, ".new-", 5) == 0) {
            *ret_new = true;
        } else if (entry->d_name[0] != '.') {
            assert_null(found);
            assert_true(asprintf(&found, "%s/%s", path, entry->d_name) > 0);
        }
    }
    closedir(directory);
    return found;
}

static void clear_home(void)
{
    char command[700];
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    assert_int_equal(system(command), 0);
}

/* How many lines the log has; each must be the next. */
static int lines_kept(const char *dir)
{
    struct mf_flight_output *output = NULL;
    struct mf_flight_line line;
    struct mf_errinfo err = {0};
    int count = 0;
    const int ret = mf_flight_output_open(dir, &output, &err);
    if (ret == -ENOENT) {
        return 0;
    }
    assert_int_equal(ret, 0);
    while (mf_flight_output_next_line(output, &line, &err) == 1) {
        char expected[32];
        snprintf(expected, sizeof expected, "line %d", count);
        assert_int_equal(line.len, strlen(expected));
        assert_memory_equal(line.text, expected, line.len);
        count++;
    }
    mf_flight_output_close(output);
    return count;
}

static int lines_arrived(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    int count = 0;
    char line[64];
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "line ", 5) == 0 && strchr(line, '\n') != NULL) {
            assert_int_equal(strtol(line + 5, NULL, 10), count);
            count++;
        }
    }
    fclose(file);
    return count;
}

static void check_recovered(const char *dir, int arrived)
{
    struct mf_flight_info *info = NULL;
    struct mf_flight_recovery recovery;
    struct mf_flight_processes processes;
    struct mf_errinfo err = {0};
    assert_int_equal(mf_flight_info_read(dir, &info, &err), 0);
    /* The command, when it was just being started, has the lock with it until it executes. */
    for (int i = 0; i < 6000 && info->state == MF_FLIGHT_RUNNING; i++) {
        usleep(10000);
        mf_flight_info_free(info);
        assert_int_equal(mf_flight_info_read(dir, &info, &err), 0);
    }
    const bool was_ended = info->state == MF_FLIGHT_ENDED;
    assert_true(was_ended || info->state == MF_FLIGHT_DEAD);
    mf_flight_info_free(info);

    if (mf_flight_recover(dir, &recovery, &err) != 0) {
        fail_msg("recover: %s", err.msg);
    }
    assert_int_equal(recovery.was_complete, was_ended);
    assert_int_equal(recovery.corrupt_records, 0);
    assert_int_equal(mf_flight_info_read(dir, &info, &err), 0);
    assert_int_equal(info->state, was_ended ? MF_FLIGHT_ENDED : MF_FLIGHT_RECOVERED);
    assert_true(info->reason != NULL && info->reason[0] != '\0');
    assert_string_equal(info->name, "victim");
    if (info->outcome == MF_OUTCOME_EXITED) {
        assert_int_equal(info->exit_code, 3);
    } else if (info->outcome != MF_OUTCOME_RECORDER_LOST) {
        /* The command was hung up with the recorder, or written to by nobody. */
        assert_int_equal(info->outcome, MF_OUTCOME_SIGNALED);
    }
    const int kept = lines_kept(dir);
    assert_true(kept >= arrived); /* kept first, passed on then */
    assert_int_equal(info->totals.output[MF_STREAM_STDOUT].lines, kept);
    mf_flight_info_free(info);
    const int ret = mf_flight_processes_read(dir, &processes, &err);
    assert_true(ret == 0 || ret == -ENOENT);
    if (ret == 0) {
        mf_flight_processes_free(&processes);
    }
    assert_int_equal(mf_flight_recover(dir, &recovery, &err), 0);
    assert_true(recovery.was_complete);
}

static void one_kill(struct mf_rng *rng, int round, int *named, int *ended)
{
    char path[600];
    snprintf(path, sizeof path, "%s-out", home);
    const int output = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(output >= 0);
    clear_home();
    const pid_t pid = start(output);
    /* Early moments are as likely as late ones: files come to be there, logs are opened. */
    const uint64_t range_us = round % 3 == 0 ? 15000 : round % 3 == 1 ? 60000 : 250000;
    const uint64_t wait_us = mf_rng_below(rng, range_us);
    nanosleep(&(struct timespec){.tv_nsec = (long)wait_us * 1000}, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    const int arrived = lines_arrived(path);
    close(output);
    bool fresh = false;
    char *dir = find_flight(&fresh);
    if (dir != NULL) {
        check_recovered(dir, arrived);
        (*named)++;
        struct mf_flight_info *info = NULL;
        assert_int_equal(mf_flight_info_read(dir, &info, NULL), 0);
        *ended += info->state == MF_FLIGHT_ENDED;
        mf_flight_info_free(info);
    } else {
        assert_int_equal(arrived, 0); /* the command had not been started */
    }
    free(dir);
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    struct mf_rng rng;
    int named = 0;
    int ended = 0;
    mf_rng_seed(&rng, test_seed());
    for (int round = 0; round < ROUNDS; round++) {
        one_kill(&rng, round, &named, &ended);
    }
    printf("%d kills: %d flights, %d of them complete\n", ROUNDS, named, ended);
    assert_true(named > 0);
}

static void a_recorder_that_lives(void **state)
{
    (void)state;
    clear_home();
    const int null = open("/dev/null", O_RDWR);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(null, 1);
        execl(mayfly, mayfly, "run", "-q", "--", "sleep", "100", (char *)NULL);
        _exit(99);
    }
    char *dir = NULL;
    bool fresh = false;
    for (int i = 0; i < 1000 && dir == NULL; i++) {
        usleep(5000);
        dir = find_flight(&fresh);
    }
    assert_non_null(dir);
    struct mf_errinfo err = {0};
    assert_int_equal(mf_flight_recover(dir, NULL, &err), MF_ELOCKED);
    kill(pid, SIGTERM);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    free(dir);
    close(null);
}

static void the_command_is_hung_up(void **state)
{
    (void)state;
    clear_home();
    char mark[600];
    char command[1400];
    snprintf(mark, sizeof mark, "%s-mark", home);
    unlink(mark);
    snprintf(command, sizeof command,
             "trap 'echo hup >%s; exit' HUP; echo ready >%s.ready; while :; do sleep 0.02; done",
             mark, mark);
    char ready[700];
    snprintf(ready, sizeof ready, "%s.ready", mark);
    const pid_t pid = fork();
    if (pid == 0) {
        execl(mayfly, mayfly, "run", "-q", "--", "sh", "-c", command, (char *)NULL);
        _exit(99);
    }
    for (int i = 0; i < 1000 && access(ready, F_OK) != 0; i++) {
        usleep(10000);
    }
    assert_int_equal(access(ready, F_OK), 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < 1000 && access(mark, F_OK) != 0; i++) {
        usleep(10000);
    }
    assert_int_equal(access(mark, F_OK), 0);
}

static void another_boot(void **state)
{
    (void)state;
    clear_home();
    const pid_t pid = fork();
    if (pid == 0) {
        execl(mayfly, mayfly, "run", "-q", "--", "sleep", "100", (char *)NULL);
        _exit(99);
    }
    bool fresh = false;
    char *dir = NULL;
    for (int i = 0; i < 1000 && dir == NULL; i++) {
        usleep(5000);
        dir = find_flight(&fresh);
    }
    assert_non_null(dir);
    usleep(300000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    char command[1400];
    snprintf(
        command, sizeof command,
        "sed -i 's/\"boot_id\": \"[^\"]*\"/\"boot_id\": \"00000000-another\"/' '%s/flight.json'",
        dir);
    assert_int_equal(system(command), 0);
    struct mf_flight_info *info = NULL;
    assert_int_equal(mf_flight_recover(dir, NULL, NULL), 0);
    assert_int_equal(mf_flight_info_read(dir, &info, NULL), 0);
    assert_int_equal(info->outcome, MF_OUTCOME_RECORDER_LOST);
    assert_non_null(strstr(info->reason, "the machine went down"));
    mf_flight_info_free(info);
    free(dir);
}

static void a_torn_log(void **state)
{
    (void)state;
    clear_home();
    const int null = open("/dev/null", O_RDWR);
    const pid_t pid = start(null);
    waitpid(pid, NULL, 0);
    close(null);
    bool fresh = false;
    char *dir = find_flight(&fresh);
    assert_non_null(dir);
    /* As if it had been killed in the middle of its last write. */
    char command[2000];
    snprintf(command, sizeof command,
             "cd '%s' && sed -i 's/\"state\": \"ended\"/\"state\": \"running\"/' flight.json && "
             "truncate -s -5 events.log && truncate -s -9 output.log",
             dir);
    assert_int_equal(system(command), 0);
    struct mf_flight_recovery recovery;
    struct mf_errinfo err = {0};
    if (mf_flight_recover(dir, &recovery, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    assert_true(recovery.torn_bytes > 0);
    assert_false(recovery.was_complete);
    struct mf_flight_info *info = NULL;
    assert_int_equal(mf_flight_info_read(dir, &info, NULL), 0);
    assert_int_equal(info->state, MF_FLIGHT_RECOVERED);
    assert_int_equal(info->exit_code, 3); /* the command's exit was still there */
    mf_flight_info_free(info);
    free(dir);
}

int main(void)
{
    snprintf(mayfly, sizeof mayfly, "%s/bin/mayfly", getenv("MAYFLY_BINARY_DIR"));
    snprintf(home, sizeof home, "%s", scratch_path("home"));
    setenv("MAYFLY_HOME", home, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(a_recorder_that_lives),
        cmocka_unit_test(the_command_is_hung_up),
        cmocka_unit_test(another_boot),
        cmocka_unit_test(a_torn_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
