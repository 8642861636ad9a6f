"""The site's own authority: what it signs, what it revokes, and what it refuses to lose."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from central.site.authority import Authority, hosts_of, in_force, serial_of

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "ca")
    made.make("hq", NOW)
    return made


def revoked_in(raw: bytes) -> set[int]:
    return {entry.serial_number for entry in x509.load_pem_x509_crl(raw)}


def test_its_key_is_for_its_owner_alone_and_a_second_one_is_never_made(authority: Authority, tmp_path: Path) -> None:
    assert (tmp_path / "ca" / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ca").stat().st_mode & 0o777 == 0o700
    before = (tmp_path / "ca" / "ca.key").read_bytes()
    with pytest.raises(ConfigError, match="backup"):
        authority.make("hq", NOW)
    assert (tmp_path / "ca" / "ca.key").read_bytes() == before


def test_a_doors_certificate_names_it_and_serves_no_other_purpose(authority: Authority) -> None:
    pair = authority.issue("door", "hq/front", NOW)
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    root = x509.load_pem_x509_certificate(authority.certificate_file.read_bytes())
    certificate.verify_directly_issued_by(root)
    assert certificate.subject.rfc4514_string() == "CN=hq/front"
    assert [use.dotted_string for use in certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == [
        x509.ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string
    ]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_a_broker_is_known_by_each_of_its_names_and_addresses(authority: Authority) -> None:
    names = ["broker.example.org", "127.0.0.1", "::1", "2001:db8::7"]
    assert hosts_of(authority.issue("broker", names[0], NOW, names).certificate) == set(names)


def test_what_is_revoked_is_in_the_list_until_it_would_have_ended_anyway(authority: Authority) -> None:
    pair = authority.issue("door", "hq/front", NOW)
    kept = authority.issue("door", "hq/back", NOW)
    assert authority.revoke("hq/front", NOW) == [serial_of(pair.certificate)]
    assert authority.revoke("hq/front", NOW) == []
    assert revoked_in(authority.revocation_list(NOW)) == {int(serial_of(pair.certificate), 16)}
    assert int(serial_of(kept.certificate), 16) not in revoked_in(authority.revocation_list(NOW))
    assert revoked_in(authority.revocation_list(NOW + timedelta(days=6 * 365))) == set()


def test_the_newest_list_is_later_than_the_one_before_and_never_of_the_future(authority: Authority) -> None:
    raw = b""
    dates = []
    for _ in range(30):
        raw = authority.revocation_list(NOW, raw)
        dates.append(x509.load_pem_x509_crl(raw).last_update_utc)
    assert dates == sorted(set(dates))
    assert dates[-1] < NOW


def test_a_list_outlasts_every_certificate_because_one_that_has_ended_shuts_out_all_doors(authority: Authority) -> None:
    root = x509.load_pem_x509_certificate(authority.certificate_file.read_bytes())
    assert x509.load_pem_x509_crl(authority.revocation_list(NOW)).next_update_utc == root.not_valid_after_utc


def test_a_list_of_certificates_tells_the_newest_of_each_name(authority: Authority) -> None:
    authority.issue("door", "hq/front", NOW)
    newer = authority.issue("door", "hq/front", NOW + timedelta(days=1))
    authority.issue("door", "hq/back", NOW)
    authority.revoke("hq/back", NOW)
    lines = in_force(authority.issued(), NOW)
    assert [(line.name, line.serial) for line in lines] == [("hq/front", serial_of(newer.certificate))]
    assert lines[0].days_left(NOW) == 5 * 365 + 1


@pytest.mark.parametrize("name", ["ca.key", "ca.crt"])
def test_an_authority_of_which_a_part_is_lost_says_to_bring_back_the_backup(
    authority: Authority, tmp_path: Path, name: str
) -> None:
    other = Authority(tmp_path / "other")
    other.make("hq", NOW)
    (tmp_path / "ca" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(ConfigError, match="backup"):
        authority.issue("door", "hq/front", NOW)


@given(st.binary(max_size=200).filter(lambda raw: raw.strip() != b"[]"))
def test_a_damaged_list_is_told_and_never_taken_for_an_empty_one(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("ca")
    (folder / "issued.json").write_bytes(raw)
    with pytest.raises(ConfigError, match=r"issued\.json"):
        Authority(folder).issued()


def test_what_broker_check_tried_with_long_ago_is_not_listed_for_ever(authority: Authority) -> None:
    for hours in range(5):
        authority.issue("door", "broker-check/broker-check", NOW + timedelta(hours=hours), life=timedelta(minutes=10))
    assert len(authority.issued()) == 1
