"""Media's own connection to the broker, beside the door's: what browsers and this door agree on before they speak directly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from agent.link.session import Address, Say, Session

OnOffer = Callable[[tuple[str, ...], bytes, bool], None]
OnBye = Callable[[str, bytes, bool], None]


class Signalling:
    """`say` from any thread; `on_offer` and `on_bye` are called in the session's thread."""

    def __init__(self, address: Address, site: str, door: str, on_offer: OnOffer, on_bye: OnBye) -> None:
        """Raises ConfigError when the password or a certificate file cannot be read."""
        self._base = f"doorward/{site}/{door}/rtc"
        self._on_offer, self._on_bye = on_offer, on_bye
        self._out: deque[tuple[str, bytes]] = deque(maxlen=256)
        # Clean: an offer that waited at the broker has nobody behind it any more
        self._session = Session(address, f"doorward-{site}-{door}-media", self, clean=True)

    def start(self) -> None:
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._session.stop(timeout_s)

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    def say(self, below: str, payload: bytes) -> None:
        """Publish below this door's `rtc`, e.g. `SESSION/answer`."""
        self._out.append((f"{self._base}/{below}", payload))
        self._session.wake()

    # -- the session's thread ------------------------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        say.subscribe(f"{self._base}/+/offer", f"{self._base}/+/bye")

    def turn(self, say: Say, now_s: float) -> float:
        while self._out:
            say.publish(*self._out.popleft())
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        levels = tuple(topic.split("/"))
        if levels[5:] == ("offer",):
            self._on_offer(levels, payload, retained)
        elif levels[5:] == ("bye",):
            self._on_bye(levels[4], payload, retained)

    def leaving(self, say: Say) -> None:
        self.turn(say, 0.0)
