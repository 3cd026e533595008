# SPDX-License-Identifier: Apache-2.0
# mayfly top in a real terminal: what it shows at 80 x 24 and after a resize, its keys, and the terminal
# as it was found after every way to end but SIGKILL.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
command -v tmux >/dev/null || { echo "tmux is not installed"; exit 77; }
export MAYFLY_HOME=$scratch/home TZ=UTC LC_ALL=C.UTF-8
unset TMUX NO_COLOR
tmux() { command tmux -S "$scratch/socket" -f /dev/null "$@"; }
at_end 'tmux kill-server 2>/dev/null'

"$MAYFLY_BINARY_DIR/tests/make_flights" "$MAYFLY_HOME" failing build || exit 1
tmux -u new-session -d -x 80 -y 24 -s t "env PS1='ready> ' bash --norc --noprofile" || exit 1

# The screen as it is now, in a file: a grep that has found its line does not read on.
screen() { tmux capture-pane -p -t t >"$scratch/screen"; }
shows() { screen && grep -qF -- "$1" "$scratch/screen"; }
see() { # waits until the screen has the text
    await shows "$1" || sed 's/^/    /' "$scratch/screen"
}
pane() { tmux display-message -p -t t "$1"; }
view() { pgrep -P "$(pane '#{pane_pid}')" -x mayfly; }
no_view() { ! view; }
keys() { tmux send-keys -t t "$@"; }
# The state of the terminal: its modes, the screen it is on, the cursor.
state() {
    keys "stty -g > $scratch/$1; echo done-''$1" Enter # what is typed is not what is awaited
    see "done-$1"
    pane '#{alternate_on} #{cursor_flag} #{wrap_flag}' >>"$scratch/$1"
}
# Keys for the shell go to the view as long as it runs, so its end comes first.
restored() {
    await no_view
    state "$1"
    cmp -s "$scratch/before" "$scratch/$1" ||
        complain "the terminal is not as it was after $1: $(cat "$scratch/before" "$scratch/$1")"
    keys "clear; echo wiped''-$1" Enter
    see "wiped-$1"
}
see "ready>"
state before
keys "clear; echo wiped''-before" Enter
see "wiped-before"

# ---- what it shows ----
keys "$MAYFLY top" Enter
see "make succeeded"
see "38 processes in all"
[ "$(wc -l <"$scratch/screen")" -eq 24 ] || complain "the frame does not have 24 lines"
grep -q '6.66 s$' "$scratch/screen" || complain "the right edge is cut off"
[ "$(pane '#{alternate_on} #{cursor_flag}')" = "1 0" ] ||
    complain "not on the alternate screen, or with a cursor"
keys Home
see "at 0 s of 6.66 s"
keys PageDown Right Right
see "at 799 ms of 6.66 s"
see "processes ──"
keys m
see "MEMORY"
keys End
see "in all"
keys + +
see "4.99 s"
keys 0
tmux resize-window -t t -x 132 -y 43
see "1.93 cores"
resized() { screen && [ "$(sed -n '43{/q quit/p}' "$scratch/screen" | wc -l)" -eq 1 ]; }
await resized || sed 's/^/    /' "$scratch/screen" # its last line is the last
tmux resize-window -t t -x 30 -y 8
see "at least 40 x 10"
tmux resize-window -t t -x 80 -y 24
see "q quit"
keys q
restored quit

# ---- every way to end ----
keys "$MAYFLY top" Enter
see "q quit"
keys C-c
restored interrupt

for signal in TERM HUP SEGV ABRT; do
    keys "$MAYFLY top; echo" Enter
    see "q quit"
    kill -"$signal" "$(view)"
    see "ready>"
    restored "$signal"
done

# Ctrl-Z gives the terminal back, fg brings the view.
keys "$MAYFLY top" Enter
see "q quit"
keys C-z
see "Stopped"
[ "$(pane '#{alternate_on} #{cursor_flag}')" = "0 1" ] || complain "stopped with the view's screen"
keys "fg" Enter
see "q quit"
keys q
restored stopped

# ---- a flight that is being recorded, up to its end ----
gate "$scratch/gate"
"$MAYFLY" run --name gated -- \
    sh -c 'echo begun; read -r line <"$0"; echo over; exit 3' "$scratch/gate" >/dev/null 2>&1 &
begun() { [ "$("$MAYFLY" logs gated)" = begun ]; }
await begun
keys "$MAYFLY top -i 100ms gated" Enter
see "gated still running"
see "begun"
keys Space
see "paused at"
keys Space
keys Left
see " of "
keys End
open_gate "$scratch/gate"
see "gated failed with exit code 3"
see "over"
see "in all"
keys q
restored live
finish
