"""The door's clock: looked at once a second, marked on every event, never earlier than it can be, and told when it is right at last.

A controller without a battery clock starts at the time of its last shutdown, or in 1970, and a time server may be days away. What orders
things and ends pulses counts monotonic seconds and notices nothing. What needs the hour of the day asks here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.clock_kernel import boot_id, is_synchronised
from agent.core.clock_watch import EPOCH, STEP_US, ClockNews, ClockWatch, Mark, Reading, to_us
from agent.files import write_whole
from agent.link.certificate import valid_span

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
KEEP_EVERY_S = 6 * 3600.0
"""So often the time is written down, for a start without one. Four small files a day wear no card."""
WRITTEN = datetime(2026, 11, 24, tzinfo=timezone.utc)
"""This program is not older than itself."""


class _Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """What lies in the file: the offset that was told in a start of the machine, and a time that was right once."""

    boot: str
    offset_us: int
    known_us: int


class ClockKeeper:
    """A Clock. `start` has it look by itself; `tell` is called in its thread."""

    def __init__(self, path: Path, tell: Callable[[ClockNews], None], not_before: Iterable[datetime] = (), *,
                 read: Callable[[], Reading] | None = None, boot: str | None = None) -> None:  # fmt: skip
        """`path`: a small file of its own. `not_before`: moments that lie in the past for certain."""
        self._path, self._tell, self._read = path, tell, read or read_clocks
        self._boot = boot_id() if boot is None else boot
        kept = _kept(path)
        first = self._read()
        floors = [WRITTEN, *not_before, *([EPOCH + timedelta(microseconds=kept.known_us)] if kept else [])]
        self._floor_us = to_us(max(floors)) - first.mono_us
        self._watch = ClockWatch(kept.offset_us if kept and kept.boot == self._boot else None)
        self._due_s = float("-inf")
        self._stopping = threading.Event()
        self._first = self._take(first)
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    # -- a Clock -------------------------------------------------------------------------------------------------------------

    def mono_s(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        """The best that is known. A clock that may be anything is at least not earlier than what has been."""
        now = datetime.now(timezone.utc)
        return now if self.is_sure() else max(now, self.earliest())

    # -- its standing --------------------------------------------------------------------------------------------------------

    def is_sure(self) -> bool:
        """Whether the hour of the day may be gone by. Where nobody says anything of the clock it is believed."""
        return self._watch.standing != "unsure"

    def earliest(self) -> datetime:
        """It is this time at least, whatever the clock says."""
        return EPOCH + timedelta(microseconds=self._read().mono_us + self._floor_us)

    def mark(self) -> Mark:
        return Mark(self._boot, self._watch.standing)

    def start(self) -> None:
        if self._first is not None:
            self._tell(self._first)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * LOOK_EVERY_S)

    def look(self) -> None:
        """Once; else its thread does it."""
        if (news := self._take(self._read())) is not None:
            self._tell(news)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            self.look()

    def _take(self, reading: Reading) -> ClockNews | None:
        news = self._watch.take(reading)
        told_us = self._watch.told_us
        if told_us is not None and self._watch.standing == "synchronised" and (news or reading.mono_us / 1e6 >= self._due_s):
            self._due_s = reading.mono_us / 1e6 + KEEP_EVERY_S
            self._keep(_Kept(boot=self._boot, offset_us=told_us, known_us=reading.wall_us))
        return news

    def _keep(self, kept: _Kept) -> None:
        try:
            write_whole(self._path, msgspec.json.encode(kept))
        except OSError as error:
            log.warning("clock not kept path=%s error=%s: a start without a time server knows less", self._path, error)


class ClockGlance:
    """For another program of this controller: what the keeper has written down, and what the kernel says."""

    def __init__(self, path: Path, not_before: Iterable[datetime] = ()) -> None:
        self._path, self._not_before = path, [WRITTEN, *not_before]

    def is_sure(self) -> bool:
        now, kept = read_clocks(), _kept(self._path)
        held = kept is not None and kept.boot == boot_id() and abs(now.offset_us - kept.offset_us) < STEP_US
        return held or now.synchronised is not False

    def earliest(self) -> datetime:
        """It is this time at least."""
        kept = _kept(self._path)
        return max([*self._not_before, *([EPOCH + timedelta(microseconds=kept.known_us)] if kept else [])])


def read_clocks() -> Reading:
    """Now. The wall clock is read between two readings of the other, so it belongs to their middle."""
    synchronised = is_synchronised()
    before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
    return Reading((before + after) // 2000, wall // 1000, synchronised)


def _kept(path: Path) -> _Kept | None:
    """What cannot be read is as good as nothing: it only helps."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def begun(files: Iterable[str]) -> list[datetime]:
    """When the certificates in these files began: their authority signed them then, so it is later now."""
    return [span[0] for span in map(valid_span, files) if span is not None]
