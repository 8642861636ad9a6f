"""The centre's one database: how it is opened, what lies in it (a file of tables for each room), and how it grows (migrations)."""

import logging

# Before it is imported: which plugins it has loaded, and that SQLite is SQLite, is nobody's news
logging.getLogger("alembic").setLevel(logging.WARNING)
