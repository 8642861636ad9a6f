"""Boards as data: held against what others say of the same headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from gpiozero.pins import data

from agent.errors import HardwareError
from hw.boards import BOARDS, POWER, Board, board_named, detect_board

ORIN_PORTS = {
    "A": 8, "B": 1, "C": 8, "D": 4, "E": 8, "F": 6, "G": 8, "H": 8, "I": 7, "J": 6, "K": 8, "L": 4, "M": 8, "N": 8, "P": 8, "Q": 8,
    "R": 6, "X": 8, "Y": 8, "Z": 8, "AC": 8, "AD": 4, "AE": 2, "AF": 4, "AG": 8,
}  # fmt: skip
"""Lines of each port, in the driver's order: TEGRA234_MAIN_GPIO_PORT in the kernel's drivers/gpio/gpio-tegra186.c."""
RASPBERRIES = [board for board in BOARDS if board.title.startswith("Raspberry")]
JETSONS = [board for board in BOARDS if board.title.startswith("NVIDIA")]


def named(name: str) -> Board:
    board = board_named(name)
    assert board is not None
    return board


@pytest.mark.parametrize("board", RASPBERRIES, ids=lambda board: board.name)
def test_a_raspberry_pis_header_is_the_one_that_gpiozero_knows(board):
    theirs = (data.PI5_J8 if board.name == "raspberry-pi-5" else data.PI4_J8)[2]
    ours = {line.position: f"GPIO{line.bcm}" for line in board.header}
    assert ours == {position: uses["gpio"] for position, uses in theirs.items() if "gpio" in uses}
    assert {position: uses[""] for position, uses in theirs.items() if "gpio" not in uses} == POWER


@pytest.mark.parametrize("board", JETSONS, ids=lambda board: board.name)
def test_a_jetsons_lines_are_where_its_driver_counts_them(board):
    names = [f"P{port}.{line:02x}" for port, lines in ORIN_PORTS.items() for line in range(lines)]
    assert {line.name: line.offset for line in board.header} == {line.name: names.index(line.name) for line in board.header}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_no_two_pins_of_a_board_share_a_name_a_line_or_a_position(board):
    names = [name for line in board.header for name in line.names]
    assert len(names) == len(set(names))
    assert len({line.offset for line in board.header}) == len(board.header)
    assert len({line.position for line in board.header} | set(POWER)) == len(board.header) + len(POWER)
    assert all(1 <= line.position <= 40 for line in board.header)


def test_every_name_of_a_pin_means_the_same_pin():
    pi, jetson = named("raspberry-pi-4"), named("jetson-orin-nano")
    assert {pi.find(name) for name in (17, "GPIO17", "BOARD11")} == {pi.find(17)}
    assert {jetson.find(name) for name in (17, "GPIO17", "BOARD11", "PR.04")} == {jetson.find("PR.04")}
    assert jetson.find(2) is None, "position 3 of a Jetson's header is I2C and nothing else"
    assert pi.find("PR.04") is None


@pytest.mark.parametrize(("compatible", "name"), [
    (b"raspberrypi,5-model-b\0brcm,bcm2712\0", "raspberry-pi-5"),
    (b"raspberrypi,4-model-b\0brcm,bcm2711\0", "raspberry-pi-4"),
    (b"raspberrypi,model-zero-2-w\0brcm,bcm2837\0", "raspberry-pi-zero-2-w"),
    (b"raspberrypi,4-compute-module\0brcm,bcm2711\0", "compute-module-4"),
    (b"nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0", "jetson-orin-nano"),
    (b"nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0", "jetson-orin-nano"),
    (b"nvidia,p3768-0000+p3767-0000\0nvidia,p3767-0000\0nvidia,tegra234\0", "jetson-orin-nx"),
])  # fmt: skip
def test_a_board_is_known_by_its_device_tree(tmp_path: Path, compatible: bytes, name: str):
    (tmp_path / "compatible").write_bytes(compatible)
    assert detect_board(tmp_path / "compatible") is named(name)


@pytest.mark.parametrize(
    "compatible", [b"", b"\xff\xfe", b"raspberrypi,5-model\0", b"acme,raspberrypi,5-model-b\0", b"brcm,bcm2712\0"]
)
def test_a_board_that_only_looks_alike_is_not_taken_for_one(tmp_path: Path, compatible: bytes):
    (tmp_path / "compatible").write_bytes(compatible)
    assert board_named("auto", tmp_path / "compatible") is None


def test_a_pc_is_no_board(tmp_path: Path):
    assert board_named("auto", tmp_path / "compatible") is None


def test_a_board_nobody_has_heard_of_is_refused_with_those_there_are():
    with pytest.raises(HardwareError, match=r"raspberry-pi-6.*raspberry-pi-5.*jetson-orin-nano"):
        board_named("raspberry-pi-6")
