"""When an event was, in words: a time that is not certain is never shown as if it were. Pure."""

from __future__ import annotations

from datetime import datetime

NOT_CERTAIN = "the door did not know what time it was"
FORM = "%Y-%m-%d %H:%M:%S %Z"


def said_time(at: datetime, clock: str, told_at: datetime | None = None) -> str:
    """`at` is the best that is known, `clock` how far it may be believed (core.messages.Event), `told_at` what the door's clock said."""
    told = "" if told_at is None else f"; its clock said {told_at:{FORM}}"
    if clock == "unsure":
        latest = "at the latest " if told_at is not None else ""
        return f"{latest}{at:{FORM}} (time not certain: {NOT_CERTAIN}{told})"
    if clock == "corrected":
        return f"{at:{FORM}} (corrected: {NOT_CERTAIN} then{told})"
    return f"{at:{FORM}}"
