/* SPDX-License-Identifier: Apache-2.0
 * completion.c -- completion scripts for bash, zsh and fish, from the tables.
 *
 * All three do the same: find the verb among the words typed so far, then offer its members, its
 * options, the words of a choice, or files. After the `--` of a verb that takes a command they
 * leave it to the shell. */
#include "cli.h"
#include "help.h"
#include "options.h"

#include <stdio.h>

/* What is typed for a verb: " metrics info", with a blank before each word; "" is the program. */
#define PATH_LEN 64

typedef void visit_verb(struct mf_buffer *out, const struct cli_verb *verb, const char *path);

static void for_each_verb(struct mf_buffer *out, visit_verb *visit)
{
    visit(out, &cli_program, "");
    for (const struct cli_verb *const *v = cli_program.verbs; *v != NULL; v++) {
        char path[PATH_LEN];
        snprintf(path, sizeof path, " %s", (*v)->name);
        visit(out, *v, path);
        for (const struct cli_verb *const *m = (*v)->verbs; m != NULL && *m != NULL; m++) {
            snprintf(path, sizeof path, " %s %s", (*v)->name, (*m)->name);
            visit(out, *m, path);
        }
    }
}

typedef void visit_option(struct mf_buffer *out, const struct cli_option *option, const char *path);

/* The options of a verb that is no group, the common ones last. */
static void for_each_option(struct mf_buffer *out, const struct cli_verb *verb, const char *path,
                            visit_option *visit)
{
    if (verb->verbs != NULL) {
        return;
    }
    for (const struct cli_option *o = verb->options; o != NULL && o->name != NULL; o++) {
        visit(out, o, path);
    }
    for (const struct cli_option *o = cli_common_options; o->name != NULL; o++) {
        if (cli_common_applies(o, verb)) {
            visit(out, o, path);
        }
    }
}

/* The words of a choice with `separator` between them. */
static void choices(struct mf_buffer *out, const char *words, char separator)
{
    for (const char *p = words; *p != '\0'; p++) {
        mf_buffer_putc(out, *p == '|' ? separator : *p);
    }
}

/* ---- bash ---- */

static void bash_path(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    (void)verb;
    if (path[0] != '\0') {
        mf_buffer_printf(out, "        \"%s\") path=\"$path $word\" ;;\n", path);
    }
}

static void bash_command(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    if (verb->command_follows) {
        mf_buffer_printf(out, "        \"%s\") command=$((i + 1)) ; break ;;\n", path);
    }
}

static void bash_value(struct mf_buffer *out, const struct cli_option *o, const char *path)
{
    if (o->kind == CLI_FLAG) {
        return;
    }
    mf_buffer_printf(out, "    \"%s:--%s\"", path, o->name);
    if (o->letter != 0) {
        mf_buffer_printf(out, " | \"%s:-%c\"", path, o->letter);
    }
    mf_buffer_puts(out, ")\n        ");
    if (o->kind == CLI_CHOICE) {
        mf_buffer_puts(out, "COMPREPLY=($(compgen -W \"");
        choices(out, o->choices, ' ');
        mf_buffer_puts(out, "\" -- \"$cur\"))\n");
    } else if (o->kind == CLI_FILE || o->kind == CLI_DIR) {
        mf_buffer_printf(out, "_mayfly_files %s\n", o->kind == CLI_FILE ? "-f" : "-d");
    } else {
        mf_buffer_puts(out, ":\n");
    }
    mf_buffer_puts(out, "        return\n        ;;\n");
}

static void bash_values(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    for_each_option(out, verb, path, bash_value);
}

static void bash_option_word(struct mf_buffer *out, const struct cli_option *o, const char *path)
{
    (void)path;
    mf_buffer_printf(out, " --%s", o->name);
}

static void bash_words(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    mf_buffer_printf(out, "    \"%s\") words=\"", path);
    for (const struct cli_verb *const *m = verb->verbs; m != NULL && *m != NULL; m++) {
        mf_buffer_printf(out, "%s ", (*m)->name);
    }
    if (verb->verbs != NULL) {
        mf_buffer_puts(out, verb == &cli_program ? "--help --version" : "--help");
    }
    for_each_option(out, verb, path, bash_option_word);
    mf_buffer_puts(out, verb->verbs != NULL ? "\" ; group=1 ;;\n" : "\" ;;\n");
}

void cli_completion_bash(struct mf_buffer *out)
{
    mf_buffer_puts(out,
                   "# bash completion for mayfly, made by `mayfly completion bash`\n"
                   "_mayfly_files() {\n"
                   "    compopt -o filenames 2>/dev/null\n"
                   "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$cur\")\n"
                   "}\n"
                   "_mayfly() {\n"
                   "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                   "    local path= word words= group= command= i\n"
                   "    COMPREPLY=()\n"
                   "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                   "        word=${COMP_WORDS[i]}\n"
                   "        if [[ $word == -- ]]; then\n"
                   "        case \"$path\" in\n");
    for_each_verb(out, bash_command);
    mf_buffer_puts(out, "        esac\n"
                        "        fi\n"
                        "        case \"$path $word\" in\n");
    for_each_verb(out, bash_path);
    mf_buffer_puts(out, "        esac\n"
                        "    done\n"
                        "    if [[ -n $command ]]; then\n"
                        "        if declare -F _command_offset >/dev/null; then\n"
                        "            _command_offset \"$command\"\n"
                        "        elif ((COMP_CWORD == command)); then\n"
                        "            _mayfly_files -c\n"
                        "        else\n"
                        "            _mayfly_files -f\n"
                        "        fi\n"
                        "        return\n"
                        "    fi\n"
                        "    # readline makes three words of --name=value\n"
                        "    if [[ $cur == = ]]; then\n"
                        "        cur=\n"
                        "    elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then\n"
                        "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
                        "    fi\n"
                        "    case \"$path:$prev\" in\n");
    for_each_verb(out, bash_values);
    mf_buffer_puts(out, "    esac\n"
                        "    case \"$path\" in\n");
    for_each_verb(out, bash_words);
    mf_buffer_puts(out, "    esac\n"
                        "    if [[ -n $group || $cur == -* ]]; then\n"
                        "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                        "    else\n"
                        "        _mayfly_files -f\n"
                        "    fi\n"
                        "}\n"
                        "complete -F _mayfly mayfly\n");
}

/* ---- zsh ---- */

/* Help text inside '...[text]': no quote, bracket or colon may end it. */
static void zsh_text(struct mf_buffer *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'') {
            mf_buffer_puts(out, "'\\''");
        } else if (*p == '[' || *p == ']' || *p == ':' || *p == '\\') {
            mf_buffer_putc(out, '\\');
            mf_buffer_putc(out, *p);
        } else {
            mf_buffer_putc(out, *p);
        }
    }
}

static void zsh_spec(struct mf_buffer *out, const struct cli_option *o, const char *dashes,
                     const char *name)
{
    mf_buffer_printf(out, " \\\n        '%s%s%s%s[", o->repeatable ? "*" : "", dashes, name,
                     o->kind == CLI_FLAG ? ""
                     : dashes[1] == '-'  ? "="
                                         : "+");
    zsh_text(out, o->help);
    mf_buffer_puts(out, "]");
    if (o->kind != CLI_FLAG) {
        mf_buffer_puts(out, ":");
        zsh_text(out, o->metavar);
        mf_buffer_puts(out, ":");
    }
    if (o->kind == CLI_CHOICE) {
        mf_buffer_puts(out, "(");
        choices(out, o->choices, ' ');
        mf_buffer_puts(out, ")");
    } else if (o->kind == CLI_FILE || o->kind == CLI_DIR) {
        mf_buffer_puts(out, o->kind == CLI_FILE ? "_files" : "_files -/");
    }
    mf_buffer_puts(out, "'");
}

static void zsh_option(struct mf_buffer *out, const struct cli_option *o, const char *path)
{
    (void)path;
    zsh_spec(out, o, "--", o->name);
    if (o->letter != 0) {
        const char letter[2] = {o->letter, '\0'};
        zsh_spec(out, o, "-", letter);
    }
}

static void zsh_verb(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    mf_buffer_printf(out, "    '%s')\n", path);
    if (verb->verbs != NULL) {
        mf_buffer_puts(out, "        members=(\n");
        for (const struct cli_verb *const *m = verb->verbs; *m != NULL; m++) {
            mf_buffer_printf(out, "            '%s:", (*m)->name);
            zsh_text(out, (*m)->summary);
            mf_buffer_puts(out, "'\n");
        }
        mf_buffer_puts(out, "        )\n        _describe verb members\n        ;;\n");
        return;
    }
    mf_buffer_puts(out, "        _arguments -s -S");
    for_each_option(out, verb, path, zsh_option);
    mf_buffer_puts(out, verb->command_follows ? " \\\n        '*::command:_normal'\n        ;;\n"
                                              : " \\\n        '*:file:_files'\n        ;;\n");
}

static void zsh_path(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    (void)verb;
    if (path[0] != '\0') {
        mf_buffer_printf(out, "        '%s') path_words=\"$path_words $words[i]\"; used=$i ;;\n",
                         path);
    }
}

void cli_completion_zsh(struct mf_buffer *out)
{
    mf_buffer_puts(out, "#compdef mayfly\n"
                        "# zsh completion for mayfly, made by `mayfly completion zsh`\n"
                        "_mayfly() {\n"
                        "    local path_words='' used=1 i\n"
                        "    local -a members\n"
                        "    for ((i = 2; i < CURRENT; i++)); do\n"
                        "        [[ $words[i] == -- ]] && break\n"
                        "        case \"$path_words $words[i]\" in\n");
    for_each_verb(out, zsh_path);
    mf_buffer_puts(out, "        esac\n"
                        "    done\n"
                        "    words=(\"${(@)words[used,-1]}\")\n"
                        "    CURRENT=$((CURRENT - used + 1))\n"
                        "    case \"$path_words\" in\n");
    for_each_verb(out, zsh_verb);
    mf_buffer_puts(out, "    esac\n"
                        "}\n"
                        "if [[ $funcstack[1] == _mayfly ]]; then\n"
                        "    _mayfly \"$@\"\n"
                        "else\n"
                        "    compdef _mayfly mayfly\n"
                        "fi\n");
}

/* ---- fish ---- */

static void fish_text(struct mf_buffer *out, const char *text)
{
    mf_buffer_putc(out, '\'');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'' || *p == '\\') {
            mf_buffer_putc(out, '\\');
        }
        mf_buffer_putc(out, *p);
    }
    mf_buffer_putc(out, '\'');
}

static void fish_option(struct mf_buffer *out, const struct cli_option *o, const char *path)
{
    mf_buffer_printf(out, "complete -c mayfly -n '__mayfly_at \"%s\"' -l %s", path, o->name);
    if (o->letter != 0) {
        mf_buffer_printf(out, " -s %c", o->letter);
    }
    if (o->kind == CLI_FILE) {
        mf_buffer_puts(out, " -r -F");
    } else if (o->kind == CLI_DIR) {
        mf_buffer_puts(out, " -x -a '(__fish_complete_directories)'");
    } else if (o->kind == CLI_CHOICE) {
        mf_buffer_puts(out, " -x -a '");
        choices(out, o->choices, ' ');
        mf_buffer_puts(out, "'");
    } else if (o->kind != CLI_FLAG) {
        mf_buffer_puts(out, " -x");
    }
    mf_buffer_puts(out, " -d ");
    fish_text(out, o->help);
    mf_buffer_putc(out, '\n');
}

static void fish_verb(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    for (const struct cli_verb *const *m = verb->verbs; m != NULL && *m != NULL; m++) {
        mf_buffer_printf(out, "complete -c mayfly -f -n '__mayfly_at \"%s\"' -a %s -d ", path,
                         (*m)->name);
        fish_text(out, (*m)->summary);
        mf_buffer_putc(out, '\n');
    }
    for_each_option(out, verb, path, fish_option);
}

static void fish_path(struct mf_buffer *out, const struct cli_verb *verb, const char *path)
{
    (void)verb;
    if (path[0] != '\0') {
        mf_buffer_printf(out, "            case '%s'\n                set path \"$path $word\"\n",
                         path);
    }
}

void cli_completion_fish(struct mf_buffer *out)
{
    mf_buffer_puts(out, "# fish completion for mayfly, made by `mayfly completion fish`\n"
                        "function __mayfly_at --argument-names wanted\n"
                        "    set -l path ''\n"
                        "    set -l words (commandline -opc)\n"
                        "    for word in $words[2..-1]\n"
                        "        switch \"$word\"\n"
                        "            case --\n"
                        "                return 1\n"
                        "        end\n"
                        "        switch \"$path $word\"\n");
    for_each_verb(out, fish_path);
    mf_buffer_puts(out, "        end\n"
                        "    end\n"
                        "    test \"$path\" = \"$wanted\"\n"
                        "end\n");
    for_each_verb(out, fish_verb);
}
