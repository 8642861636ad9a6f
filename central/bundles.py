"""Make the access bundle of one door: rules signed by the centre, templates sealed for that door alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from nacl.public import PublicKey, SealedBox
from nacl.signing import SigningKey

from agent.core.access import AccessRules, faults_of
from agent.core.people import Issued
from agent.errors import BundleError
from agent.files import write_whole
from agent.records.bundle import SIGNED_PREFIX, Body, Signed


def seal_bundle(rules: AccessRules, people: Iterable[Issued], centre_key: SigningKey, door_key: PublicKey, made: datetime) -> bytes:
    """The bytes of a bundle. Raises BundleError when the rules contradict themselves."""
    faults = faults_of(rules)
    if faults:
        raise BundleError(f"rules of {rules.site}/{rules.door}: {'; '.join(faults)}")
    known = tuple(people)
    faces = {issued.cardholder.id: issued.cardholder.templates for issued in known if issued.cardholder.templates}
    body = msgspec.msgpack.encode(
        Body(
            made=made,
            rules={name: getattr(rules, name) for name in AccessRules.__struct_fields__ if name != "people"},
            people=tuple(Issued(msgspec.structs.replace(i.cardholder, templates=()), i.credentials) for i in known),
            sealed=SealedBox(door_key).encrypt(msgspec.msgpack.encode(faces)),
        )
    )
    return msgspec.msgpack.encode(Signed(body, centre_key.sign(SIGNED_PREFIX + body).signature))


def write_bundle(
    path: Path, rules: AccessRules, people: Iterable[Issued], centre_key: SigningKey, door_key: PublicKey, made: datetime
) -> None:
    """Write a bundle where a door will find it. Raises BundleError."""
    try:
        write_whole(path, seal_bundle(rules, people, centre_key, door_key, made))
    except OSError as error:
        raise BundleError(f"{path}: cannot be written: {error}") from error
