"""Boards as data: which line of which GPIO chip each position of the 40-pin header is.

Chips are found by their label, never by their number: the header of a Raspberry Pi 5 has been gpiochip4 and gpiochip0, as the kernel went
(raspberrypi/linux pull request 6144). Nothing here touches a pin; hw.pins_gpiod does.

Sources. Raspberry Pi: positions from the documentation of its GPIO header; an offset is the BCM number; labels from the kernel's
drivers/pinctrl/bcm/pinctrl-bcm2835.c and from the pull request named above; pulls at reset from "BCM2711 ARM Peripherals", table 'GPIO pins
alternative function assignment'. Jetson Orin Nano and NX: NVIDIA/jetson-gpio, lib/python/Jetson/GPIO/gpio_pin_data.py; names and offsets
again from the ports of drivers/gpio/gpio-tegra186.c (tests/hw/test_boards.py counts them up).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from agent.errors import HardwareError

Pull = Literal["up", "down", "unknown"]
DEVICE_TREE = Path("/proc/device-tree/compatible")
POWER = {
    1: "3V3",
    2: "5V",
    4: "5V",
    6: "GND",
    9: "GND",
    14: "GND",
    17: "3V3",
    20: "GND",
    25: "GND",
    30: "GND",
    34: "GND",
    39: "GND",
}
"""Positions without a line; the same on every 40-pin header of this kind."""


class HeaderPin(NamedTuple):
    """One position of a header that is a line of a GPIO chip."""

    position: int
    name: str
    """The canonical one: "GPIO17", "PAC.06"."""
    bcm: int
    """The number that the Raspberry Pi's header has at this position; Jetson's table keeps to it."""
    offset: int
    """Which line of the chip."""
    by_name: bool = False
    """The kernel itself gives the line this name, and it is looked for by that; a kernel that calls it otherwise is refused."""
    pull: Pull = "unknown"
    """What pulls the line from reset until a program takes it."""
    other_use: str = ""
    """What else this position is for; a door that uses it so may not use it as a pin."""

    @property
    def names(self) -> tuple[int | str, ...]:
        """All that a configuration may call it."""
        spelt = (self.bcm, self.name, f"GPIO{self.bcm}", f"BOARD{self.position}")
        return tuple(dict.fromkeys(spelt))


class Board(NamedTuple):
    """A controller board with its header."""

    name: str
    title: str
    compatible: tuple[str, ...]
    """First words of /proc/device-tree/compatible; any of them."""
    chip: str
    """Label of the chip that drives the header."""
    header: tuple[HeaderPin, ...]
    pulls: bool
    """Whether a program can switch the lines' own pull-ups; where not, each input needs a resistor."""

    def find(self, pin: int | str) -> HeaderPin | None:
        """The header's pin of this name or number."""
        return next((line for line in self.header if pin in line.names), None)


_PI_POSITIONS = {
    3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25, 23: 11, 24: 8, 26: 7,
    27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21,
}  # fmt: skip
_OTHER_USE = {3: "I2C SDA", 5: "I2C SCL", 8: "UART TXD", 10: "UART RXD", 19: "SPI MOSI", 21: "SPI MISO", 23: "SPI SCLK",
              24: "SPI CE0", 26: "SPI CE1", 27: "HAT ID", 28: "HAT ID"}  # fmt: skip
LAST_PULLED_UP = 8
"""GPIO0 to GPIO8 are pulled up at reset, GPIO9 to GPIO27 down: the coil of a relay on the wrong one has power while the board boots."""

_PI_HEADER = tuple(
    HeaderPin(
        position, f"GPIO{bcm}", bcm, bcm, pull="up" if bcm <= LAST_PULLED_UP else "down", other_use=_OTHER_USE.get(position, "")
    )
    for position, bcm in _PI_POSITIONS.items()
)

_ORIN_LINES = {
    7: ("PAC.06", 144), 11: ("PR.04", 112), 12: ("PH.07", 50), 13: ("PY.00", 122), 15: ("PN.01", 85), 16: ("PY.04", 126),
    18: ("PY.03", 125), 19: ("PZ.05", 135), 21: ("PZ.04", 134), 22: ("PY.01", 123), 23: ("PZ.03", 133), 24: ("PZ.06", 136),
    26: ("PZ.07", 137), 29: ("PQ.05", 105), 31: ("PQ.06", 106), 32: ("PG.06", 41), 33: ("PH.00", 43), 35: ("PI.02", 53),
    36: ("PR.05", 113), 37: ("PY.02", 124), 38: ("PI.01", 52), 40: ("PI.00", 51),
}  # fmt: skip

_ORIN_HEADER = tuple(
    HeaderPin(position, name, _PI_POSITIONS[position], offset, by_name=True, other_use=_OTHER_USE.get(position, ""))
    for position, (name, offset) in _ORIN_LINES.items()
)


def _orin(name: str, title: str, modules: tuple[str, ...]) -> Board:
    carriers = ("p3768-0000", "p3509-0000")
    # JetPack 6.2 calls its faster mode by a board of its own, and names the plain one no more
    compatible = tuple(
        f"nvidia,{carrier}+p3767-{module}{speed}" for carrier in carriers for module in modules for speed in ("", "-super")
    )
    return Board(name, title, compatible, "tegra234-gpio", _ORIN_HEADER, pulls=False)


BOARDS: tuple[Board, ...] = (
    Board("raspberry-pi-5", "Raspberry Pi 5", ("raspberrypi,5-model-b",), "pinctrl-rp1", _PI_HEADER, pulls=True),
    Board("raspberry-pi-4", "Raspberry Pi 4 Model B", ("raspberrypi,4-model-b",), "pinctrl-bcm2711", _PI_HEADER, pulls=True),
    Board("compute-module-4", "Raspberry Pi Compute Module 4 on its IO board", ("raspberrypi,4-compute-module",), "pinctrl-bcm2711",
          _PI_HEADER, pulls=True),
    Board("raspberry-pi-zero-2-w", "Raspberry Pi Zero 2 W", ("raspberrypi,model-zero-2-w",), "pinctrl-bcm2835", _PI_HEADER, pulls=True),
    _orin("jetson-orin-nano", "NVIDIA Jetson Orin Nano developer kit", ("0003", "0004", "0005")),
    _orin("jetson-orin-nx", "NVIDIA Jetson Orin NX on the developer kit's carrier", ("0000", "0001")),
)  # fmt: skip


def board_named(model: str, device_tree: Path = DEVICE_TREE) -> Board | None:
    """The board of this name; for "auto" the one we run on, or None where it is not known. Raises HardwareError for an unknown name."""
    if model == "auto":
        return detect_board(device_tree)
    board = next((board for board in BOARDS if board.name == model), None)
    if board is None:
        raise HardwareError(
            f"board.model: there is no board {model!r}; allowed: auto, {', '.join(board.name for board in BOARDS)}"
        )
    return board


def detect_board(device_tree: Path = DEVICE_TREE) -> Board | None:
    """The board that this device tree's `compatible` names: words ended by NUL, the most special first (Devicetree Specification 2.3.1)."""
    try:
        words = device_tree.read_bytes().decode("ascii", "replace").split("\0")
    except OSError:
        return None  # a PC has none
    return next((board for word in words for board in BOARDS if word in board.compatible), None)
