"""Whether a track's face is a head in the flesh or a picture of one, from geometry and behaviour (docs/LIVENESS.md)."""

from agent.vision.liveness.challenge import Challenge, ChallengeSettings, Side, choose_side
from agent.vision.liveness.track import LivenessTrack

__all__ = ["Challenge", "ChallengeSettings", "LivenessTrack", "Side", "choose_side"]
