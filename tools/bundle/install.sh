#!/bin/sh
# Installs this bundle of Doorward, without a network, as root: sh install.sh [--no-start]. docs/BUNDLE.md says what lies where.
#
# A release is a folder that gets its name when it is complete, and which one runs is one symbolic link. From the switch until
# `doorward health` has said yes, /opt/doorward/trial names both releases: power that fails meanwhile is answered at the next start, by
# doorward-settle.service, with the release that ran before.
set -eu
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C.UTF-8

HERE=$(cd -- "$(dirname -- "$0")" && pwd)
ROOT=''
START=1 WHAT=install
PYTHON=/usr/bin/python3
HEALTH_WAIT_S=60
ROLLED_BACK=4 NOT_UP=5

usage() {
    cat <<'TEXT'
  sh install.sh              installs this bundle, starts it and asks whether the door is up; if not, the former release runs again
      --no-start             installs it and starts nothing: it runs from the next start of the controller
  sh install.sh --verify     only looks whether the bundle is whole and whose it is; needs no root
      --key FILE             with --verify: by this release.pub, and not by /etc/doorward/release.pub
  sh install.sh --back       back to the release before, at once
  sh install.sh --settle     undoes an installation that was cut off (doorward-settle.service does, at each start)
  --root DIR                 takes this folder for /, starts nothing and makes no users: to try things out
Exit status: 0 done, 1 refused and nothing changed, 4 the new release did not come up and the former runs, 5 it did not come up and there is nothing to go back to.
TEXT
}

say() { printf '%s\n' "$*"; }

# fail WHAT MEND
fail() {
    printf '✗ %s\n   mend: %s\n' "$1" "$2" >&2
    exit 1
}

main() {
    key=''
    while [ $# -gt 0 ]; do
        case $1 in
        --no-start) START=0 ;;
        --verify | --back | --settle) WHAT=${1#--} ;;
        --key) [ $# -gt 1 ] || fail "--key: which file?" "--key release.pub" && key=$2 && shift ;;
        --root) [ $# -gt 1 ] || fail "--root: which folder?" "--root /tmp/rehearsal" && ROOT=$(cd -- "$2" && pwd) && shift ;;
        -h | --help) usage && exit 0 ;;
        *) usage >&2 && fail "$1: no such option" "one of those above" ;;
        esac
        shift
    done
    OPT=$ROOT/opt/doorward ETC=$ROOT/etc/doorward
    RELEASES=$OPT/releases TRIAL=$OPT/trial
    case $WHAT in
    verify) verify "${key:-$ETC/release.pub}" ;;
    settle) as_root && alone && settle ;;
    back) as_root && alone && back_by_hand ;;
    install) as_root && install_all ;;
    esac
}

# --root takes a folder for /: to try this script out. There are no users and no services in it, and nobody needs to be root.
as_root() { [ -n "$ROOT" ] || [ "$(id -u)" = 0 ] || fail "only root can install" "sudo sh $0"; }

alone() {
    mkdir -p "$RELEASES"
    exec 9>"$OPT/.lock"
    flock -n 9 || fail "another installation is running" "wait until it has ended"
}

booted() { [ -z "$ROOT" ] && [ -d /run/systemd/system ]; }

install_all() {
    verify "$ETC/release.pub"
    fits
    alone
    settle
    release=$RELEASES/$VERSION+$BUILD
    has_room
    if [ -d "$release" ]; then
        say "Release $VERSION+$BUILD is here already"
    else
        make_release
    fi
    trust
    prepare_system "$release"
    switch_to "$release"
    say "Done: Doorward $VERSION+$BUILD"
}

# ---- whose it is, and whether it is whole ----

verify() {
    command -v openssl >/dev/null || fail "openssl is missing" "sudo apt install openssl"
    [ -x "$PYTHON" ] || fail "$PYTHON is missing" "this system is none that Doorward knows: docs/BUNDLE.md"
    for file in manifest.json manifest.sig release.pub; do
        [ -f "$HERE/$file" ] || fail "the bundle has no $file" "copy the bundle again, whole"
    done
    believed=$1
    if [ ! -e "$believed" ]; then
        [ "$1" = "$ETC/release.pub" ] || fail "--key $1: no such file" "the release.pub that you got from whoever made the bundle"
        believed=$HERE/release.pub
        say "! $ETC/release.pub is not there: the bundle is held against its own key, which shows that nothing broke, and not who made it"
    fi
    signed_by "$believed" || fail "the bundle's signature is not by $believed" "do not install it; ask whoever made it"
    told=$(check_files) || exit 1
    # shellcheck disable=SC2086 # words that check_files has looked at
    set -- $told
    VERSION=$1 BOARD=$2 BUILD=$3 PYTHONS=$4
    say "Doorward $VERSION for $BOARD, build $BUILD: signed by the key $(fingerprint "$believed"), every file is what it should be"
}

signed_by() { openssl pkeyutl -verify -pubin -inkey "$1" -rawin -sigfile "$HERE/manifest.sig" -in "$HERE/manifest.json" >/dev/null 2>&1; }

fingerprint() { openssl pkey -pubin -in "$1" -outform DER | sha256sum | cut -c1-64; }

# Whether the files are those of the manifest, all of them and no others; then VERSION BOARD BUILD PYTHON,PYTHON
check_files() {
    "$PYTHON" -I - "$HERE" <<'PYTHON'
import hashlib, json, os, re, sys
here = sys.argv[1]

def refuse(what, mend="copy the bundle again, whole"):
    print(f"✗ {what}\n   mend: {mend}", file=sys.stderr)
    sys.exit(1)

def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()

with open(f"{here}/manifest.json", "rb") as file:
    data = file.read(1_000_001)
try:
    manifest = json.loads(data)
    if manifest["format"] != 1:
        refuse(f"manifest.json has the format {manifest['format']}", "take the install.sh of that bundle, or a bundle of format 1")
    version, board, pythons, files = str(manifest["version"]), str(manifest["board"]), manifest["pythons"], dict(manifest["files"])
    wanted = {path: str(file["sha256"]) for path, file in files.items()}
except (ValueError, KeyError, TypeError, AttributeError) as error:
    refuse(f"manifest.json cannot be read: {error!r}")
if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}", word) for word in (version, board, *map(str, pythons))):
    refuse("manifest.json names a version or board that is none")
there = set()
for folder, folders, names in os.walk(here):
    for name in [*folders, *names]:
        path = os.path.join(folder, name)
        if os.path.islink(path) or not (os.path.isdir(path) or os.path.isfile(path)):
            refuse(f"{path} is no plain file")
    there |= {os.path.relpath(os.path.join(folder, name), here) for name in names}
for path in sorted(there - set(wanted) - {"manifest.json", "manifest.sig"}):
    refuse(f"{path} is in the folder and not in the manifest", "unpack the bundle into an empty folder")
for path in sorted(set(wanted) - there):
    refuse(f"{path} is missing")
for path in sorted(wanted):
    if sha256(f"{here}/{path}") != wanted[path]:
        refuse(f"{path} is not what the manifest says", "copy the bundle again; if that comes twice, do not install it")
print(version, board, hashlib.sha256(data).hexdigest()[:8], ",".join(map(str, pythons)))
PYTHON
}

# Whose bundles are believed is settled by the first one; flash.sh and commissioning put the key there before.
trust() {
    [ ! -e "$ETC/release.pub" ] || return 0
    place "$HERE/release.pub" "$ETC/release.pub"
    say "From now on only bundles by the key $(fingerprint "$ETC/release.pub") are installed here ($ETC/release.pub)"
}

# ---- whether it belongs here ----

fits() {
    machine=aarch64
    case $BOARD in
    pi5) words=brcm,bcm2712 ;;
    pi4) words=brcm,bcm2711 ;;
    jetson-orin-nano) words=nvidia,tegra234 ;;
    rehearsal) words='' machine=x86_64 ;;
    *) fail "the bundle is for '$BOARD', which this install.sh does not know" "take the install.sh of the same bundle" ;;
    esac
    is_board
    [ "$(uname -m)" = "$machine" ] || fail "the bundle is for $machine, and this system is $(uname -m)" "a 64-bit system, and the bundle of this board"
    python=$("$PYTHON" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    case ,$PYTHONS, in
    *,"$python",*) LOCK=$HERE/locks/py$(printf %s "$python" | tr -d .).txt ;;
    *) fail "this system has Python $python, and the bundle is for $(printf %s "$PYTHONS" | sed 's/,/ and /g')" "docs/BUNDLE.md says which system each board needs" ;;
    esac
    [ -f "$LOCK" ] || fail "the bundle has no ${LOCK##*/}" "ask whoever made it"
    "$PYTHON" -I -c 'import venv' 2>/dev/null || fail "Python's module venv is missing" "sudo apt install python3-venv"
}

is_board() {
    tree=$ROOT/proc/device-tree/compatible
    [ -n "$words" ] || return 0
    if [ ! -e "$tree" ]; then
        say "! This machine does not say which board it is; taken for $BOARD"
    else
        tr '\0' '\n' <"$tree" | grep -qx "$words" || fail "the bundle is for $BOARD, and this is '$(tr '\0' ' ' <"$tree")'" "take the bundle of this board"
    fi
}

# What the wheels unpack to, a third of that again for what Python compiles, and something over.
has_room() {
    [ ! -d "$release" ] || return 0
    rm -rf "$RELEASES"/.making.*
    wanted_kb=$("$PYTHON" -I - "$LOCK" "$HERE/wheels" <<'PYTHON'
import re, sys, zipfile
names = re.findall(r"# (\S+\.whl) \d+$", open(sys.argv[1]).read(), re.M)
print(sum(info.file_size for name in names for info in zipfile.ZipFile(f"{sys.argv[2]}/{name}").infolist()) * 4 // 3 // 1024 + 50_000)
PYTHON
    ) || fail "the wheels of ${LOCK##*/} cannot be read" "copy the bundle again, whole"
    free_kb=$(df -Pk "$RELEASES" | awk 'NR == 2 {print $4}')
    [ "$free_kb" -ge "$wanted_kb" ] ||
        fail "$((wanted_kb / 1024)) MiB are needed under $OPT, and $((free_kb / 1024)) are free" "make room there, or take a larger card; two releases are kept"
}

# ---- a release ----

make_release() {
    making=$RELEASES/.making.$$
    trap 'rm -rf "$making"; exit 1' INT TERM HUP
    trap 'rm -rf "$making"' EXIT
    say "Building $VERSION+$BUILD from the wheels for Python $python (a minute or two)"
    "$PYTHON" -I -m venv --without-pip --system-site-packages "$making" || fail "Python makes no virtual environment" "docs/BUNDLE.md"
    install_wheels || fail "pip could not install the wheels" "its words are above; a bundle that is whole installs on every system that docs/BUNDLE.md names"
    # It is at home under the name that it gets when it is complete
    find "$making/bin" "$making/pyvenv.cfg" -type f -exec sed -i "s|$making|$release|g" {} +
    "$making/bin/python" -I -m compileall -q -j 0 -s "$making" -p "$release" "$making/lib" >/dev/null || true # old syntax in some package's tests
    cp -R "$HERE/systemd" "$HERE/manifest.json" "$HERE/sbom.cdx.json" "$HERE/install.sh" "$making/"
    [ -n "$ROOT" ] || chown -R root:root "$making"
    sync -f "$making"
    mv -T "$making" "$release"
    sync "$RELEASES"
    trap - EXIT INT TERM HUP
    say "Release $VERSION+$BUILD is complete: $(du -sm "$release" | cut -f1) MB"
}

install_wheels() {
    set -- "$HERE"/wheels/pip-*.whl
    env -i PATH="$PATH" LC_ALL=C.UTF-8 PIP_CONFIG_FILE=/dev/null TMPDIR="$RELEASES" \
        "$making/bin/python" -I "$1/pip" install --quiet --no-index --require-hashes --no-deps --ignore-installed --no-compile --no-cache-dir \
        --disable-pip-version-check --no-warn-script-location --root-user-action ignore --find-links "$HERE/wheels" --requirement "$LOCK"
}

# ---- users, folders, units ----

prepare_system() {
    if [ -n "$ROOT" ]; then return 0; fi
    place_settings "$1"
    systemd-sysusers 2>/dev/null || fail "systemd-sysusers could not make the user doorward" "systemd-sysusers says why"
    # What udev and journald do not see in a chroot is no fault: the next start does
    systemd-tmpfiles --create doorward.conf 2>/dev/null || true
    own_keys
    ! booted || { udevadm control --reload && udevadm trigger --action=change; } >/dev/null 2>&1 || true
    say "User doorward, its folders, device rules and the log's limits are in place"
}

# What only the door may read is the door's, whoever brought it here.
own_keys() {
    for own in "$ETC/link" "$ETC/door.key"; do
        [ ! -e "$own" ] || chown -R doorward:doorward "$own"
    done
}

place_settings() {
    place "$1/systemd/doorward-sysusers.conf" /etc/sysusers.d/doorward.conf
    place "$1/systemd/doorward-tmpfiles.conf" /etc/tmpfiles.d/doorward.conf
    place "$1/systemd/doorward-watchdog.conf" /etc/systemd/system.conf.d/doorward.conf
    place "$1/systemd/doorward-journald.conf" /etc/systemd/journald.conf.d/doorward.conf
    place "$1/systemd/70-doorward.rules" /etc/udev/rules.d/70-doorward.rules
}

# place FILE AT: whole or not at all, also when the power fails; untouched when it is the same
place() {
    ! cmp -s "$1" "$2" || return 0
    mkdir -p "${2%/*}"
    cp "$1" "$2.part"
    chmod 644 "$2.part"
    sync "$2.part"
    mv -T "$2.part" "$2"
}

# The units of a release, and none of another release; those of others, such as a centre's, are not touched. Drop-ins are for whoever needs them: they lie in the release, and /etc holds the installer's choice.
place_units() {
    units=$ROOT/etc/systemd/system
    mkdir -p "$units"
    for unit in "$1"/systemd/doorward*.service "$1"/systemd/doorward*.target "$1"/systemd/doorward*.path "$1"/systemd/doorward*.timer; do
        [ ! -e "$unit" ] || place "$unit" "$units/${unit##*/}"
    done
    for unit in "$RELEASES"/*/systemd/doorward*.service "$RELEASES"/*/systemd/doorward*.target "$RELEASES"/*/systemd/doorward*.path "$RELEASES"/*/systemd/doorward*.timer; do
        unit=${unit##*/}
        [ ! -e "$units/$unit" ] || [ -e "$1/systemd/$unit" ] || { disable_unit "$unit" && rm -f "$units/$unit"; }
    done
    sync "$units"
    if [ -z "$ROOT" ]; then enable_units "$1"; fi
}

disable_unit() { [ -n "$ROOT" ] || systemctl --quiet disable "$1" 2>/dev/null || true; }

enable_units() {
    for unit in $(cd "$1/systemd" && grep -l '^\[Install\]' doorward*.service doorward*.target doorward*.path doorward*.timer 2>/dev/null); do
        case $unit in
        *@.*) ;;
        # Before it is commissioned there is nothing to run
        doorward.target) [ ! -e "$ETC/door.toml" ] || systemctl --quiet enable "$unit" ;;
        *) systemctl --quiet enable "$unit" ;;
        esac
    done
    ! booted || systemctl daemon-reload
}

# ---- which release runs ----

running() { readlink "$OPT/$1" 2>/dev/null || true; }

# link NAME TARGET: the one rename that decides
link() {
    rm -f "$OPT/.$1.new"
    ln -s "$2" "$OPT/.$1.new"
    mv -T "$OPT/.$1.new" "$OPT/$1"
    sync "$OPT"
}

switch_to() {
    new=releases/${1##*/}
    former=$(running current)
    [ "$former" != "$new" ] || former=$(running previous)
    if [ "$(running current)" = "$new" ]; then
        place_units "$1"
        say "Release ${1##*/} is what runs here already"
        is_up_or_started || return 0
    else
        begin_trial "$new" "$former"
        place_units "$1"
        [ -z "$former" ] || link previous "$former"
        link current "$new"
        [ -L "$OPT/bin" ] || link bin current/bin
        say "Switched to ${1##*/}${former:+; before: ${former##*/}}"
        start_and_ask
    fi
    keep_two
}

# The marker that a failed power is told by: new release, former release, and which start of the controller this is.
begin_trial() {
    { [ "$START" = 1 ] && may_start; } || return 0
    printf '%s\n%s\n%s\n' "$1" "$2" "$(cat "$ROOT/proc/sys/kernel/random/boot_id" 2>/dev/null || true)" >"$TRIAL.part"
    sync "$TRIAL.part"
    mv -T "$TRIAL.part" "$TRIAL"
    sync "$OPT"
    trap 'not_up "$former"' EXIT INT TERM HUP
}

end_trial() {
    trap - EXIT INT TERM HUP
    rm -f "$TRIAL"
    sync "$OPT"
}

may_start() { { [ -n "$ROOT" ] || booted; } && [ -e "$ETC/door.toml" ]; }

start_and_ask() {
    if [ "$START" = 0 ]; then
        say "Nothing was started (--no-start): it runs from the next start of this controller; doorward health then says whether it is up"
    elif [ ! -e "$ETC/door.toml" ]; then
        say "Nothing was started: there is no $ETC/door.toml yet. Next, at the door: sudo /opt/doorward/bin/doorward commission"
    elif ! may_start; then
        say "Nothing was started: systemd does not run here. It starts with the controller"
    else
        restart
        say "Asking whether door and vision are up (at most $HEALTH_WAIT_S s)"
        if healthy; then
            end_trial
        else
            not_up "$former"
        fi
    fi
}

# not_up FORMER: back to it, where there is one
not_up() {
    trap - EXIT INT TERM HUP
    if [ -n "$1" ] && [ -d "$OPT/$1" ]; then
        go_back "$1"
        say "✗ The new release did not come up. ${1##*/} runs again; /etc/doorward was not touched"
        say "   mend: journalctl -u doorward-door -u doorward-vision says why; the bundle stays where it is"
        exit "$ROLLED_BACK"
    fi
    end_trial
    say "✗ Doorward is installed and does not come up, and there is nothing to go back to"
    say "   mend: sudo /opt/doorward/bin/doorward doctor says what is missing"
    exit "$NOT_UP"
}

restart() {
    [ -z "$ROOT" ] || return 0
    systemctl --quiet enable doorward.target
    systemctl reset-failed 'doorward-*' 2>/dev/null || true
    # The door is away for the half second that its new program needs; whoever wants out has the handle and the button's own wire
    # A release that never comes up is not waited for: what is asked next is whether it has, and systemd goes on meanwhile
    timeout 30 systemctl restart doorward.target || true
}

healthy() { "$OPT/bin/doorward" health --wait "$HEALTH_WAIT_S" 9>&-; }

is_up_or_started() {
    { [ "$START" = 1 ] && may_start; } || return 1
    [ -n "$ROOT" ] || { systemctl enable --quiet doorward.target && timeout 30 systemctl start doorward.target; } || true
    healthy || not_up ''
}

# go_back RELEASE: with its units; what the failed one left stays for whoever looks into it, until the next installation
go_back() {
    say "Back to ${1##*/}"
    place_units "$OPT/$1"
    link current "$1"
    [ "$(running previous)" != "$1" ] || rm -f "$OPT/previous"
    rm -f "$TRIAL"
    sync "$OPT"
    # At a start of the controller the door begins when this has ended, and to wait for it would be for ever
    [ "$WHAT" = settle ] || ! may_start || restart
}

back_by_hand() {
    former=$(running previous)
    { [ -n "$former" ] && [ -d "$OPT/$former" ]; } || fail "there is no release before this one" "install the bundle that you want"
    left=$(running current)
    go_back "$former"
    link previous "$left"
    say "Done: ${former##*/} runs; ${left##*/} is kept"
}

# An installation that was cut off between the switch and the door's word. At the same start of the controller it may still be going on.
settle() {
    rm -rf "$RELEASES"/.making.*
    [ -s "$TRIAL" ] || return 0
    { read -r new && read -r former && read -r boot; } <"$TRIAL" || true
    if [ "$WHAT" = settle ] && [ "$boot" = "$(cat "$ROOT/proc/sys/kernel/random/boot_id" 2>/dev/null || true)" ]; then return 0; fi
    say "The installation of ${new##*/} was cut off before the door had said that it is up"
    if [ -n "$former" ] && [ -d "$OPT/$former" ]; then
        go_back "$former"
    else
        [ ! -d "$OPT/$new" ] || place_units "$OPT/$new"
        rm -f "$TRIAL"
        sync "$OPT"
    fi
}

# Two releases: what runs and what ran before.
keep_two() {
    for release in "$RELEASES"/*; do
        case releases/${release##*/} in
        "$(running current)" | "$(running previous)") ;;
        *) rm -rf "$release" && say "Removed ${release##*/}" ;;
        esac
    done
}

main "$@"
