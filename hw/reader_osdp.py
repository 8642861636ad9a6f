"""An OSDP reader: libosdp in a process of its own (hw.osdp_wire), watched, restarted, and translated into the door's words.

One thread a reader. It starts the process, hands it the key and the signals to show, and tells what the reader says. A process that
ends, or says nothing for `HUNG_S`, is ended and started again with growing waits.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import msgspec

from agent.core.backoff import Backoff
from agent.core.formats import decode
from agent.core.messages import CredentialRead, KeyPressed, ReaderStatus, ReadFault
from agent.core.osdp_feedback import Player, Shown
from agent.core.serial_line import FaultLimit
from agent.errors import ConfigError, HardwareError
from hw.osdp_wire import Card, Down, FromWire, Keys, Odd, Setup, Status, ToWire, Unwilling, Up, decode_from_wire, encode

if TYPE_CHECKING:
    from agent.core.feedback import Signal
    from agent.core.formats import WiegandFormat
    from agent.core.messages import ReaderNews

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
HUNG_S = 3.0
STOP_S = 1.0
CLOSE_S = 3.0

KEY_NAMES = {0x7F: "*", 0x0D: "#", ord("*"): "*", ord("#"): "#"} | {ord(digit): digit for digit in "0123456789"}
"""osdp_KEYPAD (IEC 60839-11-5): digits in ASCII, DEL for the key at the left below, CR for the one at the right."""

CHILD = "import sys; sys.path.insert(0, sys.argv[1]); from hw.osdp_wire import main; sys.exit(main())"
"""Run isolated (-I), so that neither the working directory nor the environment says which code it is."""
HERE = str(Path(__file__).resolve().parent.parent)


def open_osdp_reader(
    name: str, device: str, load_key: Callable[[], bytes], formats: tuple[WiegandFormat, ...], baud: int = 115200, address: int = 0
) -> OsdpReader:  # fmt: skip
    """A reader by its section of the configuration; nothing is opened before `start`.

    `load_key` gives its 16 bytes and may raise ConfigError: that reader then is offline, and says why. It is called before each attempt.
    """
    return OsdpReader(name, device, load_key, formats, baud, address)


class WireProcess:
    """The process at the line. Reading and writing never wait for it longer than asked."""

    def __init__(self, setup: Setup) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", CHILD, HERE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._stdin, self._stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._orders, self._results = self._stdin.fileno(), self._stdout.fileno()
        os.set_blocking(self._orders, False)
        self._rest = b""
        try:
            self.send(setup)
        except HardwareError:
            self.end()
            raise

    def send(self, message: ToWire) -> None:
        """Raises HardwareError when it does not take it: it hangs or has gone."""
        data = encode(message)
        try:
            if os.write(self._orders, data) != len(data):
                raise HardwareError("the process at the line does not take orders")
        except OSError as error:
            raise HardwareError(f"the process at the line does not take orders: {error}") from error

    def said(self, wait_s: float, wake: int | None = None) -> list[FromWire] | None:
        """What it said, after at most `wait_s`, or as soon as `wake` can be read; None when it has ended. Raises HardwareError."""
        watched = [self._results] if wake is None else [self._results, wake]
        if self._results not in select.select(watched, [], [], wait_s)[0]:
            return []
        data = os.read(self._results, 65536)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        try:
            return [decode_from_wire(line) for line in lines]
        except msgspec.DecodeError as error:
            raise HardwareError(f"the process at the line says what is not understood: {error}") from error

    def end(self) -> None:
        """Its input ends, so it stops; if it does not, it is killed."""
        self._stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()


class OsdpReader:
    """Implements hw.interfaces.Reader."""

    def __init__(
        self, name: str, device: str, load_key: Callable[[], bytes], formats: tuple[WiegandFormat, ...], baud: int, address: int,
        waits: tuple[float, float] = (FIRST_WAIT_S, LONGEST_WAIT_S),
    ) -> None:  # fmt: skip
        self._name, self._device, self._load_key, self._formats = name, device, load_key, formats
        self._baud, self._address = baud, address
        self._backoff = Backoff(*waits)
        self._limit = FaultLimit(name)
        self._player = Player()
        self._tell: Callable[[ReaderNews], None] = lambda _: None
        self._told: ReaderStatus | None = None
        self._tamper: bool | None = None
        self._about = ""
        self._ask_status = True
        self._unwilling: set[str] = set()
        self._signal: Signal | None = None
        self._shown: Signal | None = None
        self._up = False
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._open = threading.Lock()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_out, False)

    @property
    def name(self) -> str:
        return self._name

    def start(self, tell: Callable[[ReaderNews], None]) -> None:
        self._tell = tell
        self._thread = threading.Thread(target=self._run, name=f"reader {self._name}", daemon=True)
        self._thread.start()

    def show(self, signal: Signal) -> None:
        """The newest signal is shown; one that came between was overtaken. A reader that comes back is told the last one."""
        self._signal = signal
        self._wake()

    def hung(self) -> str:
        """Whether its thread has ended. Its process at the line is watched by that thread, and replaced when it hangs."""
        ended = self._thread is not None and not self._thread.is_alive() and not self._stopped
        return "nobody looks after its line any more" if ended else ""

    def close(self) -> None:
        if self._stopped:
            return
        with self._open, contextlib.suppress(BlockingIOError):
            self._stopped = True
            os.write(self._wake_out, b"x")
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():  # its pipe must stay: another file could get the number
                log.error("reader=%s its thread does not end", self._name)
                return
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _wake(self) -> None:
        with self._open, contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            if not self._stopped:  # afterwards another file may have the number
                os.write(self._wake_out, b"x")

    def _run(self) -> None:
        while not self._stopped:
            try:
                self._talk()
            except (OSError, ConfigError) as error:
                self._status(False, str(error))
            except Exception as error:  # a reader must come back from whatever happens; it is told and logged
                log.exception("reader=%s", self._name)
                self._status(False, f"unexpected {type(error).__name__}: {error}")
            self._up = False
            if not self._stopped:
                select.select([self._wake_in], [], [], self._backoff.wait_s())
                self._drain()

    def _talk(self) -> None:
        """From starting the process to its end."""
        setup = Setup(self._device, self._baud, self._address, self._load_key(), ask_status=self._ask_status)
        wire = WireProcess(setup)
        try:
            heard_s = time.monotonic()
            while not self._stopped:
                said = wire.said(self._wait_s(heard_s), self._wake_in)
                if said is None:
                    return None
                if said:
                    heard_s = time.monotonic()
                elif time.monotonic() - heard_s > HUNG_S:
                    return self._status(False, f"{self._device}: the process at the line hung, and is replaced")
                for one in said:
                    self._take(one)
                self._drain()
                for command in self._due():
                    wire.send(command)
            return None
        finally:
            wire.end()

    def _wait_s(self, heard_s: float) -> float:
        now_s = time.monotonic()
        if self._up and self._signal is not self._shown:
            return 0.0
        return max(0.0, min(heard_s + HUNG_S + 0.1, self._player.due_s if self._up else float("inf")) - now_s)

    def _drain(self) -> None:
        while select.select([self._wake_in], [], [], 0)[0]:
            os.read(self._wake_in, 4096)

    def _due(self) -> list[Shown]:
        """What is to be shown now: a new signal's first part, or the next part of a rhythm."""
        if not self._up:
            return []
        signal = self._signal
        if signal is not None and signal is not self._shown:
            self._shown = signal
            commands = self._player.show(signal, time.monotonic())
        else:
            commands = self._player.tick(time.monotonic())
        return [command for command in commands if command.__struct_config__.tag not in self._unwilling]

    def _take(self, one: FromWire) -> None:
        if isinstance(one, Up):
            self._up, self._shown = True, None
            self._backoff.worked()
            self._about = one.about
            self._status(True, one.about)
        elif isinstance(one, Down):
            self._up, self._tamper = False, None
            self._status(False, f"{self._device}: {one.detail}")
        elif isinstance(one, Status):
            self._tamper = one.tamper
            self._status(True, f"{self._about}, its own power is failing" if one.power_fault else self._about)
        elif isinstance(one, Unwilling):
            log.warning("reader=%s refuses %s, which it is not sent again", self._name, one.kind)
            self._unwilling.add(one.kind)
            self._ask_status &= one.kind != "status"
        else:
            for news in self._news(one):
                self._tell(news)

    def _news(self, one: FromWire) -> Iterator[ReaderNews]:
        if isinstance(one, Card):
            yield self._read(one)
        elif isinstance(one, Odd):
            yield from self._limit.fault("framing", b"", one.at_s)
        elif isinstance(one, Keys):
            for byte in one.data:
                if key := KEY_NAMES.get(byte):
                    yield KeyPressed(reader=self._name, key=key, at_s=one.at_s)  # type: ignore[arg-type]

    def _read(self, card: Card) -> CredentialRead | ReadFault:
        decoded = decode(card.bits, self._formats)
        if isinstance(decoded, str):
            return ReadFault(reader=self._name, fault=decoded, bits=card.bits, at_s=card.at_s)
        return CredentialRead(reader=self._name, format=decoded.format, facility=decoded.facility, card=decoded.card,
                              bits=card.bits, read_s=card.at_s)  # fmt: skip

    def _status(self, online: bool, detail: str) -> None:
        """Told when it changes, not each time that it is tried."""
        status = ReaderStatus(reader=self._name, online=online, at_s=0.0, tamper=self._tamper if online else None,
                              secure=online or None, detail=detail)  # fmt: skip
        if status == self._told:
            return
        self._told = status
        log.info("reader=%s online=%s tamper=%s %s", self._name, online, status.tamper, detail)
        self._tell(msgspec.structs.replace(status, at_s=time.monotonic()))
