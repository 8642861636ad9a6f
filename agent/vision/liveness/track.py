"""What is remembered of one track's face for two seconds, and what follows from it."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

import cv2
import numpy as np

from agent.core.messages import Box, Liveness
from agent.vision.faces import Floats
from agent.vision.head_pose import fit, mean_face, put_right
from agent.vision.liveness.cues import Cues, Moment, summarise
from agent.vision.liveness.fuse import Limits, judge
from agent.vision.liveness.micro import change
from agent.vision.liveness.patch import RIGID, Patch, cut
from agent.vision.liveness.planarity import compare, turn_between
from agent.vision.liveness.surround import Around, around, border, hangs
from hw.interfaces import Pixels

WINDOW_S = 2.2
KEY_S = 0.2
"""Cuts are kept this far apart: eleven of 16 kB each."""
LEAST_APART_S = 0.15
"""Between the two views of a comparison: less is noise."""
AROUND_S = 0.13
ANCHOR_S = 0.7
"""The surroundings are compared over at most this long, then with a new square: people walk on."""
LEAST_BRIGHTNESS = 22.0
"""Mean grey level of the face."""

T = TypeVar("T")


class LivenessTrack:
    """One track's memory. Not thread-safe; knows no clock: times are the frames' own."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._keys: deque[Patch] = deque()
        self._moments: deque[Moment] = deque()
        self._anchor: Around | None = None
        self._around_s = -1e9
        self._began_s: float | None = None
        self._seen_s = -1e9
        self._last = Liveness(verdict="unsure", score=0.5, reason="too_short", watched_s=0.0)

    def update(self, pixels: Pixels, mesh_points: Floats, face_box_px: Box, eyes_open: float | None, taken_s: float) -> Liveness:
        """What is known after one more frame (height x width x 3, BGR) with its mesh (468 x 3, px of the frame) and face box.

        `eyes_open`: 0 closed .. 1 as open as usual, where another stage measured it; None otherwise.
        """
        if taken_s <= self._seen_s:
            return self._last
        if taken_s - self._seen_s > WINDOW_S:
            self._forget(taken_s)
        self._seen_s = taken_s
        began_s = self._began_s = taken_s if self._began_s is None else self._began_s
        moment = self._look(pixels, mesh_points, face_box_px, eyes_open, taken_s)
        self._moments.append(moment)
        for kept in (self._keys, self._moments):
            while kept and kept[0].taken_s < taken_s - WINDOW_S:
                kept.popleft()
        self._last = judge(self.cues(), self._limits, taken_s - began_s)
        return self._last

    @property
    def liveness(self) -> Liveness:
        """The newest verdict."""
        return self._last

    def cues(self) -> Cues:
        """The measurements of the last two seconds, summed up."""
        return summarise(self._moments)

    def _forget(self, taken_s: float) -> None:
        """Nobody was seen for so long that it may be somebody else, or something else."""
        self._keys.clear()
        self._moments.clear()
        self._anchor, self._began_s = None, taken_s

    def _look(self, pixels: Pixels, mesh: Floats, box: Box, eyes_open: float | None, taken_s: float) -> Moment:
        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        found = fit(mesh[RIGID], mean_face()[RIGID])
        yaw, pitch, _ = put_right(found.rotation)
        patch = cut(grey, mesh, (yaw, pitch), taken_s)
        brightness = float(patch.grey.mean())
        other, recent = self._farthest(patch), self._before(taken_s)
        parallax = compare(other, patch) if other is not None else None
        changed = change(recent, patch) if recent is not None else None
        if not self._keys or taken_s - self._keys[-1].taken_s >= KEY_S:
            self._keys.append(patch)
        moment = Moment(taken_s=taken_s, eyes_px=patch.eyes_px, brightness=brightness, yaw_deg=yaw, pitch_deg=pitch,
                        parallax=parallax, change=changed, eyes_open=eyes_open)  # fmt: skip
        return self._with_surroundings(moment, grey, box) if taken_s - self._around_s >= AROUND_S else moment

    def _with_surroundings(self, moment: Moment, grey: Pixels, box: Box) -> Moment:
        taken_s = self._around_s = moment.taken_s
        anchor = self._anchor
        if anchor is None or taken_s - anchor.taken_s > ANCHOR_S:
            fresh = self._anchor = around(grey, box, taken_s)
            found = hangs(anchor, around(grey, box, taken_s, anchor.place)) if anchor is not None else None
            return moment.seen_around(found, border(fresh))
        return moment.seen_around(hangs(anchor, around(grey, box, taken_s, anchor.place)), None)

    def _farthest(self, patch: Patch) -> Patch | None:
        """The kept view that differs most in pose."""
        old = [key for key in self._keys if patch.taken_s - key.taken_s >= LEAST_APART_S]
        return max(old, key=lambda key: turn_between(key, patch), default=None)

    def _before(self, taken_s: float) -> Patch | None:
        """A view of a moment ago: long enough for a lid to move, too short for light to change."""
        old = [key for key in self._keys if taken_s - key.taken_s >= LEAST_APART_S]
        return old[-1] if old else None
