# SPDX-License-Identifier: Apache-2.0
# The benchmark programs run, take their options, and write what a reader of their JSON needs. No
# figure is compared with anything: that would be a test of the machine.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
bin=$MAYFLY_BINARY_DIR/bench
export TMPDIR=$scratch

# ---- every case runs; the names are those that docs and comparisons use ----
expect 0 "$bin/bench_record" --test --test-iterations 100
! grep -v -e '^BENCHMARK  *RESULT$' -e '  ok$' "$out" || complain "not every benchmark of record is ok"
expect 0 "$bin/bench_write_path" --once 100
expect 0 "$bin/bench_record" list
for name in record/single_series record/series_count/{1,10,30,100} \
    record_batch/series_count/{1,10,30,100} record/30_series_throughput record/atomic_increment; do
    stdout_has "${name/\//::}"
done
expect 0 "$bin/bench_record" list --exact record/series_count/30
stdout_is record::series_count/30
expect 0 "$bin/bench_record" counter/single record/series_count/30 --json --quick \
    --warm-up-time 0.01 --measurement-time 0.05
jq -e '[.benchmarks[] | [.name, .status, .throughput.elements_per_second > 0]] | sort ==
    [["counter::single", "ok", true], ["record::series_count/30", "ok", true]]' "$out" >/dev/null ||
    complain "unexpected results: $(head -c 1000 "$out")"

expect 0 "$bin/bench_write_path" --rounds 1 --json
for name in 'record()' 'atomic increment' 'write()' 'UDP send' 'empty timer'; do
    stdout_has "\"name\": \"$name\""
done

expect 0 "$bin/bench_torn" --quick
stdout_has ": 0 torn"
expect 0 "$bin/bench_phases" --quick
stdout_has "killed: 45 of 45 points at 20 of 20 start phases"
expect 0 "$bin/bench_memory" --json
bytes=$(sed -n 's/.*"store": \([0-9]*\).*/\1/p' "$out")
[ "${bytes:-0}" -gt 0 ] && [ "$bytes" -le 2500000 ] || complain "the store takes $bytes bytes"
if [ -x "$bin/bench_rrd" ]; then
    expect 0 "$bin/bench_rrd" --once 10
fi

# ---- mistakes ----
expect 64 "$bin/bench_record" --unknown
expect 0 "$bin/bench_record" --help
expect 1 env TMPDIR="$scratch/absent" "$bin/bench_record" --test query
stdout_has "$scratch/absent"

left=$(find "$scratch" -name 'mayfly-bench-*')
[ -z "$left" ] || complain "left behind: $left"
finish
