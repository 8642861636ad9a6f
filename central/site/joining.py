"""`doorward central cluster`: from a site with one broker to one whose doors meet at a cluster of nats-servers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.errors import ConfigError
from central.site.files import alone
from central.site.folder import Settings, Site
from central.site.nats import Cluster
from central.site.running import where_cluster


class Joined(Struct, frozen=True, kw_only=True):
    """What came of it, for people and for scripts."""

    folder: str
    made: list[str]
    next_steps: list[str]


def join(site: Site, told: dict[str, Any], now: datetime) -> Joined:
    """Over what the folder holds, fields of Cluster. Raises ConfigError; nothing is changed then."""
    cluster = _wanted(site.settings, told)
    with alone(site.root):
        changed = Site(site.root, replace(site.settings, cluster=cluster))
        if changed.cluster is None or not site.authority.is_made:
            raise ConfigError(f"{site.root}: has no authority; `doorward central init {site.root}` makes it")
        fresh = changed.cluster.write(now)
        changed.save_settings()
    made = [f"nats/{name}/server.key and server.crt" for name in fresh]
    return Joined(folder=str(changed.cluster.root), made=[*made, "configuration and access of every node, written anew"],
                  next_steps=next_steps(changed, cluster))  # fmt: skip


def _wanted(settings: Settings, told: dict[str, Any]) -> Cluster:
    known = {} if settings.cluster is None else msgspec.to_builtins(settings.cluster)
    if not known and "nodes" not in told:
        raise ConfigError("a new cluster needs its nodes, as --node n1=n1.example.org --node n2=… --node n3=…")
    try:
        cluster = msgspec.convert({**known, **told}, Cluster)
    except msgspec.ValidationError as error:
        raise ConfigError(f"doorward central cluster: {error}") from error
    cluster.check()
    return cluster


def next_steps(site: Site, cluster: Cluster) -> list[str]:
    root = site.root
    reach = "; ".join(where_cluster(cluster).splitlines())
    return [
        f"copy {root}/nats/NODE to each machine (docs/NATS.md), and there: cd NODE && nats-server -c nats.conf",
        f"in {root}/central.toml, under [broker]: {reach}",
        f"doorward central broker-check {root}",
        "in each door's door.toml, under [link], the same lines; doors that are enrolled or renewed from now on get them by themselves",
        f"people's programs come with a certificate: doorward central person-account {root} add NAME --role ROLE --out DIR",
    ]
