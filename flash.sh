#!/usr/bin/env bash
# Writes a door's card on an installer's computer, or installs a controller that has booted already. `./flash.sh --help` says how.
#
# The order is the safety: everything that can be refused is refused before the first byte is written, the disk's owner types its
# name and size, and what was written is read back from the disk itself before anybody trusts it.
set -Eeuo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tools/flash/say.sh
. "$HERE/tools/flash/say.sh"
# shellcheck source=tools/flash/inputs.sh
. "$HERE/tools/flash/inputs.sh"
# shellcheck source=tools/flash/bundle.sh
. "$HERE/tools/flash/bundle.sh"
# shellcheck source=tools/flash/disk.sh
. "$HERE/tools/flash/disk.sh"
# shellcheck source=tools/flash/write.sh
. "$HERE/tools/flash/write.sh"
# shellcheck source=tools/flash/place.sh
. "$HERE/tools/flash/place.sh"
# shellcheck source=tools/flash/system.sh
. "$HERE/tools/flash/system.sh"
# shellcheck source=tools/flash/remote.sh
. "$HERE/tools/flash/remote.sh"

usage() {
  cat <<'TEXT'
A card for a new door:
  ./flash.sh --board pi5|pi4|jetson-orin-nano --image IMAGE[.xz]
             --device /dev/DISK --site SITE --door DOOR
             --bundle BUNDLE.tar [--keys DOOR.doorward] [more]
A card with two places for whole systems, which can be updated and
go back as a whole (docs/UPDATES.md; pi5, pi4):
  ./flash.sh --board BOARD --system FILE.raucb --keyring KEYRING.pem
             --device /dev/DISK --site SITE --door DOOR
             --release-key FILE [--keys DOOR.doorward] [more]
A controller that has booted already:
  ./flash.sh --board BOARD --ssh USER@HOST --site SITE --door DOOR
             --bundle BUNDLE.tar [--keys DOOR.doorward]

  --image FILE        the system; its sum is looked for in FILE.sha256
  --sha256 SUM        or said here: the sum of the file as downloaded
  --device DISK       a whole disk; an ordinary file is a rehearsal
  --bundle FILE       what `make bundle` made for this board
  --release-key FILE  release.pub: whose bundles this door will believe;
                      left out, the one beside the bundle
  --keys FILE         what `doorward central enrol-door` made for this
                      door, with its private keys; left out, the door
                      joins by a code: `doorward commission`
  --system FILE       what `make system-bundle` made: all of it is looked
                      at and read back; --keyring: who may have signed it
  --ssh-key FILE      public key that may sign in as 'installer'; without
                      one nobody can, and there is never a password
  --wifi NAME         network; its password is asked for, or read from
                      --wifi-password-file FILE
  --wifi-country CC   two letters, such as DE; radio is off without it
  --room-mb N         what must be left for journal and pictures (2048)
  --yes 'NAME SIZE'   the words that are else typed before the disk is
                      overwritten
  --log FILE          ./flash-SITE-DOOR.log; it holds no secrets and may
                      be sent to support
  --dry-run           look at everything, print each step, write nothing

Interrupted? The same command again: what lies on the disk already is
kept, and all of it is read back at the end.
TEXT
}

main() {
  read_arguments "$@"
  start_log
  check_inputs
  if [ -n "$SSH" ]; then
    install_over_ssh
    return
  fi
  if [ -n "$SYSTEM" ]; then check_system; else check_image; fi
  check_disk
  confirm_disk
  if [ -n "$SYSTEM" ]; then
    write_system
  else
    write_image
    read_back
    place_files
  fi
  say_what_comes_next
}

main "$@"
