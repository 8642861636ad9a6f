"""Words to systemd (sd_notify(3)): ready, alive, stopping. Without a supervisor they go nowhere."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(words: str) -> None:
    """Send e.g. 'READY=1' to the supervisor named by NOTIFY_SOCKET. Never raises and never waits: a deaf supervisor must not stop a door."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as wire:
            wire.sendto(words.encode(), address)
    except OSError as error:
        log.warning("notify supervisor unreachable path=%s error=%s", path, error)
