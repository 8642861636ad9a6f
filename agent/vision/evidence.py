"""Keeps the annotated picture of a decision when the deployment allows it, and only then."""

from __future__ import annotations

import logging
import queue
import re
import threading
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import cv2

from agent.core.messages import EvidenceRequest
from agent.errors import CameraError, WireError
from agent.files import write_whole
from agent.vision.annotate import annotate
from agent.vision.ring import Moment, Ring

log = logging.getLogger(__name__)

FOLDER = "evidence"
"""In Config.records.folder."""
JPEG_QUALITY = 88
MOST_WAITING = 4
"""Pictures waiting for the disk. More would mean a door that decides faster than its disk writes: the newest are then let go."""

MOST_KEPT = 2000
"""Pictures in the folder, about 150 MB; the oldest go. A full disk would stop the journal, and that is worth more than a picture."""
PRUNE_EVERY = 50
"""Listing the folder costs more than writing a picture."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Exhibit(NamedTuple):
    """A picture to be drawn and written."""

    path: Path
    moment: Moment
    request: EvidenceRequest
    taken_at: datetime


def exhibit(request: EvidenceRequest, ring: Ring, folder: Path, now_s: float, now: datetime) -> Exhibit:
    """The moment that a request is about. `now_s` and `now` are the same instant: they turn the frame's time into wall time.

    Raises WireError for an event id that is no file name, CameraError when no frame is left to keep.
    """
    if not _SAFE_NAME.fullmatch(request.event_id):
        raise WireError(f"evidence: event id {request.event_id[:40]!r} is no file name (letters, digits, _ . - only)")
    moment = ring.at(request.taken_s)
    if moment is None:
        raise CameraError(f"evidence: no frame was taken that could show event {request.event_id}")
    taken_at = datetime.fromtimestamp(now.timestamp() - (now_s - moment.frame.taken_s), tz=now.tzinfo)
    return Exhibit(folder / f"{request.event_id}.jpg", moment, request, taken_at)


def write_exhibit(item: Exhibit) -> None:
    """Draw the picture and write it, whole or not at all; raises OSError when the disk refuses.

    Readable by its owner only, as is its folder, since it shows a face.
    """
    picture = annotate(item.moment, item.request, item.taken_at)
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    item.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(item.path, jpeg.tobytes())


def prune(folder: Path, most: int = MOST_KEPT) -> None:
    """Delete the oldest pictures beyond `most`."""
    pictures = sorted(folder.glob("*.jpg"), key=lambda path: path.stat().st_mtime_ns)
    for path in pictures[: max(0, len(pictures) - most)]:
        path.unlink(missing_ok=True)


class EvidenceWriter:
    """Writes exhibits on a thread of its own: a memory card may take a second for what the vision loop cannot wait for."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Exhibit | None] = queue.Queue(MOST_WAITING)
        self.written = 0
        self.fault = ""
        """Why the last picture could not be kept; empty after one that could."""
        self._thread = threading.Thread(target=self._run, name="evidence")
        self._thread.start()

    def put(self, item: Exhibit) -> None:
        """Have an exhibit written soon; when too many wait, it is let go and the fault says so."""
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self._complain(item, "the disk is too slow, a picture was let go")

    def close(self) -> None:
        """Returns once everything that waits has been written."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                if self.written % PRUNE_EVERY == 0 and item.path.parent.is_dir():
                    prune(item.path.parent)
                write_exhibit(item)
            except (OSError, cv2.error) as error:
                self._complain(item, str(error))
                continue
            self.written += 1
            self.fault = ""
            log.info("evidence kept path=%s", item.path)

    def _complain(self, item: Exhibit, why: str) -> None:
        self.fault = f"evidence {item.path.name}: {why}"
        log.error("evidence lost path=%s why=%r", item.path, why)
