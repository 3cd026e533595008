# SPDX-License-Identifier: Apache-2.0
# A full disk: the command goes on unharmed, and the flight says what was lost.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
disk=$scratch/disk
mkdir "$disk"
if ! mount -t tmpfs -o size=5m tmpfs "$disk" 2>"$err"; then
    echo "skipped: no file system can be mounted here: $(cat "$err")"
    exit 77
fi
at_end 'umount -l "$disk"'
export MAYFLY_HOME=$disk/home

# It fills up while the command runs.
expect 7 "$MAYFLY" run --name fills -- sh -c 'head -c 8000000 /dev/zero | tr "\0" x; echo; echo end; exit 7'
[ "$(stat -c %s "$out")" -eq 8000005 ] || complain "$(stat -c %s "$out") of 8000005 bytes of output arrived"
stderr_has 'were passed on, but not kept'
file=$(ls -d "$MAYFLY_HOME"/flights/*-fills-*)/flight.json
grep -q '"state": "ended"' "$file" || complain "the flight was not closed"
grep -q '"exit_code": 7' "$file" || complain "the exit code is missing"
bytes=$(sed -n 's/^ *"bytes": \([0-9]*\).*/\1/p' "$file")
lost=$(sed -n 's/^ *"lost_bytes": \([0-9]*\).*/\1/p' "$file")
[ "$bytes" -eq 8000005 ] || complain "the flight knows of $bytes bytes"
[ "$lost" -gt 1000000 ] && [ "$lost" -lt 8000005 ] || complain "$lost bytes are said to be lost"
kept=$("$MAYFLY" logs --raw fills 2>/dev/null | wc -c)
[ $((kept + lost)) -eq 8000005 ] || complain "$kept kept and $lost lost are not 8000005"

# It is full when the flight begins: then nothing is started, and that is said.
head -c 5000000 /dev/zero >"$disk/ballast" 2>/dev/null
expect 125 "$MAYFLY" run --name none -- touch "$scratch/started"
stderr_has "No space left on device"
[ ! -e "$scratch/started" ] || complain "the command was started"
[ -z "$(ls -d "$MAYFLY_HOME"/flights/*none* "$MAYFLY_HOME"/flights/.new* 2>/dev/null)" ] ||
    complain "a flight that never was is left: $(ls -A "$MAYFLY_HOME/flights")"

# Room for a flight, but not for its time series.
rm -rf "$MAYFLY_HOME" "$disk/ballast"
head -c 3500000 /dev/zero >"$disk/ballast"
expect 0 "$MAYFLY" run --name small -- echo fine
stdout_is fine
file=$(ls -d "$MAYFLY_HOME"/flights/*-small-*)/flight.json
grep -q '"state": "ended"' "$file" || complain "the flight was not closed"
grep -qa '"kind":"lost","what":"time series"\|"what":"time series"' "$(dirname "$file")/events.log" ||
    complain "it does not say that the time series are missing"
expect 0 "$MAYFLY" show small
finish
