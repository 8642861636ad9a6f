"""Consent to norms of one's own travels in the access bundle; who never said anything has not agreed."""

from __future__ import annotations

from pathlib import Path

from agent.core.people import Cardholder, Credential, Issued
from agent.records.people_file import Codec, Columns
from tests.records.bundles import read, rules, write

AGREED = Cardholder(id="a", norms_consent=True)
SILENT = Cardholder(id="b")


def issued(holder: Cardholder) -> Issued:
    return Issued(holder, (Credential(key=f"fob-{holder.id}", cardholder=holder.id),))


def test_a_door_reads_who_has_agreed(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(), [issued(AGREED), issued(SILENT)])
    people = read(tmp_path / "b").rules.people
    agreed, silent = people.find("fob-a"), people.find("fob-b")
    assert agreed is not None
    assert silent is not None
    assert (agreed.cardholder.norms_consent, silent.cardholder.norms_consent) == (True, False)


def test_in_a_bundle_from_before_there_was_consent_nobody_has_agreed() -> None:
    old = Columns(tuple(name for name in Columns.HERE.cardholder if name != "norms_consent"), Columns.HERE.credential)
    codec, fob = Codec(old), Credential(key="1", cardholder="b")
    known = codec.decode(codec.encode(SILENT, fob))
    assert known.cardholder == SILENT
    assert not known.cardholder.norms_consent


def test_withdrawing_is_a_bundle_without_consent(tmp_path: Path) -> None:
    write(tmp_path / "b", rules(version=2), [issued(Cardholder(id="a"))])
    known = read(tmp_path / "b").rules.people.find("fob-a")
    assert known is not None
    assert not known.cardholder.norms_consent
