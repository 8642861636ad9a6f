"""Faces and bodies followed through pillars and crossings, in rendered scenes whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from agent.core.messages import Box, FaceSeen, Observation, PersonSeen
from agent.errors import DoorwardError
from agent.vision.assign import assign
from agent.vision.build import PERSONS, build_enroller, build_stages
from agent.vision.chain import Chain, ChainSettings, Stages
from agent.vision.engine import open_engine
from agent.vision.enrol import Template
from agent.vision.faces import Floats, centre, iou, overlap
from agent.vision.looks import Looks
from agent.vision.person_track import BodyStage
from agent.vision.persons import Persons
from agent.vision.track import TrackSettings
from demo.catalogue import Portrait
from demo.cutout import read_picture
from demo.people import find
from demo.scene import Scene, Seen
from demo.view import View
from demo.walks import Walk, Waypoint
from hw.interfaces import Frame, Pixels
from models_tflite.manifest import load_manifest
from tools.bench.figures import Figure, Section, Setting, plain
from tools.bench.mot import Score, Tally
from tools.bench.site import cast

FRAME_S = 1 / 15
SIZES = ((640, 480), (1280, 720))
FMR = 1e-3
HIDDEN_S = (0.3, 0.6, 1.0)
SPEEDS_M_S = (0.5, 1.0, 1.5)
FACE_M, BODY_M = 0.15, 0.45
HEAD_FACES = (1.5, 1.9)
"""Width and height of a head with its hair, in faces."""
IN_VIEW, HIDDEN = 0.7, 0.3
"""A face of which so much is seen must be followed; one of which less than that is seen need not; between the two it may be."""
SAME_FACE_IOU = 0.3
GREY = 96


class Pillar(NamedTuple):
    """Something before the camera: its left and right edge at a distance, and when it is there."""

    left_m: float
    right_m: float
    z_m: float
    from_s: float = 0.0
    until_s: float = 1e9

    def columns(self, view: View) -> tuple[int, int]:
        left, right = (round(view.project(x_m, 1.6, self.z_m)[0]) for x_m in (self.left_m, self.right_m))
        return max(left, 0), min(right, view.width_px)


class Play(NamedTuple):
    """A scene: who walks where, and what hides them."""

    name: str
    walks: tuple[Walk, ...]
    pillars: tuple[Pillar, ...] = ()


class Result(NamedTuple):
    """What came of a play. `voices`: times that a track spoke for somebody's face; `strange`: for somebody else's than was there."""

    faces: Tally = Tally()
    bodies: Tally = Tally()
    voices: int = 0
    strange: int = 0

    def plus(self, other: Result) -> Result:
        return Result(
            self.faces + other.faces, self.bodies + other.bodies, self.voices + other.voices, self.strange + other.strange
        )


class Rig(NamedTuple):
    """What a play is watched with."""

    chain: Callable[[], Chain]
    templates: dict[str, Floats]
    """Of each person's face, to tell whose embedding a track speaks with."""


def tracking(setting: Setting) -> Section:
    """Every play (quick: at the smaller size only), through the chain that decides at the door, with faces and bodies."""
    people = [find(cast(setting), name) for name in ("owner", "stranger", "visitor")]
    rig = rig_of(people)
    results: list[tuple[str, Result]] = []
    for play in plays(*people):
        total = Result()
        for size in SIZES[: 1 if setting.quick else None]:
            total = total.plus(watch(play, size, setting.seed, rig))
        setting.say(f"  {play.name}: faces {total.faces.switches} switches, bodies {total.bodies.switches}")
        results.append((play.name, total))
    return _section(results, setting.quick)


def plays(a: Portrait, b: Portrait, c: Portrait) -> list[Play]:
    """Two who cross at several speeds; one who is hidden for a while, walking, turning round or standing; two who cross unseen."""
    found = [Play(f"two cross at {speed:g} m/s each", _crossing(a, b, speed)) for speed in SPEEDS_M_S]
    found += [
        Play(f"walks behind a pillar for {hidden_s:g} s", _past(c, 0.8), (_pillar(0.8, hidden_s),)) for hidden_s in HIDDEN_S
    ]
    found += [
        Play(f"stands, is hidden for {hidden_s:g} s", _waiting(a), (Pillar(-1, 1, 0.6, 3.0, 3.0 + hidden_s),))
        for hidden_s in HIDDEN_S
    ]
    there_and_back = (Waypoint(0, -0.9, 3.0), Waypoint(1.5, 0.15, 3.0), Waypoint(3.0, -0.9, 3.0))
    found.append(Play("turns round behind a pillar", (Walk(portrait=b, path=there_and_back),), (Pillar(-0.2, 0.6, 2.5),)))
    found.append(Play("two cross behind a pillar", _crossing(a, c, 0.8), (Pillar(-0.28, 0.28, 1.7),)))
    return found


def _crossing(a: Portrait, b: Portrait, speed_m_s: float) -> tuple[Walk, ...]:
    """One in front of the other, from side to side; two seconds in which they stand on either side come first."""
    half_m, ends_s = 0.7, 2.0 + 1.4 / speed_m_s
    near = (
        Waypoint(0, -half_m, 2.2),
        Waypoint(2, -half_m, 2.2),
        Waypoint(ends_s, half_m, 2.2),
        Waypoint(ends_s + 1.5, half_m, 2.2),
    )
    far = (
        Waypoint(0, half_m, 2.7),
        Waypoint(2, half_m, 2.7),
        Waypoint(ends_s, -half_m, 2.7),
        Waypoint(ends_s + 1.5, -half_m, 2.7),
    )
    return Walk(portrait=a, path=near), Walk(portrait=b, path=far)


def _past(who: Portrait, speed_m_s: float) -> tuple[Walk, ...]:
    return (Walk(portrait=who, path=(Waypoint(0, -1.1, 3.0), Waypoint(2.2 / speed_m_s, 1.1, 3.0))),)


def _pillar(speed_m_s: float, hidden_s: float) -> Pillar:
    """So wide that a face that passes at 3 m is hidden whole for so long."""
    half_m = (speed_m_s * hidden_s + FACE_M) / 2
    return Pillar(-half_m, half_m, 3.0)


def _waiting(who: Portrait) -> tuple[Walk, ...]:
    return (Walk(portrait=who, path=(Waypoint(0, 0.1, 1.5), Waypoint(6, 0.1, 1.5))),)


def rig_of(people: Sequence[Portrait]) -> Rig:
    engine, manifest = open_engine("litert", 2), load_manifest()
    stages, persons = build_stages(engine, manifest), Persons(engine.load(manifest.model(PERSONS)))
    enroller = build_enroller(engine, manifest)
    settings = ChainSettings(track=TrackSettings(same_person=manifest.threshold_at_fmr(FMR)))

    def chain() -> Chain:
        return _chain(stages, persons, settings)

    return Rig(chain, {who.name: _template(enroller.template_from_picture(read_picture(who)), who) for who in people})


def _chain(stages: Stages, persons: Persons, settings: ChainSettings) -> Chain:
    return Chain(stages, "bench", lambda: "cpu", settings, Looks(stages.landmarks, bodies=BodyStage(persons)))


def watch(play: Play, size: tuple[int, int], seed: int, rig: Rig) -> Result:
    """One play in one size."""
    scene, chain = Scene(*size, seed, play.walks), rig.chain()
    faces, bodies, voices, strange = Score(), Score(), 0, 0
    for number in range(round(max(walk.ends_s for walk in play.walks) / FRAME_S)):
        t_s = number * FRAME_S
        standing = [pillar for pillar in play.pillars if pillar.from_s <= t_s < pillar.until_s]
        pixels, truth = scene.frame(t_s), scene.truth(t_s)
        for pillar in standing:
            _draw(pillar, pixels, scene.view)
        seen = chain.process(Frame(pixels, t_s), t_s)
        shares = {each.walk.portrait.name: _share_in_view(each, truth, standing, scene.view) for each in truth}
        voices, strange = voices + _spoken(seen), strange + _strange(seen, truth, shares, rig.templates)
        _count_faces(faces, seen, truth, shares)
        _count_bodies(bodies, seen, truth, shares)
    return Result(faces.tally, bodies.tally, voices, strange)


def _draw(pillar: Pillar, pixels: Pixels, view: View) -> None:
    left, right = pillar.columns(view)
    shade = np.linspace(0.7, 1.2, max(right - left, 1))[: max(right - left, 0)]
    pixels[:, left:right] = (GREY * shade).astype(np.uint8)[None, :, None]


def _share_in_view(one: Seen, everyone: Sequence[Seen], pillars: Sequence[Pillar], view: View) -> float:
    """How much of a face neither the frame's edge nor a pillar nor the head or shoulders of somebody nearer hides, 0..1."""
    _, y, width, height = one.face_box_px
    share = overlap(one.face_box_px, (0, 0, view.width_px, view.height_px)) / (width * height)
    for left, right in (pillar.columns(view) for pillar in pillars):
        share -= overlap(one.face_box_px, (left, y, right - left, height)) / (width * height)
    for other in everyone:
        if other.distance_m < one.distance_m:
            share -= max(overlap(one.face_box_px, part) for part in _head_and_body(other.face_box_px)) / (width * height)
    return max(share, 0.0)


def _head_and_body(face: Box) -> tuple[Box, Box]:
    x, y = centre(face)
    wide, high = HEAD_FACES[0] * face[2], HEAD_FACES[1] * face[3]
    body = BODY_M / FACE_M * face[2]
    return (x - wide / 2, y - high / 2, wide, high), (x - body / 2, y + high / 2, body, 20 * high)


def _count_faces(score: Score, seen: Observation, truth: Sequence[Seen], shares: dict[str, float]) -> None:
    _count(score, [(face.track, [1 - iou(face.box_px, each.face_box_px) for each in truth]) for face in seen.faces],
           1 - SAME_FACE_IOU, truth, shares)  # fmt: skip


def _count_bodies(score: Score, seen: Observation, truth: Sequence[Seen], shares: dict[str, float]) -> None:
    _count(score, [(person.track, [_beside(person, each.face_box_px) for each in truth]) for person in seen.persons],
           1.0, truth, shares)  # fmt: skip


def _count(
    score: Score, tracks: Sequence[tuple[int, list[float]]], limit: float, truth: Sequence[Seen], shares: dict[str, float]
) -> None:
    """One frame. `tracks`: each with how far it is from each person; the hidden are there too, and being followed is no fault."""
    names = [each.walk.portrait.name for each in truth]
    costs = [[-1.0 if cost < limit and score.known(who) == id_ else cost for who, cost in zip(names, row, strict=True)]
             for id_, row in tracks]  # fmt: skip
    pairs = assign(costs, limit)
    followed = {names[j]: tracks[i][0] for i, j in pairs if shares[names[j]] >= HIDDEN}
    score.frame({who for who, share in shares.items() if share >= IN_VIEW}, followed, len(tracks) - len(pairs))


def _owners(faces: Sequence[FaceSeen], truth: Sequence[Seen]) -> list[tuple[FaceSeen, Seen]]:
    costs = [[1 - iou(face.box_px, each.face_box_px) for each in truth] for face in faces]
    return [(faces[i], truth[j]) for i, j in assign(costs, 1 - SAME_FACE_IOU)]


def _beside(person: PersonSeen, face: Box) -> float:
    """How far a body's middle is from the face above it, in widths of shoulders; infinite when the face is not in its upper half."""
    (x, y), (middle, _) = centre(face), centre(person.box_px)
    left, top, width, height = person.box_px
    if not (left <= x <= left + width and top - face[3] / 2 <= y <= top + max(0.5 * height, 1.5 * face[3])):
        return float("inf")
    return abs(x - middle) / (BODY_M / FACE_M * face[2])


def _spoken(seen: Observation) -> int:
    return sum(bool(face.embedding) for face in seen.faces)


def _strange(seen: Observation, truth: Sequence[Seen], shares: dict[str, float], templates: dict[str, Floats]) -> int:
    """How many tracks speak with another's embedding than that of the face in their box."""
    count = 0
    for face, each in _owners(seen.faces, truth):
        if face.embedding and shares[each.walk.portrait.name] >= HIDDEN:
            voice = np.frombuffer(face.embedding, "<f4")
            count += max(templates, key=lambda name: float(templates[name] @ voice)) != each.walk.portrait.name
    return count


def _template(made: object, who: Portrait) -> Floats:
    if not isinstance(made, Template):
        raise DoorwardError(f"{who.file}: no template can be made of it: {made}")
    return np.frombuffer(made.embedding, "<f4")


def _section(results: Sequence[tuple[str, Result]], quick: bool) -> Section:
    total = Result()
    for _, result in results:
        total = total.plus(result)
    return Section(
        name="tracking", title="People followed",
        how=f"{len(results)} rendered scenes at {' and '.join(f'{w}x{h}' for w, h in SIZES[: 1 if quick else None])}, 15 frames a second, "
            "through the chain of the door; what the chain cannot know, the renderer does. A switch is a person under another id than "
            "before, a fragment one who was in view, lost and found again; MOTA is 1 - (misses + false + switches) / people in view "
            "(CLEAR MOT). The approach to the first sighting counts as missed. A face is in view when 70 % of it is.",
        figures=(
            Figure(what="faces: identity switches", value=total.faces.switches, unit="", most=0),
            Figure(what="bodies: identity switches", value=total.bodies.switches, unit="", most=0),
            Figure(what=f"tracks that spoke with another's face, of {total.voices} that spoke", value=total.strange, unit="", most=0),
            Figure(what="faces: MOTA", value=100 * total.faces.mota, unit="%"),
            Figure(what="bodies: MOTA", value=100 * total.bodies.mota, unit="%"),
        ),
        table=(("scene", "faces: found, switches, fragments, false, MOTA", "bodies: found, switches, fragments, false, MOTA"),
               *((name, _row(result.faces), _row(result.bodies)) for name, result in (*results, ("all", total)))),
    )  # fmt: skip


def _row(tally: Tally) -> str:
    return f"{plain(100 * tally.found)} %, {tally.switches}, {tally.fragments}, {tally.false}, {plain(100 * tally.mota)} %"
