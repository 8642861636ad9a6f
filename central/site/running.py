"""The broker as it runs: have it read its lists again, and throw out who must not stay.

What Mosquitto 2.0.11 does, as tests/central/site/test_revocation.py holds: SIGHUP reads the revocation list, the access list and the
passwords again. New connections are judged by them at once. A person who was taken out is disconnected at once. A door that is connected is
not: the access list makes it mute and deaf from that moment, but its connection stands until somebody takes its client id, which the centre
can and does. A cluster's nodes disconnect everybody who is not in their list any more by themselves.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

from agent.link.session import Address, Say, Session
from central.site.folder import EVERYWHERE, Site
from central.site.nats import Cluster

PROGRAM = "mosquitto"
LOCAL = "127.0.0.1"
PATIENCE_S = 5.0


def reload(site: Site) -> bool:
    """Send SIGHUP to the broker that runs here from this folder's configuration, or to every node of the cluster.

    False when there is one that we may not signal, as those of other machines.
    """
    at_mosquitto = _hang_up(_pid(site))  # beside a cluster, as long as not all doors have moved
    if site.cluster is None:
        return at_mosquitto
    told = [_hang_up(pid) for _, pid in site.cluster.running()]
    return all(told)


def _hang_up(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGHUP)
    except OSError:
        return False
    return True


def _pid(site: Site) -> int | None:
    """The broker's number, if the process of that number is still a broker with our configuration."""
    with suppress(OSError, ValueError):
        pid = int(Path(site.settings.pid_file).read_text("ascii"))
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if Path(os.fsdecode(words[0])).name == PROGRAM and os.fsencode(site.broker / "mosquitto.conf") in words:
            return pid
    return None


def centre_address(site: Site) -> Address:
    """How the centre reaches its broker on this machine, or the cluster."""
    if site.cluster is not None:
        return cluster_address(site.cluster.cluster, site.root / "ca.crt", site.centre / "centre.crt", site.centre / "centre.key")
    listeners = site.settings.listeners
    host = LOCAL if listeners.centre_bind in EVERYWHERE else listeners.centre_bind
    return Address(host=host, port=listeners.centre_port, ca_file=str(site.root / "ca.crt"),
                   cert_file=str(site.centre / "centre.crt"), key_file=str(site.centre / "centre.key"))  # fmt: skip


def cluster_address(cluster: Cluster, ca: Path, certificate: Path, key: Path) -> Address:
    host, *others = (node.host for node in cluster.nodes)
    return Address(host=host, other_hosts=tuple(others), qos=0, port=cluster.port, ca_file=str(ca), cert_file=str(certificate),
                   key_file=str(key))  # fmt: skip


def where_cluster(cluster: Cluster) -> str:
    """Lines of [link] in door.toml and of [broker] in central.toml."""
    host, *others = (f'"{node.host}"' for node in cluster.nodes)
    return f"host = {host}\nother_hosts = [{', '.join(others)}]\nqos = 0\nport = {cluster.port}"


def throw_out(site: Site, client_id: str, online: str) -> bool:
    """End a door's connection by taking its client id, and say under its topic `online` that it has gone. False: no broker answered.

    Afterwards nothing waits for the door either: the broker has forgotten its session.
    """
    guest = _Guest(online)
    session = Session(centre_address(site), client_id, guest)
    session.start()
    try:
        return guest.is_done.wait(PATIENCE_S)
    finally:
        session.stop()


class _Guest:
    """Comes, says one thing and leaves; `stop` waits until the broker has taken it."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.is_done = threading.Event()

    def connected(self, say: Say) -> None:
        if not self.is_done.is_set():
            say.publish(self._topic, b"false", retain=True)
            self.is_done.set()

    def turn(self, say: Say, now_s: float) -> float:
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        """Nothing was asked for."""

    def leaving(self, say: Say) -> None:
        """Nothing is left to say."""


def reload_words(done: bool) -> str:
    """What a person must know about it."""
    if done:
        return "the broker has read it"
    return (
        f"no broker runs here that could be told: where it runs, `systemctl reload {PROGRAM}` (SIGHUP) makes it read this; nodes of a "
        "cluster on other machines get their folders copied first, and then `systemctl reload nats-server`"
    )
