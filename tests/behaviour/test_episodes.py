"""Recorded episodes give the same conduct and the same alarms again, number for number."""

from __future__ import annotations

import pytest

from tests.behaviour.episodes.recipes import RECIPES, Recipe
from tests.behaviour.episodes.replay import file_of, read, replayed

MUST = {"stolen_fob": {"face_mismatch", "glances"}, "tailgater": {"tailgating"}, "lingers": {"no_linger"}}
ORDINARY = ("owner", "friends")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_an_episode_is_judged_as_it_was(recipe: Recipe):
    recorded, expected = read(recipe.name)
    now = replayed(recorded)
    assert now["alarms"] == expected["alarms"], f"{recipe.name} ({recipe.story}): look, then `python -m tests.behaviour.episodes`"
    for before, after in zip(expected["conduct"], now["conduct"], strict=True):
        assert after == before, f"{recipe.name} at {before['at_s']} s: look, then `python -m tests.behaviour.episodes`"
    assert now["highest"] == expected["highest"]


@pytest.mark.parametrize("name", MUST)
def test_what_must_be_noticed_is(name: str):
    _, expected = read(name)
    alerts = [alarm for alarm in expected["alarms"] if alarm["alerts"]]
    assert any(MUST[name] <= set(alarm["kinds"]) for alarm in alerts)


@pytest.mark.parametrize("name", ORDINARY)
def test_nothing_is_told_of_who_just_goes_in(name: str):
    assert read(name)[1]["alarms"] == []


def test_no_recording_holds_a_face_that_could_be_recognised():
    for recipe in RECIPES:
        recorded, _ = read(recipe.name)
        assert not any(face.embedding for seen in recorded.seen for face in seen.faces)


def test_the_recordings_are_small():
    assert sum(file_of(recipe.name).stat().st_size for recipe in RECIPES) < 400_000
