"""What goes wrong while a bundle is made."""

from __future__ import annotations

from agent.errors import DoorwardError


class BundleError(DoorwardError, ValueError):
    """The bundle cannot be made; says why and what mends it."""
