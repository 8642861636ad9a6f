"""A few hundred bytes tell how often what was measured, within a bound that is stated."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.behaviour.sketch import EXACT, RELATIVE_ERROR, Sketch, Sparse, as_little, as_much, scale_of
from agent.core.evidence import KINDS

UNITS = sorted({kind.unit for kind in KINDS.values()} | {"a unit nobody knows"})
MEASURED = [unit for unit in UNITS if not scale_of(unit).counts]
COUNTED = [unit for unit in UNITS if scale_of(unit).counts]
SHARES = st.floats(0.01, 1.0)


def sketch_of(unit: str, values: list[float]) -> Sketch:
    sketch = Sketch.of_unit(unit)
    for value in values:
        sketch.add(value)
    return sketch


def exact_quantile(values: list[float], share: float) -> float:
    """The smallest value that this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values) * (1 - 1e-9)) - 1)]


@given(st.sampled_from(MEASURED), st.lists(st.floats(0, 1e5), min_size=1, max_size=200), SHARES)
def test_a_quantile_is_within_five_percent_of_itself_or_below_what_is_measured(
    unit: str, values: list[float], share: float
) -> None:
    scale = scale_of(unit)
    got, want = sketch_of(unit, values).quantile(share), exact_quantile(values, share)
    assert got is not None
    if want > scale.most:
        assert got == scale.most
    elif want <= scale.least:
        assert got == 0.0
    else:
        assert abs(got - want) <= RELATIVE_ERROR * want * (1 + 1e-9)


@given(st.sampled_from(COUNTED), st.lists(st.integers(0, EXACT), min_size=1, max_size=200), SHARES)
def test_small_counts_are_exact(unit: str, values: list[int], share: float) -> None:
    counted = [float(value) for value in values]
    assert sketch_of(unit, counted).quantile(share) == exact_quantile(counted, share)


@given(st.sampled_from(COUNTED), st.lists(st.integers(EXACT + 1, 150), min_size=1, max_size=50), SHARES)
def test_large_counts_are_off_by_five_percent_and_rounding(unit: str, values: list[int], share: float) -> None:
    counted = [float(value) for value in values]
    got, want = sketch_of(unit, counted).quantile(share), exact_quantile(counted, share)
    assert got is not None
    assert abs(got - want) <= RELATIVE_ERROR * want + 0.5 + 1e-9


@given(st.sampled_from(UNITS), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_greater_value_is_in_no_lower_bin(unit: str, one: float, other: float) -> None:
    scale = scale_of(unit)
    low, high = sorted((one, other))
    assert 0 <= scale.bin_of(low) <= scale.bin_of(high) < scale.bins


@given(st.sampled_from(UNITS), st.data())
def test_a_bin_holds_the_value_it_stands_for(unit: str, data: st.DataObject) -> None:
    scale = scale_of(unit)
    number = data.draw(st.integers(0, scale.bins - 2))
    assert scale.bin_of(scale.middle_of(number)) == number


@given(st.lists(st.floats(0, 100), max_size=30), st.lists(st.floats(0, 100), max_size=30))
def test_merging_is_as_if_all_had_been_counted_in_one(one: list[float], other: list[float]) -> None:
    merged, backwards = sketch_of("s", one), sketch_of("s", other)
    merged.merge(sketch_of("s", other))
    backwards.merge(sketch_of("s", one))
    assert merged.weights == backwards.weights == sketch_of("s", one + other).weights


@given(st.sampled_from(UNITS), st.lists(st.floats(0, 1e5), max_size=30))
def test_what_was_written_down_reads_the_same(unit: str, values: list[float]) -> None:
    sketch = sketch_of(unit, values)
    raw = msgspec.json.encode(sketch.encode())
    assert Sketch.decode(msgspec.json.decode(raw, type=Sparse)) == sketch


def test_what_has_faded_weighs_less_beside_what_is_new() -> None:
    sketch = sketch_of("times", [0.0] * 10)
    sketch.fade(0.1)
    sketch.add(3.0, 9.0)
    assert sketch.total == pytest.approx(10.0)
    assert sketch.quantile(0.5) == 3.0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_each_bin_is_counted_once_from_above_and_from_below(weights: list[float]) -> None:
    for number, (above, below) in enumerate(zip(as_much(weights), as_little(weights), strict=True)):
        assert above + below == pytest.approx(sum(weights) + weights[number])


@pytest.mark.parametrize(("value", "weight"), [(math.nan, 1.0), (1.0, 0.0), (1.0, -1.0), (1.0, math.inf), (1.0, math.nan)])
def test_what_is_no_number_or_weighs_nothing_is_refused(value: float, weight: float) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        Sketch.of_unit("s").add(value, weight)


def test_sketches_of_two_scales_are_not_merged() -> None:
    with pytest.raises(ValueError, match="scales differ"):
        Sketch.of_unit("s").merge(Sketch.of_unit("times"))


@pytest.mark.parametrize("sparse", [
    Sparse(scale_of("s"), -1, (1.0,)), Sparse(scale_of("s"), 99, (1.0, 1.0)), Sparse(scale_of("s"), 0, (-1.0,)),
    Sparse(scale_of("s"), 0, (math.nan,)), Sparse(scale_of("s"), 0, (math.inf,)),
])  # fmt: skip
def test_what_is_no_sketch_is_refused(sparse: Sparse) -> None:
    with pytest.raises(ValueError, match="allowed are 100 bins"):
        Sketch.decode(sparse)


def test_an_empty_sketch_has_no_quantile() -> None:
    assert Sketch.of_unit("s").quantile(0.5) is None
