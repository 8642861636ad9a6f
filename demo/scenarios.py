"""The stories of the demo. What must come of each is stated; the chain is told nothing."""

from __future__ import annotations

import time

from demo.play import Play, Scenario
from demo.stage import OWNER_FOB, UNKNOWN_FOB
from demo.walks import Glance
from demo.ways import THROUGH, Go, Part, Wait, times

OFFLINE_PASSES = 3
ABRUPT_M_S2 = 8.0
LEFT_DEG, RIGHT_DEG = -46.0, 36.0
"""Looks over the shoulder. The stranger's photograph looks a little to the right already, so further that way the eyes are lost."""
GONE_S = 3.0
"""After that somebody who went in is forgotten."""


def _owner(play: Play) -> None:
    play.comes_near("owner", leaves="through")
    play.teller.tell("The cardholder holds out their fob.")
    play.teller.answer(play.holds_out(OWNER_FOB))
    play.walks_through()


def _stolen_fob(play: Play) -> None:
    """Walks up, steps to and fro, looks back over either shoulder, lingers, and only then holds out the fob."""
    near = (0.0, 1.15)
    nervous: list[Part] = []
    for x_m, z_m in ((0.32, 1.6), (-0.30, 1.8), (0.28, 1.5), (-0.32, 1.75)):
        nervous += [Go((x_m, z_m), 2.2, ABRUPT_M_S2), Wait(0.5), Go(near, 2.2, ABRUPT_M_S2), Wait(0.4)]
    start, parts = (-0.4, 4.5), [Go(near, 1.3), *nervous, Wait(0.8), Wait(8.0)]
    ends = times(parts, start)
    began_s, reads_s = ends[0], ends[-2]
    sides = (LEFT_DEG, RIGHT_DEG) * 10
    glances = tuple(Glance(began_s + 1.3 + 1.6 * n, 1.1, sides[n]) for n in range(int((reads_s - began_s - 1.5) / 1.6)))
    glances = tuple(Glance(time.monotonic() + each.at_s, each.for_s, each.yaw_deg) for each in glances)
    until = play.sets_out("stranger", start, parts, glances=glances)
    play.until(until[0] + 1.5)
    play.teller.tell("Somebody comes, looks back over either shoulder, steps to and fro.")
    play.until(until[-2])
    play.teller.tell("They hold out the cardholder's fob.")
    play.teller.answer(play.holds_out(OWNER_FOB))
    if play.awaits_the_guard() == "unlock":
        play.walks_through()
    else:
        play.turns_away()


def _tailgating(play: Play) -> None:
    """The cardholder goes in; somebody who waited aside slips through on the same opening."""
    known = play.known()
    here = play.sets_out("owner", (-0.3, 4.5), [Go((0.0, 1.0), 1.3), Wait(1.5), Go(THROUGH, 1.2)])
    behind = play.sets_out(
        "colleague", (0.4, 6.0), [Go((0.45, 2.2), 1.2), Wait(1.2), Go((0.05, 0.35), 1.4, 2.5)], after_s=0.7, alone=False
    )
    play.until(here[0] + 0.2)
    play.teller.tell("The cardholder holds out their fob.")
    play.teller.answer(play.holds_out(OWNER_FOB, reported=False))
    play.until(here[1] - 0.5)
    play.opens()
    play.until(max(here[-1], behind[-1]) + 0.2)
    play.teller.tell("Two have gone in.")
    play.teller.risk(play.await_risk("tailgating", known))
    play.falls_shut()
    play.leaves()


def _loitering(play: Play) -> None:
    """Walks up and down before the door and stays longer than anybody may."""
    known = play.known()
    pacing: list[Part] = [Go((0.75, 2.3), 1.2)]
    for number in range(12):
        pacing += [Wait(0.3), Go((0.75 * (-1) ** (number + 1), 2.3 + 0.2 * (number % 3)), 1.1)]
    play.sets_out("visitor", (-0.5, 4.5), pacing)
    play.teller.tell(f"Somebody walks up and down. Nobody may stay longer than {play.stage.options.no_linger_s:g} s here.")
    play.teller.risk(play.await_risk("no_linger", known, play.stage.options.no_linger_s + 12.0))
    play.turns_away()


def _photo_attack(play: Play) -> None:
    """The cardholder in the flesh is let in; then somebody holds up the cardholder's photograph."""
    _comes(play, "owner", "The cardholder walks up with a head that turns as a head does, and holds out the fob.")
    play.walks_through()
    time.sleep(GONE_S)
    _comes(play, "stranger", "Somebody holds up the cardholder's photograph, and the cardholder's fob.", holds_up=True)
    play.turns_away()


def _comes(play: Play, role: str, words: str, holds_up: bool = False) -> None:
    shown = play.portrait("owner") if holds_up else None
    until = play.sets_out(role, (-0.25, 4.0), [Go((0.0, 1.0), 1.3), Wait(9.0)], holds_up=shown, sway_deg=9.0)
    play.until(until[0] - (0.8 if not holds_up else -1.5))
    play.teller.tell(words)
    play.teller.answer(play.holds_out(OWNER_FOB))


def _unknown_fob(play: Play) -> None:
    play.comes_near("visitor", leaves="aside")
    play.teller.tell("A visitor tries a fob that was issued elsewhere.")
    play.teller.answer(play.holds_out(UNKNOWN_FOB))
    play.leaves()


def _nobody_in_view(play: Play) -> None:
    play.leaves()
    play.teller.tell("A hand holds out the cardholder's fob from beside the camera: nobody is in the picture.")
    play.teller.answer(play.holds_out(OWNER_FOB))


def _offline(play: Play) -> None:
    play.teller.tell("The broker is killed. The door does not ask anybody.")
    play.stage.take_down("broker")
    for number in range(OFFLINE_PASSES):
        play.comes_near("owner", leaves="through")
        play.teller.tell(f"Pass {number + 1} of {OFFLINE_PASSES}, without a network.")
        play.teller.answer(play.holds_out(OWNER_FOB, reported=False))
        play.walks_through()
    play.teller.tell("The broker comes back; the journal empties into the historian.")
    play.stage.start("broker")


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="owner", title="The owner", play=_owner, roles=("owner",), expected=("granted face_match",),
            story="The cardholder walks up, holds out the fob and walks in.",
        ),
        Scenario(
            name="stolen_fob", title="The stolen fob", play=_stolen_fob, roles=("stranger",), expected=("denied face_mismatch",),
            evidence=("face_mismatch", "glances"), alerts=True,
            story="A stranger comes with the cardholder's fob: looks over the shoulder, abrupt moves, lingers.",
        ),
        Scenario(
            name="unknown_fob", title="An unknown fob", play=_unknown_fob, roles=("visitor",), expected=("denied unknown_credential",),
            story="A visitor walks up with a fob that this door does not know.",
        ),
        Scenario(
            name="nobody_in_view", title="Nobody in view", play=_nobody_in_view, roles=(), expected=("denied no_face_in_view",),
            story="The fob is read, but no face can be seen.",
        ),
        Scenario(
            name="offline", title="No network", play=_offline, roles=("owner",),
            expected=("granted face_match",) * OFFLINE_PASSES,
            story="The broker dies, the owner passes three times, the broker comes back. Nothing may be lost.",
        ),
        Scenario(
            name="tailgating", title="Two on one fob", play=_tailgating, roles=("owner", "colleague"), expected=("granted face_match",),
            evidence=("tailgating",), alerts=True,
            story="The cardholder goes in and a second body slips through on the same opening.",
        ),
        Scenario(
            name="loitering", title="Somebody lingers", play=_loitering, roles=("visitor",), expected=(),
            evidence=("no_linger",), alerts=True,
            story="Somebody walks up and down before the door and stays where nobody may linger.",
        ),
        Scenario(
            name="photo_attack", title="A photograph of the owner", play=_photo_attack, roles=("owner", "stranger"), liveness="deny_attack",
            expected=("granted face_match", "denied presentation_attack"), evidence=("presentation_attack",), alerts=True,
            story="The cardholder passes; then somebody holds up the cardholder's photograph with the cardholder's fob.",
        ),
    )
}  # fmt: skip
