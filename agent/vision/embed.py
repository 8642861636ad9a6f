"""An aligned face to a unit-length embedding of 128 numbers, and when a face is worth that."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from msgspec import Struct

from agent.errors import ModelError
from agent.vision.align import SIDE_PX
from agent.vision.engine import Network, dequantise
from agent.vision.faces import Floats
from agent.vision.pixels import Int8s, input_buffer, into_input
from agent.vision.track import Track, unit
from hw.interfaces import Pixels


class EmbedPolicy(Struct, frozen=True, kw_only=True):
    """When a face is embedded: the largest network is most of a frame's cost."""

    eager_pictures: int = 5
    """In each frame until the mean holds so many: the noise of a mean falls with the root of their number, so five take more than half
    of it away."""
    refresh_s: float = 0.3
    """Then at least so often: the door believes a mean for 1 s, and a thief who steps in is noticed after two pictures."""
    retry_s: float = 0.1
    """A face too poor to embed is looked at again after this."""
    faces_a_frame: int = 2
    """Bound on a frame's cost when a group arrives; the others have their turn in the next frames."""
    least_face_px: float = 24.0
    """Below this width nothing is compared anyway."""
    least_quality: float = 0.1


class Embedded(NamedTuple):
    """What the network said of a face."""

    vector: Floats
    """Unit length, float32 of 128."""
    length: float
    """Before it was brought to unit length: the clearer a face, the longer (agent/vision/quality.py)."""
    relative: float | None
    """How many deviations of this network's lengths it is above the typical one; None when the manifest states neither."""


class Embedder:
    """SFace on a picture, on its mirror image or on both. Not thread-safe: its buffers are used again by each call."""

    def __init__(self, network: Network, typical_length: float | None = None, length_deviation: float | None = None) -> None:
        self._network, self._typical, self._deviation = network, typical_length, length_deviation
        self._input, self._mirrored = input_buffer(SIDE_PX), input_buffer(SIDE_PX)
        self._output = network.outputs[0]

    def __call__(self, aligned: Pixels) -> Floats:
        """Unit-length float32 of 128 from an aligned face (112 x 112 BGR); raises as `measured` does."""
        return self.measured(aligned).vector

    def measured(self, aligned: Pixels) -> Embedded:
        """The embedding of an aligned face (112 x 112 BGR) with its length. Raises ModelError when the network gives no direction.

        The sum over both mirror images cancels what the network learned about left and right: a third of the misses of a single picture.
        """
        self._look(aligned)
        return self._embedded(self._real(self._input) + self._real(self._mirrored))

    def one_side(self, aligned: Pixels, mirrored: bool) -> Embedded:
        """The same from the picture or its mirror image alone, at half the cost: for a track, whose mean takes them in turns."""
        self._look(aligned)
        return self._embedded(2 * self._real(self._mirrored if mirrored else self._input))

    def _look(self, aligned: Pixels) -> None:
        into_input(aligned, self._input)
        cv2.flip(self._input[0], 1, dst=self._mirrored[0])

    def _embedded(self, both: Floats) -> Embedded:
        embedding = unit(both)
        if embedding is None:
            raise ModelError("face_embedder: gave an embedding without direction; run `doorward models verify`")
        length = float(np.linalg.norm(both))
        if self._typical is None or self._deviation is None:
            return Embedded(embedding, length, None)
        return Embedded(embedding, length, (length - self._typical) / self._deviation)

    def _real(self, picture: Int8s) -> Floats:
        return dequantise(self._network.run(picture)[0].reshape(-1), self._output)


def of_track(embedder: Embedder, aligned: Pixels, track: Track) -> Embedded:
    """What a track takes next: both mirror images while its mean is empty, since a door may have to decide on that alone; then one of them in
    turns, so that the mean holds both."""
    return embedder.one_side(aligned, mirrored=track.taken % 2 == 1) if track.pictures else embedder.measured(aligned)


def due(tracks: list[Track], policy: EmbedPolicy, now_s: float) -> list[Track]:
    """The tracks of this frame that are to be embedded, most urgent first: doubtful, then new, then those that waited longest."""
    wanting = [track for track in tracks if _wants(track, policy, now_s)]
    wanting.sort(key=lambda track: (track.confirmed and bool(track.pictures), track.tried_s))
    return wanting[: policy.faces_a_frame]


def _wants(track: Track, policy: EmbedPolicy, now_s: float) -> bool:
    if track.seen_s != now_s or track.ambiguous or track.face.box_px[2] < policy.least_face_px:
        return False
    since_s = now_s - track.tried_s
    if track.quality < policy.least_quality and since_s < policy.retry_s:
        return False
    return len(track.pictures) < policy.eager_pictures or not track.confirmed or since_s >= policy.refresh_s
