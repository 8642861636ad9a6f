"""`python -m tools.floor_figure docs/pictures/floor.jpg`: what `doorward floor show` draws: the demo's corridor, four sheets on its floor."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent import cli
from agent.floor_board import Layout, marker_cells
from demo.corridor import draw_corridor
from demo.view import View
from hw.interfaces import Pixels

VIEW = View(across_deg=70.0, above_floor_m=2.4, tilt_deg=25.0)
DOCUMENT = Path(__file__).parent.parent / "docs" / "FLOOR.md"
WIDTH_PX = 1200
FINER = 4
CELL_PX = 40
SHEET_PX = 300
"""Side of a sheet with a margin of 2 cm about its marker: 1,500 px a metre."""


def photographed(view: View, layout: Layout, numbers: Sequence[int] = (1, 2, 3, 4)) -> Pixels:
    """The corridor with sheets on its floor, as a camera would see it, BGR."""
    picture = draw_corridor(view, 3)
    for number in numbers:
        picture = _laid(picture, view, layout.middles()[number], _sheet(number))
    noise = np.random.default_rng(1).normal(0, 3, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def _sheet(number: int) -> Pixels:
    sheet = np.full((SHEET_PX, SHEET_PX), 255, np.uint8)
    side = 6 * CELL_PX
    edge = (SHEET_PX - side) // 2
    sheet[edge : edge + side, edge : edge + side] = cv2.resize(
        marker_cells(number), (side, side), interpolation=cv2.INTER_NEAREST
    )
    return sheet


def _laid(picture: Pixels, view: View, middle_m: tuple[float, float], sheet: Pixels) -> Pixels:
    corners = np.array([[0, 0], [SHEET_PX, 0], [SHEET_PX, SHEET_PX], [0, SHEET_PX]], np.float32)
    px_per_m = 6 * CELL_PX / 0.16
    places = [
        view.project(middle_m[0] + (x - SHEET_PX / 2) / px_per_m, 0.0, middle_m[1] - (y - SHEET_PX / 2) / px_per_m)
        for x, y in corners.tolist()
    ]
    onto = cv2.getPerspectiveTransform(corners - np.float32(0.5), np.array(places, np.float32) * FINER - np.float32(0.5))
    drawn, share = (_reduced(cv2.warpPerspective(each, onto, (view.width_px * FINER, view.height_px * FINER)), view)
                    for each in (sheet, np.full_like(sheet, 255)))  # fmt: skip
    return np.asarray(picture * (1 - share / 255) + 0.75 * drawn, np.uint8)


def _reduced(layer: Any, view: View) -> Any:
    small = cv2.resize(layer, (view.width_px, view.height_px), interpolation=cv2.INTER_AREA)
    return small.astype(float)[..., None]


def example() -> str:
    """The zones and lines of the example in docs/FLOOR.md."""
    found = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S)
    if found is None:
        raise ValueError(f"{DOCUMENT}: has no example")
    return found[1][found[1].index("[[zones]]") :]


def main(out: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        photo, floor, drawn = (str(Path(folder) / name) for name in ("photo.png", "floor.toml", "drawn.png"))
        cv2.imwrite(photo, photographed(VIEW, Layout()))
        status = cli.main(["floor", "mark", "--board", "--picture", photo, "--out", floor])
        Path(floor).write_text(Path(floor).read_text("utf-8") + "\n" + example(), "utf-8")
        status = status or cli.main(["floor", "show", drawn, "--floor", floor, "--picture", photo])
        picture = cv2.imread(drawn)
    if status or picture is None:
        return 1
    height = round(picture.shape[0] * WIDTH_PX / picture.shape[1])
    small = cv2.resize(picture, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    return 0 if cv2.imwrite(out, small, [cv2.IMWRITE_JPEG_QUALITY, 85]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
