"""`doorward osdp set-key|check`: the Secure Channel key of an OSDP reader, set by the installer and kept sealed for this door."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from agent.config import Config, OsdpReader, load_config
from agent.errors import ConfigError, HardwareError, Refused
from agent.programs_cli import DEFAULT_CONFIG
from agent.records.osdp_key import accept_pending, kept_keys, key_path, load_osdp_key, make_key, pending_path, save_osdp_key
from hw.osdp_wire import Down, KeySet, NewKey, Setup, Status, Up
from hw.reader_osdp import WireProcess

CONSENT = "--yes-the-reader-is-in-install-mode"
MEET_S = 12.0
"""Longer than libosdp takes to give up a reader that says nothing."""
STATUS_S = 2.0
DONE, FINDING = 0, 1

INSTALL_HELP = (
    "the reader answers to no key that this door has. Put it into install mode (its manual says how), then run this again with "
    f"{CONSENT}. For a moment the new key then crosses the wire under a key that everybody knows: see that nobody else is on the line"
)


class Found(Struct, frozen=True, kw_only=True):
    """What `check --json` says."""

    reader: str
    secure: bool
    about: str = ""
    can: tuple[str, ...] = ()
    tamper: bool | None = None
    detail: str = ""


def add_parser(subparsers: Any) -> None:
    """Adds `osdp` to the program's subcommands."""
    parser = subparsers.add_parser("osdp", help="keys of OSDP readers: set-key, check")
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    set_key = kinds.add_parser("set-key", help="give a reader a new random key, and keep it sealed for this door")
    set_key.add_argument(CONSENT, dest="install", action="store_true", help="for a reader that has no key of this door yet")
    set_key.set_defaults(func=set_reader_key)
    check = kinds.add_parser("check", help="meet a reader with its key, and say what it is")
    check.add_argument("--json", action="store_true", help="one JSON line on standard output")
    check.set_defaults(func=check_reader)
    for kind in (set_key, check):
        kind.add_argument("reader", metavar="READER", help="its name in the configuration")
        kind.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")


class _Place(Struct, frozen=True):
    """A reader of the configuration and where its key lies."""

    reader: OsdpReader
    path: Path
    door_key: Path

    def load(self, path: Path) -> bytes:
        return load_osdp_key(path, self.reader.name, self.door_key)

    def setup(self, key: bytes, install: bool = False) -> Setup:
        return Setup(self.reader.device, self.reader.baud, self.reader.address, key, install=install)


def _place(args: argparse.Namespace) -> _Place:
    config: Config = load_config(args.config)
    readers = {reader.name: reader for reader in config.readers if isinstance(reader, OsdpReader)}
    if args.reader not in readers:
        known = ", ".join(sorted(readers)) or "none"
        raise ConfigError(f"{args.config}: there is no OSDP reader {args.reader!r}; those of kind 'osdp' are: {known}")
    reader = readers[args.reader]
    return _Place(reader, key_path(reader.key_file, reader.name), Path(config.records.door_key))


class _Meeting:
    """A talk with the reader, from here on."""

    def __init__(self, setup: Setup) -> None:
        self._wire = WireProcess(setup)
        self.detail = ""
        self.up: Up | None = None
        self.tamper: bool | None = None
        self.key_set = False

    def __enter__(self) -> _Meeting:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.end()

    def wait(self, holds: Callable[[], bool], wait_s: float) -> bool:
        """Whether something comes to hold within so many seconds, before the talk ends."""
        until_s = time.monotonic() + wait_s
        while not holds() and (left_s := until_s - time.monotonic()) > 0:
            said = self._wire.said(left_s)
            if said is None:
                return False
            for one in said:
                self._take(one)
        return holds()

    def is_up(self) -> bool:
        return self.up is not None

    def has_new_key(self) -> bool:
        return self.key_set

    def knows_tamper(self) -> bool:
        return self.tamper is not None

    def _take(self, one: object) -> None:
        if isinstance(one, Up):
            self.up = one
        elif isinstance(one, Down):
            self.up, self.detail = None, one.detail
        elif isinstance(one, Status):
            self.tamper = one.tamper
        elif isinstance(one, KeySet):
            self.key_set = True

    def set_key(self, key: bytes) -> bool:
        """Over the channel in force."""
        self.key_set = False
        self._wire.send(NewKey(key))
        return self.wait(self.has_new_key, MEET_S)


def set_reader_key(args: argparse.Namespace) -> int:
    """A new random key, kept sealed for this door. Raises Refused while the reader answers to none of its keys, HardwareError,
    ConfigError."""
    place = _place(args)
    key = make_key()
    detail = _change(place, key)
    if detail is not None:
        if not args.install:
            raise Refused(f"{place.reader.device}: {detail}. {INSTALL_HELP}")
        detail = _install(place, key)
    if detail is None:
        detail = _meet(place, pending_path(place.path))
    if detail is not None:
        raise HardwareError(
            f"{place.reader.device}: {detail}. The keys that the reader may have are kept beside {place.path}; run this again"
        )
    accept_pending(place.path)
    print(f"reader {place.reader.name}: a new key is in force, kept in {place.path}, sealed for this door", file=sys.stderr)
    return DONE


def _change(place: _Place, key: bytes) -> str | None:
    """Change the key over the channel in force; why that is not possible, or None when the reader took it."""
    detail = "it has no key of this door yet"
    for file in kept_keys(place.path):
        with _Meeting(place.setup(place.load(file))) as meeting:
            if not meeting.wait(meeting.is_up, MEET_S):
                detail = meeting.detail
                continue
            if file != place.path:
                accept_pending(place.path)
            _keep(place, key)
            return None if meeting.set_key(key) else meeting.detail or "it does not take a new key"
    return detail


def _install(place: _Place, key: bytes) -> str | None:
    """Offer the key to a reader in install mode; why it did not take it, or None."""
    _keep(place, key)
    with _Meeting(place.setup(key, install=True)) as meeting:
        return None if meeting.wait(meeting.has_new_key, MEET_S) else meeting.detail or "it does not answer"


def _meet(place: _Place, file: Path) -> str | None:
    """Whether a talk from the beginning, with nothing but the kept key, comes about: None; else why not."""
    with _Meeting(place.setup(place.load(file))) as meeting:
        return None if meeting.wait(meeting.is_up, MEET_S) else meeting.detail or "it does not answer with its new key"


def _keep(place: _Place, key: bytes) -> None:
    """Before the reader can have it: whoever pulls the plug now loses no reader."""
    save_osdp_key(pending_path(place.path), place.reader.name, key, place.door_key)


def check_reader(args: argparse.Namespace) -> int:
    """0 when the reader was met over its secure channel. Raises ConfigError."""
    place = _place(args)
    found = Found(reader=place.reader.name, secure=False)
    for file in kept_keys(place.path) or [place.path]:
        found = _look(place, place.load(file))
        if found.secure:
            break
    if args.json:
        print(msgspec.json.encode(found).decode())
    print(_sentence(found), file=sys.stderr)
    return DONE if found.secure else FINDING


def _look(place: _Place, key: bytes) -> Found:
    name = place.reader.name
    with _Meeting(place.setup(key)) as meeting:
        if not meeting.wait(meeting.is_up, MEET_S) or meeting.up is None:
            return Found(reader=name, secure=False, detail=meeting.detail)
        about, can = meeting.up.about, meeting.up.can
        meeting.wait(meeting.knows_tamper, STATUS_S)
        return Found(reader=name, secure=True, about=about, can=can, tamper=meeting.tamper)


def _sentence(found: Found) -> str:
    if not found.secure:
        return f"reader {found.reader}: no secure channel: {found.detail}"
    case = {None: "says nothing of its case", True: "its case is OPEN", False: "its case is closed"}[found.tamper]
    return f"reader {found.reader}: secure, {found.about}, has {', '.join(found.can) or 'no light and no sound'}, {case}"
