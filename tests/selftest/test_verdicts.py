"""What wires and machines showed -> what is wrong: pure, and never a wrong accusation of a door that is well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.formats import FORMATS, formats_named
from agent.core.messages import CredentialRead, ReaderStatus, ReadFault
from agent.core.osdp_gate import Heard, explain
from agent.selftest.judge_inputs import INPUTS, InputSeen, judge_input
from agent.selftest.judge_lock import LockSeen, judge_lock
from agent.selftest.judge_machine import (
    AcceleratorSeen,
    BrokerSeen,
    CameraSeen,
    ClockSeen,
    judge_accelerator,
    judge_broker,
    judge_camera,
    judge_clock,
)
from agent.selftest.judge_news import judge_news
from agent.selftest.judge_second import ROLES, SecondSeen, judge_second
from agent.selftest.judge_wiegand import WiegandSeen, judge_wiegand
from agent.selftest.result import Judged

FOB = "00000000100010100101000110"
H10301 = formats_named(["H10301"])


def wires(*frames: str, **more: Any) -> WiegandSeen:
    return WiegandSeen(reader="front", d0_pin="17", d1_pin="27", frames=frames, **more)


def told(judged: Judged) -> str:
    assert len(judged.faults) == 1, judged
    fault = judged.faults[0]
    assert fault.what
    assert fault.mend
    return f"{fault.what} | {fault.likely} | {fault.mend}"


def turned(bits: str) -> str:
    return bits.translate(str.maketrans("01", "10"))


def valid(name: str, value: int) -> str:
    """A frame of a format whose parity holds: its parity bits are set until it does."""
    form = FORMATS[name]
    bits = list(f"{value % (1 << form.length):0{form.length}b}")
    for _ in range(4):
        for rule in form.parity:
            ones = sum(bits[i] == "1" for i in {rule.bit, *rule.covered})
            if ones % 2 != rule.odd:
                bits[rule.bit] = "0" if bits[rule.bit] == "1" else "1"
    return "".join(bits)


# -- Wiegand ---------------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**26 - 1))
def test_a_good_card_is_never_accused(value):
    bits = valid("H10301", value)
    assert judge_wiegand(wires(bits), H10301).faults == ()


@given(st.integers(0, 2**26 - 1))
def test_swapped_wires_are_always_told_as_swapped(value):
    """Each of the format's two parities covers thirteen bits, an odd number: turned over, both fail."""
    bits = turned(valid("H10301", value))
    words = told(judge_wiegand(wires(bits, bits), H10301))
    if set(bits) in ({"0"}, {"1"}):
        return
    assert "swapped" in words


@given(st.integers(0, 2**26 - 1))
def test_a_wire_that_is_off_is_always_told_by_its_name(value):
    bits = valid("H10301", value)
    for lost, wire in (("1", "D1 (white) at pin 27"), ("0", "D0 (green) at pin 17")):
        left = bits.replace(lost, "")
        if len(left) > 1:
            assert wire in told(judge_wiegand(wires(left, left), H10301))


def test_cards_of_another_known_format_are_named():
    bits = valid("W34", 0x123456789)
    words = told(judge_wiegand(wires(bits, bits), H10301))
    assert "the wires are right" in words
    assert 'formats = ["W34"]' in words


def test_cards_of_an_unknown_length_are_told_with_their_bits():
    bits = "10" * 20
    assert bits in told(judge_wiegand(wires(bits, bits), H10301))


def test_bits_that_get_lost_are_told_as_loose_and_not_as_a_format():
    assert "loose D0 or D1" in told(judge_wiegand(wires(FOB[:19], FOB[:23], FOB[:20]), H10301))


def test_a_frame_with_wrong_parity_either_way_is_noise():
    spoilt = FOB[:5] + turned(FOB[5]) + FOB[6:]
    assert "noise" in told(judge_wiegand(wires(spoilt, spoilt), H10301))


def test_a_reader_that_loses_one_read_of_three_is_not_called_well():
    assert "1 of 3 reads were spoilt" in told(judge_wiegand(wires(FOB, FOB[:20], FOB), H10301))


def test_keys_that_were_pressed_are_no_loose_wire():
    assert 'keypad = "4-bit"' in told(judge_wiegand(wires("0011", "1010"), H10301))
    assert judge_wiegand(wires("0011", FOB, has_keypad=True), H10301).faults == ()


# -- readers that frame for themselves ---------------------------------------------------------------------------------------------


def test_a_reader_that_does_not_answer_tells_its_own_guess():
    away = ReaderStatus(reader="front", online=False, at_s=1.0, detail="swap A and B")
    assert "swap A and B" in told(judge_news("front", "/dev/ttyUSB0", [away]))


def test_a_quiet_and_a_garbling_reader_are_told_apart():
    online = ReaderStatus(reader="front", online=True, at_s=1.0)
    garbled = ReadFault(reader="front", fault="framing", bits="", at_s=2.0)
    read = CredentialRead(reader="front", format="EM4100", facility=0, card=7, bits="", read_s=3.0)
    assert "is quiet" in told(judge_news("front", "/dev/ttyUSB0", [online]))
    assert "baud" in told(judge_news("front", "/dev/ttyUSB0", [online, garbled]))
    assert judge_news("front", "/dev/ttyUSB0", [online, garbled, read]).faults == ()


@pytest.mark.parametrize(
    "heard",
    [
        Heard(has_security=False),
        Heard(second_step=True, nak=6),
        Heard(first_step=True),
        Heard(nak=5),
        Heard(identified=True),
        Heard(addresses={5}),
        Heard(frames=1),
        Heard(data_bytes=7),
        Heard(),
    ],
)
def test_whatever_keeps_an_osdp_reader_away_has_a_likely_cause_and_a_mend_of_its_own(heard):
    device = "/dev/ttyUSB0"
    away = ReaderStatus(reader="front", online=False, at_s=1.0, detail=f"{device}: {explain(heard, 0, 9600)}")
    judged = judge_news("front", device, [away], osdp=True)
    assert told(judged)
    assert judged.faults[0].likely
    assert "ls -l" not in judged.faults[0].mend
    assert device not in judged.faults[0].likely


def test_an_open_case_and_failing_power_are_findings_although_cards_come():
    status = ReaderStatus(
        reader="front", online=True, at_s=1.0, tamper=True, secure=True, detail="model 7, its own power is failing"
    )
    read = CredentialRead(reader="front", format="H10301", facility=1, card=7, bits="", read_s=3.0)
    assert len(judge_news("front", "/dev/ttyUSB0", [status, read], osdp=True).faults) == 2


# -- a second relay ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@given(
    worked=st.sampled_from([True, False, None]),
    rested=st.sampled_from([True, False, None]),
    moved=st.sampled_from([True, False, None]),
)
def test_a_second_relay_is_accused_only_of_what_was_seen_to_go_wrong(role, worked, rested, moved):
    judged = judge_second(SecondSeen(role=role, pin="12", worked=worked, rested=rested, lock_moved=moved))
    if False in (worked, rested):
        assert told(judged)
        assert judged.faults[0].likely
    else:
        assert judged.status == ("unsure" if None in (worked, rested) else "ok")


# -- inputs and lock ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_is_well_when_it_goes_there_and_back(name):
    assert judge_input(InputSeen(name=name, place="pin 23", rest_active=False, edges=(True, False))).faults == ()


@pytest.mark.parametrize("name", INPUTS)
@given(
    rest=st.booleans(), edges=st.lists(st.booleans(), max_size=60), moved=st.lists(st.sampled_from(sorted(INPUTS)), max_size=2)
)
def test_whatever_an_input_does_somebody_can_act_on_it(name, rest, edges, moved):
    judged = judge_input(InputSeen(name=name, place="pin 23", rest_active=rest, edges=tuple(edges), moved=tuple(moved)))
    assert judged.status in ("ok", "fault")
    if judged.faults:
        told(judged)


@pytest.mark.parametrize(("loop", "word"), [("cut", "is cut"), ("shorted", "is shorted")])
def test_a_loop_with_resistors_says_itself_what_its_wire_has(loop, word):
    seen = InputSeen(name="contact", place="channel 3 of the converter", rest_active=True, loop=loop)
    assert word in told(judge_input(seen))
    assert "channel 3" in told(judge_input(seen))


def test_an_input_that_chatters_is_a_loose_wire():
    assert "loose wire" in told(
        judge_input(InputSeen(name="contact", place="pin 23", rest_active=False, edges=(True, False) * 30))
    )


def lock(**seen: Any) -> Judged:
    return judge_lock(
        LockSeen(
            kind="strike",
            **{"fail": "secure", "relay_pin": "22", "held_before": True, "opened": True, "held_after": True, **seen},
        )
    )


def test_a_lock_that_does_the_opposite_is_told_to_be_turned_round():
    assert "wrong way round" in told(lock(held_before=False, opened=False))


def test_a_lock_that_nobody_watched_is_not_called_well():
    assert lock(held_before=None, opened=None, held_after=None).status == "unsure"


@given(st.sampled_from(["secure", "safe"]), *(st.none() | st.booleans() for _ in range(3)), st.booleans())
def test_only_a_lock_that_held_opened_and_held_is_well(fail, before, opened, after, shut):
    judged = lock(fail=fail, held_before=before, opened=opened, held_after=after, shut=shut)
    assert (judged.status == "ok") == (before is opened is after is True and shut)


# -- machine -----------------------------------------------------------------------------------------------------------------------

CAMERA = CameraSeen(
    camera="/dev/video0", frames=45, seconds=3.0, width_px=640, height_px=480, wanted_px=(640, 480), wanted_rate=15.0,
    mean=120.0, deviation=50.0, sharpness=200.0,
)  # fmt: skip


def camera(**seen: Any) -> Judged:
    return judge_camera(CameraSeen(**{**{name: getattr(CAMERA, name) for name in CAMERA.__struct_fields__}, **seen}))


def test_a_camera_that_is_well_says_its_figures():
    assert camera().faults == ()
    assert camera().measured["rate"] == "15.0 frames/s"


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        ({"mean": 8.0}, "too dark"),
        ({"mean": 250.0}, "too bright"),
        ({"deviation": 2.0}, "lens cap"),
        ({"sharpness": 3.0}, "blurred"),
        ({"alive": False}, "hangs"),
        ({"width_px": 320, "height_px": 240}, "320x240"),
        ({"frames": 6}, "2.0 frames a second"),
        ({"frames": 0}, "gives no picture"),
    ],
)
def test_what_keeps_faces_from_being_found_is_named(seen, word):
    assert word in told(camera(**seen))


def test_an_edge_tpu_that_is_plugged_in_and_idle_is_a_finding():
    cpu = {"wanted": "auto", "running": "litert", "described": "litert 2.3 cpu x1", "embed_ms": 20.0}
    assert judge_accelerator(AcceleratorSeen(**cpu)).faults == ()
    assert "libedgetpu" in told(judge_accelerator(AcceleratorSeen(**cpu, usb="1a6e:089a")))
    assert "runs instead" in told(judge_accelerator(AcceleratorSeen(**cpu, usb="1a6e:089a", library=True)))
    assert "no Edge TPU" in told(judge_accelerator(AcceleratorSeen(wanted="edgetpu", error="cannot be had")))


@pytest.mark.parametrize("failed_at", ["name", "tcp", "tls", "mqtt", "rights"])
def test_a_broker_is_told_by_how_far_the_door_came(failed_at):
    seen = BrokerSeen(host="broker", port=8883, tls=True, user="front", failed_at=failed_at, error="refused")
    assert "broker:8883: refused" in told(judge_broker(seen))


def test_a_certificate_that_ends_soon_is_told_before_it_does():
    seen = BrokerSeen(host="broker", port=8883, tls=True, user="", expires_in_days=9.0)
    assert "ends in 9 days" in told(judge_broker(seen))


def test_a_clock_of_another_year_is_told_before_anything_else():
    assert "the clock says 1970" in told(judge_clock(ClockSeen(synchronised=False, error_s=None, year=1970, battery=False)))
    assert judge_clock(ClockSeen(synchronised=True, error_s=0.01, year=2026, battery=True)).faults == ()
    assert judge_clock(ClockSeen(synchronised=None, error_s=None, year=2026, battery=True)).unsure
