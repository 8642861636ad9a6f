"""Staged incidents are noticed with their evidence, ordinary people are not: simulated observations, and some with real pictures."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from agent.behaviour.norms import Norms
from agent.behaviour.watch import Watcher
from agent.core.evidence import KINDS as KIND_OF
from demo.view import View
from tools.behaviour.episode import Episode
from tools.behaviour.judged import Outcome, follow, judge, plan_of
from tools.behaviour.ordinary import KINDS, one, passes
from tools.behaviour.runs import experience
from tools.behaviour.seen import Camera, Observer, measured_noise
from tools.behaviour.staged import INCIDENTS, incident

ALERTS = (
    "stolen fob, glances, abrupt moves",
    "tailgater",
    "three on one fob",
    "lingers at night",
    "photograph held up",
    "camera covered",
)
"""Incidents with a harder fact in them: guards are told."""
WITHIN_S = 3.0
SEED = 8
NOON = timedelta(hours=12)


@pytest.fixture(scope="module")
def known() -> tuple:
    return experience()


def judged(episode: Episode, norms: bytes) -> Outcome:
    return judge(episode, Camera(noise=measured_noise()), Norms.decode(norms))


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_noticed_with_its_evidence(name: str, known: tuple):
    week, norms = known
    episode = incident(name, 1, SEED, week)
    noticed = judged(episode, norms).noticed(episode.must.kinds)
    assert noticed is not None
    assert noticed.at_s - episode.must.true_s < WITHIN_S


@pytest.mark.parametrize("name", ALERTS)
def test_an_incident_with_a_harder_fact_calls_a_guard(name: str, known: tuple):
    week, norms = known
    assert judged(incident(name, 0, SEED, week), norms).alerted is not None


@pytest.mark.parametrize("name", KINDS)
def test_no_guard_is_called_for_an_ordinary_pass(name: str, known: tuple):
    week, norms = known
    alerted = judged(one(name, SEED, 1, week + NOON), norms).alerted
    assert alerted is None, alerted


def test_a_door_that_knows_nothing_yet_calls_no_guard_for_looking_about(known: tuple):
    episode = incident("nervous, without a fob", 1, SEED, known[0])
    assert judge(episode, Camera(noise=measured_noise()), Norms("new")).alerted is None


def test_behaviour_alone_is_told_of_and_has_nothing_in_it_to_keep_anybody_out_for(known: tuple):
    week, norms = known
    outcome = judged(incident("nervous, without a fob", 1, SEED, week), norms)
    assert outcome.alarms
    assert not any(KIND_OF[kind].hard for alarm in outcome.alarms for kind in alarm.kinds)


def test_the_same_seed_gives_the_same_passes_and_the_same_observations():
    first, again = list(passes(4, SEED)), list(passes(4, SEED))
    assert first == again
    camera = Camera(noise=measured_noise())
    one_by_one = [list(Observer(camera, episode.walks, episode.seed).all(0.0, 6.0)) for episode in (first[0], again[0])]
    assert one_by_one[0] == one_by_one[1]
    assert msgspec.json.encode(one_by_one[0]) != msgspec.json.encode(list(Observer(camera, first[0].walks, 99).all(0.0, 6.0)))


def test_passes_come_in_the_order_of_the_clock_at_all_hours_of_an_office():
    walls = [episode.wall for episode in passes(200, SEED)]
    assert walls == sorted(walls)
    assert sum(8 <= wall.hour < 19 for wall in walls) > 120


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "number"), [("tailgater", 3), ("stolen fob, glances, abrupt moves", 2)])
def test_an_incident_is_noticed_in_real_pictures(name: str, number: int, known: tuple):
    from tools.behaviour.filmed import Film, cast_of, chain_maker

    week, norms = known
    episode = cast_of(incident(name, number, SEED, week))
    film = Film(episode, chain_maker()())
    outcome = follow(episode, film.all(), Watcher(plan_of(View()), Norms.decode(norms)), film.face_of, 0.05)
    assert outcome.noticed(episode.must.kinds) is not None
