"""Lamps and a buzzer on pins, and the LED and beeper lines of a Wiegand reader: rhythms played by a thread.

A reader's own lines rest at its 5 V and act when they are pulled to ground. A transistor does that (docs/FEEDBACK.md): a pin of the
controller would have 5 V on it. So a pin that is high switches a line on, as it does a lamp.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gpiozero import OutputDevice, PWMOutputDevice

from agent.core.feedback import MIN_STEP_S, Colour, Shown, Signal, shown_at
from agent.errors import HardwareError

log = logging.getLogger(__name__)

TONE_HZ = 2700
"""Where small piezo discs resonate and most ears still hear well."""

JOIN_S = 1.0

_SHOWN_BY: dict[Colour, tuple[tuple[Colour, ...], ...]] = {
    "green": (("green",), ("blue",), ("amber",), ("red",)),
    "red": (("red",), ("amber",), ("blue",)),
    "amber": (("amber",), ("red", "green"), ("blue",), ("red",)),
    "blue": (("blue",), ("amber",), ("red", "green"), ("red",)),
    "off": (),
}
"""What stands in for a colour that a door does not have. Green alone never stands in: whoever goes by colour takes it for 'come in'."""


class Output(Protocol):
    """A gpiozero output, or a tone."""

    def on(self) -> None: ...
    def off(self) -> None: ...
    def close(self) -> None: ...


def lamps_for(colour: Colour, present: frozenset[Colour]) -> tuple[Colour, ...]:
    """Which of the lamps that are there show a colour."""
    return next((lamps for lamps in _SHOWN_BY[colour] if present.issuperset(lamps)), ())


class GpioSignaller:
    """Implements hw.interfaces.Signaller on any outputs. Ends with everything off."""

    def __init__(
        self, lamps: Mapping[Colour, Output], buzzer: Output | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lamps, self._buzzer, self._clock = dict(lamps), buzzer, clock
        self._signal: Signal | None = None
        self._since_s = 0.0
        self._lit: frozenset[Colour] = frozenset()
        self._sounds = False
        self._faulty = False
        self._closed = False
        self._turn = threading.Condition()
        self._player = threading.Thread(target=self._play, name="signal-player", daemon=True)
        self._player.start()

    def show(self, signal: Signal) -> None:
        with self._turn:
            self._signal, self._since_s = signal, self._clock()
            self._turn.notify()

    def close(self) -> None:
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self._turn.notify()
        self._player.join(JOIN_S)
        for output in self._outputs():
            _end(output)

    def _outputs(self) -> list[Output]:
        return [*self._lamps.values(), *([self._buzzer] if self._buzzer is not None else [])]

    def _play(self) -> None:
        with self._turn:
            while not self._closed:
                self._turn.wait(self._step())

    def _step(self) -> float | None:
        """Put out what is due now; seconds until the next change. A pin that fails is tried again with that change."""
        if self._signal is None:
            return None
        shown = shown_at(self._signal, self._clock() - self._since_s)
        try:
            self._put_out(shown, lamps_for(self._signal.colour, frozenset(self._lamps)))
            self._faulty = False
        except Exception as error:  # noqa: BLE001 - gpiozero's back ends raise anything, and the rhythm must go on
            if not self._faulty:
                log.warning("signal pin fault=%s", error)
            self._faulty = True
        return None if shown.changes_in_s is None else max(MIN_STEP_S, shown.changes_in_s)

    def _put_out(self, shown: Shown, lamps: tuple[Colour, ...]) -> None:
        lit = frozenset(lamps) if shown.light else frozenset()
        for colour in self._lit - lit:
            self._lamps[colour].off()
        for colour in lit - self._lit:
            self._lamps[colour].on()
        self._lit = lit
        if self._buzzer is not None and shown.sound != self._sounds:
            (self._buzzer.on if shown.sound else self._buzzer.off)()
        self._sounds = shown.sound


def _end(output: Output) -> None:
    try:
        output.off()
        output.close()
    except Exception as error:  # noqa: BLE001 - the others must be switched off too
        log.warning("signal pin cannot be switched off error=%s", error)


class _Tone:
    """A bare piezo: a square wave whose duty makes it louder or softer."""

    def __init__(self, output: PWMOutputDevice, volume: float) -> None:
        # The fundamental of a square wave of duty d has the amplitude sin(pi d), which is highest at a half
        self._output, self._duty = output, math.asin(volume) / math.pi

    def on(self) -> None:
        self._output.value = self._duty

    def off(self) -> None:
        self._output.value = 0

    def close(self) -> None:
        self._output.close()


def open_lamps(
    key: str, lamps: Mapping[Colour, int | str], buzzer: int | str, factory: Any, *,
    active_high: bool = True, passive: bool = False, volume: float = 1.0,
) -> GpioSignaller | None:  # fmt: skip
    """Lamps and buzzer on gpiozero pins, dark and silent from their first level on; None when there are none ("none" everywhere).

    `key` names them in complaints. Raises HardwareError when a pin cannot be had.
    """
    opened: dict[Colour, Output] = {}
    try:
        for colour, pin in lamps.items():
            if pin != "none":
                opened[colour] = _open(f"{key}: {colour} lamp", pin, lambda pin: _plain(pin, active_high, factory))
        sound = None
        if buzzer != "none":
            sound = _open(f"{key}: buzzer", buzzer, lambda pin: _tone(pin, active_high, factory, volume) if passive
                          else _plain(pin, active_high, factory))  # fmt: skip
    except HardwareError:
        for output in opened.values():
            output.close()
        raise
    return GpioSignaller(opened, sound) if opened or sound is not None else None


def _plain(pin: int | str, active_high: bool, factory: Any) -> Output:
    output: Output = OutputDevice(pin, active_high=active_high, initial_value=False, pin_factory=factory)
    return output


def _tone(pin: int | str, active_high: bool, factory: Any, volume: float) -> Output:
    return _Tone(PWMOutputDevice(pin, active_high=active_high, frequency=TONE_HZ, pin_factory=factory), volume)


def _open(what: str, pin: int | str, make: Callable[[int | str], Output]) -> Output:
    try:
        return make(pin)
    except Exception as error:  # gpiozero's back ends raise errors of their own kinds
        raise HardwareError(
            f"{what}: pin {pin} cannot be driven: {error}; is it on this board, and does nobody else have it?"
        ) from error
