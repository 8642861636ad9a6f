"""Updates at the door: orders are heard, packages fetched and checked, switches made, watched and taken back.

Threads as in agent.link.access: the link's hands things over; one of our own does everything that takes time, and rests as much as it works;
the door's loop takes new settings at a quiet moment and says how vision is. What is in force is one small file (in_force.py), replaced whole.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from nacl.signing import VerifyKey

from agent.core.messages import VisionHealth
from agent.errors import BundleError, ConfigError, ModelError
from agent.files import sync_folder
from agent.records.bundle_fetch import in_seconds
from agent.sections import Config
from agent.updates import handover
from agent.updates.checking import check_models, sentence_of
from agent.updates.fetch import Full, PackageFetch, demand_same, unpack
from agent.updates.in_force import (
    Choice,
    Chosen,
    Running,
    models_folder,
    read_chosen,
    updates_folder,
    with_models,
    with_rules,
    write_chosen,
)
from agent.updates.order import Order, Package, checked_order
from agent.updates.package import KINDS, OWN, Kind
from agent.updates.tally import Counts, ShadowTally
from agent.updates.trial import GOOD, Patience, Trial, judged
from models_tflite.manifest import load_manifest

log = logging.getLogger(__name__)

MOST_QUEUED = 64
LOOK_EVERY_S = 1.0
TRY_DISK_AGAIN_S = 30.0
TRY_VISION_AGAIN_S = 3.0
SAVE_EVERY_S = 30.0
"""Counts are kept so often: a power cut forgets some of them, and nobody's face is waited for."""
MOST_REST_S = 0.05
"""As in agent.link.access: half a core at most, and not in one go."""
ASKED = "asked"
"""A folder: a file named by a kind asks to take that kind back (`doorward update roll-back`)."""
NEVER_TRIED = "vision does not run at this door now: new models cannot be tried before it does"


class Uplink(Protocol):
    """The part of a link that is needed here; none of it waits."""

    def publish_state(self, name: str, value: Any) -> None: ...

    def ask(self, name: str, payload: bytes) -> None: ...


class KindState(Struct, frozen=True, kw_only=True):
    """What `state/update` says of one kind."""

    number: int
    version: str
    former: int
    former_version: str
    trial: bool
    shadow: int
    shadow_version: str
    serial: int
    offered: int
    parts_missing: int
    parts: int
    waits: bool
    """Good, and in force as soon as nobody stands at the door."""
    refused: str
    """Why what is offered is not in force, and will not be before another order."""
    hindered: str
    """Why it is not yet: it is tried again."""
    compared: Counts | None = None
    """What was counted of models that run beside (agent.updates.tally)."""


class Parts(Struct, frozen=True, kw_only=True):
    """What the post works with."""

    config: Config
    """The door's own, without updates."""
    table: Callable[[], dict[str, Any]]
    """The door's own file as it is now."""
    running: Running
    """With which updates the program was started."""
    centre: VerifyKey
    link: Uplink
    apply: Callable[[Config, Callable[[], None]], None]
    """Hand a configuration to the door's loop, which calls back when it counts. Raises ConfigError and ModelError for what it cannot use."""
    tell: Callable[[str, dict[str, Any]], None]
    """Put an event on record."""
    beside: Callable[[Config, int, Path | None], None]
    """These models run beside from now on, at a door with this configuration; 0 and None: none."""
    tally: ShadowTally
    results: Path = handover.RESULTS
    patience: Patience = Patience()


class _Fresh(Struct, frozen=True):
    """An order that is to be acted by."""

    order: Order
    raw: bytes


class UpdatePost:
    """`begin`, then `start` after the link is told to listen; `stop`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._folder = updates_folder(parts.config)
        self._chosen = read_chosen(self._folder)
        self._orders: dict[Kind, _Fresh] = {}
        self._fetch = {kind: PackageFetch(self._folder, kind) for kind in KINDS}
        self._waiting: dict[Kind, Choice] = {}
        """Handed to the loop, and not taken yet."""
        self._taken: deque[Kind] = deque()
        self._trial: Trial | None = None
        self._vision: VisionHealth | None = None
        self._queue: deque[tuple[str, bytes]] = deque(maxlen=MOST_QUEUED)
        self._retry_s: dict[Kind, float] = {}
        self._save_s = 0.0
        self._hindered: dict[Kind, str] = {}
        self._bell = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="updates", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    # -- the link's thread

    def connected(self) -> None:
        self._queue.append(("connected", b""))
        self._bell.set()

    def received(self, name: str, payload: bytes) -> None:
        """`order/KIND` and an order, or `part/DIGEST/NUMBER` and a piece."""
        self._queue.append((name, payload))
        self._bell.set()

    # -- the loop's thread

    def vision(self, health: VisionHealth | None) -> None:
        """How vision is now; None while it says nothing."""
        self._vision = health

    # -- our own thread

    def _run(self) -> None:
        self._guarded(self._begin)
        while not self._stopping:
            now_s = time.monotonic()
            self._guarded(lambda now_s=now_s: self._turn(now_s))  # type: ignore[misc]
            due_s = min(fetch.due_s() for fetch in self._fetch.values())
            self._bell.wait(in_seconds(due_s, time.monotonic(), LOOK_EVERY_S))
            self._bell.clear()

    def _guarded(self, work: Callable[[], None]) -> None:
        """A disk that fails, or anything that nobody foresaw, may not end the thread that can take an update back."""
        try:
            work()
        except Exception:
            log.exception("updates turn failed")
            time.sleep(LOOK_EVERY_S)

    def _begin(self) -> None:
        """What was on trial when the program ended is on trial still; what is damaged on the disk is taken back."""
        for kind in OWN:
            if (number := self._chosen.of(kind).number) and getattr(self._parts.running, kind) != number:
                self._take_back(kind, "; ".join(self._parts.running.spoilt) or "it could not be used when the program started")
        if any(self._chosen.of(kind).trial for kind in OWN):
            self._begin_trial(frozenset(self._vision.faults if self._vision else ()))
        self._aim_beside()
        self._tidy()
        self._say()

    def _turn(self, now_s: float) -> None:
        while self._queue and not self._stopping:
            began_s = time.thread_time()
            self._handle(*self._queue.popleft(), now_s)
            time.sleep(min(MOST_REST_S, time.thread_time() - began_s))
        while self._taken:
            self._in_force(self._taken.popleft())
        for kind in [kind for kind, due_s in self._retry_s.items() if now_s >= due_s]:
            del self._retry_s[kind]
            self._aim(kind)
        self._watch_trial(now_s)
        self._hear_asked()
        self._hear_results()
        for kind, fetch in self._fetch.items():
            if names := fetch.wanted(now_s):
                log.debug("update wants kind=%s pieces=%d", kind, len(names))
                self._parts.link.ask("update/want", msgspec.json.encode({"pieces": names}))
        self._say()
        if now_s >= self._save_s:
            self._save_s = now_s + SAVE_EVERY_S
            self._parts.tally.save()

    def _handle(self, name: str, payload: bytes, now_s: float) -> None:
        what, _, rest = name.partition("/")
        if what == "connected":
            for fetch in self._fetch.values():
                fetch.again()
        elif what == "order":
            self._hear(rest, payload)
        elif what == "part":
            for kind, fetch in self._fetch.items():
                self._fetching(kind, lambda fetch=fetch: fetch.took(rest, payload, now_s))  # type: ignore[misc]

    # -- orders

    def _hear(self, named: str, payload: bytes) -> None:
        if not payload:
            return  # the centre takes back what it said; what is in force stays
        try:
            order = checked_order(payload, self._parts.centre, self._parts.config.site, self._parts.config.door)
            if order.kind != named:
                raise BundleError(f"an order about {order.kind} was said as one about {named[:20]}")
        except BundleError as error:
            log.error("update order refused error=%s", error)
            self._parts.tell("update.refused", {"kind": named[:20], "version": "", "reason": sentence_of(error)})
            return
        choice, known = self._chosen.of(order.kind), self._orders.get(order.kind)
        if order.serial < max(choice.serial, known.order.serial if known else 0):
            log.info("update order old kind=%s serial=%d", order.kind, order.serial)
            return
        self._orders[order.kind] = _Fresh(order, payload)
        if order.serial > choice.serial:
            self._waiting.pop(order.kind, None)
            try:
                self._keep(order.kind, replace(choice, serial=order.serial, refused=""))
            except OSError as error:
                self._wait_with(order.kind, f"the disk of this door does not take the order: {error}")
                return
        self._aim(order.kind)

    def _aim(self, kind: Kind) -> None:
        """Bring about what the order in hand wants, as far as that is possible now."""
        self._hindered.pop(kind, None)
        fresh, choice = self._orders.get(kind), self._chosen.of(kind)
        if fresh is None or choice.refused or kind in self._waiting or choice.handed == fresh.order.serial:
            return
        order, package = fresh.order, fresh.order.package
        if self._is_so(order, choice):
            self._fetch[kind].clear()
        elif objection := _objection(order, choice):
            self._refuse(kind, objection)
        elif package is None or self._lies_here(kind, package.number):
            self._put(kind, order, package)
        else:
            self._fetching(kind, lambda: self._fetch[kind].aim(package))

    def _is_so(self, order: Order, choice: Choice) -> bool:
        number = order.package.number if order.package is not None else 0
        if order.shadow:
            return choice.shadow == number
        return choice.number == number and choice.shadow == 0 and (choice.serial == order.serial or order.kind in OWN)

    def _lies_here(self, kind: Kind, number: int) -> bool:
        return kind in OWN and (self._folder / kind / str(number)).is_dir()

    def _fetching(self, kind: Kind, step: Callable[[], bool]) -> None:
        try:
            if step() and (fresh := self._orders.get(kind)) is not None:
                self._came(kind, fresh)
        except Full as error:
            self._wait_with(kind, str(error))
        except (BundleError, ConfigError, ModelError) as error:
            self._fetch[kind].clear()
            self._refuse(kind, sentence_of(error))
        except OSError as error:
            self._wait_with(kind, f"the disk of this door does not take the update: {error}")

    def _came(self, kind: Kind, fresh: _Fresh) -> None:
        """All of it is here. Raises BundleError, ConfigError, ModelError, OSError."""
        fetch = self._fetch[kind]
        demand_same(fetch.content, fetch.head)
        if kind not in OWN:
            handover.hand_on(self._folder, kind, fetch.content, fetch.head_file, fresh.raw)
            self._keep(kind, replace(self._chosen.of(kind), handed=fresh.order.serial))
            fetch.clear()
            self._parts.tell("update.handed_on", {"kind": kind, "version": _named(fresh.order.package)})
            return
        target = self._folder / kind / str(fetch.head.number)
        part = target.with_name(f".{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        unpack(fetch.content, fetch.head, part)
        self._check(kind, part, fresh.order)
        part.rename(target)
        sync_folder(target.parent)
        fetch.clear()
        self._put(kind, fresh.order, fresh.order.package)

    # -- checking and switching

    def _check(self, kind: Kind, folder: Path, order: Order) -> None:
        """Raises BundleError, ConfigError and ModelError; nothing of it is in force then."""
        if kind == "models":
            check_models(folder, self._manifest_now(), order.new_embedder)

    def _manifest_now(self) -> Any:
        number, own = self._chosen.models.number, self._parts.config.vision.models
        if number:
            return load_manifest(models_folder(self._folder, number))
        return load_manifest(Path(own) if own else None)

    def _put(self, kind: Kind, order: Order, package: Package | None) -> None:
        """Its files lie here: hand it to the loop, which takes it when nobody is at the door; or run it beside."""
        choice, number, version = self._chosen.of(kind), package.number if package else 0, package.version if package else ""
        if order.shadow:
            self._shadow(choice, number, version)
            return
        if number == choice.number:
            self._keep(kind, replace(choice, shadow=0, shadow_version=""))
            return
        if self._waiting:
            return  # one after the other: what waits is part of what comes behind it
        after = Choice(
            number=number, version=version, former=choice.number, former_version=choice.version, trial=True, serial=order.serial
        )
        if kind == "models" and number and not self._vision_runs():
            self._wait_with(kind, NEVER_TRIED, TRY_VISION_AGAIN_S)
            return
        try:
            self._hand(kind, after)
        except (BundleError, ConfigError, ModelError) as error:
            self._refuse(kind, sentence_of(error))

    def _vision_runs(self) -> bool:
        return self._vision is not None

    def _hand(self, kind: Kind, after: Choice) -> None:
        """Raises ConfigError and ModelError, before anything changes."""
        config = self._config_with(self._chosen.having(kind, after))
        self._waiting[kind] = after
        self._parts.apply(config, lambda: self._was_taken(kind))

    def _config_with(self, chosen: Chosen) -> Config:
        config = self._parts.config
        if chosen.rules.number:
            config = with_rules(config, self._parts.table(), self._folder, chosen.rules.number)
        return with_models(config, self._folder, chosen.models.number) if chosen.models.number else config

    def _was_taken(self, kind: Kind) -> None:
        """In the loop's thread."""
        self._taken.append(kind)
        self._bell.set()

    def _in_force(self, kind: Kind) -> None:
        after = self._waiting.get(kind)
        if after is None:
            return
        before = frozenset(self._vision.faults if self._vision else ())
        if not self._vision_runs():
            after = replace(after, trial=False)  # there was nothing that could get worse
        try:
            self._keep(kind, after)  # from here on it is in force after a restart, and vision takes it
        except OSError:
            self._taken.append(kind)  # the loop works with it already: it is written down as soon as the disk takes it
            raise
        del self._waiting[kind]
        self._parts.tell("update.in_force", {"kind": kind, "version": after.version, "former": after.former_version})
        if after.trial:
            self._begin_trial(before)
        self._tidy()
        for each in OWN:
            self._aim(each)

    def _shadow(self, choice: Choice, number: int, version: str) -> None:
        if not self._vision_runs():
            self._wait_with("models", NEVER_TRIED, TRY_VISION_AGAIN_S)
            return
        faults = frozenset(self._vision.faults if self._vision else ())
        self._keep("models", replace(choice, shadow=number, shadow_version=version))
        self._parts.tell("update.shadow", {"kind": "models", "version": version})
        self._begin_trial(faults)
        self._tidy()

    # -- trials, and the way back

    def _begin_trial(self, faults_before: frozenset[str]) -> None:
        chosen = self._chosen
        self._trial = Trial(rules=chosen.rules.number, models=chosen.models.number, shadow=chosen.models.shadow,
                            faults_before=faults_before)  # fmt: skip

    def _watch_trial(self, now_s: float) -> None:
        if self._trial is None:
            return
        self._trial, verdict = judged(self._trial, self._vision, now_s, self._parts.patience)
        if verdict is None:
            return
        self._trial = None
        if verdict == GOOD:
            for kind in OWN:
                if self._chosen.of(kind).trial:
                    self._keep(kind, replace(self._chosen.of(kind), trial=False))
                    self._parts.tell("update.good", {"kind": kind, "version": self._chosen.of(kind).version})
            return
        self._took_it_badly(verdict)

    def _took_it_badly(self, why: str) -> None:
        """The shadow first: it is the cheaper to do without. Then what is on trial, networks before rules."""
        models = self._chosen.models
        if models.trial:
            self._take_back("models", why)
        elif self._chosen.rules.trial:
            self._take_back("rules", why)
        elif models.shadow:
            self._keep("models", replace(models, shadow=0, shadow_version="", refused=f"no longer runs beside: {why}"))
            self._parts.tell("update.rolled_back", {"kind": "models", "version": models.shadow_version, "reason": why})

    def _take_back(self, kind: Kind, why: str) -> None:
        """The former version counts at once: nothing is fetched for it, and nobody is asked."""
        choice = self._chosen.of(kind)
        after = Choice(number=choice.former, version=choice.former_version, serial=choice.serial,
                       refused=f"{choice.version or 'it'} was rolled back: {why}"[:1000])  # fmt: skip
        self._waiting.clear()
        self._keep(kind, after)
        try:
            self._parts.apply(self._config_with(self._chosen), lambda: None)
        except (ConfigError, ModelError, OSError) as error:
            log.error("update kind=%s former version cannot be used error=%s", kind, error)
            self._keep(kind, replace(after, number=0, version=""))
            self._parts.apply(self._parts.config, lambda: None)
        self._parts.tell("update.rolled_back", {"kind": kind, "version": choice.version, "to": after.version, "reason": why})
        for each in OWN:
            self._aim(each)

    def _hear_asked(self) -> None:
        """Somebody at the door's own console wants the former version back."""
        for kind in OWN:
            asked = self._folder / ASKED / kind
            if not asked.exists():
                continue
            choice = self._chosen.of(kind)
            if choice.shadow:
                self._keep(
                    kind, replace(choice, shadow=0, shadow_version="", refused="no longer runs beside: ended at the door itself")
                )
            elif choice.number:
                self._take_back(kind, "asked for at the door itself")
            asked.unlink(missing_ok=True)

    # -- what root's helper did

    def _hear_results(self) -> None:
        for kind in KINDS:
            choice = self._chosen.of(kind)
            if kind in OWN or (result := handover.result_of(self._parts.results, kind)) is None or result.serial != choice.serial:
                continue
            if result.ok and choice.number != result.number:
                self._keep(kind, Choice(number=result.number, version=result.version, former=choice.number, former_version=choice.version,
                                        serial=choice.serial))  # fmt: skip
                self._parts.tell("update.in_force", {"kind": kind, "version": result.version, "former": choice.version})
            elif not result.ok and not choice.refused:
                self._refuse(kind, result.sentence)

    # -- what is told, and kept

    def _refuse(self, kind: Kind, why: str) -> None:
        fresh = self._orders.get(kind)
        version = _named(fresh.order.package) if fresh is not None else ""
        log.error("update refused kind=%s version=%s reason=%s", kind, version, why)
        self._keep(kind, replace(self._chosen.of(kind), refused=why[:1000]))
        self._tidy()
        self._parts.tell("update.refused", {"kind": kind, "version": version, "reason": why[:1000]})

    def _wait_with(self, kind: Kind, why: str, again_s: float | None = None) -> None:
        """It cannot be taken now, and is tried again."""
        log.error("update waits kind=%s reason=%s", kind, why)
        self._fetch[kind].drop()
        self._retry_s[kind] = time.monotonic() + (TRY_DISK_AGAIN_S if again_s is None else again_s)
        self._hindered[kind] = why

    def _keep(self, kind: Kind, choice: Choice) -> None:
        chosen = self._chosen.having(kind, choice)
        write_chosen(self._folder, chosen)
        shadow, self._chosen = self._chosen.models.shadow, chosen
        if chosen.models.shadow != shadow:
            self._aim_beside()

    def _aim_beside(self) -> None:
        number = self._chosen.models.shadow
        try:
            self._parts.beside(self._config_with(self._chosen), number, models_folder(self._folder, number) if number else None)
        except (ConfigError, ModelError, OSError) as error:
            log.error("update beside number=%d error=%s", number, error)

    def _tidy(self) -> None:
        """Both versions stay; what nobody goes back to goes."""
        for kind in OWN:
            choice, folder = self._chosen.of(kind), self._folder / kind
            wanted = {str(each) for each in (choice.number, choice.former, choice.shadow)}
            if (waiting := self._waiting.get(kind)) is not None:
                wanted.add(str(waiting.number))
            for each in folder.iterdir() if folder.is_dir() else ():
                if each.name not in wanted:
                    shutil.rmtree(each, ignore_errors=True)

    def _say(self) -> None:
        self._parts.link.publish_state("update", {kind: self._state_of(kind) for kind in KINDS})

    def _state_of(self, kind: Kind) -> KindState:
        choice, fresh = self._chosen.of(kind), self._orders.get(kind)
        missing, parts = self._fetch[kind].left
        package = fresh.order.package if fresh is not None else None
        return KindState(
            number=choice.number, version=choice.version, former=choice.former, former_version=choice.former_version, trial=choice.trial,
            shadow=choice.shadow, shadow_version=choice.shadow_version, serial=choice.serial, offered=package.number if package else 0,
            parts_missing=missing, parts=parts, waits=kind in self._waiting, refused=choice.refused,
            hindered=self._hindered.get(kind, ""),
            compared=self._parts.tally.counts if kind == "models" else None,
        )  # fmt: skip


def _objection(order: Order, choice: Choice) -> str:
    """Why an order is not followed, whatever is in its package; empty when it may be."""
    number = order.package.number if order.package is not None else 0
    if order.kind not in OWN and order.package is None:
        return "there is always one of these: name the version that is to be in force"
    if order.shadow and order.kind != "models":
        return "only models can run beside those in force"
    if number < choice.number and not order.back and not order.shadow:
        return f"{_named(order.package)} is older than {choice.version}, which is in force: only an order to roll back goes back"
    return ""


def _named(package: Package | None) -> str:
    return package.version if package is not None else "what came with the program"
