#!/usr/bin/env bash
# The system of the rehearsal: Debian, RAUC 1.8, and Doorward out of its own bundle, with wires that end in a program.
#   tools/rauc/rehearsal_root.sh BUNDLE.tar FOLDER    makes FOLDER/{root,boot,etc}; etc is this door's own: keys, configuration
# As root; Debian's packages come by apt.
set -Eeuo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
BUNDLE=${1:?which bundle?} FOLDER=${2:?which folder?}
packages=systemd-sysv,udev,dbus,kmod,iproute2,procps,python3,openssl,linux-image-cloud-amd64,initramfs-tools,zstd
packages+=,rauc,rauc-service,grub-common,e2fsprogs,dosfstools

in_it() { chroot "$FOLDER/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }

make_system() {
  mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt='APT::Install-Recommends "false"' --format=directory \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$FOLDER/root"
  rm -rf "$FOLDER"/root/var/cache/apt/* "$FOLDER"/root/var/lib/apt/lists/* "$FOLDER"/root/dev/*
  in_it usermod -p '*' root # there is no password
  in_it systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer
  printf '127.0.0.1 localhost controller\n' >"$FOLDER/root/etc/hosts"
  echo controller >"$FOLDER/root/etc/hostname"
}

# What starts sooner: only the drivers of this one machine
make_initrd() {
  echo MODULES=list >"$FOLDER/root/etc/initramfs-tools/conf.d/rehearsal"
  printf '%s\n' virtio_pci virtio_blk ext4 >>"$FOLDER/root/etc/initramfs-tools/modules"
  in_it update-initramfs -u >/dev/null
  mkdir -p "$FOLDER/boot"
  cp "$FOLDER"/root/boot/vmlinuz-* "$FOLDER/boot/vmlinuz"
  cp "$FOLDER"/root/boot/initrd.img-* "$FOLDER/boot/initrd.img"
  rm -f "$FOLDER"/root/boot/*
}

# The door program alone: an emulated processor is twenty times slower, and the networks are tried elsewhere
make_door() {
  mkdir "$FOLDER/root/bundle"
  tar -xf "$BUNDLE" -C "$FOLDER/root/bundle" --no-same-owner
  in_it sh /bundle/install.sh --no-start
  rm -rf "$FOLDER/root/bundle"
  for unit in doorward-vision doorward-media; do ln -sf /dev/null "$FOLDER/root/etc/systemd/system/$unit.service"; done
  rm -rf "$FOLDER"/root/opt/doorward/releases/*/lib/python3*/site-packages/{cv2,opencv_python_headless.libs,av,av.libs,ai_edge_litert,ml_dtypes}
  # The emulated processor needs 20 s for what a Raspberry Pi does in one
  install -D -m 644 /dev/stdin "$FOLDER/root/etc/systemd/system/doorward-door.service.d/slow.conf" <<<$'[Unit]\nAfter=rig.service\n[Service]\nTimeoutStartSec=300s\nWatchdogSec=120s'
  install -D -m 644 "$HERE/rehearsal/rig.py" "$FOLDER/root/usr/local/lib/rig.py"
  for unit in rig.service shell.service parcels.mount; do
    install -D -m 644 "$HERE/rehearsal/$unit" "$FOLDER/root/etc/systemd/system/$unit"
    in_it systemctl -q enable "$unit"
  done
}

make_keys() {
  mkdir -p "$FOLDER/etc"
  in_it /opt/doorward/current/bin/python -c \
    'from pathlib import Path; from agent.records.keys import make_centre_keys, make_door_keys; p = Path("/etc/doorward"); make_centre_keys(p); make_door_keys(p)'
  rm "$FOLDER/root/etc/doorward/centre.key"
  install -m 644 "$HERE/rehearsal/door.toml" "$FOLDER/root/etc/doorward/door.toml"
  in_it chown doorward:doorward /etc/doorward/door.key
  mv "$FOLDER"/root/etc/doorward/* "$FOLDER/etc/"
}

[ "$(id -u)" = 0 ] || { echo "making Debian needs root" >&2 && exit 1; }
rm -rf --one-file-system "${FOLDER:?}"/{root,boot,etc}
mkdir -p "$FOLDER"
make_system
make_initrd
make_door
make_keys
