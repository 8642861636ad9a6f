"""The service units: what must hold on a real controller and no test on this machine would miss."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.calibration import TALLY_FILE
from agent.live_wire import LIVE_FOLDER
from agent.media.clips import FOLDER as CLIPS
from agent.norms_file import FOLDER as NORMS_FOLDER
from agent.shared_view import VIEW
from agent.vision.evidence import FOLDER

UNITS = Path(__file__).parents[1] / "systemd"


def unit(name: str) -> str:
    return (UNITS / f"doorward-{name}.service").read_text()


def value(name: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in unit(name).splitlines() if line.partition("=")[0] == key]


def test_whatever_ends_the_door_program_the_coils_power_is_taken_away():
    (command,) = value("door", "ExecStopPost")
    assert command.split()[1] == "safe-state"
    assert value("door", "KillMode") == [], "mixed or process would kill the dead man with its parent, or forget it"


@pytest.mark.parametrize("name", ["door", "vision", "media"])
def test_no_number_of_crashes_makes_a_controller_give_up(name):
    assert value(name, "Restart") == ["always"]
    assert value(name, "StartLimitIntervalSec") == ["0"]


def test_the_door_program_can_see_which_board_it_runs_on():
    """gpiozero reads /proc/device-tree and /proc/cpuinfo, which ProcSubset=pid hides."""
    assert value("door", "ProcSubset") == []


def test_vision_writes_to_its_evidence_its_count_and_its_norms_and_to_nothing_else_of_the_door():
    assert value("vision", "StateDirectory") == [f"doorward/{FOLDER} doorward/{Path(TALLY_FILE).parent} doorward/{NORMS_FOLDER}"]
    assert value("vision", "ReadWritePaths") == []


MOST_SECONDS_OF_A_RASPBERRY_PI = 15
"""The timer counts to 15.99 s; kernels before 6.8 refuse more, and systemd then runs without a watchdog."""


def test_the_hardware_watchdog_asks_for_no_more_than_a_raspberry_pi_can_count():
    lines = dict(
        line.split("=") for line in (UNITS / "doorward-watchdog.conf").read_text().splitlines() if "=" in line and line[0] != "#"
    )
    assert set(lines) == {"RuntimeWatchdogSec", "RebootWatchdogSec"}
    assert all(5 < int(seconds) <= MOST_SECONDS_OF_A_RASPBERRY_PI for seconds in lines.values())
    (unit_s,) = value("door", "WatchdogSec")
    assert int(unit_s.removesuffix("s")) < int(lines["RuntimeWatchdogSec"]), "the door is restarted before the board is"


def test_media_which_speaks_with_browsers_sees_no_socket_no_journal_and_no_key_of_the_door():
    hidden = " ".join(value("media", "TemporaryFileSystem"))
    assert "/run/doorward" in hidden
    assert "/var/lib" in hidden
    assert value("media", "BindPaths") == [f"/run/doorward/{LIVE_FOLDER} /var/lib/doorward/{CLIPS}"]
    assert value("media", "BindReadOnlyPaths") == [f"/run/doorward/{VIEW}"]
    assert "-/etc/doorward/link/door.key" in value("media", "InaccessiblePaths")[0].split()


def test_the_door_may_use_the_pins_and_its_unit_needs_no_group_that_a_board_may_lack():
    assert "char-gpiochip rw" in value("door", "DeviceAllow")
    assert value("door", "SupplementaryGroups") == ["gpio dialout"]
    drop_in = (UNITS / "doorward-door.service.d" / "supervision.conf").read_text()
    assert "DeviceAllow=char-spi rw" in drop_in.splitlines()
    assert "SupplementaryGroups=spi" in drop_in.splitlines()


@pytest.mark.parametrize("name", ["central", "door", "vision", "media"])
def test_no_crash_writes_templates_and_keys_from_memory_into_a_file(name):
    assert value(name, "LimitCORE") == ["0"]


def test_the_centre_may_make_its_keys_where_init_says_they_lie() -> None:
    assert value("central", "ReadWritePaths") == ["-/etc/doorward-central/keys"]
