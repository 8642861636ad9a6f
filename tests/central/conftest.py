"""What the rooms of the centre share in their tests: a real PostgreSQL, started by the first test that asks for one."""

from tests.central.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
