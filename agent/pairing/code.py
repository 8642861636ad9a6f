"""The code that a person reads to another over the telephone: eight characters in two groups, as K7QM 3XPD.

24 characters that neither look nor sound like each other too much: no 0 O 1 I, no 2 Z, 5 S, 8 B, no U V. The first three name the code, and
travel in the clear; all eight are the password, of which five are unknown to whoever saw those three: 24^5 = 8 million, with three tries.
"""

from __future__ import annotations

import secrets

from agent.errors import ConfigError

ALPHABET = "34679ACDEFGHJKLMNPQRTWXY"
LENGTH, LABEL = 8, 3
VALID_S = 15 * 60
TRIES = 3
_BETWEEN = " -–.\t\r\n"


def fresh() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def read(typed: str) -> str:
    """As somebody types it: small letters, spaces and hyphens are fine. Raises ConfigError, before a try is lost, for what no code holds."""
    code = "".join(each for each in typed[:100] if each not in _BETWEEN).upper()
    wrong = "".join(dict.fromkeys(each for each in code if each not in ALPHABET))
    if wrong:
        raise ConfigError(
            f"the code holds {wrong[:20]!r}, and no code does: its characters are {ALPHABET}. Have it read to you again"
        )
    if len(code) != LENGTH:
        raise ConfigError(f"the code has {len(code)} characters; codes have {LENGTH}, as {shown(ALPHABET[:LENGTH])}")
    return code


def label(code: str) -> str:
    """By which the centre knows which code is meant."""
    return code[:LABEL]


def shown(code: str) -> str:
    return f"{code[:4]} {code[4:]}"
