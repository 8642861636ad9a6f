"""The names of the steps; nothing else is loaded to know them."""

from __future__ import annotations

from agent.errors import ConfigError

NAMES = (
    "reader", "contact", "rex", "fire", "tamper", "bolt", "interlock", "lock", "second", "egress", "signals",
    "camera", "accelerator", "broker", "clock",
)  # fmt: skip
"""What `--only` takes. Inputs come before the lock: a lock is judged by its contact."""

INPUT_NAMES = NAMES[1:7]


def chosen(words: str) -> frozenset[str]:
    """The steps that `--only` names; empty for all. Raises ConfigError for a name that is none."""
    names = frozenset(word.strip() for word in words.split(",") if word.strip())
    if unknown := names - set(NAMES):
        raise ConfigError(f"--only {', '.join(sorted(unknown))}: steps are {', '.join(NAMES)}")
    return names
