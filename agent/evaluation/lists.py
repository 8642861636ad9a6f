"""Lists of pictures with what is known of them: CSV with a heading, paths relative to a folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from agent.core.messages import EXPRESSIONS, Box
from agent.errors import ConfigError

PAIR_COLUMNS = ("path_a", "path_b", "same")
GROUPED_COLUMNS = (*PAIR_COLUMNS, "group_a", "group_b")
GROUP_COLUMNS = ("path", "group")
SEARCH_COLUMNS = ("path", "person", "use")
BOX_COLUMNS = ("path", "x", "y", "w", "h")
LABEL_COLUMNS = ("path", "label")
SEQUENCE_COLUMNS = ("pattern", "label", "subject", "session")
LIVENESS_LABELS = ("live", "attack")
USES = ("gallery", "probe")
OTHER_WORDS = {
    "happy": "happiness",
    "sad": "sadness",
    "angry": "anger",
    "fearful": "fear",
    "disgusted": "disgust",
    "surprised": "surprise",
}
"""As lists of expressions name them as well."""


class ListError(ConfigError):
    """A list is not what the command can measure with: the text names file and line, what stands there and what is allowed."""


class Pair(NamedTuple):
    """Two pictures, and whether they show one person."""

    a: str
    b: str
    same: bool


class Search(NamedTuple):
    """A picture of the gallery (those who are enrolled) or of a probe (those who come)."""

    path: str
    person: str
    use: str


class Attempted(NamedTuple):
    """Pictures taken one after the other (or a film) of somebody before a camera, or of a picture held before it."""

    pattern: str
    label: str
    subject: str
    session: str
    kind: str
    """Of the attack; the label where the list names none."""


def read_pairs(path: Path) -> list[Pair]:
    """`path_a,path_b,same`, same 1 or 0. Raises ListError."""
    return read_labelled_pairs(path)[0]


def read_labelled_pairs(path: Path) -> tuple[list[Pair], dict[str, str]]:
    """`path_a,path_b,same` and, where the list has them, `group_a,group_b`: the group of each picture, those without one left out.

    Raises ListError, also for a picture that is said to be of two groups.
    """
    pairs, groups = [], dict[str, str]()
    for line, row in _rows(path, PAIR_COLUMNS, GROUPED_COLUMNS):
        pairs.append(_pair(path, line, row))
        for picture, group in zip(row[:2], row[3:], strict=False):
            _group(path, line, groups, picture, group)
    for same, words in ((True, "of one person (same = 1)"), (False, "of two people (same = 0)")):
        if not any(pair.same is same for pair in pairs):
            raise ListError(f"{path}: holds no pair {words}; both kinds are needed to measure anything")
    return pairs, groups


def read_groups(path: Path) -> dict[str, str]:
    """`path,group`: the group of each picture. Raises ListError."""
    groups: dict[str, str] = {}
    for line, row in _rows(path, GROUP_COLUMNS):
        _group(path, line, groups, _path(path, line, row, 0, GROUP_COLUMNS), row[1])
    return groups


def read_searches(path: Path) -> list[Search]:
    """`path,person,use`, use gallery or probe. Raises ListError."""
    rows = [_search(path, line, row) for line, row in _rows(path, SEARCH_COLUMNS)]
    for use in USES:
        if not any(row.use == use for row in rows):
            raise ListError(f"{path}: holds no picture with the use {use!r}; both {USES[0]} and {USES[1]} are needed")
    return rows


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """`path,x,y,w,h` in pixels, a line a face; a picture without faces has one line with the four left empty. Raises ListError."""
    boxes: dict[str, list[Box]] = {}
    for line, row in _rows(path, BOX_COLUMNS):
        picture = _path(path, line, row, 0, BOX_COLUMNS)
        found = boxes.setdefault(picture, [])
        if any(row[1:]):
            found.append(_box(path, line, row))
    if not any(boxes.values()):
        raise ListError(f"{path}: holds no face; recall needs at least one line with {','.join(BOX_COLUMNS)}")
    return boxes


def read_labels(path: Path) -> dict[str, str]:
    """`path,label`: the expression, one of EXPRESSIONS, of each picture. Raises ListError."""
    labels: dict[str, str] = {}
    for line, row in _rows(path, LABEL_COLUMNS):
        picture, label = _path(path, line, row, 0, LABEL_COLUMNS), _label(path, line, row[1])
        if labels.setdefault(picture, label) != label:
            raise ListError(
                f"{path}, line {line}: {picture} is {label} here and {labels[picture]} before; a picture has one label"
            )
    if not labels:
        raise ListError(f"{path}: holds no picture; a line needs {','.join(LABEL_COLUMNS)}")
    return labels


def read_sequences(path: Path) -> list[Attempted]:
    """`pattern,label,subject,session[,kind]`: sequences of pictures or films, label live or attack. Raises ListError."""
    found = [_attempted(path, line, row) for line, row in _rows(path, SEQUENCE_COLUMNS, (*SEQUENCE_COLUMNS, "kind"))]
    for label in LIVENESS_LABELS:
        if not any(row.label == label for row in found):
            raise ListError(
                f"{path}: holds no sequence with the label {label!r}; both {' and '.join(LIVENESS_LABELS)} are needed"
            )
    return found


def pictures_of(pairs: Sequence[Pair]) -> list[str]:
    """Each picture once, in the list's order."""
    return list(dict.fromkeys(path for pair in pairs for path in (pair.a, pair.b)))


def person_of(path: str) -> str:
    """The folder that the picture lies in; '' when it lies in none."""
    return PurePosixPath(path).parent.name


def people_named(pairs: Sequence[Pair]) -> bool:
    """Whether the folders name the people (`.../PERSON/file`): no pair contradicts it."""
    return all(_agrees(pair) for pair in pairs)


def _agrees(pair: Pair) -> bool:
    a, b = person_of(pair.a), person_of(pair.b)
    return bool(a and b) and (a == b) is pair.same


def _group(path: Path, line: int, groups: dict[str, str], picture: str, group: str) -> None:
    if group and groups.setdefault(picture, group) != group:
        raise ListError(
            f"{path}, line {line}: {picture} is of group {group!r} here and of {groups[picture]!r} before; allowed is one group"
        )


def _pair(path: Path, line: int, row: list[str]) -> Pair:
    if row[2] not in {"0", "1"}:
        raise ListError(f"{path}, line {line}: same is {row[2]!r}; allowed are 1 (one person) and 0 (two people)")
    return Pair(_path(path, line, row, 0, PAIR_COLUMNS), _path(path, line, row, 1, PAIR_COLUMNS), row[2] == "1")


def _search(path: Path, line: int, row: list[str]) -> Search:
    if row[2] not in USES:
        raise ListError(f"{path}, line {line}: use is {row[2]!r}; allowed are {' and '.join(USES)}")
    return Search(_path(path, line, row, 0, SEARCH_COLUMNS), _path(path, line, row, 1, SEARCH_COLUMNS), row[2])


def _attempted(path: Path, line: int, row: list[str]) -> Attempted:
    pattern, label, subject, session, kind = (*row, "")[:5]
    if label not in LIVENESS_LABELS:
        raise ListError(f"{path}, line {line}: label is {label!r}; allowed are {' and '.join(LIVENESS_LABELS)}")
    if not pattern:
        raise ListError(f"{path}, line {line}: pattern is empty; a line needs {','.join(SEQUENCE_COLUMNS)}")
    return Attempted(pattern, label, subject, session, kind or label)


def _label(path: Path, line: int, word: str) -> str:
    label = OTHER_WORDS.get(word.lower(), word.lower())
    if label not in EXPRESSIONS:
        raise ListError(
            f"{path}, line {line}: label is {word!r}; allowed are {', '.join(EXPRESSIONS)} (or {', '.join(OTHER_WORDS)})"
        )
    return label


def _box(path: Path, line: int, row: list[str]) -> Box:
    try:
        x, y, w, h = (float(value) for value in row[1:])
    except ValueError:
        x = y = w = h = math.nan
    if not (all(map(math.isfinite, (x, y))) and 0 < w < math.inf and 0 < h < math.inf):
        raise ListError(f"{path}, line {line}: x,y,w,h are {','.join(row[1:])!r}; allowed are four numbers in pixels, w and h above 0,"
                        " or four empty fields for a picture without faces")  # fmt: skip
    return x, y, w, h


def _path(path: Path, line: int, row: list[str], column: int, columns: Sequence[str]) -> str:
    if not row[column]:
        raise ListError(f"{path}, line {line}: {columns[column]} is empty; a line needs {','.join(columns)}")
    return row[column]


def _rows(path: Path, columns: Sequence[str], more: Sequence[str] = ()) -> Iterator[tuple[int, list[str]]]:
    """The lines below the heading with their numbers, as many fields as there are columns, spaces about them removed.

    `more`: another heading that is allowed.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            heading = [field.strip() for field in next(reader, [])]
            if heading not in (list(columns), list(more or columns)):
                either = f" or {','.join(more)!r}" if more else ""
                raise ListError(f"{path}, line 1: the heading is {','.join(heading)!r}; needed is {','.join(columns)!r}{either}")
            for row in reader:
                if row:
                    yield reader.line_num, _fields(path, reader.line_num, row, heading)
    except OSError as cause:
        raise ListError(f"{path}: cannot be read ({cause.strerror})") from cause
    except UnicodeDecodeError as cause:
        raise ListError(f"{path}: is not UTF-8 text ({cause.reason} at byte {cause.start})") from cause
    except csv.Error as cause:
        raise ListError(f"{path}: is not CSV: {cause}") from cause


def _fields(path: Path, line: int, row: list[str], columns: Sequence[str]) -> list[str]:
    if len(row) != len(columns):
        raise ListError(f"{path}, line {line}: {len(row)} fields; needed are {len(columns)}: {','.join(columns)}")
    return [field.strip() for field in row]
