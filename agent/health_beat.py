"""The door program's heartbeat: once a second, from the loop's own thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.clock import Clock
from agent.dead_man import DeadMan
from agent.door_items import Fault, Item
from agent.health_stages import Check, Stages
from agent.inbox import Inbox
from agent.notify import notify

BEAT_EVERY_S = 1.0


class Beat:
    """Tells the supervisor that the loop turns and that every stage moves, looks at the inputs and whether the dead man still watches."""

    def __init__(
        self, clock: Clock, dead_man: DeadMan, inbox: Inbox[Item], look: Callable[[], None], checks: Mapping[str, Check]
    ) -> None:
        self._clock, self._dead_man, self._inbox, self._look = clock, dead_man, inbox, look
        self._stages = Stages(checks, lambda words: inbox.put(Fault("door.fault", f"hangs, and is started anew for it: {words}")))
        self._due_s = 0.0
        self._missed = False

    def __call__(self) -> None:
        now_s = self._clock.mono_s()
        if now_s < self._due_s:
            return
        self._due_s = now_s + BEAT_EVERY_S
        if self._stages.look():
            notify("WATCHDOG=1")
        self._look()
        if not self._missed and not self._dead_man.alive:
            self._missed = True
            self._inbox.put(Fault("door.fault", "the dead man's process ended: a crash now leaves the relay to systemd's helper"))

    def hung(self) -> tuple[str, ...]:
        """What does not move, in words."""
        return self._stages.hung
