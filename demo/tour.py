"""`doorward demo --dashboard`: the stolen fob as a guard sees it, in a browser, with the centre of a real site behind it."""

from __future__ import annotations

import argparse
import sys
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
from demo.stage import StageOptions
from demo.teller import Teller

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
        play = Play(stage, scene, people, teller)
        goes_on = _asked("Press Enter when you have signed in, and watch the dashboard.")
        while True:
            for story in stories:
                wrong += perform(story, play)
            teller.tell(f"Alerts: {invitation.url}/#/alerts")
            if not (goes_on and _asked("Enter: once more. Ctrl-C: end.")):
                break
        wrong += stage.audit(DRAINED_WITHIN_S)
        events = stage.events()
    if args.json:
        for event in events:
            print(msgspec.json.encode(event).decode())
    for fault in wrong:
        print(f"doorward demo: {fault}", file=sys.stderr)
    return 1 if wrong else 0


def _invite(teller: Teller, invitation: Invitation) -> None:
    teller.title("The dashboard", invitation.url)
    teller.tell(f"Sign in as guard, manager or auditor; the password of each is {invitation.password}")
    teller.tell("As guard, open Alerts. The owner comes first and nothing rings. Then somebody comes with the owner's fob:")
    teller.tell("see why the door refused, who the fob belongs to, what the camera sees now, and decide.")


def _asked(words: str) -> bool:
    """Whether somebody is there to press Enter, and has."""
    if not sys.stdin.isatty():
        return False
    print(words, file=sys.stderr, flush=True)
    return sys.stdin.readline() != ""
