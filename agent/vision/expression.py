"""What a face shows, as calibrated probabilities of seven expressions: never what a person feels, and never where the law forbids it.

Three small networks look at the same square. `face_expression` is right about photographs, `face_expression_grey` and `face_expression_mini`
about what they were trained with, small grey pictures from the web; each fails where the others are good, so how much they count
follows from what can be measured of the picture: whether it is grey, and whether it is small or enlarged from a small one.
docs/EVALUATION.md has the tries.

Nothing here is loaded in the profile `workplace-eu` (EU AI Act, Art. 5(1)(f)): `load_expressions` opens no file there.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import NamedTuple

import cv2
import numpy as np
from msgspec import Struct

from agent.config import Deployment, expression_allowed
from agent.core.messages import EXPRESSIONS, Expression
from agent.errors import ModelError
from agent.vision.engine import Engine, Network, dequantise
from agent.vision.faces import Floats
from agent.vision.pixels import input_buffer, into_input
from hw.interfaces import Pixels
from models_tflite.manifest import Manifest

COLOUR, GREYS = "face_expression", ("face_expression_grey", "face_expression_mini")

DETAIL_PX = 144
"""Detail is what a cut of this side loses when it is brought to 72 px and back: more than a picture enlarged from 48 px can hold."""


class ExpressionSettings(Struct, frozen=True, kw_only=True):
    """Chosen on 1,237 grey web pictures (FER2013) and 149 press portraits (LFW); docs/EVALUATION.md has what each choice gave."""

    side_per_mesh: float = 1.03
    """Side of the square in heights of the mesh; brows to chin and a little more, as the networks were trained."""
    up_per_mesh: float = 0.05
    """How far above the mesh's middle the square's lies: the mesh ends at the hair, the training pictures do not."""
    sides: tuple[float, ...] = (0.9, 1.0, 1.1)
    """The square is cut so often its side, each cut is seen with its mirror image, and the logits are averaged."""
    colour_temperature: float = 2.0
    """`face_expression` is far too sure of itself: 90 % on pictures of which it had 75 % right."""
    grey_temperature: float = 1.0
    share_of_colour: float = 0.9
    """How much `face_expression` counts in a photograph; the others share the rest equally."""
    share_in_coarse_grey: float = 0.4
    """And in a small grey picture."""
    grey_below: tuple[float, float] = (6.0, 14.0)
    """Mean difference of a pixel's strongest and weakest colour, 0..255: grey up to the first, coloured from the second on."""
    small_below_px: tuple[float, float] = (56.0, 72.0)
    """Side of the square: coarse up to the first, to be judged by its detail from the second on."""
    coarse_below: tuple[float, float] = (0.045, 0.065)
    """Detail: medians are .03 to .04 for faces of 48 px however enlarged, .065 for photographs of faces of 100 px and more."""
    least_side_px: float = 24.0
    """A smaller square is not looked at: at 24 px every tenth answer that was right at 100 px is wrong."""


class ExpressionTrackSettings(Struct, frozen=True, kw_only=True):
    """How a track's readings become one answer, and when there is none."""

    memory_s: float = 1.0
    """After this time a reading counts a third (1/e) of a new one."""
    least_readings: int = 2
    """With fewer nothing is said yet."""
    least_confidence: float = 0.5
    """Of the most probable expression; below it nothing is said."""
    max_age_s: float = 1.0
    """Since the newest reading."""


class Square(NamedTuple):
    """An upright square of the frame: its middle and its side in pixels. May reach past the frame's edges."""

    x: float
    y: float
    side: float


class Reading(NamedTuple):
    """What the networks made of one picture of a face."""

    probabilities: Floats
    """In the order of EXPRESSIONS; they add up to one."""
    share: float
    """How much `face_expression` counted, 0..1."""


def load_expressions(engine: Engine, manifest: Manifest, deployment: Deployment) -> Expressions | None:
    """The stage, or None where the deployment does not allow or not want it: then neither file is opened.

    Raises ModelError for a file that is not the manifest's.
    """
    return Expressions.load(engine, manifest) if expression_allowed(deployment) else None


class Expressions:
    """All three networks. Not thread-safe: buffers are used again by each call.

    A call runs each network six times, 12 to 14 ms of processor time on an x86-64 server; a door asks a few times a second.
    """

    def __init__(self, colour: Network, greys: Sequence[Network], settings: ExpressionSettings | None = None) -> None:
        """Raises ModelError when a network does not say the seven expressions."""
        self.settings = settings or ExpressionSettings()
        self._colour, self._greys = _Looker(colour), [_Looker(grey) for grey in greys]
        self._probe: Pixels = np.zeros((DETAIL_PX, DETAIL_PX, 3), np.uint8)

    @classmethod
    def load(cls, engine: Engine, manifest: Manifest) -> Expressions:
        """The shipped networks, whatever the deployment: for measuring lists of pictures. A door goes through `load_expressions`."""
        return cls(engine.load(manifest.model(COLOUR)), [engine.load(manifest.model(role)) for role in GREYS])

    def __call__(self, pixels: Pixels, square: Square) -> Reading | None:
        """What the face in the square shows (frame height x width x 3, BGR); None when the square is too small or not in the frame."""
        settings = self.settings
        if square.side < settings.least_side_px:
            return None
        probe = cut(pixels, square, self._probe)
        if probe is None:
            return None
        coarse = max(_ramp(square.side, settings.small_below_px), _ramp(detail(probe), settings.coarse_below))
        coarse_grey = coarse * _ramp(chroma(probe), settings.grey_below)
        share = settings.share_of_colour + coarse_grey * (settings.share_in_coarse_grey - settings.share_of_colour)
        colour = self._probabilities(self._colour, pixels, square, settings.colour_temperature)
        greys = [self._probabilities(grey, pixels, square, settings.grey_temperature) for grey in self._greys]
        return Reading(np.asarray(share * colour + (1 - share) * np.mean(greys, axis=0), np.float32), share)

    def _probabilities(self, looker: _Looker, pixels: Pixels, square: Square, temperature: float) -> Floats:
        return softmax(looker(pixels, square, self.settings.sides) / np.float32(temperature))

    def square(self, mesh_points: Floats) -> Square:
        """The square around a mesh (468 x 3 or x 2, pixels of the frame). It is not turned: turning it won nothing, and aligning it lost."""
        low, high = mesh_points[:, :2].min(axis=0), mesh_points[:, :2].max(axis=0)
        size = float(max(high - low))
        x, y = (float(value) for value in (low + high) / 2)
        return Square(x, y - self.settings.up_per_mesh * size, self.settings.side_per_mesh * size)


class _Looker:
    """One network, its buffers and the order of its answers."""

    def __init__(self, network: Network) -> None:
        self._network, self._order = network, order_of(network)
        side_px = network.inputs[0].shape[1]
        self._cut: Pixels = np.zeros((side_px, side_px, 3), np.uint8)
        self._input = input_buffer(side_px)

    def __call__(self, pixels: Pixels, square: Square, sides: Sequence[float]) -> Floats:
        """Mean logits over cuts and mirror images, in the order of EXPRESSIONS. The square must reach into the frame."""
        total = np.zeros(len(EXPRESSIONS), np.float32)
        for times in sides:
            if cut(pixels, square._replace(side=times * square.side), self._cut) is None:
                raise ValueError(f"{square} lies outside the frame")
            total += self._logits(self._cut)
            total += self._logits(np.asarray(cv2.flip(self._cut, 1), np.uint8))
        return total / np.float32(2 * len(sides))

    def _logits(self, picture: Pixels) -> Floats:
        into_input(picture, self._input)
        (raw,) = self._network.run(self._input)
        return dequantise(raw.reshape(-1), self._network.outputs[0])[self._order]


def order_of(network: Network) -> list[int]:
    """Where each of EXPRESSIONS stands among the network's answers, as the manifest names them; ModelError when they are others."""
    names = network.outputs[0].meaning.split(", ")
    if sorted(names) != sorted(EXPRESSIONS):
        raise ModelError(f"an expression network answers {names}; needed are {', '.join(EXPRESSIONS)}: rebuild the manifest")
    return [names.index(name) for name in EXPRESSIONS]


def cut(pixels: Pixels, square: Square, out: Pixels) -> Pixels | None:
    """Writes the square of a frame into `out` (n x n x 3) and returns it; None when it lies outside the frame.

    What reaches past the frame repeats its edge: black corners made half of all faces angry or sad.
    """
    patch, left, top = _patch(pixels, square)
    if not patch.size:
        return None
    out_px, share = out.shape[0], 1.0
    if square.side > 2 * out_px:  # single pixels are sampled below: a much larger patch is averaged first
        share = 2 * out_px / square.side
        patch = np.asarray(cv2.resize(patch, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)
    scale = out_px / (square.side * share)
    x, y = ((value + 0.5) * share - 0.5 for value in (square.x - left, square.y - top))
    middle = (out_px - 1) / 2
    matrix = np.array([[scale, 0, middle - scale * x], [0, scale, middle - scale * y]], np.float64)
    cv2.warpAffine(patch, matrix, (out_px, out_px), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out


def _patch(pixels: Pixels, square: Square) -> tuple[Pixels, int, int]:
    """The part of the frame that the square needs, two pixels more for the interpolation, and its left and upper edge."""
    reach = square.side / 2 + 2
    height, width = pixels.shape[:2]
    left, top = max(0, int(square.x - reach)), max(0, int(square.y - reach))
    right, bottom = min(width, int(square.x + reach) + 2), min(height, int(square.y + reach) + 2)
    return pixels[top : max(top, bottom), left : max(left, right)], left, top


def whole(pixels: Pixels) -> Square:
    """The square of a picture that a face fills."""
    height, width = pixels.shape[:2]
    return Square((width - 1) / 2, (height - 1) / 2, float(max(width, height)))


def chroma(picture: Pixels) -> float:
    """Mean difference of the strongest and the weakest colour of a pixel, 0 (grey) .. 255."""
    return float(np.mean(picture.max(axis=2).astype(np.int16) - picture.min(axis=2)))


def detail(picture: Pixels) -> float:
    """The share of a square picture's contrast (standard deviations) that is lost at half its size.

    The rim, where the frame may have ended, is not looked at.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    side = grey.shape[0]
    small = cv2.resize(grey, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    lost = grey - cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    rim = side // 6
    inner = slice(rim, side - rim)
    return float(lost[inner, inner].std() / max(1.0, grey[inner, inner].std()))


def softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max())
    return np.asarray(raised / raised.sum(), np.float32)


def _ramp(value: float, between: tuple[float, float]) -> float:
    """1 up to the first, 0 from the second on, straight between."""
    low, high = between
    return min(1.0, max(0.0, (high - value) / (high - low)))


class ExpressionTrack:
    """One face's readings over time: a mean that forgets, and no answer rather than a guess."""

    def __init__(self, settings: ExpressionTrackSettings | None = None) -> None:
        self._settings = settings or ExpressionTrackSettings()
        self._sum = np.zeros(len(EXPRESSIONS))
        self._readings, self._newest_s = 0, -np.inf

    def add(self, reading: Reading | None, at_s: float, weight: float = 1.0) -> None:
        """A reading of a picture taken at `at_s`, never before the last; `weight` 0..1, for instance the face's quality.

        None, for a face that could not be read, adds nothing and lets the memory fade.
        """
        if reading is None:
            return
        kept = exp(-max(0.0, at_s - self._newest_s) / self._settings.memory_s)
        self._sum = kept * self._sum + weight * reading.probabilities.astype(np.float64)
        self._readings, self._newest_s = self._readings + 1, at_s

    def at(self, now_s: float) -> Expression | None:
        """The track's expression now; None while too little was read, what was read is old, or nothing stands out."""
        settings, total = self._settings, float(self._sum.sum())
        if now_s - self._newest_s > settings.max_age_s or self._readings < settings.least_readings or total <= 0:
            return None
        mean = self._sum / total
        confidence = float(mean.max())
        if confidence < settings.least_confidence:
            return None
        return Expression(probabilities=tuple(map(float, mean)), confidence=confidence)
