"""The recipes of the golden episodes: everything that a scene is drawn from."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from demo.walks import Glance, Walk, pass_by, stand, walk_up
from tests.vision.people import portrait

FRAMES_PER_S = 15
SIZE = (640, 480)


class Episode(Struct, frozen=True, kw_only=True):
    """A scene and its fob."""

    name: str
    story: str
    seed: int
    seconds: float
    read_s: float
    """When the owner's fob is read."""
    walks: Callable[[], tuple[Walk, ...]]


def _owner() -> tuple[Walk, ...]:
    glances = (Glance(3.2, 0.8, 24.0),)
    return (walk_up(portrait("owner"), starts_s=0.2, from_m=3.0, to_m=1.0, leaves="stays", waits_s=9.0, glances=glances),)


def _crossing() -> tuple[Walk, ...]:
    """The visitor walks past between the camera and the owner, whose face is hidden for a moment."""
    return (
        stand(portrait("owner"), from_s=0.0, until_s=9.0, at_m=1.6),
        pass_by(portrait("visitor"), starts_s=1.0, at_m=1.05, speed_m_s=0.9),
    )


def _held_print() -> tuple[Walk, ...]:
    return (stand(portrait("stranger"), from_s=0.0, until_s=9.0, at_m=1.2, holds_up=portrait("owner")),)


def _nobody() -> tuple[Walk, ...]:
    return ()


EPISODES = (
    Episode(name="owner", story="the owner walks up, glances aside and waits", seed=11, seconds=6.0, read_s=4.5, walks=_owner),
    Episode(
        name="crossing", story="a visitor passes in front of the waiting owner", seed=12, seconds=6.0, read_s=4.0, walks=_crossing
    ),
    Episode(
        name="held_print", story="a stranger holds up a print of the owner", seed=13, seconds=5.0, read_s=3.0, walks=_held_print
    ),
    Episode(name="nobody", story="an empty entrance", seed=14, seconds=2.0, read_s=0.5, walks=_nobody),
)
