"""Door contact, REX, fire release, tamper, lock monitor and the lobby's other door on gpiozero pins.

All are switches to ground with the pin pulled up. All loops but the REX button's are normally closed, so that a cut wire reads as 'open',
'fire', 'tampered', 'let go' or 'the other door is open' and never as all's well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from agent.errors import HardwareError
from hw.board import open_input

ACTIVE_LEVEL = {"contact": True, "rex": False, "fire": True, "tamper": True, "bolt": True, "interlock": True}
"""The pin's level when the input says 'door open', 'let me out', 'fire', 'tampered', 'lock let go' or 'other door open'."""


class GpioInputs:
    """Implements hw.interfaces.DoorInputs for the inputs that are wired: name -> pin."""

    def __init__(self, pins: Mapping[str, int | str], factory: Any, inverted: Collection[str] = ()) -> None:
        """`inverted`: names of inputs that are wired the other way round, such as a monitor that closes when the lock lets go."""
        self._devices = {name: open_input(f"inputs.{name}_pin", pin, factory) for name, pin in pins.items()}
        self._active = {name: ACTIVE_LEVEL[name] != (name in inverted) for name in pins}
        self._handlers: list[_Handler] = []
        self._factory = factory

    def start(self, on_change: Callable[[str, bool, float], None]) -> None:
        for name, device in self._devices.items():
            handler = _Handler(name, self._active[name], on_change)
            self._handlers.append(handler)
            # pin.when_changed carries the kernel's time of the edge; gpiozero's device handlers drop it
            device.pin.edges = "both"
            device.pin.when_changed = handler.changed
        self.look()

    def look(self) -> None:
        """Tell how every input stands now. Pins share one pipe of edges: a flood on one line, meant or not, may have cost another's."""
        faults: list[str] = []
        for (name, device), handler in zip(self._devices.items(), self._handlers, strict=True):
            at_s = device.pin_factory.ticks()  # before looking: an edge in between is the newer one
            try:
                level = device.pin.state
            except Exception as error:  # noqa: BLE001 - gpiozero's back ends raise errors of their own kinds; the next pin may be the exit button
                faults.append(f"inputs.{name}_pin cannot be read: {error}")
                continue
            handler.changed(at_s, level)
        if faults:
            raise HardwareError("; ".join(faults))

    def hung(self) -> str:
        """Whether nobody hands on edges any more, where the pins' driver can tell: then the exit button is heard once a second only."""
        return (
            "nobody listens to their pins any more" if self._devices and getattr(self._factory, "is_deaf", False) is True else ""
        )

    def close(self) -> None:
        for device in self._devices.values():
            device.close()


class _Handler:
    """gpiozero keeps weak references to handlers: somebody must own them."""

    def __init__(self, name: str, active_level: bool, on_change: Callable[[str, bool, float], None]) -> None:
        self._name, self._active_level, self._on_change = name, active_level, on_change

    def changed(self, ticks_s: float, state: float) -> None:
        self._on_change(self._name, bool(state) == self._active_level, ticks_s)
