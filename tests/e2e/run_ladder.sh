# SPDX-License-Identifier: Apache-2.0
# The ladder: on each rung what it promises is there, and it says what it cannot see. On the full rung every
# child is found with exact figures, however short it lived and whoever its parent became.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
export MAYFLY_HOME=$scratch/home
flight() { ls -td "$MAYFLY_HOME"/flights/*"-$1-"* | head -1; }
field() { sed -n "s/^ *\"$2\": \([^,]*\),\{0,1\}$/\1/p" "$(flight "$1")/flight.json" | head -1 | tr -d '"'; }
# Without "grep -q" behind a pipe: it leaves early, and the pipe's other end then counts as failed.
any() { grep -- "$1" >"$scratch/found"; }
events() { grep -ao "{[^{}]*\"kind\":\"$2\"[^}]*}" "$(flight "$1")/events.log"; }
count() { events "$1" "$2" | wc -l; }

expect 0 "$MAYFLY" run -q --name probe -- true
top=$(field probe rung)
echo "this machine permits: $top"

if [ "$top" = full ]; then
    # 500 children of a millisecond each.
    expect 0 "$MAYFLY" run -q --name many -- sh -c 'i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done'
    [ "$(field many processes)" -eq 501 ] || complain "found $(field many processes) of 501 processes"
    [ "$(count many process.start)" -eq 501 ] || complain "$(count many process.start) starts"
    [ "$(events many process.exit | grep -c '"exact":true')" -eq 501 ] || complain "not all are exact"
    [ "$(events many process.exit | grep -c '"comm":"true"')" -eq 500 ] || complain "not all are named"
    # Their sum is what the cgroup counted, but for what each used before it was in it. (Without one the
    # last milliseconds of each are missing, which can be all of them.)
    sum=$(events many process.exit | grep -o '"[us]time_ns":[0-9]*' | cut -d: -f2 |
        awk '{ sum += $1 } END { printf "%.0f", sum }')
    tree=$(($(field many cpu_user_ns) + $(field many cpu_system_ns)))
    if [ -n "$(field many cgroup)" ]; then
        [ "$(events many process.exit | grep '"comm":"true"' | grep -vc '"utime_ns":0,"stime_ns":0')" -eq 500 ] ||
            complain "some have no CPU time"
        [ $((sum > tree ? sum - tree : tree - sum)) -lt $((tree / 20)) ] ||
            complain "the processes' CPU time is $sum ns, the tree's $tree ns"
    fi
    # Double-forked, in sessions of their own, with a parent that is gone: with codes and signals.
    expect 0 "$MAYFLY" run -q --name orphans --leftover wait -- sh -c '
        i=0; while [ $i -lt 20 ]; do (setsid sh -c "sleep 0.1; exit $i" &) ; i=$((i+1)); done
        (setsid sh -c "kill -SEGV \$\$" &); exit 0'
    for code in 0 7 19; do
        events orphans process.exit | grep '"comm":"sh"' | any "\"status\":$((code * 256))," ||
            complain "the orphan with exit code $code is missing"
    done
    events orphans process.exit | any '"status":\(11\|139\),' || complain "the orphan that crashed is missing"
    [ "$(events orphans process.exit | grep -vc '"exact":true')" -eq 0 ] || complain "orphans are not exact"
    # Threads of a moment count for their process.
    expect 0 "$MAYFLY" run -q --name execs -- sh -c 'exec sh -c "exec /bin/true"'
    [ "$(field execs processes)" -eq 1 ] || complain "an exec became a process"
    [ "$(count execs process.exec)" -eq 3 ] || complain "the chain of execs has $(count execs process.exec)"
fi

# Ends when its sleeper has been seen under its name, at the latest after a minute.
until_seen='sleep 60 & i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done
    while kill -0 $! && ! grep -qa "\"comm\":\"sleep\"" "$MAYFLY_FLIGHT/events.log"; do :; done
    kill $!; wait $!; exit 4'
for rung in full events cgroup proc; do
    expect 4 "$MAYFLY" run -q --name "r$rung" --rung $rung --interval 20ms -- sh -c "$until_seen"
    stood=$(field "r$rung" rung)
    case $rung:$stood in
    full:full | full:events | full:cgroup | full:proc) ;;
    events:events | events:cgroup | events:proc) ;;
    cgroup:cgroup | cgroup:proc) ;;
    proc:proc) ;;
    *) complain "--rung $rung stood on $stood" ;;
    esac
    [ "$(field "r$rung" exit_code)" -eq 4 ] || complain "$rung: exit code $(field "r$rung" exit_code)"
    [ "$(field "r$rung" processes)" -ge 2 ] || complain "$rung: the sleeper was not seen"
    events "r$rung" process.exit | any '"comm":"sleep"' || complain "$rung: the sleeper's name"
    [ $(($(field "r$rung" cpu_user_ns) + $(field "r$rung" cpu_system_ns))) -gt 1000000 ] ||
        complain "$rung: no CPU time"
    grep -qa '"kind":"sample"' "$(flight "r$rung")/events.log" || complain "$rung: no samples"
    if [ "$stood" = full ]; then
        grep -q '"blind": \[\]\|no cgroup\|no memory' "$(flight "r$rung")/flight.json" ||
            complain "the full rung is blind to something"
    else
        grep -q 'not asked for\|need\|not available\|not delivered' "$(flight "r$rung")/flight.json" ||
            complain "$rung: it does not say what it cannot see and why"
    fi
done

# Without any privilege.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    mkdir "$scratch/nobody"
    chmod 711 "$scratch"
    chown 65534 "$scratch/nobody"
    cp "$MAYFLY" "$scratch/mayfly"
    as_nobody="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all
        env MAYFLY_HOME=$scratch/nobody"
    cd /
    expect 4 $as_nobody "$scratch/mayfly" run -q --name plain -- sh -c "$until_seen"
    export MAYFLY_HOME=$scratch/nobody
    echo "without privilege it stands on: $(field plain rung)"
    events plain process.exit | any '"comm":"sleep"' || complain "unprivileged: the sleeper's name"
    grep -q 'no exit records' "$(flight plain)/flight.json" || complain "unprivileged: nothing is missing?"
    expect 125 $as_nobody "$scratch/mayfly" run -q --memory-max 64M -- true
    stderr_has "mayfly: --memory-max needs a cgroup of its own: "
fi
for cgroup in $(sed -n 's/^ *"cgroup[a-z_0-9]*": "\(.*\)",*$/\1/p' "$scratch"/*/flights/*/flight.json); do
    [ ! -e "$cgroup" ] || complain "a cgroup is left: $cgroup"
done
finish
