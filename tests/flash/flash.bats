#!/usr/bin/env bats
# An installer's card: real images with real file systems, a centre's real keys, loop devices where the kernel gives them.

bats_require_minimum_version 1.5.0

setup_file() {
  export HERE ROOT
  HERE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  ROOT=$BATS_FILE_TMPDIR
  doorward=${DOORWARD:-$HERE/.venv/bin/doorward}
  mkdir "$ROOT/out"
  "$doorward" central init "$ROOT/site" --site hq --host 127.0.0.1 --broker-user "$(id -un)" --centre-user "$(id -un)" >/dev/null
  for door in front back; do "$doorward" central enrol-door "$ROOT/site" hq "$door" --out "$ROOT/out" >/dev/null; done
  make_image "$ROOT/pi.img"
  xz -T1 -0 -k "$ROOT/pi.img"
  (cd "$ROOT" && sha256sum pi.img >pi.img.sha256 && sha256sum pi.img.xz >pi.img.xz.sha256)
  mkdir "$ROOT/bundle" && echo 'echo installed' >"$ROOT/bundle/install.sh"
  openssl genpkey -algorithm ed25519 -out "$ROOT/release.key" && openssl pkey -in "$ROOT/release.key" -pubout -out "$ROOT/release.pub"
  make_bundle "$ROOT/bundle" "$ROOT/bundle.tar"
  ssh-keygen -q -t ed25519 -N '' -C "o'brien" -f "$ROOT/key"
}

# As Raspberry Pi's: a FAT partition that holds cloud-init's files, and an ext4 behind it.
make_image() {
  truncate -s 64M "$1"
  printf 'label: dos\nstart=2048, size=40960, type=c\nstart=43008, type=83\n' | /sbin/sfdisk -q "$1"
  mformat -i "$1@@1048576" -T 40960 -h 64 -s 32 ::
  for file in user-data meta-data network-config config.txt; do
    echo '# as delivered' >"$ROOT/$file" && mcopy -i "$1@@1048576" "$ROOT/$file" "::$file"
  done
  mke2fs -q -t ext4 -E offset=$((43008 * 512)) "$1" 40M 2>/dev/null
  dd if=/dev/urandom of="$1" bs=1M seek=40 count=16 conv=notrunc status=none
}

# make_bundle FOLDER TAR [BOARD]: as `make bundle` does it, of what lies in the folder
make_bundle() {
  (cd "$1" && rm -f manifest.* && python3 - "${3:-pi5}" <<'PYTHON'
import hashlib, json, pathlib, sys
files = {str(f): {"sha256": hashlib.sha256(f.read_bytes()).hexdigest(), "size_b": f.stat().st_size} for f in pathlib.Path().rglob("*") if f.is_file()}
pathlib.Path("manifest.json").write_text(json.dumps({"format": 1, "version": "0.1.0", "board": sys.argv[1], "pythons": ["3.13"], "files": files}))
PYTHON
    openssl pkeyutl -sign -inkey "$ROOT/release.key" -rawin -in manifest.json -out manifest.sig)
  tar -cf "$2" -C "$1" .
}

setup() {
  export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
  cd "$BATS_TEST_TMPDIR"
  truncate -s 100M card
}

teardown() {
  [ -z "${SERVER:-}" ] || kill "$SERVER"
  [ -z "${LOOP:-}" ] || { umount "$LOOP"* 2>/dev/null || true; losetup -d "$LOOP"; }
}

flash() {
  run "$HERE/flash.sh" --board pi5 --image "$ROOT/pi.img.xz" --device card --site hq --door front --keys "$ROOT/out/front.doorward" \
    --bundle "$ROOT/bundle.tar" --ssh-key "$ROOT/key.pub" --room-mb 20 --yes 'card 104.9MB' "$@"
}

says() { [[ "$output" == *"$1"* ]] || { echo "not said: $1"; echo "$output"; return 1; }; }

refused() {
  [ "$status" = 3 ] || { echo "ended with $status"; echo "$output"; return 1; }
  says "$1"
}

untouched() { cmp -n 104857600 card /dev/zero; }

on_card() { mtype -i card@@1048576 "::$1"; }

with_loop() {
  [ "$(id -u)" = 0 ] || skip "loop devices want root"
  LOOP=$(losetup -fP --show "$1" 2>/dev/null) || skip "no loop device here"
  blockdev --setrw "$LOOP" # the device keeps what another file was
}

@test "a card is written, read back, and holds what its door needs" {
  flash
  [ "$status" = 0 ] || { echo "$output"; false; }
  says "the disk holds the image, byte for byte"
  cmp -n $((43 * 1048576)) -i $((21 * 1048576)) card "$ROOT/pi.img"
  on_card doorward/bundle.tar | cmp - "$ROOT/bundle.tar"
  on_card doorward/door.doorward | cmp - "$ROOT/out/front.doorward"
  on_card doorward/first-boot.sh | sh -n
}

@test "its first start gives nobody a password, and the named key a way in" {
  flash
  on_card user-data | python3 -c '
import sys, yaml
told = yaml.safe_load(sys.stdin)
(user,) = told["users"]
assert told["hostname"] == "doorward-front" and told["ssh_pwauth"] is False and user["lock_passwd"] is True, told
assert "passwd" not in str(sorted(user.keys() - {"lock_passwd"})) and user["ssh_authorized_keys"] == [open(sys.argv[1]).read().strip()], user
assert "first-boot.sh" in told["write_files"][0]["content"]' "$ROOT/key.pub"
}

@test "without a key nobody can sign in, and that is said" {
  flash --ssh-key ''
  [ "$status" = 0 ]
  says "nobody will be able to sign in"
  on_card user-data | python3 -c 'import sys, yaml; told = yaml.safe_load(sys.stdin); assert told["enable_ssh"] is False and "ssh_authorized_keys" not in told["users"][0]'
}

@test "a radio's password is on the card as the network's own key, and nowhere else" {
  echo 'ThisIsAPassword' >secret # the vector of IEEE 802.11i, annex H.4.3
  flash --wifi ThisIsASSID --wifi-country DE --wifi-password-file secret
  [ "$status" = 0 ]
  on_card network-config | python3 -c '
import sys, yaml
radio = yaml.safe_load(sys.stdin)["network"]["wifis"]["wlan0"]
assert radio["regulatory-domain"] == "DE", radio
assert radio["access-points"]["ThisIsASSID"]["password"] == "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af", radio'
  run ! grep -rq ThisIsAPassword flash-hq-front.log card
}

@test "the log can be sent to support: no key, no password, each step" {
  flash
  run ! grep -q "PRIVATE\|$(tar -xOf "$ROOT/out/front.doorward" door.key)" flash-hq-front.log
  grep -q 'placed doorward/bundle.tar' flash-hq-front.log
  grep -q 'confirmed: card 104.9MB' flash-hq-front.log
}

@test "an image whose sum is wrong is not written" {
  flash --sha256 "$(printf '0%.0s' {1..64})"
  refused "download it again; do not use it"
  untouched
}

@test "an image without a sum is not written" {
  cp "$ROOT/pi.img" other.img
  flash --image other.img
  refused "give --sha256"
  untouched
}

@test "a card that is too small is refused with the size that is needed" {
  flash --room-mb 200
  refused "267.1MB are needed"
  untouched
}

@test "nothing is written before its name and size were typed" {
  flash --yes 'sdb 1TB'
  refused "nothing was written"
  untouched
  run "$HERE/flash.sh" --board pi5 --image "$ROOT/pi.img" --device card --site hq --door front --keys "$ROOT/out/front.doorward" \
    --bundle "$ROOT/bundle.tar" --room-mb 20 </dev/null
  says "nobody is there to ask"
  untouched
}

@test "another door's keys are refused" {
  flash --keys "$ROOT/out/back.doorward"
  refused "is of 'hq/back', not of hq/front"
  untouched
}

@test "the private half of an ssh key never comes onto a card" {
  flash --ssh-key "$ROOT/key"
  refused "PRIVATE half"
  untouched
}

@test "a write that was cut off goes on where it was, and ends right" {
  (ulimit -f $((24 * 1024)) && flash && refused "Run the same command again")
  run ! cmp -s -n $((43 * 1048576)) -i $((21 * 1048576)) card "$ROOT/pi.img"
  flash
  [ "$status" = 0 ]
  says "goes on at 16.8MB"
  cmp -n $((43 * 1048576)) -i $((21 * 1048576)) card "$ROOT/pi.img"
}

@test "a killed write goes on too" {
  truncate -s 600M large.img && cp --sparse=always large.img big.img && dd if="$ROOT/pi.img" of=big.img conv=notrunc status=none
  sha256sum big.img >big.img.sha256
  truncate -s 700M card
  local args=(--board pi5 --image big.img --device card --site hq --door front --keys "$ROOT/out/front.doorward"
    --bundle "$ROOT/bundle.tar" --room-mb 20 --yes 'card 734.0MB')
  setsid "$HERE/flash.sh" "${args[@]}" 2>said 3>&- &
  local pid=$! tries=0
  until grep -qs '[1-9]' state/doorward-flash/*; do sleep 0.01 && tries=$((tries + 1)) && [ $tries -lt 6000 ] && kill -0 $pid || { cat said && false; }; done
  kill -KILL -- "-$pid"
  wait "$pid" || true
  run "$HERE/flash.sh" "${args[@]}"
  [ "$status" = 0 ]
  says "goes on at"
  cmp -n $((500 * 1048576)) -i $((21 * 1048576)) card big.img
}

@test "a card that does not keep what was written is found, and the next run writes all of it" {
  flash --dry-run
  (ulimit -f $((24 * 1024)) && flash)
  dd if=/dev/zero of=card bs=1M count=16 conv=notrunc status=none
  flash
  refused "differs from the image near 0.0B"
  flash
  [ "$status" = 0 ]
  [[ $output != *"goes on at"* ]]
}

@test "a boot partition that is full is told in bytes" {
  cp -r "$ROOT/bundle" large && head -c 30M /dev/zero >large/fat && make_bundle large large.tar
  flash --bundle large.tar --release-key "$ROOT/release.pub"
  refused "the boot partition: has"
}

@test "an image that does not configure itself is refused with the one to take" {
  cp "$ROOT/pi.img" old.img
  mdel -i old.img@@1048576 ::user-data ::meta-data
  flash --image old.img --sha256 "$(sha256sum <old.img | cut -d' ' -f1)"
  refused "Trixie"
}

@test "a rehearsal on paper prints every step and writes nothing" {
  flash --dry-run
  [ "$status" = 0 ]
  for each in "Looking at the image" "Looking at the disk" "would ask for: card 104.9MB" "would write 67.1MB" "would compare" "would place"; do says "$each"; done
  says "Nothing was written."
  untouched
}

@test "a bundle that somebody else signed, or nobody, does not come onto a card" {
  openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out other.pub
  flash --release-key other.pub
  refused "is not signed by other.pub"
  flash --release-key "$ROOT/pi.img.sha256"
  refused "is no public key"
  cp "$ROOT/bundle.tar" alone.tar
  flash --bundle alone.tar
  refused "whoever made the bundle has it"
  untouched
}

@test "a bundle that broke on the way is found on the desk, and so is another board's" {
  cp -r "$ROOT/bundle" broken && echo 'echo other' >broken/install.sh && tar -cf broken.tar -C broken .
  flash --bundle broken.tar --release-key "$ROOT/release.pub"
  refused "is not what its manifest says"
  head -c 2000 "$ROOT/bundle.tar" >short.tar
  flash --bundle short.tar --release-key "$ROOT/release.pub"
  refused "--bundle short.tar"
  cp -r "$ROOT/bundle" jetson && make_bundle jetson jetson.tar jetson-orin-nano
  flash --bundle jetson.tar --release-key "$ROOT/release.pub"
  refused "is for 'jetson-orin-nano', not for pi5"
  untouched
}

@test "a key that came with the bundle is used, and what it does not show is said" {
  flash
  says "it shows that nothing broke, and not who made it"
  on_card doorward/release.pub | cmp - "$ROOT/release.pub"
  flash --release-key "$ROOT/release.pub"
  [ "$status" = 0 ]
  [[ $output != *"not who made it"* ]]
}

@test "a door without keys joins its centre by a code later" {
  run "$HERE/flash.sh" --board pi5 --image "$ROOT/pi.img" --device card --site hq --door front --bundle "$ROOT/bundle.tar" --room-mb 20 --yes 'card 104.9MB'
  [ "$status" = 0 ] || { echo "$output"; false; }
  says "joins it to its centre by a code"
  on_card doorward/bundle.tar | cmp - "$ROOT/bundle.tar"
  run ! on_card doorward/door.doorward
  [ "$(on_card doorward/names.toml | tr '\n' ' ')" = 'site = "hq" door = "front" ' ]
}

@test "names that cannot be a door's, boards and options that are none, are told at once" {
  flash --door 'front door'
  refused "1 to 40 of a-z"
  flash --board pi3
  refused "say pi5, pi4 or jetson-orin-nano"
  flash --devise card
  refused "is no option"
  flash --device /dev/nothing
  refused "cards and sticks here"
  untouched
}

@test "a loop device is written as a card is" {
  with_loop card
  flash --device "$LOOP" --yes "${LOOP##*/} 104.9MB"
  [ "$status" = 0 ] || { echo "$output"; false; }
  on_card doorward/bundle.tar | cmp - "$ROOT/bundle.tar"
}

@test "a disk that is mounted is refused with the place" {
  cp "$ROOT/pi.img" card && truncate -s 100M card && mke2fs -q -F card
  with_loop card
  mkdir there && mount "$LOOP" there || skip "nothing can be mounted here"
  flash --device "$LOOP" --yes "${LOOP##*/} 104.9MB"
  refused "is mounted at $PWD/there"
}

@test "a disk that may not be written is refused" {
  with_loop card
  blockdev --setro "$LOOP"
  flash --device "$LOOP" --yes "${LOOP##*/} 104.9MB"
  refused "protected against writing"
}

@test "the disk this computer runs from is refused, whatever is typed" {
  system=$(findmnt -no SOURCE /)
  [ -b "$system" ] || skip "the root lies on no disk of its own"
  flash --device "$system" --dry-run
  refused "this computer runs from it" || says "is a partition"
}

@test "a Jetson's card says what NVIDIA's part is" {
  cp -r "$ROOT/bundle" jetson && make_bundle jetson jetson.tar jetson-orin-nano
  flash --board jetson-orin-nano --bundle jetson.tar --release-key "$ROOT/release.pub"
  [ "$status" = 0 ]
  says "Then: ./flash.sh --board jetson-orin-nano --ssh"
  run ! on_card doorward/door.doorward
}

@test "a first start that was cut off begins anew, and the keys leave the card last" {
  mkdir -p boot root
  cp "$ROOT/bundle.tar" "$ROOT/release.pub" "$HERE/tools/flash/first-boot.sh" boot && touch boot/names.toml && cp "$ROOT/out/front.doorward" boot/door.doorward
  sed "s|/etc/doorward|$PWD/root|; s|/var/tmp|$PWD|" boot/first-boot.sh >boot/here.sh && mv boot/here.sh boot/first-boot.sh
  mkdir fails && echo 'exit 1' >fails/install.sh && make_bundle fails fails.tar && mv boot/bundle.tar right.tar && mv fails.tar boot/bundle.tar
  run ! sh boot/first-boot.sh boot
  [ -f boot/door.doorward ] && [ -f boot/first-boot.sh ]
  mv right.tar boot/bundle.tar
  run -0 sh boot/first-boot.sh boot
  says "installed"
  [ -z "$(ls boot)" ]
  [ "$(stat -c %a root/door.key)" = 600 ]
  cmp root/release.pub "$ROOT/release.pub"
  "${DOORWARD:-$HERE/.venv/bin/doorward}" check-config --config root/door.toml
  grep -q 'camera = "rpicam:0"' root/door.toml
}

@test "a first start at which not all comes up is not begun anew for ever, and says whom to ask" {
  mkdir -p boot root bundle && echo 'exit 5' >bundle/install.sh && make_bundle bundle boot/bundle.tar
  cp "$ROOT/release.pub" boot
  printf 'site = "hq"\ndoor = "front"\n' >boot/names.toml
  sed "s|/etc/doorward|$PWD/root|; s|/var/tmp|$PWD|" "$HERE/tools/flash/first-boot.sh" >boot/first-boot.sh
  run -0 sh boot/first-boot.sh boot
  says "Next, at the door: sudo doorward doctor"
  [ -z "$(ls boot)" ]
  "${DOORWARD:-$HERE/.venv/bin/doorward}" check-config --config root/door.toml
}

@test "a controller that runs is installed over ssh, and nothing of it stays there" {
  [ "$(id -u)" = 0 ] || skip "a server of one's own that may mount wants root"
  a_controller
  printf '#!/bin/sh\nexec "$@"\n' >bin/sudo
  chmod 755 bin/*
  over_ssh
  [ "$status" = 0 ] || { echo "$output"; cat sshd.log; false; }
  says "Doorward is installed. Next, at the door"
  [ ! -e home/.doorward-install ]
  [ "$(stat -c %a etc/door.key)" = 600 ] && cmp etc/release.pub "$ROOT/release.pub"
  run ! grep -q 'PRIVATE KEY' flash-hq-front.log
}

@test "an installation that fails over ssh is told, and its keys do not stay behind" {
  [ "$(id -u)" = 0 ] || skip "a server of one's own that may mount wants root"
  a_controller
  printf '#!/bin/sh\nexit 1\n' >bin/sudo && chmod 755 bin/sudo
  over_ssh
  refused "a command ended with 1"
  [ ! -e home/.doorward-install ]
}

over_ssh() {
  mkdir -p ssh && printf 'Host here\n  HostName 127.0.0.1\n  Port %s\n  User root\n  IdentityFile %s\n  UserKnownHostsFile %s\n' "$PORT" "$ROOT/key" "$PWD/known" >ssh/config
  printf '#!/bin/sh\nexec /usr/bin/%s -F %s/ssh/config "$@"\n' ssh "$PWD" >ssh/ssh && printf '#!/bin/sh\nexec /usr/bin/%s -F %s/ssh/config "$@"\n' scp "$PWD" >ssh/scp
  chmod 755 ssh/ssh ssh/scp
  PATH=$PWD/ssh:$PATH run "$HERE/flash.sh" --board pi5 --ssh here --site hq --door front --keys "$ROOT/out/front.doorward" --bundle "$ROOT/bundle.tar"
}

# A real server on loopback whose /etc/doorward and home are folders of this test.
a_controller() {
  mkdir -p bin home/.ssh etc
  ssh-keygen -q -t ed25519 -N '' -f host
  cp "$ROOT/key.pub" home/.ssh/authorized_keys
  PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf '%s\n' "Port $PORT" "ListenAddress 127.0.0.1" "HostKey $PWD/host" "AuthorizedKeysFile $PWD/home/.ssh/authorized_keys" "PidFile none" \
    "StrictModes no" "UsePAM no" "Subsystem sftp internal-sftp" "SetEnv PATH=$PWD/bin:$PATH" >sshd_config
  mkdir -p /run/sshd /etc/doorward
  unshare --mount sh -c "mount --bind '$PWD/etc' /etc/doorward && mount --bind '$PWD/home' /root && exec /usr/sbin/sshd -D -e -f '$PWD/sshd_config'" 2>sshd.log 3>&- &
  SERVER=$!
  local tries=0
  until ssh-keyscan -p "$PORT" 127.0.0.1 >known 2>/dev/null && [ -s known ]; do tries=$((tries + 1)) && [ $tries -lt 200 ] || { cat sshd.log; return 1; }; done
}

@test "shellcheck finds nothing" {
  cd "$HERE" && run -0 shellcheck -x flash.sh tools/flash/*.sh
}
