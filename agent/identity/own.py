"""Which certificate a program of this door shows: the one it was given, or one that the door has renewed since.

    IDENTITY/link.pem        proven: a broker has taken it. Certificate and key in one file, so that one rename changes both
    IDENTITY/link.new.pem    on trial; whatever a power cut leaves of it is thrown away at the next start

A certificate that a person has brought since (pairing, `doorward central renew`) is younger and counts. A sealed key is not made anew by a
program, which cannot seal: then the file holds the certificate alone, for the same key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from agent.files import write_whole
from agent.link.certificate import valid_span

FOLDER = "identity"
"""Below records.folder."""
KEY_INSIDE = b"PRIVATE KEY-----"


class Shown(NamedTuple):
    """Files as `ssl.SSLContext.load_cert_chain` takes them; no key file: the key stands in the same file."""

    certificate: str
    key: str


class ShownToBroker:
    """What a session asks for (agent.link.session.Own)."""

    def __init__(self, own: OwnCertificate, is_sure: Callable[[], bool], not_before: Callable[[], datetime]) -> None:
        self.own, self.is_sure, self.not_before = own, is_sure, not_before

    def files(self) -> tuple[str, str]:
        return self.own.shown()


class OwnCertificate:
    """From any thread."""

    def __init__(self, name: str, cert_file: str, key_file: str, folder: Path) -> None:
        """`name`: "link" or "media"; the files are those of the configuration."""
        self.name, self._given = name, Shown(cert_file, key_file)
        self.proven, self.fresh = folder / f"{name}.pem", folder / f"{name}.new.pem"
        self._is_tried = False

    def shown(self) -> Shown:
        """What the next connection shows."""
        return self._of(self.fresh) if self._is_tried else self.in_force()

    def in_force(self) -> Shown:
        """What was proven, or brought by a person since."""
        given, renewed = valid_span(self._given.certificate), valid_span(str(self.proven))
        is_renewed = renewed is not None and (given is None or renewed[0] >= given[0])
        return self._of(self.proven) if is_renewed else self._given

    def key_file(self) -> str:
        """A file with the private key that is in force."""
        shown = self.in_force()
        return shown.key or shown.certificate

    def put(self, pem: bytes) -> Shown:
        """A new one, to be tried. Raises OSError."""
        self.fresh.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self.fresh, pem)
        return self._of(self.fresh)

    def begin_trial(self) -> None:
        self._is_tried = True

    def keep(self) -> None:
        """A broker has taken it: from now on it is the one. Raises OSError."""
        self.fresh.replace(self.proven)
        self._is_tried = False

    def drop(self) -> None:
        """The one before counts."""
        self._is_tried = False
        self.fresh.unlink(missing_ok=True)

    def bring_home(self, owner: tuple[int, int]) -> bool:
        """As root: put what was renewed where the configuration names it, so that there is one place for keys. Whether there was anything.

        The renewed pair counts until both files are there. Raises OSError.
        """
        if self.in_force().certificate != str(self.proven):
            return False
        raw = self.proven.read_bytes()
        at = raw.find(b"-----BEGIN", raw.find(b"-----END CERTIFICATE"))
        parts = [(self._given.key, raw[at:])] if KEY_INSIDE in raw else []
        for path, part in (*parts, (self._given.certificate, raw[:at] if at > 0 else raw)):
            write_whole(Path(path), part)
            os.chown(path, *owner)
        self.proven.unlink()
        return True

    def _of(self, path: Path) -> Shown:
        with_key = KEY_INSIDE in path.read_bytes()
        return Shown(str(path), "" if with_key else self._given.key)
