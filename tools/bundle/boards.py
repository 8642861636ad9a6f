"""Which boards there are bundles for, and what of PyPI goes into each."""

from __future__ import annotations

from msgspec import Struct

GLIBC = (2, 35)
"""The oldest C library of all targets, so that one pool serves them: Ubuntu 22.04 (JetPack 6) has 2.35, Debian 12 (Raspberry Pi OS
Bookworm) 2.36, Ubuntu 24.04 (JetPack 7) 2.39, Debian 13 (Trixie) 2.41. A wheel that asks for more is never locked."""

WITH_LIVE = ("osdp", "live")


class Target(Struct, frozen=True):
    """An interpreter on a kind of machine: what a lock is made for."""

    machine: str
    """As `uname -m` says it."""
    python: str
    """"3.11"."""
    extras: tuple[str, ...]
    """Of setup.cfg."""
    holds: tuple[str, ...] = ()
    """Narrower than what packages ask for, as pip's constraints."""
    against: tuple[str, ...] = ()
    """In place of what packages ask for, whatever that is."""

    @property
    def digits(self) -> str:
        """ "311", as wheels and file names spell it."""
        return self.python.replace(".", "")

    @property
    def name(self) -> str:
        return f"{self.machine}-py{self.digits}"


class Board(Struct, frozen=True):
    """A kind of controller."""

    name: str
    machine: str
    pythons: tuple[str, ...]
    limit_b: int = 200_000_000
    """A bundle that grows over it is not made: it is carried on a card's boot partition, and over slow lines."""

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(target for target in TARGETS if target.machine == self.machine and target.python in self.pythons)


# ai-edge-litert asks for it whatever the Python; its 1.3 refuses 3.11 and later, which pip heeds and uv does not.
STRENUM = "backports.strenum<1.3"
# One wheel (33 MB) for both Pythons of a Raspberry Pi: the last PyAV that takes 3.11.
ONE_PYAV = "av<19"
# One numpy at every Jetson: the last that takes Python 3.10.
ONE_NUMPY = "numpy<2.3"
# Bookworm's python3-picamera2 loads python3-simplejpeg, which was compiled for numpy 1 and fails beside numpy 2 ("numpy.dtype size
# changed"; raspberrypi/picamera2 issues 1088 and 1211). Trixie's are compiled for numpy 2. OpenCV 5 asks for numpy 2 in its metadata, and
# runs with 1.26 (tests/vision passes); OpenCV 4.11, which would ask for less, measures looks otherwise, so that thresholds would not hold.
BESIDE_BOOKWORM = ("numpy<2",)

TARGETS = (
    Target("aarch64", "3.10", ("jetson", *WITH_LIVE), (ONE_NUMPY,)),
    Target("aarch64", "3.11", ("pi", *WITH_LIVE), (ONE_PYAV, STRENUM), BESIDE_BOOKWORM),
    Target("aarch64", "3.12", ("jetson", *WITH_LIVE), (ONE_NUMPY, STRENUM)),
    Target("aarch64", "3.13", ("pi", *WITH_LIVE), (ONE_PYAV, STRENUM)),
    Target("x86_64", "3.11", ("pi", *WITH_LIVE), (ONE_PYAV, STRENUM), BESIDE_BOOKWORM),
    Target("x86_64", "3.13", ("pi", *WITH_LIVE), (ONE_PYAV, STRENUM)),
)

BOARDS = (
    Board("pi5", "aarch64", ("3.11", "3.13")),
    Board("pi4", "aarch64", ("3.11", "3.13")),
    Board("jetson-orin-nano", "aarch64", ("3.10", "3.12")),
    Board("rehearsal", "x86_64", ("3.11", "3.13"), limit_b=220_000_000),  # goes to no door; OpenCV alone is 61 MB there
)
"""What is in each. install.sh knows them by name and says which machine each may be installed on."""
