"""A whole site on one machine: broker, historian, door and vision as real processes, and a rig and a picture for what lies beyond.

Used by the demo, the benchmarks and the system tests. Everything that a site would have is real; simulated are only the far ends of
the pins (`hw.rig`) and of the camera (`hw.camera_sim`).
"""

from __future__ import annotations

import contextlib
import math
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import msgspec
from msgspec import Struct

from agent.behaviour.floor import parse_floor
from agent.core.access import AccessProfile, AccessRules, Interval, Schedule
from agent.core.credentials import FRAME_GAP_S
from agent.core.people import Cardholder, Credential, Roll
from agent.errors import DoorwardError
from agent.link.cloudevents import to_cloudevent
from agent.norms_file import FOLDER, KEPT
from agent.records.journal_db import JournalDb
from agent.records.keys import centre_private, door_public, make_centre_keys, make_door_keys
from agent.vision.build import build_enroller
from agent.vision.engine import open_engine
from agent.vision.enrol import Enroller, Template, TemplateRefused
from central.access.bundles import write_bundle
from central.database.engine import StoreError
from central.database.opening import opened_to_read
from central.history.events import EventStore
from central.history.kept import Kept
from demo.supervisor import Program, Supervisor
from demo.usual import usual_norms
from demo.view import View
from hw.camera_names import lasting_name
from hw.camera_sim import CameraFarEnd
from hw.interfaces import Pixels
from hw.rig import Rig
from models_tflite.manifest import load_manifest

SITE, DOOR = "demo", "front"
D0_PIN, D1_PIN, RELAY_PIN, CONTACT_PIN, REX_PIN = 17, 27, 22, 23, 24
RESTING = {D0_PIN: True, D1_PIN: True, CONTACT_PIN: False, REX_PIN: True}

OWNER_FOB = "00000000100010100101000110"
"""H10301, facility 1, card 5283: a physical card."""
UNKNOWN_FOB = "10111000100011011100111000"
"""H10301, facility 113, card 7068: another one, issued to nobody here."""


class StageOptions(Struct, frozen=True, kw_only=True):
    """What varies between a demo, a benchmark and a test."""

    width_px: int = 640
    height_px: int = 480
    frames_per_s: float = 15.0
    camera: str = ""
    """A real camera or film instead of the simulated one, as vision.camera takes it."""
    without_vision: str = "deny"
    without_template: str = "deny"
    pulse_s: float = 1.5
    face_wait_s: float = 1.5
    mismatch_wait_s: float = 0.8
    liveness: str = "off"
    """The people of the scene are photographs, and vision says so: a door that asked would call each of them a picture. Those whose heads
    turn as round ones (demo.round_head) are found alive while they walk up."""
    no_linger_s: float = 0.0
    """Nobody may stay longer than this before the door; 0: as long as they like."""
    knows_usual: bool = False
    """The door has some weeks of ordinary visits behind it (demo.usual)."""
    keep_evidence: bool = True
    mosquitto: bool = False
    """A real Mosquitto as the broker instead of the embedded one."""
    restart: bool = True
    """Programs that end are started again, as systemd would."""
    dashboard: bool = False
    """The whole centre (demo.dashboard) instead of the historian alone, and live view at the door."""


class Stage:
    """Build it, `start()`, play, `close()`. Files of the run lie in `folder`."""

    def __init__(self, folder: Path, options: StageOptions) -> None:
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.config = folder / "door.toml"
        self.central = folder / "central.toml"
        self.records = folder / "records"
        self.database = folder / "historian.db"
        self.keys = folder / "keys"
        for part in (folder, self.records, self.keys, folder / "run", folder / "logs"):
            part.mkdir(parents=True, exist_ok=True)
        self.config.write_text(door_toml(self), "utf-8")
        self.floor = folder / "floor.toml"
        if not options.camera:
            self.floor.write_text(floor_toml(options), "utf-8")
        if options.knows_usual:
            self._remember_usual()
        self.programs = {
            program.name: Supervisor(program, folder / "logs" / f"{program.name}.log") for program in _programs(self)
        }
        self.rig = Rig(str(folder / "run" / "rig.sock"), RESTING)
        self._has_database = False
        self._film: _Film | None = None
        if not options.camera:
            self._film = _Film(CameraFarEnd(folder / "run" / "camera", options.width_px, options.height_px), options.frames_per_s)

    def _remember_usual(self) -> None:
        """What the vision program of such a door would have on its disk."""
        marking = parse_floor(self.floor.read_text("utf-8"), str(self.floor)).marking
        place = f"{lasting_name(camera_word(self))} {marking}"
        (self.records / FOLDER).mkdir(exist_ok=True)
        (self.records / FOLDER / KEPT).write_bytes(usual_norms(place, datetime.now().astimezone()).encode())

    def start(self, *names: str) -> None:
        """Start these programs (all, if none is named), in the order in which a site would come up."""
        for name in names or tuple(self.programs):
            self.programs[name].start()
            if name == "broker":
                self.wait(self.broker_answers, 20.0, "the broker does not answer")
        if self._film is not None:
            self._film.start()

    def show(self, draw: Callable[[float], Pixels]) -> None:
        """What the simulated camera sees from now on: a picture for each moment in CLOCK_MONOTONIC seconds."""
        if self._film is None:
            raise DoorwardError("this stage looks through a real camera")
        self._film.draw = draw

    def present(self, bits: str) -> float:
        """Hold a fob to the reader; returns the time of its last bit."""
        return self.rig.wiegand(bits, D0_PIN, D1_PIN)

    def enrol(self, pictures: tuple[Path, ...]) -> None:
        """Make templates of the cardholder's photographs and write the door's access bundle."""
        enroller = open_enroller()
        self.write_access(tuple(_template_of(path, enroller) for path in pictures))

    def write_access(self, templates: tuple[Template, ...]) -> None:
        """Make keys for centre and door, and write the door's bundle: signed, templates sealed."""
        people = demo_people(tuple(t.embedding for t in templates), load_manifest().embedder_id)
        centre_key, _ = make_centre_keys(self.keys)
        _, door_pub = make_door_keys(self.keys)
        write_bundle(self.records / "access.bundle", demo_rules(people), people, centre_private(centre_key),
                     door_public(door_pub), datetime.now(timezone.utc))  # fmt: skip

    def events(self) -> list[dict[str, Any]]:
        """Everything the historian has committed, as CloudEvents; nothing before it has made its database."""
        return [msgspec.json.decode(to_cloudevent(kept.told.event, SITE, DOOR)) for kept in self.kept()]

    def kept(self) -> list[Kept]:
        """The historian's rows as they are."""
        if not self._database_made():
            return []
        with opened_to_read(self.database) as engine:
            return EventStore(engine).events()

    def _database_made(self) -> bool:
        """Its schema comes in the historian's first transaction; there is a moment with a file and no tables."""
        if not self._has_database and self.database.exists():
            with contextlib.suppress(StoreError), opened_to_read(self.database):
                self._has_database = True
        return self._has_database

    def wait_until_guarding(self, timeout_s: float) -> None:
        """The door has started and sees, and the historian knows."""
        wanted = {"doorward.door.started", "doorward.vision.back"}
        self.wait(lambda: wanted <= {e["type"] for e in self.events()}, timeout_s, "the door is not guarded")
        # What a reader sends in the first moments may be the end of a longer frame: a door answers only what follows a silence
        time.sleep(FRAME_GAP_S)

    def take_down(self, name: str) -> None:
        """Kill a program and keep it down until `start`."""
        self.programs[name].stop(signal.SIGKILL)

    def audit(self, timeout_s: float) -> list[str]:
        """What the historian lacks or has too much of, compared with what the door counted; [] when they agree exactly."""
        faults: list[str] = ["the historian was never compared"]

        def agrees() -> bool:
            faults[:] = self._differences()
            return not faults

        with contextlib.suppress(DoorwardError):
            self.wait(agrees, timeout_s, "the historian does not agree with the journal")
        return faults

    def _differences(self) -> list[str]:
        with closing(JournalDb(self.records / "journal.db", reader=True)) as journal:
            counted, waiting = journal.counted(), journal.count()
        faults = [f"{waiting} events wait in the door's journal"] if waiting else []
        with opened_to_read(self.database) as engine:
            store = EventStore(engine)
            events = [kept.told.event for kept in store.events()]
            odd = {
                "conflicts": len(store.conflicts()),
                "open gaps": len(store.gaps()),
                "unreadable": store.counts()["unreadable"],
            }
        faults += [f"the historian has {number} {name}" for name, number in odd.items() if number]
        for journal_id, highest in counted.items():
            found = sorted(event.sequence for event in events if event.journal == journal_id)
            if found != list(range(1, highest + 1)):
                faults.append(f"journal {journal_id}: counted 1..{highest}, the historian has {len(found)} events")
        if strange := {event.journal for event in events} - counted.keys():
            faults.append(f"the historian has events of unknown journals: {', '.join(sorted(strange))}")
        return faults

    @property
    def evidence(self) -> Path:
        """Where vision keeps the pictures of decisions."""
        return self.records / "evidence"

    def walk_through(self, open_s: float) -> None:
        """Open the door and let it fall shut."""
        self.rig.set(CONTACT_PIN, True)
        time.sleep(open_s)
        self.rig.set(CONTACT_PIN, False)

    def wait(self, true: Callable[[], bool], timeout_s: float, complaint: str) -> None:
        """Wait until something holds; raises DoorwardError naming the log files when it does not in time."""
        until_s = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > until_s:
                raise DoorwardError(f"{complaint} within {timeout_s:g} s; see the logs in {self.folder / 'logs'}")
            time.sleep(0.02)

    def broker_answers(self) -> bool:
        with closing(socket.socket()) as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        """End everything in good order, last started first; the broker last, so that the others can say goodbye."""
        for name in reversed(self.programs):
            self.programs[name].stop()
        if self._film is not None:
            self._film.close()
        self.rig.close()


def open_enroller() -> Enroller:
    """What makes templates, with the networks that the door uses."""
    return build_enroller(open_engine("auto", 1), load_manifest())


def _template_of(path: Path, enroller: Enroller) -> Template:
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise DoorwardError(f"{path}: no picture that can be read")
    made = enroller.template_from_picture(pixels.astype("uint8", copy=False))
    if isinstance(made, TemplateRefused):
        raise DoorwardError(f"{path}: {made.advice}")
    return made


class _Film:
    """Draws pictures for the simulated camera at its rate, in a thread."""

    def __init__(self, far_end: CameraFarEnd, frames_per_s: float) -> None:
        self._far_end = far_end
        self._pause_s = 1 / frames_per_s
        self.draw: Callable[[float], Pixels] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="film", daemon=True)

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._far_end.close()

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            now_s = time.monotonic()
            if self.draw is not None:
                self._far_end.write(self.draw(now_s), now_s)
            due_s = max(due_s + self._pause_s, now_s)


def _programs(stage: Stage) -> list[Program]:
    python = (sys.executable, "-m", "agent.cli")
    config = ("--config", str(stage.config))
    restart = stage.options.restart
    broker: tuple[str, ...] = (*python, "central", "broker", "--port", str(stage.port))
    if stage.options.mosquitto:
        broker = (_mosquitto(), "-c", str(_mosquitto_config(stage)))
    central: tuple[str, ...] = (*python, "central", "run", "--port", str(stage.port), "--database", str(stage.database))
    if stage.options.dashboard:
        central = (*python, "central", "run", "--config", str(stage.central))
    return [
        Program(name="broker", command=broker, restart=restart),
        Program(name="central", command=central, restart=restart),
        Program(name="door", command=(*python, "door", *config), after_end=(*python, "safe-state", *config), restart=restart),
        Program(name="vision", command=(*python, "vision", *config), nice=5, restart=restart),
        *(
            [Program(name="media", command=(*python, "media", *config), nice=10, restart=restart)]
            if stage.options.dashboard
            else []
        ),
    ]


def _mosquitto() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        raise DoorwardError("mosquitto is not installed: run `make system-packages`")
    return found


def _mosquitto_config(stage: Stage) -> Path:
    path = stage.folder / "mosquitto.conf"
    queues = "max_inflight_messages 1000\nmax_queued_messages 20000\n"  # as at a site: all doors may speak at once
    path.write_text(
        f"listener {stage.port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n{queues}", "utf-8"
    )
    return path


def camera_word(stage: Stage) -> str:
    """As vision.camera has it."""
    return stage.options.camera or f"sim:{stage.folder / 'run' / 'camera'}"


def door_toml(stage: Stage) -> str:
    """The configuration of the demo's door, as a person would write it."""
    o, run = stage.options, stage.folder / "run"
    camera = camera_word(stage)
    return f"""\
site = "{SITE}"
door = "{DOOR}"
run_folder = "{run}"

[board]
pins = "sim"                # the far end of the pins is played by hw/rig.py
rig = "{run / "rig.sock"}"

[lock]
kind = "strike"
fail = "secure"
relay_pin = {RELAY_PIN}
pulse_s = {o.pulse_s}

[policy]
fmr = 0.001                 # one stranger in a thousand
face_wait_s = {o.face_wait_s}
mismatch_wait_s = {o.mismatch_wait_s}
vision_wait_s = 0.5
without_vision = "{o.without_vision}"
without_template = "{o.without_template}"
liveness = "{o.liveness}"

[deployment]
profile = "workplace-eu"
keep_evidence = {str(o.keep_evidence).lower()}

[records]
folder = "{stage.records}"
bundle = "{stage.records / "access.bundle"}"
centre_key = "{stage.keys / "centre.pub"}"
door_key = "{stage.keys / "door.key"}"

[link]
port = {stage.port}
ack_timeout_s = 2.0

[vision]
camera = "{camera}"
width_px = {o.width_px}
height_px = {o.height_px}
frames_per_s = {o.frames_per_s}

[behaviour]
floor = "{stage.folder / "floor.toml"}"

[live]
clips = {str(o.dashboard).lower()}
"""


FARTHEST_M, ASIDE_M = 7.8, 1.3


def marked_m(view: View) -> list[tuple[float, float]]:
    """Places on the floor that the demo's camera sees: nearer than 4.9 m (6.2 m in 16:9) there is no floor in its picture."""
    down = math.radians(view.tilt_deg) + math.atan(view.height_px / 2 / view.focal_px)
    nearest_m = view.above_floor_m / math.tan(down) + 0.15
    return [(side * ASIDE_M, z_m) for z_m in (nearest_m, (nearest_m + FARTHEST_M) / 2, FARTHEST_M) for side in (-1, 1)]


def floor_toml(options: StageOptions) -> str:
    """What an installer would have marked: the true places of some points, and who may stay where."""
    view = View(width_px=options.width_px, height_px=options.height_px)
    points = "".join(
        f"""\

[[points]]
px = [{column:.2f}, {row:.2f}]
m = [{x_m}, {z_m:.3f}]
"""
        for x_m, z_m in marked_m(view)
        for column, row in [view.project(x_m, 0.0, z_m)]
    )
    rule = f"no_linger_s = {options.no_linger_s:g}\n" if options.no_linger_s else ""
    zones = "".join(
        f"""\

[[zones]]
name = "{name}"
kind = "{name}"
corners_m = [[-{half_m}, -0.5], [{half_m}, -0.5], [{half_m}, {deep_m}], [-{half_m}, {deep_m}]]
{rule}"""
        for name, half_m, deep_m in (("threshold", 0.9, 1.2), ("approach", 2.0, 3.0))
    )
    return f"""\
frame_px = [{view.width_px}, {view.height_px}]
across_deg = {view.across_deg}
{points}{zones}"""


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


ALWAYS = Schedule(
    id="always", zone="Europe/Berlin", intervals=(Interval(days=(0, 1, 2, 3, 4, 5, 6), from_min=0, until_min=1440),)
)


def demo_people(templates: tuple[bytes, ...], embedder_id: str) -> Roll:
    """One cardholder with one fob."""
    owner = Cardholder(id="cardholder-1", profiles=("staff",), templates=templates, embedder_id=embedder_id)
    return Roll([owner], [Credential(key="H10301:1:5283", cardholder=owner.id)])


def demo_rules(people: Roll, holidays: tuple[date, ...] = ()) -> AccessRules:
    """Staff are allowed at all hours."""
    return AccessRules(
        version=1,
        site=SITE,
        door=DOOR,
        people=people,
        profiles={"staff": AccessProfile(id="staff", doors=(DOOR,), schedule="always")},
        schedules={"always": msgspec.structs.replace(ALWAYS, holidays=holidays)},
    )
