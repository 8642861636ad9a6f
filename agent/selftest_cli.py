"""`doorward selftest`: an installer's walk through everything that is wired to a door, with a report to hand over."""

from __future__ import annotations

import argparse
import platform
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from agent import __version__
from agent.config import Config, load_config
from agent.door_at_rest import at_rest
from agent.errors import ConfigError
from agent.programs_cli import DEFAULT_CONFIG

DONE, FINDING = 0, 1
EXITS = "Exit status: 0 all is well, 1 findings, 2 wrong usage, or the door program runs."


def add_parser(subparsers: Any) -> None:
    """Adds `selftest` to the program's subcommands."""
    from agent.selftest.names import NAMES

    line = "walk through reader, inputs, lock, camera, broker: what is wrong, and which wire"
    parser = subparsers.add_parser("selftest", help=line, description=f"{line}; docs/INSTALL.md shows it", epilog=EXITS)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--only", default="", metavar="STEPS", help=f"some of the steps, with commas between: {', '.join(NAMES)}")
    parser.add_argument("--yes", action="store_true", help="consent to what moves: the relay is switched for seconds")
    parser.add_argument(
        "--timeout", type=float, default=45.0, metavar="S", help="how long a hand is waited for (default: %(default)s)"
    )
    parser.add_argument(
        "--hold", type=float, default=4.0, metavar="S", help="how long a held door is pulled at (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the report goes (default: this folder)")
    parser.add_argument("--picture", action="store_true", help="put what the camera sees into the report; ask whoever is in it")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line on standard output: steps, what to do, results"
    )
    parser.set_defaults(func=selftest)


def selftest(args: argparse.Namespace) -> int:
    """0 all well, 1 findings. Raises ConfigError while the door or the vision program runs."""
    from agent.selftest.names import chosen

    only = chosen(args.only)
    config = load_config(args.config)
    if not args.out.is_dir():
        raise ConfigError(f"--out {args.out}: there is no such folder")
    with at_rest(config, "the self-test"):
        return _walk(args, config, only)


def _walk(args: argparse.Namespace, config: Config, only: frozenset[str]) -> int:
    from agent.selftest.bench import Bench
    from agent.selftest.installer import Installer
    from agent.selftest.names import NAMES
    from agent.selftest.report import save_report
    from agent.selftest.result import Report
    from agent.selftest.steps import Options, SelfTest

    installer = Installer(sys.stderr, sys.stdout, sys.stdin, json=args.json, yes=args.yes)
    bench = Bench(config)
    try:
        walk = SelfTest(
            config, bench, installer, Options(only=only, timeout_s=args.timeout, hold_s=args.hold, picture=args.picture)
        )
        installer.begins(f"{config.site}/{config.door}", len(walk.steps()))
        results = walk.run()
    finally:
        bench.close()
    report = Report(site=config.site, door=config.door, made_at=datetime.now(timezone.utc), versions=versions(config), results=results,
                    left_out=tuple(name for name in NAMES if only and name not in only), picture_jpeg=walk.picture)  # fmt: skip
    files = save_report(args.out, report)
    installer.ends(report.well, report.findings, [str(path) for path in files])
    return DONE if report.well else FINDING


def versions(config: Config) -> dict[str, str]:
    """What the report says of the machine."""
    from models_tflite.manifest import load_manifest

    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    model = Path("/proc/device-tree/model")
    board = model.read_text().rstrip("\0") if model.exists() else platform.machine()
    return {"doorward": __version__, "python": platform.python_version(), "kernel": platform.release(), "board": board,
            "pins": config.board.pins, "embedder": manifest.embedder_id}  # fmt: skip
