"""The folder of a cluster, FOLDER/nats: one folder for each node, with everything that its nats-server reads.

nats/NODE/        nats.conf, access.conf, ca.crt, trusted.crt, server.crt, server.key: to be carried to that machine
nats/routes       the password between the nodes (0600)
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from central.site import nats
from central.site.authority import Authority, Pair, hosts_of, user_of
from central.site.files import FOR_GROUP, OWNER_ONLY, folder, put
from central.site.nats import Cluster, Node, User
from central.site.people import People, Person, fresh_password
from central.site.registry import DoorRegistry

PROGRAM = "nats-server"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ClusterFolder:
    """Whoever changes it holds `files.alone` of the site's folder."""

    def __init__(
        self, root: Path, cluster: Cluster, authority: Authority, doors: DoorRegistry, people: People, centre: Path
    ) -> None:
        """`centre`: the file of the centre's own certificate."""
        self.root, self.cluster = root / "nats", cluster
        self._authority, self._doors, self._people, self._centre = authority, doors, people, centre

    def of(self, node: Node) -> Path:
        return self.root / node.name

    def write(self, now: datetime) -> list[str]:
        """All of it anew, certificates only where they are missing; returns the nodes that got one. Raises ConfigError."""
        ca, password = self._authority.certificate_file.read_bytes(), self._routes_password()
        folder(self.root, 0o755)
        fresh = []
        for node in self.cluster.nodes:
            folder(self.of(node), 0o750 if self._group else 0o700, self._group)
            if self._lacks(node):
                self._renew(node, now)
                fresh.append(node.name)
            self._put(node, "ca.crt", ca)
            self._put(node, "trusted.crt", ca + self._centre.read_bytes())
            self._put(node, "nats.conf", nats.configuration(self.cluster, node, password).encode("utf-8"))
        self.write_access(now)
        return fresh

    def write_access(self, now: datetime) -> None:
        """Who may what: read again by each node on SIGHUP. Raises ConfigError."""
        told = nats.access(self._users(now)).encode("utf-8")
        for node in self.cluster.nodes:
            self._put(node, "access.conf", told)

    def renew_all(self, now: datetime) -> None:
        """New certificates for the nodes; they count from the reload on."""
        for node in self.cluster.nodes:
            self._renew(node, now)

    def _renew(self, node: Node, now: datetime) -> None:
        pair: Pair = self._authority.issue("node", node.name, now, [node.host, *LOOPBACK])
        self._put(node, "server.crt", pair.certificate)
        self._put(node, "server.key", pair.key)

    def running(self) -> list[tuple[Node, int | None]]:
        """Each node, with the number of its process if it runs on this machine."""
        return [(node, self._pid(node)) for node in self.cluster.nodes]

    def _users(self, now: datetime) -> Iterator[User]:
        yield nats.centre()
        yield from nats.probes()
        doors = {f"{door.site}/{door.door}": door for door in self._doors.doors()}
        people = {person.name: person for person in self._people.all()}
        for line in self._authority.issued():
            if line.revoked is None and line.until > now and line.purpose in ("door", "person"):
                yield from _user(user_of(line.serial), line.name, line.purpose == "person", set(doors), people)

    def _pid(self, node: Node) -> int | None:
        with suppress(OSError, ValueError):
            pid = int(Path(nats.pid_file(self.cluster, node)).read_text("ascii"))
            if Path(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0])).name == PROGRAM:
                return pid
        return None

    def _lacks(self, node: Node) -> bool:
        path = self.of(node) / "server.crt"
        return not path.exists() or node.host not in hosts_of(path.read_bytes())

    def _routes_password(self) -> str:
        path = self.root / "routes"
        if not path.exists():
            put(path, fresh_password().encode("ascii") + b"\n", OWNER_ONLY)
        return path.read_text("ascii").strip()

    def _put(self, node: Node, name: str, raw: bytes) -> None:
        put(self.of(node) / name, raw, FOR_GROUP if self._group else OWNER_ONLY, self._group)

    @property
    def _group(self) -> str:
        """The user whom nats-server runs as, where this machine knows one: nodes' folders are mostly for others."""
        with suppress(KeyError):
            if os.geteuid() == 0:
                return pwd.getpwnam(self.cluster.user).pw_name
        return ""


def _user(certificate: str, name: str, is_person: bool, doors: set[str], people: dict[str, Person]) -> Iterator[User]:
    if is_person:
        if (known := people.get(name)) is not None:
            yield nats.person(certificate, name, known.role, known.site)
        return
    site, door, *media = name.split("/")
    if f"{site}/{door}" in doors:
        yield (nats.media if media else nats.door)(certificate, site, door)
