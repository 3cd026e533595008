# SPDX-License-Identifier: Apache-2.0
# `mayfly bench doctor` and `env`: what they say can be read, and what they measure is kept for the
# machine it was measured on. No figure is held against anything: the machine may be busy.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
cd "$scratch" || exit 1
short="--processes 3 --warm-up-time 0.03 --measurement-time 0.2"

good_enough() { # COMMAND...: 0, or 4 on a machine that is too noisy
    local got=0
    last="$*"
    "$@" >"$out" 2>"$err" </dev/null || got=$?
    [ "$got" = 0 ] || [ "$got" = 4 ] || complain "exit code $got: $(head -c 300 "$err")"
}

good_enough "$MAYFLY" bench doctor --quick $short
for name in "noise floor" timer governor load memory swap limits perf; do
    grep -qE "^(good|note|warning|bad) +$name " "$out" || complain "it says nothing of $name"
done
awk '/^(warning|bad) / { getline advice; if (advice !~ /^ +[^ ]/) { print } }' "$out" >bare
[ ! -s bare ] || complain "no advice for: $(cat bare)"
[ ! -e target ] || complain "a quick look was stored"

good_enough "$MAYFLY" bench doctor $short --json
jq -e '.schema_version == 1 and .pairs == 3 and .timer_cost_ns > 0 and
    .noise_floor_fraction >= 0 and (.findings | length) > 6 and
    all(.findings[]; .state | IN("good", "note", "warning", "bad"))' "$out" >/dev/null ||
    complain "unexpected JSON: $(head -c 600 "$out")"
cp "$out" said.json
jq -e --slurpfile said said.json '.fingerprint == $said[0].fingerprint and
    .noise_floor_fraction == $said[0].noise_floor_fraction' target/bench/noise-floor.json \
    >/dev/null || complain "what it has measured is not what was stored"

expect 0 "$MAYFLY" bench env --json
jq -e --slurpfile said said.json '.fingerprint == $said[0].fingerprint and (.kernel | length) > 0 and
    (.compiler | length) > 0 and (.command_line | contains("bench env"))' "$out" >/dev/null ||
    complain "unexpected JSON: $(head -c 600 "$out")"
expect 0 "$MAYFLY" bench env
stdout_has "fingerprint"
stdout_has "* kernel"

expect 64 "$MAYFLY" bench doctor --quick $short --output-format csv
stderr_has "text or json"
expect 64 "$MAYFLY" bench env --processes 3
expect 64 "$MAYFLY" bench doctor --processes 0
# What it measures with is no benchmark of anybody's.
expect 64 "$MAYFLY" bench run --binary "$MAYFLY"
finish
