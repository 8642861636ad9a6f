"""The contract suite's report: which promise was kept by which device, in a table at the end of the run."""

from __future__ import annotations

from collections import Counter

STANDS = ("bench", "stand", "wires")
"""Fixtures whose parameter names the device or simulator under test."""


class Report:
    """Counts outcomes by contract (the file) and device."""

    def __init__(self) -> None:
        self._kept: Counter[tuple[str, str]] = Counter()
        self._all: Counter[tuple[str, str]] = Counter()

    def add(self, contract: str, device: str, kept: bool) -> None:
        self._all[contract, device] += 1
        self._kept[contract, device] += kept

    def lines(self) -> list[str]:
        """One line for each contract and device; none when nothing was tried."""
        rows = [
            (contract, device, f"{self._kept[contract, device]} of {count}")
            for (contract, device), count in sorted(self._all.items())
        ]
        if not rows:
            return []
        rows = [("contract", "device", "kept"), *rows]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        return [f"{contract:<{widths[0]}}  {device:<{widths[1]}}  {kept}" for contract, device, kept in rows]
