#!/bin/sh
# `make test-hardware`: runs the tests that want a kernel's own GPIO chips inside User-Mode Linux, and ends with pytest's exit status.
# usage: run.sh FOLDER [pytest's arguments]      FOLDER holds the kernel of build.sh
set -eu
folder=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[ $# -gt 0 ] || set -- -q -m hardware tests
printf '%s\n' -p no:cacheprovider "$@" >"$folder/arguments"
# Kernel messages: only what is wrong. Memory is what it may take, not what it takes.
"$folder/linux" mem=768M root=/dev/root rootfstype=hostfs rootflags=/ ro quiet loglevel=3 con=null con0=null,fd:1 \
    init="$here/init.sh" DOORWARD="$root" DOORWARD_RUN="$folder/arguments" </dev/null 2>"$folder/stderr" | tee "$folder/output"
status=$(tr -d '\r' <"$folder/output" | sed -n 's/^DOORWARD-EXIT \([0-9]*\)$/\1/p')
if [ -z "$status" ]; then
    echo "the kernel ended before its tests did; what it said last:" >&2
    tail -n 20 "$folder/stderr" >&2
    exit 1
fi
exit "$status"
