"""What every protocol on a serial line has in common: bytes in, credentials and faults out, bytes to send when something is due."""

from __future__ import annotations

from typing import Protocol

from agent.core.messages import CredentialRead, ReadFault

Heard = CredentialRead | ReadFault

NEVER = float("inf")

FAULT_EVERY_S = 1.0
FAULT_BYTES = 16


class SerialProtocol(Protocol):
    """A reader's side of the talk, without a wire and without a clock. A new one is made each time that the line is opened."""

    @property
    def ready(self) -> bool:
        """Whether the reader is known to be there: it answered, or it is of a kind that cannot be asked."""
        ...

    @property
    def due_s(self) -> float:
        """When `tick` wants to be called, whatever arrives; NEVER for protocols that only listen."""
        ...

    def feed(self, data: bytes, now_s: float) -> list[Heard]:
        """What these bytes, which arrived at `now_s`, complete."""
        ...

    def tick(self, now_s: float) -> bytes:
        """What to send now, if anything. Raises WireError when a reader that must answer does not."""
        ...


class FaultLimit:
    """Turns noise into faults, and a storm of noise into one fault a second: a wire that hums must not fill the journal."""

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._next_s = float("-inf")

    def fault(self, kind: str, data: bytes, now_s: float) -> list[Heard]:
        """One fault with the bits of the first `FAULT_BYTES` bytes, or none when one was told in the last second."""
        if now_s < self._next_s:
            return []
        self._next_s = now_s + FAULT_EVERY_S
        return [ReadFault(reader=self._reader, fault=kind, bits=bits_of(data[:FAULT_BYTES]), at_s=now_s)]


def bits_of(data: bytes) -> str:
    """Eight binary digits a byte, the most significant first."""
    return "".join(f"{byte:08b}" for byte in data)
