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
    if "contact" not in config.inputs.wired():
        yield 'inputs.contact_pin = "none": forced, held and propped doors are not seen'
    if config.link.host not in ("127.0.0.1", "localhost", "::1") and not config.link.ca_file:
        yield "link.ca_file is empty and the broker is on another machine: events and commands cross the network unencrypted"
