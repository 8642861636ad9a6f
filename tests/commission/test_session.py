"""What a commissioning remembers: whatever is cut off, repeated or moved, nothing is called done that is not."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.commission.handover import unnumbered
from agent.commission.session import (
    LAST,
    SPOILS,
    STEPS,
    Done,
    Session,
    begun,
    chosen,
    complete,
    ended,
    findings,
    left_out,
    untested,
    upcoming,
    with_result,
)
from agent.commission.session_file import SessionFile
from agent.config import Config, parse_config
from agent.errors import ConfigError
from agent.selftest.names import NAMES
from agent.selftest.result import Fault, Result, Status

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
STATUSES: tuple[Status, ...] = ("ok", "fault", "unsure", "skipped", "absent")


def fresh() -> Session:
    return Session(site="hq", door="front", began_at=NOON)


def did(session: Session, *steps: str, status: Status = "ok") -> Session:
    for step in steps:
        session = ended(begun(session, step), step, Done(status=status, at=NOON))
    return session


def result(step: str, status: Status = "ok", said: str = "") -> Result:
    return Result(step=step, title=step, status=status, said=said)


def all_tested(session: Session) -> Session:
    for name in NAMES:
        session = with_result(session, result(name))
    return session


def config_of(folder: Path, door: str = "front") -> Config:
    return parse_config({"site": "hq", "door": door, "records": {"folder": str(folder)}})


# -- the way through -------------------------------------------------------------------------------------------------------------


def test_an_installer_walks_from_the_first_step_to_the_report():
    session, walked = fresh(), []
    while step := upcoming(session):
        walked.append(step)
        session = did(session, step)
    assert walked == list(STEPS)


def test_whoever_aims_the_camera_anew_marks_the_floor_and_learns_the_view_again():
    session = did(did(fresh(), *STEPS), "aim")
    assert [step for step in STEPS if session.done[step].doubt] == ["floor", "scene", "report"]
    assert upcoming(session) == "floor"


def test_a_step_that_is_mended_later_makes_the_report_old():
    session = did(did(fresh(), *STEPS), "pair")
    assert upcoming(session) == LAST


def test_one_wire_that_is_tested_again_makes_the_report_old_too():
    session = with_result(all_tested(did(fresh(), *STEPS)), result("lock"))
    assert upcoming(session) == LAST


def test_all_is_well_only_when_every_wire_was_tested():
    session = did(all_tested(fresh()), *STEPS)
    assert complete(session)
    assert not complete(did(fresh(), *STEPS)), "no wire was tested"
    assert not complete(with_result(session, result("fire", "skipped")))


def test_a_fault_that_is_mended_is_a_finding_no_more():
    session = with_result(fresh(), Result(step="rex", title="Exit button", status="fault", faults=(Fault(what="nothing came"),)))
    assert findings(session) == findings(did(session, "test", status="fault")) == 1
    assert findings(with_result(session, Result(step="rex", title="Exit button", status="ok"))) == 0


def test_what_nobody_did_is_named():
    session = did(did(fresh(), "who", "pair", "osdp", "aim", "floor", "scene", "doctor"), "pair", status="skipped")
    words = left_out(with_result(session, result("fire", "skipped")))
    assert words[:2] == ("Pairing with the centre", "Testing every wire")
    assert "fire" in words


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(STATUSES), st.booleans()), max_size=30))
def test_whatever_is_done_cut_off_and_repeated_the_next_step_is_the_first_that_does_not_count(walked):
    session = fresh()
    for step, status, cut_off in walked:
        session = begun(session, step)
        if cut_off:
            assert session.running == step
            continue
        session = ended(session, step, Done(status=status, at=NOON))
        assert not session.done[step].doubt
        assert all(session.done[spoilt].doubt for spoilt in SPOILS.get(step, ()) if spoilt in session.done)
    counts = [step for step in STEPS if step in session.done and not session.done[step].doubt]
    left = upcoming(session)
    assert left not in counts
    assert STEPS[: STEPS.index(left)] == tuple(counts[: STEPS.index(left)]) if left else counts == list(STEPS)
    assert msgspec.json.decode(msgspec.json.encode(session), type=Session) == session


# -- on disk ---------------------------------------------------------------------------------------------------------------------


def test_a_session_is_found_again_as_it_was_left(tmp_path):
    store = SessionFile(config_of(tmp_path))
    assert store.load() is None
    session = did(all_tested(store.begin(NOON)), "who", "aim")
    store.save(session)
    assert store.load() == session
    assert store.path.stat().st_mode & 0o077 == 0


def test_another_doors_session_is_refused(tmp_path):
    SessionFile(config_of(tmp_path)).begin(NOON)
    with pytest.raises(ConfigError, match="hq/front, not of hq/back"):
        SessionFile(config_of(tmp_path, "back")).load()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format":1}', b"\xff\xfe", b'{"site":"hq","door":"front","secret":1}'])
def test_a_damaged_session_says_how_to_begin_anew(tmp_path, damage):
    store = SessionFile(config_of(tmp_path))
    store.begin(NOON)
    store.path.write_bytes(damage)
    with pytest.raises(ConfigError, match="--fresh"):
        store.load()


def test_a_new_session_forgets_the_pictures_of_the_last_one(tmp_path):
    store = SessionFile(config_of(tmp_path))
    store.begin(NOON)
    store.write("camera.jpg", b"picture")
    store.begin(NOON)
    assert store.picture("camera.jpg") == b""


# -- what is chosen, what is not kept ---------------------------------------------------------------------------------------------


def test_only_takes_steps_and_single_wires():
    assert chosen("") == ((), frozenset())
    assert chosen("aim, who") == (("who", "aim"), frozenset())
    assert chosen("lock,rex,report") == (("test", "report"), frozenset({"lock", "rex"}))
    assert chosen("test,lock") == (("test",), frozenset())
    with pytest.raises(ConfigError, match="steps are who, pair"):
        chosen("locks")


def test_untested_wires_are_those_without_a_result():
    assert untested(with_result(fresh(), result("reader"))) == NAMES[1:]


@pytest.mark.parametrize(
    "told",
    ["H10301, card 1:5283", "raw, card None:123456789; its case is closed", "sends 26 bits each time: 00000000100010100101000110",
     "`doorward decode wiegand 00000000100010100101000110` names them", "card 04A22B3C99"],
)  # fmt: skip
def test_the_number_of_the_fob_that_was_tried_is_not_kept(told):
    kept = unnumbered(Result(step="reader", title="Reader", status="ok", said=told, faults=(Fault(what=told, mend=told),)))
    for words in (kept.said, kept.faults[0].what, kept.faults[0].mend):
        assert not any(number in words for number in ("5283", "123456789", "00000000100010100101000110", "04A22B3C99"))
