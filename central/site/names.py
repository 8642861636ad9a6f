"""Names that become topic levels, and those that the site keeps for itself."""

from __future__ import annotations

import re

from agent.errors import ConfigError

CENTRE = "centre"
"""The centre's own name at the broker."""
PROBE = "broker-check"
"""A site, a door and a person of this name exist only so that `doorward central broker-check` can try what others may do."""
PROBE_PERSON = f"{PROBE}/person"
"""What stands in that person's certificate, where people come with one."""
RESERVED = (CENTRE, PROBE)

_LEVEL = re.compile(r"[a-z0-9_-]{1,40}")


def level(what: str, name: str) -> str:
    """The name itself. Raises ConfigError, beginning with `what`, for one that cannot be a topic level or is taken by the site itself."""
    if not _LEVEL.fullmatch(name):
        raise ConfigError(f"{what} {name[:60]!r}: 1 to 40 of a-z, 0-9, _ and - are allowed, for it becomes a topic level")
    if name in RESERVED:
        raise ConfigError(f"{what} {name!r}: the site keeps the names {', '.join(RESERVED)} for itself; choose another")
    return name


def door_name(site: str, door: str) -> str:
    """The common name in a door's certificate, which is its user name and client id at the broker. No person's name holds a '/'."""
    return f"{site}/{door}"


def media_name(site: str, door: str) -> str:
    """The same for the door's media program."""
    return f"{site}/{door}/media"
