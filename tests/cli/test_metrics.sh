# SPDX-License-Identifier: Apache-2.0
# mayfly metrics info, query, tail, export, seal, verify: over a store, a folder, a flight. Pushes are in
# tests/e2e/metrics_push.sh.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
make_store=$MAYFLY_BINARY_DIR/tests/make_store
m="$MAYFLY metrics"
export MAYFLY_HOME=$scratch/home LC_ALL=C.UTF-8
cd "$scratch" || exit 1
"$make_store" vms/a/metrics 1700000044 45 || exit 1
"$make_store" vms/b/metrics 1700000004 5 || exit 1
{ "$make_store" vms/c/metrics 1700000004 5 killed & } 2>/dev/null
wait $! 2>/dev/null

# ---- info ----
expect 0 $m info vms/a
stdout_has "state     closed, "
stdout_has "recorded  2023-11-14T22:13:20.000Z to 2023-11-14T22:14:04.000Z, 44 s"
stdout_has "  tier 1  every 10 s, 2160 slots: 6 h"
stdout_has 'g{job="vm"}  gauge                  44  2023-11-14T22:14:04Z'
expect 0 $m info vms
[ "$(wc -l <"$out")" -eq 4 ] || complain "not a title and a line for each store"
stdout_has "vms/c/metrics  abandoned"
expect 0 $m info --json vms
[ "$(grep -c '"store"' "$out")" -eq 3 ] || complain "not three stores in the JSON"
expect 66 $m info nothing/here
stderr_is "mayfly: nothing/here: no such directory"
mkdir empty
expect 66 $m info empty
stderr_is "mayfly: empty: no metrics store here or below"

# ---- query ----
expect 0 $m query g vms/a --range 2s
stdout_is 'g{job="vm"}
  gauge, tier 0, every 1 s, 3 points
  ███
TIME                  COUNT  MIN  AVG  MAX  LAST
2023-11-14T22:14:02Z      1   42   42   42    42
2023-11-14T22:14:03Z      1   43   43   43    43
2023-11-14T22:14:04Z      1   44   44   44    44  open'
expect 0 $m query c_total vms/a --rate --tier 1 -n 2
stdout_has "2023-11-14T22:13:50Z     10       2"
expect 0 $m query h_seconds vms/a -q 1 -n 1 --to 2023-11-14T22:14:04Z --from -30s
stdout_has "2023-11-14T22:14:03Z      1         1"
expect 0 $m query '{job=~"v.*"}' vms --range all -f csv
[ "$(wc -l <"$out")" -eq $((1 + 45 + 5 + 5)) ] || complain "$(wc -l <"$out") lines of CSV"
stdout_has 'vms/b/metrics,1700000001000000000,"g{job=""vm""}",gauge,1000000000,1,1,1,1,1,1,,,,,'
expect 0 $m query g vms/b --json --range all --tier 0
stdout_has '"type":"gauge","unit":"","help":"A \"series\" of\ntwo lines.","points":['
expect 1 $m query nothing vms/a
stderr_is "mayfly: no series matches nothing"
expect 65 $m query 'g{' vms/a
stderr_is 'mayfly: selector `g{`, character 3: expected a label name'
expect 65 $m query g vms/a --rate
stderr_has "is no counter"
expect 64 $m query g vms/a --rate --increase
expect 64 $m query g vms/a --range yesterday
expect 64 $m query g vms/a --tier 9
expect 64 $m query g vms/a --tier finest
expect 0 $m query g vms/a --tier finest --json
expect 65 $m query g vms/a --from -1s --to -5s

# ---- gaps and partial answers ----
"$make_store" gap 1700000003 4 || exit 1
"$make_store" gap 1700000010 3 || exit 1
expect 0 $m query g gap --range all
stdout_has "7 points, 4 missing"
stdout_has "(4 missing)"
"$make_store" old 1700002000 2000 || exit 1
expect 0 $m query g old --range all --tier 0 -n 1
stdout_has "partial: what was before"
expect 0 $m query g old --range 20m -n 1
stdout_has "tier 1, every 10 s"

# ---- tail ----
expect 0 $m tail vms/a -s g -r 2s
stdout_is '2023-11-14T22:14:02Z g{job="vm"} 42
2023-11-14T22:14:03Z g{job="vm"} 43
2023-11-14T22:14:04Z g{job="vm"} 44'
expect 0 $m tail vms/b -s c_total -r 1s --json
stdout_has '"series":"c_total","type":"counter","count":1,"sum":2,'
"$make_store" live "$(date +%s)" 3 live &
writer=$!
await [ -e live/metrics.slab ]
timeout 60 $m tail live -s g -i 50ms >tailed &
tail=$!
await sh -c '[ $(wc -l <tailed) -ge 5 ]'
kill "$writer"
last="tail of a store that ends"
wait "$tail" || complain "exit code $?"
"$make_store" live2 "$(date +%s)" 3 live &
writer=$!
await [ -e live2/metrics.slab ]
$m tail live2 >tailed2 &
tail=$!
await [ -s tailed2 ]
kill -INT "$tail" # background jobs of a script ignore SIGINT, and so does what they start
kill -TERM "$tail"
last="tail, interrupted"
wait "$tail"
[ $? -eq 143 ] || complain "exit code $? instead of 143"
kill "$writer"
wait "$writer"

# ---- export ----
expect 0 $m export vms/b --latest
stdout_has "# TYPE c counter
# HELP c A \\\"series\\\" of\\ntwo lines.
c_total 8"
expect 0 $m export vms/b -o b.om
tail -1 b.om | grep -qx "# EOF" || complain "no end"
grep -qx 'g{job="vm"} 3 1700000004.000' b.om || complain "no point of second 3"
expect 64 $m export vms
expect 0 $m export vms --output-dir exported
[ "$(ls exported | xargs)" = "vms_a_metrics.om vms_b_metrics.om vms_c_metrics.om" ] ||
    complain "files: $(ls exported)"
expect 0 $m export vms -f csv -s g
[ "$(wc -l <"$out")" -eq 56 ] || complain "$(wc -l <"$out") lines"
expect 73 $m export vms/b -o vms
expect 74 sh -c "$m export vms/b >/dev/full"

# ---- seal and verify ----
expect 0 $m verify vms
stdout_has "vms/c/metrics: good: abandoned, 3 series"
expect 0 $m query '' vms -f csv --range all
cp "$out" before.csv
expect 0 $m seal vms
stdout_has "vms/a/metrics"
[ -z "$(find vms -name '*.slab')" ] || complain "slabs are left"
expect 0 $m query '' vms -f csv --range all
cmp -s "$out" before.csv || complain "sealed stores answer differently: $(diff "$out" before.csv | head -5)"
expect 0 $m verify vms
stdout_has "vms/c/metrics: good: sealed, 3 series"
expect 73 $m seal vms/a
stderr_is "mayfly: vms/a/metrics: is sealed already"
expect 0 $m seal vms
printf x | dd of=vms/a/metrics/metrics.archive bs=1 seek=100 conv=notrunc status=none
expect 1 $m verify vms
stderr_has "vms/a/metrics/metrics.archive: "
stdout_has "vms/b/metrics: good"
expect 1 $m verify --json vms
stdout_has '"error": "MF_ECORRUPT"'

# ---- push, as far as it needs no peer ----
expect 64 $m push vms
expect 64 $m push --url http://127.0.0.1:1/ --label nonsense vms/b
$m push --url http://u:secret@127.0.0.1:1/ vms/b 2>"$err" && complain "a password in the URL was taken"
grep -q secret "$err" && complain "the password is in the message"
echo token >token
expect 64 $m push --url http://127.0.0.1:1/ --bearer-token-file token --basic-auth-env X vms/b
expect 66 $m push --url http://127.0.0.1:1/ --bearer-token-env MAYFLY_NOT_SET vms/b
expect 66 $m push --url http://127.0.0.1:1/ --bearer-token-file nothing vms/b
case $($m push --url http://127.0.0.1:1/ --attempts 1 vms/b 2>&1) in
*"not in this build"*) ;;
*)
    expect 76 $m push --url http://127.0.0.1:1/ --attempts 1 --bearer-token-file token vms/b
    stderr_has "http://127.0.0.1:1/: "
    ;;
esac
finish
