"""What vision, media and door say to each other about live view: types alone, and what each may say.

media speaks with browsers, so it is the one program of a controller that eats what strangers send. It may die at any time, and the
door believes of it no more than who watched whom: nothing that it says can open, hold or wake anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from agent.core.conduct import Conduct
from agent.core.messages import Box


class FaceBox(Struct, frozen=True, array_like=True):
    """A face, without anything by which it could be known again elsewhere."""

    track: int
    box_px: Box


class BodyBox(Struct, frozen=True, array_like=True):
    """A body, and the face track that belongs to it."""

    track: int
    box_px: Box
    face: int | None


class Sight(Struct, frozen=True, kw_only=True):
    """What vision knows of one frame, beside the frame. vision -> media, newest wins."""

    taken_s: float
    frame_px: tuple[int, int]
    faces: tuple[FaceBox, ...] | None
    """None when the frame could not be looked at: then nobody knows where faces are."""
    bodies: tuple[BodyBox, ...] = ()
    conduct: Conduct | None = None
    """The newest, at most a second old."""


class Alerted(Struct, frozen=True, kw_only=True, tag="alerted"):
    """Something at the door of which people are told now. door -> media."""

    event_id: str
    kind: str
    at_s: float
    face: int | None = None
    """The track of the person concerned, where the event names one,"""
    body: int | None = None
    sentence: str = ""


LiveKind = Literal["live.started", "live.ended", "live.talk_began", "live.talk_ended", "live.fault", "clip.kept", "clip.sent"]


class LiveNews(Struct, frozen=True, kw_only=True, tag="live_news"):
    """Something for the door's journal. media -> door."""

    kind: LiveKind
    data: dict[str, str | int | float | bool]


FIELDS: dict[LiveKind, tuple[str, ...]] = {
    "live.started": ("session", "who", "why", "unmasked"),
    "live.ended": ("session", "who", "why", "unmasked", "seconds", "reason"),
    "live.talk_began": ("session", "who"),
    "live.talk_ended": ("session", "who", "seconds"),
    "live.fault": ("error",),
    "clip.kept": ("event", "seconds", "frames", "bytes"),
    "clip.sent": ("event", "who", "why"),
}
"""What each kind may tell."""

MOST_TEXT = 200


def lawful_news(news: LiveNews) -> dict[str, Any]:
    """The data of an event: its own fields and no other, texts cut short."""
    return {name: _short(news.data[name]) for name in FIELDS[news.kind] if name in news.data}


def _short(value: str | int | float | bool) -> str | int | float | bool:
    return value[:MOST_TEXT] if isinstance(value, str) else value


def alert_of(event_id: str, kind: str, at_s: float, data: Mapping[str, Any]) -> Alerted | None:
    """What media must know of an event, when people are told of it now; `data` as the door has put it on record."""
    risk = data.get("risk")
    if not isinstance(risk, Mapping) or not risk.get("alert") or data.get("alert_held_back"):
        return None
    match = data.get("match")
    track = match.get("track") if isinstance(match, Mapping) else data.get("face")
    sentences = data.get("sentences")
    sentence = str(sentences[0])[:MOST_TEXT] if isinstance(sentences, list | tuple) and sentences else ""
    return Alerted(event_id=event_id, kind=kind, at_s=at_s, face=_track(track), body=_track(data.get("body")), sentence=sentence)


def _track(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
