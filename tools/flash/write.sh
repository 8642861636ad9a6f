# shellcheck shell=bash
# The image: its sum, onto the disk in pieces that survive a pulled plug, and back again to compare.
#
# dd in pieces and not bmaptool: every byte is compared with what the disk really returns, holes included, and a write that was cut
# off goes on at the last piece that the disk had confirmed (conv=fsync). A card that is pulled out leaves no file of its name (nocreat).

PIECE_B=$((16 * 1048576))
IMAGE_B=0 STATE=''

check_image() {
  step "Looking at the image"
  check_readable --image "$IMAGE" "download it first"
  if [ -z "$SUM" ]; then
    check_readable "the image's sum" "$IMAGE.sha256" "download it as well, or give --sha256"
    SUM=$(awk '{print $1; exit}' "$IMAGE.sha256")
  fi
  [[ ${SUM,,} =~ ^[0-9a-f]{64}$ ]] || fail "the image's sum" "'$SUM' is no SHA-256" "64 of 0-9 and a-f"
  local is
  is=$(sha256sum <"$IMAGE" | cut -d' ' -f1)
  [ "$is" = "${SUM,,}" ] || fail "--image $IMAGE" "its sum is $is and should be ${SUM,,}" "download it again; do not use it"
  case $IMAGE in
  *.xz) IMAGE_B=$(xz --robot --list "$IMAGE" | awk '$1 == "totals" {print $5}') ;;
  *) IMAGE_B=$(stat -c %s "$IMAGE") ;;
  esac
  [[ ${IMAGE_B:-0} -gt 0 && $((IMAGE_B % 512)) = 0 ]] || fail "--image $IMAGE" "holds $IMAGE_B bytes, which is no disk" "take an .img or .img.xz"
  fine "${IMAGE##*/}: sum is right, $(human "$IMAGE_B") to write"
}

image_bytes() {
  case $IMAGE in
  *.xz) xz -dc -- "$IMAGE" ;;
  *) cat -- "$IMAGE" ;;
  esac
}

# Belongs to this image and this disk alone. What it says is believed only until the reading back.
open_state() {
  local folder=${XDG_STATE_HOME:-$HOME/.local/state}/doorward-flash
  mkdir -p "$folder"
  STATE=$folder/$(printf '%s %s %s' "$SUM" "$(described)" "$DISK_B" | sha256sum | cut -c1-20)
}

write_image() {
  step "Writing"
  if [ "$DRY_RUN" = 1 ]; then
    say "   would write $(human "$IMAGE_B") to $DEVICE in pieces of $(human "$PIECE_B")"
    return 0
  fi
  open_state
  local done_b=0
  [ ! -s "$STATE" ] || done_b=$(<"$STATE")
  [[ $done_b =~ ^[0-9]+$ ]] && [ "$done_b" -le "$IMAGE_B" ] || done_b=0
  [ "$done_b" = 0 ] || say "   goes on at $(human "$done_b")"
  image_bytes | {
    [ "$done_b" = 0 ] || head -c "$done_b" >/dev/null
    write_pieces "$done_b"
  } || fail "writing" "stopped at $(human "$(cat "$STATE" 2>/dev/null || echo 0)")" "is the card still in? Run the same command again: it goes on from there"
  fine "written"
}

write_pieces() {
  local at_b=$1 told
  while [ "$at_b" -lt "$IMAGE_B" ]; do
    told=$(LC_ALL=C dd of="$DEVICE" bs=1M count="$((PIECE_B / 1048576))" iflag=fullblock oflag=seek_bytes seek="$at_b" conv=nocreat,notrunc,fsync 2>&1) ||
      { note "$told" && return 1; }
    local wrote_b
    wrote_b=$(awk '/ copied/ {print $1}' <<<"$told")
    [ "${wrote_b:-0}" -gt 0 ] || return 1
    at_b=$((at_b + wrote_b))
    echo "$at_b" >"$STATE"
    progress "$at_b" "$IMAGE_B" writing
  done
}

read_back() {
  step "Reading back"
  if [ "$DRY_RUN" = 1 ]; then
    say "   would compare all $(human "$IMAGE_B") with the image"
    return 0
  fi
  [ ! -b "$DEVICE" ] || blockdev --flushbufs "$DEVICE"
  local differs
  differs=$(image_bytes | first_difference) || true
  if [ -n "$differs" ]; then
    rm -f "$STATE"
    fail "reading back" "the disk differs from the image near $(human "$differs")" "run it again; if that comes twice, throw the card away"
  fi
  rm -f "$STATE"
  fine "the disk holds the image, byte for byte"
}

# Where the disk first differs from standard input, to a piece; nothing where it does not.
first_difference() {
  local at_b=0 n wanted found from_disk=fullblock
  [ ! -b "$DEVICE" ] || from_disk=fullblock,direct
  while [ "$at_b" -lt "$IMAGE_B" ]; do
    n=$((IMAGE_B - at_b < PIECE_B ? IMAGE_B - at_b : PIECE_B))
    wanted=$(head -c "$n" | sha256sum)
    found=$(dd if="$DEVICE" bs=1M iflag="$from_disk,skip_bytes,count_bytes" skip="$at_b" count="$n" status=none | sha256sum)
    [ "$wanted" = "$found" ] || { echo "$at_b" && return 0; }
    at_b=$((at_b + n))
    progress "$at_b" "$IMAGE_B" reading
  done
}
