"""A door's norms on disk: what the vision program has learned, kept over restarts, and what passes between it and the centre.

In the folder `norms` of the records: `door.norms` is all that was learned, `export.json` what may go to the centre, `word.json` what the
centre has told and the door program has checked.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from agent.behaviour.norms import Norms, NormsError
from agent.behaviour.sketch import Sparse
from agent.core.norms_word import MOST_BYTES, DoorNorms, VisionWord
from agent.files import write_whole

log = logging.getLogger(__name__)

FOLDER = "norms"
KEPT, EXPORT, WORD = "door.norms", "export.json", "word.json"
DAMAGED = f"{KEPT}.damaged"
SAVE_EVERY_S = 600.0
"""A power cut costs so much of what was learned; a memory card wears by each write."""
EXPORT_EVERY_S = 86400.0
LOOK_EVERY_S = 60.0
LEAST_EXPORTED = 200
"""Visits: a door that has fewer tells nothing, for it would tell of the few who came."""
Whose = Literal["off", "door", "door_and_cardholders"]


class NormsKeeper:
    """The norms of a door while its program runs. A disk that refuses is a fault to be told, and no reason to stop seeing.

    `folder` is the records'; `place` names the camera's view and the floor's marking: norms in metres are forgotten when it is another.
    With `off` nothing is learned, and what was kept is deleted.
    """

    def __init__(self, folder: Path, place: str, whose: Whose, *, emotional: bool = False) -> None:
        self._folder, self._learns = folder / FOLDER, whose != "off"
        self.fault = ""
        self._writing: threading.Thread | None = None
        self._word: VisionWord | None = None
        self._seen_word: tuple[int, int] | None = None
        if whose == "off":
            self._guarded("deleted", self._erase)
        self._drop_damaged()  # of an earlier start: it may hold what is no longer kept
        self.norms = self._load(place, emotional, whose == "door_and_cardholders") if self._learns else Norms(place, learns=False)
        if self.norms.moved(place) and self.norms.visits:
            log.warning("norms moved place=%s: what was measured in metres is learned anew", place)
        self._saved = 0  # what decoding left out is a change, so that it leaves the disk too
        self._saved_s = self._exported_s = self._looked_s = float("-inf")
        self._look()

    def turn(self, now_s: float, wall: datetime) -> None:
        """Save, export and look for the centre's word, whatever is due. Microseconds; some 20 ms every ten minutes."""
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._look()
        if not self._learns or self.norms.changes == self._saved or now_s - self._saved_s < SAVE_EVERY_S or self._is_writing:
            return
        self._saved_s = now_s
        works: list[Callable[[], object]] = [self._save_work()]
        if now_s - self._exported_s >= EXPORT_EVERY_S and self.norms.visits >= LEAST_EXPORTED:
            self._exported_s = now_s
            works.append(self._export_work(wall))
        self._writing = threading.Thread(target=lambda: [work() for work in works], name="norms")
        self._writing.start()

    def save(self) -> None:
        """All of it, now; at the end."""
        if self._writing is not None:
            self._writing.join()
        if self._learns and self.norms.changes != self._saved:
            self._save_work()()

    # -- inside --------------------------------------------------------------------------------------------------------------

    @property
    def _is_writing(self) -> bool:
        return self._writing is not None and self._writing.is_alive()

    def _load(self, place: str, emotional: bool, cardholders: bool) -> Norms:
        path = self._folder / KEPT
        try:
            return Norms.decode(path.read_bytes(), emotional=emotional, cardholders=cardholders)
        except FileNotFoundError:
            pass
        except (OSError, NormsError) as error:
            self.fault = f"norms: {path} cannot be read and is set aside; learning begins anew: {error}"
            log.error("norms damaged path=%s why=%r", path, str(error))
            self._guarded("set aside", lambda: path.replace(self._folder / DAMAGED), keep_fault=True)
        return Norms(place, emotional=emotional, cardholders=cardholders)

    def _save_work(self) -> Callable[[], None]:
        """What is to be written is fixed now; the disk may take its time."""
        raw, changes = self.norms.encode(), self.norms.changes

        def work() -> None:
            if self._write(KEPT, raw):
                self._saved = changes

        return work

    def _export_work(self, wall: datetime) -> Callable[[], object]:
        kinds = msgspec.Raw(msgspec.json.encode(self.norms.export()))
        place = hashlib.blake2b(self.norms.place.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        told = DoorNorms(made=wall, place=place, visits=self.norms.visits, kinds=kinds)
        return lambda: self._write(EXPORT, msgspec.json.encode(told) + b"\n")

    def _write(self, name: str, raw: bytes) -> bool:
        def work() -> None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._folder / name, raw)

        return self._guarded("written", work)

    def _guarded(self, what: str, work: Callable[[], object], *, keep_fault: bool = False) -> bool:
        try:
            work()
        except OSError as error:
            self.fault = f"norms: {self._folder} cannot be {what}: {error}"
            log.error("norms not %s folder=%s why=%r", what, self._folder, str(error))
            return False
        self.fault = self.fault if keep_fault else ""
        return True

    def _drop_damaged(self) -> None:
        self._guarded("deleted", lambda: (self._folder / DAMAGED).unlink(missing_ok=True), keep_fault=True)

    def _erase(self) -> None:
        for name in (KEPT, DAMAGED, EXPORT):
            (self._folder / name).unlink(missing_ok=True)

    def _look(self) -> None:
        """What the centre has told since. A word that cannot be read changes nothing."""
        path = self._folder / WORD
        try:
            stat = path.stat()
            if (stat.st_ino, stat.st_mtime_ns) == self._seen_word:
                return
            self._seen_word = (stat.st_ino, stat.st_mtime_ns)
            self._take(_word_in(path))
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, NormsError) as error:
            self.fault = f"norms: {path} cannot be read: {error}"
            log.error("norms word unreadable path=%s why=%r", path, str(error))

    def _take(self, word: VisionWord) -> None:
        gone = [key for key in word.forget if self.norms.forget(key)]
        if gone:
            self._saved_s = float("-inf")  # so that they are gone from the disk at once
            log.info("norms forgotten cardholders=%d", len(gone))
        if word.forget:  # what was set aside cannot be read, and may hold theirs
            self._drop_damaged()
        self.norms.prior(msgspec.json.decode(word.kinds, type=dict[str, Sparse]))


def forget_norms(folder: Path) -> None:
    """Where behaviour is not measured at all, nothing that was learned stays. `folder` is the records'; a disk that refuses is logged."""
    NormsKeeper(folder, "", "off")


def _word_in(path: Path) -> VisionWord:
    if path.stat().st_size > 4 * MOST_BYTES:
        raise NormsError(f"{path.stat().st_size} bytes are no word of the centre")
    return msgspec.json.decode(path.read_bytes(), type=VisionWord)
