"""What differs between a recording and what is seen now, told so that one knows where to look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

MOST_TOLD = 8

NEAR = {
    "box_px": 4.0, "score": 0.06, "quality": 0.1, "likeness": 0.05, "yaw_deg": 4.0, "pitch_deg": 4.0, "roll_deg": 4.0,
    "confidence": 0.15, "eyes_open": 0.2, "probabilities": 0.15, "watched_s": 0.3, "waited_s": 0.2, "embedded_s": 0.4,
    "feet_px": 4.0, "shoulders_px": 4.0, "shoulders_at_px": 4.0,
}  # fmt: skip
"""How far a number may be off on another processor or with other libraries, by the name of its field."""
FREE = {"pixels", "embedding", "pictures", "made_with"}
"""Fields that may be anything there."""


class Difference(NamedTuple):
    """A field with its two values."""

    field: str
    recorded: Any
    now: Any


def differences(recorded: Any, now: Any, exact: bool, field: str = "") -> Iterator[Difference]:
    """Every field that differs; with `exact` false, by more than another machine may make it."""
    name = field.rpartition(".")[2].partition("[")[0]
    if not exact and name in FREE:
        return
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in sorted({*recorded, *now}):
            yield from differences(recorded.get(key), now.get(key), exact, f"{field}.{key}" if field else key)
    elif isinstance(recorded, list) and isinstance(now, list):
        for index, (one, other) in enumerate(zip_longest(recorded, now)):
            yield from differences(one, other, exact, f"{field}[{index}]")
    elif recorded != now and (exact or not _near(name, recorded, now)):
        yield Difference(field, recorded, now)


def _near(name: str, recorded: Any, now: Any) -> bool:
    numbers = isinstance(recorded, (int, float)) and isinstance(now, (int, float))
    return numbers and abs(recorded - now) <= NEAR.get(name, 1e-3)


def report(recorded: list[dict[str, Any]], now: list[dict[str, Any]], exact: bool) -> str:
    """Where two recordings differ, in words; empty when they do not."""
    by_line = [list(differences(one or {}, other or {}, exact)) for one, other in zip_longest(recorded[1:], now[1:])]
    different = [number for number, found in enumerate(by_line) if found]
    if not different:
        return ""
    first = different[0]
    line = (recorded[1:] + now[1:])[first]
    where = f"frame {line['frame']} ({line['at_s']:.2f} s)" if "frame" in line else "what the door decides"
    told = [f"  {each.field}: recorded {each.recorded!r}, now {each.now!r}" for each in by_line[first][:MOST_TOLD]]
    more = len(by_line[first]) - MOST_TOLD
    return "\n".join([f"{len(different)} of {len(by_line)} lines differ, the first is {where}:", *told,
                      *([f"  and {more} more fields"] if more > 0 else []), _fields(by_line), _cause(by_line, exact),
                      "If that is what you wanted: `make golden`, look at the difference, and say why in the commit."])  # fmt: skip


def _fields(by_line: list[list[Difference]]) -> str:
    """Which fields differ, and in how many lines."""
    counted = Counter(name for found in by_line for name in {_plain(each.field) for each in found})
    return "fields that differ, in so many lines: " + ", ".join(
        f"{name} {count}" for name, count in counted.most_common(MOST_TOLD)
    )


def _plain(field: str) -> str:
    """The field without the numbers of its places."""
    return ".".join(part.partition("[")[0] for part in field.split("."))


def _cause(by_line: list[list[Difference]], exact: bool) -> str:
    if any(each.field == "pixels" for found in by_line for each in found):
        return "The frames themselves are others: the scene (demo/) has changed, not the chain alone."
    return "The frames are the same: the chain has changed." if exact else "Compared with the tolerances for another machine."
