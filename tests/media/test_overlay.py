"""What is drawn over the picture for the guard."""

from __future__ import annotations

from agent.core.conduct import Conduct, Evidence, PersonConduct, Usual
from agent.core.live import BodyBox, Sight
from agent.media.focus import WHOLE
from agent.media.overlay import overlay
from agent.media.veil import Subject

USUAL = Usual(median=0.0, low=0.0, high=2.0, visits=300.0, of="door")


def lines(*evidence: Evidence) -> list[str]:
    """What stands before the picture of somebody of whom this was measured."""
    person = PersonConduct(body=1, face=None, since_s=0.0, evidence=evidence)
    sight = Sight(taken_s=9.0, frame_px=(640, 480), faces=(), bodies=(BodyBox(track=1, box_px=(10, 10, 90, 300), face=None),),
                  conduct=Conduct(at_s=9.0, persons=(person,)))  # fmt: skip
    found: list[str] = overlay(sight, WHOLE, Subject(body=1), False)["persons"][0]["items"]
    return found


def test_only_what_is_odd_stands_before_the_picture_and_the_oddest_first() -> None:
    told = lines(
        Evidence(kind="glances", value=0.0, over_s=30.0, usual=USUAL, p=0.8), Evidence(kind="turned_back", value=2.0, usual=USUAL, p=0.03),
        Evidence(kind="pacing", value=5.0, over_s=13.0, usual=USUAL, p=0.001),
    )  # fmt: skip
    assert [each.split()[0] for each in told] == ["paced", "turned"]


def test_three_lines_leave_the_picture_to_be_seen() -> None:
    kinds = ("glances", "turned_back", "pacing", "came_again", "running")
    assert len(lines(*(Evidence(kind=kind, value=9.0, over_s=30.0, usual=USUAL, p=0.001) for kind in kinds))) == 3
