"""A template packed at the centre is what a door would have packed, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import template8
from central.access.packing import packed


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=300).filter(lambda numbers: max(map(abs, numbers)) > 0.001))
def test_both_ways_of_packing_give_the_same_bytes(numbers: list[float]) -> None:
    vector = np.array(numbers, "<f8")
    template = (vector / np.linalg.norm(vector)).astype("<f4").tobytes()
    assert packed(template) == template8.packed(template)


@pytest.mark.parametrize(
    "template", [b"", b"abc", bytes(8), np.full(4, np.nan, "<f4").tobytes(), np.full(4, 1.0, "<f4").tobytes()]
)
def test_what_is_no_template_is_refused(template: bytes) -> None:
    with pytest.raises(ValueError, match="no unit-length"):
        packed(template)
