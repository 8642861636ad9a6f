"""Which settings of a door may be changed from afar, and how they are laid over the door's own file.

The list names what a site decides and may decide anew: how strict a door is, what follows from a risk, how long a door may stand open before
somebody is told. Not in it, and refused whole with whatever else an update brings: what was measured or wired at this door (pins, lock,
readers, inputs, camera, floor), which way it fails and how people get out ([lock], rex_pulse_s), who it is and whom it believes (site, door,
[link], [records]), what the law lets run there ([deployment]). Where a setting stands for somebody's written word or for people being
recorded, it may be switched off from afar and never on.

Hours in which a door stands unlocked, profiles and schedules are no settings: they travel in the access bundle (docs/ACCESS.md).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.config import parse_config
from agent.errors import ConfigError
from agent.sections import Config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ALLOWED: dict[str, frozenset[str]] = {
    "policy": frozenset((
        "fmr", "threshold_floor", "face_wait_s", "mismatch_wait_s", "vision_wait_s", "without_vision", "without_template", "min_face_px",
        "min_quality", "liveness", "pin_wait_s", "pin_tries", "pin_lockout_s",
    )),
    "risk": frozenset((
        "raised_from", "high_from", "critical_from", "emotional_at_most", "deny_on_behaviour_alone", "automatic_lock_down", "hold_s",
        "lower_after_s", "rules",
    )),
    "timing": frozenset(("held_open_s", "extended_held_open_s", "warn_before_s", "propped_s")),
    "feedback": frozenset(("language", "sound", "quiet_from", "quiet_until", "quiet_sound")),
    "behaviour": frozenset(("enabled", "norms", "stress_signs", "micro_expressions")),
    "vision": frozenset(("stages", "scene_watch", "enrol")),
}  # fmt: skip
"""Table -> keys. `pin_most_digits` and `pin_pause_s` belong to the reader's keys and are not in it."""

BY_AGREEMENT = "whether it may be measured is settled with those who work there, and at the door itself"
ONLY: dict[tuple[str, str], tuple[tuple[Any, ...], str]] = {
    ("risk", "deny_on_behaviour_alone"): ((False,), "that behaviour may keep people out is put in writing at the door itself"),
    ("risk", "automatic_lock_down"): ((False,), "that a risk may lock a door down without a person is put in writing at the door itself"),
    ("behaviour", "stress_signs"): ((False,), BY_AGREEMENT),
    ("behaviour", "micro_expressions"): ((False,), BY_AGREEMENT),
    ("vision", "enrol"): ((False,), "whether a camera may enrol people is settled at the door itself"),
    ("behaviour", "norms"): (("off", "door"), "whose own usual may be learned is settled with them, and at the door itself"),
}  # fmt: skip
"""What else these may be set to from afar, and why nothing else."""


def parse_overlay(raw: bytes) -> dict[str, Any]:
    """The tables of an update of rules. Raises ConfigError, naming each key that may not be in it."""
    try:
        table = tomllib.loads(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"rules: not valid TOML: {error}") from error
    if faults := list(_faults(table)):
        raise ConfigError(f"rules: {'; '.join(faults[:5])}")
    return table


def _faults(table: Mapping[str, Any]) -> Iterator[str]:
    for name, section in table.items():
        allowed = ALLOWED.get(name)
        if allowed is None or not isinstance(section, dict):
            yield f"`{name}` may not be changed from afar; allowed are the tables {', '.join(f'[{each}]' for each in ALLOWED)}"
            continue
        for key, value in section.items():
            if key not in allowed:
                yield f"`{name}.{key}` may not be changed from afar; allowed in [{name}]: {', '.join(sorted(allowed))}"
            elif (only := ONLY.get((name, key))) is not None and value not in only[0]:
                allowed_words = ", ".join(repr(each) for each in only[0])
                yield f"`{name}.{key}` may be set to {allowed_words} from afar, and to nothing else: {only[1]}"


def laid_over(own: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of the door's file with those of an update over them. A list, as that of [[risk.rules]], is replaced whole."""
    return {**own, **{name: {**own.get(name, {}), **section} for name, section in overlay.items()}}


def with_overlay(own: Mapping[str, Any], raw: bytes) -> Config:
    """The configuration that a door would have. Raises ConfigError as for any configuration."""
    return parse_config(laid_over(own, parse_overlay(raw)))


def overlay_alone(path: Path) -> None:
    """Looks at rules as the centre can, who does not know the doors' own files. Raises ConfigError."""
    with_overlay({"site": "any", "door": "any"}, path.read_bytes())
