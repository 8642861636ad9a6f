"""`make bundle` and `make bundle-locks`: `python -m tools.bundle [--board NAME …] [--key FILE] [--out DIR] [--json]`, `… locks`."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from tools.bundle.boards import BOARDS
from tools.bundle.build import fetch, make_bundle, tool
from tools.bundle.errors import BundleError
from tools.bundle.own_wheel import build_own_wheel
from tools.bundle.relock import relock_build, relock_targets
from tools.bundle.say import Progress, human, say
from tools.bundle.signing import public_half, signing_key
from tools.bundle.source import Source, read_source

ROOT = Path(__file__).parents[2]


def main() -> int:
    """0 made, 1 not made (and why), 2 wrong usage."""
    args = _parser().parse_args()
    try:
        return _locks(args) if args.what == "locks" else _bundles(args)
    except BundleError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bundle", description="Everything a door needs, in one signed file for each board."
    )
    parser.add_argument(
        "what", nargs="?", choices=["make", "locks"], default="make", help="locks: ask PyPI anew what goes into a bundle"
    )
    names = [board.name for board in BOARDS]
    parser.add_argument("--board", action="append", choices=names, metavar="NAME", help=f"of {', '.join(names)}; left out: all")
    parser.add_argument(
        "--key", default=os.environ.get("BUNDLE_KEY", ""), metavar="FILE", help="Ed25519 key in PEM; BUNDLE_KEY names it too"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist/")
    parser.add_argument(
        "--work",
        type=Path,
        default=ROOT / "var" / "bundle",
        metavar="DIR",
        help="wheels and key are kept there; default: var/bundle/",
    )
    parser.add_argument("--json", action="store_true", help="print what was made as one JSON object")
    return parser


def _bundles(args: argparse.Namespace) -> int:
    source = _source()
    pool, progress = args.work / "wheels", Progress()
    key = signing_key(args.key, args.work / "release.key")
    boards = [board for board in BOARDS if board.name in (args.board or [board.name])]
    say(f"1. Wheels for {', '.join(board.name for board in boards)}")
    locks = fetch(boards, pool, progress)
    say("2. Doorward's own, with the models")
    own = build_own_wheel(source, tool("setuptools", pool, progress), args.work / "own")
    say(f"   {human(own.stat().st_size):>9}  {own.name}")
    say("3. Signed and packed")
    args.out.mkdir(parents=True, exist_ok=True)
    made = [make_bundle(board, source, own, tool("pip", pool, progress), locks, pool, key, args.out) for board in boards]
    _leave_key(key, args.out / "release.pub")
    if args.json:
        print(msgspec.json.encode({"bundles": made, "release_key": fingerprint(key)}, enc_hook=str).decode())
    return 0


def _leave_key(key: Path, beside: Path) -> None:
    beside.write_bytes(public_half(key))
    say(
        f"   signed by {fingerprint(key)}; whoever installs gets {beside.name} from you by another way than the bundle, and compares this sum"
    )


def fingerprint(key: Path) -> str:
    """As install.sh says it: the SHA-256 of the public key (DER)."""
    der = subprocess.run(
        ["openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    return hashlib.sha256(der).hexdigest()


def _source() -> Source:
    source = read_source(ROOT)
    if source.dirty:
        say("   ! files are not as committed: the manifest says so, and nobody can make this bundle again")
    return source


def _locks(args: argparse.Namespace) -> int:
    progress, pool = Progress(), args.work / "wheels"
    args.work.mkdir(parents=True, exist_ok=True)
    written = [relock_build(args.work)]
    own = build_own_wheel(read_source(ROOT), tool("setuptools", pool, progress), args.work / "own")
    written += relock_targets(own, args.work)
    for path in written:
        say(f"   {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
