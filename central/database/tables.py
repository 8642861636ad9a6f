"""All tables of all rooms: whoever imports this has METADATA whole, as the migrations make it. Each room adds its line."""

from __future__ import annotations

from central.database import (
    tables_accounts,
    tables_alerts,
    tables_events,
    tables_leading,
    tables_live,
    tables_people,
    tables_places,
    tables_updates,
)
from central.database.metadata import METADATA

ROOMS = (tables_events, tables_accounts, tables_people, tables_alerts, tables_places, tables_live, tables_leading, tables_updates)

__all__ = ["METADATA", "ROOMS"]
