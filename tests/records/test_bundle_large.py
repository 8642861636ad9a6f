"""A quarter of a million credentials on one door."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.records.bundles import crowd, fob_of, read, rules, write

CREDENTIALS = 250_000


@pytest.mark.system
def test_a_quarter_of_a_million_fobs_are_written_read_and_found_each_within_a_millisecond(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(), crowd(CREDENTIALS, faces=1))
    people = read(tmp_path / "b").rules.people
    assert len(people) == CREDENTIALS
    taken_s = []
    for number in random.Random(1).sample(range(CREDENTIALS), 5000):
        began_s = time.perf_counter()
        known = people.find(fob_of(number))
        taken_s.append(time.perf_counter() - began_s)
        assert known is not None
        assert known.cardholder.id == f"{number:032x}"
        assert len(known.cardholder.templates) == 1
    assert sorted(taken_s)[4950] < 0.001
    assert all(people.find(fob_of(CREDENTIALS + n)) is None for n in range(5000))
