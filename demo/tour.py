"""`doorward demo --dashboard`: the stolen fob as a guard sees it, in a browser, with the centre of a real site behind it."""

from __future__ import annotations

import argparse
import select
import sys
import time
from datetime import datetime
from pathlib import Path

import msgspec

from central.gateway.pages import DIST
from demo.dashboard import Invitation, furnish
from demo.ending import ends_in_order, own_folder
from demo.people import fetch_people
from demo.play import Play
from demo.run import DRAINED_WITHIN_S, NO_LINGER_S, READY_WITHIN_S, SEED, open_stage, perform
from demo.scenarios import SCENARIOS
from demo.scene import Scene
from demo.stage import Stage, StageOptions
from demo.teller import Teller

COMMAND_DONE, MODE_CHANGED = "doorward.command.done", "doorward.mode.changed"
PATIENCE_S, LOOK_EVERY_S = 600.0, 0.5
DECIDED = {
    "unlock": "You let them in: they go through.",
    "deny": "You refused: they go.",
    "lockdown": "You locked the door down: nobody gets in any more, and whoever is inside still gets out. They go.",
}
LIFT_IT = "The door is still locked down: lift that first, at Doors, Front door, Release."
STORIES = ("owner", "stolen_fob")


def run_tour(args: argparse.Namespace) -> int:
    """0 when every decision was the expected one and nothing was lost; 1 otherwise."""
    if not (DIST / "index.html").exists():
        print("doorward demo: the dashboard has not been built: run `make web`", file=sys.stderr)
        return 1
    folder = own_folder(args.out, datetime.now())
    people = fetch_people(progress=lambda text: print(text, file=sys.stderr))
    stories = [SCENARIOS[name] for name in args.scenario or STORIES]
    stage = open_stage(
        folder, StageOptions(dashboard=True, knows_usual=True, no_linger_s=NO_LINGER_S, liveness=stories[-1].liveness), people
    )
    invitation = furnish(stage, [Path(p.file) for p in people if (p.name, p.use) == ("owner", "enrolment")])
    teller = Teller(stage.evidence, quiet=args.json, show_pictures=not args.headless)
    wrong: list[str] = []
    with ends_in_order(stage.close):
        teller.title("Doorward", f"Broker, centre, door, vision and media start. Their files: {stage.folder}")
        scene = Scene(stage.options.width_px, stage.options.height_px, SEED)
        stage.show(scene.frame)
        stage.start()
        stage.wait_until_guarding(READY_WITHIN_S)
        _invite(teller, invitation)
        goes_on = _asked("Press Enter here when you have signed in as guard: then they come.")
        play = Guarded(stage, scene, people, teller) if goes_on else Play(stage, scene, people, teller)
        while True:
            for story in stories:
                wrong += perform(story, play)
            teller.tell(f"All of it stays to be looked at: {invitation.url}/#/events")
            if not (goes_on and _once_more(stage)):
                break
        wrong += stage.audit(DRAINED_WITHIN_S)
        events = stage.events()
    if args.json:
        for event in events:
            print(msgspec.json.encode(event).decode())
    for fault in wrong:
        print(f"doorward demo: {fault}", file=sys.stderr)
    return 1 if wrong else 0


class Guarded(Play):
    """A visitor sits at the dashboard and decides: whoever was refused stays for it."""

    def awaits_the_guard(self) -> str:
        self.teller.title("Now you", "They stay at the door until you decide, or press Enter here.")
        for line in ("Open the alert 'Another face than the fob's'. Read why, press Watch live, look at them.",
                     "Then choose: Let in, Refuse, or Lock down (hold it a moment). The door does it and says so."):  # fmt: skip
            self.teller.tell(line)
        known, until_s = self.known(), time.monotonic() + PATIENCE_S
        self.stays(PATIENCE_S + LOOK_EVERY_S)
        while time.monotonic() < until_s and not _is_enter_pressed(LOOK_EVERY_S):
            if command := _ordered(self.stage, known):
                self.teller.tell(DECIDED[command])
                return command
        self.teller.tell("Nobody decided. They give up and go.")
        return ""


def _ordered(stage: Stage, known: set[str]) -> str:
    """What a guard has told the door to do, of what ends the scene."""
    done = (event["data"]["command"] for event in stage.events() if event["type"] == COMMAND_DONE and event["id"] not in known)
    return next((name for name in done if name in DECIDED), "")


def _once_more(stage: Stage) -> bool:
    while _asked("Enter: once more. Ctrl-C: end."):
        if not _is_locked_down(stage):
            return True
        print(LIFT_IT, file=sys.stderr, flush=True)
    return False


def _is_locked_down(stage: Stage) -> bool:
    modes = [event["data"]["mode"] for event in stage.events() if event["type"] == MODE_CHANGED]
    return modes[-1:] == ["LockedDown"]


def _is_enter_pressed(within_s: float) -> bool:
    """Waits so long for it."""
    if not select.select([sys.stdin], [], [], within_s)[0]:
        return False
    sys.stdin.readline()
    return True


def _invite(teller: Teller, invitation: Invitation) -> None:
    teller.title("The dashboard", invitation.url)
    teller.tell(f"Open it in a browser on this machine. Account: guard. Password: {invitation.password}")
    teller.tell("(Accounts manager and auditor have the same password and see more, or other things.)")
    teller.tell("The owner comes first, walks in, and nothing rings. Then somebody else comes with the owner's fob.")


def _asked(words: str) -> bool:
    """Whether somebody is there to press Enter, and has."""
    if not sys.stdin.isatty():
        return False
    print(words, file=sys.stderr, flush=True)
    return sys.stdin.readline() != ""
