# SPDX-License-Identifier: Apache-2.0
# Seals: what is recorded is sealed, and whatever is done to a flight afterwards is found.
. "${MAYFLY_SOURCE_DIR:?}/tests/lib/expect.sh" || exit 1
export MAYFLY_HOME=$scratch/home
flights=$MAYFLY_HOME/flights
expect 7 "$MAYFLY" run -q --seal-wait 100s --name one -- sh -c 'seq 1 3000; echo wrong >&2; exit 7'
expect 0 "$MAYFLY" run -q --seal-wait 100s --name two -- echo another
one=$(echo "$flights"/*-one-*)
two=$(echo "$flights"/*-two-*)

# What was recorded is what was sealed.
expect 0 "$MAYFLY" verify one two
stdout_has "$(basename "$one"): as sealed"
expect 0 "$MAYFLY" verify --all
stdout_has '2 as sealed, 0 not, 0 not sealed, 0 removed'
expect 0 "$MAYFLY" verify --all --quiet
stdout_is '2 as sealed, 0 not, 0 not sealed, 0 removed'
expect 0 "$MAYFLY" seal one
stdout_has 'is sealed already'
noted=$("$MAYFLY" verify one --json | sed -n 's/.*"root": "\(.*\)".*/\1/p')
expect 0 "$MAYFLY" show one
stdout_has "$noted"
expect 0 "$MAYFLY" show one --json
stdout_has "\"seal_root\": \"$noted\""
expect 0 "$MAYFLY" report one --format markdown
stdout_has "sealed, root \`$noted\`"
expect 0 "$MAYFLY" report one --format json
stdout_has "$noted"

# Everything below works on a copy, which is put back.
cp -a "$one" "$scratch/kept"
put_back() {
    rm -rf "$one"
    cp -a "$scratch/kept" "$one"
}
tampered() { # WHAT TEXT: verify says no, and says this
    local before=$failures
    expect 1 "$MAYFLY" verify "${one##*/}"
    stdout_has "$2"
    [ "$failures" -eq "$before" ] || echo "  ($1)"
    put_back
}

# A flipped bit in the first, a middle and the last byte of each file that has any.
flip() { # FILE OFFSET
    local byte
    byte=$(od -An -tu1 -j "$2" -N1 "$1")
    printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
while read -r file; do
    size=$(stat -c %s "$one/$file")
    [ "$size" -gt 0 ] || continue
    for offset in 0 $((size / 2)) $((size - 1)); do
        flip "$one/$file" "$offset"
        tampered "bit of $file at $offset" "$file: "
    done
done < <(cd "$one" && find . -type f -printf '%P\n')

# The place is named to the block.
flip "$one/output.log" 9000
expect 1 "$MAYFLY" verify one
stdout_has 'output.log: changed within the bytes 8192 to 12287'
put_back

truncate -s -1 "$one/output.log"
tampered truncated 'output.log: '
truncate -s 0 "$one/events.log"
tampered emptied 'events.log: 0 of its '
echo more >>"$one/output.log"
tampered longer 'output.log: 5 bytes were added to its '
rm "$one/metrics/metrics.archive"
tampered missing 'metrics/metrics.archive: is gone'
echo new >"$one/metrics/new"
tampered added 'metrics/new: was not there'
mkdir "$one/empty" # has no byte: as one that was there when the flight was sealed
expect 0 "$MAYFLY" verify one
touch "$one/empty/file"
tampered 'a directory added' 'empty/file: was not there'
ln -s /etc/passwd "$one/link"
tampered 'a link added' 'link: was not there (no file)'
mv "$one/output.log" "$one/output.log.old"
ln -s output.log.old "$one/output.log"
tampered 'a link in its place' 'output.log: something that is no file is in its place'
mv "$one/output.log" "$one/output.tail0"
tampered 'a renamed file' 'output.tail0: was not there'
rm "$one/seal.json"
tampered 'no list' 'seal.json: is gone'
rm "$one/seal.json"
flip "$one/output.log" 100
tampered 'no list, and another byte' 'what has changed cannot be told'
echo ' ' >>"$one/seal.json"
tampered 'a blank in the list' 'seal.json: changed, but its list of files is the one of the seal'
flip "$one/output.log" 100
sum=$(sha256sum <"$one/output.log" | cut -c1-64)
old=$(sha256sum <"$scratch/kept/output.log" | cut -c1-64)
sed -i "s/$old/$sum/" "$one/seal.json"
tampered 'a list to match' 'seal.json'
rm "$one/flight.json"
tampered 'no description' 'flight.json: is gone'
flip "$two/output.log" 70
expect 1 "$MAYFLY" verify --all --quiet
stdout_has '1 as sealed, 1 not'
flip "$two/output.log" 70

# Two flights that have changed places.
mv "$one" "$flights/other" && mv "$two" "$one" && mv "$flights/other" "$two"
expect 1 "$MAYFLY" verify --all
stdout_has "this is the flight $(basename "$two") under the name of $(basename "$one")"
stdout_has '0 as sealed, 2 not'
mv "$one" "$flights/other" && mv "$two" "$one" && mv "$flights/other" "$two"
expect 0 "$MAYFLY" verify --all

# A sealed flight that has changed is not sealed again.
flip "$one/output.log" 100
expect 65 "$MAYFLY" seal one
stderr_has 'was sealed and is not what it was then'
put_back
expect 0 "$MAYFLY" verify one

# A copy elsewhere, against a root that was noted.
root=$("$MAYFLY" verify one --json | sed -n 's/.*"root": "\(.*\)".*/\1/p')
mkdir "$scratch/elsewhere"
cp -a "$one" "$scratch/elsewhere/evidence"
MAYFLY_HOME=$scratch/nothing expect 0 "$MAYFLY" verify --root "$root" "$scratch/elsewhere/evidence"
flip "$scratch/elsewhere/evidence/events.log" 100
MAYFLY_HOME=$scratch/nothing expect 1 "$MAYFLY" verify --root "$root" "$scratch/elsewhere/evidence"
stdout_has 'events.log: changed within the bytes 0 to '
MAYFLY_HOME=$scratch/nothing expect 1 "$MAYFLY" verify "$scratch/elsewhere/evidence"
stdout_has 'not sealed'
expect 64 "$MAYFLY" verify --root abc one

# Evidence for another machine, which has neither the home nor the ledger.
ledger=$MAYFLY_HOME/ledger
expect 0 "$MAYFLY" state prove "$ledger" --sign "$scratch/key" --new-key --name example/ledger -o "$scratch/note"
key=$(sed -n 's/.*--key //p' "$err")
log_root=$("$MAYFLY" state stat "$ledger" --json | sed -n 's/.*"log_root": "\(.*\)".*/\1/p')
other_root=${log_root%?}$([ "${log_root: -1}" = 0 ] && echo 1 || echo 0)
expect 0 "$MAYFLY" prove one -o "$scratch/flight.proof"
stderr_has "to be checked with --root $log_root"
expect 0 "$MAYFLY" prove one output.log -o "$scratch/output.proof"
expect 0 "$MAYFLY" prove one other.log -o "$scratch/none.proof"
rm -rf "$scratch/elsewhere/evidence"
cp -a "$one" "$scratch/elsewhere/evidence"
away() { MAYFLY_HOME=$scratch/nothing "$MAYFLY" "$@"; }
expect 0 away verify --proof "$scratch/flight.proof" --root "$log_root" "$scratch/elsewhere/evidence"
stdout_has 'evidence is that'
expect 0 away verify --proof "$scratch/flight.proof" --note "$scratch/note" --key "$key"
stdout_has 'one: exited, exit code 7'
expect 0 away verify --proof "$scratch/output.proof" --root "$log_root" "$scratch/elsewhere/evidence/output.log"
stdout_has 'proven: its file output.log has '
expect 0 away verify --proof "$scratch/none.proof" --root "$log_root"
stdout_has 'proven: it has no file other.log'
expect 1 away verify --proof "$scratch/none.proof" --root "$log_root" "$scratch/elsewhere/evidence/output.log"
flip "$scratch/elsewhere/evidence/output.log" 100
expect 1 away verify --proof "$scratch/flight.proof" --root "$log_root" "$scratch/elsewhere/evidence"
stdout_has 'output.log: changed within the bytes 0 to 4095'
expect 1 away verify --proof "$scratch/output.proof" --root "$log_root" "$scratch/elsewhere/evidence/output.log"
stdout_has 'output.log is NOT that'
expect 1 away verify --proof "$scratch/flight.proof" --root "$other_root"
stderr_has 'NOT proven: '
expect 64 away verify --proof "$scratch/flight.proof"
expect 64 away verify --note "$scratch/note" --key "$key"
expect 65 away verify --proof "$scratch/note" --root "$log_root"
sed 's/^example/exempel/' "$scratch/note" >"$scratch/forged"
expect 1 away verify --proof "$scratch/flight.proof" --note "$scratch/forged" --key "$key"
for offset in $(seq 0 97 "$(($(stat -c %s "$scratch/output.proof") - 1))"); do
    cp "$scratch/output.proof" "$scratch/flipped.proof"
    flip "$scratch/flipped.proof" "$offset"
    code=0
    away verify --proof "$scratch/flipped.proof" --root "$log_root" >"$out" 2>"$err" || code=$?
    last="a proof with a bit flipped at $offset"
    [ "$code" -eq 1 ] || [ "$code" -eq 65 ] || complain "exit code $code"
done
expect 0 away state verify "$scratch/output.proof" --root "$log_root"
expect 65 "$MAYFLY" state verify "$scratch/note" --root "$log_root"
expect 0 "$MAYFLY" state prove "$ledger" --since 1 -o "$scratch/since.proof"
expect 0 away state verify "$scratch/since.proof" --root "$log_root"
stdout_has 'begins with the log of 1-'
expect 0 "$MAYFLY" state prove "$ledger" --commit 2 -o "$scratch/commit.proof"
expect 0 away state verify "$scratch/commit.proof" --root "$log_root" --json
stdout_has '"seq": 2'
expect 64 "$MAYFLY" state prove "$ledger"
expect 65 away verify --proof "$scratch/commit.proof" --root "$log_root"

# Removed as it should be, and not.
expect 0 "$MAYFLY" rm two
expect 0 "$MAYFLY" verify --all
stdout_has 'removed by mayfly'
expect 66 "$MAYFLY" prove two
rm -rf "$one"
expect 1 "$MAYFLY" verify --all --quiet
stdout_has 'GONE: it was sealed'
finish
