"""A door with everything on it, as one program: three kinds of readers, lamps and buzzer, the lock's own contact, an alarm relay.

All tests play at one door, in any order; each leaves it running, shut, held and with all its readers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from agent.core.door import OPENING_GRACE_S
from tests.system.brokers import wait_until
from tests.system.whole_door import (
    AMBER,
    BLUE,
    BUZZER,
    CONTACT,
    GREEN,
    KEY_FOB,
    PIN,
    RED,
    RELAY,
    REX,
    SECOND,
    UNKNOWN_FOB,
    WholeDoor,
)

pytestmark = pytest.mark.system

osdp_sys = pytest.importorskip("osdp_sys")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeDoor]:
    made = WholeDoor(tmp_path_factory.mktemp("door"))
    try:
        made.open()
        yield made
    finally:
        made.close()


def lit(door: WholeDoor, pin: int, since: int) -> bool:
    """Whether a lamp had power at some time after the first `since` changes of any output."""
    return door.rig.wait_for(lambda outputs: any(o.pin == pin and o.high for o in outputs[since:]), 5)


def wait_for_rest(door: WholeDoor) -> None:
    """What a test before this one brought about is over: nothing but the blue wink was on for a second."""

    def rests() -> bool:
        since_s = time.monotonic() - 1.0
        return not any(o.at_s > since_s for o in door.rig.outputs if o.pin in (RED, GREEN, AMBER, BUZZER))

    wait_until(rests, 10, "the lamps do not come to rest")


def force(door: WholeDoor) -> None:
    """Open a door that nobody may open now, and that nobody may still be opening: the alarm relay has power."""
    time.sleep(OPENING_GRACE_S + 0.1)
    door.rig.set(CONTACT, True)
    assert door.rig.wait_for(lambda outputs: door.rig.level(SECOND) is True, 5)


def test_a_fob_at_the_wiegand_reader_opens_and_green_lamp_and_buzzer_say_so(door: WholeDoor) -> None:
    wait_for_rest(door)
    before = len(door.rig.outputs)
    granted = door.opens(door.hold_out_wiegand)
    assert (granted["read"]["reader"], granted["cardholder"]) == ("front", "owner")
    assert granted["reasons"] == ["fob_alone_no_template"]
    assert lit(door, GREEN, before)
    assert lit(door, BUZZER, before)
    assert not any(o.pin == RED and o.high for o in door.rig.outputs[before:])


def test_a_tag_at_the_serial_reader_opens(door: WholeDoor) -> None:
    granted = door.opens(door.hold_out_tag)
    assert (granted["read"]["reader"], granted["read"]["format"], granted["cardholder"]) == ("serial", "EM4100", "owner")


def test_a_card_at_the_osdp_reader_leads_out_through_the_secure_channel_and_its_own_light_follows(door: WholeDoor) -> None:
    assert door.osdp.secure
    door.osdp.commands.clear()
    granted = door.opens(door.hold_out_osdp)
    assert (granted["read"]["reader"], granted["leaving"]) == ("inner", True)
    wait_until(
        lambda: any(led["on_color"] == osdp_sys.LED_COLOR_GREEN for led in door.osdp.seen(osdp_sys.CMD_LED)), 5, "no light"
    )


def test_an_unknown_fob_opens_nothing_and_the_red_lamp_says_so(door: WholeDoor) -> None:
    wait_for_rest(door)
    known, before = len(door.stored()), len(door.rig.outputs)
    door.hold_out_wiegand(UNKNOWN_FOB)
    assert door.wait_for("access.denied", known)["reasons"] == ["unknown_credential"]
    assert lit(door, RED, before)
    assert not any(o.pin == RELAY and o.high for o in door.rig.outputs[before:])


def test_a_pin_on_the_readers_keys_opens_and_stands_in_no_event(door: WholeDoor) -> None:
    wait_for_rest(door)
    known, before = len(door.stored()), len(door.rig.outputs)

    def fob_and_pin() -> None:
        door.hold_out_wiegand(KEY_FOB)
        assert lit(door, BLUE, before)
        assert lit(door, BUZZER, before), "please enter your PIN"
        time.sleep(0.2)
        door.type(PIN + "#")

    assert door.opens(fob_and_pin)["cardholder"] == "treasurer"
    assert not [data for kind, data in door.stored()[known:] if kind == "reader.fault"]
    for written in (str(door.stored()), str(door.sent), (door.folder / "door.log").read_text("utf-8")):
        assert PIN not in written


def test_the_exit_button_opens(door: WholeDoor) -> None:
    before = len(door.rig.outputs)
    door.rig.set(REX, False)
    assert door.rig.wait_for(lambda outputs: any(o.pin == RELAY and o.high for o in outputs[before:]), 5)
    door.rig.set(REX, True)
    door.rig.set(CONTACT, True)
    assert door.rig.wait_for(lambda outputs: door.rig.level(RELAY) is False, 5)
    door.rig.set(CONTACT, False)
    wait_until(lambda: door.state("contact") == "closed" and door.state("mode") == "Locked", 5, "the door is not shut")


def test_a_lock_that_follows_is_told_nothing_of_and_one_that_sticks_is(door: WholeDoor) -> None:
    known = len(door.stored())
    door.opens(door.hold_out_wiegand)
    assert not [kind for kind, _ in door.stored()[known:] if kind.startswith("lock.") and kind != "lock.secured"]
    door.bolt_sticks = True
    door.hold_out_wiegand()
    door.wait_for("lock.does_not_let_go", known)
    wait_until(lambda: door.state("lock") == "jammed", 5, "the broker does not hear of a jammed lock")
    door.bolt_sticks = False
    door.wait_for("lock.obeys_again", known)
    wait_until(lambda: door.state("lock") == "secured", 5, "the lock does not hold again")


def test_a_door_that_is_forced_switches_the_alarm_on_and_shutting_it_off_again(door: WholeDoor) -> None:
    known = len(door.stored())
    force(door)
    door.wait_for("door.forced", known)
    wait_until(lambda: door.state("alarm") == "forced", 5, "the broker does not hear of the alarm")
    door.rig.set(CONTACT, False)
    assert door.rig.wait_for(lambda outputs: door.rig.level(SECOND) is False, 5)
    assert door.wait_for("door.closed", known)["was_forced"]


def test_a_serial_reader_that_is_unplugged_is_told_and_works_again_once_it_is_back(door: WholeDoor) -> None:
    known = len(door.stored())
    door.tag_reader.unplug()
    assert door.wait_for("reader.status", known, reader="serial", online=False)["detail"]
    assert door.opens(door.hold_out_wiegand)["read"]["reader"] == "front", "the other readers go on"
    door.tag_reader.plug_in()
    door.wait_for_reader("serial", online=True)
    assert door.opens(door.hold_out_tag)["read"]["reader"] == "serial"


def test_an_osdp_reader_that_is_unplugged_is_told_and_works_again_once_it_is_back(door: WholeDoor) -> None:
    known = len(door.stored())
    door.osdp.unplug()
    door.wait_for("reader.status", known, reader="inner", online=False)
    wait_until(lambda: door.state("health")["readers"]["inner"]["online"] is False, 10, "health does not say so")
    door.osdp.plug_in()
    door.wait_for_reader("inner", online=True)
    assert door.opens(door.hold_out_osdp)["read"]["reader"] == "inner"


def test_a_door_program_that_is_killed_leaves_both_relays_without_power_and_comes_back(door: WholeDoor) -> None:
    """The dead man does it: nothing else runs after the program here."""
    force(door)
    before = len(door.rig.outputs)
    door.hold_out_wiegand()
    assert door.rig.wait_for(lambda outputs: any(o.pin == RELAY and o.high for o in outputs[before:]), 5)
    since = len(door.rig.outputs)
    door.door.kill()
    for pin in (RELAY, SECOND):
        assert door.rig.wait_for(lambda outputs, pin=pin: any(o.pin == pin and o.high is False for o in outputs[since:]), 5)
        assert not door.rig.level(pin)
    wait_until(lambda: door.heard.get("online") is False, 30, "the broker does not notice that the door is gone")
    door.rig.set(CONTACT, False)
    door.start_door()
    assert door.opens(door.hold_out_wiegand)["cardholder"] == "owner"


def test_every_event_is_at_the_historian_once_and_went_over_the_broker(door: WholeDoor) -> None:
    door.opens(door.hold_out_wiegand)
    assert door.gaps_and_conflicts() == []
    assert {f"doorward.{kind}" for kind in door.kinds()} <= {event["type"] for event in door.sent}


def test_a_door_that_ends_in_good_order_says_so(door: WholeDoor) -> None:
    known = len(door.stored())
    assert door.door.terminate() == 0
    door.wait_for("door.stopped", known)
    for pin in (RELAY, SECOND, GREEN, RED, BUZZER):
        assert not door.rig.level(pin)
    door.start_door()
