"""Which pins this controller has. Nothing is simulated unless the configuration says so: a door without pins refuses to start."""

from __future__ import annotations

import os
from typing import Any

from gpiozero import InputDevice

from agent.errors import HardwareError

_MENDS = {
    "gpiod": "install gpiod >= 2.5 from PyPI (the pi or jetson extra); it needs Linux 5.10 or later",
    "lgpio": "install python3-lgpio (Raspberry Pi OS) or the pi extra",
    "rpigpio": "install python3-rpi.gpio",
    "native": "run as a user of the group gpio",
}


def open_pins(pins: str, rig: str, model: str = "auto") -> Any:
    """A gpiozero pin factory by name; raises HardwareError with the mend when it cannot be had.

    `model` is a name of hw.boards.BOARDS, or "auto" for the board we run on; only "gpiod" asks for it.
    """
    if pins == "sim":
        from hw.pins_sim import SimFactory

        return SimFactory(rig)
    try:
        return _real_factory(pins, model)
    except Exception as error:  # gpiozero's back ends raise anything from ImportError to their own C errors
        raise HardwareError(f"board.pins: {pins!r} cannot drive this board's pins: {error}; {_MENDS[pins]}") from error


def open_input(key: str, pin: int | str, factory: Any) -> InputDevice:
    """A pulled-up input; raises HardwareError naming the configuration's key when the pin cannot be had."""
    try:
        return InputDevice(pin, pull_up=True, pin_factory=factory)
    except Exception as error:  # gpiozero's back ends raise errors of their own kinds
        raise HardwareError(
            f"{key}: pin {pin} cannot be read: {error}; is it on this board, and does nobody else have it?"
        ) from error


def _real_factory(pins: str, model: str) -> Any:
    if pins == "gpiod":
        from hw.boards import board_named
        from hw.pins_gpiod import GpiodFactory

        return GpiodFactory(board_named(model))
    # lgpio writes a file into the working directory unless told where
    os.environ.setdefault("LG_WD", "/run")
    if pins == "lgpio":
        from gpiozero.pins.lgpio import LGPIOFactory

        return LGPIOFactory()
    if pins == "rpigpio":
        from gpiozero.pins.rpigpio import RPiGPIOFactory

        return RPiGPIOFactory()
    from gpiozero.pins.native import NativeFactory

    return NativeFactory()
