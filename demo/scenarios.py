"""The stories of the demo. What must come of each is stated; the chain is told nothing."""

from __future__ import annotations

from demo.play import Play, Scenario
from demo.stage import OWNER_FOB, UNKNOWN_FOB

OFFLINE_PASSES = 3


def _owner(play: Play) -> None:
    play.comes_near("owner", leaves="through")
    play.teller.tell("The cardholder holds out their fob.")
    play.teller.answer(play.holds_out(OWNER_FOB))
    play.walks_through()


def _stolen_fob(play: Play) -> None:
    play.comes_near("stranger", leaves="aside")
    play.teller.tell("Somebody else holds out the cardholder's fob.")
    play.teller.answer(play.holds_out(OWNER_FOB))
    play.leaves()


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
            story="A stranger walks up with the cardholder's fob.",
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
    )
}  # fmt: skip
