# SPDX-License-Identifier: Apache-2.0
# The suite of the state: every benchmark runs once, and finds what it has committed.
. "${MAYFLY_SOURCE_DIR:?}/tests/lib/expect.sh" || exit 1
export TMPDIR=$scratch
expect 0 "$MAYFLY_BINARY_DIR/bench/bench_state" --test --skip checkpoint_1M --skip ours/100000
stdout_has 'commit_1::ours'
! grep -q FAILED "$out" || complain "$(cat "$out")"
finish
