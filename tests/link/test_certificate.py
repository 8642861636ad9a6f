"""Until when a certificate is good, and what a refusal means."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.link.certificate import _span, valid_span, why_refused
from central.site.authority import Authority

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("ca"))
    made.make("hq", NOW)
    return made


@pytest.mark.parametrize("life", [timedelta(days=30), timedelta(days=20 * 365), timedelta(days=40 * 365)])
def test_a_door_reads_from_when_until_when_its_certificate_is_good(tmp_path: Path, authority: Authority, life: timedelta) -> None:
    raw = authority.issue("door", "hq/front", NOW, life=life).certificate
    (tmp_path / "door.crt").write_bytes(raw)
    read = x509.load_pem_x509_certificate(raw)
    assert valid_span(str(tmp_path / "door.crt")) == (read.not_valid_before_utc, read.not_valid_after_utc)


@pytest.mark.parametrize("raw", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_has_no_end(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "door.crt").write_bytes(raw)
    assert valid_span(str(tmp_path / "door.crt")) is None
    assert valid_span(str(tmp_path / "nothing.crt")) is None


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_end_the_reading_otherwise_than_by_a_complaint(raw: bytes) -> None:
    try:
        since, until = _span(raw)
        assert (since.tzinfo, until.tzinfo) == (timezone.utc, timezone.utc)
    except (ValueError, IndexError, StopIteration, OverflowError):
        pass


def test_a_certificate_that_has_ended_is_told_before_whatever_the_broker_says(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "door.crt").write_bytes(authority.issue("door", "hq/front", NOW, life=timedelta(days=5)).certificate)
    told = why_refused(ConnectionResetError(), str(tmp_path / "door.crt"), NOW + timedelta(days=6))
    assert told.startswith("this certificate ended on 2026-03-07. At the site's server: doorward central renew")


def test_a_clock_that_stands_before_the_certificate_is_told(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "door.crt").write_bytes(authority.issue("door", "hq/front", NOW).certificate)
    assert "the clock here says 1970-01-01: is it right?" in why_refused(
        None, str(tmp_path / "door.crt"), datetime(1970, 1, 1, tzinfo=timezone.utc)
    )


def test_what_has_nothing_to_do_with_certificates_is_not_explained_by_them() -> None:
    assert why_refused(None, "", NOW) == ""
    assert why_refused(TimeoutError("timed out"), "door.crt", NOW) == ""
    assert "without a word" in why_refused(ssl.SSLEOFError(8, "EOF"), "door.crt", NOW)
