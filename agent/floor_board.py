"""Sheets of paper that lie on the floor while it is marked: printed as a PDF, found in a picture.

Four sheets with one large ArUco marker each (Garrido-Jurado et al., Pattern Recognition 47, 2014; OpenCV's 4 x 4 dictionary) are seen
farther, and span more floor, than one board with many small ones: a marker of 16 cm is some 30 px wide in the usual
picture at 3 m, six cells of 5 px, and lies there at a slant.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from msgspec import Struct

from agent.behaviour.ground import Pair
from agent.behaviour.marking import Mark
from agent.errors import ConfigError
from hw.interfaces import Pixels

SHEETS = (1, 2, 3, 4)
MARKER_M = 0.16
PAPERS_MM = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
PT = 72 / 25.4
"""Points of a PDF in a millimetre."""
CELLS = 6
"""Of a marker's side, its black edge included."""
ENLARGE = 2
"""Small markers are looked for in a picture twice as large, too."""


class Layout(Struct, frozen=True, kw_only=True):
    """Where the sheets lie: their middles at the corners of a rectangle before the door, 1 and 2 near it, 1 and 4 at the picture's left."""

    wide_m: float = 1.2
    near_m: float = 2.2
    far_m: float = 3.6

    def middles(self) -> dict[int, Pair]:
        half = self.wide_m / 2
        return {1: (-half, self.near_m), 2: (half, self.near_m), 3: (half, self.far_m), 4: (-half, self.far_m)}


def find_sheets(pixels: Pixels) -> dict[int, list[Pair]]:
    """The sheets in a picture (height x width x 3, BGR): number -> its marker's corners in pixels.

    Far left, far right, near right, near left, as seen from the door.
    """
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    large = np.asarray(cv2.resize(grey, None, fx=ENLARGE, fy=ENLARGE, interpolation=cv2.INTER_CUBIC), np.uint8)
    return _found_in(grey, 1) | _found_in(large, ENLARGE)


def marks_of(found: Mapping[int, list[Pair]], middles: Mapping[int, Pair]) -> list[Mark]:
    """Marks at the corners of the markers. Raises ConfigError when there is no sheet in the picture."""
    if not found:
        raise ConfigError("no sheet is found in the picture: they must lie flat, whole in the picture and without glare, their number"
                          " readable from the door; or nearer, or give points (--point)")  # fmt: skip
    half = MARKER_M / 2
    ways = ((-half, half), (half, half), (half, -half), (-half, -half))
    return [
        (px, (middles[number][0] + dx, middles[number][1] + dy))
        for number, corners in sorted(found.items()) for px, (dx, dy) in zip(corners, ways, strict=True)
    ]  # fmt: skip


def sheets_pdf(paper: str, layout: Layout) -> bytes:
    """A page for each sheet, 1:1. `paper`: a key of PAPERS_MM."""
    width_mm, height_mm = PAPERS_MM[paper]
    return _pdf([_page(number, layout, width_mm, height_mm) for number in SHEETS], width_mm * PT, height_mm * PT)


def marker_cells(number: int) -> Pixels:
    """A marker's cells, CELLS x CELLS, 0 black and 255 white."""
    return np.asarray(cv2.aruco.generateImageMarker(_dictionary(), number - 1, CELLS), np.uint8)


def _dictionary() -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)


def _found_in(grey: Pixels, times: int) -> dict[int, list[Pair]]:
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    settings.minMarkerPerimeterRate = 0.02
    corners, ids, _ = cv2.aruco.ArucoDetector(_dictionary(), settings).detectMarkers(grey)
    if ids is None:
        return {}
    # A pixel's middle is at half a pixel here, at a whole one in OpenCV.
    places = [
        [((float(x) + 0.5) / times, (float(y) + 0.5) / times) for x, y in np.asarray(four).reshape(4, 2)] for four in corners
    ]
    return {
        int(number) + 1: four for number, four in zip(np.asarray(ids).ravel(), places, strict=True) if int(number) + 1 in SHEETS
    }


# -- the PDF: rectangles and lines of text; nothing else is needed, and no library (ISO 32000-1) ----------------------------------------


def _page(number: int, layout: Layout, width_mm: float, height_mm: float) -> str:
    side_mm = MARKER_M * 1000
    left, bottom = (width_mm - side_mm) / 2, height_mm - 25 - side_mm
    x, y = layout.middles()[number]
    side = "left" if x < 0 else "right"
    drawn = [_square(left, bottom, side_mm, marker_cells(number))]
    drawn.append(_text(14, height_mm - 14, 12, f"Doorward floor sheet {number} of {len(SHEETS)}: this edge away from the door"))
    lines = (
        f"Middle of the marker: {abs(x):.2f} m to the {side} (seen from the door), {y:.2f} m from the door.",
        "Lay it flat, edges along the door. Print at 100 %: the bar below is 100 mm long, the black square 160 mm.",
        "Then: doorward floor mark --board" + _options(layout),
    )
    drawn += [_text(14, bottom - 12 - 6 * n, 9.5, line) for n, line in enumerate(lines)]
    drawn += [_bar(14, bottom - 35, 100), _text(14, 12, 12, "this edge towards the door"), _arrow(width_mm / 2 + 20, 10)]
    drawn.append(_text(width_mm - 60, bottom - 45, 60, str(number)))
    return "\n".join(drawn)


def _options(layout: Layout) -> str:
    usual = Layout()
    return "" if layout == usual else f" --rectangle {layout.wide_m:g} {layout.near_m:g} {layout.far_m:g}"


def _square(left_mm: float, bottom_mm: float, side_mm: float, cells: Pixels) -> str:
    cell = side_mm / CELLS
    return "\n".join(
        _filled(left_mm + column * cell, bottom_mm + (CELLS - 1 - row) * cell, cell, cell)
        for row in range(CELLS) for column in range(CELLS) if cells[row, column] == 0
    )  # fmt: skip


def _filled(x_mm: float, y_mm: float, wide_mm: float, high_mm: float) -> str:
    hair = 0.02  # neighbours overlap, or a printer leaves white lines between them
    return (
        f"{(x_mm - hair) * PT:.3f} {(y_mm - hair) * PT:.3f} {(wide_mm + 2 * hair) * PT:.3f} {(high_mm + 2 * hair) * PT:.3f} re f"
    )


def _bar(x_mm: float, y_mm: float, long_mm: float) -> str:
    return "\n".join(
        (_filled(x_mm, y_mm, long_mm, 0.4), _filled(x_mm, y_mm - 2, 0.4, 4), _filled(x_mm + long_mm - 0.4, y_mm - 2, 0.4, 4))
    )


def _arrow(x_mm: float, y_mm: float) -> str:
    points = ((0, 0), (-6, 8), (-2, 8), (-2, 16), (2, 16), (2, 8), (6, 8))
    path = [f"{(x_mm + dx) * PT:.2f} {(y_mm + dy) * PT:.2f} {'m' if n == 0 else 'l'}" for n, (dx, dy) in enumerate(points)]
    return " ".join(path) + " h f"


def _text(x_mm: float, y_mm: float, size_pt: float, words: str) -> str:
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F1 {size_pt:g} Tf {x_mm * PT:.2f} {y_mm * PT:.2f} Td ({escaped}) Tj ET"


def _pdf(pages: list[str], width_pt: float, height_pt: float) -> bytes:
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]  # fmt: skip
    for n, page in enumerate(pages):
        box = f"/MediaBox [0 0 {width_pt:.2f} {height_pt:.2f}]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {box} /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * n} 0 R >>")
        objects.append(f"<< /Length {len(page)} >>\nstream\n{page}\nendstream")
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("ascii")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return bytes(out) + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode("ascii")
