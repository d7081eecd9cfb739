# Runs one program for as long as whoever started us lives, and no longer.
#
# Usage: sh -c "$(cat guardian.sh)" guardian GRACE LOG PROGRAM [ARGUMENT…]
#
# Standard input is a pipe that our owner holds open. Each line on it names a
# signal for the program. Its end means that the owner is gone, whatever way it
# went: then the program gets SIGTERM, and SIGKILL after GRACE seconds.
# Standard output tells the program's process id, then its exit code.
#
# We lead a process group of our own: a Ctrl-C in the terminal reaches only the
# owner, so the program still ends in the order given here.

grace=$1
log=$2
shift 2

# Commands in the background read /dev/null, so the pipe moves to another number.
exec 3<&0 4>&1 >/dev/null

exec "$@" </dev/null >>"$log" 2>&1 3<&- 4>&- &
program=$!
echo "$program" >&4

(
    exec 4>&-
    while read -r signal <&3; do
        kill -s "$signal" "$program" 2>/dev/null
    done
    kill -s TERM "$program" 2>/dev/null
    sleep "$grace"
    kill -s KILL "$program" 2>/dev/null
) &

wait "$program"
echo $? >&4

# Whatever the program left behind, and the loop above.
kill -s KILL 0
