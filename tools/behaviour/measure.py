"""How what the chain says differs from the truth, measured on rendered scenes: `python -m tools.behaviour.measure` writes noise.json.

The simulator of passes (tools.behaviour.seen) makes observations with these errors, so that what is found with it holds for the chain.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import correlation, median, stdev

import cv2
import msgspec
from msgspec import Struct

from agent.config import Config
from agent.core.messages import FaceSeen, Observation, PersonSeen
from agent.vision.build import build_chain_maker
from agent.vision.chain import Chain
from agent.vision.engine import open_engine
from agent.vision.faces import iou
from demo.catalogue import Portrait
from demo.people import fetch_people, find
from demo.scene import Scene, Seen
from demo.view import FACE_WIDTH_M
from demo.walks import Glance, Walk, pass_by
from demo.ways import Go, Wait, way
from hw.interfaces import Frame
from models_tflite.manifest import load_manifest
from tools.behaviour.seen import SHOULDERS_M, Noise

FRAMES_PER_S = 15.0
SIZE = (640, 480)
ROLES = ("owner", "stranger", "visitor", "colleague")
SAME_FACE_IOU = 0.25
CALM_DEG = 8.0
"""Errors are those of heads that look ahead; what a turn does to a box is the renderer's."""
FACE_FROM_PX = 24.0
SETTLED_S = 0.5
LEAST_RUN = 20
LATE_S = 0.05
"""Camera and chain of a door within its budget (docs/BENCHMARKS.md); a render has none of its own."""
NOISE = Path(__file__).with_name("noise.json")


class Sample(Struct, frozen=True, kw_only=True):
    """One person in one frame: what was true, and what was seen of them."""

    scene: int
    who: str
    at_s: float
    true_face: tuple[float, float, float, float]
    distance_m: float
    x_m: float
    yaw_deg: float
    speed_m_s: float
    face: FaceSeen | None = None
    body: PersonSeen | None = None


def main(argv: Sequence[str]) -> int:
    """Measure and write noise.json; with a file name, keep the samples there as well."""
    say = partial(print, file=sys.stderr, flush=True)
    found = list(samples(say))
    if argv:
        Path(argv[0]).write_bytes(b"".join(msgspec.json.encode(sample) + b"\n" for sample in found))
    NOISE.write_bytes(msgspec.json.format(msgspec.json.encode(fit(found)), indent=2) + b"\n")
    say(f"{NOISE.name} is written, from {len(found)} sightings")
    return 0


def samples(say: Callable[[str], None]) -> Iterator[Sample]:
    people = fetch_people(progress=say)
    cv2.setNumThreads(1)
    maker = build_chain_maker(open_engine("litert", 1), load_manifest(), Config(site="demo", door="front"))
    for number, role in enumerate(ROLES):
        for index, walk in enumerate(_walks(find(people, role))):
            say(f"{role} {index}: {walk.ends_s:.0f} s")
            yield from _watched(10 * number + index, walk, maker())


def _walks(who: Portrait) -> list[Walk]:
    """Coming, standing at four distances with looks aside, crossing, pacing."""
    aside = tuple(
        Glance(4.0 + 2.5 * number, 1.3, yaw) for number, yaw in enumerate((15.0, -15.0, 30.0, -30.0, 45.0, -45.0, 58.0, -58.0))
    )
    near = [way(who, (0.2, 5.5), (Go((0.0, 1.0), speed), Wait(5.0), Go((0.25, 0.35), 1.2))) for speed in (0.9, 1.35, 1.9)]
    stood = [way(who, (x_m, z_m), (Wait(24.5),), glances=aside) for x_m, z_m in ((0.0, 1.0), (0.2, 1.5), (-0.3, 2.2), (0.1, 3.2))]
    crossed = [pass_by(who, starts_s=0.0, at_m=at_m, speed_m_s=1.3) for at_m in (1.6, 2.6, 3.6)]
    paced = way(who, (-0.8, 2.8), (Go((0.8, 2.8), 1.2), Go((-0.7, 2.6), 1.2), Go((0.6, 2.0), 1.2), Go((0.0, 4.0), 1.2)))
    return [*near, *stood, *crossed, paced]


def _watched(scene_number: int, walk: Walk, chain: Chain) -> Iterator[Sample]:
    scene = Scene(*SIZE, 40 + scene_number, [walk])
    for number in range(round(walk.ends_s * FRAMES_PER_S)):
        at_s = number / FRAMES_PER_S
        seen = chain.process(Frame(scene.frame(at_s), at_s), at_s)
        for each in scene.truth(at_s):
            yield _sample(scene_number, at_s, each, seen)


def _sample(scene: int, at_s: float, true: Seen, seen: Observation) -> Sample:
    place = true.walk.at(at_s)
    if place is None:
        raise LookupError(f"{true.walk.portrait.name} is not there at {at_s} s")
    faces = [face for face in seen.faces if iou(face.box_px, true.face_box_px) > SAME_FACE_IOU]
    bodies = [body for body in seen.persons if _carries(body, true)]
    return Sample(scene=scene, who=true.walk.portrait.name, at_s=at_s, true_face=true.face_box_px, distance_m=place.z_m, x_m=place.x_m,
                  yaw_deg=place.yaw_deg, speed_m_s=math.hypot(place.x_m_s, place.z_m_s),
                  face=faces[0] if faces else None, body=bodies[0] if bodies else None)  # fmt: skip


def _carries(body: PersonSeen, true: Seen) -> bool:
    x, y, width, height = true.face_box_px
    left, top, wide, high = body.box_px
    return left <= x + width / 2 <= left + wide and top - height <= y + height / 2 <= top + high


def fit(found: Sequence[Sample]) -> Noise:
    """The numbers of the simulator, from what was seen of people who stood before the door within 4 m, whole in the picture."""
    whole = [each for each in found if _is_whole(each)]
    ahead = [each for each in whole if each.face is not None and abs(each.yaw_deg) < CALM_DEG]
    widths, downs = _runs(ahead, _width_error), _runs(ahead, _down_error)
    shoulders = _runs([each for each in ahead if each.body is not None and each.body.shoulders_px], _shoulder_error)
    heads = _runs([each for each in ahead if _head(each) is not None], _head_error)
    gazes = _runs([each for each in ahead if _gaze(each) is not None], _gaze_error)
    sized = [each for each in ahead if each.face is not None and each.face.attention is not None]
    from_px = _half_px(sized)
    near = [each for each in sized if each.true_face[2] >= 1.2 * from_px]
    gaps = _gaps(whole)
    return Noise(
        width_of_person=_between(widths), width=_within(widths), width_kept=_kept(widths), centre=_within(downs), centre_kept=_kept(downs),
        shoulders_of_person=_between(shoulders), shoulders=_within(shoulders), shoulders_kept=_kept(shoulders),
        head_deg=_within(heads), head_kept=_kept(heads), gaze_deg=_within(gazes), eyes_from_px=from_px,
        eyes_missed=_share(near, lambda each: _gaze(each) is None), face_from_px=FACE_FROM_PX,
        face_missed=_share(whole, lambda each: each.face is None), face_missed_s=sum(gaps) / len(gaps) / FRAMES_PER_S if gaps else 0.0,
        body_missed=_share(whole, lambda each: each.body is None), late_s=LATE_S,
    )  # fmt: skip


def _is_whole(each: Sample) -> bool:
    x, _, width, _ = each.true_face
    return x > 0.2 * width and x + 1.2 * width < SIZE[0] and FACE_FROM_PX < width < 220 and each.at_s > SETTLED_S


def _face(each: Sample) -> FaceSeen:
    if each.face is None:
        raise LookupError(f"{each.who} at {each.at_s} s: no face was seen")
    return each.face


def _width_error(each: Sample) -> float:
    return math.log(_face(each).box_px[2] / each.true_face[2])


def _down_error(each: Sample) -> float:
    (_, y, _, height), (_, top, width, high) = _face(each).box_px, each.true_face
    return (y + height / 2 - top - high / 2) / width


def _shoulder_error(each: Sample) -> float:
    seen_px = each.body.shoulders_px if each.body is not None else None
    return math.log((seen_px or math.nan) / (each.true_face[2] / FACE_WIDTH_M * SHOULDERS_M))


def _head(each: Sample) -> float | None:
    attention = each.face.attention if each.face is not None else None
    return attention.head.yaw_deg if attention is not None and attention.head is not None else None


def _head_error(each: Sample) -> float:
    return (_head(each) or 0.0) - each.yaw_deg


def _gaze(each: Sample) -> float | None:
    attention = each.face.attention if each.face is not None else None
    return attention.gaze.yaw_deg if attention is not None and attention.gaze is not None else None


def _gaze_error(each: Sample) -> float:
    return (_gaze(each) or 0.0) - (_head(each) or 0.0)


Runs = list[tuple[str, list[float]]]
"""Errors of one person in one scene, frame by frame."""


def _runs(found: Sequence[Sample], error: Callable[[Sample], float]) -> Runs:
    return [(who, [error(each) for each in run]) for (_, who), group in groupby(found, lambda each: (each.scene, each.who))
            if len(run := list(group)) >= LEAST_RUN]  # fmt: skip


def _between(runs: Runs) -> float:
    """Deviation of people's means."""
    people = {who for who, _ in runs}
    means = [median([value for name, run in runs if name == who for value in run]) for who in people]
    return stdev(means) if len(means) > 1 else 0.0


def _within(runs: Runs) -> float:
    """Typical deviation within a run."""
    return median([stdev(run) for _, run in runs]) if runs else 0.0


def _kept(runs: Runs) -> float:
    """How much of an error the next frame still has."""
    return max(0.0, median([correlation(run[:-1], run[1:]) for _, run in runs])) if runs else 0.0


def _half_px(found: Sequence[Sample]) -> float:
    """The width of a face from which its eyes are large enough as often as not."""
    ordered = sorted(found, key=lambda each: each.true_face[2])
    small = [
        each.face is not None and each.face.attention is not None and each.face.attention.abstained == "too_small"
        for each in ordered
    ]
    # The cut that puts the fewest on its wrong side
    wrong = sum(small)
    best, at = wrong, 0
    for index, is_small in enumerate(small):
        wrong += -1 if is_small else 1
        best, at = (wrong, index) if wrong < best else (best, at)
    return ordered[at].true_face[2]


def _gaps(found: Sequence[Sample]) -> list[int]:
    """Lengths of the runs of frames without a face."""
    return [len(list(run)) for missing, run in groupby(found, lambda each: each.face is None) if missing]


def _share(found: Sequence[Sample], true: Callable[[Sample], bool]) -> float:
    return sum(map(true, found)) / len(found) if found else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
