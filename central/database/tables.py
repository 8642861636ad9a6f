"""All tables of all rooms: whoever imports this has METADATA whole, as the migrations make it."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import central.database
from central.database.metadata import METADATA

ROOMS = tuple(sorted(each.name for each in pkgutil.iter_modules(central.database.__path__) if each.name.startswith("tables_")))
for _room in ROOMS:
    import_module(f"central.database.{_room}")

__all__ = ["METADATA", "ROOMS"]
