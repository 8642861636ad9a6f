"""Keeps the annotated picture of a decision when the deployment allows it, and only then."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

import cv2

from agent.core.messages import EvidenceRequest
from agent.errors import CameraError, WireError
from agent.vision.annotate import annotate
from agent.vision.ring import Ring

FOLDER = "evidence"
JPEG_QUALITY = 88

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class EvidenceKeeper:
    """Writes EVENTID.jpg into a folder of the records."""

    def __init__(self, folder: Path, ring: Ring) -> None:
        self._folder = folder
        self._ring = ring

    def keep(self, request: EvidenceRequest, now_s: float, now: datetime) -> Path:
        """Write the picture of the moment asked for; returns its path.

        Raises WireError for an event id that is no file name, CameraError when no frame is left to keep, OSError when the disk refuses.
        """
        if not _SAFE_NAME.fullmatch(request.event_id):
            raise WireError(f"evidence: event id {request.event_id[:40]!r} is no file name (letters, digits, _ . - only)")
        moment = self._ring.at(request.taken_s)
        if moment is None:
            raise CameraError(f"evidence: no frame was taken that could show event {request.event_id}")
        taken_at = datetime.fromtimestamp(now.timestamp() - (now_s - moment.frame.taken_s), tz=now.tzinfo)
        path = self._folder / f"{request.event_id}.jpg"
        _, jpeg = cv2.imencode(".jpg", annotate(moment, request, taken_at), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        write_whole(path, jpeg.tobytes())
        return path


def write_whole(path: Path, data: bytes) -> None:
    """The file is there in full or not at all; readable by its owner only, since it shows a face."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
