"""The sections of central.toml. Read once, strictly: an unknown key or a value out of range stops the start and says where."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from agent.errors import ConfigError
from agent.link.session import Address

Level = Annotated[str, Meta(pattern="^[a-z0-9_-]{1,40}$", description="1 to 40 of a-z, 0-9, _ and -")]
KindPattern = Annotated[str, Meta(pattern=r"^[a-z0-9_.]{0,80}\*?$", description="a kind of event, or how kinds begin and '*'")]
Days = Annotated[int, Meta(ge=1, le=36500)]


ClockTime = Annotated[str, Meta(pattern="^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", description="HH:MM")]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Broker(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the broker is and who the centre is to it: the fields of Address."""

    host: str = "127.0.0.1"
    other_hosts: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=253)], ...], Meta(max_length=9)] = ()
    """Further nodes of a cluster of brokers (docs/NATS.md), at the same port."""
    qos: Annotated[int, Meta(ge=0, le=1)] = 1
    """0 for a cluster of NATS."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def address(self) -> Address:
        return Address(host=self.host, other_hosts=self.other_hosts, qos=self.qos, port=self.port, user=self.user,
                       password_file=self.password_file, ca_file=self.ca_file, cert_file=self.cert_file, key_file=self.key_file)  # fmt: skip


class Database(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str = "sqlite:////var/lib/doorward-central/central.db"


class Oidc(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Single sign-on with the house's own accounts (OpenID Connect). Empty: passwords only."""

    issuer: str = ""
    """https://…, as the provider's own documents name it."""
    client_id: Annotated[str, Meta(max_length=200)] = ""
    secret_file: str = ""
    """Holds the client's secret alone."""
    claim: Annotated[str, Meta(min_length=1, max_length=60)] = "preferred_username"
    """Which word of the provider is the account's name here: one that people cannot choose for themselves."""
    shown: Annotated[str, Meta(max_length=60)] = "single sign-on"
    """What the button says."""


class Gateway(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dashboard's web server. Loopback by default: whoever opens it to a network gives it a certificate, or a proxy that has one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8480
    public_url: str = ""
    """How browsers reach it, as https://doors.example.org; links in alerts begin so. Empty: http://HOST:PORT."""
    cert_file: str = ""
    key_file: str = ""
    behind_proxy: bool = False
    """A proxy on this machine speaks TLS for us and tells where requests come from."""
    idle_min: Annotated[int, Meta(ge=1, le=1440)] = 30
    """A session that nobody uses for so long ends."""
    watch_idle_min: Annotated[int, Meta(ge=1, le=720)] = 120
    """… but a guard's, while the dashboard is open before them, only when nobody has moved a hand for so long."""
    longest_h: Annotated[int, Meta(ge=1, le=168)] = 12
    """… and every session after so long: a shift."""
    oidc: Oidc = Oidc()


class Keys(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the centre signs with. `doorward central init` makes the folder."""

    folder: str = "/etc/doorward-central/keys"


KEEP_DAYS = {"*": 90, "command.*": 365, "mode.*": 365, "bundle.*": 365, "journal.*": 365}


class History(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long events are kept, and by which clock hours are counted; docs/HISTORIAN.md."""

    keep_days: dict[KindPattern, Days] = msgspec.field(default_factory=lambda: dict(KEEP_DAYS))
    """Days for each kind; a name may end in '*', and the longest that fits counts. '*' must be there."""
    keep_alerts_days: Days = 365
    """Events that somebody was told of at once, whatever their kind: at least so long."""
    time_zone: str = "UTC"
    """Of the sites' own clocks, as Europe/Berlin: what is usual is counted by its hours."""

    def __post_init__(self) -> None:
        if "*" not in self.keep_days:
            raise ValueError("keep_days has no '*': say how many days whatever else is kept")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is not known; allowed: UTC, Europe/Berlin …") from error

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.time_zone)


class AlertRoute(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a site wants otherwise than docs/ALERTS.md says. Of several that fit the first one counts; what is empty fits everything."""

    kinds: tuple[str, ...] = ()
    """As docs/ALERTS.md names them; `camera.*` is all that begin so."""
    sites: tuple[str, ...] = ()
    doors: tuple[Annotated[str, Meta(pattern="^[a-z0-9_-]{1,40}/[a-z0-9_-]{1,40}$", description="SITE/DOOR")], ...] = ()
    zones: tuple[str, ...] = ()
    days: tuple[Annotated[int, Meta(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    """0 is Monday."""
    begin: ClockTime = "00:00"
    end: ClockTime = "24:00"
    """An end that is not behind the beginning is on the next day."""
    to: tuple[str, ...] = ()
    """`guards`, `managers`, or accounts."""
    severity: Literal["", "notice", "warning", "high", "critical"] = ""
    off: bool = False
    """No alert at all; the event stays on record. Not for duress, and not for somebody who waits for a decision."""
    apprise: tuple[str, ...] = ()


class Messenger(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses of apprise that are told by rules of their own; what is empty fits everything. Every one that fits is told."""

    apprise: Annotated[tuple[Annotated[str, Meta(min_length=3)], ...], Meta(min_length=1)]
    kinds: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    doors: tuple[Annotated[str, Meta(pattern="^[a-z0-9_-]{1,40}/[a-z0-9_-]{1,40}$", description="SITE/DOOR")], ...] = ()
    zones: tuple[str, ...] = ()
    severity: Literal["warning", "high", "critical"] = "warning"
    """What is as bad as this, or worse."""
    steps: Annotated[tuple[Annotated[int, Meta(ge=0, le=3)], ...], Meta(min_length=1)] = (0,)
    """At which steps they are told: 0 at once, 1 all, 2 managers too, 3 nobody has answered (a critical one: again and again)."""
    quiet_days: tuple[Annotated[int, Meta(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    quiet_begin: ClockTime = "00:00"
    quiet_end: ClockTime = "00:00"
    """Nothing then but what `quiet_lets_through` says; the same begin and end: no quiet hours."""


class Alerts(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told of what; docs/ALERTS.md."""

    contact: Annotated[str, Meta(pattern="^(mailto:[^@ ]+@[^@ ]+|https://[^ ]+)$", description="mailto:… or https://…")] = (
        "mailto:doorward@localhost.localdomain"
    )
    """Whom push services may write to when something is wrong. Apple's takes a real address only."""
    timezone: str = "UTC"
    """Of the hours in `routes`, as Europe/Berlin."""
    show_names: bool = False
    """Pushes name the person whose fob it was. They are read on lock screens."""
    quiet_lets_through: Literal["high", "critical"] = "critical"
    """What rings in somebody's quiet hours all the same."""
    critical_s: Annotated[float, Meta(ge=5, le=3600)] = 30.0
    """So long somebody has to answer before more people are told …"""
    high_s: Annotated[float, Meta(ge=10, le=7200)] = 90.0
    warning_s: Annotated[float, Meta(ge=30, le=86400)] = 600.0
    again_s: Annotated[float, Meta(ge=60, le=7200)] = 300.0
    """… and when all have been, a critical alert rings again so often."""
    a_person: Annotated[int, Meta(ge=1, le=1000)] = 12
    a_door: Annotated[int, Meta(ge=1, le=1000)] = 5
    window_s: Annotated[float, Meta(ge=10, le=86400)] = 600.0
    """So many alerts ring at one person, of them so many of one door, in so many seconds; the rest is told in one line. Nothing critical."""
    offline_s: Annotated[float, Meta(ge=5, le=86400)] = 60.0
    """A door that is away for so long is an alert."""
    gap_s: Annotated[float, Meta(ge=10, le=604800)] = 900.0
    """Events that are missing for so long are an alert."""
    keep_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    """Closed alerts are deleted after so long."""
    apprise: tuple[str, ...] = ()
    """Addresses for mail, messengers and the like: https://github.com/caronc/apprise. They hold passwords: keep this file at mode 0600."""
    apprise_step: Annotated[int, Meta(ge=0, le=3)] = 3
    """From which step on they are told: 0 at once, 3 when nobody has answered."""
    messengers: tuple[Messenger, ...] = ()
    push_hosts: tuple[str, ...] = ()
    """Push services besides those of Google, Mozilla, Microsoft and Apple; a dot in front: all hosts that end so."""
    push_loopback: bool = False
    """Push services on this machine are allowed, without TLS: for tests."""
    routes: tuple[AlertRoute, ...] = ()


class Live(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Live view and intercom: docs/LIVE.md."""

    stun: Annotated[tuple[Annotated[str, Meta(pattern=r"^stun:[!-~]{1,200}\Z")], ...], Meta(max_length=2)] = ()
    turn: Annotated[tuple[Annotated[str, Meta(pattern=r"^turns?:[!-~]{1,200}\Z")], ...], Meta(max_length=2)] = ()
    """As turn:turn.example.org:3478?transport=udp. None are needed where browsers and doors reach each other; nobody else's are ever used."""
    turn_secret_file: str = ""
    """The secret that coturn knows as static-auth-secret; the file holds it alone and is its owner's."""
    turn_valid_min: Annotated[int, Meta(ge=5, le=1440)] = 60
    """So long a browser's or a door's name and password at the TURN server hold."""
    answer_s: Annotated[float, Meta(ge=1, le=30)] = 8.0
    """So long a door is waited for."""
    clip_answer_s: Annotated[float, Meta(ge=1, le=60)] = 15.0
    """So long a door may take to send a clip."""
    clip_days: Annotated[int, Meta(ge=1, le=365)] = 30
    """Clips that were fetched are kept here, sealed, for so long."""
    guards_may_unmask: bool = False
    """Whether guards may see the faces of bystanders; managers and privacy officers may. It is on record either way."""


class People(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people sign before their face is enrolled, and for how long it is kept; docs/ENROLMENT.md."""

    consent_file: str = ""
    """The site's own text, whose first line names its edition, as `Edition: 2026-03`. Empty: Doorward's."""
    keep_years: Annotated[float, Meta(gt=0, le=3)] = 3.0
    """A template whose owner was not read anywhere for so long is to be erased: Illinois' BIPA allows three years at most."""
    nightly: ClockTime = "03:10"
    """When, by the sites' own clocks (`history.time_zone`), templates and PINs of people whose time is over leave the doors."""


class Norms(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which doors are alike: what one of them shows helps a new one to begin; docs/NORMS.md."""

    alike: dict[
        str, tuple[Annotated[str, Meta(pattern="^[a-z0-9_-]{1,40}/[a-z0-9_-]{1,40}$", description="SITE/DOOR")], ...]
    ] = {}
    """Name of a kind -> doors of it; a door is of one kind."""


class HomeAssistant(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Doors as devices of Home Assistant; docs/HOMEASSISTANT.md."""

    enabled: bool = False
    doors: tuple[Annotated[str, Meta(pattern="^[a-z0-9_-]{1,40}/[a-z0-9_-]{1,40}$", description="SITE/DOOR")], ...] = ()
    """Those that it is told of; empty: all."""
    commands: tuple[Literal["lock", "unlock"], ...] = ()
    """What it may do. Empty: it sees, and works no lock."""
    user: Level = "home-assistant"
    """Under whose name doors get its commands."""


class Metrics(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counts for Prometheus, on 127.0.0.1 only; docs/HOMEASSISTANT.md."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """0: none."""


class CentralConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    site: Level = "hq"
    broker: Broker = Broker()
    database: Database = Database()
    gateway: Gateway = Gateway()
    keys: Keys = Keys()
    people: People = People()
    history: History = History()
    alerts: Alerts = Alerts()
    live: Live = Live()
    norms: Norms = Norms()
    homeassistant: HomeAssistant = HomeAssistant()
    metrics: Metrics = Metrics()


def load_settings(path: Path) -> CentralConfig:
    """Raises ConfigError naming file, key and what is allowed."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=CentralConfig)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file; `doorward central init` makes one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
