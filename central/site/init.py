"""`doorward central init`: from an empty folder to a site. Run again it keeps what is there and makes what is missing."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from agent.errors import ConfigError
from agent.records.keys import make_centre_keys
from central.site.files import FOR_ALL, OWNER_ONLY, alone, folder, give, put
from central.site.folder import EVERYWHERE, Settings, Site

TOML = """# The centre's settings: yours to edit; `doorward central init` does not touch this file again.
site = "{site}"

[broker]                          # the centre's own listener; docs/BROKER.md
host = "{host}"
port = {port}
ca_file = "{root}/ca.crt"
cert_file = "{root}/centre/centre.crt"
key_file = "{root}/centre/centre.key"

[database]
url = "{database}"

[keys]
folder = "{root}/keys"
"""


class Made(Struct, frozen=True, kw_only=True):
    """What came of it, for people and for scripts."""

    folder: str
    site: str
    made: list[str]
    kept: list[str]
    next_steps: list[str]


class _Tally:
    def __init__(self) -> None:
        self.made: list[str] = []
        self.kept: list[str] = []

    def unless(self, is_there: bool, what: str, make: Callable[[], object]) -> None:
        if is_there:
            self.kept.append(what)
        else:
            make()
            self.made.append(what)


def init(root: Path, settings: Settings, now: datetime, database_url: str, centre_user: str = "") -> Made:
    """Make a site, or bring one up to `settings`. Raises ConfigError; what was made until then is kept by the next call."""
    settings.check()
    if not database_url.isprintable() or '"' in database_url or "\\" in database_url:
        raise ConfigError("--database-url: quotes, backslashes and line feeds are not allowed")
    root = root.absolute()
    if not str(root).isprintable() or any(bad in str(root) for bad in "\"\\ '"):
        raise ConfigError(
            f"{root}: a folder without spaces and quotes is needed, for its name stands in Mosquitto's configuration"
        )
    folder(root, 0o755)
    with alone(root):
        return _init(Site(root, settings), now, database_url, centre_user)


def _init(site: Site, now: datetime, database_url: str, centre_user: str) -> Made:
    tally = _Tally()
    before = Site.open(site.root).settings if (site.root / "site.json").exists() else None
    if before is not None and before.site != site.settings.site:
        raise ConfigError(f"{site.root}: is the folder of site {before.site!r}; make another folder for {site.settings.site!r}")
    tally.unless(site.authority.is_made, "ca/ca.key and ca/ca.crt", lambda: site.authority.make(site.settings.site, now))
    put(site.root / "ca.crt", site.authority.certificate_file.read_bytes(), FOR_ALL)
    for part in (site.centre, site.keys):
        folder(part, 0o700)
    tally.unless((site.centre / "centre.crt").exists(), "centre/centre.key and centre/centre.crt", lambda: site.renew_centre(now))
    lacks = site.server_lacks()
    tally.unless(
        not lacks, f"broker/server.key and broker/server.crt for {', '.join(site.hosts())}", lambda: site.renew_server(now)
    )
    tally.unless((site.keys / "centre.key").exists(), "keys/centre.key and keys/centre.pub", lambda: make_centre_keys(site.keys))
    tally.unless((site.keys / "vapid.key").exists(), "keys/vapid.key and keys/vapid.pub", lambda: make_vapid(site.keys))
    site.write_broker_files(now)
    site.save_settings()
    tally.made.append("broker/mosquitto.conf, acl, passwords and crl.pem, written anew")
    tally.unless((site.root / "central.toml").exists(), "central.toml", lambda: _write_toml(site, database_url))
    _hand_over(site, centre_user)
    return Made(folder=str(site.root), site=site.settings.site, made=tally.made, kept=tally.kept, next_steps=next_steps(site))


def _write_toml(site: Site, database_url: str) -> None:
    listeners = site.settings.listeners
    host = site.settings.host if listeners.centre_bind in EVERYWHERE else listeners.centre_bind
    text = TOML.format(site=site.settings.site, host=host, port=listeners.centre_port, root=site.root,
                       database=database_url)  # fmt: skip
    put(site.root / "central.toml", text.encode("utf-8"), OWNER_ONLY)  # addresses of databases and of apprise hold passwords


def make_vapid(keys: Path) -> None:
    """The pair that names this centre to push services (RFC 8292): `vapid.key` PEM, `vapid.pub` as browsers take it."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    put(keys / "vapid.key", pem, OWNER_ONLY)
    put(keys / "vapid.pub", base64.urlsafe_b64encode(point).rstrip(b"=") + b"\n", FOR_ALL)


def _hand_over(site: Site, centre_user: str) -> None:
    """The running centre reads its settings and keys under an account of its own; that of the authority is not among them."""
    if not centre_user or os.geteuid() != 0:
        return
    try:
        give(site.root / "central.toml", user=centre_user)
        for part in (site.centre, site.keys):
            for path in (part, *part.iterdir()):
                give(path, user=centre_user)
    except KeyError as error:
        raise ConfigError(
            f"--centre-user {centre_user}: this machine has no such user; make it: useradd --system {centre_user}"
        ) from error


def next_steps(site: Site) -> list[str]:
    root = site.root
    return [
        f"start Mosquitto with it: mosquitto -c {root}/broker/mosquitto.conf (docs/BROKER.md shows it under systemd)",
        f"doorward central broker-check {root}",
        f"doorward central account add NAME --role manager --config {root}/central.toml   (the first account of the dashboard)",
        f"doorward central enrol-door {root} {site.settings.site} DOOR --out .   (or by a short code, without a file: docs/PAIRING.md)",
        f"doorward central run --config {root}/central.toml",
        f"keep a copy of {root}/ca and {root}/keys where nobody else can read it",
    ]
