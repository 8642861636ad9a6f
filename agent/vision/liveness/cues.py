"""The measurements of single frames, and their sum over a track's last two seconds. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from agent.vision.liveness.micro import Change
from agent.vision.liveness.planarity import Parallax
from agent.vision.liveness.surround import Hangs


class Moment(Struct, frozen=True, kw_only=True):
    """What one frame adds."""

    taken_s: float
    eyes_px: float
    brightness: float
    yaw_deg: float
    pitch_deg: float
    parallax: Parallax | None = None
    change: Change | None = None
    eyes_open: float | None = None
    hangs: Hangs | None = None
    border: float | None = None

    def seen_around(self, hangs: Hangs | None, border: float | None) -> Moment:
        return replace(self, hangs=hangs, border=border)


class Cues(Struct, frozen=True, kw_only=True):
    """Two seconds of one face. Each says None (or 0 comparisons) where it could not be measured."""

    watched_s: float
    eyes_px: float
    """Median distance of the outer eye corners in the frame."""
    brightness: float
    turned: float
    """Root mean square sine of the turns that the mesh reports between the compared views."""
    relief: float
    """Root mean square sine of the turns that the picture's own points prove, their noise taken out."""
    gain: float | None
    """Relief for each turn of the mesh, by least squares: about 1 for a head, 0 for a picture of one."""
    flat: float
    flat_gain: float | None
    flat_sigma: float
    relief_sigma: float
    """Relief over its noise, the mean over the comparisons."""
    residual: float
    comparisons: int
    eyes: float
    """The strongest change of the eyes that lasted two comparisons, 1 is none."""
    mouth: float
    hangs: float
    """How far the surroundings moved as one piece on two sides or more, in face widths."""
    border: float
    """The rectangle about the face, 0..1."""
    blinked: bool


def summarise(moments: Iterable[Moment]) -> Cues:
    """Raises ValueError without a moment."""
    moments = list(moments)
    if not moments:
        raise ValueError("no moment to sum up")
    pairs = [moment.parallax for moment in moments if moment.parallax is not None]
    relief = np.array([pair.relief for pair in pairs]).reshape(-1, 2)
    turned = np.array([pair.turned for pair in pairs]).reshape(-1, 2)
    noise = np.array([pair.noise for pair in pairs])
    flat = np.array([pair.flat for pair in pairs]).reshape(-1, 2)
    flat_noise = np.array([pair.flat_noise for pair in pairs])
    power = float((turned * turned).sum())
    squared = (relief * relief).sum(axis=1)
    return Cues(
        watched_s=moments[-1].taken_s - moments[0].taken_s, eyes_px=float(np.median([m.eyes_px for m in moments])),
        brightness=float(np.median([m.brightness for m in moments])), turned=_root(power / max(1, len(pairs))),
        relief=_root(float(np.mean(np.maximum(squared - 2 * noise**2, 0)))) if pairs else 0.0,
        gain=float((relief * turned).sum()) / power if power > 1e-6 else None,
        flat=_root(float(np.mean(np.maximum((flat * flat).sum(axis=1) - 2 * flat_noise**2, 0)))) if pairs else 0.0,
        flat_gain=float((flat * turned).sum()) / power if power > 1e-6 else None,
        flat_sigma=float(np.mean(np.hypot(*flat.T) / np.maximum(flat_noise, 1e-4))) if pairs else 0.0,
        relief_sigma=float(np.mean(np.sqrt(squared) / np.maximum(noise, 1e-4))) if pairs else 0.0,
        residual=float(np.median([pair.residual for pair in pairs])) if pairs else 0.0, comparisons=len(pairs),
        eyes=_lasting([m.change.eyes for m in moments if m.change]), mouth=_lasting([m.change.mouth for m in moments if m.change]),
        hangs=max((m.hangs.moved for m in moments if m.hangs and m.hangs.together > 0.6 and m.hangs.sides >= 2), default=0.0),
        border=float(np.median([m.border for m in moments if m.border is not None] or [0.0])),
        blinked=_blinked([m.eyes_open for m in moments if m.eyes_open is not None]),
    )  # fmt: skip


def _root(value: float) -> float:
    return float(max(0.0, value) ** 0.5)


def _lasting(values: list[float]) -> float:
    """The second largest: one bad comparison proves nothing."""
    return sorted(values)[-2] if len(values) > 1 else 1.0


def _blinked(open_shares: list[float]) -> bool:
    """Whether the lids went from open to shut to open again."""
    shut = [number for number, share in enumerate(open_shares) if share < 0.35]
    return bool(shut) and max(open_shares[: shut[0]], default=0) > 0.7 and max(open_shares[shut[-1] :], default=0) > 0.7
