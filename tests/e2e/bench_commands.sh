# SPDX-License-Identifier: Apache-2.0
# The commands of a benchmark program: what is measured, printed and stored, every exit code, programs
# that fail, hang and crash, and interruption.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
b=$MAYFLY_BENCH_PROGRAMS
m=$MAYFLY
cd "$scratch" || exit 1
unset MF_BENCH_PROCESSES
export MF_BENCH_WARM_UP_TIME=0.02 MF_BENCH_MEASUREMENT_TIME=0.05 MF_BENCH_NRESAMPLES=1000

# ---- names and filters ----
expect 0 "$b" list
stdout_has "good::group/sized/n:100"
stdout_has "good::threads/threads:2"
expect 0 "$b" list good/group
stdout_is "good::group/sized/n:10
good::group/sized/n:100"
expect 0 "$b" list 'good::*' --skip sized --skip 'good::threads*'
stdout_is "good::open
good::prints
good::seed"
expect 0 "$b" list --exact good::open good::thr
stdout_is "good::open"
expect 0 env MF_BENCH_THREADS=4,8 "$b" list threads
stdout_is "good::threads/threads:4
good::threads/threads:8"
expect 1 "$b" run nothing
stderr_is "bench_programs: no benchmark matches"

# ---- one iteration, as a test ----
expect 0 "$b" --test good
expect 1 "$b" --test bad --skip hangs
stdout_has "it computed 7"
stdout_has "no such device"
expect 0 "$b" --test bad::skips
expect 1 "$b" --test bad::exits
stdout_has "exit code 3"

# ---- what is measured ----
expect 0 "$b" run 'good::*' --json
cp "$out" good.json
stderr_has "a line of the benchmark"
jq -e '
    .schema_version == 1 and .seed == "0x2a" and .interrupted == false and
    (.environment.fingerprint | length) == 16 and (.benchmarks | length) == 7 and
    all(.benchmarks[]; .status == "ok" and .unit == "ns" and
        .estimates.median.point_estimate > 0 and .processes_planned == 8 and
        (.process_medians_ns | length) == 8 and
        .estimates.median.confidence_interval.confidence_level == 0.95 and
        .estimates.median.confidence_interval.lower_bound <= .estimates.median.point_estimate) and
    (.benchmarks[] | select(.name == "good::group/sized/n:10") |
        .throughput.elements_per_second > 0 and .throughput.bytes_per_second > 0) and
    (.benchmarks[] | select(.name == "good::threads/threads:2") |
        .counters.spins > 0.99 and .counters.spins < 1.01) and
    (.benchmarks[] | select(.name == "good::open") |
        .mode == "latency" and .rate_per_second == 2000 and (.service_percentiles | length) == 4)
' good.json >/dev/null || complain "unexpected JSON: $(head -c 3000 good.json)"
expect 0 env MF_BENCH_PERCENTILES=50,99.99 "$b" run good::seed --processes 2 --json
jq -e '.benchmarks[0].percentiles | map(.percent) == [50, 99.99]' "$out" >/dev/null ||
    complain "other percentiles than asked for"
expect 1 "$b" run good::seed --seed 43
stdout_has "the seed is 43"
expect 0 "$b" run planted --quick --json
jq -e '.quick == true and .benchmarks[0].quick == true' "$out" >/dev/null || complain "not quick"

# ---- programs that misbehave ----
expect 1 "$b" run bad::aborts --json
jq -e '.benchmarks[0] | .status == "failed" and (.message | test("SIGABRT"))' "$out" >/dev/null ||
    complain "an abort is not told: $(head -c 1000 "$out")"
expect 1 "$b" run bad::hangs --timeout 0.5 --json
jq -e '.benchmarks[0] | .status == "failed" and (.message | test("stopped after"))' "$out" \
    >/dev/null || complain "a hanging benchmark is not told"

# ---- wrong command lines and settings ----
expect 64 "$b" run --nonsense
stderr_has "unknown option '--nonsense' for 'run'"
expect 64 "$b" list --quick
expect 64 "$b" run --processes 0
stderr_has "option '--processes': 0 is not between 1 and 32"
expect 64 "$b" run --processes
expect 64 env MF_BENCH_PROCESES=3 "$b" list
stderr_has "MF_BENCH_PROCESES"
printf '[bench]\nproceses = 3\n' >wrong.toml
expect 64 "$b" list --config wrong.toml
stderr_is "bench_programs: wrong.toml:2:1: unknown key 'proceses' in [bench]"
expect 64 "$b" run --baseline a --compare b
expect 64 "$b" run --quick --save-baseline a
expect 64 "$b" run --save-baseline ../a
expect 64 "$b" gate planted
expect 64 "$b" gate planted --quick --baseline a
expect 64 "$b" compare good.json
expect 64 "$m" bench run --binary /bin/true
expect 64 "$m" bench run --binary "$b" --measurement-time=-1

# ---- baselines ----
expect 5 "$b" run planted --baseline main
stderr_is "bench_programs: there is no baseline main of these benchmarks"
expect 0 "$b" run planted --baseline-lenient main
expect 0 "$b" run planted --save-baseline main
for file in benchmark estimates sample tukey; do
    [ -s target/bench/planted_spin-*/main/$file.json ] || complain "no $file.json"
    jq -e . target/bench/planted_spin-*/main/$file.json >/dev/null || complain "$file.json is broken"
done
expect 5 "$b" run planted sized --baseline main # sized was never stored
expect 0 "$b" run planted sized --baseline-lenient main --stored-threshold-pct 900
stdout_has "planted::spin"
expect 0 "$b" run planted --load-baseline main --json
jq -e '.benchmarks | length == 1' "$out" >/dev/null || complain "a baseline loads as something else"
expect 5 "$b" run planted --load-baseline never
expect 0 "$b" report sized --json
jq -e '.benchmarks | length == 2' "$out" >/dev/null || complain "report has something else"
echo '{' >"$(echo target/bench/planted_spin-*/main)/benchmark.json"
expect 64 "$b" run planted --baseline main
stderr_has "main/benchmark.json"

# ---- comparison with a file; what is slower beyond doubt ----
expect 0 "$b" run planted --json --output fast.json
jq '.benchmarks[0] |= (.estimates.median.point_estimate /= 50 | .process_medians_ns |= map(. / 50))' \
    fast.json >small.json
expect 3 "$b" run planted --compare small.json --json
jq -e '.benchmarks[0].change | .verdict == "REGRESSED" and .interleaved == false' "$out" \
    >/dev/null || complain "fifty times slower is no regression: $(jq -c . "$out" | head -c 800)"
jq '.environment.fingerprint = "0000"' small.json >elsewhere.json
expect 0 "$b" run planted --compare elsewhere.json --json # another machine: advisory
jq -e '.benchmarks[0].change | .verdict == "REGRESSED" and .advisory' "$out" >/dev/null ||
    complain "another machine is not told"
expect 3 "$b" compare small.json fast.json
expect 0 "$b" compare fast.json fast.json --stored-threshold-pct 900
expect 1 "$b" compare small.json good.png
expect 64 "$b" compare "$b" fast.json

# ---- targets ----
cat >benchmark.toml <<'END'
[suite.planted]
processes = 2
[[target]]
bench = "planted::*"
metric = "median_ns"
good = 1e9
END
expect 0 "$b" gate planted --json
jq -e '.benchmarks[0].processes_planned == 2' "$out" >/dev/null || complain "the file is not read"
sed -i 's/1e9/0.001/' benchmark.toml
expect 3 "$b" gate planted
rm benchmark.toml

# ---- history ----
expect 1 "$b" history
for _ in 1 2 3; do
    expect 0 "$b" run planted --record
done
[ "$(cat results/*.json | wc -l)" -eq 3 ] || complain "the history has not three lines"
printf '{"half a line' >>"$(echo results/*.json)"
expect 0 "$b" run planted --record
expect 0 "$b" history --json
jq -e '.benchmarks[0].points | length == 4' "$out" >/dev/null || complain "not four points"
expect 0 "$m" bench history planted
stdout_has "planted::spin"
expect 0 "$b" history --output-format markdown
stdout_has "| Date | Commit | Value | 95 % interval | Trend |"
expect 0 "$b" history --output-format html
stdout_has "planted::spin"
expect 64 "$b" history --output-format pictures
echo '{"schema_version": 99}' >>"$(echo results/*.json)"
expect 1 "$b" history
stderr_has "schema_version is 99"

# ---- interruption: what is complete is shown, nothing is left running ----
# A measured process says when it measures. wait_until FILE TEXT: at most a minute.
wait_until() {
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        grep -q "$2" "$1" 2>/dev/null && return
        sleep 0.05
    done
    complain "no '$2' in $1 within a minute"
}
wait_for_end() { # of a process that is not ours to wait for
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        kill -0 "$1" 2>/dev/null || return
        sleep 0.05
    done
    complain "$2"
    kill -KILL "$1"
}
rm -rf target
unset MF_BENCH_MEASUREMENT_TIME # slow has its own
# (A shell ignores SIGINT for what it starts in the background.)
env --default-signal=INT "$b" run slow planted --json --save-baseline cut \
    >part.json 2>part.err &
pid=$!
wait_until part.err measuring
child=$(pgrep -P "$pid")
kill -INT "$pid"
wait "$pid"
code=$?
[ "$code" -eq 130 ] || complain "an interrupted run ends with $code"
grep -q "interrupted" part.err || complain "it does not say so: $(cat part.err)"
jq -e '.interrupted' part.json >/dev/null || complain "its JSON does not say so"
[ ! -e target ] || complain "something was stored of an interrupted run"
[ -n "$child" ] && wait_for_end "$child" "a measured process is still there"
# A measured process does not outlive a runner that was killed.
"$b" run slow >/dev/null 2>killed.err &
pid=$!
wait_until killed.err measuring
child=$(pgrep -P "$pid")
kill -KILL "$pid"
wait "$pid" 2>>part.err
[ -n "$child" ] && wait_for_end "$child" "a measured process outlives its runner"
# The same by the program, which is told to end.
"$m" bench run --binary "$b" slow >/dev/null 2>told.err &
pid=$!
wait_until told.err measuring
kill -TERM "$pid"
wait "$pid"
code=$?
[ "$code" -eq 143 ] || complain "a run that is told to end ends with $code"

# ---- the same by the program ----
expect 0 "$m" bench run --binary "$b" planted --json --processes 2
expect 1 "$m" bench run --binary "$b" bad::fails
finish
