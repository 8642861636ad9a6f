"""At a door's camera: whom it looks at, one template a pose from one person, nobody's picture, and nothing after the door stops asking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.identity import cosine
from agent.core.messages import EnrolOrder, EnrolSeen, EnrolStop, EnrolTemplate, FaceSeen, HeadPose, Liveness, Observation
from agent.vision.enrol import Template, TemplateRefused
from agent.vision.enrol_at_door import EVERY_S, LEASE_S, LOOKS, EnrolAtDoor, Tracked
from agent.vision.faces import Face
from agent.vision.guard import MOST_IN_ROW

PIXELS = np.zeros((480, 640, 3), np.uint8)
YAW = {"front": 0.0, "left": 20.0, "right": -20.0}
OWNER, STRANGER = np.eye(2, 128, dtype="<f4")
POSES = ("front", "left", "right")


def face(x: float = 320.0, wide_px: float = 110.0) -> Face:
    return Face((x - wide_px / 2, 180.0, wide_px, wide_px), 0.9, np.zeros((6, 2), np.float32))


def template(pose: str = "front", quality: float = 0.8, who: Any = OWNER) -> Template:
    head = HeadPose(yaw_deg=YAW.get(pose, 50.0), pitch_deg=0.0, roll_deg=0.0, confidence=0.9)
    return Template(embedding=who.tobytes(), embedder_id="net", quality=quality, face_px=110.0, head=head)


class Camera:
    """Frames one after the other; `made` is what the networks say of the next face."""

    def __init__(self, liveness: Any = "off") -> None:
        self.made: Template | TemplateRefused | Exception = template()
        self.in_view = [Tracked(1, face())]
        self.verdict = ""
        self.looked_at: list[Face] = []
        self.at_door = EnrolAtDoor(self, lambda taken_s: self.in_view, same=0.5)
        self.now_s, self.until_s, self.liveness, self.said = 100.0, 220.0, liveness, []

    def template_of_face(self, picture: Any, face: Face) -> Template | TemplateRefused:
        self.looked_at.append(face)
        if isinstance(self.made, Exception):
            raise self.made
        return self.made

    def orders(self, session: str = "session-1") -> None:
        self.at_door.order(EnrolOrder(session=session, until_s=self.until_s, liveness=self.liveness), self.now_s)

    def looks(self, made: Any = None, times: int = 1, keeps: bool = True) -> EnrolSeen | None:
        """What is said last."""
        self.made = made or self.made
        before = len(self.said)
        for _ in range(times):
            self.now_s += EVERY_S
            if keeps:
                self.orders()
            live = Liveness(verdict=self.verdict, score=0.5, reason="", watched_s=1.0) if self.verdict else None
            faces = tuple(FaceSeen(track=each.track, box_px=each.face.box_px, score=0.9, quality=0.8, first_seen_s=0.0, liveness=live)
                          for each in self.in_view)  # fmt: skip
            self.at_door.see(PIXELS, Observation(frame=1, taken_s=self.now_s, frame_px=(640, 480), faces=faces, embedder_id="net",
                                                 engine="", chain_ms=1.0), self.now_s)  # fmt: skip
            self.at_door.take(lambda message: self.said.append(message) or True)
        told = [each for each in self.said[before:] if isinstance(each, EnrolSeen)]
        return told[-1] if told else None

    @property
    def templates(self) -> list[EnrolTemplate]:
        return [each for each in self.said if isinstance(each, EnrolTemplate)]


@pytest.fixture
def camera() -> Camera:
    made = Camera()
    made.orders()
    return made


def test_nobody_is_looked_at_unasked() -> None:
    camera = Camera()
    assert camera.looks(keeps=False) is None
    assert camera.looked_at == []


def test_of_each_pose_one_template_is_sent_the_best_of_its_pictures(camera: Camera) -> None:
    for quality in (0.7, 0.9, 0.8):
        assert camera.looks(template(quality=quality)).fit
    assert [(each.pose, each.quality) for each in camera.templates] == [("front", 0.9)]
    told = camera.looks(template(quality=0.99))
    assert (told.fit, told.reason, told.poses_done) == (False, "pose_done", ("front",))
    assert "to your left" in told.sentence
    camera.looks(template("left"), LOOKS)
    last = camera.looks(template("right"), LOOKS)
    assert (last.poses_done, last.sentence) == (POSES, "good; all pictures are there")
    assert [each.pose for each in camera.templates] == list(POSES)


def test_whoever_waits_beside_is_not_looked_at_and_two_before_the_camera_are_told(camera: Camera) -> None:
    camera.in_view = [Tracked(1, face(40.0, 200.0)), Tracked(2, face())]
    assert camera.looks().fit
    assert camera.looked_at == [camera.in_view[1].face]
    camera.in_view = [Tracked(1, face()), Tracked(2, face(380.0, 90.0))]
    assert camera.looks().reason == "several_faces"
    camera.in_view = [Tracked(1, face()), Tracked(2, face(420.0, 40.0))]
    assert camera.looks().fit
    camera.in_view = []
    assert (camera.looks().reason, len(camera.looked_at)) == ("nobody", 2)


def test_somebody_else_who_steps_in_is_not_taken(camera: Camera) -> None:
    camera.looks(template())
    assert camera.looks(template(who=STRANGER)).reason == "somebody_else"
    camera.looks(template(), LOOKS)
    assert [each.embedding for each in camera.templates] == [OWNER.tobytes()]


def test_advice_on_a_poor_picture_goes_out_as_it_is(camera: Camera) -> None:
    told = camera.looks(TemplateRefused(reason="blurred", advice="the face is blurred: hold still", quality=0.3))
    assert (told.fit, told.reason, told.sentence, told.quality) == (False, "blurred", "the face is blurred: hold still", 0.3)
    assert "turn back" in camera.looks(template("too far")).sentence


@pytest.mark.parametrize(("policy", "verdict", "reason"), [
    ("off", "attack", ""), ("alert", "attack", "picture"), ("deny_attack", "attack", "picture"), ("alert", "unsure", ""),
    ("require_live", "unsure", "not_alive_yet"), ("require_live", "", "not_alive_yet"), ("require_live", "live", ""),
])  # fmt: skip
def test_a_picture_of_a_face_is_enrolled_only_where_the_door_asks_for_no_life(policy: str, verdict: str, reason: str) -> None:
    camera = Camera(policy)
    camera.verdict = verdict
    assert camera.looks(template(), LOOKS).reason == reason
    assert [each.alive for each in camera.templates] == ([] if reason else [{"attack": "unsure"}.get(verdict, verdict)])


def stops(camera: Camera) -> None:
    camera.at_door.stop(EnrolStop(session="session-1"))


def hears_nothing_more(camera: Camera) -> None:
    camera.now_s += LEASE_S


def time_is_over(camera: Camera) -> None:
    camera.now_s = 220.0


@pytest.mark.parametrize("ends", [stops, hears_nothing_more, time_is_over])
def test_what_was_taken_is_forgotten_when_it_is_over(camera: Camera, ends: Any) -> None:
    camera.looks(template(), 2)
    ends(camera)
    assert camera.looks(template(), keeps=False) is None
    assert camera.templates == []
    camera.until_s = 900.0
    assert camera.looks(template(who=STRANGER)).fit, "nobody is compared with whoever stood here before"
    assert camera.templates == []


def test_another_session_begins_with_nothing(camera: Camera) -> None:
    camera.looks(template(), LOOKS)
    camera.orders("session-2")
    camera.at_door.stop(EnrolStop(session="session-1"))
    camera.now_s += EVERY_S
    camera.at_door.see(PIXELS, Observation(frame=1, taken_s=camera.now_s, frame_px=(640, 480), faces=(), embedder_id="net", engine="",
                                           chain_ms=1.0), camera.now_s)  # fmt: skip
    camera.at_door.take(lambda message: camera.said.append(message) or True)
    assert (camera.said[-1].session, camera.said[-1].poses_done) == ("session-2", ())


def test_networks_that_fail_take_nothing_else_down(camera: Camera) -> None:
    assert camera.looks(RuntimeError("no memory"), MOST_IN_ROW) is None
    assert "no memory" in camera.at_door.fault


def test_a_template_that_the_door_cannot_take_now_waits(camera: Camera) -> None:
    camera.looks(template(), LOOKS - 1)
    camera.at_door.see(PIXELS, Observation(frame=1, taken_s=camera.now_s + EVERY_S, frame_px=(640, 480), faces=(), embedder_id="net",
                                           engine="", chain_ms=1.0), camera.now_s)  # fmt: skip
    heard: list[Any] = []
    camera.at_door.take(lambda message: False)
    camera.at_door.take(lambda message: heard.append(message) or True)
    assert [type(each) for each in heard] == [EnrolTemplate, EnrolSeen]


@given(st.lists(st.tuples(st.sampled_from([*POSES, "too far"]), st.floats(0.6, 1.0), st.booleans()), max_size=40))
def test_whoever_comes_however_they_turn_the_templates_are_of_one_person(looks: list[tuple[str, float, bool]]) -> None:
    camera = Camera()
    for pose, quality, is_owner in looks:
        camera.looks(template(pose, quality, OWNER if is_owner else STRANGER))
    poses = [each.pose for each in camera.templates]
    assert len(poses) == len(set(poses))
    assert all(cosine(each.embedding, camera.templates[0].embedding) > 0.5 for each in camera.templates)
