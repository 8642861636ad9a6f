"""The document that keeps what a rehearsal saw."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.field.results import BEGIN, END, Row, merged

EMPTY = f"Before\n\n{BEGIN}\n{END}\n\nAfter\n"
KILLED = Row("door killed", "relay off after 210 ms", "relay off", True, "2026-03-02, abc, here")

texts = st.text(max_size=40)


def test_a_later_result_takes_the_place_of_the_former_and_the_others_stay() -> None:
    full = Row("disk full", "opened", "opens", True, "2026-03-01, abc, here")
    worse = Row("door killed", "relay stayed on", "relay off", False, "2026-03-09, def, there")
    document = merged(merged(EMPTY, [KILLED, full]), [worse])
    assert document.count("door killed") == 1
    assert "**NO**" in document
    assert "2026-03-01, abc, here" in document
    assert document.startswith("Before\n")
    assert document.endswith("\n\nAfter\n")


@given(st.lists(st.builds(Row, texts, texts, texts, st.sampled_from([True, False, None]), texts), max_size=5))
def test_whatever_was_seen_stays_one_line_of_a_table(rows: list[Row]) -> None:
    document = merged(EMPTY, rows)
    inside = document.split(BEGIN)[1].split(END)[0].strip().splitlines()
    assert all(line.count("|") == 6 for line in inside)
    assert merged(document, rows) == document


def test_a_document_without_the_place_for_results_is_refused() -> None:
    with pytest.raises(ValueError, match="has no lines"):
        merged("nothing", [KILLED])
