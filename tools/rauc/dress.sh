#!/usr/bin/env bash
# Makes a root file system one of the two systems of a controller: RAUC's settings, the board's boot loader, the judge, the data partition.
#   tools/rauc/dress.sh BOARD ROOT KEYRING RELEASE
# ROOT is a folder that holds the system, with Doorward and RAUC installed; KEYRING what doors believe; RELEASE a name such as 0.7.0+2026-11-24.
set -Eeuo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

fail() {
  echo "dress.sh: $1: $2. Mend: $3" >&2
  exit 1
}

BOARD=${1:-} ROOT=${2:-} KEYRING=${3:-} RELEASE=${4:-}
case $BOARD in
pi4 | pi5) BOOTLOADER=bootloader=custom BACKEND=boot-pi SELECT=ro ;;
jetson-orin-nano) BOOTLOADER=bootloader=custom BACKEND=boot-jetson SELECT='' ;;
rehearsal) BOOTLOADER=$'bootloader=grub\ngrubenv=/boot/select/grub/grubenv' BACKEND='' SELECT=rw,sync ;;
*) fail "'$BOARD'" "is no board" "pi5, pi4, jetson-orin-nano or rehearsal" ;;
esac
[ -x "$ROOT/lib/systemd/systemd" ] || fail "'$ROOT'" "is no root file system with systemd" "a folder that a system was unpacked into"
{ [ -x "$ROOT/usr/bin/rauc" ] && [ -e "$ROOT/lib/systemd/system/rauc.service" ]; } || fail "$ROOT" "has no RAUC" "install the packages rauc and rauc-service into it"
openssl x509 -in "$KEYRING" -noout 2>/dev/null || fail "'$KEYRING'" "holds no certificate" "keys.sh make FOLDER; then FOLDER/keyring.pem"
! grep -q 'PRIVATE KEY' "$KEYRING" || fail "$KEYRING" "holds a private key, which belongs into no system" "FOLDER/keyring.pem"
[[ $RELEASE =~ ^[A-Za-z0-9._+-]{1,60}$ ]] || fail "'$RELEASE'" "is no name of a release" "1 to 60 of letters, digits, . _ + -"

put() { # RIGHTS NAME PATH
  install -D -m "$1" "$HERE/on_board/$2" "$ROOT/$3"
}

system_conf() {
  local a=/dev/disk/by-partuuid/d00d0a0b-05 b=/dev/disk/by-partuuid/d00d0a0b-06 backend=''
  if [ "$BOARD" = jetson-orin-nano ]; then a=/dev/disk/by-partlabel/APP b=/dev/disk/by-partlabel/APP_b; fi
  [ -z "$BACKEND" ] || backend="bootloader-custom-backend=/usr/lib/doorward-system/$BACKEND"
  awk -v board="$BOARD" -v loader="$BOOTLOADER" -v backend="$backend" -v a="$a" -v b="$b" \
    '{gsub("@BOARD@", board); gsub("@BOOTLOADER@", loader); gsub("@BACKEND@", backend); gsub("@ROOT_A@", a); gsub("@ROOT_B@", b); print}' \
    "$HERE/on_board/system.conf"
  [ "$BOARD" = jetson-orin-nano ] || cat "$HERE/on_board/system-boot.conf"
}

fstab() {
  if [ "$BOARD" = jetson-orin-nano ]; then
    sed 's#@DATA@#PARTLABEL=doorward-data#; /@SELECT@/d' "$HERE/on_board/fstab"
  else
    sed "s#@DATA@#PARTUUID=d00d0a0b-07#; s#@SELECT@#$SELECT#" "$HERE/on_board/fstab"
  fi
}

put 755 doorward-system usr/lib/doorward-system/doorward-system
put 755 before-install usr/lib/doorward-system/before-install
[ -z "$BACKEND" ] || put 755 "$BACKEND" "usr/lib/doorward-system/$BACKEND"
[ "$BACKEND" != boot-pi ] || put 755 into-trial usr/lib/systemd/system-shutdown/doorward-into-trial
[ "$BOARD" = jetson-orin-nano ] || put 755 slot-generator usr/lib/systemd/system-generators/doorward-slot
# Not in /etc/systemd/system, where a bundle of the program keeps its own units and removes all others of this name
put 644 doorward-mark-good.service usr/lib/systemd/system/doorward-mark-good.service
put 644 data.conf usr/lib/systemd/system/doorward-.service.d/data.conf
put 644 commissioned.conf usr/lib/systemd/system/doorward.target.d/commissioned.conf
for unit in emergency rescue; do put 644 emergency.conf "etc/systemd/system/$unit.service.d/doorward.conf"; done
ln -sfr "$ROOT/usr/lib/doorward-system/doorward-system" "$ROOT/usr/sbin/doorward-system"
mkdir -p "$ROOT/etc/systemd/system/multi-user.target.wants" "$ROOT"/{data,boot/firmware,boot/select,etc/doorward,var/lib/doorward,var/lib/doorward-update}
wants=$ROOT/etc/systemd/system/multi-user.target.wants
ln -sf /usr/lib/systemd/system/doorward-mark-good.service "$wants/doorward-mark-good.service"
ln -sf /etc/systemd/system/doorward.target "$wants/doorward.target"
# Debian's own marks every start as good that reaches it; NVIDIA's does the same
for unit in rauc-mark-good nv_update_verifier; do ln -sf /dev/null "$ROOT/etc/systemd/system/$unit.service"; done
install -D -m 644 "$KEYRING" "$ROOT/etc/rauc/keyring.pem"
system_conf >"$ROOT/etc/rauc/system.conf"
fstab >"$ROOT/etc/fstab"
echo "$RELEASE" >"$ROOT/usr/lib/doorward-system/release"
# A new slot is set up by cloud-init as a new card is; the keys that its owner knows it by come from the system that ran before
[ ! -d "$ROOT/etc/cloud" ] || install -D -m 644 /dev/stdin "$ROOT/etc/cloud/cloud.cfg.d/90-doorward.cfg" <<<'ssh_deletekeys: false'
rm -f "$ROOT/etc/doorward-slot"
