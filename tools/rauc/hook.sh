#!/bin/sh
# Travels in the bundle, signed with it. RAUC (in the system that runs) calls it when a slot was written, with that slot mounted.
set -eu

# What tells this controller from others, for a root file system that is the same on all of them
carry() {
  into=$RAUC_SLOT_MOUNT_POINT
  same_people
  for path in etc/machine-id etc/hostname etc/hosts etc/ssh etc/NetworkManager/system-connections etc/netplan \
    etc/timezone etc/localtime var/lib/systemd/credential.secret var/lib/systemd/timesync/clock; do
    [ -e "/$path" ] || continue
    case $path in
    etc/ssh) find /etc/ssh -maxdepth 1 -name 'ssh_host_*' -exec cp -a {} "$into/etc/ssh/" \; ;;
    *) mkdir -p "$into/$(dirname "$path")" && cp -aT "/$path" "$into/$path" ;;
    esac
  done
  # What the installer switched on for this door's camera or inputs
  for folder in /etc/systemd/system/doorward-*.d; do
    [ ! -d "$folder" ] || cp -a "$folder" "$into/etc/systemd/system/"
  done
  cat /proc/sys/kernel/random/uuid >"$into/etc/doorward-slot"
  sync -f "$into"
}

# Files on the data partition belong to numbers, not to names: a system that has another number for 'doorward' could not read its own keys
same_people() {
  here=$(sed -n 's/^doorward:[^:]*:\([0-9]*:[0-9]*\):.*/\1/p' /etc/passwd)
  there=$(sed -n 's/^doorward:[^:]*:\([0-9]*:[0-9]*\):.*/\1/p' "$into/etc/passwd")
  if [ -n "$here" ] && [ "$here" != "$there" ]; then
    echo "this bundle's user doorward is ${there:-nobody}, and here it is $here: its system could not read this door's files" >&2
    exit 1
  fi
}

# A Raspberry Pi's kernel is told by its boot partition which root belongs to it; and how this door was set up lies there, for cloud-init
name_root() {
  into=$RAUC_SLOT_MOUNT_POINT
  case $RAUC_SLOT_NAME in
  boot.0) root=05 slot=A ;;
  boot.1) root=06 slot=B ;;
  *) echo "$RAUC_SLOT_NAME: no boot slot of Doorward" >&2 && exit 1 ;;
  esac
  [ -e "$into/cmdline.txt" ] || return 0
  words=$(tr ' ' '\n' <"$into/cmdline.txt" | grep -vE '^(root=|rauc\.slot=|panic=|r[ow]$|$)' | tr '\n' ' ')
  echo "${words}root=PARTUUID=d00d0a0b-$root rw rauc.slot=$slot panic=10" >"$into/cmdline.txt"
  for file in user-data network-config meta-data; do
    [ ! -e "/boot/firmware/$file" ] || cp "/boot/firmware/$file" "$into/$file"
  done
  sync -f "$into"
}

# A Jetson's root file system names itself to its kernel
name_jetson() {
  config=$RAUC_SLOT_MOUNT_POINT/boot/extlinux/extlinux.conf
  [ -e "$config" ] || return 0
  case $RAUC_SLOT_NAME in
  rootfs.0) slot=A ;;
  *) slot=B ;;
  esac
  root=$(blkid -s PARTUUID -o value "$RAUC_SLOT_DEVICE" || true)
  [ -n "$root" ] || { echo "$RAUC_SLOT_DEVICE has no PARTUUID: was this Jetson flashed with ROOTFS_AB=1?" >&2 && exit 1; }
  sed -i "/^ *APPEND /{s/ rauc\.slot=[AB]//g; s/ panic=[0-9]*//g; s#root=[^ ]*#root=PARTUUID=$root#; s/\$/ rauc.slot=$slot panic=10/}" "$config"
  sync -f "$RAUC_SLOT_MOUNT_POINT"
}

case "$1:${RAUC_SLOT_CLASS:-}" in
slot-post-install:rootfs) name_jetson && carry ;;
slot-post-install:boot) name_root ;;
esac
