# SPDX-License-Identifier: Apache-2.0
# An archive made by format version 1 reads as it did then: three series, 701 s, three tiers.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
golden=$MAYFLY_SOURCE_DIR/tests/golden/metrics_archive
mkdir "$scratch/store"
cp "$golden/v1.archive" "$scratch/store/metrics.archive"
case $("$MAYFLY" metrics verify "$scratch/store" 2>&1) in
*"without zstd"*)
    echo "skipped: this build is without zstd"
    exit 77
    ;;
esac
expect 0 "$MAYFLY" metrics verify "$scratch/store"
stdout_has "good: sealed, 3 series, 2025 points"
expect 0 "$MAYFLY" metrics query '' "$scratch/store" --range all --tier 1 --format csv
cmp -s "$out" "$golden/v1.tier1.csv" || complain "differs: $(diff "$out" "$golden/v1.tier1.csv" | head -5)"
expect 0 "$MAYFLY" metrics query '' "$scratch/store" --range all --tier 0 --format csv
[ "$(sha256sum <"$out")" = "dfe7fac46bed63253f0b8f3337d7715d01c531035353b1a11141739948e1f0e9  -" ] || complain "the first tier differs"
expect 0 "$MAYFLY" metrics info "$scratch/store"
stdout_has "created   "
stdout_has "  tier 2  every 5 min, 2016 slots: 7 d"
finish
