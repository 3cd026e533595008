# SPDX-License-Identifier: Apache-2.0
# Threads in a flight: their CPU time by name, those of a millisecond too, and budgets for it. The command is
# burner, whose threads use CPU time by their own clocks: nothing here depends on how long that takes.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
export MAYFLY_HOME=$scratch/home
burner=$MAYFLY_BINARY_DIR/tests/burner
flight() { ls -td "$MAYFLY_HOME"/flights/*"-$1-"* | head -1; }
field() { sed -n "s/^ *\"$2\": \([^,]*\),\{0,1\}$/\1/p" "$(flight "$1")/flight.json" | head -1 | tr -d '"'; }
events() { grep -ao "{[^{}]*\"kind\":\"$2\"[^}]*}" "$(flight "$1")/events.log"; }
count() { events "$1" "$2" | wc -l; }
threads() { grep -ao '{[^{}]*"kind":"threads".*}\]}' "$(flight "$1")/events.log"; }
# total NAME KEY: of all threads together; of NAME THREAD KEY: of the threads of one name.
total() { threads "$1" | grep -o "\"$2\":[0-9]*" | head -1 | cut -d: -f2; }
of() { threads "$1" | grep -o "{\"thread\":\"$2\"[^}]*}" | grep -o "\"$3\":[0-9]*" | cut -d: -f2; }
ms=1000000
between() { # VALUE LOW HIGH WHAT
    [ -n "$1" ] && [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] || complain "$4 is '$1', not from $2 to $3"
}

expect 0 "$MAYFLY" run -q --name probe -- true
rung=$(field probe rung)
cgroup=$(field probe cgroup) # without one the last milliseconds of a thread are missing
echo "this machine permits: $rung"

# Threads of 1 ms: with exit records each is found; without, what they used is told as a rest.
if [ "$rung" = full ]; then
    expect 0 "$MAYFLY" run -q --name full -- "$burner" --one-by-one 200:1000:short
    between "$(of full short threads)" 200 200 "the number of short threads"
    [ -z "$cgroup" ] || between "$(of full short cpu_ns)" $((150 * ms)) $((400 * ms)) "their CPU time"
    between "$(total full unattributed_ns)" 0 $((40 * ms)) "the rest"
fi
expect 0 "$MAYFLY" run -q --name proc --rung proc -- "$burner" --one-by-one 200:1000:short
between "$(total proc unattributed_ns)" $((100 * ms)) $((400 * ms)) "the rest without records"
between "$(($(total proc unattributed_ns) + $(total proc cpu_ns)))" $((190 * ms)) $((500 * ms)) "everything"
grep -q 'threads that live shorter than the sampling interval' "$(flight proc)/flight.json" ||
    complain "it does not say that it misses short threads"

# By name, whatever the name is. (Without exit records threads of 30 ms are seen when a sample meets them.)
if [ "$rung" = full ]; then
    expect 0 "$MAYFLY" run -q --name names -- "$burner" 2:20000:worker '1:30000:(b) c d' 1:1000:ui
    between "$(of names worker cpu_ns)" $((28 * ms)) $((80 * ms)) "CPU time of the workers"
    between "$(of names worker threads)" 2 2 "number of workers"
    between "$(of names '(b) c d' cpu_ns)" $((24 * ms)) $((60 * ms)) "CPU time of the odd name"
    expect 0 "$MAYFLY" metrics query --format csv 'flight_thread_cpu_seconds_total{thread="worker"}' "$(flight names)"
    stdout_has worker
    expect 0 "$MAYFLY" metrics query --format csv 'flight_runqueue_wait_seconds_total' "$(flight names)"
    expect 0 "$MAYFLY" metrics query --format csv -q 0.9 'flight_thread_burst_seconds' "$(flight names)"
fi

# A budget that is kept, and one that is exceeded.
expect 0 "$MAYFLY" run -q --name kept --cpu-budget 90ms/1h --cpu-budget 300ms/1h,of=all -- "$burner" 3:50000:thrifty
between "$(count kept cpu.budget)" 0 0 "violations of budgets that are kept"
expect 0 "$MAYFLY" run -q --name over --cpu-budget 40ms/1h,thread=gree* --cpu-budget 40ms/1h,thread=other \
    -- "$burner" 1:150000:greedy 1:20000:other
between "$(count over cpu.budget)" 1 1 "violations"
between "$(count over cpu.budget.end)" 1 1 "ends of violations"
events over cpu.budget >"$scratch/violation"
for member in '"thread":"greedy"' '"budget":"40ms/1h,thread=gree\*"' '"proc":1' '"tid":[1-9]' '"parent":[1-9]' \
    '"excess_ns":[1-9]' '"action":"mark"' '"command":".*burner'; do
    grep -q "$member" "$scratch/violation" || complain "the violation lacks $member: $(cat "$scratch/violation")"
done
between "$(total over violations)" 1 1 "the count of violations"
expect 0 "$MAYFLY" show last
stdout_has "thread greedy (tid"
stdout_has "Threads by name, the busiest first"
stdout_has "CPU budgets were exceeded 1 time"
expect 0 "$MAYFLY" show last --json
stdout_has '"thread":"greedy"'

# An endless thread is seen while it runs, and ended if asked for.
expect 123 "$MAYFLY" run --name stop --cpu-budget 30ms/1h,action=stop -- "$burner" 1:-:endless
stderr_has "cpu budget exceeded: thread endless (tid"
stderr_has "ended by SIGTERM"
grep -q '"cpu budget exceeded"' "$(flight stop)/flight.json" || complain "the outcome is another one"
[ "$(field stop exit_code)" = 123 ] || complain "exit code $(field stop exit_code)"
expect 123 "$MAYFLY" run --name kill --cpu-budget 30ms/1h,of=all,action=kill -- "$burner" 4:-:endless
stderr_has "all threads together"
stderr_has "ended by SIGKILL"
expect 123 "$MAYFLY" run --name stubborn --kill-after 100ms --cpu-budget 30ms/1h,action=stop -- \
    sh -c 'trap "" TERM; exec '"$burner"' 1:-:endless'
stderr_has "outlived SIGTERM"
expect 0 "$MAYFLY" ls
stdout_has stop

for bad in 50ms 100ms/100ms 50ms/100ms,action=maybe 50ms/100ms,thread= x/y; do
    expect 125 "$MAYFLY" run --cpu-budget "$bad" -- true
done

# Without any privilege.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    mkdir "$scratch/nobody"
    chmod 711 "$scratch"
    chown 65534 "$scratch/nobody"
    cp "$MAYFLY" "$scratch/mayfly"
    cp "$burner" "$scratch/burner"
    cd /
    as_nobody="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all
        env MAYFLY_HOME=$scratch/nobody"
    expect 123 $as_nobody "$scratch/mayfly" run --name plain --cpu-budget 30ms/1h,thread=end*,action=stop -- \
        "$scratch/burner" 1:-:endless 2:10000:other
    stderr_has "cpu budget exceeded: thread endless"
    export MAYFLY_HOME=$scratch/nobody
    events plain cpu.budget >"$scratch/violation"
    grep -q '"denied":"[^"]*stack' "$scratch/violation" || complain "it does not say what was denied"
fi
finish
