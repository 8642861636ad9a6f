"""A fob that was withdrawn lets nobody in, and whoever was not passes as before."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.core.access import AccessRules, may_pass
from agent.core.withdrawn import State, Withdrawal, WithdrawnRoll, since_bundle
from tests.door_under_test import rules

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
FOB = "H10301:1:5283"
REASONS: dict[State, str] = {"lost": "credential_lost", "stolen": "credential_stolen", "revoked": "credential_revoked",
                             "suspended": "cardholder_suspended", "over": "credential_expired",
                             "not_begun": "credential_not_yet_valid"}  # fmt: skip


def refusal(whole: AccessRules, fob: str = FOB) -> str | None:
    refused = may_pass(whole, fob, NOW).refused
    return refused.value if refused is not None else None


def with_withdrawn(states: dict[int, State], state: str = "active") -> AccessRules:
    whole = rules(state=state)
    return replace(whole, people=WithdrawnRoll(whole.people, hash, states))


@pytest.mark.parametrize(("state", "reason"), REASONS.items())
def test_a_withdrawn_fob_is_refused_for_what_became_of_it(state: State, reason: str) -> None:
    whole = with_withdrawn({hash(FOB): state})
    assert refusal(whole) == reason
    holder = may_pass(whole, FOB, NOW).cardholder
    assert holder is not None
    assert holder.id == "cardholder-1"


def test_a_fob_that_is_nobodys_any_more_is_not_known() -> None:
    whole = with_withdrawn({hash(FOB): "unknown"})
    assert refusal(whole) == "unknown_credential"
    assert may_pass(whole, FOB, NOW).cardholder is None


def test_whoever_is_not_withdrawn_passes_as_before_and_nobody_is_made_up() -> None:
    whole = with_withdrawn({hash("H10301:9:9"): "stolen"})
    assert refusal(whole) is None
    assert refusal(whole, "H10301:9:9") == "unknown_credential"
    assert len(whole.people) == 1


@given(
    before=st.sampled_from(["active", "lost", "stolen", "revoked"]),
    states=st.dictionaries(st.sampled_from([hash(FOB), 1, 2]), st.sampled_from([*sorted(REASONS), "unknown"])),
)
def test_a_withdrawal_never_opens(before: str, states: dict[int, State]) -> None:
    refused_before, refused_after = refusal(rules(state=before)), refusal(with_withdrawn(states, before))
    assert refused_after is not None or refused_before is None


def test_a_bundle_that_knows_of_a_withdrawal_needs_it_no_more() -> None:
    withdrawn = (Withdrawal(1, "stolen", 5), Withdrawal(2, "lost", 6))
    assert since_bundle(withdrawn, 4) == {1: "stolen", 2: "lost"}
    assert since_bundle(withdrawn, 5) == {2: "lost"}
    assert since_bundle(withdrawn, 6) == {}
