"""A door whose own programs are stopped, for as long as an installer works at it: its lock is left safe whatever happens."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.config import Config
from agent.dead_man import DeadMan
from agent.errors import ConfigError
from agent.local_socket import VISION_SOCKET
from agent.run_lock import only_one
from agent.safe_state import make_safe

STOP = "sudo systemctl stop doorward.target doorward-door doorward-vision"
START = "sudo systemctl start doorward.target"


@contextmanager
def at_rest(config: Config, work: str) -> Iterator[None]:
    """Holds the door's place, so that neither door nor another installer starts meanwhile. `work`: what for, as in 'the self-test'.

    Enter it before the first thread and before any pin is opened: a child is forked that makes the lock safe when this program is killed.
    Raises ConfigError while the door or the vision program runs.
    """
    run = Path(config.run_folder)
    _demand_quiet_vision(run, work)
    dead_man = DeadMan.start(lambda: make_safe(config))
    try:
        with ExitStack() as held:
            if run.is_dir():  # without it no door program of this configuration runs: it makes the folder, or does not start
                _hold(held, run)
            yield
    finally:
        dead_man.let_go()


def _hold(held: ExitStack, run: Path) -> None:
    try:
        held.enter_context(only_one(run))
    except ConfigError as error:
        raise ConfigError(
            f"{error}. Nobody comes in meanwhile; the way out works:\n  {STOP}\nand afterwards:\n  {START}"
        ) from error


def _demand_quiet_vision(run: Path, work: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(run / VISION_SOCKET))
        except OSError:
            return
    raise ConfigError(
        f"{run}: the vision program runs and holds the camera; stop it for {work}:\n  {STOP}\nand afterwards:\n  {START}"
    )
