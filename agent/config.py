"""One TOML file per controller, read once, strict: an unknown key or a value out of range stops start-up and says where."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import msgspec.inspect
from msgspec import Meta, Struct

from agent.errors import ConfigError
from agent.local_socket import MAX_PATH_BYTES, VISION_SOCKET

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CAMERAS = '"picamera2", a number in quotes ("0"), "/dev/video…", "rtsp:…" or "file:…"'
Name = Annotated[
    str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z", description="1 to 40 of a-z, 0-9, _ and -, for it becomes a topic level")
]
PIN_WORDS = 'a BCM number from 0 to 53, a name of the board like "GPIO17", "BOARD11" or "PAC.06", or a line like "gpiochip0:12"'
Pin = (
    Annotated[int, Meta(ge=0, le=53)]
    | Annotated[
        str, Meta(pattern=r"^(GPIO\d{1,2}|BOARD\d{1,2}|P[A-Z]{1,2}\.\d{2}|gpiochip\d{1,2}:\d{1,3})\Z", description=PIN_WORDS)
    ]
)
SensorPin = (
    Annotated[int, Meta(ge=0, le=53)]
    | Annotated[str, Meta(pattern=r"^(none|GPIO\d{1,2}|BOARD\d{1,2}|P[A-Z]{1,2}\.\d{2}|gpiochip\d{1,2}:\d{1,3})\Z",
                          description=f'{PIN_WORDS}, or "none" where there is none')]
)  # fmt: skip
"""TOML has no null, and a key that is left out has its default: a sensor that a door lacks must be said to be missing."""
Stage = Literal["attention", "liveness", "persons"]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Board(Section, frozen=True):
    """Which pins there are. `sim` needs `rig`, the socket of the simulated wiring: nothing is ever simulated by default.

    gpiozero's pigpio is not among them: its edges carry the daemon's own 32-bit microseconds, which wrap, and not CLOCK_MONOTONIC.
    """

    pins: Literal["lgpio", "rpigpio", "native", "sim"] = "lgpio"
    rig: str = ""


WiegandFormatName = Literal["H10301", "W34", "C1000-35", "W36", "W36-odd-even", "H10302", "H10304", "W32", "raw"]
Leads = Literal["in", "out"]
Device = Annotated[
    str, Meta(pattern=r"^/dev/.+\Z", description='a serial device, best "/dev/serial/by-id/…", which keeps its name')
]


class WiegandReader(Section, frozen=True, tag_field="kind", tag="wiegand"):
    """A Wiegand reader on two pins. `formats` is also the list of lengths it may send."""

    name: Name = "front"
    leads: Leads = "in"
    d0_pin: Pin = 17
    d1_pin: Pin = 27
    formats: Annotated[tuple[WiegandFormatName, ...], Meta(min_length=1)] = ("H10301",)
    keypad: Literal["none", "4-bit", "8-bit"] = "none"


class SerialReader(Section, frozen=True, tag_field="kind", tag="serial"):
    """A reader on a serial line. A UID (`pn532`) can be copied: it names a fob and proves nothing."""

    name: Name
    device: Device
    leads: Leads = "in"
    protocol: Literal["rdm6300", "pn532", "lines"] = "rdm6300"
    baud: Literal[9600, 19200, 38400, 57600, 115200] | None = None
    """None: the protocol's own."""


class OsdpReader(Section, frozen=True, tag_field="kind", tag="osdp"):
    """An OSDP peripheral on an RS-485 line. Secure Channel is not optional."""

    name: Name
    device: Device
    leads: Leads = "in"
    baud: Literal[9600, 19200, 38400, 57600, 115200, 230400] = 9600
    """Readers leave the factory at 9600."""
    address: Annotated[int, Meta(ge=0, le=126)] = 0
    key_file: str = ""
    """Its Secure Channel key, encrypted for this door; empty: `/etc/doorward/osdp-NAME.key`. Made by `doorward osdp set-key`."""
    formats: Annotated[tuple[WiegandFormatName, ...], Meta(min_length=1)] = ("H10301",)
    """Formats of the bits it passes on."""


AnyReader = WiegandReader | SerialReader | OsdpReader


class LockSection(Section, frozen=True):
    """The lock and its relay."""

    kind: Literal["strike", "maglock"] = "strike"
    fail: Literal["secure", "safe"] = "secure"
    relay_pin: Pin = 22
    relay_active_high: bool = True
    pulse_s: Annotated[float, Meta(ge=0.5, le=30)] = 3.0
    extended_pulse_s: Annotated[float, Meta(ge=0.5, le=60)] = 10.0
    hardware_release: bool = False
    """A maglock must be cut by REX and fire loop in hardware; the installer states here that it is."""
    fire_door: bool = False


class Inputs(Section, frozen=True):
    """Inputs that are wired. An open loop means 'door open', 'fire' or 'tampered': what is not wired must be "none"."""

    contact_pin: SensorPin = 23
    rex_pin: SensorPin = 24
    fire_pin: SensorPin = "none"
    tamper_pin: SensorPin = "none"
    debounce_s: Annotated[float, Meta(ge=0.001, le=0.5)] = 0.03

    def wired(self) -> dict[str, Pin]:
        """Name of each input that there is -> its pin."""
        pins = {"contact": self.contact_pin, "rex": self.rex_pin, "fire": self.fire_pin, "tamper": self.tamper_pin}
        return {name: pin for name, pin in pins.items() if pin != "none"}


class DoorTiming(Section, frozen=True):
    held_open_s: Annotated[float, Meta(ge=5, le=3600)] = 30.0
    extended_held_open_s: Annotated[float, Meta(ge=5, le=3600)] = 60.0
    warn_before_s: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    propped_s: Annotated[float, Meta(ge=5, le=86400)] = 300.0
    rex_pulse_s: Annotated[float, Meta(ge=0.5, le=30)] = 5.0
    relock_on_open: bool = True
    """Secure as soon as the door has opened, so that it latches when it falls shut."""


class Policy(Section, frozen=True):
    """What a fob and a face must show before the door lets go."""

    fmr: Annotated[float, Meta(gt=0, le=0.01)] = 0.001
    """False match rate the threshold stands for; must be one the model's manifest states."""
    threshold_floor: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Never below this cosine, whatever the manifest says (raised by calibration on the door's own camera)."""
    face_wait_s: Annotated[float, Meta(ge=0, le=10)] = 1.5
    mismatch_wait_s: Annotated[float, Meta(ge=0, le=10)] = 0.8
    vision_wait_s: Annotated[float, Meta(ge=0, le=1)] = 0.5
    without_vision: Literal["deny", "fob_alone"] = "deny"
    without_template: Literal["deny", "fob_alone"] = "deny"
    min_face_px: Annotated[float, Meta(ge=16, le=400)] = 40.0
    min_quality: Annotated[float, Meta(ge=0, le=1)] = 0.2
    liveness: Literal["off", "alert", "deny_attack", "require_live"] = "alert"
    """What is done when the cardholder's face is a picture of it (docs/LIVENESS.md). Never asked of somebody who leaves."""


class Deployment(Section, frozen=True):
    """What the law lets run here at all; see docs/PRIVACY.md. Expression stages are refused in `workplace-eu`."""

    profile: Literal["workplace-eu", "standard"] = "workplace-eu"
    expression: bool = False
    keep_evidence: bool = False
    """Keep an annotated picture of each decision on this controller."""


class Records(Section, frozen=True):
    folder: str = "/var/lib/doorward"
    bundle: str = "/var/lib/doorward/access.bundle"
    centre_key: str = "/etc/doorward/centre.pub"
    """Ed25519 key (hex) that access bundles must be signed with."""
    door_key: str = "/etc/doorward/door.key"
    """X25519 key (hex, mode 0600) that templates are sealed for."""


class Link(Section, frozen=True):
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=2, le=600)] = 15
    window: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Events under way at once."""
    ack_timeout_s: Annotated[float, Meta(ge=0.1, le=600)] = 5.0
    max_command_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    """A command may not ask to be valid for longer."""


class Vision(Section, frozen=True):
    """The vision program."""

    camera: Annotated[str, Meta(pattern=r"^(picamera2|sim:.+|file:.+|rtsp:.+|\d+|/dev/.+)\Z", description=CAMERAS)] = "picamera2"
    width_px: Annotated[int, Meta(ge=320, le=1920)] = 640
    height_px: Annotated[int, Meta(ge=240, le=1080)] = 480
    frames_per_s: Annotated[float, Meta(ge=1, le=60)] = 15.0
    engine: Literal["auto", "litert", "tflite-runtime", "edgetpu"] = "auto"
    threads: Annotated[int, Meta(ge=1, le=8)] = 1
    models: str = ""
    """Folder of the models; empty for those that came with the program."""
    calibrate: bool = False
    """Count how alike different people look to this camera, for `doorward calibrate`; nothing of a face is kept."""
    stages: tuple[Stage, ...] = ("attention", "liveness", "persons")
    """What is looked at beyond who it is. Networks of other stages are not opened. Expressions are `deployment.expression`."""


class Config(Section, frozen=True):
    """Everything both programs of a controller need to know before they start."""

    site: Name
    door: Name
    run_folder: str = "/run/doorward"
    """Where door and vision find each other's sockets."""
    board: Board = Board()
    readers: Annotated[tuple[AnyReader, ...], Meta(min_length=1, max_length=4)] = (WiegandReader(),)
    lock: LockSection = LockSection()
    inputs: Inputs = Inputs()
    timing: DoorTiming = DoorTiming()
    policy: Policy = Policy()
    deployment: Deployment = Deployment()
    records: Records = Records()
    link: Link = Link()
    vision: Vision = Vision()


def load_config(path: Path) -> Config:
    """The configuration in a file; raises ConfigError naming file, key and what is allowed."""
    table = _read(path)
    try:
        return parse_config(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def load_relay(path: Path) -> Config:
    """The pins and the relay alone, whatever else is wrong in the file: a mistake elsewhere may not keep a lock from being made safe.

    Everything else in what is returned means nothing. Raises ConfigError when board or relay themselves cannot be read.
    """
    table = _read(path)
    lock = table.get("lock", {})
    relay = {key: lock[key] for key in ("relay_pin", "relay_active_high") if key in lock} if isinstance(lock, dict) else lock
    try:
        return msgspec.convert({"site": "any", "door": "any", "board": table.get("board", {}), "lock": relay}, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}{_allowed(str(error), table)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # some editors begin a file with a byte order mark
    except FileNotFoundError as error:
        mend = "copy systemd/door.example.toml there, or name another file with --config"
        raise ConfigError(f"{path}: cannot be read: there is no such file; {mend}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; it must be a UTF-8 text file that this user may read") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def parse_config(table: Mapping[str, Any]) -> Config:
    """A configuration from parsed TOML; raises ConfigError naming the key and what is allowed."""
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{error}{_allowed(str(error), table)}") from error
    for check in _CHECKS:
        check(config)
    return config


def _allowed(complaint: str, table: Mapping[str, Any]) -> str:
    """The keys of the table, or the words of the choice, that msgspec's message points to; nothing for ranges, which it tells.

    A pattern is put into words.
    """
    place = re.search(r" - at `\$(.*)`$", complaint)
    info = _type_at(msgspec.inspect.type_info(Config), table, re.findall(r"\.(\w+)|\[(\d+)\]", place[1] if place else ""))
    if isinstance(info, dict):  # tables of several kinds, and none of them was named
        return f"; allowed: {', '.join(f'kind = {kind!r}' for kind in info)}"
    if isinstance(info, msgspec.inspect.StructType):
        return f"; allowed: {', '.join(field.name for field in info.fields)}"
    if isinstance(info, msgspec.inspect.UnionType):
        info = next((each for each in info.types if isinstance(each, msgspec.inspect.Metadata)), info)
    if isinstance(info, msgspec.inspect.Metadata):
        return f"; allowed: {(info.extra_json_schema or {}).get('description', '')}"
    if isinstance(info, msgspec.inspect.LiteralType):
        return f"; allowed: {', '.join(repr(value) for value in info.values)}"
    return ""


def _type_at(info: Any, value: Any, steps: list[tuple[str, str]]) -> Any:
    """The type of the place in the file where `steps` (keys and indices) lead; of tables of several kinds a dict of kinds."""
    for key, index in steps:
        if index:
            info, value = info.item_type, value[int(index)]
        elif key == "kind" and isinstance(info, dict):
            return info
        else:
            info = next(field.type for field in info.fields if field.name == key)
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        info = _of_its_kind(info, value)
    return info


def _of_its_kind(info: Any, value: Any) -> Any:
    """Of tables of several kinds that which `value` says it is; all of them, by name, where it names none that there is."""
    info = info.type if isinstance(info, msgspec.inspect.Metadata) and not info.extra_json_schema else info
    kinds = {t.tag: t for t in getattr(info, "types", ()) if isinstance(t, msgspec.inspect.StructType)}
    return kinds.get(value.get("kind") if isinstance(value, Mapping) else None, kinds) if kinds else info


def _refuse(key: str, found: object, allowed: str) -> None:
    raise ConfigError(f"`$.{key}` is {found!r}: {allowed}")


def _check_lock(config: Config) -> None:
    lock = config.lock
    if lock.kind == "maglock" and lock.fail == "secure":
        _refuse("lock.fail", lock.fail, "a maglock lets go without power, it is 'safe' by nature")
    if lock.kind == "maglock" and not lock.hardware_release:
        _refuse("lock.hardware_release", False, "a maglock must be cut in hardware by REX and fire loop (NFPA 101 7.2.1.6)")
    if lock.fire_door and lock.kind == "strike" and lock.fail == "safe":
        _refuse("lock.fail", lock.fail, "the latch of a fire door must hold without power, use 'secure' (NFPA 80 6.4.4)")
    if lock.extended_pulse_s < lock.pulse_s:
        _refuse("lock.extended_pulse_s", lock.extended_pulse_s, f"at least lock.pulse_s ({lock.pulse_s})")


def _check_sockets(config: Config) -> None:
    most = MAX_PATH_BYTES - len(f"/{VISION_SOCKET}")
    if len(os.fsencode(config.run_folder)) > most:
        _refuse("run_folder", config.run_folder, f"at most {most} bytes, which leaves room for the name of a Unix socket")


def _named_pins(config: Config) -> Iterator[tuple[str, Pin]]:
    """Every pin that is in use, with its key."""
    for number, reader in enumerate(config.readers):
        if isinstance(reader, WiegandReader):
            yield f"readers[{number}].d0_pin", reader.d0_pin
            yield f"readers[{number}].d1_pin", reader.d1_pin
    yield "lock.relay_pin", config.lock.relay_pin
    for name, pin in config.inputs.wired().items():
        yield f"inputs.{name}_pin", pin


def _check_readers(config: Config) -> None:
    names: set[str] = set()
    lines: dict[str, str] = {}
    for number, reader in enumerate(config.readers):
        if reader.name in names:
            _refuse(f"readers[{number}].name", reader.name, "each reader has a name of its own")
        names.add(reader.name)
        if isinstance(reader, WiegandReader):
            continue
        if reader.device in lines:
            _refuse(
                f"readers[{number}].device",
                reader.device,
                f"each reader has a line of its own; this one is {lines[reader.device]}'s",
            )
        lines[reader.device] = reader.name


def _check_pins(config: Config) -> None:
    taken: dict[Pin, str] = {}
    for key, pin in _named_pins(config):
        if pin in taken:
            _refuse(key, pin, f"this pin is already {taken[pin]}")
        taken[pin] = key
    if (config.board.pins == "sim") != bool(config.board.rig):
        _refuse("board.rig", config.board.rig, "given with board.pins = 'sim', and only then")


def expression_allowed(deployment: Deployment) -> bool:
    """Whether expression networks may be loaded: asked for, and in a profile that allows it, however the object came about."""
    return deployment.expression and deployment.profile == "standard"


def _check_deployment(config: Config) -> None:
    if config.deployment.expression and not expression_allowed(config.deployment):
        _refuse("deployment.expression", True, "profile 'workplace-eu' opens no expression network, for inferring emotions of people at work"
                " is prohibited in the EU (AI Act, Art. 5(1)(f)); set it to false, or profile = 'standard' where the law of the place"
                " allows it")  # fmt: skip


def _check_policy(config: Config) -> None:
    policy = config.policy
    if policy.mismatch_wait_s > policy.face_wait_s:
        _refuse("policy.mismatch_wait_s", policy.mismatch_wait_s, f"at most policy.face_wait_s ({policy.face_wait_s})")


def _check_timing(config: Config) -> None:
    timing = config.timing
    for key in ("extended_held_open_s", "propped_s"):
        if (value := getattr(timing, key)) < timing.held_open_s:
            _refuse(f"timing.{key}", value, f"at least timing.held_open_s ({timing.held_open_s})")
    if timing.warn_before_s >= timing.held_open_s:
        _refuse("timing.warn_before_s", timing.warn_before_s, f"less than timing.held_open_s ({timing.held_open_s})")


LEAST_WAIT_FOR_LIFE_S = 1.0
"""No face is found alive in less."""


def _check_liveness(config: Config) -> None:
    if config.policy.liveness in ("deny_attack", "require_live") and "liveness" not in config.vision.stages:
        _refuse(
            "policy.liveness", config.policy.liveness, "`vision.stages` must include 'liveness', or nobody is ever found alive"
        )
    if config.policy.liveness == "require_live" and config.policy.face_wait_s < LEAST_WAIT_FOR_LIFE_S:
        _refuse(
            "policy.face_wait_s", config.policy.face_wait_s, f"at least {LEAST_WAIT_FOR_LIFE_S} with liveness = 'require_live'"
        )


_CHECKS = (
    _check_readers,
    _check_timing,
    _check_liveness,
    _check_lock,
    _check_sockets,
    _check_pins,
    _check_deployment,
    _check_policy,
)
