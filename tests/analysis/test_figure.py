"""The figure of a film: ways lie where they should on the floor, nothing leaves the paper, what was not measured is not drawn."""

from __future__ import annotations

from math import cos, pi, sin

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analysis.figure import MOST_PEOPLE, WIDE, Drawing, figure, shortened, wrapped
from agent.analysis.floor_figure import Crossed, Extent, Floor, Marked, area, clipped, colour_of, extent_of
from agent.analysis.measuring import Lens, Measuring, assumed
from agent.analysis.plotted import drawing_of, require_plot, write_plot
from agent.analysis.summary import Tally
from agent.analysis.trace import Glance, Place, Speed, Stretch, Trace, length_m, smoothed, straightness, unbroken
from agent.config import Config
from agent.errors import ConfigError, FilmError
from agent.evaluation import canvas
from agent.evaluation.canvas import Area, Dot, Field, Line, Words
from tests.analysis.walking import straight, walked

ZONES = (Marked("threshold", "threshold", ((-0.9, -0.5), (0.9, -0.5), (0.9, 1.2), (-0.9, 1.2))), Marked("public", "public", ()))
SQUARE = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]


def trace(number: int = 1, from_s: float = 0.0, until_s: float = 4.0, **more) -> Trace:
    """Walks from 4 m to 2 m."""
    times = [from_s + n / 10 for n in range(round(10 * (until_s - from_s)))]
    places = tuple(Place(at_s, 0.3 * number, 4.0 - 2.0 * (at_s - from_s) / (until_s - from_s)) for at_s in times)
    settings = {"places": places, "speeds": tuple(Speed(at_s, 0.5) for at_s in times), "dwell_s": {"public": 1.0, "threshold": 3.0},
                "looks": (Stretch(from_s, until_s, "measured"),), **more}  # fmt: skip
    return Trace(number=number, first_s=from_s, last_s=until_s, **settings)


def drawing(*traces: Trace, **more) -> Drawing:
    return Drawing(**{"title": "film.mp4", "facts": ("4.0 s",), "seconds": 4.0, "traces": traces, "zones": ZONES, **more})


def words_of(shapes) -> list[str]:
    return [shape.text for shape in shapes if isinstance(shape, Words)]


def corners_of(shapes):
    for shape in shapes:
        if isinstance(shape, (Line, Area)):
            yield from shape.points
        elif isinstance(shape, Field):
            yield from (shape.at, (shape.at[0] + shape.size[0], shape.at[1] + shape.size[1]))
        else:
            yield shape.at


# -- places on the paper -------------------------------------------------------------------------------------------------------


def test_the_door_is_at_the_bottom_and_the_pictures_right_is_to_the_right():
    plan = Floor(Extent(-2, 0, 2, 4), 100)
    (x, y), (right, _), (_, far) = plan.at(0, 0), plan.at(1, 0), plan.at(0, 1)
    assert right > x
    assert far < y
    assert right - x == pytest.approx(y - far), "a metre is a metre in both directions"


@given(st.lists(st.tuples(st.floats(-12, 12), st.floats(-2, 12)), min_size=1, max_size=20))
def test_every_place_lies_within_the_drawn_floor(places):
    extent = extent_of([Place(0.0, *each) for each in places], ZONES)
    plan = Floor(extent, 50)
    for x_m, y_m in places:
        x, y = plan.at(x_m, y_m)
        assert 0 <= x <= WIDE
        assert plan.top <= y <= plan.bottom


def test_a_zone_is_cut_at_the_drawn_floors_edge():
    assert area(clipped(SQUARE, Extent(-1, -1, 1, 1))) == pytest.approx(1.0)
    assert clipped(SQUARE, Extent(-3, -3, -1, -1)) == []
    assert clipped((), Extent(-1, -1, 1, 1)) == []


@given(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), st.lists(st.floats(0.1, 8), min_size=3, max_size=8))
def test_what_is_cut_lies_within_and_is_no_larger(middle, reaches):
    """A zone whose edges cross each other is refused by the floor's file; these have corners all around their middle."""
    turns = [2 * pi * number / len(reaches) for number in range(len(reaches))]
    corners = [(middle[0] + reach * cos(turn), middle[1] + reach * sin(turn)) for reach, turn in zip(reaches, turns, strict=True)]
    extent = Extent(-1, -2, 3, 2)
    cut = clipped(corners, extent)
    assert all(-1 - 1e-9 <= x <= 3 + 1e-9 and -2 - 1e-9 <= y <= 2 + 1e-9 for x, y in cut)
    assert area(cut) <= min(16, area(corners)) + 1e-6


def test_a_way_is_smoothed_and_keeps_its_ends_near():
    shaky = [Place(n / 10, 0.05 * (-1) ** n, 4 - n / 10) for n in range(30)]
    calm = smoothed(shaky)
    assert max(abs(place.x_m) for place in calm[4:-4]) < 0.02
    assert (calm[0], calm[-1]) == (shaky[0], shaky[-1])
    assert calm[15].y_m == pytest.approx(shaky[15].y_m, abs=0.02)
    assert [place.at_s for place in calm] == [place.at_s for place in shaky]


def test_who_goes_there_and_back_went_twice_as_far_and_not_straight():
    there = [Place(n / 10, 0.0, 4 - n / 10) for n in range(31)]
    back = [Place(3 + n / 10, 0.0, 1 + n / 10) for n in range(1, 31)]
    assert length_m(there) == pytest.approx(3.0, abs=0.5)
    assert straightness(there) == pytest.approx(1.0)
    assert length_m([*there, *back]) == pytest.approx(6.0, abs=1.0)
    assert straightness([*there, *back]) == pytest.approx(0.0, abs=0.1)


def test_who_stands_and_shakes_goes_nowhere():
    shaky = [Place(n / 10, 0.1 * (-1) ** n, 2.0) for n in range(100)]
    assert length_m(shaky) == 0
    assert straightness(shaky) is None


def test_nobody_is_drawn_across_a_gap_in_which_nobody_saw_them():
    parts = unbroken([Place(0.0, 0, 3), Place(0.5, 0, 3), Place(4.0, 1, 1)])
    assert [len(part) for part in parts] == [2, 1]


# -- the whole figure ----------------------------------------------------------------------------------------------------------


def test_everything_that_was_measured_has_its_section():
    size, shapes = figure(drawing(trace(glances=(Glance(1.0, "left"),)), stood_out=("1: looked away 5 times in 8 s",)))
    words = words_of(shapes)
    for expected in ("film.mp4", "Seconds in each zone", "Where they looked", "Speed, m/s", "What stood out", "door", "threshold",
                     "m from the door", "L", "1: looked away 5 times in 8 s"):  # fmt: skip
        assert expected in words
    assert size[0] == WIDE


def test_why_a_look_could_not_be_measured_stands_where_there_is_room():
    grey = (Stretch(0.0, 4.0, "not_measured"),)
    assert "no face in view" in words_of(figure(drawing(trace(looks=grey, unmeasured="not_seen")))[1])
    measured_too = (*grey, Stretch(4.0, 6.0, "measured"))
    assert "no face in view" not in words_of(figure(drawing(trace(looks=measured_too, unmeasured="not_seen"), seconds=400.0))[1])


def test_nothing_is_drawn_in_metres_without_a_floor():
    _, shapes = figure(drawing(trace(places=()), no_metres="the camera was moved since its floor was marked"))
    words = words_of(shapes)
    assert not {"door", "m from the door", "Speed, m/s", "Seconds in each zone"} & set(words)
    assert "Nothing in metres: the camera was moved since its floor was marked" in " ".join(words)
    assert "Where they looked" in words


def test_an_empty_film_says_so():
    _, shapes = figure(drawing())
    assert "Nobody was in view." in words_of(shapes)


def test_of_a_crowd_those_are_drawn_who_were_there_longest_and_the_others_are_counted():
    people = [trace(n, until_s=1.0 + n) for n in range(1, 12)]
    _, shapes = figure(drawing(*people, seconds=12.0))
    words = words_of(shapes)
    assert f"Drawn are the {MOST_PEOPLE} who were there longest, not the 5 others." in words
    assert "11" in words


def test_each_person_has_one_colour_in_every_section():
    _, shapes = figure(drawing(trace(1), trace(2, 1.0), trace(3, 2.0)))
    for number in (1, 2, 3):
        told = [shape.colour for shape in shapes if isinstance(shape, Words) and shape.text == str(number)]
        assert told.count(colour_of(number - 1)) == 4, "ring, dwell, looks, speed"


def test_people_who_come_at_one_place_have_rings_that_can_be_told_apart():
    _, shapes = figure(
        drawing(*(trace(n, places=tuple(Place(k / 10, 0.0, 3.0 - k / 20) for k in range(30))) for n in range(1, 7)))
    )
    rings = [shape.at for shape in shapes if isinstance(shape, Dot) and shape.radius == 14]
    assert len(rings) == 6
    assert min(abs(a[0] - b[0]) + abs(a[1] - b[1]) for i, a in enumerate(rings) for b in rings[:i]) > 20


@given(
    st.lists(
        st.tuples(st.floats(-20, 20), st.floats(-5, 20), st.floats(0, 60), st.one_of(st.none(), st.floats(0, 12))),
        min_size=1, max_size=12,
    ),
    st.floats(0.1, 5000),
)  # fmt: skip
def test_nothing_leaves_the_paper(samples, seconds):
    ordered = sorted(samples, key=lambda sample: sample[2])
    person = trace(
        places=tuple(Place(at_s, x, y) for x, y, at_s, _ in ordered), speeds=tuple(Speed(at_s, m_s) for *_, at_s, m_s in ordered)
    )
    size, shapes = figure(drawing(person, seconds=seconds))
    assert all(-1 <= x <= size[0] + 1 and -1 <= y <= size[1] + 1 for x, y in corners_of(shapes))


def test_words_are_broken_where_they_end_and_names_keep_their_end():
    assert wrapped("one two three four", 60, 15) == ["one two", "three", "four"]
    assert shortened("/a/long/way/to/the/film.mp4", 100, 15).endswith("film.mp4")
    assert shortened("film.mp4", 500, 15) == "film.mp4"


# -- onto the disk -------------------------------------------------------------------------------------------------------------


def measured() -> tuple[Measuring, Tally]:
    measuring, tally = Measuring(assumed(Lens(70, 2, 15)), Config(site="film", door="film")), Tally()
    for each in walked([straight((0.0, 4.0), (0.0, 1.5), 0.0, 3.0)], 3.0):
        measuring.take(each)
        tally.take(each, {})
    return measuring, tally


@pytest.mark.parametrize("name", ["new.png", "new.svg"])
def test_the_figure_of_a_film_is_written(tmp_path, name):
    measuring, tally = measured()
    summary = tally.summary("walk.mp4", True, 1.0, "workplace-eu", measuring.behaviour())
    path = write_plot(tmp_path / name, "walk", summary, measuring)
    assert path == tmp_path / name
    if name.endswith("png"):
        assert cv2.imread(str(path)).shape[1] == WIDE * canvas.PNG_TIMES
    else:
        assert "walk.mp4" in path.read_text()
        assert "<polygon" in path.read_text()


def test_each_film_has_its_figure_in_a_folder(tmp_path):
    measuring, tally = measured()
    summary = tally.summary("walk.mp4", True, 1.0, "workplace-eu", measuring.behaviour())
    assert write_plot(tmp_path / "figures", "walk~2", summary, measuring) == tmp_path / "figures" / "walk~2.png"


def test_an_assumed_floor_is_called_assumed_on_the_figure():
    measuring, tally = measured()
    facts = drawing_of(tally.summary("walk.mp4", True, 1.0, "workplace-eu", measuring.behaviour()), measuring).facts
    assert any(fact.startswith("Metres assumed: lens 70 deg across, 2 m above the floor") for fact in facts)


@pytest.mark.parametrize(
    ("name", "films", "said"),
    [
        ("a.jpg", 1, "written as .svg or .png, not as '.jpg'"),
        ("absent/a.png", 1, "make it first"),
        ("a.png", 2, "2 films do not fit into one figure"),
        ("plain", 1, "a file without an ending"),
    ],
)
def test_a_name_under_which_no_figure_can_be_written_is_refused_before_the_work(tmp_path, name, films, said):
    (tmp_path / "plain").touch()
    with pytest.raises(ConfigError, match=said):
        require_plot(tmp_path / name, films)


def test_a_folder_for_one_film_or_for_several_is_accepted(tmp_path):
    assert require_plot(tmp_path, 3) == tmp_path
    assert require_plot(tmp_path / "new", 1) == tmp_path / "new"


def test_a_disk_that_does_not_take_the_figure_is_named(tmp_path):
    measuring, tally = measured()
    summary = tally.summary("walk.mp4", True, 1.0, "workplace-eu", measuring.behaviour())
    (tmp_path / "file").touch()
    with pytest.raises(FilmError, match="--plot"):
        write_plot(tmp_path / "file" / "figures", "walk", summary, measuring)


def test_a_line_at_which_people_are_counted_is_drawn():
    with_line = figure(drawing(trace(), lines=(Crossed("door", (-0.9, 0.5), (0.9, 0.5)),)))[1]
    assert len([shape for shape in with_line if isinstance(shape, Line)]) == 1 + len(
        [shape for shape in figure(drawing(trace()))[1] if isinstance(shape, Line)]
    )
