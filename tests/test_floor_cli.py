"""`doorward floor` from an installer's hands: sheets on the floor, points typed, mistakes named, pictures drawn."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent import cli
from agent.behaviour.floor import TABLES, parse_floor, read_floor
from agent.floor_board import Layout, find_sheets, sheets_pdf
from agent.floor_file import view_name, written
from demo.corridor import draw_corridor
from tests.behaviour.floors import HIGH, NEAR_PLACES, seen
from tools.floor_figure import DOCUMENT, photographed

LAYOUT = Layout()
ZONES = """
[[zones]]
name = "meter cupboard"
kind = "restricted"
corners_m = [[0.9, 2.4], [1.5, 2.4], [1.5, 4.0]]
no_linger_s = 20
no_linger_hours = ["mon-fri 18:00-07:00"]

[[zones]]
name = "approach"
kind = "approach"
corners_px = [[200, 300], [440, 300], [480, 470], [160, 470]]

[[lines]]
name = "gate"
ends_m = [[-1, 2], [1, 2]]
inside_m = [0, 0]

[map]
plan = "ground \\"floor\\""
origin = [12.4, 3.1]
bearing_deg = 90
"""


def run(*words: object) -> int:
    try:
        return cli.main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    cv2.imwrite(str(path), photographed(HIGH, LAYOUT))
    return path


@pytest.fixture
def floor(tmp_path) -> Path:
    return tmp_path / "floor.toml"


def points() -> list[object]:
    words: list[object] = []
    for place in NEAR_PLACES:
        px = seen(HIGH, place)
        words += ["--point", f"{px[0]:.0f},{px[1]:.0f}={place[0]},{place[1]}"]
    return words


def marked(floor: Path, *more: object) -> int:
    return run("floor", "mark", *points(), "--frame-px", 640, 480, "--out", floor, *more)


def test_sheets_on_the_floor_mark_it_to_a_centimetre(photo, floor, capsys):
    assert run("floor", "mark", "--board", "--picture", photo, "--out", floor, "--json") == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert "sheets found: 1, 2, 3, 4 of 4" in err
    assert (told["kind"], told["points"], told["wrote"]) == ("measured", 16, str(floor))
    assert told["residual_cm"] < 1.5
    assert told["height_m"] == pytest.approx(HIGH.above_floor_m, abs=0.06)
    ground = parse_floor(floor.read_text(), "floor").ground
    for at_m in ((0.0, 2.5), (0.8, 4.0), (-0.5, 5.0)):
        found = ground.foot(seen(HIGH, at_m))
        assert (found.x_m, found.y_m) == pytest.approx(at_m, abs=0.06)


def test_each_printed_sheet_is_found_as_the_one_that_it_says_it_is():
    """The cells that the PDF draws, laid out as its coordinates say."""
    pages = sheets_pdf("a4", LAYOUT).split(b"stream\n")[1::2]
    assert len(pages) == 4
    for number, page in enumerate(pages, start=1):
        paper = np.full((842, 596, 3), 255, np.uint8)
        for x, y, wide, high in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re f", page):
            left, bottom = round(float(x)), 842 - round(float(y))
            paper[bottom - round(float(high)) : bottom, left : left + round(float(wide))] = 0
        ((found, corners),) = find_sheets(paper).items()
        assert found == number
        assert (corners[1][0] - corners[0][0]) / 72 * 25.4 == pytest.approx(160, abs=1)
        assert corners[0][1] < corners[3][1], "upright for who stands at the door"


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_the_sheets_are_a_pdf_whose_table_points_at_its_objects(tmp_path, paper):
    out = tmp_path / "sheets.pdf"
    assert run("floor", "board", out, "--paper", paper, "--rectangle", 1.5, 2, 4) == 0
    raw = out.read_bytes()
    start = int(raw.split(b"startxref\n")[1].split()[0])
    assert raw[start : start + 4] == b"xref"
    places = [int(line.split()[0]) for line in raw[start:].splitlines()[3:] if line.endswith(b"n ")]
    assert len(places) == 11
    assert all(raw[place:].startswith(b"%d 0 obj" % number) for number, place in enumerate(places, start=1))
    assert b"doorward floor mark --board --rectangle 1.5 2 4" in raw


def test_points_are_typed_or_read_from_a_file(tmp_path, floor, capsys):
    assert marked(floor) == 0
    typed = read_floor(floor.read_text(), "floor").points
    lines = tmp_path / "points.txt"
    lines.write_text("# px, m\n" + "\n".join(f"{p.px[0]}, {p.px[1]}   {p.m[0]} {p.m[1]}  # tile" for p in typed))
    assert run("floor", "mark", "--points", lines, "--frame-px", 640, 480, "--out", "-") == 0
    out, err = capsys.readouterr()
    assert read_floor(out, "out").points == typed
    assert "is the camera 2.4" in err


def test_marking_anew_keeps_zones_lines_and_map_and_the_file_that_was(floor):
    assert marked(floor) == 0
    first = floor.read_text() + ZONES
    floor.write_text(first)
    assert marked(floor) == 0
    before, after = read_floor(first, "first"), read_floor(floor.read_text(), "now")
    assert (after.zones, after.lines, after.map) == (before.zones, before.lines, before.map)
    assert floor.with_name("floor.toml.old").read_text() == first
    assert floor.stat().st_mode & 0o777 == 0o644


def test_what_is_written_reads_as_it_was(floor):
    marked(floor)
    file = read_floor(floor.read_text() + ZONES, "one")
    assert read_floor(written(file), "two") == file


def test_a_floor_is_drawn_over_the_picture_and_from_above(photo, floor, tmp_path, capsys):
    marked(floor)
    floor.write_text(floor.read_text() + ZONES)
    out = tmp_path / "floor.png"
    assert run("floor", "show", out, "--floor", floor, "--picture", photo, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["zones"] == ["meter cupboard", "approach", "public"]
    drawn = cv2.imread(str(out))
    assert drawn.shape[0] > 720
    assert drawn.shape[1] > 960
    cupboard = tuple(round(1.5 * value) for value in seen(HIGH, (1.35, 2.7)))
    plain = cv2.resize(cv2.imread(str(photo)), (960, 720), interpolation=cv2.INTER_CUBIC)
    before, after = plain[cupboard[1], cupboard[0]].astype(int), drawn[cupboard[1], cupboard[0]].astype(int)
    assert after[2] - after[0] > before[2] - before[0] + 20, "red where it is restricted"


def test_without_a_marked_floor_the_assumed_one_is_drawn_and_said_to_be(photo, tmp_path, capsys):
    assert run("floor", "show", tmp_path / "a.png", "--picture", photo, "--floor", tmp_path / "none.toml") == 0
    assert "assumed: lens 70 degrees" in capsys.readouterr().err


def test_a_sound_floor_is_called_fine_and_a_doubtful_one_is_not(floor, capsys):
    marked(floor)
    floor.write_text(floor.read_text() + ZONES)
    assert run("floor", "check", "--floor", floor) == 0
    assert f"{floor}: fine" in capsys.readouterr().err
    floor.write_text(
        floor.read_text() + '[[zones]]\nname = "behind"\nkind = "restricted"\ncorners_m = [[0, -9], [1, -9], [1, -8]]\n'
    )
    assert run("floor", "check", "--floor", floor, "--json") == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert any("'behind': the camera sees neither" in finding for finding in findings)
    assert any("'behind' is restricted and has no no_linger_s" in finding for finding in findings)


def test_a_floor_of_another_camera_or_shape_is_a_finding(floor, tmp_path, capsys):
    marked(floor)
    floor.write_text('camera = "picamera2 0"\n' + floor.read_text())
    config = tmp_path / "door.toml"
    config.write_text('site = "hq"\ndoor = "front"\n[vision]\nwidth_px = 1280\nheight_px = 720\n')
    assert run("floor", "check", "--floor", floor, "--config", config, "--json") == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert any("was marked for the camera picamera2 0" in finding for finding in findings)
    assert any("another shape" in finding for finding in findings)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give points (--point four times, or --points FILE) or --board"),
        (("--point", "1,2=3"), "two pixels and two metres, like 212,401=-0.5,2.0"),
        (("--point", "1,2=300,200"), "are these centimetres?"),
        (("--point", "1,2=3,4"), "1 point: 4 at least are needed"),
        (("--points", "/nonexistent"), "/nonexistent: cannot be read"),
        (("--board", "--picture", "/nonexistent"), "no picture can be read there"),
        (("--board", "--rectangle", "1", "3", "2", "--picture", "PHOTO"), "the near sheets 0.2 m or more"),
        (("--board", "--sheet", "9=1,1", "--picture", "PHOTO"), "N=X,Y with N from 1 to 4"),
    ],
)
def test_mistakes_are_named_with_their_mend(words, said, floor, photo, capsys):
    words = tuple(photo if word == "PHOTO" else word for word in words)
    assert run("floor", "mark", "--out", floor, "--frame-px", 640, 480, *words) == 2
    assert said in capsys.readouterr().err
    assert not floor.exists()


def test_a_sheet_that_lies_elsewhere_than_it_was_said_to_is_named(photo, floor, capsys):
    assert run("floor", "mark", "--board", "--picture", photo, "--out", floor, "--sheet", "3=1.3,3.6") == 2
    assert "without the sheet at 1.30 m, 3.60 m: does it lie there?" in capsys.readouterr().err
    assert run("floor", "mark", "--board", "--picture", photo, "--out", floor, "--sheet", "3=0.6,3.6") == 0


def test_a_picture_without_sheets_says_how_to_lay_them(tmp_path, floor, capsys):
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), draw_corridor(HIGH, 3))
    assert run("floor", "mark", "--board", "--picture", empty, "--out", floor) == 2
    assert "they must lie flat" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert marked(tmp_path / "floor.toml") == 2
    assert "run as root, or name another file with --out" in capsys.readouterr().err


def test_a_check_of_no_floor_says_how_to_get_one(tmp_path, capsys):
    assert run("floor", "check", "--floor", tmp_path / "none.toml") == 2
    assert "`doorward floor mark` writes it" in capsys.readouterr().err


def test_the_cameras_view_is_learned_anew_with_each_marking_and_with_nothing_else(floor):
    assert view_name("csi:0", floor) == "csi:0", "no floor was marked"
    marked(floor)
    name = view_name("csi:0", floor)
    floor.write_text(floor.read_text() + ZONES)
    assert view_name("csi:0", floor) == name
    floor.write_text(floor.read_text().replace("px = [", "px = [1", 1))
    assert view_name("csi:0", floor) not in (name, "csi:0")
    floor.write_text("no floor at all")
    assert view_name("csi:0", floor) == "csi:0"


# -- docs/FLOOR.md -------------------------------------------------------------------------------------------------------------------


def test_the_guides_example_is_a_floor_and_names_every_key():
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S)
    plan = parse_floor(example, "the guide")
    assert [zone.kind for zone in plan.zones] == ["restricted", "threshold", "approach", "public"]
    for table in TABLES.values():
        missing = [key for key in table.__struct_fields__ if key not in example]
        assert not missing


def test_every_option_that_the_guide_names_is_one():
    text = DOCUMENT.read_text("utf-8")
    known = {word for what in ("board", "mark", "show", "check") for word in helped(what)}
    assert set(re.findall(r"--[a-z][a-z-]*", text)) <= known


def helped(what: str) -> set[str]:
    words = subprocess.run(
        [sys.executable, "-m", "agent.cli", "floor", what, "--help"], check=True, capture_output=True, text=True
    )
    return set(re.findall(r"--[a-z][a-z-]*", words.stdout))
