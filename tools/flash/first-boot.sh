#!/bin/sh
# Installs Doorward from FOLDER (bundle.tar, release.pub, names.toml, perhaps door.doorward), without a network, as root. Run again after a power cut, it
# begins anew; the door's keys leave the card as the last thing, when they lie safe on the disk.
set -eu
from=$1
keys=/etc/doorward
work=$(mktemp -d /var/tmp/doorward-install.XXXXXX)
trap 'rm -rf "$work"' EXIT
umask 077
mkdir -p "$keys"
chmod 755 "$keys"
# Whose bundles this door believes is settled once; a later one must be signed by the same, or be handed over (docs/IDENTITY.md)
if [ ! -e "$keys/release.pub" ]; then
    cp "$from/release.pub" "$keys/release.pub.part"
    chmod 644 "$keys/release.pub.part"
    mv "$keys/release.pub.part" "$keys/release.pub"
fi
tar -xf "$from/bundle.tar" -C "$work" --no-same-owner
begins=$from/names.toml
if [ -e "$from/door.doorward" ]; then
    tar -xf "$from/door.doorward" -C "$keys" --no-same-owner
    begins=$keys/link.toml
fi
# A door that has no configuration yet begins with what its centre wrote, or its name alone, and this board's usual camera
if [ ! -e "$keys/door.toml" ]; then
    case $(tr -d ' \n' <"$work/manifest.json") in
    *'"board":"jetson'*) camera=csi:0 ;;
    *) camera=rpicam:0 ;;
    esac
    { cat "$begins" && printf '\n[vision]\ncamera = "%s"\n' "$camera"; } >"$keys/door.toml.part"
    chmod 644 "$keys/door.toml.part"
    mv "$keys/door.toml.part" "$keys/door.toml"
fi
ended=0
sh "$work/install.sh" || ended=$?
# 5: it is installed and not all of it is up, as without its camera; begun anew, it would be so again
case $ended in
0) next="sudo doorward commission" ;;
5) next="sudo doorward doctor" ;;
*) exit "$ended" ;;
esac
sync
rm -f "$from/door.doorward" "$from/bundle.tar" "$from/release.pub" "$from/names.toml"
sync
rm -f "$from/first-boot.sh"
echo "Doorward is installed. Next, at the door: $next"
