# SPDX-License-Identifier: Apache-2.0
# `mayfly cpu doctor` and `mayfly cpu bench`: that they ask and tell, not how fast this machine is.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"

"$MAYFLY" cpu doctor >"$out" 2>"$err"
[ $? -le 1 ] || complain "cpu doctor failed: $(cat "$err")"
for tier in stamp exact timer perf watcher; do
    grep -qE "^$tier +(yes|no)  " "$out" || complain "it says nothing of $tier"
done
stdout_has "context switches: "
"$MAYFLY" cpu doctor --json >"$out" 2>"$err"
stdout_has '"tier": "timer",'
stdout_has '"switches_seen": '

# Whatever the machine: nothing that ended over its budget was missed, nobody was accused falsely.
expect 0 "$MAYFLY" cpu bench --bursts 2 --watcher
stdout_has "reading one's CPU time"
for work in busy calls sleeping nested masked; do
    stdout_has "$work "
done
expect 0 "$MAYFLY" cpu bench --bursts 1 --detector none --json
stdout_has '"seen_during": 0,'
if grep -q '"seen_during": [1-9]' "$out"; then
    complain "without a detector something was seen"
fi
expect 64 "$MAYFLY" cpu bench --bursts 0
expect 64 "$MAYFLY" cpu bench --detector magic
finish
