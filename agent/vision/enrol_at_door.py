"""Enrolling somebody at a door's own camera: whom it looks at, what they should do, and one template for each pose.

Only while the door program says so, again and again: when it dies, or its word is a few seconds old, what was taken is forgotten. What is
looked at are faces that the door has found anyway, a few a second, so the frame rate hardly feels it. No picture is kept or sent, and
nothing of anybody else in view: whose face is not in the middle is not looked at, and while two stand there as near nobody is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from agent.core.identity import cosine
from agent.core.messages import EnrolOrder, EnrolSeen, EnrolStop, EnrolTemplate, Liveness, Observation, Pose
from agent.core.poses import ASK, POSES, ask_next, correction, next_wanted, pose_of
from agent.vision.enrol import Template, TemplateRefused
from agent.vision.faces import Face, centre
from agent.vision.guard import Guard
from agent.vision.refusal import ADVICE
from agent.vision.still import SECOND_FACE_SHARE
from hw.interfaces import Pixels

EVERY_S = 0.25
"""Between two looks: often enough to be led by, and two networks more for one frame in four."""
LOOKS = 3
"""Good pictures of a pose, of which the best is taken."""
LEASE_S = 3.0
"""The door says each second that it is to go on."""
MIDDLE_SHARE = 0.6
"""Of the frame's width: whoever stands beside it is somebody who waits."""
MOST_WAITING = 8

SAY = {
    "nobody": "stand before the camera, in the middle",
    "several_faces": ADVICE["several_faces"],
    "picture": "this looks like a picture of a face: the person themselves must stand here",
    "not_alive_yet": "move the head a little, and look at the camera: it is not known yet that this is no picture",
    "somebody_else": "this is not the person of the pictures before",
    "hold_still": "good: hold still",
}
"""What is said beside the advice on a picture and the next pose."""


class Judge(Protocol):
    """Makes templates, as agent.vision.enrol.Enroller does."""

    def template_of_face(self, picture: Pixels, face: Face) -> Template | TemplateRefused: ...


class Tracked(NamedTuple):
    """A face of the newest frame, and the track that it belongs to."""

    track: int
    face: Face


@dataclass
class _Session:
    order: EnrolOrder
    began_s: float
    heard_s: float
    looked_s: float = -1e9
    best: dict[Pose, Template] = field(default_factory=dict)
    looks: dict[Pose, int] = field(default_factory=dict)

    @property
    def done(self) -> tuple[Pose, ...]:
        return tuple(pose for pose in POSES if self.looks.get(pose, 0) >= LOOKS)


class _Told(NamedTuple):
    """What one look came to."""

    reason: str
    sentence: str
    made: Template | TemplateRefused | None = None
    pose: str = ""


class EnrolAtDoor:
    """`order` and `stop` as the door says, `see` with each frame; `take` gives what is to be said. Not thread-safe."""

    def __init__(self, judge: Judge, in_view: Callable[[float], Sequence[Tracked]], same: float) -> None:
        """`in_view(taken_s)`: the faces of the frame that was taken then. `same`: the cosine from which two templates are of one person."""
        self._judge, self._in_view, self._same = judge, in_view, same
        self._session: _Session | None = None
        self._out: deque[EnrolSeen | EnrolTemplate] = deque()
        self._guard = Guard("enrolment")

    @property
    def fault(self) -> str:
        return self._guard.fault if self._session is not None else ""

    def order(self, order: EnrolOrder, now_s: float) -> None:
        """Begin, or go on."""
        if self._session is None or self._session.order.session != order.session:
            self._forget()
            self._session = _Session(order, now_s, now_s)
        self._session.order, self._session.heard_s = order, now_s

    def stop(self, stop: EnrolStop) -> None:
        if self._session is not None and self._session.order.session == stop.session:
            self._forget()

    def see(self, pixels: Pixels, observation: Observation, now_s: float) -> None:
        """A frame in which the door has found what there is to be found. Never raises."""
        session = self._live(now_s)
        if session is None or observation.taken_s - session.looked_s < EVERY_S:
            return
        session.looked_s = observation.taken_s
        told = self._guard.run(lambda: self._look(session, pixels, observation), observation.taken_s)
        if told is not None:
            self._say(session, told, now_s)

    def take(self, send: Callable[[EnrolSeen | EnrolTemplate], bool]) -> None:
        """Hand over what is to be said; what the door cannot take now is kept for the next time."""
        while self._out and send(self._out[0]):
            self._out.popleft()

    def _live(self, now_s: float) -> _Session | None:
        session = self._session
        if session is not None and (now_s >= session.order.until_s or now_s - session.heard_s > LEASE_S):
            self._forget()
        return self._session

    def _forget(self) -> None:
        self._session = None
        self._out.clear()

    # -- one look

    def _look(self, session: _Session, pixels: Pixels, observation: Observation) -> _Told:
        face = self._who(observation)
        if isinstance(face, str):
            return _Told(face, SAY[face])
        liveness = next((seen.liveness for seen in observation.faces if seen.track == face.track), None)
        if why_not := _no_life(session.order, liveness):
            return _Told(why_not, SAY[why_not])
        made = self._judge.template_of_face(pixels, face.face)
        return _Told(made.reason, made.advice, made) if isinstance(made, TemplateRefused) else self._add(session, made, liveness)

    def _who(self, observation: Observation) -> Tracked | str:
        """The one whose face is widest in the middle, or why there is nobody."""
        width_px, in_view = observation.frame_px[0], self._in_view(observation.taken_s)
        wide = sorted(in_view, key=lambda each: -each.face.box_px[2])
        middle = [each for each in wide if abs(centre(each.face.box_px)[0] / width_px - 0.5) <= MIDDLE_SHARE / 2]
        if not middle:
            return "nobody"
        near = [each for each in middle[1:] if each.face.box_px[2] >= SECOND_FACE_SHARE * middle[0].face.box_px[2]]
        return "several_faces" if near else middle[0]

    def _add(self, session: _Session, made: Template, liveness: Liveness | None) -> _Told:
        pose, known = pose_of(made.head), session.best.values()
        if pose is None:
            return _Told("turned_away", correction(made.head), made)
        if known and max(cosine(made.embedding, other.embedding) for other in known) < self._same:
            return _Told("somebody_else", SAY["somebody_else"], made)
        if pose in session.done:
            return _Told("pose_done", _ask(session), made, pose)
        if pose not in session.best or session.best[pose].quality < made.quality:
            session.best[pose] = made
        session.looks[pose] = session.looks.get(pose, 0) + 1
        if pose not in session.done:
            return _Told("", SAY["hold_still"], made, pose)
        alive: Literal["live", "unsure", ""] = "" if liveness is None else "live" if liveness.verdict == "live" else "unsure"
        self._out.append(_sent(session, pose, alive))
        return _Told("", ask_next(session.done), made, pose)

    def _say(self, session: _Session, told: _Told, now_s: float) -> None:
        made = told.made
        head = made.head if isinstance(made, Template) else None
        if len(self._out) < MOST_WAITING:
            self._out.append(EnrolSeen(
                session=session.order.session, at_s=now_s, began_s=session.began_s, fit=not told.reason, reason=told.reason,
                sentence=told.sentence, pose=told.pose, quality=None if made is None or made.quality is None else round(made.quality, 3),
                yaw_deg=round(head.yaw_deg, 1) if head else None, pitch_deg=round(head.pitch_deg, 1) if head else None,
                poses_done=session.done,
            ))  # fmt: skip


def _no_life(order: EnrolOrder, liveness: Liveness | None) -> str:
    if order.liveness == "off":
        return ""
    verdict = "" if liveness is None else liveness.verdict
    if verdict == "attack":
        return "picture"
    return "not_alive_yet" if order.liveness == "require_live" and verdict != "live" else ""


def _ask(session: _Session) -> str:
    wanted = next_wanted(session.done)
    return ASK[wanted[0]] if wanted else ask_next(session.done)


def _sent(session: _Session, pose: Pose, alive: Literal["live", "unsure", ""]) -> EnrolTemplate:
    best = session.best[pose]
    return EnrolTemplate(session=session.order.session, began_s=session.began_s, pose=pose, embedding=best.embedding,
                         embedder_id=best.embedder_id, quality=round(best.quality, 3), face_px=round(best.face_px, 1), head=best.head,
                         alive=alive)  # fmt: skip
