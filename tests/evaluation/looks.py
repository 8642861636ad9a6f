"""Looks with embeddings that are made up, for tests of what is computed from them."""

from __future__ import annotations

import numpy as np

from agent.evaluation.pictures import Gathered
from agent.evaluation.report import Provenance
from agent.evaluation.still import Look

PROVENANCE = Provenance(list="l.csv", list_sha256="0" * 64, embedder_id="e", models={}, engine="none", versions={})


def look(embedding, length=50.0) -> Look:
    values = np.asarray(embedding, np.float64)
    return Look(embedding=(values / np.linalg.norm(values)).astype("<f4").tobytes(), faces=1, length=length)


def crowd(people: int, pictures: int, noise: float, seed: int = 3) -> dict[str, Look]:
    """`pictures` of each of `people`, by path `pN/M.jpg`; the greater the noise, the less alike one person's pictures."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(people, 16))
    return {
        f"p{person}/{number}.jpg": look(middles[person] + noise * random.normal(size=16), 50.0 + number)
        for person in range(people)
        for number in range(pictures)
    }


def gathered(looks, unreadable=None) -> Gathered[Look]:
    return Gathered(looks, unreadable or {})
