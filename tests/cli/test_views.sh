# SPDX-License-Identifier: Apache-2.0
# Everything that looks at recorded flights, over a home of made ones: each text against the one in
# tests/golden/views (MAYFLY_GOLDEN_WRITE=1 writes them anew: look at the difference), and what the texts
# cannot show.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
m=$MAYFLY
golden=$MAYFLY_SOURCE_DIR/tests/golden/views
make_flights=$MAYFLY_BINARY_DIR/tests/make_flights
export MAYFLY_HOME=$scratch/home TZ=UTC LC_ALL=C.UTF-8
unset NO_COLOR
cd "$scratch" || exit 1
"$make_flights" "$MAYFLY_HOME" build failing oom unfinished damaged || exit 1

# golden NAME: what was printed must be what tests/golden/views/NAME.txt has.
golden() {
    sed "s#$MAYFLY_HOME#HOME#g" "$out" >"$scratch/.golden"
    if [ -n "${MAYFLY_GOLDEN_WRITE:-}" ]; then
        mkdir -p "$golden"
        cp "$scratch/.golden" "$golden/$1.txt"
    elif ! diff -u "$golden/$1.txt" "$scratch/.golden" >"$scratch/.diff"; then
        complain "the output differs from tests/golden/views/$1.txt:"
        sed 's/^/    /' "$scratch/.diff"
    fi
}
# The same command with a terminal of 80 columns for its output.
on_terminal() {
    local command
    printf -v command '%q ' "$@"
    script -qec "stty cols 80 rows 24; $command" /dev/null </dev/null | tr -d '\r'
}

# ---- ls ----
expect 0 "$m" ls
golden ls
expect 0 "$m" ls --json
golden ls.json
[ "$(grep -o '"id": "[^"]*"' "$out" | head -1)" = '"id": "20260924-120400-torn-a004"' ] ||
    complain "the newest is not the first"
expect 0 on_terminal "$m" ls
stdout_has "a003"
[ "$(sed 's/\x1b\[[0-9;]*m//g' "$out" | wc -L)" -le 80 ] || complain "lines are longer than the terminal"
expect 0 "$m" ls --failed
golden ls_failed
expect 0 "$m" ls --name make --limit 1 --long
golden ls_name
expect 0 "$m" ls --tag branch=main
stdout_has "20260924-120000-make-a000"
expect 0 "$m" ls --tag branch --tag ci --json
[ "$(grep -c '"id"' "$out")" -eq 2 ] || complain "two flights have both tags"
expect 0 "$m" ls --since 2026-09-24T12:02:00Z
[ "$(wc -l <"$out")" -eq 4 ] || complain "three flights began then or later"
expect 0 "$m" ls --since 2026-09-25 --json
stdout_is "[]"
expect 0 "$m" ls --name nobody
stderr_is "mayfly: no flights match in $MAYFLY_HOME/flights; 'mayfly run -- COMMAND' records one"
expect 64 "$m" ls --since yesterday
stderr_has "neither a duration"
expect 0 env MAYFLY_HOME="$scratch/none" "$m" ls --json
stdout_is "[]"

# ---- show ----
expect 0 "$m" show a000
golden show_build
expect 0 "$m" show a001
golden show_failing
expect 0 "$m" show train
golden show_oom
expect 0 "$m" show server
golden show_unfinished
expect 0 "$m" show a001 --json
golden show_failing.json
expect 0 on_terminal "$m" show a001
golden show_terminal
expect 0 "$m" show a001 --lines 1 --processes 1
stdout_has "make: *** [Makefile:41: build/lanes.c.o] Error 1"
expect 65 "$m" show -1
stderr_has "is damaged at byte 17"
expect 0 env LC_ALL=C "$m" show train
if LC_ALL=C grep -q '[^ -~]' "$out"; then
    complain "not ASCII in a locale that is"
fi

# ---- control characters are seen, not obeyed ----
export MAYFLY_HOME=$scratch/odd
expect 0 "$m" run -q --name "$(printf 'na\033[31mme')" --tag "$(printf 'ta\033[2Jg')" -- \
    sh -c 'printf "{\"text\":\"ev\\u001b[5ment\"}\n" >&$MAYFLY_EVENT_FD; printf "out\033[2Jput\n"' \
    "$(printf 'ar\033cg')"
for view in show 'top --once' 'report --format markdown' ls; do
    expect 0 "$m" $view
    stdout_has 'na'
    LC_ALL=C grep -q $'\033' "$out" && complain "$view passes an escape character on"
    case $view in
    report*) ;; # with backslashes of its own
    *) stdout_has 'na\x1b[31mme' ;;
    esac
done
expect 0 "$m" show
for text in 'ta\x1b[2Jg' 'ev\x1b[5ment' 'ar\x1bcg'; do stdout_has "$text"; done
export MAYFLY_HOME=$scratch/home

# ---- which flight ----
expect 66 "$m" show maek
stderr_is "mayfly: no flight is called 'maek' in $MAYFLY_HOME/flights; did you mean 'make'?"
expect 65 "$m" show 20260924-12
stderr_has "could be 5 flights"
expect 66 "$m" show -6
stderr_has "there are only 5 flights"
expect 0 "$m" show --json -2
stdout_has '"id": "20260924-120300-server-a003"'
expect 0 "$m" show --json "$MAYFLY_HOME/flights/20260924-120000-make-a000"
expect 66 env MAYFLY_HOME="$scratch/none" "$m" show
stderr_has "there are no flights"

# ---- logs ----
expect 0 "$m" logs a001
golden logs_failing
expect 0 "$m" logs a001 --timestamps --tail 3
golden logs_timestamps
expect 0 "$m" logs a001 --wall --stream stderr --since 2946ms --until 2990ms
golden logs_wall
expect 0 "$m" logs a001 --json --tail 2
golden logs.json
expect 0 on_terminal "$m" logs a001 --tail 4 --timestamps
golden logs_terminal
expect 0 "$m" logs train --tail 0
stdout_is ""
expect 64 "$m" logs --raw --tail 3
stderr_has "--raw prints bytes as they are"
expect 0 "$m" logs a001 --raw --stream stdout
printf '\033[32mCC\033[0m src/%s.c\n' slab query labels ring store lanes | cmp -s - "$out" ||
    complain "--raw is not byte for byte"

# ---- top ----
expect 0 "$m" top --once a000
golden top_whole
expect 0 "$m" top --once --at 2s --sort memory --rows 30 a000
golden top_moment
expect 0 "$m" top --json --at 4150ms train
golden top.json
expect 69 "$m" top a000
stderr_has "--once prints one frame"
for rows in 10 11 17 23 42 100; do
    expect 0 "$m" top --once --rows $rows a000
    [ "$(wc -l <"$out")" -eq $rows ] || complain "a frame of $rows rows has $(wc -l <"$out")"
done

# ---- compare ----
expect 0 "$m" compare a000 a001
golden compare
expect 0 "$m" compare a001
golden compare
expect 0 "$m" compare --json make
golden compare.json
expect 0 "$m" compare --format markdown a000 a001
golden compare_markdown
expect 66 "$m" compare a000
stderr_has "there is no flight named 'make' before"
expect 0 "$m" compare --history a001
golden history
expect 0 "$m" compare --history --format markdown a001
golden history_markdown
expect 0 "$m" compare --history --json train
stdout_has '"flights": 0'
expect 64 "$m" compare --history a000 a001
expect 64 "$m" compare --history --format html

# ---- report ----
expect 0 "$m" report --format markdown a001
golden report_markdown
expect 0 "$m" report a001 --json
golden report.json
expect 0 "$m" report -o made.md a001
stdout_is "made.md"
cmp -s made.md "$golden/report_markdown.txt" || complain "the name made.md does not mean Markdown"
expect 0 "$m" report -o made.json a001
head -1 made.json | grep -qx '{' || complain "the name made.json does not mean JSON"
expect 0 "$m" report --format json -o - a001
stdout_has '"schema_version": 1'
if "$m" report a001 >"$out" 2>"$err"; then
    last="report a001"
    stdout_is "20260924-120100-make-a001.html"
    head -c 15 "$(cat "$out")" | grep -qi '<!doctype html>' || complain "the report is no page"
    expect 0 "$m" report -o - a001
    cmp -s "$out" 20260924-120100-make-a001.html || complain "-o - differs from the file"
    expect 0 "$m" compare -F html a000 a001
    stdout_is "20260924-120000-make-a000-20260924-120100-make-a001.html"
else
    stderr_has "this build has no HTML page"
fi
expect 66 "$m" report -o "$scratch/none/x.html" --format json a001
mkdir target
expect 73 "$m" report -o target --format json a001
[ -z "$(find . -name '*.tmp-*')" ] || complain "temporary files are left"

# ---- damage ----
cp -r "$MAYFLY_HOME/flights/20260924-120100-make-a001" "$MAYFLY_HOME/flights/20260924-120500-cut-b000"
cut=$MAYFLY_HOME/flights/20260924-120500-cut-b000
rm -r "$cut/metrics"
truncate -s 900 "$cut/events.log"
truncate -s 200 "$cut/output.log"
expect 0 "$m" show b000
stdout_has "Timeline"
expect 0 "$m" report --json b000
expect 0 "$m" top --once b000
expect 0 "$m" compare --json a001 b000
rm "$cut/events.log" "$cut/output.log"
expect 0 "$m" show b000
stdout_has "failed with exit code 2"
expect 0 "$m" logs b000
stdout_is ""
rm -r "$cut"

# ---- a running flight ----
export MAYFLY_HOME=$scratch/live
mkfifo "$scratch/hold"
"$make_flights" "$MAYFLY_HOME" unfinished hold <"$scratch/hold" >"$scratch/held" &
exec 9>"$scratch/hold"
await [ -s "$scratch/held" ]
expect 0 "$m" ls --json
stdout_has '"state": "running"'
expect 0 "$m" show
stdout_has "server still running since"
expect 0 "$m" report --json
stdout_has '"kind": "running"'
expect 75 "$m" rm server
stderr_has "is being recorded now"
expect 0 "$m" gc --keep 0 --json
stdout_has '"running": 1'
expect 75 "$m" recover server
timeout 60 "$m" logs --follow server >"$scratch/followed" 9>&- &
await [ -s "$scratch/followed" ]
kill -0 $! 2>/dev/null || complain "logs --follow did not wait"
exec 9>&-
wait $! || complain "logs --follow ended with $?"
[ "$(cat "$scratch/followed")" = "listening on port 80" ] || complain "followed: $(cat followed)"
expect 0 "$m" ls --failed --json
stdout_has '"state": "dead"'
expect 0 "$m" recover --json
stdout_has '"was_complete": false'
expect 0 "$m" recover
stderr_is "mayfly: no flight needs it"
expect 0 "$m" recover server
stdout_is "20260924-120000-server-a000 is complete"
expect 0 "$m" ls --json
stdout_has '"state": "recovered"'

# ---- rm, gc ----
export MAYFLY_HOME=$scratch/home
expect 66 "$m" rm a000 nobody
[ -d "$MAYFLY_HOME/flights/20260924-120000-make-a000" ] || complain "one was removed before all were found"
expect 0 "$m" rm -1 -2
stdout_has "removed 20260924-120400-torn-a004"
stdout_has "removed 20260924-120300-server-a003"
expect 64 "$m" gc
expect 0 "$m" gc --keep 1 --name make --dry-run
stdout_has "would remove 20260924-120000-make-a000, of 2026-09-24 12:00:00"
stdout_has "would remove 1 flight"
expect 0 "$m" gc --keep 5 --protect ci
stdout_is "removed 0 flights, 0 B; 3 stay"
expect 0 "$m" gc --keep 1 --protect gpu=none
stdout_has "removed 1 flight"
expect 0 "$m" gc --max-bytes 0 --json
stdout_has '"stay": 0'
expect 0 "$m" ls --json
stdout_is "[]"

# ---- many ----
"$make_flights" "$MAYFLY_HOME" many=1000 || exit 1
expect 0 "$m" ls
[ "$(wc -l <"$out")" -eq 1001 ] || complain "not 1,000 lines and a heading"
expect 0 "$m" ls --failed --limit 2
golden ls_many
expect 0 "$m" compare --history --limit 999
stdout_has "999 earlier flights of this name, 857 of them good"
finish
