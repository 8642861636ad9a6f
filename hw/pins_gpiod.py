"""gpiozero pins on the kernel's GPIO character device, through the libgpiod project's own bindings: the same for Raspberry Pi and Jetson.

Edges carry the kernel's time of CLOCK_MONOTONIC. An output has its first value from the moment it is one: value and direction are one
request. The kernel lets one program alone have a line, which lgpio and RPi.GPIO do not promise.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import threading
from collections.abc import Callable, Iterator
from glob import glob
from time import monotonic
from typing import Any, NamedTuple

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiozero import Factory, Pin
from gpiozero.exc import PinInvalidEdges, PinInvalidFunction, PinInvalidPull, PinSetInput
from gpiozero.pins import PinInfo

from agent.errors import HardwareError
from hw.boards import Board, HeaderPin, board_named
from hw.spi_dev import SpiDevice

log = logging.getLogger(__name__)

CONSUMER = "doorward"
EVENT_BUFFER = 1024
"""Edges that the kernel keeps for us, the most it allows; its own default of 16 loses some while Python is busy."""

LONGEST_HANDLER_S = 1.0
"""So long `close` waits for a handler that is at work."""

_BIAS = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "floating": Bias.DISABLED}
_EDGES = {"none": Edge.NONE, "rising": Edge.RISING, "falling": Edge.FALLING, "both": Edge.BOTH}
NUMBERED = "gpiochip"


class Line(NamedTuple):
    """A line of a chip, and what people call it."""

    chip: str
    """Path of the device."""
    offset: int
    name: str


def line_of(pin: int | str, model: str = "auto") -> tuple[str, int]:
    """Chip path and offset of a pin by number, header name, kernel line name or "gpiochipN:OFFSET". Raises HardwareError."""
    line = find_line(board_named(model), pin)
    return line.chip, line.offset


def find_line(board: Board | None, pin: int | str) -> Line:
    """The line that a pin's name means here. Raises HardwareError naming the mend; never guesses."""
    if isinstance(pin, str) and pin.startswith(NUMBERED):
        return _numbered_line(pin)
    header = board.find(pin) if board else None
    if board and header:
        return _header_line(board, header)
    if isinstance(pin, str) and (named := list(_lines_named(pin))):
        if len(named) > 1:
            raise HardwareError(f"pin {pin!r}: several chips have a line of this name: {named}; write it as gpiochipN:OFFSET")
        return named[0]
    if board is None:
        raise HardwareError(
            f"pin {pin!r}: this board is not known; set board.model, or write the pin as gpiochipN:OFFSET (see gpioinfo)"
        )
    raise HardwareError(f"pin {pin!r}: {board.title} has no such pin on its header; docs/HARDWARE.md lists them")


def _numbered_line(pin: str) -> Line:
    chip, _, offset = pin.partition(":")
    path = f"/dev/{chip}"
    with _open_chip(path) as opened:
        lines = opened.get_info().num_lines
    if not offset.isdigit() or int(offset) >= lines:
        raise HardwareError(f"pin {pin!r}: {path} has lines 0 to {lines - 1}")
    return Line(path, int(offset), pin)


def _header_line(board: Board, header: HeaderPin) -> Line:
    path = chip_labelled(board.chip)
    if not header.by_name:
        return Line(path, header.offset, header.name)
    with _open_chip(path) as chip:
        try:
            return Line(path, chip.line_offset_from_id(header.name), header.name)
        except OSError as error:
            raise HardwareError(
                f"pin {header.name}: {path} ({board.chip}) has no line of this name: is this a {board.title}?"
            ) from error


def _lines_named(name: str) -> Iterator[Line]:
    for path in _chip_paths():
        with _open_chip(path) as chip:
            try:
                yield Line(path, chip.line_offset_from_id(name), name)
            except OSError:  # not on this chip
                continue


def chip_labelled(label: str) -> str:
    """Path of the chip with this label. Raises HardwareError when there is not exactly one."""
    seen: dict[str, str] = {}
    for path in _chip_paths():
        with _open_chip(path) as chip:
            seen[path] = chip.get_info().label
    found = [path for path, its_label in seen.items() if its_label == label]
    if len(found) != 1:
        raise HardwareError(f"{len(found)} GPIO chips are labelled {label!r}, one is needed; there are: {seen or 'none'}")
    return found[0]


def _chip_paths() -> list[str]:
    """Raspberry Pi OS links gpiochip4 to gpiochip0: each chip once."""
    return sorted({os.path.realpath(path) for path in glob(f"/dev/{NUMBERED}*")})


def _open_chip(path: str) -> gpiod.Chip:
    try:
        return gpiod.Chip(path)
    except OSError as error:
        mend = "is this user in the group gpio?" if error.errno in (errno.EACCES, errno.EPERM) else "gpiodetect lists the chips"
        raise HardwareError(f"{path}: {error.strerror}; {mend}") from error


class GpiodPin(Pin):  # type: ignore[misc]  # gpiozero is not typed
    """One line. It is requested when a function is asked of it and given back at `close`."""

    def __init__(self, factory: GpiodFactory, line: Line, info: Any) -> None:
        super().__init__()
        self._factory, self._line, self._info = factory, line, info
        self._turn = threading.RLock()
        self._request: gpiod.LineRequest | None = None
        self._function, self._pull, self._edges = "input", "floating", "both"
        self._handler: Callable[[float, bool], None] | None = None

    def __repr__(self) -> str:
        return self._line.name

    def close(self) -> None:
        """Give the line back. An output becomes an input first: with the kernels of Raspberry Pi OS it would keep its level else."""
        with self._turn:
            if self._request is None:
                return
            try:
                self.when_changed = None
                if self._function == "output":
                    self._become_input(Bias.DISABLED)
            except HardwareError as error:
                log.error("pin not let go in good order pin=%r fault=%s", self, error)
            finally:
                self._factory.unwatch(self._request.fd)
                self._request.release()
                self._request, self._function, self._pull = None, "input", "floating"

    def output_with_state(self, state: bool) -> None:
        """Become an output that has this level from its first moment on."""
        with self._turn:
            self.when_changed = None
            self._ask(gpiod.LineSettings(direction=Direction.OUTPUT, output_value=_value(state)))
            self._function = "output"

    def input_with_pull(self, pull: str) -> None:
        self._set_pull(pull)

    def take_edges(self) -> None:
        """Hand on what the kernel has noted; called by the factory's thread."""
        with self._turn:
            if self._request is None or not self._request.wait_edge_events(0):  # closed meanwhile
                return
            events = self._request.read_edge_events()
        for event in events:
            handler = self._handler
            if handler is not None:
                handler(event.timestamp_ns / 1e9, event.event_type is event.Type.RISING_EDGE)

    def _ask(self, settings: gpiod.LineSettings) -> gpiod.LineRequest:
        """Request the line, or change what it is; one step for the kernel either way."""
        try:
            if self._request is None:
                self._request = self._factory.chip(self._line.chip).request_lines(
                    {self._line.offset: settings}, consumer=CONSUMER, event_buffer_size=EVENT_BUFFER
                )
            else:
                self._request.reconfigure_lines({self._line.offset: settings})
        except OSError as error:
            raise HardwareError(f"{self._line.name} ({self._line.chip}:{self._line.offset}): {self._why(error)}") from error
        return self._request

    def _why(self, error: OSError) -> str:
        if error.errno != errno.EBUSY:
            return str(error.strerror)
        consumer = self._factory.chip(self._line.chip).get_line_info(self._line.offset).consumer
        return f"another program or driver has this line: {consumer or 'unnamed'}"

    def _become_input(self, bias: Bias, edges: Edge = Edge.NONE) -> gpiod.LineRequest:
        request = self._ask(gpiod.LineSettings(direction=Direction.INPUT, bias=bias, edge_detection=edges))
        self._function = "input"
        return request

    def _get_info(self) -> Any:
        return self._info

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}')
        with self._turn:
            if value == "output":
                self.output_with_state(bool(self._request) and self._get_state())
            else:
                self.when_changed = None
                self._pull = "floating"
                self._become_input(Bias.AS_IS)

    def _get_state(self) -> bool:
        with self._turn:
            request = self._request or self._become_input(Bias.AS_IS)
            return bool(request.get_value(self._line.offset) is Value.ACTIVE)

    def _set_state(self, value: float) -> None:
        with self._turn:
            if self._function != "output" or self._request is None:
                raise PinSetInput(f"cannot set state of pin {self!r}: it is an input")
            self._request.set_value(self._line.offset, _value(bool(value)))

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if value not in _BIAS:
            raise PinInvalidPull(f'invalid pull "{value}" for pin {self!r}')
        with self._turn:
            self._become_input(_BIAS[value], self._wanted_edges())
            self._pull = value

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f'invalid edges "{value}" for pin {self!r}')
        with self._turn:
            self._edges = value
            self._watch()

    def _get_when_changed(self) -> Callable[[float, bool], None] | None:
        return self._handler

    def _set_when_changed(self, value: Callable[[float, bool], None] | None) -> None:
        with self._turn:
            if value is None and self._handler is None:
                return
            self._handler = value
            self._watch()

    def _wanted_edges(self) -> Edge:
        return Edge.NONE if self._handler is None else _EDGES[self._edges]

    def _watch(self) -> None:
        """Have the kernel note the edges that are wanted. The pull stays as it is: asking for it again could only disturb the line."""
        if self._request is None and self._handler is None:
            return
        request = self._become_input(Bias.AS_IS, self._wanted_edges()) if self._function == "input" else self._request
        if request is None:
            return
        if self._handler is None:
            self._factory.unwatch(request.fd)
        else:
            self._factory.watch(request.fd, self)


class GpiodFactory(Factory):  # type: ignore[misc]
    """A gpiozero pin factory. `board` None: pins by "gpiochipN:OFFSET" or kernel line name alone."""

    def __init__(self, board: Board | None) -> None:
        super().__init__()
        self._board = board
        self._chips: dict[str, gpiod.Chip] = {}
        self._lines: dict[int | str, Line] = {}
        self._pins: dict[tuple[str, int], GpiodPin] = {}
        self._watched: dict[int, GpiodPin] = {}
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll.register(self._bell, select.EPOLLIN)
        self._listener: threading.Thread | None = None
        self._closed = False

    def close(self) -> None:
        """Give all lines back and end the thread that listens."""
        if self._closed:
            return
        self._closed = True
        for pin in self._pins.values():
            pin.close()
        os.eventfd_write(self._bell, 1)
        if self._listener is not None:
            self._listener.join(timeout=LONGEST_HANDLER_S)
        self._poll.close()
        os.close(self._bell)
        for chip in self._chips.values():
            chip.close()
        self._pins.clear()
        self._chips.clear()

    def pin(self, name: int | str) -> GpiodPin:
        """The pin of this name; the same object for every name of one line. Raises HardwareError."""
        line = self._line(name)
        key = (line.chip, line.offset)
        if key not in self._pins:
            self._pins[key] = GpiodPin(self, line, self._info(line))
        return self._pins[key]

    def chip(self, path: str) -> gpiod.Chip:
        if path not in self._chips:
            self._chips[path] = _open_chip(path)
        return self._chips[path]

    def watch(self, fd: int, pin: GpiodPin) -> None:
        """Have `pin.take_edges` called when its line's descriptor has something."""
        if fd not in self._watched:
            self._poll.register(fd, select.EPOLLIN)
        self._watched[fd] = pin
        if self._listener is None:
            self._listener = threading.Thread(target=self._listen, name="gpiod-pins", daemon=True)
            self._listener.start()

    def unwatch(self, fd: int) -> None:
        if self._watched.pop(fd, None) is not None:
            self._poll.unregister(fd)

    @property
    def is_deaf(self) -> bool:
        """Edges were wanted, and whoever hands them on has ended."""
        return self._listener is not None and not self._listener.is_alive() and not self._closed

    def spi(self, port: int = 0, device: int = 0, shared: bool = True) -> SpiDevice:
        """An SPI device of the kernel; several chips' channels may each open it, it takes one transfer at a time."""
        return SpiDevice(port, device, self)

    @staticmethod
    def ticks() -> float:
        return monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        return later - earlier

    def find_pin(self, name: int | str) -> Iterator[tuple[str, Any]]:
        """gpiozero asks its board for pins to reserve them: one line, whatever it is called."""
        yield "J8", self.pin(name).info

    def _get_board_info(self) -> GpiodFactory:
        return self

    def _line(self, name: int | str) -> Line:
        if name not in self._lines:
            self._lines[name] = find_line(self._board, name)
        return self._lines[name]

    def _info(self, line: Line) -> Any:
        self._lines.setdefault(line.name, line)
        header = self._board.find(line.name) if self._board else None
        position = header.position if header else 0
        names = frozenset(header.names if header else (line.name,))
        row, column = divmod(max(position - 1, 0), 2)
        return PinInfo(number=position, name=line.name, names=names, pull="", row=row + 1, col=column + 1,
                       interfaces=frozenset({"gpio"}))  # fmt: skip

    def _listen(self) -> None:
        while not self._closed:
            for fd, what in self._poll.poll():
                pin = self._watched.get(fd)
                if pin is not None:
                    self._hand_on(fd, what, pin)

    def _hand_on(self, fd: int, what: int, pin: GpiodPin) -> None:
        if what & (select.EPOLLHUP | select.EPOLLERR):
            self.unwatch(fd)
            log.error("pin has lost its chip pin=%r", pin)
            return
        try:
            pin.take_edges()
        except Exception:  # one handler's mistake may not make all other pins deaf
            log.exception("edge not handed on pin=%r", pin)


def _value(high: bool) -> Value:
    return Value.ACTIVE if high else Value.INACTIVE
