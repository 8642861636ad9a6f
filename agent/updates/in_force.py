"""Which updates a controller runs: one small file that the door program writes, and all programs of the controller read when they start.

    updates/chosen.json       which version of each kind is in force, which was before it, and what of it was refused
    updates/rules/NUMBER/     rules.toml
    updates/models/NUMBER/    manifest.json and the networks

The file is replaced whole, so the switch is one rename: before it the former version is in force, after it the new one, whatever is killed
when. The former version stays beside the new one. An update that is damaged on the disk counts as not there: the door's own file, and the
networks that came with the program, are always enough to start with.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.config import load_config, read_table
from agent.errors import ConfigError, ModelError
from agent.files import write_whole
from agent.sections import Config
from agent.updates.overlay import with_overlay
from models_tflite.manifest import load_manifest, verify

log = logging.getLogger(__name__)

FOLDER, CHOSEN, RULES_FILE = "updates", "chosen.json", "rules.toml"
MOST_BYTES = 64 << 10


class Choice(Struct, frozen=True, kw_only=True):
    """Of one kind."""

    number: int = 0
    """In force; 0: what came with the program, and what the door's own file says."""
    version: str = ""
    former: int = 0
    former_version: str = ""
    trial: bool = False
    """In force, and not yet found good: whatever goes wrong now takes it back."""
    shadow: int = 0
    """Runs beside what is in force, and decides nothing."""
    shadow_version: str = ""
    serial: int = 0
    """Of the newest order that was heard."""
    refused: str = ""
    """Why the package of that order is not in force."""
    handed: int = 0
    """Serial of the order that was handed on to root's helper last."""


class Chosen(Struct, frozen=True, kw_only=True):
    """The file."""

    rules: Choice = Choice()
    models: Choice = Choice()
    program: Choice = Choice()
    system: Choice = Choice()

    def of(self, kind: str) -> Choice:
        found: Choice = getattr(self, kind)
        return found

    def having(self, kind: str, choice: Choice) -> Chosen:
        return replace(self, **{kind: choice})


class Source(Struct, frozen=True):
    """Where a door's own configuration is, and what was laid over it when the program started."""

    path: Path
    own: Config
    running: Running


class Running(Struct, frozen=True, kw_only=True):
    """What a program was started with."""

    rules: int = 0
    models: int = 0
    shadow: int = 0
    spoilt: tuple[str, ...] = ()
    """Sentences about what is chosen and cannot be used."""


_CHOSEN = msgspec.json.Decoder(Chosen)


def updates_folder(config: Config) -> Path:
    return Path(config.records.folder) / FOLDER


def read_chosen(folder: Path) -> Chosen:
    """What is in force. A file that is missing means that nothing was ever updated; a damaged one is taken for that, and told."""
    path = folder / CHOSEN
    try:
        return _CHOSEN.decode(path.read_bytes()[:MOST_BYTES])
    except FileNotFoundError:
        return Chosen()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("updates path=%s cannot be read, so what came with the program is in force: %s", path, error)
        return Chosen()


def write_chosen(folder: Path, chosen: Chosen) -> None:
    """The switch. Raises OSError, and then nothing has changed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / CHOSEN, msgspec.json.format(msgspec.json.encode(chosen), indent=1) + b"\n")


def config_in_force(path: Path) -> tuple[Config, Source]:
    """The configuration of a controller with its updates over it. Raises ConfigError only where the door's own file is wrong."""
    own = load_config(path)
    config, running = with_updates(own, read_table(path), read_chosen(updates_folder(own)))
    return config, Source(path, own, running)


def with_updates(own: Config, table: Mapping[str, Any], chosen: Chosen) -> tuple[Config, Running]:
    """`own` configuration of the controller, and the `table` that it was read from."""
    folder, spoilt = updates_folder(own), list[str]()
    config, rules = own, 0
    try:
        if chosen.rules.number:
            config, rules = with_rules(own, table, folder, chosen.rules.number), chosen.rules.number
    except (ConfigError, OSError) as error:
        spoilt.append(f"rules {chosen.rules.version} cannot be used, the door's own file counts: {error}")
    models = 0
    try:
        if chosen.models.number:
            config, models = with_models(config, folder, chosen.models.number), chosen.models.number
    except ModelError as error:
        spoilt.append(f"models {chosen.models.version} cannot be used, those of the program run: {error}")
    for sentence in spoilt:
        log.error("updates %s", sentence)
    return config, Running(rules=rules, models=models, shadow=chosen.models.shadow, spoilt=tuple(spoilt))


def with_rules(own: Config, table: Mapping[str, Any], folder: Path, number: int) -> Config:
    """Raises ConfigError, OSError."""
    config = with_overlay(table, (folder / "rules" / str(number) / RULES_FILE).read_bytes())
    if (config.site, config.door) != (own.site, own.door):  # never: the overlay cannot say them
        raise ConfigError("rules of another door")
    return config


def with_models(config: Config, folder: Path, number: int) -> Config:
    """Raises ModelError for networks that are not what their manifest says."""
    models = models_folder(folder, number)
    for finding in verify(load_manifest(models)):
        raise ModelError(finding.text)
    return replace(config, vision=replace(config.vision, models=str(models)))


def former_models(source: Source) -> str:
    """Where the networks lie that were in force before those that are; empty for those of the program."""
    folder = updates_folder(source.own)
    former = read_chosen(folder).models.former
    return str(models_folder(folder, former)) if former else source.own.vision.models


def models_folder(folder: Path, number: int) -> Path:
    return folder / "models" / str(number)
