"""Who is inside, and whether a first card came, on disk: anti-passback survives a restart.

File: `doorward passback 1`, a line with the CRC-32 of the rest in hex, and JSON of `_Saved`; replaced whole, readable by its owner alone.
It names cardholders and times, so it holds only who is inside now. A file that is missing, damaged or another door's is forgotten:
everybody may come in once more, and a door that a first card had unlocked waits for another one.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.core.desk import Kept
from agent.errors import JournalError
from agent.files import write_whole

SAVE_EVERY_S = 2.0
"""At most so often, for the card's sake: a power cut forgets the passages of this time."""

_MAGIC = b"doorward passback 1"
_MOST_BYTES = 8 << 20


class _Saved(Struct, frozen=True, kw_only=True):
    site: str
    door: str
    kept: Kept


def save_kept(path: Path, site: str, door: str, kept: Kept) -> None:
    """Write it so that a power cut leaves the old or the new one, never half. Raises JournalError."""
    body = msgspec.json.encode(_Saved(site=site, door=door, kept=kept))
    try:
        write_whole(path, b"%s\n%08x\n%s" % (_MAGIC, zlib.crc32(body), body))
    except OSError as error:
        raise JournalError(f"{path}: who is inside cannot be saved: {error}; a restart would forget it") from error


def load_kept(path: Path, site: str, door: str) -> tuple[Kept, str]:
    """What was saved, and in words why it is not used, if it is not; nothing of either before the first passage. Never raises."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return Kept(), ""
    except OSError as error:
        return Kept(), f"{path}: cannot be read: {error}; who is inside is forgotten"
    return _understood(path, raw, site, door)


def _understood(path: Path, raw: bytes, site: str, door: str) -> tuple[Kept, str]:
    magic, _, rest = raw.partition(b"\n")
    checksum, _, body = rest.partition(b"\n")
    if magic != _MAGIC or checksum != b"%08x" % zlib.crc32(body) or len(raw) > _MOST_BYTES:
        return Kept(), f"{path}: is damaged; who is inside is forgotten, everybody may come in once more"
    try:
        saved = msgspec.json.decode(body, type=_Saved)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Kept(), f"{path}: cannot be understood: {error}; who is inside is forgotten, everybody may come in once more"
    if (saved.site, saved.door) != (site, door):
        return Kept(), f"{path}: is of {saved.site}/{saved.door}, this is {site}/{door}; who is inside is forgotten"
    return saved.kept, ""


class PassbackKeeper:
    """Saves in a thread of its own, the newest only, at most every `every_s`. `on_fault` is told there of what could not be saved."""

    def __init__(self, path: Path, site: str, door: str, on_fault: Callable[[str], None], every_s: float = SAVE_EVERY_S) -> None:
        self._path, self._site, self._door, self._on_fault, self._every_s = path, site, door, on_fault, every_s
        self._newest: Kept | None = None
        self._news = threading.Condition()
        self._closing = False
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="passback", daemon=True)
        self._thread.start()

    def save(self, kept: Kept) -> None:
        """Never waits for the disk."""
        with self._news:
            self._newest = kept
            self._news.notify()

    def close(self) -> None:
        """What is still to be saved is saved."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._hurry.set()
        self._thread.join(2 * SAVE_EVERY_S)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._newest is not None or self._closing)
                kept, self._newest = self._newest, None
            if kept is None:
                return
            try:
                save_kept(self._path, self._site, self._door, kept)
            except JournalError as error:
                self._on_fault(str(error))
            self._hurry.wait(self._every_s)
