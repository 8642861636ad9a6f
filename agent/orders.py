"""Commands from people, carried out: each is answered and put on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from agent.clock import Clock
from agent.core import door
from agent.core.commands import Command, Refusal
from agent.core.messages import DoorMode
from agent.doorway import Doorway
from agent.errors import DoorwardError

MODES = {
    "hold_unlocked": DoorMode.UNLOCKED, "block": DoorMode.BLOCKED, "lockdown": DoorMode.LOCKED_DOWN, "lock_open": DoorMode.LOCKED_OPEN,
}  # fmt: skip
"""Commands that bring about a lasting mode."""

LASTING = (*MODES, "release")
"""Commands whose result is kept on the disk."""


OTHER_DOOR = "the other door of this lobby stands open"


class Answers(Protocol):
    """Where results go."""

    def result(self, command_id: str | None, ok: bool, reason: str, user: str | None) -> None: ...


class Orders:
    """Obeys at one door. Of the loop's thread."""

    def __init__(
        self, doorway: Doorway, answers: Answers, save_mode: Callable[[DoorMode], None], clock: Clock, pulse_s: float
    ) -> None:
        self._doorway, self._answers, self._save_mode, self._clock, self._pulse_s = doorway, answers, save_mode, clock, pulse_s
        self._others: dict[str, Callable[[Command], tuple[bool, str]]] = {}
        self._after: Callable[[Command], None] = lambda command: None

    def also(self, name: str, obey: Callable[[Command], tuple[bool, str]]) -> None:
        """Another part of the door obeys this command; it returns whether it did, and what to say."""
        self._others[name] = obey

    def afterwards(self, tell: Callable[[Command], None]) -> None:
        """Another part of the door hears of each command once it was obeyed."""
        self._after = tell

    def take(self, command: Command) -> None:
        if command.name == "unlock" and not self._why_shut():
            self._let_in(command)
            return
        ok, reason = self._obey(command)
        self._record(command, ok, reason)
        self._answers.result(command.id, ok, reason, command.user)
        if ok or self._stands(command):
            self._after(command)

    def _stands(self, command: Command) -> bool:
        """Whether an order to lock is in force although the lock does not hold yet: somebody is leaving, or its relay is stuck."""
        mode = self._doorway.state.mode
        if command.name == "lock":
            return mode not in door.FREE_MODES
        return mode in door.KEPT_SHUT and mode is MODES.get(command.name)

    def refuse(self, refusal: Refusal) -> None:
        self._doorway.announce("command.refused", msgspec.to_builtins(refusal))
        self._answers.result(refusal.id, False, refusal.reason, refusal.user)

    def _why_not(self, command: Command) -> str:
        """Why this command is not obeyed now."""
        if MODES.get(command.name) in door.FREE_MODES and self._doorway.state.other_open:
            return OTHER_DOOR
        return self._why_shut() if command.name == "unlock" else ""

    def _why_shut(self) -> str:
        """Why nobody may be let in by a command now."""
        state = self._doorway.state
        if state.mode in door.KEPT_SHUT:
            return f"the door is {state.mode.value}: release it first"
        return OTHER_DOOR if state.other_open else ""

    def _let_in(self, command: Command) -> None:
        """As with a fob, the opening is on record before the relay moves; of a relay that fails `lock.fault` tells behind it."""
        self._record(command, True, "done")
        fault = self._doorway.apply(door.Granted(at_s=self._clock.mono_s(), seconds=self._pulse_s, by=command.user))
        self._answers.result(command.id, not fault, fault or "done", command.user)
        if not fault:
            self._after(command)

    def _record(self, command: Command, ok: bool, reason: str) -> None:
        told: dict[str, Any] = {
            "id": command.id,
            "user": command.user,
            "command": command.name,
            "reason": reason,
            "why": command.why,
        }
        self._doorway.announce("command.done" if ok else "command.refused", told)

    def _obey(self, command: Command) -> tuple[bool, str]:
        if why_not := self._why_not(command):
            return False, why_not
        if command.name in self._others:
            return self._others[command.name](command)
        fault = self._doorway.apply(self._order(command))
        unsaved = self._keep_mode() if command.name in LASTING else ""
        if fault:
            return False, f"the door is {self._doorway.state.mode.value}, but its lock cannot be driven: {fault}"
        if (wanted := MODES.get(command.name)) is not None and self._doorway.state.mode is not wanted:
            return False, f"the door is {self._doorway.state.mode.value}: release it first"
        if unsaved:
            return True, f"done, but will not survive a restart: {unsaved}"
        return self._still_released(command)

    def _order(self, command: Command) -> door.DoorInput:
        now_s = self._clock.mono_s()
        if (mode := MODES.get(command.name)) is not None:
            return door.SetMode(at_s=now_s, mode=mode, by=command.user)
        kind = door.Release if command.name == "release" else door.LockNow
        return kind(at_s=now_s, by=command.user)

    def _still_released(self, command: Command) -> tuple[bool, str]:
        state = self._doorway.state
        if not self._doorway.released or command.name == "release" or state.mode in door.FREE_MODES:
            held = command.name != "lock" or state.mode not in door.FREE_MODES
            return held, "done" if held else f"the door is {state.mode.value}: release it first"
        why = "somebody is leaving" if state.renew_s is None else "fire"
        return command.name in ("lockdown", "block"), f"{why}: the lock holds when that is over"

    def _keep_mode(self) -> str:
        """What went wrong."""
        try:
            self._save_mode(self._doorway.state.mode)
        except DoorwardError as error:
            return str(error)
        return ""
