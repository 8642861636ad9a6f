"""A door loop on mock pins with a real journal, and a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import msgspec
from gpiozero import OutputDevice
from gpiozero.pins.mock import MockFactory

from agent.core import door
from agent.core.access import AccessProfile, AccessRules, Interval, Schedule
from agent.core.debounce import Debounce
from agent.core.decide import DecisionPolicy
from agent.core.desk import Desk, Kept, Wiring
from agent.core.feedback import FeedbackRules, Meaning, signal_for
from agent.core.formats import H10301
from agent.core.keypad import PinPad
from agent.core.lock_check import LockCheck
from agent.core.messages import DoorMode, FromVision, KeyPressed
from agent.core.passback import Leads
from agent.core.people import Cardholder, Credential, Roll
from agent.core.wiegand import WiegandFramer
from agent.door_items import Edge, InputEdge, Item
from agent.door_loop import DoorLoop, Parts, WiegandPort
from agent.inbox import Inbox
from agent.local_socket import Receiver, Sender, encode
from agent.records.journal import Journal
from hw.lock_gpio import RelayLock
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
        self.results: list[tuple[str | None, bool, str]] = []

    def publish_state(self, name: str, value: Any) -> None:
        self.states[name] = value

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


class DoorUnderTest:
    """Feed it with `read`, `see`, `press`, `type`, `send`; move time with `after`; look at `lock`, `events`, `told`, `shown`."""

    def __init__(
        self,
        folder: Path,
        policy: DecisionPolicy = POLICY,
        access: AccessRules | None = None,
        *,
        kept: Kept | None = None,
        leads: Mapping[str, Leads] = {"front": "in"},
        check_lock: bool = False,
    ) -> None:
        self.clock = TestClock()
        self.told = Told()
        self.saved: list[DoorMode] = []
        self.kept: list[Kept] = []
        self.followed: list[door.DoorState] = []
        self.inbox: Inbox[Item] = Inbox()
        self.journal = Journal(folder / "records", self.clock)
        self.lock = RelayLock(OutputDevice(22, pin_factory=MockFactory(), initial_value=False), "secure", print)
        self.feedback = FeedbackRules()
        self.signals = Signals({}, signal_for(Meaning.READY, self.feedback, START), print)
        self._eyes, self._hand = Receiver(folder / "door.sock"), Sender(folder / "door.sock")
        wiring = Wiring(leads=leads, keypads=frozenset(leads), has_contact=True, has_other_door=True)
        access = access or rules()
        parts = Parts(
            inbox=self.inbox,
            wiegand={name: WiegandPort(framer=WiegandFramer(name, (H10301,)), heard_until_s=float) for name in leads},
            pads={name: PinPad() for name in leads},
            debounced={name: Debounce(0.03) for name in WIRED},
            lock=self.lock,
            lock_check=LockCheck(1.0) if check_lock else None,
            follow=lambda state, now_s: self.followed.append(state),
            rules=door.DoorRules(held_open_s=30.0, rex_pulse_s=5.0, relock_on_open=True, fire_releases=False, warn_before_s=10.0),
            policy=policy,
            desk=Desk(wiring, access, kept=kept),
            keep=self.kept.append,
            signals=self.signals,
            feedback=self.feedback,
            journal=self.journal,
            link=self.told,
            from_vision=self._eyes,
            to_vision=Sender(folder / "vision.sock"),
            save_mode=self.saved.append,
            beat=lambda: None,
        )
        self.loop = DoorLoop(parts, self.clock, access, DoorMode.LOCKED)

    @property
    def shown(self) -> Meaning:
        """What the person at the door sees and hears."""
        return self.signals.current.meaning

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
        self.inbox.put(InputEdge("tamper", False, self.clock.now_s))
        self.loop.turn()

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        assert self.journal.flush(5.0)
        return [(pending.event.kind, pending.event.data) for pending in self.journal.pending(limit=1000)]

    def kinds(self, prefix: str = "") -> list[str]:
        return [kind for kind, _ in self.events if kind.startswith(prefix)]

    def decisions(self) -> list[tuple[bool, list[str]]]:
        return [(data["granted"], data["reasons"]) for kind, data in self.events if kind.startswith("access.")]

    def close(self) -> None:
        self.lock.close()
        self.signals.close()
        self.journal.close()
        self._eyes.close()


def policy_with(**changes: Any) -> DecisionPolicy:
    return msgspec.structs.replace(POLICY, **changes)
