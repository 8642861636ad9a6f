"""`doorward central account …` and `doorward central verify-audit`. With --json: one object a line on standard output."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.clock import SystemClock
from agent.errors import ConfigError
from central.gateway.asking import ROLES

if TYPE_CHECKING:
    from central.gateway.accounts import Accounts
    from central.gateway.audit import AuditLog, Head

DONE, FINDING = 0, 1
ANCHOR = "audit.head"
"""Beside the keys: another folder than the database's, and not in its backups."""


def add_parts(parts: Any) -> None:
    """Adds `account` and `verify-audit`. `parts` is what argparse's `add_subparsers` returns."""
    _add_account(parts)
    _add_verify(parts)


def _add_account(parts: Any) -> None:
    account = parts.add_parser(
        "account", help="who may sign in to the dashboard", description="Who may sign in to the dashboard."
    )
    deeds = account.add_subparsers(dest="deed", required=True, metavar="DEED")
    add = _deed(deeds, "add", "a new account; the password is asked for twice, or read from a file", _add)
    add.add_argument("name", metavar="NAME", help="1 to 40 of a-z, 0-9, _ and -; commands to doors are given under it")
    add.add_argument("--role", required=True, choices=ROLES)
    add.add_argument("--shown", default="", metavar="NAME", help="as people call them")
    add.add_argument("--site", action="append", default=[], metavar="SITE", help="sees this site only; may be given again")
    _add_password(add)
    listed = _deed(deeds, "list", "all accounts", _list)
    listed.add_argument("--json", action="store_true")
    for name, text, run in (("disable", "ends its sessions; it can sign in no more", _disable), ("enable", "lets it sign in again", _enable),
                            ("reset", "another password; its sessions end", _reset),
                            ("totp", "a new second factor, told this once; its sessions end", _totp)):  # fmt: skip
        deed = _deed(deeds, name, text, run)
        deed.add_argument("name", metavar="NAME")
        if name == "reset":
            _add_password(deed)
        if name == "totp":
            deed.add_argument("--off", action="store_true", help="take the second factor away")


def _deed(deeds: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = deeds.add_parser(name, help=text, description=text)
    _add_places(parser)
    parser.set_defaults(func=run)
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="central.toml: names database and keys")
    parser.add_argument("--database", default="", metavar="FILE", help="a file or an address, instead of the configuration's")
    parser.add_argument("--keys", default="", metavar="FOLDER", help="the centre's keys, instead of the configuration's")


def _add_password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="holds the password alone, and others cannot read it")


# -- accounts ----------------------------------------------------------------------------------------------------------------------


def _add(args: argparse.Namespace) -> int:
    accounts, audit = _open(args)
    accounts.add(me(), args.name, args.role, _password(args, args.name), shown=args.shown, sites=tuple(args.site))
    audit.anchor()
    return _say(f"account {args.name} with the role {args.role} is there")


def _list(args: argparse.Namespace) -> int:
    accounts, _ = _open(args)
    found = accounts.all()
    for each in found:
        if args.json:
            sys.stdout.buffer.write(msgspec.json.encode(each) + b"\n")
        state = "disabled" if each.disabled else f"{each.sessions} sessions"
        factor = "second factor" if each.totp else "password only"
        _say(f"{each.account}  {each.role}  {each.name}  {', '.join(each.sites) or 'every site'}  {factor}  {state}")
    return DONE if found else _say("there are no accounts yet: doorward central account add NAME --role manager")


def _disable(args: argparse.Namespace) -> int:
    return _change(args, disabled=True)


def _enable(args: argparse.Namespace) -> int:
    return _change(args, disabled=False)


def _change(args: argparse.Namespace, *, disabled: bool) -> int:
    accounts, audit = _open(args)
    accounts.change(me(), args.name, disabled=disabled)
    audit.anchor()
    return _say(f"account {args.name} is {'disabled, and its sessions have ended' if disabled else 'enabled'}")


def _reset(args: argparse.Namespace) -> int:
    accounts, audit = _open(args)
    accounts.reset(me(), args.name, _password(args, args.name))
    audit.anchor()
    return _say(f"account {args.name} has another password, and its sessions have ended")


def _totp(args: argparse.Namespace) -> int:
    accounts, audit = _open(args)
    if args.off:
        accounts.no_totp(me(), args.name)
        audit.anchor()
        return _say(f"account {args.name} has no second factor any more")
    secret, uri = accounts.new_totp(me(), args.name)
    audit.anchor()
    print(uri)
    return _say(
        f"give this to {args.name} for an authenticator app, and to nobody else; it is not told again. Typed in: {secret}"
    )


def _password(args: argparse.Namespace, account: str) -> str:
    """From the file, or twice from the terminal. Raises ConfigError."""
    from central.gateway.passwords import why_weak

    if args.password_file is not None:
        return _from_file(args.password_file)
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask for the password: use --password-file FILE")
    first = getpass.getpass(f"Password for {account} (12 characters or more): ")
    weak = why_weak(first, account)
    if weak:
        raise ConfigError(weak)
    if first != getpass.getpass("Once more: "):
        raise ConfigError("the two are not the same")
    return first


def _from_file(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others can read this password; run: chmod 600 {path}")
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


# -- the audit log -----------------------------------------------------------------------------------------------------------------


def _add_verify(parts: Any) -> None:
    text = "count the audit log's chain again (exit 1 with the first row that is broken)"
    parser = parts.add_parser("verify-audit", help=text, description=text)
    _add_places(parser)
    parser.add_argument(
        "--anchor", type=Path, metavar="FILE", help=f"the head that is kept outside the database (default KEYS/{ANCHOR})"
    )
    parser.add_argument("--head", action="append", default=[], metavar="N:DIGEST",
                        help="a head that you wrote down or find in the program's log; may be given again")  # fmt: skip
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=_verify)


def _verify(args: argparse.Namespace) -> int:
    from central.database.opening import open_to_read
    from central.gateway.audit import read_anchor, verify

    database, keys = _places(args)
    anchor = args.anchor or keys / ANCHOR
    kept = read_anchor(anchor)
    if kept is None and args.anchor is not None:
        raise ConfigError(f"{anchor}: there is no such file")
    found = verify(open_to_read(database), [*([kept] if kept else []), *map(_head, args.head)])
    if args.json:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()
    if found.broken is not None:
        _say(f"BROKEN at row {found.broken.n}: {found.broken.sentence}")
        return FINDING
    beside = (
        f"it agrees with {anchor}" if kept else f"there is no {anchor} to hold it against: rows cut off at the end would not show"
    )
    return _say(f"whole: {found.rows} rows, head {found.head.n}:{found.head.digest}; {beside}")


def _head(told: str) -> Head:
    from central.gateway.audit import Head

    n, _, digest = told.partition(":")
    if not (n.isascii() and n.isdigit() and len(n) < 19 and len(digest) == 64):
        raise ConfigError(f"--head {told[:100]!r}: N:DIGEST is allowed, as verify-audit tells it")
    return Head(int(n), digest)


# -- where things are --------------------------------------------------------------------------------------------------------------


def _open(args: argparse.Namespace) -> tuple[Accounts, AuditLog]:
    from central.database.opening import open_to_write
    from central.gateway.accounts import Accounts
    from central.gateway.audit import AuditLog
    from central.gateway.passwords import seal_in

    database, keys = _places(args)
    engine = open_to_write(database)
    clock = SystemClock()
    audit = AuditLog(engine, clock, keys / ANCHOR)
    return Accounts(engine, clock, audit, seal_in(keys)), audit


def _places(args: argparse.Namespace) -> tuple[str, Path]:
    from central.settings import CentralConfig, load_settings

    config = load_settings(args.config) if args.config else CentralConfig()
    return args.database or config.database.url, Path(args.keys or config.keys.folder)


def me() -> str:
    """Who is at the terminal, as the audit log calls them."""
    return f"terminal:{os.environ.get('SUDO_USER') or os.environ.get('USER') or os.getuid()}"


def _say(words: str) -> int:
    print(words, file=sys.stderr, flush=True)
    return DONE
