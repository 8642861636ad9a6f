"""The fault list: what was done to a door, what was seen, what must hold. Its last results stay in docs/REHEARSAL.md."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

BEGIN, END = "<!-- written by make test-field: last results -->", "<!-- end of the last results -->"
HEAD = "| what was done | what was seen | what must hold | held | when, from which commit, where |\n| --- | --- | --- | --- | --- |\n"


class Row(Struct, frozen=True):
    """One line of the list, told by `what`. `ok` None: it could not be tried, and `seen` says why."""

    what: str
    seen: str
    must: str
    ok: bool | None
    where: str


def merged(document: str, rows: list[Row]) -> str:
    """The document with these rows in place of former ones of the same name; the others stay with their own date.

    Raises ValueError for a document without the place for them.
    """
    before, begin, rest = document.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document has no lines {BEGIN!r} and {END!r}")
    lines = {_name(line): line for line in old.strip().splitlines()[2:]}
    lines |= {_name(line): line for line in map(_line, rows)}
    return f"{before}{BEGIN}\n\n{HEAD}" + "".join(f"{line}\n" for line in lines.values()) + f"\n{END}{after}"


def _line(row: Row) -> str:
    held = {True: "yes", False: "**NO**", None: "not tried"}[row.ok]
    return (
        "| "
        + " | ".join(" ".join(text.replace("|", " ").split()) for text in (row.what, row.seen, row.must, held, row.where))
        + " |"
    )


def _name(line: str) -> str:
    return line.split("|")[1].strip()


def write(path: Path, rows: list[Row]) -> None:
    path.write_text(merged(path.read_text("utf-8"), rows), "utf-8")
