"""Brief changes of a face on their way to the door: told where vision makes them, of no weight, and nowhere else."""

from __future__ import annotations

from msgspec.structs import replace

from agent.core.evidence import KINDS
from agent.core.messages import BriefChanges
from tests.behaviour.test_watch import a_face, a_watcher, frame, last

BRIEF = BriefChanges(count=3, low=0.8, high=7.8, over_s=12.0, frames_per_s=15.0, shortest_s=0.2)


def kinds(brief: BriefChanges | None) -> dict[str, float]:
    """What is told of somebody who stands before the door."""
    seen = (frame(number / 15, replace(a_face(1.0), brief_changes=brief)) for number in range(60))
    conduct = last(a_watcher(emotional=True), seen)
    return {told.kind: told.value for person in conduct.persons for told in person.evidence}


def test_they_are_told_where_vision_makes_them():
    assert kinds(BRIEF)["micro_expressions"] == 3


def test_nothing_is_told_of_them_where_vision_makes_none():
    assert "micro_expressions" not in kinds(None)


def test_nothing_is_told_of_them_below_the_least_frame_rate():
    assert "micro_expressions" not in kinds(replace(BRIEF, count=0, over_s=0.0, abstained="frame_rate"))


def test_they_weigh_nothing():
    assert KINDS["micro_expressions"].weight == 0
    assert KINDS["micro_expressions"].emotional
    assert not KINDS["micro_expressions"].hard
