"""Tables of the room 'updates': packages, what is ordered of each door, and roll-outs with how far each door is in them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from central.database.metadata import METADATA
from central.database.types import Json, Moment

UPDATE_PACKAGES = Table(
    "update_packages",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),
    Column("version", String(60), nullable=False),
    Column("note", Text, nullable=False),
    Column("size_b", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("made", Moment, nullable=False),
    Column("who", String(80), nullable=False),
    Index("ux_update_packages_version", "kind", "version", unique=True),
    sqlite_autoincrement=True,
)
"""`head` as agent.updates.package makes it; empty while the content is being written. A number is never given twice: doors go by it."""

UPDATE_ORDERS = Table(
    "update_orders",
    METADATA,
    Column("site", String(40), primary_key=True),
    Column("door", String(40), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("serial", BigInteger, nullable=False),
    Column("made", Moment, nullable=False),
    Column("package", Integer),
    Column("shadow", Boolean, nullable=False),
    Column("back", Boolean, nullable=False),
    Column("new_embedder", Boolean, nullable=False),
)
"""What each door was ordered last. No package: what came with the program."""

ROLLOUTS = Table(
    "rollouts",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),
    Column("package", Integer, nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("state", String(20), nullable=False),
    Column("why", Text, nullable=False),
    Column("wave", Integer, nullable=False),
    Column("pace", Json, nullable=False),
    Column("begun", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    Column("who", String(80), nullable=False),
    sqlite_autoincrement=True,
)
"""`state`: running, stopped, done, ended, rolled_back. `pace`: how many doors at once, how long each is watched (central.updates.plan)."""

ROLLOUT_DOORS = Table(
    "rollout_doors",
    METADATA,
    Column("rollout", Integer, primary_key=True, autoincrement=False),
    Column("site", String(40), primary_key=True),
    Column("door", String(40), primary_key=True),
    Column("wave", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("detail", Text, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("since", Moment),
    Column("before", Integer, nullable=False),
    Column("faults", Json, nullable=False),
    Index("ix_rollout_doors_place", "site", "door"),
)
"""`before`: the number that was in force there when it was ordered, to go back to; `faults`: what was wrong there anyway."""
