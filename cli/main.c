/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c -- the program `mayfly`.
 *
 * One file per verb (verb_<name>.c), described by tables (verb.h) from which parsing, help, the
 * manual page and the completions are made. A verb composes calls of the library; nothing that is
 * worth testing alone belongs here. SIGPIPE keeps the disposition that the caller gave: normally a
 * reader that goes away ends the program at once and quietly.
 */
#include "dispatch.h"

#include "bench/command.h"

#include <fcntl.h>
#include <unistd.h>

/* With a standard descriptor closed, the first file that is opened would take its number, and a
 * message would be written into it. The stand-ins are opened the wrong way round, so that using
 * them still fails. */
static void occupy_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
            _exit(70);
        }
    }
}

int main(int argc, char **argv)
{
    occupy_standard_descriptors();
    if (mf__bench_is_child(argc, argv)) { /* of `mayfly bench doctor` */
        return mf__bench_child(argv);
    }
    return cli_dispatch(argc, argv);
}
