"""The drawing in docs/FEEDBACK.md is what a door does."""

from __future__ import annotations

from agent.core.feedback import TEXTS
from tools.feedback_sheet import OUT, sheet


def test_the_drawing_is_of_the_table_as_it_is():
    assert OUT.read_text("utf-8") == sheet("en"), "run: python -m tools.feedback_sheet"


def test_every_language_can_be_drawn():
    assert all(sheet(language).endswith("</svg>\n") for language in TEXTS)
