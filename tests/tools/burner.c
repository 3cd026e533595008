/* SPDX-License-Identifier: Apache-2.0
 *
 * burner.c -- a program whose threads use CPU time by their own clocks, for tests that look at it
 * from outside.
 *
 *   burner [--one-by-one] [--hold] COUNT:MICROSECONDS:NAME...
 *
 * For each argument COUNT threads of that name are started; each uses at least so much CPU time (by
 * its own CPU clock; "-": for ever), writes a line "TID NANOSECONDS" and ends. --one-by-one: the
 * next is started when the one before has ended. --hold: they do not end before standard input
 * does, and use nothing until then. At last, when all have used theirs, comes a line "done".
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct work {
    int64_t cpu_ns; /* -1: for ever */
    const char *name;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned used_up;
static bool released;
static bool hold;

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *burn(void *context)
{
    const struct work *work = context;
    prctl(PR_SET_NAME, work->name);
    while (work->cpu_ns < 0 || cpu_ns() < work->cpu_ns) {
    }
    char line[64];
    const int len =
        snprintf(line, sizeof line, "%ld %lld\n", (long)syscall(SYS_gettid), (long long)cpu_ns());
    if (write(STDOUT_FILENO, line, (size_t)len) != len) {
        _exit(3);
    }
    pthread_mutex_lock(&lock);
    used_up++;
    pthread_cond_broadcast(&changed);
    while (hold && !released) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void start(pthread_t *thread, struct work *work)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)128 << 10);
    if (pthread_create(thread, &attributes, burn, work) != 0) {
        fprintf(stderr, "burner: no more threads\n");
        _exit(3);
    }
    pthread_attr_destroy(&attributes);
}

int main(int argc, char **argv)
{
    static pthread_t threads[20000];
    static struct work works[64];
    unsigned count = 0;
    bool one_by_one = false;
    for (int i = 1; i < argc && i < 64; i++) {
        if (strcmp(argv[i], "--one-by-one") == 0 || strcmp(argv[i], "--hold") == 0) {
            one_by_one = one_by_one || argv[i][2] == 'o';
            hold = hold || argv[i][2] == 'h';
            continue;
        }
        char *rest = NULL;
        const long many = strtol(argv[i], &rest, 10);
        works[i].cpu_ns = -1;
        if (*rest == ':' && rest[1] == '-') {
            rest += 2;
        } else if (*rest == ':') {
            works[i].cpu_ns = strtoll(rest + 1, &rest, 10) * 1000;
        }
        if (*rest != ':') {
            fprintf(stderr, "burner: %s is not COUNT:MICROSECONDS:NAME\n", argv[i]);
            return 2;
        }
        works[i].name = rest + 1;
        for (long k = 0; k < many && count < 20000; k++) {
            start(&threads[count], &works[i]);
            if (one_by_one) {
                pthread_join(threads[count], NULL);
            } else {
                count++;
            }
        }
    }
    pthread_mutex_lock(&lock);
    while (used_up < count) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    printf("done\n");
    fflush(stdout);
    if (hold) {
        char byte = 0;
        while (read(STDIN_FILENO, &byte, 1) > 0) {
        }
        pthread_mutex_lock(&lock);
        released = true;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return 0;
}
