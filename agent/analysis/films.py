"""Several films one after the other, each with a chain that remembers nothing of the last; a broken one does not stop the rest."""

from __future__ import annotations

import argparse
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast, get_args

import cv2
import msgspec

from agent.analysis.film import Film
from agent.analysis.live import Live, names_camera
from agent.analysis.measuring import NOON, Lens, Measuring, PlanOf, assumed, learned, marked
from agent.analysis.output import output_for
from agent.analysis.plotted import write_plot
from agent.analysis.run import Profile, Source, Tell, analyse
from agent.analysis.summary import Summary
from agent.analysis.words import in_words
from agent.config import Config, Deployment, Stage, Vision, load_config
from agent.core.conduct import Conduct
from agent.core.evidence import KINDS, sentence
from agent.core.messages import Observation
from agent.errors import CameraError, FilmError, HardwareError
from agent.norms_file import FOLDER as NORMS_FOLDER
from agent.norms_file import KEPT
from agent.progress import Progress
from agent.sections import Behaviour
from agent.vision.build import build_chain_maker
from agent.vision.chain import Chain
from agent.vision.engine import open_engine
from hw.cameras import open_camera
from models_tflite.manifest import load_manifest

DONE, FINDING = 0, 1
EVERY_STAGE: tuple[Stage, ...] = get_args(Stage)


class Setup(NamedTuple):
    """What every film is looked at with."""

    config: Config
    new_chain: Callable[[], Chain]
    frames_per_s: float
    plan_of: PlanOf | None
    """None where what people do is not to be measured."""
    began: datetime
    norms: bytes
    """A door's, or empty."""


def analyse_films(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """0 when every film was whole, 1 when one was not. Raises ConfigError and ModelError before the first film."""
    setup = _setup(args)
    teller = Teller(args.json, args.embeddings, out, err)
    whole = [_one(source, name, setup, args, teller) for source, name in zip(args.films, _names(args.films), strict=True)]
    return DONE if all(whole) else FINDING


def _one(source: str, name: str, setup: Setup, args: argparse.Namespace, teller: Teller) -> bool:
    """Whether a film was whole."""
    try:
        with _opened(source, setup, args.seconds) as film:
            measuring = None if setup.plan_of is None else Measuring(setup.plan_of, setup.config, setup.began, setup.norms)
            summary = _seen(film, name, setup, args.out, teller, measuring)
            teller.sum_up(summary)
            if args.plot is not None and measuring is not None:
                write_plot(args.plot, name, summary, measuring)
            lacking = film.lacking()
    except (FilmError, CameraError, HardwareError) as error:
        teller.complain(source, str(error))
        return False
    if lacking:
        teller.complain(source, lacking)
    return not lacking


@contextmanager
def _opened(source: str, setup: Setup, seconds: float | None) -> Iterator[Source]:
    """A film, or a camera until its time is over or Ctrl-C is pressed."""
    if not names_camera(source) or Path(source).is_file():
        with Film(Path(source), setup.frames_per_s) as film:
            yield film
        return
    with closing(open_camera(msgspec.structs.replace(setup.config.vision, camera=source))) as camera, _told_to_stop() as stopped:
        yield Live(camera, setup.frames_per_s, inf if seconds is None else seconds, stopped)


@contextmanager
def _told_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed: that is how one stops looking at a camera, and what was seen until then is summed up."""
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _seen(film: Source, name: str, setup: Setup, out: Path | None, teller: Teller, measuring: Measuring | None) -> Summary:
    """The summary of a film whose frames have been told and drawn."""
    output = output_for(out, name, film.rate)
    try:
        summary = analyse(film, setup.new_chain(), output, teller.begin(film), setup.config.deployment.profile, measuring)
    except BaseException:
        output.discard()
        raise
    finally:
        teller.end()
    output.close()
    return summary


def _setup(args: argparse.Namespace) -> Setup:
    config = _config(args)
    cv2.setNumThreads(1)  # as in the vision program
    threads = args.threads or config.vision.threads
    engine = open_engine(args.engine or config.vision.engine, threads)
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    plan_of = _plan_of(args, config)
    rate = args.frames_per_s or config.vision.frames_per_s
    norms = b"" if args.config is None or plan_of is None else learned(Path(config.records.folder) / NORMS_FOLDER / KEPT)
    return Setup(config, build_chain_maker(engine, manifest, config), rate, plan_of, args.began or NOON, norms)


def _plan_of(args: argparse.Namespace, config: Config) -> PlanOf | None:
    """The floor that was named, else the door's own, else one that is assumed."""
    behaviour = config.behaviour
    if args.no_behaviour or not behaviour.enabled:
        return None
    lens = Lens(
        args.across_deg or behaviour.across_deg, args.above_floor_m or behaviour.above_floor_m,
        behaviour.tilt_deg if args.tilt_deg is None else args.tilt_deg,
    )  # fmt: skip
    if args.floor is not None:
        return marked(args.floor, lens, _lens_words(args))
    own = Path(behaviour.floor)
    return marked(own, lens) if args.config is not None and own.is_file() else assumed(lens)


def _config(args: argparse.Namespace) -> Config:
    """A door's, or the defaults with everything on that the profile allows."""
    if args.config is not None:
        return load_config(args.config)
    profile: Profile = args.profile or "workplace-eu"
    deployment = Deployment(profile=profile, expression=profile == "standard")
    behaviour = Behaviour(stress_signs=profile == "standard")
    vision = Vision(threads=2, stages=EVERY_STAGE)
    return Config(site="film", door="film", deployment=deployment, vision=vision, behaviour=behaviour)


def _names(sources: list[str]) -> list[str]:
    """Beginnings for the names of pictures, each once."""
    names: list[str] = []
    for source in sources:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(source).stem) or "film"
        number = sum(name.partition("~")[0] == stem for name in names)
        names.append(f"{stem}~{number + 1}" if number else stem)
    return names


def _lens_words(args: argparse.Namespace) -> str:
    """The words of the command line that describe a camera roughly."""
    words = {"--across-deg": args.across_deg, "--above-floor-m": args.above_floor_m, "--tilt-deg": args.tilt_deg}
    return ", ".join(word for word, value in words.items() if value is not None)


class Teller:
    """Tells programs in JSON lines on standard output, and people in words on standard error; without --json words go to standard output."""

    def __init__(self, as_json: bool, embeddings: bool, out: TextIO, err: TextIO) -> None:
        self._json, self._embeddings, self._out, self._err = as_json, embeddings, out, err
        self._film = ""
        self._progress: Progress | None = None

    def begin(self, film: Source) -> Tell:
        """What is told each observation of a film."""
        self._film = film.name
        self._progress = Progress(film.expected, f"frames of {Path(film.name).name}", self._err, time.monotonic)
        return self._hear

    def end(self) -> None:
        if self._progress is not None:
            self._progress.finish()
            self._progress = None

    def sum_up(self, summary: Summary) -> None:
        if self._json:
            self._print(rounded(msgspec.to_builtins(summary)))
        else:
            print(in_words(summary), file=self._out, flush=True)

    def complain(self, film: str, text: str) -> None:
        self.end()
        if self._json:
            self._print({"type": "error", "film": film, "error": text})
        print(f"doorward analyze: {text}", file=self._err)

    def _hear(self, observation: Observation, conduct: Conduct | None) -> None:
        if self._json:
            self._print(told(observation, self._film, self._embeddings, conduct))
        if self._progress is not None:
            self._progress.step()

    def _print(self, line: dict[str, Any]) -> None:
        print(msgspec.json.encode(line).decode(), file=self._out)


def told(observation: Observation, film: str, embeddings: bool, conduct: Conduct | None = None) -> dict[str, Any]:
    """An observation as one JSON object, numbers to four places. Embeddings only when asked for: a face can be recognised by them."""
    line: dict[str, Any] = {"type": "observation", "film": film, **msgspec.to_builtins(observation)}
    del line["engine"], line["embedder_id"]  # the same in every frame; the summary tells them
    for face, seen in zip(line["faces"], observation.faces, strict=True):
        face["embedded"] = bool(seen.embedding)
        if not embeddings:
            del face["embedding"]
    line["conduct"] = None if conduct is None else _conduct_told(conduct)
    return cast("dict[str, Any]", rounded(line))


def _conduct_told(conduct: Conduct) -> dict[str, Any]:
    """With each item's unit, and the sentence that a guard would read."""
    told: dict[str, Any] = msgspec.to_builtins(conduct)
    items = [*(item for person in told["persons"] for item in person["evidence"]), *told["scene"]]
    evidence = [*(item for person in conduct.persons for item in person.evidence), *conduct.scene]
    for item, each in zip(items, evidence, strict=True):
        item["unit"], item["sentence"] = KINDS[each.kind].unit, sentence(each)
    return told


def rounded(value: Any) -> Any:
    """Every number in an object of builtins with at most four decimal places: more than any of them is exact to."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value
