"""An episode through the real watcher and the real risk rules: which alarms come of it, when and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

from msgspec import Struct

from agent.behaviour.floor import FloorPlan, default_plan, parse_floor
from agent.behaviour.ground import Ground, assumed_ground
from agent.behaviour.norms import Norms
from agent.behaviour.watch import Watcher
from agent.core.conduct import Conduct, DoorNews, Evidence
from agent.core.messages import DoorMode, Observation
from agent.core.risk import Risk, assess, evidence_about, whose
from agent.core.risk_episodes import Episodes
from agent.core.risk_policy import Band, RiskPolicy
from agent.vision.scene_watch import HOLD_S
from demo.view import View
from tools.behaviour.episode import Episode, News
from tools.behaviour.seen import Camera, Observer

POLICY = RiskPolicy()
NIGHT_FLOOR = """
[[zones]]
name = "entrance at night"
kind = "approach"
corners_m = [[-2.0, -0.5], [2.0, -0.5], [2.0, 3.2], [-2.0, 3.2]]
no_linger_s = 20
no_linger_hours = ["mon-sun 22:00-24:00", "mon-sun 00:00-06:00"]

[[zones]]
name = "threshold"
kind = "threshold"
corners_m = [[-0.9, -0.5], [0.9, -0.5], [0.9, 1.2], [-0.9, 1.2]]
no_linger_s = 20
no_linger_hours = ["mon-sun 22:00-24:00", "mon-sun 00:00-06:00"]
"""
"""At night nobody need stand before an office door for longer than it takes to open it."""


class Alarm(Struct, frozen=True, kw_only=True):
    """A risk above ordinary: an event, and from the band `high` on an alert to guards."""

    at_s: float
    band: Band
    score: float
    about: str
    """A kind of evidence about the place, `person`, or `decision`."""
    kinds: tuple[str, ...]
    sentences: tuple[str, ...]
    alerts: bool


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of an episode."""

    alarms: tuple[Alarm, ...]
    highest: float
    """The highest score of anybody or of the place."""
    visits: int
    """How many people were followed, counting one twice who was lost."""

    def noticed(self, kinds: tuple[str, ...]) -> Alarm | None:
        """The first event with one of these kinds of evidence."""
        return next((alarm for alarm in self.alarms if set(kinds) & set(alarm.kinds)), None)

    @property
    def alerted(self) -> Alarm | None:
        """The first alert."""
        return next((alarm for alarm in self.alarms if alarm.alerts), None)


def demo_ground(view: View) -> Ground:
    """The demo's camera as one whose lens and height were typed in, not marked."""
    return assumed_ground((view.width_px, view.height_px), view.across_deg, view.above_floor_m, view.tilt_deg)


def plan_of(view: View, *, night: bool = True) -> FloorPlan:
    """The floor that passes are judged on."""
    ground = demo_ground(view)
    return parse_floor(NIGHT_FLOOR, "the simulated floor", assumed=ground) if night else default_plan(ground)


def judge(episode: Episode, camera: Camera, norms: Norms, plan: FloorPlan | None = None) -> Outcome:
    """An episode of simulated observations. `norms` are learned from, as at a door."""
    observer = Observer(camera, episode.walks, episode.seed, episode.liveness)
    frames = observer.all(0.0, episode.ends_s)
    return follow(episode, frames, Watcher(plan or plan_of(camera.view), norms), observer.face_of, camera.noise.late_s)


def follow(episode: Episode, frames: Iterable[Observation], watcher: Watcher, face_of: Callable[[int], int | None],
           late_s: float = 0.0, listen: Callable[[Conduct], None] | None = None) -> Outcome:  # fmt: skip
    """Any frames of an episode. `face_of` gives the face track of a walk at the moment; `late_s` is how old an observation is at the door.
    `listen` hears each conduct.
    """
    risks, alarms, highest, visits = Episodes(POLICY), list[Alarm](), 0.0, set[object]()
    waiting, last = sorted(episode.news, key=lambda each: each.at_s), None
    for seen in _uncovered(frames, episode):
        while waiting and waiting[0].at_s <= seen.taken_s:
            news = waiting.pop(0)
            watcher.news(_told(news, face_of))
            alarms += _decision(news, last, None if news.who is None else face_of(news.who), episode)
        signs = tuple(fact.detail for fact in _own(episode, seen.taken_s))
        conduct = watcher.see(seen, episode.wall + timedelta(seconds=seen.taken_s), camera_signs=signs)
        if conduct is None:
            continue
        last = conduct
        if listen is not None:
            listen(conduct)
        at_s = conduct.at_s + late_s
        visits |= {person.since_s for person in conduct.persons}
        highest = max(
            [highest, *(assess(each.evidence, POLICY).score for each in conduct.persons), assess(conduct.scene, POLICY).score]
        )
        for turn in risks.take(at_s, conduct, _own(episode, seen.taken_s)):
            if turn.what == "raised":
                alarms.append(_alarm(at_s, turn.band, turn.risk, turn.subject.scene or "person", episode))
    highest = max([highest, *(alarm.score for alarm in alarms)])
    return Outcome(alarms=tuple(sorted(alarms, key=lambda each: each.at_s)), highest=highest, visits=len(visits))


def _uncovered(frames: Iterable[Observation], episode: Episode) -> Iterator[Observation]:
    """A camera that is covered sees nobody."""
    for seen in frames:
        covered = any(from_s <= seen.taken_s < until_s for from_s, until_s, _ in episode.tamper)
        yield Observation(frame=seen.frame, taken_s=seen.taken_s, frame_px=seen.frame_px, faces=(), embedder_id=seen.embedder_id,
                          engine=seen.engine, chain_ms=seen.chain_ms) if covered else seen  # fmt: skip


def _told(news: News, face_of: Callable[[int], int | None]) -> DoorNews:
    return DoorNews(at_s=news.at_s, what=news.what, credential=news.credential, persons=news.persons,
                    face=None if news.who is None else face_of(news.who))  # fmt: skip


def _decision(news: News, conduct: Conduct | None, face: int | None, episode: Episode) -> Sequence[Alarm]:
    """The risk beside the door's answer to a fob: what the comparison found, and what the person had done by then."""
    if news.what not in ("granted", "denied", "first_of_two"):
        return ()
    person = whose(conduct, face) if conduct else None
    risk = assess((*_facts(news), *evidence_about(person, conduct.scene if conduct else ())), POLICY)
    return (_alarm(news.at_s, risk.band, risk, "decision", episode),) if risk.band != "ordinary" else ()


def _facts(news: News) -> tuple[Evidence, ...]:
    """As agent.core.risk_at_door tells them of a stranger's face, and of a picture's score of .1."""
    if news.refused_for == "face_mismatch":
        return (Evidence(kind="face_mismatch", value=0.05, confidence=1.0, at_s=news.at_s),)
    if news.refused_for == "presentation_attack":
        return (Evidence(kind="presentation_attack", value=0.1, confidence=0.9, at_s=news.at_s),)
    return ()


def _own(episode: Episode, now_s: float) -> tuple[Evidence, ...]:
    """What the door makes of what vision says of its camera; vision says it once it has lasted."""
    return tuple(Evidence(kind="camera_tamper", value=now_s - from_s, detail=word, at_s=now_s) for from_s, until_s, word in episode.tamper
                 if from_s + HOLD_S[word] <= now_s < until_s)  # fmt: skip


def _alarm(at_s: float, band: Band, risk: Risk, about: str, episode: Episode) -> Alarm:
    kinds = tuple(item.evidence.kind for item in risk.items if item.points > 0)
    alerts = "alert" in POLICY.response(band, DoorMode.LOCKED, episode.wall).does
    return Alarm(at_s=at_s, band=band, score=risk.score, about=about, kinds=kinds, sentences=risk.sentences, alerts=alerts)
