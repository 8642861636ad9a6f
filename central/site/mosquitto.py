"""Mosquitto's three files as text: configuration, access list, passwords. Pure: what goes in decides every byte.

Checked with Mosquitto 2.0.11 (tests/central/site): a door's common name SITE/DOOR becomes its user name and, by
`use_username_as_clientid`, its client id, whatever it claims to be; no other door can take it, and no person either, because their names hold
no '/'. The centre has a listener of its own where client ids are free, for it connects several times; that listener trusts the centre's own
certificate and none of the authority's, or any door could come in there under any client id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from central.site.names import CENTRE, PROBE, door_name, media_name
from central.site.people import COMMANDS, READS, BrokerRole, Person

Port = Annotated[int, Meta(ge=1, le=65535)]

DOOR_WRITES = ("evt", "online", "state/#", "result/#", "access/want", "update/want", "renew/ask",
               "enrol/+/answer", "enrol/+/seen", "enrol/+/template", "enrol/+/end")  # fmt: skip
DOOR_READS = ("ack", "cmd/#", "online", "norms/#", "access/version", "access/part/#", "update/order/+", "update/part/#", "renew/answer",
              "enrol/+/begin", "enrol/+/end")  # fmt: skip
"""Below doorward/SITE/DOOR: docs/PROTOCOL.md."""
MEDIA_WRITES = ("rtc/#", "clip/+/head", "clip/+/part/+")
MEDIA_READS = ("rtc/#", "clip/+/want")
"""Of the door's media program, which speaks with browsers: under a certificate of its own it can neither say events nor hear commands."""
CENTRE_READS = ("doorward/#", "homeassistant/#")
CENTRE_WRITES = ("ack", "cmd/#", "norms/prior", "access/#", "update/#", "renew/answer", "rtc/#", "clip/+/want", "enrol/+/begin",
                 "enrol/+/end", "online")  # fmt: skip
"""Below doorward/+/+. `online` because a door that was revoked can no longer be said to be gone by its last will."""

MAX_PACKET_BYTES = 1 << 20
"""Events are some kilobytes, parts of access bundles about 128 KiB: whoever sends more than this is thrown out."""


class Listeners(Struct, frozen=True, kw_only=True):
    """Where Mosquitto listens."""

    bind: str = ""
    """The address for doors and people; empty for all addresses of the machine."""
    doors_port: Port = 8883
    people_port: Port = 8884
    centre_bind: str = "127.0.0.1"
    centre_port: Port = 8885


def configuration(folder: Path, listeners: Listeners, user: str, data_folder: str, pid_file: str) -> str:
    """mosquitto.conf. `folder` holds the other files."""
    tls = [f"certfile {folder}/server.crt", f"keyfile {folder}/server.key", "tls_version tlsv1.2"]
    own_certificate = ["require_certificate true", "use_identity_as_username true"]
    bind = f" {listeners.bind}" if listeners.bind else ""
    parts = {
        "Made by `doorward central init`, which writes it anew: change its options, not this file.": [
            *([f"user {user}"] if user else []),
            *([f"pid_file {pid_file}"] if pid_file else []),
            "allow_anonymous false",
            f"password_file {folder}/passwords",
            f"acl_file {folder}/acl",
        ],
        "Sessions of doors outlast a restart; what counts is acknowledged from end to end (docs/PROTOCOL.md).": [
            "persistence true",
            f"persistence_location {data_folder}/",
            "autosave_interval 60",
            "max_inflight_messages 1000",
            "max_queued_messages 20000",
            f"max_packet_size {MAX_PACKET_BYTES}",
            "set_tcp_nodelay true",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
        ],
        "Doors: a certificate of this site's authority that was not revoked. Its common name SITE/DOOR is user name and client id.": [
            f"listener {listeners.doors_port}{bind}",
            *tls,
            f"cafile {folder}/ca.crt",
            f"crlfile {folder}/crl.pem",
            *own_certificate,
            "use_username_as_clientid true",
        ],
        "People's programs: name and password. One program at a time under each name.": [
            f"listener {listeners.people_port}{bind}",
            *tls,
            "use_username_as_clientid true",
        ],
        "The centre, and nobody else: this one certificate is trusted here.": [
            f"listener {listeners.centre_port} {listeners.centre_bind}",
            *tls,
            f"cafile {folder}/centre.crt",
            *own_certificate,
        ],
    }
    return "\n".join("\n".join([f"# {title}", *lines, ""]) for title, lines in parts.items())


def access_list(doors: Iterable[tuple[str, str]], people: Iterable[Person]) -> str:
    """The acl file. Who is not in it may nothing: a door or person that is taken out is mute and deaf from the next reload on."""
    blocks = [_centre(), _door(PROBE, PROBE), _person(PROBE, "guard", PROBE)]
    blocks += [block(site, door) for site, door in doors for block in (_door, _media)]
    blocks += [_person(person.name, person.role, person.site) for person in people]
    return "\n".join(["# Made by `doorward central`; written anew with each change.", *blocks])


def password_file(people: Sequence[Person], probe_password: str) -> str:
    return "".join(
        f"{name}:{password}\n" for name, password in [(PROBE, probe_password), *((p.name, p.password) for p in people)]
    )


def _block(user: str, reads: Iterable[str], writes: Iterable[str]) -> str:
    lines = [f"user {user}", *(f"topic read {topic}" for topic in reads), *(f"topic write {topic}" for topic in writes), ""]
    return "\n".join(lines)


def _centre() -> str:
    return _block(CENTRE, CENTRE_READS, [*(f"doorward/+/+/{below}" for below in CENTRE_WRITES), "homeassistant/#"])


def _door(site: str, door: str) -> str:
    base = f"doorward/{site}/{door}"
    return _block(
        door_name(site, door), (f"{base}/{below}" for below in DOOR_READS), (f"{base}/{below}" for below in DOOR_WRITES)
    )


def _media(site: str, door: str) -> str:
    base = f"doorward/{site}/{door}"
    return _block(
        media_name(site, door), (f"{base}/{below}" for below in MEDIA_READS), (f"{base}/{below}" for below in MEDIA_WRITES)
    )


def _person(name: str, role: BrokerRole, site: str) -> str:
    return _block(name, *rights_of_person(name, role, site))


def rights_of_person(name: str, role: BrokerRole, site: str) -> tuple[list[str], list[str]]:
    """Topics that they may hear, and say."""
    base = f"doorward/{site or '+'}/+"
    reads = [f"{base}/{below}" for below in READS[role]]
    writes = [f"{base}/cmd/{name}/{command}" for command in COMMANDS.get(role, ())]
    if role == "home-assistant":
        return [*reads, "homeassistant/#"], [*writes, "homeassistant/status", f"homeassistant/{base}/lock"]
    return reads, writes
