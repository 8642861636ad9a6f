#!/bin/sh
# Inside the virtual machine, as root, once: pins and camera that are there before the door is. Needs Doorward's user.
set -eu
install -m 755 /opt/field/pins.sh /usr/local/sbin/field-pins
cat >/etc/systemd/system/field-pins.service <<'UNIT'
[Unit]
Description=A GPIO chip, and what is wired to it
DefaultDependencies=no
After=systemd-modules-load.service systemd-udevd.service
Before=doorward-door.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/field-pins
[Install]
WantedBy=sysinit.target
UNIT
cat >/etc/systemd/system/field-camera.service <<'UNIT'
[Unit]
Description=What stands before the camera
[Service]
User=doorward
RuntimeDirectory=field
ExecStart=/opt/doorward/current/bin/python /opt/field/camera.py /run/field/camera
Restart=always
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl -q enable field-pins field-camera
systemctl start field-pins
