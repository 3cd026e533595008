/* SPDX-License-Identifier: Apache-2.0
 * test_run_terminal.c -- mayfly run at a terminal, as a person sees it: a pseudo-terminal with an
 * interactive shell of job control on it, into which keys are typed. */
#include "cmocka_all.h"

#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 60000

struct screen {
    int master;
    int gate; /* a FIFO, $G in the shell, open here: a command reads a line of it to wait for us */
    pid_t shell;
    char text[65536]; /* what came since the last look */
    size_t len;
};

static void resize(const struct screen *s, unsigned short rows, unsigned short columns)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};
    assert_int_equal(ioctl(s->master, TIOCSWINSZ, &size), 0);
}

static void type(struct screen *s, const char *keys)
{
    assert_int_equal(write(s->master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until `text` is on the screen, and forgets everything up to its end. */
static void see(struct screen *s, const char *text)
{
    const int64_t until_ms = now_ms() + WAIT_MS;
    for (;;) {
        char *found = strstr(s->text, text);
        if (found != NULL) {
            s->len -= (size_t)(found + strlen(text) - s->text);
            memmove(s->text, found + strlen(text), s->len + 1);
            return;
        }
        struct pollfd item = {.fd = s->master, .events = POLLIN};
        if (now_ms() >= until_ms || poll(&item, 1, 100) < 0) {
            fail_msg("'%s' does not come; on the screen is: '%s'", text, s->text);
        }
        if (item.revents != 0) {
            const ssize_t n = read(s->master, s->text + s->len, sizeof s->text - 1 - s->len);
            if (n > 0) {
                s->len += (size_t)n;
                s->text[s->len] = '\0';
            } else if (n < 0 && errno == EIO) {
                fail_msg("the terminal was hung up; on the screen is: '%s'", s->text);
            }
        }
    }
}

static void open_gate(const struct screen *s)
{
    assert_int_equal(write(s->gate, "\n", 1), 1);
}

static int start(void **state)
{
    struct screen *s = calloc(1, sizeof *s);
    char gate[512];
    snprintf(gate, sizeof gate, "%s", scratch_path("gate"));
    (void)mkfifo(gate, 0600);
    s->gate = open(gate, O_RDWR | O_CLOEXEC);
    if (s->gate < 0) {
        return -1;
    }
    s->master = posix_openpt(O_RDWR | O_NOCTTY);
    if (s->master < 0 || grantpt(s->master) != 0 || unlockpt(s->master) != 0) {
        return -1;
    }
    resize(s, 33, 101);
    char home[512];
    snprintf(home, sizeof home, "%s", scratch_path("home"));
    char mayfly[1024];
    snprintf(mayfly, sizeof mayfly, "%s/bin/mayfly run -q --", getenv("MAYFLY_BINARY_DIR"));
    s->shell = fork();
    if (s->shell == 0) {
        setsid();
        const int slave = open(ptsname(s->master), O_RDWR);
        dup2(slave, 0);
        dup2(slave, 1);
        dup2(slave, 2);
        close(slave);
        close(s->master);
        signal(SIGINT, SIG_DFL); /* ignored when the tests run in the background of a script */
        signal(SIGQUIT, SIG_DFL);
        setenv("G", gate, 1);
        setenv("MAYFLY_HOME", home, 1);
        setenv("M", mayfly, 1);
        mayfly[strcspn(mayfly, " ")] = '\0';
        setenv("MB", mayfly, 1);
        setenv("TERM", "xterm", 1);
        execlp("bash", "bash", "--norc", "--noprofile", "--noediting", "-i", (char *)NULL);
        _exit(99);
    }
    *state = s;
    type(s, "stty -echo; PS1='RE''ADY '; PROMPT_COMMAND=\n");
    see(s, "READY ");
    return s->shell > 0 ? 0 : -1;
}

static int stop(void **state)
{
    struct screen *s = *state;
    kill(s->shell, SIGKILL);
    waitpid(s->shell, NULL, 0);
    close(s->master);
    close(s->gate);
    free(s);
    return 0;
}

static void a_terminal_for_the_command(void **state)
{
    struct screen *s = *state;
    type(s, "$M sh -c 'test -t 0 && test -t 1 && test -t 2 && echo three terminals; stty size'\n");
    see(s, "three terminals\r\n");
    see(s, "33 101\r\n");
    see(s, "READY ");
    type(s, "$M sh -c 'test $(tty) != '$(tty)' && echo its own; echo hello >/dev/tty'\n");
    see(s, "its own\r\n");
    see(s, "hello\r\n");
    see(s, "READY ");
}

static void typing_and_the_end_of_input(void **state)
{
    struct screen *s = *state;
    type(s, "$M sh -c 'echo begin; exec cat'; echo code=$?\n");
    see(s, "begin\r\n");
    type(s, "one line\n");
    see(s, "one line\r\n"); /* by cat; the terminal does not echo here */
    type(s, "\004");
    see(s, "code=0");
    see(s, "READY ");
}

static void interrupts(void **state)
{
    struct screen *s = *state;
    type(s, "$M sh -c 'echo begin; exec sleep 100'\n");
    see(s, "begin\r\n");
    type(s, "\003");
    see(s, "READY ");
    type(s, "echo code=$?\n");
    see(s, "code=130");
    see(s, "READY ");
    type(s, "$M sh -c 'trap \"echo caught; exit 5\" INT; echo begin; while :; do sleep 0.02; "
            "done'; echo code=$?\n");
    see(s, "begin\r\n");
    type(s, "\003");
    see(s, "caught\r\n");
    see(s, "code=5");
    see(s, "READY ");
    type(s, "$M sh -c 'echo begin; exec sleep 100'; echo code=$?\n");
    see(s, "begin\r\n");
    type(s, "\034"); /* Ctrl-\ */
    see(s, "code=131");
    see(s, "READY ");
}

static void stopping_and_going_on(void **state)
{
    struct screen *s = *state;
    for (int round = 0; round < 2; round++) {
        type(s, "$M sh -c 'echo begin; exec cat'\n");
        see(s, "begin\r\n");
        type(s, "\032");
        see(s, "Stopped");
        see(s, "READY ");
        type(s, "stty -a | grep -o ' icanon'; echo still here\n"); /* the shell's modes are back */
        see(s, " icanon");
        see(s, "still here");
        see(s, "READY ");
        type(s, "fg\n");
        see(s, "exec cat'");
        type(s, "again\n");
        see(s, "again\r\n");
        type(s, "\004");
        see(s, "READY ");
    }
    type(s, "$M sh -c 'echo begin; exec sleep 100' \n");
    see(s, "begin\r\n");
    type(s, "\032");
    see(s, "Stopped");
    see(s, "READY ");
    type(s, "kill %1; fg\n");
    see(s, "Terminated");
    see(s, "READY ");
    type(s, "jobs; echo no more jobs\n");
    see(s, "no more jobs");
    see(s, "READY ");
}

static void in_the_background(void **state)
{
    struct screen *s = *state;
    type(s, "$M sh -c 'read x <$G; echo from behind' &\n");
    see(s, "READY ");
    open_gate(s);
    see(s, "from behind\r\n");
    type(s, "wait; echo waited\n");
    see(s, "waited");
    see(s, "READY ");
    /* One that wants to read is stopped, as without us, and goes on in the foreground. */
    type(s, "$M sh -c 'echo begin; read x; echo got $x' &\n");
    see(s, "begin\r\n");
    type(s, "fg\n");
    see(s, "got $x'");
    type(s, "that\n");
    see(s, "got that\r\n");
    see(s, "READY ");
}

static void the_size_changes(void **state)
{
    struct screen *s = *state;
    type(s, "$M bash -c 'trap \"stty size\" WINCH; echo begin; for i in {1..200}; do sleep 0.02; "
            "done'\n");
    see(s, "begin\r\n");
    resize(s, 20, 77);
    see(s, "20 77\r\n");
    type(s, "\003");
    see(s, "READY ");
    resize(s, 33, 101);
}

static void modes_are_the_commands_own(void **state)
{
    struct screen *s = *state;
    type(s, "$M sh -c 'stty -echo -icanon min 1; echo begin; dd bs=1 count=1 2>/dev/null | od -An "
            "-c'\n");
    see(s, "begin\r\n");
    type(s, "\001"); /* without a line end */
    see(s, "001\r\n");
    see(s, "READY ");
}

static void a_terminal_for_one_stream(void **state)
{
    struct screen *s = *state;
    type(s, "echo in | $M sh -c 'test -t 1 && echo colours; cat'\n");
    see(s, "colours\r\n");
    see(s, "in\r\n");
    see(s, "READY ");
    type(s, "$M sh -c 'test -t 1 || test -t 2 && test -t 0 && echo errors >&2' | cat\n");
    see(s, "errors\r\n");
    see(s, "READY ");
    type(s, "$M sh -c 'echo begin; exec sleep 100' </dev/null\n");
    see(s, "begin\r\n");
    type(s, "\003");
    see(s, "READY ");
    type(s, "echo code=$?\n");
    see(s, "code=130");
    see(s, "READY ");
}

static void what_stays_keeps_the_terminal(void **state)
{
    struct screen *s = *state;
    type(s,
         "$MB run -q --grace 50ms -- sh -c '(read x <$G; echo late) & echo main'; echo code=$?\n");
    see(s, "main\r\n");
    see(s, "code=0");
    open_gate(s);
    see(s, "late\r\n");
}

static void a_recorder_that_is_killed(void **state)
{
    struct screen *s = *state;
    type(s, "$M sh -c 'trap \"echo hung up >&2; exit\" HUP; echo $PPID begin; while :; do sleep "
            "0.02; done'; "
            "stty -a | grep -o ' icanon'; echo code=$?\n");
    see(s, " begin\r\n");
    /* The recorder is the shell's only child. */
    char path[64];
    char child[32] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)s->shell, (int)s->shell);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(child, sizeof child, file) == NULL) {
        skip();
    }
    fclose(file);
    assert_int_equal(kill((pid_t)strtol(child, NULL, 10), SIGKILL), 0);
    see(s, "Killed");
    see(s, " icanon"); /* its monitor has put our modes back */
    see(s, "READY ");
}

/* The parent that a command sees at a terminal is its session's leader. With that gone it is hung
 * up; who ignores that goes on, is recorded on, and its end is known. Our terminal is as before. */
static void a_monitor_that_is_killed(void **state)
{
    struct screen *s = *state;
    type(s, "$M sh -c 'kill -KILL $PPID; sleep 100'; echo code=$?; stty -a | grep -o ' icanon'\n");
    see(s, "code=129");
    see(s, " icanon");
    see(s, "READY ");
    type(s, "$M sh -c 'trap \"\" HUP; kill -KILL $PPID; sleep 0.2; echo still here; exit 7'; "
            "echo code=$?; stty -a | grep -o ' icanon'\n");
    see(s, "still here\r\n");
    see(s, "code=7");
    see(s, " icanon");
    see(s, "READY ");
}

static void the_terminal_goes_away(void **state)
{
    struct screen *s = *state;
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("hung-up"));
    char command[1400];
    snprintf(
        command, sizeof command,
        "$M sh -c 'trap \"echo hup >%s; exit\" HUP; echo begin; while :; do sleep 0.02; done'\n",
        path);
    type(s, command);
    see(s, "begin\r\n");
    close(s->master);
    s->master = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3000 && access(path, F_OK) != 0; i++) {
        usleep(20000);
    }
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
    if (system("bash -c true") != 0) {
        printf("skipped: no bash\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_terminal_for_the_command, start, stop),
        cmocka_unit_test_setup_teardown(typing_and_the_end_of_input, start, stop),
        cmocka_unit_test_setup_teardown(interrupts, start, stop),
        cmocka_unit_test_setup_teardown(stopping_and_going_on, start, stop),
        cmocka_unit_test_setup_teardown(in_the_background, start, stop),
        cmocka_unit_test_setup_teardown(the_size_changes, start, stop),
        cmocka_unit_test_setup_teardown(modes_are_the_commands_own, start, stop),
        cmocka_unit_test_setup_teardown(a_terminal_for_one_stream, start, stop),
        cmocka_unit_test_setup_teardown(what_stays_keeps_the_terminal, start, stop),
        cmocka_unit_test_setup_teardown(a_recorder_that_is_killed, start, stop),
        cmocka_unit_test_setup_teardown(a_monitor_that_is_killed, start, stop),
        cmocka_unit_test_setup_teardown(the_terminal_goes_away, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
