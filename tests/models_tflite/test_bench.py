"""What `doorward models bench` says, and that it compares fairly."""

from __future__ import annotations

import json

import pytest

from agent.cli import main
from agent.models_bench import NO_TENSORFLOW, float_files, interleaved_ms


def test_networks_take_turns_and_the_first_round_does_not_count() -> None:
    now_s, order = [0.0], list[str]()

    def run(name: str, seconds: list[float]) -> object:
        order.append(name)
        now_s[0] += seconds.pop(0)
        return None

    slow, fast = [9.0, 0.003, 0.001, 0.002], [9.0, 0.001, 0.001, 0.5]
    times = interleaved_ms({"slow": lambda: run("slow", slow), "fast": lambda: run("fast", fast)}, 3, lambda: now_s[0])
    assert order == ["slow", "fast"] * 4
    assert times == pytest.approx({"slow": 2.0, "fast": 1.0})


def test_each_engine_has_a_row_with_figures_or_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "bench", "--json", "--role", "face_detector", "--runs", "2", "--no-float"]) == 0
    rows = {row["engine"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(rows) == {"litert", "tflite-runtime", "edgetpu"}
    here = rows["litert"]["int8"]
    assert set(here["ms"]) == {"1", "2"}
    assert all(0 < ms < 1000 for ms in here["ms"].values())
    assert 0 < here["load_ms"] < 10_000
    assert here["memory_kb"] > 100
    for row in rows.values():
        assert (row["int8"] is None) == bool(row["absent"])


def test_without_tensorflow_it_says_how_to_get_the_float_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["models", "bench", "--json", "--role", "face_detector", "--runs", "1"]) == 0
    said = capsys.readouterr()
    assert NO_TENSORFLOW in said.err
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert rows[0]["float32"] is None
    assert rows[0]["float_missing"] == NO_TENSORFLOW
    with pytest.raises(Exception, match="extra 'models'"):
        float_files([], __import__("pathlib").Path(), __import__("pathlib").Path())


def test_an_unknown_network_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "bench", "--role", "nose"]) == 2
    assert "person_pose" in capsys.readouterr().err


def test_no_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["models", "bench", "--runs", "0"])
    assert refused.value.code == 2
    assert "at least 1" in capsys.readouterr().err
