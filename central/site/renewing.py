"""A door's own wish for new certificates: is it this door, and what does it get?

It proves that it has the key of a certificate that this authority gave it and that still counts. That its broker, or the centre, passes a
wish on proves nothing.
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from agent.identity.messages import MAGIC, Answer, Ask, ask_of
from central.site.authority import RequestError, key_of
from central.site.files import alone
from central.site.folder import Site
from central.site.names import door_name, media_name
from central.site.running import reload


class Renewed(Struct, frozen=True, kw_only=True):
    answer: Answer
    until: datetime
    """When the new certificates end."""


def renew_asked(site: Site, place: str, door: str, raw: bytes, now: datetime) -> Renewed:
    """Raises WireError for what cannot be read, RequestError for what is not this door's or not fit, ConfigError."""
    ask, wish = ask_of(raw)
    if (wish.site, wish.door) != (place, door):
        raise RequestError(f"the wish of {wish.site}/{wish.door} came as that of {place}/{door}")
    with alone(site.root):
        _demand_door(site, place, door, ask, now)
        link_key = key_of(wish.link.encode())
        media_key = key_of(wish.media.encode()) if wish.media else None
        if media_key is not None and media_key.public_numbers() == link_key.public_numbers():
            raise RequestError("the certificate requests of both programs hold the same key: each has one of its own")
        link = site.authority.issue_to(link_key, "door", door_name(place, door), now)
        media = site.authority.issue_to(media_key, "door", media_name(place, door), now) if media_key is not None else b""
        site.write_access(now)  # a cluster's nodes know each certificate by its number
    reload(site)
    answer = Answer(id=wish.id, link=link.decode("ascii"), media=media.decode("ascii"))
    return Renewed(answer=answer, until=x509.load_pem_x509_certificate(link).not_valid_after_utc)


def _demand_door(site: Site, place: str, door: str, ask: Ask, now: datetime) -> None:
    """It has the key of a certificate of ours for this very door that was neither revoked nor has ended."""
    if site.doors.door(place, door) is None:
        raise RequestError(f"{place}/{door} is not enrolled")
    try:
        shown = x509.load_pem_x509_certificate(ask.certificate.encode())
        shown.verify_directly_issued_by(x509.load_pem_x509_certificate(site.authority.certificate_file.read_bytes()))
        key = shown.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise RequestError("the certificate that was shown is for a key of another kind")
        key.verify(ask.signature, MAGIC + ask.wish, ec.ECDSA(hashes.SHA256()))
    except (ValueError, TypeError, InvalidSignature) as error:
        raise RequestError("the wish is not signed with the key of a certificate of this site") from error
    line = next((line for line in site.authority.issued() if line.serial == f"{shown.serial_number:x}"), None)
    if line is None or line.name != door_name(place, door):
        raise RequestError("the certificate that was shown is not this door's")
    if line.revoked is not None or line.until <= now:
        raise RequestError("the certificate that was shown was revoked, or has ended: pair the door anew")
