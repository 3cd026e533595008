# SPDX-License-Identifier: Apache-2.0
# The completion scripts work in their shells, and the manual page is clean roff.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
m=$MAYFLY

# What bash would offer for the words of a command line, the last of them being completed.
offers() {
    bash -c '
        source /dev/stdin
        complete -p mayfly >/dev/null || exit 1
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _mayfly
        printf "%s\n" "${COMPREPLY[@]}"' mayfly "$@" < <("$m" completion bash)
}
expect 0 offers mayfly compl
stdout_is "completion"
expect 0 offers mayfly completion --c
stdout_is "--color"
expect 0 offers mayfly completion --color a
stdout_is "auto
always"
expect 0 offers mayfly completion --color = al
stdout_is "always"
expect 0 offers mayfly completion --color =
stdout_is "auto
always
never"
expect 0 offers mayfly --ver
stdout_is "--version"
expect 0 offers mayfly zzz
stdout_is ""
touch "$scratch/a file"
expect 0 offers mayfly help "$scratch/a"
stdout_is "$scratch/a file"

for shell in bash zsh fish; do
    "$m" completion "$shell" >"$scratch/$shell" || complain "no completion for $shell"
    if command -v "$shell" >/dev/null; then
        expect 0 "$shell" -n "$scratch/$shell"
        stderr_is ""
    else
        echo "not checked: $shell is not installed"
    fi
done

if command -v fish >/dev/null; then
    fish_offers() {
        fish --no-config -c "source '$scratch/fish'; complete -C '$1'" | cut -f 1
    }
    expect 0 fish_offers "mayfly compl"
    stdout_is "completion"
    expect 0 fish_offers "mayfly completion --colo"
    stdout_is "--color"
    expect 0 fish_offers "mayfly completion --color n"
    stdout_is "never"
fi

# Every long option of every verb is in every script.
for option in $("$m" help completion | sed -n 's/^ .*\(--[a-z-]*\) .*/\1/p'); do
    for shell in bash zsh; do
        grep -q -- "$option" "$scratch/$shell" || complain "$shell completion lacks $option"
    done
    grep -q -- "-l ${option#--}" "$scratch/fish" || complain "fish completion lacks $option"
done

"$m" help --man >"$scratch/mayfly.1"
for heading in NAME SYNOPSIS DESCRIPTION VERBS "COMMON OPTIONS" "EXIT STATUS" ENVIRONMENT; do
    grep -q "^.SH $heading\$" "$scratch/mayfly.1" || complain "the manual lacks $heading"
done
if command -v groff >/dev/null; then
    expect 0 groff -man -ww -Tutf8 -z "$scratch/mayfly.1"
    stderr_is ""
else
    echo "not checked: groff is not installed"
fi
finish
