/* SPDX-License-Identifier: Apache-2.0
 * dispatch.c -- see dispatch.h. */
#include "dispatch.h"
#include "cli.h"
#include "help.h"
#include "options.h"
#include "suggest.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cli_dispatch_find(int count, char **words, struct cli_found *ret_found)
{
    *ret_found = (struct cli_found){.verb = &cli_program};
    snprintf(ret_found->path, sizeof ret_found->path, "%s", cli_program.name);
    while (ret_found->used < count && ret_found->verb->verbs != NULL) {
        const char *word = words[ret_found->used];
        const struct cli_verb *const *member = ret_found->verb->verbs;
        if (word[0] == '-') {
            break;
        }
        while (*member != NULL && strcmp((*member)->name, word) != 0) {
            member++;
        }
        if (*member == NULL) {
            return false;
        }
        const size_t len = strlen(ret_found->path);
        snprintf(ret_found->path + len, sizeof ret_found->path - len, " %s", word);
        ret_found->verb = *member;
        ret_found->used++;
    }
    return true;
}

int cli_dispatch_unknown(const struct cli_found *found, const char *word)
{
    struct cli_suggestion best = {0};
    for (const struct cli_verb *const *v = found->verb->verbs; *v != NULL; v++) {
        cli_suggest(&best, word, (*v)->name);
    }
    if (best.word != NULL) {
        cli_note("unknown verb '%.60s'; did you mean '%s %s'?", word, found->path, best.word);
    } else {
        cli_note("unknown verb '%.60s' (see '%s --help')", word, found->path);
    }
    return CLI_EXIT_USAGE;
}

/* Writes what a group answers by itself: its help, the version. */
static int run_group(const struct cli_found *found, const char *word)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    struct cli_context cli = {.verb = found->verb};
    if (word == NULL) {
        cli_help_verb(&out, found->verb, found->path);
        if (!out.failed) {
            fwrite(out.data, 1, out.len, stderr);
        }
        mf_buffer_free(&out);
        return CLI_EXIT_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        cli_help_verb(&out, found->verb, found->path);
        return cli_exit_code(cli_print(&cli, &out));
    }
    if (found->verb == &cli_program && strcmp(word, "--version") == 0) {
        printf("mayfly %s\n", mf_version_string());
        return CLI_EXIT_OK;
    }
    cli_note("unknown option '%.60s' before the verb (see '%s --help')", word, found->path);
    return CLI_EXIT_USAGE;
}

static int run_verb(const struct cli_found *found, int word_count, char **words)
{
    struct cli_context cli;
    int rc = cli_options_parse(&cli, found->verb, found->path, word_count, words);
    if (rc < 0) {
        cli_note("%s", cli.err.msg);
        return rc == -ENOMEM ? CLI_EXIT_OS : CLI_EXIT_USAGE;
    }
    if (cli.help) {
        struct mf_buffer out = MF_BUFFER_INIT;
        cli_help_verb(&out, found->verb, found->path);
        rc = cli_print(&cli, &out);
    } else {
        rc = found->verb->run(&cli);
    }
    if (rc < 0) {
        cli_note("%s",
                 cli.err.code == rc && cli.err.msg[0] != '\0' ? cli.err.msg : mf_strerror(rc));
        rc = cli_exit_code(rc);
    }
    cli_options_free(&cli);
    return rc;
}

/* What was printed must have arrived. A reader that went away (EPIPE) has had what it wanted:
 * quiet, with the exit code that a shell gives for SIGPIPE. */
static int check_output(int exit_code)
{
    const bool failed_before = ferror(stdout) != 0;
    errno = 0;
    const bool failed = fflush(stdout) != 0 || failed_before;
    if (!failed) {
        return exit_code;
    }
    if (errno == 0) { /* what failed was a write before, and its reason is gone: ask again */
        struct pollfd item = {.fd = STDOUT_FILENO, .events = POLLOUT};
        errno = poll(&item, 1, 0) > 0 && (item.revents & POLLERR) != 0 ? EPIPE : 0;
    }
    if (errno == EPIPE) {
        return 128 + SIGPIPE;
    }
    cli_note("cannot write to standard output%s%s", errno != 0 ? ": " : "",
             errno != 0 ? strerror(errno) : "");
    return CLI_EXIT_IO;
}

int cli_dispatch(int argc, char **argv)
{
    char **words = argv + (argc > 0);
    const int count = argc > 0 ? argc - 1 : 0;
    struct cli_found found;
    int exit_code;
    if (!cli_dispatch_find(count, words, &found)) {
        exit_code = cli_dispatch_unknown(&found, words[found.used]);
    } else if (found.verb->verbs != NULL) {
        exit_code = run_group(&found, words[found.used]);
    } else {
        exit_code = run_verb(&found, count - found.used, words + found.used);
    }
    return check_output(exit_code);
}
