"""A photograph that lives: the head turns with its own relief, lids close, the mouth opens. Honest to about 15 degrees.

The relief inside the face is the mesh network's, outside it an ellipsoid. A rendered head is not a person in the flesh: nothing here breathes
or shines, and what is hidden behind a nose stays hidden.
"""

from __future__ import annotations

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.vision.faces import Floats
from agent.vision.still import StillFaces
from demo.people import PeopleError
from hw.interfaces import Pixels

HALF_HEAD_FACES = 0.66
"""Half the width of a head with ears, in widths of the detector's face box."""
GRID_FACE_PX = 96.0
MOST_DEG = 22.0

# The mesh's numbers: middle of the upper and the lower lid, corners, brow; inner lips, chin.
EYES = ((159, 145, 33, 133, 52), (386, 374, 362, 263, 282))
UPPER_LIP, LOWER_LIP, MOUTH_CORNERS, CHIN = 13, 14, (61, 291), 152


class Look(Struct, frozen=True, kw_only=True):
    """How a living head is at one moment. Signs as in HeadPose."""

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    closed: float = 0.0
    """Lids, 0 open .. 1 shut."""
    mouth: float = 0.0
    """0 shut .. 1 wide open."""


class Living:
    """A picture (BGR or BGR with a fourth channel, which moves along) of one face with its relief."""

    def __init__(self, pixels: Pixels, stills: StillFaces) -> None:
        """Raises PeopleError where no face is found."""
        self._pixels = pixels
        colour = np.ascontiguousarray(pixels[..., :3])
        faces = stills.faces(colour)
        portrait = stills.portrait(colour, faces[0]) if faces else None
        if portrait is None:
            raise PeopleError("no face that could be brought to life in the picture; take a frontal portrait")
        self.face_box_px = portrait.face.box_px
        self._mesh: Floats = portrait.mesh.points / np.float32(portrait.share)
        rows, columns = pixels.shape[:2]
        self._depth = _relief(self._mesh, self.face_box_px, (rows, columns))
        self._part = _about(self._mesh, self.face_box_px[2])
        self._x, self._y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))

    def at(self, look: Look) -> Pixels:
        """The picture with the head as `look` says; a new array."""
        yaw, pitch = (np.float32(np.radians(np.clip(angle, -MOST_DEG, MOST_DEG))) for angle in (look.yaw_deg, look.pitch_deg))
        x, y = self._x.copy(), self._y.copy()
        for _ in range(4):  # where does what is seen here come from: the shift is that of the source
            depth = cv2.remap(self._depth, x, y, cv2.INTER_LINEAR)
            x, y = self._x - depth * np.sin(yaw), self._y + depth * np.sin(pitch)
        hole = np.zeros_like(y)
        part = self._part
        y[part] = self._lids(x[part], y[part], look.closed)
        y[part], hole[part] = self._jaw(x[part], y[part], look.mouth)
        out = np.asarray(cv2.remap(self._pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
        inside = np.array([30, 22, 52], np.float32)
        out[..., :3] = (out[..., :3] * (1 - hole[..., None]) + inside * hole[..., None]).astype(np.uint8)
        return out

    def _lids(self, x: Floats, y: Floats, closed: float) -> Floats:
        """Rows from which lids are taken that have come down by `closed`."""
        if closed <= 0:
            return y
        for upper, lower, right, left, brow in EYES:
            middle, half = self._mesh[[right, left], 0].mean(), 0.62 * abs(np.ptp(self._mesh[[right, left], 0]))
            across = (x - middle) / half
            arch = np.clip(1 - across**2, 0, None)
            corner = self._mesh[[right, left], 1].mean()
            top = corner + (self._mesh[upper, 1] - corner - 1.5) * arch
            shut = closed * arch * (self._mesh[lower, 1] - self._mesh[upper, 1] + 2.5)
            skin = max(2.0, float(self._mesh[upper, 1] - self._mesh[brow, 1]))
            lid = top + shut
            from_lid = (lid - y) * skin / (skin + np.maximum(shut, 0))
            moved = (y <= lid) & (y > top - skin) & (np.abs(across) < 1)
            y = np.where(moved, top - from_lid, y).astype(np.float32)
        return y

    def _jaw(self, x: Floats, y: Floats, mouth: float) -> tuple[Floats, Floats]:
        """Rows from which the lower face is taken when the jaw has dropped, and where one looks into the mouth (0..1)."""
        hole = np.zeros_like(y)
        if mouth <= 0:
            return y, hole
        lips = (self._mesh[UPPER_LIP, 1] + self._mesh[LOWER_LIP, 1]) / 2
        corners = self._mesh[list(MOUTH_CORNERS), 0]
        middle, half = corners.mean(), abs(np.ptp(corners)) / 2
        chin = float(self._mesh[CHIN, 1])
        across = np.abs(x - middle) / half
        drop = mouth * 0.55 * half * np.clip(1 - (across / 1.9) ** 2, 0, 1)
        below = np.clip((chin + 0.8 * half - y) / (0.8 * half), 0, 1)
        drop = drop * below * below * (3 - 2 * below)
        gap = drop * np.clip(1 - across**2, 0, 1)
        hole = np.where((y > lips) & (y < lips + gap), 1, 0).astype(np.float32)
        shifted = np.where(y > lips, np.maximum(y - drop, lips), y).astype(np.float32)
        return shifted, np.asarray(cv2.GaussianBlur(hole, (0, 0), 1.0), np.float32)


def _about(mesh: Floats, face_px: float) -> tuple[slice, slice]:
    """Rows and columns of the face with some room for its turning: lids and lips stay inside."""
    low, high = mesh[:, :2].min(axis=0) - 0.25 * face_px, mesh[:, :2].max(axis=0) + 0.6 * face_px
    return slice(max(0, round(float(low[1]))), round(float(high[1]))), slice(max(0, round(float(low[0]))), round(float(high[0])))


def _relief(mesh: Floats, box: tuple[float, float, float, float], shape: tuple[int, int]) -> Floats:
    """Pixels towards the camera from the axis that the head turns about, for each pixel; 0 beyond the head."""
    scale = GRID_FACE_PX / box[2]
    rows, columns = round(shape[0] * scale) + 1, round(shape[1] * scale) + 1
    x, y = np.meshgrid(np.arange(columns) / scale, np.arange(rows) / scale)
    radius = HALF_HEAD_FACES * box[2]
    middle_x, middle_y = box[0] + box[2] / 2, box[1] + 0.35 * box[3]
    egg = np.clip(1 - ((x - middle_x) / radius) ** 2 - ((y - middle_y) / (1.45 * radius)) ** 2, 0, None)
    head = np.asarray(radius * np.sqrt(egg), np.float64)
    inner, weight = _splat(mesh, scale, (rows, columns))
    share = cv2.GaussianBlur((weight > 0.002).astype(np.float32), (0, 0), 3.0)
    share = np.clip(2 * share - 1, 0, 1)
    offset = np.median((head - inner)[share > 0.5])
    depth = head * (1 - share) + (inner + offset) * share
    return np.asarray(cv2.resize(depth.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))


def _splat(mesh: Floats, scale: float, shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mesh's depths spread over a grid: each cell the mean of the points near it, weighted by a bell of 3 px."""
    total, weight = np.zeros(shape), np.zeros(shape)
    columns = np.clip(np.rint(mesh[:, 0] * scale).astype(int), 0, shape[1] - 1)
    rows = np.clip(np.rint(mesh[:, 1] * scale).astype(int), 0, shape[0] - 1)
    np.add.at(total, (rows, columns), -mesh[:, 2])
    np.add.at(weight, (rows, columns), 1.0)
    total, weight = (np.asarray(cv2.GaussianBlur(values, (0, 0), 3.0), np.float64) for values in (total, weight))
    return total / np.maximum(weight, 1e-6), weight
