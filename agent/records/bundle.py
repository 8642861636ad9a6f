"""The access bundle: everything a door knows about people, signed by the centre, with faces that only this door can see.

File: msgpack of [body, signature]; the signature is Ed25519 over a fixed prefix and the body. Body: msgpack of `Body`: for which door, which
version, the rules without templates, and the templates sealed (libsodium's sealed box, X25519) for the door's key. Templates are opened in
memory only. The signature is checked before a single byte of the body is interpreted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.signing import VerifyKey

from agent.clock import Clock, SystemClock
from agent.config import Config
from agent.core.access import AccessRules, faults_of, no_rules
from agent.core.people import Issued, Roll
from agent.errors import BundleError, DoorwardError
from agent.files import write_whole
from agent.records.journal import Journal
from agent.records.keys import centre_public, door_private

log = logging.getLogger(__name__)

WATCH_EVERY_S = 1.0
SIGNED_PREFIX = b"doorward access bundle 1\0"
MAX_BYTES = 64 << 20


_FIELDS = [field for field in msgspec.structs.fields(AccessRules) if field.name != "people"]
RulesOnly = msgspec.defstruct("RulesOnly", [(f.name, f.type) if f.required else (f.name, f.type, f.default) for f in _FIELDS],
                              kw_only=True, forbid_unknown_fields=True)  # fmt: skip
"""AccessRules without its people, whatever else it holds."""


class Signed(Struct, frozen=True, array_like=True):
    body: bytes
    signature: bytes


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed. `site`, `door` and `version` are those of the rules."""

    made: datetime
    rules: dict[str, Any]
    """The fields of AccessRules but for people."""
    people: tuple[Issued, ...]
    """Without templates."""
    sealed: bytes
    """Sealed msgpack of {cardholder: [template, ...]}."""


class Taken(Struct, frozen=True):
    """What a door got when it looked for rules. `refused` says why the file itself was not taken."""

    rules: AccessRules | None
    refused: str = ""
    set_aside: str = ""


def load_bundle(
    path: Path, centre_key: VerifyKey, door_key: PrivateKey, site: str, door: str, newer_than: int | None = None
) -> AccessRules:
    """The rules in a file. Raises BundleError when it is missing, forged, damaged, for another door, or not newer than `newer_than`."""
    body = _verified(path, _read(path), centre_key)
    rules = _rules(path, body, door_key)
    if (rules.site, rules.door) != (site, door):
        raise BundleError(f"{path}: made for {rules.site}/{rules.door}, this is {site}/{door}")
    if newer_than is not None and rules.version <= newer_than:
        raise BundleError(f"{path}: version {rules.version} is not newer than {newer_than}, which is in force")
    faults = faults_of(rules)
    if faults:
        raise BundleError(f"{path}: {'; '.join(faults[:5])}")
    return rules


def take_bundle(path: Path, centre_key: VerifyKey, door_key: PrivateKey, site: str, door: str, wall: datetime) -> Taken:
    """The rules to start with: those of the file if it is good and not older than the last good one, else the last good one.

    A file that is refused is set aside beside it. Never raises for what is in the files.
    """
    good = last_good(path)
    try:
        kept: AccessRules | None = load_bundle(good, centre_key, door_key, site, door)
    except BundleError:
        kept = None
    if kept is not None and not path.exists():
        return Taken(kept, f"{path}: is missing; the last good copy is in force")
    try:
        rules = load_bundle(path, centre_key, door_key, site, door, kept.version - 1 if kept else None)
    except BundleError as error:
        return Taken(kept, str(error), _set_aside(path, wall))
    return Taken(rules, _keep(path, good))


def last_good(path: Path) -> Path:
    return path.with_name(path.name + ".good")


def accept_bundle(path: Path, centre_key: VerifyKey, door_key: PrivateKey, in_force: AccessRules, wall: datetime) -> Taken:
    """A bundle that arrived while the door runs: its rules if it is newer than those in force, else `rules` None and the file set aside."""
    try:
        rules = load_bundle(path, centre_key, door_key, in_force.site, in_force.door, in_force.version)
    except BundleError as error:
        return Taken(None, str(error), _set_aside(path, wall))
    return Taken(rules, _keep(path, last_good(path)))


class BundleStore:
    """The door's rules on disk. Raises ConfigError when a key of the configuration is missing or can be read by others."""

    def __init__(self, config: Config, journal: Journal, clock: Clock | None = None) -> None:
        self._path = Path(config.records.bundle)
        self._site, self._door = config.site, config.door
        self._centre_key = centre_public(Path(config.records.centre_key))
        self._door_key = door_private(Path(config.records.door_key))
        self._journal, self._clock = journal, clock or SystemClock()
        self._looked_at: int | None = None
        """When the file that was looked at last had been written."""

    def load(self) -> AccessRules:
        """The rules to start with; those that admit nobody when there has never been a good bundle. What was refused is put on record."""
        wall = self._clock.wall()
        taken = self._look(lambda: take_bundle(self._path, self._centre_key, self._door_key, self._site, self._door, wall))
        rules = taken.rules or no_rules(self._site, self._door)
        self._tell("bundle.loaded", {"version": rules.version, "credentials": len(rules.people)})
        return rules

    def newer(self, in_force: AccessRules) -> AccessRules | None:
        """Rules that have come since, if they may replace those in force."""
        wall = self._clock.wall()
        return self._look(lambda: accept_bundle(self._path, self._centre_key, self._door_key, in_force, wall)).rules

    @property
    def has_news(self) -> bool:
        """Whether there is a file, and another than the one that was looked at last."""
        return self._written() not in (None, self._looked_at)

    def _written(self) -> int | None:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None

    def _look(self, take: Callable[[], Taken]) -> Taken:
        written = self._written()  # before reading: what is written meanwhile is news
        taken = take()
        self._looked_at = None if taken.set_aside else written
        if taken.refused:
            self._tell("bundle.refused", {"error": taken.refused, "set_aside": taken.set_aside})
        return taken

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        self._journal.append(kind, data, at=self._clock.wall(), mono_s=self._clock.mono_s())


class BundleWatch:
    """Looks for a newer bundle in a thread of its own: reading one takes longer than a fob may wait."""

    def __init__(
        self, store: BundleStore, in_force: AccessRules, on_newer: Callable[[AccessRules], None], every_s: float = WATCH_EVERY_S
    ) -> None:
        self._store, self._in_force, self._on_newer, self._every_s = store, in_force, on_newer, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bundle-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(WATCH_EVERY_S + 1)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            if not self._store.has_news:
                continue
            try:
                newer = self._store.newer(self._in_force)
            except DoorwardError as error:
                log.error("bundle watch error=%s", error)
                continue
            if newer is not None:
                self._in_force = newer
                self._on_newer(newer)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error}") from error
    if len(raw) > MAX_BYTES:
        raise BundleError(f"{path}: larger than {MAX_BYTES} bytes")
    return raw


def _verified(path: Path, raw: bytes, centre_key: VerifyKey) -> Body:
    try:
        signed = msgspec.msgpack.decode(raw, type=Signed)
        centre_key.verify(SIGNED_PREFIX + signed.body, signed.signature)
        return msgspec.msgpack.decode(signed.body, type=Body)
    except (msgspec.DecodeError, CryptoError, ValueError, TypeError, RecursionError) as error:
        raise BundleError(f"{path}: damaged, or not signed by this site's centre: {error}") from error


def _rules(path: Path, body: Body, door_key: PrivateKey) -> AccessRules:
    try:
        faces = msgspec.msgpack.decode(SealedBox(door_key).decrypt(body.sealed), type=dict[str, tuple[bytes, ...]])
        holders = [msgspec.structs.replace(i.cardholder, templates=faces.get(i.cardholder.id, ())) for i in body.people]
        roll = Roll(holders, (credential for issued in body.people for credential in issued.credentials))
        parts = msgspec.structs.asdict(msgspec.convert(body.rules, RulesOnly))
    except (msgspec.DecodeError, CryptoError, ValueError, TypeError) as error:
        raise BundleError(f"{path}: templates are not sealed for this door's key: {error}") from error
    return AccessRules(people=roll, **parts)


def _keep(path: Path, good: Path) -> str:
    """Copy a good bundle to where it is found when the file is spoilt. Returns what went wrong, if anything."""
    try:
        raw = path.read_bytes()
        if not good.exists() or good.read_bytes() != raw:
            write_whole(good, raw)
    except OSError as error:
        return f"{good}: the last good copy cannot be kept: {error}"
    return ""


def _set_aside(path: Path, wall: datetime) -> str:
    target = path.with_name(f"{path.name}.refused-{wall.strftime('%Y%m%dT%H%M%SZ')}")
    try:
        path.rename(target)
    except OSError:
        return ""
    return str(target)
