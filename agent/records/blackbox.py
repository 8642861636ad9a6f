"""The flight recorder: a ring of slots in a mapped file, which an event enters in microseconds and no disk is waited for.

What was written to a shared mapping belongs to the kernel: it survives any death of the program, SIGKILL included. It does not survive
a power cut before the kernel has written it out; the journal's commit, some milliseconds later, does.

A slot is one page: magic, part, parts, length, CRC-32, serial number, payload. A record that is longer than a slot takes several. Only
slots that were freed are written again, so nothing that is not committed elsewhere is ever overwritten.

Behind the slots lies the mark, a few bytes in two cells that are written in turn: the number given last, so that none is given twice even
when the event that bore it had no room here and was lost.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from pathlib import Path

from msgspec import Struct

from agent.errors import JournalError

SLOTS = 256
SLOT_BYTES = 4096
_MARK_CELL_BYTES = 512
_MARK_START = SLOTS * SLOT_BYTES
_FILE_BYTES = (SLOTS + 1) * SLOT_BYTES
_HEAD = struct.Struct("<2sBBIIQ")
_MAGIC = b"DB"
_BLANK = bytes(_HEAD.size)
ROOM_BYTES = SLOT_BYTES - _HEAD.size
MAX_PARTS = 64


class Record(Struct, frozen=True):
    """What one `put` left behind."""

    serial: int
    slots: tuple[int, ...]
    payload: bytes


class _Part(Struct, frozen=True):
    slot: int
    part: int
    parts: int
    serial: int
    payload: bytes


class BlackBox:
    """Open it, take `found` over, then `put` and `free`. One thread at a time."""

    def __init__(self, path: Path) -> None:
        """Raises JournalError when the file cannot be made or mapped."""
        try:
            self._map, self.was_replaced = _mapped(path)
        except (OSError, ValueError) as error:
            raise JournalError(f"{path}: the black box cannot be opened: {error}") from error
        self.found: list[Record] = []
        """Records that nobody freed before the last program ended, oldest first."""
        self.torn = 0
        """Slots that were being written when it ended, or were damaged since."""
        self._free: list[int] = []
        self._read_all()
        self._serial = max((record.serial for record in self.found), default=0)
        self._marks, self.mark = self._read_mark()

    @property
    def free_slots(self) -> int:
        return len(self._free)

    def put(self, payload: bytes) -> tuple[int, ...]:
        """Write a record; returns its slots, or () when there is no room for it."""
        parts = -(-len(payload) // ROOM_BYTES) or 1
        if parts > len(self._free) or parts > MAX_PARTS:
            return ()
        self._serial += 1
        slots = tuple(self._free.pop() for _ in range(parts))  # the slot freed last: its page is still in the cache
        for part, slot in enumerate(slots):
            self._write(slot, part, parts, payload[part * ROOM_BYTES : (part + 1) * ROOM_BYTES])
        return slots

    def free(self, slots: tuple[int, ...]) -> None:
        """The record in these slots is safe elsewhere."""
        for slot in slots:  # the first part goes first: what is left of a record without it is nothing
            self._blank(slot)
        self._free.extend(slots)

    def set_mark(self, mark: bytes) -> None:
        """Remember a few bytes (up to 480) in place of those before."""
        self._marks += 1
        start = _MARK_START + self._marks % 2 * _MARK_CELL_BYTES
        whole = _HEAD.pack(_MAGIC, 0, 1, len(mark), _crc(0, 1, self._marks, mark), self._marks) + mark
        self._map[start : start + len(whole)] = whole

    def close(self) -> None:
        self._map.close()

    def _read_mark(self) -> tuple[int, bytes]:
        cells = [self._part_at(-1, _MARK_START + cell * _MARK_CELL_BYTES) for cell in (0, 1)]
        return max(((cell.serial, cell.payload) for cell in cells if cell is not None), default=(0, b""))

    def _write(self, slot: int, part: int, parts: int, payload: bytes) -> None:
        crc = _crc(part, parts, self._serial, payload)
        start = slot * SLOT_BYTES
        whole = _HEAD.pack(_MAGIC, part, parts, len(payload), crc, self._serial) + payload
        self._map[start : start + len(whole)] = whole

    def _blank(self, slot: int) -> None:
        start = slot * SLOT_BYTES
        self._map[start : start + _HEAD.size] = _BLANK

    def _read_all(self) -> None:
        by_serial: dict[int, list[_Part]] = {}
        for slot in range(SLOTS):
            part = self._read(slot)
            if part is not None:
                by_serial.setdefault(part.serial, []).append(part)
        for serial in sorted(by_serial):
            self._keep(sorted(by_serial[serial], key=lambda part: part.part))
        taken = {slot for record in self.found for slot in record.slots}
        self._free.extend(slot for slot in reversed(range(SLOTS)) if slot not in taken)

    def _keep(self, parts: list[_Part]) -> None:
        whole = [part.part for part in parts] == list(range(parts[0].parts))
        if whole:
            payload = b"".join(part.payload for part in parts)
            self.found.append(Record(parts[0].serial, tuple(part.slot for part in parts), payload))
            return
        self.torn += parts[0].part == 0
        for part in parts:
            self._blank(part.slot)

    def _read(self, slot: int) -> _Part | None:
        start = slot * SLOT_BYTES
        if self._map[start : start + _HEAD.size] == _BLANK:
            return None
        found = self._part_at(slot, start)
        if found is None:
            self.torn += 1
            self._blank(slot)
        return found

    def _part_at(self, slot: int, start: int) -> _Part | None:
        """What is written here, if all of it is."""
        magic, part, parts, length, crc, serial = _HEAD.unpack(self._map[start : start + _HEAD.size])
        payload = self._map[start + _HEAD.size : start + _HEAD.size + min(length, ROOM_BYTES)]
        whole = magic == _MAGIC and len(payload) == length and part < parts and _crc(part, parts, serial, payload) == crc
        return _Part(slot, part, parts, serial, payload) if whole else None


def _crc(part: int, parts: int, serial: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<BBQ", part, parts, serial)))


def _mapped(path: Path) -> tuple[mmap.mmap, bool]:
    """The mapping, and whether a file of a wrong size had to give way to a new one."""
    size = path.stat().st_size if path.exists() else -1
    if size != _FILE_BYTES:
        _make(path)
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _FILE_BYTES), size not in (-1, _FILE_BYTES)


def _make(path: Path) -> None:
    # Written out in full: storing into a hole of a full disk would end the program with SIGBUS
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(bytes(_FILE_BYTES))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
