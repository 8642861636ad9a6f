"""A serial line for tests: a pty under a name of its own, which can be unplugged and plugged in again."""

from __future__ import annotations

import contextlib
import os
import threading
import tty
from pathlib import Path


class PtyLine:
    """The far end of a serial device."""

    def __init__(self, link: Path) -> None:
        self.path = str(link)
        self._link = link
        self._mine = self._theirs = -1
        self._lock = threading.Lock()
        self.plug_in()

    def plug_in(self) -> None:
        """A new device under the old name, as udev gives after replugging."""
        with self._lock:
            self._mine, self._theirs = os.openpty()
            tty.setraw(self._theirs)
            os.set_blocking(self._mine, False)
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(os.ttyname(self._theirs))

    def unplug(self) -> None:
        with self._lock:  # a thread that still read from it would read from whatever file has the number next
            self._link.unlink(missing_ok=True)
            if self._mine >= 0:
                os.close(self._mine)
                os.close(self._theirs)
            self._mine = self._theirs = -1

    def send(self, data: bytes) -> None:
        """What does not fit is lost, as at a device that nobody reads from; nothing arrives when unplugged."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._mine >= 0:
                os.write(self._mine, data)

    def take(self) -> bytes:
        """What the door has sent; empty when nothing, or when unplugged."""
        with self._lock:
            try:
                return os.read(self._mine, 4096) if self._mine >= 0 else b""
            except OSError:  # nothing there, or nobody has it open
                return b""

    def close(self) -> None:
        self.unplug()
