"""The dead man's hand: a child of the door program that does nothing but wait for its parent's death, and then takes the lock's power away.

A program that gets SIGKILL cannot clean up, and the kernels of Raspberry Pi OS leave the relay pin as it was. systemd's ExecStopPost
mends that after it has started a new interpreter, some 0.3 s later; this child has all but the pin driver loaded and is sooner. It is
forked before anything else exists (no threads, no pins), so it shares its parent's memory. The driver itself it loads only when its
parent is dead: two lgpio at once in one folder would take each other's pipe of edges.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import NoReturn

_FAREWELL = b"."


class DeadMan:
    """Fork with `start`; `let_go` when the program ends in good order and has made the lock safe itself."""

    def __init__(self, pid: int, pipe: int) -> None:
        self._pid = pid
        self._pipe = pipe

    @classmethod
    def start(cls, make_safe: Callable[[], None]) -> DeadMan:
        """Fork the child. Call it before the first thread and before the pins are opened: the child opens them itself, later."""
        read_end, write_end = os.pipe()
        # A terminal's Ctrl-C, systemd's SIGTERM and its watchdog's SIGABRT reach the whole group, and the child must outlive its parent:
        # it is born deaf to all of them
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                os.close(write_end)
                _wait_and_act(read_end, make_safe)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        os.close(read_end)
        return cls(pid, write_end)

    @property
    def alive(self) -> bool:
        """Whether the child still watches. False once, and for ever, when it has ended."""
        if self._pid == 0:
            return False
        try:
            ended, _ = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            ended = self._pid
        if ended:
            self._pid = 0
        return not ended

    def let_go(self) -> None:
        """The child ends without touching the lock."""
        if not self.alive:
            return
        with contextlib.suppress(BrokenPipeError):  # it ended between the question and the farewell
            os.write(self._pipe, _FAREWELL)
        os.close(self._pipe)
        os.waitpid(self._pid, 0)
        self._pid = 0


def _wait_and_act(pipe: int, make_safe: Callable[[], None]) -> NoReturn:
    """The child's whole life. Never returns into the parent's code."""
    status = 1
    try:
        if os.read(pipe, 1) != _FAREWELL:
            make_safe()
        status = 0
    finally:
        os._exit(status)
