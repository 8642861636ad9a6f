"""What the centre offers a door: only the centre's word to this door counts, and only the door can read who was withdrawn."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from agent.core.withdrawn import Withdrawal
from agent.errors import BundleError
from agent.records.access_offer import (
    MOST_BYTES,
    MOST_WITHDRAWN,
    Bulk,
    Offer,
    checked_offer,
    offer_in,
    opened,
    sealed,
    signed_offer,
)
from tests.records.bundles import CENTRE, DOOR, NOW

BULK = Bulk(version=7, start_digest=bytes(32), start_length=500, parts=4, size=9000)
OFFER = Offer(site="hq", door="front", made=NOW, revision=9, as_of=8, bundle=BULK)
STOLEN = Withdrawal(hashed=2**64 - 1, state="stolen", since=9)


def check(raw: bytes) -> Offer:
    return checked_offer(raw, CENTRE.verify_key, "hq", "front")


def test_the_centres_offer_to_this_door_is_read() -> None:
    assert check(signed_offer(OFFER, CENTRE)) == OFFER
    assert offer_in(signed_offer(OFFER, CENTRE)) == OFFER


@pytest.mark.parametrize("offer", [replace(OFFER, door="vault"), replace(OFFER, site="mill")])
def test_an_offer_to_another_door_is_refused(offer: Offer) -> None:
    with pytest.raises(BundleError, match="made for"):
        check(signed_offer(offer, CENTRE))


def test_an_offer_that_another_centre_signed_is_refused() -> None:
    with pytest.raises(BundleError, match="not signed by this site's centre"):
        check(signed_offer(OFFER, SigningKey(b"x" * 32)))


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_not_a_bit_of_an_offer_can_be_changed(at: int, bit: int) -> None:
    raw = bytearray(signed_offer(OFFER, CENTRE))
    raw[at % len(raw)] ^= 1 << bit
    with contextlib.suppress(BundleError):
        assert check(bytes(raw)) == OFFER  # bits of base64 that mean nothing


@given(raw=st.binary(max_size=300))
def test_rubbish_is_refused_as_such(raw: bytes) -> None:
    for read in (check, offer_in):
        with pytest.raises(BundleError):
            read(raw)


def test_an_offer_longer_than_brokers_take_is_not_read() -> None:
    with pytest.raises(BundleError, match="at most"):
        check(b" " * (MOST_BYTES + 1))


def test_who_was_withdrawn_is_for_the_door_alone_to_read() -> None:
    box = sealed((STOLEN,), DOOR.public_key)
    assert opened(box, DOOR) == (STOLEN,)
    assert b"stolen" not in box
    with pytest.raises(BundleError, match="not sealed for this door's key"):
        opened(box, PrivateKey(b"e" * 32))
    assert opened(sealed((), DOOR.public_key), DOOR) == ()


def test_as_many_withdrawals_as_are_allowed_fit_into_an_offer() -> None:
    many = tuple(Withdrawal(2**64 - 1 - n, "suspended", 2**40) for n in range(MOST_WITHDRAWN))
    raw = signed_offer(replace(OFFER, withdrawn=sealed(many, DOOR.public_key)), CENTRE)
    assert len(raw) <= MOST_BYTES
    assert opened(check(raw).withdrawn, DOOR) == many
    with pytest.raises(BundleError, match="at most"):
        sealed((*many, STOLEN), DOOR.public_key)


def test_a_field_that_a_newer_centre_says_is_not_overlooked() -> None:
    word = msgspec.json.encode({**msgspec.to_builtins(OFFER), "only_on_sundays": True})
    raw = msgspec.json.encode({"word": word, "signature": CENTRE.sign(b"doorward access offer 1\n" + word).signature})
    with pytest.raises(BundleError, match="only_on_sundays"):
        check(raw)


def test_an_older_offer_is_known_by_its_revision_then_by_its_bundle() -> None:
    assert replace(OFFER, revision=8).is_older_than(OFFER)
    assert replace(OFFER, bundle=None).is_older_than(OFFER)
    assert not OFFER.is_older_than(OFFER)
    assert not replace(OFFER, revision=10, bundle=None).is_older_than(OFFER)
