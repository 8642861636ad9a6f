"""The part of JSON Schema that docs/asyncapi.yaml uses. A keyword that is not known here is an error: nothing passes unchecked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
SAY_NOTHING = {"description", "format"}


def resolve(document: Any, node: Any) -> Any:
    """A node of the document, or what its $ref names. Raises KeyError."""
    while isinstance(node, dict) and "$ref" in node:
        found = document
        for word in node["$ref"].removeprefix("#/").split("/"):
            found = found[word]
        node = found
    return node


def faults(document: Any, schema: Any, value: Any, where: str = "$") -> Iterator[str]:
    """What is wrong with a value, in words."""
    schema = resolve(document, schema)
    for keyword, rule in schema.items():
        if keyword not in SAY_NOTHING:
            yield from _RULES[keyword](document, schema, rule, value, where)


def _type(_document: Any, _schema: Any, rule: Any, value: Any, where: str) -> Iterator[str]:
    allowed = rule if isinstance(rule, list) else [rule]
    if not any(isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool)) for name in allowed):
        yield f"{where}: {value!r} is no {rule}"


def _properties(document: Any, _schema: Any, rule: Any, value: Any, where: str) -> Iterator[str]:
    for name, below in rule.items() if isinstance(value, dict) else ():
        if name in value:
            yield from faults(document, below, value[name], f"{where}.{name}")


def _additional(document: Any, schema: Any, rule: Any, value: Any, where: str) -> Iterator[str]:
    for name in value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ():
        if rule is False:
            yield f"{where}: {name!r} is not allowed"
        else:
            yield from faults(document, rule, value[name], f"{where}.{name}")


def _required(_document: Any, _schema: Any, rule: Any, value: Any, where: str) -> Iterator[str]:
    yield from (f"{where}: {name!r} is missing" for name in rule if isinstance(value, dict) and name not in value)


def _items(document: Any, _schema: Any, rule: Any, value: Any, where: str) -> Iterator[str]:
    for number, item in enumerate(value if isinstance(value, list) else ()):
        yield from faults(document, rule, item, f"{where}[{number}]")


def _that(is_so: Any, kind: Any, words: str) -> Any:
    def check(_document: Any, _schema: Any, rule: Any, value: Any, where: str) -> Iterator[str]:
        if isinstance(value, kind) and not is_so(rule, value):
            yield f"{where}: {value!r} is not {words} {rule!r}"

    return check


_RULES: Mapping[str, Any] = {
    "type": _type, "properties": _properties, "additionalProperties": _additional, "required": _required, "items": _items,
    "enum": _that(lambda rule, value: value in rule, object, "one of"),
    "const": _that(lambda rule, value: value == rule, object, "always"),
    "pattern": _that(re.search, str, "like"),
    "minLength": _that(lambda rule, value: len(value) >= rule, str, "as long as"),
    "maxLength": _that(lambda rule, value: len(value) <= rule, str, "as short as"),
    "minItems": _that(lambda rule, value: len(value) >= rule, list, "as many as"),
    "maxItems": _that(lambda rule, value: len(value) <= rule, list, "as few as"),
    "maxProperties": _that(lambda rule, value: len(value) <= rule, dict, "as few as"),
    "minimum": _that(lambda rule, value: value >= rule, (int, float), "at least"),
    "maximum": _that(lambda rule, value: value <= rule, (int, float), "at most"),
}  # fmt: skip
