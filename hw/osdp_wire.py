"""One talk with one OSDP reader, in a process of its own: libosdp (C) behind a gate, between a serial device and the door program.

Why a process: libosdp ends its process when an assertion fails, prints on standard output, holds Python's lock while it works, and parses in
C what comes from a wire that hangs outside the door. Here none of that reaches the program that owns the lock. A talk that fails
ends the process, so nothing of it is left for the next one; `hw.reader_osdp` starts that.

Three more things about libosdp 3.2.9 that this file is built around:

- its challenge comes from C's `rand()`, never seeded: the same one each time it starts, so a recorded talk, card reads included, could
  be played back. `seed_from_kernel` refills the state of that generator before every use;
- it tells time by the wall clock: when that is set back, it polls no more. So silence of our own side also ends the talk;
- a reader that fell silent is tried again after 300 s. So the process ends, and a new one begins at once.

Standard input: a Setup, then Show and NewKey, one JSON object a line; its end means: stop. Standard output: what a FromWire says.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from agent.core.osdp_feedback import Buzzer, Led, Text
from agent.core.osdp_gate import OsdpGate, explain
from hw.serial_faults import likely_cause

if TYPE_CHECKING:
    from collections.abc import Callable

SILENT_S = 1.0
"""A reader in order answers some twenty times a second."""
TURN_S = 0.001
POLL_S = 0.05
"""libosdp asks again this long after the last answer, counted in its own whole milliseconds."""
BURST_EVERY_S = 0.06
"""Every command makes libosdp wait another POLL_S before it asks for cards: so commands go together, and then a question comes first."""
BEAT_S = 1.0
WRITE_S = 0.1
PATIENCE_S = 12.0
"""Longer than libosdp takes to give up a reader that says nothing (9 s); a channel takes .3 s at 9600 baud."""
OWN_SILENCE_S = 3.0
"""libosdp sends something at least once a second."""


class Setup(Struct, frozen=True, tag="setup"):
    """`install`: offer the new key `key` to a reader in install mode, over the default key that everybody knows."""

    device: str
    baud: int
    address: int
    key: bytes
    install: bool = False
    ask_status: bool = True


class NewKey(Struct, frozen=True, tag="new_key"):
    """Set this key, over the channel in force."""

    key: bytes


ToWire = Setup | NewKey | Led | Buzzer | Text


class Up(Struct, frozen=True, tag="up"):
    """The channel is in force, with our key."""

    about: str
    can: tuple[str, ...]
    """Of led, buzzer, text."""


class Down(Struct, frozen=True, tag="down"):
    detail: str


class Card(Struct, frozen=True, tag="card"):
    bits: str
    at_s: float


class Odd(Struct, frozen=True, tag="odd"):
    """A card that was sent in a form we do not take."""

    bits: str
    at_s: float


class Keys(Struct, frozen=True, tag="keys"):
    """As the reader sent them."""

    data: bytes
    at_s: float


class Status(Struct, frozen=True, tag="status"):
    tamper: bool
    power_fault: bool


class KeySet(Struct, frozen=True, tag="key_set"):
    """The new key is in force: the channel was made with it."""


class Unwilling(Struct, frozen=True, tag="unwilling"):
    """The reader refuses a kind of command, which ends a talk: it must not be sent to it again."""

    kind: str


class Beat(Struct, frozen=True, tag="beat"):
    """Nothing happened, and this process is alive."""


FromWire = Up | Down | Card | Odd | Keys | Status | KeySet | Unwilling | Beat

_to_wire: msgspec.json.Decoder[ToWire] = msgspec.json.Decoder(ToWire)
_from_wire: msgspec.json.Decoder[FromWire] = msgspec.json.Decoder(FromWire)
_encoder = msgspec.json.Encoder()


def encode(message: ToWire | FromWire) -> bytes:
    return _encoder.encode(message) + b"\n"


def decode_from_wire(line: bytes) -> FromWire:
    """Raises msgspec.DecodeError."""
    return _from_wire.decode(line)


# -- randomness ------------------------------------------------------------------------------------------------------------------

RANDOM_STATE_BYTES = 128
"""glibc's additive generator of 31 words; the first word of the state says which kind it is (initstate(3))."""

_states: list[object] = []
"""The generator points into them from then on: they may never be freed."""


def seed_from_kernel() -> Callable[[], None]:
    """Gives C's `rand` a state of our own and returns what refills it with 992 bits from the kernel. Raises OSError without glibc."""
    libc = ctypes.CDLL(None)
    state = ctypes.create_string_buffer(RANDOM_STATE_BYTES)
    try:
        libc.initstate.restype = ctypes.c_void_p
        if not libc.initstate(ctypes.c_uint(1), state, ctypes.c_size_t(RANDOM_STATE_BYTES)):
            raise OSError("libc's random generator takes no state of ours: no safe challenge can be made for a reader")
    except AttributeError as error:
        raise OSError(f"this C library has no initstate: no safe challenge can be made for a reader: {error}") from error
    _states.append(state)
    body = ctypes.addressof(state) + ctypes.sizeof(ctypes.c_int32)

    def refill() -> None:
        fresh = os.urandom(RANDOM_STATE_BYTES - ctypes.sizeof(ctypes.c_int32))
        ctypes.memmove(body, fresh, len(fresh))

    refill()
    return refill


# -- the line --------------------------------------------------------------------------------------------------------------------


class Line:
    """libosdp's channel. Its methods are called from C: they may not raise, so what happened is kept in `error`."""

    def __init__(self, port: Any, gate: OsdpGate, refill: Callable[[], None]) -> None:
        self.id = 1
        self._port, self._gate, self._refill = port, gate, refill
        self.secure = False
        self.error: str | None = None
        self.wrote_s = self.heard_s = float("-inf")

    def read(self, most: int) -> bytes:
        self._refill()
        try:
            arrived: bytes = self._port.read(4096)
            passed = self._gate.feed(arrived, self.secure)
        except Exception as error:  # noqa: BLE001 - called from C: an exception here would be lost there; `error` ends the talk
            self.error = f"the line broke: {error}; is its USB plug in?"
            return b""
        if passed:
            self.heard_s = time.monotonic()
        return passed[:most]

    def write(self, data: bytes) -> int:
        self._refill()
        self._gate.asked()
        try:
            self._port.write(data)
        except Exception as error:  # noqa: BLE001 - as above
            self.error = f"nothing can be sent: {error}; is its USB plug in?"
            return -1
        self.wrote_s = time.monotonic()
        return len(data)

    def flush(self) -> None:
        """libosdp wants what has arrived to be forgotten."""
        self._refill()
        self._gate.asked()
        try:
            self._port.reset_input_buffer()
        except Exception as error:  # noqa: BLE001 - called from C: an exception here would be lost there; `error` ends the talk
            self.error = f"the line broke: {error}; is its USB plug in?"


class Talk:
    """From the first command to the end of the channel."""

    def __init__(
        self, setup: Setup, port: Any, library: Any, refill: Callable[[], None], out: Callable[[FromWire], None]
    ) -> None:
        self._setup, self._port, self._library, self._out = setup, port, library, out
        self._gate = OsdpGate(setup.address)
        self._gate.key_is_being_set = setup.install
        self._line = Line(port, self._gate, refill)
        self._waiting: dict[str, dict[str, Any]] = {}
        self._asked: list[str] = []
        self._can: tuple[str, ...] = ()
        self._up = self._ended = self._told_down = False
        self._default_key = False
        self._new_key_sent = False
        self._burst_s = self._beat_s = float("-inf")
        self._lost_s = self._line.wrote_s = time.monotonic()
        flags = library.FLAG_ENABLE_NOTIFICATION | (0 if setup.install else library.FLAG_ENFORCE_SECURE)
        self._panel = library.ControlPanel([
            {"name": "reader", "address": setup.address, "flags": flags, "scbk": setup.key, "channel": self._line}
        ])  # fmt: skip
        self._panel.set_event_callback(self._event)

    def turn(self, orders: int) -> bool:
        """Wait for bytes, for an order on the descriptor `orders` or for the next question; work. False when the talk is over.

        The caller takes the orders.
        """
        select.select([self._port.fileno(), orders], [], [], self._wait_s())
        for _ in range(3):  # libosdp takes a step a call: hear, choose, send
            self._line.secure = self._default_key or bool(self._panel.sc_status())  # which libosdp says only when all is done
            self._panel.refresh()
        self._look()
        return not self._ended

    def take(self, order: ToWire) -> None:
        if isinstance(order, NewKey):
            self._gate.key_is_being_set = self._new_key_sent = True
            self._waiting["keyset"] = {"command": self._library.CMD_KEYSET, "type": 1, "data": order.key}
        elif isinstance(order, Led):
            self._waiting["led"] = self._led(order)
        elif isinstance(order, Buzzer):
            self._waiting["buzzer"] = self._buzzer(order)
        elif isinstance(order, Text):
            self._waiting["text"] = {"command": self._library.CMD_TEXT, "reader": 0, "control_code": 2, "temp_time": 0,
                                     "offset_row": 1, "offset_col": 1, "data": order.text}  # fmt: skip

    def _wait_s(self) -> float:
        """An answer wakes us by itself; until the next question is due there is nothing to do."""
        now_s, line = time.monotonic(), self._line
        if line.wrote_s > line.heard_s:
            return POLL_S
        if self._waiting and self._up:
            return TURN_S
        return max(TURN_S, line.heard_s + POLL_S - now_s)

    def _look(self) -> None:
        now_s, line = time.monotonic(), self._line
        online, channel = bool(self._panel.status()), bool(self._panel.sc_status())
        recent = now_s - line.heard_s < SILENT_S
        if line.error is not None:
            self._end(line.error)
        elif now_s - line.wrote_s > OWN_SILENCE_S:
            self._end("our own side fell silent: the clock was set back")
        elif online and not channel and not self._new_key_sent:
            self._end(f"it took no key: is its install mode on? {self._explain()}")
        elif not self._up and now_s - self._lost_s > PATIENCE_S:
            self._end(self._explain())
        elif self._up and not recent:
            self._down("it fell silent: power at the reader? a wire loose?")
        elif not self._up and online and channel and not self._default_key and recent:
            self._rise()
        elif not self._up and not self._told_down and now_s - max(self._lost_s, line.heard_s) > SILENT_S:
            self._down(self._explain())
        elif self._up:
            self._send(now_s)
        if now_s - self._beat_s > BEAT_S:
            self._beat_s = now_s
            self._out(Beat())

    def _explain(self) -> str:
        return explain(self._gate.heard, self._setup.address, self._setup.baud)

    def _down(self, detail: str) -> None:
        if self._up:
            self._lost_s = time.monotonic()
        self._up, self._told_down = False, True
        self._out(Down(detail))

    def _end(self, detail: str) -> None:
        if not self._ended:
            self._ended = True
            self._out(Down(self._line.error or detail))

    def _rise(self) -> None:
        panel, library = self._panel, self._library
        offers = {
            "led": library.CAP_READER_LED_CONTROL,
            "buzzer": library.CAP_READER_AUDIBLE_OUTPUT,
            "text": library.CAP_READER_TEXT_OUTPUT,
        }
        self._can = tuple(kind for kind, capability in offers.items() if all(panel.check_capability(0, capability)))
        ident = panel.get_pd_id(0)
        self._up, self._told_down = True, False
        self._asked.clear()
        if self._new_key_sent or self._setup.install:
            self._out(KeySet())
        serial = ident["serial_number"] & 0xFFFFFFFF
        self._out(Up(f"vendor {ident['vendor_code']:06x} model {ident['model']} serial {serial}", self._can))
        if self._setup.ask_status:
            self._waiting["status"] = {"command": library.CMD_STATUS, "type": library.STATUS_REPORT_LOCAL}

    def _send(self, now_s: float) -> None:
        """What waits, newest of each kind, in one go; then libosdp gets time to ask for cards."""
        if not self._waiting or now_s < self._burst_s or self._asked:
            return
        self._burst_s = now_s + BURST_EVERY_S
        for kind, command in self._waiting.items():
            if kind in ("keyset", "status", *self._can) and self._panel.submit_command(0, command):
                self._asked.append(kind)
        self._waiting.clear()

    def _event(self, _reader: int, event: dict[str, Any]) -> int:
        """Called by libosdp out of `refresh`; it may not raise."""
        try:
            self._heard(event, time.monotonic())
        except Exception as error:  # noqa: BLE001 - as in Line
            self._line.error = f"what libosdp says is not understood: {type(error).__name__}: {error}"
        return 0

    def _heard(self, event: dict[str, Any], now_s: float) -> None:
        library, kind = self._library, event["event"]
        if kind == library.EVENT_NOTIFICATION:
            self._notified(event)
        elif not self._panel.sc_status() or self._default_key:
            self._gate.heard.refused += 1  # outside of the channel nothing is believed, whatever the library thinks
        elif kind == library.EVENT_CARDREAD:
            usual = event["format"] in (library.CARD_FMT_RAW_UNSPECIFIED, library.CARD_FMT_RAW_WIEGAND)
            bits = "".join(f"{byte:08b}" for byte in event["data"])[: event["length"]] if usual else ""
            self._out((Card if usual and bits else Odd)(bits, now_s))
        elif kind == library.EVENT_KEYPRESS:
            self._out(Keys(event["data"], now_s))
        elif kind == library.EVENT_STATUS and event["type"] == library.STATUS_REPORT_LOCAL:
            tamper, power = (*event["report"], 0, 0)[:2]
            self._out(Status(bool(tamper), bool(power)))

    def _notified(self, event: dict[str, Any]) -> None:
        library, kind = self._library, event["type"]
        if kind == library.EVENT_NOTIFICATION_COMMAND and self._asked:
            asked = self._asked.pop(0)
            if not event["arg1"] and self._line.heard_s > self._line.wrote_s and self._gate.refusal:
                self._out(Unwilling(asked))
        elif kind == library.EVENT_NOTIFICATION_SC_STATUS:
            self._default_key = bool(event["arg0"]) and bool(event["arg1"])
            if not event["arg0"] and self._up:  # a new key restarts the channel
                self._up, self._lost_s = False, time.monotonic()
        elif kind == library.EVENT_NOTIFICATION_PD_STATUS and not event["arg0"]:
            self._end(self._explain())

    def _led(self, order: Led) -> dict[str, Any]:
        return {"command": self._library.CMD_LED, "reader": 0, "led_number": 0, "temporary": False, "control_code": 1,
                "on_count": order.on, "off_count": order.off, "on_color": order.colour, "off_color": 0}  # fmt: skip

    def _buzzer(self, order: Buzzer) -> dict[str, Any]:
        silent = order.on == 0
        return {"command": self._library.CMD_BUZZER, "reader": 0, "control_code": 1 if silent else 2, "on_count": order.on,
                "off_count": order.off, "rep_count": order.times}  # fmt: skip


# -- the process -----------------------------------------------------------------------------------------------------------------

ORDERS, RESULTS = 0, 1


class Orders:
    """Lines of standard input, as they come."""

    def __init__(self) -> None:
        self._rest = b""
        self.ended = False

    def arrived(self, wait_s: float | None = 0.0) -> list[ToWire]:
        """Orders that are complete; waits at most so long for bytes (None: until there are some or the input ends)."""
        if not select.select([ORDERS], [], [], wait_s)[0]:
            return []
        data = os.read(ORDERS, 65536)
        self.ended = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [_to_wire.decode(line) for line in lines]


def main() -> int:
    """0 when told to stop, 1 when the talk ended."""
    results = os.dup(RESULTS)
    os.dup2(os.open(os.devnull, os.O_WRONLY), RESULTS)  # libosdp prints there
    orders = Orders()
    setup: ToWire | None = None
    while setup is None and not orders.ended:
        setup = next(iter(orders.arrived(None)), None)
    if not isinstance(setup, Setup):
        return 0
    return _talk(setup, orders, lambda message: _write(results, encode(message)))


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _talk(setup: Setup, orders: Orders, out: Callable[[FromWire], None]) -> int:
    try:
        import osdp_sys
    except ImportError as error:
        out(Down(f"libosdp is not installed ({error}): pip install 'doorward[osdp]'"))
        return 1
    import serial

    osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
    try:
        refill = seed_from_kernel()
        with serial.Serial(setup.device, setup.baud, timeout=0, write_timeout=WRITE_S, exclusive=True) as port:
            talk = Talk(setup, port, osdp_sys, refill, out)
            while not orders.ended:
                if not talk.turn(ORDERS):
                    return 1
                for order in orders.arrived():
                    talk.take(order)
    except (OSError, ValueError) as error:  # pyserial raises ValueError for a setting that the device refuses
        out(Down(likely_cause(error)))
        return 1
    return 0
