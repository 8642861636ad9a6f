"""Looks once a minute at what is written on this controller; the count outlives restarts, in one small file that is written once an hour."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.clock_kernel import boot_id
from agent.files import write_whole
from agent.wear import HOUR_S, MOST_HOURS, Counters, Figures, Wear, count, figures, life_used

log = logging.getLogger(__name__)

FILE = "wear.json"
LOOK_EVERY_S = 60.0
SECTOR_B = 512
"""Of /sys/block/*/stat, whatever the disk's own are (kernel: Documentation/block/stat.rst)."""
WRITTEN_SECTORS = 6
"""Place in that line."""
MOST_BYTES = 64 * 1024

_decoder = msgspec.json.Decoder(Wear)


class Place(Struct, frozen=True):
    """The disk under a folder."""

    disk: Path | None
    """In /sys; None: memory, a network, or what the kernel does not tell."""

    @property
    def capacity_b(self) -> int | None:
        sectors = _text(self.disk / "size") if self.disk is not None else ""
        return int(sectors) * SECTOR_B if sectors.isdigit() else None

    @property
    def life_used(self) -> int | None:
        return life_used(_text(self.disk / "device/life_time")) if self.disk is not None else None

    @property
    def written_b(self) -> int | None:
        words = _text(self.disk / "stat").split() if self.disk is not None else []
        return (
            int(words[WRITTEN_SECTORS]) * SECTOR_B if len(words) > WRITTEN_SECTORS and words[WRITTEN_SECTORS].isdigit() else None
        )


def disk_of(folder: Path, sys: Path = Path("/sys")) -> Place:
    """The whole disk on which a folder lies; of a partition the disk around it."""
    try:
        number = folder.stat().st_dev
        device = (sys / "dev/block" / f"{os.major(number)}:{os.minor(number)}").resolve(strict=True)
    except OSError:
        return Place(None)
    return Place(device.parent if (device / "partition").exists() else device)


class Programs:
    """What all processes of this user send towards disks: on a controller those are Doorward's and no others."""

    def __init__(self, proc: Path = Path("/proc"), uid: int | None = None) -> None:
        self._proc, self._uid = proc, os.getuid() if uid is None else uid
        self._known: dict[tuple[str, str], int] | None = None

    def look(self) -> int:
        """Bytes since the last look; at the first one, of this program since it started: what others wrote by then was counted before it."""
        now = dict(self._running())
        known = (
            {who: written for who, written in now.items() if who[0] != str(os.getpid())} if self._known is None else self._known
        )
        self._known = now
        return sum(max(0, written - known.get(who, 0)) for who, written in now.items())

    def _running(self) -> Iterator[tuple[tuple[str, str], int]]:
        for name in os.listdir(self._proc):
            if not name.isdigit():
                continue
            folder = self._proc / name
            try:
                if folder.stat().st_uid != self._uid:
                    continue
                # a number is given again: with its start it names one process
                started = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
                fields = dict(line.split(": ") for line in (folder / "io").read_text("ascii").splitlines())
                yield (name, started), int(fields["write_bytes"]) - int(fields.get("cancelled_write_bytes", "0"))
            except (OSError, ValueError, KeyError, IndexError):  # it has just ended, or is nobody's business
                continue


class WearWatch:
    """`start`, `told`, `stop`. A thread of its own: reading it may wait for a disk, and nobody at a door waits for that."""

    def __init__(
        self, folder: Path, mono_s: Callable[[], float], programs: Programs | None = None, place: Place | None = None
    ) -> None:
        self._path, self._mono_s = folder / FILE, mono_s
        self._programs, self._place = programs or Programs(), place or disk_of(folder)
        self._wear = load(self._path)
        self._told = self._figures()
        self._saved_s = mono_s()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wear", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Saved as it stands."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def told(self) -> Figures:
        """What is to be published: it changes with each hour that is full, so that nothing is sent each minute."""
        return self._told

    def _run(self) -> None:
        self.look()
        while not self._stopping.wait(LOOK_EVERY_S):
            self.look()
        self.save()

    def look(self) -> None:
        """Count what was written since the last time."""
        now = Counters(boot=boot_id(), up_s=self._mono_s(), disk_b=self._place.written_b)
        before_s = self._wear.s
        self._wear = count(self._wear, now, self._programs.look())
        if self._told.programs_b_a_day is None or self._wear.s // HOUR_S != before_s // HOUR_S:
            self._told = self._figures()
        if now.up_s - self._saved_s >= HOUR_S:
            self.save()

    def save(self) -> None:
        self._saved_s = self._mono_s()
        try:
            write_whole(self._path, msgspec.json.encode(self._wear))
        except OSError as error:
            log.warning("wear not saved path=%s error=%s", self._path, error)

    def _figures(self) -> Figures:
        return figures(self._wear, self._place.capacity_b, self._place.life_used)


def load(path: Path) -> Wear:
    """What was counted until now; nothing when it cannot be understood."""
    try:
        with path.open("rb") as file:
            return _sound(_decoder.decode(file.read(MOST_BYTES)))
    except (OSError, msgspec.DecodeError, ValueError, RecursionError):
        return Wear()


def _sound(wear: Wear) -> Wear:
    """Numbers below nothing are nobody's count."""
    counted = (
        wear.disk_b,
        wear.programs_b,
        wear.s,
        *(number for hour in wear.hours for number in (hour.s, hour.disk_b, hour.programs_b)),
    )
    return Wear() if any(not number >= 0 for number in counted) else replace(wear, hours=wear.hours[-MOST_HOURS - 1 :])


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
