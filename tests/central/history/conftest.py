"""What tests of the history share."""

from tests.central.history.stores import engine

__all__ = ["engine"]
