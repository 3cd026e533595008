# SPDX-License-Identifier: Apache-2.0
# What `mayfly run` records, seen through the verbs that read: output byte for byte and while it comes,
# outcomes, processes, reports; and a recorder killed in the middle.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
m=$MAYFLY
export MAYFLY_HOME=$scratch/home TZ=UTC LC_ALL=C.UTF-8
cd "$scratch" || exit 1

# ---- byte for byte ----
head -c 300000 /dev/urandom >random
expect 3 "$m" run --name bytes -- sh -c 'cat random; printf "no end" >&2; exit 3'
expect 0 "$m" logs bytes --raw --stream stdout
cmp -s random "$out" || complain "the random bytes came back otherwise"
expect 0 "$m" logs bytes --raw --stream stderr
[ "$(cat "$out")" = "no end" ] || complain "stderr is: $(cat "$out")"
expect 0 "$m" logs bytes --stream stderr --json
stdout_has '"text":"no end","partial":true'
expect 0 "$m" show bytes
stdout_has "bytes failed with exit code 3"
stdout_has "no end"
expect 0 "$m" show bytes --json
stdout_has '"exit_code": 3'
expect 0 "$m" report bytes --json
stdout_has '"binary": true'

# ---- processes, also short-lived ones ----
expect 0 "$m" run --name tree --tag kind=tree -- sh -c \
    'for i in 1 2 3; do sh -c "exit 0"; done; (sleep 0.3; echo late) & echo early; wait'
expect 0 "$m" ls --tag kind --json
stdout_has '"success": true'
expect 0 "$m" logs tree --timestamps
stdout_has "stdout early"
stdout_has "stdout late"
expect 0 "$m" top --once tree
stdout_has "tree succeeded"
expect 0 "$m" compare bytes tree
stdout_has "Ran only in B"
expect 0 "$m" report --format markdown tree
stdout_has '```mermaid'
if "$m" report tree -o tree.html >/dev/null 2>&1; then
    grep -q '"id":"[0-9-]*-tree-' tree.html || complain "the page does not have the flight"
fi

# ---- a flood: the beginning, a gap, the end ----
expect 0 "$m" run --name flood --output-limit 64K -- seq 100000
expect 0 "$m" logs flood
stderr_has "of stdout before"
if ! awk 'NR == 1 && $1 != 1 { exit 1 } { last = $1 } END { exit last != 100000 }' "$out"; then
    complain "not the first and the last line"
fi
[ "$(awk 'NR > 1 && $1 != before + 1 { jumps++ } { before = $1 } END { print jumps }' "$out")" -le 3 ] ||
    complain "more than one gap"
expect 0 "$m" logs flood --tail 2
stdout_is "99999
100000"

# ---- while it comes ----
gate slow
"$m" run --name slow -- \
    sh -c 'echo one; read -r line <slow; printf "two\nthr"; read -r line <slow; echo ee' \
    >/dev/null 2>&1 &
recorder=$!
await "$m" logs slow
timeout 60 "$m" logs --follow slow >followed &
follower=$!
await grep -qx one followed
expect 0 "$m" ls --json
stdout_has '"state": "running"'
open_gate slow
await grep -qx two followed
open_gate slow
wait "$recorder"
wait "$follower" || complain "logs --follow ended with $?"
printf 'one\ntwo\nthree\n' | cmp -s - followed || complain "followed: $(cat followed)"

# ---- the recorder is killed ----
gate lost
"$m" run --name lost -- sh -c 'echo begun; read -r line <lost; echo never' >/dev/null 2>&1 &
recorder=$!
has_begun() { [ "$("$m" logs lost)" = begun ]; }
await has_begun
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
expect 0 "$m" show lost
stdout_has "was left by its recorder"
stdout_has "begun"
expect 0 "$m" recover lost
stdout_has "recovered"
expect 0 "$m" show lost
stdout_has "lost its recorder"
stdout_has "begun"
expect 0 "$m" ls --failed --name lost --json
stdout_has '"state": "recovered"'
open_gate lost # for the command, which nobody records any more

expect 0 "$m" compare --history tree
stdout_has "There is no earlier flight of this name"
expect 0 "$m" gc --keep 1
stdout_has "4 flights"
expect 0 "$m" ls --json
[ "$(grep -c '"id"' "$out")" -eq 1 ] || complain "more than one stayed"
finish
