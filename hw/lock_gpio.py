"""The lock relay on a gpiozero output: pulses that end by themselves.

Fail-secure (strike): coil without power holds, with power lets go. Fail-safe (maglock): the other way round. Either way the safe state
is 'coil without power': what a power cut gives, and what start, stop and the crash helper leave behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from gpiozero import OutputDevice
from gpiozero.exc import GPIOZeroError

from agent.errors import HardwareError


class RelayLock:
    """Implements hw.interfaces.Lock. A thread of its own ends each pulse, so a busy door program cannot leave the lock released."""

    def __init__(
        self,
        output: OutputDevice,
        fail: Literal["secure", "safe"],
        on_fault: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output = output
        self._hold_powered = fail == "safe"
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

    def pulse(self, seconds: float) -> None:
        """Let go now. Raises HardwareError when the relay cannot be driven or the lock was closed."""
        with self._turn:
            if self._closed:
                raise HardwareError("the lock was closed: no further pulses")
            self._until_s = max(self._until_s, self._clock() + seconds)
            self._drive(released=True)
            self._turn.notify()

    def secure(self) -> None:
        """Hold now, whatever pulse was under way."""
        with self._turn:
            self._until_s = 0.0
            if not self._closed:
                self._drive(released=False)

    def close(self) -> None:
        """Take the power off the coil and give the pin back. A second call does nothing."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self._turn.notify()
            self._output.off()
            self._output.close()
        self._keeper.join(timeout=1.0)

    def _drive(self, released: bool) -> None:
        try:
            self._output.value = released != self._hold_powered
        except GPIOZeroError as error:
            raise HardwareError(f"lock relay on {self._output.pin}: {error}") from error
        self._released = released

    def _end_pulses(self) -> None:
        with self._turn:
            while not self._closed:
                left_s = self._until_s - self._clock() if self._released else None
                if left_s is not None and left_s <= 0:
                    self._end_pulse()
                    continue
                self._turn.wait(left_s)

    def _end_pulse(self) -> None:
        try:
            self._drive(released=False)
        except HardwareError as error:
            # The only way left to say so; the hardware one-shot of docs/HARDWARE.md ends the pulse in this case.
            self._released = False
            self._on_fault(str(error))
