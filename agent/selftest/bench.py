"""A door's hardware, opened for watching: every input and every reader at once, so that a swapped wire is seen where it went."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from agent.config import Config, WiegandReader
from agent.core.messages import ReaderNews
from agent.core.supervision import STILL_S, Loop
from agent.errors import HardwareError
from hw.board import open_input, open_pins
from hw.inputs_adc import AdcInputs, open_adc
from hw.inputs_gpio import GpioInputs
from hw.reader_wiegand import GpioWiegandLines

T = TypeVar("T")
TURN_S = 0.25


class Watch(Generic[T]):
    """What came so far, and a way to wait for more. Filled from any thread."""

    def __init__(self) -> None:
        self._seen: list[T] = []
        self._turn = threading.Condition()

    def put(self, item: T) -> None:
        with self._turn:
            self._seen.append(item)
            self._turn.notify_all()

    def since(self, mark: int) -> list[T]:
        with self._turn:
            return self._seen[mark:]

    @property
    def mark(self) -> int:
        """Where a later `since` begins."""
        with self._turn:
            return len(self._seen)

    def wait(self, mark: int, wanted: Callable[[list[T]], bool], timeout_s: float, waiting: Callable[[float], None]) -> bool:
        """Whether `wanted` held of what came since `mark` within the time; `waiting` hears now and then how much of it is left."""
        until_s = time.monotonic() + timeout_s
        while not wanted(self.since(mark)):
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return False
            waiting(left_s)
            with self._turn:
                self._turn.wait(min(TURN_S, left_s))
        return True


class InputEdge(NamedTuple):
    """An input changed."""

    name: str
    active: bool
    at_s: float


class LoopNews(NamedTuple):
    """A supervised loop's resistors tell of its wire: "cut", "shorted", or "" when it is sound again."""

    name: str
    what: str


class Bit(NamedTuple):
    """A bit on a Wiegand reader's wires."""

    bit: int
    at_s: float


class Lines:
    """A Wiegand reader's wires."""

    def __init__(self, number: int, reader: WiegandReader, pins: Any) -> None:
        """Raises HardwareError."""
        key = f"readers[{number}]"
        self.rests_high = tuple(
            _rests_high(f"{key}.{name}", pin, pins) for name, pin in (("d0_pin", reader.d0_pin), ("d1_pin", reader.d1_pin))
        )
        self.bits: Watch[Bit] = Watch()
        self._lines = GpioWiegandLines(reader.d0_pin, reader.d1_pin, pins, key)
        self._lines.start(lambda bit, at_s: self.bits.put(Bit(bit, at_s)), lambda at_s: None)

    def close(self) -> None:
        self._lines.close()


def _rests_high(key: str, pin: int | str, pins: Any) -> bool:
    device = open_input(key, pin, pins)  # type: ignore[arg-type,unused-ignore]
    try:
        return bool(device.pin.state)
    finally:
        device.close()


class Bench:
    """Opens what the configuration names; a pin that cannot be had costs its own step and no other (`why`)."""

    def __init__(self, config: Config) -> None:
        """Raises HardwareError when there are no pins at all."""
        self.config = config
        self.pins = open_pins(config.board.pins, config.board.rig, config.board.model)
        self.edges: Watch[InputEdge] = Watch()
        self.levels: dict[str, bool] = {}
        self.news: dict[str, Watch[ReaderNews]] = {}
        self.lines: dict[str, Lines] = {}
        self.loops: dict[str, str] = {}
        """Supervised input -> "cut" or "shorted" as its resistors show it, "" when its wire is sound."""
        self.loop_news: Watch[LoopNews] = Watch()
        self.doubtful: set[str] = set()
        """Inputs whose own step was no success: they are no witnesses for others."""
        self.why: dict[str, str] = {}
        """Name of an input or reader -> why it could not be opened."""
        self._opened: list[Any] = []
        for name, pin in config.inputs.wired().items():
            self._open(name, partial(self._open_input, name, pin))
        if config.supervision.wired():
            self._open_supervised()
        for number, reader in enumerate(config.readers):
            if isinstance(reader, WiegandReader):
                self._open(reader.name, partial(self._open_lines, number, reader))

    @property
    def has_witness(self) -> bool:
        """Whether the door's contact can say that it opened."""
        return "contact" in self.levels and "contact" not in self.doubtful

    def close(self) -> None:
        for device in reversed(self._opened):
            device.close()
        self.pins.close()

    def _open(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except HardwareError as error:
            self.why[name] = str(error)

    def _open_input(self, name: str, pin: Any) -> None:
        inverted = ("bolt",) if self.config.inputs.bolt_closed_when == "released" else ()
        inputs = GpioInputs({name: pin}, self.pins, inverted)
        self._opened.append(inputs)
        inputs.start(self._heard)

    def _open_supervised(self) -> None:
        """One converter for all of them; without it each of their steps says why."""
        loops = self.config.supervision
        resistors = Loop(pull_up_ohm=loops.pull_up_ohm, series_ohm=loops.series_ohm, parallel_ohm=loops.parallel_ohm)
        try:
            channels = open_adc(loops.wired(), self.pins, loops.spi_port, loops.spi_device)
        except HardwareError as error:
            self.why.update(dict.fromkeys(loops.wired(), str(error)))
            return
        inputs = AdcInputs(channels, resistors, loops.poll_s, self._loop_told)
        self._opened.append(inputs)
        turned = {"bolt"} if self.config.inputs.bolt_closed_when == "released" else set()
        inputs.start(lambda name, active, at_s: self._heard(name, active != (name in turned), at_s))
        time.sleep(STILL_S + 3 * loops.poll_s)  # until then a damaged wire is not told to be so

    def _loop_told(self, name: str, what: str, _at_s: float) -> None:
        self.loops[name] = what
        self.loop_news.put(LoopNews(name, what))

    def loop_said(self, name: str, mark: int) -> frozenset[str]:
        """Of a supervised loop: what its wire was said to have since `mark` or has now."""
        told = {news.what for news in self.loop_news.since(mark) if news.name == name}
        return frozenset(told | {self.loops.get(name, "")}) - {""}

    @property
    def same_on_all_loops(self) -> str:
        """What every loop on the converter has, when there are several: it is the converter then, and no wire of a door."""
        wired = self.config.supervision.wired()
        said = {self.loops.get(name, "") for name in wired}
        return said.pop() if len(wired) > 1 and len(said) == 1 else ""

    def place(self, name: str) -> str:
        """Where an input's wire ends, in an installer's words."""
        pin = self.config.inputs.wired().get(name)
        return f"pin {pin}" if pin is not None else f"channel {self.config.supervision.wired()[name]} of the converter"

    def _heard(self, name: str, active: bool, at_s: float) -> None:
        known = self.levels.get(name)
        self.levels[name] = active
        if known is not None and known != active:
            self.edges.put(InputEdge(name, active, at_s))

    def _open_lines(self, number: int, reader: WiegandReader) -> None:
        self.lines[reader.name] = Lines(number, reader, self.pins)
        self._opened.append(self.lines[reader.name])


def frames_of(bits: list[Bit], gap_s: float) -> tuple[str, ...]:
    """Bits between silences."""
    frames: list[str] = []
    last_s = float("-inf")
    for bit, at_s in bits:
        if at_s - last_s >= gap_s:
            frames.append("")
        frames[-1] += "1" if bit else "0"
        last_s = at_s
    return tuple(frames)
