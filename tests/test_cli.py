"""One entry point: 0 done, 1 finding or refusal, 2 usage or configuration; output for programs apart from words for people."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent import __version__, cli
from agent.errors import ConfigError, HardwareError


def run(*words: str) -> int:
    try:
        return cli.main(list(words))
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "door.toml"
    path.write_text('site = "hq"\ndoor = "front"\n')
    return path


def test_a_good_configuration_is_called_fine(config, capsys):
    assert run("check-config", "--config", str(config)) == 0
    out, err = capsys.readouterr()
    assert (out, "fine, door hq/front" in err) == ("", True)


@pytest.mark.parametrize("command", ["check-config", "door", "vision"])
def test_a_wrong_configuration_stops_every_program_and_names_file_and_key(config, capsys, command):
    config.write_text(config.read_text() + "[lock]\npulse = 3\n")
    assert run(command, "--config", str(config)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "door.toml" in err
    assert "`pulse`" in err
    assert "Traceback" not in err


def test_a_rate_that_no_threshold_is_stated_for_is_found_before_the_door_starts(config, capsys):
    config.write_text(config.read_text() + "[policy]\nfmr = 0.002\n")
    assert run("check-config", "--config", str(config)) == 2
    err = capsys.readouterr().err
    assert "`$.policy.fmr`" in err
    assert "stated are: 0.001" in err


def test_a_missing_configuration_is_named(tmp_path, capsys):
    assert run("check-config", "--config", str(tmp_path / "absent.toml")) == 2
    assert "absent.toml" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("dor",), ("check-config", "--colour"), ("decode",)])
def test_what_is_no_command_is_a_usage_error(words, capsys):
    assert run(*words) == 2
    assert "usage: doorward" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--help",), ("decode", "--help"), ("safe-state", "--help")])
def test_help_is_done_when_it_was_given(words, capsys):
    assert run(*words) == 0
    assert "usage: doorward" in capsys.readouterr().out


def test_the_overview_names_every_command(capsys):
    run("--help")
    overview = capsys.readouterr().out
    assert set(cli.COMMANDS) <= set(overview.split())


def test_the_version_is_the_packages(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"doorward {__version__}\n"


@pytest.mark.parametrize(
    ("error", "status"), [(HardwareError("relay gone"), 1), (ConfigError("key"), 2), (KeyboardInterrupt(), 1)]
)
def test_an_error_on_purpose_is_one_line_and_a_status(monkeypatch, capsys, config, error, status):
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("agent.safe_state.make_safe", fail)
    assert run("safe-state", "--config", str(config)) == status
    err = capsys.readouterr().err
    assert err == (f"doorward: {error}\n" if str(error) else "")


@pytest.mark.parametrize("stdout", ["buffered", "unbuffered"])
def test_a_reader_who_has_seen_enough_is_no_fault(stdout):
    """`doorward … | head -1`: no traceback, not even from the last flush."""
    code = f"""
import os, sys
from agent import cli, decode_cli
def many(_):
    for _ in range(100_000):
        print('line', flush={stdout == "unbuffered"})
    return 0
decode_cli._wiegand = many
sys.exit(cli.main(['decode', 'wiegand', '1']))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


def test_a_broken_pipe_that_is_not_standard_output_is_not_hidden(monkeypatch, config):
    def fail(_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("agent.safe_state.make_safe", fail)
    with pytest.raises(BrokenPipeError):
        run("safe-state", "--config", str(config))


def test_an_error_nobody_meant_is_not_hidden(monkeypatch, config):
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("agent.safe_state.make_safe", fail)
    with pytest.raises(ZeroDivisionError):
        run("safe-state", "--config", str(config))


def test_a_small_command_loads_no_pictures_no_network_and_no_pins():
    """A door has 45 MB: what a command does not use, it does not carry."""
    heavy = "{'cv2', 'paho', 'gpiozero', 'nacl', 'amqtt', 'ai_edge_litert'}"
    code = f"import sys; from agent.cli import main; main(['decode', 'wiegand', '1']); sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60).returncode == 0
