#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the gate is worth on this machine, as it is now: the same program is to pass, one that does 2 % more
# work is to be found, again and again.
#   bench/selftest.sh [RUNS] [REV]      RUNS of each [10]; the tree is held against REV [HEAD]
#
#   same     bench_selftest against a copy of itself
#   planted  against itself with 1,000 pieces of work, with 1,020
#   tree     the benchmarks `query` and `consolidate` of this tree against those of REV, which is built in
#            a worktree; only where the tree has no changes since REV
#
# One line for each run: the exit code of `mayfly bench gate`, its time, the load, what it found. Exits with
# 0 when every run of same and tree ended with 0, and every planted one with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10}
revision=${2:-HEAD}
test -f build/release/build.ninja || cmake --preset release >/dev/null
cmake --build build/release --target selftest_1000 selftest_1020 bench_record mayfly >build/selftest.log 2>&1 || {
    tail -20 build/selftest.log >&2
    exit 1
}
mayfly=build/release/bin/mayfly
scratch=$(mktemp -d "${TMPDIR:-/tmp}/mayfly-selftest-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
cp build/release/selftest/selftest_1000 "$scratch/base"
export MF_BENCH_WARM_UP_TIME=${MF_BENCH_WARM_UP_TIME:-1}
export MF_BENCH_MEASUREMENT_TIME=${MF_BENCH_MEASUREMENT_TIME:-3}
wrong=0

gate() { # NAME WANTED-CODE OPTION...
    local name=$1 wanted=$2 run code begun found
    shift 2
    for ((run = 1; run <= runs; run++)); do
        begun=$SECONDS
        code=0
        # Another seed, another order of processes and another layout of their stacks.
        "$mayfly" bench gate --seed "$run" --target-dir "$scratch/target" --json "$@" \
            >"$scratch/result.json" 2>"$scratch/messages" || code=$?
        found=$(awk -F '"' '/^ *"verdict"/ { n[$4]++ } /^ *"ratio"/ { gsub(/[^0-9.]/, "", $3); r = r " " $3 }
            END { for (v in n) printf "%d %s, ", n[v], v; printf "ratios%s", r }' "$scratch/result.json")
        printf '%-8s %2d/%d  exit %d  %3d s  load %-5s  %s\n' "$name" "$run" "$runs" "$code" \
            $((SECONDS - begun)) "$(cut -d ' ' -f 1 /proc/loadavg)" "$found"
        if [ "$code" -ne "$wanted" ]; then
            wrong=$((wrong + 1))
            head -3 "$scratch/messages"
        fi
    done
}

gate same 0 --binary build/release/selftest/selftest_1000 --base "$scratch/base"
gate planted 3 --binary build/release/selftest/selftest_1020 --base "$scratch/base"
if git diff --quiet "$revision" -- 2>/dev/null; then
    gate tree 0 --base "$revision" 'query::*' 'consolidate::*'
else
    echo "tree     left out: there are changes since $revision"
fi
echo "$wrong runs ended otherwise than they should"
[ "$wrong" -eq 0 ]
