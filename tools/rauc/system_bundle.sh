#!/usr/bin/env bash
# A signed bundle with a whole system, from a folder that holds one. `tools/rauc/system_bundle.sh --help` says how.
set -Eeuo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tools/rauc/disk.sh
. "$HERE/disk.sh"

usage() {
  cat <<'TEXT'
  system_bundle.sh --board BOARD --root FOLDER [--boot FOLDER] --keys FOLDER --release NAME --out FILE.raucb [--root-mb 5120] [--boot-mb 512]
  --board     pi5, pi4, jetson-orin-nano or rehearsal: doors take only their own board's
  --root      the root file system, with Doorward, rauc and rauc-service installed; it is copied, and stays as it is
  --boot      what belongs on the boot partition (not for a Jetson, whose kernel lies in its root file system)
  --keys      what keys.sh made
  --images    a folder in which the images stay as well (for lay_out.sh)
Needs root's rights, because files in the image belong to root. The bundle is read back with `rauc extract` before it has its name:
RAUC 1.8 says of a bundle with foreign bytes in its images that `info` is content; only extracting looks at every block.
TEXT
}

fail() {
  echo "system_bundle.sh: $1: $2. Mend: $3" >&2
  exit 1
}

BOARD='' ROOT='' BOOT='' KEYS='' RELEASE='' OUT='' ROOT_MB=5120 BOOT_MB=512 IMAGES=''
while [ $# -gt 0 ]; do
  case $1 in
  --help | -h) usage && exit 0 ;;
  --board) BOARD=${2:-} ;; --root) ROOT=${2:-} ;; --boot) BOOT=${2:-} ;; --keys) KEYS=${2:-} ;; --release) RELEASE=${2:-} ;;
  --out) OUT=${2:-} ;; --root-mb) ROOT_MB=${2:-} ;; --boot-mb) BOOT_MB=${2:-} ;; --images) IMAGES=${2:-} ;;
  *) fail "$1" "is no option" "system_bundle.sh --help" ;;
  esac
  [ $# -ge 2 ] || fail "$1" "nothing follows" "system_bundle.sh --help"
  shift 2
done
[ "$(id -u)" = 0 ] || fail "not root" "files in the image belong to root" "sudo"
[ -n "$OUT" ] || fail "--out" "is missing" "--out dist/system.raucb"
[ -s "$KEYS/signer.key" ] || fail "--keys '$KEYS'" "holds no signer.key" "tools/rauc/keys.sh make FOLDER"
[ -d "$ROOT" ] || fail "--root '$ROOT'" "is no folder" "unpack the system into one"
[ "$BOARD" = jetson-orin-nano ] || [ -d "$BOOT" ] || fail "--boot '$BOOT'" "is no folder" "what belongs on the boot partition"
[[ $ROOT_MB$BOOT_MB =~ ^[0-9]{2,10}$ ]] || fail "--root-mb, --boot-mb" "are no numbers" "megabytes, such as 5120 and 512"

WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/doorward-system.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
mkdir "$WORK/root" "$WORK/bundle"
cp -a --reflink=auto "$ROOT/." "$WORK/root/"
"$HERE/dress.sh" "$BOARD" "$WORK/root" "$KEYS/keyring.pem" "$RELEASE"
find "$WORK/root" -newermt "@$STAMP" -exec touch -h -d "@$STAMP" {} +
root_image "$WORK/root" "$WORK/bundle/rootfs.ext4" "$ROOT_MB"
rm -rf "$WORK/root"
install -m 755 "$HERE/hook.sh" "$WORK/bundle/hook.sh"
{
  printf '[update]\ncompatible=doorward-%s\nversion=%s\n\n[bundle]\nformat=verity\n\n[hooks]\nfilename=hook.sh\n\n' "$BOARD" "$RELEASE"
  printf '[image.rootfs]\nfilename=rootfs.ext4\nhooks=post-install\n'
} >"$WORK/bundle/manifest.raucm"
if [ "$BOARD" != jetson-orin-nano ]; then
  boot_image "$BOOT" "$WORK/bundle/boot.vfat" "$BOOT_MB"
  printf '\n[image.boot]\nfilename=boot.vfat\nhooks=post-install\n' >>"$WORK/bundle/manifest.raucm"
fi
rauc bundle --cert "$KEYS/signer.pem" --key "$KEYS/signer.key" --signing-keyring "$KEYS/keyring.pem" \
  --mksquashfs-args="-comp zstd -Xcompression-level 9 -all-time $STAMP -mkfs-time $STAMP -no-progress" "$WORK/bundle" "$WORK/new.raucb" >"$WORK/said" 2>&1 ||
  fail "rauc bundle" "$(tail -1 "$WORK/said")" "its words above"
rauc extract --keyring "$KEYS/keyring.pem" "$WORK/new.raucb" "$WORK/back" >"$WORK/said" 2>&1 || fail "rauc extract" "$(tail -1 "$WORK/said")" "make it again"
for image in "$WORK"/bundle/*.{ext4,vfat}; do
  [ ! -e "$image" ] || cmp -s "$image" "$WORK/back/${image##*/}" || fail "${image##*/}" "is not the same when it is read back" "make it again"
done
if [ -n "$IMAGES" ]; then
  mkdir -p "$IMAGES"
  find "$WORK/back" \( -name '*.ext4' -o -name '*.vfat' \) -exec mv {} "$IMAGES/" \;
fi
mkdir -p "$(dirname "$OUT")"
mv "$WORK/new.raucb" "$OUT.part"
sync "$OUT.part"
mv "$OUT.part" "$OUT"
echo "$OUT: $(numfmt --to=si "$(stat -c %s "$OUT")")B, system $RELEASE for $BOARD, read back and the same"
