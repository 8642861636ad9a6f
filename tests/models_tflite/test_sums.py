"""Two machines are compared by what their networks make of one picture."""

import json

import numpy as np
import pytest

from agent.cli import main
from agent.models_sums import fixed_picture
from models_tflite.manifest import load_manifest


def test_the_fixed_picture_is_the_same_on_every_machine_and_uses_the_whole_range() -> None:
    picture = fixed_picture((1, 64, 64, 3))
    assert picture.dtype == np.int8
    assert (picture.min(), picture.max()) == (-128, 127)
    # by hand: 1, 2 and 3 times 2654435761, modulo 2^32, the first eight bits, less 128
    assert picture[0, 0, 0].tolist() == [30, -68, 90]


def test_every_network_tells_its_sums_and_its_fast_kernels_are_near(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "sums", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    manifest = load_manifest(None)
    assert [row["role"] for row in told] == [entry.role for entry in manifest.models]
    assert all(len(row["sums"]) == len(entry.outputs) for row, entry in zip(told, manifest.models, strict=True))
    assert all(row["fast_differs_most"] < 128 for row in told)  # roundings, and not another network
