"""Pictures that were taken one after the other, found by a pattern, or the frames of a film: each with its time."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.analysis.film import Film
from agent.errors import FilmError
from agent.evaluation.pictures import Unreadable, read_picture
from hw.interfaces import Frame

FILMS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ogv")
_PRINTF = re.compile(r"%0?\d*d")


def files_of(root: Path, pattern: str) -> list[Path]:
    """What a pattern names below the root, in the order of the numbers in the names. Raises Unreadable where there is nothing.

    `*` and `?` as in a shell, `%03d` as in printf, or one film.
    """
    if _PRINTF.search(pattern):
        numbered = re.compile(_PRINTF.sub(r"\\d+", re.escape(pattern).replace(r"\%", "%")))
        names = [name for name in glob.glob(_PRINTF.sub("*", pattern), root_dir=root) if numbered.fullmatch(name)]
    else:
        names = glob.glob(pattern, root_dir=root, recursive=True)
    found = sorted((root / name for name in names), key=_by_number)
    if not found:
        raise Unreadable("no file has such a name")
    return found


def name_of(files: Sequence[Path]) -> str:
    """The hash of all bytes in their order. Raises Unreadable."""
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as cause:
            raise Unreadable(f"{file.name}: {cause.strerror or cause}") from cause
    return digest.hexdigest()


def frames_of(files: Sequence[Path], frames_per_s: float) -> Iterator[Frame]:
    """Frames with their times, counted from 0. Pictures come `frames_per_s`, a film at its own times and at most so often.

    Raises Unreadable.
    """
    if len(files) == 1 and files[0].suffix.lower() in FILMS:
        yield from _film(files[0], frames_per_s)
        return
    for number, file in enumerate(files):
        try:
            pixels = read_picture(file.read_bytes())
        except OSError as cause:
            raise Unreadable(f"{file.name}: {cause.strerror or cause}") from cause
        except Unreadable as cause:
            raise Unreadable(f"{file.name}: {cause}") from cause
        yield Frame(pixels, number / frames_per_s)


def _film(file: Path, most_per_s: float) -> Iterator[Frame]:
    try:
        with Film(file, most_per_s) as film:
            yield from film.frames()
    except FilmError as cause:
        raise Unreadable(str(cause)) from cause


def _by_number(path: Path) -> list[tuple[int, str]]:
    """2 comes before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]
