# shellcheck shell=bash
# A card with two places for whole systems: the first gets the one of a signed bundle, the second waits for its first update
# (docs/UPDATES.md). tools/rauc/lay_out.sh writes it, and reads back what it wrote.

check_system() {
  step "Looking at the system"
  check_tools rauc mkfs.vfat mke2fs debugfs
  check_readable --system "$SYSTEM" "make it with: make system-bundle BOARD=$BOARD …"
  check_readable --keyring "$KEYRING" "keyring.pem of whoever signs your systems"
  local told is_for
  told=$(rauc --keyring "$KEYRING" info --output-format=shell "$SYSTEM" 2>>"$LOG") ||
    fail "--system $SYSTEM" "is not signed by anybody of ${KEYRING##*/}, or broken" "get it again; do not use it; $LOG has the reason"
  is_for=$(said RAUC_MF_COMPATIBLE "$told")
  [ "$is_for" = "doorward-$BOARD" ] || fail "--system $SYSTEM" "is for '${is_for#doorward-}', not for $BOARD" "make system-bundle BOARD=$BOARD …"
  IMAGE_B=$(awk -F"[='\"]+" '/^RAUC_IMAGE_SIZE_/ {sum += $2} END {print 2 * sum + 37 * 1048576}' <<<"$told")
  fine "${SYSTEM##*/}: release $(said RAUC_MF_VERSION "$told") for $BOARD, signed; two of it are $(human "$IMAGE_B")"
}

# said NAME TEXT: of NAME='VALUE' lines
said() { sed -nE "s/^$1='?([^']*)'?$/\1/p" <<<"$2"; }

write_system() {
  step "Writing the system, reading it back, placing this door's files (several minutes)"
  if [ "$DRY_RUN" = 1 ]; then
    say "   would part $DEVICE into two places, write ${SYSTEM##*/} to the first, and place: user-data network-config meta-data /etc/doorward"
    return 0
  fi
  work_folder
  mkdir "$WORK/boot" "$WORK/etc"
  first_start "$WORK/boot"
  settings_of_this_door "$WORK/etc"
  LEAST_DATA_MB=$((ROOM_MB * 1000000 / 1048576)) "$HERE/tools/rauc/lay_out.sh" --system "$SYSTEM" --keyring "$KEYRING" --disk "$DEVICE" \
    --etc "$WORK/etc" --boot-files "$WORK/boot" >"$WORK/said" 2>&1 || {
    note "$(<"$WORK/said")"
    fail "--device $DEVICE" "$(sed -n 's/^✗ //p' "$WORK/said" | head -1)" "run the same command again: it begins anew; $LOG has the rest"
  }
  note "$(<"$WORK/said")"
  fine "$SITE/$DOOR: system A, ${KEYS:+keys, }settings and first start are on the card, and were read back"
}

# What becomes /etc/doorward: as first-boot.sh leaves it on a card with one place.
settings_of_this_door() {
  cp -- "$RELEASE_KEY" "$1/release.pub"
  names >"$WORK/names.toml"
  local begins=$WORK/names.toml
  if [ -n "$KEYS" ]; then
    tar -xf "$KEYS" -C "$1" --no-same-owner
    begins=$1/link.toml
  fi
  { cat "$begins" && printf '\n[vision]\ncamera = "rpicam:0"\n'; } >"$1/door.toml"
  chmod 644 "$1/door.toml" "$1/release.pub"
}
