# shellcheck shell=bash
# One disk, two systems: its partitions, and the images that lie on them. Nothing is mounted: all of it works on image files too.
#
#   1 select  FAT   which system the firmware starts: autoboot.txt (rehearsal: GRUB with grubenv)
#   2 boot A  FAT   kernel and firmware of A            5 root A  ext4
#   3 boot B  FAT   the same of B                       6 root B  ext4
#   4 the frame around 5, 6 and 7 (MBR)                 7 data    ext4: the door's keys, journal, people
#
# An MBR, as on Raspberry Pi OS's own image. The disk's number is always the same, so that one image fits every card.
export DISK_ID=d00d0a0b
PATH=$PATH:/usr/sbin:/sbin

# partition_table DISK SELECT_MB BOOT_MB ROOT_MB: data gets the rest
partition_table() {
  local boot_s=$(($3 * 2048)) root_s=$(($4 * 2048))
  sfdisk --quiet --wipe always --wipe-partitions always "$1" <<TEXT
label: dos
label-id: 0x$DISK_ID
unit: sectors
start=2048, size=$(($2 * 2048)), type=c
size=$boot_s, type=c
size=$boot_s, type=c
type=5
size=$root_s, type=83
size=$root_s, type=83
type=83
TEXT
}

# partition DISK N START|SIZE, in bytes
partition() {
  sfdisk --json "$1" | python3 -c '
import json, sys
number, what = sys.argv[1], sys.argv[2]
for p in json.load(sys.stdin)["partitiontable"]["partitions"]:
    if p["node"].endswith(number):
        print(p[what.lower()] * 512)
' "$2" "$3"
}

# put_image IMAGE DISK N
put_image() {
  local start_b size_b how=notrunc
  start_b=$(partition "$2" "$3" START)
  size_b=$(partition "$2" "$3" SIZE)
  if [ "$(stat -c %s "$1")" -gt "$size_b" ]; then
    echo "$(basename "$1") has $(stat -c %s "$1") bytes, partition $3 has $size_b" >&2
    return 1
  fi
  [ -b "$2" ] || how=notrunc,sparse
  dd if="$1" of="$2" bs=4M oflag=seek_bytes seek="$start_b" conv="$how,fsync" status=none
  came_back "$1" "$2" "$start_b"
}

# came_back IMAGE DISK START_B: compared with what the disk itself returns, and not this computer's memory of it
came_back() {
  local direct='' length_b
  length_b=$(stat -c %s "$1")
  [ ! -b "$2" ] || direct=direct,
  if ! dd if="$2" bs=1M iflag="${direct}fullblock,skip_bytes,count_bytes" skip="$3" count="$length_b" status=none | cmp -s - "$1"; then
    echo "$2 does not hold what was written from $(basename "$1")" >&2
    return 1
  fi
}

# Times, numbers and order that would differ from one making to the next are given: the same folder makes the same image.
STAMP=${SOURCE_DATE_EPOCH:-1700000000}

# root_image FOLDER IMAGE MB
root_image() {
  rm -f "$2"
  truncate -s "$3M" "$2"
  E2FSPROGS_FAKE_TIME=$STAMP mke2fs -q -F -t ext4 -L system -U 6f2b7a54-5f0f-4b6e-9d5e-5d00d0a0b005 -m 1 \
    -E hash_seed=6f2b7a54-5f0f-4b6e-9d5e-5d00d0a0b005,lazy_itable_init=0,lazy_journal_init=0 -d "$1" "$2"
}

# boot_image FOLDER IMAGE MB
boot_image() {
  rm -f "$2"
  truncate -s "$3M" "$2"
  SOURCE_DATE_EPOCH=$STAMP mkfs.vfat --invariant -i "$DISK_ID" -n BOOT "$2" >/dev/null
  (
    cd "$1" || exit
    find . -mindepth 1 -type d | LC_ALL=C sort | while read -r folder; do SOURCE_DATE_EPOCH=$STAMP mmd -i "$2" "::${folder#./}"; done
    find . -type f | LC_ALL=C sort | while read -r file; do SOURCE_DATE_EPOCH=$STAMP mcopy -m -i "$2" "$file" "::${file#./}"; done
  )
}

# data_image IMAGE MB [ETC]: ETC is a folder whose files become /etc/doorward
data_image() {
  local folder
  folder=$(mktemp -d)
  mkdir -p "$folder"/{system,doorward/state,doorward/etc,doorward/update}
  [ -z "${3:-}" ] || cp -a "$3/." "$folder/doorward/etc/"
  rm -f "$1"
  truncate -s "$2M" "$1"
  mke2fs -q -F -t ext4 -L data -E lazy_itable_init=0,lazy_journal_init=0 -d "$folder" "$1"
  owners "$folder" | debugfs -w -f - "$1" >/dev/null 2>&1
  rm -r "$folder"
}

# owners FOLDER: whoever makes the card, its files are root's; those that the door must read are the door's, who has this number everywhere
owners() {
  local path of
  find "$1" -mindepth 1 -printf '%P\n' | while IFS= read -r path; do
    case $path in
    doorward/etc/link | doorward/etc/link/* | doorward/etc/door.key) of=880 ;;
    *) of=0 ;;
    esac
    printf 'sif "/%s" uid %s\nsif "/%s" gid %s\n' "$path" "$of" "$path" "$of"
  done
}
