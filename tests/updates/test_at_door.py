"""New settings at a door: taken when nobody is there, and never under somebody's hands."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from agent.core.feedback import FeedbackRules
from agent.core.messages import ShadowSeen
from agent.core.pins import PinRules
from agent.core.risk_policy import RiskPolicy
from agent.enrol_desk import EnrolRules
from agent.updates.at_door import LONGEST_WAIT_S, NewSettings, Settings
from agent.updates.tally import ShadowTally
from tests.core.people import MODEL, OWNER, STRANGER
from tests.door_under_test import DOOR_RULES, OWNER_FOB, POLICY, START, DoorUnderTest, rules


def settings(**changes: object) -> Settings:
    return Settings(policy=replace(POLICY, **changes), rules=DOOR_RULES, risk=RiskPolicy(), feedback=FeedbackRules(), pins=PinRules(),
                    enrol=EnrolRules(allowed=True, liveness="off", embedder_id=MODEL))  # fmt: skip


def offered(door: DoorUnderTest, new: Settings) -> list[str]:
    taken: list[str] = []
    door.inbox.put(NewSettings(new, lambda: taken.append("taken")))
    door.after(0.1)
    return taken


def test_settings_count_at_once_where_nobody_is(tmp_path: Path):
    door = DoorUnderTest(tmp_path)
    assert offered(door, settings(without_template="fob_alone", without_vision="fob_alone")) == ["taken"]
    door.read(OWNER_FOB)
    door.after(1.0)
    assert door.kinds("access.") == ["access.granted"]


def test_they_wait_while_somebody_waits_for_an_answer(tmp_path: Path):
    door = DoorUnderTest(tmp_path)
    door.read(OWNER_FOB)
    taken = offered(door, settings(without_vision="fob_alone"))
    assert taken == []
    door.after(1.0)
    assert door.kinds("access.") == ["access.denied"]  # by the rules by which they came
    door.after(0.1)
    assert taken == ["taken"]


def test_a_door_that_always_stands_open_takes_them_after_a_while(tmp_path: Path):
    door = DoorUnderTest(tmp_path)
    door.press("contact", True)
    door.after(0.1)
    taken = offered(door, settings())
    assert taken == []
    door.after(LONGEST_WAIT_S)
    assert taken == ["taken"]


# -- models beside those in force ---------------------------------------------------------------------------------------------------


def tally(tmp_path: Path, pictures: list[tuple[bytes, bytes]]) -> ShadowTally:
    counted = ShadowTally(tmp_path / "compared.json")
    counted.aim(7, 0.5, START)
    access = rules()
    for track, (before, after) in enumerate(pictures):
        counted.seen(ShadowSeen(at_s=10.0, number=7, track=track, before=before, after=after, before_ms=12.0, after_ms=13.0))
        counted.held_up(_access(access), track, MODEL, 0.5, 10.5)
    return counted


def _access(access: object) -> object:
    from agent.core.access import may_pass

    return may_pass(access, "H10301:1:5283", START)  # type: ignore[arg-type]


def test_fobs_are_counted_by_who_knew_their_owners(tmp_path: Path):
    counts = tally(tmp_path, [(OWNER, OWNER), (OWNER, STRANGER), (OWNER, b""), (STRANGER, OWNER), (STRANGER, STRANGER)]).counts
    assert counts is not None
    assert (counts.both, counts.only_before, counts.only_after, counts.neither) == (1, 2, 1, 1)
    assert (counts.pictures, counts.lost, counts.before_ms, counts.after_ms) == (5, 1, 60.0, 65.0)


def test_what_is_kept_is_counts_and_nothing_of_a_face(tmp_path: Path):
    counted = tally(tmp_path, [(OWNER, OWNER)] * 3)
    counted.save()
    kept = (tmp_path / "compared.json").read_bytes()
    assert OWNER[:16] not in kept
    assert len(kept) < 400
    again = ShadowTally(tmp_path / "compared.json")
    again.aim(7, 0.5, START)
    assert again.counts == counted.counts
    again.aim(8, 0.5, START)
    assert again.counts is not None
    assert again.counts.both == 0
    again.aim(0, 1.0, START)
    assert again.counts is None


def test_a_picture_that_is_old_of_other_models_or_of_another_network_counts_for_nobody(tmp_path: Path):
    counted = tally(tmp_path, [])
    counted.seen(ShadowSeen(at_s=10.0, number=6, track=1, before=OWNER, after=OWNER, before_ms=1, after_ms=1))
    counted.seen(ShadowSeen(at_s=10.0, number=7, track=2, before=OWNER, after=OWNER, before_ms=1, after_ms=1))
    counted.held_up(_access(rules()), 2, "another", 0.5, 10.1)  # type: ignore[arg-type]
    counted.seen(ShadowSeen(at_s=10.0, number=7, track=3, before=OWNER, after=OWNER, before_ms=1, after_ms=1))
    counted.held_up(_access(rules()), 3, MODEL, 0.5, 20.0)  # type: ignore[arg-type]
    counts = counted.counts
    assert counts is not None
    assert (counts.pictures, counts.both) == (2, 0)
