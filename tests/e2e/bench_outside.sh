# SPDX-License-Identifier: Apache-2.0
# A benchmark program of somebody else: built against the installed library through pkg-config,
# dynamic and static, in C and in C++; it measures, counts allocations, and `mayfly bench` finds it.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
prefix=$scratch/stage/opt/mayfly
cc=${CC:-cc}
cxx=${CXX:-c++}
export MF_BENCH_PROCESSES=2 MF_BENCH_WARM_UP_TIME=0.02 MF_BENCH_MEASUREMENT_TIME=0.1

DESTDIR="$scratch/stage" cmake --install "$MAYFLY_BINARY_DIR" --prefix /opt/mayfly >/dev/null
archive=$(find "$prefix" -name libmayfly-bench.a)
if [ -z "$archive" ]; then
    echo "this build does not install libmayfly-bench"
    exit 77
fi
export PKG_CONFIG_PATH=${archive%/*}/pkgconfig

foreign=$(nm -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' |
    grep -v -e '^mf_bench_' -e '^__wrap_' -e '^__gcov' -e '^[a-z_]*alloc$' -e '^free$' \
        -e '^[a-z_]*memalign$')
[ -z "$foreign" ] || complain "libmayfly-bench.a defines $(xargs <<<"$foreign")"

cd "$scratch" || exit 1
cp "$MAYFLY_SOURCE_DIR/examples/measure_checksum.c" .
expect 0 "$cc" -std=c11 -Wall -Wextra -Werror -O2 measure_checksum.c \
    $(pkg-config --cflags --libs mayfly-bench) -o measure_checksum
expect 0 ./measure_checksum --test
stdout_has "packet::checksum/bytes:1500"
expect 0 ./measure_checksum run 'packet::*/bytes:64' --json
jq -e '.schema_version == 1 and (.benchmarks | length) == 1 and
    .benchmarks[0].name == "packet::checksum/bytes:64" and
    .benchmarks[0].estimates.median.point_estimate > 0' "$out" >/dev/null ||
    complain "unexpected JSON: $(head -c 2000 "$out")"

cat >heap.c <<'END'
#include <mayfly/bench.h>
#include <stdlib.h>
#include <string.h>
MF_BENCH(heap, frees) { MF_LOOP(bench) { char *p = (char *)malloc(100); mf_keep(p); free(p); } }
MF_BENCH(heap, leaks) { MF_LOOP(bench) { char *p = (char *)malloc(100); mf_keep(p); } }
MF_BENCH(heap, copies) { MF_LOOP(bench) { char *p = strdup("library"); mf_keep(p); free(p); } }
MF_BENCH_MAIN
END
cp heap.c heap.cc
counted() {
    expect 0 "$1" run --json
    jq -r '.benchmarks[] | [.name, .resources.allocations_per_op, .resources.allocated_bytes_per_op,
        (.resources.leaked_bytes_per_op >= 100)] | @tsv' "$out" >allocations
    printf '%s\t%s\t%s\t%s\n' heap::frees 1 100 false heap::leaks 1 100 true \
        heap::copies 1 8 false |
        diff - allocations || complain "$1 counted other allocations than there are"
}
expect 0 "$cc" -std=gnu11 -Wall -Wextra -Werror -O2 heap.c \
    $(pkg-config --cflags --libs mayfly-bench) -o heap_c
counted ./heap_c
expect 0 "$cxx" -std=c++17 -Wall -Wextra -Werror -O2 heap.cc \
    $(pkg-config --cflags --libs mayfly-bench) -o heap_cc
counted ./heap_cc
if "$cc" -static -O2 heap.c $(pkg-config --static --cflags --libs mayfly-bench) -o heap_static \
    2>/dev/null; then
    counted ./heap_static
fi

rm -f heap_*

# ---- found by the program ----
expect 0 env MAYFLY_BENCH_PATH="$scratch/nowhere:$scratch" "$MAYFLY" bench list
stdout_has "packet::checksum/bytes:576"
expect 0 "$MAYFLY" bench run --binary ./measure_checksum --test bytes:64
stdout_has "packet::checksum/bytes:64"
expect 64 "$MAYFLY" bench run --binary "$MAYFLY"
stderr_has "not a benchmark program"
mkdir empty
cd empty || exit 1
expect 1 "$MAYFLY" bench list
stderr_has "no benchmark program in build/*/bench"
finish
