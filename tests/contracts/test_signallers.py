"""What everything that tells the person at a door something promises: it never waits, never raises, shows the newest, and ends dark."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import smbus2
from gpiozero.pins.mock import MockFactory, MockPWMPin
from msgspec.structs import replace

from agent.core.feedback import TABLE, TEXTS, FeedbackRules, Meaning, Signal, signal_for
from agent.errors import HardwareError
from hw.pins_sim import SimFactory
from hw.rig import Rig
from hw.signal_display import CharacterDisplay, fit
from hw.signal_gpio import GpioSignaller, lamps_for, open_lamps
from hw.signal_sim import Hd44780, SimDisplay, read_sim_display
from hw.signals import Signals
from tests.contracts.conftest import eventually

RED, GREEN, AMBER, BLUE, BUZZER = 5, 6, 12, 13, 16
LAMPS = {"red": RED, "green": GREEN, "amber": AMBER, "blue": BLUE}
AT_ONCE_S = 0.05
"""Far more than any of them needs and far less than anybody waits for a door."""


def signal(meaning: Meaning) -> Signal:
    return replace(TABLE[meaning], text=TEXTS["en"][meaning], lasts_s=None)


STEADY, DARK = signal(Meaning.GRANTED), replace(signal(Meaning.READY), colour="off")


class Stand(Protocol):
    """A signaller, and what a person in front of it would see."""

    signaller: Any

    def sees(self, shown: Signal) -> bool:
        """Whether this signal is what stands there now (for lamps: a steady light of its colour)."""
        ...

    def sees_nothing(self) -> bool: ...

    def breaks(self) -> None:
        """The device fails from now on."""
        ...

    def close(self) -> None: ...


class MockStand:
    """Lamps and a buzzer on gpiozero's mock pins."""

    def __init__(self) -> None:
        self.factory = MockFactory()
        self.signaller = open_lamps("feedback", LAMPS, BUZZER, self.factory)

    def _lit(self) -> set[str]:
        return {colour for colour, pin in LAMPS.items() if self.factory.pin(pin).state}

    def sees(self, shown: Signal) -> bool:
        return self._lit() == {shown.colour}

    def sees_nothing(self) -> bool:
        return not self._lit() and not self.factory.pin(BUZZER).state

    def breaks(self) -> None:
        for pin in (*LAMPS.values(), BUZZER):
            self.factory.pin(pin)._set_state = _fail

    def close(self) -> None:
        self.signaller.close()
        self.factory.close()


class RigStand:
    """Lamps on simulated pins, seen at the rig; low switches on, as some boards have it."""

    def __init__(self, folder: Path) -> None:
        path = str(folder / "rig.sock")
        self.rig = Rig(path, {})
        self.factory = SimFactory(path)
        self.signaller = open_lamps("feedback", LAMPS, BUZZER, self.factory, active_high=False)

    def _is_on(self, pin: int) -> bool:
        return self.rig.level(pin) is False

    def sees(self, shown: Signal) -> bool:
        return {colour for colour, pin in LAMPS.items() if self._is_on(pin)} == {shown.colour}

    def sees_nothing(self) -> bool:
        return not any(self._is_on(pin) for pin in (*LAMPS.values(), BUZZER))

    def breaks(self) -> None:
        for pin in (*LAMPS.values(), BUZZER):
            self.factory.pin(pin)._set_state = _fail

    def close(self) -> None:
        self.signaller.close()
        self.factory.close()
        self.rig.close()


class ReaderStand(MockStand):
    """The LED and beeper lines of a Wiegand reader: green, and nothing else."""

    def __init__(self) -> None:
        self.factory = MockFactory()
        self.signaller = open_lamps("reader front", {"green": GREEN}, BUZZER, self.factory)

    def _lit(self) -> set[str]:
        return {"green"} if self.factory.pin(GREEN).state else set()

    def breaks(self) -> None:
        self.factory.pin(GREEN)._set_state = _fail


class DisplayStand:
    """RPLCD as it is, on a bus whose far end is a model of the display's chips."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chip = Hd44780()
        monkeypatch.setattr(smbus2, "SMBus", lambda bus: self.chip)
        monkeypatch.setattr("RPLCD.i2c.SMBus", lambda bus: self.chip)
        self.signaller = CharacterDisplay(1, 0x27)

    def text(self) -> list[str]:
        return [self.chip.line(number).decode("latin-1") for number in (0, 1)]

    def sees(self, shown: Signal) -> bool:
        return self.chip.on and self.chip.lit and self.text() == fit(shown.text, "A00")

    def sees_nothing(self) -> bool:
        return not self.chip.lit and self.text() == [" " * 16] * 2

    def breaks(self) -> None:
        self.chip.present = False

    def close(self) -> None:
        self.signaller.close()


class SimStand:
    """The simulated display."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "display.json"
        self.signaller = SimDisplay(str(self.path))

    def sees(self, shown: Signal) -> bool:
        return read_sim_display(self.path) == shown

    def sees_nothing(self) -> bool:
        return read_sim_display(self.path) is None

    def breaks(self) -> None:
        self.signaller._path = self.path.parent / "gone" / "display.json"

    def close(self) -> None:
        self.signaller.close()


class AllStand:
    """Lamps and a display together, as the door has them."""

    def __init__(self, folder: Path) -> None:
        self.parts = [MockStand(), SimStand(folder)]
        self.faults: list[str] = []
        self.signaller = Signals({"lamps": self.parts[0].signaller, "display": self.parts[1].signaller}, DARK, self.faults.append)

    def sees(self, shown: Signal) -> bool:
        return all(part.sees(shown) for part in self.parts)

    def sees_nothing(self) -> bool:
        return all(part.sees_nothing() for part in self.parts)

    def breaks(self) -> None:
        for part in self.parts:
            part.breaks()

    def close(self) -> None:
        self.signaller.close()


def _fail(*_: Any) -> None:
    raise OSError("the pin is gone")


@pytest.fixture(params=["lamps", "lamps, active low", "reader lines", "display", "simulated display", "all together"])
def stand(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    made: dict[str, Callable[[], Stand]] = {
        "lamps": MockStand, "lamps, active low": lambda: RigStand(tmp_path), "reader lines": ReaderStand,
        "display": lambda: DisplayStand(monkeypatch), "simulated display": lambda: SimStand(tmp_path),
        "all together": lambda: AllStand(tmp_path),
    }  # fmt: skip
    fitted = made[request.param]()
    yield fitted
    fitted.close()


def shown_at_once(stand: Stand, shown: Signal) -> None:
    began_s = time.monotonic()
    stand.signaller.show(shown)
    assert time.monotonic() - began_s < AT_ONCE_S


# -- every one of them -----------------------------------------------------------------------------------------------------------


def test_it_shows_what_it_is_told_and_does_not_keep_the_door_waiting(stand):
    shown_at_once(stand, STEADY)
    assert eventually(lambda: stand.sees(STEADY))


def test_the_newest_of_many_is_what_stands(stand):
    for meaning in Meaning:
        shown_at_once(stand, signal(meaning))
    shown_at_once(stand, STEADY)
    assert eventually(lambda: stand.sees(STEADY))
    time.sleep(0.1)
    assert stand.sees(STEADY)


def test_a_device_that_fails_is_no_business_of_the_door(stand):
    shown_at_once(stand, signal(Meaning.DENIED))
    stand.breaks()
    for meaning in Meaning:
        shown_at_once(stand, signal(meaning))
    time.sleep(0.05)


def test_it_ends_dark_and_silent(stand):
    shown_at_once(stand, STEADY)
    assert eventually(lambda: stand.sees(STEADY))
    stand.signaller.close()
    assert eventually(stand.sees_nothing)


def test_what_is_shown_after_its_end_harms_nobody(stand):
    stand.signaller.close()
    shown_at_once(stand, STEADY)
    assert stand.sees_nothing()


# -- lamps -----------------------------------------------------------------------------------------------------------------------


def test_a_rhythm_is_played_in_time():
    """Half a second on, half off: 30 changes, none more than 50 ms late on average; each by its own time, so that none adds up."""
    clock = [0.0]
    levels: list[tuple[float, bool]] = []

    class Lamp:
        def on(self) -> None:
            levels.append((clock[0], True))

        def off(self) -> None:
            levels.append((clock[0], False))

        def close(self) -> None: ...

    player = GpioSignaller({"blue": Lamp()}, None, lambda: clock[0])
    player.show(signal(Meaning.LOOK_AT_CAMERA))
    assert eventually(lambda: bool(levels))
    for step in range(300):
        clock[0] = step * 0.01
        with player._turn:
            player._step()
    player.close()
    changes = [at_s for at_s, _ in levels[:6]]
    assert changes == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5], abs=0.011)


def test_on_a_real_clock_a_rhythm_neither_drifts_nor_stutters(tmp_path):
    rig = Rig(str(tmp_path / "rig.sock"), {})
    factory = SimFactory(str(tmp_path / "rig.sock"))
    lamps = open_lamps("feedback", LAMPS, BUZZER, factory)
    lamps.show(signal(Meaning.DENIED))
    assert rig.wait_for(lambda outputs: sum(o.pin == RED for o in outputs) > 10, 10.0)
    changes = [o.at_s for o in rig.outputs if o.pin == RED and o.high is not None][1:]
    lamps.close()
    factory.close()
    rig.close()
    late_s = [(at_s - changes[0]) - round((at_s - changes[0]) / 0.17) * 0.17 for at_s in changes]
    assert sorted(late_s)[len(late_s) // 2] < 0.05


@pytest.mark.parametrize(
    ("colour", "present", "lit"),
    [
        ("amber", {"red", "green"}, {"red", "green"}),
        ("blue", {"red", "green"}, {"red", "green"}),
        ("blue", {"red"}, {"red"}),
        ("green", {"amber"}, {"amber"}),
        ("red", {"green"}, set()),
        ("amber", {"green"}, set()),
        ("off", {"red", "green", "amber", "blue"}, set()),
    ],
)
def test_a_colour_that_is_not_there_is_stood_in_for_but_never_by_green_alone(colour, present, lit):
    assert set(lamps_for(colour, frozenset(present))) == lit


def test_a_bare_piezo_is_as_loud_as_the_site_wants_it():
    factory = MockFactory(pin_class=MockPWMPin)
    loud = open_lamps("feedback", {}, BUZZER, factory, passive=True, volume=0.5)
    loud.show(signal(Meaning.GRANTED))
    assert eventually(lambda: abs(factory.pin(BUZZER).state - 1 / 6) < 1e-6), "sin(pi/6) is a half"
    assert factory.pin(BUZZER).frequency == 2700
    loud.close()
    assert not factory.pin(BUZZER).state


def test_a_pin_that_is_not_there_is_named():
    with pytest.raises(HardwareError, match="feedback: amber lamp: pin 99"):
        open_lamps("feedback", {**LAMPS, "amber": 99}, "none", MockFactory())


def test_a_door_without_lamps_has_no_player():
    assert open_lamps("feedback", {"red": "none"}, "none", MockFactory()) is None


# -- display ---------------------------------------------------------------------------------------------------------------------


def test_a_display_that_was_unplugged_is_set_up_again(monkeypatch, caplog):
    monkeypatch.setattr("hw.signal_display.RETRY_S", 0.05)
    stand = DisplayStand(monkeypatch)
    stand.signaller.show(STEADY)
    assert eventually(lambda: stand.sees(STEADY))
    stand.breaks()
    stand.signaller.show(signal(Meaning.DENIED))
    assert eventually(lambda: "display fault" in caplog.text)
    stand.chip.power_cut()
    assert eventually(lambda: stand.sees(signal(Meaning.DENIED)))
    stand.close()


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize(("charset", "table"), [("A00", "a00"), ("A02", "a02")])
def test_every_text_is_spelt_with_letters_that_the_display_has(language, charset, table):
    module = pytest.importorskip(f"RPLCD.codecs.hd44780_{table}")
    for meaning in Meaning:
        for line in fit(signal_for(meaning, FeedbackRules(language=language), _noon()).text, charset):
            assert len(line) == 16
            assert all(letter in module.encoding_table for letter in line), line


def _noon() -> Any:
    from datetime import datetime

    return datetime(2026, 11, 23, 12, 0)


# -- all together ----------------------------------------------------------------------------------------------------------------


class Hanging:
    """A part whose device never answers."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def show(self, signal: Signal) -> None:
        self.released.wait(10.0)

    def close(self) -> None:
        self.released.set()


class Noting:
    def __init__(self) -> None:
        self.shown: list[Meaning] = []

    def show(self, signal: Signal) -> None:
        self.shown.append(signal.meaning)

    def close(self) -> None: ...


class Raising(Noting):
    def show(self, signal: Signal) -> None:
        raise RuntimeError("no such thing")


def test_a_part_that_hangs_or_fails_keeps_the_others_from_nothing():
    faults: list[str] = []
    healthy, hanging = Noting(), Hanging()
    signals = Signals({"hanging": hanging, "broken": Raising(), "healthy": healthy}, TABLE[Meaning.READY], faults.append)
    began_s = time.monotonic()
    for _ in range(3):
        signals.show(TABLE[Meaning.GRANTED])
    assert time.monotonic() - began_s < AT_ONCE_S
    assert eventually(lambda: healthy.shown[-1:] == [Meaning.GRANTED])
    assert eventually(lambda: faults == ["broken: RuntimeError: no such thing"]), "told once"
    hanging.released.set()
    signals.close()


def test_a_door_goes_back_to_rest_by_itself():
    noting = Noting()
    signals = Signals({"noting": noting}, TABLE[Meaning.READY], lambda text: None)
    signals.show(replace(TABLE[Meaning.DENIED], lasts_s=0.05))
    assert eventually(lambda: noting.shown[-2:] == [Meaning.DENIED, Meaning.READY])
    signals.rest(TABLE[Meaning.OUT_OF_ORDER])
    assert eventually(lambda: noting.shown[-1] is Meaning.OUT_OF_ORDER)
    signals.close()
