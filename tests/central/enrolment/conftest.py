from __future__ import annotations

from pathlib import Path

import pytest

from central.enrolment.desk import Networks, open_networks
from tests.central.enrolment.a_desk import Office


@pytest.fixture(scope="session")
def networks() -> Networks:
    return open_networks()


@pytest.fixture
def office(tmp_path: Path, networks: Networks) -> Office:
    return Office(tmp_path, networks)
