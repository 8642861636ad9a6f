"""`--config FILE` of commands that need nothing of central.toml but where the database is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_config(parser: argparse._ActionsContainer) -> None:
    """For a command that has `--database` too: the one that stands last counts."""
    parser.add_argument("--config", action=_NamesDatabase, metavar="FILE", help="central.toml, which names the database")


class _NamesDatabase(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Raises ConfigError."""
        from central.settings import load_settings

        namespace.database = load_settings(Path(values)).database.url
