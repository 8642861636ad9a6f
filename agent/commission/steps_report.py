"""The last step: who accepts it, and the page, signed with the door's own key."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace
from nacl.public import PrivateKey

from agent.commission.desk import Desk
from agent.commission.door_signature import fingerprint
from agent.commission.handover import handover
from agent.commission.handover_page import head_of, verdict
from agent.commission.machine_sums import machine_of
from agent.commission.outcome import Outcome, well, wrong
from agent.commission.sealed_page import sealed
from agent.commission.session_file import CAMERA, FLOOR
from agent.errors import ConfigError
from agent.files import write_whole
from agent.ownership import give_to_owner_of
from agent.records.keys import door_private


def report(desk: Desk) -> Outcome:
    """Writes handover-SITE-DOOR-DATE.html into the folder for it."""
    guide = desk.guide
    told = handover(desk.session, desk.config, machine_of(desk.config, desk.config_sum()), datetime.now(timezone.utc))
    guide.notes(f"The report will say: {verdict(told)}.")
    accepted = guide.ask_text("report", "accepted", "Who accepts it for the customer (Enter: nobody yet)?")
    note = guide.ask_text("report", "note", "Anything else that it shall say (Enter: nothing)?")
    pictures = {name: jpeg for name, file in (("camera", CAMERA), ("floor", FLOOR)) if (jpeg := desk.store.picture(file))}
    key = _key(desk)
    told = replace(told, accepted_by=accepted, note=note, signer=fingerprint(bytes(key.public_key)) if key is not None else "",
                   pictures={name: hashlib.sha256(jpeg).hexdigest() for name, jpeg in pictures.items()})  # fmt: skip
    file = _write(desk.options.out, f"handover-{told.site}-{told.door}-{told.made_at:%Y%m%d-%H%M%S}.html",
                  sealed(head_of(told, pictures), told, key))  # fmt: skip
    facts = {"file": str(file), "accepted": accepted}
    if key is None:
        return replace(wrong(f"{file.name} is written and not signed: this door has no key yet", "it is not paired with its centre",
                             "doorward commission --only pair,report"), facts=facts)  # fmt: skip
    return well(f"signed by this door, fingerprint {told.signer}", facts=facts)


def _key(desk: Desk) -> PrivateKey | None:
    path = Path(desk.config.records.door_key)
    return door_private(path) if path.exists() else None


def _write(folder: Path, name: str, raw: bytes) -> Path:
    path = folder / name
    try:
        write_whole(path, raw)
        path.chmod(0o644)
        give_to_owner_of(folder, path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}; name another folder with --out") from error
    return path
