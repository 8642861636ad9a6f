"""The steps of names and keys: whose door it is, pairing with the centre, keys of OSDP readers."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from agent.clock_kernel import is_synchronised
from agent.commission.desk import Desk
from agent.commission.door_toml import laid_over, parse_table
from agent.commission.outcome import Outcome, absent, left_out, well, wrong
from agent.config import Config, OsdpReader, load_config, parse_config
from agent.errors import ConfigError, DoorwardError
from agent.files import write_whole
from agent.osdp_cli import CONSENT
from agent.records.osdp_key import kept_keys, key_path

LINK = "link.toml"
THERE = "the centre's keys are there already"
UNPAIRED = "not paired: there is no centre yet; until then the door knows nobody and lets in nobody"
FROM_DASHBOARD = "The centre's dashboard shows a code: Doors, 'Add a door'."


# -- who -------------------------------------------------------------------------------------------------------------------------


def who(desk: Desk) -> Outcome:
    """Names for the report; which door it is stands in the configuration."""
    guide, config = desk.guide, desk.config
    guide.notes(f"By its configuration ({desk.config_file}) this is door {config.door!r} of site {config.site!r}.")
    known = desk.session.done["who"].facts if "who" in desk.session.done else {}
    questions = {
        "place": "What do people call this door?",
        "customer": "Whose door is it (the customer)?",
        "installer": "Your name, for the report?",
        "company": "Your company (Enter for none)?",
    }
    facts = {key: guide.ask_text("who", key, question, known.get(key, "")) for key, question in questions.items()}
    if not facts["installer"] or not facts["customer"]:
        return wrong("the report needs the customer's name and yours", mend="doorward commission --only who")
    return well(f"{facts['place'] or config.door}, for {facts['customer']}", facts=facts)


# -- pairing ---------------------------------------------------------------------------------------------------------------------


def pair(desk: Desk) -> Outcome:
    """By a short code; nothing is asked where the keys are there."""
    from agent.commission import pairing

    guide, place, missing = desk.guide, desk.config_file.parent, missing_keys(desk.config)
    if pairing.settle(place):
        guide.notes("The last pairing was cut off when its keys were here: it is finished now.")
        return _joined(desk)
    if missing and _keys_lie_here(desk):
        guide.notes(f"The keys lie here, and {desk.config_file.name} does not know of them yet.")
        return _joined(desk)
    if not missing and not _wants_others(desk):
        return absent(THERE)
    guide.notes(FROM_DASHBOARD)
    url = guide.ask_text("pair", "url", "Address of the dashboard (Enter: no centre now)?")
    if not url:
        return left_out(UNPAIRED) if missing else absent(THERE)
    code = guide.ask_text("pair", "code", "The code?")
    try:
        paired = pairing.pair(url, code, place, expects=f"{desk.config.site}/{desk.config.door}")
    except DoorwardError as error:
        return wrong(str(error), mend="doorward commission --only pair")
    guide.notes(f"The centre knows this controller now as {paired.site}/{paired.door}.")
    if said := pairing.take_time(paired, is_synchronised()):
        guide.notes(said)
    if paired.replaces:
        guide.notes(
            "There was a controller for this door before: what it had is revoked as soon as this one comes to the broker."
        )
    measured = {"good until": f"{paired.valid_until:%Y-%m-%d}", "clock": f"{paired.clock_off_s:+.0f} s to the centre's"}
    return _joined(desk, measured)


def _wants_others(desk: Desk) -> bool:
    """Asked only where this step was named: after the centre was replaced, or when somebody may have copied the keys."""
    question = "The centre's keys are there. Pair anew, with a code?"
    return "pair" in desk.options.named and desk.guide.confirm("pair", question) is True


def _keys_lie_here(desk: Desk) -> bool:
    """A power cut behind the pairing, or an archive that was unpacked: all files of this door are there, only not told of."""
    told, text = desk.config_file.parent / LINK, desk.config_file.read_text("utf-8-sig")
    if not told.exists():
        return False
    config = parse_config(parse_table(laid_over(text, told.read_text("utf-8"))))
    return (config.site, config.door) == (desk.config.site, desk.config.door) and not missing_keys(config)


def _joined(desk: Desk, measured: dict[str, str] | None = None) -> Outcome:
    """What the centre told goes into the configuration, whose last state is kept beside it."""
    file = desk.config_file
    told, text = (file.parent / LINK).read_text("utf-8"), file.read_text("utf-8-sig")
    made, mode = laid_over(text, told), file.stat().st_mode & 0o777
    draft = file.with_name(f"{file.name}.paired")
    write_whole(draft, made.encode())
    try:
        load_config(draft)
    except ConfigError as error:
        return wrong(
            f"the keys are here, and the configuration does not take them: {error}", mend=f"copy {file.parent / LINK} in by hand"
        )
    write_whole(file.with_name(f"{file.name}.before-pairing"), text.encode())
    draft.chmod(mode)
    draft.replace(file)
    desk.read_config_again()
    return well("paired; the configuration knows the centre", measured)


def missing_keys(config: Config) -> list[str]:
    """Files that a paired door has and this one has not."""
    needed = [
        config.records.door_key,
        config.records.centre_key,
        config.link.ca_file,
        config.link.cert_file,
        config.link.key_file,
    ]
    if config.link.user:  # a broker that takes passwords: no certificate of its own
        needed = needed[:2]
    return [path or "[link] cert_file" for path in needed if not path or not Path(path).exists()]


# -- OSDP ------------------------------------------------------------------------------------------------------------------------


def osdp(desk: Desk) -> Outcome:
    """Each OSDP reader gets a key of this door; one that has it is met, and keeps it."""
    readers = [reader for reader in desk.config.readers if isinstance(reader, OsdpReader)]
    if not readers:
        return absent("no OSDP reader at this door")
    if not Path(desk.config.records.door_key).exists():
        return wrong(
            "keys of readers are kept sealed for this door, and it has no key yet", mend="doorward commission --only pair,osdp"
        )
    from agent import osdp_cli

    faults, set_now = [], []
    for reader in readers:
        words = Namespace(reader=reader.name, config=desk.config_file, json=False, install=False)
        if kept_keys(key_path(reader.key_file, reader.name)) and osdp_cli.check_reader(words) == osdp_cli.DONE:
            continue
        desk.guide.do("osdp", f"Put reader '{reader.name}' into install mode (its manual says how). For a moment its new key crosses the "
                              "wire under a key that everybody knows: see that nobody else is on the line.")  # fmt: skip
        if not desk.guide.consent("osdp", f"Give reader '{reader.name}' a key of this door now?"):
            return left_out(f"reader {reader.name} has no key: the door does not talk to it without one")
        words.install = True
        try:
            osdp_cli.set_reader_key(words)
            set_now.append(reader.name)
        except DoorwardError as error:
            faults.append(str(error))
    if faults:
        return wrong("; ".join(faults), mend=f"doorward osdp set-key READER {CONSENT}, or doorward commission --only osdp")
    told = f"new keys: {', '.join(set_now)}" if set_now else "each was met with its key"
    return well(f"{len(readers)} reader{'s' if len(readers) > 1 else ''}; {told}")
