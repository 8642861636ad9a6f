"""The site's folder: what `doorward central init` makes and everything else works in.

ca/          the authority; its key is needed for enrolment, renewal and revocation only (0700)
broker/      what Mosquitto reads: configuration, access list, passwords, certificates (root:mosquitto 0640)
nats/        what the nodes of a cluster read, if there is one: cluster.py
centre/      the centre's certificate at the broker (0600)
keys/        what the centre signs bundles and pushes with (0600)
doors/       which doors there are: registry.py
people.json  who has an account at the broker (0600)
site.json    how the site was made
central.toml the centre's settings: yours to edit
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.errors import ConfigError
from central.settings import Level
from central.site.authority import Authority, Pair, hosts_of, pinned, serial_of
from central.site.cluster import LOOPBACK, ClusterFolder
from central.site.files import FOR_ALL, FOR_GROUP, OWNER_ONLY, folder, group_of, put
from central.site.mosquitto import Listeners, access_list, configuration, password_file
from central.site.names import CENTRE, level
from central.site.nats import Cluster
from central.site.people import People, fresh_password, hashed
from central.site.registry import DoorRegistry

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - only compared


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """site.json."""

    site: Level
    host: Annotated[str, Meta(max_length=253)]
    """How doors and people reach the broker."""
    also: tuple[str, ...] = ()
    """Other names and addresses of it."""
    listeners: Listeners = Listeners()
    broker_user: str = "mosquitto"
    data_folder: str = "/var/lib/mosquitto"
    pid_file: str = "/run/mosquitto/mosquitto.pid"
    cluster: Cluster | None = None
    """Doors and the centre meet at it instead of at Mosquitto."""

    def check(self) -> None:
        """Raises ConfigError for what a certificate or Mosquitto's configuration cannot hold."""
        level("--site", self.site)
        for host in (self.host, *self.also):
            if not _HOST.fullmatch(host):
                raise ConfigError(f"--host {host[:80]!r}: a name as broker.example.org or an address is allowed")
        for option, text in (("--bind", self.listeners.bind), ("--broker-user", self.broker_user),
                             ("--data-folder", self.data_folder), ("--pid-file", self.pid_file)):  # fmt: skip
            if not text.isprintable() or " " in text:
                raise ConfigError(f"{option} {text!r}: no spaces and line feeds are allowed")


class Site:
    """A folder that is there. Whoever changes it holds `files.alone(site.root)`."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root, self.settings = root, settings
        self.authority = Authority(root / "ca")
        self.doors = DoorRegistry(root)
        self.people = People(root / "people.json")
        self.broker, self.centre, self.keys = root / "broker", root / "centre", root / "keys"
        self.cluster: ClusterFolder | None = None
        if settings.cluster is not None:
            own = self.centre / "centre.crt"
            self.cluster = ClusterFolder(root, settings.cluster, self.authority, self.doors, self.people, own)

    @classmethod
    def open(cls, root: Path) -> Site:
        """Raises ConfigError."""
        try:
            return cls(root.absolute(), msgspec.json.decode((root / "site.json").read_bytes(), type=Settings))
        except FileNotFoundError as error:
            raise ConfigError(f"{root}: is no site's folder; `doorward central init {root}` makes one") from error
        except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
            raise ConfigError(f"{root / 'site.json'}: cannot be read: {error}") from error

    def save_settings(self) -> None:
        put(self.root / "site.json", msgspec.json.format(msgspec.json.encode(self.settings)) + b"\n", FOR_ALL)

    # -- what Mosquitto reads ------------------------------------------------------------------------------------------------

    def write_broker_files(self, now: datetime) -> None:
        """Write all of them anew from what the folder holds; certificates only where they are missing. Raises ConfigError."""
        folder(self.broker, 0o750 if self._group else 0o700, self._group)
        self.put_for_broker("ca.crt", self.authority.certificate_file.read_bytes())
        self.put_for_broker("centre.crt", (self.centre / "centre.crt").read_bytes())
        self.write_access(now)
        told = configuration(self.broker, self.settings.listeners, self._user, self.settings.data_folder, self.settings.pid_file)
        self.put_for_broker("mosquitto.conf", told.encode("utf-8"))
        if self.cluster is not None:
            self.cluster.write(now)

    def write_access(self, now: datetime) -> None:
        """Who may what, and who is revoked: the three files that Mosquitto reads again on SIGHUP. Raises ConfigError."""
        before = self.broker / "crl.pem"
        self.put_for_broker("crl.pem", self.authority.revocation_list(now, before.read_bytes() if before.exists() else b""))
        people = self.people.all()
        doors = [(door.site, door.door) for door in self.doors.doors()]
        self.put_for_broker("acl", access_list(doors, people).encode("utf-8"))
        self.put_for_broker("passwords", password_file(people, hashed(self.probe_password())).encode("utf-8"))
        if self.cluster is not None:
            self.cluster.write_access(now)

    def put_for_broker(self, name: str, raw: bytes) -> None:
        put(self.broker / name, raw, FOR_GROUP, self._group)

    def put_server(self, pair: Pair) -> None:
        self.put_for_broker("server.crt", pair.certificate)
        self.put_for_broker("server.key", pair.key)

    def probe_password(self) -> str:
        """Of the person who exists for trying only; made once."""
        path = self.centre / "probe.password"
        if not path.exists():
            put(path, fresh_password().encode("ascii") + b"\n", OWNER_ONLY)
        return path.read_text("ascii").strip()

    @property
    def _user(self) -> str:
        """Mosquitto heeds `user` only when root starts it."""
        return self.settings.broker_user if os.geteuid() == 0 else ""

    @property
    def _group(self) -> str:
        """Mosquitto reads its files as its own user. For anybody but root, it runs as whoever made them."""
        user = self._user
        if user and user != "root":
            group_of(user)
            return user
        return ""

    # -- certificates --------------------------------------------------------------------------------------------------------

    def hosts(self) -> list[str]:
        """Everything that the broker's certificate is for."""
        bound = [host for host in (self.settings.listeners.bind, self.settings.listeners.centre_bind) if host not in EVERYWHERE]
        return list(dict.fromkeys([self.settings.host, *self.settings.also, *bound, *LOOPBACK]))

    def server_lacks(self) -> set[str]:
        """Names that the broker's certificate should be for and is not; all of them when there is none."""
        path = self.broker / "server.crt"
        return set(self.hosts()) - (hosts_of(path.read_bytes()) if path.exists() else set())

    def renew_server(self, now: datetime) -> None:
        """A new certificate for the broker; the one before is not revoked, for it stays valid until the reload."""
        self.put_server(self.authority.issue("broker", self.settings.host, now, self.hosts()))

    def renew_centre(self, now: datetime) -> None:
        """A new certificate for the centre; from Mosquitto's restart on, the one before counts no more."""
        pair = pinned(CENTRE, now)
        put(self.centre / "centre.key", pair.key, OWNER_ONLY)
        put(self.centre / "centre.crt", pair.certificate, OWNER_ONLY)

    def server_serial(self) -> str:
        return serial_of((self.broker / "server.crt").read_bytes())
