"""Which centre is the active one: one row, for all rooms."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from central.database.metadata import METADATA
from central.database.types import Moment

LEADING = Table(
    "leading",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("term", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("since", Moment, nullable=False),
)
"""`term` grows each time a centre takes over; `who` is its machine and process."""
