"""From pixels to metres on the floor, with how sure that is. Pure arithmetic; a point costs some 20 microseconds.

Axes: x to the right of the camera's picture, y away from the door, heights up; metres, from the middle of the door's threshold. The camera is
a pinhole with square pixels and its axis in the middle of the picture: lenses up to some 75 degrees across are, to about a percent.

How sure a place is: `Ground.also` are cameras that what was marked would allow as well, one standard deviation from `Ground.camera` each,
in directions that are independent of each other. Where they put the same point is how far it may be wrong; what is not known of
the point itself (its pixels, how wide this person's face is) is added in quadrature.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import atan, cos, degrees, hypot, radians, sin, sqrt, tan
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from agent.core.conduct import FloorKind
from agent.core.messages import Box, FaceSeen, PersonSeen

Pair = tuple[float, float]
Triple = tuple[float, float, float]

MOST_SIGMA_M = 0.75
"""A place that is known less well is not told: zones are about a metre deep."""
FACE_M = 0.15
"""Width of a detector's box about a face: over 250 portraits 2.44 times the distance of the eyes, which is 6.3 cm. Cheekbones are some
14 (men) and 13 cm (women) apart (ANSUR II, NATICK/TR-15/007)."""
FACE_SPREAD = 0.07
"""Standard deviation of that over people and turned heads."""
FACE_PX = 1.0
SHOULDERS_M = 0.32
"""Between the two points that the body network sets into the joints. Shoulders are some 40 cm broad to their outsides (ANSUR II again); in
pictures of faces the points are 1.8, in the demo 2.1 widths of the face's box apart."""
SHOULDERS_SPREAD = 0.15
"""Over people, and because bodies are never quite square to the camera."""
SHOULDERS_PX = 2.0
FOOT_M = 0.06
"""How far the middle between the ankles is from where a walker stands, a step over,"""
FOOT_PX = 2.0
"""and how well a point of a body is found, in a picture 640 px wide."""
FACES_M = (0.5, 2.4)
SHOULDERS_HIGH_M = (0.3, 2.1)
"""Heights between which people carry them, a child or a wheelchair included: what would be elsewhere is no such thing, or far off."""


class FloorPoint(NamedTuple):
    """A place on the floor, in metres. `sigma_m`: one standard deviation in the direction that is known least well, as a rule the camera's.

    Most of it is the same from frame to frame (this person's face, this camera's place); the jitter is some fifth of it."""

    x_m: float
    y_m: float
    sigma_m: float


class Camera(Struct, frozen=True, gc=False):
    """Where a camera hangs and how it looks. `right`, `down` and `forward` are unit vectors of its picture in the floor's axes."""

    focal_px: float
    middle_px: Pair
    at_m: Triple
    right: Triple
    down: Triple
    forward: Triple

    def ray(self, px: Pair) -> Triple:
        """From the camera through a pixel, as long as to a depth of one metre along its axis."""
        across, below = (px[0] - self.middle_px[0]) / self.focal_px, (px[1] - self.middle_px[1]) / self.focal_px
        (rx, ry, rz), (dx, dy, dz), (fx, fy, fz) = self.right, self.down, self.forward
        return rx * across + dx * below + fx, ry * across + dy * below + fy, rz * across + dz * below + fz

    def on_floor(self, px: Pair) -> Pair | None:
        """Where that ray meets the floor; None above the horizon."""
        x, y, z = self.ray(px)
        if z > -1e-6:
            return None
        depth = -self.at_m[2] / z
        return self.at_m[0] + depth * x, self.at_m[1] + depth * y

    def at_depth(self, px: Pair, depth_m: float) -> Triple:
        """The point so far along the camera's axis that is seen in a pixel."""
        x, y, z = self.ray(px)
        return self.at_m[0] + depth_m * x, self.at_m[1] + depth_m * y, self.at_m[2] + depth_m * z

    def to_px(self, point_m: Triple) -> Pair | None:
        """The pixel of a point; None for one that is not at least 5 cm before the camera."""
        apart = (point_m[0] - self.at_m[0], point_m[1] - self.at_m[1], point_m[2] - self.at_m[2])
        depth = _dot(apart, self.forward)
        if depth < 0.05:
            return None
        scale = self.focal_px / depth
        return self.middle_px[0] + scale * _dot(apart, self.right), self.middle_px[1] + scale * _dot(apart, self.down)

    def depth_m(self, at_m: Pair, height_m: float = 0.0) -> float:
        """How far a point so high above the floor is along the camera's axis."""
        return _dot((at_m[0] - self.at_m[0], at_m[1] - self.at_m[1], height_m - self.at_m[2]), self.forward)

    @property
    def across_deg(self) -> float:
        """Horizontal angle of view."""
        return 2 * degrees(atan(self.middle_px[0] / self.focal_px))

    @property
    def tilt_deg(self) -> float:
        """How far it looks down."""
        return degrees(atan(-self.forward[2] / max(hypot(self.forward[0], self.forward[1]), 1e-9)))


def camera_at(frame_px: tuple[int, int], across_deg: float, at_m: Triple, tilt_deg: float, pan_deg: float = 0.0) -> Camera:
    """A camera by its lens and place. `tilt_deg`: how far it looks down; `pan_deg`: to the right of straight away from the door. No roll."""
    tilt, pan = radians(tilt_deg), radians(pan_deg)
    forward = (sin(pan) * cos(tilt), cos(pan) * cos(tilt), -sin(tilt))
    right = (cos(pan), -sin(pan), 0.0)
    focal_px = frame_px[0] / 2 / tan(radians(across_deg / 2))
    return Camera(focal_px, (frame_px[0] / 2, frame_px[1] / 2), at_m, right, cross(forward, right), forward)


class Ground(Struct, frozen=True, kw_only=True):
    """What turns pixels of one camera's pictures into metres. With `camera` None (kinds "moved" and "none") every answer is None."""

    kind: FloorKind
    frame_px: tuple[int, int] = (0, 0)
    """Size of the pictures that pixels are meant of."""
    camera: Camera | None = None
    also: tuple[Camera, ...] = ()
    """Cameras one standard deviation away: see above."""
    most_sigma_m: float = MOST_SIGMA_M

    def foot(self, px: Pair) -> FloorPoint | None:
        """Of a point on the floor. None above the horizon, and where it is not known to `most_sigma_m`."""
        camera = self.camera
        at = None if camera is None else camera.on_floor(px)
        if camera is None or at is None:
            return None
        noise = hypot(FOOT_PX * self.frame_px[0] / 640, FOOT_M * camera.focal_px / max(camera.depth_m(at), 0.05))
        around = [each.on_floor(px) for each in self.also]
        around += [camera.on_floor((px[0], px[1] - noise)), camera.on_floor((px[0] + noise, px[1]))]
        return self._point(at, around)

    def face(self, box_px: Box, width_m: float = FACE_M, spread: float = FACE_SPREAD) -> FloorPoint | None:
        """The floor below a face, by how wide it is: near a door feet are seldom in the picture. `spread` is relative."""
        x, y, width, height = box_px
        return self._by_width((x + width / 2, y + height / 2), width, _Known(width_m, spread, FACE_PX, *FACES_M))

    def shoulders(
        self, centre_px: Pair, width_px: float, width_m: float = SHOULDERS_M, spread: float = SHOULDERS_SPREAD
    ) -> FloorPoint | None:
        """The floor below shoulders that are so far apart; only of a body that faces the camera, or turns its back on it."""
        return self._by_width(centre_px, width_px, _Known(width_m, spread, SHOULDERS_PX, *SHOULDERS_HIGH_M))

    def to_px(self, at_m: Pair, height_m: float = 0.0) -> Pair | None:
        """The pixel of a place, so high above the floor; may lie outside the picture, None behind the camera."""
        return None if self.camera is None else self.camera.to_px((*at_m, height_m))

    def scaled(self, frame_px: tuple[int, int]) -> Ground | None:
        """The same for pictures of another size; None where they have another shape, for then nobody knows what was cut off."""
        if self.camera is None or frame_px == self.frame_px:
            return self
        times = frame_px[0] / self.frame_px[0]
        if abs(self.frame_px[1] * times - frame_px[1]) > 1 + 0.005 * frame_px[1]:
            return None
        also = tuple(_scaled(camera, times) for camera in self.also)
        return replace(self, frame_px=frame_px, camera=_scaled(self.camera, times), also=also)

    def moved(self) -> Ground:
        """After the camera was moved: nothing in metres any more."""
        return Ground(kind="moved", frame_px=self.frame_px)

    def _by_width(self, px: Pair, width_px: float, known: _Known) -> FloorPoint | None:
        camera = self.camera
        if camera is None or width_px < 1.0:
            return None
        x, y, z = camera.at_depth(px, camera.focal_px * known.width_m / width_px)
        more = 1 + hypot(known.spread, known.noise_px * self.frame_px[0] / 640 / width_px)
        around = [each.at_depth(px, each.focal_px * known.width_m / width_px) for each in self.also]
        around.append(camera.at_depth(px, more * camera.focal_px * known.width_m / width_px))
        slack_m = 3 * sqrt(sum((each[2] - z) ** 2 for each in around))
        if not known.low_m - slack_m <= z <= known.high_m + slack_m:
            return None
        return self._point((x, y), [(each[0], each[1]) for each in around])

    def _point(self, at: Pair, around: Iterable[Pair | None]) -> FloorPoint | None:
        """The place with its standard deviation; None where it is too large, or without bounds."""
        xx = xy = yy = 0.0
        for other in around:
            if other is None:
                return None
            x, y = other[0] - at[0], other[1] - at[1]
            xx, xy, yy = xx + x * x, xy + x * y, yy + y * y
        sigma_m = sqrt((xx + yy) / 2 + hypot((xx - yy) / 2, xy))
        return FloorPoint(at[0], at[1], sigma_m) if sigma_m <= self.most_sigma_m else None


class _Known(NamedTuple):
    """Something of people that is about equally wide."""

    width_m: float
    spread: float
    noise_px: float
    low_m: float
    high_m: float


NO_GROUND = Ground(kind="none")


def assumed_ground(frame_px: tuple[int, int], across_deg: float, above_floor_m: float, tilt_deg: float) -> Ground:
    """A camera above the middle of its door that nobody has marked a floor for: rough, and it says so (kind "assumed")."""

    def camera(wider: float = 1.0, aside_m: float = 0.0, away_m: float = 0.0, higher_m: float = 0.0,
               lower_deg: float = 0.0, pan_deg: float = 0.0) -> Camera:  # fmt: skip
        place = (aside_m, away_m, above_floor_m + higher_m)
        return camera_at(frame_px, min(across_deg * wider, 170.0), place, tilt_deg + lower_deg, pan_deg)

    # How well people know such things of a camera that they have hung up themselves, by eye.
    also = (camera(wider=1.08), camera(aside_m=0.15), camera(away_m=0.1), camera(higher_m=0.15), camera(lower_deg=-4.0),
            camera(pan_deg=4.0))  # fmt: skip
    return Ground(kind="assumed", frame_px=frame_px, camera=camera(), also=also)


def locate(ground: Ground, person: PersonSeen | None, face: FaceSeen | None) -> FloorPoint | None:
    """Where somebody stands, by the surest that one frame shows of them; frame after frame, use a Locator. None: not known well enough."""
    return Locator(ground)(person, face)


class Locator:
    """Where people stand, frame after frame, without jumps where now their feet are seen and now their face alone.

    How wide this person's face is, is learned while feet are seen with it, and how wide the shoulders, while the face is: so a place
    by the face, which every frame shows, is soon as sure as one by the feet, and nobody leaps when they turn away.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._faces: dict[int, _Width] = {}
        self._shoulders: dict[int, _Width] = {}

    def __call__(self, person: PersonSeen | None, face: FaceSeen | None) -> FloorPoint | None:
        """Of one person in one frame."""
        feet = self._ground.foot(person.feet_px) if person is not None and person.feet_px is not None else None
        surest = feet
        if face is not None:
            surest = self._by_face(face, feet) or feet
        if person is not None and person.shoulders_px is not None and person.shoulders_at_px is not None:
            shoulders = self._by_shoulders(person.track, person.shoulders_at_px, person.shoulders_px, surest)
            surest = surest or shoulders
        return surest

    def _by_face(self, face: FaceSeen, feet: FloorPoint | None) -> FloorPoint | None:
        width = _of_track(self._faces, face.track, FACE_SPREAD)
        blur = self._blur(FACE_PX, face.box_px[2])
        width.learn(self._range_m(feet), self._range_m(self._ground.face(face.box_px)), feet, blur)
        return self._ground.face(face.box_px, FACE_M * width.times, width.spread)

    def _by_shoulders(self, track: int, centre_px: Pair, width_px: float, better: FloorPoint | None) -> FloorPoint | None:
        width = _of_track(self._shoulders, track, SHOULDERS_SPREAD)
        blur = self._blur(SHOULDERS_PX, width_px)
        width.learn(self._range_m(better), self._range_m(self._ground.shoulders(centre_px, width_px)), better, blur)
        return self._ground.shoulders(centre_px, width_px, SHOULDERS_M * width.times, width.spread)

    def _blur(self, noise_px: float, width_px: float) -> float:
        """How well one frame shows a width, relative."""
        return noise_px * self._ground.frame_px[0] / 640 / max(width_px, 1.0)

    def _range_m(self, point: FloorPoint | None) -> float:
        """How far a place is from below the camera; 0 where that is not known."""
        camera = self._ground.camera
        return 0.0 if point is None or camera is None else hypot(point.x_m - camera.at_m[0], point.y_m - camera.at_m[1])


LEAST_SPREAD = 0.025
"""A width that was learned is still no better known: heads turn, bodies lean."""
LEAST_RANGE_M = 0.5
"""Nearer, a width says little of how far somebody is from below the camera."""
MOST_TRACKS = 32


class _Width:
    """How many times as wide as usual something of one person is, from places that are known otherwise: a scalar Kalman filter."""

    def __init__(self, spread: float) -> None:
        self.times, self._variance = 1.0, spread**2

    @property
    def spread(self) -> float:
        return max(sqrt(self._variance), LEAST_SPREAD)

    def learn(self, known_m: float, supposed_m: float, known: FloorPoint | None, blur: float) -> None:
        """`known_m`: how far the person is; `supposed_m`: how far they would be were it as wide as usual, give or take `blur` (relative)."""
        if known is None or known_m < LEAST_RANGE_M or supposed_m < LEAST_RANGE_M:
            return
        said, noise = known_m / supposed_m, (known.sigma_m / known_m) ** 2 + (2 * blur) ** 2 + 0.03**2
        if (said - self.times) ** 2 > 16 * (self._variance + noise):
            return
        self._variance += 0.005**2
        gain = self._variance / (self._variance + noise)
        self.times += gain * (said - self.times)
        self._variance *= 1 - gain


def _of_track(widths: dict[int, _Width], track: int, spread: float) -> _Width:
    """That of a track; the oldest is forgotten when there are too many."""
    if track not in widths:
        while len(widths) >= MOST_TRACKS:
            del widths[next(iter(widths))]
        widths[track] = _Width(spread)
    return widths[track]


def _scaled(camera: Camera, times: float) -> Camera:
    middle_px = (camera.middle_px[0] * times, camera.middle_px[1] * times)
    return replace(camera, focal_px=camera.focal_px * times, middle_px=middle_px)


def _dot(a: Triple, b: Triple) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Triple, b: Triple) -> Triple:
    """At right angles to both, right-handed."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
