"""Each picture is looked at once, whatever was stopped or broken in between."""

from __future__ import annotations

import io
import sqlite3

import cv2
import numpy as np
import pytest

from agent.evaluation.lists import ListError
from agent.evaluation.pictures import gather
from agent.evaluation.resume import Memory, ResumeError, ResumeFile, chain_id
from agent.evaluation.still import Look
from agent.progress import Progress
from models_tflite.manifest import load_manifest


class Eyes:
    """Remembers what it was shown; the look is the picture's mean grey."""

    def __init__(self, patience=1000):
        self.seen, self._patience = 0, patience

    def __call__(self, pixels):
        if self.seen >= self._patience:
            raise KeyboardInterrupt
        self.seen += 1
        return Look(score=float(pixels.mean()))


def quiet(total=4):
    return Progress(total, "pictures", io.StringIO(), lambda: 0.0)


@pytest.fixture
def pictures(tmp_path):
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), 40 * number, np.uint8))
    return [f"{number}.png" for number in range(4)]


def test_an_interrupted_run_goes_on_where_it_stood(pictures, tmp_path):
    first, second = Eyes(patience=3), Eyes()
    memory = ResumeFile(tmp_path / "r.sqlite", "chain", Look)
    with pytest.raises(KeyboardInterrupt):
        gather(pictures, tmp_path, first, memory, quiet())
    memory.close()

    memory = ResumeFile(tmp_path / "r.sqlite", "chain", Look)
    found = gather(pictures, tmp_path, second, memory, quiet())
    assert (first.seen, second.seen) == (3, 1)
    assert [found.looks[path].score for path in pictures] == [0, 40, 80, 120]


def test_what_another_chain_saw_is_not_taken(pictures, tmp_path):
    for chain, expected in (("old", 4), ("new", 4), ("old", 0)):
        eyes, memory = Eyes(), ResumeFile(tmp_path / "r.sqlite", chain, Look)
        gather(pictures, tmp_path, eyes, memory, quiet())
        memory.close()
        assert eyes.seen == expected


def test_a_picture_that_changed_is_looked_at_again(pictures, tmp_path):
    memory = Memory()
    gather(pictures, tmp_path, Eyes(), memory, quiet())
    cv2.imwrite(str(tmp_path / "0.png"), np.full((8, 8, 3), 9, np.uint8))
    eyes = Eyes()
    assert gather(pictures, tmp_path, eyes, memory, quiet()).looks["0.png"].score == 9
    assert eyes.seen == 1


def test_broken_empty_and_missing_pictures_are_named_and_left_out(pictures, tmp_path):
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "2.png").write_bytes(b"")
    said = io.StringIO()
    found = gather([*pictures, "absent.png"], tmp_path, Eyes(), Memory(), Progress(5, "pictures", said, lambda: 0.0))
    assert list(found.looks) == ["0.png", "3.png"]
    assert list(found.unreadable) == ["1.png", "2.png", "absent.png"]
    lines = said.getvalue().splitlines()
    assert len(lines) == 3
    assert "1.png: left out, no picture that OpenCV can read" in lines[0]
    assert "2.png: left out, an empty file" in lines[1]
    assert "absent.png: left out, No such file" in lines[2]


def test_a_root_without_a_single_picture_is_refused(tmp_path):
    with pytest.raises(ListError, match=r"none of the list's 1 pictures .* --root"):
        gather(["a.jpg"], tmp_path, Eyes(), Memory(), quiet(1))


def test_only_its_owner_may_read_the_embeddings(tmp_path):
    ResumeFile(tmp_path / "r.sqlite", "chain", Look).close()
    assert (tmp_path / "r.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_file_of_somebody_else_is_no_resume_file(tmp_path):
    (tmp_path / "r").write_text("notes of somebody, longer than a database's heading is; " * 40)
    with pytest.raises(ResumeError, match=r"/r: cannot serve as a resume file"):
        ResumeFile(tmp_path / "r", "chain", Look)
    with pytest.raises(ResumeError, match=r"absent/r: cannot serve"):
        ResumeFile(tmp_path / "absent" / "r", "chain", Look)


def test_a_damaged_row_is_said_not_guessed(tmp_path):
    memory = ResumeFile(tmp_path / "r", "chain", Look)
    memory.put("p", Look(score=1))
    memory.close()
    with sqlite3.connect(tmp_path / "r") as database:
        database.execute("UPDATE look SET outcome = x'00'")
    database.close()
    memory = ResumeFile(tmp_path / "r", "chain", Look)
    with pytest.raises(ResumeError, match="is damaged"):
        memory.get("p")
    memory.close()


def test_another_version_is_another_chain():
    manifest = load_manifest()
    assert chain_id(manifest, ["a"]) == chain_id(manifest, ["a"]) != chain_id(manifest, ["b"])


def test_the_bar_tells_the_time_left_from_what_was_worked():
    now = [0.0]
    progress = Progress(100, "pictures", io.StringIO(), lambda: now[0])
    for _ in range(50):
        progress.step(worked=False)
    assert progress.line(0.0) == f"[{'#' * 12}{'.' * 12}] 50/100 pictures"
    for _ in range(10):
        now[0] += 2
        progress.step()
    assert progress.line(now[0]).endswith("60/100 pictures, 80 s left")
    now[0] += 100
    assert progress.line(now[0]).endswith(", 8 min left")
