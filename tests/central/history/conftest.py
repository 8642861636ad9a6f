"""What tests of the history share."""

from tests.central.history.stores import engine, made_database, made_file

__all__ = ["engine", "made_database", "made_file"]
