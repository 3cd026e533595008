# SPDX-License-Identifier: Apache-2.0
# --memory-max: the kernel ends what takes too much, and the flight says so with evidence.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
export MAYFLY_HOME=$scratch/home
"$MAYFLY" run -q --memory-max 64M -- true 2>"$err"
if [ $? -eq 125 ]; then
    echo "skipped: $(cat "$err")"
    exit 77
fi
# A process that takes 200 MiB: the shell's own memory, as one string.
eater='x=$(head -c 200000000 /dev/zero | tr "\0" a); echo ${#x}'

expect 0 "$MAYFLY" run -q --name enough --memory-max 64M -- sh -c 'echo fine'
file=$(ls -d "$MAYFLY_HOME"/flights/*-enough-*)/flight.json
grep -q '"kind": "exited"' "$file" || complain "a command within its limit: $(grep kind "$file")"

("$MAYFLY" run --name eater --memory-max 64M -- bash -c "$eater" >"$out" 2>"$err") 2>/dev/null
code=$?
[ $code -ge 1 ] || complain "the eater ended well, exit code $code"
file=$(ls -d "$MAYFLY_HOME"/flights/*-eater-*)/flight.json
grep -q '"kind": "out of memory"' "$file" || complain "not told: $(cat "$file")"
grep -q 'out of memory (limit 64 MiB, peak 6[0-9.]* MiB, \(killed\|largest\): ' "$file" ||
    complain "the reason lacks figures: $(grep reason "$file")"
grep -q 'counts [0-9]* kills\{0,1\} for memory' "$file" || complain "the evidence is missing: $(cat "$file")"
grep -qa '"kind":"oom"' "$(dirname "$file")/events.log" || complain "no event"
stderr_has 'out of memory'

# A child is killed; its parent ends with a code of its own, or well.
expect 5 "$MAYFLY" run -q --name parent --memory-max 64M -- sh -c "bash -c '$eater' || exit 5"
file=$(ls -d "$MAYFLY_HOME"/flights/*-parent-*)/flight.json
grep -q 'exit code 5 after the kernel killed for memory' "$file" || complain "$(grep reason "$file")"
expect 0 "$MAYFLY" run -q --name survivor --memory-max 64M -- sh -c "bash -c '$eater'; exit 0"
file=$(ls -d "$MAYFLY_HOME"/flights/*-survivor-*)/flight.json
grep -q '"kind": "exited"' "$file" || complain "a survivor: $(grep kind "$file")"
grep -q 'kills\{0,1\} for memory' "$file" || complain "a survivor's evidence is missing"
finish
