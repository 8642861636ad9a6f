"""Media's own connection to the broker, beside the door's: what browsers and this door agree on before they speak directly, and clips."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from agent.link.session import Address, Own, Say, Session

OnMessage = Callable[[tuple[str, ...], bytes, bool], None]
"""Called in the session's thread with the topic's levels, the payload, and whether the broker had kept it."""


MOST_WAITING = 512
"""Messages; a clip is at most a quarter of them."""


class Signalling:
    """`say` from any thread."""

    def __init__(self, address: Address, site: str, door: str, heard: dict[str, OnMessage], own: Own | None = None) -> None:
        """`heard`: what is done with each of `rtc/+/offer`, `rtc/+/bye` …; raises ConfigError for a file that cannot be read."""
        self._base = f"doorward/{site}/{door}"
        self._heard = heard
        self._out: deque[tuple[str, bytes]] = deque(maxlen=MOST_WAITING)
        # Clean: an offer that waited at the broker has nobody behind it any more
        self._session = Session(address, f"doorward-{site}-{door}-media", self, clean=True, own=own)

    def start(self) -> None:
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._session.stop(timeout_s)

    def hung(self) -> str:
        """What does not move, in words; '' when all does."""
        return self._session.hung()

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    def say(self, below: str, payload: bytes) -> None:
        """Publish below this door's topics, e.g. `rtc/SESSION/answer`."""
        self._out.append((f"{self._base}/{below}", payload))
        self._session.wake()

    # -- the session's thread ------------------------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        say.subscribe(*(f"{self._base}/{below}" for below in self._heard))

    def turn(self, say: Say, now_s: float) -> float:
        while self._out:
            say.publish(*self._out.popleft())
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        levels = tuple(topic.split("/"))
        heard = self._heard.get("/".join((*levels[3:4], "+", *levels[5:])))
        if heard is not None:
            heard(levels, payload, retained)

    def leaving(self, say: Say) -> None:
        self.turn(say, 0.0)
