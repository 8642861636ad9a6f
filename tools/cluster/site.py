"""Three nats-servers and two centres on this machine, each a program that is killed and comes back, over one PostgreSQL."""

from __future__ import annotations

import shutil
import signal
import tarfile
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Engine, select

from agent.errors import DoorwardError
from agent.link.session import Address
from central.database.engine import open_database, reading
from central.database.leading import Leader, db_leader
from central.database.tables_events import CONFLICTS, EVENTS
from central.site.doors import enrol
from central.site.folder import Settings, Site
from central.site.init import init
from central.site.joining import join
from central.site.running import cluster_address, where_cluster
from demo.stage import free_port
from demo.supervisor import Program, Supervisor

NODES = {"n1": "127.0.0.1", "n2": "127.0.0.2", "n3": "127.0.0.3"}
CENTRES = ("north", "south")
SITE = "hq"


class ClusterSite:
    """`start`, `stop`. Everything but the database lies in `folder`."""

    def __init__(self, folder: Path, python: str, database: str) -> None:
        """`database`: an address of PostgreSQL; empty."""
        self._folder, self._monitor_port = folder, free_port()
        root = folder / "site"
        init(root, Settings(site=SITE, host="127.0.0.1", broker_user="root", data_folder=str(folder)), now(), database)
        told = {"nodes": [{"name": name, "host": host} for name, host in NODES.items()], "own_addresses": True, "user": "root",
                "port": free_port(), "routes_port": free_port(), "client_port": free_port(), "monitor_port": self._monitor_port,
                "data_folder": str(folder / "data")}  # fmt: skip
        (folder / "data").mkdir()
        join(Site.open(root), told, now())
        self.site = Site.open(root)
        self.nodes = {name: Supervisor(_node(self.site.root / "nats" / name), folder / f"{name}.log") for name in NODES}
        self.centres = {name: Supervisor(self._centre(name, python, database), folder / f"{name}.log") for name in CENTRES}
        self._engine: Engine = open_database(database, read_only=True)

    def enrol(self, door: str) -> Address:
        """As on the server: an archive; as at the door: unpacked. Returns how the door finds the cluster."""
        done = enrol(self.site, SITE, door, "", self._folder, now())
        own = self._folder / "doors" / door
        with tarfile.open(done.archive) as archive:
            archive.extractall(own)  # noqa: S202 - made by ourselves a moment ago
        if self.site.cluster is None:
            raise DoorwardError("the site has no cluster")
        return cluster_address(self.site.cluster.cluster, own / "link/ca.crt", own / "link/door.crt", own / "link/door.key")

    def start(self) -> None:
        for program in (*self.nodes.values(), *self.centres.values()):
            program.start()

    def stop(self) -> None:
        for program in (*self.centres.values(), *self.nodes.values()):
            program.stop(signal.SIGKILL)
        self._engine.dispose()

    def is_whole(self) -> bool:
        """Whether every node says that it takes part. That it has all that the others have is what it now and then never says again."""
        return all(_is_healthy(f"http://{host}:{self._monitor_port}/healthz?js-server-only=true") for host in NODES.values())

    def active(self) -> Leader | None:
        """Who has taken over last. Raises StoreError as long as there are no tables."""
        with reading(self._engine) as db:
            return db_leader(db)

    def kept(self) -> list[tuple[str, str, int, str]]:
        """Of each event in the database: door, journal, sequence, id."""
        with reading(self._engine) as db:
            return [tuple(row) for row in db.execute(select(EVENTS.c.door, EVENTS.c.journal, EVENTS.c.sequence, EVENTS.c.id))]

    def conflicts(self) -> int:
        with reading(self._engine) as db:
            return len(db.execute(select(CONFLICTS.c.n)).all())

    def _centre(self, name: str, python: str, database: str) -> Program:
        """Both have the same keys; each its own folder for what can be made anew."""
        root, settings = self.site.root, self.site.settings
        if settings.cluster is None:
            raise DoorwardError("the site has no cluster")
        config = self._folder / f"{name}.toml"
        config.write_text(f"""\
site = "{SITE}"

[broker]
{where_cluster(settings.cluster)}
ca_file = "{root}/ca.crt"
cert_file = "{root}/centre/centre.crt"
key_file = "{root}/centre/centre.key"

[database]
url = "{database}"

[gateway]
port = {free_port()}

[keys]
folder = "{root}/keys"
""")
        (self._folder / name).mkdir()
        command = (
            "env",
            f"STATE_DIRECTORY={self._folder / name}",
            python,
            "-m",
            "agent.cli",
            "central",
            "run",
            "--config",
            str(config),
        )
        return Program(name=name, command=command)


def now() -> datetime:
    return datetime.now(timezone.utc)


def _node(folder: Path) -> Program:
    program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise DoorwardError("nats-server is needed: apt-get install nats-server")
    return Program(name=folder.name, command=("env", "-C", str(folder), program, "-c", "nats.conf"))


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:  # noqa: S310 - of loopback
            return bool(answer.status == 200)
    except OSError:
        return False
