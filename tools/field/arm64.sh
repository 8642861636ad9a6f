#!/usr/bin/env bash
# arm64.sh SUITE FOLDER: makes FOLDER/root, Debian for 64-bit ARM, which runs here by QEMU's user mode; and lets the kernel know of that.
# As root. tools/field/offline.sh FOLDER/root COMMAND… runs a command in it.
set -Eeuo pipefail
suite=$1 folder=$2
PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" = 0 ] || { echo "an arm64 root needs root: sudo make test-field" >&2 && exit 3; }
"$(dirname "$(readlink -f "$0")")/../system_packages.sh" mmdebstrap qemu-user-static

# Debian's package registers itself where systemd or binfmt-support run; in a container, and on a machine whose /proc came later, nobody does.
# F: the kernel opens the interpreter now, so that it need not lie in the root.
if [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
  [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf '%s' ":qemu-aarch64:M::$magic:$mask:/usr/bin/qemu-aarch64-static:F" >/proc/sys/fs/binfmt_misc/register
fi

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
[ -d "$folder/root" ] && [ "$0" -ot "$folder/root" ] && exit 0
echo "Making Debian $suite for arm64 (three to six minutes, once) ..." >&2
rm -rf "$folder/root" "$folder/root.part"
# What the bundle may count on, in the words of docs/BUNDLE.md: Python and openssl. And the demo's broker.
nice mmdebstrap --quiet --variant=minbase --architectures=arm64 --aptopt='APT::Install-Recommends "false"' \
  --include=python3,openssl,systemd,udev,mosquitto,libgomp1 "$suite" "$folder/root.part" >&2
mv "$folder/root.part" "$folder/root"
touch "$folder/root"
