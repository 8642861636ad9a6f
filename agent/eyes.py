"""What the vision program last said, and whether it may still be believed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from agent.core.conduct import Conduct
from agent.core.decide import View, view_at
from agent.core.messages import CLOCK_SLACK_S, TABLE, EnrolSeen, EnrolTemplate, FromVision, Observation, ShadowSeen, VisionHealth
from agent.core.risk import is_flood, lawful
from agent.errors import WireError
from agent.local_socket import Receiver, decode_from_vision

log = logging.getLogger(__name__)


class Eyes:
    """The door's end of the socket from vision; newest wins."""

    def __init__(self, from_vision: Receiver, emotional_allowed: bool = False,
                 enrols: Callable[[EnrolSeen | EnrolTemplate], None] | None = None,
                 shadow: Callable[[ShadowSeen], None] | None = None) -> None:  # fmt: skip
        """`enrols` hears what is said of somebody who is being enrolled, `shadow` what networks on trial make of a face."""
        self._from_vision, self._emotional_allowed, self._enrols, self._shadow = from_vision, emotional_allowed, enrols, shadow
        self.seen: Observation | None = None
        self.health: VisionHealth | None = None
        self.conduct: Conduct | None = None
        """What people do, less what may not be known here. Its age: `conduct_now`."""
        self.garbage = 0
        """Packets, and items of evidence, that could not be read or believed."""
        self.forbidden = 0
        """Items of evidence that the deployment's profile forbids: dropped before anything looks at them."""

    def fileno(self) -> int:
        return self._from_vision.fileno()

    def view(self, now_s: float) -> View:
        return view_at(self.seen, now_s)

    def conduct_now(self, now_s: float) -> Conduct | None:
        """What people do, while that may be believed."""
        known = self.conduct
        return known if known is not None and -CLOCK_SLACK_S <= now_s - known.at_s <= TABLE[Conduct].max_age_s else None

    def health_now(self, now_s: float) -> VisionHealth | None:
        """How vision is, while it lives to tell."""
        known = self.health
        return known if known is not None and -CLOCK_SLACK_S <= now_s - known.at_s <= TABLE[VisionHealth].max_age_s else None

    def lives(self, now_s: float) -> bool:
        """Whether the vision program says anything."""
        return self.health_now(now_s) is not None or self.view(now_s).status == "fresh"

    def look(self, now_s: float) -> None:
        """Take what has come."""
        for raw in self._from_vision.drain():
            try:
                message = decode_from_vision(raw)
            except WireError as error:
                self.garbage += 1
                log.warning("door vision-socket unreadable bytes=%d error=%s", len(raw), error)
                continue
            self._take(message, now_s)

    def _take(self, message: FromVision, now_s: float) -> None:
        if isinstance(message, VisionHealth):
            self.health = message
        elif isinstance(message, EnrolSeen | EnrolTemplate):
            if self._enrols is not None:
                self._enrols(message)
        elif isinstance(message, ShadowSeen):
            if self._shadow is not None:
                self._shadow(message)
        elif (
            not (message.at_s if isinstance(message, Conduct) else message.taken_s) <= now_s + CLOCK_SLACK_S
        ):  # so put, it refuses NaN too
            self.garbage += 1
            log.warning("door observation from the future now_s=%s", now_s)
        elif isinstance(message, Conduct):
            if is_flood(message):
                self.garbage += 1
                return
            self.conduct, unsound, forbidden = lawful(message, self._emotional_allowed)
            self.garbage += unsound
            self.forbidden += forbidden
        elif self.seen is None or message.taken_s >= self.seen.taken_s:
            self.seen = message
