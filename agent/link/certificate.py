"""Certificates as a door sees them: until when its own is good, and what it is likely to be when a broker or the door refuses one.

Under TLS 1.3 the door's side of the handshake is over before the broker has looked at the door's certificate (RFC 8446, section 4.4.2): a
refusal comes as an alert behind it, or only as an end of the connection.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _TIME = 0x30, 0xA0, 0x17, 0x18
_TIMES = {_UTC_TIME: "%y%m%d%H%M%SZ", _TIME: "%Y%m%d%H%M%SZ"}

RENEW = "At the site's server: doorward central renew FOLDER --door SITE/DOOR --out DIR, and carry what it makes here"
_OTHER_SITE = "was this door enrolled at another site, or the site made anew? Enrol it at this one"
_OF_ANOTHER = "the broker's certificate is of another authority than link.ca_file: was the site made anew? Enrol this door again"
_ALSO = "use a name that it is for, or at the site's server: doorward central init FOLDER --also NAME"
LIKELY = {
    "CERTIFICATE_REVOKED": f"the broker says that this certificate was revoked. Does this door belong to the site? {RENEW}",
    "CERTIFICATE_EXPIRED": f"the broker says that this certificate has ended, or its clock is wrong. {RENEW}",
    "UNKNOWN_CA": f"the broker does not know the authority that signed this certificate: {_OTHER_SITE}",
    "BAD_CERTIFICATE": "the broker does not take this certificate: by its clock it is not valid yet, or it is damaged. Compare both clocks",
    "CERTIFICATE_REQUIRED": "the broker wants a certificate and was shown none: set link.cert_file and link.key_file",
}
"""By the name of the broker's alert in OpenSSL."""
VERIFIED = {
    9: "the broker's certificate is not valid yet by the clock here: is it right? timedatectl",
    10: "the broker's certificate has ended by the clock here: is it right? timedatectl. Else: doorward central renew FOLDER --broker",
    18: _OF_ANOTHER,
    19: _OF_ANOTHER,
    20: _OF_ANOTHER,
    62: f"the broker's certificate is not for the name in link.host: {_ALSO}",
    64: f"the broker's certificate is not for the address in link.host: {_ALSO}",
}
"""By OpenSSL's X509_V_ERR numbers, of a certificate that this side does not believe."""
SILENT = "the broker ended the connection without a word: most likely it refuses this certificate (revoked, of another site); see its log"


def valid_span(file: str) -> tuple[datetime, datetime] | None:
    """From when until when a PEM file's first certificate is good (RFC 5280, 4.1.2.5); None when there is none that can be read."""
    try:
        found = _PEM.search(Path(file).read_bytes())
        return _span(base64.b64decode(found[1])) if found else None
    except (OSError, ValueError, IndexError, OverflowError, StopIteration):
        return None


def _span(der: bytes) -> tuple[datetime, datetime]:
    certificate = next(_parts(der))[1]
    fields = [part for part in _parts(next(_parts(certificate))[1]) if part[0] != _VERSION]
    since, until = (_time(*part) for part in _parts(fields[3][1]))  # serial, algorithm, issuer, validity
    return since, until


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents of what stands one behind another. Raises IndexError, ValueError."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at : at + count], "big"), at + count
        if at + length > len(der):
            raise ValueError("a part reaches behind the end")
        yield tag, der[at : at + length]
        at += length


def _time(tag: int, raw: bytes) -> datetime:
    return datetime.strptime(raw.decode("ascii"), _TIMES.get(tag, "")).replace(tzinfo=timezone.utc)


def why_refused(error: BaseException | None, cert_file: str, now: datetime) -> str:
    """A sentence with what it is likely to be, and the mend; empty for what has nothing to do with certificates. `error`: what ended a
    connection that was never let in, None when it just ended."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return VERIFIED.get(error.verify_code, f"the broker's certificate is not believed: {error.verify_message}")
    own = _why_own(cert_file, now)
    if own:
        return own
    alert = str(getattr(error, "reason", ""))
    known = next((words for name, words in LIKELY.items() if alert.endswith(f"ALERT_{name}")), "")
    return known or (SILENT if cert_file and (error is None or isinstance(error, ssl.SSLError | ConnectionError)) else "")


def _why_own(cert_file: str, now: datetime) -> str:
    span = valid_span(cert_file) if cert_file else None
    if span is None:
        return ""
    if now >= span[1]:
        return f"this certificate ended on {span[1]:%Y-%m-%d}. {RENEW}"
    if now < span[0]:
        return (
            f"this certificate is valid from {span[0]:%Y-%m-%d} and the clock here says {now:%Y-%m-%d}: is it right? timedatectl"
        )
    return ""
