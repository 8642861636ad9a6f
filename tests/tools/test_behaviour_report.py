"""The report of behaviour: what counts as false, what was asked for, and where it is written."""

from __future__ import annotations

import pytest

from tools.behaviour.measure import NOISE
from tools.behaviour.report import BEGIN, END, Results, delay_plot, false_plot, figures, page, write
from tools.behaviour.runs import Found, Pass
from tools.behaviour.seen import measured_noise


def passes(alerted: int, asked: int, of: int) -> tuple[Pass, ...]:
    return tuple(Pass(kind="owner", number=number, highest=0.7 if number < alerted else 0.0, raised=number < alerted,
                      alerted=number < alerted, by_rule=number < asked) for number in range(of))  # fmt: skip


def results(**more: object) -> Results:
    found = (Found(kind="tailgater", noticed_s=0.5, alerted_s=0.5, because="through"),
             Found(kind="tailgater", noticed_s=None, alerted_s=None, because="through"))  # fmt: skip
    parts = {"ordinary": passes(3, 2, 1000), "harder": passes(0, 0, 10), "staged": found, "staged_harder": found, "filmed": (),
             "cost": None, "times": 3.0}  # fmt: skip
    return Results(**{**parts, **more})


def value(of: Results, words: str) -> float:
    return next(figure.value for figure in figures(of) if words in figure.what)


def test_an_alert_that_the_site_asked_for_is_not_false_and_is_told():
    assert value(results(), "false alerts") == 1.0
    assert "2 more alerts" in page(results())
    assert "3 in 1,000" in page(results())


def test_what_was_not_noticed_counts():
    assert value(results(), "staged incidents noticed") == 50.0
    assert "1 of 2" in page(results())


def test_the_figures_go_between_the_markers_and_nothing_else_changes(tmp_path):
    (tmp_path / "pictures").mkdir()
    file = tmp_path / "BEHAVIOUR.md"
    file.write_text(f"before\n{BEGIN}\nyesterday\n{END}\nafter\n", "utf-8")
    write(tmp_path, results())
    text = file.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "yesterday" not in text
    assert "false alerts" in text


def test_a_page_without_the_markers_is_left_alone(tmp_path):
    (tmp_path / "BEHAVIOUR.md").write_text("mine", "utf-8")
    with pytest.raises(ValueError, match="are missing"):
        write(tmp_path, results())
    assert (tmp_path / "BEHAVIOUR.md").read_text("utf-8") == "mine"


def test_the_plots_say_how_many_and_what_was_found():
    assert "errors 3 times as large (10)" in false_plot(results())
    assert "1 of 2" in delay_plot(results().staged)


def test_the_measured_errors_are_read_and_a_worse_camera_errs_more():
    noise = measured_noise()
    assert NOISE.is_file()
    assert 0.005 < noise.width < 0.1
    worse = noise.harder(3.0)
    assert worse.width == pytest.approx(3 * noise.width)
    assert worse.face_missed > noise.face_missed
