#!/bin/sh
# Builds User-Mode Linux, a kernel that runs as an ordinary process, with GPIO chips simulated inside it (gpio-sim). Once: about three
# minutes on two cores. Takes Debian's kernel source; the compiler and its tools must be there (the list is in the message below).
# usage: build.sh FOLDER      leaves FOLDER/linux
set -eu
folder=$1
here=$(cd "$(dirname "$0")" && pwd)
[ -x "$folder/linux" ] && [ -z "$(find "$here/kernel.config" -newer "$folder/linux")" ] && exit 0

missing=
for tool in gcc make flex bison bc xz apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    echo "make test-hardware builds a kernel and lacks:$missing" >&2
    echo 'on Debian: apt-get install gcc make flex bison bc xz-utils' >&2
    exit 2
fi

mkdir -p "$folder"
cd "$folder"
if [ ! -d source ]; then
    package=$(apt-cache depends linux-source | sed -n 's/.*Depends: \(linux-source-[0-9.]*\).*/\1/p' | head -n 1)
    echo "Fetching $package ..." >&2
    apt-get download "$package"
    dpkg-deb -x "$package"_*.deb package
    mkdir source.part
    tar -C source.part --strip-components=1 -xf package/usr/src/"$package".tar.xz
    mv source.part source
    rm -rf package ./*.deb
fi
echo 'Building the kernel ...' >&2
cd source
# gpio-sim hands an interrupt on at the next tick, and this architecture has 100 a second, with no question asked: a test wants a thousand
sed -i '/^config HZ$/,/default/s/default 100$/default 1000/' arch/um/Kconfig
nice -n 15 make -s ARCH=um defconfig
./scripts/kconfig/merge_config.sh -m .config "$here/kernel.config" >/dev/null
nice -n 15 make -s ARCH=um olddefconfig
nice -n 15 make -s ARCH=um -j"$(nproc)" linux
strip -o "$folder/linux.part" linux
mv "$folder/linux.part" "$folder/linux"
