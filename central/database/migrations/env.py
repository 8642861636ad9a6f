"""Alembic's entry: the connection comes from central.database.migrate, inside a transaction of its own."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True, render_as_batch=True)
context.run_migrations()
