/* SPDX-License-Identifier: Apache-2.0
 * verb_help.c -- mayfly help [VERB]... */
#include "cli.h"
#include "dispatch.h"
#include "help.h"
#include "verbs.h"

static int run(struct cli_context *cli)
{
    struct mf_buffer out = MF_BUFFER_INIT;
    if (cli_flag(cli, "man")) {
        cli_help_manual(&out);
        return cli_print(cli, &out);
    }
    struct cli_found found;
    if (!cli_dispatch_find(cli->operand_count, cli->operands, &found)) {
        return cli_dispatch_unknown(&found, cli->operands[found.used]);
    }
    cli_help_verb(&out, found.verb, found.path);
    return cli_print(cli, &out);
}

const struct cli_verb verb_help = {
    .name = "help",
    .section = "Help",
    .summary = "Explain the program or one of its verbs",
    .options =
        (const struct cli_option[]){
            {.name = "man", .kind = CLI_FLAG, .help = "Print the manual page, as roff"},
            {.name = NULL},
        },
    .operands =
        (const struct cli_operand[]){
            {.name = "VERB",
             .optional = true,
             .repeated = true,
             .help = "The verb, with its group before it"},
            {.name = NULL},
        },
    .examples =
        (const struct cli_example[]){
            {"mayfly help completion", "Explains `mayfly completion`."},
            {"mayfly help --man | man -l -", "Shows the manual page."},
            {.command = NULL},
        },
    .run = run,
};
