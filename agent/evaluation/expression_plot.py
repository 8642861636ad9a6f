"""The confusion matrix: rows are the labels, columns the answers, shades the share of a row."""

from __future__ import annotations

from agent.core.messages import EXPRESSIONS
from agent.evaluation.canvas import Field, Shape, Words
from agent.evaluation.expression import ExpressionFigures

SIZE = (760, 606)
LEFT, TOP, CELL = 118.0, 150.0, 62.0
INK, PALE = "#222222", "#ffffff"
LIGHTEST, DARKEST = (244, 248, 251), (16, 78, 122)


def figure(report: ExpressionFigures, name: str) -> list[Shape]:
    """The matrix with counts, recall at the end of each row, and the figures that sum it up."""
    rows = [label for label in EXPRESSIONS if label in report.confusion]
    shapes: list[Shape] = [*_heading(report, name), *_columns(report)]
    for number, label in enumerate(rows):
        shapes += _row(report.confusion[label], label, TOP + number * CELL)
    return shapes


def _heading(report: ExpressionFigures, name: str) -> list[Shape]:
    low, high = report.accuracy.interval_95
    kept = report.abstained
    lines = [
        f"accuracy {_percent(report.accuracy.share)} (95 %: {_percent(low)} to {_percent(high)}), balanced "
        f"{_percent(report.balanced_accuracy.value)}, macro F1 {report.macro_f1.value:.3f}, {report.pictures} pictures",
        f"silent below {kept.least_confidence:g}: {_percent(kept.abstention_rate)}"
        + (f"; of the others {_percent(kept.accuracy.share)} right" if kept.accuracy else ""),
    ]
    return [Words(_ascii(name), (24, 34), 19), *(Words(line, (24, 60 + 22 * number), 15) for number, line in enumerate(lines))]


def _columns(report: ExpressionFigures) -> list[Shape]:
    heads = [*report.columns, "recall"]
    return [Words(head, (LEFT + (number + 0.5) * CELL, TOP - 10), 12.5, "middle") for number, head in enumerate(heads)]


def _row(counts: tuple[int, ...], label: str, top: float) -> list[Shape]:
    total = sum(counts)
    shapes: list[Shape] = [Words(label, (LEFT - 8, top + CELL / 2 + 5), 14, "end")]
    for number, count in enumerate(counts):
        left, share = LEFT + number * CELL, count / total
        shapes += [
            Field((left + 1, top + 1), (CELL - 2, CELL - 2), _shade(share)),
            Words(str(count), (left + CELL / 2, top + CELL / 2 + 6), 16, "middle", PALE if share > 0.5 else INK),
        ]
    recall = counts[EXPRESSIONS.index(label)] / total
    return [*shapes, Words(_percent(recall), (LEFT + (len(counts) + 0.5) * CELL, top + CELL / 2 + 6), 15, "middle")]


def _shade(share: float) -> str:
    mixed = (round(light + share * (dark - light)) for light, dark in zip(LIGHTEST, DARKEST, strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _ascii(text: str) -> str:
    """OpenCV's letters have nothing else."""
    return text.encode("ascii", "replace").decode()
