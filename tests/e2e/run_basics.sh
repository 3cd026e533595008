# SPDX-License-Identifier: Apache-2.0
# mayfly run is not noticed by the command: exit codes, signals, streams, descriptors, environment. And the
# flight has what happened.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
export MAYFLY_HOME=$scratch/home
run="$MAYFLY run -q"

# has_json TEXT [NAME]: flight.json of the newest flight (of that name) contains it.
has_json() {
    local file
    file=$(ls -td "$MAYFLY_HOME"/flights/*"${2:+-$2-}"* | head -1)/flight.json
    grep -qF -- "$1" "$file" || complain "flight.json lacks $1: $(tr -d '\n' <"$file" | head -c 2000)"
}
events_tell() { grep -qaF -- "$1" "$MAYFLY_HOME"/flights/*"-$2-"*/events.log; }
events_have() { events_tell "$1" "$2" || complain "no event has $1"; }

# ---- exit codes
for code in 0 1 2 77 124 125 126 127 128 130 255; do
    expect $code $run -- sh -c "exit $code"
done
expect 127 $run -- mayfly-no-such-command
has_json '"kind": "not found"'
expect 127 $run -- ''
has_json "\"reason\": \"command not found: ''\"" flight
expect 126 $run -- /etc/passwd
has_json '"kind": "not executable"'
expect 125 env MAYFLY_HOME=/dev/null/x "$MAYFLY" run -- true
stderr_has "/dev/null"
expect 64 "$MAYFLY" run
stderr_has "needs a command"
expect 64 "$MAYFLY" run --interval 1ms -- true

dfl="env --default-signal" # whoever runs the tests may ignore some, as nohup does
# ---- signals: ours, passed on; the command's, shown in how we end
for signal in TERM INT HUP QUIT USR1 USR2 KILL SEGV; do
    number=$(kill -l $signal)
    got=$( (ulimit -c 0; exec $dfl $run -- sh -c "kill -$signal \$\$; sleep 5") >/dev/null 2>&1; echo $?) 2>/dev/null
    [ $got -eq $((128 + number)) ] || complain "ended by SIG$signal: $got"
done
for signal in TERM HUP USR1 USR2; do
    : >"$out"
    $dfl $run --name passed -- sh -c "trap 'echo got; exit 9' $signal; echo ready; while :; do sleep 0.02; done" \
        >"$out" 2>"$err" &
    pid=$!
    await grep -q ready "$out"
    last="SIG$signal to mayfly run"
    kill -$signal $pid
    wait $pid
    got=$?
    [ $got -eq 9 ] || complain "SIG$signal passed on: exit code $got"
    stdout_has got
done
events_have '"signal":"SIGTERM","action":"forwarded"' passed
expect 0 "$MAYFLY" show passed
stdout_has 'SIGUSR2 came and was passed on to the command'

# Stopped and continued without a terminal.
gate "$scratch/stopped"
$run --name stopped -- sh -c 'echo $$ >"$0.pid"; kill -STOP $$; read -r line <"$0"' "$scratch/stopped" &
pid=$!
await events_tell '"kind":"stopped","proc":1,"signal":"SIGSTOP"' stopped
kill -CONT "$(cat "$scratch/stopped.pid")"
await events_tell '"kind":"continued"' stopped
open_gate "$scratch/stopped"
wait $pid || complain "a command that was stopped and continued: $?"

# A signal that was ignored when we came is ignored by the command, too (nohup).
expect 3 sh -c "trap '' HUP; exec $run -- sh -c 'kill -HUP \$\$; exit 3'"

# ---- streams, byte for byte
head -c 300000 /dev/urandom >"$scratch/in"
$run --name binary -- cat <"$scratch/in" >"$scratch/copy" || complain "cat failed"
cmp "$scratch/in" "$scratch/copy" || complain "output was changed"
"$MAYFLY" logs --raw --stream stdout binary >"$scratch/kept"
cmp "$scratch/in" "$scratch/kept" || complain "the output that was kept is another"
expect 0 $run --name noend -- printf 'one\ntwo without end'
stdout_is 'one
two without end'
"$MAYFLY" logs --raw noend | cmp - <(printf 'one\ntwo without end') || complain "a line without end"
expect 0 $run --name both -- sh -c 'echo to out; echo to err >&2'
stdout_is 'to out'
stderr_is 'to err'
[ "$("$MAYFLY" logs --stream stderr both)" = "to err" ] || complain "stderr was not kept as such"
$run --merge -- sh -c 'for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done' >"$out" 2>&1
[ "$(tr -d '\n' <"$out")" = o1e1o2e2o3e3o4e4o5e5o6e6o7e7o8e8o9e9 ] || complain "--merge mixed the order up"

# ---- closed and vanished streams
expect 0 sh -c "$run -- sh -c 'test -e /proc/self/fd/0 && exit 1; exit 0' <&-"
expect 0 sh -c "$run -- sh -c 'echo x 2>/dev/null && exit 1; exit 0' >&-"
expect 0 sh -c "$run -- sh -c 'echo x >&2 && exit 1; exit 0' 2>&-"
$run --name pipe -- sh -c 'trap "" PIPE; for i in $(seq 100000); do echo line $i || exit 33; done' \
    2>/dev/null | head -1 >/dev/null
[ "${PIPESTATUS[0]}" -eq 33 ] || complain "a consumer that is gone was not told: ${PIPESTATUS[*]}"
$run -- yes 2>/dev/null | head -1 >/dev/null
[ "${PIPESTATUS[0]}" -eq 141 ] || complain "yes was not ended by SIGPIPE: ${PIPESTATUS[*]}"
[ "$("$MAYFLY" logs --raw pipe | head -1)" = 'line 1' ] || complain "what a vanished consumer read was not kept"

# ---- descriptors and environment
expect 0 sh -c "exec 7<$scratch/in; $run -- sh -c 'head -c 10 <&7 | cmp -n 10 - $scratch/in'"
expect 0 $run -- sh -c 'echo "$TRACEPARENT" | grep -qE "^00-[0-9a-f]{32}-[0-9a-f]{16}-01$"'
parent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
expect 0 env TRACEPARENT=$parent $run --name traced -- sh -c 'echo $TRACEPARENT'
stdout_has 00-0af7651916cd43dd8448eb211c80319c-
[ "$(cat "$out")" != "$parent" ] || complain "the span is the caller's"
has_json '"parent_span_id": "b7ad6b7169203331"' traced
expect 0 $run -- sh -c 'test -f "$MAYFLY_FLIGHT/flight.json"'
expect 0 env SECRET=hidden KEPT=shown $run --name kept --keep-env KEPT --keep-env ABSENT --tag a=b --tag c -- true
has_json '"KEPT": "shown"' kept
has_json '"a=b"' kept
grep -rq hidden "$MAYFLY_HOME" && complain "a variable was recorded that nobody asked for"
[ "$(stat -c %a "$MAYFLY_HOME"/flights/*-kept-*)" = 700 ] || complain "a flight is not private"

# ---- the command's own events
expect 0 $run --name events -- sh -c 'echo "{\"step\":\"compile\",\"n\":1}" >&$MAYFLY_EVENT_FD
echo "not json" >&$MAYFLY_EVENT_FD; echo >&$MAYFLY_EVENT_FD; echo "[1]" > /dev/fd/$MAYFLY_EVENT_FD
printf "{\"last\":true}" >&$MAYFLY_EVENT_FD'
has_json '"user_events": 4' events
has_json '"bad_events": 2' events
events_have '"data":{"step":"compile","n":1}' events
events_have '"data":{"last":true}' events
events_have '"text":"not json"' events

# ---- time limits
some() { pgrep -f "^$1\$"; }
none() { ! some "$1"; }
expect 124 $run --name slow --timeout 200ms -- sleep 60
has_json '"kind": "timeout"' slow
expect 124 $run --timeout 200ms --kill-after 100ms -- sh -c 'trap "" TERM; while :; do sleep 0.05; done'
expect 124 $run --timeout 200ms -- sh -c "sleep 301.$$ & sleep 302.$$"
await none "sleep 30[12].$$" # the timeout leaves nobody

# ---- processes that outlive the command
expect 0 $run --name left --grace 100ms -- sh -c "sleep 303.$$ & echo main"
pkill -f "^sleep 303.$$\$" || complain "a background process was waited for"
has_json '"processes_left": 1' left
expect 0 $run --name waited --leftover wait -- sh -c '(sleep 0.3; echo late) & echo main'
stdout_is 'main
late'
expect 0 $run --leftover kill -- sh -c "sleep 304.$$ & echo main"
await none "sleep 304.$$" # --leftover kill leaves nobody
# It goes on writing where it wrote, after we are gone.
sh -c "$run --grace 50ms -- sh -c '(sleep 0.4; echo from behind) & echo main'" >"$out" 2>"$err"
await grep -q behind "$out"
stdout_is 'main
from behind'

# ---- a consumer that takes nothing and does not go away cannot hold us up when we are told to end
mkfifo "$scratch/stalled"
exec {holder}<>"$scratch/stalled"
$run --name early --grace 50ms -- seq 1000000$$ >"$scratch/stalled" &
pid=$!
await some "seq 1000000$$"
kill -TERM $pid
await is_gone $pid || kill -KILL $pid
wait $pid
exec {holder}>&-
mkfifo "$scratch/stalled.late"
exec {holder}<>"$scratch/stalled.late"
$run --name stalled --grace 50ms -- sh -c 'seq 100000; echo $$ >"$0"' "$scratch/wrote" >"$scratch/stalled.late" &
pid=$!
await [ -s "$scratch/wrote" ]
await is_gone "$(cat "$scratch/wrote")" # the recorder knows of its end
kill -TERM $pid
await is_gone $pid || kill -KILL $pid
wait $pid
exec {holder}>&-
"$MAYFLY" logs --raw stalled >"$scratch/kept" || complain "no log of the stalled flight"
seq 100000 | cmp - "$scratch/kept" || complain "what the stalled consumer did not take is not kept"
has_json '"kind": "exited"' stalled
events_have '"kind":"output.gone"' stalled

# ---- a limit on file sizes costs records, not the command
got=$( (ulimit -f 300; $run --name small -- sh -c 'seq 100000; exit 3'; echo "code $?") | tail -n +100000)
[ "$got" = '100000
code 3' ] || complain "with ulimit -f: $got"

# ---- what was never started leaves nothing
before=$("$MAYFLY" ls --json | grep -c '"id"')
for files in $(seq 6 40); do
    (ulimit -n $files; exec $run --name nofiles -- true) >/dev/null 2>&1
done
[ -z "$("$MAYFLY" ls --json | grep '"dead"')" ] || complain "a run that did not start left a dead flight"
[ "$("$MAYFLY" ls --json | grep -c '"id"')" -gt "$before" ] || complain "no run with few descriptors started"

# ---- a limit of processes: all of the command, or nothing and why
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    uid=$((60000 + $$ % 5000)) # the limit counts all of a user's processes
    mkdir "$scratch/limited"
    chown $uid "$scratch/limited"
    chmod 711 "$scratch"
    cp "$MAYFLY" "$scratch/mayfly"
    limited() {
        (ulimit -u "$1"; cd /; exec setpriv --reuid $uid --regid $uid --clear-groups --inh-caps=-all \
            --bounding-set=-all env MAYFLY_HOME="$scratch/limited" "$scratch/mayfly" run -q -- /bin/echo all of it)
    }
    enough=no
    for processes in 1 2 3 4 5 6 7 8 9 10; do
        limited $processes >"$out" 2>"$err"
        code=$?
        last="ulimit -u $processes; mayfly run"
        case $code in
        0) stdout_is 'all of it'; enough=yes ;;
        125) stdout_is ''; stderr_has 'ulimit -u' ;;
        *) complain "exit code $code: $(cat "$err")" ;;
        esac
    done
    [ $enough = yes ] || complain "ten processes are not enough: $(cat "$err")"
fi

# ---- what happens to it besides
expect 0 $run --name hang --hang-after 100ms --interval 20ms -- sleep 2
events_have '"kind":"hang"' hang
events_have '[[1,"S",' hang
expect 0 $run --name busy --hang-after 400ms --interval 20ms -- sh -c 'for i in 1 2 3 4 5; do sleep 0.1; echo $i; done'
silent_ms=$("$MAYFLY" logs --json busy | sed 's/{"t_ns":\([0-9]*\).*/\1/' |
    awk '{ if ($1 - before > most) { most = $1 - before } before = $1 } END { printf "%d", most / 1e6 }')
if grep -qa '"kind":"hang"' "$MAYFLY_HOME"/flights/*-busy-*/events.log && [ "$silent_ms" -lt 400 ]; then
    complain "output is not taken for life: never silent for more than $silent_ms ms"
fi
expect 0 $run --name flood --output-limit 64K -- sh -c 'i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done'
[ "$(wc -l <"$out")" -eq 20000 ] || complain "a flood did not arrive whole"
has_json '"lines": 20000' flood
events_have '"kind":"output.limit"' flood
"$MAYFLY" logs --raw flood >"$scratch/kept"
[ "$(head -1 "$scratch/kept")" = "line 0" ] || complain "the head of a flood is missing"
[ "$(tail -1 "$scratch/kept")" = "line 19999" ] || complain "the tail of a flood is missing"
[ "$(stat -c %s "$scratch/kept")" -le 65536 ] || complain "more than the limit was kept"

# ---- the summary
expect 0 "$MAYFLY" run --name "$(printf 'two\nlines\033[31m')" -- true
stderr_has 'two\nlines\x1b[31m: exit code 0'
expect 2 "$MAYFLY" run --name told -- sh -c 'exit 2'
stderr_has 'told: exit code 2'
stderr_has 'flight 20'
expect 0 "$MAYFLY" run --name told -- true
expect 3 "$MAYFLY" run --json --summary "$scratch/summary" --name told -- sh -c 'exit 3'
grep -q '^{"id":"20.*"exit_code":3,' "$err" || complain "no JSON on standard error: $(cat "$err")"
cmp "$scratch/summary" "$err" || complain "the summary in the file is another"
grep -q '"successes":1' "$err" || complain "the history is not told: $(cat "$err")"
finish
