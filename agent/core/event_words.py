"""One plain sentence for every kind of event, for people who did not write it. docs/PROTOCOL.md lists the kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SENTENCES: dict[str, str] = {
    "access.granted": "{who} was let in",
    "access.denied": "{who} was not let in",
    "access.first_of_two": "{who} may pass, and a second person has to follow",
    "access.held": "{who} may pass by fob and face, and waits for a guard because of the risk",
    "risk.raised": "the risk of {about} is {band}",
    "risk.cleared": "the risk of {about} is over; at its worst it was {band}, and it lasted {lasted_s} s",
    "risk.folded": "{episodes} more people's risks came above ordinary within a minute than are told one by one",
    "risk.fault": "the risk could not be looked at, and decisions stood without it: {error}",
    "risk.forbidden": "vision sent what this deployment's profile forbids to know, and it was dropped unseen",
    "enrolment.began": "{who} began to enrol a face at this door's camera",
    "enrolment.ended": "the enrolment at this door's camera is over after {seconds} s, {templates} templates were sent: {reason}",
    "enrolment.refused": "an enrolment at this door's camera was refused: {error}",
    "journal.set_aside": "the door's journal was damaged and set aside; a new one began ({error})",
    "journal.torn": "some of the door's flight recorder was being written when its program died",
    "journal.row_damaged": "a stored event was damaged and is kept aside on the door",
    "journal.fault": "the door's disk refuses writes: {error}",
    "clock.synchronised": "the door knows what time it is; its clock moved by {moved_s} s, and the times of what came before are corrected",
    "clock.jumped": "the door's clock was set while its program ran: it moved by {moved_s} s",
    "certificate.renewed": "the door renewed its certificates by itself: good until {until}",
    "certificate.not_renewed": "the door could not renew its certificates, and goes on with those it has: {error}",
    "journal.recovered": "the door's disk takes writes again after {stalled_s} s",
    "bundle.loaded": "the door started with access rules {version} for {credentials} credentials",
    "bundle.missing": "the door has no access rules yet: it admits nobody until the centre has sent some",
    "bundle.refused": "new access rules were refused, those in force stay: {error}",
    "bundle.applied": "access rules {version} for {credentials} credentials are in force",
    "bundle.withdrawn": "{withdrawn} credentials are withdrawn beside access rules {version}",
    "rules.not_applied": "a rule cannot be applied with this door's wiring: {error}",
    "norms.refused": "what came as the centre's word about norms was not taken: {error}",
    "passback.forgotten": "who is inside could not be read, everybody may come in once more: {error}",
    "passback.fault": "who is inside cannot be saved: {error}",
    "command.done": "{user} gave the command {command}, and the door obeyed",
    "command.refused": "{user} gave the command {command}, and the door refused it: {reason}",
    "reader.fault": "something arrived at reader {reader} that is no credential: {fault}",
    "reader.noise": "{faults} more such faults within a minute at reader {reader}",
    "reader.status": "reader {reader} changed: online {online}, tampered with {tamper}. {detail}",
    "reader.broken": "the chip that a reader hangs on no longer answers: {error}",
    "signal.fault": "a lamp, buzzer or display does not work: {error}",
    "door.started": "the door's program started, mode {mode}",
    "door.stopped": "the door's program ended, mode {mode}",
    "door.opened": "the door opened",
    "door.closed": "the door closed",
    "door.forced": "the door opened although nothing had let it go",
    "door.warned": "the door stands open; who stands there was told to close it",
    "door.held": "the door stands open too long: {after_s} s",
    "door.propped": "the door has stood open for {after_s} s; nobody is passing any more",
    "door.fault": "something unexpected happened in the door's program, and it went on: {error}",
    "lock.secured": "the lock holds again: {why}",
    "lock.fault": "the relay could not be driven: {error}",
    "lock.does_not_hold": "the lock's own contact says that it does not hold",
    "lock.does_not_let_go": "the lock's own contact says that it does not let go",
    "lock.obeys_again": "the lock's own contact says that it obeys again",
    "lock.refused": "{by} was to be let in while the door is {mode}: refused",
    "mode.changed": "the door's mode is {mode} now, by {by}",
    "rex.pressed": "somebody left: the button or sensor inside let the lock go for {pulse_s} s",
    "rex.held": "the button or sensor inside stays on, and the lock stays free for as long as it does",
    "fire.active": "the fire input is active; this lock lets go for it: {releases}",
    "fire.cleared": "the fire input is no longer active",
    "tamper.active": "the tamper loop says that somebody opens the housing",
    "tamper.cleared": "the tamper loop is closed again",
    "input.fault": "the wire of input {input} is {fault}; it counts as active",
    "input.ok": "the wire of input {input} is well again",
    "camera.tamper": "somebody may have done something to the camera: {signs}",
    "camera.clear": "the camera sees as it should again",
    "live.started": "{who} watches the live picture: {why}. Faces of bystanders shown: {unmasked}",
    "live.ended": "{who} no longer watches the live picture, after {seconds} s: {reason}",
    "live.talk_began": "{who} talks with whoever is at the door",
    "live.talk_ended": "{who} talked with whoever was at the door for {seconds} s",
    "live.fault": "live view: {error}",
    "clip.kept": "a clip of {seconds} s was kept on the door, encrypted for the centre",
    "clip.sent": "{who} asked for the clip of an event, and the door sent it: {why}",
    "update.in_force": "{kind} {version} are in force, in place of {former}",
    "update.good": "{kind} {version} were watched and are good",
    "update.shadow": "{kind} {version} run beside those in force, to be compared",
    "update.handed_on": "{kind} {version} lies here and is being installed",
    "update.refused": "an update of {kind} was refused, what was in force stays: {reason}",
    "update.rolled_back": "{kind} {version} were rolled back, what was in force before counts again: {reason}",
    "vision.back": "vision tells what it sees again",
    "vision.lost": "vision has stopped telling what it sees",
}
"""`{name}` is a field of the event's data."""


def plain_sentence(kind: str, data: Mapping[str, Any]) -> str:
    """What an event says, in one sentence; a kind that is not known here is told by its fields.

    Data is what a door sent, of whatever shape.
    """
    if kind not in SENTENCES:
        return "; ".join([kind, *(f"{key} {value}" for key, value in data.items() if isinstance(value, str | int | float))])
    return SENTENCES[kind].format_map(_Fields(data))


class _Fields(dict[str, str]):
    """A field that is missing is a dash; yes and no are words."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        risk = data.get("risk")
        band = risk.get("band") if isinstance(risk, Mapping) else None
        holder, about = data.get("cardholder"), str(data.get("about") or "somebody").replace("_", " ")
        who = (
            f"whoever held the fob of {holder}"
            if isinstance(holder, str) and holder
            else "whoever held a fob that is not known here"
        )
        super().__init__({str(key): _word(value) for key, value in data.items()})
        self.setdefault("who", who)
        self.update(band=_word(band), about="somebody in view" if about == "person" else about)

    def __missing__(self, key: str) -> str:
        return "-"


def _word(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not known"}[value]
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
