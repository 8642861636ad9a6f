"""Lays what the centre told (`link.toml`) over a door's configuration, key by key: comments and all that is not told stay. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from agent.errors import ConfigError
from agent.toml_text import toml_string

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HEADER = re.compile(r"\s*\[")
NAME = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?\s*\Z")


def laid_over(text: str, told: str) -> str:
    """`text` with each key of `told`, in the table of the same name. Raises ConfigError where that cannot be done line by line."""
    table = parse_table(told)
    wanted = _merged(parse_table(text), table)
    lines = text.removesuffix("\n").split("\n")  # not splitlines: a text may hold what else ends lines
    tops = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = _laid(lines, "", tops)
    for name, keys in table.items():
        if isinstance(keys, dict):
            lines = _laid(lines, name, keys)
    made = "\n".join(lines) + "\n"
    try:
        if tomllib.loads(made) == wanted:
            return made
    except tomllib.TOMLDecodeError:
        pass
    raise ConfigError(
        "what the centre told cannot be laid over this file by itself: copy link.toml over its tables of the same name by hand"
    )


def parse_table(text: str) -> dict[str, Any]:
    """A file's tables. Raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}") from error


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        merged[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _laid(lines: list[str], name: str, keys: Mapping[str, Any]) -> list[str]:
    """Lines with these keys in one table; the table goes to the end where there is none."""
    if not keys:
        return lines
    start, end = _span(lines, name)
    if start is None:
        return [*lines, "", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in keys.items())]
    body = lines[start:end]
    for key, value in keys.items():
        body = _with(body, key, f"{key} = {_value(value)}")
    return [*lines[:start], *body, *lines[end:]]


def _span(lines: list[str], name: str) -> tuple[int | None, int]:
    """Where a table's own lines begin and end; '' is what stands before the first table."""
    start = 0 if not name else None
    for number, line in enumerate(lines):
        if not HEADER.match(line):
            continue
        if start is not None:
            return start, number
        found = NAME.match(line)
        start = number + 1 if found is not None and found[1] == name else None
    return start, len(lines)


def _with(body: list[str], key: str, line: str) -> list[str]:
    place = next((number for number, old in enumerate(body) if re.match(rf"\s*{re.escape(key)}\s*=", old)), None)
    if place is None:
        return [line, *body]
    return [*body[:place], line, *body[place + 1 :]]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, str):
        return toml_string(value)
    raise ConfigError(f"link.toml: {value!r} is neither a text nor a number nor a list")
