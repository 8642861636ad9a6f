#!/bin/sh
# Inside the virtual machine: a GPIO chip of the kernel's with 32 lines, before the door starts; what is wired to it rests.
set -eu
[ -d /sys/module/doorward_gpio_sim ] || insmod /opt/field/doorward-gpio-sim.ko
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
chip=/sys/kernel/config/gpio-sim/door
[ -d "$chip" ] || mkdir -p "$chip/bank0"
[ "$(cat "$chip/live")" = 1 ] || { echo 32 >"$chip/bank0/num_lines" && echo door >"$chip/bank0/label" && echo 1 >"$chip/live"; }
lines=/sys/devices/platform/$(cat "$chip/dev_name")/$(cat "$chip/bank0/chip_name")
ln -sfn "$lines" /run/pins
# D0, D1 of the reader and the exit button rest high; the door is shut, its contact pulls to ground
for line in 17 27 24; do echo pull-up >"$lines/sim_gpio$line/pull"; done
echo pull-down >"$lines/sim_gpio23/pull"
