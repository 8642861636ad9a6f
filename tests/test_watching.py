"""The watcher in its program: floors that do not fit, a camera that was moved, norms over a restart, and nothing that escapes."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from agent.config import Config
from agent.core.conduct import Conduct
from agent.core.messages import FaceSeen, Observation
from agent.sections import Behaviour, Records
from agent.vision.guard import MOST_IN_ROW
from agent.watching import Watching
from demo.view import View

WALL = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
VIEW = View()
EMPTY = np.full((480, 640, 3), 90, np.uint8)


class At:
    """A clock that stands."""

    def mono_s(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return WALL


def config(folder: Path, floor: str = "none.toml") -> Config:
    lens = Behaviour(
        floor=str(folder / floor), across_deg=VIEW.across_deg, above_floor_m=VIEW.above_floor_m, tilt_deg=VIEW.tilt_deg
    )
    return Config(site="here", door="front", records=Records(folder=str(folder)), behaviour=lens)


def seen(at_s: float, away_m: float | None, frame_px: tuple[int, int] = (640, 480)) -> Observation:
    """A face so far away, or nobody."""
    faces: tuple[FaceSeen, ...] = ()
    if away_m is not None:
        x, y = VIEW.project(0.0, 1.6, away_m)
        wide = VIEW.face_px(away_m)
        faces = (FaceSeen(track=1, box_px=(x - wide / 2, y - wide / 2, wide, wide), score=0.9, quality=0.9, first_seen_s=0.0),)
    return Observation(frame=0, taken_s=at_s, frame_px=frame_px, faces=faces, embedder_id="", engine="", chain_ms=0.0)


def walk_up(watching: Watching, from_s: float = 0.0, tamper: tuple[str, ...] = ()) -> Conduct:
    """Somebody walks up at 1.3 m/s; the last conduct."""
    told = [watching.see(seen(from_s + i / 15, 4.0 - 1.3 * i / 15), EMPTY, tamper) for i in range(30)]
    return next(conduct for conduct in reversed(told) if conduct is not None)


def test_a_door_whose_floor_was_never_marked_assumes_its_lens_and_says_so(tmp_path: Path) -> None:
    watching = Watching(config(tmp_path), "cam", At())
    conduct = walk_up(watching)
    assert conduct.floor == "assumed"
    assert watching.fault == ""
    assert conduct.persons[0].speed_m_s == pytest.approx(1.3, abs=0.15)


def test_a_floor_that_cannot_be_read_is_a_fault_and_people_are_seen_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "floor.toml").write_text("zonez = 1\n", "utf-8")
    watching = Watching(config(tmp_path, "floor.toml"), "cam", At())
    conduct = walk_up(watching)
    assert conduct.floor == "assumed"
    assert "zonez" in watching.fault
    assert "floor.toml" in watching.fault


def marked(folder: Path, camera: str = "cam", frame: str = "[640, 480]") -> str:
    corners = [(-1.0, 5.2), (1.0, 5.2), (1.5, 8.0), (-1.5, 8.0)]
    points = "\n".join(
        f"[[points]]\npx = [{x:.2f}, {y:.2f}]\nm = [{x_m}, {z_m}]"
        for x_m, z_m in corners
        for x, y in [VIEW.project(x_m, 0.0, z_m)]
    )
    (folder / "floor.toml").write_text(f'camera = "{camera}"\nframe_px = {frame}\n{points}\n', "utf-8")
    return "floor.toml"


def test_a_marked_floor_gives_metres_that_were_measured(tmp_path: Path) -> None:
    watching = Watching(config(tmp_path, marked(tmp_path)), "cam", At())
    conduct = walk_up(watching)
    assert (conduct.floor, watching.fault) == ("measured", "")
    assert conduct.persons[0].at_m == pytest.approx((0.0, 4.0 - 1.3 * 29 / 15), abs=0.35)


def test_a_floor_that_was_marked_for_another_camera_is_not_used(tmp_path: Path) -> None:
    watching = Watching(config(tmp_path, marked(tmp_path, camera="other")), "cam", At())
    assert walk_up(watching).floor == "assumed"
    assert "marked for the camera other" in watching.fault


def test_a_camera_that_was_moved_ends_all_metres_also_after_a_restart_until_the_floor_is_marked_anew(tmp_path: Path) -> None:
    at_door = config(tmp_path, marked(tmp_path))
    first = Watching(at_door, "cam", At())
    walk_up(first)
    moved = walk_up(first, 10.0, ("moved",))
    after = walk_up(Watching(at_door, "cam", At()))
    assert (moved.floor, after.floor) == ("moved", "moved")
    assert moved.persons[0].at_m is None or moved.persons[0].zone == ""
    assert after.persons[0].at_m is None
    marked(tmp_path, frame="[640, 480]\n# again")
    text = (tmp_path / "floor.toml").read_text("utf-8").replace("[-1.0, 5.2]", "[-1.001, 5.2]")
    (tmp_path / "floor.toml").write_text(text, "utf-8")
    assert walk_up(Watching(at_door, "cam", At())).floor == "measured"


def test_what_was_learned_is_known_after_a_restart(tmp_path: Path) -> None:
    watching = Watching(config(tmp_path), "cam", At())
    for number in range(5):
        walk_up(watching, 10.0 * number)
        watching.see(seen(10.0 * number + 5.0, None), EMPTY, ())
    watching.save()
    again = walk_up(Watching(config(tmp_path), "cam", At()))
    speed = next(each for each in again.persons[0].evidence if each.kind == "speed")
    assert speed.usual is not None
    assert speed.usual.visits >= 4


def test_an_observation_that_nobody_foresaw_costs_its_answer_and_nothing_else(tmp_path: Path) -> None:
    watching = Watching(config(tmp_path), "cam", At())
    walk_up(watching)
    broken = replace(seen(50.0, 2.0), faces=(msgspec.UNSET,))
    for number in range(MOST_IN_ROW - 1):
        assert watching.see(replace(broken, taken_s=50.0 + number), EMPTY, ()) is None
    assert watching.fault.startswith("behaviour: ")
    walk_up(watching, 60.0)
    assert watching.fault == ""


def test_a_bag_that_somebody_left_before_the_door_is_told_with_how_long_it_has_stood_there(tmp_path: Path) -> None:
    high = Behaviour(floor=str(tmp_path / "none.toml"), across_deg=70.0, above_floor_m=2.6, tilt_deg=35.0)
    watching = Watching(replace(config(tmp_path), behaviour=high), "cam", At())
    floor = np.random.default_rng(1).integers(90, 130, (480, 640, 3), np.uint8)
    bag = np.random.default_rng(2).integers(0, 60, (70, 60, 3), np.uint8)
    somebody = FaceSeen(track=1, box_px=(300.0, 120.0, 50.0, 60.0), score=0.9, quality=0.9, first_seen_s=0.0)
    told = None
    for number in range(160):
        at_s, pixels = number / 2, floor.copy()
        if at_s > 20.0:
            pixels[330:400, 300:360] = bag
        faces = (somebody,) if 10.0 <= at_s < 22.0 else ()
        told = watching.see(replace(seen(at_s, None), faces=faces), pixels, ()) or told
    assert told is not None
    (left,) = [each for each in told.scene if each.kind == "object_left"]
    assert 30.0 < left.value < 65.0
    assert watching.fault == ""


def test_nothing_is_looked_for_on_a_floor_that_is_not_in_the_picture(tmp_path: Path) -> None:
    eye_level = replace(config(tmp_path).behaviour, above_floor_m=1.6, tilt_deg=0.0)
    watching = Watching(replace(config(tmp_path), behaviour=eye_level), "cam", At())
    assert walk_up(watching).scene == ()
    assert watching.fault == ""
