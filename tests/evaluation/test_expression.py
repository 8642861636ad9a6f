"""Expressions counted: what is right, what is missed, what is believed, and what is left unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from agent import cli
from agent.core.messages import EXPRESSIONS
from agent.evaluation import expression_plot
from agent.evaluation.expression import Shown, answers, calibration_error, confusion, evaluate, rates
from agent.evaluation.lists import ListError, read_labels
from agent.evaluation.pictures import Gathered
from tests.evaluation.looks import PROVENANCE

PICTURES = Path(__file__).parent.parent / "pictures"
NEUTRAL, HAPPINESS, SADNESS = EXPRESSIONS[:3]


def shown(answer: str, confidence: float = 0.9) -> Shown:
    rest = (1 - confidence) / 6
    return Shown(probabilities=tuple(confidence if name == answer else rest for name in EXPRESSIONS), share=0.9, source="mesh")


def figures(labels, looks, **keywords):
    return evaluate(labels, Gathered(looks, keywords.pop("unreadable", {})), PROVENANCE, least_confidence=0.5,
                    random=np.random.default_rng(1))  # fmt: skip


def four():
    """Three neutral faces of which one is called happy, and a happy one that was not found."""
    labels = {"a": NEUTRAL, "b": NEUTRAL, "c": NEUTRAL, "d": HAPPINESS}
    return labels, {"a": shown(NEUTRAL), "b": shown(NEUTRAL, 0.4), "c": shown(HAPPINESS, 0.6), "d": Shown()}


def test_the_figures_follow_from_the_matrix():
    report = figures(*four())
    assert (report.accuracy.share, report.accuracy.right, report.accuracy.of) == (0.5, 2, 4)
    assert report.balanced_accuracy.value == pytest.approx((2 / 3 + 0) / 2)
    # Neutral: precision 2 of 2, recall 2 of 3, F1 4/5; happiness: nothing right.
    assert report.macro_f1.value == pytest.approx(0.4)
    assert [(of.expression, of.pictures, of.recall, of.precision) for of in report.expressions] == [
        (NEUTRAL, 3, pytest.approx(2 / 3), 1.0),
        (HAPPINESS, 1, 0.0, 0.0),
    ]
    assert report.confusion == {NEUTRAL: (2, 1, 0, 0, 0, 0, 0, 0), HAPPINESS: (0, 0, 0, 0, 0, 0, 0, 1)}
    assert report.columns[-1] == "no face"


def test_expressions_of_which_there_is_no_picture_are_named_and_count_for_nothing():
    report = figures(*four())
    assert report.absent == EXPRESSIONS[2:]


def test_a_face_that_was_not_found_is_wrong_and_no_abstention():
    report = figures(*four())
    assert report.faces_not_found == 1
    assert report.abstained.abstention_rate == pytest.approx(1 / 3), "of the three faces that were seen"
    assert (report.abstained.accuracy.right, report.abstained.accuracy.of) == (1, 2)
    assert report.calibration.pictures == 3


def test_a_stage_that_never_answers_has_no_accuracy_of_answers():
    labels = {"a": NEUTRAL}
    report = figures(labels, {"a": shown(NEUTRAL, 0.3)})
    assert report.abstained.accuracy is None
    assert report.abstained.abstention_rate == 1
    assert figures(labels, {"a": Shown()}).calibration is None


def test_the_likelihood_is_that_of_the_label_and_the_error_that_of_the_confidence():
    labels, looks = four()
    calibration = figures(labels, looks).calibration
    expected = -np.mean(np.log([0.9, 0.4, 0.4 / 6]))
    assert calibration.negative_log_likelihood == pytest.approx(expected, rel=1e-5)
    # One face a bin: |.9 - 1|, |.4 - 1| and |.6 - 0|.
    assert calibration.expected_calibration_error == pytest.approx((0.1 + 0.6 + 0.6) / 3)


def test_who_is_always_as_right_as_sure_has_no_calibration_error():
    right = np.array([True] * 7 + [False] * 3)
    assert calibration_error(np.full(10, 0.7), right) == pytest.approx(0)
    assert calibration_error(np.ones(10), right) == pytest.approx(0.3)


def test_intervals_are_over_people_where_at_least_twenty_are_named():
    labels = {f"p{person}/{number}.jpg": NEUTRAL for person in range(20) for number in range(5)}
    # Each person is either always or never understood: a hundred pictures, and no more than twenty independent ones.
    looks = {path: shown(NEUTRAL if int(path[1:].split("/")[0]) % 2 else SADNESS) for path in labels}
    report = figures(labels, looks)
    assert (report.people, report.accuracy.method) == (20, "bootstrap over people")
    low, high = report.accuracy.interval_95
    alone = figures(
        {path.replace("/", "_"): label for path, label in labels.items()}, {p.replace("/", "_"): s for p, s in looks.items()}
    )
    assert alone.people is None
    assert high - low > 1.5 * (alone.accuracy.interval_95[1] - alone.accuracy.interval_95[0])


def test_folders_named_after_expressions_are_no_people():
    labels = {f"{name}/{number}.png": name for name in EXPRESSIONS for number in range(3)}
    assert figures(labels, {path: shown(label) for path, label in labels.items()}).people is None


def test_without_an_error_the_interval_is_not_a_point():
    labels = {str(number): NEUTRAL for number in range(10)}
    report = figures(labels, {path: shown(NEUTRAL) for path in labels})
    assert report.accuracy.share == 1
    assert report.accuracy.interval_95[0] < 0.8
    assert report.accuracy.method.startswith("Wilson")


def test_weights_count_a_picture_as_often_as_they_say():
    labelled, answered = np.array([0, 0, 1]), np.array([0, 1, 1])
    assert rates(confusion(labelled, answered, np.array([3.0, 1.0, 0.0]))).accuracy == 0.75
    assert rates(confusion(labelled, answered)).accuracy == pytest.approx(2 / 3)


def test_a_list_of_which_nothing_was_read_is_refused():
    with pytest.raises(ListError, match="not one picture"):
        answers({"a": NEUTRAL}, {})


def test_other_words_for_the_same_expression_are_understood(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("path,label\na.png,happy\nb.png,Sad\nc.png,disgusted\nd.png,fear\n")
    assert read_labels(path) == {"a.png": "happiness", "b.png": "sadness", "c.png": "disgust", "d.png": "fear"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("path,label\na.png,contempt\n", r"line 2: label is 'contempt'; allowed are neutral, happiness"),
        ("path,label\na.png,happy\na.png,sad\n", r"line 3: a.png is sadness here and happiness before"),
        ("path,emotion\na.png,happy\n", r"line 1: the heading is 'path,emotion'; needed is 'path,label'"),
        ("path,label\n,happy\n", r"line 2: path is empty"),
        ("path,label\n", r"holds no picture"),
    ],
)
def test_a_wrong_list_is_refused_with_the_line_and_what_is_allowed(tmp_path, text, why):
    path = tmp_path / "l.csv"
    path.write_text(text)
    with pytest.raises(ListError, match=why):
        read_labels(path)


def test_the_figure_has_every_count_of_the_matrix():
    report = figures(*four())
    words = [shape.text for shape in expression_plot.figure(report, "four faces: größer") if hasattr(shape, "text")]
    assert {"neutral", "happiness", "no face", "recall", "2", "1", "66.7 %"} <= set(words)
    assert "four faces: gr??er" in words


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A smile, large and as a small grey cut; a wall, large and small."""
    folder = tmp_path_factory.mktemp("faces")
    pixels = cv2.imread(str(PICTURES / "astronaut.jpg"))
    cv2.imwrite(str(folder / "large.png"), pixels)
    cv2.imwrite(str(folder / "wall.png"), np.full((480, 640, 3), 128, np.uint8))
    cv2.imwrite(str(folder / "small_wall.png"), np.full((100, 100, 3), 128, np.uint8))
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def run(*words) -> int:
    try:
        return cli.main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture
def faces(tmp_path):
    path = tmp_path / "faces.csv"
    path.write_text("path,label\nlarge.png,happy\nwall.png,neutral\nsmall_wall.png,neutral\nbroken.png,sad\n")
    return path


def test_a_smile_is_found_a_wall_is_not_and_a_broken_file_is_named(root, faces, tmp_path, capsys):
    figure = tmp_path / "confusion.svg"
    assert run("eval", "expression", "--list", faces, "--root", root, "--plot", figure, "--name", "a smile") == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    report = json.loads(line)
    assert (report["pictures"], report["unreadable_pictures"], report["faces_not_found"]) == (3, 1, 1)
    assert report["confusion"]["happiness"] == [0, 1, 0, 0, 0, 0, 0, 0]
    assert report["taken_as_crops"] == 1, "a small square picture in which no face is found may be one that a face fills"
    assert set(report["provenance"]["models"]) >= {"face_expression", "face_expression_grey", "face_expression_mini"}
    assert "broken.png: left out" in err
    texts = [element.text for element in ElementTree.parse(figure).iter() if element.text]
    assert "a smile" in texts


def test_no_picture_is_taken_for_a_cut_when_the_list_has_none(root, faces, capsys):
    assert run("eval", "expression", "--list", faces, "--root", root, "--cropped", "no") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["taken_as_crops"], report["faces_not_found"]) == (0, 2)


def test_a_second_run_remembers_the_first_and_another_way_of_cutting_does_not(root, faces, tmp_path, capsys):
    words = ("eval", "expression", "--list", faces, "--root", root, "--resume", tmp_path / "seen")
    assert run(*words) == 0
    first, size = capsys.readouterr().out, (tmp_path / "seen").stat().st_size
    assert run(*words) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "seen").stat().st_size == size
    assert run(*words, "--cropped", "yes") == 0
    assert json.loads(capsys.readouterr().out)["taken_as_crops"] == 3


def test_a_figure_of_another_kind_is_refused_before_the_long_work(root, faces, tmp_path, capsys):
    assert run("eval", "expression", "--list", faces, "--root", root, "--plot", tmp_path / "c.pdf") == 2
    assert "a figure is written as .svg or .png" in capsys.readouterr().err
