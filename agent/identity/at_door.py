"""The door's link with the certificate that counts, and what renews it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from agent.clock_keeper import ClockKeeper
from agent.config import Config
from agent.core.commands import Command, Refusal
from agent.door_items import Renewed
from agent.identity.credentials import is_credential
from agent.identity.own import FOLDER, OwnCertificate, ShownToBroker
from agent.identity.renewer import Place, Program, Renewer
from agent.link.mqtt import Link, Source
from agent.link.session import Address


def open_link(config: Config, journal: Source, clock: ClockKeeper, put: Callable[[Command | Refusal | Renewed], None],
              opened: ExitStack) -> tuple[Link, Callable[[], None]]:  # fmt: skip
    """The link, and what sets its renewal going once the link has started; both are closed with `opened`."""
    own = own_certificates(config)
    shown = ShownToBroker(own[0].own, clock.is_sure, clock.earliest) if own else None
    link = Link(config, journal, on_command=put, clock=clock, own=shown, is_sure=clock.is_sure,
                certificates=lambda: [each.own.in_force().certificate for each in own])  # fmt: skip
    opened.callback(link.close)
    if not own:
        return link, lambda: None
    place = Place(config.site, config.door, msgspec.convert(msgspec.to_builtins(config.link), Address))
    renewer = Renewer(
        place, own, link, lambda: clock.wall() if clock.is_sure() else None, lambda kind, data: put(Renewed(kind, data))
    )
    opened.callback(renewer.stop)
    link.listen_for_renewal(renewer.heard)
    return link, renewer.start


def own_certificates(config: Config) -> list[Program]:
    """The link's, and media's where somebody may watch live; none where the broker asks for none."""
    folder, link, live = Path(config.records.folder) / FOLDER, config.link, config.live
    named = [("link", link.cert_file, link.key_file), *([("media", live.cert_file, live.key_file)] if live.enabled else [])]
    return [Program(OwnCertificate(name, certificate, key, folder), is_credential(Path(key)))
            for name, certificate, key in named if link.cert_file and certificate]  # fmt: skip
