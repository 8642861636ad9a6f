"""A second relay beside the lock's: a second leaf, a door operator, an alarm, a shunt. Each is safe without power on its coil.

| role | without power | moves |
|---|---|---|
| lock | as the first: fail-secure holds, fail-safe lets go | with the first |
| opener | the operator is not asked to open | once at the beginning of a release, after the lock had time to let go |
| alarm | silent | while the door is forced or held |
| shunt | the burglar alarm's own contact is in force | while an opening is legitimate |
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gpiozero import OutputDevice

from agent.errors import HardwareError
from hw.lock_gpio import RelayLock

if TYPE_CHECKING:
    from hw.interfaces import Lock

log = logging.getLogger(__name__)

OnFault = Callable[[str], None]


def open_relay(key: str, pin: int | str, active_high: bool, factory: Any) -> OutputDevice:
    """A relay's pin; its coil is without power from the first moment on. Raises HardwareError naming the configuration's key."""
    try:
        return OutputDevice(pin, active_high=active_high, initial_value=False, pin_factory=factory)
    except Exception as error:  # gpiozero's back ends raise errors of their own kinds
        raise HardwareError(f"{key}: pin {pin} cannot be driven: {error}; who else has it?") from error


class BothLocks:
    """Implements hw.interfaces.Lock for two locks that move together. What goes wrong with one is told, and never stops the other."""

    def __init__(self, first: Lock, second: Lock, on_fault: OnFault) -> None:
        self._first, self._second, self._on_fault = first, second, on_fault

    @property
    def released(self) -> bool:
        """Nobody may believe that a door is held of which one leaf is not."""
        return self._first.released or self._second.released

    def hung(self) -> str:
        return self._first.hung() or self._second.hung()

    def pulse(self, seconds: float) -> None:
        try:
            self._first.pulse(seconds)
        finally:  # whoever leaves gets out by the leaf that still obeys
            self._pulse_second(seconds)

    def _pulse_second(self, seconds: float) -> None:
        try:
            self._second.pulse(seconds)
        except HardwareError as error:
            self._on_fault(f"second lock: {error}")

    def secure(self) -> None:
        try:
            self._second.secure()
        except HardwareError as error:
            self._on_fault(f"second lock: {error}")
        self._first.secure()

    def close(self) -> None:
        self._second.close()
        self._first.close()


class OpenerLock:
    """Implements hw.interfaces.Lock for a lock whose door has an automatic operator."""

    def __init__(
        self, lock: Lock, relay: OutputDevice, delay_s: float, pulse_s: float, may_run: Callable[[], bool], on_fault: OnFault
    ) -> None:
        """`delay_s`: an operator that pushes against a bolt jams it. `may_run` is asked when it is due: no operator opens in a fire."""
        self._lock = lock
        self._relay = RelayLock(relay, "secure", lambda text: on_fault(f"door operator: {text}"))
        self._delay_s, self._pulse_s = delay_s, pulse_s
        self._may_run, self._on_fault = may_run, on_fault
        self._turn = threading.Lock()
        self._due: threading.Timer | None = None

    @property
    def released(self) -> bool:
        return self._lock.released

    def hung(self) -> str:
        return self._lock.hung() or self._relay.hung()

    def pulse(self, seconds: float) -> None:
        """Let go, and have the door opened if it was held until now: a pulse that is renewed does not push the leaf again."""
        was_released = self._lock.released
        self._lock.pulse(seconds)
        if not was_released:
            with self._turn:
                self._cancel()
                self._due = threading.Timer(self._delay_s, self._push)
                self._due.daemon = True
                self._due.start()

    def secure(self) -> None:
        with self._turn:
            self._cancel()
        try:
            self._relay.secure()
        except HardwareError as error:
            self._on_fault(f"door operator: {error}")
        self._lock.secure()

    def close(self) -> None:
        with self._turn:
            self._cancel()
        self._relay.close()
        self._lock.close()

    def _cancel(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _push(self) -> None:
        with self._turn:
            if self._due is not threading.current_thread() or not self._lock.released or not self._may_run():
                return
            try:
                self._relay.pulse(self._pulse_s)
            except HardwareError as error:
                self._on_fault(f"door operator: {error}")


class FollowingRelay:
    """A relay that shows a state of the door: 'alarm' or 'shunt'. Not a lock: it may be on for as long as that lasts."""

    def __init__(self, relay: OutputDevice, name: str, on_fault: OnFault) -> None:
        self._relay, self._name, self._on_fault = relay, name, on_fault
        self._on: bool | None = False
        """What it shows; None when it could not be driven and must be tried again."""
        self._told = False
        self._closed = False

    def show(self, on: bool) -> None:
        """Be on or off from now; call it as often as you like. Never raises: a fault is told once, and tried again at the next call."""
        if self._closed or on == self._on:
            return
        try:
            self._relay.value = on
            self._on, self._told = on, False
        except Exception as error:  # noqa: BLE001  lgpio and others raise errors of their own kinds
            self._on = None
            if not self._told:
                self._on_fault(f"{self._name} relay on {self._relay.pin}: {error}")
            self._told = True

    def close(self) -> None:
        """Without power, and no more."""
        self.show(False)
        self._closed = True
        self._relay.close()
