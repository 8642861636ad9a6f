"""Everything that tells the person at the door something, as one: lamps, buzzer, the readers' own lights, a display."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from agent.core.feedback import Colour, Showing, Signal
from hw.newest_signal import NewestSignal

if TYPE_CHECKING:
    from hw.interfaces import Signaller

log = logging.getLogger(__name__)

JOIN_S = 1.0


class Signals:
    """`show`, `rest` and `rest_now` take microseconds and never raise. Each part has a thread of its own: one that hangs or fails keeps
    neither the door nor another part from being heard. After `Signal.lasts_s` the door goes back to its resting signal by itself.
    """

    def __init__(
        self,
        parts: Mapping[str, Signaller],
        resting: Signal,
        on_fault: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_fault(text)` hears once of each part's trouble, in that part's thread."""
        self._parts = dict(parts)
        self._posts = [NewestSignal(f"signal-{name}", part.show, _teller(name, on_fault)) for name, part in parts.items()]
        self._showing = Showing(resting)
        self._clock = clock
        self._closed = False
        self._turn = threading.Condition()
        self._send(resting)
        self._keeper = threading.Thread(target=self._keep_time, name="signals", daemon=True)
        self._keeper.start()

    @property
    def current(self) -> Signal:
        """What stands now."""
        return self._showing.current

    def show(self, signal: Signal) -> None:
        """Show this from now on; it takes the place of what is shown."""
        with self._turn:
            self._send(self._showing.show(signal, self._clock()))
            self._turn.notify()

    def rest(self, signal: Signal) -> None:
        """What stands whenever nothing else does; shown at once if the door rests."""
        with self._turn:
            self._send(self._showing.rest(signal))

    def rest_now(self) -> None:
        """End what is shown."""
        with self._turn:
            self._send(self._showing.end())

    def close(self) -> None:
        """Ends every part: all dark and silent."""
        with self._turn:
            self._closed = True
            self._turn.notify()
        self._keeper.join(JOIN_S)
        for post in self._posts:
            post.close()
        for name, part in self._parts.items():
            try:
                part.close()
            except Exception as error:  # noqa: BLE001 - the other parts must be ended too
                log.warning("signal part=%s cannot be ended error=%s", name, error)

    def _send(self, signal: Signal | None) -> None:
        if signal is not None and not self._closed:
            for post in self._posts:
                post.ask(signal)

    def _keep_time(self) -> None:
        with self._turn:
            while not self._closed:
                self._send(self._showing.tick(self._clock()))
                due_s = self._showing.due_s
                self._turn.wait(None if due_s is None else max(0.0, due_s - self._clock()))


def _teller(name: str, on_fault: Callable[[str], None]) -> Callable[[str], None]:
    def tell(text: str) -> None:
        log.warning("signal part=%s fault=%s", name, text)
        on_fault(f"{name}: {text}")

    return tell


class FeedbackPins(Protocol):
    """The part of the configuration's `feedback` table that names devices."""

    @property
    def red_pin(self) -> int | str: ...
    @property
    def green_pin(self) -> int | str: ...
    @property
    def amber_pin(self) -> int | str: ...
    @property
    def blue_pin(self) -> int | str: ...
    @property
    def buzzer_pin(self) -> int | str: ...
    @property
    def active_high(self) -> bool: ...
    @property
    def buzzer(self) -> str: ...
    @property
    def volume(self) -> float: ...
    @property
    def display(self) -> str: ...
    @property
    def charset(self) -> str: ...


class ReaderLines(Protocol):
    """The part of a Wiegand reader's configuration that names its own light and beeper."""

    @property
    def led_pin(self) -> int | str: ...
    @property
    def red_led_pin(self) -> int | str: ...
    @property
    def beeper_pin(self) -> int | str: ...
    @property
    def lines_active_high(self) -> bool: ...


def open_parts(feedback: FeedbackPins, lines: Mapping[str, ReaderLines], factory: Any) -> dict[str, Signaller]:
    """Every signaller that the configuration names. Raises HardwareError naming the key of what cannot be had."""
    from hw.signal_gpio import open_lamps

    parts: dict[str, Signaller] = {}
    lamps: dict[Colour, int | str] = {"red": feedback.red_pin, "green": feedback.green_pin,
                                      "amber": feedback.amber_pin, "blue": feedback.blue_pin}  # fmt: skip
    if made := open_lamps("feedback", lamps, feedback.buzzer_pin, factory, active_high=feedback.active_high,
                          passive=feedback.buzzer == "passive", volume=feedback.volume):  # fmt: skip
        parts["lamps"] = made
    for name, reader in lines.items():
        leds: dict[Colour, int | str] = {"red": reader.red_led_pin, "green": reader.led_pin}
        if made := open_lamps(f"reader {name}", leds, reader.beeper_pin, factory, active_high=reader.lines_active_high):
            parts[f"reader {name}"] = made
    if feedback.display != "none":
        parts["display"] = _open_display(feedback.display, feedback.charset)
    return parts


def _open_display(name: str, charset: str) -> Signaller:
    """`lcd:BUS:ADDRESS` or `sim:PATH`."""
    kind, _, rest = name.partition(":")
    if kind == "sim":
        from hw.signal_sim import SimDisplay

        return SimDisplay(rest)
    from hw.signal_display import CharacterDisplay

    bus, address = rest.split(":")
    return CharacterDisplay(int(bus), int(address, 16), charset)
