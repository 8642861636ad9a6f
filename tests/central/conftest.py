"""What the rooms of the centre share in their tests: a real PostgreSQL, started by the first test that asks for one, and databases."""

from tests.central.databases import engine, made_database, made_file
from tests.central.postgres import postgres, postgres_url

__all__ = ["engine", "made_database", "made_file", "postgres", "postgres_url"]
