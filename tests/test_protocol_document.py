"""docs/PROTOCOL.md tells everything that a door says: whoever writes a dashboard reads it, not our code."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from agent.config import Link
from agent.core.commands import NAMES, SENTENCES, Command, CommandLimits, SeenCommands, admit
from agent.core.event_words import SENTENCES as SENTENCES_OF_EVENTS
from agent.core.messages import DoorMode
from agent.core.reasons import SENTENCES as SENTENCES_OF_REASONS

ROOT = Path(__file__).parent.parent
KIND = re.compile(
    r"\"((?:access|bundle|camera|certificate|clip|clock|command|door|enrolment|fire|input|journal|live|lock|mode|norms|passback|reader|rex|risk|rules|signal|tamper|update|vision)\.[a-z_]+)\""
)


NO_KINDS = (".sock", ".db", ".lock", ".norms", "_pin", ".key", ".pub", ".toml", ".jpg")
OF_CONFIGURATION = ("config.py", "config_checks.py", "sections.py", "advice.py")


def kinds_in_code() -> set[str]:
    """Words that look like kinds, except keys of the configuration and names of files."""
    sources = [path for path in (ROOT / "agent").rglob("*.py") if path.name not in (*OF_CONFIGURATION, "event_words.py")]
    return {kind for path in sources for kind in KIND.findall(path.read_text("utf-8")) if not kind.endswith(NO_KINDS)}


def kinds_in_document() -> set[str]:
    text = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")
    table = text[text.index("## Kinds of events") : text.index("## The broker")]
    return {
        word
        for row in table.splitlines()
        if row.startswith("| `")
        for word in re.findall(r"`([a-z_]+\.[a-z_]+)`", row.split("|")[1])
    }


def test_every_kind_of_event_is_documented_and_no_other():
    assert len(kinds_in_code()) > 20
    assert kinds_in_document() == kinds_in_code()


def test_every_kind_of_event_has_a_sentence_for_people():
    assert set(SENTENCES_OF_EVENTS) == kinds_in_code()


def test_every_reason_is_documented_in_the_words_that_a_guard_reads():
    text = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")
    table = text[text.index("### Reasons") : text.index("## The broker")]
    rows = [[cell.strip() for cell in row.split("|")[1:3]] for row in table.splitlines() if row.startswith("| `")]
    assert rows == [[f"`{reason.value}`", words] for reason, words in SENTENCES_OF_REASONS.items()]


def test_the_command_line_of_the_document_is_one_that_a_door_obeys():
    """As a person would paste it, with everything that the shell has to say about it; only the network is left out."""
    text = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")
    found = re.search(r"^    mosquitto_pub .*-t (\S+) \\\n\s+-m (.*)$", text, re.MULTILINE)
    assert found is not None
    topic, words = found.groups()
    said = subprocess.run(["bash", "-c", f"printf %s {words}"], capture_output=True, check=True, timeout=20)
    assert said.stderr == b""
    now = datetime.now(timezone.utc)
    limits = CommandLimits(started=now - timedelta(hours=1), max_valid_s=Link().max_command_s)
    given = admit(tuple(topic.split("/")), said.stdout, False, now, SeenCommands(), limits)
    assert isinstance(given, Command), given
    assert (given.user, given.name) == ("guard-1", "lockdown")


def test_every_command_refusal_and_mode_is_documented():
    text = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")
    words = {*NAMES, *SENTENCES, *(mode.value for mode in DoorMode)}
    assert {word for word in words if f"`{word}`" not in text} == set()
