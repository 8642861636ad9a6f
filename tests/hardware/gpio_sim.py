"""A GPIO chip of the kernel's own, from its simulator gpio-sim: the far end of its lines is two files a line in sysfs.

Format: the kernel's Documentation/admin-guide/gpio/gpio-sim.rst. Needs configfs and root; `make test-hardware` boots a kernel that has it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

TICKS_S = 0.0025
"""Two ticks, and a little, of a kernel that has a thousand a second (tools/uml/build.sh sees to that)."""

CONFIGFS = Path("/sys/kernel/config/gpio-sim")


class SimChip:
    """One chip with a label and named lines, in the kernel from here to `close`."""

    def __init__(self, name: str, label: str, lines: int, names: Mapping[int, str]) -> None:
        self._folder = CONFIGFS / name
        bank = self._folder / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(lines))
        (bank / "label").write_text(label)
        self._named = [bank / f"line{offset}" for offset in names]
        for folder, line_name in zip(self._named, names.values(), strict=True):
            folder.mkdir()
            (folder / "name").write_text(line_name)
        (self._folder / "live").write_text("1")
        self._bank = bank
        chip = (bank / "chip_name").read_text().strip()
        self.path = f"/dev/{chip}"
        self._lines = Path("/sys/devices/platform") / (self._folder / "dev_name").read_text().strip() / chip

    def drive(self, offset: int, high: bool) -> None:
        """What the far end of the wire does; a line that is an output does not care.

        gpio-sim hands interrupts on at the kernel's next tick, and two changes within one as one interrupt: it is given its time.
        """
        (self._lines / f"sim_gpio{offset}" / "pull").write_text("pull-up" if high else "pull-down")
        time.sleep(TICKS_S)

    def level(self, offset: int) -> bool:
        """What a meter would show."""
        return (self._lines / f"sim_gpio{offset}" / "value").read_text().strip() == "1"

    def close(self) -> None:
        (self._folder / "live").write_text("0")
        for folder in self._named:
            folder.rmdir()
        self._bank.rmdir()
        self._folder.rmdir()
