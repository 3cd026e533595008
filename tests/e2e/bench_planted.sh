# SPDX-License-Identifier: Apache-2.0
# Two per cent more work in a real program is found, the same work is not blamed: by counted
# instructions, which do not depend on what else the machine does. (With the clock it is
# `make bench-selftest`.)
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
if ! valgrind -q --tool=callgrind --callgrind-out-file=/dev/null true 2>/dev/null; then
    echo "valgrind is not installed, or does not run here"
    exit 77
fi
cd "$scratch" || exit 1
export MF_BENCH_PROCESSES=1 MF_BENCH_WARM_UP_TIME=0.01 MF_BENCH_MEASUREMENT_TIME=0.05
export MF_BENCH_WARM_UP_ITERATIONS=10 MF_BENCH_NRESAMPLES=100
now=$MAYFLY_BINARY_DIR/selftest

count() { # CODE WORK
    cp "$now/selftest_$2" ./program # one name, so that it is the same program with other work
    expect "$1" ./program run selftest::search --profile callgrind --limit ir=0.5%
}
count 0 1000
count 0 1000
count 3 1020
finish
