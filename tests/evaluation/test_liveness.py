"""`doorward eval liveness`: lists, sequences, and errors counted by hand."""

from __future__ import annotations

import functools
import json
from math import pi, sin
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from agent import cli
from agent.core.messages import FaceSeen, Liveness, Observation
from agent.evaluation.lists import Attempted, ListError, read_sequences
from agent.evaluation.liveness import Outcome, Watched, Watcher, evaluate
from agent.evaluation.pictures import Unreadable
from agent.evaluation.sequences import files_of, frames_of, name_of
from tests.evaluation.looks import PROVENANCE
from tests.vision.heads import head_at
from tests.vision.liveness.test_planarity import print_at

pytestmark = pytest.mark.slow

HEADING = "pattern,label,subject,session,kind"


def listed(tmp_path, *lines, heading=HEADING):
    path = tmp_path / "list.csv"
    path.write_text("\n".join([heading, *lines]))
    return path


def attempt(label, *verdicts, kind="", subject="s", score=0.5):
    row = Attempted("p", label, subject, "1", kind or label)
    return row, Watched(tuple(Outcome(verdict=verdict, score=score, reason="r") for verdict in verdicts))


def figures(*seen):
    return evaluate(seen, {}, PROVENANCE, attempt_s=2.0, random=np.random.default_rng(1))


def test_the_worst_kind_of_attack_is_the_figure():
    people = attempt("live", "live", "live", "unsure", "attack")
    prints = attempt("attack", "attack", "attack", "attack", "live", kind="print")
    report = figures(people, prints, attempt("attack", "live", "unsure", kind="replay"))
    assert (report.worst_kind, report.apcer.rate, report.apcer.comparisons) == ("replay", 0.5, 2)
    assert report.apcer_all.errors == 2
    assert (report.bpcer.rate, report.bpnrr.rate, report.refused_by_require_live.rate) == (0.25, 0.25, 0.5)
    assert report.bpcer_of_answered.rate == pytest.approx(1 / 3)
    [printed, replay] = report.kinds
    assert (printed.kind, printed.apcer.rate, printed.passes_deny_attack.rate) == ("print", 0.25, 0.25)
    assert (replay.apnrr.rate, replay.apcer_of_answered.rate, replay.passes_deny_attack.rate) == (0.5, 1.0, 1.0)


def test_nobody_seen_is_a_non_response_and_no_pass():
    report = figures(attempt("live", "live"), attempt("attack", "no_face"))
    assert (report.apcer.rate, report.kinds[0].apnrr.rate, report.kinds[0].apcer_of_answered) == (0, 1, None)


def test_the_curve_falls_for_attacks_and_rises_for_people():
    seen = [attempt("live", "live", score=score / 10) for score in range(5, 10)] + [
        attempt("attack", "attack", score=score / 10) for score in range(1, 6)
    ]
    curve = figures(*seen).curve
    assert [at.apcer for at in curve] == sorted((at.apcer for at in curve), reverse=True)
    assert [at.bpcer for at in curve] == sorted(at.bpcer for at in curve)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a/*.jpg,alive,s,1,"], "label is 'alive'; allowed are live and attack"),
        (["a/*.jpg,live,s,1,"], "no sequence with the label 'attack'"),
        ([",live,s,1,"], "pattern is empty"),
        (["a/*.jpg,live"], "2 fields; needed are 5"),
    ],
)
def test_a_list_that_cannot_be_measured_with_is_refused(tmp_path, lines, expected):
    with pytest.raises(ListError, match=r"list\.csv") as caught:
        read_sequences(listed(tmp_path, *lines))
    assert expected in str(caught.value)


def test_the_kind_may_be_left_out_of_the_list(tmp_path):
    rows = read_sequences(listed(tmp_path, "a,live,s,1", "b,attack,s,1", heading="pattern,label,subject,session"))
    assert [row.kind for row in rows] == ["live", "attack"]


def test_pictures_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 100):
        (tmp_path / f"f{number}.png").write_bytes(bytes([number]))
    assert [file.name for file in files_of(tmp_path, "f%d.png")] == ["f9.png", "f10.png", "f100.png"]
    assert files_of(tmp_path, "f*.png") == files_of(tmp_path, "f%d.png")
    (tmp_path / "fa.png").write_bytes(b"x")
    assert len(files_of(tmp_path, "f%d.png")) == 3
    with pytest.raises(Unreadable, match="no file"):
        files_of(tmp_path, "g%03d.png")


def test_a_sequence_is_named_by_its_bytes_in_their_order(tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"a")
    two.write_bytes(b"b")
    assert name_of([one, two]) != name_of([two, one])
    assert name_of([one, two]) == name_of([one, two])


def test_a_broken_picture_is_named(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(Unreadable, match=r"1\.png"):
        list(frames_of([tmp_path / "1.png"], 15.0))


class Sees:
    """A chain that says what it is told to, of the face with the most frames."""

    def __init__(self):
        self.frames = 0

    def process(self, frame, now_s):
        self.frames += 1
        said = Liveness(verdict="live", score=min(1.0, self.frames / 100), reason="r", watched_s=now_s)
        face = FaceSeen(track=1, box_px=(0, 0, 9, 9), score=1, quality=1, first_seen_s=0, liveness=said)
        return Observation(frame=1, taken_s=now_s, frame_px=(9, 9), faces=(face,), embedder_id="", engine="", chain_ms=0)


def test_a_long_sequence_is_cut_into_attempts_that_each_begin_anew(tmp_path):
    for number in range(50):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((40, 40, 3), np.uint8))
    watched = Watcher(Sees, 10.0, 2.0)(files_of(tmp_path, "*.png"))
    assert [outcome.score for outcome in watched.outcomes] == [0.21, 0.21]


@functools.lru_cache(maxsize=1)
def swings():
    angles = [round(14 * sin(2 * pi * number / 24)) for number in range(31)]
    return {"head": [head_at("stranger", yaw) for yaw in angles], "print": [print_at("stranger", 1.5 * yaw) for yaw in angles]}


@pytest.fixture
def root(tmp_path):
    for name, pictures in swings().items():
        (tmp_path / name).mkdir()
        for number, pixels in enumerate(pictures):
            cv2.imwrite(str(tmp_path / name / f"{number:03d}.png"), pixels)
    return tmp_path


def run(*words):
    try:
        return cli.main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)


def test_a_head_and_a_print_in_one_line_and_a_figure(root, capsys):
    path = listed(root, "head/*.png,live,s,1,", "print/%03d.png,attack,s,1,print_turned", "absent/*.png,attack,s,1,print_turned")
    words = (
        "eval",
        "liveness",
        "--list",
        path,
        "--root",
        root,
        "--resume",
        root / "seen",
        "--plot",
        root / "det.svg",
        "--threads",
        1,
    )
    assert run(*words) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (report["live_kinds"], report["apcer"]["errors"]) == ({"live": {"live": 1}}, 0)
    assert (report["unreadable_sequences"], report["unreadable"]) == (1, ["absent/*.png"])
    assert "absent/*.png: left out, no file has such a name" in err
    assert any(
        text.startswith("shipped") for text in (element.text or "" for element in ElementTree.parse(root / "det.svg").iter())
    )
    assert run(*words) == 0
    assert json.loads(capsys.readouterr().out) == report


def test_a_wrong_root_is_said_without_a_traceback(root, capsys):
    path = listed(root, "head/*.png,live,s,1,", "print/*.png,attack,s,1,")
    assert run("eval", "liveness", "--list", path, "--root", root / "absent") == 2
    out, err = capsys.readouterr()
    assert (out, "--root is the folder" in err, "Traceback" in err) == ("", True, False)
