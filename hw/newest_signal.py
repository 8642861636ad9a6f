"""A thread that carries out the newest of what it was asked for, so that nobody waits for a slow device."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from agent.core.feedback import Signal

log = logging.getLogger(__name__)

JOIN_S = 1.0


class NewestSignal:
    """`ask` returns at once; `work` is called in a thread with the newest signal. What was overtaken is never shown.

    An exception of `work` is told by `on_fault`, once until it works again, and the same signal is tried again every `retry_s`.
    """

    def __init__(
        self, name: str, work: Callable[[Signal], None], on_fault: Callable[[str], None], retry_s: float | None = None
    ) -> None:
        self._work, self._on_fault, self._retry_s = work, on_fault, retry_s
        self._wanted: Signal | None = None
        self._closed = False
        self._faulty = False
        self._turn = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, signal: Signal) -> None:
        with self._turn:
            self._wanted = signal
            self._turn.notify()

    def close(self) -> None:
        """Ends the thread. One that hangs in its device is left behind; it ends with the process."""
        with self._turn:
            self._closed = True
            self._turn.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        while (signal := self._next()) is not None:
            try:
                self._work(signal)
            except Exception as error:  # noqa: BLE001 - a device's fault must end here, whatever its library raises
                self._note(f"{type(error).__name__}: {error}")
                self._again(signal)
            else:
                self._faulty = False

    def _next(self) -> Signal | None:
        with self._turn:
            self._turn.wait_for(lambda: self._closed or self._wanted is not None)
            signal, self._wanted = self._wanted, None
            return None if self._closed else signal

    def _note(self, text: str) -> None:
        if not self._faulty:
            self._faulty = True
            self._on_fault(text)

    def _again(self, signal: Signal) -> None:
        if self._retry_s is None:
            return
        with self._turn:
            self._turn.wait_for(lambda: self._closed or self._wanted is not None, self._retry_s)
            if self._wanted is None:
                self._wanted = signal
