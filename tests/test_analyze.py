"""`doorward analyze`: a real film through the real chain; JSON lines for programs, words for people, a status that tells of broken films."""

from __future__ import annotations

import base64
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent import cli
from agent.analysis.film import Film
from demo.scene import Scene
from demo.walks import walk_up
from tests.analysis.films import numbered, write_film
from tests.vision.people import portrait

pytestmark = pytest.mark.slow

FILM_S = 2


@pytest.fixture(scope="module")
def owner(tmp_path_factory) -> Path:
    """The demo's owner comes near: 30 frames in two seconds."""
    scene = Scene(640, 480, 7, [walk_up(portrait("owner"), starts_s=0.0, from_m=2.5, to_m=1.0, leaves="stays")])
    return write_film(tmp_path_factory.mktemp("film") / "owner.mp4", (scene.frame(n / 15) for n in range(15 * FILM_S)), 15)


@pytest.fixture
def still(tmp_path) -> Path:
    return write_film(tmp_path / "still.mp4", numbered(5), 15)


def run(*words: object) -> int:
    try:
        return cli.main(["analyze", "--engine", "litert", *map(str, words)])
    except SystemExit as stop:
        return int(stop.code or 0)


def lines_of(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_frame_is_a_line_and_the_film_a_summary(owner, capsys):
    assert run(owner, "--json") == 0
    [*seen, summary] = lines_of(capsys)
    assert {each["type"] for each in seen} == {"observation"}
    assert {each["film"] for each in seen} == {str(owner)}
    assert [each["frame"] for each in seen] == list(range(1, 31))
    assert [each["taken_s"] for each in seen] == pytest.approx([n / 15 for n in range(30)], abs=1e-3)
    assert summary["type"] == "summary"
    assert (summary["frames"], summary["seconds"], summary["complete"]) == (30, FILM_S, True)
    [face] = summary["faces"]
    assert face["embedded_s"] < 0.5
    assert face["frames"] >= 25
    assert summary["real_time_factor"] > 0
    assert {"detect", "embed"} <= set(summary["stages_ms"])


def test_a_face_can_be_recognised_from_the_lines_only_when_that_was_asked_for(owner, capsys):
    run(owner, "--json")
    assert "embedding" not in lines_of(capsys)[-2]["faces"][0]
    run(owner, "--json", "--embeddings")
    face = lines_of(capsys)[-2]["faces"][0]
    assert np.linalg.norm(np.frombuffer(base64.b64decode(face["embedding"]), "<f4")) == pytest.approx(1, abs=1e-3)
    assert face["embedded"]


def test_two_looks_at_one_film_see_the_same(owner, capsys):
    looks = []
    for _ in range(2):
        run(owner, "--json", "--embeddings")
        [*seen, _] = lines_of(capsys)
        looks.append([{key: value for key, value in each.items() if key != "chain_ms"} for each in seen])
    assert looks[0] == looks[1]


def test_words_are_for_people(owner, capsys):
    assert run(owner) == 0
    out = capsys.readouterr().out
    assert "owner.mp4: 2.0 s, 30 frames of 640 x 480 px, 1 faces" in out
    assert "times real time" in out


def test_the_annotated_film_has_every_frame(owner, tmp_path, capsys):
    assert run(owner, "--out", tmp_path / "seen.mp4") == 0
    with Film(owner, 60) as film, Film(tmp_path / "seen.mp4", 60) as seen:
        pairs = [
            (np.abs(a.pixels.astype(int) - b.pixels).mean(), a.taken_s - b.taken_s)
            for a, b in zip(film.frames(), seen.frames(), strict=True)
        ]
    assert len(pairs) == 30
    assert all(difference > 0.5 for difference, _ in pairs), "something is drawn on each"
    assert all(abs(apart_s) < 1e-3 for _, apart_s in pairs)
    assert list(tmp_path.iterdir()) == [tmp_path / "seen.mp4"]


def test_films_of_one_name_do_not_write_over_each_others_pictures(tmp_path, capsys):
    films = [write_film(tmp_path / name, numbered(2)) for name in ("a.mp4", "a.avi")]
    assert run(*films, "--out", tmp_path / "pictures") == 0
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["a-000001.jpg", "a-000002.jpg", "a~2-000001.jpg", "a~2-000002.jpg"]


def test_a_broken_film_does_not_stop_the_others_and_the_status_tells_of_it(still, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film at all")
    assert run(broken, tmp_path / "absent.mp4", still, "--json") == 1
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == ["error", "error", *["observation"] * 5, "summary"]
    assert lines[0]["film"] == str(broken)
    assert "broken.mp4: cannot be read as a film" in err
    assert "Traceback" not in err


def test_a_film_that_ends_early_is_summed_up_and_the_status_tells_of_it(tmp_path, capsys):
    noisy = [np.random.default_rng(n).integers(0, 255, (64, 96, 3), np.uint8) for n in range(40)]
    film = write_film(tmp_path / "cut.avi", noisy, codec="MJPG")
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    assert run(film, "--json") == 1
    [*_, summary, error] = lines_of(capsys)
    assert (summary["type"], summary["complete"], error["type"]) == ("summary", False, "error")
    assert "cut off" in error["error"]


def test_a_film_that_is_broken_off_leaves_no_half_film(owner, tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.analysis.films.Teller._hear", interrupted)
    assert run(owner, "--out", tmp_path / "seen.mp4") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "a.gif"), "a film's name ends in"),
        (("--embeddings",), "add --json"),
        (("--plot", "a.gif"), "written as .svg or .png"),
        (("--plot", "a.png", "--no-behaviour"), "nothing to draw"),
        (("--floor", "absent.toml"), "doorward floor mark"),
        (("--across-deg", "200"), "no number from 20 to 140"),
        (("--tilt-deg", "-20"), "no number from -10 to 80"),
        (("--began", "tomorrow"), "is no date with a time"),
        (("--frames-per-s", "0"), "no number from 0.1"),
        (("--frames-per-s", "many"), "no number from 0.1"),
        (("--threads", "0"), "no whole number"),
        (("--config", "absent.toml"), "absent.toml"),
        (("--config", "a.toml", "--profile", "standard"), "not allowed with"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_looked_at(still, capsys, words, said):
    assert run(still, *words) == 2
    assert said in capsys.readouterr().err


def test_several_films_do_not_go_into_one_and_no_film_into_itself(still, owner, capsys):
    assert run(still, owner, "--out", "seen.mp4") == 2
    assert run(still, "--out", still) == 2
    assert "the film itself" in capsys.readouterr().err


def test_what_people_do_is_told_of_each_frame_and_of_each_visit(owner, capsys):
    assert run(owner, "--json", "--across-deg", 40, "--above-floor-m", 1.6, "--tilt-deg", 3) == 0
    [*seen, summary] = lines_of(capsys)
    told = [each["conduct"] for each in seen if each["conduct"] is not None]
    assert 8 <= len(told) <= 12, "five times a second"
    last = told[-1]["persons"][0]
    assert last["at_m"][1] == pytest.approx(1.0, abs=0.35)
    assert all({"sentence", "unit"} <= set(item) for item in last["evidence"])
    [visit] = summary["behaviour"]["people"]
    assert 0.6 < visit["speed_median_m_s"] < 1.8, "people walk so fast"
    assert summary["behaviour"]["floor"] == "assumed"
    assert summary["stages_ms"]["behaviour"]["frames"] == 30


def test_nothing_emotional_is_told_in_workplace_eu_and_expressions_are_in_standard(owner, capsys):
    run(owner, "--json")
    text = capsys.readouterr().out
    assert not any(word in text for word in ("stress", "aggression", "panic", "micro_expression"))
    assert "neutral" not in text
    run(owner, "--json", "--profile", "standard")
    assert lines_of(capsys)[-1]["profile"] == "standard"


def test_the_figure_is_drawn_and_nothing_is_measured_where_that_is_not_wanted(owner, tmp_path, capsys):
    assert run(owner, "--json", "--plot", tmp_path / "owner.svg") == 0
    assert "owner.mp4" in (tmp_path / "owner.svg").read_text()
    assert run(owner, "--json", "--no-behaviour") == 0
    [*seen, summary] = lines_of(capsys)[31:]
    assert summary["behaviour"] is None
    assert all(each["conduct"] is None for each in seen)


def test_a_film_without_a_frame_has_no_figure(tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film at all")
    assert run(broken, "--plot", tmp_path / "broken.png") == 1
    assert list(tmp_path.iterdir()) == [broken]


def test_a_floor_for_pictures_of_another_shape_is_an_error_of_that_film(owner, tmp_path, capsys):
    floor = tmp_path / "floor.toml"
    points = (
        "[200, 460], m = [-0.5, 1.5]",
        "[440, 460], m = [0.5, 1.5]",
        "[260, 300], m = [-0.5, 3.5]",
        "[380, 300], m = [0.5, 3.5]",
    )
    floor.write_text(f"frame_px = [640, 470]\npoints = [{', '.join(f'{{px = {point}}}' for point in points)}]\n")
    assert run(owner, "--json", "--floor", floor) == 1
    [error] = lines_of(capsys)
    assert "marked on pictures of 640 x 470 px, and this film's are 640 x 480" in error["error"]


def test_a_doors_own_configuration_sets_rate_and_profile(owner, tmp_path, capsys):
    config = tmp_path / "door.toml"
    config.write_text('site = "hq"\ndoor = "front"\n[vision]\nframes_per_s = 5.0\n[deployment]\nprofile = "standard"\n')
    assert run(owner, "--json", "--config", config) == 0
    summary = lines_of(capsys)[-1]
    assert (summary["frames"], summary["profile"]) == (10, "standard")


def test_a_camera_that_is_not_there_is_an_error_like_a_broken_film(still, capsys):
    assert run("/dev/video99", still, "--json") == 1
    lines = lines_of(capsys)
    assert (lines[0]["type"], lines[0]["film"]) == ("error", "/dev/video99")
    assert lines[-1]["type"] == "summary"


def test_a_camera_is_looked_at_for_as_long_as_was_asked(owner, capsys, monkeypatch):
    """The film of the owner at its own pace stands for a camera: the driver is the one that reads USB cameras."""
    monkeypatch.setattr("agent.analysis.films.names_camera", lambda source: True)
    assert run(f"file:{owner}", "--seconds", "1", "--json") == 0
    [*seen, summary] = lines_of(capsys)
    assert 0.5 < seen[-1]["taken_s"] < 1.0
    assert summary["faces"]


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_leaves_a_clean_line(owner):
    """The bar goes to standard error, so that what is piped on stays clean."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "agent.cli", "analyze", str(owner), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        assert process.stdout is not None
        out = process.stdout.read()
        said = io.BytesIO()
        try:
            while chunk := os.read(ours, 4096):
                said.write(chunk)
        except OSError:  # Linux says EIO when the other end is closed
            pass
        assert process.wait(30) == 0
    os.close(ours)
    assert len(out.splitlines()) == 31
    assert b"30/30 frames of owner.mp4" in said.getvalue()
    assert said.getvalue().endswith(b"\x1b[K")
