"""`doorward floor`: mark a floor by points or printed sheets, draw it over the camera's picture, check its file."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from msgspec.structs import replace

from agent.behaviour.floor import FARTHEST_M, FloorFile, Point, parse_floor, read_floor
from agent.behaviour.ground import Ground, Pair
from agent.behaviour.marking import Mark, Marked, solve
from agent.config import Config, load_config
from agent.errors import CameraError, ConfigError
from agent.floor_board import MARKER_M, PAPERS_MM, SHEETS, Layout, find_sheets, marks_of, sheets_pdf
from agent.floor_file import assumed_of, keep, load_plan, read_text, written
from agent.floor_picture import Told, both
from agent.floor_report import Report, against, report_of, sentence, surely
from agent.programs_cli import DEFAULT_CONFIG
from hw.camera_names import lasting_name
from hw.cameras import open_camera
from hw.interfaces import Pixels

DONE, FINDING = 0, 1
WARM_UP_S = 2.0
"""A camera's exposure settles."""
GOOD_CM = 3.0
"""Sheets that lie where they were said to lie are not farther off."""
NUMBER = r"([+-]?\d+(?:\.\d+)?)"
POINT = re.compile(rf"{NUMBER}[,\s]+{NUMBER}\s*(?:=|[,\s])\s*{NUMBER}[,\s]+{NUMBER}\Z")
SHEET = re.compile(rf"(\d)={NUMBER},{NUMBER}\Z")


def add_parser(subparsers: Any) -> None:
    """Adds `floor` and what can be done with one."""
    line = "mark the floor before the camera, so that behaviour is told in metres and zones"
    kinds = subparsers.add_parser("floor", help=line, description=f"{line}; docs/FLOOR.md shows how").add_subparsers(
        metavar="WHAT", required=True
    )
    _add_board(kinds)
    _add_mark(kinds)
    _add_show(kinds)
    _add_check(kinds)


def _add_board(kinds: Any) -> None:
    parser = kinds.add_parser("board", help="print the sheets that are laid on the floor: a PDF of four pages")
    parser.add_argument("out", type=Path, metavar="OUT.pdf")
    parser.add_argument("--paper", choices=sorted(PAPERS_MM), default="a4", help="default: %(default)s")
    _add_rectangle(parser)
    parser.set_defaults(func=board)


def _add_mark(kinds: Any) -> None:
    parser = kinds.add_parser(
        "mark", help="say where points of the picture are on the floor; writes floor.toml, keeps its zones and lines"
    )
    parser.add_argument("--point", action="append", default=[], metavar="PX,PX=M,M",
                        help="pixel and metres of a point of the floor, four times at least: 212,401=-0.5,2.0 is half a metre to the"
                        " left of the door's middle and 2 m before it")  # fmt: skip
    parser.add_argument("--points", type=Path, metavar="FILE", help="the same, a point on each line")
    parser.add_argument("--board", action="store_true", help="find the printed sheets in the picture")
    _add_rectangle(parser)
    parser.add_argument("--sheet", action="append", default=[], metavar="N=X,Y",
                        help="where the middle of sheet N lies, in metres, if not on the rectangle")  # fmt: skip
    parser.add_argument("--frame-px", type=int, nargs=2, metavar=("W", "H"), help="size of the picture that pixels were read from; default:"
                        " that of --picture, else of the configuration")  # fmt: skip
    parser.add_argument("--across-deg", type=float, metavar="N", help="the lens's horizontal angle, where it is known")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: behaviour.floor of the configuration; - prints it")
    _add_common(parser)
    parser.set_defaults(func=mark)


def _add_show(kinds: Any) -> None:
    parser = kinds.add_parser("show", help="draw the floor over the camera's picture, and the plan from above beside it")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    _add_common(parser)
    parser.add_argument("--floor", type=Path, metavar="FILE", help="default: behaviour.floor of the configuration")
    parser.set_defaults(func=show)


def _add_check(kinds: Any) -> None:
    parser = kinds.add_parser(
        "check", help="read floor.toml as the vision program would, and say what is wrong or probably not meant"
    )
    parser.add_argument("--floor", type=Path, metavar="FILE", help="default: behaviour.floor of the configuration")
    _add_common(parser, picture=False)
    parser.set_defaults(func=check)


def _add_rectangle(parser: argparse.ArgumentParser) -> None:
    usual = Layout()
    parser.add_argument("--rectangle", type=float, nargs=3, metavar=("WIDE", "NEAR", "FAR"),
                        default=(usual.wide_m, usual.near_m, usual.far_m),
                        help="where the sheets' middles lie: metres between left and right, and from the door to the near and the far"
                        f" ones; default: {usual.wide_m} {usual.near_m} {usual.far_m}")  # fmt: skip


def _add_common(parser: argparse.ArgumentParser, picture: bool = True) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"default: {DEFAULT_CONFIG}, if there is one")
    if picture:
        parser.add_argument(
            "--picture", type=Path, metavar="FILE", help="a picture of this camera; default: one is taken (stop vision first)"
        )
    parser.add_argument("--json", action="store_true", help="one JSON line on standard output")


# -- commands ------------------------------------------------------------------------------------------------------------------------


def board(args: argparse.Namespace) -> int:
    """Writes the sheets."""
    layout = _layout(args.rectangle)
    try:
        args.out.write_bytes(sheets_pdf(args.paper, layout))
    except OSError as error:
        raise ConfigError(f"{args.out}: cannot be written: {error.strerror}") from error
    print(f"wrote {args.out}: four pages; print at 100 %, measure the bar, lay them out as they say", file=sys.stderr)
    return DONE


def mark(args: argparse.Namespace) -> int:
    """0 when written; ConfigError says what is wrong with the points."""
    config = _config(args)
    path = args.out or Path(_or_default(config).behaviour.floor)
    marks, frame_px = _marks(args, config)
    found = _solved(marks, frame_px, args)
    kept = _kept(path)
    camera = lasting_name(config.vision.camera) if config is not None else kept.camera
    file = replace(kept, camera=camera, frame_px=frame_px, across_deg=args.across_deg, marked_at=datetime.now(timezone.utc),
                   points=tuple(Point(px=px, m=m) for px, m in marks))  # fmt: skip
    plan = parse_floor(written(file), str(path))  # zones drawn in pixels may lie nowhere now
    if str(path) == "-":
        print(written(file), end="")
        return _told(args, report_of(path, plan, marks, found, None), None)
    old = keep(path, file)
    words = f"wrote {path}" + (f", the last one is kept as {old.name}" if old is not None else "")
    return _told(args, report_of(path, plan, marks, found, str(path)), f"{words}; restart vision for it to take it")


def show(args: argparse.Namespace) -> int:
    """Writes a picture."""
    config = _config(args)
    path = args.floor or Path(_or_default(config).behaviour.floor)
    pixels = _picture(args, config)
    frame_px = (pixels.shape[1], pixels.shape[0])
    plan = load_plan(path, assumed_of(_or_default(config), frame_px))
    plan = replace(plan, ground=_fitted(plan.ground, frame_px, path))
    marks, found = _marked_in(path, frame_px)
    report = report_of(path, plan, marks, found, None)
    told = Told(line=sentence(report), more=f"{surely(report)} (circles: one standard deviation)", marks=marks)
    if not cv2.imwrite(str(args.out), both(pixels, plan, told)):
        raise ConfigError(f"{args.out}: cannot be written; a name that ends in .png or .jpg, in a folder that there is")
    return _told(args, replace(report, wrote=str(args.out)), f"wrote {args.out}")


def check(args: argparse.Namespace) -> int:
    """0 fine, 1 when something is probably not meant; ConfigError for what vision would refuse."""
    config = _config(args)
    path = args.floor or Path(_or_default(config).behaviour.floor)
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file; `doorward floor mark` writes it, and until then the lens is assumed")
    usual = _or_default(config)
    plan = load_plan(path, assumed_of(usual))
    marks, found = _marked_in(path, None)
    report = report_of(path, plan, marks, found, None)
    report = replace(report, findings=(*report.findings, *(against(plan, config) if config is not None else ())))
    _told(args, report, f"{path}: {'fine' if not report.findings else 'allowed, but is it meant?'}")
    return FINDING if report.findings else DONE


# -- what is given -------------------------------------------------------------------------------------------------------------------


def _config(args: argparse.Namespace) -> Config | None:
    if args.config is not None:
        return load_config(args.config)
    return load_config(DEFAULT_CONFIG) if DEFAULT_CONFIG.exists() else None


def _or_default(config: Config | None) -> Config:
    return config if config is not None else Config(site="any", door="any")


def _layout(rectangle: Sequence[float]) -> Layout:
    wide, near, far = rectangle
    if not (0.3 <= wide <= FARTHEST_M and 0.2 <= near < far - 0.2 and far <= FARTHEST_M):
        raise ConfigError(f"--rectangle {wide:g} {near:g} {far:g}: at least 0.3 m wide, the near sheets 0.2 m or more before the door, the"
                          " far ones 0.2 m or more behind them")  # fmt: skip
    return Layout(wide_m=wide, near_m=near, far_m=far)


def _marks(args: argparse.Namespace, config: Config | None) -> tuple[list[Mark], tuple[int, int]]:
    """The points, by whichever of the three ways was chosen, and the size of their picture."""
    ways = sum((bool(args.point), args.points is not None, args.board))
    if ways != 1:
        raise ConfigError("give points (--point four times, or --points FILE) or --board: one of these")
    if args.board:
        pixels = _picture(args, config)
        found = find_sheets(pixels)
        print(f"sheets found: {', '.join(map(str, sorted(found))) or 'none'} of {len(SHEETS)}", file=sys.stderr)
        return marks_of(found, _middles(args)), (pixels.shape[1], pixels.shape[0])
    words = args.point if args.point else _lines(args.points)
    return [_point(each) for each in words], _frame_px(args, config)


def _solved(marks: list[Mark], frame_px: tuple[int, int], args: argparse.Namespace) -> Marked:
    """The camera; of sheets that do not go together the one is named that lies elsewhere than it was said to."""
    try:
        return solve(marks, frame_px, args.across_deg)
    except ConfigError as error:
        if args.board:
            for first in range(0, len(marks), 4):
                others = marks[:first] + marks[first + 4 :]
                if _go_together(others, frame_px, args.across_deg):
                    corner = marks[first][1]
                    place = f"{corner[0] + MARKER_M / 2:.2f} m, {corner[1] - MARKER_M / 2:.2f} m"
                    raise ConfigError(
                        f"{error}; the others go together without the sheet at {place}: does it lie there?"
                    ) from error
        raise


def _go_together(marks: list[Mark], frame_px: tuple[int, int], across_deg: float | None) -> bool:
    try:
        return solve(marks, frame_px, across_deg).worst_cm < GOOD_CM
    except ConfigError:
        return False


def _middles(args: argparse.Namespace) -> dict[int, Pair]:
    middles = _layout(args.rectangle).middles()
    for words in args.sheet:
        match = SHEET.match(words)
        if match is None or int(match[1]) not in SHEETS:
            raise ConfigError(f"--sheet {words!r}: N=X,Y with N from 1 to {len(SHEETS)} and metres, like 3=0.6,3.0")
        middles[int(match[1])] = (float(match[2]), float(match[3]))
    return middles


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return [line for raw in text.splitlines() if (line := raw.partition("#")[0].strip())]


def _point(words: str) -> Mark:
    match = POINT.match(words.strip())
    if match is None:
        raise ConfigError(f"point {words!r}: two pixels and two metres, like 212,401=-0.5,2.0")
    u, v, x, y = (float(number) for number in match.groups())
    if max(abs(x), abs(y)) > FARTHEST_M:
        raise ConfigError(f"point {words!r}: metres are within {FARTHEST_M:g} of the door; are these centimetres?")
    return (u, v), (x, y)


def _frame_px(args: argparse.Namespace, config: Config | None) -> tuple[int, int]:
    if args.frame_px is not None:
        return args.frame_px[0], args.frame_px[1]
    if args.picture is not None:
        pixels = _read(args.picture)
        return pixels.shape[1], pixels.shape[0]
    if config is None:
        raise ConfigError(f"how large is the picture? There is no {DEFAULT_CONFIG}: give --config, --picture or --frame-px W H")
    return config.vision.width_px, config.vision.height_px


def _picture(args: argparse.Namespace, config: Config | None) -> Pixels:
    if args.picture is not None:
        return _read(args.picture)
    if config is None:
        raise ConfigError(f"which camera? There is no {DEFAULT_CONFIG}: give --config, or --picture FILE")
    camera = open_camera(config.vision)
    try:
        until_s, newest = time.monotonic() + WARM_UP_S, None
        while (left_s := until_s - time.monotonic()) > 0:
            newest = camera.read(left_s) or newest
    finally:
        camera.close()
    if newest is None:
        raise CameraError(
            "the camera gave no picture: is the vision program still running? `systemctl stop doorward-vision`, or give --picture"
        )
    return newest.pixels


def _read(path: Path) -> Pixels:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if pixels is None:
        raise ConfigError(f"{path}: no picture can be read there; a PNG or JPEG of this camera, in its full size")
    return np.asarray(pixels, np.uint8)


def _kept(path: Path) -> FloorFile:
    """What stands in the file already: zones, lines and the map stay."""
    try:
        return read_floor(read_text(path), str(path))
    except FileNotFoundError:
        return FloorFile()


def _marked_in(path: Path, frame_px: tuple[int, int] | None) -> tuple[tuple[Mark, ...], Marked | None]:
    """The marks of a file, in pictures of this size, and what they say."""
    file = _kept(path)
    if not file.points or file.frame_px is None:
        return (), None
    marks = [(point.px, point.m) for point in file.points]
    found = solve(marks, file.frame_px, file.across_deg)
    times = frame_px[0] / file.frame_px[0] if frame_px is not None else 1.0
    return tuple(((px[0] * times, px[1] * times), m) for px, m in marks), found


def _fitted(ground: Ground, frame_px: tuple[int, int], path: Path) -> Ground:
    fitted = ground.scaled(frame_px)
    if fitted is None:
        was, now = f"{ground.frame_px[0]} x {ground.frame_px[1]}", f"{frame_px[0]} x {frame_px[1]}"
        raise ConfigError(f"{path}: was marked in pictures of {was}, this one has {now}, another shape: mark it anew")
    return fitted


# -- what is told --------------------------------------------------------------------------------------------------------------------


def _told(args: argparse.Namespace, report: Report, last: str | None) -> int:
    if args.json:
        print(msgspec.json.encode(report).decode(), flush=True)
        return DONE
    lines = [sentence(report), surely(report), *(f"note: {finding}" for finding in report.findings)]
    if report.residual_cm is not None:
        lines.insert(1, f"is the camera {report.height_m:.2f} m above the floor? If not, a point is wrong")
    print("\n".join([*lines, *([last] if last else [])]), file=sys.stderr)
    return DONE
