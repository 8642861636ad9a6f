#!/usr/bin/env bash
# A controller that is none: Debian with its own kernel and its own systemd in a virtual machine, made once and started in seconds.
# `tools/field/vm.sh --help` says how. Whoever starts a machine cuts its power, ends it and removes it by its name.
set -Eeuo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
FIELD=${DOORWARD_FIELD:-$(readlink -f "$HERE/../..")/var/field}
SUITE=${SUITE:-bookworm}
BOOT_S=${BOOT_S:-600}
PATH=$PATH:/usr/sbin:/sbin

usage() {
  cat <<'TEXT'
  vm.sh build                       makes Debian (SUITE=bookworm or trixie) under var/field, once; needs root, and Debian's packages by apt
  vm.sh start NAME [options]        starts it and waits until it answers; a disk of its own, that stays until 'remove'
      --tpm             a TPM 2.0 (swtpm), whose state stays as well
      --no-clock        no battery: the clock begins in 1970, and nobody tells the time
      --disk FILE       this whole disk with its own boot loader in place of Debian's (BIOS; --efi for UEFI); FILE itself stays as it is
      --card FILE       FILE is written to: a card as /dev/vdb
      --memory MB       768
      --append WORDS    more for the kernel's command line
      --from STATE      wakes up as what 'keep' kept: in seconds, where a start takes a minute or two
      --no-wait         does not wait until it answers
  vm.sh exec NAME COMMAND…          as root inside; output, input and exit status are its own. One argument is a line for its shell
  vm.sh copy NAME FILE PATH         a file into it
  vm.sh fetch NAME PATH FILE        a file out of it
  vm.sh keep NAME STATE             keeps the running machine, memory and disk, for others to wake up from
  vm.sh cut NAME                    the power fails, now; 'start NAME' boots the same disk with the same options
  vm.sh wait NAME                   until it answers (again)
  vm.sh stop NAME                   shuts down in order
  vm.sh remove NAME                 power off, disk gone
  vm.sh list
The machine has one processor, no way to the internet, and this computer's loopback at 10.0.2.2. Its console: var/field/run/NAME/console.
TEXT
}

fail() {
  echo "vm.sh: $*" >&2
  exit 3
}

base() { echo "$FIELD/vm/$SUITE"; }
at() { echo "$FIELD/run/$NAME"; }

name() {
  [[ ${1:-} =~ ^[a-z0-9_-]{1,30}$ ]] || fail "'${1:-}' is no name: a to z, 0 to 9, _ and -"
  NAME=$1
}

running() { [ -s "$(at)/pid" ] && kill -0 "$(<"$(at)/pid")" 2>/dev/null && grep -qa qemu "/proc/$(<"$(at)/pid")/comm"; }

build() {
  [ -s "$(base)/booted.state" ] && [ "$HERE/debian.sh" -ot "$(base)/disk" ] && return 0
  "$HERE/debian.sh" "$SUITE" "$(base)"
  rm -f "$(base)"/*.state
  NAME=build-$SUITE
  remove
  start "$NAME"
  keep booted
  remove
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# What was said at the first start holds until 'remove'; said anew, all of it is said anew.
options() {
  local tpm='' clock='' disk='' efi='' card='' memory=768 append='' suite=$SUITE
  while [ $# -gt 0 ]; do
    case $1 in --disk | --card) [ -f "${2:-}" ] || fail "$1 '${2:-}': no such file" ;; esac
    case $1 in
    --tpm) tpm=1 ;;
    --no-clock) clock=none ;;
    --efi) efi=1 ;;
    --disk) disk=$(readlink -f "$2") && shift ;;
    --card) card=$(readlink -f "$2") && shift ;;
    --memory) memory=$2 && shift ;;
    --append) append=$2 && shift ;;
    *) fail "$1 is no option; vm.sh --help" ;;
    esac
    shift
  done
  declare -p tpm clock disk efi card memory append suite | sed 's/^declare --/local/'
}

# The two words that are no property of the machine stand apart.
start() {
  name "${1:-}" && shift
  ! running || fail "$NAME runs already"
  local words=() waits=1 from='' asleep=''
  while [ $# -gt 0 ]; do
    case $1 in
    --no-wait) waits=0 ;;
    --from) from=${2:-} && shift ;;
    *) words+=("$1") ;;
    esac
    shift
  done
  mkdir -p "$(at)"
  if [ ! -s "$(at)/options" ] || [ ${#words[@]} -gt 0 ]; then options "${words[@]}" >"$(at)/options"; fi
  # shellcheck source=/dev/null
  . "$(at)/options"
  # shellcheck disable=SC2154
  SUITE=$suite
  [ -s "$(base)/disk" ] || fail "there is no Debian yet: vm.sh build"
  if [ -n "$from" ]; then wake "$from"; fi
  make_disk
  boot
  [ "$waits" = 0 ] || wait_for
  [ -z "$asleep" ] || reach "date -s @$(date +%s)" >/dev/null # it slept
}

# QEMU keeps a machine's memory in its disk's file (savevm): a copy of that file is a machine that goes on from there.
keep() {
  [[ ${1:-} =~ ^[a-z0-9_-]{1,30}$ ]] || fail "'${1:-}' is no name of a state"
  tell stop >/dev/null
  tell human-monitor-command '{"command-line": "savevm kept"}' >"$(at)/said"
  grep -q '"return": ""' "$(at)/said" || fail "$NAME is not kept: $(<"$(at)/said")"
  cp --sparse=always "$(at)/disk" "$(base)/$1.part"
  cp "$(at)/options" "$(base)/$1.options"
  mv "$(base)/$1.part" "$(base)/$1.state"
  tell cont >/dev/null
}

wake() {
  [ -s "$(base)/$1.state" ] || fail "no state '$1'; there are: $(cd "$(base)" && echo *.state)"
  [ ! -s "$(at)/disk" ] || fail "$NAME has a disk already: vm.sh remove $NAME"
  cp --sparse=always "$(base)/$1.state" "$(at)/disk"
  asleep=1
}

# tell COMMAND [ARGUMENTS]: a word of QMP
tell() {
  python3 - "$(at)/qmp" "$@" <<'PYTHON'
import json, socket, sys
wire = socket.socket(socket.AF_UNIX)
wire.connect(sys.argv[1])
said = wire.makefile("rw")
said.readline()
asked = {"execute": sys.argv[2]} | ({"arguments": json.loads(sys.argv[3])} if sys.argv[3:] else {})
for word in ({"execute": "qmp_capabilities"}, asked):
    print(json.dumps(word), file=said, flush=True)
    while not ({"return", "error"} & (answer := json.loads(said.readline())).keys()):
        pass
print(json.dumps(answer))
PYTHON
}

# A layer of its own over Debian's disk, or over the one that was given: those below stay as they are.
make_disk() {
  [ ! -s "$(at)/disk" ] || return 0
  local below format
  below=${disk:-$(base)/disk}
  format=$(qemu-img info --output=json "$below" | python3 -c 'import json, sys; print(json.load(sys.stdin)["format"])')
  qemu-img create -q -f qcow2 -F "$format" -b "$below" "$(at)/disk"
}

# A kernel may offer /dev/kvm and yet run a foreign kernel only instruction by instruction (kvm-pvm): slower than QEMU's own translation.
accelerator() {
  if [ -w /dev/kvm ] && [ -d /sys/module/kvm_intel ] || [ -d /sys/module/kvm_amd ]; then echo kvm; else echo tcg; fi
}

boot() {
  local words=(-name "$NAME" -smp 1 -m "$memory" -display none -no-user-config -nodefaults)
  words+=(-accel "$(accelerator)" -cpu "max,la57=off,arch-capabilities=off${clock:+,kvmclock=off}")
  words+=(-drive "file=$(at)/disk,format=qcow2,if=virtio,cache=writeback,discard=unmap")
  [ -z "$card" ] || words+=(-drive "file=$card,format=raw,if=virtio,cache=writeback")
  words+=(-device virtio-rng-pci -device i6300esb -action watchdog=reset)
  words+=(-serial "file:$(at)/console.now" -monitor none -qmp "unix:$(at)/qmp,server=on,wait=off")
  [ -z "$clock" ] || words+=(-rtc base=1970-01-02)
  if [ -n "$tpm" ]; then
    start_tpm
    # shellcheck disable=SC2054
    words+=(-chardev "socket,id=tpm,path=$(at)/tpm/socket" -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-tis,tpmdev=tpm0)
  fi
  [ -z "$efi" ] || words+=(-bios /usr/share/ovmf/OVMF.fd)
  [ -n "$disk" ] || words+=(-kernel "$(base)/vmlinuz" -initrd "$(base)/initrd" -append "root=/dev/vda rw console=ttyS0 quiet mitigations=off $append")
  [ ! -f "$(at)/console.now" ] || cat "$(at)/console.now" >>"$(at)/console"
  [ -z "$asleep" ] || words+=(-loadvm kept)
  local port
  port=$(free_port)
  # shellcheck disable=SC2054
  words+=(-netdev "user,id=net,ipv6=off,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=net,romfile=)
  echo "$port" >"$(at)/port"
  rm -f "$(at)/pid"
  qemu-system-x86_64 "${words[@]}" -daemonize -pidfile "$(at)/pid" || fail "$NAME: qemu does not start"
}

start_tpm() {
  mkdir -p "$(at)/tpm"
  swtpm socket --tpm2 --tpmstate "dir=$(at)/tpm" --ctrl "type=unixio,path=$(at)/tpm/socket" --flags startup-clear --terminate --daemon
}

reach() { # [words of ssh] -- COMMAND
  ssh -q -i "$FIELD/vm/key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 \
    -o ServerAliveInterval=5 -o ServerAliveCountMax=6 -o BatchMode=yes \
    -o ControlMaster=auto -o ControlPersist=120 -o "ControlPath=/tmp/doorward-field-$(id -u)-%C" -p "$(<"$(at)/port")" root@127.0.0.1 "$@"
}

wait_for() {
  local until=$((SECONDS + BOOT_S))
  until reach true </dev/null 2>/dev/null; do
    running || fail "$NAME has ended; its console: $(at)/console.now"
    [ "$SECONDS" -lt "$until" ] || fail "$NAME does not answer after $BOOT_S s; its console: $(at)/console.now"
    sleep 0.2
  done
}

# More than one word: each reaches the command as it is, as with any program. One: a line for the shell inside.
in_it() {
  running || fail "$NAME does not run"
  if [ $# -gt 1 ]; then reach "$(printf '%q ' "$@")"; else reach "$1"; fi
}

off() {
  if running; then
    local pid
    pid=$(<"$(at)/pid")
    kill -KILL "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  fi
  rm -f "$(at)/pid"
}

stop() {
  running || return 0
  local until=$((SECONDS + 60))
  reach 'systemctl poweroff' </dev/null || true
  while running && [ "$SECONDS" -lt "$until" ]; do sleep 0.2; done
  off
}

remove() {
  off
  rm -rf "${FIELD:?}/run/$NAME"
}

list() {
  local folder
  for folder in "$FIELD"/run/*/; do
    [ -d "$folder" ] || continue
    NAME=$(basename "$folder")
    printf '%s\t%s\n' "$NAME" "$(if running; then echo "runs, process $(<"$(at)/pid")"; else echo off; fi)"
  done
}

main() {
  local what=${1:---help}
  [ $# = 0 ] || shift
  case $what in
  build) build ;;
  start) start "$@" ;;
  list) list ;;
  --help | -h) usage ;;
  exec | copy | fetch | keep | cut | wait | stop | remove)
    name "${1:-}" && shift
    case $what in
    exec) in_it "$@" ;;
    copy) reach "cat >$(printf %q "$2")" <"$1" ;;
    fetch) reach "cat $(printf %q "$1")" </dev/null >"$2" ;;
    keep) keep "$@" ;;
    cut) off ;;
    wait) wait_for ;;
    stop) stop ;;
    remove) remove ;;
    esac
    ;;
  *) fail "'$what': vm.sh --help" ;;
  esac
}

main "$@"
