"""What tests of pairing share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.central.site.pairing_house import PairingHouse


@pytest.fixture(scope="session")
def pairing_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PairingHouse]:
    with PairingHouse(tmp_path_factory.mktemp("centre")).open() as opened:
        yield opened


@pytest.fixture
def house(pairing_centre: PairingHouse, tmp_path: Path) -> PairingHouse:
    return pairing_centre.begin(tmp_path)
