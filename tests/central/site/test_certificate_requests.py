"""What a controller may ask the authority for: a certificate for its own key, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from agent.pairing.messages import SUBJECT
from central.site.authority import RequestError, key_of
from central.site.doors import Admitted, Requests, admit
from central.site.folder import Site
from tests.central.site.sites import made, now

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = bytes(PrivateKey.generate().public_key)


def name(**words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(getattr(NameOID, word), text) for word, text in words.items()])


def request(key: object = KEY, subject: x509.Name | None = None, extension: x509.ExtensionType | None = None) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(COMMON_NAME=SUBJECT) if subject is None else subject)
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def fresh() -> bytes:
    return request(ec.generate_private_key(ec.SECP256R1()))


def let_in(site: Site, door: str = "front", link: bytes = b"", media: bytes = b"", public_key: bytes = PUBLIC) -> Admitted:
    asked = Requests(link=link or fresh(), media=media or fresh(), public_key=public_key)
    return admit(site, "hq", door, "Front door", asked, now())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made(tmp_path)
    return Site.open(tmp_path / "site")


def test_a_door_gets_the_name_that_the_centre_gives_it(site: Site) -> None:
    done = let_in(site, link=request())
    certificate = x509.load_pem_x509_certificate(done.files["link/door.crt"])
    assert certificate.subject == name(COMMON_NAME="hq/front")
    assert certificate.public_key() == KEY.public_key()
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


FOREIGN: dict[str, Callable[[], bytes]] = {
    "the name of another door": lambda: request(subject=name(COMMON_NAME="hq/vault")),
    "the centre's name": lambda: request(subject=name(COMMON_NAME="centre")),
    "our name and another": lambda: request(subject=name(COMMON_NAME=SUBJECT, ORGANIZATION_NAME="hq/vault")),
    "no name": lambda: request(subject=x509.Name([])),
    "a host's name": lambda: request(extension=x509.SubjectAlternativeName([x509.DNSName("broker.example.org")])),
    "to be an authority": lambda: request(extension=x509.BasicConstraints(ca=True, path_length=None)),
    "P-384": lambda: request(ec.generate_private_key(ec.SECP384R1())),
    "secp256k1": lambda: request(ec.generate_private_key(ec.SECP256K1())),
    "RSA, short": lambda: request(rsa.generate_private_key(65537, 1024)),
    "RSA": lambda: request(rsa.generate_private_key(65537, 2048)),
    "Ed25519": lambda: request(ed25519.Ed25519PrivateKey.generate()),
    "a signature of another key": lambda: spoiled(request()),
    "nothing": lambda: b"x",
    "a certificate": lambda: request().replace(b"CERTIFICATE REQUEST", b"CERTIFICATE"),
}


def spoiled(pem: bytes) -> bytes:
    """The last byte of its signature is another."""
    raw = bytearray(x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER))
    raw[-1] ^= 1
    return x509.load_der_x509_csr(bytes(raw)).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("wish", FOREIGN)
def test_whoever_asks_for_more_than_a_key_gets_nothing(site: Site, wish: str) -> None:
    before = site.authority.issued()
    for asked in ({"link": FOREIGN[wish]()}, {"media": FOREIGN[wish]()}):
        with pytest.raises(RequestError, match="certificate request"):
            let_in(site, **asked)
    assert site.authority.issued() == before
    assert site.doors.door("hq", "front") is None


@given(st.binary(max_size=400))
def test_whatever_is_sent_as_a_request_is_refused_with_a_sentence(raw: bytes) -> None:
    for told in (raw, b"-----BEGIN CERTIFICATE REQUEST-----\n" + raw + b"\n-----END CERTIFICATE REQUEST-----\n"):
        with pytest.raises(RequestError):
            key_of(told)


def test_two_programs_do_not_share_a_key(site: Site) -> None:
    with pytest.raises(RequestError, match="same key"):
        let_in(site, link=request(), media=request())


@pytest.mark.parametrize("key", [bytes(32), (1).to_bytes(32, "little")], ids=["zero", "of small order"])
def test_a_key_that_everybody_could_open_is_no_doors_key(site: Site, key: bytes) -> None:
    with pytest.raises(RequestError, match="public key"):
        let_in(site, public_key=key)


def test_a_copied_disk_is_noticed(site: Site) -> None:
    let_in(site)
    with pytest.raises(RequestError, match=r"hq/front has the same door\.key"):
        let_in(site, "back")
    assert let_in(site).replaces, "the same controller again is no copy"
