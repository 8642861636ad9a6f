# shellcheck shell=bash disable=SC2034
# Arguments and files, looked at before any disk is.

BOARD='' IMAGE='' SUM='' DEVICE='' SITE='' DOOR='' KEYS='' BUNDLE='' RELEASE_KEY='' SSH='' SSH_KEY='' LOG='' YES='' SYSTEM='' KEYRING=''
WIFI='' WIFI_COUNTRY='' WIFI_PASSWORD_FILE='' ROOM_MB=2048 DRY_RUN=0

read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --dry-run) DRY_RUN=1 && shift && continue ;;
    --board | --image | --sha256 | --device | --site | --door | --keys | --bundle | --release-key | --ssh | --ssh-key | --system | --keyring | --log | --yes | --wifi | \
      --wifi-country | --wifi-password-file | --room-mb) [ $# -ge 2 ] || fail "$1" "nothing follows" "./flash.sh --help" ;;
    *) fail "$1" "is no option" "./flash.sh --help" ;;
    esac
    case $1 in
    --board) BOARD=$2 ;; --image) IMAGE=$2 ;; --sha256) SUM=$2 ;; --device) DEVICE=$2 ;; --site) SITE=$2 ;; --door) DOOR=$2 ;;
    --keys) KEYS=$2 ;; --bundle) BUNDLE=$2 ;; --release-key) RELEASE_KEY=$2 ;; --ssh) SSH=$2 ;; --ssh-key) SSH_KEY=$2 ;; --log) LOG=$2 ;; --yes) YES=$2 ;;
    --system) SYSTEM=$2 ;; --keyring) KEYRING=$2 ;;
    --wifi) WIFI=$2 ;; --wifi-country) WIFI_COUNTRY=$2 ;; --wifi-password-file) WIFI_PASSWORD_FILE=$2 ;; --room-mb) ROOM_MB=$2 ;;
    esac
    shift 2
  done
  check_names
}

check_names() {
  case $BOARD in
  pi5 | pi4 | jetson-orin-nano) ;;
  *) fail "--board '$BOARD'" "is none that Doorward knows" "say pi5, pi4 or jetson-orin-nano" ;;
  esac
  local pair
  for pair in "--site $SITE" "--door $DOOR"; do
    [[ ${pair#* } =~ ^[a-z0-9_-]{1,40}$ ]] || fail "${pair%% *} '${pair#* }'" "is no name" "1 to 40 of a-z, 0-9, _ and -, as the centre was told"
  done
  [[ $ROOM_MB =~ ^[0-9]{1,7}$ ]] || fail "--room-mb '$ROOM_MB'" "is no number" "megabytes, such as 2048"
}

check_inputs() {
  step "Looking at what was given"
  [ -n "$SSH" ] || check_tools dd sfdisk lsblk mcopy xz numfmt sha256sum openssl python3
  [ -z "$SSH" ] || check_tools ssh scp openssl python3 numfmt sha256sum
  if [ -n "$SSH" ] && [ -n "$DEVICE$IMAGE" ]; then fail "--ssh" "goes without --device and --image" "write a card, or install a controller that runs"; fi
  if [ -n "$SYSTEM" ] && [ -n "$SSH$IMAGE$BUNDLE" ]; then fail "--system" "goes without --image, --bundle and --ssh" "program and system are in it already"; fi
  if [ -z "$SSH" ] && { [ -z "$DEVICE" ] || [ -z "$IMAGE$SYSTEM" ]; }; then fail "--image and --device" "are both needed" "./flash.sh --help"; fi
  check_keys
  if [ -n "$SYSTEM" ]; then check_release_key; else check_bundle; fi
  check_ssh_key
  check_wifi
}

check_tools() {
  local tool lacking=()
  for tool in "$@"; do command -v "$tool" >/dev/null || [ -x "/sbin/$tool" ] || lacking+=("$tool"); done
  [ ${#lacking[@]} = 0 ] || fail "${lacking[*]}" "not on this computer" "sudo apt install fdisk mtools xz-utils openssh-client util-linux"
  PATH=$PATH:/usr/sbin:/sbin
}

check_readable() {
  if [ ! -f "$2" ] || [ ! -r "$2" ]; then fail "$1 '$2'" "is no file that can be read" "$3"; fi
}

check_keys() {
  if [ -z "$KEYS" ]; then
    say "   ! no --keys: this door belongs to nobody until 'sudo doorward commission' joins it to its centre by a code"
    return 0
  fi
  check_readable --keys "$KEYS" "make it at the centre: doorward central enrol-door … $SITE $DOOR --out ."
  local link
  link=$(tar -xOf "$KEYS" link.toml 2>/dev/null) || fail "--keys $KEYS" "holds no link.toml" "it is the archive that enrol-door makes"
  local certificate name
  certificate=$(tar -xOf "$KEYS" link/door.crt 2>/dev/null | openssl x509 -noout -subject -nameopt multiline 2>/dev/null) || certificate=''
  name=$(sed -n 's/^ *commonName *= //p' <<<"$certificate")
  [ "$name" = "$SITE/$DOOR" ] || fail "--keys $KEYS" "is of '${name:-nobody}', not of $SITE/$DOOR" "a door with another's keys would be taken for it; take ${DOOR}.doorward"
  tar -xOf "$KEYS" link/door.crt | openssl x509 -noout -checkend 0 >/dev/null || fail "--keys $KEYS" "its certificate has ended" "doorward central renew … $SITE $DOOR"
  fine "keys of $SITE/$DOOR"
}

check_ssh_key() {
  if [ -z "$SSH_KEY" ]; then
    [ -n "$SSH" ] || say "   ! no --ssh-key: nobody will be able to sign in on this controller"
    return 0
  fi
  check_readable --ssh-key "$SSH_KEY" "ssh-keygen -t ed25519 makes one; give the .pub"
  ! grep -q 'PRIVATE KEY' "$SSH_KEY" || fail "--ssh-key $SSH_KEY" "is the PRIVATE half, which belongs on no card" "give $SSH_KEY.pub"
  [ "$(grep -cE '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( |$)' "$SSH_KEY")" = "$(grep -c . "$SSH_KEY")" ] ||
    fail "--ssh-key $SSH_KEY" "is no public key" "one line that begins with ssh-ed25519, for example"
}

check_wifi() {
  [ -n "$WIFI" ] || return 0
  [[ $WIFI_COUNTRY =~ ^[A-Z]{2}$ ]] || fail "--wifi-country '$WIFI_COUNTRY'" "is no country" "two capital letters, such as DE: radio stays off without it"
  if [ "$(printf %s "$WIFI" | wc -c)" -gt 32 ] || [[ $WIFI == *[[:cntrl:]]* ]]; then
    fail "--wifi" "is no network's name" "at most 32 bytes, none of them control characters"
  fi
  [ -n "$WIFI_PASSWORD_FILE" ] || return 0
  check_readable --wifi-password-file "$WIFI_PASSWORD_FILE" "a file with the password in its first line"
}
