"""What visits an ordinary few weeks leave behind, recorded once: the demo's door and the staged incidents are judged against it.

`demo/usual.jsonl.gz`: a line for each visit, its local time and what was measured of it. Learned from anew where it is used, so that no
version of a norms file matters; times are moved by whole weeks to end before the moment of use.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent.behaviour.norms import Moment, Norms
from demo.usual import FILE, Visit


class Heard(Norms):
    """Norms that keep what they were taught."""

    def __init__(self) -> None:
        super().__init__("simulated")
        self.heard: list[Visit] = []

    def learn(self, values: Mapping[str, float], moment: Moment, person: str = "") -> None:
        self.heard.append(Visit(moment.wall, {kind: round(value, 3) for kind, value in values.items()}))
        super().learn(values, moment, person)


def record(heard: list[Visit], file: Path = FILE) -> None:
    raw = b"".join(msgspec.json.encode(visit) + b"\n" for visit in heard)
    file.write_bytes(gzip.compress(raw, 9, mtime=0))
