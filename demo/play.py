"""What scenarios are made of: people walk up, hold a fob to the reader, and what the door answered is told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from demo.answer import Answer
from demo.catalogue import Portrait
from demo.people import find
from demo.scene import Scene
from demo.stage import CONTACT_PIN, RELAY_PIN, Stage
from demo.teller import Teller
from demo.walks import Walk, walk_up
from demo.ways import Go, Part, Point, Wait, times, way

ANSWER_WITHIN_S = 10.0
RISK_WITHIN_S = 15.0
AT_DOOR_M = 1.0
NEAR_M = 1.6
"""Where people begin to stretch out their hand with the fob."""
WALKING_M_S = 1.3
FROM_M = 4.0
OPEN_S = 1.0
GONE_S = 4.0
"""To walk out of view and be forgotten there."""


class Play:
    """One scenario on a stage that is up."""

    def __init__(self, stage: Stage, scene: Scene, people: list[Portrait], teller: Teller) -> None:
        self.stage, self.teller = stage, teller
        self._scene, self._people = scene, people

    def comes_near(self, role: str, **more: Any) -> Walk:
        """Somebody walks up to the door; returns when they are near enough to hold out a fob."""
        now_s = time.monotonic()
        self._scene.clear()
        walk = walk_up(
            find(self._people, role), starts_s=now_s, from_m=FROM_M, to_m=AT_DOOR_M, speed_m_s=WALKING_M_S, waits_s=8.0, **more
        )
        self._scene.enter(walk)
        time.sleep((FROM_M - NEAR_M) / WALKING_M_S)
        return walk

    def sets_out(
        self, role: str, start: Point, parts: Sequence[Part], *, after_s: float = 0.0, alone: bool = True, **more: Any
    ) -> list[float]:
        """Somebody begins a way of several parts; returns when each of them ends, for `until`. Who is not `alone` joins the others."""
        now_s = time.monotonic() + after_s
        if alone:
            self._scene.clear()
        self._scene.enter(way(find(self._people, role), start, parts, starts_s=now_s, **more))
        return times(parts, start, now_s)

    def until(self, at_s: float) -> None:
        time.sleep(max(0.0, at_s - time.monotonic()))

    def opens(self) -> None:
        """The door's leaf is pulled open."""
        self.stage.rig.set(CONTACT_PIN, True)

    def falls_shut(self) -> None:
        self.stage.rig.set(CONTACT_PIN, False)

    def await_risk(self, kind: str, known: set[str], within_s: float = RISK_WITHIN_S) -> dict[str, Any]:
        """The first event beyond the `known` in whose risk there is evidence of a kind; raises DoorwardError when none comes in time."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [e for e in self.stage.events() if e["id"] not in known and kind in evidence_of(e)]
            return bool(found)

        self.stage.wait(there, within_s, f"no event has evidence of {kind}")
        return found[0]

    def known(self) -> set[str]:
        """The events that there are."""
        return {event["id"] for event in self.stage.events()}

    def prepare(self, *roles: str) -> None:
        """Cut these people out of their photographs before the curtain rises."""
        for role in roles:
            self._scene.prepare(find(self._people, role))

    def portrait(self, role: str) -> Portrait:
        return find(self._people, role)

    def awaits_the_guard(self) -> str:
        """Whoever was refused stays until a guard has decided; returns the command, empty where nobody is asked."""
        return ""

    def turns_away(self) -> None:
        """Whoever is in view goes aside and out of it; returns when they are gone and forgotten."""
        self._go_on(lambda here: Go((here[0] + math.copysign(1.2 + 0.4 * here[1], here[0]), here[1] + 0.8), WALKING_M_S, 2.0))
        time.sleep(GONE_S)
        self.leaves()

    def stays(self, for_s: float) -> None:
        """Whoever is in view stays where they are. Returns at once."""
        self._go_on(lambda here: Wait(for_s))

    def _go_on(self, part: Callable[[Point], Part]) -> None:
        """Everybody in view goes on from where they are now."""
        now_s = time.monotonic()
        there = [(walk, place) for walk in self._scene.walks if (place := walk.at(now_s)) is not None]
        goes_on = [way(walk.portrait, here, [part(here)], starts_s=now_s, turns_round=walk.turns_round)
                   for walk, place in there for here in [(place.x_m, place.z_m)]]  # fmt: skip
        self._scene.replace(goes_on)

    def leaves(self) -> None:
        self._scene.clear()

    def holds_out(self, bits: str, *, reported: bool = True) -> Answer:
        """A fob is read. With `reported`, wait for the historian's event; without, for the relay alone (the network is away)."""
        known = {event["id"] for event in self.stage.events()}
        outputs = len(self.stage.rig.outputs)
        last_bit_s = self.stage.present(bits)
        event = None
        if reported:
            event = await_decision(self.stage, known, ANSWER_WITHIN_S)
        else:
            self.stage.rig.wait_for(lambda seen: any(_released(level) for level in seen[outputs:]), ANSWER_WITHIN_S)
        moved = next((level.at_s for level in self.stage.rig.outputs[outputs:] if _released(level)), None)
        return Answer(relay_ms=None if moved is None else 1000 * (moved - last_bit_s), event=event)

    def walks_through(self) -> None:
        """The door is opened and falls shut; nobody is in view any more."""
        self.leaves()
        self.stage.walk_through(OPEN_S)
        time.sleep(0.2)


def await_decision(stage: Stage, known: set[str], timeout_s: float) -> dict[str, Any]:
    """The first decision that the historian has beyond the `known` events; raises DoorwardError when none comes in time."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [e for e in stage.events() if e["id"] not in known and e["type"].startswith("doorward.access.")]
        return bool(found)

    stage.wait(there, timeout_s, "the historian has no decision")
    return found[-1]


def evidence_of(event: dict[str, Any]) -> set[str]:
    """The kinds of evidence in an event's risk."""
    risk = event["data"].get("risk")
    return {item["kind"] for item in risk.get("items", ())} if isinstance(risk, dict) else set()


def _released(level: Any) -> bool:
    return level.pin == RELAY_PIN and bool(level.high)


class Scenario(Struct, frozen=True, kw_only=True):
    """A story, how it is played and what must come of it."""

    name: str
    title: str
    story: str
    roles: tuple[str, ...]
    play: Callable[[Play], None]
    expected: tuple[str, ...]
    """The decisions in their order: 'granted face_match', 'denied face_mismatch', …"""
    evidence: tuple[str, ...] = ()
    """Kinds of evidence (agent.core.evidence.KINDS) that must stand in the risks of the story's events."""
    alerts: bool = False
    """Whether guards must be told."""
    liveness: str = "off"
    """policy.liveness of the door that it is played at."""
