"""A door loop on mock pins with a real journal, and a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
from gpiozero import OutputDevice
from gpiozero.pins.mock import MockFactory

from agent.config import parse_config
from agent.core import door
from agent.core.access import AccessProfile, AccessRules, Interval, Schedule
from agent.core.conduct import DoorNews
from agent.core.debounce import Debounce
from agent.core.decide import DecisionPolicy
from agent.core.desk import Desk, Kept, Wiring
from agent.core.feedback import FeedbackRules, Meaning, Signal, signal_for
from agent.core.formats import H10301
from agent.core.keypad import Keypad, PinPad
from agent.core.lock_check import LockCheck
from agent.core.messages import DoorMode, FromVision, KeyPressed, ToVision
from agent.core.passback import Leads
from agent.core.people import Cardholder, Credential, Roll
from agent.core.pins import PinRules
from agent.core.risk_policy import RiskPolicy
from agent.core.wiegand import WiegandFramer
from agent.door_hardware import fit_lock
from agent.door_items import Edge, InputEdge, Item
from agent.door_loop import DoorLoop, Parts, WiegandPort
from agent.inbox import Inbox
from agent.local_socket import Receiver, Sender, decode_to_vision, encode
from agent.records.journal import Journal
from agent.records.mode import ModeKeeper, load_mode
from agent.records.passback import PassbackKeeper, load_kept
from hw.signals import Signals
from tests.core.people import MODEL, OWNER, RULES

OWNER_FOB = "00000000100010100101000110"
UNKNOWN_FOB = "10111000100011011100111000"
START = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)

POLICY = DecisionPolicy(
    face=RULES,
    face_wait_s=1.5,
    mismatch_wait_s=0.8,
    vision_wait_s=0.5,
    without_vision="deny",
    without_template="deny",
    pulse_s=20.0,
    extended_pulse_s=30.0,
)
"""Pulses are long, so that no test depends on the lock's real clock."""


class TestClock:
    """Starts at ten seconds; the wall clock runs along."""

    __test__ = False

    def __init__(self) -> None:
        self.now_s = 10.0

    def mono_s(self) -> float:
        return self.now_s

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.now_s)


class Told:
    """What the door says to the world."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.said: list[tuple[str, Any]] = []
        """Every state in its order."""
        self.results: list[tuple[str | None, bool, str]] = []

    def publish_state(self, name: str, value: Any) -> None:
        self.states[name] = value
        self.said.append((name, value))

    def result(self, command_id: str | None, ok: bool, reason: str, user: str | None) -> None:
        self.results.append((command_id, ok, reason))

    def health(self) -> dict[str, Any]:
        return {}


def rules(template: bytes = OWNER, **changes: Any) -> AccessRules:
    """One cardholder with one fob; `changes` are fields of the credential."""
    holder = Cardholder(id="cardholder-1", profiles=("staff",), templates=(template,), embedder_id=MODEL)
    always = Schedule(id="always", zone="UTC", intervals=(Interval(days=tuple(range(7)), from_min=0, until_min=1440),))
    return AccessRules(
        version=1,
        site="hq",
        door="front",
        people=Roll([holder], [Credential(key="H10301:1:5283", cardholder=holder.id, **changes)]),
        profiles={"staff": AccessProfile(id="staff", doors=("front",), schedule="always")},
        schedules={"always": always},
    )


WIRED = ("contact", "rex", "fire", "tamper", "interlock", "bolt")
DOOR_RULES = door.DoorRules(held_open_s=30.0, rex_pulse_s=5.0, relock_on_open=True, fire_releases=False, warn_before_s=10.0)
RELAYS = {"first": 22, "second": 16}


class SignalsNoted(Signals):
    """Remembers what was shown, in its order."""

    def __init__(self, *args: Any) -> None:
        self.noted: list[Signal] = []
        super().__init__(*args)

    def show(self, signal: Signal) -> None:
        self.noted.append(signal)
        super().show(signal)


class DoorUnderTest:
    """Feed it with `read`, `see`, `press`, `type`, `send`; move time with `after`; look at `lock`, `events`, `told`, `shown`.

    What it must know after a restart lies in files, as at a real door: `restart` gives the door that comes up next.
    """

    def __init__(
        self,
        folder: Path,
        policy: DecisionPolicy = POLICY,
        access: AccessRules | None = None,
        *,
        kept: Kept | None = None,
        leads: Mapping[str, Leads] = {"front": "in"},
        check_lock: bool = False,
        door_rules: door.DoorRules = DOOR_RULES,
        keypad: Keypad = "none",
        second_role: Literal["none", "alarm", "shunt"] = "none",
        keyless: tuple[str, ...] = (),
        risk: RiskPolicy = RiskPolicy(),  # noqa: B008 - frozen
        emotional_allowed: bool = False,
        norms_key: bytes = b"",
        clock: TestClock | None = None,
    ) -> None:
        """`keypad`: how keys come over the readers' data lines; those that `type` presses come beside them.
        `keyless`: readers without keys."""
        self._made_with = {name: value for name, value in locals().items() if name not in ("self", "kept", "clock")}
        self.clock = clock or TestClock()
        self.told = Told()
        self.saved: list[DoorMode] = []
        self.kept: list[Kept] = []
        self.followed: list[door.DoorState] = []
        self.tampered = False
        self._closed = False
        self.inbox: Inbox[Item] = Inbox()
        self.journal = Journal(folder / "records", self.clock)
        self._mode_keeper = ModeKeeper(folder / "mode", print)
        self._keeper = PassbackKeeper(folder / "passback", "hq", "front", print)
        self._fit_lock(second_role)
        self.feedback = FeedbackRules()
        self.signals = SignalsNoted({}, signal_for(Meaning.READY, self.feedback, START), print)
        self._eyes, self._hand = Receiver(folder / "door.sock"), Sender(folder / "door.sock")
        self._vision = Receiver(folder / "vision.sock")
        self._heard: list[ToVision] = []
        wiring = Wiring(leads=leads, keypads=frozenset(leads).difference(keyless), has_contact=True, has_other_door=True)
        access = access or rules()
        self.knows_the_time = True
        parts = Parts(
            is_sure=lambda: self.knows_the_time,
            inbox=self.inbox,
            wiegand={name: WiegandPort(framer=WiegandFramer(name, (H10301,), keypad), heard_until_s=float) for name in leads},
            pads={name: PinPad() for name in wiring.keypads},
            debounced={name: Debounce(0.03) for name in WIRED},
            lock=self.lock,
            lock_check=LockCheck(1.0) if check_lock else None,
            follow=self._follow,
            rules=door_rules,
            policy=policy,
            desk=Desk(wiring, access, PinRules(), kept or load_kept(folder / "passback", "hq", "front")[0]),
            keep=self._keep,
            signals=self.signals,
            feedback=self.feedback,
            journal=self.journal,
            link=self.told,
            from_vision=self._eyes,
            to_vision=Sender(folder / "vision.sock"),
            save_mode=self._save_mode,
            beat=lambda: None,
            tell_health=lambda *_: None,
            risk=risk,
            emotional_allowed=emotional_allowed,
            norms_key=norms_key,
        )
        self.loop = DoorLoop(parts, self.clock, access, load_mode(folder / "mode"))

    def _fit_lock(self, second_role: str) -> None:
        table = {"second_pin": RELAYS["second"], "second_role": second_role} if second_role != "none" else {}
        config = parse_config({"site": "hq", "door": "front", "lock": {"relay_pin": RELAYS["first"], **table}})
        pins = MockFactory()
        wired = RELAYS if table else {"first": RELAYS["first"]}
        self._relays = {name: OutputDevice(pin, pin_factory=pins, initial_value=False) for name, pin in wired.items()}
        self.lock, self._show_state, self._end_second = fit_lock(config, self._relays, self.inbox)

    @property
    def second_relay(self) -> bool:
        """Whether there is power on the second relay's coil."""
        return bool(self._relays["second"].value)

    def _follow(self, state: door.DoorState, now_s: float) -> None:
        self.followed.append(state)
        self._show_state(state, now_s)

    def _keep(self, kept: Kept) -> None:
        self.kept.append(kept)
        self._keeper.save(kept)

    def _save_mode(self, mode: DoorMode) -> None:
        self.saved.append(mode)
        self._mode_keeper.save(mode, wait_s=5.0)

    def restart(self) -> DoorUnderTest:
        """The program ends and is started again, an instant later."""
        self.close()
        return DoorUnderTest(**self._made_with, clock=self.clock)

    @property
    def shown(self) -> Meaning:
        """What the person at the door sees and hears."""
        return self.signals.current.meaning

    @property
    def meanings(self) -> list[Meaning]:
        """All that was shown, the resting signals apart."""
        return [signal.meaning for signal in self.signals.noted]

    def type(self, keys: str, reader: str = "front") -> None:
        """Keys are pressed, a quarter of a second apart."""
        for key in keys:
            self.send(KeyPressed(reader=reader, key=cast(Any, key), at_s=self.clock.now_s))
            self.after(0.25)

    def read(self, bits: str, reader: str = "front") -> None:
        """A fob is read; the loop turns when its silence is over."""
        for bit in bits:
            self.clock.now_s += 0.001
            self.inbox.put(Edge(reader, int(bit), self.clock.now_s))
        self.turn()
        self.after(0.004)

    def see(self, message: FromVision | bytes) -> None:
        self._hand.send(message if isinstance(message, bytes) else encode(message))
        self.turn()

    def press(self, name: str, active: bool) -> None:
        """An input changes and stays so."""
        if name == "tamper":
            self.tampered = active
        self.inbox.put(InputEdge(name, active, self.clock.now_s))
        self.turn()
        self.after(0.04)

    def send(self, item: Item) -> None:
        self.inbox.put(item)
        self.turn()

    def after(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.turn()

    def turn(self) -> None:
        """One turn now, whether anything waits or not."""
        self.inbox.put(InputEdge("tamper", self.tampered, self.clock.now_s))
        self.loop.turn()
        self._heard += map(decode_to_vision, self._vision.drain())

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        assert self.journal.flush(5.0)
        return [(pending.event.kind, pending.event.data) for pending in self.journal.pending(limit=1000)]

    def kinds(self, prefix: str = "") -> list[str]:
        return [kind for kind, _ in self.events if kind.startswith(prefix)]

    def decisions(self) -> list[tuple[bool, list[str]]]:
        return [(data["granted"], data["reasons"]) for kind, data in self.events if kind.startswith("access.")]

    @property
    def to_vision(self) -> list[ToVision]:
        """All that vision was told."""
        return self._heard

    @property
    def news(self) -> list[DoorNews]:
        return [message for message in self.to_vision if isinstance(message, DoorNews)]

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._vision.close()
        self.lock.close()
        self._end_second()
        self.signals.close()
        self._keeper.close()
        self.journal.close()
        self._eyes.close()
        self.inbox.close()


def policy_with(**changes: Any) -> DecisionPolicy:
    return msgspec.structs.replace(POLICY, **changes)
