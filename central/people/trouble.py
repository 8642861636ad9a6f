"""What cannot be done with people, as a word for programs and a sentence for whoever asked."""

from __future__ import annotations

from typing import Literal

from agent.errors import DoorwardError

Code = Literal["not_found", "taken", "in_use", "unfit", "no_consent", "blocked", "changed_meanwhile"]


class PeopleError(DoorwardError, ValueError):
    """Nothing was changed."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code: Code = code


def nobody(id: str) -> PeopleError:
    return PeopleError("not_found", f"there is no cardholder {id[:80]!r}")


def unfit(faults: list[str]) -> PeopleError:
    return PeopleError("unfit", "; ".join(faults[:5]))
