"""`doorward eval verification | identification | detection | expression | liveness`: the shipped networks measured on lists of pictures."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agent.errors import ConfigError

DONE = 0
ENGINES = ("auto", "litert", "tflite-runtime", "edgetpu")


def add_parser(subparsers: Any) -> None:
    """Adds `eval` to the program's subcommands (the object that `ArgumentParser.add_subparsers` gave)."""
    parser: argparse.ArgumentParser = subparsers.add_parser("eval", help="measure the networks on lists of pictures")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="verification|identification|detection|expression|liveness")
    for name, run, words in (
        ("verification", verification, "one to one: CSV path_a,path_b,same"),
        ("identification", identification, "one to many: CSV path,person,use (gallery or probe)"),
        ("detection", detection, "faces found: CSV path,x,y,w,h"),
        ("expression", expression, "expressions of faces: CSV path,label"),
        ("liveness", liveness, "attacks and people: CSV pattern,label,subject,session[,kind]"),
    ):
        kind = kinds.add_parser(
            name, help=words, description=f"{words}. One JSON line on standard output; docs/EVALUATION.md explains it."
        )
        kind.set_defaults(func=run)
        _add_common(kind)
        if name != "detection":
            kind.add_argument("--resume", type=Path, metavar="FILE", help="remember what was seen in each picture here and take it from here "
                              "(personal data: delete it afterwards)")  # fmt: skip
        if name == "verification":
            _add_verification(kind)
        if name == "expression":
            _add_expression(kind)
        if name == "liveness":
            _add_liveness(kind)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", type=Path, required=True, metavar="CSV", help="the list; its first line is the heading")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="the folder that the list's paths begin at")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="other networks: where their manifest.json is (default: the shipped)"
    )
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="what runs the networks (default: %(default)s)")
    parser.add_argument(
        "--threads", type=_positive, default=2, metavar="N", help="CPU threads of a network (default: %(default)s)"
    )


def _add_verification(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the DET curve, .svg or .png")
    parser.add_argument("--all-pairs", action="store_true", help="false match rates over every two pictures of different people, instead "
                        "of the list's pairs (paths .../PERSON/file)")  # fmt: skip
    parser.add_argument("--groups", type=Path, metavar="CSV", help="path,group: errors are told for each group as well (or columns group_a,"
                        "group_b of the list)")  # fmt: skip
    parser.add_argument("--folds", type=_folds, default=10, metavar="N", help="folds of the accuracy (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--name", help="what the list is, in words; goes into figure and manifest")
    parser.add_argument(
        "--write-operating-points", action="store_true", help="write the thresholds into the manifest; needs --name"
    )


def _add_expression(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cropped", choices=("auto", "yes", "no"), default="auto", help="whether the pictures are faces already cut; auto: "
                        "those of 64 px or less, and small ones in which no face is found (default: %(default)s)")  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the confusion matrix, .svg or .png")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--name", help="what the list is, in words; goes into the figure")


def _add_liveness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fps", type=_positive, default=15, metavar="N", help="pictures a second; of a film at most so many are looked at"
                        " (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seconds", type=_positive, default=2, metavar="N", help="length of an attempt: longer sequences are cut"
                        " (default: %(default)s)")  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write APCER against BPCER, .svg or .png")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--name", help="what the list is, in words; goes into the figure")


class Setup(NamedTuple):
    """The networks, ready, and what is to be said of them."""

    stages: Any
    manifest: Any
    provenance: Any
    chain: str
    engine: Any


def verification(args: argparse.Namespace) -> int:
    """0 when measured; 1 when operating points were asked for and the list does not carry them; 2 for a list that is none."""
    if args.write_operating_points and not args.name:
        raise ConfigError("--write-operating-points needs --name: the manifest says in words what a threshold was measured on")
    import numpy as np

    from agent.evaluation import canvas, det
    from agent.evaluation.lists import pictures_of, read_groups, read_labelled_pairs
    from agent.evaluation.operating_points import points_of, write_points
    from agent.evaluation.still import Still
    from agent.evaluation.verification import evaluate
    from models_tflite.manifest import EMBEDDER, HERE

    if args.plot:
        canvas.require_plot_name(args.plot)
    pairs, groups = read_labelled_pairs(args.list)
    if args.groups and groups:
        raise ConfigError("--groups and the columns group_a,group_b of the list: allowed is one of them")
    groups = read_groups(args.groups) if args.groups else groups
    setup = _setup(args)
    gathered = _gather(pictures_of(pairs), args, Still(setup.stages), setup.chain)
    points = setup.manifest.model(EMBEDDER).operating_points
    report, scored = evaluate(pairs, gathered, setup.provenance, points, all_pairs=args.all_pairs, folds=args.folds,
                              random=np.random.default_rng(args.seed),
                              groups=groups)  # fmt: skip
    if args.plot:
        title = args.name or args.list.name
        canvas.write(args.plot, det.SIZE, det.figure(report, (scored.genuine, scored.impostor), title), f"DET curve, {title}")
    _print(report)
    if args.write_operating_points:
        written = write_points(args.folder or HERE, points_of(report, args.name), report)
        print(f"wrote {written}", file=sys.stderr)
    return DONE


def identification(args: argparse.Namespace) -> int:
    """0 when measured; 2 for a list that is none."""
    from agent.evaluation.identification import evaluate
    from agent.evaluation.lists import read_searches
    from agent.evaluation.still import Still
    from models_tflite.manifest import EMBEDDER

    rows = read_searches(args.list)
    setup = _setup(args)
    gathered = _gather(list(dict.fromkeys(row.path for row in rows)), args, Still(setup.stages), setup.chain)
    _print(evaluate(rows, gathered, setup.provenance, setup.manifest.model(EMBEDDER).operating_points))
    return DONE


def detection(args: argparse.Namespace) -> int:
    """0 when measured; 2 for a list that is none."""
    from agent.evaluation.detection import Finder, evaluate
    from agent.evaluation.lists import read_boxes

    boxes = read_boxes(args.list)
    setup = _setup(args)
    _print(evaluate(boxes, _gather(list(boxes), args, Finder(setup.stages), setup.chain), setup.provenance))
    return DONE


def expression(args: argparse.Namespace) -> int:
    """0 when measured; 2 for a list that is none."""
    import numpy as np

    from agent.evaluation import canvas, expression_plot
    from agent.evaluation import expression as measuring
    from agent.evaluation.lists import read_labels
    from agent.vision.expression import Expressions, ExpressionTrackSettings

    if args.plot:
        canvas.require_plot_name(args.plot)
    labels = read_labels(args.list)
    setup = _setup(args)
    provenance, chain = measuring.with_networks(setup.provenance, setup.manifest, setup.chain)
    reader = measuring.Reader(setup.stages, Expressions.load(setup.engine, setup.manifest), args.cropped)
    gathered = _gather(list(labels), args, reader, f"{chain} {args.cropped}", measuring.Shown)
    report = measuring.evaluate(labels, gathered, provenance, least_confidence=ExpressionTrackSettings().least_confidence,
                                random=np.random.default_rng(args.seed))  # fmt: skip
    if args.plot:
        title = args.name or args.list.name
        canvas.write(args.plot, expression_plot.SIZE, expression_plot.figure(report, title), f"Confusion matrix, {title}")
    _print(report)
    return DONE


def liveness(args: argparse.Namespace) -> int:
    """0 when measured; 2 for a list that is none."""
    import numpy as np

    from agent.evaluation import canvas, det, liveness_plot
    from agent.evaluation import liveness as measuring
    from agent.evaluation.lists import read_sequences
    from agent.evaluation.resume import Memory, ResumeFile
    from agent.progress import Progress

    if args.plot:
        canvas.require_plot_name(args.plot)
    rows = read_sequences(args.list)
    setup = _setup(args)
    watcher = measuring.Watcher(measuring.chain_maker(setup.engine, setup.manifest, setup.stages), args.fps, args.seconds)
    chain = measuring.chain_name(setup.chain, setup.manifest, args.fps, args.seconds)
    memory: ResumeFile[Any] | Memory[Any] = ResumeFile(args.resume, chain, measuring.Watched) if args.resume else Memory()
    with closing(memory):
        progress = Progress(len(rows), "sequences", sys.stderr, time.monotonic)
        seen, unreadable = measuring.watch(rows, args.root, watcher, memory, progress)
    report = measuring.evaluate(
        seen, unreadable, setup.provenance, attempt_s=args.seconds, random=np.random.default_rng(args.seed)
    )
    if args.plot:
        title = args.name or args.list.name
        canvas.write(args.plot, det.SIZE, liveness_plot.figure(report, title), f"APCER against BPCER, {title}")
    _print(report)
    return DONE


def _setup(args: argparse.Namespace) -> Setup:
    from agent.evaluation.report import Provenance, models, versions
    from agent.evaluation.resume import chain_id
    from agent.vision.build import build_stages
    from agent.vision.engine import open_engine
    from models_tflite.manifest import load_manifest

    manifest, engine = load_manifest(args.folder), open_engine(args.engine, args.threads)
    stages = build_stages(engine, manifest)
    known = versions()
    provenance = Provenance(list=str(args.list), list_sha256=hashlib.sha256(args.list.read_bytes()).hexdigest(),
                            embedder_id=manifest.embedder_id, models=models(manifest), engine=engine.describe(), versions=known)  # fmt: skip
    return Setup(stages, manifest, provenance, chain_id(manifest, [engine.name, *map(str, sorted(known.items()))]), engine)


def _gather(paths: Sequence[str], args: argparse.Namespace, look: Callable[[Any], Any], chain: str, kind: Any = None) -> Any:
    from agent.evaluation.pictures import gather
    from agent.evaluation.resume import Memory, ResumeFile
    from agent.evaluation.still import Look
    from agent.progress import Progress

    resume = getattr(args, "resume", None)
    memory: ResumeFile[Any] | Memory[Any] = ResumeFile(resume, chain, kind or Look) if resume else Memory()
    with closing(memory):
        return gather(paths, args.root, look, memory, Progress(len(paths), "pictures", sys.stderr, time.monotonic))


def _print(report: msgspec.Struct) -> None:
    print(msgspec.json.encode(report).decode(), flush=True)


def _positive(text: str) -> int:
    return _at_least(1, text)


def _folds(text: str) -> int:
    return _at_least(2, text)


def _at_least(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
    return int(text)
