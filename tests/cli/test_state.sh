# SPDX-License-Identifier: Apache-2.0
# The command line of mayfly state.
. "${MAYFLY_SOURCE_DIR:?}/tests/lib/expect.sh" || exit 1
store=$scratch/store
batch() { # CODE LINES...: commits the lines
    local code=$1
    shift
    printf '%s\n' "$@" >"$scratch/batch"
    expect "$code" "$MAYFLY" state commit "$store" --file "$scratch/batch"
}

# Made once, and only when asked for.
expect 66 "$MAYFLY" state get "$store" key
expect 66 "$MAYFLY" state put "$store" key value
[ ! -e "$store" ] || complain 'a store was made'
expect 0 "$MAYFLY" state init "$store"
stdout_has 'made the store '
expect 73 "$MAYFLY" state init "$store"
expect 64 "$MAYFLY" state init

# One key: exactly its bytes.
expect 0 "$MAYFLY" state put "$store" colour green
stdout_has 'COMMITTED 2, root '
expect 0 "$MAYFLY" state get "$store" colour
stdout_is green
[ "$(stat -c %s "$out")" -eq 5 ] || complain 'the value is not exactly its bytes'
expect 1 "$MAYFLY" state get "$store" nothing
stderr_is 'mayfly: there is no such key'
head -c 100000 /dev/urandom >"$scratch/bytes"
expect 0 "$MAYFLY" state put "$store" bytes --file "$scratch/bytes"
expect 0 "$MAYFLY" state get "$store" bytes
cmp -s "$out" "$scratch/bytes" || complain 'the bytes are others'
"$MAYFLY" state put "$store" piped --file - <"$scratch/bytes" >/dev/null || complain 'not from a pipe'
expect 0 "$MAYFLY" state get "$store" piped
cmp -s "$out" "$scratch/bytes" || complain 'the bytes of the pipe are others'
expect 0 "$MAYFLY" state put "$store" empty ''
expect 0 "$MAYFLY" state get "$store" empty --json
stdout_has '"value": ""'
expect 0 "$MAYFLY" state put --hex "$store" 00ff80 0a00FE
expect 0 "$MAYFLY" state get --hex "$store" 00ff80
stdout_is 0a00fe
expect 0 "$MAYFLY" state get --hex --json "$store" 00ff80
stdout_has '"key_hex": "00ff80"'
stdout_has '"value_hex": "0a00fe"'
expect 65 "$MAYFLY" state get --hex "$store" 00f
expect 65 "$MAYFLY" state get --hex "$store" 0x12
expect 64 "$MAYFLY" state put "$store" key
expect 64 "$MAYFLY" state put "$store" key value --file "$scratch/bytes"
expect 65 "$MAYFLY" state put "$store" "$(head -c 4097 /dev/zero | tr '\0' k)" value
expect 66 "$MAYFLY" state put "$store" key --file "$scratch/none"

# Conditions.
expect 75 "$MAYFLY" state put "$store" colour red --if blue
stderr_has 'nothing was committed'
expect 0 "$MAYFLY" state put "$store" colour red --if green --note 'tired of it'
expect 75 "$MAYFLY" state put "$store" colour blue --if-absent
expect 0 "$MAYFLY" state put "$store" shape round --if-absent
expect 64 "$MAYFLY" state put "$store" colour blue --if red --if-absent
expect 0 "$MAYFLY" state get "$store" colour
stdout_is red

# A batch is all or nothing.
batch 0 '{"op":"put","key":"a/1","value":"one"}' '' '{"op":"put","key_hex":"612f32","value_hex":"00"}' \
    '{"op":"expect","key":"colour","value":"red"}' '{"op":"absent","key":"a/3"}' \
    '{"op":"delete","key":"shape"}' '{"op":"note","note":"a batch"}'
stdout_has COMMITTED
expect 0 "$MAYFLY" state scan "$store" --prefix a/
stdout_is 'a/1	one
a/2	\x00'
expect 0 "$MAYFLY" state scan "$store" --prefix a/ --json
stdout_is '{"key":"a/1","value":"one"}
{"key":"a/2","value_hex":"00"}'
expect 0 "$MAYFLY" state scan "$store" --from a/2 --to c --keys
stdout_is 'a/2
bytes'
expect 0 "$MAYFLY" state scan "$store" --keys --limit 2 --hex
stdout_is '00ff80
612f31'
expect 64 "$MAYFLY" state scan "$store" --prefix a --from b
expect 1 "$MAYFLY" state get "$store" shape
batch 75 '{"op":"put","key":"a/9","value":"nine"}' '{"op":"absent","key":"a/1"}'
expect 1 "$MAYFLY" state get "$store" a/9
expect 75 "$MAYFLY" state commit "$store" --file "$scratch/batch" --json
stdout_has '"outcome":"ABORTED","error":"MF_ECONFLICT"'
for bad in '{"op":"put","key":"x"}' '{"op":"put","value":"x"}' '{"key":"x"}' '[]' '{' \
    '{"op":"put","key":"","value":""}' '{"op":"push","key":"x","value":""}' \
    '{"op":"put","key":"x","key_hex":"00","value":""}' '{"op":"put","key_hex":"0","value":""}' \
    '{"op":"put","key":"x","value":1}' '{"op":"put","key":"x","value":"","more":1}'; do
    batch 65 '{"op":"put","key":"a/8","value":"eight"}' "$bad"
    stderr_has 'line 2: '
done 2>/dev/null
expect 1 "$MAYFLY" state get "$store" a/8

# The log of commits.
expect 0 "$MAYFLY" state log "$store" --last 1
stdout_has ' 3 changes: a batch'
expect 0 "$MAYFLY" state log "$store" --from 1 --to 1
stdout_has ' created'
expect 0 "$MAYFLY" state log "$store" --json --from 2 --to 3
[ "$(wc -l <"$out")" -eq 2 ] || complain 'not two commits'
stdout_has '"seq":2,'
expect 0 "$MAYFLY" state log "$store" --from 1000
stdout_is ''

# Looking after it.
expect 0 "$MAYFLY" state stat "$store"
stdout_has 'Log root    '
expect 0 "$MAYFLY" state stat "$store" --json
stdout_has '"root_verified": true'
expect 0 "$MAYFLY" state check "$store"
stdout_has 'good: '
expect 0 "$MAYFLY" state compact "$store"
stdout_has 'checkpoint of commit '
expect 0 "$MAYFLY" state put "$store" after compact
expect 0 "$MAYFLY" state check "$store"
expect 0 "$MAYFLY" state salvage "$store" "$scratch/copy"
stdout_has 'copied '
"$MAYFLY" state scan "$store" --json >"$scratch/one"
"$MAYFLY" state scan "$scratch/copy" --json >"$scratch/two"
cmp -s "$scratch/one" "$scratch/two" || complain 'the copy is another'
expect 73 "$MAYFLY" state salvage "$store" "$scratch/copy"

# Another writer.
exec 8>>"$store/lock"
flock -n 8 || complain 'the store is locked'
expect 75 "$MAYFLY" state put "$store" key value --wait 50ms
expect 0 "$MAYFLY" state get "$store" colour
exec 8>&-

# Writers that come together take turns.
for i in 1 2 3 4 5 6 7 8; do
    "$MAYFLY" state put "$store" "turn/$i" "$i" --wait 60s >/dev/null &
done
wait
expect 0 "$MAYFLY" state scan "$store" --prefix turn/ --keys
[ "$(wc -l <"$out")" -eq 8 ] || complain 'a commit is missing'

# Damage is found, named, and what is left can be saved.
cp -a "$store" "$scratch/damaged"
log=$(ls "$scratch"/damaged/wal-* | head -1)
printf '\377\377\377\377' | dd of="$log" bs=1 seek=150 conv=notrunc 2>/dev/null
checkpoints=$(find "$scratch/damaged" -name 'checkpoint*' -o -name 'state-*')
for file in $checkpoints; do
    printf '\377\377\377\377' | dd of="$file" bs=1 seek=150 conv=notrunc 2>/dev/null
done
expect 1 "$MAYFLY" state check "$scratch/damaged"
expect 65 "$MAYFLY" state get "$scratch/damaged" colour
expect 1 "$MAYFLY" state salvage "$scratch/damaged" "$scratch/saved"
expect 0 "$MAYFLY" state check "$scratch/saved"

# A sync that fails: nobody knows.
if [ -e "${SYNC_FAILS:-}" ]; then
    failing() { LD_PRELOAD=$SYNC_FAILS SYNC_FAILS_AFTER=$after "$MAYFLY" "$@"; }
    indeterminate=0
    for after in 0 1 2 3 4 5 6 7 8 9; do
        code=0
        failing state put "$store" "sync/$after" value >"$out" 2>"$err" || code=$?
        last="put with $after syncs that work"
        case $code in
        0) stdout_has COMMITTED ;;
        3)
            stderr_has INDETERMINATE
            indeterminate=$((indeterminate + 1))
            ;;
        *) [ "$code" -eq 74 ] || complain "exit code $code" ;;
        esac
    done
    [ "$indeterminate" -gt 0 ] || complain 'no commit was INDETERMINATE'
    expect 0 "$MAYFLY" state check "$store"
fi
finish
