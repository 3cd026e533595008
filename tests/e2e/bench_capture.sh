# SPDX-License-Identifier: Apache-2.0
# Lives of 2 and 4 s, killed at their end, against a real Prometheus: every second is in the store,
# and the scrapes are counted.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
command -v prometheus >/dev/null || { echo "prometheus is not installed"; exit 77; }
export TMPDIR=$scratch MAYFLY_BENCH_DIR=$MAYFLY_BINARY_DIR/bench

expect 0 "$MAYFLY_SOURCE_DIR/bench/capture.sh" --quick --json
recorded=$(tr -d ' \n' <"$out" | grep -o '"recorded":{[^}]*}')
[ "$recorded" = '"recorded":{"points":4,"least":2,"most":2,"lives_without":0}
"recorded":{"points":8,"least":4,"most":4,"lives_without":0}' ] || complain "recorded: $recorded"
stdout_has '"every 1 s"'
left=$(find "$scratch" -name 'mayfly-bench-*')
[ -z "$left" ] || complain "left behind: $left"
expect 64 "$MAYFLY_SOURCE_DIR/bench/capture.sh" --fast
finish
