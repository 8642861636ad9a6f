"""The two ends of a run: a folder of its own at the beginning, and nothing left running at the end, however it comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType

from agent.errors import ConfigError
from agent.local_socket import MAX_PATH_BYTES, VISION_SOCKET

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a supervisor, a closed terminal."""


def own_folder(wanted: Path | None, now: datetime) -> Path:
    """A folder for this run alone, made here: `wanted`, which must be new or empty, or one named by the time.

    Raises ConfigError naming --out: what lies in a folder, a door.toml say, is never written over.
    """
    folder = (wanted or Path("demo-out") / f"{now:%Y%m%d-%H%M%S}").resolve()
    _demand_room_for_sockets(folder)
    try:
        if wanted is not None:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigError(f"--out: {folder} is not empty; name a folder that is new or empty")
            return folder
        return _first_free(folder)
    except OSError as error:
        raise ConfigError(f"--out: {folder} cannot be used: {error.strerror}; name a folder that you may write") from error


def _first_free(folder: Path) -> Path:
    """Several demos may begin within one second."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        free = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            free.mkdir()
        except FileExistsError:
            number += 1
        else:
            return free


def _demand_room_for_sockets(folder: Path) -> None:
    most = MAX_PATH_BYTES - len(f"/run/{VISION_SOCKET}")
    if (found := len(os.fsencode(folder))) > most:
        raise ConfigError(
            f"--out: {folder} is {found} bytes long; at most {most} leave room for the names of Unix sockets: name a shorter one"
        )


@contextmanager
def ends_in_order(close: Callable[[], None]) -> Iterator[None]:
    """Run the body, then `close`. SIGTERM and SIGHUP end the body as Ctrl-C does; while `close` works none of them disturbs it.

    Without this the programs of the site would go on for ever when the demo is told to end. For the main thread, which gets signals.
    """
    heard = [number for number in ENDS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in heard}
    try:
        yield
    finally:
        for number in heard:
            # No SIG_IGN, which the crash helpers that are started meanwhile would inherit
            signal.signal(number, _let_it_finish)
        try:
            close()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _let_it_finish(number: int, frame: FrameType | None) -> None:
    """Closing has its own time limits."""
