#!/bin/sh
# offline.sh ROOT COMMAND…: runs it in that root file system, as root, in a network of its own in which there is only itself.
set -eu
root=$1
shift
export ROOT="$root"
# shellcheck disable=SC2016 # the inner shell's own words
exec unshare --net --mount --pid --fork --kill-child sh -c '
    ip link set lo up 2>/dev/null || true
    mount -t proc proc "$ROOT/proc"
    mount --rbind /dev "$ROOT/dev"
    mount -t tmpfs tmpfs "$ROOT/run"
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 chroot "$ROOT" "$@"' sh "$@"
