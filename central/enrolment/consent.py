"""What people sign before anybody takes a picture of them, and the record that they did.

Face and norms are asked apart: agreeing to one is not agreeing to the other (GDPR Art. 7(2)). The site may bring a text of its own; its first
line names its edition. Who signed an older edition has signed; whoever signs now signs the newest, and new
pictures need that.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from agent.errors import ConfigError
from central.database.tables_people import CARDHOLDERS, CONSENT_TEXTS, CONSENTS, NORMS_WITHDRAWN
from central.gateway.asking import Unfit
from central.people.people import Change, People
from central.people.records import MOST_NAME, faults_of_text
from central.people.rows import dossier
from central.people.trouble import PeopleError, nobody, unfit
from central.places.picture import size_told
from hw.interfaces import Pixels

What = Literal["face", "norms"]
MOST_TEXT = 50_000
MOST_SIGNATURE_BYTES = 256 * 1024
MOST_SIGNATURE_PIXELS = 2_000_000
_EDITION = re.compile(r"Edition: ([A-Za-z0-9._-]{1,40})")

DOORWARDS_TEXT = """\
Edition: doorward-1

Your face as a key

What you are asked. Doors of this site can compare the face of whoever holds your fob with yours, so that a fob that was lost or stolen
opens nothing. For that we need a template of your face. You may say no: then your fob alone counts, or whatever else the site offers you.
Saying no, or taking your consent back, may not be held against you.

What is made. From a few pictures a program works out some hundred numbers (a template). The pictures are kept nowhere. Templates are
sealed: here with a key that lies apart from them, and for each door that you may pass with a key that only this door has. They serve
to compare faces at these doors, and nothing else. They are not sold, lent or given to anybody.

For how long. Until you take your consent back, until you no longer may pass here, or three years after you were read at a door for the
last time, whichever comes first. Then they are erased here and at every door, and the erasure is put on record.

Your rights. You may see everything that is held on you, have it put right or erased, take your consent back at any time, and complain
to the authority for data protection. Whom to ask: the site's privacy officer.

Apart from this: what is usual of you. If you agree to that too, doors you pass keep counts of how fast you walk, how long you take and how
often you look away, to notice when something is out of the ordinary. How somebody walks can hint at their health. It is your
choice, and a second signature.
"""


class ConsentText(Struct, frozen=True):
    """What is shown to be signed."""

    edition: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def parse_text(text: str) -> ConsentText:
    """Raises ConfigError for one without an edition."""
    first, _, rest = text.lstrip("\ufeff").partition("\n")
    named = _EDITION.fullmatch(first.strip())
    if named is None or not rest.strip() or len(rest) > MOST_TEXT:
        raise ConfigError(
            f"its first line is `Edition: NAME` (1 to 40 of A-Z, a-z, 0-9, '.', '_', '-'), then 1 to {MOST_TEXT} characters"
        )
    return ConsentText(named[1], rest.strip())


def load_text(path: str) -> ConsentText:
    """The site's text, or Doorward's where the path is empty. Raises ConfigError."""
    try:
        return parse_text(Path(path).read_text("utf-8") if path else DOORWARDS_TEXT)
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise ConfigError(f"people.consent_file {path}: {error}") from error


class Signed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person signs with. `signature` is a PNG of what they drew, base64 in JSON."""

    edition: str
    signed_name: str
    signature: bytes | None = None
    what: What = "face"


class Consents:
    """Who agreed to what."""

    def __init__(self, people: People, text: ConsentText) -> None:
        self._people, self.text = people, text

    def give(self, who: str, id: str, signed: Signed) -> None:
        """Put a signature on record; `who` is the account that saw it. Raises PeopleError."""
        if signed.edition != self.text.edition:
            raise PeopleError("no_consent", f"the text in force is edition {self.text.edition!r}, not {signed.edition[:40]!r}: "
                                            "show it, and let it be signed")  # fmt: skip
        if faults := [*faults_of_text("signed_name", signed.signed_name, 2, MOST_NAME)]:
            raise unfit(faults)
        drawn = None if signed.signature is None else _rewritten(signed.signature)
        with self._people.changing(who) as change:
            _demand(change.connection, id)
            self._keep_text(change.connection)
            sealed = None if drawn is None else self._people.vault.seal("signature", id, drawn)
            change.connection.execute(insert(CONSENTS).values(
                cardholder=id, what=signed.what, edition=self.text.edition, text_sha256=self.text.sha256,
                signed_name=signed.signed_name, signature=sealed, given=change.now, witness=who, withdrawn=None))  # fmt: skip
            if signed.what == "norms":
                _set_norms(change, id, agreed=True)
            change.on_record(f"consent.{signed.what}.given", id, {"edition": self.text.edition, "drawn": drawn is not None})

    def withdraw_norms(self, who: str, id: str) -> None:
        """Doors learn nothing more of them and forget what they have. Raises PeopleError."""
        with self._people.changing(who) as change:
            _demand(change.connection, id)
            if withdraw(change, id, "norms"):
                _set_norms(change, id, agreed=False)
                change.on_record("consent.norms.withdrawn", id, {})

    def _keep_text(self, connection: Connection) -> None:
        known = connection.execute(select(CONSENT_TEXTS.c.sha256).where(CONSENT_TEXTS.c.sha256 == self.text.sha256)).scalar()
        if known is None:
            values = {"sha256": self.text.sha256, "edition": self.text.edition, "text": self.text.text}
            connection.execute(insert(CONSENT_TEXTS).values(values))


def editions_signed(connection: Connection, id: str, what: What) -> frozenset[str]:
    """The editions that somebody has signed and not taken back."""
    table = CONSENTS
    asked = select(table.c.edition).where(table.c.cardholder == id, table.c.what == what, table.c.withdrawn.is_(None)).distinct()
    return frozenset(connection.execute(asked).scalars())


def withdraw(change: Change, id: str, what: What) -> int:
    """How many signatures count no more; they stay on record as withdrawn."""
    table = CONSENTS
    mine = (table.c.cardholder == id) & (table.c.what == what) & table.c.withdrawn.is_(None)
    return change.connection.execute(update(table).where(mine).values(withdrawn=change.now)).rowcount


def forget_norms(change: Change, id: str) -> None:
    """Doors are to erase what is usual of this person (central/norms.py tells them)."""
    change.connection.execute(delete(NORMS_WITHDRAWN).where(NORMS_WITHDRAWN.c.cardholder == id))
    change.connection.execute(insert(NORMS_WITHDRAWN).values(cardholder=id, at=change.now))


def norms_withdrawn(people: People, most: int) -> tuple[str, ...]:
    """Whose own norms doors are to forget, the newest last: what `NormsDesk` asks for."""
    table = NORMS_WITHDRAWN
    with people.view() as connection:
        found = connection.execute(
            select(table.c.cardholder).order_by(table.c.at.desc(), table.c.cardholder).limit(most)
        ).scalars()
        return tuple(reversed(found.all()))


def _set_norms(change: Change, id: str, *, agreed: bool) -> None:
    change.connection.execute(update(CARDHOLDERS).where(CARDHOLDERS.c.id == id).values(norms_consent=agreed))
    change.for_people([id])
    if agreed:
        change.connection.execute(delete(NORMS_WITHDRAWN).where(NORMS_WITHDRAWN.c.cardholder == id))
    else:
        forget_norms(change, id)


def _demand(connection: Connection, id: str) -> None:
    if dossier(connection, id) is None:
        raise nobody(id)


def _rewritten(drawn: bytes) -> bytes:
    """A drawn signature as grey PNG, without whatever else was in the file. Raises PeopleError."""
    allowed = f"a PNG of at most {MOST_SIGNATURE_BYTES // 1024} KiB and {MOST_SIGNATURE_PIXELS // 1_000_000} million pixels"
    try:
        width_px, height_px = size_told(drawn)
    except Unfit as error:
        raise PeopleError("unfit", f"signature: {allowed}") from error
    fits = len(drawn) <= MOST_SIGNATURE_BYTES and width_px * height_px <= MOST_SIGNATURE_PIXELS and drawn.startswith(b"\x89PNG")
    pixels = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_UNCHANGED) if fits else None
    if pixels is None:
        raise PeopleError("unfit", f"signature: {allowed}")
    return bytes(cv2.imencode(".png", _on_white(np.asarray(pixels)))[1])


def _on_white(pixels: Pixels) -> Pixels:
    """Grey: browsers draw dark on nothing. Raises PeopleError for more than 8 bits a colour."""
    if pixels.dtype != np.uint8:
        raise PeopleError("unfit", "signature: a PNG of 8 bits a colour")
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        alpha = pixels[:, :, 3:].astype(np.float32) / 255
        pixels = (pixels[:, :, :3].astype(np.float32) * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
