"""The demo's camera: where it hangs and how metres become pixels.

The axes of the world are x to the right of the picture, y up from the floor, z away from the door, in metres; the camera is at
x = 0, z = 0. At 40 degrees of horizontal view a face of 15 cm is 132 px wide at 1 m, 66 at 2 m and 44 at 3 m in 640x480: about
twice what a usual 70 degree lens gives (69, 34 and 23 px), which is why a door wants the narrower one.
"""

from __future__ import annotations

import math

from msgspec import Struct

FACE_WIDTH_M = 0.15


class View(Struct, frozen=True, kw_only=True):
    """A pinhole camera."""

    width_px: int = 640
    height_px: int = 480
    across_deg: float = 40.0
    """Horizontal angle of view."""
    above_floor_m: float = 1.6
    tilt_deg: float = 3.0
    """How far the camera looks down."""

    @property
    def focal_px(self) -> float:
        return self.width_px / 2 / math.tan(math.radians(self.across_deg / 2))

    def depth_m(self, y_m: float, z_m: float) -> float:
        """Distance along the optical axis."""
        tilt = math.radians(self.tilt_deg)
        return z_m * math.cos(tilt) + (self.above_floor_m - y_m) * math.sin(tilt)

    def project(self, x_m: float, y_m: float, z_m: float) -> tuple[float, float]:
        """Pixel (column, row) of a point in front of the camera."""
        tilt = math.radians(self.tilt_deg)
        below_axis_m = (self.above_floor_m - y_m) * math.cos(tilt) - z_m * math.sin(tilt)
        scale = self.focal_px / self.depth_m(y_m, z_m)
        return self.width_px / 2 + x_m * scale, self.height_px / 2 + below_axis_m * scale

    def face_px(self, distance_m: float) -> float:
        """How wide a face is in the picture at this distance."""
        return self.focal_px * FACE_WIDTH_M / distance_m

    def lowest_m(self, z_m: float) -> float:
        """Height above the floor that the bottom edge of the picture shows at this distance; negative where the floor is seen."""
        down = math.radians(self.tilt_deg) + math.atan(self.height_px / 2 / self.focal_px)
        return self.above_floor_m - z_m * math.tan(down)
