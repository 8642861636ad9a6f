"""Cameras through GStreamer: the CSI cameras of a Jetson, and whatever else GStreamer can open.

The OpenCV of PyPI is built without GStreamer, and NVIDIA's camera stack (libargus) can be had from GStreamer alone: so GStreamer's own
command runs beside us (camera_pipe).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from fractions import Fraction

from agent.errors import CameraError
from hw.camera_names import public_name
from hw.raw_video import Layout


@dataclass(frozen=True)
class Pipeline:
    """What gst-launch runs. `{width}`, `{height}`, `{rate}` and `{layout}` in `elements` are put in before it starts."""

    name: str
    elements: str
    layout: Layout
    mend: str
    command: str = "gst-launch-1.0"
    package: str = "gstreamer1.0-tools"

    def words(self, width_px: int, height_px: int, frames_per_s: float, descriptor: int) -> list[str]:
        """See hw.camera_pipe.Source: the elements, and then frames into the open file `descriptor`, the newest at the cost of older ones.

        Raises CameraError when the elements cannot be read (a quote that is never closed).
        """
        rate = Fraction(frames_per_s).limit_denominator(100)
        values = {"width": width_px, "height": height_px, "layout": self.layout, "rate": f"{rate.numerator}/{rate.denominator}"}
        try:
            elements = shlex.split(re.sub(r"\{(\w+)\}", lambda place: str(values.get(place[1], place[0])), self.elements))
        except ValueError as error:
            raise CameraError(f"camera {self.name}: its elements cannot be read: {error}") from error
        newest = ["!", "queue", "leaky=downstream", "max-size-buffers=1", "max-size-bytes=0", "max-size-time=0"]
        return ["--quiet", *elements, *newest, "!", "fdsink", f"fd={descriptor}", "sync=false"]


def csi(sensor: int) -> Pipeline:
    """A Jetson's CSI camera (NVIDIA's elements of JetPack 5 and 6). BGRx, because nvvidconv knows which colours the sensor gave."""
    return Pipeline(
        f"csi:{sensor}",
        f"nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM),width={{width}},height={{height}},framerate={{rate}},format=NV12"
        " ! nvvidconv ! video/x-raw,format={layout},width={width},height={height}",
        "BGRx", "is the ribbon cable seated, does nvargus-daemon run, and does `nvgstcapture-1.0` show the camera?",
    )  # fmt: skip


def any_source(elements: str) -> Pipeline:
    """Elements that give video of any kind, like `videotestsrc is-live=true`; size, rate and layout are made of it here."""
    return Pipeline(
        public_name(f"gst:{elements}"),
        f"{elements} ! videoconvert ! videoscale ! videorate drop-only=true"
        " ! video/x-raw,format={layout},width={width},height={height},framerate=[1/1,{rate}]",
        "BGRx", "does `gst-launch-1.0 … ! autovideosink` show it?",
    )  # fmt: skip
