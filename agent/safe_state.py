"""`doorward safe-state`: takes the power off the lock's coil, and the second relay's. systemd runs it whenever the door program ended
(ExecStopPost).

It loads nothing but the pins, and works when the configuration of anything else is broken: a door that was killed in mid-pulse must not
stay released until somebody finds out. Afterwards gpiozero lets go of the pins as inputs without pull: from then on the resistor at each
relay's input (docs/HARDWARE.md) keeps the coil without power.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gpiozero import OutputDevice

from agent.config import Config
from agent.errors import HardwareError
from hw.board import open_pins

MEND = "is the door program still running? The hardware one-shot of docs/HARDWARE.md ends a pulse without it"


def make_safe(config: Config) -> None:
    """Drive each relay to 'coil without power', the lock's first. One that fails keeps no other from it. Raises HardwareError when a pin
    cannot be had."""
    pins = open_pins(config.board.pins, config.board.rig, config.board.model)
    try:
        faults = [fault for key, pin, active_high in _relays(config) if (fault := _unpower(key, pin, active_high, pins))]
    finally:
        pins.close()
    if faults:
        raise HardwareError(f"{'; '.join(faults)}; {MEND}")


def _relays(config: Config) -> Iterator[tuple[str, int | str, bool]]:
    lock = config.lock
    yield "lock.relay_pin", lock.relay_pin, lock.relay_active_high
    if lock.second_pin != "none":
        yield "lock.second_pin", lock.second_pin, lock.second_active_high


def _unpower(key: str, pin: int | str, active_high: bool, pins: Any) -> str:
    """What went wrong, if anything."""
    try:
        # initial_value drives the pin as it is opened; there is no moment at any other level
        OutputDevice(pin, active_high=active_high, initial_value=False, pin_factory=pins).close()
    except Exception as error:  # noqa: BLE001 - gpiozero's back ends raise errors of their own kinds, and the next relay waits
        return f"{key} {pin} cannot be driven: {error}"
    return ""
