"""All tables of all rooms: whoever imports this has METADATA whole. Each room adds its line."""

from __future__ import annotations

from central.database import tables_events
from central.database.metadata import METADATA

__all__ = ["METADATA", "tables_events"]
