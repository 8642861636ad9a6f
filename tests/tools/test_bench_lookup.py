"""Looking credentials up in four ways: what is compared has to be the same people."""

from __future__ import annotations

import math
import signal

import pytest

from tools.bench import lookup as section
from tools.bench.figures import Setting
from tools.bench.lookup_child import fob, people

pytestmark = pytest.mark.slow


def test_all_ways_are_measured_and_a_map_cut_short_ends_its_program(tmp_path, monkeypatch):
    monkeypatch.setattr(section, "CREDENTIALS", 8000)
    monkeypatch.setattr(section, "LOOKUPS", 500)
    found = section.lookup(Setting(folder=tmp_path, quick=False, seed=1, say=print))
    figures = {figure.what: figure.value for figure in found.figures}
    assert all(math.isfinite(value) for value in figures.values())
    assert figures["bundle, without templates"] < figures["bundle, with one template each"] < figures["SQLite: its file"]
    assert any(f"signal {int(signal.SIGBUS)} " in note for note in found.notes)


def test_the_people_are_as_many_as_asked_for_and_the_same_each_time():
    some = list(people(50, 1, revoked=7))
    assert [one.credentials[0].key for one in some] == [fob(n) for n in range(50)]
    assert [n for n, one in enumerate(some) if one.credentials[0].state == "revoked"] == [7]
    assert [one.cardholder for one in some] == [one.cardholder for one in people(50, 1)]
