from __future__ import annotations

from pathlib import Path

import pytest

from tests.central.people.a_centre import Centre


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(tmp_path)
