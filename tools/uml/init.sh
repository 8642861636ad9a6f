#!/bin/sh
# The first and only program of the kernel that tools/uml/run.sh boots: mounts what a test needs, runs it, tells its exit status, powers off.
# The host's files are read-only here. DOORWARD and DOORWARD_RUN come from the kernel's command line.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mount -t configfs configfs /sys/kernel/config
mount -t tmpfs tmpfs /run
mkdir -p /run/tmp /dev/shm
mount -t tmpfs tmpfs /dev/shm
ip link set lo up 2>/dev/null
cd "$DOORWARD" || exit
export HOME=/run TMPDIR=/run/tmp PYTHONDONTWRITEBYTECODE=1 DOORWARD_KERNEL_PINS=1
echo "kernel $(uname -r)"
if [ "$DOORWARD_RUN" = shell ]; then
    sh
else
    # shellcheck disable=SC2046  # words of a list
    "$DOORWARD/.venv/bin/python" -m pytest $(cat "$DOORWARD_RUN")
fi
echo "DOORWARD-EXIT $?"
echo o >/proc/sysrq-trigger
sleep 10
