"""The Unix datagram sockets between the door and the vision program, and the bytes on them.

One datagram is one message (msgpack, a tagged union of `agent.core.messages`). Nobody waits for anybody: a sender whose reader is
slow, stopped or gone drops the message and counts it, because the next one is newer and better.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.core.messages import FromVision, ToVision
from agent.errors import ConfigError, WireError

MAX_BYTES = 65536
"""Largest datagram: an observation with sixteen embedded faces takes a quarter of it."""
MAX_DRAIN = 64
"""Datagrams taken in one go. The kernel queues a dozen to some hundred (net.unix.max_dgram_qlen); a flood may not
hold the loop."""

MAX_PATH_BYTES = 107
"""Longest name of a Unix socket on Linux (unix(7): sun_path has 108 bytes, the last is zero)."""

DOOR_SOCKET = "door.sock"
VISION_SOCKET = "vision.sock"
"""Names in Config.run_folder: each program binds its own and sends to the other's."""

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_from_vision: msgspec.msgpack.Decoder[FromVision] = msgspec.msgpack.Decoder(FromVision)
_to_vision: msgspec.msgpack.Decoder[ToVision] = msgspec.msgpack.Decoder(ToVision)


def encode(message: FromVision | ToVision) -> bytes:
    """A message as one datagram."""
    return _encoder.encode(message)


def decode_from_vision(raw: bytes) -> FromVision:
    """What vision said; raises WireError for anything that is not exactly such a message."""
    return _decode(_from_vision, raw)


def decode_to_vision(raw: bytes) -> ToVision:
    """What the door asked for; raises WireError for anything that is not exactly such a message."""
    return _decode(_to_vision, raw)


def _decode(decoder: msgspec.msgpack.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"local socket: {len(raw)} bytes that are no message: {error}") from error


class Sender:
    """Sends to a path whether or not somebody listens there; never raises and never waits."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self.sent = 0
        self.dropped = 0

    def send(self, raw: bytes) -> bool:
        """True when the kernel took it. The path is looked up each time, so a reader that was started anew is found."""
        try:
            self._socket.sendto(raw, self._path)
        except OSError:
            self.dropped += 1
            return False
        self.sent += 1
        return True

    def close(self) -> None:
        self._socket.close()


class Receiver:
    """Owns a socket file (mode 0600) and gives the datagrams that came in. Works with `selectors` by its fileno()."""

    def __init__(self, path: Path) -> None:
        """Replaces the file that a killed process left; raises ConfigError when something living or foreign is there."""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self.oversized = 0
        try:
            _remove_stale(path)
            # The file takes the mode of the socket's inode (Linux), so there is no moment at which others may write.
            os.fchmod(self._socket.fileno(), 0o600)
            self._socket.bind(str(path))
            self._inode = path.stat().st_ino
        except OSError as error:
            self._socket.close()
            mend = "`run_folder` must be a folder this user may write"
            raise ConfigError(f"{path}: cannot listen here: {error}; {mend}") from error
        except ConfigError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> list[bytes]:
        """The datagrams that wait, oldest first, at most MAX_DRAIN. Those over MAX_BYTES are counted, not given."""
        taken: list[bytes] = []
        for _ in range(MAX_DRAIN):
            try:
                raw = self._socket.recv(MAX_BYTES + 1)
            except BlockingIOError:
                break
            if len(raw) > MAX_BYTES:
                self.oversized += 1
            else:
                taken.append(raw)
        return taken

    def close(self) -> None:
        """Stops listening and removes the file, unless another process has put its own there."""
        self._socket.close()
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ConfigError(f"{path}: is no socket and will not be removed; use another `run_folder`")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ConfigError(f"{path}: another process listens here; stop it or use another `run_folder`")
