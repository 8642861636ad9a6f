"""What a peer connection sends: the newest picture at its own pace."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from agent.media.screening import Look, Screening

CLOCK_HZ = 90_000
TIME_BASE = Fraction(1, CLOCK_HZ)


class LiveTrack(MediaStreamTrack):
    """The pictures of a screening, as this viewer may see them now."""

    kind = "video"

    def __init__(self, screening: Screening, look: Callable[[], Look]) -> None:
        super().__init__()
        self._screening, self._look = screening, look
        self._number = 0
        self._began_s: float | None = None
        self.sent = 0

    async def recv(self) -> VideoFrame:
        """The newest picture not yet given."""
        if self.readyState != "live":
            raise MediaStreamError
        shot = await self._screening.next(self._look(), self._number)
        self._number = shot.number
        if self._began_s is None:
            self._began_s = shot.at_s
        frame = VideoFrame.from_ndarray(shot.pixels, format="bgr24")
        frame.pts, frame.time_base = round((shot.at_s - self._began_s) * CLOCK_HZ), TIME_BASE
        self.sent += 1
        return frame
