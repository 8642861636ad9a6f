"""Configurations that are allowed and probably not meant: said at the door's start, by `doorward check-config` and by `doorward doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from agent.config import Config


def advice(config: Config) -> tuple[str, ...]:
    """A sentence for each, naming the keys."""
    return tuple(_advice(config))


def _advice(config: Config) -> Iterator[str]:
    if config.policy.liveness == "alert" and "liveness" not in config.vision.stages:
        yield (
            'policy.liveness = "alert", and vision.stages has no "liveness": no picture of a face is ever told of;'
            ' add "liveness" to vision.stages, or write policy.liveness = "off"'
        )
    if config.policy.without_vision == "fob_alone":
        yield 'policy.without_vision = "fob_alone": whoever can stop the camera needs a fob alone; "deny" asks for the face always'
    if config.risk.deny_on_behaviour_alone:
        yield "risk.deny_on_behaviour_alone = true: people may be kept out for how they behave alone; read docs/RISK.md on what that is worth"
    if config.risk.automatic_lock_down:
        yield "risk.automatic_lock_down = true: a risk may lock this door down without a person"
    if not config.wired & {"contact", "bolt"}:
        yield "there is neither a door contact nor a bolt monitor: nobody can say whether the door is shut, and no forced door is told of"
    elif "contact" not in config.wired:
        yield "there is no door contact: forced, held and propped doors are not seen"
    if "interlock" in config.wired and "contact" not in config.wired:
        yield "inputs.interlock_pin without a door contact: the other door's controller cannot know of this one"
    if config.link.host not in ("127.0.0.1", "localhost", "::1") and not config.link.ca_file:
        yield "link.ca_file is empty and the broker is on another machine: events and commands cross the network unencrypted"
