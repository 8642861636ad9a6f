"""The centre's one database: how it is opened, what lies in it (a file of tables for each room), and how it grows (migrations)."""
