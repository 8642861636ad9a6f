"""Door inputs on loops with two resistors, read by an MCP3008 converter on SPI (agent.core.supervision says what a reading means).

The converter's reference and the loops' pull-ups hang on the same 3.3 V, so only the resistors count. It is asked so many times a second;
it has no edges.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from gpiozero import MCP3008

from agent.core.supervision import Loop, SupervisedInput
from agent.errors import HardwareError

log = logging.getLogger(__name__)

FULL_SCALE = 1023
"""Ten bits (Microchip DS21295)."""

BUTTONS = ("rex",)
"""Normally open, all other inputs are closed loops."""

LOOK_S = 0.05
"""So long `look` waits for the converter; a round of eight channels takes a millisecond. Whoever looks serves the exit button too."""

ReadShare = Callable[[], float]
OnChange = Callable[[str, bool, float], None]
OnFault = Callable[[str, str, float], None]


def open_adc(channels: Mapping[str, int], factory: Any, port: int = 0, device: int = 0) -> dict[str, MCP3008]:
    """A channel of the converter for each input. Raises HardwareError when SPI cannot be had."""
    opened: dict[str, MCP3008] = {}
    for name, channel in channels.items():
        try:
            opened[name] = MCP3008(channel=channel, port=port, device=device, pin_factory=factory)
        except Exception as error:  # gpiozero's back ends raise errors of their own kinds
            for other in opened.values():
                other.close()
            mend = "is SPI switched on (dtparam=spi=on in config.txt), and is this user in the group spi?"
            raise HardwareError(f"supervision.{name}_channel: spidev{port}.{device} cannot be read: {error}; {mend}") from error
    return opened


class AdcInputs:
    """Implements hw.interfaces.DoorInputs. `on_fault(name, what, at_s)` says "shorted" or "cut", and "" when the wire is sound again."""

    def __init__(
        self,
        channels: Mapping[str, MCP3008],
        loop: Loop,
        poll_s: float,
        on_fault: OnFault,
        clock: Callable[[], float] = time.monotonic,
        look_s: float = LOOK_S,
    ) -> None:
        self._channels = dict(channels)
        self._inputs = {name: SupervisedInput(loop, pressed_when_closed=name in BUTTONS) for name in channels}
        self._told: dict[str, bool] = {}
        self._poll_s, self._on_fault, self._clock, self._look_s = poll_s, on_fault, clock, look_s
        self._on_change: OnChange | None = None
        self._turn = threading.Lock()
        self._stopped = self._again = False
        self._wanted, self._looked = threading.Event(), threading.Event()
        self._poller = threading.Thread(target=self._poll, name="adc-inputs", daemon=True)
        self._unanswered = False
        self._in_time = True

    def start(self, on_change: OnChange) -> None:
        self._on_change = on_change
        self._poller.start()
        self.look()

    def look(self) -> None:
        """Have the poller tell how every input stands now. Waits no longer than `look_s` for it: a bus that hangs hangs there."""
        self._looked.clear()
        self._again = True
        self._wanted.set()
        in_time = self._looked.wait(self._look_s)
        if self._in_time and not in_time:
            log.error("converter does not answer in time channels=%s", list(self._channels))
        self._in_time = in_time

    def hung(self) -> str:
        """Whether nobody asks the converter any more. A bus that does not answer is told as a fault of each input."""
        ended = self._on_change is not None and not self._poller.is_alive() and not self._stopped
        return "nobody asks their converter any more" if ended else ""

    def close(self) -> None:
        self._stopped = True
        self._wanted.set()
        if self._poller.is_alive():
            self._poller.join(timeout=1.0)
        if not self._turn.acquire(timeout=self._look_s):
            log.error("converter hangs, and is left as it is channels=%s", list(self._channels))
            return
        try:
            self._on_change = None
            for channel in self._channels.values():
                channel.close()
        finally:
            self._turn.release()

    def _poll(self) -> None:
        while True:
            self._wanted.wait(self._poll_s)
            self._wanted.clear()
            if self._stopped:
                return
            again, self._again = self._again, False
            with self._turn:
                if again:
                    self._told.clear()
                self._sample()
            if again:
                self._looked.set()

    def _sample(self) -> None:
        for name, channel in self._channels.items():
            at_s = self._clock()
            self._read(channel, self._inputs[name], at_s)
            self._tell(name, self._inputs[name], at_s)

    def _read(self, channel: MCP3008, supervised: SupervisedInput, at_s: float) -> None:
        try:
            supervised.sample(channel.raw_value / FULL_SCALE, at_s)
            self._unanswered = False
        except Exception as error:  # noqa: BLE001  the bus, spidev and gpiozero raise errors of their own kinds; nobody sees the switch
            supervised.blind(at_s)
            if not self._unanswered:
                log.error("converter does not answer channel=%r error=%s", channel, error)
            self._unanswered = True

    def _tell(self, name: str, supervised: SupervisedInput, at_s: float) -> None:
        active = supervised.active
        told = self._told.get(name)
        if active is not None and active != told and self._on_change is not None:
            self._told[name] = active
            self._on_change(name, active, at_s if told is None else supervised.since_s)
        if (trouble := supervised.trouble(at_s)) is not None:
            self._on_fault(name, trouble, at_s)


class JoinedInputs:
    """Several drivers as one: some inputs on pins, some on the converter."""

    def __init__(self, *parts: Any) -> None:
        """`parts` are hw.interfaces.DoorInputs, each with names of its own."""
        self._parts = parts

    def start(self, on_change: OnChange) -> None:
        for part in self._parts:
            part.start(on_change)

    def look(self) -> None:
        for part in self._parts:
            part.look()

    def hung(self) -> str:
        return next((words for part in self._parts if (words := part.hung())), "")

    def close(self) -> None:
        for part in self._parts:
            part.close()
