"""`python -m tools.behaviour`: ordinary passes and staged incidents through the watcher and the risk rules; docs/BEHAVIOUR.md."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from agent.errors import DoorwardError
from agent.progress import Progress
from tools.behaviour.cost import cost
from tools.behaviour.report import Results, figures, told, write
from tools.behaviour.runs import FILMED, Job, filmed, ordinary, remembered, staged
from tools.behaviour.staged import INCIDENTS
from tools.behaviour.usual import record
from tools.bench.figures import plain

DOCS = Path(__file__).resolve().parents[2] / "docs"
SEED = 1
TIMES = 3.0
USUAL_VISITS, USUAL_SEED = 1200, 77


def main(argv: list[str] | None = None) -> int:
    """0 when everything could be measured, goals met or missed; 1 when it could not."""
    args = _parser().parse_args(argv)
    try:
        if args.usual:
            record(remembered(Job(count=USUAL_VISITS, seed=USUAL_SEED, times=1.0)))
            return 0
        results = _measured(args)
    except (DoorwardError, OSError, ValueError) as error:
        print(f"behaviour: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(msgspec.json.encode(results).decode())
    else:
        _print(results)
    if args.passes < FULL_PASSES or args.no_pictures:
        print("docs/BEHAVIOUR.md was left as it is: only a full run may write it", file=sys.stderr)
        return 0
    write(DOCS, results)
    print("docs/BEHAVIOUR.md is written", file=sys.stderr)
    return 0


FULL_PASSES = 2000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.behaviour",
                                     description="False alarms, detection, delay and cost of behaviour; about twenty minutes.")  # fmt: skip
    parser.add_argument(
        "--passes", type=int, default=2400, metavar="N", help="ordinary passes, half of them at each of two doors"
    )
    parser.add_argument("--each", type=int, default=20, metavar="N", help="staged incidents of each kind")
    parser.add_argument("--filmed", type=int, default=2, metavar="N", help="staged incidents of each kind with real pictures")
    parser.add_argument("--no-pictures", action="store_true", help="leave out what needs the chain: pictures and cost")
    parser.add_argument("--json", action="store_true", help="everything as one JSON object on standard output")
    parser.add_argument(
        "--usual", action="store_true", help="record the ordinary weeks of the demo's door anew, and nothing else"
    )
    return parser


def _measured(args: argparse.Namespace) -> Results:
    half, few = args.passes // 2, max(args.each // 4, 1)
    shots = 0 if args.no_pictures else args.filmed
    total = 2 * half + half + len(INCIDENTS) * (args.each + few) + len(FILMED) * shots
    bar = Progress(total, "episodes", sys.stderr, time.monotonic)
    seen = staged(args.each, 1.0, bar.step)
    bar.note(f"staged: {told(seen)}")
    worse = staged(few, TIMES, bar.step)
    bar.note(f"staged, errors {TIMES:g} times as large: {told(worse)}")
    shown = filmed(shots, bar.step) if shots else []
    if shots:
        bar.note(f"staged, real pictures: {told(shown)}")
    passed = ordinary(2, half, SEED, 1.0, bar.step)
    bar.note(f"ordinary: {sum(each.alerted for each in passed)} alerts in {len(passed)} passes")
    harder = ordinary(2, half // 2, SEED + 100, TIMES, bar.step)
    bar.finish()
    return Results(ordinary=tuple(passed), harder=tuple(harder), staged=tuple(seen), staged_harder=tuple(worse), filmed=tuple(shown),
                   cost=None if args.no_pictures else cost(450, 60), times=TIMES)  # fmt: skip


def _print(results: Results) -> None:
    for figure in figures(results):
        met = {True: "met", False: "MISSED", None: ""}[figure.met]
        print(f"{figure.what:72} {plain(figure.value):>8} {figure.unit:4} {figure.goal and f'({figure.goal}: {met})'}")


if __name__ == "__main__":
    sys.exit(main())
