"""The usual view of a door's camera, kept over restarts: sums of edges in a few thousand small numbers, and no picture of anybody.

So a camera that was turned while the power was off is noticed when it comes back.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from agent.core.messages import Box, Observation
from agent.errors import ConfigError
from agent.files import write_whole
from agent.vision.faces import Floats
from agent.vision.guard import Guard
from agent.vision.scene_view import ACROSS, PILLARS, SHARP_ACROSS, SHARP_DOWN, STRIPS, STRONGEST, Strips
from agent.vision.scene_watch import KeptView, SceneWatch
from hw.interfaces import Frame

log = logging.getLogger(__name__)

VIEW_FILE = "camera/view.json"
"""In the records' folder. Deleted, the view is learned anew at the next start: what an installer does who has moved the camera."""
SAVE_EVERY_S = 3600.0
"""A memory card wears by each write; the first view is written as soon as it is learned."""
STEP = 255 / STRONGEST
NEAR_SHARE = 0.25
"""Of the picture, filled by bodies or by a face and the shoulders below it."""
BODY_OF_FACE = 10.0
"""Area of head and shoulders over that of the face's box."""


class SavedView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file. Strips are bytes of STEP a level, fields are float32 little-endian."""

    camera: str
    """Its lasting name (hw.camera_names): another camera has another view."""
    frame_px: tuple[int, int]
    sideways: bytes
    upright: bytes
    first_sideways: bytes
    first_upright: bytes
    learned_s: float
    bends: bytes
    slopes: bytes
    clear: bytes
    sharp_samples: int
    blown: float
    restless: float
    standstill_s: float


def saved(kept: KeptView, camera: str) -> SavedView:
    """For the file."""
    first = kept.first
    return SavedView(
        camera=camera, frame_px=kept.frame_px, sideways=_packed(kept.strips.sideways), upright=_packed(kept.strips.upright),
        first_sideways=b"" if first is None else _packed(first.sideways), first_upright=b"" if first is None else _packed(first.upright),
        learned_s=kept.learned_s, bends=kept.bends.astype("<f4").tobytes(), slopes=kept.slopes.astype("<f4").tobytes(),
        clear=kept.clear.tobytes(), sharp_samples=kept.sharp_samples, blown=kept.blown, restless=kept.restless,
        standstill_s=kept.standstill_s,
    )  # fmt: skip


def restored(view: SavedView) -> KeptView:
    """From the file; raises ValueError when its numbers are too many or too few."""
    fields = (SHARP_DOWN, SHARP_ACROSS)
    first = (
        Strips(_unpacked(view.first_sideways, STRIPS), _unpacked(view.first_upright, PILLARS)) if view.first_sideways else None
    )
    strips = Strips(_unpacked(view.sideways, STRIPS), _unpacked(view.upright, PILLARS))
    if any(each.sideways.shape[1] != ACROSS or each.upright.shape != strips.upright.shape for each in (strips, first or strips)):
        raise ValueError("strips of another length")
    bends, slopes = (np.frombuffer(raw, "<f4").reshape(fields).astype(np.float32) for raw in (view.bends, view.slopes))
    if not np.isfinite([*bends.flat, *slopes.flat, view.learned_s, view.blown, view.restless, view.standstill_s]).all():
        raise ValueError("numbers that are none")
    return KeptView(
        frame_px=view.frame_px, strips=strips, first=first, learned_s=view.learned_s, bends=bends, slopes=slopes,
        clear=np.frombuffer(view.clear, np.uint8).reshape(fields) > 0, sharp_samples=view.sharp_samples, blown=view.blown,
        restless=view.restless, standstill_s=view.standstill_s,
    )  # fmt: skip


def _packed(strips: Floats) -> bytes:
    return np.clip(np.round(strips * STEP), 0, 255).astype(np.uint8).tobytes()


def _unpacked(raw: bytes, count: int) -> Floats:
    return np.frombuffer(raw, np.uint8).reshape(count, -1).astype(np.float32) / np.float32(STEP)


def load_view(path: Path, camera: str) -> KeptView | None:
    """None when none was learned of this camera yet. Raises ConfigError for a file that is damaged."""
    try:
        view = msgspec.json.decode(path.read_bytes(), type=SavedView)
        return restored(view) if view.camera == camera else None
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; delete it to have the camera's view learned anew") from error


class Watchman:
    """Watches a camera while the program runs, and keeps what was learned. Whatever fails here is told, and stops nothing."""

    def __init__(self, path: Path, camera: str) -> None:
        """Goes on with what was learned of the same camera; learns anew of another, and where the file is damaged."""
        self._path, self._camera = path, camera
        self._guard, self._trouble = Guard("scene"), ""
        try:
            known = load_view(path, camera)
        except ConfigError as error:
            known, self._trouble = None, f"scene: the view is learned anew: {error}"
            log.error("camera view damaged path=%s why=%r", path, str(error))
        self._watch = SceneWatch(known)
        self._saved, self._saved_s = self._watch.kept, float("-inf")
        self._told: tuple[str, ...] = ()

    @property
    def signs(self) -> tuple[str, ...]:
        """What somebody may have done to the camera: words of agent.vision.scene_watch.SIGNS."""
        return self._watch.signs

    @property
    def fault(self) -> str:
        blind = "scene: the camera shows too little to be recognised by: it cannot be told whether it is moved or covered"
        return self._guard.fault or self._trouble or (blind if self._watch.blind else "")

    def see(self, frame: Frame, observation: Observation | None) -> None:
        """A frame, and who is in it where that is known. Never raises."""
        near = observation is not None and stands_near(observation)
        self._guard.run(lambda: self._look(frame, near), frame.taken_s)
        if self.signs != self._told:
            log.warning("camera tamper signs=%s before=%s", ",".join(self.signs) or "none", ",".join(self._told) or "none")
            self._told = self.signs

    def _look(self, frame: Frame, near: bool) -> None:
        self._watch.see(frame.pixels, frame.taken_s, near)
        kept = self._watch.kept
        learned = kept is not None and kept.learned_s >= self._watch.settings.learn_s
        if learned and frame.taken_s - self._saved_s >= SAVE_EVERY_S:
            self._saved_s = frame.taken_s
            self.save()

    def save(self) -> None:
        """Once something was learned."""
        kept = self._watch.kept
        if kept is None or kept is self._saved or kept.learned_s < self._watch.settings.learn_s:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path, msgspec.json.encode(saved(kept, self._camera)) + b"\n")
        except OSError as error:
            self._trouble = f"scene: {self._path} cannot be written: {error}"
            log.error("camera view not saved path=%s why=%r", self._path, str(error))
            return
        self._saved, self._trouble = kept, ""


def stands_near(seen: Observation) -> bool:
    """Whether somebody fills a good part of the picture."""
    width, height = seen.frame_px
    areas = [_area(person.box_px, width, height) for person in seen.persons]
    areas += [BODY_OF_FACE * _area(face.box_px, width, height) for face in seen.faces]
    return bool(areas) and max(areas) >= NEAR_SHARE * width * height


def _area(box: Box, width: int, height: int) -> float:
    """Of the part within the picture, in px²."""
    x, y, wide, high = box
    return max(0.0, min(x + wide, width) - max(x, 0.0)) * max(0.0, min(y + high, height) - max(y, 0.0))
