"""A reader without a device: what a fob, a keypad, a screwdriver and a plug do to it is called, and what it shows can be looked at."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.core.messages import CredentialRead, KeyPressed, ReaderStatus, ReadFault

if TYPE_CHECKING:
    from agent.core.feedback import Signal
    from agent.core.messages import ReaderNews

CLOSE_S = 2.0


class SimReader:
    """Implements hw.interfaces.Reader. Tells from a thread of its own, as real readers do, and nothing while it is unplugged."""

    def __init__(self, name: str, plugged: bool = True) -> None:
        self._name = name
        self._plugged, self._tamper = plugged, False
        self._news: queue.SimpleQueue[ReaderNews | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.shown: list[Signal] = []
        """Every signal, in order; append-only."""

    @property
    def name(self) -> str:
        return self._name

    def start(self, tell: Callable[[ReaderNews], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(tell,), name=f"reader {self._name}", daemon=True)
        self._thread.start()
        self._status()

    def show(self, signal: Signal) -> None:
        if not self._closed:
            self.shown.append(signal)

    def hung(self) -> str:
        return ""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._news.put(None)
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def present(self, format_name: str, facility: int, card: int, bits: str) -> None:
        """A fob is held out."""
        self._say(
            CredentialRead(
                reader=self._name, format=format_name, facility=facility, card=card, bits=bits, read_s=time.monotonic()
            )
        )

    def press(self, keys: str) -> None:
        """Keys are pressed, out of 0-9, * and #."""
        for key in keys:
            self._say(KeyPressed(reader=self._name, key=key, at_s=time.monotonic()))  # type: ignore[arg-type]

    def fault(self, kind: str, bits: str = "") -> None:
        """Something arrives that is no credential."""
        self._say(ReadFault(reader=self._name, fault=kind, bits=bits, at_s=time.monotonic()))

    def tamper(self, open_case: bool) -> None:
        """Its case is opened or closed."""
        if open_case != self._tamper:
            self._tamper = open_case
            self._status()

    def unplug(self) -> None:
        if self._plugged:
            self._plugged = False
            self._status()

    def plug_in(self) -> None:
        if not self._plugged:
            self._plugged = True
            self._status()

    def _status(self) -> None:
        detail = "" if self._plugged else "there is no such device: is its USB plug in?"
        self._news.put(ReaderStatus(reader=self._name, online=self._plugged, at_s=time.monotonic(),
                                    tamper=self._tamper if self._plugged else None, detail=detail))  # fmt: skip

    def _say(self, news: ReaderNews) -> None:
        if self._plugged:
            self._news.put(news)

    def _run(self, tell: Callable[[ReaderNews], None]) -> None:
        while (news := self._news.get()) is not None:
            tell(news)
