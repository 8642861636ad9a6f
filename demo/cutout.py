"""A person cut out of a photograph, softly, and prepared in several sizes so that drawing one costs little.

The hand-drawn outline says what is surely person and what surely is not; GrabCut (Rother, Kolmogorov and Blake, 2004) settles the
band between. Below the photograph's lower edge the figure goes on in the colours of its clothes: the camera sees people to the
knees, portraits end at the chest.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from demo.catalogue import Portrait, Rectangle
from demo.people import PeopleError
from demo.view import FACE_WIDTH_M, View
from hw.interfaces import Pixels

CUT_FACE_PX = 80
"""GrabCut runs at the size at which the face is so wide: enough for a feathered edge, and a third of a second."""
BAND_FACES = 0.13
"""Half the width of the undecided band along the outline, in widths of the face."""
SMALLEST_FACE_PX = 12.0
NEAREST_M = 0.8
STEP = math.sqrt(2)
"""Ratio between one prepared size and the next: what is drawn is never shrunk by more, so it does not shimmer."""
FACE_BELOW_CROWN_M = 0.13
COAT_HEM_M = 1.0

Mask = NDArray[np.uint8]


class Sprite(Struct, frozen=True):
    """A figure in one size. `pixels` is BGR already multiplied by alpha, then the transparency, 255 - alpha: laying it over a
    picture is then one product and one sum."""

    pixels: Pixels
    face_box_px: tuple[float, float, float, float]
    """x, y, width, height in the sprite."""

    @property
    def px_per_m(self) -> float:
        return self.face_box_px[2] / FACE_WIDTH_M

    @property
    def face_centre_px(self) -> tuple[float, float]:
        x, y, width, height = self.face_box_px
        return x + width / 2, y + height / 2


def read_picture(portrait: Portrait) -> Pixels:
    """The photograph, BGR; PeopleError when it is not there."""
    pixels = cv2.imread(portrait.file, cv2.IMREAD_COLOR) if Path(portrait.file).is_file() else None
    if pixels is None:
        raise PeopleError(f"{portrait.file}: no picture there: fetch it with `python -m demo.people`")
    return np.asarray(pixels, np.uint8)


def prepare(portrait: Portrait, view: View) -> list[Sprite]:
    """The figure in falling sizes, from as near as a person can be seen whole to a dot in the distance."""
    if len(portrait.outline_px) < 3:
        raise PeopleError(f"{portrait.file}: has no outline and cannot walk: take a portrait whose use is 'approach'")
    largest_px = view.face_px(NEAREST_M)
    lowest = max(row for _, row in portrait.outline_px)
    picture, box = _scaled(read_picture(portrait)[:lowest], portrait.face_box_px, largest_px / portrait.face_box_px[2])
    alpha = _alpha(picture, portrait, box)
    figure, box = _to_the_floor(_premultiply(picture, alpha), box)
    return _sizes(Sprite(figure, box), view)


def _scaled(picture: Pixels, box: Rectangle, factor: float) -> tuple[Pixels, tuple[float, float, float, float]]:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=method), np.uint8)
    return scaled, (box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor)


def _alpha(picture: Pixels, portrait: Portrait, box: tuple[float, float, float, float]) -> Mask:
    """0..255 for each pixel of the picture, feathered along the figure's edge."""
    factor = CUT_FACE_PX / box[2]
    small = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    outline = np.array(portrait.outline_px, np.float64) * (CUT_FACE_PX / portrait.face_box_px[2])
    mask = _trimap(small.shape[:2], outline.astype(np.int32))
    cv2.setRNGSeed(1)
    cv2.grabCut(small, mask, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    inside = _largest_part(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))
    soft = cv2.GaussianBlur(inside * 255, (0, 0), 1.2)
    full = cv2.resize(soft, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
    # Half of the feather lies on the old background: a steeper ramp, moved inwards, leaves no halo of its colour.
    return np.asarray(np.clip((full.astype(np.float32) - 96) * (255 / 144), 0, 255), np.uint8)


def _trimap(shape: tuple[int, ...], outline: NDArray[np.int32]) -> Mask:
    inside = cv2.fillPoly(np.zeros(shape[:2], np.uint8), [outline], 255)
    side = 2 * round(BAND_FACES * CUT_FACE_PX) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    mask = np.full(shape[:2], cv2.GC_BGD, np.uint8)
    mask[cv2.dilate(inside, brush) > 0] = cv2.GC_PR_BGD
    mask[inside > 0] = cv2.GC_PR_FGD
    # What touches the picture's edge goes on beyond it, so the edge itself is no border of the figure.
    mask[cv2.erode(inside, brush, borderType=cv2.BORDER_REPLICATE) > 0] = cv2.GC_FGD
    # Where the photographer cut an elbow off, the outline rounds it: it binds near the picture's sides.
    for strip in (np.s_[:, :side], np.s_[:, -side:]):
        mask[strip][inside[strip] == 0] = cv2.GC_BGD
    return mask


def _largest_part(inside: Mask) -> Mask:
    closed = np.asarray(cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), np.uint8)


def _premultiply(picture: Pixels, alpha: Mask) -> Pixels:
    share = alpha[..., None].astype(np.float32) / 255
    return np.dstack([(picture * share).astype(np.uint8), alpha])


def _to_the_floor(figure: Pixels, box: tuple[float, float, float, float]) -> tuple[Pixels, tuple[float, float, float, float]]:
    """The figure with room at its sides and clothes, legs and shoes down to the floor, as coarse as distance makes them anyway."""
    px_per_m = box[2] / FACE_WIDTH_M
    side_px = round(0.1 * px_per_m)
    figure = cv2.copyMakeBorder(figure, 0, 0, side_px, side_px, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)).astype(np.uint8)
    box = (box[0] + side_px, *box[1:])
    crown_px = int(np.argmax(figure[..., 3].max(axis=1) > 128))
    floor_px = crown_px + round(1.75 * px_per_m)
    if floor_px <= figure.shape[0]:
        return figure, box
    below = _clothes(figure, floor_px - figure.shape[0], box[0] + box[2] / 2, px_per_m)
    return np.vstack([figure, below]), box


def _clothes(figure: Pixels, rows: int, axis_px: float, px_per_m: float) -> Pixels:
    """`rows` more rows: the colour of the clothes above them, in the shape of hips and legs about the body's axis."""
    margin = max(4, round(0.03 * px_per_m))
    solid = np.flatnonzero(figure[-margin:, :, 3].mean(axis=0) > 200)
    widest_px = 0.3 * px_per_m
    ends_px = (float(solid[0]), float(solid[-1])) if len(solid) else (axis_px, axis_px)
    edges_px = (max(ends_px[0], axis_px - widest_px), min(ends_px[1], axis_px + widest_px))
    tall = max(margin, round(0.25 * px_per_m))
    trunk = figure[-tall:, max(0, round(axis_px - 0.2 * px_per_m)) : round(axis_px + 0.1 * px_per_m)].reshape(-1, 4)
    colour = np.median(trunk[trunk[:, 3] > 200][:, :3], axis=0) if (trunk[:, 3] > 200).any() else np.full(3, 40.0)
    shape, shading = _legs(rows, figure.shape[1], edges_px, axis_px, px_per_m)
    pixels = np.clip(_fading(figure[-margin:], colour, rows, px_per_m) * shading[..., None], 0, 255)
    return np.dstack([(pixels * (shape[..., None].astype(np.float32) / 255)).astype(np.uint8), shape])


def _fading(lowest: Pixels, colour: NDArray[np.floating[Any]], rows: int, px_per_m: float) -> NDArray[np.float32]:
    """From the colours of the picture's lowest rows to the one colour of the clothes, within a hand's breadth."""
    alpha = np.maximum(lowest[..., 3].astype(np.float32).mean(axis=0), 1)[:, None]
    above = np.where(alpha > 200, lowest[..., :3].astype(np.float32).mean(axis=0) / alpha * 255, colour)
    above = cv2.GaussianBlur(above[None].astype(np.float32), (0, 0), 0.02 * px_per_m)[0]
    share = np.clip(np.arange(rows, dtype=np.float32) / (0.12 * px_per_m), 0, 1)[:, None, None]
    return np.asarray(above[None] * (1 - share) + colour.astype(np.float32) * share, np.float32)


def _legs(rows: int, columns: int, edges_px: tuple[float, float], axis_px: float,
          px_per_m: float) -> tuple[Mask, NDArray[np.float64]]:  # fmt: skip
    """Alpha and shading of the lower body: from the edges above to hips, then two legs; the last row is the floor."""
    height_m = (rows - np.arange(rows, dtype=np.float64)) / px_per_m
    if height_m[0] < COAT_HEM_M:  # trousers come out from under a coat: nothing narrows
        edges_px = (axis_px - 0.2 * px_per_m, axis_px + 0.2 * px_per_m)
    hips_m = min(0.9, height_m[0] - 0.1)
    heights_m = [0.0, 0.08, hips_m, height_m[0]]
    left = np.interp(height_m, heights_m, [axis_px - 0.17 * px_per_m] * 2 + [axis_px - 0.2 * px_per_m, edges_px[0]])
    right = np.interp(height_m, heights_m, [axis_px + 0.17 * px_per_m] * 2 + [axis_px + 0.2 * px_per_m, edges_px[1]])
    gap = np.interp(height_m, [0.0, 0.78, 0.8], [0.05 * px_per_m, 0.012 * px_per_m, 0.0])
    column = np.arange(columns, dtype=np.float64)[None]
    shoes = (height_m < 0.06) * 0.05 * px_per_m
    left, right = left - shoes, right + shoes
    inside = (column >= left[:, None]) & (column <= right[:, None]) & (np.abs(column - axis_px) >= gap[:, None])
    alpha = cv2.GaussianBlur(inside.astype(np.uint8) * 255, (0, 0), max(0.6, 0.006 * px_per_m))
    across = (column - left[:, None]) / np.maximum(right - left, 1)[:, None]
    shading = (0.75 + 0.45 * np.sin(np.pi * np.clip(across, 0, 1))) * np.linspace(1.0, 0.75, rows)[:, None]
    shading[height_m < 0.07] *= 0.35
    arms = np.exp(-(((np.abs(column - axis_px) / px_per_m - 0.18) / 0.012) ** 2)) * (height_m > 0.75)[:, None]
    shading *= 1 - 0.4 * arms
    return np.asarray(alpha, np.uint8), shading


def _sizes(largest: Sprite, view: View) -> list[Sprite]:
    sprites: list[Sprite] = []
    factor = 1.0
    while largest.face_box_px[2] * factor >= SMALLEST_FACE_PX:
        sprites.append(_shrunk(largest, factor, view))
        factor /= STEP
    return sprites


def _shrunk(sprite: Sprite, factor: float, view: View) -> Sprite:
    """A smaller one, without the rows that the camera cannot see where this size is used."""
    farthest_m = view.focal_px * FACE_WIDTH_M / (sprite.face_box_px[2] * factor) * STEP
    reach_m = 1.75 - FACE_BELOW_CROWN_M - view.lowest_m(farthest_m) + 0.15
    keep = min(sprite.pixels.shape[0], round(sprite.face_centre_px[1] + max(reach_m, 0.4) * sprite.px_per_m))
    size = (max(1, round(sprite.pixels.shape[1] * factor)), max(1, round(keep * factor)))
    pixels = np.asarray(cv2.resize(sprite.pixels[:keep], size, interpolation=cv2.INTER_AREA), np.uint8)
    x, y, width, height = (value * factor for value in sprite.face_box_px)
    return Sprite(see_through(pixels), (x, y, width, height))


def see_through(pixels: Pixels) -> Pixels:
    """Premultiplied BGRA with the alpha channel turned into transparency."""
    return np.dstack([pixels[..., :3], 255 - pixels[..., 3]])
