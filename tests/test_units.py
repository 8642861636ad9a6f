"""The service units: what must hold on a real controller and no test on this machine would miss."""

from __future__ import annotations

import re
import shutil
import subprocess
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


NEXT_TRY = {"door": "doorward-safe", "vision": "doorward-again@%N", "media": "doorward-again@%N"}
"""What rests and then starts a program again that does not come up."""


@pytest.mark.parametrize("name", NEXT_TRY)
def test_no_number_of_crashes_makes_a_controller_give_up_or_start_again_as_a_whole(name):
    assert value(name, "Restart") == ["always"]
    assert value(name, "OnFailure") == [f"{NEXT_TRY[name]}.service"]
    assert value(name, "StartLimitAction") == ["none"]
    assert not {"FailureAction", "SuccessAction"} & {line.partition("=")[0] for line in unit(name).splitlines()}


@pytest.mark.parametrize("name", ["safe", "again@"])
def test_what_starts_a_program_again_is_ended_by_nothing_and_no_start_limit_refuses_its_start(name):
    assert value(name, "Restart") == ["on-failure"]
    assert value(name, "StartLimitIntervalSec") == ["0"]
    rest, start = value(name, "ExecStart")
    assert rest.endswith("sleep 30'"), "our own programs may be what is broken"
    assert rest.startswith("/bin/sh -c"), "with a `-`, systemd would go on to the start although somebody has stopped it"
    assert start.startswith("+/bin/sh -c '/bin/systemctl reset-failed"), (
        "without it the start would be refused, and nothing would try again"
    )
    assert "/bin/systemctl --no-block start" in start
    assert value(name, "SuccessExitStatus") == [], "the same, for whoever stops it while it sleeps"


@pytest.mark.parametrize("name", ["safe", "again@"])
def test_a_program_that_is_just_being_started_again_is_left_alone(name):
    """From systemd 255 on OnFailure= fires with each crash, and not only when the start limit is hit."""
    (condition,) = value(name, "ExecCondition")
    assert "is-failed" in condition


def test_a_worn_card_does_not_keep_the_door_from_starting():
    """StateDirectory= and RequiresMountsFor= would: a partition that cannot be mounted fails every unit that requires it."""
    assert value("door", "StateDirectory") == []
    assert value("door", "RequiresMountsFor") == []
    assert "var-lib-doorward.mount" in " ".join(value("door", "After"))


def test_whoever_stops_the_target_or_a_program_stops_its_next_try_too():
    for name in (*NEXT_TRY, "safe", "again@"):
        assert "doorward.target" in " ".join(value(name, "PartOf")).split()
    assert "doorward-door.service" in value("safe", "PartOf")[0].split()
    assert "%i.service" in value("again@", "PartOf")[0].split()


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


OF_EVERY_DEBIAN = {"dialout", "video", "plugdev", "audio"}
"""Groups of base-passwd, with numbers of their own: systemd-sysusers would call ours a conflict."""


def test_every_group_that_a_unit_or_a_rule_names_is_made_where_a_board_lacks_it():
    """A unit does not start with a group that is not there, and udev leaves such a device to root."""
    made = {line.split()[1] for line in (UNITS / "doorward-sysusers.conf").read_text().splitlines() if line.startswith("g ")}
    files = [*UNITS.glob("doorward-*.service"), *UNITS.glob("*.service.d/*.conf")]
    named = {
        group
        for file in files
        for words in re.findall(r"^SupplementaryGroups=(.*)$", file.read_text(), re.M)
        for group in words.split()
    }
    named |= set(re.findall(r'GROUP="(\w+)"', (UNITS / "70-doorward.rules").read_text()))
    assert named
    assert named <= made | OF_EVERY_DEBIAN


def test_nothing_that_udev_makes_is_open_to_everybody():
    modes = re.findall(r'MODE="(\d+)"', (UNITS / "70-doorward.rules").read_text())
    assert modes
    assert all(mode.endswith("0") for mode in modes)


def test_every_folder_that_a_unit_may_write_is_made_beforehand():
    """systemd leaves out a folder that is not there (`-`), and then it cannot be written."""
    made = {line.split()[1] for line in (UNITS / "doorward-tmpfiles.conf").read_text().splitlines() if line.startswith("d ")}
    written = {path.removeprefix("-") for path in value("door", "ReadWritePaths")}
    assert written == {"/var/lib/doorward"}
    assert written <= made


def test_the_door_may_use_the_pins_and_serial_lines():
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


# -- by systemd's own words ------------------------------------------------------------------------------------------------------

PROGRAM = re.compile(r"^Exec\w+=[-+!:@]*(/\S+)", re.MULTILINE)
MOST_EXPOSED = 20
"""Tenths of `systemd-analyze security`: 0 is shut, 100 open."""


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("the units are looked at by systemd itself: apt-get install systemd")
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system in which every program that the units start is there, and which is no machine's own."""
    etc = tmp_path / "etc/systemd/system"
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    shutil.copytree(UNITS, etc)
    for file in etc.glob("doorward*"):
        for name in PROGRAM.findall(file.read_text()) if file.is_file() else ():
            program = tmp_path / name.lstrip("/")
            program.parent.mkdir(parents=True, exist_ok=True)
            program.touch(0o755)
    return tmp_path


def whole(name: str) -> str:
    return name.replace("@.", "@doorward-vision.")


ALL = sorted(file.name for pattern in ("*.service", "*.path", "*.timer", "*.target") for file in UNITS.glob(pattern))


@pytest.mark.system
def test_systemd_has_nothing_to_say_against_any_unit(root: Path):
    said = analyze(f"--root={root}", "verify", *map(whole, ALL))
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.system
@pytest.mark.parametrize(
    ("wrong", "said"), [("WatchdogSecs=5s", "WatchdogSecs"), ("ExecStartPre=/opt/doorward/bin/not-there", "bin/not-there")]
)
def test_systemd_would_have_something_to_say_against_a_wrong_one(root: Path, wrong: str, said: str):
    """`verify` ends with 0 for a key that it does not know: what it says counts."""
    file = root / "etc/systemd/system/doorward-door.service"
    file.write_text(file.read_text().replace("Type=notify\n", f"Type=notify\n{wrong}\n"))
    assert said in analyze(f"--root={root}", "verify", "doorward-door.service").stderr


@pytest.mark.system
@pytest.mark.parametrize("name", [name for name in ALL if name.endswith(".service")])
def test_no_program_may_do_more_than_it_must(name: str):
    said = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager", str(UNITS / name))
    assert said.returncode == 0, said.stdout.splitlines()[-1]
