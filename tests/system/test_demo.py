"""The demo as a visitor and as a script would run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

EXPECTED = {
    "owner": ["doorward.access.granted face_match"],
    "stolen_fob": ["doorward.access.denied face_mismatch"],
    "unknown_fob": ["doorward.access.denied unknown_credential"],
    "nobody_in_view": ["doorward.access.denied no_face_in_view"],
    "offline": ["doorward.access.granted face_match"] * 3,
    "tailgating": ["doorward.access.granted face_match"],
    "loitering": [],
    "photo_attack": ["doorward.access.granted face_match", "doorward.access.denied presentation_attack"],
}
EVIDENCE = {
    "stolen_fob": {"face_mismatch", "glances"}, "tailgating": {"tailgating"}, "loitering": {"no_linger"},
    "photo_attack": {"presentation_attack"},
}  # fmt: skip


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "agent.cli", "demo", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("scenario", EXPECTED)
def test_each_story_ends_as_it_should_with_its_pictures_and_cloudevents(scenario: str, tmp_path: Path):
    done = demo("--headless", "--json", "--scenario", scenario, "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(event["specversion"] == "1.0" and event["source"] == "/doorward/demo/front" for event in events)
    decisions = [event for event in events if event["type"].startswith("doorward.access.")]
    assert [f"{event['type']} {event['data']['reasons'][0]}" for event in decisions] == EXPECTED[scenario]
    pictures = tmp_path / "run" / "records" / "evidence"
    assert all((pictures / f"{event['id']}.jpg").stat().st_size > 5000 for event in decisions)


@pytest.mark.parametrize("scenario", EVIDENCE)
def test_an_incident_has_its_evidence_in_the_events_and_guards_are_told(scenario: str, tmp_path: Path):
    done = demo("--headless", "--json", "--scenario", scenario, "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    risks = [event["data"]["risk"] for line in done.stdout.splitlines() if "risk" in (event := json.loads(line))["data"]]
    items = [item for risk in risks for item in risk["items"]]
    assert EVIDENCE[scenario] <= {item["kind"] for item in items}
    assert all(item["sentence"] and item["unit"] and item["confidence"] > 0 for item in items)
    assert any(risk["alert"] and "guards" in risk["tells"] for risk in risks)


def test_an_unknown_scenario_is_a_usage_error_that_lists_the_known_ones():
    done = demo("--scenario", "ghosts")
    assert done.returncode == 2
    assert all(name in done.stderr for name in EXPECTED)


def test_a_film_that_is_not_there_is_named():
    done = demo("--video", "/nowhere/film.mp4")
    assert done.returncode == 2
    assert "/nowhere/film.mp4" in done.stderr
