#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Instructions per value of the recording paths, counted by valgrind: a figure without noise, to see
# what a change does on a busy machine. It knows nothing of caches and stalls, nor what a lock prefix
# costs.
#   bench/instructions.sh [TEXT]     only benchmarks with TEXT in their names
# Each runs twice, with 20,000 and 40,000 iterations; the difference is divided by 20,000 times the
# values of an iteration.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=${MAYFLY_BENCH_DIR:-$here/../build/release/bench}
command -v valgrind >/dev/null || {
    echo "bench/instructions.sh: valgrind is not installed: apt-get install valgrind" >&2
    exit 69
}

instructions() { # of the runner and what it starts, with $2 iterations of the benchmark $1
    valgrind --trace-children=yes --tool=callgrind --callgrind-out-file=/dev/null \
        "$programs/bench_record" --exact "$1" --test --test-iterations "$2" 2>&1 |
        awk '/^==.*Collected *:/ { sum += $NF } END { print sum }'
}

printf '%-34s %s\n' benchmark 'instructions per value'
while read -r name; do
    values=1
    case "$name" in
    */10 | */30 | */100) values=${name##*/} ;;
    *30_series*) values=30 ;;
    esac
    few=$(instructions "$name" 20000)
    many=$(instructions "$name" 40000)
    awk -v name="$name" -v few="$few" -v many="$many" -v values="$values" \
        'BEGIN { printf "%-34s %.1f\n", name, (many - few) / 20000 / values }'
done < <("$programs/bench_record" list "$@" --skip 'consolidate::*' --skip 'register::*' \
    --skip 'query::*' --skip 'record::with_reader')
