"""What the report of killed nodes and centres says, and in which order they are killed."""

from __future__ import annotations

from tools.cluster.run import Kill, Options, Report, plan_of, words

REPORT = Report(made=100, kept=100, lost=0, twice=0, conflicts=0, left=0, resent=7, wait_ms={"p50": 20.4, "worst": 900.0},
                kills=[Kill(what="n1", gap_s=0.2), Kill(what="centre", gap_s=1.5, takeover_s=0.4), Kill(what="n2", gap_s=9.1)])  # fmt: skip


def test_it_says_what_was_lost_and_for_how_long_nothing_went_through() -> None:
    told = words(REPORT)
    for part in (
        "lost 0 of 100 events",
        "7 said again",
        "2 nodes killed",
        "9.1 s at worst",
        "active after 0.4 s at most",
        "p50 20 ms",
    ):
        assert part in told
    assert REPORT.is_good


def test_nodes_take_turns_and_the_active_centre_falls_in_between() -> None:
    plan = plan_of(Options(nodes=6, centres=2, seed=3))
    nodes = [what for what in plan if what != "centre"]
    assert sorted(nodes[:3]) == sorted(nodes[3:]) == ["n1", "n2", "n3"]
    assert plan.count("centre") == 2
    assert "centre" not in (plan[0], plan[-1])
