"""One TOML file per controller, read once, strict: an unknown key or a value out of range stops start-up and says where."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect

from agent.config_checks import check, expression_allowed, micro_expressions_allowed, stress_signs_allowed
from agent.errors import ConfigError
from agent.identity.credentials import with_credentials
from agent.sections import (
    AnyReader,
    Config,
    Deployment,
    Link,
    OsdpReader,
    SerialReader,
    Stage,
    Vision,
    WiegandFormatName,
    WiegandReader,
)  # fmt: skip

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "AnyReader", "Config", "Deployment", "Link", "OsdpReader", "SerialReader", "Stage", "Vision", "WiegandFormatName", "WiegandReader",
    "expression_allowed", "load_config", "load_relay", "micro_expressions_allowed", "parse_config", "read_table", "stress_signs_allowed",
]  # fmt: skip


def load_config(path: Path) -> Config:
    """The configuration in a file; raises ConfigError naming file, key and what is allowed."""
    table = read_table(path)
    try:
        return parse_config(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def load_relay(path: Path) -> Config:
    """The pins and the relay alone, whatever else is wrong in the file: a mistake elsewhere may not keep a lock from being made safe.

    Everything else in what is returned means nothing. Raises ConfigError when board or relay themselves cannot be read.
    """
    table = read_table(path)
    lock = table.get("lock", {})
    keys = ("relay_pin", "relay_active_high", "second_pin", "second_active_high")
    relay = {key: lock[key] for key in keys if key in lock} if isinstance(lock, dict) else lock
    try:
        return msgspec.convert({"site": "any", "door": "any", "board": table.get("board", {}), "lock": relay}, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}{_allowed(str(error), table)}") from error


def read_table(path: Path) -> dict[str, Any]:
    """What is written in the file, unchecked. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # some editors begin a file with a byte order mark
    except FileNotFoundError as error:
        mend = "copy systemd/door.example.toml there, or name another file with --config"
        raise ConfigError(f"{path}: cannot be read: there is no such file; {mend}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; it must be a UTF-8 text file that this user may read") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def parse_config(table: Mapping[str, Any]) -> Config:
    """A configuration from parsed TOML; raises ConfigError naming the key and what is allowed."""
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{error}{_allowed(str(error), table)}") from error
    check(config)
    return with_credentials(config)


def _allowed(complaint: str, table: Mapping[str, Any]) -> str:
    """The keys of the table, or the words of the choice, that msgspec's message points to; nothing for ranges, which it tells.

    A pattern is put into words.
    """
    place = re.search(r" - at `\$(.*)`$", complaint)
    info = _type_at(msgspec.inspect.type_info(Config), table, re.findall(r"\.(\w+)|\[(\d+)\]", place[1] if place else ""))
    if isinstance(info, dict):  # tables of several kinds, and none of them was named
        return f"; allowed: {', '.join(f'kind = {kind!r}' for kind in info)}"
    if isinstance(info, msgspec.inspect.StructType):
        return f"; allowed: {', '.join(field.encode_name for field in info.fields)}"
    if isinstance(info, msgspec.inspect.UnionType):
        info = next((each for each in info.types if isinstance(each, msgspec.inspect.Metadata)), info)
    if isinstance(info, msgspec.inspect.Metadata):
        return f"; allowed: {(info.extra_json_schema or {}).get('description', '')}"
    if isinstance(info, msgspec.inspect.LiteralType):
        return f"; allowed: {', '.join(repr(value) for value in info.values)}"
    return ""


def _type_at(info: Any, value: Any, steps: list[tuple[str, str]]) -> Any:
    """The type of the place in the file where `steps` (keys and indices) lead; of tables of several kinds a dict of kinds."""
    for key, index in steps:
        if index:
            info, value = info.item_type, value[int(index)]
        elif key == "kind" and isinstance(info, dict):
            return info
        else:
            info = next(field.type for field in info.fields if field.encode_name == key)
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        info = _of_its_kind(info, value)
    return info


def _of_its_kind(info: Any, value: Any) -> Any:
    """Of tables of several kinds that which `value` says it is; all of them, by name, where it names none that there is."""
    info = info.type if isinstance(info, msgspec.inspect.Metadata) and not info.extra_json_schema else info
    kinds = {t.tag: t for t in getattr(info, "types", ()) if isinstance(t, msgspec.inspect.StructType)}
    return kinds.get(value.get("kind") if isinstance(value, Mapping) else None, kinds) if kinds else info
