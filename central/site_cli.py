"""The site and its broker: `doorward central init`, `enrol-door`, `revoke-door`, `renew`, `person-account`, `broker-check`, `cluster` …"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from agent.clock import SystemClock
from agent.errors import ConfigError

DONE, FINDING = 0, 1
DATABASE = "sqlite:////var/lib/doorward-central/central.db"
SOON_DAYS = 60
ROLES = ("guard", "manager", "installer", "privacy", "auditor", "home-assistant")


def add_parts(parts: Any) -> None:
    """Adds the subcommands; each sets `func`."""
    _add_init(parts)
    _add_enrol(parts)
    _add_revoke(parts)
    _add_renew(parts)
    _add_certificates(parts)
    _add_person(parts)
    _add_check(parts)
    _add_cluster(parts)


def _part(
    parts: Any, name: str, text: str, run: Callable[[argparse.Namespace], int], *, door: bool = False
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=text, description=text)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the site's, as /etc/doorward-central")
    if door:
        parser.add_argument("site", metavar="SITE")
        parser.add_argument("door", metavar="DOOR")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.set_defaults(func=run)
    return parser


def _add_init(parts: Any) -> None:
    parser = _part(
        parts, "init", "make a site: authority, broker, keys and settings; again: keep them and make what is missing", _init
    )
    parser.add_argument("--site", default="", metavar="SITE", help="its name in topics: a-z, 0-9, _ and -")
    parser.add_argument("--host", default="", help="name or address by which doors reach the broker")
    parser.add_argument("--also", action="append", metavar="HOST", help="another one; may be given again")
    parser.add_argument("--bind", metavar="ADDRESS", help="where the broker listens to doors and people (default: everywhere)")
    parser.add_argument("--centre-bind", metavar="ADDRESS", help="… and to the centre (default: 127.0.0.1)")
    for name, number in (("doors", 8883), ("people", 8884), ("centre", 8885)):
        parser.add_argument(f"--{name}-port", type=int, metavar="PORT", help=f"default {number}")
    parser.add_argument("--broker-user", metavar="USER", help="whom Mosquitto runs as (default: mosquitto)")
    parser.add_argument("--data-folder", metavar="FOLDER", help="where Mosquitto keeps sessions (default: /var/lib/mosquitto)")
    parser.add_argument("--pid-file", metavar="FILE", help="default: /run/mosquitto/mosquitto.pid")
    parser.add_argument(
        "--centre-user", default="", metavar="USER", help="whom `doorward central run` runs as; gets the keys it needs"
    )
    parser.add_argument("--database-url", default=DATABASE, metavar="URL", help="for a new central.toml (default %(default)s)")


def _init(args: argparse.Namespace) -> int:
    from central.site.init import init

    made = init(args.folder, _settings(args), SystemClock().wall(), args.database_url, args.centre_user)
    for title, things in (("made", made.made), ("kept", made.kept)):
        for thing in things:
            _say(f"{title}: {thing}")
    _say("next:")
    for number, step in enumerate(made.next_steps, 1):
        _say(f"  {number}. {step}")
    _put(args, made)
    return DONE


def _settings(args: argparse.Namespace) -> Any:
    """What was said on the command line, over what the folder holds."""
    from central.site.folder import Settings, Site
    from central.site.names import level

    if args.site:
        level("--site", args.site)
    if (args.folder / "site.json").exists():
        known = Site.open(args.folder).settings
    elif args.site and args.host:
        known = Settings(site=args.site, host=args.host)
    else:
        raise ConfigError(f"{args.folder}: a new site needs --site and --host, as --site hq --host broker.example.org")
    ours = {"site": args.site or None, "host": args.host or None, "also": args.also, "broker_user": args.broker_user,
            "data_folder": args.data_folder, "pid_file": args.pid_file}  # fmt: skip
    theirs = {"bind": args.bind, "centre_bind": args.centre_bind, "doors_port": args.doors_port, "people_port": args.people_port,
              "centre_port": args.centre_port}  # fmt: skip
    listeners = replace(known.listeners, **_said(theirs))
    settings = replace(known, listeners=listeners, **_said(ours))
    try:
        return msgspec.convert(msgspec.to_builtins(settings), Settings)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at ")
        raise ConfigError(f"--{where.strip('`$.').rpartition('.')[2].replace('_', '-')}: {text}") from error


def _said(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _add_enrol(parts: Any) -> None:
    parser = _part(parts, "enrol-door", "give a new door its certificate and keys, in one file to carry there", _enrol, door=True)
    parser.add_argument("--name", default="", help="as people call it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where DOOR.doorward is written (mode 0600)")


def _enrol(args: argparse.Namespace) -> int:
    from central.site.doors import enrol
    from central.site.folder import Site

    if len(args.name) > 100 or not args.name.isprintable():
        raise ConfigError("--name: up to 100 printable characters are allowed")
    done = enrol(Site.open(args.folder), args.site, args.door, args.name, args.out, SystemClock().wall())
    _tell_enrolled(args, done)
    return DONE


def _tell_enrolled(args: argparse.Namespace, done: Any) -> None:
    from central.site.running import reload_words

    _say(
        f"{done.site}/{done.door}: certificate {done.serial}, valid until {done.valid_until:%Y-%m-%d}; {reload_words(done.reloaded)}"
    )
    _say(f"{done.archive} holds private keys: carry it to the door, unpack it there as its README says, and delete it here")
    _put(args, done)


def _add_revoke(parts: Any) -> None:
    _part(parts, "revoke-door", "take a door out of the site: certificate, access, connection", _revoke, door=True)


def _revoke(args: argparse.Namespace) -> int:
    from central.site.doors import revoke
    from central.site.folder import Site

    _hush()
    done = revoke(Site.open(args.folder), args.site, args.door, SystemClock().wall())
    return _tell_revoked(args, done)


def _tell_revoked(args: argparse.Namespace, done: Any) -> int:
    from central.site.running import reload_words

    _say(f"{done.site}/{done.door}: {len(done.serials)} certificate(s) revoked; {reload_words(done.reloaded)}")
    if done.serials:
        _say(
            "its connection was ended"
            if done.thrown_out
            else "if it is connected: from the reload on it is mute and deaf, and the broker's restart ends its connection"
        )
    _put(args, done)
    return DONE


def _add_renew(parts: Any) -> None:
    parser = _part(parts, "renew", "new certificates: of a door, of the broker, or of the centre", _renew)
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--door", metavar="SITE/DOOR", help="writes DOOR.doorward into --out; the old certificate still counts")
    whose.add_argument("--only-newest", metavar="SITE/DOOR", help="once the door runs with it: revoke its older certificates")
    whose.add_argument("--broker", action="store_true", help="counts from the reload on")
    whose.add_argument("--centre", action="store_true", help="counts from the broker's restart on")
    parser.add_argument("--out", type=Path, metavar="DIR")


def _renew(args: argparse.Namespace) -> int:
    from central.site.doors import renew, revoke_older
    from central.site.folder import Site

    site, now = Site.open(args.folder), SystemClock().wall()
    if args.door:
        if args.out is None:
            raise ConfigError("--door needs --out, the folder for DOOR.doorward")
        _tell_enrolled(args, renew(site, *_split(args.door), args.out, now))
        return DONE
    if args.only_newest:
        _hush()
        return _tell_revoked(args, revoke_older(site, *_split(args.only_newest), now))
    return _renew_own(args, site, now)


def _renew_own(args: argparse.Namespace, site: Any, now: Any) -> int:
    from central.site.files import alone
    from central.site.running import reload, reload_words

    with alone(site.root):
        if args.broker:
            site.renew_server(now)
            if site.cluster is not None:
                site.cluster.renew_all(now)
            told = reload(site)
            _say(f"the broker's certificate is new; {reload_words(told)}")
        else:
            site.renew_centre(now)
            site.write_broker_files(now)
            _say("the centre's certificate is new: restart the broker, then the centre")
    if args.json:
        _write(msgspec.json.encode({"renewed": "broker" if args.broker else "centre"}))
    return DONE


def _split(name: str) -> tuple[str, str]:
    site, _, door = name.partition("/")
    if not site or not door or "/" in door:
        raise ConfigError(f"{name[:90]!r}: a door is named SITE/DOOR")
    return site, door


def _add_certificates(parts: Any) -> None:
    parser = _part(
        parts, "certificates", "what the authority has issued (exit 1 if one of those in force ends soon)", _certificates
    )
    parser.add_argument(
        "--within-days", type=int, default=SOON_DAYS, metavar="DAYS", help="what soon means (default %(default)s)"
    )


def _certificates(args: argparse.Namespace) -> int:
    from central.site.authority import in_force
    from central.site.folder import Site

    now = SystemClock().wall()
    lines = in_force(Site.open(args.folder).authority.issued(), now)
    soon = [line for line in lines if line.days_left(now) < args.within_days]
    for line in sorted(lines, key=lambda line: line.until):
        _say(
            f"{line.until:%Y-%m-%d}  {line.days_left(now):5d} days  {line.purpose:6}  {line.name}{'  ENDS SOON' if line in soon else ''}"
        )
        if args.json:
            _write(msgspec.json.encode(line))
    return FINDING if soon else DONE


def _add_person(parts: Any) -> None:
    parser = _part(
        parts, "person-account", "accounts of people's programs at the broker; the dashboard has accounts of its own", _person
    )
    parser.add_argument("action", choices=("add", "remove", "list"))
    parser.add_argument("name", nargs="?", default="", metavar="NAME")
    parser.add_argument("--role", choices=ROLES, help="what the program may say and hear: docs/BROKER.md")
    parser.add_argument("--site", default="", metavar="SITE", help="at this site only (default: all of this broker)")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="holds the password; without it one is made and told once"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="at a cluster: where NAME.crt and NAME.key are written")


def _person(args: argparse.Namespace) -> int:
    from central.site.folder import Site

    site = Site.open(args.folder)
    if args.action == "list":
        return _list_people(args, site)
    if not args.name:
        raise ConfigError(f"person-account {args.action}: whose? Give a NAME")
    return _add_account(args, site) if args.action == "add" else _remove_account(args, site)


def _list_people(args: argparse.Namespace, site: Any) -> int:
    for person in site.people.all():
        _say(f"{person.name}  {person.role}  {person.site or 'all sites'}")
        if args.json:
            _write(msgspec.json.encode({"name": person.name, "role": person.role, "site": person.site}))
    return DONE


def _add_account(args: argparse.Namespace, site: Any) -> int:
    from central.site.accounts import add_person
    from central.site.running import reload_words

    if args.role is None:
        raise ConfigError(f"person-account add needs --role: one of {', '.join(ROLES)}")
    done = add_person(site, args.name, args.role, args.site, args.password_file, SystemClock().wall(), args.out)
    _say(f"{args.name} is {args.role}{' now' if done.changed else ''}; {reload_words(done.reloaded)}")
    if args.json:
        _put(args, done)
    elif done.certificate:
        _say(
            f"{done.certificate} and the key beside it: carry both to the program, with {site.root}/ca.crt, and delete the key here"
        )
    elif done.password:
        _say("the password, which is told this once:")
        _write(done.password.encode("ascii"))
    return DONE


def _remove_account(args: argparse.Namespace, site: Any) -> int:
    from central.site.accounts import remove_person
    from central.site.running import reload_words

    told = remove_person(site, args.name, SystemClock().wall())
    _say(f"{args.name} has no account any more; {reload_words(told)}")
    if args.json:
        _write(msgspec.json.encode({"removed": args.name, "reloaded": told}))
    return DONE


def _add_check(parts: Any) -> None:
    _part(
        parts, "broker-check", "try at the running broker what doors, people and strangers may do (exit 1 if it is wrong)", _check
    )


def _check(args: argparse.Namespace) -> int:
    from central.site.check import check
    from central.site.folder import Site

    _hush()
    findings = check(Site.open(args.folder), SystemClock().wall())
    for finding in findings:
        _say(f"{'ok   ' if finding.ok else 'WRONG'} {finding.what}{'' if finding.ok else f': {finding.detail}'}")
        if args.json:
            _write(msgspec.json.encode(finding))
    return DONE if all(finding.ok for finding in findings) else FINDING


def _add_cluster(parts: Any) -> None:
    parser = _part(
        parts, "cluster", "doors meet at a cluster of nats-servers; again: keep what is there, and change what is told", _cluster
    )
    parser.add_argument(
        "--node", action="append", metavar="NAME=HOST", help="a machine of it; three of them, as n1=n1.example.org"
    )
    for name, number, what in (("port", 8883, "for doors and the centre"), ("routes-port", 6222, "between the nodes"),
                               ("client-port", 4222, "for NATS' own tools, on the machine itself"),
                               ("monitor-port", 8222, "GET /healthz, on the machine itself")):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, metavar="PORT", help=f"{what} (default {number})")
    parser.add_argument(
        "--data-folder", metavar="FOLDER", help="where nodes keep their streams (default: /var/lib/doorward-nats)"
    )
    parser.add_argument("--user", metavar="USER", help="whom nats-server runs as (default: nats)")
    parser.add_argument(
        "--own-addresses", action="store_true", default=None,
        help="each node listens at its own HOST alone: all on one machine, as 127.0.0.1, 127.0.0.2 and 127.0.0.3",
    )  # fmt: skip


def _cluster(args: argparse.Namespace) -> int:
    from central.site.folder import Site
    from central.site.joining import join

    told = {"nodes": _nodes(args.node), "port": args.port, "routes_port": args.routes_port, "client_port": args.client_port,
            "monitor_port": args.monitor_port, "data_folder": args.data_folder, "user": args.user,
            "own_addresses": args.own_addresses}  # fmt: skip
    made = join(Site.open(args.folder), _said(told), SystemClock().wall())
    for thing in made.made:
        _say(f"made: {thing}")
    _say("next:")
    for number, step in enumerate(made.next_steps, 1):
        _say(f"  {number}. {step}")
    _put(args, made)
    return DONE


def _nodes(words: list[str] | None) -> list[dict[str, str]] | None:
    if words is None:
        return None
    parted = [word.partition("=") for word in words]
    if any(not name or not host for name, _, host in parted):
        raise ConfigError("--node: NAME=HOST is allowed, as n1=n1.example.org")
    return [{"name": name, "host": host} for name, _, host in parted]


def _hush() -> None:
    """What we find is told in our words; each connection that was refused on purpose need not be."""
    logging.getLogger("agent.link").setLevel(logging.ERROR)


def _put(args: argparse.Namespace, told: Any) -> None:
    if args.json:
        _write(msgspec.json.encode(told))


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
