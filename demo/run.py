"""Plays scenarios on a stage and checks afterwards that the historian holds exactly what the door put on record."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from agent.errors import DoorwardError
from demo.catalogue import Portrait
from demo.ending import ends_in_order, own_folder
from demo.people import fetch_people
from demo.play import Play, Scenario, evidence_of
from demo.scenarios import SCENARIOS
from demo.scene import Scene
from demo.stage import Stage, StageOptions
from demo.teller import Teller

SEED = 20
NO_LINGER_S = 15.0
READY_WITHIN_S = 30.0
DRAINED_WITHIN_S = 30.0


def run_demo(args: argparse.Namespace) -> int:
    """0 when every decision was the expected one, its evidence was there and nothing was lost; 1 otherwise."""
    folder = own_folder(args.out, datetime.now())
    people = fetch_people(progress=lambda text: print(text, file=sys.stderr))
    wrong: list[str] = []
    events: list[dict[str, Any]] = []
    acts = _acts([SCENARIOS[name] for name in args.scenario or SCENARIOS])
    for options, scenarios in acts:
        there = folder if len(acts) == 1 or options == acts[0][0] else folder / options.liveness
        found, seen = _act(open_stage(there, options, people), scenarios, people, args)
        wrong += found
        events += seen
    if args.json:
        for event in events:
            print(msgspec.json.encode(event).decode())
    for fault in wrong:
        print(f"doorward demo: {fault}", file=sys.stderr)
    return 1 if wrong else 0


def _acts(scenarios: list[Scenario]) -> list[tuple[StageOptions, list[Scenario]]]:
    """Stories that are played at one door together: those with one policy on liveness."""
    policies = dict.fromkeys(scenario.liveness for scenario in scenarios)
    return [
        (
            StageOptions(liveness=policy, knows_usual=True, no_linger_s=NO_LINGER_S),
            [each for each in scenarios if each.liveness == policy],
        )
        for policy in policies
    ]


def _act(
    stage: Stage, scenarios: list[Scenario], people: list[Portrait], args: argparse.Namespace
) -> tuple[list[str], list[dict[str, Any]]]:
    """One stage from its beginning to its end: what came out otherwise than expected, and all events."""
    teller = Teller(stage.evidence, quiet=args.json, show_pictures=not args.headless)
    wrong = []
    with ends_in_order(stage.close):
        teller.title("Doorward", f"Broker, historian, door and vision start. Their files: {stage.folder}")
        scene = Scene(stage.options.width_px, stage.options.height_px, SEED)
        stage.show(scene.frame)
        stage.start()
        stage.wait_until_guarding(READY_WITHIN_S)
        teller.tell("The door is guarded.")
        for scenario in scenarios:
            wrong += perform(scenario, Play(stage, scene, people, teller))
        wrong += stage.audit(DRAINED_WITHIN_S)
        events = stage.events()
    teller.title(
        "The end", f"{len(events)} events; the historian holds exactly what the door put on record." if not wrong else ""
    )
    teller.tell(f"Pictures of the decisions: {stage.evidence}")
    return wrong, events


def open_stage(folder: Path, options: StageOptions, people: list[Portrait]) -> Stage:
    """A stage whose one cardholder is enrolled from the owner's enrolment photographs."""
    stage = Stage(folder, options)
    pictures = [Path(p.file) for p in people if (p.name, p.use) == ("owner", "enrolment")]
    stage.enrol(tuple(pictures))
    return stage


def perform(scenario: Scenario, play: Play) -> list[str]:
    """Play one scenario; returns what came out otherwise than expected."""
    stage = play.stage
    play.teller.title(scenario.title, scenario.story)
    before = {event["id"] for event in stage.events()}
    play.prepare(*scenario.roles)
    try:
        scenario.play(play)
        decisions = _await_decisions(scenario, stage, before)
    except DoorwardError as error:
        return [f"{scenario.name}: {error}"]
    if decisions != list(scenario.expected):
        return [f"{scenario.name}: expected {', '.join(scenario.expected)}; the door decided {', '.join(decisions) or 'nothing'}"]
    return _lacking(scenario, [event for event in stage.events() if event["id"] not in before])


def _lacking(scenario: Scenario, events: list[dict[str, Any]]) -> list[str]:
    """What the events do not tell that they should."""
    kinds = set().union(*map(evidence_of, events)) if events else set()
    wrong = [f"{scenario.name}: no event has evidence of {kind}" for kind in scenario.evidence if kind not in kinds]
    told = any(isinstance(risk := event["data"].get("risk"), dict) and risk.get("alert") for event in events)
    return [*wrong, f"{scenario.name}: no guard was told"] if scenario.alerts and not told else wrong


def _await_decisions(scenario: Scenario, stage: Stage, before: set[str]) -> list[str]:
    def decided() -> list[str]:
        return [decision_words(e) for e in stage.events() if e["id"] not in before and e["type"].startswith("doorward.access.")]

    stage.wait(lambda: len(decided()) >= len(scenario.expected), DRAINED_WITHIN_S, "the historian lacks decisions")
    return decided()


def decision_words(event: dict[str, Any]) -> str:
    """'granted face_match' for a decision's CloudEvent."""
    return " ".join((event["type"].rsplit(".", 1)[-1], *event["data"]["reasons"]))
