#!/usr/bin/env bash
# A card for a Raspberry Pi with room for two systems; A gets the system of a signed bundle. `tools/rauc/lay_out.sh --help` says how.
set -Eeuo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tools/rauc/disk.sh
. "$HERE/disk.sh"

usage() {
  cat <<'TEXT'
  lay_out.sh --system FILE.raucb --keyring KEYRING.pem --disk DISK [--etc FOLDER] [--boot-files FOLDER]
  --system      what system_bundle.sh made for a pi5 or pi4; it is extracted, which looks at every block of it, before the disk is touched
  --disk        a whole disk, or an image file of the size of one; ALL of it is overwritten, and whoever calls this has asked before
  --etc         files that become /etc/doorward: the door's keys, release.pub
  --boot-files  files for the boot partition: user-data, network-config, meta-data of cloud-init
All that is written is read back from the disk and compared.
16 GB are the least: 32 MB select, twice 512 MB boot, twice 5.4 GB root, and what is left for journal and pictures.
TEXT
}

fail() {
  echo "✗ $1: $2" >&2
  echo "   mend: $3" >&2
  exit 1
}

SYSTEM='' KEYRING='' DISK='' ETC='' BOOT_FILES=''
while [ $# -gt 0 ]; do
  case $1 in
  --help | -h) usage && exit 0 ;;
  --system) SYSTEM=${2:-} ;; --keyring) KEYRING=${2:-} ;; --disk) DISK=${2:-} ;; --etc) ETC=${2:-} ;; --boot-files) BOOT_FILES=${2:-} ;;
  *) fail "$1" "is no option" "lay_out.sh --help" ;;
  esac
  [ $# -ge 2 ] || fail "$1" "nothing follows" "lay_out.sh --help"
  shift 2
done
[ -f "$SYSTEM" ] || fail "--system '$SYSTEM'" "is no file" "tools/rauc/system_bundle.sh makes one"
[ -f "$KEYRING" ] || fail "--keyring '$KEYRING'" "is no file" "keyring.pem of whoever signs your systems"
[ -f "$DISK" ] || [ -b "$DISK" ] || fail "--disk '$DISK'" "is no disk" "truncate -s 16G card.img makes one for a rehearsal"
[ -z "$ETC" ] || [ -d "$ETC" ] || fail "--etc '$ETC'" "is no folder" "what becomes /etc/doorward"
[ -z "$BOOT_FILES" ] || [ -d "$BOOT_FILES" ] || fail "--boot-files '$BOOT_FILES'" "is no folder" "user-data, network-config, meta-data"

WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/doorward-card.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
rauc --keyring "$KEYRING" extract "$SYSTEM" "$WORK/system" >"$WORK/said" 2>&1 ||
  fail "--system $SYSTEM" "is not what its signer made, or not by this keyring: $(tail -1 "$WORK/said")" "get it again; do not use it"
grep -qxE 'compatible=doorward-pi[45]' "$WORK/system/manifest.raucm" ||
  fail "--system $SYSTEM" "is $(sed -n 's/^compatible=//p' "$WORK/system/manifest.raucm")" "the system of a pi5 or pi4; a Jetson is flashed by NVIDIA's own tool"

mb() { echo $(($(stat -c %s "$1") / 1048576)); }

if [ -b "$DISK" ]; then DISK_MB=$(($(blockdev --getsize64 "$DISK") / 1048576)); else DISK_MB=$(mb "$DISK"); fi
ROOT_MB=$(mb "$WORK/system/rootfs.ext4")
BOOT_MB=$(mb "$WORK/system/boot.vfat")
DATA_MB=$((DISK_MB - 32 - 2 * BOOT_MB - 2 * ROOT_MB - 5))
[ "$DATA_MB" -ge "${LEAST_DATA_MB:=1024}" ] ||
  fail "--disk $DISK" "has $DISK_MB MB, and two of this system need $((DISK_MB - DATA_MB + LEAST_DATA_MB))" "take a larger card"

mkdir "$WORK/select"
printf '[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n' >"$WORK/select/autoboot.txt"
boot_image "$WORK/select" "$WORK/select.vfat" 32

# As hook.sh does it on the controller
BOOT=$WORK/system/boot.vfat
mcopy -i "$BOOT" ::cmdline.txt "$WORK/cmdline.txt"
words=$(tr ' ' '\n' <"$WORK/cmdline.txt" | grep -vE '^(root=|rauc\.slot=|panic=|r[ow]$|init=/usr/lib/raspberrypi-sys-mods/firstboot|resize$|$)' | tr '\n' ' ')
echo "${words}root=PARTUUID=$DISK_ID-05 rw rauc.slot=A panic=10" >"$WORK/cmdline.txt"
mcopy -o -i "$BOOT" "$WORK/cmdline.txt" ::cmdline.txt
if [ -n "$BOOT_FILES" ]; then
  find "$BOOT_FILES" -maxdepth 1 -type f -exec mcopy -o -i "$BOOT" {} :: \;
fi

data_image "$WORK/data.ext4" 256 "$ETC"
partition_table "$DISK" 32 "$BOOT_MB" "$ROOT_MB"
# What the firmware looks for comes last: a card that was pulled out meanwhile starts nothing
for image in "$BOOT 2" "$WORK/system/rootfs.ext4 5" "$WORK/data.ext4 7" "$WORK/select.vfat 1"; do
  put_image "${image% *}" "$DISK" "${image##* }" || fail "--disk $DISK" "does not keep what is written to it" "run it again; if that comes twice, throw the card away"
done
sync "$DISK"
echo "$DISK: A is $(sed -n 's/^version=//p' "$WORK/system/manifest.raucm"), B waits for its first update, $DATA_MB MB for the door's data"
