# shellcheck shell=bash
# Whether this disk may be overwritten, and whether whoever runs this means it.

DISK_B=0

check_disk() {
  step "Looking at the disk"
  DEVICE=$(readlink -f -- "$DEVICE")
  if [ -f "$DEVICE" ]; then
    DISK_B=$(stat -c %s "$DEVICE")
    say "   ! $DEVICE is a file: this is a rehearsal"
  elif [ -b "$DEVICE" ]; then
    check_block_device
    DISK_B=$(lsblk -bndo SIZE "$DEVICE" | tr -d ' ')
  else
    fail "--device $DEVICE" "is no disk" "$(disks_that_could_be)"
  fi
  [ -w "$DEVICE" ] || fail "--device $DEVICE" "you may not write to it" "run it with sudo"
  local wanted_b=$((IMAGE_B + ROOM_MB * 1000000))
  [ "$DISK_B" -ge "$wanted_b" ] ||
    fail "--device $DEVICE" "has $(human "$DISK_B"), and $(human "$wanted_b") are needed: the image and room for journal and pictures" "take a larger card"
  fine "$(described)"
}

check_block_device() {
  local kind
  kind=$(lsblk -ndo TYPE "$DEVICE" | tr -d ' ')
  case $kind in
  disk | loop) ;;
  part) fail "--device $DEVICE" "is a partition" "name the whole disk: /dev/$(lsblk -ndo PKNAME "$DEVICE")" ;;
  *) fail "--device $DEVICE" "is of the kind '$kind'" "name a card or a stick" ;;
  esac
  local mounts
  mounts=$(lsblk -nro MOUNTPOINTS "$DEVICE" | grep . || true)
  if grep -qxE '/|/boot.*|/usr|/home|\[SWAP\]' <<<"$mounts"; then
    fail "--device $DEVICE" "this computer runs from it" "$(disks_that_could_be)"
  fi
  [ -z "$mounts" ] || fail "--device $DEVICE" "is mounted at ${mounts//$'\n'/, }" "umount it first, if it is the right one"
  if lsblk -nro TYPE "$DEVICE" | grep -qvxE 'disk|loop|part'; then
    fail "--device $DEVICE" "is part of an array, a volume group or an encrypted disk" "name a card or a stick"
  fi
  [ "$(lsblk -ndo RO "$DEVICE" | tr -d ' ')" = 0 ] || fail "--device $DEVICE" "is protected against writing" "move the small slider on the card's side"
  if [ "$BOARD" = jetson-orin-nano ] && [[ $DEVICE == /dev/nvme* ]]; then fail "--device $DEVICE" "NVMe of a Jetson" "$(nvidia_first)"; fi
}

disks_that_could_be() {
  local found
  found=$(lsblk -dnpo NAME,SIZE,MODEL,TRAN 2>/dev/null | grep -E 'usb|mmcblk' | tr -s ' ' | paste -sd ';' || true)
  echo "cards and sticks here: ${found:-none}"
}

described() {
  local model=''
  [ ! -b "$DEVICE" ] || model=$(lsblk -ndo MODEL,SERIAL "$DEVICE" | tr -s ' ' | sed 's/^ *//; s/ *$//')
  echo "${DEVICE} $(human "$DISK_B")${model:+ ($model)}"
}

confirm_disk() {
  local words typed
  words="${DEVICE##*/} $(human "$DISK_B")"
  say "   ALL of $(described) will be overwritten."
  if [ "$DRY_RUN" = 1 ]; then
    say "   would ask for: $words"
    return 0
  fi
  typed=$YES
  if [ -z "$typed" ]; then
    [ -t 0 ] || fail "not confirmed" "nobody is there to ask" "--yes '$words'"
    read -r -p "   Type '$words' to go on: " typed
  fi
  [ "$typed" = "$words" ] || fail "not confirmed" "'$typed' is not '$words'" "nothing was written; look again at which disk it is"
  note "   confirmed: $words"
}
