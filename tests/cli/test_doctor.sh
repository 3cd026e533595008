# SPDX-License-Identifier: Apache-2.0
# `mayfly doctor` tells what is there, leaves nothing behind, and fails when flights cannot be kept.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
export MAYFLY_HOME=$scratch/home/below

expect 0 "$MAYFLY" doctor
stdout_has "home: $scratch/home/below"
for name in "metrics push" zstd "report page" home cgroup "process events" taskstats; do
    grep -qE "^  (yes|no ) +$name " "$out" || complain "it says nothing of $name"
done
# Whatever is not there has its reason on the next line.
awk '/^  no / { getline reason; if (reason !~ /^ +[^ ]/ || reason ~ /^  (yes|no) /) { print } }' \
    "$out" >"$scratch/bare"
[ ! -s "$scratch/bare" ] || complain "no reason is given for: $(cat "$scratch/bare")"
[ ! -e "$scratch/home" ] || complain "it made the home"
left=$(find /sys/fs/cgroup -maxdepth 6 -name 'mayfly-doctor-*' 2>/dev/null)
[ -z "$left" ] || complain "it left a cgroup behind: $left"

expect 0 "$MAYFLY" doctor --json
stdout_has '"version": "0.1.0"'
stdout_has '"name": "home",'

export MAYFLY_HOME=/dev/null/home
expect 1 "$MAYFLY" doctor
stdout_has "/dev/null: Permission denied"
finish
