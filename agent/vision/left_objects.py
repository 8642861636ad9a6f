"""Something that was left behind, or carried off, on a piece of floor: what stands still there and was not there before.

Once or twice a second the region's pixels, a quarter as fine, are brought to the usual light and held against two backgrounds: what has been
seen for some seconds (`now`) and what is usual (`usual`). Where both are steady and differ, after somebody was there, something
was left or taken; the edges along its border say which: they belong to the picture that has the thing (Tian et al., IEEE T-SMC C
41(5), 2011, tell abandoned from removed objects so). A shadow or a patch of sun keeps the floor's own texture, or its colour. What stays for
hours becomes usual. The backgrounds are in memory only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.core.messages import Box
from agent.vision.faces import Floats
from hw.interfaces import Pixels

_Bits = NDArray[np.uint8]
Polygon = Sequence[tuple[float, float]]
"""Corners in pixels of the frame."""


_BESIDE = np.ones((15, 15), np.uint8)
"""What is this near to somebody, in the small picture, is beside them."""


class ObjectSettings(Struct, frozen=True, kw_only=True):
    """Levels are of 255; sizes in pixels of the small picture."""

    sample_s: float = 0.75
    across: int = 320
    """How wide a whole frame would be: 1280 px are reduced to a quarter."""
    stays_s: float = 15.0
    """Told when it has stood still for so long."""
    usual_s: float = 2 * 3600.0
    """What has been there for so long is usual."""
    steady_s: float = 2.0
    learn_s: float = 3.0
    """Steady for so long: usual, where nothing is known yet."""
    adapt_s: float = 240.0
    """Time constant of the usual picture where nothing is strange: the day's light wanders."""
    light_s: float = 15.0
    """And where only the light is strange."""
    level: float = 14.0
    """Less than this is no difference,"""
    share: float = 0.05
    """nor is less than this share of the brightness,"""
    noise_times: float = 5.0
    """nor what the noise there explains."""
    least_area: int = 60
    """In 1280 x 720 some 31 px square,"""
    least_across: int = 5
    """and nowhere narrower than a square of this side fits in: edges of light are long and narrow."""
    most_share: float = 0.45
    """When more of the region is strange, the light or the camera is another."""
    after_s: float = 25.0
    """Somebody was there so long before it appeared, at most."""
    covered_s: float = 2.0
    """So long after somebody was seen over it a place is still covered: the search for bodies misses some."""
    alone_s: float = 4.0
    """Nobody has stood so near for so long: what somebody stands beside is not left behind, and may be their shadow."""
    gone_s: float = 3.0
    same_texture: float = 0.35
    """Correlation of what is finer than some pixels, above which it is the same floor in another light."""
    texture_level: float = 2.0
    chroma_level: float = 16.0
    """A plain patch that is redder or bluer by less than this is light on a plain floor,"""
    light_times: tuple[float, float] = (0.45, 2.2)
    """if it is not so much darker or brighter as lamps seldom make it."""
    same_place: float = 0.75
    """Share of a thing's first outline that it still covers; it may have been half hidden then."""
    most_things: int = 8


class StrangeThing(NamedTuple):
    """Something that is there now and was not, or the other way round."""

    what: Literal["left", "taken"]
    box_px: Box
    foot_px: tuple[float, float]
    """The middle of its lower edge: where it stands on the floor."""
    since_s: float
    confidence: float
    person: int | None
    """Who was last seen over it before, as the caller numbers people; None where that is not known."""


@dataclass
class _Thing:
    """A patch that is strange, followed over samples."""

    box: tuple[int, int, int, int]
    mask: _Bits
    """Of the region's size."""
    first: _Bits
    """As it was in its first samples: a thing does not creep, as light does."""
    since_s: float
    seen_s: float
    person: int | None
    with_somebody: bool
    beside_s: float
    """When somebody was last beside it."""
    samples: int = 0
    solid: int = 0
    """In how many of them it was no light."""
    leftness: float = 0.0
    """Sum over samples: above zero its edges are in the picture of now."""


class _View:
    """The backgrounds of one region."""

    def __init__(self, frame_px: tuple[int, int], region: Polygon, across: int) -> None:
        self.frame_px = frame_px
        step = max(2, round(frame_px[0] / across))
        self.scale = 1 / step
        corners = np.asarray(region, np.float32).reshape(-1, 2)
        low = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int) if len(corners) else np.zeros(2, int)
        high = np.minimum(np.ceil(corners.max(axis=0)), frame_px).astype(int) if len(corners) else np.zeros(2, int)
        self.left, self.top = int(low[0]), int(low[1])
        self.size = (max(0, int(high[0]) - self.left) // step, max(0, int(high[1]) - self.top) // step)
        self.cut = np.s_[self.top : self.top + step * self.size[1], self.left : self.left + step * self.size[0]]
        self.empty = min(self.size) < 8
        if self.empty:
            return
        self.region = np.zeros(self.size[::-1], np.uint8)
        cv2.fillPoly(self.region, [np.round((corners - low) * self.scale).astype(np.int32)], 1)
        self.now, self.usual = (np.zeros((3, *self.size[::-1]), np.float32) for _ in range(2))
        self.floor = np.zeros(self.size[::-1], np.float32)
        """Brightness where nothing is strange: its texture shows under any light."""
        self.blown, self.known = (np.zeros(self.size[::-1], bool) for _ in range(2))
        self.age_s, self.covered_s = (np.zeros(self.size[::-1], np.float32) for _ in range(2))
        self.covered_s -= 1e9
        self.covered_by = np.full(self.size[::-1], -1, np.int32)
        self.noise = np.full(self.size[::-1], 2.0, np.float32)
        self.begun = False

    def small(self, pixels: Pixels) -> Floats:
        """Blue, green, red x height x width."""
        small = cv2.resize(pixels[self.cut], self.size, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(small.transpose(2, 0, 1), np.float32)

    def to_small(self, box: Box, wider: float = 0.0) -> tuple[int, int, int, int]:
        """Left, top, right, bottom inside the region, the box made wider by a share of its size on each side."""
        x, y, width, height = box
        left, right = (x - wider * width - self.left) * self.scale, (x + (1 + wider) * width - self.left) * self.scale
        top, bottom = (y - wider * height - self.top) * self.scale, (y + (1 + wider) * height - self.top) * self.scale
        across, down = self.size
        return (min(max(int(left), 0), across), min(max(int(top), 0), down),
                min(max(int(right) + 1, 0), across), min(max(int(bottom) + 1, 0), down))  # fmt: skip

    def to_frame(self, left: int, top: int, width: int, height: int) -> Box:
        return left / self.scale + self.left, top / self.scale + self.top, width / self.scale, height / self.scale


class ObjectWatch:
    """Call `take` with each frame; it works each `sample_s`. One per camera; not thread-safe. It reads no clock."""

    def __init__(self, settings: ObjectSettings | None = None) -> None:
        self._settings = settings or ObjectSettings()
        self._view: _View | None = None
        self._fits: tuple[object, ...] = ()
        self._things: list[_Thing] = []
        self._told: tuple[StrangeThing, ...] = ()
        self._seen_s = -1e9
        self._strange_s = 0.0

    def take(self, pixels: Pixels, taken_s: float, people: Sequence[Box], region: Polygon,
             numbers: Sequence[int] = ()) -> tuple[StrangeThing, ...]:  # fmt: skip
        """What was left in the region or taken from it, as of the last sample.

        `pixels`: height x width x 3, BGR. `people`: boxes of everybody in view; `numbers`: their tracks, in the same order.
        `region`: corners of the floor that is watched, in pixels of the frame; another one, or frames of another size, begin anew.
        """
        if 0 <= taken_s - self._seen_s < self._settings.sample_s:
            return self._told
        view = self._fit(pixels, taken_s, region)
        elapsed_s = min(taken_s - self._seen_s, 2 * self._settings.sample_s)
        self._seen_s = taken_s
        if view.empty:
            return ()
        seen = self._uncovered(view, people, numbers, taken_s)
        if np.count_nonzero(seen) < 0.15 * np.count_nonzero(view.region):
            return self._told
        now = view.small(pixels)
        view.blown = np.minimum(np.minimum(now[0], now[1]), now[2]) >= 250
        now = self._in_usual_light(view, now, seen)
        self._follow(view, now, seen, elapsed_s)
        self._judge(view, seen, taken_s, elapsed_s)
        self._told = tuple(self._tell(view, thing) for thing in self._things if self._is_told(thing, taken_s))
        return self._told

    def _fit(self, pixels: Pixels, taken_s: float, region: Polygon) -> _View:
        """Another size, another region, or a clock that went back begin anew."""
        fits = (pixels.shape, tuple(region))
        if self._view is None or self._fits != fits or taken_s < self._seen_s:
            height, width = pixels.shape[:2]
            self._view, self._fits = _View((width, height), region, self._settings.across), fits
            self._things, self._told, self._seen_s, self._strange_s = [], (), taken_s - self._settings.sample_s, 0.0
        return self._view

    # -- backgrounds ---------------------------------------------------------------------------------------------------------------

    def _uncovered(self, view: _View, people: Sequence[Box], numbers: Sequence[int], now_s: float) -> NDArray[np.bool_]:
        """Where nobody stands before the floor. Who covers what is remembered: they may have put something down there."""
        for i, box in enumerate(people):
            left, top, right, bottom = view.to_small(box, 0.15)
            part = np.s_[top:bottom, left:right]
            view.covered_s[part] = now_s
            view.covered_by[part] = numbers[i] if i < len(numbers) else -1
        return (view.covered_s < now_s - self._settings.covered_s) & (view.region > 0)

    def _in_usual_light(self, view: _View, now: Floats, seen: NDArray[np.bool_]) -> Floats:
        """Each channel times what makes most pixels what they usually are: exposure, white balance, most lamps."""
        few = np.s_[::3, ::3]
        now_few, usual_few = now[:, ::3, ::3], view.usual[:, ::3, ::3]
        here = seen[few] & view.known[few] & (now_few.max(axis=0) < 245)
        if np.count_nonzero(here) < 30:
            return now
        gain = np.median((usual_few[:, here] + 6) / (now_few[:, here] + 6), axis=1).astype(np.float32)
        return np.asarray((now + 6) * np.clip(gain, 0.3, 3.0)[:, None, None] - 6, np.float32)

    def _follow(self, view: _View, now: Floats, seen: NDArray[np.bool_], elapsed_s: float) -> None:
        """What stands still gets older, what changes begins anew, what is covered stays as it was."""
        if not view.begun:
            view.now[:], view.begun = now, True
        apart = now - view.now
        differs = _most(apart)
        moved = seen & (differs > np.maximum(10.0, 4 * view.noise))
        steady = (seen & ~moved).astype(np.float32)
        view.age_s += elapsed_s * steady
        view.age_s[moved] = 0.0
        view.now += np.maximum(0.25 * steady, moved) * apart
        view.noise += 0.03 * steady * (np.minimum(differs, 8.0) - view.noise)

    def _strange(self, view: _View) -> _Bits:
        """1 where what stands still is not the usual; specks are dropped, cracks are closed."""
        settings = self._settings
        limit = np.maximum(settings.level, settings.noise_times * view.noise) + settings.share * view.usual[1]
        strange = (_most(view.now - view.usual) > limit) & view.known & (view.age_s >= settings.steady_s)
        opened = cv2.morphologyEx(strange.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8)) & view.region, np.uint8)

    def _learn(self, view: _View, strange: _Bits, now_s: float, elapsed_s: float) -> None:
        """New floor is usual as soon as it is steady; strange patches teach nothing, nor does the floor about somebody's feet."""
        settings = self._settings
        beside = (view.covered_s > now_s - settings.alone_s).astype(np.uint8)
        steady = (view.age_s >= settings.learn_s) & (cv2.dilate(beside, _BESIDE) == 0)
        calm = view.known & steady & (cv2.dilate(strange, np.ones((5, 5), np.uint8)) == 0)
        new = steady & ~view.known
        share = np.maximum(calm * np.float32(min(1.0, elapsed_s / settings.adapt_s)), new)
        view.usual += share * (view.now - view.usual)
        view.floor += share * (_luma(view.now) - view.floor)
        view.known |= new

    # -- things --------------------------------------------------------------------------------------------------------------------

    def _judge(self, view: _View, seen: NDArray[np.bool_], now_s: float, elapsed_s: float) -> None:
        strange = self._strange(view)
        self._learn(view, strange, now_s, elapsed_s)
        if self._is_another_light(view, strange, elapsed_s):
            return
        for mask, box in self._patches(strange):
            thing = self._thing(view, mask, box, now_s)
            cut = _Cut(view, mask, box)
            if self._is_solid(cut):
                thing.solid += 1
                thing.leftness += _leftness(cut)
            elif now_s - thing.beside_s >= self._settings.alone_s:  # else it may be the shadow of somebody who will go
                share = mask * np.float32(min(1.0, elapsed_s / self._settings.light_s))
                view.usual += share * (view.now - view.usual)
            thing.samples += 1
        self._forget(view, seen, now_s)

    def _is_another_light(self, view: _View, strange: _Bits, elapsed_s: float) -> bool:
        """Too much is strange at once for a thing. When that lasts, everything as it stands becomes usual."""
        share = cv2.countNonZero(strange) / max(1, cv2.countNonZero(view.region))
        self._strange_s = self._strange_s + elapsed_s if share > self._settings.most_share else 0.0
        if self._strange_s > 10.0:
            view.known[:] = False
            self._things = []
        return bool(share > self._settings.most_share)

    def _patches(self, strange: _Bits) -> list[tuple[_Bits, tuple[int, int, int, int]]]:
        """Connected patches that are large enough, largest first, with their boxes (left, top, width, height)."""
        count, labels, stats, _ = cv2.connectedComponentsWithStats(strange, connectivity=8)
        large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= self._settings.least_area]
        large.sort(key=lambda i: -int(stats[i, cv2.CC_STAT_AREA]))
        masks = [((labels == i).astype(np.uint8), i) for i in large[: self._settings.most_things]]
        square = np.ones((self._settings.least_across, self._settings.least_across), np.uint8)
        return [(mask, (int(stats[i, 0]), int(stats[i, 1]), int(stats[i, 2]), int(stats[i, 3])))
                for mask, i in masks if cv2.countNonZero(cv2.erode(mask, square)) > 0]  # fmt: skip

    def _thing(self, view: _View, mask: _Bits, box: tuple[int, int, int, int], now_s: float) -> _Thing:
        """The thing that this patch goes on with, or a new one."""
        area = np.count_nonzero(mask)
        beside_s = float(view.covered_s[cv2.dilate(mask, _BESIDE) > 0].max())
        for thing in self._things:
            both = np.count_nonzero(mask & thing.mask)
            if both > 0.5 * min(area, np.count_nonzero(thing.mask)):
                thing.first = mask if thing.samples < 5 else thing.first
                thing.mask, thing.box, thing.seen_s, thing.beside_s = mask, box, now_s, beside_s
                return thing
        thing = self._new_thing(view, mask, box, now_s, beside_s)
        self._things.append(thing)
        del self._things[: -self._settings.most_things]
        return thing

    def _new_thing(self, view: _View, mask: _Bits, box: tuple[int, int, int, int], now_s: float, beside_s: float) -> _Thing:
        """Since when, and who was over it before: the last who covered a part of it, or its neighbourhood."""
        since_s = now_s - float(np.median(view.age_s[mask > 0]))
        near = (cv2.dilate(mask, _BESIDE) > 0) & (view.covered_s >= beside_s - 1.0)
        numbers = view.covered_by[near]
        person = int(np.bincount(numbers[numbers >= 0]).argmax()) if (numbers >= 0).any() else None
        return _Thing(box, mask, mask, since_s, now_s, person, since_s - beside_s < self._settings.after_s, beside_s)

    def _is_solid(self, cut: _Cut) -> bool:
        """Whether it is more than the same floor in another light."""
        settings, inside = self._settings, cut.inside
        now, usual = cut.now_luma, cut.usual_luma
        if np.count_nonzero(cut.blown) > 0.5 * np.count_nonzero(inside):
            return False
        fine_now, fine_floor = _fine(now, inside), _fine(cut.floor, inside)
        spread_now, spread_floor = float(fine_now.std()), float(fine_floor.std())
        if spread_floor > settings.texture_level:
            like = float((fine_now * fine_floor).mean()) / max(spread_now * spread_floor, 1e-6)
            return like < settings.same_texture
        if spread_now > max(1.5 * settings.texture_level, 1.6 * spread_floor):  # light brings no texture
            return True
        times = float(np.median((now[inside] + 1) / (usual[inside] + 1)))
        low, high = settings.light_times
        return not low < times < high or cut.chroma(times) > settings.chroma_level

    def _forget(self, view: _View, seen: NDArray[np.bool_], now_s: float) -> None:
        """What is seen to be as usual again is over, and what has been there for hours is usual."""
        kept = []
        for thing in self._things:
            inside = thing.mask > 0
            if now_s - thing.since_s > self._settings.usual_s:
                view.usual[:, inside] = view.now[:, inside]
                view.floor[inside] = _luma(view.now)[inside]
                continue
            hidden = np.count_nonzero(inside & seen) < 0.7 * np.count_nonzero(inside)
            if hidden:
                thing.seen_s = now_s
            if now_s - thing.seen_s <= self._settings.gone_s:
                kept.append(thing)
        self._things = kept

    def _is_told(self, thing: _Thing, now_s: float) -> bool:
        settings = self._settings
        if now_s - thing.since_s < settings.stays_s or now_s - thing.beside_s < settings.alone_s or not thing.with_somebody:
            return False
        stays = np.count_nonzero(thing.mask & thing.first) > settings.same_place * np.count_nonzero(thing.first)
        return bool(stays and thing.samples >= 5 and thing.solid > 0.75 * thing.samples)

    def _tell(self, view: _View, thing: _Thing) -> StrangeThing:
        x, y, width, height = view.to_frame(*thing.box)
        sure = min(1.0, abs(thing.leftness) / max(thing.solid, 1) / 0.7)
        return StrangeThing("left" if thing.leftness >= 0 else "taken", (x, y, width, height), (x + width / 2, y + height),
                            thing.since_s, round(0.4 + 0.5 * sure, 2), thing.person)  # fmt: skip


class _Cut:
    """A patch with a margin around it, in both pictures."""

    def __init__(self, view: _View, mask: _Bits, box: tuple[int, int, int, int]) -> None:
        left, top, width, height = box
        part = np.s_[max(0, top - 5) : top + height + 5, max(0, left - 5) : left + width + 5]
        self.mask = mask[part]
        self.now, self.usual = view.now[:, part[0], part[1]], view.usual[:, part[0], part[1]]
        self.now_luma, self.usual_luma = _luma(self.now), _luma(self.usual)
        self.floor = view.floor[part]
        inner = cv2.erode(self.mask, np.ones((3, 3), np.uint8)) > 0
        self.inside: NDArray[np.bool_] = inner if np.count_nonzero(inner) >= 20 else self.mask > 0
        self.blown = view.blown[part] & self.inside

    def chroma(self, times: float) -> float:
        """How far its colour is from the floor's, once that is as bright."""
        apart = self.now[:, self.inside].mean(axis=1) - self.usual[:, self.inside].mean(axis=1) * times
        return float(np.abs(apart - apart.mean()).max())


def _most(apart: Floats) -> Floats:
    """The largest of three channels' differences."""
    away = np.abs(apart)
    return np.asarray(np.maximum(np.maximum(away[0], away[1]), away[2]), np.float32)


def _luma(picture: Floats) -> Floats:
    return np.asarray(0.114 * picture[0] + 0.587 * picture[1] + 0.299 * picture[2], np.float32)


def _fine(luma: Floats, inside: NDArray[np.bool_]) -> Floats:
    """What is finer than some pixels, as shares of the brightness there, times 100; the patch's own border is no part of it."""
    weight = inside.astype(np.float32)
    mean = cv2.blur(luma * weight, (9, 9)) / np.maximum(cv2.blur(weight, (9, 9)), 1e-3)
    fine = (luma[inside] - mean[inside]) * (100 / (mean[inside] + 20))
    most = 4 * float(np.median(np.abs(fine))) + 0.1  # the edge of a patch of light is no texture
    return np.asarray(np.clip(fine, -most, most), np.float32)


def _leftness(cut: _Cut) -> float:
    """Above zero when the picture of now has the thing: its border is an edge there, and what is inside is unlike what is around."""
    kernel = np.ones((3, 3), np.uint8)
    wide = cv2.dilate(cut.mask, kernel)
    border = (wide - cv2.erode(cut.mask, kernel)) > 0
    edges_now, edges_usual = (float(_slope(picture)[border].mean()) for picture in (cut.now_luma, cut.usual_luma))
    edges = float(np.log((edges_now + 3) / (edges_usual + 3)))
    ring = (cv2.dilate(wide, np.ones((7, 7), np.uint8)) - wide) > 0
    if not ring.any():
        return edges
    inside = cut.mask > 0
    now, usual = (float(np.abs(picture[:, inside].mean(axis=1) - picture[:, ring].mean(axis=1)).max())
                  for picture in (cut.now, cut.usual))  # fmt: skip
    return float(edges + 0.5 * np.log((now + 4) / (usual + 4)))


def _slope(luma: Floats) -> Floats:
    return np.asarray(cv2.magnitude(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)), np.float32)
