"""Beyond identity: who is looked at, when, what is remembered of whom, and that nothing of it holds identity up."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace

from agent.core.messages import Box, FaceSeen, Liveness, PersonSeen
from agent.vision.faces import Face
from agent.vision.guard import MOST_IN_ROW
from agent.vision.looks import Glimpse, Looks, LookSettings, Seen
from agent.vision.timing import StageTimes
from agent.vision.track import Picture, Track

PIXELS = np.zeros((48, 64, 3), np.uint8)
FRAME_S = 1 / 15


class Mesh(NamedTuple):
    """Stands for agent.vision.landmarks.Mesh: these stages read nothing of it."""

    of: int


class Counting:
    """A stage that counts how often it saw a face, and says so in the face's liveness."""

    def __init__(self, name: str = "counting", every_s: float = 0.0) -> None:
        self.name, self.every_s = name, every_s
        self.glimpses: list[Glimpse] = []

    def begin(self) -> list[float]:
        return []

    def take(self, memory: list[float], glimpse: Glimpse) -> None:
        self.glimpses.append(glimpse)
        memory.append(glimpse.taken_s)

    def tell(self, memory: list[float], face: FaceSeen, now_s: float) -> FaceSeen:
        return replace(face, liveness=Liveness(verdict="unsure", score=0.5, reason=self.name, watched_s=float(len(memory))))


class Broken(Counting):
    def take(self, memory: Any, glimpse: Glimpse) -> None:
        self.glimpses.append(glimpse)
        raise ValueError("odd")


class Untellable(Counting):
    def tell(self, memory: Any, face: FaceSeen, now_s: float) -> FaceSeen:
        raise ValueError("odd")


class Bodies:
    name = "persons"

    def __init__(self) -> None:
        self.taken = 0

    def take(self, seen: Seen, faces: Any) -> None:
        self.taken += 1

    def persons(self, now_s: float) -> tuple[PersonSeen, ...]:
        return (PersonSeen(track=1, box_px=(0, 0, 9, 9), score=0.9, first_seen_s=0.0),)

    def faceless(self, now_s: float) -> list[Box]:
        return [(0, 0, 9, 9)]


class Meshes:
    """Counts what was computed."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, pixels: Any, points_px: Any, box_px: Any) -> Mesh:
        self.made += 1
        return Mesh(self.made)


def track(number: int = 1, width: float = 100.0, seen_s: float = 10.0, first_s: float = 5.0, embedded: bool = True) -> Track:
    face = Face((10.0, 10.0, width, width), 0.9, np.zeros((6, 2), np.float32))
    made = Track(number, face, first_seen_s=first_s, seen_s=seen_s)
    if embedded:
        made.pictures.append(Picture(seen_s, np.ones(4, np.float32) / 2, 0.9))
    return made


def looks_of(*stages: Any, bodies: Any = None, **settings: Any) -> Looks:
    return Looks(Meshes(), stages, bodies, LookSettings(**settings))  # type: ignore[arg-type]


def look(looks: Looks, *tracks: Track, at_s: float = 10.0) -> None:
    looks.forget(tracks)
    looks.update(Seen(PIXELS, at_s), tracks, StageTimes())


def counted(looks: Looks, number: int = 1) -> float | None:
    face = FaceSeen(track=number, box_px=(0, 0, 9, 9), score=0.9, quality=1.0, first_seen_s=0.0)
    told = looks.add_to(face, 10.0).liveness
    return None if told is None else told.watched_s


def test_a_stage_sees_a_face_in_each_frame_and_its_word_is_added_to_it():
    looks = looks_of(Counting())
    assert counted(looks) is None
    for n in range(3):
        look(looks, track(seen_s=n * FRAME_S), at_s=n * FRAME_S)
    assert counted(looks) == 3


def test_a_stage_that_needs_fewer_looks_gets_fewer():
    seldom = Counting(every_s=0.2)
    looks = looks_of(seldom)
    for n in range(15):
        look(looks, track(seen_s=n * FRAME_S), at_s=n * FRAME_S)
    assert len(seldom.glimpses) == 5


def test_the_widest_faces_are_looked_at_and_no_more_than_allowed():
    stage = Counting()
    look(looks_of(stage, faces=2), track(1, 40), track(2, 90), track(3, 70), track(4, 10))
    assert [glimpse.track.id for glimpse in stage.glimpses] == [2, 3]


# -- whose turn ----------------------------------------------------------------------------------------------------------------


def crowd(looks: Looks, widths: dict[int, float], seconds: float, came_s: dict[int, float] | None = None) -> None:
    """So many frames of people who stay where they are; they came long ago unless it is said when."""
    for n in range(round(seconds / FRAME_S)):
        at_s = 100 + n * FRAME_S
        faces = [track(k, w, seen_s=at_s, first_s=(came_s or {}).get(k, 5.0)) for k, w in widths.items()]
        look(looks, *faces, at_s=at_s)


def share(stage: Counting, number: int) -> float:
    """Of the frames in which anybody was looked at."""
    frames = {glimpse.taken_s for glimpse in stage.glimpses}
    return sum(glimpse.track.id == number for glimpse in stage.glimpses) / len(frames)


def longest_wait_s(stage: Counting, number: int) -> float:
    return float(np.diff([glimpse.taken_s for glimpse in stage.glimpses if glimpse.track.id == number]).max())


def test_two_larger_posters_do_not_starve_the_owner_who_stands_before_them():
    stage = Counting()
    crowd(looks_of(stage), {1: 120, 2: 110, 3: 80}, 6.0)
    assert all(share(stage, number) == pytest.approx(2 / 3, abs=0.05) for number in (1, 2, 3))
    assert longest_wait_s(stage, 3) <= 0.15


def test_who_has_just_come_is_looked_at_more_often_than_posters_that_hang_there():
    stage = Counting()
    crowd(looks_of(stage), dict.fromkeys(range(1, 11), 120.0) | {11: 80.0}, 5.0, came_s={11: 99.5})
    assert share(stage, 11) >= 0.4
    assert all(share(stage, poster) > 0.1 for poster in range(1, 11))
    assert longest_wait_s(stage, 11) < 0.5, "a verdict on who lives is told on for half a second"


def test_who_waits_far_behind_takes_no_turn_from_those_at_the_door():
    stage = Counting()
    crowd(looks_of(stage), {1: 120, 2: 100, 3: 50, 4: 40}, 2.0)
    assert {glimpse.track.id for glimpse in stage.glimpses} == {1, 2}


def test_what_the_door_leaves_over_goes_to_the_widest_behind():
    stage = Counting()
    crowd(looks_of(stage), {1: 120, 3: 50, 4: 40}, 1.0)
    assert {glimpse.track.id for glimpse in stage.glimpses} == {1, 3}


def test_a_face_that_is_not_in_this_frame_or_too_small_is_not_looked_at():
    stage = Counting()
    look(looks_of(stage, least_face_px=24), track(1, seen_s=9.9), track(2, width=20))
    assert stage.glimpses == []


def test_all_stages_that_look_at_a_face_share_its_mesh():
    stage = Counting("second")
    looks = looks_of(Counting("first"), stage)
    look(looks, track(1), track(2))
    assert looks._landmarks.made == 2
    assert {glimpse.mesh.of for glimpse in stage.glimpses} == {1, 2}


def test_a_stage_may_use_what_those_before_it_remember_of_the_face():
    first, second = Counting("first"), Counting("second")
    looks = looks_of(first, second)
    look(looks, track(1))
    assert second.glimpses[0].memories["first"] == [10.0]


def test_a_face_that_no_stage_is_due_for_gets_no_mesh():
    looks = looks_of(Counting(every_s=0.2))
    look(looks, track(1))
    look(looks, track(1, seen_s=10.1), at_s=10.1)
    assert looks._landmarks.made == 1


# -- whose memory --------------------------------------------------------------------------------------------------------------


def test_a_track_that_is_over_is_forgotten():
    looks = looks_of(Counting())
    look(looks, track(1))
    looks.forget([track(2)])
    assert counted(looks, 1) is None


def test_a_track_that_somebody_else_may_have_taken_over_begins_anew():
    """Nobody inherits another's life: whoever holds up a picture where somebody stood is watched from the start."""
    looks = looks_of(Counting())
    for _ in range(3):
        look(looks, track(1))
    doubted = track(1)
    doubted.unbroken_s = 9.9
    looks.forget([doubted])
    assert counted(looks, 1) is None
    look(looks, doubted)
    assert counted(looks, 1) == 1


# -- identity first ------------------------------------------------------------------------------------------------------------


def test_while_a_face_that_just_came_is_not_embedded_nothing_else_is_looked_at():
    stage, bodies = Counting(), Bodies()
    looks = looks_of(stage, bodies=bodies)
    newcomer = track(2, first_s=9.9, embedded=False)
    look(looks, track(1), newcomer)
    assert (stage.glimpses, bodies.taken) == ([], 0)
    look(looks, track(1), track(2, first_s=9.9))
    assert (len(stage.glimpses), bodies.taken) == (2, 1)


def test_a_face_that_cannot_be_embedded_holds_the_others_up_for_a_moment_only():
    stage = Counting()
    look(looks_of(stage, patience_s=0.35), track(1), track(2, first_s=9.6, embedded=False))
    assert len(stage.glimpses) == 2


# -- stages that fail ----------------------------------------------------------------------------------------------------------


def test_a_stage_that_fails_is_named_and_the_others_go_on():
    broken, sound, bodies = Broken("broken"), Counting("sound"), Bodies()
    looks = looks_of(broken, sound, bodies=bodies)
    for _ in range(MOST_IN_ROW + 3):
        look(looks, track(1))
    assert len(sound.glimpses) == MOST_IN_ROW + 3
    assert len(broken.glimpses) == MOST_IN_ROW, "after so many failures it is left out"
    assert [guard.name for guard in looks.guards if guard.fault] == ["broken"]
    assert counted(looks) == MOST_IN_ROW + 3


def test_one_odd_face_takes_a_stage_from_nobody_else():
    class OddAtTwo(Counting):
        def take(self, memory: list[float], glimpse: Glimpse) -> None:
            if glimpse.track.id == 2:
                self.glimpses.append(glimpse)
                raise ValueError("odd")
            super().take(memory, glimpse)

    stage = OddAtTwo()
    looks = looks_of(stage)
    for n in range(20):
        look(looks, track(1, seen_s=10 + n * FRAME_S), track(2, seen_s=10 + n * FRAME_S), at_s=10 + n * FRAME_S)
    assert counted(looks, 1) == 20
    assert counted(looks, 2) is None
    assert sum(glimpse.track.id == 2 for glimpse in stage.glimpses) == MOST_IN_ROW
    assert any("left out" in guard.fault for guard in looks.guards)


def test_a_stage_that_was_left_out_for_a_face_is_tried_again_after_a_minute():
    broken = Broken()
    looks = looks_of(broken)
    for n in range(15 * 61):
        look(looks, track(1, seen_s=10 + n * FRAME_S), at_s=10 + n * FRAME_S)
    assert len(broken.glimpses) == MOST_IN_ROW + 1


def test_what_a_stage_knew_before_it_failed_is_not_told_on():
    """A face that was alive may be a picture by now."""

    class Fails(Counting):
        def take(self, memory: list[float], glimpse: Glimpse) -> None:
            if glimpse.taken_s > 10.5:
                raise ValueError("odd")
            super().take(memory, glimpse)

    looks = looks_of(Fails())
    look(looks, track(1))
    assert counted(looks) == 1
    look(looks, track(1, seen_s=10.6), at_s=10.6)
    assert counted(looks) is None


def test_a_stage_that_cannot_tell_what_it_knows_leaves_the_face_as_it_was():
    looks = looks_of(Untellable("untellable"), Counting("sound"))
    look(looks, track(1))
    assert counted(looks) == 1
    assert [guard.fault for guard in looks.guards if guard.fault] == ["untellable: ValueError: odd"]


def test_bodies_that_cannot_be_found_cost_no_face():
    class Gone(Bodies):
        def take(self, seen: Seen, faces: Any) -> None:
            raise OSError("gone")

        def persons(self, now_s: float) -> tuple[PersonSeen, ...]:
            raise OSError("gone")

    looks = looks_of(Counting(), bodies=Gone())
    assert looks.faceless(10.0) == [(0, 0, 9, 9)]
    look(looks, track(1))
    assert looks.persons(10.0) == ()
    assert looks.faceless(10.0) == []
    assert counted(looks) == 1


@pytest.mark.parametrize("bodies", [None, Bodies()])
def test_without_stages_there_is_nothing_to_add(bodies):
    looks = looks_of(bodies=bodies)
    look(looks, track(1))
    assert counted(looks) is None
    assert len(looks.persons(10.0)) == (bodies is not None)
    assert looks._landmarks.made == 0
