"""Texts as TOML writes them, for files that are written for people to read and change."""

from __future__ import annotations


def toml_string(text: str) -> str:
    """A basic string of TOML; of what may not stand in one, nothing is left out."""
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 32 or ord(letter) == 127 else letter
