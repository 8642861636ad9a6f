"""Faces found in pictures, beside boxes that people drew: recall and precision at IoU 0.5, by size.

A box is found when a detection that belongs to no better match overlaps it by half of their union (the rule of PASCAL VOC: M. Everingham et
al., IJCV 88 (2010) 303). Boxes differ in what they hold: the detector's goes from brows to chin, others take in hair and ears, so an
overlap of half may be missed although the face was found; `found_at_iou_0_3` shows how many are lost that way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from agent.core.messages import Box
from agent.evaluation import metrics
from agent.evaluation.pictures import Gathered
from agent.evaluation.report import Provenance, Rate, rounded
from agent.vision.chain import Stages
from agent.vision.faces import iou
from agent.vision.schedule import ScheduleSettings
from agent.vision.still import LARGEST_SIDE_PX, StillFaces, scaled
from hw.interfaces import Pixels

IOU, LOOSE_IOU = 0.5, 0.3
SIZES_PX = (0, 30, 40, 60, 80, 120, 200, 300)
"""Lower ends of the classes of face width in the picture as it is."""


class Found(Struct, frozen=True):
    """Detections in the picture's own pixels, most certain first."""

    boxes: tuple[Box, ...]


class OfSize(Struct, frozen=True, kw_only=True):
    """Recall of the faces from `from_px` up to the next class."""

    from_px: int
    to_px: int | None
    missed: Rate
    recall: float


class Detection(Struct, frozen=True, kw_only=True):
    """Faces found."""

    evaluation: str = "detection"
    pictures: int
    unreadable_pictures: int
    faces: int
    detections: int
    recall: float
    precision: float | None
    """Null when nothing was found."""
    missed: Rate
    found_at_iou_0_3: float
    by_size: tuple[OfSize, ...]
    provenance: Provenance


class Finder:
    """All faces of a picture, by the door's search squares and a closer look at each."""

    def __init__(self, stages: Stages) -> None:
        self._still = StillFaces(stages, ScheduleSettings())

    def __call__(self, pixels: Pixels) -> Found:
        share = min(1.0, LARGEST_SIDE_PX / max(pixels.shape[:2]))
        x, y, w, h = 0, 1, 2, 3
        boxes = (face.box_px for face in self._still.faces(scaled(pixels, share)))
        return Found(tuple((box[x] / share, box[y] / share, box[w] / share, box[h] / share) for box in boxes))


def matched(drawn: Sequence[Box], found: Sequence[Box], least_iou: float) -> list[bool]:
    """For each drawn box whether it was found. The most certain detection chooses first, each takes one box at most."""
    hit = [False] * len(drawn)
    for box in found:
        free = [number for number, taken in enumerate(hit) if not taken]
        best = max(free, key=lambda number: iou(box, drawn[number]), default=None)
        if best is not None and iou(box, drawn[best]) >= least_iou:
            hit[best] = True
    return hit


def evaluate(drawn: Mapping[str, Sequence[Box]], gathered: Gathered[Found], provenance: Provenance) -> Detection:
    """`drawn` has every listed picture; those that could not be read are left out."""
    looks = gathered.looks
    faces = [box for path in looks for box in drawn[path]]
    hits = [hit for path, found in looks.items() for hit in matched(drawn[path], found.boxes, IOU)]
    loose = sum(sum(matched(drawn[path], found.boxes, LOOSE_IOU)) for path, found in looks.items())
    detections = sum(len(found.boxes) for found in looks.values())
    return Detection(
        pictures=len(looks), unreadable_pictures=len(gathered.unreadable), faces=len(faces), detections=detections,
        recall=rounded(sum(hits) / len(faces)), precision=rounded(sum(hits) / detections) if detections else None,
        missed=_missed(hits), found_at_iou_0_3=rounded(loose / len(faces)), by_size=_by_size(faces, hits), provenance=provenance,
    )  # fmt: skip


def _by_size(faces: Sequence[Box], hits: Sequence[bool]) -> tuple[OfSize, ...]:
    classes = zip(SIZES_PX, (*SIZES_PX[1:], None), strict=True)
    found = []
    for low, high in classes:
        own = [hit for face, hit in zip(faces, hits, strict=True) if low <= face[2] and (high is None or face[2] < high)]
        if own:
            found.append(OfSize(from_px=low, to_px=high, missed=_missed(own), recall=rounded(sum(own) / len(own))))
    return tuple(found)


def _missed(hits: Sequence[bool]) -> Rate:
    missed = sum(not hit for hit in hits)
    low, high = metrics.wilson(missed, len(hits))
    return Rate(rate=rounded(missed / len(hits)), errors=missed, comparisons=len(hits), interval_95=(rounded(low), rounded(high)),
                method="Wilson, faces taken for independent")  # fmt: skip
