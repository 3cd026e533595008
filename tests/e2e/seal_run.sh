# SPDX-License-Identifier: Apache-2.0
# Sealing never gets in the way of a run: a busy ledger, many runs at once, a recorder that is killed,
# a full disk, a home that cannot be written.
. "${MAYFLY_SOURCE_DIR:?}/tests/lib/expect.sh" || exit 1
export MAYFLY_HOME=$scratch/home
flights=$MAYFLY_HOME/flights

# Not wanted.
expect 3 "$MAYFLY" run -q --no-seal --name bare -- sh -c 'exit 3'
expect 1 "$MAYFLY" verify bare
stdout_has 'not sealed'
[ ! -e "$MAYFLY_HOME/ledger" ] || complain 'a ledger was made'
expect 0 "$MAYFLY" verify --all
stdout_is "$(basename "$(echo "$flights"/*-bare-*)"): not sealed
0 as sealed, 0 not, 1 not sealed, 0 removed"
expect 0 "$MAYFLY" seal --all --wait 100s
expect 0 "$MAYFLY" verify bare
expect 0 "$MAYFLY" seal --all --wait 100s
stderr_has 'all flights are sealed'

# Many runs that end together take turns.
for i in $(seq 20); do
    "$MAYFLY" run -q --seal-wait 100s --name "n$i" -- sh -c "echo $i; exit 5" </dev/null >/dev/null 2>>"$scratch/many" &
    pids[i]=$!
done
for i in $(seq 20); do
    code=0
    wait "${pids[i]}" || code=$?
    [ "$code" -eq 5 ] || complain "run $i ended with $code"
done
expect 0 "$MAYFLY" verify --all --quiet
stdout_is '21 as sealed, 0 not, 0 not sealed, 0 removed'

# Another process has the ledger for longer than we wait: the flight stays unsealed, and says so.
exec 8>>"$MAYFLY_HOME/ledger/lock"
flock -n 8 || complain 'the ledger is locked'
expect 4 "$MAYFLY" run --seal-wait 50ms --name late -- sh -c 'exit 4'
stderr_has 'not sealed: '
stderr_has '`mayfly seal` makes up for it'
expect 75 "$MAYFLY" seal --wait 50ms late
expect 1 "$MAYFLY" verify late
exec 8>&-
expect 0 "$MAYFLY" seal --all --wait 100s
expect 0 "$MAYFLY" verify late

# Runs that were ended, by time and by a signal, are sealed before they return.
expect 124 "$MAYFLY" run -q --seal-wait 100s --timeout 100ms --name slow -- sleep 100
expect 0 "$MAYFLY" verify slow
expect 143 "$MAYFLY" run -q --seal-wait 100s --name ended -- sh -c 'kill -TERM "$PPID"; exec sleep 100'
expect 0 "$MAYFLY" verify ended

# A recorder that was killed: recover completes and seals.
mkfifo "$scratch/ready"
"$MAYFLY" run -q --name killed -- sh -c "echo here; echo x >'$scratch/ready'; exec sleep 100" >/dev/null &
recorder=$!
read -r -t 60 _ <>"$scratch/ready" || complain 'the command has not begun'
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
expect 65 "$MAYFLY" seal killed
stderr_has 'mayfly recover'
expect 0 "$MAYFLY" recover killed
expect 0 "$MAYFLY" verify killed
"$MAYFLY" verify killed --json >"$out"
stdout_has '"recovered": true'

# A home with a ledger that cannot be opened: the run is as it was.
mv "$MAYFLY_HOME/ledger" "$scratch/ledger"
echo nonsense >"$MAYFLY_HOME/ledger"
expect 6 "$MAYFLY" run --name odd -- sh -c 'exit 6'
stderr_has 'not sealed: '
rm "$MAYFLY_HOME/ledger"
mv "$scratch/ledger" "$MAYFLY_HOME/ledger"
expect 0 "$MAYFLY" seal --wait 100s odd
expect 0 "$MAYFLY" verify odd

# The ledger on a full disk.
disk=$scratch/disk
mkdir "$disk"
if mount -t tmpfs -o size=1m tmpfs "$disk" 2>/dev/null; then
    trap 'umount "$disk"; rm -rf "$scratch"' EXIT
    mv "$MAYFLY_HOME/ledger" "$scratch/ledger"
    head -c 2000000 /dev/zero >"$disk/ballast" 2>/dev/null
    ln -s "$disk/ledger" "$MAYFLY_HOME/ledger"
    mkdir "$disk/ledger"
    expect 8 "$MAYFLY" run --name full -- sh -c 'exit 8'
    stderr_has 'not sealed: '
    rm "$disk/ballast"
    expect 0 "$MAYFLY" seal --wait 100s full
    expect 0 "$MAYFLY" verify full
    rm "$MAYFLY_HOME/ledger"
    mv "$scratch/ledger" "$MAYFLY_HOME/ledger"
fi
finish
