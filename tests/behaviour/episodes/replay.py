"""A recording's file: a line for the episode, one for each frame that the chain saw, one for what is expected.

Observations were made from pictures once and are kept as they are; what is expected of them is made anew by
`python -m tests.behaviour.episodes`.
"""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from agent.behaviour.norms import Norms
from agent.behaviour.watch import Watcher
from agent.core.conduct import Conduct
from agent.core.messages import Observation
from demo.view import View
from tools.behaviour.episode import Episode, News
from tools.behaviour.judged import Outcome, follow, plan_of
from tools.behaviour.runs import experience

HERE = Path(__file__).parent
EVERY_S = 1.0
LATE_S = 0.05


class Recorded(Struct, frozen=True, kw_only=True):
    """What was seen, and what the door said."""

    name: str
    story: str
    wall: datetime
    news: tuple[News, ...]
    """`who` is the number of the news itself;"""
    faces: tuple[int | None, ...]
    """and here is the face track that was compared then."""
    seen: tuple[Observation, ...]


def file_of(name: str) -> Path:
    return HERE / f"{name}.jsonl.gz"


def read(name: str) -> tuple[Recorded, dict[str, Any]]:
    """The recording and what is expected of it."""
    head, *frames, expected = gzip.decompress(file_of(name).read_bytes()).splitlines()
    seen = tuple(msgspec.json.decode(line, type=Observation) for line in frames)
    recorded = msgspec.convert({**msgspec.json.decode(head), "seen": ()}, Recorded)
    return msgspec.structs.replace(recorded, seen=seen), msgspec.json.decode(expected)


def write(recorded: Recorded, expected: dict[str, Any]) -> None:
    head = msgspec.to_builtins(msgspec.structs.replace(recorded, seen=()))
    lines = [head, *(_rounded(msgspec.to_builtins(seen)) for seen in recorded.seen), expected]
    file_of(recorded.name).write_bytes(gzip.compress(b"\n".join(map(msgspec.json.encode, lines)), 9, mtime=0))


def replayed(recorded: Recorded) -> dict[str, Any]:
    """What the watcher and the risk rules make of it now."""
    episode = Episode(
        name=recorded.name, seed=0, wall=recorded.wall, walks=(), news=recorded.news, ends_s=recorded.seen[-1].taken_s
    )
    said: list[dict[str, Any]] = []

    def listen(conduct: Conduct) -> None:
        if not said or conduct.at_s - said[-1]["at_s"] >= EVERY_S:
            said.append(_plain(conduct))

    watcher = Watcher(plan_of(View()), Norms.decode(experience()[1]))
    outcome = follow(episode, recorded.seen, watcher, lambda number: recorded.faces[number], LATE_S, listen)
    return {"alarms": _alarms(outcome), "highest": round(outcome.highest, 3), "conduct": said}


def _alarms(outcome: Outcome) -> list[dict[str, Any]]:
    return [_rounded(msgspec.to_builtins(alarm)) for alarm in outcome.alarms]


def _plain(conduct: Conduct) -> dict[str, Any]:
    persons = [{"body": each.body, "face": each.face, "zone": each.zone, "at_m": each.at_m, "speed_m_s": each.speed_m_s,
                "evidence": {one.kind: [one.value, one.confidence, one.p] for one in each.evidence}, "abstained": list(each.abstained)}
               for each in conduct.persons]  # fmt: skip
    scene = [[each.kind, each.value, each.detail] for each in conduct.scene]
    plain: dict[str, Any] = _rounded({"at_s": conduct.at_s, "persons": persons, "scene": scene})
    return plain


def _rounded(value: Any) -> Any:
    """Numbers to four decimal places, and tuples as JSON has them."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value
