# SPDX-License-Identifier: Apache-2.0
# The frame of the command line: help, errors, exit codes, and what becomes of the output.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
m=$MAYFLY

# ---- help and version ----
expect 0 "$m" --version
stdout_is "mayfly 0.1.0"
expect 0 "$m" --help
stdout_has "Usage: mayfly VERB [OPTION]..."
cp "$out" "$scratch/help"
expect 0 "$m" help
cmp -s "$out" "$scratch/help" || complain "'mayfly help' and 'mayfly --help' differ"
for code in 0 1 64 65 66 69 70 71 73 74 75 76 77; do
    grep -q "^  $code  " "$scratch/help" || complain "the help does not explain exit code $code"
done
# docs/cli.md has the same table.
sed -n '/^## Exit codes/,/^Codes from/s/^| *\([0-9]*\) | \(.*\) |$/\1 \2/p' \
    "$MAYFLY_SOURCE_DIR/docs/cli.md" >"$scratch/documented"
sed -n '/^Exit codes:/,/^$/p' "$scratch/help" | awk '
    /^  [0-9]/ { if (line != "") { print line } line = "" }
    /^ / { for (i = 1; i <= NF; i++) { line = line (line == "" ? "" : " ") $i } }
    END { print line }' >"$scratch/helped"
diff "$scratch/documented" "$scratch/helped" || complain "docs/cli.md and --help differ"
expect 0 "$m" help completion
stdout_is "Usage: mayfly completion [OPTION]... SHELL

Print the completion script of a shell.

Operands:
  SHELL                     bash, zsh or fish

Options:
      --color WHEN          When to colour (auto: on a terminal, unless NO_COLOR
                            is set): auto, always or never [default: auto]
  -h, --help                Show this help and exit

Examples:
  source <(mayfly completion bash)
      Completes in this shell.
  mayfly completion fish > ~/.config/fish/completions/mayfly.fish
      Completes in every fish from now on."
cp "$out" "$scratch/help"
expect 0 "$m" completion --help --nonsense
cmp -s "$out" "$scratch/help" || complain "'help VERB' and 'VERB --help' differ"
expect 0 "$m" completion -h

# Every verb, of every group, has help with an example, in 80 columns.
verbs() { "$m" "$@" --help | sed -n '/^Options:/q; s/^  \([a-z][a-z-]*\) .*/\1/p'; }
for verb in $(verbs); do
    "$m" "$verb" --help >"$scratch/usage"
    for member in "" $(sed -n 1p "$scratch/usage" | grep -q ' VERB ' && verbs "$verb"); do
        expect 0 "$m" help "$verb" $member
        stdout_has "Usage: mayfly $verb${member:+ $member} "
        sed -n 1p "$out" | grep -q ' VERB ' || stdout_has "Examples:"
        awk 'length($0) > 80 && !/^  mayfly /' "$out" >"$scratch/wide"
        [ ! -s "$scratch/wide" ] || complain "beyond 80 columns: $(cat "$scratch/wide")"
    done
done

# ---- mistakes ----
expect 64 "$m"
stderr_has "Usage: mayfly VERB"
stdout_is ""
expect 64 "$m" completoin bash
stderr_is "mayfly: unknown verb 'completoin'; did you mean 'mayfly completion'?"
expect 64 "$m" zzzzz
stderr_is "mayfly: unknown verb 'zzzzz' (see 'mayfly --help')"
expect 64 "$m" help completoin
stderr_is "mayfly: unknown verb 'completoin'; did you mean 'mayfly completion'?"
expect 64 "$m" --json help
stderr_is "mayfly: unknown option '--json' before the verb (see 'mayfly --help')"
expect 64 "$m" completion --colour=never bash
stderr_is "mayfly: unknown option '--colour' for 'mayfly completion'; did you mean '--color'?"
expect 64 "$m" completion
stderr_is "mayfly: 'mayfly completion' needs an operand: SHELL (see 'mayfly completion --help')"
expect 64 "$m" completion bash zsh
stderr_is "mayfly: 'mayfly completion' does not take 'zsh' (see 'mayfly completion --help')"
expect 64 "$m" completion tcsh
stderr_is "mayfly: no completion for 'tcsh'; there are bash, zsh and fish
Try 'mayfly completion --help'."
expect 64 "$m" completion --color=pink bash
stderr_is "mayfly: option '--color': 'pink' is not one of auto|always|never"
expect 64 "$m" $'evil\e[2J\n'
stderr_is "mayfly: unknown verb 'evil\\x1b[2J\\n' (see 'mayfly --help')"

# ---- where the output goes ----
full() { "$m" "$@" >/dev/full; }
expect 74 full --version
stderr_is "mayfly: cannot write to standard output: No space left on device"
expect 74 full help --man
closed() { "$m" "$@" >&-; }
expect 74 closed --version
stderr_is "mayfly: cannot write to standard output: Bad file descriptor"
quiet() { "$m" "$@" 2>&-; }
expect 64 quiet completoin
# A reader that went away: quiet, by SIGPIPE or, where the caller ignores that, with the same code.
mkfifo "$scratch/pipe"
broken() (
    exec 3<>"$scratch/pipe" 4>"$scratch/pipe" 3>&-
    "$m" "$@" >&4
)
ignoring() (
    trap '' PIPE
    broken "$@"
)
expect 141 broken help --man
stderr_is ""
expect 141 ignoring help --man
stderr_is ""
expect 0 env -i "$m" --version # no environment at all

finish
