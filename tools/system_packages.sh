#!/bin/sh
# Installs the Debian packages that the system tests use, or those that are named, or says how. Nothing is skipped silently: a test that
# misses its package fails with the same command.
set -eu
# Cameras: gst-launch and its elements (H.264 is in "ugly", for its patents), and GStreamer's RTSP server for the system's Python.
cameras="gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly gir1.2-gst-rtsp-server-1.0 python3-gi"
# The centre: its brokers, its database for fleets, and the browser that looks at its dashboard.
centre="mosquitto nats-server postgresql chromium"
# Signed systems and their boot loaders' files.
systems="rauc squashfs-tools mtools dosfstools shellcheck"
wanted=${*:-"$centre $cameras $systems"}
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
    echo "The tests need:$missing. Please run: sudo $install" >&2
    exit 1
fi
