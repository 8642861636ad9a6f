"""What a step works with that needs somebody's hands."""

from __future__ import annotations

from msgspec import Struct

from agent.config import Config
from agent.selftest.bench import Bench
from agent.selftest.installer import Installer


class Hands(Struct, frozen=True, kw_only=True):
    """The door's hardware, the installer, and how patient we are."""

    bench: Bench
    installer: Installer
    timeout_s: float
    """How long the installer is waited for."""
    hold_s: float
    """How long a door is pulled at that must not open."""

    @property
    def config(self) -> Config:
        return self.bench.config
