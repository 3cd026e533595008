# SPDX-License-Identifier: Apache-2.0
# Profiles of a benchmark program: what it spends its time in, where it allocates, how many
# instructions it takes, whatever this machine has of perf, valgrind and counters.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
archive=$MAYFLY_BINARY_DIR/src/bench/libmayfly-bench.a
if [ ! -e "$archive" ]; then
    echo "skipped: profiles are of programs without sanitizers"
    exit 77
fi
cd "$scratch" || exit 1
cat >work.c <<'END'
#include <mayfly/bench.h>
#include <stdlib.h>
static uint64_t state = 1;
__attribute__((noinline)) void spend_time(void)
{
    for (int i = 0; i < 2000; i++) {
        state = state * 6364136223846793005u + 1;
        mf_keep(state);
    }
}
__attribute__((noinline)) void take_memory(void)
{
    void *p = malloc(1000);
    mf_keep(p);
    free(p);
    __asm__ volatile("");
}
MF_BENCH(work, spends) { MF_LOOP(bench) { spend_time(); mf_clobber(); } }
MF_BENCH(work, takes) { MF_LOOP(bench) { take_memory(); mf_clobber(); } }
MF_BENCH_MAIN
END
expect 0 "${CC:-cc}" -std=gnu11 -O2 -g -I"$MAYFLY_SOURCE_DIR/include" work.c "$archive" -ljansson -lm \
    -pthread -o work
export MF_BENCH_QUICK=1 MF_BENCH_MEASUREMENT_TIME=0.02 MF_BENCH_WARM_UP_TIME=0.02 \
    MF_BENCH_PROFILE_TIME=0.3 MF_BENCH_ALLOCATIONS=off MF_BENCH_TARGET_DIR=$scratch/target/bench

only() { # NAME: the one file of that name below the target directory
    find target -path "*$1*" -name "$2"
}

# ---- the program samples itself where there is no perf ----
mkdir bare
expect 0 env PATH="$scratch/bare" ./work run spends --profile cpu
stderr_has "perf cannot be used here"
grep -q '^mf_bench_work_spends;spend_time [0-9]' "$(only spends cpu.folded)" ||
    complain "not in spend_time: $(head -c 400 "$(only spends cpu.folded)")"
grep -q 'data-name="spend_time"' "$(only spends flamegraph.svg)" || complain "no flame graph"
[ -s target/benchmark-work.svg ] || complain "no graph of the whole suite"
rm -rf target
if perf record -q -e cpu-clock -o perf.data -- true >/dev/null 2>&1; then
    expect 0 ./work run spends --profile cpu
    grep -q '^mf_bench_work_spends;spend_time' "$(only spends cpu.folded)" ||
        complain "perf: not in spend_time: $(head -c 400 "$(only spends cpu.folded)")"
    [ -z "$(only spends perf.data)" ] || complain "perf.data was left behind"
else
    echo "not tried: perf cannot be used here"
fi

# ---- allocations ----
expect 0 ./work run takes --profile alloc
grep -q '^mf_bench_work_takes;take_memory;malloc [0-9]*000$' "$(only takes alloc.folded)" ||
    complain "not in take_memory: $(head -c 400 "$(only takes alloc.folded)")"
awk '!/^#/ && $4 ~ /take_memory/ && $2 == 1000 * $1 && $3 == 1000 { found = 1 }
    END { exit !found }' "$(only takes alloc.folded.txt)" ||
    complain "the table is wrong: $(cat "$(only takes alloc.folded.txt)")"


expect 0 ./work run takes --profile alloc --output-format html --output page.html
grep -q 'class="flamegraph"' page.html || complain "the page has no flame graph"
[ "$(grep -c '<script>' page.html)" = 1 ] || complain "the page has more than one script"

# ---- counters: of the processor where it has them, and a remark where not ----
expect 0 ./work run --profile perfctr
grep -q '^task_clock_ns ' "$(only spends perfctr.txt)" || complain "no counters at all"
if grep -q '^hardware 0 ' "$(only spends perfctr.txt)"; then
    stderr_has "no hardware counters"
    [ "$(grep -c "hardware counters" "$err")" = 1 ] || complain "it says so more than once"
fi

# ---- instructions ----
if command -v valgrind >/dev/null && valgrind -q --tool=callgrind --callgrind-out-file=/dev/null \
    true >/dev/null 2>&1; then
    expect 0 ./work run spends --profile callgrind
    first=$(jq .ir "$(only spends callgrind.json)")
    awk -v n="$first" 'BEGIN { exit !(n > 4000 && n < 20000) }' || complain "$first instructions"
    file=$(only spends callgrind.json)
    jq '.ir *= 0.99' "$file" >less && cat less >"$file"
    expect 3 ./work run spends --profile callgrind --limit ir=0.5%
    stderr_has "more than the limit of 0.5 %"
    grep -qE 'instructions an iteration \(\+(0\.[6-9]|1\.[0-4])[0-9] %\)' "$err" ||
        complain "it was counted otherwise: $(cat "$err")"
else
    echo "not tried: valgrind cannot be used here"
    expect 1 ./work run spends --profile callgrind
fi

# ---- mistakes ----
expect 64 ./work run --profile gpu
stderr_has "no profile 'gpu'"
expect 64 ./work run --limit ir=1
stderr_has "--limit is about --profile callgrind"
expect 64 ./work run --profile callgrind --limit walltime=1
expect 64 ./work run --profile cpu --test
expect 1 env PATH="$scratch/bare" ./work run spends --profile callgrind
stderr_has "valgrind is not installed"
finish
