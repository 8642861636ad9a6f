"""Tables of the room 'places': floor plans and what lies on them."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, Table, Text

from central.database.metadata import METADATA
from central.database.types import Json, Moment

MAPS = Table(
    "maps",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("site", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("picture_type", Text, nullable=False),
    Column("picture", LargeBinary, nullable=False),
    Column("doors", Json, nullable=False),
    Column("zones", Json, nullable=False),
    Column("edition", Integer, nullable=False),
    Column("changed", Moment, nullable=False),
    Column("changed_by", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""One row a floor plan. Doors and zones are read and written with their map as a whole, so they lie in it.

`sqlite_autoincrement`: the id of a map that was deleted never names another one, in somebody's open page or a browser's cache.
"""
