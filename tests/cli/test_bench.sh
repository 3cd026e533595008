# SPDX-License-Identifier: Apache-2.0
# The benchmark programs run, have the names that docs and comparisons use, and write what a reader of
# their JSON needs. No figure is compared with anything: that would be a test of the machine.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
bin=$MAYFLY_BINARY_DIR/bench
export TMPDIR=$scratch MF_BENCH_WARM_UP_TIME=0.01 MF_BENCH_MEASUREMENT_TIME=0.05
cd "$scratch" || exit 1

# ---- every benchmark runs, and finds that what it did is right ----
for suite in record scale write_path phases torn memory reclog export run rrd; do
    [ -x "$bin/bench_$suite" ] || continue
    expect 0 "$bin/bench_$suite" --test --json --skip memory::seven_days
    jq -e '.benchmarks | length > 0 and all(.status == "ok")' "$out" >/dev/null ||
        complain "$suite: $(jq -c '.benchmarks[] | select(.status != "ok") | [.name, .message]' "$out")"
done
expect 0 "$bin/bench_proofs" --test --skip 100000
expect 0 "$bin/bench_record" --test --test-iterations 100 record

# ---- names ----
expect 0 "$bin/bench_record" list
for name in record/single_series record/series_count/{1,10,30,100} \
    record_batch/series_count/{1,10,30,100} record/30_series_throughput record/atomic_increment; do
    stdout_has "${name/\//::}"
done
expect 0 "$bin/bench_record" list --exact record/series_count/30
stdout_is record::series_count/30
expect 0 env MAYFLY_BENCH_PATH="$bin" "$MAYFLY" bench list
for name in record::single_series write_path::udp reclog::sync/threads:16 reclog::recover/n:100000 \
    export::seal phases::killed torn::reader memory::seven_days run::cpu_recorded; do
    stdout_has "$name"
done

# ---- results ----
expect 0 "$bin/bench_record" counter/single record/series_count/30 --json --quick
jq -e '[.benchmarks[] | [.name, .status, .throughput.elements_per_second > 0]] | sort ==
    [["counter::single", "ok", true], ["record::series_count/30", "ok", true]]' "$out" >/dev/null ||
    complain "unexpected results: $(head -c 1000 "$out")"
expect 0 "$bin/bench_memory" memory::open --json --quick
jq -e '.benchmarks[] | select(.name == "memory::open") | .counters.file_bytes <= 2500000 and
    .counters.resident_bytes > 0 and (.resources.allocations_per_op // 0) == 0' "$out" >/dev/null ||
    complain "unexpected memory: $(jq -c '.benchmarks[] | [.counters, .resources]' "$out")"

# ---- mistakes ----
expect 64 "$bin/bench_record" --unknown
expect 0 "$bin/bench_record" --help
expect 1 env TMPDIR="$scratch/absent" "$bin/bench_record" --test query
stdout_has "$scratch/absent"

left=$(find "$scratch" -name 'mayfly-bench-*')
[ -z "$left" ] || complain "left behind: $left"
finish
