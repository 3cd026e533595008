/* SPDX-License-Identifier: Apache-2.0
 * verb_completion.c -- mayfly completion bash|zsh|fish */
#include "cli.h"
#include "help.h"
#include "verbs.h"

#include <string.h>

static int run(struct cli_context *cli)
{
    static const struct {
        const char *name;
        void (*write)(struct mf_buffer *out);
    } shells[] = {
        {"bash", cli_completion_bash},
        {"zsh", cli_completion_zsh},
        {"fish", cli_completion_fish},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(shells); i++) {
        if (strcmp(cli->operands[0], shells[i].name) == 0) {
            struct mf_buffer out = MF_BUFFER_INIT;
            shells[i].write(&out);
            return cli_print(cli, &out);
        }
    }
    return cli_usage(cli, "no completion for '%s'; there are bash, zsh and fish", cli->operands[0]);
}

const struct cli_verb verb_completion = {
    .name = "completion",
    .section = "Help",
    .summary = "Print the completion script of a shell",
    .operands =
        (const struct cli_operand[]){
            {.name = "SHELL", .help = "bash, zsh or fish"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"source <(mayfly completion bash)", "Completes in this shell."},
            {"mayfly completion fish > ~/.config/fish/completions/mayfly.fish",
             "Completes in every fish from now on."},
            {.command = NULL},
        },
    .run = run,
};
