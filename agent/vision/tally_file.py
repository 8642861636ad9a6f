"""The count of scores of a door's own camera, kept over restarts: numbers by height, nothing of anybody's face."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from agent.core.messages import Observation
from agent.errors import ConfigError
from agent.files import write_whole
from agent.vision.own_camera import BINS, OwnCamera, Tally

log = logging.getLogger(__name__)

SAVE_EVERY_S = 600.0
"""A power cut costs so much of what was learned; a memory card wears by each write."""


def load_tally(path: Path) -> Tally | None:
    """None when nothing was counted yet. Raises ConfigError for a file that is damaged."""
    try:
        tally = msgspec.json.decode(path.read_bytes(), type=Tally)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; delete it to begin the count anew") from error
    if len(tally.counts) != BINS or min(tally.counts) < 0:
        raise ConfigError(f"{path}: counts must be {BINS} numbers from 0 on; delete it to begin the count anew")
    return tally


class Learner:
    """Lets a camera be learned while the program runs. A disk that refuses is a fault to be told, and no reason to stop seeing."""

    def __init__(self, path: Path, embedder_id: str, camera: str) -> None:
        """Goes on with the count of the same embedder and camera; begins anew for others, and where the file is damaged: nobody is denied
        for want of a statistic."""
        self._path = path
        self.fault = ""
        try:
            known = load_tally(path)
        except ConfigError as error:
            known, self.fault = None, f"own camera: counting begins anew: {error}"
            log.error("own camera tally damaged path=%s why=%r", path, str(error))
        goes_on = known is not None and (known.embedder_id, known.camera) == (embedder_id, camera)
        self._own = OwnCamera(known if known is not None and goes_on else Tally(embedder_id=embedder_id, camera=camera))
        self._saved, self._saved_s = self._own.tally, float("-inf")

    @property
    def tally(self) -> Tally:
        return self._own.tally

    def see(self, observation: Observation) -> None:
        self._own.see(observation)
        if self._own.tally is not self._saved and observation.taken_s - self._saved_s >= SAVE_EVERY_S:
            self._saved_s = observation.taken_s
            self.save()

    def save(self) -> None:
        if self._own.tally is self._saved:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path, msgspec.json.encode(self._own.tally) + b"\n")
        except OSError as error:
            self.fault = f"own camera: {self._path} cannot be written: {error}"
            log.error("own camera not saved path=%s why=%r", self._path, str(error))
            return
        self._saved, self.fault = self._own.tally, ""
        log.info("own camera pairs=%d", self._own.tally.pairs)
