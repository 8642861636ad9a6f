"""Keys that systemd hands to a program: opened with the board's TPM, in memory only, for that program alone.

A unit with `LoadCredentialEncrypted=doorward.link_key:…` finds the opened key in the folder `$CREDENTIALS_DIRECTORY` (systemd.exec(5)). It
stands in for the file that the configuration names, where there is none, so that nothing in door.toml changes when keys are sealed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.sections import Config

Name = Literal["door_key", "link_key", "live_key"]
FOLDER = "CREDENTIALS_DIRECTORY"


class KeyPlace(Struct, frozen=True, kw_only=True):
    """A private key of this door."""

    name: Name
    file: Path
    """As the configuration names it."""
    units: tuple[str, ...]
    """Who needs it."""
    about: str

    @property
    def credential(self) -> str:
        """What systemd calls it."""
        return f"doorward.{self.name}"


def keys_of(config: Config) -> list[KeyPlace]:
    """The keys that a configuration names."""
    link, live, shared = config.link.key_file, config.live.key_file, not config.live.cert_file
    found = [
        KeyPlace(
            name="door_key", file=Path(config.records.door_key), units=("doorward-door",), about="opens what is sealed for it"
        )
    ]
    if link:
        units = ("doorward-door", "doorward-media") if shared else ("doorward-door",)
        found.append(KeyPlace(name="link_key", file=Path(link), units=units, about="the door's at the broker"))
    if live:
        units = ("doorward-door", "doorward-media")  # the door program renews the certificates of both
        found.append(KeyPlace(name="live_key", file=Path(live), units=units, about="of the live view's program at the broker"))
    return found


def with_credentials(config: Config, folder: str | None = None) -> Config:
    """With the keys that systemd has opened in place of files that are not there."""
    if not (folder := os.environ.get(FOLDER, "") if folder is None else folder):
        return config
    opened = {key.name: str(path) for key in keys_of(config)
              if not key.file.exists() and (path := Path(folder) / key.credential).exists()}  # fmt: skip
    records = replace(config.records, door_key=opened.get("door_key", config.records.door_key))
    link = replace(config.link, key_file=opened.get("link_key", config.link.key_file))
    live = replace(config.live, key_file=opened.get("live_key", config.live.key_file))
    return replace(config, records=records, link=link, live=live)


def is_credential(path: Path) -> bool:
    """systemd shows its rights on such a file in another form than `chmod 600`: an access list lets this program's user alone read it."""
    folder = os.environ.get(FOLDER, "")
    return bool(folder) and path.parent == Path(folder)
