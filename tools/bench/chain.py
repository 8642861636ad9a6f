"""The vision chain on rendered frames: what a frame costs, how much of it is the networks, and how `face_recognition` fares beside it.

Every contestant gets the same frame, one after the other, in an order that turns with each frame: whatever slows the machine for a
while slows all of them, and ratios are taken frame by frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.core.identity import cosine
from agent.errors import DoorwardError
from agent.vision.build import build_enroller, build_stages
from agent.vision.chain import Chain, ChainSettings
from agent.vision.embed import EmbedPolicy
from agent.vision.engine import LITERT, CpuEngine
from agent.vision.enrol import Template
from agent.vision.track import TrackSettings
from demo.catalogue import Portrait
from demo.people import find
from demo.scene import Scene
from demo.walks import walk_up
from hw.interfaces import Frame, Pixels
from models_tflite.manifest import load_manifest
from tools.bench.figures import Figure, Section, Setting, median, plain
from tools.bench.site import cast

FRAMES = 60
WARM_UP = 3
FRAMES_PER_S = 15.0
FROM_M, TO_M = 1.9, 1.1
"""A face of 70 to 120 px in 640 x 480: 100 px in the middle."""
SIZES = ((640, 480), (1280, 720))
OVERHEAD_PERCENT, TIMES_DEFAULT, TIMES_FASTEST = 15.0, 10.0, 5.0
FMR = 0.001
SHIPPED = "1 thread"
"""vision.threads as it comes; the goals are held against it, at 640x480."""
DLIB_SAME = 0.6
"""face_recognition's own tolerance."""


class Outcome(Struct, frozen=True):
    """What one contestant made of one frame."""

    wall_ms: float
    models_ms: float
    found: bool
    owner: bool


class _Meter:
    """An interpreter whose invocations are timed, and nothing else of it."""

    def __init__(self, interpreter: Any, total: list[float]) -> None:
        self._interpreter, self._total = interpreter, total

    def __getattr__(self, name: str) -> Any:
        return getattr(self._interpreter, name)

    def invoke(self) -> None:
        start_s = time.perf_counter()
        self._interpreter.invoke()
        self._total[0] += time.perf_counter() - start_s


class _MeteredEngine(CpuEngine):
    """LiteRT on the CPU with `total`, the seconds spent in invocations."""

    def __init__(self, threads: int) -> None:
        super().__init__(LITERT, threads, "benchmark")
        self.total = [0.0]

    def interpreter(self, path: Path, delegates: list[Any] | None = None) -> Any:
        return _Meter(super().interpreter(path, delegates), self.total)


class Ours:
    """Doorward's chain; `every_stage` embeds each face in each frame instead of when it is due."""

    def __init__(self, threads: int, every_stage: bool, template: bytes) -> None:
        manifest = load_manifest()
        self.name = (
            f"Doorward, {'every stage on every frame' if every_stage else 'as scheduled'}, {threads} thread{'s'[: threads > 1]}"
        )
        self._engine = _MeteredEngine(threads)
        self._template, self._threshold = template, manifest.threshold_at_fmr(FMR)
        embed = EmbedPolicy(eager_pictures=1_000_000) if every_stage else EmbedPolicy()
        settings = ChainSettings(track=TrackSettings(same_person=self._threshold), embed=embed)
        self._chain = Chain(build_stages(self._engine, manifest), manifest.embedder_id, self._engine.describe, settings)

    def __call__(self, frame: Frame) -> Outcome:
        self._engine.total[0] = 0.0
        start_s = time.perf_counter()
        seen = self._chain.process(frame, frame.taken_s)
        wall_ms = 1000 * (time.perf_counter() - start_s)
        owner = any(cosine(self._template, face.embedding) >= self._threshold for face in seen.faces if face.embedding)
        return Outcome(wall_ms, 1000 * self._engine.total[0], bool(seen.faces), owner)


class Peer:
    """The face_recognition package: face_locations with HOG, then face_encodings."""

    def __init__(self, upsample: int, picture: Path) -> None:
        self._api = _face_recognition()
        self._upsample = upsample
        self.name = f"face_recognition, HOG, {'as its defaults are' if upsample else 'fastest setting (no upsampling)'}"
        known = self._api.face_encodings(_rgb(_picture(picture)))
        if not known:
            raise DoorwardError(f"face_recognition finds no face in {picture}")
        self._known: NDArray[np.float64] = known[0]

    def __call__(self, frame: Frame) -> Outcome:
        start_s = time.perf_counter()
        rgb = _rgb(frame.pixels)
        places = self._api.face_locations(rgb, number_of_times_to_upsample=self._upsample, model="hog")
        codes = self._api.face_encodings(rgb, places, num_jitters=1, model="small")
        wall_ms = 1000 * (time.perf_counter() - start_s)
        owner = any(float(np.linalg.norm(code - self._known)) <= DLIB_SAME for code in codes)
        return Outcome(wall_ms, 0.0, bool(places), owner)


Contestant = Ours | Peer


def vision_chain(setting: Setting) -> Section:
    """Milliseconds a frame, ours and theirs."""
    people = cast(setting)
    cv2.setNumThreads(1)  # as the vision program does
    enrolment = Path(find(people, "owner", "enrolment").file)
    results: list[Standing] = []
    for width_px, height_px in SIZES:
        setting.say(f"  {width_px} x {height_px}: drawing, then every contestant on every frame")
        frames = approach(people, width_px, height_px, setting)
        contestants = _contestants(enrolment)
        results += standings(_size(width_px, height_px), contestants, race(contestants, frames))
    return Section(
        name="vision_chain", title="The vision chain beside the usual one",
        how=f"{setting.repeats(FRAMES)} rendered frames of the owner walking up from {FROM_M} to {TO_M} m (a face of about 100 "
            f"px at 640x480, half as much again "
            "at 1280x720). Each frame goes to every contestant in turn, in an order that rotates, in one process; medians over "
            "the frames, ratios frame by frame. "
            "'As scheduled' is what runs on a door: the surroundings of the tracked face and one search square, and the embedder "
            "when due. 'Models alone' is the "
            "time inside the interpreter's invoke() in those very runs. The peer is the package face_recognition 1.3.0 as a "
            "Python user calls it: "
            "face_locations (HOG) and face_encodings (128-d), on one thread; its fastest setting leaves out the upsampling.",
        figures=tuple(figure for standing in results for figure in _figures(standing)),
        table=(COLUMNS, *map(_row, results)),
        notes=("face_encodings takes the small landmarks model by default, so both of the peer's settings use it.",
               "'Recognised' counts frames in which the owner's enrolment portrait matched, each at its own threshold (ours for "
               "an FMR of 0.001, the "
               "peer's tolerance of 0.6); it says that both did the whole job on these frames, not how well either tells people apart."),
    )  # fmt: skip


def approach(people: list[Portrait], width_px: int, height_px: int, setting: Setting) -> list[Frame]:
    """The frames that everybody gets."""
    scene = Scene(width_px, height_px, setting.seed)
    count = setting.repeats(FRAMES) + WARM_UP
    speed_m_s = (FROM_M - TO_M) / (count / FRAMES_PER_S)
    scene.enter(walk_up(find(people, "owner"), starts_s=0.0, from_m=FROM_M, to_m=TO_M, speed_m_s=speed_m_s))
    return [Frame(scene.frame(number / FRAMES_PER_S), number / FRAMES_PER_S) for number in range(count)]


def race(contestants: list[Callable[[Frame], Outcome]], frames: list[Frame]) -> list[list[Outcome]]:
    """Outcomes by contestant, then by frame, without those of the warm-up."""
    table: list[list[Outcome]] = [[] for _ in contestants]
    for number, frame in enumerate(frames):
        for turn in range(len(contestants)):
            index = (turn + number) % len(contestants)
            table[index].append(contestants[index](frame))
    return [outcomes[WARM_UP:] for outcomes in table]


def _contestants(enrolment: Path) -> list[Any]:
    enroller = build_enroller(CpuEngine(LITERT, 1, "benchmark"), load_manifest())
    made = enroller.template_from_picture(_picture(enrolment))
    if not isinstance(made, Template):
        raise DoorwardError(f"{enrolment}: {made.advice}")
    ours = [Ours(threads, every, made.embedding) for threads in (1, 2) for every in (False, True)]
    return [*ours, Peer(1, enrolment), Peer(0, enrolment)]


class Standing(Struct, frozen=True, kw_only=True):
    """What became of one contestant at one frame size."""

    size: str
    name: str
    median_ms: float
    mean_ms: float
    recognised_percent: float
    models_ms: float = 0.0
    """Mean; 0 for the peer, whose networks cannot be told from the rest of it."""
    times_default: float = 0.0
    times_fastest: float = 0.0

    @property
    def above_percent(self) -> float:
        return 100 * (self.mean_ms / self.models_ms - 1)


def standings(size: str, contestants: list[Any], table: list[list[Outcome]]) -> list[Standing]:
    """In the contestants' order, of which the last two are the peer's default and its fastest setting."""
    default, fastest = table[-2], table[-1]
    return [
        Standing(
            size=size, name=contestant.name, median_ms=median([o.wall_ms for o in outcomes]), mean_ms=_mean([o.wall_ms for o in outcomes]),
            recognised_percent=100 * _mean([float(o.owner) for o in outcomes]), models_ms=_mean([o.models_ms for o in outcomes]),
            times_default=_ratio(default, outcomes), times_fastest=_ratio(fastest, outcomes),
        )
        for contestant, outcomes in zip(contestants, table, strict=True)
    ]  # fmt: skip


def _figures(standing: Standing) -> list[Figure]:
    name = f"{standing.size}, {standing.name}"
    figures = [Figure(what=f"{name}: median", value=standing.median_ms, unit="ms a frame")]
    if standing.models_ms:
        goal = standing.size == _size(*SIZES[0]) and standing.name.endswith(SHIPPED)
        figures += [
            Figure(
                what=f"{name}: above its models", value=standing.above_percent, unit="%", most=OVERHEAD_PERCENT if goal else None
            ),
            Figure(
                what=f"{name}: times the peer's default",
                value=standing.times_default,
                unit="",
                least=TIMES_DEFAULT if goal else None,
            ),
            Figure(
                what=f"{name}: times the peer's fastest",
                value=standing.times_fastest,
                unit="",
                least=TIMES_FASTEST if goal else None,
            ),
        ]
    return figures


COLUMNS = ("frame", "chain", "median ms", "mean ms", "models alone, mean ms", "above the models", "times the peer's default",
           "times its fastest", "recognised")  # fmt: skip


def _row(standing: Standing) -> tuple[str, ...]:
    ours = (plain(standing.models_ms), f"{plain(standing.above_percent)} %") if standing.models_ms else ("", "")
    ratios = (plain(standing.times_default), plain(standing.times_fastest)) if standing.models_ms else ("", "")
    times = (plain(standing.median_ms), plain(standing.mean_ms))
    return (standing.size, standing.name, *times, *ours, *ratios, f"{plain(standing.recognised_percent)} %")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _size(width_px: int, height_px: int) -> str:
    return f"{width_px}x{height_px}"


def _ratio(theirs: list[Outcome], ours: list[Outcome]) -> float:
    return median([t.wall_ms / o.wall_ms for t, o in zip(theirs, ours, strict=True)])


def _face_recognition() -> Any:
    try:
        import face_recognition
    except (ImportError, SystemExit) as error:  # it calls quit() when its models' package cannot be imported
        raise DoorwardError(
            "face_recognition cannot be imported: run `make bench`, which installs it without compiling dlib"
        ) from error
    return face_recognition


def _picture(path: Path) -> Pixels:
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise DoorwardError(f"{path}: no picture that can be read")
    return np.asarray(pixels, np.uint8)


def _rgb(bgr: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
