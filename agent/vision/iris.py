"""Both eyes of a face: iris, lids, whether they can be seen at all, and where they look.

The network (MediaPipe Iris, arXiv 2006.11341) is shown a square of 2.3 eye widths, eyes level, the person's right eye as it is and the
left one mirrored, so that the outer corner is always on the picture's left. On 60 press photographs its corners then lie closest to the
mesh's (1.9 and 2.2 px of 64; the other way round 2.1 and 2.2, with the order of the points reversed). It answers for closed eyes and for
sunglasses as readily as for eyes, so each eye is judged by its picture: how light it is beside the face's skin, how much is burnt out, and
whether an iris darker than the white beside it is really there.
"""

from __future__ import annotations

from math import atan2, hypot, prod, sqrt
from typing import Any

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.core.messages import Gaze
from agent.vision.engine import Network, dequantise
from agent.vision.faces import Floats
from agent.vision.head_pose import OUTER_CORNERS, Doubles, Fit, direction_deg, fit, mean_face, put_right, turned
from agent.vision.landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS, Mesh
from agent.vision.pixels import input_buffer, into_input
from agent.vision.quality import BURNT, ramp, sharpness
from hw.interfaces import Pixels

INPUT_PX = 64
CUT_PER_EYE = 2.3
"""Side of the cut in widths of the eye, from the model's manifest."""
LIDS, OUTER, INNER = 16, 0, 8
"""The first 16 of the network's points are the lids: the corners 0 and 8, then 1 to 7 along the lower and 9 to 15 along the upper lid."""
LOWER, UPPER = slice(2, 7), slice(10, 15)
"""The middle five of each lid: near the corners lids do not part."""
SKIN = (50, 205, 187, 280, 425, 411, 4, 151, 9)
"""Points of the mesh on lower cheeks, nose and forehead, away from what glasses cover: how light skin is in this light."""
SKIN_PERCENTILE = 70
"""Of these points' grey: beard, hair and a shadow's edge fall on the dark ones."""

SPAN_MM = 89.0
"""Between the outer corners of the eyes: 91 mm in men, 88 in women (L. G. Farkas, Anthropometry of the Head and Face, 1994)."""
IRIS_MM = 11.7
"""Horizontal visible diameter of the iris, nearly the same in all adults (11.7 +- 0.5; MediaPipe Iris measures distances by it)."""
EYEBALL_MM = 12.0
"""Radius of the eyeball; its centre is taken as the point that the eye turns about."""
ARM = sqrt(EYEBALL_MM**2 - (IRIS_MM / 2) ** 2) / SPAN_MM
"""From that centre to the iris's plane, 10.5 mm, in spans: the iris is a circle on the eyeball."""
RESPONSE = (0.53, 0.40)
"""The network's iris follows a turning eye only so far, across and up: of eyes painted into the demo's portraits at known angles it showed
0.50 to 0.57 of -30 to 30 degrees across, and 0.3 of -20 to 20 up and down while the lids stayed; real lids follow and help it."""
SOCKET = (0.019, -0.030, 0.073)
"""Where that centre is from the middle between the eye's corners, in spans: outwards, down and into the head. The last, 6.5 mm, keeps the
gaze still while heads turn and eyes stay on one thing (three films: 5.5 to 7.5 mm); the others are the median of press photographs."""


class EyeSettings(Struct, frozen=True, kw_only=True):
    """(useless, harmless) for each measurement of one eye."""

    width_px: tuple[float, float] = (8.0, 16.0)
    """Between its corners, in the frame."""
    light: tuple[float, float] = (22.0, 45.0)
    """Mean grey of eye and skin around it: below, the noise of a camera at night is as large as an iris."""
    shade: tuple[float, float] = (0.62, 0.76)
    """The same over the skin's grey: dark glass, a hat's brim, deep-set eyes under a lamp. On 160 press photographs the middle one had 0.84
    and nine in ten more than 0.71; with dark lenses of 90 % painted over them 95 of 100 had less than 0.60."""
    glare: tuple[float, float] = (0.12, 0.03)
    """Share of the opening that is burnt or far lighter than skin."""
    contrast: tuple[float, float] = (0.04, 0.14)
    """The white's grey less the iris's, over the skin's grey."""
    sharp: tuple[float, float] = (0.035, 0.06)
    """As quality.sharpness, of the cut. Press photographs with eyes 15 px wide have 0.06 to 0.17, blurred by 3 px 0.03 to 0.08."""
    openness: tuple[float, float] = (0.10, 0.18)
    """A closing lid hides the iris and drags its middle down."""
    disagree_deg: tuple[float, float] = (45.0, 22.0)
    """Between the two eyes' directions."""
    turn_deg: tuple[float, float] = (50.0, 30.0)
    """Of the head: the far eye goes first, then the corners of the near one."""
    one_eye: float = 0.6
    """What is left of confidence when only the near eye of a turned head is seen."""
    least_gaze: float = 0.1
    """Confidence below which there is no gaze."""
    far_eye_deg: float = 18.0
    """From this turn on the far eye may be hidden without anything being wrong."""


class Eye(Struct, frozen=True, kw_only=True):
    """One eye in one frame."""

    iris_px: tuple[float, float]
    iris_width_px: float
    middle_px: tuple[float, float]
    """Halfway between the corners."""
    width_px: float
    """Between the corners."""
    openness: float
    """Distance of the lids over the width: about 0.3 open, below 0.1 closed; everybody has their own."""
    light: float
    shade: float
    glare: float
    contrast: float
    sharp: float
    """See EyeSettings."""


class EyesMeasured(Struct, frozen=True, kw_only=True):
    """Both eyes of one face in one frame."""

    right: Eye
    left: Eye
    gaze: Gaze | None
    """None when where they look could not be told; `fault` says why."""
    openness: float
    """Mean of both eyes; of the near one when the head is turned."""
    lids_seen: float
    """0..1, how far `openness` can be trusted. Closed eyes are as good as open ones here."""
    iris_seen: float
    """0..1, whether there are irises where the network says: dark glass has none. Only means something while the lids are open."""
    fault: str
    """too_small, too_dark, glasses, blurred, turned_away, closed, one_eye or disagree; empty when there is a gaze."""


class Gazer:
    """The iris network on both eyes: two invocations, and for the rest about as long as one. Not thread-safe: buffers are used again."""

    def __init__(self, network: Network, settings: EyeSettings | None = None) -> None:
        self._network, self._settings = network, settings or EyeSettings()
        self._input = input_buffer(INPUT_PX)
        self._cut: Pixels = np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8)

    def measure(self, pixels: Pixels, mesh: Mesh) -> EyesMeasured:
        """The eyes of a face of the frame (height x width x 3, BGR)."""
        points = mesh.points
        skin = skin_grey(pixels, points)
        eyes = [self._look(pixels, eye_cut(points, corners, mirrored), skin)
                for corners, mirrored in ((RIGHT_EYE_CORNERS, False), (LEFT_EYE_CORNERS[::-1], True))]  # fmt: skip
        return judged(eyes[0], eyes[1], fit(points, mean_face()), self._settings)

    def _look(self, pixels: Pixels, matrix: Floats, skin: float) -> Eye:
        cv2.warpAffine(
            pixels, matrix, (INPUT_PX, INPUT_PX), dst=self._cut, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        into_input(self._cut, self._input)
        eye, iris, *_ = self._network.run(self._input)
        lids = dequantise(eye.reshape(-1, 2)[:LIDS], self._network.outputs[0])
        rim = dequantise(iris.reshape(5, 2), self._network.outputs[1])
        return seen(np.asarray(cv2.cvtColor(self._cut, cv2.COLOR_BGR2GRAY), np.uint8), lids, rim, matrix, skin)


def eye_cut(points_px: Floats, corners: tuple[int, ...], mirrored: bool) -> Floats:
    """The 2 x 3 matrix from the frame into the network's picture of one eye, its outer corner on the left."""
    right, left = (points_px[i, :2].astype(float) for i in OUTER_CORNERS)
    turn = atan2(left[1] - right[1], left[0] - right[0])
    outer, inner = (points_px[i, :2].astype(float) for i in corners)
    scale = INPUT_PX / (CUT_PER_EYE * max(hypot(*(outer - inner)), 1.0))
    a, b, flip = scale * np.cos(turn), scale * np.sin(turn), -1.0 if mirrored else 1.0
    x, y = (outer + inner) / 2
    half = INPUT_PX / 2
    return np.array([[flip * a, flip * b, half - flip * (a * x + b * y)], [-b, a, half + b * x - a * y]], np.float32)


def skin_grey(pixels: Pixels, points_px: Floats) -> float:
    """Brightness of the face's skin, 0..255."""
    height, width = pixels.shape[:2]
    x, y = np.rint(points_px[list(SKIN), :2]).astype(int).T
    return percentile(pixels[y.clip(0, height - 1), x.clip(0, width - 1)].sum(axis=1) / 3, SKIN_PERCENTILE)


def percentile(values: NDArray[Any], share: float) -> float:
    """The value that `share` per cent of them do not exceed; numpy's own takes ten times as long for a handful."""
    return float(np.sort(values)[int(share * (len(values) - 1) / 100)])


def seen(grey: Pixels, lids: Floats, rim: Floats, matrix: Floats, skin: float) -> Eye:
    """An eye from the network's 16 points of the lids and 5 of the iris (pixels of the cut) and the cut itself (64 x 64 grey)."""
    back = cv2.invertAffineTransform(matrix)
    scale = hypot(back[0, 0], back[0, 1])
    iris_px = back[:, :2] @ rim[0] + back[:, 2]
    middle_px = back[:, :2] @ ((lids[OUTER] + lids[INNER]) / 2) + back[:, 2]
    width = max(float(np.hypot(*(lids[OUTER] - lids[INNER]))), 1.0)
    across = max(float(np.hypot(*(rim[1] - rim[3]))), float(np.hypot(*(rim[2] - rim[4]))))
    parted = float(np.hypot(*(lids[UPPER] - lids[LOWER]).T).mean())
    glare, contrast = _within(grey, lids, rim[0], across, max(skin, 1.0))
    light, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    return Eye(iris_px=(float(iris_px[0]), float(iris_px[1])), middle_px=(float(middle_px[0]), float(middle_px[1])),
               iris_width_px=across * scale, width_px=width * scale, openness=parted / width,
               light=light, shade=light / max(skin, 1.0), glare=glare, contrast=contrast, sharp=sharpness(grey, deviation))  # fmt: skip


def _within(grey: Pixels, lids: Floats, middle: Floats, across: float, skin: float) -> tuple[float, float]:
    """Share of the eye's opening that is burnt, and how much darker the iris is than the white, over the skin's grey."""
    opening = _mask()
    cv2.fillPoly(opening, [_sixteenths(np.vstack([lids[: INNER + 1], lids[:INNER:-1]]))], 255, shift=4)
    inner, outer = _mask(), _mask()
    at = (int(16 * middle[0]), int(16 * middle[1]))
    cv2.circle(inner, at, max(16, int(16 * 0.4 * across)), 255, -1, shift=4)
    cv2.circle(outer, at, max(16, int(16 * 0.6 * across)), 255, -1, shift=4)
    whole = grey[opening > 0]
    iris, white = grey[(opening & inner) > 0], grey[(opening > 0) & (outer == 0)]
    glare = float(np.count_nonzero(whole >= min(BURNT, 1.4 * skin))) / max(whole.size, 1)
    if min(iris.size, white.size) < 8:
        return glare, 0.0
    return glare, (percentile(white, 60) - float(iris.mean())) / skin


def _mask() -> Pixels:
    return np.zeros((INPUT_PX, INPUT_PX), np.uint8)


def _sixteenths(points: Floats) -> NDArray[np.int32]:
    return np.rint(points * 16).astype(np.int32)


def judged(right: Eye, left: Eye, head: Fit, settings: EyeSettings) -> EyesMeasured:
    """Both eyes together: which of them can be believed, and where they look."""
    yaw = put_right(head.rotation)[0]
    near, far = (left, right) if yaw < 0 else (right, left)
    alone = abs(yaw) >= settings.far_eye_deg and trust(far, settings) * ramp(far.contrast, *settings.contrast) <= 0
    eyes = (near,) if alone else (right, left)
    turn = ramp(abs(yaw), *settings.turn_deg)
    lids, irises = (min(how(eye, settings) for eye in eyes) for how in (trust, iris_trust))
    doubts = [*(doubt for eye in eyes for doubt in doubts_of(eye, settings)), (turn, "turned_away")]
    ways = [direction(eye, head, -1.0 if eye is right else 1.0) for eye in eyes]
    if not alone:
        doubts.append((ramp(_between_deg(ways[0], ways[1]), *settings.disagree_deg), "disagree"))
    gaze, fault = _gaze(np.mean(ways, axis=0), doubts, settings.one_eye if alone else 1.0, settings.least_gaze)
    if fault and not alone and min(trust(eye, settings) for eye in eyes) <= 0 and max(trust(eye, settings) for eye in eyes) > 0.5:
        fault = "one_eye"
    return EyesMeasured(right=right, left=left, gaze=gaze, fault=fault, lids_seen=lids * turn, iris_seen=irises,
                        openness=sum(eye.openness for eye in eyes) / len(eyes))  # fmt: skip


def doubts_of(eye: Eye, settings: EyeSettings) -> list[tuple[float, str]]:
    """How far each measurement lets the eye be believed (0..1), with the word for it. Half closed lids hide an iris as dark glass does."""
    no_iris = "closed" if eye.openness < settings.openness[1] else "glasses"
    return [(ramp(eye.width_px, *settings.width_px), "too_small"), (ramp(eye.light, *settings.light), "too_dark"),
            (ramp(eye.shade, *settings.shade), "glasses"), (ramp(eye.glare, *settings.glare), "glasses"),
            (ramp(eye.openness, *settings.openness), "closed"), (iris_trust(eye, settings), no_iris),
            (ramp(eye.sharp, *settings.sharp), "blurred")]  # fmt: skip


def trust(eye: Eye, settings: EyeSettings) -> float:
    """How far an eye's picture can be believed, open or closed: its size and its light, 0..1."""
    return prod(value for value, _ in doubts_of(eye, settings)[:4])


def iris_trust(eye: Eye, settings: EyeSettings) -> float:
    """Whether an iris is there, 0..1."""
    return ramp(eye.contrast, *settings.contrast)


def direction(eye: Eye, head: Fit, outwards: float) -> Doubles:
    """Where an eye looks, unit length (x right, y down, z away from the camera); `outwards` is -1 for the right eye, 1 for the left.

    The eyeball's centre is SOCKET from the middle between the corners, turned with the head. The iris is ARM in front of that centre, so what
    lies between the two in the picture is the direction's x and y, in arms. No lens enters it: a face is far away beside its depth. When
    heads nod, the corners' middle follows the centre (same films), so the socket is turned by yaw and roll only.
    """
    yaw, _, roll = put_right(head.rotation)
    socket = turned(yaw, 0.0, roll) @ np.array([outwards * SOCKET[0], SOCKET[1], SOCKET[2]])
    shown = [(eye.iris_px[i] - eye.middle_px[i]) / head.scale_px / RESPONSE[i] for i in (0, 1)]
    x, y = ((shown[i] - socket[i]) / ARM for i in (0, 1))
    within = min(1.0, 0.95 / max(hypot(x, y), 1e-9))
    x, y = within * x, within * y
    return np.array([x, y, -sqrt(1 - x * x - y * y)])


def _between_deg(a: Doubles, b: Doubles) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


def _gaze(way: Doubles, doubts: list[tuple[float, str]], most: float, least: float) -> tuple[Gaze | None, str]:
    """The gaze along a direction, or the word of the worst doubt where they forbid it."""
    confidence = most * prod(value for value, _ in doubts)
    if confidence < least:
        return None, min(doubts, key=lambda doubt: doubt[0])[1]
    yaw, pitch = direction_deg(way / np.linalg.norm(way))
    return Gaze(yaw_deg=yaw, pitch_deg=pitch, confidence=confidence), ""
