"""A photograph on paper, held up before a face: the plainest attack on a camera at a door."""

from __future__ import annotations

import cv2
import numpy as np

from demo.catalogue import Portrait
from demo.cutout import NEAREST_M, SMALLEST_FACE_PX, STEP, Sprite, read_picture, see_through
from demo.view import FACE_WIDTH_M, View
from hw.interfaces import Pixels

PAPER_M = (0.21, 0.297)
"""A4."""
PRINTED_FACE_M = 0.12
BORDER_M = 0.006
HAND_M = 0.10
"""Room below the paper for the hand that holds it."""


def prepare_print(portrait: Portrait, view: View) -> list[Sprite]:
    """The held print in falling sizes; the face box is that of the printed face."""
    sprites: list[Sprite] = []
    px_per_m = view.face_px(NEAREST_M - 0.25) / FACE_WIDTH_M
    while PRINTED_FACE_M * px_per_m >= SMALLEST_FACE_PX:
        sprites.append(_print(portrait, px_per_m))
        px_per_m /= STEP
    return sprites


def _print(portrait: Portrait, px_per_m: float) -> Sprite:
    columns, rows = (round(side_m * px_per_m) for side_m in PAPER_M)
    paper = _paper(portrait, columns, rows, px_per_m)
    sheet = np.dstack([paper, np.full((rows, columns), 255, np.uint8)])
    below = np.zeros((round(HAND_M * px_per_m), columns, 4), np.uint8)
    pixels = np.vstack([sheet, below])
    _draw_hand(pixels, rows, px_per_m)
    width = PRINTED_FACE_M * px_per_m
    # The sprite's scale is read off the face box, which stands for 15 cm: so the box is that of a whole face on the print's middle.
    life = FACE_WIDTH_M * px_per_m
    return Sprite(see_through(pixels), ((columns - life) / 2, 0.42 * rows - 0.6 * width, life, 1.25 * width))


def _paper(portrait: Portrait, columns: int, rows: int, px_per_m: float) -> Pixels:
    """Head and shoulders on glossy paper with a white border; blacks are greyer and whites duller than life."""
    x, y, width, height = portrait.face_box_px
    factor = PRINTED_FACE_M * px_per_m / width
    onto = np.array([[factor, 0, columns / 2 - factor * (x + width / 2)], [0, factor, 0.42 * rows - factor * (y + height / 2)]])
    picture = cv2.warpAffine(read_picture(portrait), onto, (columns, rows), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    printed = np.asarray(cv2.convertScaleAbs(cv2.GaussianBlur(picture, (0, 0), max(0.3, 0.3 / factor**0.5)), alpha=0.84, beta=22))
    edge = max(1, round(BORDER_M * px_per_m))
    cv2.rectangle(printed, (0, 0), (columns - 1, rows - 1), (226, 230, 232), 2 * edge)
    shine = np.linspace(0.93, 1.07, columns, dtype=np.float32)[None, :, None]
    return np.asarray(np.clip(printed * shine, 0, 255), np.uint8)


def _draw_hand(pixels: Pixels, paper_rows: int, px_per_m: float) -> None:
    """Four fingers behind the lower edge, a thumb before it and a dark sleeve."""
    middle = round(0.62 * pixels.shape[1])

    def blob(x_m: float, y_m: float, half_m: tuple[float, float], angle_deg: float, colour: tuple[int, int, int]) -> None:
        centre = (middle + round(x_m * px_per_m), paper_rows + round(y_m * px_per_m))
        axes = (max(1, round(half_m[0] * px_per_m)), max(1, round(half_m[1] * px_per_m)))
        cv2.ellipse(pixels, centre, axes, angle_deg, 0, 360, (*colour, 255), -1, cv2.LINE_AA)

    paper = pixels[:paper_rows].copy()
    blob(0.012, 0.100, (0.040, 0.045), 0, (38, 33, 33))
    blob(0.004, 0.030, (0.033, 0.050), -12, (104, 132, 178))
    for finger in range(3):
        blob(
            0.030 - 0.004 * finger,
            0.004 + 0.016 * finger,
            (0.016, 0.008),
            8,
            (112 - 6 * finger, 141 - 7 * finger, 188 - 8 * finger),
        )
    pixels[:] = cv2.GaussianBlur(pixels, (0, 0), max(0.5, 0.004 * px_per_m))
    pixels[:paper_rows] = paper
    blob(-0.022, -0.004, (0.030, 0.011), 58, (116, 148, 196))
    blob(-0.013, -0.020, (0.009, 0.006), 58, (168, 186, 214))
