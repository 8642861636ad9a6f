"""Ways to find faces in one frame: ours with a whole round of the search, and what people use today."""

from __future__ import annotations

import time
from typing import Any

import cv2

from agent.core.messages import Box
from agent.errors import DoorwardError
from agent.vision.detect import Detector
from agent.vision.find import confirmed
from agent.vision.schedule import ScheduleSettings, search_regions
from hw.interfaces import Pixels

Timed = tuple[float, list[Box]]
"""Milliseconds of the processor, and the boxes that were found. All finders work in the calling thread; who else wants the cores does
not count."""


class Round:
    """Doorward's detector on every square of the search, each find confirmed from near: what the schedule spreads over its frames."""

    name = "Doorward, one whole round of the search"

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, pixels: Pixels) -> Timed:
        start_s = time.thread_time()
        squares = search_regions((pixels.shape[1], pixels.shape[0]), ScheduleSettings())
        suspects = [face for square in squares for face in self._detector.suspects_in(pixels, square)]
        boxes = [face.box_px for face in confirmed(self._detector, pixels, [], suspects, len(suspects))]
        return 1000 * (time.thread_time() - start_s), boxes


class Dlib:
    """The detector of dlib's examples: a histogram of oriented gradients under a linear classifier, made for faces of 80 px."""

    def __init__(self, upsample: int) -> None:
        try:
            import dlib
        except ImportError as error:
            raise DoorwardError("dlib cannot be imported: run `make bench`, which installs it without compiling it") from error
        self.name = f"dlib HOG, upsampled {'once' if upsample else 'not at all'}"
        self._find: Any = dlib.get_frontal_face_detector()
        self._upsample = upsample

    def __call__(self, pixels: Pixels) -> Timed:
        start_s = time.thread_time()
        places = self._find(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), self._upsample)
        boxes = [(float(at.left()), float(at.top()), float(at.width()), float(at.height())) for at in places]
        return 1000 * (time.thread_time() - start_s), boxes
