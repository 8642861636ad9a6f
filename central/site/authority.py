"""The site's own certificate authority: EC P-256, one level, with a list of what was issued and one of what was revoked.

Whoever holds `ca.key` can be any door; it is made with mode 0600 and needed for enrolment, renewal and revocation only, never by the broker
nor by the running centre.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct
from msgspec.structs import replace

from agent.errors import ConfigError, DoorwardError
from agent.pairing.messages import SUBJECT
from central.site.files import FOR_ALL, OWNER_ONLY, folder, put
from central.site.names import PROBE

Purpose = Literal["broker", "node", "centre", "door", "person"]

CA_LIFE = timedelta(days=20 * 365)
LIFE: dict[Purpose, timedelta] = {
    "broker": timedelta(days=3 * 365),
    "node": timedelta(days=3 * 365),
    "centre": timedelta(days=10 * 365),
    "door": timedelta(days=5 * 365),
    "person": timedelta(days=5 * 365),
}
"""A door whose certificate has ended goes on deciding and keeps its events, but says and hears nothing: `doorward central certificates`
lists what ends soon."""
BACKDATED = timedelta(hours=1)
"""Clocks differ: what is issued now is valid since an hour ago."""


class Issued(Struct, frozen=True, kw_only=True):
    """A line of the list: a certificate that this authority has signed."""

    serial: str
    """Hexadecimal."""
    purpose: Purpose
    name: str
    """Its common name; SITE/DOOR for a door."""
    since: datetime
    until: datetime
    revoked: datetime | None = None

    def days_left(self, now: datetime) -> int:
        return (self.until - now).days


class Pair(Struct, frozen=True):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


class RequestError(DoorwardError, ValueError):
    """A certificate request that is not signed for: the text says why."""


class Authority:
    """Works in a folder of its own, FOLDER/ca."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._key_file, self._list = root / "ca.key", root / "issued.json"
        self.certificate_file = root / "ca.crt"

    @property
    def is_made(self) -> bool:
        return self._key_file.exists() and self.certificate_file.exists()

    def make(self, site: str, now: datetime) -> None:
        """Key and certificate. Raises ConfigError; whoever has a key already must not lose it to a second call."""
        if self._key_file.exists() or self.certificate_file.exists():
            raise ConfigError(f"{self._root}: holds a part of an authority; bring back both ca.key and ca.crt from your backup")
        folder(self._root, 0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"Doorward authority of {site}")
        certificate = (
            _builder(name, name, key.public_key(), now, CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        put(self._key_file, _pem_of(key), OWNER_ONLY)
        put(self.certificate_file, certificate.public_bytes(serialization.Encoding.PEM), FOR_ALL)

    def demand(self) -> None:
        """Raises ConfigError when key and certificate are not there for us, or do not belong together."""
        self._load()

    def issue(self, purpose: Purpose, name: str, now: datetime, hosts: Sequence[str] = (), life: timedelta | None = None) -> Pair:
        """A new key and a certificate for it. `hosts` are names and addresses by which a broker is reached. Raises ConfigError."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Pair(self.issue_to(key.public_key(), purpose, name, now, hosts, life), _pem_of(key))

    def issue_to(self, key: ec.EllipticCurvePublicKey, purpose: Purpose, name: str, now: datetime, hosts: Sequence[str] = (),
                 life: timedelta | None = None) -> bytes:  # fmt: skip
        """A certificate, PEM, for a key that was made elsewhere and stays there: `key_of` a request. Raises ConfigError."""
        authority, signing = self._load()
        serial = x509.random_serial_number()
        builder = _builder(_name(name), authority.subject, key, now, life or LIFE[purpose], serial)
        builder = _leaf(builder, purpose, [*map(_host, hosts), *_number(purpose, serial, life)])
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        certificate = builder.sign(signing, hashes.SHA256())
        self._note(purpose, name, certificate)
        return certificate.public_bytes(serialization.Encoding.PEM)

    def issued(self) -> list[Issued]:
        """Oldest first. Raises ConfigError."""
        try:
            return msgspec.json.decode(self._list.read_bytes(), type=list[Issued])
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
            raise ConfigError(f"{self._list}: cannot be read: {error}; bring it back from your backup") from error

    def revoke(self, name: str, now: datetime, but: str = "") -> list[str]:
        """Revoke everything that was issued under a name, except the serial number `but`; returns the serial numbers."""
        lines = self.issued()
        gone = [line.serial for line in lines if line.name == name and line.revoked is None and line.serial != but]
        self._write([replace(line, revoked=now) if line.serial in gone else line for line in lines])
        return gone

    def revocation_list(self, now: datetime, before: bytes = b"") -> bytes:
        """What the broker checks certificates against, PEM. `before` is the list that it replaces.

        Its date is later than that of the one before by at least a second, because Mosquitto keeps both and OpenSSL believes the later one;
        and it lies in the past, because a list of the future would shut out everybody. For the same reason it ends with the authority.
        """
        authority, signing = self._load()
        dated = now - BACKDATED
        if before:
            dated = max(dated, x509.load_pem_x509_crl(before).last_update_utc + timedelta(seconds=1))
        builder = x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
        builder = builder.last_update(dated).next_update(authority.not_valid_after_utc)
        for line in self.issued():
            if line.revoked is not None and line.until > now:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder().serial_number(int(line.serial, 16)).revocation_date(line.revoked).build()
                )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        ).add_extension(x509.CRLNumber(int(dated.timestamp())), critical=False)
        return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"{self._root}: the authority cannot be read: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ConfigError(f"{self._root}: ca.key does not belong to ca.crt; bring back both from your backup")
        return certificate, key

    def _note(self, purpose: Purpose, name: str, certificate: x509.Certificate) -> None:
        line = Issued(serial=f"{certificate.serial_number:x}", purpose=purpose, name=name, since=certificate.not_valid_before_utc,
                      until=certificate.not_valid_after_utc)  # fmt: skip
        over = {old.serial for old in self.issued() if old.name.startswith(f"{PROBE}/") and old.until < line.since + BACKDATED}
        self._write([*(old for old in self.issued() if old.serial not in over), line])

    def _write(self, lines: list[Issued]) -> None:
        put(self._list, msgspec.json.format(msgspec.json.encode(lines)) + b"\n", OWNER_ONLY)


def key_of(request: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a request (PKCS #10, PEM), of which nothing else is taken. Whoever asks for names, rights or another kind of key is a
    program that was not made for this. Raises RequestError."""
    try:
        told = x509.load_pem_x509_csr(request)
        signed, key, wishes = told.is_signature_valid, told.public_key(), list(told.extensions)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise RequestError(f"the certificate request cannot be read: {error}") from error
    if not signed:
        raise RequestError("the certificate request is not signed with its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestError("the certificate request holds another key than EC P-256, which alone is taken")
    if told.subject != _name(SUBJECT) or wishes:
        raise RequestError(
            f"the certificate request asks for names or rights of its own: CN={SUBJECT} and no extensions are allowed"
        )
    return key


def pinned(name: str, now: datetime) -> Pair:
    """A key with a certificate that signs itself: whoever trusts exactly this one trusts nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _leaf(_builder(_name(name), _name(name), key.public_key(), now, LIFE["centre"]), "centre", [])
    certificate = builder.sign(key, hashes.SHA256())
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem_of(key))


def serial_of(certificate: bytes) -> str:
    """Of a PEM certificate, as in the list."""
    return f"{x509.load_pem_x509_certificate(certificate).serial_number:x}"


def hosts_of(certificate: bytes) -> set[str]:
    """The names and addresses that a broker's certificate is for."""
    names = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta, serial: int = 0
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _leaf(builder: x509.CertificateBuilder, purpose: Purpose, names: Sequence[x509.GeneralName]) -> x509.CertificateBuilder:
    serves = [ExtendedKeyUsageOID.SERVER_AUTH] if purpose in ("broker", "node") else []
    visits = [ExtendedKeyUsageOID.CLIENT_AUTH] if purpose != "broker" else []
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([*serves, *visits]), critical=False)
    )
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False) if names else builder


def user_of(serial: str) -> str:
    """What a door's or person's certificate calls itself besides its name: a broker without revocation lists tells them apart by it."""
    return f"urn:doorward:certificate:{serial}"


def _number(purpose: Purpose, serial: int, life: timedelta | None) -> list[x509.GeneralName]:
    """Trials by `broker-check`, which alone have a life of their own, are known by their names."""
    numbered = purpose in ("door", "person") and life is None
    return [x509.UniformResourceIdentifier(user_of(f"{serial:x}"))] if numbered else []


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def in_force(lines: Sequence[Issued], now: datetime) -> list[Issued]:
    """The newest of each name, unless it was revoked; trials by `broker-check` left out."""
    newest = {line.name: line for line in sorted(lines, key=lambda line: line.since)}
    return [line for line in newest.values() if line.revoked is None and not line.name.startswith(f"{PROBE}/")]
