"""Each kind of evidence on its whole way: observations -> vision's watcher -> the socket -> the door -> an event -> the words of `explain`.

Nothing stands in for anything but the networks: the watcher has its files and weeks of ordinary visits, the door its loop and its journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.behaviour.norms import Moment, Norms
from agent.config import Config
from agent.core.conduct import Conduct
from agent.core.evidence import KINDS
from agent.core.explain import explain, lines_of
from agent.core.messages import (
    Attention,
    BriefChanges,
    Expression,
    FaceSeen,
    Gaze,
    HeadPose,
    Liveness,
    Observation,
    PersonSeen,
    ReaderStatus,
    VisionHealth,
)
from agent.local_socket import decode_from_vision, encode
from agent.sections import Behaviour, Deployment, Records
from agent.watching import Watching
from demo.usual import usual_norms
from demo.view import View
from hw.interfaces import Pixels
from tests.core.people import MODEL, OWNER, STRANGER
from tests.door_under_test import OWNER_FOB, DoorUnderTest, policy_with

VIEW = View(across_deg=70.0, above_floor_m=2.4, tilt_deg=25.0)
FRAME_PX = (640, 480)
FLOOR = np.random.default_rng(1).integers(90, 130, (480, 640, 3), np.uint8)
BAG = np.random.default_rng(2).integers(0, 60, (70, 60, 3), np.uint8)
NIGHT_FLOOR = """
[[zones]]
name = "bike rack"
kind = "restricted"
corners_m = [[-0.6, 1.5], [0.6, 1.5], [0.6, 2.5], [-0.6, 2.5]]
no_linger_s = 5
"""
EMOTIONAL = [name for name, kind in KINDS.items() if kind.emotional]
ONLY_TOLD = ("with_child",)
"""Weighs nothing, and is known when both have gone in: no event is made of it."""
Way = Callable[[float], tuple[float, float] | None]
"""Where somebody is at a time; None when they are not there."""


def look(yaw_deg: float, blinks: int = 0) -> Attention:
    return Attention(head=HeadPose(yaw_deg=yaw_deg, pitch_deg=0, roll_deg=0, confidence=0.9), away=abs(yaw_deg) > 30, eyes_open=1.0,
                     gaze=Gaze(yaw_deg=yaw_deg, pitch_deg=0, confidence=0.8), blinks=blinks)  # fmt: skip


class Somebody:
    """A body with a face, as the chain tells of both."""

    def __init__(
        self, track: int, way: Way, tall_m: float = 1.75, embedding: bytes = b"",
        shows: Callable[[float], dict[str, Any]] = lambda t_s: {"attention": look(0.0)}, face_only: bool = False,
    ) -> None:  # fmt: skip
        self.track, self.way, self.tall_m, self.embedding, self.shows, self.face_only = (
            track,
            way,
            tall_m,
            embedding,
            shows,
            face_only,
        )

    def seen(self, t_s: float, at_s: float) -> tuple[PersonSeen, FaceSeen] | None:
        place = self.way(t_s)
        if place is None:
            return None
        x, y = VIEW.project(place[0], self.tall_m - 0.12, place[1])
        wide = VIEW.focal_px * 0.15 / VIEW.depth_m(self.tall_m - 0.12, place[1])
        face = FaceSeen(track=self.track, box_px=(x - wide / 2, y - wide / 2, wide, wide), score=0.9, quality=0.9, first_seen_s=0.0,
                        embedding=self.embedding, embedded_s=at_s, pictures=3, **self.shows(t_s))  # fmt: skip
        feet, crown = VIEW.project(place[0], 0.0, place[1]), VIEW.project(place[0], self.tall_m, place[1])
        body = PersonSeen(track=self.track, box_px=(crown[0] - wide, crown[1], 2 * wide, feet[1] - crown[1]), score=0.9, first_seen_s=0.0,
                          seen_s=at_s, face=self.track, feet_px=feet if feet[1] < 480 else None)  # fmt: skip
        return body, face


class Wall:
    """Vision's wall clock."""

    def __init__(self, door: DoorUnderTest) -> None:
        self._door = door

    def mono_s(self) -> float:
        return self._door.clock.now_s

    def wall(self) -> datetime:
        return self._door.clock.wall()


class Site:
    """Both programs of one door, a frame at a time."""

    def __init__(self, folder: Path, *, floor: str = "", **config: Any) -> None:
        (folder / "vision").mkdir(parents=True)
        (folder / "door").mkdir()
        self.door = DoorUnderTest(
            folder / "door", emotional_allowed=bool(config), policy=policy_with(pulse_s=5.0, liveness="deny_attack")
        )
        self.door.press("contact", False)
        self._teach(folder / "vision", bool(config))
        lens = Behaviour(floor=str(folder / "floor.toml"), across_deg=VIEW.across_deg, above_floor_m=VIEW.above_floor_m,
                         tilt_deg=VIEW.tilt_deg, **config)  # fmt: skip
        if floor:
            (folder / "floor.toml").write_text(floor, "utf-8")
        deployment = Deployment(profile="standard", expression=True) if config else Deployment()
        self.watching = Watching(Config(site="hq", door="front", records=Records(folder=str(folder / "vision")), behaviour=lens,
                                        deployment=deployment), "cam", Wall(self.door))  # fmt: skip
        self.began_s = self.door.clock.now_s
        self._heard = 0
        self.told: set[str] = set()
        """Kinds of evidence that vision told of."""

    def _teach(self, folder: Path, emotional: bool) -> None:
        """Weeks of ordinary visits: of one person each, nobody behind them, no read refused."""
        wall = self.door.clock.wall()
        norms = Norms.decode(usual_norms("cam assumed", wall).encode(), emotional=emotional)
        more = {"crowding": 1.0, "following": 5.0, "denied_reads": 0.0, **dict.fromkeys(EMOTIONAL, 0.1)}
        for number in range(400):
            norms.learn(more, Moment(wall), f"more {number}")
        (folder / "norms").mkdir()
        (folder / "norms" / "door.norms").write_bytes(norms.encode())

    @property
    def t_s(self) -> float:
        return self.door.clock.now_s - self.began_s

    def frame(self, people: list[Somebody], pixels: Pixels = FLOOR, signs: tuple[str, ...] = ()) -> Conduct | None:
        now_s = self.door.clock.now_s
        seen = [pair for who in people if (pair := who.seen(self.t_s, now_s)) is not None]
        bodies = tuple(body for (body, _), who in zip(seen, people, strict=False) if not who.face_only)
        told = Observation(frame=0, taken_s=now_s, frame_px=FRAME_PX, faces=tuple(face for _, face in seen), persons=bodies,
                           embedder_id=MODEL, engine="", chain_ms=9.0)  # fmt: skip
        self.door.see(told)
        conduct = self.watching.see(told, pixels, signs)
        if conduct is not None:
            self.door.see(as_read(conduct))
            self.told |= {
                each.kind for each in (*conduct.scene, *(each for person in conduct.persons for each in person.evidence))
            }
        for news in self.door.news[self._heard :]:
            self.watching.news(news)
        self._heard = len(self.door.news)
        return conduct

    def read_at_the_end(self) -> None:
        """Whoever is there now holds out the fob: a decision has its risk."""
        people, more = self._last
        self.run(people, self.t_s + 2.5, (self.t_s, lambda: self.door.read(OWNER_FOB)), **more)

    def run(self, people: list[Somebody], until_s: float, *cues: tuple[float, Callable[[], None]], **more: Any) -> None:
        """`cues`: what happens at the door, and when."""
        self._last = (people, more)
        waiting = sorted(cues, key=lambda cue: cue[0])
        while self.t_s < until_s:
            while waiting and waiting[0][0] <= self.t_s:
                waiting.pop(0)[1]()
            self.frame(people, **more)
            self.door.after(1 / 15)
        assert self.watching.fault == ""


def as_read(conduct: Conduct) -> Conduct:
    """As the door reads it."""
    message = decode_from_vision(encode(conduct))
    assert isinstance(message, Conduct)
    return message


def told_of(site: Site) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each item of each event's risk, with its event."""
    for kind, data in site.door.events:
        for item in data.get("risk", {}).get("items", []) if isinstance(data.get("risk"), dict) else []:
            yield kind, data, item


# -- ways ------------------------------------------------------------------------------------------------------------------------


def walks(from_s: float = 0.0, *, x_m: float = 0.0, to_m: float = 1.0, from_m: float = 5.0, speed_m_s: float = 1.3,
          until_s: float = 1e9) -> Way:  # fmt: skip
    def way(t_s: float) -> tuple[float, float] | None:
        if not from_s <= t_s < until_s:
            return None
        y_m = from_m - speed_m_s * (t_s - from_s)
        return None if to_m < 0 and y_m < 0.35 else (x_m, max(to_m, y_m))

    return way


def to_and_fro(half_s: float, far_m: float, near_m: float = 1.2, pause_s: float = 0.0) -> Way:
    def way(t_s: float) -> tuple[float, float] | None:
        phase = t_s % (2 * half_s)
        share = phase / half_s if phase < half_s else 2 - phase / half_s
        return 0.0, far_m - share * (far_m - near_m)

    return way


def zigzag(t_s: float) -> tuple[float, float] | None:
    phase = (t_s % 1.6) / 0.8
    return 1.2 * (phase if phase < 1 else 2 - phase) - 0.6, max(1.2, 5.0 - 0.3 * t_s)


def opens(site: Site) -> Callable[[], None]:
    return lambda: site.door.press("contact", True)


def closes(site: Site) -> Callable[[], None]:
    return lambda: site.door.press("contact", False)


def reads(site: Site) -> Callable[[], None]:
    return lambda: site.door.read(OWNER_FOB)


# -- what people do --------------------------------------------------------------------------------------------------------------


def glances(site: Site) -> None:
    site.run([Somebody(1, walks(), shows=lambda t_s: {"attention": look(50.0 if t_s > 5 and t_s % 3 < 1.2 else 0.0)})], 26.0)


def looks_away(site: Site) -> None:
    site.run([Somebody(1, walks(), shows=lambda t_s: {"attention": look(50.0 if t_s > 3 else 0.0)})], 40.0)


def lingers(site: Site) -> None:
    site.run([Somebody(1, walks())], 150.0)


def lingers_where_nobody_may(site: Site) -> None:
    site.run([Somebody(1, walks(to_m=2.0))], 15.0)


def runs(site: Site) -> None:
    site.run([Somebody(1, to_and_fro(1.4, 6.5, 1.5))], 8.0)


def jumps_about(site: Site) -> None:
    site.run([Somebody(1, to_and_fro(0.9, 3.4, 1.3))], 8.0)


def paces(site: Site) -> None:
    site.run([Somebody(1, to_and_fro(3.0, 4.5, 1.2))], 60.0)


def turns_sharply(site: Site) -> None:
    site.run([Somebody(1, zigzag)], 14.0)


def comes_again(site: Site) -> None:
    def way(t_s: float) -> tuple[float, float] | None:
        return walks(15.0 * (t_s // 15.0))(t_s) if t_s % 15.0 < 6.0 else None

    site.run([Somebody(1, way, embedding=STRANGER)], 80.0)


def follows(site: Site) -> None:
    ahead = Somebody(1, walks(x_m=-0.3, speed_m_s=0.9), embedding=STRANGER)
    site.run([ahead, Somebody(2, walks(1.7, x_m=0.1, speed_m_s=1.3), embedding=OWNER)], 8.0)


def is_refused_again_and_again(site: Site) -> None:
    site.run([Somebody(1, walks(), embedding=STRANGER)], 34.0, *((5.0 + 5 * i, reads(site)) for i in range(5)))


def slips_in(site: Site) -> None:
    """The owner reads and goes in; somebody comes behind."""

    def owner(t_s: float) -> tuple[float, float] | None:
        return walks()(t_s) if t_s < 6.0 else walks(6.0, from_m=1.0, to_m=-1.0)(t_s)

    people = [Somebody(1, owner, embedding=OWNER), Somebody(2, walks(4.9, x_m=0.1, to_m=-1.0, from_m=4.5), embedding=STRANGER)]
    site.run(people, 16.0, (5.0, reads(site)), (5.8, opens(site)), (11.0, closes(site)))


def brings_a_child(site: Site) -> None:
    def owner(t_s: float) -> tuple[float, float] | None:
        return walks()(t_s) if t_s < 6.0 else walks(6.0, from_m=1.0, to_m=-1.0)(t_s)

    def child(t_s: float) -> tuple[float, float] | None:
        return walks(0.3, x_m=0.5, to_m=1.3)(t_s) if t_s < 6.4 else walks(6.4, x_m=0.4, from_m=1.3, to_m=-1.0)(t_s)

    site.run([Somebody(1, owner, embedding=OWNER), Somebody(2, child, tall_m=1.05)], 14.0,
             (5.0, reads(site)), (5.8, opens(site)), (11.0, closes(site)))  # fmt: skip


def crowds(site: Site) -> None:
    site.run([Somebody(i, walks(0.4 * i, x_m=0.45 * (i - 3), to_m=1.6 + 0.1 * (i % 2))) for i in range(1, 7)], 12.0)


def is_held(site: Site) -> None:
    def way(x_m: float, late_s: float) -> Way:
        def at(t_s: float) -> tuple[float, float]:
            if t_s < 4.0:
                return x_m, max(1.0, 5.0 - 1.3 * t_s)
            phase = (t_s - late_s) % 3.0
            out = 0.75 * phase if phase < 0.6 else 0.45 if phase < 1.0 else max(0.0, 0.45 - 0.75 * (phase - 1.0))
            return x_m, 1.0 + out

        return at

    site.run([Somebody(1, way(-0.2, 0.0)), Somebody(2, way(0.25, 0.15))], 30.0)


def leaves_a_bag(site: Site) -> None:
    picture = FLOOR.copy()
    picture[330:400, 300:360] = BAG
    site.run([], 15.0)
    site.run([Somebody(1, lambda t_s: (0.0, 2.2))], 20.0)
    site.run([], 50.0, pixels=picture)


def carries_a_bag_off(site: Site) -> None:
    picture = FLOOR.copy()
    picture[330:400, 300:360] = BAG
    site.run([], 15.0, pixels=picture)
    site.run([Somebody(1, lambda t_s: (0.0, 2.2))], 20.0, pixels=picture)
    site.run([], 50.0)


def covers_the_camera(site: Site) -> None:
    site.run([Somebody(1, walks())], 5.0)
    health = VisionHealth(at_s=site.door.clock.now_s, ok=False, camera="", engine="", frames_per_s=15.0, tamper=("covered",))
    site.door.see(health)
    site.run([], 7.0, signs=("covered",))


def opens_the_reader(site: Site) -> None:
    site.door.send(ReaderStatus(reader="front", online=True, tamper=True, secure=True, detail="", at_s=site.door.clock.now_s))
    site.run([], 2.0)


def holds_up_a_picture(site: Site) -> None:
    flat = Liveness(verdict="attack", score=0.03, reason="flat_picture", watched_s=1.0)
    shows = lambda t_s: {"attention": look(0.0), "liveness": flat}  # noqa: E731
    site.run([Somebody(1, walks(), embedding=OWNER, shows=shows)], 9.0, (5.0, reads(site)))


def grim(which: int) -> Expression:
    return Expression(probabilities=tuple(0.94 if i == which else 0.01 for i in range(7)), confidence=0.95)


def is_tense(site: Site) -> None:
    shows = lambda t_s: {"attention": look(0.0, int(t_s * 1.5)), "expression": grim(3)}  # noqa: E731
    site.run([Somebody(1, walks(), shows=shows)], 20.0)


def storms_up(site: Site) -> None:
    shows = lambda t_s: {"attention": look(0.0), "expression": grim(3)}  # noqa: E731
    site.run([Somebody(1, to_and_fro(1.4, 6.5, 1.5), shows=shows)], 9.0)


def flees(site: Site) -> None:
    shows = lambda t_s: {"attention": look(0.0), "expression": grim(4)}  # noqa: E731
    site.run([Somebody(1, to_and_fro(1.4, 6.5, 1.5), shows=shows)], 9.0)


def twitches(site: Site) -> None:
    brief = BriefChanges(count=12, low=7.0, high=19.0, over_s=28.0, frames_per_s=15.0, shortest_s=0.13)
    shows = lambda t_s: {"attention": look(0.0), "brief_changes": brief}  # noqa: E731
    site.run([Somebody(1, walks(), shows=shows)], 8.0)


WAYS: dict[str, Callable[[Site], None]] = {
    "glances": glances, "away_share": looks_away, "dwell": lingers, "no_linger": lingers_where_nobody_may, "running": runs, "speed": runs,
    "abruptness": jumps_about, "inconsistency": turns_sharply, "turned_back": paces, "pacing": paces, "came_again": comes_again,
    "following": follows, "denied_reads": is_refused_again_and_again, "tailgating": slips_in, "with_child": brings_a_child,
    "crowding": crowds, "blocked": is_held, "object_left": leaves_a_bag, "object_taken": carries_a_bag_off,
    "camera_tamper": covers_the_camera, "reader_tamper": opens_the_reader, "face_mismatch": is_refused_again_and_again,
    "presentation_attack": holds_up_a_picture, "stress_signs": is_tense, "aggression_signs": storms_up, "panic_signs": flees,
    "micro_expressions": twitches,
}  # fmt: skip
MORE: dict[str, dict[str, Any]] = {
    "no_linger": {"floor": NIGHT_FLOOR},
    **{name: {"stress_signs": True, "micro_expressions": True} for name in EMOTIONAL},
}


def test_there_is_a_way_for_each_kind() -> None:
    assert set(WAYS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_comes_from_the_camera_into_an_event_and_its_explanation(kind: str, tmp_path: Path) -> None:
    site = Site(tmp_path, **MORE.get(kind, {}))
    try:
        WAYS[kind](site)
        site.read_at_the_end()
        if kind in ONLY_TOLD:
            assert kind in site.told
            return
        found = [(name, data, item) for name, data, item in told_of(site) if item["kind"] == kind]
        assert found, sorted({item["kind"] for _, _, item in told_of(site)})
        name, data, item = found[0]
        words = list(lines_of(explain("0", name, "", "hq/front", data)))
        assert any(item["sentence"] in line for line in words)
    finally:
        site.door.close()
