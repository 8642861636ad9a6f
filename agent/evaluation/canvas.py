"""Lines and words for a small figure, written as SVG or drawn as PNG: no plotting library on a machine that measures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from agent.errors import ConfigError
from hw.interfaces import Pixels

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

SUFFIXES = (".svg", ".png")
PNG_TIMES = 2
"""A telephone's screen has two or three pixels where a page has one."""


class PlotError(ConfigError):
    """A figure cannot be written: the text names the file and what is allowed."""


class Line(NamedTuple):
    points: Sequence[Point]
    colour: str
    width: float = 1.0


class Field(NamedTuple):
    """A filled rectangle."""

    at: Point
    """Of its upper left corner."""
    size: Point
    colour: str


class Area(NamedTuple):
    """A filled polygon."""

    points: Sequence[Point]
    colour: str


class Dot(NamedTuple):
    at: Point
    radius: float
    colour: str


class Words(NamedTuple):
    text: str
    """ASCII: OpenCV's letters have nothing else."""
    at: Point
    """Of the baseline."""
    size: float = 16.0
    anchor: Anchor = "start"
    colour: str = "#222222"


Shape = Line | Field | Area | Dot | Words


def require_plot_name(path: Path) -> Path:
    """The path; PlotError for a file that could not be written in the end. Asked before the long work."""
    if path.suffix.lower() not in SUFFIXES:
        raise PlotError(
            f"{path}: a figure is written as {' or '.join(SUFFIXES)}, not as {path.suffix or 'a file without suffix'!r}"
        )
    if not path.parent.is_dir():
        raise PlotError(f"{path}: the folder {path.parent} is not there; make it first")
    return path


def write(path: Path, size: tuple[int, int], shapes: Sequence[Shape], title: str) -> None:
    """Raises PlotError when the file cannot be written."""
    as_svg = path.suffix.lower() == ".svg"
    try:
        path.write_bytes(svg(size, shapes, title).encode() if as_svg else cv2.imencode(".png", png(size, shapes))[1].tobytes())
    except OSError as cause:
        raise PlotError(f"{path}: cannot be written ({cause.strerror})") from cause


def svg(size: tuple[int, int], shapes: Sequence[Shape], title: str) -> str:
    """White ground; scales to whatever shows it. `title` is what a screen reader says."""
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" font-family="sans-serif" role="img">',
             f"<title>{escape(title)}</title>", f'<rect width="{size[0]}" height="{size[1]}" fill="#ffffff"/>']  # fmt: skip
    return "\n".join([*parts, *map(_svg_shape, shapes), "</svg>", ""])


def _svg_shape(shape: Shape) -> str:
    if isinstance(shape, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        return (f'<polyline points="{points}" fill="none" stroke="{shape.colour}" stroke-width="{shape.width:g}"'
                ' stroke-linejoin="round"/>')  # fmt: skip
    if isinstance(shape, Area):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        return f'<polygon points="{points}" fill="{shape.colour}"/>'
    x, y = shape.at
    if isinstance(shape, Field):
        return f'<rect x="{x:.1f}" y="{y:.1f}" width="{shape.size[0]:.1f}" height="{shape.size[1]:.1f}" fill="{shape.colour}"/>'
    if isinstance(shape, Dot):
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{shape.radius:g}" fill="{shape.colour}"/>'
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{shape.size:g}" text-anchor="{shape.anchor}" fill="{shape.colour}">'
            f"{escape(shape.text)}</text>")  # fmt: skip


def png(size: tuple[int, int], shapes: Sequence[Shape]) -> Pixels:
    """BGR."""
    image: Pixels = np.full((size[1] * PNG_TIMES, size[0] * PNG_TIMES, 3), 255, np.uint8)
    for shape in shapes:
        _draw(image, shape)
    return image


def _draw(image: Pixels, shape: Shape) -> None:
    colour = _bgr(shape.colour)
    if isinstance(shape, Line):
        points = np.rint(np.array(shape.points) * PNG_TIMES * 16).astype(np.int32)
        cv2.polylines(image, [points], False, colour, max(1, round(shape.width * PNG_TIMES)), cv2.LINE_AA, 4)
    elif isinstance(shape, Area):
        points = np.rint(np.array(shape.points) * PNG_TIMES * 16).astype(np.int32)
        cv2.fillPoly(image, [points], colour, cv2.LINE_AA, 4)
    elif isinstance(shape, Field):
        corner = (shape.at[0] + shape.size[0], shape.at[1] + shape.size[1])
        cv2.rectangle(image, _whole(shape.at), _whole(corner), colour, cv2.FILLED)
    elif isinstance(shape, Dot):
        cv2.circle(image, _whole(shape.at), round(shape.radius * PNG_TIMES), colour, -1, cv2.LINE_AA)
    else:
        _write(image, shape, colour)


def _write(image: Pixels, words: Words, colour: tuple[int, int, int]) -> None:
    # A letter of Hershey's simplex is 22 px high at scale 1; sans-serif capitals are .72 of the font size.
    scale, thick = words.size * PNG_TIMES * 0.72 / 22, PNG_TIMES if words.size >= 17 else 1
    wide = cv2.getTextSize(words.text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)[0][0]
    x, y = _whole(words.at)
    x -= {"start": 0, "middle": wide // 2, "end": wide}[words.anchor]
    cv2.putText(image, words.text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)


def _whole(at: Point) -> tuple[int, int]:
    return round(at[0] * PNG_TIMES), round(at[1] * PNG_TIMES)


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return blue, green, red
