# SPDX-License-Identifier: Apache-2.0
# Every output of `mayfly bench report`, `compare` and `history`, from the same stored results, as
# it was when somebody last looked at it: tests/golden/bench/*.golden. The results have names and
# messages that are markup, times from a third of a nanosecond to a minute and a half, percentiles
# of too few values, a benchmark that failed and one that was skipped.
#
# MAYFLY_GOLDEN_WRITE=1 writes the files anew; look at the difference before you keep it.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
golden=$MAYFLY_SOURCE_DIR/tests/golden/bench
cp "$golden"/*.json "$golden"/*.toml "$scratch"
mkdir "$scratch/results"
mv "$scratch/history.json" "$scratch/results"
cd "$scratch" || exit 1
export LC_ALL=C.UTF-8

same() { # NAME CODE COMMAND...
    local name=$1
    shift
    expect "$@"
    if [ -n "${MAYFLY_GOLDEN_WRITE:-}" ]; then
        cp "$out" "$golden/$name.golden"
    elif ! diff "$golden/$name.golden" "$out" >"$scratch/difference"; then
        complain "$name is not as it was: $(head -n 12 "$scratch/difference")"
    fi
}

# Not with the history, unless it is named.
export MF_BENCH_RESULTS_DIR=$scratch/nowhere
report() { # NAME CODE ARGUMENT...
    same "$1" "$2" "$MAYFLY" bench report --load-baseline now.json "${@:3}"
}

for format in text markdown csv bencher bmf github; do
    report "report.$format" 1 --output-format "$format"
done
for style in ratio overhead trend; do
    for format in text markdown; do
        report "$style.$format" 1 --style "$style" --output-format "$format"
    done
done
report "overhead_compared.markdown" 3 --style overhead --output-format markdown \
    --compare before.json --skip 'web::*' --skip 'op::*4k'
for format in text markdown csv; do
    same "compare.$format" 1 "$MAYFLY" bench compare before.json now.json --output-format "$format"
    same "history.$format" 0 "$MAYFLY" bench history --results-dir results --output-format "$format"
done
report "trend_history.text" 0 --style trend op::getattr --results-dir results
report "targets.text" 3 --config targets.toml op:: size::

# ---- pages: what is between the styles and the scripts, which are in src/bench/page ----
page() { # NAME CODE COMMAND...
    local name=$1
    shift
    expect "$@"
    sed -e '/^<style>$/,/^<\/style>/d' -e '/^<script>$/,/^<\/script>/d' \
        -e '/<style>$/,/^<\/style>/{/<style>$/!d}' "$out" >page
    for tag in details section div table figure ul dl g; do
        [ "$(grep -o "<${tag}[ >]" page | wc -l)" = "$(grep -o "</$tag>" page | wc -l)" ] ||
            complain "$name: <$tag> is not closed as often as opened"
    done
    [ "$(grep -c '^<script>$' "$out")" -le 1 ] || complain "$name has more than one script"
    ! grep -nE '(src|href)="?(https?:)?//' "$out" || complain "$name asks for the network"
    ! grep -nF -e '<b>' -e '<script>alert' page || complain "$name lets markup through"
    if [ -n "${MAYFLY_GOLDEN_WRITE:-}" ]; then
        cp page "$golden/$name.golden"
    elif ! diff "$golden/$name.golden" page >"$scratch/difference"; then
        complain "$name is not as it was: $(head -c 600 "$scratch/difference")"
    fi
}
page report.html 1 "$MAYFLY" bench report --load-baseline now.json --results-dir results \
    --output-format html op::getattr web:: open::
page compare.html 1 "$MAYFLY" bench compare before.json now.json op::getattr web:: size::huge \
    --output-format html
page history.html 0 "$MAYFLY" bench history --results-dir results --output-format html
page report.svg 1 "$MAYFLY" bench report --load-baseline now.json --output-format svg
page compare.svg 1 "$MAYFLY" bench compare before.json now.json --output-format svg
expect 1 "$MAYFLY" bench report --load-baseline now.json --output-format svg web::broken
stderr_has "nothing measured to draw"

# ---- on a terminal: as wide as it is, in colours unless they are not wanted ----
on_terminal() { # COLUMNS COMMAND
    timeout 60 script -qec "stty cols $1; $2" /dev/null </dev/null 2>/dev/null | tr -d '\r' >screen
}
if command -v script >/dev/null; then
    shown="'$MAYFLY' bench report --load-baseline now.json op::"
    on_terminal 64 "TERM=xterm NO_COLOR= $shown"
    grep -q $'\x1b\\[1m' screen || complain "no colours on a terminal: $(head -c 300 screen)"
    sed 's/\x1b\[[0-9;]*m//g' screen | awk '/^op::|^BENCH/ && length($0) > 64' >wide
    [ ! -s wide ] || complain "wider than the terminal: $(cat wide)"
    grep -q 'op::getattr.*1.08 µs' screen || complain "no table: $(head -c 300 screen)"
    on_terminal 200 "TERM=xterm NO_COLOR=1 $shown"
    ! grep -q $'\x1b\\[' screen || complain "colours in spite of NO_COLOR"
    grep -q 'SPREAD' screen || complain "columns are missing where there is room"
    on_terminal 80 "$shown --output-format html --target-dir '$scratch/target'"
    grep -q "written to $scratch/target/report/index.html" screen ||
        complain "the page went to the terminal: $(head -c 300 screen)"
    grep -q '</html>' "$scratch/target/report/index.html" || complain "the page is not whole"
fi

# ---- each format to a file of its own ----
expect 1 "$MAYFLY" bench report --load-baseline now.json --output-format csv --output a.csv \
    --output-format bencher --output b.txt --output-format bmf
cmp -s a.csv "$golden/report.csv.golden" || complain "a.csv is not the CSV"
cmp -s b.txt "$golden/report.bencher.golden" ||
    complain "b.txt is not the list"
cmp -s "$out" "$golden/report.bmf.golden" || complain "the rest did not go to standard output"
expect 64 "$MAYFLY" bench report --load-baseline now.json --output a --output b
stderr_has "2 times --output, but 1 times --output-format"
expect 1 "$MAYFLY" bench report --load-baseline absent.json
stderr_has "absent.json"

# ---- what others read is what they can read ----
for format in bmf github; do
    jq -e . "$golden/report.$format.golden" >/dev/null || complain "$format is not JSON"
done
jq -e '."op::getattr".latency | .lower_value <= .value and .value <= .upper_value' \
    "$golden/report.bmf.golden" >/dev/null || complain "BMF has its bounds wrong"
! grep -n '<script\|<b>' "$golden"/*.markdown.golden |
    grep -v '`' || complain "Markdown lets markup through"
! grep -P '\x1b' "$golden"/*.golden || complain "a control sequence came through"
finish
