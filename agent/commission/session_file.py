"""The session on disk: whole at every moment, so that a pulled plug costs the step under way and no other."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from agent.commission.session import Session
from agent.config import Config
from agent.errors import ConfigError
from agent.files import write_whole
from agent.ownership import give_to_owner_of

FOLDER = "commission"
"""In the records."""
FILE = "session.json"
CAMERA, FLOOR = "camera.jpg", "floor.jpg"
"""Pictures without faces, kept until the report is made of them."""
MOST_BYTES = 1_000_000


class SessionFile:
    """Raises ConfigError for a file that is damaged, of another door, or cannot be written."""

    def __init__(self, config: Config) -> None:
        self._site, self._door = config.site, config.door
        self.folder = Path(config.records.folder) / FOLDER

    @property
    def path(self) -> Path:
        return self.folder / FILE

    def load(self) -> Session | None:
        """None when none was begun."""
        try:
            if self.path.stat().st_size > MOST_BYTES:
                raise ConfigError(f"{self.path}: is larger than any session; {MEND}")
            session = msgspec.json.decode(self.path.read_bytes(), type=Session)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.path}: cannot be read: {error}; {MEND}") from error
        if (session.site, session.door) != (self._site, self._door):
            raise ConfigError(f"{self.path}: is of door {session.site}/{session.door}, not of {self._site}/{self._door}; {MEND}")
        return session

    def begin(self, now: datetime) -> Session:
        """A new one; pictures of an earlier one go."""
        for name in (CAMERA, FLOOR):
            (self.folder / name).unlink(missing_ok=True)
        session = Session(site=self._site, door=self._door, began_at=now)
        self.save(session)
        return session

    def save(self, session: Session) -> None:
        self.write(FILE, msgspec.json.format(msgspec.json.encode(session), indent=1) + b"\n")

    def write(self, name: str, raw: bytes) -> None:
        """A file of the session, for its owner alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self.folder / name, raw)
            give_to_owner_of(self.folder.parent, self.folder, self.folder / name)
        except OSError as error:
            raise ConfigError(f"{self.folder / name}: cannot be written: {error}; run it as root, on a disk with room") from error

    def picture(self, name: str) -> bytes:
        """A picture, or nothing."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return b""


MEND = "`doorward commission --fresh` begins anew"
