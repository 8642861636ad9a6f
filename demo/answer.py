"""What a reader's answer looks like to the demo."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True):
    """What came of holding a fob to the reader."""

    relay_ms: float | None
    """From the fob's last bit to the relay; None when it did not move."""
    event: dict[str, Any] | None
    """The decision as the historian has it; None while it cannot be reached."""
