#!/bin/sh
# Installs the Debian packages that the system tests use, or says how. Nothing is skipped silently: a test that
# misses its package fails with the same command.
set -eu
wanted="mosquitto"
missing=""
for package in $wanted; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
install="apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo apt-get update -qq && sudo env DEBIAN_FRONTEND=noninteractive $install
else
    echo "The system tests need:$missing. Please run: sudo $install" >&2
    exit 1
fi
