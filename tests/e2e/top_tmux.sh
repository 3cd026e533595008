# SPDX-License-Identifier: Apache-2.0
# mayfly top in a real terminal: what it shows at 80 x 24 and after a resize, its keys, and the terminal
# as it was found after every way to end but SIGKILL.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
command -v tmux >/dev/null || { echo "tmux is not installed"; exit 77; }
export MAYFLY_HOME=$scratch/home TZ=UTC LC_ALL=C.UTF-8
unset TMUX NO_COLOR
tmux() { command tmux -S "$scratch/socket" -f /dev/null "$@"; }
trap 'tmux kill-server 2>/dev/null; rm -rf "$scratch"' EXIT

"$MAYFLY_BINARY_DIR/tests/make_flights" "$MAYFLY_HOME" failing build || exit 1
tmux -u new-session -d -x 80 -y 24 -s t "env PS1='ready> ' bash --norc --noprofile" || exit 1

screen() { tmux capture-pane -p -t t; }
# Waits until the screen has the text; a view that never comes is a failure, not a hang.
await() {
    last="await $1"
    for _ in $(seq 200); do
        if screen | grep -qF -- "$1"; then
            return
        fi
        sleep 0.05
    done
    complain "the screen never had '$1'; it is:"
    screen | sed 's/^/    /'
}
keys() { tmux send-keys -t t "$@"; }
# The state of the terminal: its modes, the screen it is on, the cursor.
state() {
    keys "stty -g > $scratch/$1; echo done-''$1" Enter # what is typed is not what is awaited
    await "done-$1"
    tmux display-message -p -t t '#{alternate_on} #{cursor_flag} #{wrap_flag}' >>"$scratch/$1"
}
# Keys for the shell go to the view as long as it runs, so its end comes first.
restored() {
    for _ in $(seq 200); do
        pgrep -P "$(tmux display-message -p -t t '#{pane_pid}')" -x mayfly >/dev/null || break
        sleep 0.05
    done
    state "$1"
    cmp -s "$scratch/before" "$scratch/$1" ||
        complain "the terminal is not as it was after $1: $(cat "$scratch/before" "$scratch/$1")"
    keys "clear" Enter
    sleep 0.1
}
await "ready>"
state before
keys "clear" Enter

# ---- what it shows ----
keys "$MAYFLY top" Enter
await "make succeeded"
await "38 processes in all"
[ "$(screen | wc -l)" -eq 24 ] || complain "the frame does not have 24 lines"
screen | grep -q '6.66 s$' || complain "the right edge is cut off"
[ "$(tmux display-message -p -t t '#{alternate_on} #{cursor_flag}')" = "1 0" ] ||
    complain "not on the alternate screen, or with a cursor"
keys Home
await "at 0 s of 6.66 s"
keys PageDown Right Right
await "at 799 ms of 6.66 s"
await "processes ──"
keys m
await "MEMORY"
keys End
await "in all"
keys + +
await "4.99 s"
keys 0
tmux resize-window -t t -x 132 -y 43
await "1.93 cores"
for _ in $(seq 100); do
    [ "$(screen | awk 'END { print NR }')" -eq 43 ] && screen | tail -1 | grep -q quit && break
    sleep 0.05
done
screen | tail -1 | grep -q "q quit" || complain "after the resize the last line is not the last"
tmux resize-window -t t -x 30 -y 8
await "at least 40 x 10"
tmux resize-window -t t -x 80 -y 24
await "q quit"
keys q
restored quit

# ---- every way to end ----
keys "$MAYFLY top" Enter
await "q quit"
keys C-c
restored interrupt

for signal in TERM HUP SEGV ABRT; do
    keys "$MAYFLY top; echo" Enter
    await "q quit"
    kill -"$signal" "$(pgrep -P "$(tmux display-message -p -t t '#{pane_pid}')" -x mayfly)"
    await "ready>"
    restored "$signal"
done

# Ctrl-Z gives the terminal back, fg brings the view.
keys "$MAYFLY top" Enter
await "q quit"
keys C-z
await "Stopped"
tmux display-message -p -t t '#{alternate_on} #{cursor_flag}' | grep -qx "0 1" ||
    complain "stopped with the view's screen"
keys "fg" Enter
await "q quit"
keys q
restored stopped

# ---- a flight that is being recorded, up to its end ----
mkfifo "$scratch/gate"
"$MAYFLY" run --name gated -- \
    sh -c 'echo begun; read -r line <"$0"; echo over; exit 3' "$scratch/gate" >/dev/null 2>&1 &
for _ in $(seq 100); do
    [ "$("$MAYFLY" logs gated 2>/dev/null)" = begun ] && break
    sleep 0.05
done
keys "$MAYFLY top -i 100ms gated" Enter
await "gated still running"
await "begun"
keys Space
await "paused at"
keys Space
keys Left
await " of "
keys End
echo go >"$scratch/gate"
await "gated failed with exit code 3"
await "over"
await "in all"
keys q
restored live
finish
