"""Presentation attacks: how many pass for a person, how many people are taken for an attack, and how often nothing can be said.

Words and rates after ISO/IEC 30107-3. APCER: of the attacks of one kind, those that are called live; the worst kind is the figure. BPCER:
of the bona fide attempts, those that are called an attack. A verdict `unsure`, or no face at all, is a non-response (APNRR, BPNRR):
no error of the detector, but what a door makes of it is the door's policy, so both policies are counted as well. Rates are over all
attempts; `of_answered` are over those with a verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.core.messages import Liveness, Observation
from agent.evaluation.lists import Attempted, ListError
from agent.evaluation.people import LEAST_PEOPLE, Comparisons, Draws, draw
from agent.evaluation.pictures import Unreadable
from agent.evaluation.rates import rate_of
from agent.evaluation.report import Provenance, Rate, rounded
from agent.evaluation.resume import Memory, ResumeFile
from agent.evaluation.sequences import files_of, frames_of, name_of
from agent.progress import Progress
from agent.vision.build import IRIS
from agent.vision.chain import Chain, ChainSettings, Stages
from agent.vision.engine import Engine
from agent.vision.face_stages import AttentionStage, LivenessStage
from agent.vision.iris import Gazer
from agent.vision.liveness import fuse
from agent.vision.liveness.fuse import Limits
from agent.vision.looks import Looks
from hw.interfaces import Frame
from models_tflite.manifest import Manifest

Verdict = Literal["live", "attack", "unsure", "no_face"]
LEAST_SHARE = 0.6
"""A rest of a film shorter than this share of an attempt is left out."""
CURVE_POINTS = 60


class Sees(Protocol):
    """What turns frames into observations (agent.vision.chain.Chain)."""

    def process(self, frame: Frame, now_s: float) -> Observation: ...


class Outcome(Struct, frozen=True, kw_only=True):
    """What the chain said at the end of one attempt, of the face that it saw longest."""

    verdict: Verdict
    score: float = 0.5
    reason: str = ""


class Watched(Struct, frozen=True):
    """The attempts of one sequence."""

    outcomes: tuple[Outcome, ...]


class OfKind(Struct, frozen=True, kw_only=True):
    """One kind of attack."""

    kind: str
    apcer: Rate
    apnrr: Rate
    apcer_of_answered: Rate | None
    passes_deny_attack: Rate
    """Not called an attack: what a door lets pass whose policy denies attacks only."""
    reasons: dict[str, int]


class AtScore(Struct, frozen=True, kw_only=True):
    """Were a score the only word: live from `threshold` on. Non-responses count as attacks."""

    threshold: float
    apcer: float
    """Of the worst kind."""
    apcer_all: float
    bpcer: float


class LivenessFigures(Struct, frozen=True, kw_only=True):
    """A list of sequences, attempt by attempt."""

    evaluation: str = "liveness"
    sequences: int
    unreadable_sequences: int
    unreadable: tuple[str, ...]
    attempt_s: float
    live_attempts: int
    attack_attempts: int
    subjects: int
    worst_kind: str
    apcer: Rate
    """Of the worst kind."""
    apcer_all: Rate
    bpcer: Rate
    bpnrr: Rate
    bpcer_of_answered: Rate | None
    apcer_of_answered: Rate | None
    """Of the kind that is worst among its answered attempts."""
    refused_by_require_live: Rate
    """Bona fide attempts not called live: whom a door sends away whose policy asks for a live face. It lets in what `apcer` says."""
    kinds: tuple[OfKind, ...]
    live_kinds: dict[str, dict[str, int]]
    """Verdicts of the bona fide attempts, by kind."""
    live_reasons: dict[str, int]
    thresholds: dict[str, float]
    curve: tuple[AtScore, ...]
    cannot_say: tuple[str, ...]
    provenance: Provenance


class Watcher:
    """Sequences through a chain that begins anew for each attempt."""

    def __init__(self, new_chain: Callable[[], Sees], frames_per_s: float, attempt_s: float) -> None:
        self._new_chain, self._rate, self._attempt_s = new_chain, frames_per_s, attempt_s

    def __call__(self, files: Sequence[Path]) -> Watched:
        """Raises Unreadable where a frame cannot be read."""
        return Watched(tuple(self._attempt(frames) for frames in self._cut(frames_of(files, self._rate))))

    def _cut(self, frames: Iterable[Frame]) -> Iterator[list[Frame]]:
        """Frames of one attempt after the other. Raises Unreadable when there is not enough for one."""
        held: list[Frame] = []
        given = 0
        for frame in frames:
            if held and frame.taken_s - held[0].taken_s > self._attempt_s + 1e-6:
                yield held
                held, given = [], given + 1
            held.append(frame)
        if held and (not given or held[-1].taken_s - held[0].taken_s >= LEAST_SHARE * self._attempt_s):
            yield held
        elif not given:
            raise Unreadable("holds no frame")

    def _attempt(self, frames: Sequence[Frame]) -> Outcome:
        chain = self._new_chain()
        said: dict[int, list[Liveness | None]] = {}
        for frame in frames:
            for face in chain.process(frame, frame.taken_s).faces:
                said.setdefault(face.track, []).append(face.liveness)
        if not said:
            return Outcome(verdict="no_face", reason="no_face")
        newest = max(said.values(), key=len)[-1]
        if newest is None:
            return Outcome(verdict="no_face", reason="face_too_small")
        return Outcome(verdict=newest.verdict, score=newest.score, reason=newest.reason)


def chain_maker(engine: Engine, manifest: Manifest, stages: Stages) -> Callable[[], Chain]:
    """Makes chains as a door has them: who is in view, attention for the blinks, liveness. They share networks: one at a time."""
    attention = AttentionStage(Gazer(engine.load(manifest.model(IRIS))))
    settings = ChainSettings()
    return lambda: Chain(
        stages, manifest.embedder_id, engine.describe, settings, Looks(stages.landmarks, [attention, LivenessStage()], None)
    )


def chain_name(name: str, manifest: Manifest, frames_per_s: float, attempt_s: float) -> str:
    """With everything else that decides what is said of a sequence: the liveness modules, the iris network, the cutting."""
    folder = Path(fuse.__file__).parent
    parts = [manifest.model(IRIS).sha256, *(module.read_text("utf-8") for module in sorted(folder.glob("*.py")))]
    return f"{name} {hashlib.sha256(''.join(parts).encode()).hexdigest()[:16]} {frames_per_s:g} {attempt_s:g}"


def watch(rows: Sequence[Attempted], root: Path, watcher: Watcher, memory: Memory[Watched] | ResumeFile[Watched],
          progress: Progress) -> tuple[list[tuple[Attempted, Watched]], dict[str, str]]:  # fmt: skip
    """Every listed sequence once, and those that cannot be read with the reason. Raises ListError when none can."""
    seen: list[tuple[Attempted, Watched]] = []
    unreadable: dict[str, str] = {}
    for row in rows:
        worked = True
        try:
            files = files_of(root, row.pattern)
            name = name_of(files)
            known = memory.get(name)
            worked = known is None
            watched = watcher(files) if known is None else known
            memory.put(name, watched)
            seen.append((row, watched))
        except Unreadable as cause:
            unreadable[row.pattern] = str(cause)
            progress.note(f"{root / row.pattern}: left out, {cause}")
        progress.step(worked=worked)
    progress.finish()
    for label in ("live", "attack"):
        if not any(row.label == label for row, _ in seen):
            raise ListError(f"{root}: no {label} sequence of the list can be read below it; --root is the folder that the patterns begin at"
                            f" (first: {rows[0].pattern})")  # fmt: skip
    return seen, unreadable


class Scored:
    """All attempts side by side."""

    def __init__(self, seen: Sequence[tuple[Attempted, Watched]], random: np.random.Generator) -> None:
        flat = [(row, outcome) for row, watched in seen for outcome in watched.outcomes]
        self.outcomes = [outcome for _, outcome in flat]
        self.attack = np.array([row.label == "attack" for row, _ in flat])
        self.kind = np.array([row.kind for row, _ in flat])
        self.verdict = np.array([outcome.verdict for outcome in self.outcomes])
        answered = np.isin(self.verdict, ("live", "attack"))
        self.answered: NDArray[np.bool_] = answered
        self.score = np.where(answered, [outcome.score for outcome in self.outcomes], 0.0)
        people = {name: number for number, name in enumerate(sorted({row.subject for row, _ in flat}))}
        self.owner = np.array([people[row.subject] for row, _ in flat], np.intp)
        self.subjects = len(people)
        self.draws: Draws | None = draw(len(people), random) if len(people) >= LEAST_PEOPLE else None

    def rate(self, wrong: NDArray[np.bool_], among: NDArray[np.bool_]) -> Rate:
        """The share of `wrong` among some attempts; there must be some."""
        errors, owner = wrong & among, self.owner
        people = Comparisons(owner[errors], owner[errors]), Comparisons(owner[among], owner[among])
        return rate_of(int(errors.sum()), int(among.sum()), *people, self.draws)

    def perhaps(self, wrong: NDArray[np.bool_], among: NDArray[np.bool_]) -> Rate | None:
        return self.rate(wrong, among) if among.any() else None

    def attack_kinds(self) -> list[str]:
        return sorted({str(kind) for kind in self.kind[self.attack]})


def evaluate(seen: Sequence[tuple[Attempted, Watched]], unreadable: dict[str, str], provenance: Provenance, *, attempt_s: float,
             random: np.random.Generator) -> LivenessFigures:  # fmt: skip
    """The figures of a list; there are attempts of both labels."""
    scored = Scored(seen, random)
    live, attack, called = ~scored.attack, scored.attack, scored.verdict
    kinds = tuple(_of_kind(scored, kind) for kind in scored.attack_kinds())
    worst = max(kinds, key=lambda of: of.apcer.rate)
    answered = [of.apcer_of_answered for of in kinds if of.apcer_of_answered is not None]
    limits = Limits()
    return LivenessFigures(
        sequences=len(seen), unreadable_sequences=len(unreadable), unreadable=tuple(unreadable), attempt_s=attempt_s,
        live_attempts=int(live.sum()), attack_attempts=int(attack.sum()), subjects=scored.subjects, worst_kind=worst.kind, apcer=worst.apcer,
        apcer_all=scored.rate(called == "live", attack), bpcer=scored.rate(called == "attack", live),
        bpnrr=scored.rate(~scored.answered, live), bpcer_of_answered=scored.perhaps(called == "attack", live & scored.answered),
        apcer_of_answered=max(answered, key=lambda rate: rate.rate, default=None),
        refused_by_require_live=scored.rate(called != "live", live), kinds=kinds, live_kinds=_verdicts(scored, live),
        live_reasons=_reasons(scored, live), thresholds={"attack": limits.attack, "live": limits.live}, curve=_curve(scored),
        cannot_say=_cannot_say(scored), provenance=provenance,
    )  # fmt: skip


def _of_kind(scored: Scored, kind: str) -> OfKind:
    among = scored.attack & (scored.kind == kind)
    called = scored.verdict
    return OfKind(kind=kind, apcer=scored.rate(called == "live", among), apnrr=scored.rate(~scored.answered, among),
                  apcer_of_answered=scored.perhaps(called == "live", among & scored.answered),
                  passes_deny_attack=scored.rate(called != "attack", among), reasons=_reasons(scored, among))  # fmt: skip


def _curve(scored: Scored) -> tuple[AtScore, ...]:
    thresholds = np.unique(np.concatenate(([0.0], np.quantile(scored.score, np.linspace(0, 1, CURVE_POINTS)), [1.0])))
    return tuple(_at(scored, float(np.nextafter(threshold, 2))) for threshold in thresholds)


def _at(scored: Scored, threshold: float) -> AtScore:
    passed = scored.score >= threshold
    by_kind = [float(passed[scored.attack & (scored.kind == kind)].mean()) for kind in scored.attack_kinds()]
    return AtScore(threshold=rounded(threshold), apcer=rounded(max(by_kind)), apcer_all=rounded(float(passed[scored.attack].mean())),
                   bpcer=rounded(float((~passed[~scored.attack]).mean())))  # fmt: skip


def _verdicts(scored: Scored, among: NDArray[np.bool_]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for kind, verdict in zip(scored.kind[among], scored.verdict[among], strict=True):
        of = found.setdefault(str(kind), {})
        of[str(verdict)] = of.get(str(verdict), 0) + 1
    return found


def _reasons(scored: Scored, among: NDArray[np.bool_]) -> dict[str, int]:
    """The verdicts' reasons, most frequent first."""
    found: dict[str, int] = {}
    for number in np.flatnonzero(among):
        word = f"{scored.outcomes[number].verdict}: {scored.outcomes[number].reason}"
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _cannot_say(scored: Scored) -> tuple[str, ...]:
    words = ["rates are those of these artefacts, cameras and lights: an attacker chooses others",
             "attempts of one sequence are alike: a long film counts more than it proves"]  # fmt: skip
    if scored.draws is None:
        words.append(f"{scored.subjects} subjects: with fewer than {LEAST_PEOPLE} intervals take attempts for independent")
    return tuple(words)
