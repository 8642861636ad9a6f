"""Whether somebody has done something to the camera: frozen, black, dazzled, covered, moved or out of focus.

Once a second a picture is held against what this camera usually sees. A sign has to last before it is told, and to be gone for as
long before it is taken back. Nothing is learned from pictures that are doubted; from others slowly, so that the sun may wander. What
cannot be judged (where it is black, nothing is 'moved') stays as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from agent.vision.faces import Floats
from agent.vision.scene_view import (
    SHARP_ACROSS,
    SHARP_DOWN,
    Found,
    Reference,
    Sharpness,
    Strips,
    Votes,
    edges,
    lens,
    raster,
    rows_of,
    sharpness,
    strips_of,
)
from hw.interfaces import Pixels

_Dots = NDArray[np.uint8]

HOLD_S: Mapping[str, float] = {"frozen": 1.0, "black": 3.0, "dazzled": 3.0, "covered": 6.0, "moved": 5.0, "defocused": 8.0}
"""How long each sign has to last (a frozen picture has stood still before), and to be gone before it is taken back."""
SIGNS = tuple(HOLD_S)


class WatchSettings(Struct, frozen=True, kw_only=True):
    """When a view counts as tampered with. Levels are of 255, shares of 1."""

    sample_s: float = 1.0
    lasting_samples: int = 4
    """An edge belongs to the place when it is seen in so many samples in a row."""
    learn_s: float = 10.0
    adapt_s: float = 600.0
    """Time constant of what is usual; younger views change faster, as a plain mean does."""
    sharp_every: int = 2
    """Samples from one look at the sharpness to the next."""
    least_pieces: int = 8
    """A view with fewer pieces to find has nothing to be recognised by."""

    frozen_s: float = 10.0
    frozen_most_s: float = 60.0
    """A stream that repeats itself when nothing moves is given three times its own longest standstill, up to this."""
    frozen_share: float = 0.005
    """Of the pixels may change in a frozen picture (a clock in its corner), and no more than a tenth of what usually does."""
    black_level: int = 24
    black_share: float = 0.01
    """Of the picture above that level: below it nobody would be recognised."""
    dazzled_level: int = 250
    dazzled_share: float = 0.12
    """More of the picture than usual is blown out,"""
    dazzled_gone: float = 0.5
    """and with it so much of its structure is gone."""
    covered_gone: float = 0.9
    aside_share: float = 0.3
    """Pieces found aside, in either direction,"""
    aside_times: float = 1.5
    """and so many times as many as are still in place."""
    elsewhere_here: float = 0.12
    """Or no more than these are in place, though there is structure enough."""
    defocused_times: float = 0.56
    """Of the usual bend of edges,"""
    washed_out: float = 0.4
    """Of the usual slopes: a field with less is blurred through and through."""
    defocused_share: float = 0.75
    """in so many fields: somebody near, whom the lens leaves unsharp, hides fewer."""

    elsewhere_s: float = 12.0
    """Longer, because a crowd looks like another place for a while."""
    near_times: float = 5.0
    """So many times as long before it is told that a view is covered, blurred or another one, while somebody is known to stand close: they
    would hide it, and go again. For ever would be too long: it may be a picture of somebody that was hung before the camera."""


class KeptView(Struct, frozen=True, kw_only=True):
    """What a camera usually sees, in numbers that make no picture."""

    frame_px: tuple[int, int]
    strips: Strips
    first: Strips | None
    """As it was when it had been learned for long: what creeps away from that has moved as well."""
    learned_s: float
    bends: Floats
    slopes: Floats
    clear: NDArray[np.bool_]
    sharp_samples: int
    blown: float
    """Usual share of the picture that is blown out."""
    restless: float
    """Share of the pixels that change from one sample to the next when it is calm."""
    standstill_s: float
    """The longest that ended by itself."""


class _Sample(NamedTuple):
    """One picture, measured."""

    strips: Strips
    lit: float
    blown: float
    changed: float


class _Latch:
    """A sign that is told when it has lasted, and taken back when it has been gone for as long."""

    def __init__(self) -> None:
        self.on = False
        self._level = 0.0

    def step(self, holds: bool | None, share: float) -> None:
        """`share`: of the time that it has to last. None leaves it as it is."""
        if holds is None:
            return
        self._level = min(1.0, max(0.0, self._level + (share if holds else -share)))
        if self._level in (0.0, 1.0):
            self.on = self._level == 1.0

    @property
    def quiet(self) -> bool:
        return self._level == 0.0


class SceneWatch:
    """Call `see` with each frame; `signs` says what is wrong. One per camera; not thread-safe. It reads no clock."""

    def __init__(self, kept: KeptView | None = None, settings: WatchSettings | None = None) -> None:
        self._settings = settings or WatchSettings()
        self._kept = kept
        self._latches = {sign: _Latch() for sign in SIGNS}
        self._seen_s = -1e9
        self._begin((0, 0))

    @property
    def signs(self) -> tuple[str, ...]:
        """Words of SIGNS that stand."""
        return tuple(sign for sign, latch in self._latches.items() if latch.on)

    @property
    def settings(self) -> WatchSettings:
        return self._settings

    @property
    def kept(self) -> KeptView | None:
        """What was learned; None until it was."""
        return self._kept

    @property
    def blind(self) -> bool:
        """Whether the view has been looked at for long enough to be learned, and shows too little to be recognised by."""
        return self._kept is None and self._looked_s > 3 * self._settings.learn_s

    def see(self, pixels: Pixels, taken_s: float, near: bool = False) -> None:
        """A frame (height x width x 3, BGR), and when it was taken. `near`: people are known to fill a good part of it."""
        if taken_s - self._seen_s < self._settings.sample_s:
            return
        elapsed_s = min(taken_s - self._seen_s, 2 * self._settings.sample_s)
        self._seen_s = taken_s
        frame_px = (pixels.shape[1], pixels.shape[0])
        if self._frame_px != frame_px:
            self._fit(frame_px)
        sample = self._measure(pixels)
        if sample is not None:
            self._judge(sample, elapsed_s, near)
            self._learn(sample, elapsed_s)

    # -- looking ---------------------------------------------------------------------------------------------------------------

    def _begin(self, frame_px: tuple[int, int]) -> None:
        self._frame_px = frame_px
        self._dots: _Dots = np.zeros((0, 0), np.uint8)
        self._rows: Floats | None = None
        self._lately: deque[_Dots] = deque(maxlen=self._settings.lasting_samples)
        self._noise: deque[float] = deque(maxlen=self._settings.lasting_samples)
        self._sharp: Sharpness | None = None
        self._samples, self._still_s, self._looked_s = 0, 0.0, 0.0
        self._reference: Reference | None = None
        self._first: Reference | None = None
        self._prepared_s = -1e9
        self._crept = False

    def _fit(self, frame_px: tuple[int, int]) -> None:
        """Pictures of another size are another camera's."""
        self._begin(frame_px)
        if self._kept is not None and self._kept.frame_px != frame_px:
            self._kept = None
        self._prepare()

    def _measure(self, pixels: Pixels) -> _Sample | None:
        """None while too few pictures were seen to say what lasts."""
        self._samples += 1
        cells = raster(pixels)
        self._lately.append(edges(cells))
        changed = self._change(pixels)
        if self._samples % self._settings.sharp_every == 0 and self._rows is not None:
            self._sharp = sharpness(rows_of(pixels), self._rows)
            self._noise.append(self._sharp.noise)
        else:
            self._sharp = None
        self._rows = rows_of(pixels) if (self._samples + 1) % self._settings.sharp_every == 0 else None
        if len(self._lately) < self._settings.lasting_samples:
            return None
        lasting = np.minimum.reduce(self._lately)
        return _Sample(strips_of(lasting), self._lit(), self._blown(pixels), changed)

    def _change(self, pixels: Pixels) -> float:
        """Share of some ten thousand pixels that are not what they were in the last sample."""
        step = max(1, pixels.shape[1] // 128)
        dots = np.ascontiguousarray(pixels[::step, ::step, 1])
        changed = float(np.count_nonzero(dots != self._dots) / dots.size) if self._dots.size else 1.0
        self._dots = dots
        return changed

    def _lit(self) -> float:
        return float(np.count_nonzero(self._dots > self._settings.black_level) / self._dots.size)

    def _blown(self, pixels: Pixels) -> float:
        """A laser blows out its own colour only."""
        step = max(1, pixels.shape[1] // 80)
        return float((pixels[::step, ::step].max(2) >= self._settings.dazzled_level).mean())

    # -- judging ---------------------------------------------------------------------------------------------------------------

    def _judge(self, sample: _Sample, elapsed_s: float, near: bool) -> None:
        settings, holds = self._settings, self._holds(sample, elapsed_s)
        lasts_s = dict(HOLD_S)
        lasts_s["defocused"] /= settings.sharp_every  # for each look at it stands for so many samples
        if holds["elsewhere"] and not holds["moved"]:
            holds["moved"], lasts_s["moved"] = True, settings.elsewhere_s * (settings.near_times if near else 1.0)
        for sign in ("covered", "defocused"):
            lasts_s[sign] *= settings.near_times if near and holds[sign] else 1.0
        for sign, latch in self._latches.items():
            latch.step(holds[sign], elapsed_s / lasts_s[sign])

    def _holds(self, sample: _Sample, elapsed_s: float) -> dict[str, bool | None]:
        """What each sign looks like in this sample; None where it cannot be judged."""
        settings, kept = self._settings, self._kept
        holds: dict[str, bool | None] = dict.fromkeys((*SIGNS, "elsewhere"))
        holds["frozen"] = self._stands_still(sample.changed, elapsed_s)
        holds["black"] = sample.lit < settings.black_share
        if kept is None or self._reference is None or holds["black"]:
            return holds
        found = self._reference.find(sample.strips)
        holds["dazzled"] = sample.blown >= kept.blown + settings.dazzled_share and found.gone >= settings.dazzled_gone
        if holds["dazzled"]:
            return holds
        holds["covered"] = found.gone >= settings.covered_gone
        if holds["covered"]:
            return holds
        holds["elsewhere"] = self._elsewhere(found, sample.strips)
        holds["moved"] = self._aside(found) or self._crept_away(sample)
        holds["defocused"] = None if holds["elsewhere"] or holds["moved"] else self._is_defocused(kept)
        return holds

    def _stands_still(self, changed: float, elapsed_s: float) -> bool:
        settings, kept = self._settings, self._kept
        usual = kept.restless if kept is not None else 0.0
        if changed <= min(settings.frozen_share, usual / 10):
            self._still_s += elapsed_s
        else:
            self._stood_still()
        longest_s = kept.standstill_s if kept is not None else 0.0
        return self._still_s >= min(settings.frozen_most_s, max(settings.frozen_s, 3 * longest_s))

    def _stood_still(self) -> None:
        """A standstill is over; one that was no tampering teaches how long they may be."""
        if self._kept is not None and self._still_s > self._kept.standstill_s and not self._latches["frozen"].on:
            self._kept = replace(self._kept, standstill_s=self._still_s)
        self._still_s = 0.0

    def _aside(self, found: Found) -> bool:
        return any(self._votes_aside(votes) for votes in found)

    def _votes_aside(self, votes: Votes) -> bool:
        settings = self._settings
        enough = votes.pieces >= settings.least_pieces // 2
        return enough and votes.aside >= settings.aside_share and votes.aside >= settings.aside_times * votes.here

    def _elsewhere(self, found: Found, strips: Strips) -> bool:
        """Structure enough, and next to nothing of it where it was."""
        settings = self._settings
        strange = any(v.pieces >= settings.least_pieces // 2 and v.here <= settings.elsewhere_here for v in found)
        known = self._reference
        return strange and known is not None and Reference(strips).pieces >= known.pieces / 3

    def _crept_away(self, sample: _Sample) -> bool:
        """Held against the first view, now and then: what is usual follows a mount that sinks."""
        if self._first is not None and self._samples % 10 == 0:
            self._crept = self._aside(self._first.find(sample.strips))
        return self._crept

    def _is_defocused(self, kept: KeptView) -> bool | None:
        """None where no look was taken, or too few edges stand out of the noise."""
        settings = self._settings
        if self._sharp is None or kept.sharp_samples == 0:
            return None
        noise, light = min(self._noise), self._sharp.level + 1
        now = lens(self._sharp, noise)
        # where the edges that there should be would stand out of the noise
        usable = kept.clear & (kept.slopes * light > 3.0) & (kept.bends * kept.slopes * light > max(0.5, 2.5 * noise))
        if np.count_nonzero(usable) < settings.least_pieces:
            return None
        sloped = now.slopes >= settings.washed_out * kept.slopes
        times = np.where(sloped, now.bends, 0)[usable] / kept.bends[usable]
        return bool(np.quantile(times, settings.defocused_share) < settings.defocused_times)

    # -- learning --------------------------------------------------------------------------------------------------------------

    def _learn(self, sample: _Sample, elapsed_s: float) -> None:
        self._looked_s += elapsed_s
        if not all(latch.quiet for latch in self._latches.values()):
            return
        kept = self._kept
        if kept is None:
            self._learn_first(sample)
            return
        share = min(1.0, elapsed_s / min(self._settings.adapt_s, kept.learned_s + elapsed_s))
        kept = replace(
            kept, strips=Strips(*(_toward(old, new, share) for old, new in zip(kept.strips, sample.strips, strict=True))),
            learned_s=kept.learned_s + elapsed_s, blown=kept.blown + share * (sample.blown - kept.blown),
            restless=_calm(kept.restless, sample.changed),
        )  # fmt: skip
        self._kept = self._sharpened(kept)
        if kept.first is None and kept.learned_s >= self._settings.adapt_s:
            self._kept = replace(self._kept, first=kept.strips)
        if kept.learned_s - self._prepared_s >= self._settings.learn_s:
            self._prepare()

    def _learn_first(self, sample: _Sample) -> None:
        """The first look of all: from here on it is a mean that gets older."""
        if sample.lit < self._settings.black_share or Reference(sample.strips).pieces < self._settings.least_pieces:
            return
        nothing = np.zeros((SHARP_DOWN, SHARP_ACROSS), np.float32)
        self._kept = KeptView(
            frame_px=self._frame_px, strips=sample.strips, first=None, learned_s=self._settings.sample_s, bends=nothing, slopes=nothing,
            clear=nothing > 0, sharp_samples=0, blown=sample.blown, restless=sample.changed, standstill_s=0.0,
        )  # fmt: skip

    def _sharpened(self, kept: KeptView) -> KeptView:
        """Field by field, and only where there is something to learn from: a dark night teaches nothing about the lens."""
        if self._sharp is None:
            return kept
        now = lens(self._sharp, min(self._noise))
        every_s = self._settings.sharp_every * self._settings.sample_s
        share = max(1 / (kept.sharp_samples + 1), every_s / self._settings.adapt_s)
        weight = np.where(now.clear, np.where(kept.clear, np.float32(share), np.float32(1)), np.float32(0))
        return replace(
            kept, bends=kept.bends + weight * (now.bends - kept.bends), slopes=kept.slopes + weight * (now.slopes - kept.slopes),
            clear=kept.clear | now.clear, sharp_samples=kept.sharp_samples + 1,
        )  # fmt: skip

    def _prepare(self) -> None:
        """A reference is prepared for searching now and then, not with each step of what is usual; none before it is learned."""
        kept = self._kept
        if kept is None or kept.learned_s < self._settings.learn_s:
            return
        self._reference, self._prepared_s = Reference(kept.strips), kept.learned_s
        self._first = None if kept.first is None else Reference(kept.first)


def _toward(old: Floats, new: Floats, share: float) -> Floats:
    return np.asarray(cv2.addWeighted(old, 1 - share, new, share, 0), np.float32)


def _calm(usual: float, changed: float) -> float:
    """Sinks quickly and rises slowly: what changes when little does."""
    return usual + (changed - usual) * (0.05 if changed < usual else 0.002)
