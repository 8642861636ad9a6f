#!/usr/bin/env bash
# debian.sh SUITE FOLDER: makes FOLDER/{root.tar,disk,vmlinuz,initrd}: Debian with what a controller's system has and Doorward is not in.
# As root: mmdebstrap unpacks as the users that the files belong to.
set -Eeuo pipefail
PATH=$PATH:/usr/sbin:/sbin
suite=$1 folder=$2
key=$folder/../key

set_up() {
  local root=$1
  mkdir -p "$root/root/.ssh" "$root/etc/initramfs-tools/conf.d" "$root/boot/firmware" "$root/var/log/journal"
  install -m 600 "$key.pub" "$root/root/.ssh/authorized_keys"
  chroot "$root" usermod -p '*' root # a key opens, no password does
  cat >"$root/etc/systemd/system/field.service" <<'UNIT'
[Unit]
Description=The wire to the computer that this machine runs on, and to nowhere else
DefaultDependencies=no
After=systemd-udev-trigger.service systemd-udevd.service
Before=ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
# udev gives it another name a moment after it came
Restart=on-failure
RestartSec=1
ExecStart=/bin/sh -c 'modprobe virtio_net; udevadm settle --timeout=60; wire=$$(ls /sys/class/net | grep -v lo); ip link set lo up; ip link set $$wire up; ip address replace 10.0.2.15/24 dev $$wire'
[Install]
WantedBy=multi-user.target
UNIT
  echo 'UsePAM no' >"$root/etc/ssh/sshd_config.d/field.conf" # each command would start a session of systemd's
  mkdir -p "$root/etc/systemd/system/ssh.service.d"
  printf '[Unit]\nAfter=\nAfter=field.service\n' >"$root/etc/systemd/system/ssh.service.d/field.conf"
  echo i6300esb >"$root/etc/modules-load.d/field.conf"
  echo '/dev/vda / ext4 defaults,noatime 0 1' >"$root/etc/fstab"
  echo controller >"$root/etc/hostname"
  echo '127.0.0.1 localhost controller' >"$root/etc/hosts"
  : >"$root/etc/machine-id" # each machine makes its own
  touch "$root/etc/cloud/cloud-init.disabled"
  chroot "$root" systemctl -q enable field
  chroot "$root" systemctl -q disable mosquitto
  # nothing of these is Doorward's business, and each takes its seconds
  chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_reap.service e2scrub_all.timer \
    networking.service systemd-networkd.service modprobe@drm.service modprobe@loop.service modprobe@dm_mod.service modprobe@fuse.service modprobe@efi_pstore.service
  echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/field" # of this machine alone: boots a second sooner
  printf '%s\n' virtio_pci virtio_blk ext4 squashfs overlay >>"$root/etc/initramfs-tools/modules"
  chroot "$root" update-initramfs -u
}

if [ "${3:-}" = set-up ]; then
  set_up "$4"
  exit 0
fi

[ "$(id -u)" = 0 ] || { echo "making Debian needs root: sudo make test-field" >&2 && exit 3; }
"$(dirname "$(readlink -f "$0")")/../system_packages.sh" mmdebstrap qemu-system-x86 qemu-utils ovmf swtpm swtpm-tools openssh-client e2fsprogs
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9 # two that ask at once make it once
[ -s "$folder/disk" ] && [ "$0" -ot "$folder/disk" ] && exit 0
echo "Making Debian $suite for virtual machines (two to four minutes, once) ..." >&2
[ -s "$key" ] || ssh-keygen -q -t ed25519 -N '' -C field -f "$key"

# What Raspberry Pi OS Lite has too, as far as Doorward meets it. No venv and no pip: the bundle brings its own.
packages=systemd-sysv,systemd-timesyncd,udev,dbus,kmod,iproute2,procps,psmisc,util-linux,e2fsprogs,fdisk,dosfstools,ca-certificates
packages+=,python3,openssl,openssh-server,linux-image-amd64,zstd,cloud-init,gpiod,mosquitto,tpm2-tools
case $suite in
bookworm) packages+=,libtss2-esys-3.0.2-0,libtss2-rc0,libtss2-mu0,libtss2-tcti-device0 ;;
*) packages+=,libtss2-esys-3.0.2-0t64,libtss2-rc0t64,libtss2-mu-4.0.1-0t64,libtss2-tcti-device0t64 ;;
esac
nice mmdebstrap --quiet --variant=important --include="$packages" --customize-hook="$0 $suite $folder set-up \"\$1\"" \
  --aptopt='APT::Install-Recommends "false"' "$suite" "$folder/root.part.tar" >&2

work=$(mktemp -d "$folder/root.XXXXXX")
trap 'rm -rf "$work"' EXIT
tar -C "$work" -xpf "$folder/root.part.tar" --xattrs --xattrs-include='*' --numeric-owner
cp "$work"/boot/vmlinuz-* "$folder/vmlinuz"
cp "$work"/boot/initrd.img-* "$folder/initrd"
rm -f "$folder/disk.part"
truncate -s 4G "$folder/disk.part"
mkfs.ext4 -q -F -L root -d "$work" "$folder/disk.part"
mv "$folder/root.part.tar" "$folder/root.tar"
mv "$folder/disk.part" "$folder/disk"
