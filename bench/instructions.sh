#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Instructions per operation of the recording paths, counted by valgrind: a figure without noise, to
# see what a change does on a busy machine. It knows nothing of caches and stalls, nor what a lock
# prefix costs.
#   bench/instructions.sh [TEXT]     only cases with TEXT in their names
# Each case runs twice, with 20,000 and 40,000 operations; the difference is divided by 20,000.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=${MAYFLY_BENCH_DIR:-$here/../build/release/bench}
command -v valgrind >/dev/null || {
    echo "bench/instructions.sh: valgrind is not installed: apt-get install valgrind" >&2
    exit 69
}

instructions() { # of the whole program with $2 operations of the case $1
    valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "$programs/bench_record" --filter "=$1" --once "$2" 2>&1 |
        sed -n 's/^==.*Collected *: *//p'
}

printf '%-32s %s\n' case 'instructions per operation'
for name in record/atomic_increment record/single_series record/series_count/{1,10,30,100} \
    record/30_series_throughput record_at/single_series record_batch/series_count/{1,10,30,100} \
    next_second/record/30 next_second/record_batch/30 counter/{single,count/30} histogram/record; do
    [[ $name == *"${1:-}"* ]] || continue
    few=$(instructions "$name" 20000)
    many=$(instructions "$name" 40000)
    awk -v name="$name" -v few="$few" -v many="$many" \
        'BEGIN { printf "%-32s %.1f\n", name, (many - few) / 20000 }'
done
