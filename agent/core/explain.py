"""An event in words that a guard understands: what was decided, by which rule, on what evidence, against which norm, with which versions.

Pure: what a door wrote into its event goes in, of whatever shape. Nothing is looked up, so it explains what was known then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from agent.core.event_words import plain_sentence

MOST_VERSION = 48
"""Characters of a version that are told, its beginning and its end: an engine says at length why it is not another."""


class Ground(Struct, frozen=True, kw_only=True):
    """One piece of evidence, in the order of weight."""

    sentence: str
    points: float
    why: str
    """How its points come about."""


class Explanation(Struct, frozen=True, kw_only=True):
    """What can be said of an event. Empty words and lists say that there is nothing to tell."""

    id: str
    kind: str
    at: str
    door: str
    what: str
    reasons: tuple[str, ...] = ()
    """The first decided, the others explain it."""
    rule: tuple[str, ...] = ()
    """Which rules and thresholds it was held against."""
    evidence: tuple[Ground, ...] = ()
    risk: str = ""
    follows: str = ""
    """What the policy made of the risk."""
    unknown: tuple[str, ...] = ()
    """What could not be measured."""
    as_usual: tuple[str, ...] = ()
    """Kinds of evidence that were measured, and as ordinary visits show."""
    versions: tuple[tuple[str, str], ...] = ()


def explain(identity: str, kind: str, at: str, door: str, data: Mapping[str, Any]) -> Explanation:
    """An event of a door. Never raises for what is in `data`."""
    risk = _table(data, "risk")
    reasons = _words(data, "sentences") if _decides(kind) else ()
    return Explanation(
        id=identity, kind=kind, at=at, door=door, what=plain_sentence(kind, data), reasons=reasons,
        rule=tuple(_rule(kind, data)), evidence=tuple(_ground(item) for item in _tables(risk, "items")), risk=_risk(risk),
        follows=_follows(kind, data, risk), unknown=tuple(_unknown(risk)), versions=tuple(_versions(data, risk)),
        as_usual=_kinds(risk, "as_usual"),
    )  # fmt: skip


def lines_of(told: Explanation) -> Iterator[str]:
    """For people."""
    yield f"{told.at}  {told.door}  {told.kind}  {told.id}"
    yield told.what
    yield from _listed("Why", told.reasons)
    yield from _listed("Held against", told.rule)
    if told.risk:
        yield f"Risk: {told.risk}"
    for number, ground in enumerate(told.evidence, 1):
        yield f"  {number}. {ground.sentence}"
        yield f"     {ground.why}"
    if told.follows:
        yield f"What follows: {told.follows}"
    yield from _listed("As usual", told.as_usual)
    yield from _listed("Not known", told.unknown)
    if told.versions:
        yield "Versions: " + ", ".join(f"{name} {value}" for name, value in told.versions)


def _listed(title: str, words: tuple[str, ...]) -> Iterator[str]:
    if words:
        yield f"{title}: " + "; ".join(words)


def _decides(kind: str) -> bool:
    return kind.startswith("access.")


# -- the rule ------------------------------------------------------------------------------------------------------------------


def _rule(kind: str, data: Mapping[str, Any]) -> Iterator[str]:
    if not _decides(kind):
        return
    if data.get("profile"):
        schedule = f", schedule {data['schedule']}" if data.get("schedule") else ""
        yield f"access profile {data['profile']}{schedule}"
    match = _table(data, "match")
    if match:
        score, threshold, strangers = _number(match, "score"), _number(match, "threshold"), 1 / max(_number(match, "fmr"), 1e-9)
        yield (
            f"the face compared scores {score:.2f} over {_number(match, 'pictures'):.0f} pictures, and from {threshold:.2f} on it counts as"
            f" the cardholder's (one stranger in {strangers:.0f} would)"
        )
        yield from _life(_table(match, "liveness"))
    seen = _table(data, "seen")
    if seen:
        yield f"vision was {seen.get('status')}, {_number(seen, 'at_door'):.0f} of {_number(seen, 'faces'):.0f} faces at the door"
    yield f"the person waited {_number(data, 'waited_s'):.1f} s"


def _life(liveness: Mapping[str, Any]) -> Iterator[str]:
    words = {
        "live": "it is a person's",
        "attack": "it is a picture",
        "unsure": "it is not known whether it is a person's or a picture",
    }
    verdict = str(liveness.get("verdict"))
    if verdict in words:
        reason = str(liveness.get("reason", "")).replace("_", " ")
        yield f"{words[verdict]} ({reason}, watched for {_number(liveness, 'watched_s'):.1f} s)"


# -- the risk ------------------------------------------------------------------------------------------------------------------


def _risk(risk: Mapping[str, Any]) -> str:
    if "fault" in risk:
        return str(risk["fault"])
    if not risk:
        return ""
    bands = ", ".join(f"{band} from {_number(risk, f'{band}_from'):.2f}" for band in ("raised", "high", "critical"))
    capped = any(item.get("capped") for item in _tables(risk, "items"))
    cap = (
        f"; what is no harder fact counts for at most {_number(risk, 'behaviour_at_most'):.2f} together, and was cut"
        if capped
        else ""
    )
    sum_ = _sum(risk)
    return f"{_number(risk, 'score'):.2f} of 1, {risk.get('band')} ({bands}){sum_}{cap}"


def _sum(risk: Mapping[str, Any]) -> str:
    """The sum as a person would do it again, where there is one to do."""
    points = [_number(item, "points") for item in _tables(risk, "items") if _number(item, "points") > 0]
    if len(points) < 2 or any(item.get("capped") for item in _tables(risk, "items")) or risk.get("left_out"):
        return ""
    return ": 1 - " + " x ".join(f"(1 - {each:.2f})" for each in points)


def _ground(item: Mapping[str, Any]) -> Ground:
    points, confidence, weight = _number(item, "points"), _number(item, "confidence"), _number(item, "weight")
    why = f"adds {points:.2f}: {_oddness(item)}; measured with confidence {100 * confidence:.0f} %; weight {weight:.2f}"
    return Ground(
        sentence=str(item.get("sentence", "?")), points=points, why=f"{why}; cut by a cap" if item.get("capped") else why
    )


_WHOSE = {
    "hour": "visits here at this hour of the week", "door": "visits here", "cardholder": "this cardholder's visits here",
    "similar_doors": "visits at doors like this one", "nothing_yet": "visits (so it is supposed, for this door has learned too little)",
}  # fmt: skip


def _oddness(item: Mapping[str, Any]) -> str:
    """How odd it is, and against which norm."""
    usual, p = _table(item, "usual"), item.get("p")
    if not isinstance(p, int | float):
        return "a fact, no matter what is usual" if _number(item, "deviation") > 0 else "there is no norm for it yet"
    whose = _WHOSE.get(str(usual.get("of")), "visits")
    count = _number(usual, "visits")
    learned = f", learned from {count:.0f}" if count else ""
    return f"{_share(p)} of {whose} are as odd{learned}, deviation {_number(item, 'deviation'):.2f}"


def _share(p: float) -> str:
    return f"{100 * p:.0f} %" if p >= 0.01 else f"{100 * p:.1f} %" if p >= 0.001 else "fewer than 0.1 %"


_BY_RISK = {"held_for_guard", "risk_too_high", "guard_denied", "no_guard_answered", "guard_let_in"}


def _follows(kind: str, data: Mapping[str, Any], risk: Mapping[str, Any]) -> str:
    if not risk or "fault" in risk:
        return ""
    said = []
    if _decides(kind):
        reasons = data.get("reasons")
        decided = isinstance(reasons, list) and bool(_BY_RISK & set(map(str, reasons)))
        said.append(
            "the site's policy made the risk part of the decision" if decided else "the risk changed nothing in the decision"
        )
    if risk.get("guard"):
        said.append(f"{risk['guard']} decided")
    tells = " and ".join(_words(risk, "tells"))
    said.append(f"an alert to {tells}" if risk.get("alert") and tells else "no alert")
    return "; ".join(said)


def _unknown(risk: Mapping[str, Any]) -> Iterator[str]:
    yield from _known_word(risk, "conduct", _CONDUCT)
    for word in _words(risk, "abstained"):
        yield word.replace("_", " ")
    if no_norm := _kinds(risk, "no_norm"):
        yield f"no norm yet for {', '.join(no_norm)}"
    yield from _known_word(risk, "floor", _FLOOR)


_CONDUCT = {"stale": "vision had stopped telling of behaviour", "missing": "vision told nothing of behaviour"}
_FLOOR = {
    "assumed": "metres rest on an assumed camera, not on a measured floor",
    "moved": "the camera was moved: there are no metres",
}


def _known_word(data: Mapping[str, Any], key: str, words: Mapping[str, str]) -> Iterator[str]:
    if (found := words.get(str(data.get(key)))) is not None:
        yield found


def _versions(data: Mapping[str, Any], risk: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, table, key in (("access rules", data, "rules_version"), ("face network", data, "embedder"), ("engine", data, "engine"),
                             ("norms", risk, "norms"), ("risk policy", risk, "policy")):  # fmt: skip
        if table.get(key) not in (None, ""):
            value = str(table[key])
            yield name, value if len(value) <= MOST_VERSION else f"{value[: MOST_VERSION // 2]}…{value[1 - MOST_VERSION // 2 :]}"


# -- whatever was sent ---------------------------------------------------------------------------------------------------------


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _tables(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = data.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _words(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _kinds(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in _words(data, key))


def _number(data: Mapping[str, Any], key: str) -> float:
    value = data.get(key)
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else 0.0
