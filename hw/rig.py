"""The far end of simulated pins: a fob reader, a relay one can look at, a door contact and a REX button, in a process of its own.

Models what is worst for safety: when the door program dies, the relay pin KEEPS its level, as the kernels of Raspberry Pi OS do
(`persist_gpio_outputs`, see docs/HARDWARE.md); only the crash helper or the next start takes it back.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from hw.wiring import MAX_BYTES, Level, pack, unpack

PULSE_WIDTH_S = 50e-6
"""Width of a Wiegand pulse; 20-100 us by the standard."""


class Rig:
    """Listens at `path` for door programs (and their crash helpers) and plays everything beyond the pins. Thread-safe."""

    def __init__(self, path: str, levels: Mapping[int, bool]) -> None:
        """`levels`: what each input pin rests at, e.g. both Wiegand lines high."""
        self._inputs = dict(levels)
        self.outputs: list[Level] = []
        """All that outputs did, in order; append-only."""
        self.late_s = 0.0
        """How late this process was with a bit of the last frame, at worst: on a busy machine it stalls, as no real reader does."""
        self._wires: list[socket.socket] = []
        self._turn = threading.Condition()
        if os.path.exists(path):
            os.unlink(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(path)
        self._listener.listen(8)
        threading.Thread(target=self._accept, name="rig", daemon=True).start()

    def close(self) -> None:
        with self._turn:
            for wire in (self._listener, *self._wires):
                with contextlib.suppress(OSError):  # its other end may be gone already
                    wire.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it, which close alone would not
                wire.close()

    def set(self, pin: int, high: bool, at_s: float | None = None) -> None:
        """Drive an input, now or with another stated time."""
        with self._turn:
            self._inputs[pin] = high
            self._send(pack(Level(pin, high, time.monotonic() if at_s is None else at_s)))

    def wiegand(self, bits: str, d0_pin: int, d1_pin: int, interval_s: float = 0.001) -> float:
        """Send a frame with real pauses between its bits; returns the time of the last bit's falling edge.

        Edges carry the times of a reader's own even pace: this process may be late with one, a reader's crystal is not.
        """
        start_s = time.monotonic()
        at_s, late_s = start_s, 0.0
        for number, bit in enumerate(bits):
            at_s = start_s + number * interval_s
            time.sleep(max(0.0, at_s - time.monotonic()))
            pin = d1_pin if bit == "1" else d0_pin
            self.set(pin, False, at_s)
            self.set(pin, True, at_s + PULSE_WIDTH_S)
            late_s = max(late_s, time.monotonic() - at_s)
        self.late_s = late_s
        return at_s

    def level(self, pin: int) -> bool | None:
        """What an output shows now; None before anyone drove it, or when its driver let it go in good order."""
        return next((o.high for o in reversed(self.outputs) if o.pin == pin), None)

    def wait_for(self, wanted: Callable[[list[Level]], bool], timeout_s: float) -> bool:
        """Wait until the outputs so far satisfy `wanted`."""
        with self._turn:
            return self._turn.wait_for(lambda: wanted(self.outputs), timeout_s)

    @property
    def connected(self) -> int:
        """How many programs hold the pins now."""
        with self._turn:
            return len(self._wires)

    def _send(self, packet: bytes) -> None:
        for wire in list(self._wires):
            try:
                wire.send(packet)
            except OSError:
                self._wires.remove(wire)

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            if self._greet(wire):
                threading.Thread(target=self._hear, args=(wire,), name="rig-wire", daemon=True).start()

    def _greet(self, wire: socket.socket) -> bool:
        """Tell a program the levels that stand on its inputs; False when it died meanwhile."""
        with self._turn:
            try:
                for pin, high in self._inputs.items():
                    wire.send(pack(Level(pin, high, time.monotonic())))
                wire.send(pack(Level(-1, None, 0.0)))
            except OSError:
                wire.close()
                return False
            self._wires.append(wire)
            return True

    def _hear(self, wire: socket.socket) -> None:
        while raw := _receive(wire):
            try:
                level = unpack(raw)
            except msgspec.MsgspecError:
                continue
            with self._turn:
                self.outputs.append(level)
                self._turn.notify_all()
        with self._turn:
            if wire in self._wires:
                self._wires.remove(wire)
            wire.close()
            self._turn.notify_all()


def _receive(wire: socket.socket) -> bytes:
    try:
        return wire.recv(MAX_BYTES)
    except OSError:
        return b""


def stretches_high(outputs: list[Level], pin: int, until_s: float) -> list[tuple[float, float]]:
    """When an output went high and when it went low again; an unfinished stretch counts up to `until_s`."""
    stretches: list[tuple[float, float]] = []
    since_s: float | None = None
    for level in outputs:
        if level.pin != pin:
            continue
        if level.high and since_s is None:
            since_s = level.at_s
        elif not level.high and since_s is not None:
            stretches.append((since_s, level.at_s))
            since_s = None
    return stretches if since_s is None else [*stretches, (since_s, until_s)]


def seconds_high(outputs: list[Level], pin: int, until_s: float) -> list[float]:
    """How long each of those stretches lasted."""
    return [end_s - start_s for start_s, end_s in stretches_high(outputs, pin, until_s)]
