"""`doorward safe-state`: takes the power off the lock's coil. systemd runs it whenever the door program ended (ExecStopPost).

It loads nothing but the pins, and works when the configuration of anything else is broken: a door that was killed in mid-pulse must not
stay released until somebody finds out. Afterwards gpiozero lets go of the pin as an input without pull: from then on the resistor at the
relay's input (docs/HARDWARE.md) keeps the coil without power.
"""

from __future__ import annotations

from gpiozero import OutputDevice

from agent.config import Config
from agent.errors import HardwareError
from hw.board import open_pins


def make_safe(config: Config) -> None:
    """Drive the relay to 'coil without power'. Raises HardwareError when the pin cannot be had."""
    pins = open_pins(config.board.pins, config.board.rig)
    try:
        # initial_value drives the pin as it is opened; there is no moment at any other level
        OutputDevice(
            config.lock.relay_pin, active_high=config.lock.relay_active_high, initial_value=False, pin_factory=pins
        ).close()
    except Exception as error:  # gpiozero's back ends raise errors of their own kinds
        mend = "is the door program still running? The hardware one-shot of docs/HARDWARE.md ends a pulse without it"
        raise HardwareError(f"lock.relay_pin {config.lock.relay_pin} cannot be driven: {error}; {mend}") from error
    finally:
        pins.close()
