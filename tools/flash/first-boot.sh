#!/bin/sh
# Installs Doorward from FOLDER (bundle.tar, door.doorward), without a network, as root. Run again after a power cut, it begins anew;
# the door's keys leave the card as the last thing, when they lie safe on the disk.
set -eu
from=$1
keys=/etc/doorward
work=$(mktemp -d /var/tmp/doorward-install.XXXXXX)
trap 'rm -rf "$work"' EXIT
umask 077
mkdir -p "$keys"
tar -xf "$from/door.doorward" -C "$keys" --no-same-owner
tar -xf "$from/bundle.tar" -C "$work" --no-same-owner
sh "$work/install.sh"
sync
rm -f "$from/door.doorward" "$from/bundle.tar"
sync
rm -f "$from/first-boot.sh"
echo "Doorward is installed: doorward doctor says whether all is well"
