"""`doorward identity`: where this door's private keys lie and how they are kept; sealing them to the board's TPM. docs/IDENTITY.md."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from pathlib import Path
from typing import Any

import msgspec

from agent.config import load_config
from agent.errors import ConfigError
from agent.identity.at_door import own_certificates
from agent.identity.credentials import KeyPlace, keys_of
from agent.identity.sealing import Tools, how_kept, seal, sealed_copy, sentence, unseal, wait_for_health, why_not
from agent.link.certificate import valid_span

CONFIG = Path("/etc/doorward/door.toml")
DOORWARD = "/opt/doorward/bin/doorward"
OWNER = "doorward"


def add_parser(subparsers: Any) -> None:
    """Adds `identity`. `subparsers` is what argparse's `add_subparsers` returns."""
    parser = subparsers.add_parser(
        "identity", help="how this door's keys are kept; seal them to the board's TPM", description=__doc__
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    for name, run, line in (
        ("show", _show, "how each key is kept, and until when its certificate is good"),
        ("seal", _seal, "seal the keys to this board's TPM; programs start anew, and files go when that has worked"),
        ("unseal", _unseal, "make files of sealed keys again, for a backup or before a board is changed"),
    ):
        part = parts.add_parser(name, help=line, description=line)
        part.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="default: %(default)s")
        part.set_defaults(func=run)
        if name == "show":
            part.add_argument("--json", action="store_true")


def _show(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    seen = [how_kept(key) for key in keys_of(config)]
    spans = {each.own.name: span[1] for each in own_certificates(config)
             if (span := valid_span(each.own.in_force().certificate)) is not None}  # fmt: skip
    renewed = [shown.certificate for each in own_certificates(config) if not (shown := each.own.in_force()).key]
    reason = why_not(Tools())
    if args.json:
        told = {"keys": [{"key": each.key.name, "file": str(each.key.file), "kept": each.kept, "beside": each.beside} for each in seen],
                "renewed": renewed,
                "certificates_until": spans, "cannot_be_sealed": reason}  # fmt: skip
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        return 0
    for each in seen:
        print(f"{sentence(each)} ({each.key.about})")
    for file in renewed:
        print(f"{file}: renewed since, with a key of its own that counts now: a file, whoever takes the card has it")
    for name, until in spans.items():
        print(f"certificate of the {name}: good until {until:%Y-%m-%d}")
    if renewed or any(each.kept == "file" for each in seen):
        print(f"Sealing: {reason or 'this board has a TPM: sudo doorward identity seal'}")
    return 0


def _seal(args: argparse.Namespace) -> int:
    tools = Tools()
    if not why_not(tools):
        for program in own_certificates(load_config(args.config)):
            if program.own.bring_home(_owner()):
                _say(f"{program.own.name}: what the door has renewed is brought to where door.toml names it")
    seal(_keys(args), tools, lambda: wait_for_health(tools.run, DOORWARD), _say)
    return 0


def _unseal(args: argparse.Namespace) -> int:
    keys = _keys(args)
    if os.geteuid() != 0:
        raise ConfigError("only root may ask the TPM; run this with sudo")
    if not any(sealed_copy(key).exists() for key in keys):
        raise ConfigError("no key of this door is sealed")
    unseal(keys, Tools(), _owner(), _say)
    return 0


def _keys(args: argparse.Namespace) -> list[KeyPlace]:
    return keys_of(load_config(args.config))


def _owner() -> tuple[int, int]:
    try:
        found = pwd.getpwnam(OWNER)
    except KeyError:
        return os.geteuid(), os.getegid()
    return found.pw_uid, found.pw_gid


def _say(line: str) -> None:
    print(line, flush=True)
