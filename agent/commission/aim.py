"""Where the camera must be turned, or what is wrong with the light, from one look at the face before it. Pure.

Turning is told in the picture's words and in those of somebody who stands before the camera and looks at it: their right is its left.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agent.core.messages import Box
from agent.vision.refusal import ADVICE, Reason

Word = Literal["good", "nobody", "left", "right", "high", "low", "small", "near", "backlit", "poor"]

BAND_X, BAND_Y = (0.25, 0.75), (0.14, 0.72)
"""Where the middle of the face may be, in shares of the picture: below it there must be room for shorter people."""
LOW_Y = (0.14, 0.9)
"""Of somebody who sits: anywhere in the picture, as long as it is whole."""
NEAREST_SHARE = 0.5
"""Of the picture's height: whoever stands nearer fills the view, and nobody behind them is seen."""
BACKLIGHT, SHADE = 70.0, 110.0
"""Levels of 255 by which what is around a face is brighter than the face, and below which a face is in the shade."""
GOOD_LOOKS, GOOD_S = 6, 1.5
"""So many good looks in a row, over so long, end a turn."""
FORGIVEN = 2
"""Looks that may fail in between: people blink, and cameras adapt."""


class Look(Struct, frozen=True, kw_only=True):
    """What one picture shows of the face that is nearest. Levels are 0..255."""

    frame_px: tuple[int, int]
    box_px: Box | None = None
    quality: float = 0.0
    """As the door rates it, 0..1."""
    cause: Reason | None = None
    """Why it is no better, or why nobody is found."""
    light: float = 0.0
    around: float = 0.0
    """The face's middle, and what surrounds it."""

    @property
    def face_px(self) -> float:
        return self.box_px[2] if self.box_px is not None else 0.0

    @property
    def middle(self) -> tuple[float, float]:
        """Of the face, in shares of the picture."""
        x, y, wide, high = self.box_px or (0.0, 0.0, 0.0, 0.0)
        return (x + wide / 2) / self.frame_px[0], (y + high / 2) / self.frame_px[1]


class Needs(Struct, frozen=True, kw_only=True):
    """What this door asks of a face, and where it may be."""

    least_px: float
    least_quality: float
    band_y: tuple[float, float] = BAND_Y


class Advice(Struct, frozen=True):
    """A word for scripts, a sentence for people."""

    word: Word
    say: str

    @property
    def good(self) -> bool:
        return self.word == "good"


def advise(look: Look, needs: Needs) -> Advice:
    """The one thing to mend first."""
    if look.box_px is None:
        return Advice("nobody", _sentence(look.cause or "no_face"))
    return (
        _size(look, needs)
        or _place(look, needs)
        or _light(look)
        or _quality(look, needs)
        or Advice("good", "Good: stay like this.")
    )


def _size(look: Look, needs: Needs) -> Advice | None:
    wide, needed = look.face_px, needs.least_px
    if wide < needed:
        return Advice(
            "small", f"Too far away: {wide:.0f} px wide, {needed:.0f} needed. Nearer camera, narrower lens, or larger pictures."
        )
    if wide > NEAREST_SHARE * look.frame_px[1]:
        return Advice("near", "Too near: the face fills the view. Step back, or hang the camera farther off.")
    return None


def _place(look: Look, needs: Needs) -> Advice | None:
    x, y = look.middle
    if x < BAND_X[0]:
        return Advice("left", "Too far left in the picture: turn the camera towards you, to YOUR right as you face it.")
    if x > BAND_X[1]:
        return Advice("right", "Too far right in the picture: turn the camera towards you, to YOUR left as you face it.")
    if y < needs.band_y[0]:
        return Advice("high", "Too high in the picture: tilt the camera up.")
    if y > needs.band_y[1]:
        return Advice("low", "Too low in the picture: tilt the camera down.")
    return None


def _light(look: Look) -> Advice | None:
    if look.light < SHADE and look.around - look.light >= BACKLIGHT:
        return Advice("backlit", "Backlit: a window or lamp is behind you. Turn the camera away from it, or light the face.")
    return None


def _quality(look: Look, needs: Needs) -> Advice | None:
    if look.quality >= needs.least_quality:
        return None
    return Advice("poor", _sentence(look.cause or "unclear"))


def _sentence(cause: Reason) -> str:
    advice = ADVICE[cause]
    return f"{advice[:1].upper()}{advice[1:]}."


class Turn(Struct, frozen=True, kw_only=True):
    """A run of good looks."""

    good: int = 0
    failed: int = 0
    since_s: float = 0.0
    best: Look | None = None

    def over(self, at_s: float) -> bool:
        return self.good >= GOOD_LOOKS and at_s - self.since_s >= GOOD_S


def taken(turn: Turn, look: Look, advice: Advice, at_s: float) -> Turn:
    """With one look more, of a picture that was taken at `at_s`."""
    if not advice.good:
        failed = turn.failed + 1
        return Turn(best=turn.best) if failed > FORGIVEN or not turn.good else Turn(
            good=turn.good, failed=failed, since_s=turn.since_s, best=turn.best)  # fmt: skip
    best = look if turn.best is None or look.quality >= turn.best.quality else turn.best
    return Turn(good=turn.good + 1, since_s=turn.since_s if turn.good else at_s, best=best)
