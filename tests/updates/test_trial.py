"""Whether an update is good, by what vision says afterwards."""

from __future__ import annotations

from agent.core.messages import VisionHealth
from agent.updates.trial import GOOD, Patience, Trial, judged

PATIENCE = Patience(comes_up_s=45, stays_good_s=20, fault_stays_s=4)
TRIAL = Trial(rules=3, models=5, shadow=0, faults_before=frozenset({"camera: dusty"}))


def health(*faults: str, models: int = 5) -> VisionHealth:
    return VisionHealth(at_s=0, ok=True, camera="", engine="", frames_per_s=15, faults=faults, rules=3, models=models)


def verdicts(*said: tuple[float, VisionHealth | None]) -> list[str | None]:
    trial, told = TRIAL, list[str | None]()
    for at_s, word in said:
        trial, verdict = judged(trial, word, at_s, PATIENCE)
        told.append(verdict)
    return told


def test_what_runs_for_a_while_without_a_new_fault_is_good():
    assert verdicts((0, health()), (19, health("camera: dusty")), (20, health())) == [None, None, GOOD]


def test_a_plain_wall_is_no_fault_of_an_update():
    assert verdicts((0, health()), (20, health("scene: the camera shows too little to be recognised by")))[-1] == GOOD


def test_a_new_fault_that_stays_is_told_and_one_that_passes_is_not():
    assert "liveness: ValueError" in str(
        verdicts((0, health()), (5, health("liveness: ValueError")), (9, health("liveness: ValueError")))[-1]
    )
    passing = verdicts((0, health()), (5, health("liveness: ValueError")), (8, health()), (27, health()), (28, health()))
    assert passing == [None, None, None, None, GOOD]


def test_vision_that_waits_for_a_quiet_moment_is_not_hurried_and_one_that_is_silent_has_failed():
    assert verdicts((0, health(models=4)), (500, health(models=4)), (501, None), (545, None))[-1] is None
    assert "did not come up" in str(verdicts((0, health(models=4)), (501, None), (546, None))[-1])


def test_what_vision_could_not_start_with_is_taken_back_at_once():
    assert verdicts((0, health("update: its networks do not open: TFL3", models=0))) == ["its networks do not open: TFL3"]
