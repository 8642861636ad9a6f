#!/usr/bin/env bash
# gpio_sim.sh SUITE FOLDER: makes FOLDER/doorward-gpio-sim.ko for the kernel of debian.sh, from the source of Debian's own kernel, which
# leaves the simulator of GPIO chips out. Two changes: what it lacks is in the same module, and a line KEEPS ITS LEVEL when its owner has died,
# as Raspberry Pi OS's kernels do (docs/HARDWARE.md): mainline's simulator lets it fall back, which would hide what a door's relay does.
set -Eeuo pipefail
PATH=$PATH:/usr/sbin:/sbin
suite=$1 folder=$2

compile() {
  local root=$1 kernel
  kernel=$(basename "$root"/usr/src/linux-headers-*-amd64 | sed 's/linux-headers-//')
  mkdir "$root/m"
  tar -xJf "$root"/usr/src/linux-source-*.tar.xz -C "$root/m" --wildcards --transform 's|.*/||' '*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/gpiolib.h' '*/kernel/irq/irq_sim.c'
  sed -i '/gc->free = gpio_sim_free/d' "$root/m/gpio-sim.c"
  sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' "$root/m/irq_sim.c" # exported to modules
  printf 'obj-m := doorward-gpio-sim.o\ndoorward-gpio-sim-y := gpio-sim.o irq_sim.o\nccflags-y += -Wno-unused-function\n' >"$root/m/Makefile"
  chroot "$root" make -s -C "/usr/src/linux-headers-$kernel" M=/m modules
  cp "$root/m/doorward-gpio-sim.ko" "$folder/doorward-gpio-sim.ko.part"
}

if [ "${3:-}" = compile ]; then
  compile "$4"
  exit 0
fi

[ -s "$folder/doorward-gpio-sim.ko" ] && [ "$folder/disk" -ot "$folder/doorward-gpio-sim.ko" ] && exit 0
echo "Building the kernel's GPIO simulator (two minutes, once) ..." >&2
nice mmdebstrap --quiet --variant=apt --aptopt='APT::Install-Recommends "false"' --include=gcc,make,xz-utils,linux-headers-amd64,linux-source \
  --customize-hook="$0 $suite $folder compile \"\$1\"" "$suite" /dev/null >&2
mv "$folder/doorward-gpio-sim.ko.part" "$folder/doorward-gpio-sim.ko"
