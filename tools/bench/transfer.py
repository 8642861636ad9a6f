"""A quarter of a million people on their way to a door: how long it takes, how soon a stolen fob is refused, what a read costs meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.clock import SystemClock
from agent.config import parse_config
from agent.core.access import AccessRules, may_pass
from agent.errors import DoorwardError
from agent.link.access import AccessPost, Change
from agent.link.mqtt import Link
from agent.records.bundle import BundleStore, BundleWatch
from agent.records.journal import Journal
from agent.records.keys import make_centre_keys, make_door_keys
from demo.stage import DOOR, OWNER_FOB, SITE, Stage, StageOptions, demo_people
from tools.bench.figures import Figure, Section, Setting, distribution, percentile
from tools.bench.lookup_child import fob
from tools.bench.site import Passage, pass_once, site, told

CREDENTIALS, FLEET_PEOPLE = 250_000, 1_000
READS, ROUNDS, WITHDRAWALS, ADDITIONS, DOORS = 300, 4, 20, 20, 50
FETCH_S, REFUSED_MS, ADDED_S, FOB_P99_MS = 60.0, 2000.0, 2.0, 10.0
WAIT_S = 600.0
FIRST_FOB = next(iter(demo_people((), ""))).credentials[0].key
LATE_FOB = "H10301:200:1"
OLDER = ".older"
"""Behind the name of the bundle that the door has before each round."""


def transfer(setting: Setting) -> Section:
    """One door of 250,000 with a reader that is used meanwhile, then a house of fifty doors."""
    number = CREDENTIALS // 10 if setting.quick else CREDENTIALS
    options = StageOptions(without_template="fob_alone", mosquitto=True)
    with site(setting, "transfer", options) as stage, ExitStack() as opened:
        bundle = stage.records / "access.bundle"
        shutil.copy(bundle, bundle.with_name(bundle.name + OLDER))
        stage.start("broker", "central", "door")
        told(stage, "door.started", 1)
        ear = opened.enter_context(Ear.listening(stage.port))
        idle = [pass_once(stage, OWNER_FOB) for _ in range(setting.repeats(READS))]
        setting.say(f"  putting {number:,} people into a database")
        doors = [f"{SITE}/{DOOR}={stage.keys / 'door.pub'}"]
        centre = opened.enter_context(Centre.running(stage.folder / "people", stage.keys, stage.port, number, 1, doors))
        began = centre.ask("start")
        offered = centre.ask("offered", SITE, DOOR)
        rounds = [_fetched(stage, ear, offered, again=bool(n)) for n in range(1 if setting.quick else ROUNDS)]
        withdrawn = [_withdraw(centre, ear, fob(n)) for n in range(setting.repeats(WITHDRAWALS))]
        later = centre.ask("offered", SITE, DOOR)
        ear.wait(lambda: ear.version == later["version"], "the door does not have the last bundle")
        ear.count()
        added = [_add(stage, centre, ear, n) for n in range(setting.repeats(ADDITIONS))]
        quiet = [pass_once(stage, OWNER_FOB) for _ in range(setting.repeats(READS))]
        until = threading.Event()
        adding = threading.Thread(target=_keep_adding, args=(stage, centre, ear, until))
        adding.start()
        busy = [pass_once(stage, OWNER_FOB) for _ in range(setting.repeats(READS))]
        until.set()
        adding.join()
    fleet = _fleet(setting)
    reads = [passage for one in rounds for passage in one.reads]
    fetch_s, late = [one.seconds for one in rounds], f"at the last of {fleet.doors} doors"
    return Section(
        name="transfer", title="From the centre to the doors",
        how=f"A centre with {number:,} cardholders, each with a fob and a template, in SQLite; Mosquitto; one door whose people are still to "
            f"come. Centre, broker, historian and door are processes of their own on the same cores. {len(rounds)} times the door fetches "
            f"everything, and its fob is read meanwhile, without a pause. Then {len(withdrawn)} fobs are marked stolen, one after the other, "
            "while the centre also makes and sends the bundles that follow: counted is from before the mark is written to the database until "
            f"the door says that it refuses the fob, and will after a restart. The same in a house of {fleet.doors} doors and "
            f"{FLEET_PEOPLE:,} people, until the last door refuses it (their links and rules are threads of one process).",
        figures=(
            Figure(what="making the bundle at the centre, from the database", value=offered["at_s"] - began["at_s"], unit="s"),
            Figure(what="its size", value=offered["size"] / 1e6, unit="MB"),
            Figure(what="from the first question to in force and confirmed, worst", value=max(fetch_s), unit="s", most=FETCH_S),
            *distribution("bit to relay, nothing else to do", _relays(idle), FOB_P99_MS)[::2],
            *distribution("bit to relay, while everything is fetched", _relays(reads), FOB_P99_MS)[::2],
            Figure(what="reads that did not open the door", value=float(_unanswered([*idle, *reads, *quiet, *busy])), unit="", most=0),
            Figure(what="stolen fob refused, p50", value=percentile(withdrawn, 0.5), unit="ms"),
            Figure(what="stolen fob refused, worst", value=max(withdrawn), unit="ms", most=REFUSED_MS),
            Figure(what=f"stolen fob refused {late}, worst", value=max(fleet.withdrawn_ms), unit="ms", most=REFUSED_MS),
            Figure(what="one fob added among them all, until confirmed, p50", value=percentile([a.seconds for a in added], 0.5),
                   unit="s", most=ADDED_S),
            Figure(what="one fob added among them all, worst", value=max(a.seconds for a in added), unit="s"),
            Figure(what="what the door fetches for it, p50", value=percentile([a.fetched / 1e3 for a in added], 0.5), unit="kB"),
            Figure(what="what the door writes for it, p50", value=percentile([a.written / 1e3 for a in added], 0.5), unit="kB"),
            *distribution("bit to relay, nothing else to do, with all these people", _relays(quiet), FOB_P99_MS)[::2],
            *distribution("bit to relay, while one fob after the other is added", _relays(busy), FOB_P99_MS)[::2],
            Figure(what=f"one more person among {FLEET_PEOPLE:,}, {late}", value=fleet.added_s, unit="s"),
        ),
        notes=("Everything on one machine: on a wire of 10 Mbit/s the 80 MB alone take a minute.",),
        samples={"nothing else to do": tuple(_relays(idle)), "while everything is fetched": tuple(_relays(reads))},
    )  # fmt: skip


def _relays(passes: list[Passage]) -> list[float]:
    return [passage.relay_ms for passage in passes if passage.relay_ms is not None]


def _unanswered(passes: list[Passage]) -> int:
    return sum(not (passage.opened or passage.spoilt) for passage in passes)


class Ear:
    """What the door says of its rules, and when it was heard."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._news = threading.Condition()
        self.version = self.revision = self.fetched = 0
        self._client: mqtt.Client | None = None
        self.at_s = self.asked_s = 0.0
        """When the last was said, and when something was asked for first."""

    @classmethod
    @contextmanager
    def listening(cls, port: int) -> Iterator[Ear]:
        ear, client = cls(f"doorward/{SITE}/{DOOR}"), mqtt.Client(CallbackAPIVersion.VERSION2)
        client.on_message = ear._hear
        client.on_connect = lambda client, *_: client.subscribe(
            [(f"{ear._topic}/state/access", 1), (f"{ear._topic}/access/want", 0)]
        )
        client.connect("127.0.0.1", port)
        client.loop_start()
        ear._client = client
        try:
            yield ear
        finally:
            client.loop_stop()

    def _hear(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        now_s = time.monotonic()
        with self._news:
            if "/access/part/" in message.topic:
                self.fetched += len(message.payload)
                return
            if message.topic.endswith("/want"):
                self.asked_s = self.asked_s or now_s
                return
            value = msgspec.json.decode(message.payload)["value"]
            self.version, self.revision, self.at_s = value["version"], value["revision"], now_s
            self._news.notify_all()

    def count(self) -> None:
        """What the door is sent from now on, in bytes."""
        if self._client is not None:
            self._client.subscribe(f"{self._topic}/access/part/+/+")

    def wait(self, is_so: Callable[[], bool], complaint: str) -> None:
        with self._news:
            if not self._news.wait_for(is_so, WAIT_S):
                raise DoorwardError(f"{complaint} after {WAIT_S:g} s")


class Centre:
    """The far end of tools.bench.transfer_centre."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._answer()

    @classmethod
    @contextmanager
    def running(cls, folder: Path, keys: Path, port: int, number: int, faces: int, doors: list[str]) -> Iterator[Centre]:
        command = [
            sys.executable,
            "-m",
            "tools.bench.transfer_centre",
            str(folder),
            str(keys),
            str(port),
            str(number),
            str(faces),
            FIRST_FOB,
            *doors,
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                yield cls(process)
            finally:
                process.kill()

    def ask(self, *words: str) -> dict[str, Any]:
        if self._process.stdin is not None:
            self._process.stdin.write(" ".join(words).encode() + b"\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else b""
        if not line:
            raise DoorwardError("the centre of the benchmark has ended")
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer


class _Round(msgspec.Struct, frozen=True):
    seconds: float
    reads: list[Passage]


def _fetched(stage: Stage, ear: Ear, offered: dict[str, Any], again: bool) -> _Round:
    """The door fetches everything, and somebody passes again and again."""
    if again:
        _take_back(stage, ear)
    reads = []
    until_s = time.monotonic() + WAIT_S
    while ear.version != offered["version"]:
        reads.append(pass_once(stage, OWNER_FOB))
        if time.monotonic() > until_s:
            raise DoorwardError(f"the door has version {ear.version} and not {offered['version']} after {WAIT_S:g} s")
    return _Round(ear.at_s - ear.asked_s, reads)


def _take_back(stage: Stage, ear: Ear) -> None:
    """The door as it was before it fetched anything."""
    stage.take_down("door")
    bundle = stage.records / "access.bundle"
    shutil.rmtree(stage.records / ".access.bundle.coming", ignore_errors=True)
    for file in stage.records.glob("access.bundle*"):
        if file.is_dir():
            shutil.rmtree(file)
        elif not file.name.endswith(OLDER):
            file.unlink()
    shutil.copy(bundle.with_name(bundle.name + OLDER), bundle)
    before = len([kept for kept in stage.kept() if kept.told.event.kind == "door.started"])
    ear.version, ear.asked_s = 0, 0.0
    stage.start("door")
    told(stage, "door.started", before + 1)


def _withdraw(centre: Centre, ear: Ear, key: str) -> float:
    """Milliseconds until the door refuses it."""
    marked = centre.ask("mark", key, "stolen")
    ear.wait(lambda: ear.revision >= marked["revision"], f"{key} is not refused")
    return 1000 * (ear.at_s - float(marked["at_s"]))


class _Added(msgspec.Struct, frozen=True):
    """How long until the door said so, and bytes that came for it and that were written for it at the door."""

    seconds: float
    fetched: int
    written: int


def _add(stage: Stage, centre: Centre, ear: Ear, number: int) -> _Added:
    before, fetched = _files(stage), ear.fetched
    added = centre.ask("add", f"late-{number}", f"H10301:201:{number}")
    ear.wait(lambda: ear.version >= added["revision"], "the door does not have the newest bundle")
    until_s, good = time.monotonic() + WAIT_S, stage.records / "access.bundle.good"
    while good.read_bytes() != (stage.records / "access.bundle").read_bytes() and time.monotonic() < until_s:
        time.sleep(0.01)  # its copy is written after it counts
    fresh = [size for name, (size, when) in _files(stage).items() if before.get(name) != (size, when)]
    return _Added(ear.at_s - float(added["at_s"]), ear.fetched - fetched, sum(fresh))


def _keep_adding(stage: Stage, centre: Centre, ear: Ear, until: threading.Event) -> None:
    number = 1000
    while not until.is_set():
        _add(stage, centre, ear, number)
        number += 1


def _files(stage: Stage) -> dict[str, tuple[int, int]]:
    """How long each file of the bundle and of its copy is, and when it was written."""
    found = {}
    for file in (*stage.records.glob("access.bundle*"), *stage.records.glob("access.bundle*/*")):
        with suppress(FileNotFoundError):  # what is of no bundle any more goes at this moment
            if not file.is_dir():
                found[str(file)] = file.stat().st_size, file.stat().st_mtime_ns
    return found


# -- many doors ----------------------------------------------------------------------------------------------------------------


class _Fleet(msgspec.Struct, frozen=True):
    doors: int
    withdrawn_ms: list[float]
    added_s: float


class _Door:
    """A door's link, rules and disk, without a lock."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        own = folder / name
        own.mkdir()
        self.public = make_door_keys(own)[1]
        records = {"folder": str(own), "bundle": str(own / "access.bundle"), "centre_key": str(folder / "centre.pub"),
                   "door_key": str(own / "door.key")}  # fmt: skip
        config = parse_config({"site": SITE, "door": name, "link": {"port": port}, "records": records})
        clock = SystemClock()
        self._journal = Journal(own, clock)
        self._link = Link(config, self._journal, lambda command: None)
        store = BundleStore(config, self._journal)
        self._access = AccessPost(store, self._link, self._take)
        self._link.listen_for_access(self._access)
        self._rules: AccessRules = self._access.begin(store.load())
        self._watch = BundleWatch(store, self._rules, self._access.newer)

    def start(self) -> None:
        self._link.start()
        self._watch.start()
        self._access.start(self._watch.look_now)

    def _take(self, change: Change) -> None:
        self._rules = change.rules
        change.taken()

    def passes(self, key: str) -> bool:
        return may_pass(self._rules, key, SystemClock().wall()).refused is None

    def stop(self) -> None:
        self._access.stop()
        self._watch.stop()
        self._link.close()
        self._journal.close()


def _fleet(setting: Setting) -> _Fleet:
    count = 5 if setting.quick else DOORS
    folder = setting.folder / "fleet"
    folder.mkdir()
    make_centre_keys(folder)
    with site(setting, "fleet-broker", StageOptions(mosquitto=True)) as stage, ExitStack() as opened:
        stage.start("broker")
        doors = [_Door(folder, f"door-{number}", stage.port) for number in range(count)]
        for door in doors:
            opened.callback(door.stop)
            door.start()
        words = [f"{SITE}/door-{number}={door.public}" for number, door in enumerate(doors)]
        centre = opened.enter_context(Centre.running(folder / "people", folder, stage.port, FLEET_PEOPLE, 0, words))
        centre.ask("start")
        _until(lambda: all(door.passes(FIRST_FOB) for door in doors))
        withdrawn_ms = []
        for number in range(setting.repeats(WITHDRAWALS)):
            key = fob(number)
            marked_s = centre.ask("mark", key, "stolen")["at_s"]
            withdrawn_ms.append(1000 * (_until(lambda key=key: not any(door.passes(key) for door in doors)) - marked_s))  # type: ignore[misc]
        added_s = centre.ask("add", "late", LATE_FOB)["at_s"]
        return _Fleet(count, withdrawn_ms, _until(lambda: all(door.passes(LATE_FOB) for door in doors)) - added_s)


def _until(is_so: Callable[[], bool]) -> float:
    """When it became so."""
    until_s = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > until_s:
            raise DoorwardError(f"the doors of the benchmark do not agree after {WAIT_S:g} s")
        time.sleep(0.002)
    return time.monotonic()
