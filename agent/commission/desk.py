"""What a step of a commissioning works with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct

from agent.commission.guide import Guide
from agent.commission.session import Session
from agent.commission.session_file import SessionFile
from agent.config import Config, load_config


class Options(Struct, frozen=True, kw_only=True):
    """How patient it is, and where the report goes."""

    timeout_s: float
    hold_s: float
    scene_s: float
    out: Path
    named: tuple[str, ...] = ()
    """The steps that `--only` names."""
    tests: frozenset[str] = frozenset()
    """Of the self-test's steps, those that are wanted; empty: those that have no result yet, or all."""
    anew: bool = False
    """`test` was named: every step of the self-test once more."""


class Desk:
    """The door's configuration, the installer, and the session as it stands."""

    def __init__(
        self, config_file: Path, config: Config, guide: Guide, options: Options, store: SessionFile, session: Session
    ) -> None:
        self.config_file, self.config, self.guide, self.options = config_file, config, guide, options
        self.store, self.session = store, session

    def keep(self, session: Session) -> None:
        """From here on, and after a power cut."""
        self.session = session
        self.store.save(session)

    def read_config_again(self) -> None:
        """After it was changed. Raises ConfigError."""
        self.config = load_config(self.config_file)

    def config_sum(self) -> str:
        """What tells one state of the configuration from another."""
        return hashlib.sha256(self.config_file.read_bytes()).hexdigest()[:16]
