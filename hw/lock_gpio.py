"""The lock relay on a gpiozero output: pulses that end by themselves.

Fail-secure (strike): coil without power holds, with power lets go. Fail-safe (maglock): the other way round. Either way the safe state
is 'coil without power': what a power cut gives, and what start, stop and the crash helper leave behind.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from gpiozero import OutputDevice

from agent.errors import HardwareError

log = logging.getLogger(__name__)

MAX_PULSE_S = 60.0
"""The longest opening that a configuration allows."""

LATE_S = 2.0
"""A lock that has let go for so long beyond the end of its pulse is held by nobody."""

RETRY_S = 0.1
"""How soon a relay that did not let itself be driven is tried again."""


class RelayLock:
    """Implements hw.interfaces.Lock. A thread of its own ends each pulse, so a busy door program cannot leave the lock released."""

    def __init__(
        self,
        output: OutputDevice,
        fail: Literal["secure", "safe"],
        on_fault: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        one_shot: bool = False,
    ) -> None:
        """`one_shot`: a timer that starts anew with each edge stands between pin and relay (docs/HARDWARE.md)."""
        self._output = output
        self._hold_powered = fail == "safe"
        self._one_shot = one_shot
        self._on_fault = on_fault
        self._clock = clock
        self._until_s = 0.0
        self._released = False
        self._closed = False
        self._turn = threading.Condition()
        self._drive(released=False)
        self._keeper = threading.Thread(target=self._end_pulses, name="lock-keeper", daemon=True)
        self._keeper.start()

    @property
    def released(self) -> bool:
        return self._released

    def hung(self) -> str:
        """Whether a pulse does not end, or nobody is there to end one. Takes no lock: who ends pulses may hang with it."""
        if self._closed:
            return ""
        if self._released and self._clock() - self._until_s > LATE_S:
            return f"has let go for {self._clock() - self._until_s:.0f} s longer than it was asked to"
        return "" if self._keeper.is_alive() else "what ends its pulses has ended"

    def pulse(self, seconds: float) -> None:
        """Let go now. Raises HardwareError when the relay cannot be driven, the lock was closed or the time is not one for a pulse."""
        if not 0 < seconds <= MAX_PULSE_S:
            raise HardwareError(f"a pulse of {seconds} s: more than 0 and at most {MAX_PULSE_S} are allowed")
        with self._turn:
            if self._closed:
                raise HardwareError("the lock was closed: no further pulses")
            until_s = max(self._until_s, self._clock() + seconds)
            if self._one_shot and self._released:
                self._drive(
                    released=False
                )  # the next line's edge is what it starts anew with; no relay's coil notices microseconds
            self._drive(released=True)
            self._until_s = until_s
            self._turn.notify()

    def secure(self) -> None:
        """Hold now, whatever pulse was under way. Raises HardwareError when it cannot; the keeper goes on trying."""
        with self._turn:
            self._until_s = min(self._until_s, self._clock())
            if not self._closed:
                self._turn.notify()
                self._drive(released=False)

    def close(self) -> None:
        """Take the power off the coil and give the pin back; a second call does nothing. Never raises: others are waiting to be closed."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self._turn.notify()
            try:
                self._drive(released=self._hold_powered)
            except HardwareError as error:
                log.error("lock not made safe at close fault=%s", error)
            self._output.close()
        self._keeper.join(timeout=1.0)

    def _drive(self, released: bool) -> None:
        try:
            self._output.value = released != self._hold_powered
        except Exception as error:  # lgpio and others raise errors of their own kinds; none may end the keeper's thread
            raise HardwareError(f"lock relay on {self._output.pin}: {error}") from error
        self._released = released

    def _end_pulses(self) -> None:
        with self._turn:
            told = False
            while not self._closed:
                left_s = self._until_s - self._clock() if self._released else None
                if left_s is None or left_s > 0:
                    told = False
                    self._turn.wait(left_s)
                elif fault := self._end_pulse():
                    if not told:
                        self._on_fault(fault)
                    told = True
                    self._turn.wait(RETRY_S)

    def _end_pulse(self) -> str:
        """What went wrong. The hardware one-shot of docs/HARDWARE.md ends the pulse when this program cannot."""
        try:
            self._drive(released=False)
        except HardwareError as error:
            return str(error)
        return ""
