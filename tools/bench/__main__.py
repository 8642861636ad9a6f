"""`python -m tools.bench`: run the benchmarks, tell their figures, write docs/BENCHMARKS.md."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec

from agent.errors import DoorwardError
from tools.bench.alerts import alerts
from tools.bench.arrival import face_after_fob
from tools.bench.catch_up import catch_up
from tools.bench.chain import vision_chain
from tools.bench.decoding import decoding
from tools.bench.detection import detection
from tools.bench.document import document, write
from tools.bench.figures import Section, Setting, plain
from tools.bench.films import films
from tools.bench.footprint import footprint
from tools.bench.history import history
from tools.bench.kills import kills
from tools.bench.latency import fob_alone, fob_and_face, vision_dead
from tools.bench.live import live
from tools.bench.lookup import lookup
from tools.bench.machine import cores_now, load_average, machine, others_percent
from tools.bench.paint import paint
from tools.bench.readers import readers
from tools.bench.recording import recording
from tools.bench.tracking import tracking
from tools.bench.transfer import transfer

ROOT = Path(__file__).resolve().parents[2]
TRIED = Path(__file__).with_name("tried.md")
SEED = 20
FACES_VARIABLE = "DOORWARD_BENCH_FACES"

BENCHMARKS: dict[str, Callable[[Setting], Section]] = {
    "fob_and_face": fob_and_face,
    "fob_alone": fob_alone,
    "vision_dead": vision_dead,
    "face_after_fob": face_after_fob,
    "vision_chain": vision_chain,
    "detection": detection,
    "tracking": tracking,
    "films": films,
    "footprint": footprint,
    "recording": recording,
    "history": history,
    "kills": kills,
    "catch_up": catch_up,
    "decoding": decoding,
    "lookup": lookup,
    "transfer": transfer,
    "readers": readers,
    "live": live,
    "alerts": alerts,
    "paint": paint,
}


def main(argv: list[str] | None = None) -> int:
    """0 when everything could be measured, goals met or missed; 1 when a benchmark could not run: the others run all the same."""
    args = _parser().parse_args(argv)
    load_before = load_average()
    with tempfile.TemporaryDirectory(prefix="doorward-bench-") as folder:
        setting = Setting(folder=Path(folder), quick=args.quick, seed=SEED, faces=args.faces, say=_say)
        ran = {name: _try(name, setting) for name in args.only or BENCHMARKS}
    sections = [section for section in ran.values() if section is not None]
    failed = [name for name, section in ran.items() if section is None]
    if args.json:
        print(
            msgspec.json.encode(
                {"date": args.date, "machine": machine(), "sections": [_plain_section(s) for s in sections]}
            ).decode()
        )
    if failed:
        _say(f"bench: could not be measured: {', '.join(failed)}; see above")
    if args.quick or args.only:
        _say("docs/BENCHMARKS.md was left as it is: only a full run may write it")
    else:
        page = document(sections, machine(), args.date, (load_before, load_average()), TRIED.read_text("utf-8"), failed)
        write(ROOT / "docs", page, sections)
        _say("docs/BENCHMARKS.md is written")
    return 1 if failed else 0


def _try(name: str, setting: Setting) -> Section | None:
    """None when it could not run: hours of a quiet machine are not thrown away for one of many."""
    try:
        return _run(name, setting)
    except DoorwardError as error:
        _say(f"bench: {name}: {error}")
    except Exception:  # noqa: BLE001 - a fault of the benchmark itself; it is told, and the exit code says so
        _say(f"bench: {name}:\n{traceback.format_exc()}")
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench", description="Measures Doorward on this machine; about half an hour."
    )
    parser.add_argument("--only", action="append", choices=list(BENCHMARKS), metavar="NAME",
                        help="this one (may be given several times): " + ", ".join(BENCHMARKS))  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the repeats: to see that everything runs; writes no document"
    )
    parser.add_argument("--faces", type=Path, default=os.environ.get(FACES_VARIABLE), metavar="DIR",
                        help=f"portraits to measure detection with (default: ${FACES_VARIABLE}, or the demo's own few)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="figures and samples as one JSON object on standard output")
    parser.add_argument("--date", default=date.today().isoformat(), help="what the document calls today (default: %(default)s)")
    return parser


def _run(name: str, setting: Setting) -> Section:
    began_s = time.monotonic()
    _say(f"{name} ...")
    before, load = cores_now(), load_average()
    section = BENCHMARKS[name](setting)
    section = msgspec.structs.replace(section, others_percent=others_percent(before, cores_now()), loads=(load, load_average()))
    for figure in section.figures:
        met = {True: "met", False: "MISSED", None: ""}[figure.met]
        _say(f"  {figure.what}: {plain(figure.value)} {figure.unit}  {figure.goal and f'({figure.goal}: {met})'}".rstrip())
    _say(f"  [{time.monotonic() - began_s:.0f} s; other programs took {section.others_percent:.0f} % of the cores]")
    return section


def _plain_section(section: Section) -> dict[str, object]:
    figures = [{**msgspec.to_builtins(figure), "met": figure.met} for figure in section.figures]
    return {**msgspec.to_builtins(section), "figures": figures}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
