# SPDX-License-Identifier: Apache-2.0
# mayfly cpu top and mayfly cpu watch: what they say of real threads, privileged and not.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
export MAYFLY_HOME=$scratch/home
burner=$MAYFLY_BINARY_DIR/tests/burner
mkfifo "$scratch/input"
exec 7<>"$scratch/input"
started=
trap '[ -z "$started" ] || kill $started 2>/dev/null; wait 2>/dev/null; rm -rf "$scratch"' EXIT
# begin ARGS...: burner with them; returns when all of its threads that end have used what they use.
begin() { # LINES ARGS...
    local lines=$1
    shift
    : >"$scratch/said"
    "$burner" "$@" <&7 >"$scratch/said" &
    pid=$!
    started="$started $pid"
    for _ in $(seq 600); do
        [ "$(wc -l <"$scratch/said")" -ge "$lines" ] && return
        sleep 0.1
    done
    complain "burner did not get there within a minute"
}
json() { grep -o "\"$1\": *[0-9]*" "$out" | head -1 | sed 's/.*: *//'; }

# What is wrong on the command line.
expect 64 "$MAYFLY" cpu watch
expect 64 "$MAYFLY" cpu watch abc
stderr_has "'abc' is no process number"
expect 64 "$MAYFLY" cpu watch 1 --flight latest
expect 64 "$MAYFLY" cpu watch $$ --budget 5
expect 64 "$MAYFLY" cpu watch $$ --budget 50ms/100ms,action=kill
expect 66 "$MAYFLY" cpu watch 999999999
stderr_has "there is no process 999999999"
expect 66 "$MAYFLY" cpu watch --flight latest

# One look.
begin 1 --hold 1:1000:calm 1:-:spin
expect 0 "$MAYFLY" cpu top $pid --once --interval 300ms
stdout_has "3 threads of 1 processes"
stdout_has spin
stdout_has calm
expect 0 "$MAYFLY" cpu top $pid --json --interval 300ms
[ "$(json thread_count)" = 3 ] || complain "it has $(json thread_count) threads"
stdout_has '"thread": "spin"'
[ "$(json cpu_ns)" -gt 0 ] || complain "nothing was used"
expect 0 "$MAYFLY" cpu top --once --interval 100ms --rows 5
stdout_has "THREAD"
expect 0 "$MAYFLY" cpu top --json --interval 100ms --plain
stdout_has "not asked for"

# Watched: the endless thread exceeds its budget, and is told of once.
expect 1 "$MAYFLY" cpu watch $pid --json --interval 100ms --duration 2s --budget 5ms/1h,thread=spin
stdout_has '"kind":"start"'
stdout_has '"kind":"sample"'
stdout_has '"thread":"spin"'
stdout_has '"kind":"end"'
[ "$(grep -c '"kind":"violation"' "$out")" = 1 ] || complain "$(grep -c '"kind":"violation"' "$out") violations"
expect 1 "$MAYFLY" cpu watch $pid --interval 100ms --duration 2s --budget 5ms/1h --plain
stdout_has "thread spin (tid"
stdout_has "more than 5ms/1h"
stderr_has "not asked for"
expect 0 "$MAYFLY" cpu watch $pid --once --interval 50ms --budget 30m/1h
stdout_has "time is over"
kill -KILL $pid

# It ends with what it looks at.
begin 1 --hold 1:1000:calm
(sleep 0.5; kill -KILL $pid) &
expect 0 "$MAYFLY" cpu watch $pid --interval 50ms --duration 60s
stdout_has "all processes have ended"

# A flight.
"$MAYFLY" run -q --name flying -- "$burner" 1:-:inside >/dev/null 2>&1 &
runner=$!
started="$started $runner"
for _ in $(seq 600); do
    "$MAYFLY" cpu top --flight flying --once --interval 50ms >"$out" 2>/dev/null && grep -q inside "$out" && break
    sleep 0.1
done
grep -q inside "$out" || complain "the thread of the flight is not seen"
expect 1 "$MAYFLY" cpu watch --flight flying --interval 100ms --duration 2s --budget 5ms/1h,of=all
stdout_has "all together"
kill -TERM $runner
wait $runner 2>/dev/null
expect 66 "$MAYFLY" cpu watch --flight flying
stderr_has "not running any more"

# Without any privilege.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    chmod 711 "$scratch"
    cp "$MAYFLY" "$scratch/mayfly"
    begin 1 --hold 1:1000:calm 1:-:spin
    cd /
    as_nobody="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all"
    expect 1 $as_nobody "$scratch/mayfly" cpu watch $pid --interval 100ms --duration 2s \
        --budget 5ms/1h,thread=spin --json
    stdout_has 'are not seen one by one'
    grep -q '"denied":"[^"]*stack' "$out" || complain "it does not say what was denied"
    kill -KILL $pid
fi

# Children are looked for in what was found just now, too; a tree that changes all the time is no harm.
(sh -c 'for i in $(seq 40); do /bin/true; sleep 0.05; done; exec sleep 60' >/dev/null 2>&1 &
    echo $! >"$scratch/orphan")
expect 0 "$MAYFLY" cpu watch "$(cat "$scratch/orphan")" --interval 50ms --plain --duration 1s
kill -KILL "$(cat "$scratch/orphan")"
finish
