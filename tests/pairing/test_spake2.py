"""The key that comes of a code: against published numbers, against plain arithmetic, and against whoever listens or stands between."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import WireError
from agent.pairing import spake2
from agent.pairing.code import ALPHABET, LENGTH
from agent.pairing.spake2 import POINT_OF, begin, begin_with, finish
from tests.pairing import edwards

CODES = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)
SCALARS = st.integers(1, edwards.ORDER - 1)


@pytest.mark.parametrize(("side", "letter"), [("door", "M"), ("centre", "N")])
def test_the_fixed_points_are_found_by_hashing_so_nobody_can_know_their_logarithms(side: spake2.Side, letter: str) -> None:
    """RFC 9382, appendix A."""
    block = f"edwards25519 point generation seed ({letter})".encode()
    while True:
        block = hashlib.sha256(block).digest()
        found = edwards.point(block)
        if found is not None and edwards.times(edwards.ORDER, found) == edwards.NEUTRAL:
            break
    assert block == POINT_OF[side]


def test_the_keys_are_those_of_rfc_9382() -> None:
    """Appendix B, the first vector: of P-256, for there is none of edwards25519; what comes after the curve is the same."""
    w = "2ee57912099d31560b3a44b1184b9b4866e904c49d12ac5042c97dca461b1a5f"
    door = (
        "04a56fa807caaa53a4d28dbb9853b9815c61a411118a6fe516a8798434751470"
        "f9010153ac33d0d5f2047ffdb1a3e42c9b4e6be662766e1eeb4116988ede5f912c"
    )
    centre = (
        "0406557e482bd03097ad0cbaa5df82115460d951e3451962f1eaf4367a420676"
        "d09857ccbc522686c83d1852abfa8ed6e4a1155cf8f1543ceca528afb591a1e0b7"
    )
    shared = (
        "0412af7e89717850671913e6b469ace67bd90a4df8ce45c2af19010175e37eed"
        "69f75897996d539356e2fa6a406d528501f907e04d97515fbe83db277b715d3325"
    )
    told = spake2.transcript(b"server", b"client", *map(bytes.fromhex, (door, centre, shared, w)))
    assert hashlib.sha256(told).hexdigest() == "0e0672dc86f8e45565d338b0540abe6915bdf72e2b35b5c9e5663168e960a91b"
    agreed = spake2.schedule(told, b"")
    assert agreed.door_confirms.hex() == "58ad4aa88e0b60d5061eb6b5dd93e80d9c4f00d127c65b3b35b1b5281fee38f0"
    assert agreed.centre_confirms.hex() == "d3e2e547f1ae04f2dbdbf0fc4b79f8ecff2dff314b5d32fe9fcef2fb26dc459b"
    assert agreed.door_seals == spake2.hkdf(
        bytes.fromhex("0e0672dc86f8e45565d338b0540abe69"), b"doorward-pair-1 sealed by the door", 32
    )


def test_the_derivation_is_that_of_rfc_5869() -> None:
    """Appendix A.3: no salt, no info."""
    assert spake2.hkdf(b"\x0b" * 22, b"", 32).hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


@settings(max_examples=10, deadline=None)
@given(SCALARS, SCALARS, SCALARS)
def test_shares_and_key_are_those_of_plain_arithmetic(w: int, x: int, y: int) -> None:
    m, n = edwards.point(POINT_OF["door"]), edwards.point(POINT_OF["centre"])
    assert m is not None
    assert n is not None
    assert edwards.BASE is not None
    scalars = [number.to_bytes(32, "little") for number in (w, x, y)]
    door, centre = begin_with("door", scalars[0], scalars[1]), begin_with("centre", scalars[0], scalars[2])
    assert door.share == edwards.encoded(edwards.plus(edwards.times(x, edwards.BASE), edwards.times(w, m)))
    assert centre.share == edwards.encoded(edwards.plus(edwards.times(y, edwards.BASE), edwards.times(w, n)))
    shared = edwards.encoded(edwards.times(8 * x * y, edwards.BASE))
    told = spake2.transcript(spake2.DOOR, spake2.CENTRE, door.share, centre.share, shared, w.to_bytes(32, "big"))
    assert finish(door, centre.share, b"run") == finish(centre, door.share, b"run") == spake2.schedule(told, b"run")


@given(CODES, CODES)
def test_two_codes_agree_on_nothing_and_one_code_on_everything(one: str, other: str) -> None:
    door, centre = begin("door", one), begin("centre", other)
    mine, theirs = finish(door, centre.share, b""), finish(centre, door.share, b"")
    same = {name for name in mine.__struct_fields__ if getattr(mine, name) == getattr(theirs, name)}
    assert same == (set(mine.__struct_fields__) if one == other else set())


@given(CODES)
def test_what_one_side_saw_otherwise_ends_it(code: str) -> None:
    door, centre = begin("door", code), begin("centre", code)
    assert finish(door, centre.share, b"K7Q one").door_confirms != finish(centre, door.share, b"K7Q two").door_confirms


def test_a_run_is_never_the_same_twice() -> None:
    assert len({begin("door", "K7QM3XPD").share for _ in range(20)}) == 20


@pytest.mark.parametrize("share", [
    bytes(32), (1).to_bytes(32, "little"), (edwards.P - 1).to_bytes(32, "little"), b"\xff" * 32, bytes(31), b"",
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),  # of order 8
], ids=["order 4", "neutral", "order 2", "no number", "short", "nothing", "order 8"])  # fmt: skip
def test_a_share_that_would_force_a_key_is_refused(share: bytes) -> None:
    for side in ("door", "centre"):
        with pytest.raises(WireError, match="share"):
            finish(begin(side, "K7QM3XPD"), share, b"")  # type: ignore[arg-type]


def test_a_share_with_a_small_part_added_is_refused() -> None:
    honest, small = edwards.point(begin("door", "K7QM3XPD").share), edwards.point((edwards.P - 1).to_bytes(32, "little"))
    assert honest is not None
    assert small is not None
    with pytest.raises(WireError, match="share"):
        finish(begin("centre", "K7QM3XPD"), edwards.encoded(edwards.plus(honest, small)), b"")


def test_whoever_sends_the_masked_point_alone_forces_nothing() -> None:
    """The share that leaves nothing when the mask is taken off: only whoever knows the code can make it, and it is refused even so."""
    centre = begin("centre", "K7QM3XPD")
    m = edwards.point(POINT_OF["door"])
    assert m is not None
    with pytest.raises(WireError, match="share"):
        finish(centre, edwards.encoded(edwards.times(int.from_bytes(centre.w, "little"), m)), b"")


def test_a_listener_finds_every_code_as_likely_as_any_other() -> None:
    """What travels before the proofs fits every code: for each there is a secret that would have made this very share."""
    m = edwards.point(POINT_OF["door"])
    assert m is not None
    share = edwards.point(begin("door", "K7QM3XPD").share)
    assert share is not None
    for code in ("K7QM3XPD", "K7QAAAAA", "K7QYYYYY"):
        bare = edwards.minus(share, edwards.times(int.from_bytes(begin("door", code).w, "little"), m))
        assert edwards.times(edwards.ORDER, bare) == edwards.NEUTRAL, "some multiple of the base point, whichever code it was"
