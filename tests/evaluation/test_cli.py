"""`doorward eval` on real faces: one JSON line, a figure, and errors that say what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import pytest

from agent import cli

PICTURES = Path(__file__).parent.parent / "pictures"


def run(*words) -> int:
    try:
        return cli.main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two people, three pictures each: as they are, darker and smaller, mirrored; and a wall."""
    folder = tmp_path_factory.mktemp("people")
    for name in ("astronaut", "president"):
        (folder / name).mkdir()
        pixels = cv2.imread(str(PICTURES / f"{name}.jpg"))
        small = cv2.resize(cv2.convertScaleAbs(pixels, alpha=0.7), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        for number, variant in enumerate((pixels, small, cv2.flip(pixels, 1))):
            cv2.imwrite(str(folder / name / f"{number}.png"), variant)
    (folder / "wall.png").write_bytes(cv2.imencode(".png", pixels[:40, :40] * 0 + 128)[1].tobytes())
    return folder


@pytest.fixture
def pairs(tmp_path):
    same = [f"{name}/{a}.png,{name}/{b}.png,1" for name in ("astronaut", "president") for a, b in ((0, 1), (0, 2), (1, 2))]
    different = [f"astronaut/{a}.png,president/{b}.png,0" for a in range(3) for b in range(2)]
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(["path_a,path_b,same", *same, *different]))
    return path


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_two_people_are_told_apart_in_one_line_and_a_figure(root, pairs, tmp_path, capsys, suffix):
    figure = tmp_path / f"det.{suffix}"
    assert run("eval", "verification", "--list", pairs, "--root", root, "--folds", 3, "--plot", figure) == 0
    (line,) = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    assert (report["accuracy"], report["failures_to_acquire"], report["pairs"]) == (1.0, 0, 12)
    assert report["stated"][0]["fnmr"]["errors"] == report["stated"][0]["fmr"]["errors"] == 0
    assert [point["threshold"] for point in report["at_fmr"]] == [None] * 3
    assert report["provenance"]["embedder_id"] == report["provenance"]["models"]["face_embedder"]
    if suffix == "svg":
        texts = [element.text for element in ElementTree.parse(figure).iter() if element.text]
        assert any(text.startswith("0.45") and text.endswith("at 0 of 6") for text in texts)
    else:
        assert cv2.imread(str(figure)).shape == (1280, 1120, 3)


def test_a_second_run_remembers_the_first(root, pairs, tmp_path, capsys):
    words = ("eval", "verification", "--list", pairs, "--root", root, "--folds", 3, "--resume", tmp_path / "seen")
    assert run(*words) == 0
    first = capsys.readouterr().out
    size = (tmp_path / "seen").stat().st_size
    assert run(*words) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "seen").stat().st_size == size


def test_a_wall_is_a_false_non_match_and_a_broken_file_is_left_out(root, pairs, capsys):
    pairs.write_text(pairs.read_text() + "\nwall.png,astronaut/0.png,1\nREADME,astronaut/1.png,1\n")
    assert run("eval", "verification", "--list", pairs, "--root", root, "--folds", 3) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (report["failures_to_acquire"], report["genuine_pairs_missed"], report["stated"][0]["fnmr"]["errors"]) == (1, 1, 1)
    assert (report["unreadable_pictures"], report["unreadable_pairs"]) == (1, 1)
    assert "README: left out, No such file" in err


def test_identification_finds_the_enrolled_and_not_the_stranger(root, tmp_path, capsys):
    path = tmp_path / "search.csv"
    path.write_text(
        "path,person,use\nastronaut/0.png,astronaut,gallery\nastronaut/1.png,astronaut,probe\npresident/0.png,president,probe\n"
    )
    assert run("eval", "identification", "--list", path, "--root", root) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["rank_1_rate"], report["mated_probes"], report["other_probes"]) == (1.0, 1, 1)
    assert (report["at"][0]["fnir"]["errors"], report["at"][0]["fpir"]["errors"]) == (0, 0)


def test_detection_finds_the_faces_and_nothing_on_the_wall(root, tmp_path, capsys):
    path = tmp_path / "boxes.csv"
    # Drawn by hand about brows, chin and cheeks of the two portraits.
    path.write_text("path,x,y,w,h\nastronaut/0.png,76,58,96,96\npresident/0.png,62,66,128,128\nwall.png,,,,\n")
    assert run("eval", "detection", "--list", path, "--root", root) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["faces"], report["recall"], report["precision"]) == (2, 1.0, 1.0)


def test_groups_come_from_a_file_or_from_the_list_and_not_from_both(root, pairs, tmp_path, capsys):
    groups = tmp_path / "groups.csv"
    groups.write_text("path,group\nastronaut/0.png,one\nastronaut/1.png,one\npresident/0.png,other\n")
    words = ("eval", "verification", "--root", root, "--folds", 3, "--groups", groups)
    assert run(*words, "--list", pairs) == 0
    found = json.loads(capsys.readouterr().out)["by_group"][0]
    assert ([each["group"] for each in found["groups"]], found["unlabelled_pictures"]) == (["one", "other"], 3)
    assert [each["fmr"] for each in found["groups"]] == [None, None]  # far too few, and it says so
    assert all(len(each["why_not"]) == 2 for each in found["groups"])

    heading, *lines = pairs.read_text().splitlines()
    pairs.write_text("\n".join([heading + ",group_a,group_b", *(line + ",one,other" for line in lines if line.endswith("0")),
                                 *(line + ",," for line in lines if line.endswith("1"))]))  # fmt: skip
    assert run(*words, "--list", pairs) == 2
    assert "allowed is one of them" in capsys.readouterr().err


def test_points_are_not_written_on_the_strength_of_six_pairs(root, pairs, tmp_path, capsys):
    folder = tmp_path / "models"
    folder.mkdir()
    for file in (Path(cli.__file__).parent.parent / "models_tflite").glob("*.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    before = (folder / "manifest.json").read_bytes()
    words = (
        "eval",
        "verification",
        "--list",
        pairs,
        "--root",
        root,
        "--folds",
        3,
        "--folder",
        folder,
        "--write-operating-points",
    )
    assert run(*words, "--name", "six") == 1
    assert "no operating points" in capsys.readouterr().err
    assert run(*words) == 2
    assert "needs --name" in capsys.readouterr().err
    assert (folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--plot", "det.pdf"), ".svg or .png"),
        (("--plot", "absent/det.svg"), "absent is not there"),
        (("--groups", "absent.csv"), "absent.csv: cannot be read"),
        (("--folds", "1"), "at least 2"),
        (("--threads", "0"), "at least 1"),
        (("--list", "absent.csv"), "absent.csv: cannot be read"),
        (("--root", "absent"), "none of the list's 6 pictures"),
        (("--folder", "absent"), "manifest.json: cannot be read"),
        (("--engine", "gpu"), "invalid choice"),
    ],
)
def test_what_cannot_be_measured_is_said_without_a_traceback(root, pairs, capsys, words, expected):
    code = run("eval", "verification", "--list", pairs, "--root", root, *words)
    out, err = capsys.readouterr()
    assert (code, out) == (1 if "--folder" in words else 2, "")
    assert expected in err
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["moods", ""])
def test_only_what_is_there_is_offered(capsys, kind):
    assert run("eval", kind) == 2
    assert "verification" in capsys.readouterr().err
