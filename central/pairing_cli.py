"""`doorward central issuer`, which alone lets doors in, and `doorward central pair-code`, which asks it for a code."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from agent.clock import SystemClock
from agent.notify import notify

DONE, FINDING = 0, 1
LOOK_EVERY_S = 1.0


def add_parts(parts: Any) -> None:
    """Adds the subcommands; each sets `func`."""
    text = "let in doors that know a code; the only program that reads the authority's key while it runs"
    issuer = parts.add_parser("issuer", help=text, description=text)
    issuer.add_argument("folder", type=Path, metavar="FOLDER", help="the site's, as /etc/doorward-central")
    issuer.set_defaults(func=_issuer)
    text = "a code by which a controller that has no keys yet becomes this door: read it to whoever stands there"
    code = parts.add_parser("pair-code", help=text, description=text)
    code.add_argument("folder", type=Path, metavar="FOLDER", help="the site's, as /etc/doorward-central")
    code.add_argument("site", metavar="SITE")
    code.add_argument("door", metavar="DOOR")
    code.add_argument("--name", default="", help="as people call it; without it, as before")
    code.add_argument(
        "--config", type=Path, metavar="FILE", help="central.toml, which names database and keys (default: FOLDER's)"
    )
    code.add_argument("--json", action="store_true", help="the code as an object on standard output; waits for nobody")
    code.set_defaults(func=_pair_code)


def _issuer(args: argparse.Namespace) -> int:
    from central.site.folder import Site
    from central.site.pairing import Issuer
    from central.site.pairing_wire import IssuerServer

    stop, log = threading.Event(), logging.getLogger(__name__)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    site = Site.open(args.folder)
    site.authority.demand()  # said now, and not to the first door
    server = IssuerServer(Issuer(site, SystemClock()), site.root)
    server.start()
    log.info("issuer started folder=%s", site.root)
    notify("READY=1\nSTATUS=active")
    stop.wait()
    notify("STOPPING=1")
    server.stop()
    return DONE


def _pair_code(args: argparse.Namespace) -> int:
    """On record before it is told."""
    from agent.pairing.code import TRIES, shown
    from central.site.folder import Site
    from central.site.pairing_wire import IssuerClient

    site = Site.open(args.folder)
    issuer = IssuerClient(site.root)
    issuer.rows()  # without an issuer nothing goes on record
    account = _put_on_record(args, site.root)
    made = issuer.make(args.site, args.door, args.name, account)
    if args.json:
        sys.stdout.buffer.write(msgspec.json.encode(made) + b"\n")
        return DONE
    print(shown(made.code))
    _say(f"a code for {args.site}/{args.door}: once, until {made.until.astimezone():%H:%M:%S}, {TRIES} wrong tries at most")
    _say("at the door: sudo doorward commission")
    if made.replaces:
        _say(
            "this door has a controller already: what it had counts until the new one is heard at the broker, and is revoked then"
        )
    return _wait(issuer, made.id)


def _put_on_record(args: argparse.Namespace, root: Path) -> str:
    from central.accounts_cli import ANCHOR, me
    from central.database.opening import open_to_write
    from central.gateway.audit import AuditLog
    from central.settings import load_settings

    config = load_settings(args.config or root / "central.toml")
    audit = AuditLog(open_to_write(config.database.url), SystemClock(), Path(config.keys.folder) / ANCHOR)
    audit.write(me(), "central pair-code", f"{args.site}/{args.door}", {"name": args.name[:100]})
    audit.anchor()
    return me()


def _wait(issuer: Any, identity: str) -> int:
    """Until the door has come or the code has ended; whoever interrupts this takes nothing back."""
    _say("waiting for the door; Ctrl-C ends the waiting, and the code still counts")
    while True:
        row = next((row for row in issuer.rows() if row.id == identity), None)
        if row is None or row.state != "waiting":
            break
        threading.Event().wait(LOOK_EVERY_S)
    if row is not None and row.state == "paired":
        from central.site.running import reload_words

        _say(f"{row.site}/{row.door} has come; {reload_words(row.reloaded)}")
        return DONE
    _say(f"nobody came: the code is {row.state if row else 'forgotten'}")
    return FINDING


def _say(line: str) -> None:
    print(line, file=sys.stderr)
