# SPDX-License-Identifier: Apache-2.0
# expect.sh -- for tests of the command line, sourced by them.
#
#   expect CODE COMMAND...        runs the command: its exit code must be CODE; what it printed is
#                                 in the files $out and $err
#   stdout_is / stderr_is TEXT    what it printed must be exactly this, line feeds at the end aside
#   stdout_has / stderr_has TEXT  must contain this
#   await COMMAND...              until the command succeeds; a failure when it does not in a minute
#   gate FILE                     a place for a command to wait at: read -r line <FILE
#   open_gate FILE                lets one read of it go on, whether it waits already or will
#   at_end COMMANDS               evaluated when the test leaves, the last first
#   finish                        at the end: fails when any of them failed
#
# $scratch is a directory of the test's own, removed at the end; what the test has started in the
# background is ended then.
set -uo pipefail
scratch=$(mktemp -d "${TMPDIR:-/tmp}/mayfly-test-XXXXXX")
at_end=('rm -rf "$scratch"' end_jobs)
at_end() { at_end+=("$1"); }
end_jobs() {
    local pids pid tries
    pids=$(jobs -p)
    for pid in $pids; do kill "$pid"; done
    for pid in $pids; do
        for ((tries = 0; tries < 250; tries++)); do
            kill -0 "$pid" || break
            sleep 0.02
        done
        kill -KILL "$pid"
    done
    wait
} 2>/dev/null
leave() {
    local i
    for ((i = ${#at_end[@]} - 1; i >= 0; i--)); do eval "${at_end[i]}"; done
}
trap leave EXIT
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

await() {
    local until=$((SECONDS + 60))
    last="await $*"
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $until ]; then
            complain "it never came"
            return 1
        fi
        sleep 0.02
    done
}
is_gone() { ! kill -0 "$1"; }

# The test has it open for reading and writing, so that nobody waits for somebody to open it.
declare -A gates
gate() {
    local descriptor
    mkfifo "$1"
    exec {descriptor}<>"$1"
    gates[$1]=$descriptor
    at_end "printf '\n\n\n' >&$descriptor"
}
open_gate() { echo >&"${gates[$1]}"; }

finish() {
    [ "$failures" -eq 0 ] || { echo "$failures failed"; exit 1; }
}
