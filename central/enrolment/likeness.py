"""Is this person here already, under another name? A template compared with all others (1:N)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from central.database.tables_people import CARDHOLDERS, TEMPLATES
from central.people.rows import CHUNK
from central.people.vault import Vault

MOST_TOLD = 3
Vectors = NDArray[np.float32]


class Alike(Struct, frozen=True):
    """Somebody who may be the same person."""

    id: str
    name: str
    score: float
    """Cosine of the two templates; from the threshold on they match."""


class Search(Struct, frozen=True):
    """What was found, most alike first, among how many others; so many of them would match by chance."""

    found: tuple[Alike, ...]
    others: int
    by_chance: float


def search(
    connection: Connection, vault: Vault, mine: Sequence[bytes], embedder_id: str, but: str, threshold: float, fmr: float
) -> Search:
    """Templates are opened page by page: a quarter of a million of them are never in memory together. Raises VaultError."""
    table, probes = TEMPLATES, np.stack([np.frombuffer(each, "<f4") for each in mine])
    others = (table.c.embedder_id == embedder_id) & (table.c.cardholder != but)
    best: dict[str, float] = {}
    last = 0
    asked = select(table.c.n, table.c.cardholder, table.c.sealed).where(others).order_by(table.c.n).limit(CHUNK)
    while page := connection.execute(asked.where(table.c.n > last)).all():
        scores = _scores(probes, [vault.open("template", row.cardholder, row.sealed) for row in page])
        for row, score in zip(page, scores, strict=True):
            if score >= threshold:
                best[row.cardholder] = max(float(score), best.get(row.cardholder, -1.0))
        last = page[-1].n
    count = connection.execute(select(func.count(table.c.cardholder.distinct())).where(others)).scalar_one()
    return Search(_named(connection, best), count, count * fmr)


def _scores(probes: Vectors, templates: list[bytes]) -> Vectors:
    """Of each template the best score with any probe."""
    gallery = np.frombuffer(b"".join(templates), "<f4").reshape(len(templates), -1)
    return np.asarray((gallery @ probes.T).max(axis=1), np.float32)


def _named(connection: Connection, best: dict[str, float]) -> tuple[Alike, ...]:
    ids = sorted(best, key=lambda id: -best[id])[:MOST_TOLD]
    rows = connection.execute(select(CARDHOLDERS.c.id, CARDHOLDERS.c.name).where(CARDHOLDERS.c.id.in_(ids)))
    names = {row.id: row.name for row in rows}
    return tuple(Alike(id, names[id], round(best[id], 3)) for id in ids)
