"""The benchmarks' own arithmetic: a wrong percentile would make a slow door look quick."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.interfaces import Frame
from tools.bench import __main__ as program
from tools.bench.chain import WARM_UP, Outcome, _Meter, race, standings
from tools.bench.document import document, verdict, write
from tools.bench.figures import Figure, Section, distribution, median, percentile, plain
from tools.bench.machine import Cores, cores_now, machine, others_percent
from tools.bench.plot import share_plot

# -- percentiles ---------------------------------------------------------------------------------------------------------------


def test_of_a_thousand_reads_ten_may_be_slower_than_the_99th_percentile():
    reads = [float(n) for n in range(1, 1001)]
    assert percentile(reads, 0.99) == 990.0
    assert percentile(reads, 0.5) == 500.0
    assert percentile(reads, 1.0) == 1000.0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_at_least_the_share_is_within_the_percentile_and_it_is_a_sample(samples, share):
    found = percentile(samples, share)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= share * len(samples) - 1e-6


def test_no_sample_is_no_number_and_meets_no_goal():
    p99 = distribution("bit to relay", [], 20.0)[2]
    assert math.isnan(p99.value)
    assert p99.met is False


def test_the_median_of_an_even_number_lies_between_the_middle_two():
    assert median([4.0, 1.0, 3.0, 2.0]) == 2.5
    assert median([3.0, 1.0, 2.0]) == 2.0


# -- goals ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure(what="p99", value=20.0, unit="ms", most=20.0), True),
        (Figure(what="p99", value=20.01, unit="ms", most=20.0), False),
        (Figure(what="times", value=10.0, unit="", least=10.0), True),
        (Figure(what="times", value=9.99, unit="", least=10.0), False),
        (Figure(what="lost", value=1.0, unit="", most=0), False),
        (Figure(what="rate", value=15.0, unit="a second"), None),
    ],
)
def test_a_goal_is_met_or_missed_or_there_is_none(figure, met):
    assert figure.met is met


@pytest.mark.parametrize(
    ("value", "words"),
    [(3.4149, "3.41"), (12.34, "12.3"), (156.4, "156"), (0.0512, "0.0512"), (0.0, "0"), (10.0, "10"), (100.0, "100")],
)
def test_numbers_are_told_with_three_digits_that_count(value, words):
    assert plain(value) == words


# -- the race ------------------------------------------------------------------------------------------------------------------


def test_everybody_runs_every_frame_and_nobody_is_always_first():
    order: list[str] = []

    def contestant(name):
        def run(frame):
            order.append(name)
            return Outcome(frame.taken_s, 0.0, True, True)

        return run

    frames = [Frame(np.zeros((1, 1, 3), np.uint8), float(n)) for n in range(WARM_UP + 4)]
    table = race([contestant("a"), contestant("b")], frames)
    assert [[o.wall_ms for o in outcomes] for outcomes in table] == [[3.0, 4.0, 5.0, 6.0]] * 2
    assert set(order[::2]) == {"a", "b"}


def test_ratios_are_taken_frame_by_frame_and_the_work_above_the_models_from_the_means():
    def outcomes(*walls, models=0.0):
        return [Outcome(wall, models, True, True) for wall in walls]

    class Named:
        name = "somebody"

    ours, default, fastest = outcomes(1.0, 2.0, 6.0, models=2.0), outcomes(20.0, 20.0, 60.0), outcomes(5.0, 10.0, 30.0)
    first = standings("640x480", [Named()] * 3, [ours, default, fastest])[0]
    assert (first.times_default, first.times_fastest) == (10.0, 5.0)
    assert (first.median_ms, first.mean_ms) == (2.0, 3.0)
    assert first.above_percent == pytest.approx(50.0)


def test_the_meter_counts_invocations_and_hands_everything_else_on():
    class Interpreter:
        invoked = 0

        def invoke(self):
            self.invoked += 1

        def get_tensor(self, index):
            return index

    total = [0.0]
    inner = Interpreter()
    metered = _Meter(inner, total)
    metered.invoke()
    assert inner.invoked == 1
    assert total[0] > 0
    spent_s = total[0]
    assert metered.get_tensor(7) == 7
    assert total[0] == spent_s


# -- the document --------------------------------------------------------------------------------------------------------------

SECTION = Section(
    name="fob_alone", title="The fob alone", how="Reads.",
    figures=(Figure(what="p99", value=11.0, unit="ms", most=10.0), Figure(what="max", value=12.0, unit="ms")),
    samples={"fob alone": (3.0, 4.0, 11.0)},
)  # fmt: skip


def test_the_document_tells_a_missed_goal_as_missed():
    page = document([SECTION], {"processor": "a small one"}, "2030-01-02", (0.1, 2.0), "Nothing.")
    assert "| The fob alone | p99 | at most 10 ms | 11 ms | **missed** |" in page
    assert "2030-01-02" in page
    assert "a small one" in page
    assert verdict(SECTION.figures[1]) == ""


def test_document_and_picture_are_written_together(tmp_path):
    write(tmp_path, "the page", [SECTION])
    assert (tmp_path / "BENCHMARKS.md").read_text() == "the page"
    ET.parse(tmp_path / "pictures" / "bench_latency.svg")


def test_the_picture_is_well_formed_whatever_the_samples_are_called():
    picture = share_plot("a < b", {"x & y": [1.0, 2.0, 900.0]}, {"goal <": 10.0}, 20.0)
    assert ET.fromstring(picture).tag.endswith("svg")


def test_the_machine_is_named_with_its_packages():
    named = machine()
    assert named["processor"]
    assert "msgspec" in named["packages"]


def test_what_others_took_is_what_was_busy_and_not_ours(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert others_percent(Cores(0.0, 100.0, 10.0), Cores(10.0, 112.0, 17.0)) == 25.0
    assert others_percent(Cores(0.0, 100.0, 10.0), Cores(10.0, 105.0, 16.0)) == 0.0  # rounding of two counters is no work


def test_our_own_work_is_counted_as_ours():
    before = cores_now()
    sum(n * n for n in range(1_000_000))
    after = cores_now()
    assert after.ours_s > before.ours_s
    assert after.busy_s >= before.busy_s


# -- the program ---------------------------------------------------------------------------------------------------------------


def test_a_quick_run_tells_figures_and_leaves_the_document_alone(capsys):
    page = program.ROOT / "docs" / "BENCHMARKS.md"
    before = page.read_bytes() if page.exists() else None
    assert program.main(["--quick", "--json", "--only", "recording", "--date", "2030-01-02"]) == 0
    told = msgspec.json.decode(capsys.readouterr().out)
    assert told["date"] == "2030-01-02"
    assert {figure["what"] for figure in told["sections"][0]["figures"]} >= {"historian's store"}
    assert (page.read_bytes() if page.exists() else None) == before


def test_an_unknown_benchmark_is_a_usage_error():
    with pytest.raises(SystemExit) as error:
        program.main(["--only", "nonsense"])
    assert error.value.code == 2


def test_a_benchmark_that_cannot_run_stops_none_of_the_others_and_is_told(monkeypatch, capsys):
    def broken(setting):
        raise ZeroDivisionError("no events")

    measured = Section(name="good", title="Good", how="So.", figures=(Figure(what="kills", value=1.0, unit=""),))
    monkeypatch.setattr(program, "BENCHMARKS", {"broken": broken, "good": lambda setting: measured})
    assert program.main(["--quick", "--json"]) == 1
    told = capsys.readouterr()
    assert [section["name"] for section in msgspec.json.decode(told.out)["sections"]] == ["good"]
    assert "ZeroDivisionError: no events" in told.err
    assert "could not be measured: broken" in told.err


def test_the_page_says_what_could_not_be_measured_and_under_which_load_the_rest_was():
    section = Section(name="good", title="Good", how="So.", figures=(), loads=(0.5, 1.2))
    page = document([section], {"processor": "some"}, "2030-01-02", (0.5, 0.7), "Nothing.", ["broken"])
    assert "**could not be measured this time: broken**" in page
    assert "load average 0.5 before, 1.2 after" in page
