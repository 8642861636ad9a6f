"""A command's real screen as a picture: `python -m tools.terminal_picture PICTURE.svg --title TITLE -- COMMAND …`.

The command runs in a terminal of 80 columns, as over ssh from a telephone's width up; `--answer TEXT=LINE` types LINE when TEXT was said.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import struct
import sys
import termios
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

COLUMNS = 80
SILENT_S = 120.0


def main() -> int:
    """Exit status: the command's own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--title", required=True)
    parser.add_argument("--answer", action="append", default=[], metavar="TEXT=LINE")
    parser.add_argument(
        "--hide", action="append", default=[], metavar="TEXT=WORD", help="show WORD for TEXT: a folder of this machine"
    )
    parser.add_argument("--last", type=int, default=0, metavar="LINES", help="the last of them alone")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    said, status = played(args.command, [tuple(each.split("=", 1)) for each in args.answer])
    for text, word in (each.split("=", 1) for each in args.hide):
        said = said.replace(text, word)
    lines = settled(said)
    args.picture.write_text(picture(lines[-args.last :], args.title), encoding="utf-8")
    return status


def played(command: list[str], answers: list[tuple[str, ...]]) -> tuple[str, int]:
    """What the command wrote, typing included, and its exit status."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)  # noqa: S606 - no shell is meant
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    heard, waiting = b"", list(answers)
    while select.select([terminal], [], [], SILENT_S)[0]:
        try:
            came = os.read(terminal, 65536)
        except OSError:  # EIO: the other end is shut
            break
        if not came:
            break
        heard += came
        if waiting and waiting[0][0].encode() in heard.rpartition(b"\n")[2]:
            os.write(terminal, waiting.pop(0)[1].encode() + b"\n")
    return heard.decode("utf-8", "replace"), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def settled(said: str) -> list[str]:
    """Lines as they stay on the screen: what a carriage return wrote over is gone.

    >>> settled("10 %\\r100 %\\r\\nready\\r\\n")
    ['100 %', 'ready']
    """
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in re.sub(r"\x1b\[\d*[KGAJ]", "", said).split("\n")]
    return lines[:-1] if lines and not lines[-1] else lines


def picture(lines: list[str], title: str) -> str:
    """SVG."""
    console = Console(width=COLUMNS, record=True, file=open(os.devnull, "w", encoding="utf-8"), force_terminal=True)  # noqa: SIM115
    for line in lines:
        console.print(Text.from_ansi(line), overflow="fold", soft_wrap=False)
    svg = console.export_svg(title=title, theme=SVG_EXPORT_THEME)
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # a page that is read without a network fetches no fonts


if __name__ == "__main__":
    sys.exit(main())
