"""`doorward analyze` on a rendered film, every stage on: whether it keeps up with real time, and what each stage costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import msgspec

from agent.analysis.summary import Summary
from agent.errors import DoorwardError
from demo.people import find
from demo.scene import Scene
from demo.walks import Glance, walk_up
from tools.bench.figures import Figure, Section, Setting, plain
from tools.bench.site import cast

SECONDS, FRAMES_PER_S, SIZE = 20, 15, (640, 480)
THREADS = 2
GIVE_UP_S = 300.0


def films(setting: Setting) -> Section:
    """The command as a user types it, in a process of its own, with and without the annotated film."""
    film = _film(setting)
    bare = _analysed(film, "--profile", "standard")
    drawn = _analysed(film, "--profile", "standard", "--out", str(setting.folder / "annotated.mp4"))
    lawful = _analysed(film, "--profile", "workplace-eu")
    return Section(
        name="films", title="A film analysed",
        how=f"`doorward analyze FILM --json --threads {THREADS}` on a rendered film of {bare.seconds:g} s, {SIZE[0]}x{SIZE[1]}, "
            f"{FRAMES_PER_S} frames a second, in which one person walks up and waits before the camera for most of it. Every stage "
            "is on: persons, head and eyes, liveness, and in the profile `standard` expressions. Seconds of film for each second of "
            "work; decoding, drawing and encoding of the annotated film are counted, starting the program is not.",
        figures=(
            Figure(what="every stage", value=bare.real_time_factor, unit="times real time", least=1.0),
            Figure(what="every stage, annotated film written", value=drawn.real_time_factor, unit="times real time", least=1.0),
            Figure(what="without expressions (`workplace-eu`)", value=lawful.real_time_factor, unit="times real time", least=1.0),
            Figure(what="every stage: a frame, median", value=bare.chain_ms.p50, unit="ms"),
            Figure(what="every stage: a frame, 95 %", value=bare.chain_ms.p95, unit="ms"),
        ),
        table=(("stage", "median ms", "95 % ms", "frames it ran in"), *_rows(bare)),
        notes=tuple(f"A stage failed in {count} frames: {what}" for what, count in bare.faults.items()),
    )  # fmt: skip


def _rows(summary: Summary) -> list[tuple[str, ...]]:
    """Costliest in all first."""
    stages = sorted(summary.stages_ms.items(), key=lambda item: -item[1].p50 * item[1].frames)
    return [(name, plain(ms.p50), plain(ms.p95), f"{ms.frames} of {summary.frames}") for name, ms in stages]


def _film(setting: Setting) -> Path:
    """Written once; the person glances aside now and then."""
    seconds = setting.repeats(SECONDS)
    glances = tuple(Glance(at_s, 0.8, 22.0 * side) for at_s, side in zip(range(4, seconds, 3), (1, -1) * seconds, strict=False))
    walk = walk_up(
        find(cast(setting), "visitor"), starts_s=0.0, from_m=3.0, to_m=1.0, waits_s=seconds, leaves="stays", glances=glances
    )
    scene, path = Scene(*SIZE, setting.seed, [walk]), setting.folder / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), FRAMES_PER_S, SIZE)
    for number in range(seconds * FRAMES_PER_S):
        writer.write(scene.frame(number / FRAMES_PER_S))
    writer.release()
    return path


def _analysed(film: Path, *words: str) -> Summary:
    command = [sys.executable, "-m", "agent.cli", "analyze", str(film), "--json", "--threads", str(THREADS), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=GIVE_UP_S, check=False)
    if done.returncode != 0:
        raise DoorwardError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Summary)
