"""Templates in a quarter of their size: what they are compared with does not notice."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.identity import cosine
from agent.core.template8 import packed, unpacked

SIZE = 192


def direction(seed: int, size: int = SIZE) -> bytes:
    vector = np.random.default_rng(seed).standard_normal(size)
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


@given(st.integers(0, 2**32), st.integers(1, 1024))
def test_an_opened_template_is_of_length_one_and_points_where_it_did(seed, size):
    template = direction(seed, size)
    small = packed(template)
    assert len(small) == size
    assert cosine(unpacked(small), template) > 0.9999


@given(st.integers(0, 2**32))
def test_packing_again_changes_nothing_more(seed):
    small = packed(direction(seed))
    assert packed(unpacked(small)) == small


def test_scores_against_other_faces_move_by_less_than_a_hundredth_of_the_threshold():
    one = [direction(seed) for seed in range(40)]
    moved = [abs(cosine(unpacked(packed(a)), b) - cosine(a, b)) for a in one for b in one]
    assert max(moved) < 0.0044


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_from_a_bundle_become_a_unit_vector_or_are_refused(small):
    if any(small):
        vector = struct.unpack(f"<{len(small)}f", unpacked(small))
        assert math.isclose(sum(x * x for x in vector), 1, rel_tol=1e-5)
    else:
        with pytest.raises(ValueError, match="nowhere"):
            unpacked(small)


NO_UNIT_VECTORS = [
    b"",
    b"abc",
    b"\0" * 768,
    struct.pack("<2f", math.nan, 1.0),
    struct.pack("<2f", math.inf, 0),
    struct.pack("<2f", 1, 1),
]


@pytest.mark.parametrize("bad", NO_UNIT_VECTORS)
def test_what_is_no_unit_vector_is_refused(bad):
    with pytest.raises(ValueError, match="unit-length"):
        packed(bad)
