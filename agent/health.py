"""Whether door and vision are up: what they say themselves beside what systemd says of them -> sentences with mends. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from agent.doctor.finding import Finding, bad, note, warn, well
from agent.health_word import HealthWord

STALE_S = 15.0
"""The door speaks every 5 s; two words may be late."""
STEADY_S = 10.0
"""A program that ends again within this has not come up."""
WRONG_CONFIGURATION = 2
"""Exit status of our programs (agent.cli)."""
DOOR, VISION, MEDIA, SAFE = (f"doorward-{name}.service" for name in ("door", "vision", "media", "safe"))
UNITS = (DOOR, VISION, MEDIA, SAFE)

_LOG = "journalctl -u {} -n 50 --no-pager"


class UnitNow(Struct, frozen=True, kw_only=True):
    """What `systemctl show` says of a unit; empty where it says nothing."""

    load: str = ""
    enabled: str = ""
    active: str = ""
    sub: str = ""
    result: str = ""
    status: int = 0
    """With which its program ended last."""
    restarts: int = 0

    @property
    def is_masked(self) -> bool:
        return self.load == "masked" or self.enabled.startswith("masked")


class Seen(Struct, frozen=True, kw_only=True):
    """What there is to judge."""

    word: HealthWord | None
    hidden: bool
    """The run folder may not be looked into by this user."""
    boot: str
    now_s: float
    """CLOCK_MONOTONIC."""
    alive: bool
    """Whether the process that spoke is still there."""
    units: Mapping[str, UnitNow] = {}
    """By name; {} where no systemd runs."""


class Verdict(Struct, frozen=True, kw_only=True):
    """`up`: what counts. Findings of level `bad` are told of what is not up and of nothing else."""

    door_up: bool
    vision_up: bool
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return self.door_up and self.vision_up


def judge(seen: Seen) -> Verdict:
    """Both programs, then what else the door tells."""
    door = _door(seen)
    vision = _vision(seen, door.level == "well")
    up = door.level == "well"
    also = tuple(_also(seen.word.health)) if up and seen.word is not None else ()
    return Verdict(door_up=up, vision_up=vision.level != "bad", findings=(door, vision, *also))


# -- the door ------------------------------------------------------------------------------------------------------------------


def _door(seen: Seen) -> Finding:
    word, now_s = seen.word, seen.now_s
    if seen.hidden:
        return bad(
            "how the door is may only its own user and root know", "its run folder is closed to others", "sudo doorward health"
        )
    if word is None or word.boot != seen.boot or not seen.alive:
        return _silent(seen.units.get(DOOR, UnitNow()), seen.units.get(SAFE, UnitNow()))
    if now_s - word.at_s > STALE_S:
        return bad(
            f"the door program hangs: it has said nothing for {now_s - word.at_s:.0f} s",
            "nobody is let in; its watchdog ends it within seconds and the lock's coil loses its power",
            _LOG.format(DOOR),
        )
    if word.hung:
        return bad(f"in the door program hangs: {'; '.join(word.hung)}", "it is started anew for that", _LOG.format(DOOR))
    if now_s - word.since_s < STEADY_S:
        return bad(
            f"the door program started {now_s - word.since_s:.0f} s ago",
            "whether it stays up is not known yet",
            "doorward health --wait 30",
        )
    return well(f"door {word.site}/{word.door} is up since {_span(now_s - word.since_s)}, {word.mode}, version {word.version}")


def _silent(unit: UnitNow, safe: UnitNow) -> Finding:
    """It does not run; systemd may know why."""
    if unit.load == "not-found":
        return bad(
            "doorward-door.service is not installed",
            "nothing starts the door",
            "sudo sh install.sh of the bundle (docs/BUNDLE.md)",
        )
    if unit.is_masked:
        return bad("doorward-door.service is masked", "somebody has forbidden it to start", "sudo systemctl unmask doorward-door")
    rests = safe.active == "activating" or unit.active == "failed"
    if rests or unit.sub == "auto-restart":
        how = "it rests in the lock's safe state and is tried again in half a minute" if rests else "it is being started again"
        return bad(f"the door program does not come up ({_end(unit)}): {how}", "nobody is let in", _mend(unit, DOOR))
    if unit.active == "activating":
        return bad("the door program is starting", "it has not said that it is ready", "doorward health --wait 30")
    if unit.active == "active":
        return bad(
            "the door program runs and says nothing", "an older release, or another `run_folder` in door.toml", _LOG.format(DOOR)
        )
    return bad("the door program does not run", "nobody is let in", "sudo systemctl start doorward.target")


# -- vision --------------------------------------------------------------------------------------------------------------------


def _vision(seen: Seen, door_up: bool) -> Finding:
    unit, word = seen.units.get(VISION, UnitNow()), seen.word
    if unit.is_masked:
        return note(
            "vision is masked: this door is meant to work without a camera",
            "policy.without_vision decides what a fob alone opens",
        )
    if not door_up or word is None:
        return bad("vision: only the door hears it, and the door is not up", "", _mend(unit, VISION))
    if word.vision_since_s is None:
        return _unseen(unit)
    age_s = word.at_s - word.vision_since_s
    if age_s < STEADY_S:
        return bad(f"vision speaks since {age_s:.0f} s", "whether it stays up is not known yet", "doorward health --wait 30")
    health = word.health
    return well(
        f"vision is up since {_span(age_s)}, {health.get('frames_per_s', 0)} pictures a second, {health.get('engine', '')}"
    )


def _unseen(unit: UnitNow) -> Finding:
    why = "every fob is answered by policy.without_vision"
    if unit.load == "not-found":
        return bad("doorward-vision.service is not installed", why, "sudo sh install.sh of the bundle (docs/BUNDLE.md)")
    if unit.active == "failed" or unit.sub == "auto-restart":
        return bad(f"vision does not come up ({_end(unit)}); it is tried again", why, _mend(unit, VISION))
    if unit.active == "inactive":
        return bad("vision does not run", why, "sudo systemctl start doorward.target")
    return bad("vision says nothing to the door", why, _LOG.format(VISION))


# -- what else there is ----------------------------------------------------------------------------------------------------------


def _also(health: Mapping[str, Any]) -> Iterator[Finding]:
    """Worth mending, and no reason to call a release broken: a camera can be unplugged, a broker away."""
    for fault in _texts(health, "vision_faults"):
        yield warn(f"vision: {fault}", "people may not be recognised", "sudo doorward doctor --only devices,accelerator")
    for sign in _texts(health, "camera_tamper"):
        yield warn(f"the camera seems {sign}", "people may not be recognised", "look at the camera")
    for fault in _texts(health, "journal_faults"):
        yield warn(f"records: {fault}", "events wait in memory", "sudo doorward doctor --only records")
    for name, reader in _table(health, "readers").items():
        if isinstance(reader, Mapping) and reader.get("online") is False:
            yield warn(
                f"reader {name} does not answer",
                "nobody is let in there",
                f"sudo doorward selftest --only reader; {_LOG.format(DOOR)}",
            )
    for name, fault in _table(health, "input_faults").items():
        yield warn(f"the wire of input {name} is {fault}", "what it watches is not known", "sudo doorward selftest")
    link = _table(health, "link")
    if link.get("connected") is False:
        error = f": {link['error']}" if link.get("error") else ""
        yield warn(
            f"the centre's broker is not connected{error}", "events wait on the door", "sudo doorward doctor --only broker"
        )


def _mend(unit: UnitNow, name: str) -> str:
    return "doorward check-config" if unit.status == WRONG_CONFIGURATION else _LOG.format(name)


def _end(unit: UnitNow) -> str:
    """How its program ended last."""
    words = {"watchdog": "it hung", "timeout": "it did not start in time", "oom-kill": "no memory was left", "signal": "it was killed",
             "core-dump": "it crashed"}  # fmt: skip
    if unit.status == WRONG_CONFIGURATION:
        return "its configuration, or a file that it names, is wrong"
    return words.get(unit.result, f"it ended with status {unit.status}")


def _span(seconds: float) -> str:
    for unit, length_s in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def _texts(health: Mapping[str, Any], key: str) -> list[str]:
    value = health.get(key)
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _table(health: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = health.get(key)
    return value if isinstance(value, Mapping) else {}
