"""Draws docs/pictures/analyze_plot.svg: two people of the demo before its door, one of whom looks over their shoulder.

python -m tools.analyze_figure docs/pictures/analyze_plot.svg
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2

from agent import cli
from demo.people import fetch_people, find
from demo.scene import Scene
from demo.view import View
from demo.walks import Glance, Walk, Waypoint

RATE, SECONDS, SEED = 15, 21, 7
GLANCES = tuple(
    Glance(at_s, 0.8, yaw_deg) for at_s, yaw_deg in ((4.6, 50.0), (7.0, -50.0), (9.6, 50.0), (13.2, -50.0), (15.4, 50.0))
)
WAY = ((0.3, -0.5, 4.2), (3.2, 0.1, 1.3), (8.0, 0.1, 1.3), (9.0, -0.3, 1.9), (10.5, -0.35, 1.9), (11.5, 0.1, 1.25), (17.0, 0.1, 1.25),
       (19.5, 0.9, 4.0), (20.5, 1.6, 4.4))  # fmt: skip
"""Seconds, metres to the right, metres from the door: up to it, back, up again, and away."""
CALM = (
    (5.0, 0.7, 4.5),
    (6.6, 0.66, 2.5),
    (7.3, 0.63, 2.0),
    (8.2, 0.62, 1.8),
    (12.0, 0.62, 1.8),
    (12.8, 0.8, 2.1),
    (14.6, 1.5, 4.2),
)


def scene() -> Scene:
    people = fetch_people()
    way, calm_way = (tuple(Waypoint(*each) for each in path) for path in (WAY, CALM))
    restless = Walk(portrait=find(people, "visitor"), path=way, glances=GLANCES, turns_round=True)
    calm = Walk(portrait=find(people, "colleague"), path=calm_way)
    return Scene(View().width_px, View().height_px, SEED, [restless, calm])


def main(arguments: list[str]) -> int:
    """Exit status of `doorward analyze`."""
    drawn, view = scene(), View()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "entrance.mp4"
        writer = cv2.VideoWriter(
            str(film), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), RATE, (view.width_px, view.height_px)
        )
        for number in range(RATE * SECONDS):
            writer.write(drawn.frame(number / RATE))
        writer.release()
        lens = ("--across-deg", view.across_deg, "--above-floor-m", view.above_floor_m, "--tilt-deg", view.tilt_deg)
        return cli.main(["analyze", str(film), "--plot", arguments[0], *map(str, lens)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
