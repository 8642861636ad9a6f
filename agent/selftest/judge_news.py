"""What a reader that frames for itself said (serial, OSDP) -> what is wrong with it and its line. Pure."""

from __future__ import annotations

from agent.core.messages import CredentialRead, ReaderNews, ReaderStatus, ReadFault
from agent.selftest.result import Fault, Judged


def judge_news(name: str, device: str, news: list[ReaderNews], *, osdp: bool = False) -> Judged:
    """Well when a card came and its case is shut. `osdp`: on an RS-485 line with a Secure Channel."""
    reads = [each for each in news if isinstance(each, CredentialRead)]
    spoilt = [each for each in news if isinstance(each, ReadFault)]
    status = last_status(news)
    measured = {"device": device, "reads": str(len(reads)), "spoilt": str(len(spoilt))}
    faults: tuple[Fault, ...] = () if reads else (_why_no_read(name, device, status, spoilt, osdp),)
    if status is not None and status.online:
        if osdp and status.detail:
            measured["reader"] = status.detail
        faults += tuple(fault for fault in (_tampered(name, status), _weak(name, status)) if fault is not None)
    if faults:
        return Judged(faults=faults, measured=measured)
    wire = ", the wire is encrypted" if status is not None and status.secure else ""
    return Judged(said=f"{reads[-1].format}, card {reads[-1].facility}:{reads[-1].card}{wire}", measured=measured)


def last_status(news: list[ReaderNews]) -> ReaderStatus | None:
    """How it stands now; None before it said."""
    return next((each for each in reversed(news) if isinstance(each, ReaderStatus)), None)


def is_online(news: list[ReaderNews]) -> bool:
    status = last_status(news)
    return status is not None and status.online


def _tampered(name: str, status: ReaderStatus) -> Fault | None:
    if not status.tamper:
        return None
    return Fault(
        what=f"reader {name} says that its case is open or that it was taken off the wall",
        likely="its tamper switch, or light sensor, does not meet the back plate",
        mend="seat it flat on its back plate and drive the screw home; on an uneven wall put the plate on a spacer",
    )


def _weak(name: str, status: ReaderStatus) -> Fault | None:
    if "power is failing" not in status.detail:
        return None
    return Fault(
        what=f"reader {name} says that its power is failing",
        likely="a long or thin supply wire, or a supply that the lock shares",
        mend="measure at the reader while it reads: its label says how many volts it needs; take a wire of its own from the supply",
    )


def _why_no_read(name: str, device: str, status: ReaderStatus | None, spoilt: list[ReadFault], osdp: bool) -> Fault:
    if status is None and osdp:
        return Fault(
            what=f"reader {name} at {device} said nothing yet",
            likely="a very slow line",
            mend="run this step again with a longer --timeout",
        )
    if status is not None and not status.online:
        return _away(name, device, status.detail, osdp)
    if spoilt and osdp:
        return _not_a_format(name, spoilt[-1])
    if spoilt:
        return Fault(
            what=f"reader {name} sends what cannot be read: {spoilt[-1].fault}",
            likely="another protocol or baud rate, or a missing common ground",
            mend="compare `protocol` and `baud` with the reader's label",
        )
    if osdp:
        return Fault(
            what=f"reader {name} answers on its encrypted line, and no card came",
            likely="the fob is of another kind (125 kHz or 13.56 MHz), or the reader's own settings keep it back",
            mend="does its own light or beep answer the fob? Yes: its settings for this kind of card. No: another fob",
        )
    return Fault(
        what=f"reader {name} at {device} is quiet",
        likely="its TX wire is not at our RX, or the fob is of another kind",
        mend="does its own light or beep answer the fob? Yes: look at TX, RX and ground. No: at its supply",
    )


def _away(name: str, device: str, detail: str, osdp: bool) -> Fault:
    """The driver says what it noticed, and behind a colon what to look at; a key's own fault begins with the name of its file."""
    line = f"{device}: "
    likely, _, mend = detail.removeprefix(line).partition(": ") if detail.startswith(line) else detail.rpartition(": ")
    if not likely:
        likely, mend = mend, ""
    return Fault(
        what=f"reader {name} at {device} {'has no secure channel with us' if osdp else 'does not answer'}",
        likely=likely,
        mend=mend or f"is it powered and plugged in? `ls -l {device}` shows the device",
    )


def _not_a_format(name: str, spoilt: ReadFault) -> Fault:
    """The line has a check of its own, and a key: what came is what the reader sent."""
    return Fault(
        what=f"reader {name} sends {len(spoilt.bits)} bits that are none of its formats ({spoilt.fault})",
        likely="the wires are right; `formats` is not, or the card is not of this site",
        mend=f"`doorward decode wiegand {spoilt.bits}` names what they could be"
        if spoilt.bits
        else "set the reader to send raw card bits",
    )
