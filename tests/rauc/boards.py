"""Models of the firmware of two boards, around the scripts that RAUC really calls. What they know is what is documented, and no more.

Raspberry Pi: https://www.raspberrypi.com/documentation/computers/config_txt.html#autoboot-txt
Jetson: NVIDIA Jetson Linux Developer Guide, 'Update and Redundancy' and 'Root File System'
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ON_BOARD = Path(__file__).parents[2] / "tools" / "rauc" / "on_board"
SECTOR_B = 512


class BootError(Exception):
    """The backend refused."""


class Board:
    """One controller: `words` to its backend, `restart`, and which slot `runs`. A slot in `broken` hangs, and the watchdog resets it."""

    backend = ""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        for path in ("boot/select", "proc/device-tree/chosen/bootloader", "data/system", "run/systemd"):
            (self.root / path).mkdir(parents=True)
        self.broken: set[str] = set()
        self.runs = ""

    def words(self, *words: str) -> str:
        """What the backend answers. Raises BootError with what it said."""
        done = subprocess.run(
            [ON_BOARD / self.backend, *words], env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BootError(done.stderr)
        return done.stdout.strip()

    def environment(self) -> dict[str, str]:
        return {**os.environ, "DOORWARD_ROOT": str(self.root)}

    def install(self, slot: str, whole: bool = True) -> None:
        """In RAUC's order: first nothing starts it any more, then it is written, then it is what shall start."""
        self.words("set-state", slot, "bad")
        self.broken.discard(slot) if whole else self.broken.add(slot)
        self.words("set-primary", slot)

    def restart(self) -> None:
        """In order: systemd stops all and calls what lies in system-shutdown."""
        raise NotImplementedError

    def power_cut(self) -> None:
        """All that was in memory is gone."""
        raise NotImplementedError


class Pi(Board):
    """autoboot.txt lies on a real FAT, read with mtools; the flag of `reboot '0 tryboot'` lives in a register until the next start."""

    backend = "boot-pi"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.image = folder / "select.vfat"
        self._file = self.root / "boot/select/autoboot.txt"
        self._file.write_text("[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n")
        with self.image.open("wb") as image:
            image.truncate(16 << 20)
        run("mkfs.vfat", "--invariant", self.image)
        run("mcopy", "-i", self.image, self._file, "::autoboot.txt")
        self._start(tryboot=False)

    def words(self, *words: str) -> str:
        before = self._file.read_bytes()
        try:
            return super().words(*words)
        finally:
            after = self._file.read_bytes()
            assert len(after) == len(before) <= SECTOR_B, "the file was not changed in its place"
            self.write_sector(after)

    def write_sector(self, data: bytes) -> None:
        """As the kernel writes a file that keeps its length: into its one sector, and nowhere else."""
        shown = run("mshowfat", "-i", self.image, "::autoboot.txt").split("<")[1].rstrip(">\n")
        boot = self.image.read_bytes()[:SECTOR_B]
        number = int.from_bytes
        first = (
            number(boot[14:16], "little")
            + boot[16] * number(boot[22:24], "little")
            + number(boot[17:19], "little") * 32 // SECTOR_B
        )
        with self.image.open("r+b") as image:
            image.seek((first + (int(shown.split("-")[0]) - 2) * boot[13]) * SECTOR_B)
            image.write(data)

    def restart(self) -> None:
        subprocess.run([ON_BOARD / "into-trial", "reboot"], env=self.environment(), check=True)
        word = self.root / "run/systemd/reboot-param"
        tryboot = word.exists() and word.read_text().strip() == "0 tryboot"
        self._forget()
        self._start(tryboot)

    def power_cut(self) -> None:
        self._forget()
        self._start(tryboot=False)

    def _forget(self) -> None:
        for path in ("doorward-system/tryboot", "systemd/reboot-param"):
            (self.root / "run" / path).unlink(missing_ok=True)

    def _start(self, tryboot: bool) -> None:
        slot = self.chosen(tryboot)
        if slot in self.broken:
            assert tryboot or self.chosen(False) not in self.broken, "a dead door: what starts untold is broken"
            self._start(tryboot=False)  # the watchdog's reset; the flag was cleared when it was read
            return
        self.runs = slot
        node = self.root / "proc/device-tree/chosen/bootloader"
        (node / "partition").write_bytes((2 if slot == "A" else 3).to_bytes(4, "big"))
        (node / "tryboot").write_bytes(int(tryboot).to_bytes(4, "big"))

    def chosen(self, tryboot: bool) -> str:
        return {0: "A", 2: "A", 3: "B"}[boot_partition(run("mtype", "-i", self.image, "::autoboot.txt"), tryboot)]


def boot_partition(autoboot: str, tryboot: bool) -> int:
    """By the documented rules: 512 bytes are read, sections that pass count, the last word holds; 0: the first partition that can start."""
    partition, passes = 0, True
    for line in autoboot[:SECTOR_B].splitlines():
        if line.startswith("["):
            passes = {"[all]": True, "[none]": False, "[tryboot]": tryboot}.get(line.strip(), False)
        elif passes and line.startswith("boot_partition=") and line[15:].isdigit():
            partition = int(line[15:])
    return partition


class Jetson(Board):
    """The firmware counts starts of a slot that nobody verified, and leaves it when none are left (ROOTFS_RETRY_COUNT_MAX=1)."""

    backend = "boot-jetson"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._memory = folder / "nvram"
        self._memory.mkdir()
        for name, value in {"current": "0", "active": "0", "most": "1"}.items():
            self._put(name, value)
        self.cleared()
        self.power_cut()
        self.words("set-state", "A", "good")

    def environment(self) -> dict[str, str]:
        path = f"{Path(__file__).parent}:{os.environ['PATH']}"
        return {**super().environment(), "PATH": path, "NVBOOTCTRL_MEMORY": str(self._memory)}

    def restart(self) -> None:
        self.power_cut()

    def power_cut(self) -> None:
        slot = self._get("active")
        for _ in range(8):
            if self._get(f"left-{slot}") == "0":
                self._put(f"status-{slot}", "unbootable")
            if self._get(f"status-{slot}") != "normal":
                slot = "1" if slot == "0" else "0"
                assert self._get(f"status-{slot}") == "normal", "a dead door: nothing can be started"
                self._put("active", slot)
            self._put(f"left-{slot}", str(max(0, int(self._get(f"left-{slot}")) - 1)))
            if "AB"[int(slot)] not in self.broken:
                break
        self._put("current", slot)
        self.runs = "AB"[int(slot)]

    def cleared(self) -> None:
        """What a technician does to a slot that the firmware holds for unbootable."""
        for slot in "01":
            self._put(f"status-{slot}", "normal")
            self._put(f"left-{slot}", "1")

    def _get(self, name: str) -> str:
        return (self._memory / name).read_text().strip()

    def _put(self, name: str, value: str) -> None:
        (self._memory / name).write_text(f"{value}\n")


def run(*words: str | Path) -> str:
    """What a tool says. Raises CalledProcessError."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return subprocess.run(
        words, capture_output=True, text=True, check=True, env={**os.environ, "PATH": path, "MTOOLS_SKIP_CHECK": "1"}
    ).stdout
