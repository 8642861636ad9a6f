"""A cluster of nats-servers as text: what each node is told, and who may what. Pure: what goes in decides every byte.

Checked with nats-server 2.9.10 (tests/central/site/test_generated_cluster.py). A topic is a subject there: '/' is '.', '+' is '*' and
'#' is '>'. It knows no pattern by user name, so everybody has a list of their own; and no revocation list, so each certificate is a user of
its own, by the number that stands in it: what was revoked is not in the list, and is disconnected by the reload.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.errors import ConfigError
from central.settings import Level
from central.site.mosquitto import (
    CENTRE_READS,
    CENTRE_WRITES,
    DOOR_READS,
    DOOR_WRITES,
    MAX_PACKET_BYTES,
    MEDIA_READS,
    MEDIA_WRITES,
    Port,
    rights_of_person,
)
from central.site.names import CENTRE, PROBE, PROBE_PERSON, door_name
from central.site.people import BrokerRole

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
_FOLDER = re.compile(r"/[^\s\"'\\]*")


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine of the cluster."""

    name: Level
    host: Annotated[str, Meta(max_length=253)]
    """How doors and the other nodes reach it."""


class Cluster(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Kept in site.json."""

    nodes: Annotated[tuple[Node, ...], Meta(min_length=1, max_length=9)]
    """Three: one may fail. A single one is for trying things out."""
    port: Port = 8883
    """For doors, people's programs and the centre."""
    routes_port: Port = 6222
    """Between the nodes."""
    client_port: Port = 4222
    """For NATS' own tools, on the machine itself; nobody has an account for it."""
    monitor_port: Port = 8222
    """GET /healthz, on the machine itself."""
    data_folder: str = "/var/lib/doorward-nats"
    """Holds a folder for each node, NODE, and NODE.pid."""
    user: Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")] = "nats"
    """Whom nats-server runs as, where root makes its files."""
    own_addresses: bool = False
    """Each node listens at its own `host` alone: several on one machine, as 127.0.0.1, 127.0.0.2, 127.0.0.3."""

    def check(self) -> None:
        """Raises ConfigError."""
        for what in ("name", "host"):
            if len({getattr(node, what) for node in self.nodes}) < len(self.nodes):
                raise ConfigError(f"--node: two nodes of the same {what}; each has a name and an address of its own")
        for node in self.nodes:
            if not _HOST.fullmatch(node.host):
                raise ConfigError(f"--node {node.name}={node.host[:80]}: a name as n1.example.org or an address is allowed")
        if not _FOLDER.fullmatch(self.data_folder):
            raise ConfigError(f"--data-folder {self.data_folder[:80]!r}: a path from / on, without spaces and quotes, is allowed")
        if len(self.nodes) % 2 == 0:
            raise ConfigError(f"--node: {len(self.nodes)} nodes cannot agree when half of them is away; allowed: 1, 3, 5, 7 or 9")


class User(Struct, frozen=True):
    """Somebody who comes with a certificate: topics to be heard and said."""

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def configuration(cluster: Cluster, node: Node, routes_password: str) -> str:
    """nats.conf of a node. nats-server is started in the folder that it lies in: paths are relative to that."""
    everywhere, inside = (node.host, node.host) if cluster.own_addresses else ("0.0.0.0", "127.0.0.1")  # noqa: S104 - behind TLS
    lines = [
        "# Made by `doorward central cluster`, which writes it anew: change its options, not this file.",
        f"server_name: {node.name}",
        f'listen: "{inside}:{cluster.client_port}"',
        f'http: "{inside}:{cluster.monitor_port}"',
        f'pid_file: "{pid_file(cluster, node)}"',
        f"max_payload: {MAX_PACKET_BYTES}",
        "max_connections: 65536",
        f'jetstream {{ store_dir: "{cluster.data_folder}/{node.name}" }}',
        "# Doors, people's programs and the centre: each with a certificate, which says who it is.",
        "mqtt {",
        f'  listen: "{everywhere}:{cluster.port}"',
        "  tls { cert_file: server.crt, key_file: server.key, ca_file: trusted.crt, verify_and_map: true, timeout: 10 }",
        "}",
        *(_routes(cluster, everywhere, routes_password) if len(cluster.nodes) > 1 else []),
        "include access.conf",
    ]
    return "\n".join(lines) + "\n"


def _routes(cluster: Cluster, bind: str, password: str) -> list[str]:
    """A door has a certificate of the same authority: only who knows the password is a node."""
    others = [f'    "nats://routes:{password}@{_bracketed(each.host)}:{cluster.routes_port}"' for each in cluster.nodes]
    return [
        "cluster {",
        "  name: doorward",
        f'  listen: "{bind}:{cluster.routes_port}"',
        f'  authorization {{ user: routes, password: "{password}", timeout: 5 }}',
        "  tls { cert_file: server.crt, key_file: server.key, ca_file: ca.crt, verify: true, timeout: 10 }",
        "  routes: [",
        *others,
        "  ]",
        "}",
    ]


def pid_file(cluster: Cluster, node: Node) -> str:
    return f"{cluster.data_folder}/{node.name}.pid"


def access(users: Iterable[User]) -> str:
    """access.conf, the same for all nodes. Who is not in it is not let in."""
    lines = ["# Made by `doorward central`; written anew with each change.", "accounts {", "  DOORWARD {", "    jetstream: enabled",
             "    users: [", *(f"      {_user(user)}" for user in users), "    ]", "  }", "}"]  # fmt: skip
    return "\n".join(lines) + "\n"


def centre() -> User:
    """The one certificate that the authority has not signed, by its common name."""
    writes = (*(f"doorward/+/+/{below}" for below in CENTRE_WRITES), "homeassistant/#")
    return User(f"CN={CENTRE}", CENTRE_READS, writes)


def door(certificate: str, site: str, name: str) -> User:
    return User(certificate, _below(site, name, DOOR_READS), _below(site, name, DOOR_WRITES))


def media(certificate: str, site: str, name: str) -> User:
    return User(certificate, _below(site, name, MEDIA_READS), _below(site, name, MEDIA_WRITES))


def person(certificate: str, name: str, role: BrokerRole, site: str) -> User:
    reads, writes = rights_of_person(name, role, site)
    return User(certificate, tuple(reads), tuple(writes))


def probes() -> list[User]:
    """Whom `doorward central broker-check` comes as, with certificates of some minutes that have no number in them."""
    return [door(f"CN={door_name(PROBE, PROBE)}", PROBE, PROBE), person(f"CN={PROBE_PERSON}", PROBE, "guard", PROBE)]


def subjects(topic: str) -> list[str]:
    """A topic filter as NATS has it: 'a/+/#' -> ['a.*', 'a.*.>']. Raises ConfigError for a level that cannot be one there."""
    levels = topic.split("/")
    if any(not level or any(bad in level for bad in ". *>") for level in levels):
        raise ConfigError(f"topic {topic!r}: NATS takes no empty level, and none with a dot, a space, * or > in it")
    words = [{"+": "*", "#": ">"}.get(level, level) for level in levels]
    above = [".".join(words[:-1])] if words[-1] == ">" and words[:-1] else []  # in MQTT a/# is a, too
    return [*above, ".".join(words)]


def _below(site: str, name: str, topics: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"doorward/{site}/{name}/{below}" for below in topics)


def _user(user: User) -> str:
    """Nobody may ask for QoS 1, which the server would deliver under $MQTT.sub: such a subscription falls silent with a reload or when a
    node dies (docs/NATS.md), and one that is refused is seen."""
    permissions = f"permissions: {{ subscribe: {_list(user.reads)}, publish: {_list(user.writes)} }}"
    return f'{{ user: {_text(user.name)}, allowed_connection_types: ["MQTT"], {permissions} }}'


def _list(topics: Iterable[str]) -> str:
    """An empty list would allow everything: who may say nothing is denied everything."""
    words = [subject for topic in topics for subject in subjects(topic)]
    return f"[{', '.join(map(_text, words))}]" if words else '{ deny: ">" }'


def _text(word: str) -> str:
    return msgspec.json.encode(word).decode()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
