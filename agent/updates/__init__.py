"""Models, rules and programs that the centre offers a door: received, checked, tried, kept, taken back (docs/UPDATES.md)."""
