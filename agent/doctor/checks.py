"""Every check of the doctor: one function each, which looks and then judges. **A new one is a function here and a line in CHECKS.**"""

from __future__ import annotations

import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from agent.advice import advice
from agent.clock_kernel import kernel_clock
from agent.config import Config, OsdpReader, SerialReader, expression_allowed
from agent.doctor.finding import Finding, bad, note, warn, well
from agent.doctor.machine import UNITS, Machine
from agent.doctor.verdicts import (
    KeyFile,
    Need,
    Package,
    UnitSeen,
    judge_certificate,
    judge_device,
    judge_disk,
    judge_journal,
    judge_key,
    judge_owned,
    judge_package,
    judge_place,
    judge_python,
    judge_supply,
    judge_unit,
    judge_user,
    judge_watchdog,
    judge_wear,
)
from agent.errors import JournalError, ModelError
from agent.identity.credentials import keys_of
from agent.identity.sealing import Seen, how_kept
from agent.identity.sealing import sentence as how_kept_in_words
from agent.link.trial import shake_hands
from agent.sections import Link
from agent.selftest.judge_machine import ClockSeen, judge_clock
from agent.selftest.step_machine import edge_tpu_library, edge_tpu_on_usb, reach
from agent.wear import figures
from agent.wear_watch import FILE as WEAR_FILE
from agent.wear_watch import disk_of, load


class Check(Struct, frozen=True):
    """A check under the name that `--only` takes."""

    name: str
    title: str
    run: Callable[[Machine], Iterator[Finding]]


# -- software ------------------------------------------------------------------------------------------------------------------


def check_python(machine: Machine) -> Iterator[Finding]:
    yield from judge_python(sys.version_info[:2], sys.prefix != sys.base_prefix)


DOOR = (
    Package(distribution="msgspec", module="msgspec", why="configuration and messages", mend="pip install doorward"),
    Package(distribution="gpiozero", module="gpiozero", why="pins of reader, lock and inputs", mend="pip install doorward"),
    Package(distribution="paho-mqtt", module="paho.mqtt.client", why="the link to the centre", mend="pip install doorward"),
    Package(distribution="PyNaCl", module="nacl.bindings", why="signatures of access rules", mend="pip install doorward"),
    Package(distribution="pyserial", module="serial", why="serial readers", mend="pip install doorward"),
    Package(distribution="tzdata", module="tzdata", why="time zones of schedules", mend="pip install doorward"),
)
VISION = (
    Package(
        distribution="numpy",
        module="numpy",
        why="without vision every fob is answered by policy.without_vision",
        mend="pip install 'doorward[vision]'",
    ),
    Package(
        distribution="opencv-python-headless", module="cv2", why="pictures cannot be read", mend="pip install 'doorward[vision]'"
    ),
    Package(
        distribution="ai-edge-litert",
        module="ai_edge_litert.interpreter",
        why="no network runs on this CPU",
        mend="pip install 'doorward[vision]'",
    ),
)
PINS = {
    "lgpio": Package(
        distribution="lgpio",
        module="lgpio",
        why="no pin can be driven",
        mend="sudo apt install python3-lgpio, or pip install 'doorward[pi]'",
    ),
    "gpiod": Package(
        distribution="gpiod",
        module="gpiod",
        why="no pin can be driven",
        mend="pip install 'gpiod>=2.5', or the pi or jetson extra of doorward",
    ),
    "rpigpio": Package(
        distribution="RPi.GPIO", module="RPi.GPIO", why="no pin can be driven", mend="sudo apt install python3-rpi.gpio"
    ),
}
PICAMERA = Package(
    distribution="picamera2",
    module="picamera2",
    why="the Raspberry Pi's camera cannot be opened",
    mend="sudo apt install python3-picamera2, and make the virtual environment with --system-site-packages",
)
OSDP = Package(distribution="libosdp", module="osdp_sys", why="OSDP readers cannot be heard", mend="pip install 'doorward[osdp]'")
DISPLAY = Package(distribution="RPLCD", module="RPLCD", why="the display stays dark", mend="pip install 'doorward[display]'")


def check_packages(machine: Machine) -> Iterator[Finding]:
    """Those that this configuration needs, and no others."""
    wanted = needed(machine.config)
    with ThreadPoolExecutor(max_workers=4) as pool:  # each is imported in a process of its own
        found = list(pool.map(lambda package: machine.package(package.distribution, package.module), wanted))
    yield from (judge_package(package, seen) for package, seen in zip(wanted, found, strict=True))
    if machine.config.vision.camera.startswith(("csi:", "gst:")):
        yield _command(
            machine,
            "gst-launch-1.0",
            "the camera's pipe cannot be started",
            "sudo apt install gstreamer1.0-tools gstreamer1.0-plugins-good",
        )
    if machine.config.vision.camera.startswith("rpicam:"):
        yield _command(machine, "rpicam-vid", "the camera's program cannot be started", "sudo apt install rpicam-apps-lite")


def needed(config: Config) -> tuple[Package, ...]:
    """Pure: the packages of a configuration."""
    more = [PINS[config.board.pins]] if config.board.pins in PINS else []
    more += [PICAMERA] if config.vision.camera == "picamera2" else []
    more += [OSDP] if any(isinstance(reader, OsdpReader) for reader in config.readers) else []
    more += [DISPLAY] if config.feedback.display.startswith("lcd:") else []
    return (*DOOR, *VISION, *more)


def _command(machine: Machine, name: str, why: str, mend: str) -> Finding:
    return well(f"{name} is there") if shutil.which(name) else bad(f"{name} is not installed", why, mend)


def check_accelerator(machine: Machine) -> Iterator[Finding]:
    usb, library = edge_tpu_on_usb(machine.path("/sys/bus/usb/devices")), edge_tpu_library()
    plugged = bool(usb) or machine.path("/dev/apex_0").exists()
    wanted = machine.config.vision.engine == "edgetpu"
    if (plugged or wanted) and not library:
        yield bad(
            "libedgetpu.so.1 is not installed",
            "the Edge TPU is not used, and networks run on the CPU",
            "sudo apt install libedgetpu1-std, from Google's package source or a maintained build for this system",
        )
    elif wanted and not plugged:
        yield bad(
            'vision.engine = "edgetpu", and none is plugged in',
            "vision does not start",
            'plug it in (`lsusb`), or write engine = "auto"',
        )
    else:
        yield well(f"Edge TPU {usb or 'on PCIe'}") if plugged else note("no Edge TPU; networks run on the CPU")


def check_models(machine: Machine) -> Iterator[Finding]:
    """Hashes of every network that this door may open; those of expressions are not even read where they are forbidden."""
    from models_tflite.manifest import check, load_manifest

    config = machine.config
    try:
        manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
        manifest.threshold_at_fmr(config.policy.fmr)
    except ModelError as error:
        yield bad(
            str(error), "door and vision do not start", "pip install --force-reinstall doorward, or see `doorward models list`"
        )
        return
    mine = [
        entry
        for entry in manifest.models
        if expression_allowed(config.deployment) or not entry.role.startswith("face_expression")
    ]
    broken = [found for entry in mine if (found := check(entry)) is not None]
    for found in broken:
        yield bad(
            found.text, "vision refuses a network that is not the one that was measured", "pip install --force-reinstall doorward"
        )
    if not broken:
        yield well(f"{len(mine)} networks, sums verified; embedder {manifest.embedder_id}")
    if len(mine) < len(manifest.models):
        yield note(f"{len(manifest.models) - len(mine)} expression networks were not opened: this deployment forbids them")


# -- configuration -------------------------------------------------------------------------------------------------------------


def check_config(machine: Machine) -> Iterator[Finding]:
    config, error = machine.read_config
    if config is None:
        yield bad(
            error,
            "door and vision do not start; what follows is looked at with the defaults",
            f"sudo install -D -o doorward -m 640 systemd/door.example.toml {machine.config_path}; then edit it",
        )
        return
    yield well(f"{machine.config_path}: door {config.site}/{config.door}")
    for sentence in advice(config):
        what, _, mend = sentence.partition("; ")
        yield warn(what, "it is allowed, and probably not meant", mend or f"look at it in {machine.config_path}")


def check_keys(machine: Machine) -> Iterator[Finding]:
    config, user = machine.config, machine.user()
    own = {str(key.file): how_kept(replace(key, file=machine.path(str(key.file)))) for key in keys_of(config)}
    for wanted, path in key_files(config):
        if path in own and own[path].kept not in ("file", "missing", "hidden"):
            yield judge_sealed(wanted, own[path])
        else:
            yield judge_key(wanted, machine.file(path), user)
    if any(seen.kept == "file" for seen in own.values()):
        yield note(
            "private keys are files that only root and doorward can read: whoever takes the card has them",
            "doorward identity show",
        )


def judge_sealed(wanted: KeyFile, seen: Seen) -> Finding:
    """A key that is there only for this board."""
    told = f"{wanted.key}: {how_kept_in_words(seen)}"
    return warn(told, "whoever takes the card has the key", "sudo doorward identity seal") if seen.beside else well(told)


def key_files(config: Config) -> Iterator[tuple[KeyFile, str]]:
    """Pure: the keys that a configuration names."""
    records, link = config.records, config.link
    yield (
        KeyFile(
            key="records.centre_key",
            private=False,
            why="no access rules are believed: nobody may enter",
            mend=f"copy centre.pub of the site's server to {records.centre_key}",
        ),
        records.centre_key,
    )
    yield (
        KeyFile(
            key="records.door_key",
            private=True,
            why="no face template can be opened, and the door does not start",
            mend="make it on this door when it is commissioned, never elsewhere",
        ),
        records.door_key,
    )
    for key, private in (("password_file", True), ("ca_file", False), ("cert_file", False), ("key_file", True)):
        if path := getattr(link, key):
            yield (
                KeyFile(
                    key=f"link.{key}", private=private, why="the broker cannot be reached", mend="fetch it from the site's server"
                ),
                path,
            )
    for reader in config.readers:
        if isinstance(reader, OsdpReader):
            path = reader.key_file or f"/etc/doorward/osdp-{reader.name}.key"
            yield (
                KeyFile(
                    key=f"key of reader {reader.name}",
                    private=True,
                    why="this reader is not spoken to",
                    mend=f"doorward osdp set-key {reader.name}",
                ),
                path,
            )


# -- machine -------------------------------------------------------------------------------------------------------------------


def check_user(machine: Machine) -> Iterator[Finding]:
    yield from judge_user(machine.user(), needs(machine.config))


def needs(config: Config) -> tuple[Need, ...]:
    """Pure: the groups that a configuration asks for."""
    found = [] if config.board.pins == "sim" else [Need(group="gpio", why="no pin can be driven without it")]
    if any(isinstance(reader, SerialReader | OsdpReader) for reader in config.readers):
        found.append(Need(group="dialout", why="serial and OSDP readers cannot be opened without it"))
    if not config.vision.camera.startswith(("rtsp:", "file:", "sim:")):
        found.append(Need(group="video", why="the camera cannot be opened without it"))
    if config.vision.engine in ("auto", "edgetpu"):
        found.append(Need(group="plugdev", why="a Coral accelerator cannot be opened without it"))
    if config.supervision.wired():
        found.append(Need(group="spi", why="supervised inputs cannot be read without it"))
    return tuple(found)


def check_devices(machine: Machine) -> Iterator[Finding]:
    config, user = machine.config, machine.user()
    for path, why, mend in devices(config, [f"/dev/{chip.name}" for chip in sorted(machine.path("/dev").glob("gpiochip*"))]):
        yield judge_device(machine.file(path), user, why, mend)


def devices(config: Config, chips: list[str]) -> Iterator[tuple[str, str, str]]:
    """Pure: device files that a configuration needs, why, and what to do when one is not there."""
    if config.board.pins != "sim":
        mend = "is this the right board? `gpiodetect` lists its chips; board.pins must fit it"
        yield from ((chip, "no pin can be driven", mend) for chip in chips or ["/dev/gpiochip0"])
    for reader in config.readers:
        if isinstance(reader, SerialReader | OsdpReader):
            yield (
                reader.device,
                f"reader {reader.name} cannot be opened",
                "plug it in; `ls /dev/serial/by-id/` shows what is there",
            )
    camera = config.vision.camera
    if camera.isdigit() or camera.startswith("/dev/"):
        path = f"/dev/video{camera}" if camera.isdigit() else camera
        yield path, "the camera cannot be opened", "plug it in; `v4l2-ctl --list-devices` shows what is there"
    display = config.feedback.display
    if config.supervision.wired():
        name = f"/dev/spidev{config.supervision.spi_port}.{config.supervision.spi_device}"
        yield name, "supervised inputs cannot be read", "sudo raspi-config nonint do_spi 0; then restart"
    if display.startswith("lcd:"):
        yield f"/dev/i2c-{display.split(':')[1]}", "the display stays dark", "sudo raspi-config nonint do_i2c 0"


def check_pins_after_death(machine: Machine) -> Iterator[Finding]:
    """Raspberry Pi OS keeps a dead program's pin as it was unless it is told not to (docs/HARDWARE.md)."""
    if "Raspberry Pi" not in machine.text("/proc/device-tree/model"):
        return
    text = machine.text("/boot/firmware/config.txt") or machine.text("/boot/config.txt")
    if re.search(r"^\s*dtparam=.*strict_gpiod", text, re.MULTILINE):
        yield well("a dead program's pins become inputs at once (strict_gpiod)")
    else:
        yield warn(
            "a dead program's relay pin keeps its level",
            "a killed door program leaves the lock as it was until its helper mends it",
            "echo dtparam=strict_gpiod | sudo tee -a /boot/firmware/config.txt; then restart",
        )


def check_clock(machine: Machine) -> Iterator[Finding]:
    synchronised, error_s = kernel_clock()
    seen = ClockSeen(
        synchronised=synchronised,
        error_s=error_s,
        year=datetime.now(timezone.utc).year,
        battery=machine.path("/dev/rtc0").exists(),
    )
    judged = judge_clock(seen)
    for fault in judged.faults:
        yield warn(
            fault.what,
            f"schedules open and shut at the wrong time, and certificates are not believed ({fault.likely})",
            fault.mend,
        )
    if not judged.faults:
        yield well(judged.said) if not judged.unsure else note(judged.said)
    if not seen.battery:
        yield note(
            "no battery clock: after a power cut the time is wrong until a time server answers", "events are marked meanwhile"
        )


def check_supply(machine: Machine) -> Iterator[Finding]:
    found = re.search(r"0x([0-9a-fA-F]+)", machine.run("vcgencmd", "get_throttled").output)
    yield from judge_supply(int(found[1], 16) if found else None)


def check_watchdog(machine: Machine) -> Iterator[Finding]:
    said = machine.run("systemctl", "show", "--property=RuntimeWatchdogUSec", "--value")
    armed = said.output if said.status == 0 else ""
    yield judge_watchdog(
        machine.path("/dev/watchdog").exists() or machine.path("/dev/watchdog0").exists(),
        "unknown" if not armed else "no" if armed in ("0", "infinity") else "yes",
    )


# -- what runs -----------------------------------------------------------------------------------------------------------------


def check_units(machine: Machine) -> Iterator[Finding]:
    said = machine.run("systemctl", "show", "--property=Version", "--value")
    if said.status != 0:
        yield note("systemd does not run here: nothing starts the programs by itself", "fine for trying out, not for a door")
        return
    for name in ("doorward.target", *UNITS):
        yield judge_unit(_unit(machine, name))


def _unit(machine: Machine, name: str) -> UnitSeen:
    said = machine.run("systemctl", "show", name, "--property=LoadState,ActiveState,UnitFileState,NRestarts").output
    shown = dict(line.partition("=")[::2] for line in said.splitlines())
    return UnitSeen(
        name=name,
        loaded=shown.get("LoadState") == "loaded",
        active=shown.get("ActiveState", ""),
        enabled=shown.get("UnitFileState", ""),
        restarts=int(shown.get("NRestarts") or 0),
    )


def check_records(machine: Machine) -> Iterator[Finding]:
    """Room, owners, and the journal. Reads only."""
    folder, user = machine.config.records.folder, machine.user()
    path = machine.path(folder)
    try:
        usage = shutil.disk_usage(next(place for place in (path, *path.parents) if place.is_dir()))
        files = tuple(machine.file(f"{folder}/{file.name}") for file in path.iterdir() if file.is_file()) if path.is_dir() else ()
    except PermissionError:
        yield note(f"{folder} may be read by {user.name} and root alone", "run as one of them: sudo doorward doctor")
        return
    yield judge_disk(folder, usage.free, usage.total)
    if not path.is_dir():
        yield note(f"{folder} is not there yet", "systemd makes it when the door starts")
        return
    yield judge_owned(files, user, folder)
    yield from judge_place(folder, file_system(machine.text("/proc/self/mountinfo"), folder))
    place = disk_of(path)
    yield from judge_wear(figures(load(path / WEAR_FILE), place.capacity_b, place.life_used))
    yield from _journal(path / "journal.db")


def file_system(mountinfo: str, folder: str) -> str:
    """Pure: the kind of file system that a folder lies on (proc(5), mountinfo: the mount point is the fifth field, the kind the first behind
    the dash); '' where that is not told."""
    mounts = [
        (fields[4], rest.split()[0])
        for line in mountinfo.splitlines()
        if (fields := line.split()) and (rest := line.partition(" - ")[2])
    ]
    around = [(point, kind) for point, kind in mounts if Path(folder).is_relative_to(point)]
    return max(around, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _journal(path: Path) -> Iterator[Finding]:
    from agent.records.journal_db import JournalDb

    waiting, damaged, error = 0, 0, ""
    if path.exists():
        try:
            with closing(JournalDb(path, reader=True)) as journal:
                waiting, damaged = journal.count(), journal.damaged()
        except JournalError as trouble:
            error = str(trouble)
    yield from judge_journal(str(path), path.exists(), waiting, damaged, error)


def check_broker(machine: Machine) -> Iterator[Finding]:
    """Its port and its certificate. No MQTT session: one in the door's name would end the door's own (`use_username_as_clientid`)."""
    nodes = [replace(machine.config.link, host=host) for host in (machine.config.link.host, *machine.config.link.other_hosts)]
    answers = [(node, *reach(node.host, node.port)) for node in nodes]
    reached = [node for node, failed_at, _ in answers if not failed_at]
    yield from (_not_reached(node, error, bool(reached)) for node, failed_at, error in answers if failed_at)
    for node in reached:
        yield well(f"broker {node.host}:{node.port} can be reached")
    if reached:
        yield from _its_certificate(machine, reached[0])


def _not_reached(link: Link, error: str, others_answer: bool) -> Finding:
    what = f"broker {link.host}:{link.port} {error}"
    mend = f"is it on? From here: getent hosts {link.host}; ping {link.host}. On the server: ss -tlnp | grep {link.port}"
    if others_answer:
        return warn(what, "the other nodes of the cluster serve this door; with one more away they may not", mend)
    return bad(what, "events wait on the door, and no command arrives; the door itself goes on", mend)


def _its_certificate(machine: Machine, link: Link) -> Iterator[Finding]:
    if not link.ca_file:
        yield note("the link is not encrypted (link.ca_file is empty)")
        return
    for key in ("ca_file", "cert_file"):
        if path := getattr(link, key):
            yield judge_certificate(f"link.{key} {path}", certificate_days(machine, path))
    failed_at, error, days = shake_hands(link)
    if failed_at:
        yield bad(
            f"broker {link.host}:{link.port}: {error}",
            "events wait on the door, and no command arrives",
            "compare link.ca_file with the CA of the site's server, and this door's clock with yours",
        )
    else:
        yield judge_certificate("the broker's certificate", days)


def certificate_days(machine: Machine, path: str) -> float | None:
    """How long a PEM file's first certificate is good, by openssl."""
    said = machine.run("openssl", "x509", "-enddate", "-noout", "-in", path)
    found = re.search(r"notAfter=(.+) GMT", said.output)
    if found is None:
        return None
    ends = datetime.strptime(found[1], "%b %d %H:%M:%S %Y").replace(tzinfo=timezone.utc)
    return (ends - datetime.now(timezone.utc)).total_seconds() / 86400


def check_programs(machine: Machine) -> Iterator[Finding]:
    """Whether door and vision are there, by the sockets they listen on."""
    run = machine.config.run_folder
    for name, socket_name in (("door", "door.sock"), ("vision", "vision.sock")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(str(machine.path(f"{run}/{socket_name}")))
            except PermissionError:
                yield note(f"whether {name} runs can only root say", "sudo doorward doctor")
            except OSError:
                yield note(f"the {name} program does not run")
            else:
                yield well(f"the {name} program runs")


CHECKS = (
    Check("python", "Python", check_python),
    Check("packages", "Packages", check_packages),
    Check("accelerator", "Accelerator", check_accelerator),
    Check("models", "Networks", check_models),
    Check("config", "Configuration", check_config),
    Check("keys", "Keys", check_keys),
    Check("user", "User and groups", check_user),
    Check("devices", "Devices", check_devices),
    Check("pins", "Pins after a crash", check_pins_after_death),
    Check("clock", "Clock", check_clock),
    Check("supply", "Supply", check_supply),
    Check("watchdog", "Watchdog", check_watchdog),
    Check("units", "Services", check_units),
    Check("programs", "Programs", check_programs),
    Check("records", "Journal and disk", check_records),
    Check("broker", "Broker", check_broker),
)
