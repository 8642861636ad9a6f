#!/usr/bin/env bash
# A disk with two systems for a virtual machine: partitions as on a Raspberry Pi's card, and GRUB (UEFI) where the Pi has its firmware.
#   tools/rauc/rehearsal_disk.sh IMAGES ETC DISK [DATA_MB]
# IMAGES is a folder with rootfs.ext4 and boot.vfat (system_bundle.sh --images); A gets them, B is empty; ETC is what
# becomes /etc/doorward. DISK is made anew.
set -Eeuo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tools/rauc/disk.sh
. "$HERE/disk.sh"

IMAGES=${1:?the folder with the images?} ETC=${2:?what becomes /etc/doorward?} DISK=${3:?which file?} DATA_MB=${4:-640}
MODULES=(part_msdos fat ext2 normal configfile linux loadenv test echo serial terminal sleep reboot halt minicmd)
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/doorward-disk.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

select_image() {
  mkdir -p "$WORK/select/grub"
  mkdir -p "$WORK/select/EFI/BOOT" # where UEFI looks on a disk that it does not know
  grub-mkimage -O x86_64-efi -p '(hd0,msdos1)/grub' -o "$WORK/select/EFI/BOOT/BOOTX64.EFI" "${MODULES[@]}"
  cp "$HERE/on_board/grub.cfg" "$WORK/select/grub/grub.cfg"
  grub-editenv "$WORK/select/grub/grubenv" create
  grub-editenv "$WORK/select/grub/grubenv" set 'ORDER=A B' A_OK=1 A_TRY=0 B_OK=0 B_TRY=0
  boot_image "$WORK/select" "$WORK/select.vfat" 16
}

ROOT_MB=$(($(stat -c %s "$IMAGES/rootfs.ext4") / 1048576))
BOOT_MB=$(($(stat -c %s "$IMAGES/boot.vfat") / 1048576))
rm -f "$DISK"
truncate -s $((1 + 16 + 2 * BOOT_MB + 2 * ROOT_MB + 4 + DATA_MB))M "$DISK"
partition_table "$DISK" 16 "$BOOT_MB" "$ROOT_MB"
select_image
data_image "$WORK/data.ext4" $((DATA_MB - 1)) "$ETC"
put_image "$WORK/select.vfat" "$DISK" 1
put_image "$IMAGES/boot.vfat" "$DISK" 2
put_image "$IMAGES/rootfs.ext4" "$DISK" 5
put_image "$WORK/data.ext4" "$DISK" 7
