"""What there is to see beyond who it is: optional stages that look at tracked faces and at the whole frame, each with its own memory.

Identity comes first. These stages run behind it; while a face that has just come is not embedded yet they leave the frame to
it; and whatever happens to them, it goes on (agent.vision.guard). How much is done in a frame is bounded by counts, not by a
clock: the same frames give the same observations on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from agent.core.messages import Box, FaceSeen, PersonSeen
from agent.vision.guard import Guard
from agent.vision.landmarks import Landmarks, Mesh
from agent.vision.timing import StageTimes
from agent.vision.track import Track
from hw.interfaces import Pixels


class LookSettings(Struct, frozen=True, kw_only=True):
    """Bounds of what is done in a frame."""

    faces: int = 2
    """So many faces. Those at the door take turns where there are more; others only get what is left over."""
    at_door_share: float = 0.5
    """Of the widest face's width: as wide as this stands at the door (agent.core.identity holds nobody else to be there)."""
    new_s: float = 6.0
    """Faces that came so short a time ago have their turn"""
    new_turns: float = 3.0
    """so many times as often: who has just come waits for an answer, and a poster does not."""
    least_face_px: float = 24.0
    patience_s: float = 0.35
    """For so long after a face came nothing but its identity is worked on, unless it is embedded sooner."""


class Seen(NamedTuple):
    """A frame that the faces in it have been found in."""

    pixels: Pixels
    """Height x width x 3, BGR."""
    taken_s: float


class Glimpse(NamedTuple):
    """One tracked face in one frame."""

    pixels: Pixels
    taken_s: float
    track: Track
    mesh: Mesh
    """Cut around the face's box, in every frame alike: the cut that follows turned heads."""
    memories: Mapping[str, Any]
    """Of the stages before this one, by their names, as far as they have looked at this track."""


class FaceStage(Protocol):
    """A stage that looks at faces. Networks are its own; what it remembers of a track is in what `begin` gave for it."""

    @property
    def name(self) -> str: ...

    @property
    def every_s(self) -> float:
        """How long to wait until it looks at the same face again; 0 for every frame."""
        ...

    def begin(self) -> Any:
        """The memory of a new track."""
        ...

    def take(self, memory: Any, glimpse: Glimpse) -> None: ...

    def tell(self, memory: Any, face: FaceSeen, now_s: float) -> FaceSeen:
        """The face with what is known of it by now."""
        ...


class FrameStage(Protocol):
    """The stage that looks for bodies in the whole frame."""

    @property
    def name(self) -> str: ...

    def take(self, seen: Seen, faces: Sequence[Track]) -> None: ...

    def persons(self, now_s: float) -> tuple[PersonSeen, ...]: ...

    def faceless(self, now_s: float) -> list[Box]:
        """Boxes of bodies whose face is not in view."""
        ...


class _Face:
    """One track's memories, by stage, when each stage last looked at it, and which turn it has next."""

    def __init__(self, unbroken_s: float) -> None:
        self.unbroken_s = unbroken_s
        self.memories: dict[str, Any] = {}
        self.looked_s: dict[str, float] = {}
        self.turn = 0.0


class Looks:
    """All optional stages of one camera. Not thread-safe."""

    def __init__(self, landmarks: Landmarks, faces: Sequence[FaceStage] = (), bodies: FrameStage | None = None,
                 settings: LookSettings | None = None) -> None:  # fmt: skip
        """`faces` in the order in which they look."""
        self._landmarks, self._stages, self._bodies = landmarks, tuple(faces), bodies
        self._settings = settings or LookSettings()
        self._faces: dict[int, _Face] = {}
        self._round = 0.0
        self._of = {stage.name: Guard(stage.name) for stage in self._stages}
        self._telling = {stage.name: Guard(stage.name) for stage in self._stages}
        """Apart from the looking: a stage that tells well and looks badly would never be left out."""
        self._of_mesh = Guard("mesh")
        self._of_bodies, self._telling_bodies = Guard("persons"), Guard("persons")

    @property
    def guards(self) -> tuple[Guard, ...]:
        return (self._of_mesh, *self._of.values(), *self._telling.values(), self._of_bodies, self._telling_bodies)

    def forget(self, live: Sequence[Track]) -> None:
        """What was remembered of a track ends with it, and with any doubt who it is: nobody inherits another's life."""
        since = {track.id: track.unbroken_s for track in live}
        self._faces = {id_: face for id_, face in self._faces.items() if since.get(id_) == face.unbroken_s}
        for guard in self.guards:
            guard.forget(since)

    def update(self, seen: Seen, in_view: Sequence[Track], times: StageTimes) -> None:
        """Lets every stage look that is due."""
        now = [track for track in in_view if track.seen_s == seen.taken_s]
        if any(self._is_awaited(track, seen.taken_s) for track in now):
            return
        if self._bodies is not None:
            self._look_for_bodies(self._bodies, seen, in_view, times)
        if self._stages:
            for track in self._whose_turn(now, seen.taken_s):
                self._look_at(seen, track, times)

    def add_to(self, face: FaceSeen, now_s: float) -> FaceSeen:
        """A face with what the stages know of its track."""
        known = self._faces.get(face.track)
        if known is None:
            return face
        for stage in self._stages:
            # What a stage knew before it failed is not told on: the face may have become a picture since.
            if stage.name in known.memories and not self._of[stage.name].failed(face.track):
                face = self._told(stage, known.memories[stage.name], face, now_s)
        return face

    def persons(self, now_s: float) -> tuple[PersonSeen, ...]:
        """The bodies in view."""
        bodies = self._bodies
        if bodies is None or self._of_bodies.failed():
            return ()
        return self._telling_bodies.run(lambda: bodies.persons(now_s), now_s) or ()

    def faceless(self, now_s: float) -> list[Box]:
        """Where bodies are whose face is not in view: there a face may turn up."""
        bodies = self._bodies
        if bodies is None or self._of_bodies.failed():
            return []
        return self._telling_bodies.run(lambda: bodies.faceless(now_s), now_s) or []

    def _whose_turn(self, now: Sequence[Track], now_s: float) -> list[Track]:
        """Widest first; of more at the door than can be looked at, those who had the fewest turns: no poster starves whom it hangs beside.

        Start-time fair queueing: a turn costs less who is new, and who was away does not come back with turns saved up.
        """
        settings = self._settings
        wide = sorted((t for t in now if t.face.box_px[2] >= settings.least_face_px), key=lambda track: -track.face.box_px[2])
        at_door = [track for track in wide if track.face.box_px[2] >= settings.at_door_share * wide[0].face.box_px[2]]
        if len(at_door) <= settings.faces:
            return wide[: settings.faces]
        turns = {track.id: max(self._known(track).turn, self._round) for track in at_door}
        self._round = min(turns.values())
        chosen = sorted(at_door, key=lambda track: turns[track.id])[: settings.faces]
        for track in chosen:
            new = now_s - track.first_seen_s < settings.new_s
            self._known(track).turn = turns[track.id] + (1 / settings.new_turns if new else 1.0)
        return chosen

    def _known(self, track: Track) -> _Face:
        return self._faces.setdefault(track.id, _Face(track.unbroken_s))

    def _is_awaited(self, track: Track, now_s: float) -> bool:
        """Whether a door may be waiting for this face's embedding."""
        settings = self._settings
        new = now_s - track.first_seen_s < settings.patience_s
        return new and not track.pictures and track.face.box_px[2] >= settings.least_face_px

    def _look_for_bodies(self, bodies: FrameStage, seen: Seen, faces: Sequence[Track], times: StageTimes) -> None:
        with times.stage(bodies.name):
            self._of_bodies.run(lambda: bodies.take(seen, faces), seen.taken_s)

    def _look_at(self, seen: Seen, track: Track, times: StageTimes) -> None:
        known = self._known(track)
        due = [stage for stage in self._stages if self._is_due(stage, track.id, known, seen.taken_s)]
        mesh = self._mesh(seen, track, times) if due else None
        if mesh is None:
            return
        for stage in due:
            known.looked_s[stage.name] = seen.taken_s
            with times.stage(stage.name):
                glimpse = Glimpse(seen.pixels, seen.taken_s, track, mesh, known.memories)
                self._of[stage.name].run(partial(self._take, stage, known, glimpse), seen.taken_s, track.id)

    def _is_due(self, stage: FaceStage, track: int, known: _Face, now_s: float) -> bool:
        return not self._of[stage.name].off(now_s, track) and now_s - known.looked_s.get(stage.name, -1e9) >= stage.every_s

    def _take(self, stage: FaceStage, known: _Face, glimpse: Glimpse) -> None:
        if stage.name not in known.memories:
            known.memories[stage.name] = stage.begin()
        stage.take(known.memories[stage.name], glimpse)

    def _told(self, stage: FaceStage, memory: Any, face: FaceSeen, now_s: float) -> FaceSeen:
        told = self._telling[stage.name].run(lambda: stage.tell(memory, face, now_s), now_s, face.track)
        return face if told is None else told

    def _mesh(self, seen: Seen, track: Track, times: StageTimes) -> Mesh | None:
        with times.stage("mesh"):
            face = track.face
            return self._of_mesh.run(lambda: self._landmarks(seen.pixels, face.points_px, face.box_px), seen.taken_s, track.id)
