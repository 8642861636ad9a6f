"""What was found, in words of HTML: for the self-test's report and for the handover's."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from agent.selftest.result import Fault

SHELL = ("sudo ", "doorward ", "pip ")
"""What begins like this is typed: it stands as it is."""


def text(words: str) -> str:
    return html.escape(words)


def prose(words: str) -> str:
    """A sentence with a capital; what stands between backticks, and a line that is a command, as something to type."""
    if words.startswith(SHELL):
        return f"<code>{text(words)}</code>" if "`" not in words else _typed(words)
    return _typed(words[:1].upper() + words[1:])


def _typed(words: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text(words))


def fault(one: Fault) -> str:
    """What was seen, the likely wire, the mend."""
    rows = [("Seen", one.what), ("Likely", one.likely), ("Mend", one.mend)]
    return '<dl class="fault">' + "".join(f"<dt>{name}</dt><dd>{prose(words)}</dd>" for name, words in rows if words) + "</dl>"


def figures(measured: Mapping[str, str], kind: str = "") -> str:
    """Measurements in a line; `kind`: a further class."""
    cells = "".join(f"<span><b>{text(name)}</b> {text(value)}</span>" for name, value in measured.items())
    return f'<p class="figures{kind and f" {kind}"}">{cells}</p>' if cells else ""
