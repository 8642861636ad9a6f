from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle.houses import Controller, make_key, small_bundle


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("key") / "release.key")


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Callable[[str], Path]:
    """Releases by version; one whose version ends in .13 does not come up."""
    made: dict[str, Path] = {}

    def bundle(version: str) -> Path:
        if version not in made:
            extra = f"doorward-of-{version.replace('.', '-')}"
            made[version] = small_bundle(
                tmp_path_factory.mktemp("bundle") / version, key, version, up=not version.endswith(".13"), unit=extra
            )
        return made[version]

    return bundle


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path / "controller")
