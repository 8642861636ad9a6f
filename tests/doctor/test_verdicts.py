"""What the doctor says of what was seen: every finding that something is wrong says why it matters and how it is mended."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import parse_config
from agent.doctor.checks import devices, file_system, key_files, needed, needs
from agent.doctor.finding import Finding
from agent.doctor.machine import FileSeen, Installed, UserSeen
from agent.doctor.verdicts import (
    KeyFile,
    Need,
    Package,
    UnitSeen,
    judge_certificate,
    judge_device,
    judge_disk,
    judge_journal,
    judge_key,
    judge_owned,
    judge_package,
    judge_place,
    judge_python,
    judge_supply,
    judge_unit,
    judge_user,
    judge_watchdog,
    judge_wear,
)
from agent.wear import Figures

DOOR = UserSeen("doorward", frozenset({"doorward", "gpio", "dialout"}))
NOBODY = UserSeen("doorward", None)
LITERT = Package(
    distribution="ai-edge-litert", module="ai_edge_litert", why="no network runs", mend="pip install 'doorward[vision]'"
)
KEY = KeyFile(key="records.door_key", private=True, why="no template can be opened", mend="make it on this door")


def config(**tables: Any) -> Any:
    return parse_config({"site": "hq", "door": "front", **tables})


def file(owner: str = "doorward", mode: int = 0o600, group: str = "doorward") -> FileSeen:
    return FileSeen(path="/etc/doorward/door.key", exists=True, mode=mode, owner=owner, group=group, private=not mode & 0o077)


def levels(findings: Any) -> list[str]:
    return [finding.level for finding in findings]


@given(st.integers(0, 2**40), st.integers(1, 2**40), st.floats(-4000, 4000), st.none() | st.integers(0, 2**20))
def test_what_is_wrong_always_comes_with_its_reason_and_its_mend(free, total, days, throttled):
    found = [
        judge_disk("/var", free, total), judge_certificate("ca.pem", days), judge_certificate("ca.pem", None), judge_watchdog(False, "no"),
        judge_watchdog(True, "no"), *judge_supply(throttled), *judge_journal("j", True, free, 1, ""), *judge_journal("j", True, 0, 0, "torn"),
        *judge_python((3, 9), False), *judge_user(NOBODY, ()), *judge_user(DOOR, (Need(group="video", why="camera"),)),
        judge_package(LITERT, Installed(None)), judge_package(LITERT, Installed("2.3", "ImportError: numpy")),
        judge_unit(UnitSeen(name="doorward-door.service", loaded=False, active="", enabled="")),
    ]  # fmt: skip
    for finding in found:
        assert finding.level in ("well", "note") or (finding.why and finding.mend), finding


def test_a_package_that_is_there_and_does_not_import_is_no_package():
    finding = judge_package(LITERT, Installed("2.14.0", "SystemError: numpy 2"))
    assert finding.level == "bad"
    assert "SystemError" in finding.what


@pytest.mark.parametrize(
    ("seen", "level"),
    [
        (file(), "well"),
        (file(mode=0o644), "bad"),
        (file(owner="root"), "bad"),
        (file(owner="root", mode=0o640, group="doorward"), "bad"),
        (FileSeen(path="/etc/doorward/door.key", exists=False), "bad"),
    ],
    ids=["as it should be", "readable by all", "root's alone", "private means one reader", "missing"],
)
def test_the_doors_private_key_is_there_its_own_and_private(seen, level):
    assert judge_key(KEY, seen, DOOR).level == level


def test_a_key_that_this_user_may_not_look_at_is_not_called_missing():
    hidden = FileSeen(path="/etc/doorward/door.key", exists=False, hidden=True)
    assert judge_key(KEY, hidden, DOOR).level == "note"


def test_a_public_key_may_be_roots_when_all_may_read_it():
    public = KeyFile(key="records.centre_key", private=False, why="", mend="")
    assert judge_key(public, file(owner="root", mode=0o644), DOOR).level == "well"


def test_a_serial_reader_that_the_door_may_not_open_names_the_group():
    device = FileSeen(path="/dev/ttyUSB0", exists=True, mode=0o660, owner="root", group="tty")
    finding = judge_device(device, DOOR, "reader front cannot be opened", "plug it in")
    assert finding.level == "bad"
    assert finding.mend.startswith("sudo usermod -aG tty doorward")


def test_what_root_left_in_the_doors_folder_is_named():
    finding = judge_owned(
        (file(), FileSeen(path="/var/lib/doorward/calibration.json", exists=True, owner="root")), DOOR, "/var/lib/doorward"
    )
    assert finding.level == "bad"
    assert "calibration.json" in finding.what


def test_a_unit_that_ends_again_and_again_is_worth_a_look():
    assert (
        judge_unit(UnitSeen(name="doorward-vision.service", loaded=True, active="active", enabled="static", restarts=9)).level
        == "warn"
    )
    assert (
        judge_unit(UnitSeen(name="doorward-vision.service", loaded=True, active="active", enabled="static", restarts=1)).level
        == "well"
    )


def test_a_weak_supply_is_told_even_when_it_has_recovered():
    assert levels(judge_supply(1 << 16)) == ["warn"]
    assert levels(judge_supply(0)) == ["well"]
    assert levels(judge_supply(None)) == [], "no Raspberry Pi"


# -- what a configuration needs ----------------------------------------------------------------------------------------------------


def test_only_what_this_door_has_is_asked_for():
    plain = {package.distribution for package in needed(config(vision={"camera": "/dev/video0"}))}
    assert not {"picamera2", "libosdp", "RPLCD"} & plain
    osdp = config(readers=[{"kind": "osdp", "name": "front", "device": "/dev/ttyUSB0"}])
    assert "libosdp" in {package.distribution for package in needed(osdp)}
    assert {"gpio", "dialout", "video"} <= {need.group for need in needs(osdp)}
    assert "/dev/ttyUSB0" in {path for path, _, _ in devices(osdp, [])}
    assert "key of reader front" in {wanted.key for wanted, _ in key_files(osdp)}


def test_a_camera_on_the_network_needs_no_group():
    assert "video" not in {need.group for need in needs(config(vision={"camera": "rtsp://cam/1"}))}


def test_findings_are_all_of_one_kind():
    assert all(isinstance(finding, Finding) for finding in judge_python((3, 11), True))


MOUNTS = """\
22 1 179:2 / / ro,noatime shared:1 - ext4 /dev/root ro
23 22 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
30 22 179:3 / /var/lib/doorward rw,noatime shared:9 - ext4 /dev/mmcblk0p3 rw
31 22 0:40 / /home rw - overlay overlayroot rw,lowerdir=/a,upperdir=/b
"""


@pytest.mark.parametrize(
    ("folder", "kind", "level"),
    [
        ("/var/lib/doorward", "ext4", []),
        ("/run/records", "tmpfs", ["bad"]),
        ("/home/x", "overlay", ["warn"]),
        ("/var/lib/doorward2", "ext4", []),
    ],
)
def test_records_that_a_power_cut_would_take_along_are_told(folder, kind, level):
    assert file_system(MOUNTS, folder) == kind
    assert levels(judge_place(folder, kind)) == level


def test_where_the_kernel_does_not_say_what_a_folder_lies_on_nothing_is_claimed():
    assert file_system("", "/var/lib/doorward") == ""
    assert levels(judge_place("/var/lib/doorward", "")) == []


@pytest.mark.parametrize(
    ("told", "level"),
    [
        (Figures(), ["note"]),
        (Figures(disk_b_a_day=100_000_000, programs_b_a_day=20_000_000, rewrites_a_year=1.1), ["well"]),
        (Figures(disk_b_a_day=9_000_000_000, rewrites_a_year=102.0), ["warn"]),
        (Figures(disk_b_a_day=1, life_used=80), ["warn", "well"]),
        (Figures(life_used=110), ["bad", "note"]),
    ],
)
def test_a_card_that_will_not_last_is_told_before_it_fails(told, level):
    found = list(judge_wear(told))
    assert levels(found) == level
    assert all(finding.level in ("well", "note") or (finding.why and finding.mend) for finding in found)


def test_what_is_written_is_said_in_words():
    (found,) = judge_wear(Figures(disk_b_a_day=123_400_000, programs_b_a_day=20_000_000, rewrites_a_year=1.4))
    assert found.what == "123 MB a day are written to this disk, 20 MB of it by Doorward"
