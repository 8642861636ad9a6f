"""The door program's part in norms, which it does not understand: it carries vision's counts to the centre and the centre's word to vision.

The centre's word changes what a door finds odd, so it is signed as access bundles are. On the wire it is JSON with `word` and `signature` in
base64; the signature is Ed25519 of `MAGIC` and the word's bytes, which are JSON of `CentreWord`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from agent.core.norm_keys import norm_key
from agent.core.norms_word import MOST_BYTES, CentreWord, DoorNorms, VisionWord
from agent.errors import WireError
from agent.files import write_whole

log = logging.getLogger(__name__)

MAGIC = b"doorward norms word 1\n"
FOLDER, EXPORT, WORD = "norms", "export.json", "word.json"
"""In the records' folder; agent.norms_file is at the other end."""
LOOK_EVERY_S = 60.0


class SignedWord(Struct, frozen=True, forbid_unknown_fields=True):
    """A word on the wire."""

    word: bytes
    signature: bytes


def checked_word(payload: bytes, centre: VerifyKey, site: str, door: str) -> CentreWord:
    """What the centre told this door. Raises WireError for what is not the centre's to the last byte, for another door, or malformed."""
    if len(payload) > 2 * MOST_BYTES:
        raise WireError(f"{len(payload)} bytes; at most {2 * MOST_BYTES}")
    try:
        signed = msgspec.json.decode(payload, type=SignedWord)
        centre.verify(MAGIC + signed.word, signed.signature)
        word = msgspec.json.decode(signed.word, type=CentreWord)
    except (msgspec.MsgspecError, UnicodeDecodeError, CryptoError, ValueError, TypeError, RecursionError) as error:
        raise WireError(f"damaged, or not signed by this site's centre: {error}") from error
    if (word.site, word.door) != (site, door):
        raise WireError(f"made for {word.site}/{word.door}, this is {site}/{door}")
    return word


class NormsPost:
    """`start`, `stop`; `received` is called in the link's thread. `publish`: Link.publish_state; `refused` is told of words not taken."""

    def __init__(self, records: Path, site: str, door: str, centre: VerifyKey, door_key: bytes, publish: Callable[[str, Any], None],
                 refused: Callable[[str], None]) -> None:  # fmt: skip
        self._folder, self._site, self._door = records / FOLDER, site, door
        self._centre, self._door_key, self._publish, self._refused = centre, door_key, publish, refused
        self._told: tuple[int, int] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="norms-post", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def received(self, payload: bytes) -> None:
        """The centre has told something: kept for vision if it is newer than what was told before. Brokers repeat; that is not told."""
        try:
            word = checked_word(payload, self._centre, self._site, self._door)
            known = self._known()
            if known is None or word.made > known.made:
                self._keep(word)
        except (WireError, OSError) as error:
            log.error("norms refused error=%s", error)
            self._refused(str(error))

    def look(self) -> None:
        """Tell what vision has counted, if it is news."""
        path = self._folder / EXPORT
        try:
            stat = path.stat()
            if (stat.st_ino, stat.st_mtime_ns) == self._told or stat.st_size > MOST_BYTES:
                return
            self._told = (stat.st_ino, stat.st_mtime_ns)
            told = msgspec.json.decode(path.read_bytes(), type=DoorNorms)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.error("norms not told path=%s error=%s", path, error)
            return
        self._publish("norms", told)

    def _run(self) -> None:
        self.look()
        while not self._stop.wait(LOOK_EVERY_S):
            self.look()

    def _known(self) -> VisionWord | None:
        try:
            return msgspec.json.decode((self._folder / WORD).read_bytes(), type=VisionWord)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def _keep(self, word: CentreWord) -> None:
        forget = tuple(norm_key(self._door_key, cardholder) for cardholder in word.withdrawn)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._folder / WORD, msgspec.json.encode(VisionWord(made=word.made, kinds=word.kinds, forget=forget)))
        log.info("norms word taken doors=%d withdrawn=%d", word.doors, len(word.withdrawn))
