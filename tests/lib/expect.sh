# SPDX-License-Identifier: Apache-2.0
# expect.sh -- for tests of the command line, sourced by them.
#
#   expect CODE COMMAND...        runs the command: its exit code must be CODE; what it printed is
#                                 in the files $out and $err
#   stdout_is / stderr_is TEXT    what it printed must be exactly this, line feeds at the end aside
#   stdout_has / stderr_has TEXT  must contain this
#   finish                        at the end: fails when any of them failed
#
# $scratch is a directory of the test's own, removed at the end.
set -uo pipefail
scratch=$(mktemp -d "${TMPDIR:-/tmp}/mayfly-test-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
out=$scratch/.out
err=$scratch/.err
failures=0
last=

complain() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n  after: %s\n' "$1" "$last"
}

expect() {
    local wanted=$1 got=0
    shift
    last="$*"
    "$@" >"$out" 2>"$err" </dev/null || got=$?
    if [ "$got" -ne "$wanted" ]; then
        complain "exit code $got instead of $wanted; it said: $(head -c 300 "$err")"
    fi
}

is() {
    if [ "$(cat "$1")" != "$2" ]; then
        complain "$3 differs:"
        diff <(printf '%s\n' "$2") "$1" | sed 's/^/    /'
    fi
}
has() {
    grep -qF -- "$2" "$1" || complain "$3 lacks '$2'; it is: $(head -c 300 "$1")"
}
stdout_is() { is "$out" "$1" "standard output"; }
stderr_is() { is "$err" "$1" "standard error"; }
stdout_has() { has "$out" "$1" "standard output"; }
stderr_has() { has "$err" "$1" "standard error"; }

finish() {
    [ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
}
