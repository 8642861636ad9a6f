"""Beyond one machine: three nats-servers and two centres over one PostgreSQL, killed one after the other while real doors have much to say.

`python -m tools.cluster` does the same for longer; docs/NATS.md has the figures.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.central.postgres import Cluster, postgres
from tools.cluster.run import Options, run_cluster

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

__all__ = ["postgres"]


def test_two_nodes_and_the_active_centre_are_killed_and_every_event_is_in_the_database_once(
    tmp_path: Path, postgres: Cluster
) -> None:
    report = run_cluster(Options(doors=3, nodes=2, centres=1), tmp_path, postgres.new_database())
    assert (report.lost, report.twice, report.conflicts, report.left) == (0, 0, 0, 0)
    assert report.kept == report.made > 100
    assert report.resent > 0, "nothing was cut off: the test proves nothing"
    assert [kill.what for kill in report.kills].count("centre") == 1
