"""Vectors from the world: bits that other people's readers and tools gave for cards whose numbers are known."""

from __future__ import annotations

import csv
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "vectors"


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a table in tests/vectors; each names its source."""
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


WIEGAND_26 = [row for row in rows("wiegand.csv") if row["bits"] == "26"]
RDM6300 = rows("rdm6300.csv")
WIEGAND_FORMATS = rows("wiegand_formats.csv")
"""Frames of the other formats, by the names that Doorward gives them."""
