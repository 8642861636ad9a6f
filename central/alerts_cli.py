"""`doorward central alerts list` and `doorward central alerts test`: what is open, and whether alerts arrive."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from agent.clock import SystemClock
from agent.errors import ConfigError

DONE, FINDING = 0, 1


def add_parts(parts: Any) -> None:
    """Adds the subcommands; each sets `func`."""
    alerts = parts.add_parser("alerts", help="what is open, and whether alerts arrive").add_subparsers(
        dest="alerts", required=True
    )
    listed = _part(alerts, "list", "open alerts, newest first (exit 1 if there are any)", _list)
    listed.add_argument("--all", action="store_true", help="closed ones too")
    listed.add_argument("--limit", type=int, default=100, help="default %(default)s")
    tried = _part(
        alerts, "test", "a test to somebody's devices, or to the apprise addresses (exit 1 if one does not arrive)", _test
    )
    whom = tried.add_mutually_exclusive_group(required=True)
    whom.add_argument("--account", help="whose devices")
    whom.add_argument("--apprise", action="store_true", help="all addresses of [alerts] and its routes")


def _part(parts: Any, name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text, description=text)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="central.toml")
    parser.add_argument("--json", action="store_true", help="one object a line on standard output")
    parser.set_defaults(func=run)
    return parser


def _list(args: argparse.Namespace) -> int:
    from central.alerts import store
    from central.alerts.endpoints import row_of
    from central.database.engine import reading
    from central.database.opening import opened_to_read
    from central.settings import load_settings

    if not 1 <= args.limit <= 100_000:
        raise ConfigError(f"--limit {args.limit}: 1 to 100000 is allowed")
    with opened_to_read(load_settings(args.config).database.url) as engine, reading(engine) as db:
        found = store.listed(db, live=not args.all, before=0, limit=args.limit)
    for alert in found:
        _put(args, row_of(alert))
        by = f" by {alert.by}" if alert.by else ""
        _say(
            f"{alert.id} {alert.at:%Y-%m-%d %H:%M:%S} {alert.site}/{alert.door} {alert.severity}: {alert.title}, {alert.state}{by}"
        )
    if not found:
        _say("nothing is open" if not args.all else "there was no alert yet")
    return FINDING if any(alert.state != "closed" for alert in found) else DONE


def _test(args: argparse.Namespace) -> int:
    from central.settings import load_settings

    config = load_settings(args.config)
    return _test_apprise(args, config) if args.apprise else _test_devices(args, config)


def _test_apprise(args: argparse.Namespace, config: Any) -> int:
    from central.alerts.options import name_of, options_of
    from central.alerts.sender import by_apprise

    addresses = options_of(config.alerts).addresses
    if not addresses:
        raise ConfigError(f"{args.config}: alerts.apprise: no address is there")
    worst = DONE
    for url in addresses.values():
        answer = by_apprise(url, "Doorward: a test", "Alerts arrive here.")
        worst = worst if answer.result == "sent" else FINDING
        _put(
            args,
            {
                "address": name_of(url),
                "service": url.split(":", 1)[0],
                "ok": answer.result == "sent",
                "sentence": answer.sentence,
            },
        )
        _say(f"{url.split(':', 1)[0]}:// {answer.sentence}")  # the rest may hold a password
    return worst


def _test_devices(args: argparse.Namespace, config: Any) -> int:
    from central.alerts.devices import try_devices
    from central.alerts.options import options_of
    from central.alerts.sender import Sender
    from central.alerts.vapid import FILE, load_vapid
    from central.database.opening import open_to_write

    clock = SystemClock()
    vapid = load_vapid(Path(config.keys.folder) / FILE, config.alerts.contact)
    engine = open_to_write(config.database.url)
    try:
        tried = try_devices(engine, Sender(engine, clock, vapid, options_of(config.alerts)), args.account, clock.wall())
    finally:
        engine.dispose()
    for each in tried:
        _put(args, each)
        _say(f"{each.device} ({each.service}): {each.sentence}")
    if not tried:
        _say(f"no device of {args.account} is signed up: they have to allow notifications in the dashboard first")
    return DONE if tried and all(each.ok for each in tried) else FINDING


def _put(args: argparse.Namespace, told: Any) -> None:
    if args.json:
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
