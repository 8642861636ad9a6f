"""What is handed over: what was tested with which result, what was not, how it is wired, and what runs there. Pure; holds no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from agent.commission.session import LAST, STEPS, TITLES, Session, findings, left_out
from agent.config import AnyReader, Config, OsdpReader, SerialReader, expression_allowed
from agent.selftest.judge_inputs import words_for
from agent.selftest.judge_second import ROLES
from agent.selftest.result import Fault, Result, Status
from agent.selftest.steps import NOT_WIRED
from hw.camera_names import public_name

CARD = re.compile(r"card (None:)?\d[\w:]*")
BITS = re.compile(r"\b([01]{8,}|[0-9A-F]{8,})\b")

NORMS = {
    "off": "What is usual here is not learned.",
    "door": "What is usual at this door is learned as counts, of nobody in particular.",
    "door_and_cardholders": "What is usual is learned for this door, and of cardholders who agreed to it.",
}


class Line(Struct, frozen=True, kw_only=True):
    """A step, or a step of the self-test, and how it ended."""

    title: str
    status: Status
    said: str = ""
    faults: tuple[Fault, ...] = ()
    measured: dict[str, str] = {}
    remark: str = ""
    """What speaks against counting it as it stands."""


class Model(Struct, frozen=True):
    """A network that this program may open."""

    role: str
    file: str
    sha256: str


class Machine(Struct, frozen=True, kw_only=True):
    """What runs there."""

    versions: dict[str, str]
    models: tuple[Model, ...]
    clock: str
    config: str
    """Sum of the configuration as it is now."""


class Handover(Struct, frozen=True, kw_only=True):
    """The data of the page."""

    format: int = 1
    site: str
    door: str
    place: str
    customer: str
    installer: str
    company: str
    began_at: datetime
    made_at: datetime
    findings: int
    lines: tuple[Line, ...]
    not_tested: tuple[str, ...]
    not_fitted: tuple[str, ...]
    by_hand: tuple[str, ...]
    """What no program can say."""
    wiring: tuple[tuple[str, str], ...]
    privacy: tuple[str, ...]
    machine: Machine
    pictures: dict[str, str] = {}
    """Name -> SHA-256."""
    accepted_by: str = ""
    note: str = ""
    signer: str = ""
    """Fingerprint of the door's public key; empty on a page that is not signed."""


def handover(session: Session, config: Config, machine: Machine, made_at: datetime) -> Handover:
    """Without pictures, acceptance and signer, which come last."""
    facts = session.done["who"].facts if "who" in session.done else {}
    steps = [step for step in STEPS if step not in (LAST, "who", "test") and step in session.done]
    shown = [step for step in steps if session.done[step].status != "skipped"]
    lines = (*(_line(session, step, machine.config) for step in shown if session.done[step].status != "absent"), *_tests(session))
    absent = [f"{TITLES[step]}: {session.done[step].said}" for step in shown if session.done[step].status == "absent"]
    return Handover(
        site=session.site, door=session.door, place=facts.get("place", "") or session.door, customer=facts.get("customer", ""),
        installer=facts.get("installer", ""), company=facts.get("company", ""), began_at=session.began_at, made_at=made_at,
        findings=findings(session), lines=lines, not_tested=tuple(_not_tested(session)),
        not_fitted=(*absent, *(_absent(result) for result in session.tests if result.status == "absent")), by_hand=tuple(by_hand(config)),
        wiring=tuple(wiring(config)), privacy=tuple(privacy(config)), machine=machine,
    )  # fmt: skip


def _line(session: Session, step: str, config: str) -> Line:
    done = session.done[step]
    changed = "the configuration was changed since" if done.config and done.config != config else ""
    return Line(title=TITLES[step], status=done.status, said=done.said, faults=done.faults, measured=done.measured,
                remark="; ".join(filter(None, (done.doubt, changed))))  # fmt: skip


def _tests(session: Session) -> Iterator[Line]:
    for result in session.tests:
        if result.status in ("ok", "fault", "unsure"):
            yield Line(title=result.title, status=result.status, said=result.said, faults=result.faults, measured=result.measured)


def _not_tested(session: Session) -> Iterator[str]:
    yield from left_out(session)
    yield "what is usual at this door: that is learned from the visits of the first weeks"
    yield "how well this camera tells people apart: `doorward calibrate` measures it once some hundred pairs have passed"


def _absent(result: Result) -> str:
    return result.title if result.said == NOT_WIRED else f"{result.title}: {result.said}"


def by_hand(config: Config) -> Iterator[str]:
    """What people try together, and tick."""
    yield "With the power of controller and lock switched off, everybody can leave."
    if config.lock.fail == "safe":
        yield "The building's fire alarm, set off at its panel, frees the door."
        yield "The exit button frees the door while the controller is switched off."
    else:
        yield "The handle inside opens the door at any moment, whatever the lock does."
    yield "The door falls shut and latches by itself."
    yield "A notice tells people of camera and face comparison before they are seen, and says who answers for it."
    yield "The centre shows this door as online, and a guard has seen its picture."


def unnumbered(result: Result) -> Result:
    """Without the number of the fob that was held to a reader: whoever knows it can make another such fob."""
    return replace(result, said=_hidden(result.said), faults=tuple(
        Fault(what=_hidden(fault.what), likely=_hidden(fault.likely), mend=_hidden(fault.mend)) for fault in result.faults),
        measured={name: _hidden(value) for name, value in result.measured.items()})  # fmt: skip


def _hidden(text: str) -> str:
    return BITS.sub("…", CARD.sub("a card was read", text))


# -- how it is wired -------------------------------------------------------------------------------------------------------------


def wiring(config: Config) -> Iterator[tuple[str, str]]:
    """Each thing that is wired, and where."""
    yield "board", f"{config.board.model}, pins by {config.board.pins}"
    for reader in config.readers:
        yield f"reader {reader.name}", f"{_reader(reader)}; leads {reader.leads}"
    yield from _lock(config)
    for name, pin in config.inputs.wired().items():
        yield words_for(name).title, f"pin {pin}"
    for name, channel in config.supervision.wired().items():
        yield words_for(name).title, f"channel {channel} of the converter, supervised by resistors"
    yield from _signals(config)
    vision = config.vision
    yield "camera", f"{public_name(vision.camera)}, {vision.width_px} x {vision.height_px}, {vision.frames_per_s:g} a second"


def _reader(reader: AnyReader) -> str:
    if isinstance(reader, OsdpReader):
        return f"OSDP with Secure Channel, {reader.device}, {reader.baud} baud, address {reader.address}"
    if isinstance(reader, SerialReader):
        return f"serial, {reader.protocol}, {reader.device}"
    return f"Wiegand, D0 at {reader.d0_pin}, D1 at {reader.d1_pin}, {', '.join(reader.formats)}"


def _lock(config: Config) -> Iterator[tuple[str, str]]:
    lock = config.lock
    level = "high" if lock.relay_active_high else "low"
    yield "lock", f"{lock.kind}, fail-{lock.fail}; relay at pin {lock.relay_pin}, on when {level}; {lock.pulse_s:g} s"
    if lock.kind == "maglock":
        yield "release by wire", "stated by the installer" if lock.hardware_release else "NOT stated"
    if lock.second_pin != "none":
        yield "second relay", f"{ROLES[lock.second_role].title}, pin {lock.second_pin}"


def _signals(config: Config) -> Iterator[tuple[str, str]]:
    feedback = config.feedback
    for name in ("red", "green", "amber", "blue", "buzzer"):
        if (pin := getattr(feedback, f"{name}_pin")) != "none":
            yield name if name == "buzzer" else f"{name} lamp", f"pin {pin}"
    if feedback.display != "none":
        yield "display", feedback.display
    for name in ("microphone", "speaker"):
        if (device := getattr(config.live, name)) != "none":
            yield name, device


# -- what is done with people's data ---------------------------------------------------------------------------------------------


def privacy(config: Config) -> Iterator[str]:
    """As the configuration has it, in sentences."""
    yield f"Deployment profile: {config.deployment.profile}."
    yield ("Expressions of faces are looked at; people must be told (AI Act, Art. 50)." if expression_allowed(config.deployment)
           else "Expressions of faces are not looked at; their network is not opened.")  # fmt: skip
    yield (
        "A picture of each decision is kept on the controller."
        if config.deployment.keep_evidence
        else "No picture of a decision is kept."
    )
    yield ("A short film of an alert is kept, encrypted for the centre." if config.live.clips else "No film is kept.")
    yield ("Live view is possible; each is on record with who and why." if config.live.enabled else "There is no live view.")
    yield NORMS[config.behaviour.norms]
