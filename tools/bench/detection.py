"""Faces from 20 to 300 px wide, in frames of two sizes: how many are found, how soon, at what price, beside what people use today."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from agent.errors import DoorwardError
from agent.evaluation.metrics import wilson
from agent.vision.build import build_stages
from agent.vision.chain import LEAST_MESH_SCORE, Stages
from agent.vision.engine import LITERT, CpuEngine
from agent.vision.find import FaceFinder, FinderSettings
from agent.vision.motion import Motion, MotionSettings
from agent.vision.schedule import Schedule
from hw.interfaces import Pixels
from models_tflite.manifest import load_manifest
from tools.bench.figures import Figure, Picture, Section, Setting, median, percentile, plain
from tools.bench.finders import Dlib, Round
from tools.bench.haar import Haar
from tools.bench.pasted import Finder, Sample, Sensor, Spot, is_found, packed, paste, portraits_in, sample, somewhere
from tools.bench.recall_plot import recall_plot
from tools.bench.scenery import Background, backgrounds
from tools.bench.site import cast

FRAMES = ((640, 480), (1280, 720))
SIZES_PX = (20, 30, 40, 60, 80, 120, 200, 300)
LEAST_PX = 30
"""The smallest face that the schedule promises."""
FACES = 60
"""Of each size."""
FRAMES_PER_S = 15.0
EMPTY_S = 2.0
STEP_WIDTHS = 0.3
"""Of a head in a frame: 70 cm a second."""
MOVING_WITHIN = 15
SCHEDULED = "Doorward, as scheduled"
MOTION_MS = 0.5
GOAL_PERCENT = 98.0
"""Of the faces from 30 to 300 px, those that the schedule finds within its stated time."""


class Standing(Struct, frozen=True):
    """What became of one way to find faces at one frame size."""

    frame: str
    name: str
    recalls: tuple[float, ...]
    """At each of SIZES_PX, 0..1."""
    false_a_frame: float
    """Finds in frames without any face."""
    median_ms: float
    motion_ms: float = 0.0
    """Of which the motion stage, where there is one."""


class Waits(Struct, frozen=True):
    """Frames until a face was first found, of those that were, and how many were asked for."""

    frames: tuple[int, ...]
    asked: int

    @property
    def recall(self) -> float:
        return len(self.frames) / self.asked


class Site(NamedTuple):
    """Everything for one frame size."""

    frame_px: tuple[int, int]
    scenery: list[Background]
    samples: list[Sample]
    stages: Stages
    sensor: Sensor
    seed: int

    @property
    def name(self) -> str:
        return f"{self.frame_px[0]}x{self.frame_px[1]}"

    def finder(self) -> FaceFinder:
        return FaceFinder(self.stages.detector, FinderSettings())

    def rooms(self) -> list[Pixels]:
        return [each.pixels for each in self.scenery if each.for_people]


def detection(setting: Setting) -> Section:
    """Recall by size, false finds and milliseconds, ours and theirs."""
    cv2.setNumThreads(1)  # as the vision program does
    stages = build_stages(CpuEngine(LITERT, 1, "benchmark"), load_manifest())
    with closing(Haar()) as haar:
        finders: list[tuple[str, Finder]] = [
            (each.name, each)
            for each in (Round(stages.detector), haar, Dlib(0), Dlib(1))  # ours first: see `sample`
        ]
        samples, told = _samples(setting, finders)
        sites = [Site(frame_px, backgrounds(*frame_px, setting.say), samples, stages, Sensor(frame_px, setting.seed), setting.seed)
                 for frame_px in FRAMES]  # fmt: skip
        standings, tables = [], []
        for site in sites:
            setting.say(f"  {site.name}: {len(samples)} faces of each of {len(SIZES_PX)} sizes")
            still, moving = _waits(site, _still), _waits(site, _moving)
            standings += [_scheduled(site, still), *_each_frame(site, finders)]
            tables.append(_waiting_table(site, still, moving))
    return _section(standings, tables, told, len(samples))


def _samples(setting: Setting, finders: Sequence[tuple[str, Finder]]) -> tuple[list[Sample], str]:
    """As many faces as are wanted, and in words where they are from."""
    count = setting.repeats(FACES)
    if setting.faces is None:
        people, where = [Path(who.file) for who in cast(setting)], "the demo's own {} portraits, again and again"
    else:
        people, where = portraits_in(setting.faces, count, setting.seed), "{} portraits of a folder that is no part of Doorward"
    found = [each for path in people if (each := sample(path, [find for _, find in finders])) is not None]
    if not found:
        raise DoorwardError(f"no face in any of {len(people)} portraits, the first of them {people[0]}")
    left_out = f"; {len(people) - len(found)} were left out, because none of the contestants finds a face in the picture itself"
    return list(islice(cycle(found), count)), where.format(len(people)) + left_out * (len(found) < len(people))


# -- as scheduled: one face at a time, frame after frame ---------------------------------------------------------------------------


def _waits(site: Site, film: Callable[[Site, Spot, Pixels], Iterator[tuple[Pixels, Box]]]) -> list[Waits]:
    """For each size, how long each face waited."""
    return [_waits_of(site, size_px, film) for size_px in SIZES_PX]


def _waits_of(site: Site, size_px: int, film: Callable[[Site, Spot, Pixels], Iterator[tuple[Pixels, Box]]]) -> Waits:
    chance, waited = np.random.default_rng((site.seed, size_px)), []
    finder = site.finder()  # goes on from face to face: the search stands somewhere else for each
    for one, room in zip(site.samples, cycle(site.rooms()), strict=False):
        spot = Spot(one, somewhere(size_px, site.frame_px, chance))
        motion = Motion(site.frame_px, MotionSettings())
        for frame, (pixels, box) in enumerate(film(site, spot, room), start=1):
            hints = motion.boxes(pixels, frame / FRAMES_PER_S)
            if is_found(box, [face.box_px for face in finder.find(pixels, [], hints)]):
                waited.append(frame)
                break
    return Waits(tuple(waited), len(site.samples))


def _still(site: Site, spot: Spot, room: Pixels) -> Iterator[tuple[Pixels, Box]]:
    """A face that is there and does not move, for as long as the schedule says it may take."""
    pixels = room.copy()
    paste(pixels, spot)
    wait = Schedule(site.frame_px, FinderSettings().schedule).longest_wait(max(spot.box[2], LEAST_PX))
    for _ in range(int(wait)):
        yield site.sensor(pixels), spot.box


def _moving(site: Site, spot: Spot, room: Pixels) -> Iterator[tuple[Pixels, Box]]:
    """A head that comes into being after the empty room has been seen and wanders sideways, towards the frame's middle."""
    x, y, size, _ = spot.box
    side = 1 if x + size / 2 < site.frame_px[0] / 2 else -1
    nowhere = (-1e6, -1e6, 1.0, 1.0)
    for _ in range(3):
        yield site.sensor(room), nowhere
    for frame in range(MOVING_WITHIN):
        box = (x + side * STEP_WIDTHS * size * frame, y, size, size)
        pixels = room.copy()
        paste(pixels, Spot(spot.sample, box))
        yield site.sensor(pixels), box


def _scheduled(site: Site, still: Sequence[Waits]) -> Standing:
    """Recall of still faces; what it costs and invents in empty frames."""
    false, motion_ms, all_ms = _in_empty(site)
    return Standing(site.name, SCHEDULED, tuple(each.recall for each in still), false, median(all_ms), median(motion_ms))


def _in_empty(site: Site) -> tuple[float, list[float], list[float]]:
    """Finds a frame that even the mesh takes for faces, as the chain reports them; milliseconds of motion, and of motion and search."""
    found, motion_ms, all_ms = 0, [], []
    for background in site.scenery:
        finder = site.finder()
        for frame in range(int(EMPTY_S * FRAMES_PER_S)):
            pixels = site.sensor(background.pixels)
            start_s = time.thread_time()
            hints = finder.moving(pixels, frame / FRAMES_PER_S, [])
            motion_ms.append(1000 * (time.thread_time() - start_s))
            faces = finder.find(pixels, [], hints)
            all_ms.append(1000 * (time.thread_time() - start_s))
            found += sum(site.stages.landmarks(pixels, face.points_px).score >= LEAST_MESH_SCORE for face in faces)
    return found / len(all_ms), motion_ms, all_ms


# -- frame by frame: many faces in each --------------------------------------------------------------------------------------------


def _each_frame(site: Site, finders: Sequence[tuple[str, Finder]]) -> list[Standing]:
    """Every finder on the same frames."""
    chance = np.random.default_rng(site.seed)
    pages = packed([(one, float(size)) for size in SIZES_PX for one in site.samples], site.frame_px, chance)
    hits: dict[str, dict[int, list[bool]]] = {name: {size: [] for size in SIZES_PX} for name, _ in finders}
    times_ms: dict[str, list[float]] = {name: [] for name, _ in finders}
    for spots, room in zip(pages, cycle(site.rooms()), strict=False):
        pixels = room.copy()
        for spot in spots:
            paste(pixels, spot)
        pixels = site.sensor(pixels)
        for name, find in finders:
            took_ms, boxes = find(pixels)
            times_ms[name].append(took_ms)
            for spot in spots:
                hits[name][round(spot.box[2])].append(is_found(spot.box, boxes))
    return [Standing(site.name, name, tuple(_share(hits[name][size]) for size in SIZES_PX), _false(site, find), median(times_ms[name]))
            for name, find in finders]  # fmt: skip


def _false(site: Site, find: Finder) -> float:
    empty = [picture for each in site.scenery for picture in (each.pixels, np.ascontiguousarray(each.pixels[:, ::-1]))]
    return sum(len(find(site.sensor(picture))[1]) for picture in empty) / len(empty)


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


# -- the page ----------------------------------------------------------------------------------------------------------------------


def _section(standings: Sequence[Standing], tables: Sequence[str], told: str, faces: int) -> Section:
    panels: dict[str, dict[str, Sequence[float]]] = {}
    for each in standings:
        panels.setdefault(each.frame, {})[each.name] = each.recalls
    return Section(
        name="detection", title="Detection at a door",
        how=f"Faces of known width ({', '.join(map(str, SIZES_PX))} px; a face's box is the square from brows to chin), {faces} of each, "
            f"from {told}: cut out softly, scaled, laid over the demo's corridor and photographs of rooms, with a camera's noise. A face "
            "counts as found when a box lies about its middle and is up to twice or down to half as wide: the contestants' boxes hold "
            "different parts of a head. 'As scheduled' is what runs on a door: one still face at a time, no motion to help, within the "
            "frames that the schedule states for its size (smaller ones than it promises get as many as the smallest that it does). "
            "The others see single frames that hold many faces, all the same ones. Milliseconds are medians of the processor's time, "
            "one thread each; for 'as scheduled' of a frame without anybody.",
        figures=tuple(_figures(standings)), table=(COLUMNS, *map(_row, standings)),
        notes=(*tables,
               f"Of {faces} faces of a size all found: the 95 % interval (Wilson) of what is missed reaches up to "
               f"{100 * wilson(0, faces)[1]:.0f} %. The motion stage is {', '.join(_motion(standings))} of the scheduled search's time.",
               "False finds are counted in frames without any face: corridors, and photographs of a workshop, a table, a launch pad, coins, "
               "brick, grass and gravel. As scheduled, only what the mesh takes for a face as well is a find, as in the chain; the other "
               "rows are the detectors alone.",
               "The pictures are composites: heads without bodies, from portraits, sharp and well lit. Motion blur, compression, backlight "
               "and heads that are turned away are not in them."),
        picture=Picture(file="bench_recall.svg", title="Faces found, by their width in the frame",
                        svg=recall_plot("Faces found, by their width in the frame", SIZES_PX, panels)),
    )  # fmt: skip


def _motion(standings: Sequence[Standing]) -> list[str]:
    return [f"{plain(each.motion_ms)} ms ({each.frame})" for each in standings if each.name == SCHEDULED]


COLUMNS = ("frame", "finder", *(f"{size} px" for size in SIZES_PX), "false finds a frame", "ms a frame")


def _row(standing: Standing) -> tuple[str, ...]:
    shares = (f"{100 * recall:.0f} %" for recall in standing.recalls)
    return (standing.frame, standing.name, *shares, plain(standing.false_a_frame), plain(standing.median_ms))


def _figures(standings: Sequence[Standing]) -> Iterator[Figure]:
    """The schedule's own promise has a goal; the rest informs."""
    for each in standings:
        promised = [recall for size, recall in zip(SIZES_PX, each.recalls, strict=True) if size >= LEAST_PX]
        ours = each.name == SCHEDULED
        yield Figure(what=f"{each.frame}, {each.name}: found of 30 to 300 px", value=100 * sum(promised) / len(promised), unit="%",
                     least=GOAL_PERCENT if ours else None)  # fmt: skip
        yield Figure(what=f"{each.frame}, {each.name}: false finds", value=each.false_a_frame, unit="a frame")
        yield Figure(what=f"{each.frame}, {each.name}: median", value=each.median_ms, unit="ms a frame")
        if ours:
            yield Figure(what=f"{each.frame}, the motion stage: median", value=each.motion_ms, unit="ms a frame", most=MOTION_MS)


def _waiting_table(site: Site, still: Sequence[Waits], moving: Sequence[Waits]) -> str:
    """Markdown: frames until found, by size."""
    schedule = Schedule(site.frame_px, FinderSettings().schedule)
    rows = [
        f"| {site.name}, frames until found | {' | '.join(f'{size} px' for size in SIZES_PX)} |",
        "|---" * (len(SIZES_PX) + 1) + "|",
    ]
    rows.append(f"| stated for a still face, at worst | {' | '.join(plain(schedule.longest_wait(size)) for size in SIZES_PX)} |")
    for name, waits, lead in (("still face", still, 0), ("moving head", moving, 3)):
        for words, share in (("median", 0.5), ("95 of 100", 0.95)):
            cells = (plain(percentile([frame - lead for frame in each.frames], share)) for each in waits)
            rows.append(f"| {name}, {words} of those found | {' | '.join(cells)} |")
    rows.append(
        f"| moving head found within {MOVING_WITHIN} frames | {' | '.join(f'{100 * each.recall:.0f} %' for each in moving)} |"
    )
    return "\n".join(rows)
