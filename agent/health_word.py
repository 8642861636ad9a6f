"""What the door program says of itself to whoever stands at its own machine: a small file in the run folder, in memory, no disk's business.

`doorward health` reads it, and with it the script that installs a release and the one that marks a system as good. systemd's status line
says the same in short.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from agent import __version__
from agent.clock_kernel import boot_id
from agent.notify import notify

log = logging.getLogger(__name__)

WORD_FILE = "health.json"
MOST_BYTES = 256 * 1024


class HealthWord(Struct, frozen=True, kw_only=True):
    """Times are CLOCK_MONOTONIC: of this start of the machine, which `boot` names."""

    boot: str
    at_s: float
    pid: int
    since_s: float
    """When this program had come up."""
    vision_since_s: float | None
    """Since when vision has been telling without a break; None while it does not."""
    site: str
    door: str
    mode: str
    version: str
    hung: tuple[str, ...] = ()
    """Stages that do not move, in words: the program is about to be started anew for them."""
    health: dict[str, Any] = {}
    """As it is published (docs/PROTOCOL.md)."""


_decoder = msgspec.json.Decoder(HealthWord)
_encoder = msgspec.json.Encoder(enc_hook=repr)


def read_word(run: Path) -> HealthWord | None:
    """What the door program in this run folder said last. None: nothing that can be understood. Raises PermissionError."""
    try:
        with (run / WORD_FILE).open("rb") as file:
            return _decoder.decode(file.read(MOST_BYTES))
    except PermissionError:
        raise
    except (OSError, msgspec.DecodeError, ValueError, RecursionError):
        return None


class HealthTeller:
    """Says it in the run folder and to systemd. Call it from one thread. Never raises: nobody at a door waits for this."""

    def __init__(self, run: Path, site: str, door: str, now_s: float, hung: Callable[[], tuple[str, ...]] = tuple) -> None:
        self._path, self._site, self._door, self._hung = run / WORD_FILE, site, door, hung
        self._boot, self._since_s = boot_id(), now_s
        self._vision_since_s: float | None = None
        self._failed = False

    def __call__(self, now_s: float, mode: str, vision_lives: bool, health: dict[str, Any]) -> None:
        if not vision_lives:
            self._vision_since_s = None
        elif self._vision_since_s is None:
            self._vision_since_s = now_s
        word = HealthWord(
            boot=self._boot, at_s=now_s, pid=os.getpid(), since_s=self._since_s, vision_since_s=self._vision_since_s, site=self._site,
            door=self._door, mode=mode, version=__version__, hung=self._hung(), health=health,
        )  # fmt: skip
        notify(f"STATUS={status_line(word)}")
        self._write(_encoder.encode(word))

    def _write(self, raw: bytes) -> None:
        """Whole at every moment; what is lost with the power is worth nothing afterwards, so no disk is waited for."""
        fresh = self._path.with_name(f".{WORD_FILE}.part")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(raw)
            fresh.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("health not told path=%s error=%s", self._path, error)
            self._failed = True


def status_line(word: HealthWord) -> str:
    """For `systemctl status`: one line."""
    link = word.health.get("link")
    connected = isinstance(link, dict) and link.get("connected") is True
    said = [
        f"{word.site}/{word.door}: {word.mode}",
        "vision tells" if word.vision_since_s is not None else "vision is silent",
        "connected" if connected else "not connected",
    ]
    return ", ".join([*said, *(f"HANGS: {stage}" for stage in word.hung)]).replace("\n", " ")
