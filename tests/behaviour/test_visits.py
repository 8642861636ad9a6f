"""Bodies and faces of observations become visits."""

from __future__ import annotations

import math
import struct

from agent.behaviour.floor import default_plan
from agent.behaviour.ground import FloorPoint, assumed_ground
from agent.behaviour.visits import Visit, Visits, VisitSettings
from agent.behaviour.zones import ZoneTrack
from agent.core.messages import FaceSeen, Observation, PersonSeen

PLAN = default_plan(assumed_ground((640, 480), 70.0, 2.0, 15.0))


def a_face(track: int, at_m: tuple[float, float] = (0.0, 2.0), looks: float | None = None, seen_s: float = 0.0) -> FaceSeen:
    """A face whose box says where on the floor it is; `looks` is the angle of its embedding."""
    embedding = b"" if looks is None else struct.pack("<2f", math.cos(looks), math.sin(looks))
    return FaceSeen(
        track=track, box_px=(*at_m, 60.0, 80.0), score=0.9, quality=0.8, first_seen_s=0.0, seen_s=seen_s, embedding=embedding
    )


def a_body(track: int, at_m: tuple[float, float] = (0.0, 2.0), face: int | None = None, seen_s: float = 0.0) -> PersonSeen:
    return PersonSeen(track=track, box_px=(*at_m, 100.0, 300.0), score=0.9, first_seen_s=0.0, face=face, seen_s=seen_s)


def place(body: PersonSeen | None, face: FaceSeen | None) -> FloorPoint | None:
    seen = body or face
    return FloorPoint(seen.box_px[0], seen.box_px[1], 0.05) if seen is not None else None


class Camera:
    """Frames one after the other."""

    def __init__(self, **settings: int) -> None:
        self.visits = Visits(
            lambda number, since_s: Visit(id=number, since_s=since_s, zones=ZoneTrack(PLAN)), VisitSettings(**settings)
        )
        self.over: list[Visit] = []

    def sees(self, at_s: float, *seen: FaceSeen | PersonSeen) -> list[int]:
        """Ids of the visits of those who are in the frame."""
        faces = tuple(one for one in seen if isinstance(one, FaceSeen))
        bodies = tuple(one for one in seen if isinstance(one, PersonSeen))
        observation = Observation(
            frame=0, taken_s=at_s, frame_px=(640, 480), faces=faces, persons=bodies, embedder_id="", engine="", chain_ms=0
        )
        self.over += self.visits.take(observation, place)
        return [visit.id for visit in self.visits.present()]


def test_a_body_with_its_face_is_one_visit() -> None:
    camera = Camera()
    assert camera.sees(0.0, a_body(1, face=7), a_face(7)) == [1]
    assert (camera.visits.present()[0].body, camera.visits.present()[0].face) == (1, 7)


def test_a_face_that_comes_first_and_its_body_later_are_one_visit_from_the_beginning() -> None:
    camera = Camera()
    camera.sees(0.0, a_face(7))
    assert camera.sees(0.5, a_body(1, face=7), a_face(7)) == [1]
    assert camera.visits.present()[0].since_s == 0.0


def test_a_face_and_a_body_that_turn_out_to_be_one_person_become_one_visit_the_longer_one() -> None:
    camera = Camera()
    camera.sees(0.0, a_body(1))
    assert camera.sees(0.4, a_body(1), a_face(7, (0.1, 2.0))) == [1, 2]
    assert camera.sees(0.8, a_body(1, face=7), a_face(7)) == [1]


def test_a_track_that_breaks_off_and_begins_again_nearby_is_the_same_visit() -> None:
    camera = Camera()
    camera.sees(0.0, a_body(1, (0.0, 2.5)))
    assert camera.sees(0.8, a_body(2, (0.3, 2.0))) == [1]


def test_a_track_that_begins_far_from_where_one_broke_off_is_another_visit() -> None:
    camera = Camera()
    camera.sees(0.0, a_body(1, (-2.0, 4.0)))
    assert camera.sees(0.4, a_body(2, (2.0, 4.0))) == [1, 2]


def test_whoever_follows_close_behind_somebody_who_went_in_is_not_taken_for_them() -> None:
    camera = Camera()
    camera.sees(0.0, a_body(1, (0.0, 0.8)))
    assert camera.sees(0.6, a_body(2, (0.0, 1.0))) == [1, 2]


def test_a_known_face_says_who_it_is_wherever_a_track_broke_off() -> None:
    camera = Camera()
    camera.sees(0.0, a_face(1, (0.0, 0.9), looks=0.0))
    assert camera.sees(0.6, a_face(2, (0.1, 0.9), looks=0.1)) == [1]
    assert camera.sees(1.2, a_face(3, (0.1, 0.9), looks=1.5)) == [1, 2]


def test_two_people_in_one_frame_are_never_one_visit() -> None:
    camera = Camera()
    camera.sees(0.0, a_body(1, (0.0, 2.0)))
    assert camera.sees(0.1, a_body(1, (0.0, 2.0)), a_body(2, (0.1, 2.0))) == [1, 2]


def test_a_visit_is_over_when_nobody_was_seen_for_two_seconds() -> None:
    camera = Camera()
    camera.sees(0.0, a_body(1))
    assert camera.sees(1.9) == [1]
    assert camera.sees(2.2) == []
    assert [visit.id for visit in camera.over] == [1]


def test_a_body_that_vision_only_expects_somewhere_was_last_found_when_it_says() -> None:
    camera = Camera()
    camera.sees(10.0, a_body(1, seen_s=10.0))
    camera.sees(10.4, a_body(1, seen_s=10.0))
    assert camera.visits.present()[0].seen_s == 10.0


def test_a_face_that_vision_only_holds_where_it_was_makes_nobody_stand_there() -> None:
    camera = Camera()
    camera.sees(10.0, a_face(7, seen_s=10.0))
    camera.sees(10.1, a_face(7, seen_s=10.0), a_body(1, face=7, seen_s=10.0))
    assert camera.visits.present()[0].seen_s == 10.0
    camera.sees(10.2, a_face(7, seen_s=10.0), a_body(1, face=7, seen_s=10.2))
    assert camera.visits.present()[0].seen_s == 10.2


def test_who_comes_again_after_a_minute_is_known_by_the_face_and_counted() -> None:
    camera = Camera()
    for number, began_s in enumerate((0.0, 60.0, 120.0), start=1):
        camera.sees(began_s, a_face(number, looks=0.05 * number))
        camera.sees(began_s + 3.0)
    camera.sees(180.0, a_face(9, looks=0.1))
    (again,) = camera.visits.present()
    assert len(again.came_before) == 3
    assert {visit.person for visit in camera.over} == {again.person}


def test_who_comes_again_after_an_hour_is_a_stranger() -> None:
    camera = Camera()
    camera.sees(0.0, a_face(1, looks=0.0))
    camera.sees(3.0)
    camera.sees(3600.0, a_face(2, looks=0.0))
    assert camera.visits.present()[0].came_before == ()


def test_a_clock_that_jumps_back_ends_every_visit_and_nothing_else() -> None:
    camera = Camera()
    camera.sees(100.0, a_body(1))
    assert camera.sees(5.0, a_body(2, (2.5, 5.0))) == [2]


def test_of_a_crowd_only_so_many_are_followed() -> None:
    camera = Camera(most=3)
    assert len(camera.sees(0.0, *(a_body(track, (0.0, float(track))) for track in range(1, 9)))) == 3
