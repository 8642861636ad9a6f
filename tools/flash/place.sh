# shellcheck shell=bash
# What makes a system this door's: on the boot partition, by mtools, so that nothing has to be mounted.
#
# Raspberry Pi OS from Trixie on configures itself by cloud-init, from user-data, network-config and meta-data on its boot partition.

BOOT=''

place_files() {
  if [ "$BOARD" = jetson-orin-nano ]; then return 0; fi
  step "Placing this door's files"
  if [ "$DRY_RUN" = 1 ]; then
    say "   would place: user-data network-config meta-data doorward/{bundle.tar,release.pub,names.toml,first-boot.sh${KEYS:+,door.doorward}}"
    return 0
  fi
  open_boot_partition
  make_files
  check_room
  mmd -i "$BOOT" -D s ::doorward 2>>"$LOG" || true
  local file
  for file in doorward/bundle.tar doorward/release.pub doorward/names.toml ${KEYS:+doorward/door.doorward} doorward/first-boot.sh network-config user-data meta-data; do
    put "$file"
  done
  sync "$DEVICE"
  fine "$SITE/$DOOR: ${KEYS:+keys, }bundle and first start are on the card"
}

open_boot_partition() {
  local start
  start=$(sfdisk --dump "$DEVICE" 2>>"$LOG" | sed -nE 's/.*start= *([0-9]+),.*type=(c|b|e|0c|EBD0A0A2.*|C12A7328.*)(,.*|$)/\1/p' | head -1)
  [ -n "$start" ] || fail "the image" "has no boot partition (FAT)" "take Raspberry Pi OS Lite, 64 bit"
  BOOT="$DEVICE@@$((start * 512))"
  export MTOOLS_SKIP_CHECK=1
  mdir -b -i "$BOOT" :: 2>>"$LOG" | grep -qi '/\(user-data\|meta-data\)$' ||
    fail "the image" "does not configure itself by cloud-init" "take Raspberry Pi OS Lite, 64 bit, Trixie of November 2025 or later"
}

make_files() {
  work_folder
  mkdir "$WORK/doorward"
  cp -- "$BUNDLE" "$WORK/doorward/bundle.tar"
  cp -- "$RELEASE_KEY" "$WORK/doorward/release.pub"
  [ -z "$KEYS" ] || cp -- "$KEYS" "$WORK/doorward/door.doorward"
  names >"$WORK/doorward/names.toml"
  cp -- "$HERE/tools/flash/first-boot.sh" "$WORK/doorward/first-boot.sh"
  first_start "$WORK"
}

# first_start FOLDER: what cloud-init looks for
first_start() {
  printf 'instance-id: doorward-%s-%s\n' "$SITE" "$DOOR" >"$1/meta-data"
  user_data >"$1/user-data"
  network_config >"$1/network-config"
}

# Which door this is: all that a controller knows that joins its centre by a code.
names() { printf 'site = "%s"\ndoor = "%s"\n' "$SITE" "$DOOR"; }

# A power cut in the first start is no harm: the unit runs at every start until its own files are gone.
user_data() {
  cat <<TEXT
#cloud-config
hostname: doorward-${DOOR//_/-}
manage_etc_hosts: true
ssh_pwauth: false
enable_ssh: $([ -n "$SSH_KEY" ] && echo true || echo false)
users:
  - name: installer
    groups: [adm, sudo]
    shell: /bin/bash
    lock_passwd: true
    sudo: "ALL=(ALL) NOPASSWD:ALL"
$([ -z "$SSH_KEY" ] || { echo '    ssh_authorized_keys:' && grep . "$SSH_KEY" | sed "s/'/''/g; s/.*/      - '&'/"; })
TEXT
  [ -n "$SYSTEM" ] || installs_at_first_boot
}

installs_at_first_boot() {
  cat <<'TEXT'
write_files:
  - path: /etc/systemd/system/doorward-first-boot.service
    content: |
      [Unit]
      Description=Doorward is installed from the card
      ConditionPathExists=/boot/firmware/doorward/first-boot.sh
      RequiresMountsFor=/boot/firmware
      After=local-fs.target
      [Service]
      Type=oneshot
      ExecStart=/bin/sh /boot/firmware/doorward/first-boot.sh /boot/firmware/doorward
      [Install]
      WantedBy=multi-user.target
runcmd:
  - [systemctl, daemon-reload]
  - [systemctl, enable, --now, doorward-first-boot.service]
TEXT
}

network_config() {
  printf 'network:\n  version: 2\n  ethernets:\n    eth0: {dhcp4: true, optional: true}\n'
  [ -n "$WIFI" ] || return 0
  local key
  key=$(wifi_key)
  printf '  wifis:\n    wlan0:\n      dhcp4: true\n      optional: true\n      regulatory-domain: %s\n      access-points:\n' "$WIFI_COUNTRY"
  printf "        '%s': {password: '%s'}\n" "${WIFI//\'/\'\'}" "$key"
}

# The key that the network itself uses (IEEE 802.11i, PBKDF2), so that the card does not hold a password that may open more than this.
wifi_key() {
  local password
  if [ -n "$WIFI_PASSWORD_FILE" ]; then
    IFS= read -r password <"$WIFI_PASSWORD_FILE" || true
  else
    [ -t 0 ] || fail "--wifi" "nobody is there to ask for its password" "--wifi-password-file FILE"
    read -r -s -p "   Password of '$WIFI': " password && printf '\n' >&2
  fi
  [[ ${#password} -ge 8 && ${#password} -le 63 ]] || fail "--wifi" "a password has 8 to 63 characters" "look at it again"
  printf '%s\n%s' "$WIFI" "$password" | python3 -c 'import hashlib, sys
name, password = sys.stdin.buffer.read().split(b"\n", 1)
print(hashlib.pbkdf2_hmac("sha1", password, name, 4096, 32).hex())'
}

check_room() {
  local free_b wanted_b
  free_b=$(mdir -i "$BOOT" :: 2>>"$LOG" | sed -nE 's/^ *([0-9 ]+) bytes free.*/\1/p' | tr -d ' ')
  wanted_b=$(du -sb "$WORK" | cut -f1)
  [ "${free_b:-0}" -ge "$wanted_b" ] ||
    fail "the boot partition" "has $(human "${free_b:-0}") free, and $(human "$wanted_b") are needed" "take the bundle of this board alone, or an image with a larger boot partition"
}

# put FILE: onto the card and back, to compare
put() {
  mcopy -o -i "$BOOT" "$WORK/$1" "::$1" 2>>"$LOG" || fail "$1" "cannot be put on the card" "run it again; $LOG has the reason"
  mcopy -o -n -i "$BOOT" "::$1" "$WORK/back" 2>>"$LOG" || true
  cmp -s "$WORK/$1" "$WORK/back" || fail "$1" "comes back from the card otherwise than it was put there" "run it again; if that comes twice, throw the card away"
  rm -f "$WORK/back"
  note "   placed $1"
}

nvidia_first() {
  cat <<'TEXT'
from a PC with Ubuntu and NVIDIA's Jetson Linux 36, board in recovery (jumper FC REC to GND), USB-C to the PC:
         sudo ./tools/kernel_flash/l4t_initrd_flash.sh --external-device nvme0n1p1 -c tools/kernel_flash/flash_l4t_t234_nvme.xml \
           -p "-c bootloader/generic/cfg/flash_t234_qspi.xml" --showlogs --network usb0 jetson-orin-nano-devkit internal
         then start it, make a user, and come back with: ./flash.sh --board jetson-orin-nano --ssh USER@HOST …
TEXT
}

say_what_comes_next() {
  if [ "$DRY_RUN" = 1 ]; then
    say "Nothing was written."
  elif [ "$BOARD" = jetson-orin-nano ]; then
    say "The card is written. A Jetson makes its user at its first start, with a monitor; its firmware must be of JetPack 6 or later"
    say "(NVIDIA: JetPack installation, firmware of the Orin Nano). Then: ./flash.sh --board $BOARD --ssh USER@HOST --site $SITE --door $DOOR …"
  else
    say "Done. Put the card into the controller and power it: it needs no network, and about five minutes."
    say "Then stand at the door: sudo doorward commission (docs/INSTALL.md)."
    [ -z "$KEYS" ] || say "The card holds this door's private keys until that start. ${LOG##*/} holds none."
  fi
}
