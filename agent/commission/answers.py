"""Answers that are known before anybody stands at the door: a strict TOML file. What only eyes and hands can say is never in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from agent.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ANSWERS = {
    "place": "what the door is called by those who use it",
    "customer": "whose door it is",
    "installer": "who does this work",
    "company": "for which company",
    "url": "address of the centre, for pairing",
    "floor": '"sheets", "points", "keep" or "no"',
    "rectangle": "where the sheets lie, in metres: WIDE NEAR FAR",
    "picture": '"yes" when a picture of the camera, without faces, goes into the report; whoever is in it has agreed',
    "accepted": "who accepts the work for the customer",
    "note": "what else the report shall say",
}
"""Key -> what it is. A pairing code is not among them: it is good for minutes, and typed."""
MOST_LETTERS = 120
MOST_BYTES = 20_000


def load_answers(path: Path | None) -> dict[str, str]:
    """Raises ConfigError for a key that there is none of, and for what is no line of text."""
    if path is None:
        return {}
    try:
        raw = path.read_bytes()
        if len(raw) > MOST_BYTES:
            raise ConfigError(f"{path}: {len(raw)} bytes; answers are {MOST_BYTES} at most")
        table: dict[str, Any] = tomllib.loads(raw.decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    for key, value in table.items():
        if key not in ANSWERS:
            raise ConfigError(f"{path}: {key}: there is no such answer; allowed: {', '.join(ANSWERS)}")
        if not isinstance(value, str) or (why := why_not(value)):
            raise ConfigError(f"{path}: {key}: {why if isinstance(value, str) else 'is no text'}; it is {ANSWERS[key]}")
    return table


def why_not(text: str) -> str:
    """Why a text is no answer; empty when it is one."""
    if len(text) > MOST_LETTERS:
        return f"{len(text)} letters; {MOST_LETTERS} at most"
    return "" if text.isprintable() else "it holds what cannot be printed"
