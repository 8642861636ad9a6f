"""A count of errors to a rate with its interval."""

from __future__ import annotations

from agent.evaluation import metrics
from agent.evaluation.people import Comparisons, Draws, Trials, interval
from agent.evaluation.report import Rate, rounded

PEOPLE_BOOTSTRAP, WILSON = "bootstrap over people", "Wilson, pairs taken for independent"


def rate_of(errors: int, held: int, wrong: Comparisons | None, trials: Trials | None, draws: Draws | None) -> Rate:
    """`errors` of `held` comparisons. With the people of either and draws of them the interval is theirs, otherwise Wilson's."""
    # Without a single error every draw would say zero, which is surer than any list can be.
    if draws is None or wrong is None or trials is None or errors in {0, held}:
        (low, high), method = metrics.wilson(errors, held), WILSON
    else:
        (low, high), method = interval(wrong, trials, draws), PEOPLE_BOOTSTRAP
    return Rate(
        rate=rounded(errors / held), errors=errors, comparisons=held, interval_95=(rounded(low), rounded(high)), method=method
    )
