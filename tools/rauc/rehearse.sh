#!/usr/bin/env bash
# Makes what the rehearsal of system updates needs, once: var/rauc/{keys,disk.img,parcels.img}. As root; a few minutes.
#   tools/rauc/rehearse.sh BUNDLE.tar
# parcels.img holds a system that is well (two.raucb), three that are not, and one that somebody changed on its way:
#   mute   its door program does not start        stuck   it waits for a disk that is not there
#   dead   its kernel finds no systemd            forged  two.raucb with a foreign byte in its system
set -Eeuo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
BUNDLE=$(readlink -f "${1:?which bundle (dist/doorward-VERSION-rehearsal.tar)?}")
OUT=${DOORWARD_REHEARSAL:-$HERE/../../var/rauc}
PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$OUT"
OUT=$(readlink -f "$OUT")
exec 9>"$OUT/.lock"
flock 9
stamp=$(cat "$BUNDLE" "$HERE"/{dress,system_bundle,disk,hook,rehearse,rehearsal_root,rehearsal_disk}.sh "$HERE"/on_board/* "$HERE"/rehearsal/* | sha256sum | cut -c1-16)
if [ "$(cat "$OUT/stamp" 2>/dev/null || true)" = "$stamp" ]; then exit 0; fi
echo "Making two systems and their bundles under ${OUT#"$PWD"/} (three minutes, once) ..." >&2
rm -rf --one-file-system "$OUT"/{stamp,work} # a making that was killed may have left /proc mounted in there
mkdir "$OUT/work"
[ -s "$OUT/keys/ca.key" ] || "$HERE/keys.sh" make "$OUT/keys"

bundle() { # NAME [words]
  local name=$1
  shift
  "$HERE/system_bundle.sh" --board rehearsal --root "$OUT/work/root" --boot "$OUT/work/boot" --keys "$OUT/keys" --root-mb 640 --boot-mb 40 \
    --release "$name" --out "$OUT/work/parcels/$name.raucb" "$@" >&2
}

"$HERE/rehearsal_root.sh" "$BUNDLE" "$OUT/work" >&2
mkdir "$OUT/work/parcels"
root=$OUT/work/root
door=$(echo "$root"/opt/doorward/releases/*/lib/python3*/site-packages/agent/door_app.py)
bundle one --images "$OUT/work/images"
rm "$OUT/work/parcels/one.raucb"
bundle two
mv "$door" "$OUT/work/door_app.py"
bundle mute
mv "$OUT/work/door_app.py" "$door"
install -m 644 "$HERE/rehearsal/stuck.mount" "$root/etc/systemd/system/srv.mount"
mkdir -p "$root/etc/systemd/system/local-fs.target.requires"
ln -sf ../srv.mount "$root/etc/systemd/system/local-fs.target.requires/srv.mount"
bundle stuck
rm -r "$root/etc/systemd/system/srv.mount" "$root/etc/systemd/system/local-fs.target.requires"
mv "$root/lib/systemd/systemd" "$OUT/work/systemd"
echo "no systemd" >"$root/lib/systemd/systemd"
chmod 755 "$root/lib/systemd/systemd"
bundle dead
cp "$OUT/work/parcels/two.raucb" "$OUT/work/parcels/forged.raucb"
printf x | dd of="$OUT/work/parcels/forged.raucb" bs=1 seek=60000000 conv=notrunc status=none
"$HERE/rehearsal_disk.sh" "$OUT/work/images" "$OUT/work/etc" "$OUT/disk.img" 128
rm -f "$OUT/parcels.img"
truncate -s "$(($(du -sm "$OUT/work/parcels" | cut -f1) * 11 / 10 + 16))M" "$OUT/parcels.img"
mke2fs -q -F -t ext4 -d "$OUT/work/parcels" "$OUT/parcels.img"
rm -rf --one-file-system "$OUT/work"
echo "$stamp" >"$OUT/stamp"
